//! The libraries of the host that a package was found to need when it was built: inputs that nobody knew before.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::{Context, ExecError};
use crate::{
    base::Digest,
    elf::{Loader, Machine},
    fingerprint::Change,
    ledger::{HostLibrary, identity},
    store::PackageFile,
    workspace::Package,
};

/// What is remembered of a library's file: its build-id, or the digest of its bytes.
const IDENTITY: &str = "library";

/// The libraries that were looked at in this run: many packages need the same.
#[derive(Debug, Default)]
pub(super) struct Libraries(Mutex<HashMap<PathBuf, Option<String>>>);

/// The libraries of the host that are others now than when the package was built, or gone. Those that only libraries of
/// the host need are theirs to get along with, and the C library is made to be replaced.
pub(super) fn changes(context: &Context, package: &Package, file: &PackageFile) -> Result<Vec<Change>, ExecError> {
    let mut changes = Vec::new();
    for library in file.libraries.iter().filter(|it| it.direct && !it.c_library) {
        let old = known_identity(library);
        let now = now(context, package, library)?;
        if now.as_ref().map(|it| &it.1) != Some(&old) {
            changes.push(Change {
                input: format!("host/library/{}", library.name),
                old: Some(format!("{}, {old}", library.path.display())),
                new: now.map(|(path, identity)| format!("{}, {identity}", path.display())),
            });
        }
    }
    Ok(changes)
}

/// Where a library is now, and which it is: first where it was, then wherever the loader finds it with the package's
/// modules.
fn now(context: &Context, package: &Package, library: &HostLibrary) -> Result<Option<(PathBuf, String)>, ExecError> {
    if let Some(identity) = identity_of(context, &library.path)? {
        return Ok(Some((library.path.clone(), identity)));
    }
    // Modules that cannot be loaded are told where they are asked for.
    let found = context.found(&package.modules).ok();
    let folders = found.as_ref().and_then(|it| it.environment.get("LD_LIBRARY_PATH")).map(String::as_str);
    let other = Machine::this().and_then(|it| Loader::new(folders).find_anywhere(&library.name, it));
    let Some(other) = other else { return Ok(None) };
    let identity = identity_of(context, &other.path)?;
    Ok(identity.map(|it| (other.path, it)))
}

fn identity_of(context: &Context, path: &Path) -> Result<Option<String>, ExecError> {
    let known = || context.libraries.0.lock().expect("no thread panics while it holds the libraries");
    if let Some(identity) = known().get(path) {
        return Ok(identity.clone());
    }
    let found = match path.metadata() {
        Ok(metadata) if metadata.is_file() => {
            let read = || identity(&mut Loader::new(None), path).map(|(build_id, content)| text(build_id, content));
            Some(context.stamps.fact(IDENTITY, path, &metadata, read)?)
        }
        _ => None,
    };
    known().insert(path.to_owned(), found.clone());
    Ok(found)
}

fn known_identity(library: &HostLibrary) -> String {
    text(library.build_id.clone(), library.content)
}

fn text(build_id: Option<String>, content: Option<Digest>) -> String {
    match (build_id, content) {
        (Some(build_id), _) => format!("build-id {build_id}"),
        (None, Some(content)) => format!("content {content}"),
        (None, None) => "unknown".to_owned(),
    }
}
