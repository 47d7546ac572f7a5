//! `check --target`: what the files of an environment need, against what a machine has.

use std::path::Path;

use rattler_conda_types::{Channel, MatchSpec, ParseStrictness, Subdir};

use super::{
    World,
    host_libraries::{Place, find},
    unbundled::Unbundled,
};
use crate::{
    adopt::{self, AdoptOptions, Editables},
    base::{Network, Scratch},
    cli::{
        Exit,
        args::{CheckArgs, Format},
        project::{self, UsageError},
        ui,
    },
    exec::{self, ExecError, Market, machine, this_machine},
    manifest::closest,
    needs::{self, Needs, unsaid, violations},
    rt::Rt,
    workspace::{self, Target},
};

/// The word for the machine that we are on.
const HERE: &str = "this-machine";

/// How a machine is described.
const DESCRIBED: &str = "write virtual packages, as `__glibc=2.17`, symbols, as `GLIBCXX=3.4.25`, libraries, as \
                         `libX11.so.6`, or the platform, as `platform=linux-64`, with commas between them";

pub(in crate::cli) fn check_target(world: &World, args: &CheckArgs) -> miette::Result<Exit> {
    let word = args.target.as_deref().unwrap_or(HERE);
    let here = Subdir::current().ok_or_else(|| miette::miette!("conda has no name for this platform"))?;
    // A target that is misspelt is told before gigabytes are read.
    let named = named(world, word, here)?;
    let place = find(world, &args.what)?;
    let mut needs = match &place {
        Place::Prefix(prefix) => {
            let mut needs = needs::of_folder(prefix)?;
            // On this machine it stays where it is.
            if named.is_some() && prefix.join("conda-meta").is_dir() {
                look_for_unfixable(prefix, &mut needs);
            }
            needs
        }
        Place::Archive(archive) => needs::of_archive(archive)?,
        Place::Bundle(bundle) => needs::of_folder(&Unbundled::of(world, bundle)?.prefix)?,
    };
    let target = resolved(world, named.as_ref(), here, &needs)?;
    let mut found = violations(&needs, &target);
    if let Place::Archive(archive) = &place
        && !found.is_empty()
        && needs.owners.is_empty()
    {
        // Their records know the channels where other builds may be.
        needs.owners = needs::owners_in(archive)?;
    }
    let network = if args.offline { Network::Offline } else { Network::Online };
    let trouble =
        if found.is_empty() { None } else { fill_in(world, (&args.what, network), &mut found, &needs, &target).err() };
    let judged = ui::Judged { target: word, needs: &needs, violations: &found, unsaid: &unsaid(&needs, &target) };
    match args.format {
        Format::Text => ui::target_text(&judged, &world.global)?,
        Format::Json => ui::target_json(&judged)?,
    }
    if let Some(error) = trouble {
        ui::note(&format!("no build that would fit was looked for: {error}"));
    }
    Ok(if found.is_empty() { Exit::Success } else { Exit::Failure })
}

/// The target that a word names or describes; nothing stands for the machine that we are on.
///
/// # Errors
/// When it is none.
pub(super) fn meant(world: &World, word: &str) -> miette::Result<Option<Target>> {
    let here = Subdir::current().ok_or_else(|| miette::miette!("conda has no name for this platform"))?;
    named(world, word, here)
}

/// Fails when a target does not have what an environment needs.
pub(super) fn require(world: &World, word: &str, environment: &str, needs: &Needs) -> miette::Result<()> {
    let here = Subdir::current().ok_or_else(|| miette::miette!("conda has no name for this platform"))?;
    let target = resolved(world, named(world, word, here)?.as_ref(), here, needs)?;
    let mut found = violations(needs, &target);
    if found.is_empty() {
        return Ok(());
    }
    // What is wrong is known already; what would be right is a kindness.
    drop(fill_in(world, (Path::new(""), Network::Online), &mut found, needs, &target));
    let list = found.iter().map(|it| format!("  {it}\n")).collect();
    Err(ExecError::Target { environment: environment.to_owned(), target: word.to_owned(), list }.into())
}

/// Says which files of a prefix name it in a way that cannot be changed. What cannot be packed at all is no matter of the
/// target: it is told, and the rest is held against it.
fn look_for_unfixable(prefix: &Path, needs: &mut Needs) {
    let threads = exec::Machine::probe().cpus as usize;
    let options = AdoptOptions { editables: Editables::LeaveOut, threads, ..AdoptOptions::default() };
    match adopt::adopt(prefix, &options) {
        Ok(adopted) => needs.unfixable = exec::unfixable(prefix, &adopted, needs),
        Err(errors) => {
            for problem in errors.problems() {
                ui::note(&format!("warning: whether it can be moved is not known: {problem}"));
            }
        }
    }
}

