//! Looks for one file in all places that pip would look in.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use url::Url;

use super::{
    configuration::{Configuration, location},
    page::{ACCEPT, Link, links},
};
use crate::{
    base::{FsError, Network},
    fetch::{
        hash::{Expected, Found},
        http::{Web, shown},
    },
    recipe::IndexFile,
};

/// What is to be done, and with what.
pub(in crate::fetch) struct Sought<'a> {
    /// The file.
    pub(in crate::fetch) wanted: &'a IndexFile,
    /// Its hashes.
    pub(in crate::fetch) expected: &'a Expected,
    /// Whether the network may be used.
    pub(in crate::fetch) network: Network,
    /// The user's environment.
    pub(in crate::fetch) environment: &'a BTreeMap<String, String>,
    /// Tells the index that pip asks without any configuration. The error is a sentence.
    pub(in crate::fetch) default: &'a dyn Fn() -> Result<String, String>,
}

/// What came of a search.
#[derive(Default)]
pub(in crate::fetch) struct Outcome {
    /// The file that was found, which is where it was wanted.
    pub(in crate::fetch) found: Option<Found>,
    /// The first file of that name with another content: where, what was expected, and what it is.
    pub(in crate::fetch) wrong: Option<(String, String, String)>,
    /// What else was tried, one sentence each.
    pub(in crate::fetch) tried: Vec<String>,
}

/// Looks through folders and pages with links, then the index, then further indexes, and copies the first file with the
/// right hash to `file`.
pub(in crate::fetch) fn search(sought: &Sought<'_>, web: &Web<'_>, file: &Path) -> Result<Outcome, FsError> {
    let mut outcome = Outcome::default();
    for page in pages(sought, &mut outcome.tried) {
        let listed = match read(&page, sought.network, web) {
            Ok(listed) => listed,
            Err(reason) => {
                outcome.tried.push(reason);
                continue;
            }
        };
        let named: Vec<&Link> = listed.iter().filter(|it| it.name == sought.wanted.file).collect();
        if named.is_empty() {
            outcome.tried.push(format!("`{}` has no `{}`", shown(&page.url()), sought.wanted.file));
        }
        for link in named {
            if take(sought, web, (&with_credentials(&link.url, &page.url()), link), file, &mut outcome)? {
                return Ok(outcome);
            }
        }
    }
    Ok(outcome)
}

/// Brings a file here if it is the right one.
fn take(
    sought: &Sought<'_>,
    web: &Web<'_>,
    (url, link): (&Url, &Link),
    file: &Path,
    outcome: &mut Outcome,
) -> Result<bool, FsError> {
    // What the page says of the file saves bringing another one; what the file is, is looked at in any case.
    if let (Some(expected), Some(found)) = (&sought.expected.sha256, &link.sha256)
        && expected != found
    {
        let (expected, found) = (format!("sha256 {expected}"), format!("sha256 {found}"));
        outcome.wrong.get_or_insert((shown(url), expected, found));
        return Ok(false);
    }
    let brought = match url.to_file_path() {
        Ok(path) if url.scheme() == "file" => std::fs::copy(&path, file)
            .map(drop)
            .map_err(|error| format!("`{}` could not be copied: {error}", path.display())),
        _ if sought.network == Network::Offline => Err(off(url)),
        _ => web.download(url, file),
    };
    if let Err(reason) = brought {
        outcome.tried.push(reason);
        return Ok(false);
    }
    let found = Found::in_file(file)?;
    if let Err((expected, other)) = sought.expected.check(&found) {
        outcome.wrong.get_or_insert((shown(url), expected, other));
        return Ok(false);
    }
    outcome.found = Some(found);
    Ok(true)
}

fn off(url: &Url) -> String {
    format!("`{}` was not asked: the network is off", shown(url))
}

/// A place that has links to files.
enum Page {
    /// A folder of files.
    Folder(PathBuf),
    /// A page on this machine.
    File(PathBuf),
    /// A page on the network.
    Url(Url),
}

