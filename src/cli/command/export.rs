//! `export`: what is in an environment, in the formats of other programs.

use std::path::{Path, PathBuf};

use url::Url;

use super::{World, host_libraries::unknown, unbundled::Unbundled};
use crate::{
    archive,
    base::{fs, without_dots},
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

/// How the lock file names the project's own channel.
const OWN: &str = "output";

pub(in crate::cli) fn export(world: &World, args: &ExportArgs) -> miette::Result<Exit> {
    let mut contents = contents(world, &args.what)?;
    contents.remark_absent();
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
        let unbundled = Unbundled::of(world, &path)?;
        let mut contents = export::of_prefix(&unbundled.prefix)?;
        contents.place = plain(&path).display().to_string();
        let header = Header::of_environment(&unbundled.prefix)?;
        return Ok(named(platform_of(contents, header.as_ref()), header, &path));
    }
    if path.is_file() {
        return of_archive(&path);
    }
    if path.join("conda-meta").is_dir() {
        // The prefix is told as conda tells it: as it is called, without links resolved.
        let contents = export::of_prefix(&plain(&path))?;
        return Ok(platform_of(contents, Header::of_environment(&path)?.as_ref()));
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
    let at = |folder: &Path| Url::from_directory_path(folder).ok();
    let absolute = |channel: &String| match channel.starts_with(['.', '/']) {
        // The same, whether it is there or not.
        true => at(&without_dots(&root.join(channel))).map_or_else(|| channel.clone(), Into::into),
        false => channel.clone(),
    };
    // The project's own is in the lock also where nothing is from it.
    let own = root.join(OWN);
    let is_own = |url: &Url| url.to_file_path().is_ok_and(|it| it.starts_with(&own));
    let others = locked.channels.iter().enumerate().filter(|(place, it)| *place > 0 || *it != OWN).map(|(_, it)| it);
    let own = at(&own).filter(|_| locked.packages.iter().any(|it| is_own(&it.url))).map(Into::into);
    let channels: Vec<String> = own.into_iter().chain(others.map(absolute)).collect();
    Contents::of_lock(name, locked.platform, &channels, &locked.packages)
}

/// A path without `..`, as long as that is the same place.
fn plain(path: &Path) -> PathBuf {
    let plain = without_dots(path);
    let is_same = matches!((path.canonicalize(), plain.canonicalize()), (Ok(one), Ok(other)) if one == other);
    if is_same { plain } else { path.to_owned() }
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
    let contents = export::of_files("", &plain(path), &files)?;
    Ok(named(platform_of(contents, header.as_ref()), header, path))
}

/// For the platform that an archive names: where all packages are for every platform, they say none.
fn platform_of(contents: Contents, header: Option<&Header>) -> Contents {
    let platform = header.and_then(|it| it.platform.parse().ok()).unwrap_or(contents.platform);
    Contents { platform, ..contents }
}

/// With the name that an archive gives. Without one it is most likely called as the file, if that is still called as it was
/// packed.
fn named(contents: Contents, header: Option<Header>, path: &Path) -> Contents {
    let file = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = archive::Format::stem(&file).trim_end_matches(".bundle");
    let name = stem.strip_suffix(&format!("-{}", contents.platform)).unwrap_or(stem);
    Contents { name: header.and_then(|it| it.name).unwrap_or_else(|| name.to_owned()), ..contents }
}
