//! `check`: the ledger of an environment against this machine; and the warnings of those who make or run one.

use std::path::{Path, PathBuf};

use super::{World, unbundled::Unbundled};
use crate::{
    cli::{
        Environment, Exit,
        args::{CheckArgs, Format},
        project::{self, UsageError},
        ui,
    },
    exec::Context,
    image,
    ledger::{self, Held, Host, Ledger},
    manifest::closest,
    plan::Kind,
    run::Report,
    store::{NodeResult, Store},
    unpack,
};

pub(in crate::cli) fn check_host(world: &World, args: &CheckArgs) -> miette::Result<Exit> {
    let ledgers = ledgers(world, &args.what)?;
    let held = hold(&ledgers, &world.environment)?;
    match args.format {
        Format::Text => ui::held_text(&held, &world.global)?,
        Format::Json => ui::held_json(&held)?,
    }
    Ok(if held.iter().all(|it| it.state.is_same()) { Exit::Success } else { Exit::Failure })
}

/// What a word of the command line names.
pub(super) enum Place {
    /// An installed environment.
    Prefix(PathBuf),
    /// A file.
    Archive(PathBuf),
    /// Packages, in a file or a folder.
    Bundle(PathBuf),
}

/// Finds an environment of the project, a prefix or an archive, whatever the word means.
pub(super) fn find(world: &World, what: &Path) -> miette::Result<Place> {
    let name = what.to_str().filter(|it| !it.contains('/') && !it.starts_with('.'));
    let root = project::find(&world.global);
    if let (Some(name), Ok(root)) = (name, &root) {
        let prefix = Store::at(root).prefix(name);
        if prefix.join("conda-meta").is_dir() {
            return Ok(Place::Prefix(prefix));
        }
    }
    let path = world.path(what);
    if image::is_bundle(&path) {
        return Ok(Place::Bundle(path));
    }
    if path.is_file() {
        return Ok(Place::Archive(path));
    }
    if path.join("conda-meta").is_dir() || path.join(ledger::FOLDER).is_dir() {
        return Ok(Place::Prefix(path));
    }
    match (name, root) {
        (Some(name), Ok(_)) => Err(unknown(world, name, |name| UsageError::NotInstalled(name.to_owned()).into())?),
        _ if path.symlink_metadata().is_err() => Err(UsageError::NothingThere(path).into()),
        _ => Err(UsageError::NoEnvironment(path).into()),
    }
}

fn ledgers(world: &World, what: &Path) -> miette::Result<Vec<Ledger>> {
    match find(world, what)? {
        Place::Prefix(prefix) => Ok(ledger::of_prefix(&prefix)?),
        Place::Bundle(bundle) => Ok(ledger::of_prefix(&Unbundled::of(world, &bundle)?.prefix)?),
        Place::Archive(archive) => {
            let files = unpack::files_in(&archive, ledger::FOLDER)?;
            let read = |(file, bytes): &(String, Vec<u8>)| Ledger::parse(bytes, &archive.join(file));
            Ok(files.iter().map(read).collect::<Result<_, _>>()?)
        }
    }
}

/// Why a name means nothing that could be looked at: `missing` says it of an environment that the project has.
pub(super) fn unknown(
    world: &World,
    name: &str,
    missing: impl Fn(&str) -> miette::Report,
) -> miette::Result<miette::Report> {
    let project = project::load(&world.global, &world.environment, &[])?;
    let names: Vec<&str> = project.workspace.environments.iter().map(|it| it.name.as_str()).collect();
    if names.contains(&name) {
        return Ok(missing(name));
    }
    Ok(UsageError::unknown_environment(name, closest(name, names.iter().copied()), &names).into())
}

fn hold(ledgers: &[Ledger], environment: &Environment) -> miette::Result<Vec<Held>> {
    let mut host = Host::new(environment.get("LD_LIBRARY_PATH").map(String::as_str));
    Ok(host.hold(ledgers)?)
}

/// Says what a prefix will not find here, or find as another one. It is a warning: nobody knows what is needed today.
pub(super) fn warn(prefix: &Path, environment: &Environment) {
    let held = ledger::of_prefix(prefix).map_err(miette::Report::from).and_then(|it| hold(&it, environment));
    match held {
        Ok(held) => ui::held_warnings(&held, prefix),
        Err(error) => ui::error(&error),
    }
}

/// The same for all prefixes that a run has made.
pub(super) fn warn_of_installed(world: &World, context: &Context, report: &Report) {
    let made = report.nodes.iter().filter(|it| it.result == NodeResult::Built).filter_map(|it| {
        let node = context.plan.find(it.id.as_str()).map(|index| context.plan.node(index))?;
        (node.kind == Kind::Install).then(|| context.workspace.environments[node.subject].name.as_str())
    });
    let prefixes: Vec<PathBuf> = made.map(|name| context.store.prefix(name)).collect();
    for prefix in prefixes {
        warn(&prefix, &world.environment);
    }
}