/// What a target has; without one, what the machine has that we are on.
fn resolved(world: &World, named: Option<&Target>, here: Subdir, needs: &Needs) -> miette::Result<needs::Target> {
    Ok(match named {
        Some(target) => machine(target, here)?,
        None => this_machine(here, world.environment.get("LD_LIBRARY_PATH").map(String::as_str), needs)?,
    })
}

/// The target that a word names, or that it describes; nothing stands for the machine that we are on.
fn named(world: &World, word: &str, here: Subdir) -> miette::Result<Option<Target>> {
    if word.contains('=') {
        let target = described(word)?;
        // Versions and patterns are read as those of a machine.
        machine(&target, here).map_err(|error| UsageError::UnknownTarget {
            target: word.to_owned(),
            reason: error.to_string(),
            help: DESCRIBED.to_owned(),
        })?;
        return Ok(Some(target));
    }
    let declared = match project::find(&world.global) {
        Ok(_) => workspace::targets(&project::manifest(&world.global)?),
        Err(_) => Vec::new(),
    };
    if let Some(target) = declared.iter().find(|it| it.name == word) {
        return Ok(Some(target.clone()));
    }
    if word == HERE {
        return Ok(None);
    }
    let names: Vec<&str> = declared.iter().map(|it| it.name.as_str()).chain([HERE]).collect();
    let help = match closest(word, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the targets are {}; or say what the machine has, as in `__glibc=2.17`", names.join(", ")),
    };
    let reason = "no project.toml declares a target of this name, here or above".to_owned();
    Err(UsageError::UnknownTarget { target: word.to_owned(), reason, help }.into())
}

/// A target that is described by words between commas: virtual packages, kinds of symbols and the platform with what they
/// are, and names of libraries.
fn described(text: &str) -> Result<Target, UsageError> {
    let (platform, virtual_packages, libraries, symbols) = (None, Vec::new(), Vec::new(), Vec::new());
    let mut target = Target { name: text.to_owned(), platform, virtual_packages, libraries, symbols };
    for word in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
        match word.split_once('=') {
            None => target.libraries.push(word.to_owned()),
            Some(("platform", platform)) if platform.parse::<Subdir>().is_ok() => {
                target.platform = Some(platform.to_owned());
            }
            Some((name, version)) if name.starts_with("__") => {
                target.virtual_packages.push((name.to_owned(), version.to_owned()));
            }
            Some((kind, version)) if kind.chars().all(|it| it.is_ascii_uppercase() || "_0123456789".contains(it)) => {
                target.symbols.push((kind.to_owned(), version.to_owned()));
            }
            Some(_) => {
                let reason = format!("no machine is described by `{word}`");
                let help = DESCRIBED.to_owned();
                return Err(UsageError::UnknownTarget { target: text.to_owned(), reason, help });
            }
        }
    }
    Ok(target)
}

/// Names the builds that would fit. Of an environment of the project they have to satisfy what it asks for.
fn fill_in(
    world: &World,
    (what, network): (&Path, Network),
    found: &mut [needs::Violation],
    needs: &Needs,
    target: &needs::Target,
) -> miette::Result<()> {
    let rt = Rt::new().map_err(|error| miette::miette!("the runtime cannot start: {error}"))?;
    let (mut channels, mut specs): (Vec<Channel>, Vec<MatchSpec>) = (Vec::new(), Vec::new());
    if let Ok(project) = project::load(&world.global, &world.environment, &[]) {
        channels.extend(project.workspace.channels.iter().map(|it| it.channel.clone()));
        let environments = &project.workspace.environments;
        if let Some(environment) = environments.iter().find(|it| Path::new(&it.name) == what) {
            specs.extend(
                environment.specs.iter().filter_map(|it| MatchSpec::from_str(it, ParseStrictness::Lenient).ok()),
            );
        }
    }
    let scratch = Scratch::new()?;
    let market = Market {
        rt: &rt,
        channels: &channels,
        specs: &specs,
        cache: &project::cache(&world.environment).unwrap_or_else(|| scratch.path().to_owned()),
        network,
    };
    Ok(market.name_newest(found, needs, target)?)
}
