//! The one verb of the room.

use std::path::Path;

use url::Url;

use super::{
    FetchError, FetchRequest, Fetched, SourceRef,
    hash::{Expected, Found},
    http::{Web, shown},
    index::{Outcome, Sought, search},
    mirror::{Place, places},
    store::Store,
};
use crate::{base::Network, recipe::IndexFile, rt::Rt};

/// Brings every source into the store, in the order of the request. Git repositories are left out: they are cloned
/// when they are built.
///
/// # Errors
/// When a source has no hash, when nobody has the file, or when upstream's file has another hash; all sources are tried
/// first, so that one run tells about all of them.
pub fn fetch(rt: &Rt, request: &FetchRequest<'_>) -> Result<Vec<Fetched>, FetchError> {
    let fetcher = Fetcher { request, store: Store(request.store), web: Web::new(rt) };
    let mut fetched = Vec::new();
    let mut problems = Vec::new();
    for source in request.sources {
        let url = source.urls.first().map(String::as_str).unwrap_or_default();
        if is_git(url) {
            if request.network == Network::Offline {
                problems.push(FetchError::GitOffline { url: url.to_owned() });
            }
            continue;
        }
        match fetcher.one(source, url) {
            Ok(one) => fetched.push(one),
            Err(problem) => problems.push(problem),
        }
    }
    match problems.len() {
        0 => Ok(fetched),
        1 => Err(problems.remove(0)),
        _ => Err(FetchError::Several { problems }),
    }
}

struct Fetcher<'a> {
    request: &'a FetchRequest<'a>,
    store: Store<'a>,
    web: Web<'a>,
}

/// What a place had.
enum Answer {
    /// Nothing, and nobody needs to know.
    Nothing,
    /// Nothing, for a reason.
    Refused(String),
    /// A file, now in the temporary folder.
    File(Found),
}

impl Fetcher<'_> {
    fn one(&self, source: &SourceRef, url: &str) -> Result<Fetched, FetchError> {
        let name = source.file_name.as_str();
        if source.urls.is_empty() || !is_file_name(name) {
            return Err(FetchError::BadName { url: url.to_owned(), name: name.to_owned() });
        }
        let expected = Expected::of(source, url)?;
        if !expected.is_none()
            && let Some((file, sha256)) = self.store.find(&expected, name)?
        {
            return Ok(Fetched { url: url.to_owned(), file, sha256 });
        }
        let scratch = self.store.scratch()?;
        let file = scratch.path().join("file");
        let mut tried = Vec::new();
        let mut wrong = None;
        for place in places(source, &expected, self.request.mirrors) {
            let answer = match &place {
                Place::Index(wanted) => {
                    let outcome = self.search(wanted, &expected, &file)?;
                    tried.extend(outcome.tried);
                    wrong = wrong.or(outcome.wrong);
                    outcome.found.map_or(Answer::Nothing, Answer::File)
                }
                place => self.ask(place, &file)?,
            };
            let found = match answer {
                Answer::Nothing => continue,
                Answer::Refused(reason) => {
                    tried.push(reason);
                    continue;
                }
                Answer::File(found) => found,
            };
            if expected.is_none() {
                return Err(no_hash(url, &found.sha256));
            }
            match expected.check(&found) {
                Ok(()) => {
                    let file = self.store.keep(&file, &found.sha256, name)?;
                    return Ok(Fetched { url: url.to_owned(), file, sha256: found.sha256 });
                }
                Err((expected, found)) => match place {
                    Place::Url(url) => drop(wrong.get_or_insert((shown(&url), expected, found))),
                    Place::File(path) => drop(wrong.get_or_insert((path.display().to_string(), expected, found))),
                    Place::MirrorFile(path) => {
                        tried.push(format!("`{}` has {found} instead of {expected}", path.display()))
                    }
                    Place::MirrorUrl(url) => tried.push(format!("`{}` has {found} instead of {expected}", shown(&url))),
                    // An index is only believed when the hash is right.
                    Place::Index(_) | Place::Unclear(_) => {}
                },
            }
        }
        Err(match wrong {
            Some((url, expected, found)) => FetchError::WrongHash { url, expected, found, tried },
            None if expected.is_none() => no_hash(url, "<the sha256 of the file>"),
            None => FetchError::Unavailable { url: url.to_owned(), name: name.to_owned(), tried },
        })
    }

    /// Copies what a place has to `file`.
    fn ask(&self, place: &Place, file: &Path) -> Result<Answer, FetchError> {
        match place {
            // The caller searches it.
            Place::Index(_) => return Ok(Answer::Nothing),
            Place::Unclear(text) => return Ok(Answer::Refused(format!("`{text}` is no path, file or http URL"))),
            Place::MirrorFile(path) if !path.is_file() => return Ok(Answer::Nothing),
            Place::File(path) if !path.is_file() => return Ok(Answer::Refused(no_file(path))),
            Place::MirrorFile(path) | Place::File(path) => {
                if let Err(error) = std::fs::copy(path, file) {
                    return Ok(Answer::Refused(format!("`{}` could not be copied: {error}", path.display())));
                }
            }
            Place::MirrorUrl(url) | Place::Url(url) => {
                if let Err(reason) = self.download(url, file) {
                    return Ok(Answer::Refused(reason));
                }
            }
        }
        Ok(Answer::File(Found::in_file(file)?))
    }

    fn search(&self, wanted: &IndexFile, expected: &Expected, file: &Path) -> Result<Outcome, FetchError> {
        let FetchRequest { network, environment, default_index, .. } = *self.request;
        let sought = Sought { wanted, expected, network, environment, default: &|| default_index(environment) };
        Ok(search(&sought, &self.web, file)?)
    }

    fn download(&self, url: &Url, file: &Path) -> Result<(), String> {
        if self.request.network == Network::Offline {
            return Err(format!("`{}` was not asked: the network is off", shown(url)));
        }
        self.web.download(url, file)
    }
}

fn no_file(path: &Path) -> String {
    format!("`{}` is no file", path.display())
}

fn no_hash(url: &str, sha256: &str) -> FetchError {
    FetchError::NoHash { url: url.to_owned(), line: format!("sha256: {sha256}") }
}

/// A name that is one component of a path, and not one that means a folder.
fn is_file_name(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|it| it == name)
}

fn is_git(url: &str) -> bool {
    ["git+", "git:", "git@", "ssh:"].iter().any(|start| url.starts_with(start)) || url.ends_with(".git")
}