impl Page {
    /// Its address.
    fn url(&self) -> Url {
        match self {
            Self::Folder(path) => Url::from_directory_path(path).expect("the path came from a URL"),
            Self::File(path) => Url::from_file_path(path).expect("the path came from a URL"),
            Self::Url(url) => url.clone(),
        }
    }
}

/// All places of a file, in the order in which they are asked.
fn pages(sought: &Sought<'_>, tried: &mut Vec<String>) -> Vec<Page> {
    let configuration = match Configuration::read(sought.environment) {
        Ok(configuration) => configuration,
        Err(reason) => {
            tried.push(reason);
            return Vec::new();
        }
    };
    let mut indexes = Vec::new();
    if configuration.no_index {
        tried.push("no index was asked: pip's option `no-index` is set".to_owned());
    } else {
        match &configuration.index {
            Some(index) => indexes.push(index.clone()),
            None if sought.network == Network::Offline => {
                tried.push("pip's own index was not asked: the network is off".to_owned());
            }
            None => match (sought.default)() {
                Ok(index) => indexes.push(index),
                Err(reason) => tried.push(reason),
            },
        }
        indexes.extend(configuration.extra);
    }
    let home = sought.environment.get("HOME").map(String::as_str);
    let linked = configuration.links.iter().map(|it| Ok(linked(location(it, home)?)));
    let indexed = indexes.iter().map(|it| Ok(in_index(location(it, home)?, &sought.wanted.project)));
    let pages: Vec<Result<Page, String>> = linked.chain(indexed).collect();
    pages.into_iter().filter_map(|it| it.map_err(|reason| tried.push(reason)).ok()).collect()
}

/// What `find-links` names.
fn linked(url: Url) -> Page {
    match url.to_file_path() {
        Ok(path) if url.scheme() == "file" && path.is_dir() => Page::Folder(path),
        Ok(path) if url.scheme() == "file" => Page::File(path),
        _ => Page::Url(url),
    }
}

/// The page of a project in an index, which may be a folder of this machine.
fn in_index(mut url: Url, project: &str) -> Page {
    match url.to_file_path() {
        Ok(path) if url.scheme() == "file" => Page::File(path.join(project).join("index.html")),
        _ => {
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().push(project).push("");
            }
            Page::Url(url)
        }
    }
}

/// The links of a page. The error is a sentence.
fn read(page: &Page, network: Network, web: &Web<'_>) -> Result<Vec<Link>, String> {
    match page {
        Page::Folder(path) => {
            let failed = |error: std::io::Error| format!("`{}` cannot be read: {error}", path.display());
            let entries: Result<Vec<_>, _> = std::fs::read_dir(path).map_err(failed)?.collect();
            let link = |entry: std::fs::DirEntry| {
                let url = Url::from_file_path(entry.path()).ok()?;
                Some(Link { name: entry.file_name().into_string().ok()?, url, sha256: None })
            };
            Ok(entries.map_err(failed)?.into_iter().filter_map(link).collect())
        }
        Page::File(path) => {
            let text = std::fs::read(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
            links(&String::from_utf8_lossy(&text), "text/html", &page.url())
        }
        Page::Url(url) if network == Network::Offline => Err(off(url)),
        Page::Url(url) => {
            let answer = web.page(url, ACCEPT)?;
            links(&answer.text, &answer.kind, &answer.url).map_err(|reason| format!("`{}` {reason}", shown(url)))
        }
    }
}

/// A link with the name and the password of the page that has it, if it leads to the same server and has none itself.
fn with_credentials(link: &Url, page: &Url) -> Url {
    let mut link = link.clone();
    let is_near = matches!(link.scheme(), "http" | "https") && link.origin() == page.origin();
    if is_near && link.username().is_empty() && link.password().is_none() {
        // An http URL can have both.
        let _ = link.set_username(page.username());
        let _ = link.set_password(page.password());
    }
    link
}
