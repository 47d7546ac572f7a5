//! What nothing refers to any more. The judgement is one pure function of what lies there and of what is referred to.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{Context, ExecError, packaging::list_of};
use crate::{
    base::{fs, users_of},
    build, conda, fetch,
    manifest::PACK_FORMATS,
    plan::Kind,
    recipe::Source,
    store::{Output, Shelf},
};

/// What a piece of garbage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// An archive of the channel that the index, the lock file and the records do not name.
    Packages,
    /// What was remembered of such an archive.
    Builds,
    /// A record of a node that the manifest no longer has.
    Records,
    /// Such a node's log.
    Logs,
    /// The prefix of an environment that the manifest no longer has.
    Prefixes,
    /// An archive or a checksum in `dist/` that the manifest no longer asks for.
    Packs,
    /// A source that no recipe names.
    Sources,
    /// A recipe that an older program rendered.
    Recipes,
    /// What runs that were killed, and builds that failed, have left.
    Scratch,
}

/// Something that can be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbage {
    /// What it is.
    pub category: Category,
    /// Where it is.
    pub path: PathBuf,
}

/// Everything that a project's folders hold and that is garbage when nothing refers to it.
#[derive(Debug, Clone, Default)]
struct Found {
    /// The channel's archives.
    archives: BTreeSet<PathBuf>,
    /// Build records, each with the archive that it names, when it can be read.
    builds: Vec<(PathBuf, Option<PathBuf>)>,
    /// Everything else.
    others: Vec<Garbage>,
}

/// What a project refers to, by its paths.
#[derive(Debug, Clone, Default)]
struct References {
    /// Archives that the index lists, that the lock file names, that records of the manifest's nodes name.
    archives: BTreeSet<PathBuf>,
    /// Everything else.
    others: BTreeSet<PathBuf>,
}

/// What lies there without being referred to. A package that was once built is remembered for as long as its archive is
/// there.
fn judge(found: &Found, references: &References) -> Vec<Garbage> {
    let is_kept = |archive: &Path| references.archives.contains(archive);
    let archives = found.archives.iter().filter(|it| !is_kept(it)).map(|it| (Category::Packages, it));
    let forgotten =
        |archive: &Option<PathBuf>| !archive.as_ref().is_some_and(|it| is_kept(it) && found.archives.contains(it));
    let builds = found.builds.iter().filter(|(_, it)| forgotten(it)).map(|(path, _)| (Category::Builds, path));
    let others = found.others.iter().filter(|it| !references.others.contains(&it.path));
    let mut garbage: Vec<Garbage> = archives
        .chain(builds)
        .map(|(category, path)| Garbage { category, path: path.clone() })
        .chain(others.cloned())
        .collect();
    garbage.sort_by(|a, b| (a.category, &a.path).cmp(&(b.category, &b.path)));
    garbage
}

/// Garbage, and what is garbage and has to stay for now.
#[derive(Debug, Default)]
pub struct Garbages {
    /// What can be deleted.
    pub garbage: Vec<Garbage>,
    /// What stays, and why.
    pub kept: Vec<(PathBuf, String)>,
}

/// Looks for garbage. The context's plan has to be of the whole project, without other values for its axes.
///
/// # Errors
/// When a folder, the index or the lock file cannot be read.
pub fn garbage(context: &Context) -> Result<Garbages, ExecError> {
    let mut kept = Vec::new();
    let found = found(context, &mut kept)?;
    let mut garbage = judge(&found, &references(context)?);
    let named: BTreeSet<&PathBuf> = found.builds.iter().filter_map(|(_, archive)| archive.as_ref()).collect();
    garbage.retain(|it| {
        // What people put beside our packages is theirs.
        let ours = it.category != Category::Packages || named.contains(&it.path) || is_sealed(&it.path);
        if !ours {
            kept.push((it.path.clone(), "no package of this program, or damaged".to_owned()));
        }
        ours
    });
    let folders: Vec<PathBuf> = garbage.iter().map(|it| it.path.clone()).filter(|it| it.is_dir()).collect();
    let users = users_of(&folders);
    garbage.retain(|it| match users.get(&it.path) {
        Some(user) => {
            kept.push((it.path.clone(), format!("in use by process {} ({})", user.process, user.name)));
            false
        }
        None => true,
    });
    Ok(Garbages { garbage, kept })
}

