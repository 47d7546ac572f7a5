//! `export`: what is in an environment, in the formats of other programs.

use std::path::Path;

use url::Url;

use super::{World, host_libraries::unknown, unbundled::Unbundled};
use crate::{
    archive,
    base::fs,
    cli::{
        Exit,
        args::{ExportArgs, ExportFormat},
        project::{self, UsageError},
        ui,
    },
    export::{self, Contents, Export, Format},
    image,
    lock::{self, LockedEnvironment},
    tree::{HEADER, Header},
    unpack,
};

pub(in crate::cli) fn export(world: &World, args: &ExportArgs) -> miette::Result<Exit> {
    let contents = contents(world, &args.what)?;
    let Export { text, warnings } = export::write(&contents, format(args.format))?;
    match &args.output {
        Some(file) => fs::write_atomic(&world.path(file), text.as_bytes())?,
        None => ui::data(text.trim_end_matches('\n'))?,
    }
    for warning in warnings {
        ui::note(&format!("warning: {warning}"));
    }
    Ok(Exit::Success)
}

fn format(format: ExportFormat) -> Format {
    match format {
        ExportFormat::List => Format::List,
        ExportFormat::Explicit => Format::Explicit,
        ExportFormat::Environment => Format::Environment,
        ExportFormat::EnvironmentNoBuilds => Format::EnvironmentNoBuilds,
        ExportFormat::CondaLock => Format::CondaLock,
        ExportFormat::Pixi => Format::Pixi,
        ExportFormat::Sbom => Format::Sbom,
    }
}

/// What is in an environment of the lock, a prefix or an archive, whatever the word means.
pub(super) fn contents(world: &World, what: &Path) -> miette::Result<Contents> {
    let name = what.to_str().filter(|it| !it.contains('/') && !it.starts_with('.'));
    let root = project::find(&world.global);
    if let (Some(name), Ok(root)) = (name, &root)
        && let Some(locked) = lock::read(&root.join("envbuild.lock"))?.get(name)
    {
        return Ok(of_lock(name, locked, root));
    }
    let path = world.path(what);
    if image::is_bundle(&path) {
        let mut contents = export::of_prefix(&Unbundled::of(world, &path)?.prefix)?;
        contents.name = named(&path, &contents);
        contents.place = path.display().to_string();
        contents.forget_places_below(&[]);
        return Ok(contents);
    }
    if path.is_file() {
        return of_archive(&path);
    }
    if path.join("conda-meta").is_dir() {
        // The prefix is told as conda tells it: as it is called, without links resolved.
        let mut contents = export::of_prefix(&path)?;
        contents.forget_places_below(&[]);
        return Ok(contents);
    }
    match (name, root) {
        (Some(name), Ok(_)) => Err(unknown(world, name, |name| {
            miette::miette!(help = format!("run `envbuild lock {name}`"), "`{name}` is not locked yet")
        })?),
        _ if path.symlink_metadata().is_err() => Err(UsageError::NothingThere(path).into()),
        _ => Err(UsageError::NoEnvironment(path).into()),
    }
}

fn of_lock(name: &str, locked: &LockedEnvironment, root: &Path) -> Contents {
    let absolute = |channel: &String| {
        if !channel.starts_with(['.', '/']) {
            return channel.clone();
        }
        let folder = root.join(channel);
        let folder = folder.canonicalize().unwrap_or(folder);
        Url::from_directory_path(&folder).map_or_else(|()| channel.clone(), Into::into)
    };
    let channels: Vec<String> = locked.channels.iter().map(absolute).collect();
    Contents::of_lock(name, locked.platform, &channels, &locked.packages)
}

/// The one place where an archive is read.
fn of_archive(path: &Path) -> miette::Result<Contents> {
    let mut files = unpack::files_that(path, &|name| name == HEADER || export::is_wanted(name))?;
    let header = files.iter().position(|(name, _)| name == HEADER).map(|at| files.remove(at).1);
    let header: Option<Header> = header.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if header.as_ref().is_some_and(|it| it.since.is_some()) {
        // The records of what did not change are in the tree on which it builds.
        return Err(UsageError::Update(path.to_owned()).into());
    }
    let mut contents = export::of_files("", path, &files)?;
    contents.name = header.and_then(|it| it.name).unwrap_or_else(|| named(path, &contents));
    contents.forget_places_below(&[]);
    Ok(contents)
}

/// What the environment in a file is most likely called: as the file, if that is still called as it was packed.
fn named(path: &Path, contents: &Contents) -> String {
    let file = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = archive::Format::stem(&file).trim_end_matches(".bundle");
    stem.strip_suffix(&format!("-{}", contents.platform)).unwrap_or(stem).to_owned()
}