fn is_sealed(archive: &Path) -> bool {
    conda::sealed_content(archive).is_ok_and(|it| it.is_some())
}

/// Whether an archive or a checksum in `dist/` was made by this program: the checksum names the archive, and a folder begins
/// with a list.
fn is_pack(file: &Path) -> bool {
    if file.is_dir() {
        return list_of(file).is_some();
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let archive = name.trim_end_matches(".sha256");
    let checksum = fs::read(&file.with_file_name(format!("{archive}.sha256"))).unwrap_or_default();
    String::from_utf8_lossy(&checksum).trim_end().ends_with(&format!("  {archive}"))
}

/// Deletes garbage. Gives what stays, and why: it may have come into use in the meantime.
///
/// # Errors
/// When something cannot be deleted.
pub fn dispose(context: &Context, garbage: &[Garbage]) -> Result<Vec<(PathBuf, String)>, ExecError> {
    let mut kept = Vec::new();
    let (channel, others): (Vec<&Garbage>, Vec<&Garbage>) =
        garbage.iter().partition(|it| it.path.starts_with(context.channel.root()));
    let files: Vec<&Path> = channel.iter().map(|it| it.path.as_path()).collect();
    for file in context.channel.discard(&files)? {
        kept.push((file.to_owned(), "in the index by now".to_owned()));
    }
    for Garbage { path, .. } in others {
        if !path.starts_with(&context.settings.scratch) {
            fs::remove(path)?;
        } else if !build::discard(path)? {
            kept.push((path.clone(), "a build works in it by now".to_owned()));
        }
    }
    Ok(kept)
}

fn found(context: &Context, kept: &mut Vec<(PathBuf, String)>) -> Result<Found, ExecError> {
    let mut found = Found::default();
    let own = |folder: &Path, kept: &mut Vec<(PathBuf, String)>| {
        if folder.is_symlink() {
            kept.push((folder.to_owned(), "a link to a folder that others may use".to_owned()));
        }
        !folder.is_symlink()
    };
    if own(context.channel.root(), kept) {
        found.archives = context.channel.archives()?.into_iter().collect();
        let left = context.channel.leftovers()?;
        found.others.extend(left.into_iter().map(|path| Garbage { category: Category::Scratch, path }));
    }
    for (path, record) in context.store.builds()? {
        let archive = record.and_then(|it| match it.output {
            Output::Package(package) => Some(context.channel.path_of(&super::build::published(&package))),
            _ => None,
        });
        found.builds.push((path, archive));
    }
    for (shelf, category) in [
        (Shelf::Records, Category::Records),
        (Shelf::Logs, Category::Logs),
        (Shelf::Prefixes, Category::Prefixes),
        (Shelf::Sources, Category::Sources),
        (Shelf::Rendered, Category::Recipes),
        (Shelf::Scratch, Category::Scratch),
    ] {
        let paths = context.store.on(shelf)?;
        found.others.extend(paths.into_iter().map(|path| Garbage { category, path }));
    }
    let dist = context.workspace.root.join("dist");
    if own(&dist, kept) {
        let endings: Vec<String> =
            PACK_FORMATS.iter().map(|format| format!("-{}.{format}", context.workspace.platform)).collect();
        for path in fs::list(&dist)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(fs::TEMPORARY) {
                found.others.push(Garbage { category: Category::Scratch, path });
            } else if endings.iter().any(|it| name.trim_end_matches(".sha256").ends_with(it)) && is_pack(&path) {
                found.others.push(Garbage { category: Category::Packs, path });
            }
        }
    }
    let abandoned = build::abandoned(&context.settings.scratch)?;
    found.others.extend(abandoned.into_iter().map(|path| Garbage { category: Category::Scratch, path }));
    Ok(found)
}

fn references(context: &Context) -> Result<References, ExecError> {
    let mut references = References::default();
    references.archives.extend(context.channel.listed()?);
    for environment in context.locked()?.values() {
        let local = environment.packages.iter().filter_map(|it| it.url.to_file_path().ok());
        references.archives.extend(local);
    }
    let others = &mut references.others;
    for (_, node) in context.plan.iter() {
        if let Some(record) = context.store.record(&node.id)?
            && let Output::Package(package) = &record.output
        {
            references.archives.insert(context.channel.path_of(&super::build::published(package)));
        }
        others.insert(context.store.record_of(&node.id));
        others.insert(context.store.log(&node.id));
        if node.kind == Kind::Pack {
            let archive = context.archive(&context.workspace.environments[node.subject], node.part);
            others.insert(archive.with_added_extension("sha256"));
            others.insert(archive);
        }
    }
    others.extend(context.workspace.environments.iter().map(|it| context.store.prefix(&it.name)));
    others.extend(sources(context)?);
    Ok(references)
}

/// The folders of the sources that recipes name.
fn sources(context: &Context) -> Result<Vec<PathBuf>, ExecError> {
    let mut folders = Vec::new();
    let mut by_name = BTreeSet::new();
    for source in context.workspace.packages.iter().flat_map(|it| &it.cell.sources) {
        let Source::Url { urls, sha256, .. } = source else { continue };
        match sha256 {
            Some(sha256) => folders.push(context.store.sources().join(sha256)),
            // The folder's name is not known from an md5: whatever has the file's name may be it.
            None => {
                by_name.insert(urls.first().and_then(|it| fetch::file_name(it)).unwrap_or_else(|| "source".to_owned()));
            }
        }
    }
    let stored = context.store.on(Shelf::Sources)?;
    folders.extend(stored.into_iter().filter(|folder| by_name.iter().any(|name| folder.join(name).exists())));
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Category, Found, Garbage, References, judge};

    fn paths<T: FromIterator<PathBuf>>(names: &[&str]) -> T {
        names.iter().map(PathBuf::from).collect()
    }

    fn others(names: &[(Category, &str)]) -> Vec<Garbage> {
        names.iter().map(|(category, path)| Garbage { category: *category, path: path.into() }).collect()
    }

    #[test]
    fn what_something_refers_to_is_kept_and_the_rest_is_garbage() {
        let build = |record: &str, archive: Option<&str>| (PathBuf::from(record), archive.map(PathBuf::from));
        let found = Found {
            archives: paths(&["indexed", "locked", "recorded", "replaced"]),
            builds: vec![
                build("of-indexed", Some("indexed")),
                build("of-locked", Some("locked")),
                build("of-replaced", Some("replaced")),
                build("of-deleted", Some("locked-and-deleted")),
                build("broken", None),
            ],
            others: others(&[
                (Category::Records, "record"),
                (Category::Records, "old record"),
                (Category::Prefixes, "prefix"),
                (Category::Prefixes, "old prefix"),
                (Category::Scratch, "scratch"),
            ]),
        };
        let references = References {
            archives: paths(&["indexed", "locked", "recorded", "locked-and-deleted"]),
            others: paths(&["record", "prefix", "a log that is not there"]),
        };
        let garbage = judge(&found, &references);
        let expected = others(&[
            (Category::Packages, "replaced"),
            (Category::Builds, "broken"),
            (Category::Builds, "of-deleted"),
            (Category::Builds, "of-replaced"),
            (Category::Records, "old record"),
            (Category::Prefixes, "old prefix"),
            (Category::Scratch, "scratch"),
        ]);
        assert_eq!(garbage, expected);

        // What is deleted makes nothing else garbage.
        let is_left = |path: &Path| !garbage.iter().any(|it| it.path == path);
        let left = Found {
            archives: found.archives.iter().filter(|it| is_left(it)).cloned().collect(),
            builds: found.builds.iter().filter(|it| is_left(&it.0)).cloned().collect(),
            others: found.others.iter().filter(|it| is_left(&it.path)).cloned().collect(),
        };
        assert_eq!(judge(&left, &references), []);
        assert_eq!(judge(&left, &References::default()).len(), 3 + 2 + 2);
    }
}
