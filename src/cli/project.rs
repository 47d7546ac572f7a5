//! From the current folder to a project that is ready to be planned.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use miette::{Diagnostic, IntoDiagnostic as _, WrapErr as _};
use rattler_conda_types::Subdir;

use super::{
    Environment,
    args::{Global, How},
};
use crate::{
    base::{Network, Stamps, fs, without_dots},
    exec::{HostPolicy, LockPolicy, Machine, Settings},
    manifest::{self, UserConfiguration},
    store::Store,
    workspace::{self, Override, Workspace},
};

/// The compression level of archives: about as fast as the disk on two processors, and clearly smaller than level 3.
pub(super) const PACK_LEVEL: i32 = 7;

/// A command line that cannot be carried out.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(super) enum UsageError {
    /// There is no project here.
    #[error("there is no project.toml in `{}` or above it", .0.display())]
    #[diagnostic(code(envbuild::cli::no_project), help("go to the project's folder, or name it with -C DIR"))]
    NoProject(PathBuf),
    /// No environment of that name.
    #[error("no environment is called `{name}`")]
    #[diagnostic(code(envbuild::cli::unknown_environment), help("{help}"))]
    UnknownEnvironment {
        /// What was typed.
        name: String,
        /// What may have been meant.
        help: String,
    },
    /// Neither an environment nor a prefix nor an archive.
    #[error("`{}` is no environment, no prefix and no archive", .0.display())]
    #[diagnostic(
        code(envbuild::cli::no_environment),
        help("name an environment of the project, the folder of an installed one, or an archive in dist/")
    )]
    NoEnvironment(PathBuf),
    /// A path that leads nowhere.
    #[error("there is nothing at `{}`", .0.display())]
    #[diagnostic(
        code(envbuild::cli::nothing_there),
        help("a relative path is taken from the current folder, or from that of -C")
    )]
    NothingThere(PathBuf),
    /// An archive where a folder is taken.
    #[error("`{}` is an archive, and `{command}` takes the folder of {wanted}", path.display())]
    #[diagnostic(
        code(envbuild::cli::an_archive),
        help("`envbuild unpack ARCHIVE -p PREFIX` makes an environment of an archive")
    )]
    AnArchive {
        /// The archive.
        path: PathBuf,
        /// The command that cannot use it.
        command: &'static str,
        /// What it can use.
        wanted: &'static str,
    },
    /// Any other file where a folder is taken.
    #[error("`{}` is a file, and `{command}` takes the folder of {wanted}", path.display())]
    #[diagnostic(code(envbuild::cli::a_file), help("name the folder itself"))]
    AFile {
        /// The file.
        path: PathBuf,
        /// The command that cannot use it.
        command: &'static str,
        /// What it can use.
        wanted: &'static str,
    },
    /// A folder where the name of an environment is taken.
    #[error("`{}` is the folder of an environment, and no environment of the project", .0.display())]
    #[diagnostic(code(envbuild::cli::a_prefix), help("to pack what lies in a folder, name it with -p"))]
    APrefix(PathBuf),
    /// An environment of which nothing says what is in it.
    #[error("`{}` was installed and not unpacked, so it has no digests that an update could be made since", .0.display())]
    #[diagnostic(
        code(envbuild::cli::since_installed),
        help("name the archive that was made of it and sent, or an environment that was unpacked from that")
    )]
    SinceInstalled(PathBuf),
    /// An archive that holds a part of an environment.
    #[error("`{}` is an update: it holds only what another environment does not have", .0.display())]
    #[diagnostic(
        code(envbuild::cli::update),
        help("name the environment to which it was applied, or an archive that was made without --since")
    )]
    Update(PathBuf),
    /// An environment without a prefix.
    #[error("`{0}` is not installed yet")]
    #[diagnostic(code(envbuild::cli::not_installed), help("run `envbuild install {0}`"))]
    NotInstalled(String),
    /// A target that no table declares, or that says something that no machine has.
    #[error("invalid value '{target}' for '--target': {reason}")]
    #[diagnostic(code(envbuild::cli::unknown_target), help("{help}"))]
    UnknownTarget {
        /// What was typed.
        target: String,
        /// Why it is none.
        reason: String,
        /// What may have been meant.
        help: String,
    },
    /// A file's name does not say what archive it is to be.
    #[error("invalid value '{}' for '--output <FILE>': it does not say what kind of archive it is to be", .0.display())]
    #[diagnostic(
        code(envbuild::cli::ending),
        help(
            "let it end in .tar.zst, .tar.gz, .tar.bz2, .tar.xz, .tar, .zip, .squashfs, .sh or .bundle, or in `/` for a folder"
        )
    )]
    Ending(PathBuf),
    /// Something is where the archive is to go.
    #[error("`{}` is there already", .0.display())]
    #[diagnostic(code(envbuild::cli::exists), help("name another file with -o, or replace it with --force"))]
    Exists(PathBuf),
    /// Something would be written into the environment that is read.
    #[error("`{}` would lie in the environment itself", .0.display())]
    #[diagnostic(code(envbuild::cli::inside), help("name a place outside of it"))]
    Inside(PathBuf),
    /// Something would be written where only this program itself keeps things.
    #[error("`{}` would lie in `{}`, {what}", goal.display(), folder.display())]
    #[diagnostic(code(envbuild::cli::ours), help("name a place outside of it"))]
    Ours {
        /// What was to be written.
        goal: PathBuf,
        /// The folder.
        folder: PathBuf,
        /// What that folder is.
        what: &'static str,
    },
    /// A folder is where a file is to be written, or the other way round.
    #[error("`{}` is {found}, and {wanted} is to be written there", path.display())]
    #[diagnostic(
        code(envbuild::cli::other_kind),
        help("name another place with -o, or remove it: --force replaces only what is of the same kind")
    )]
    OtherKind {
        /// What is there.
        path: PathBuf,
        /// Its kind.
        found: &'static str,
        /// The other kind.
        wanted: &'static str,
    },
    /// A folder is to be written where somebody's folder is.
    #[error("`{}` is there already and holds something else than what is to be packed into it", .0.display())]
    #[diagnostic(
        code(envbuild::cli::not_ours),
        help("name a folder that does not exist yet, or is empty: --force replaces only one that was packed alike")
    )]
    NotOurs(PathBuf),
    /// A squashfs image without the place where it is mounted.
    #[error("a squashfs image is mounted, not unpacked, and nothing says where")]
    #[diagnostic(code(envbuild::cli::mounted), help("say where with --dest-prefix: its files name this path"))]
    Mounted,
    /// An option of prefixes without a prefix.
    #[error("'{0}' goes only with '--prefix <PREFIX>'")]
    #[diagnostic(
        code(envbuild::cli::of_prefixes),
        help("what an environment of the project holds stands in project.toml and in the lock file")
    )]
    OfPrefixes(&'static str),
    /// An option of one archive for those of the manifest.
    #[error("'{0}' goes only with '--output <FILE>', '--since <OLD>' or '--prefix <PREFIX>'")]
    #[diagnostic(
        code(envbuild::cli::of_one),
        help(
            "name a file with -o: the archives in dist/ hold whole environments, and are held against the targets in \
             project.toml"
        )
    )]
    OfOne(&'static str),
    /// The archive that an update builds on is the one to be written.
    #[error("the update would be written over `{}`, which '--since' names, and be of no use then", .0.display())]
    #[diagnostic(code(envbuild::cli::since_itself), help("choose another name for the update with -o"))]
    SinceItself(PathBuf),
    /// Where a folder is to be written, somebody works.
    #[error("`{}` is an environment that is in use, and no folder that was packed", .0.display())]
    #[diagnostic(code(envbuild::cli::in_use), help("choose another place; to renew an environment, unpack an update"))]
    InUse(PathBuf),
    /// An update of packages.
    #[error("`{}` is a bundle: it holds packages, and an update is made since a tree of files", .0.display())]
    #[diagnostic(
        code(envbuild::cli::since_bundle),
        help("name an archive in another format, or an environment that was unpacked from the bundle")
    )]
    SinceBundle(PathBuf),
    /// An option that bundles have no use for.
    #[error("a bundle holds the packages as they are, so {0} does not go with it")]
    #[diagnostic(code(envbuild::cli::not_for_bundles), help("leave it out, or choose another format"))]
    NotForBundles(&'static str),
    /// A bundle of a prefix.
    #[error("a bundle holds the packages of an environment as they were locked, and a prefix has only their files")]
    #[diagnostic(
        code(envbuild::cli::not_locked),
        help("choose another format, or name an environment of the project instead of -p PREFIX")
    )]
    NotLocked,
    /// A folder that is to be cut into parts.
    #[error("'--split <SIZE>' cannot be used with '--output {}': a folder is no file", .0.display())]
    #[diagnostic(code(envbuild::cli::split), help("name a file with -o, as `env.tar.zst`"))]
    Split(PathBuf),
    /// A level that a format does not have.
    #[error("invalid value '{level}' for '--level <N>': {format} has no such level")]
    #[diagnostic(code(envbuild::cli::level), help("its levels: {levels}"))]
    Level {
        /// What was asked for.
        level: i32,
        /// The format.
        format: &'static str,
        /// What there is.
        levels: String,
    },
    /// A file that an option names is not there.
    #[error("invalid value '{}' for '{option}': it is not there", .path.display())]
    #[diagnostic(
        code(envbuild::cli::no_file),
        help("a relative path is taken from the current folder, or from that of -C")
    )]
    NoFile {
        /// The option, as `--help` writes it.
        option: &'static str,
        /// What it names.
        path: PathBuf,
    },
    /// A folder that is not there.
    #[error("`{}` is not a folder", .0.display())]
    #[diagnostic(code(envbuild::cli::no_folder), help("-C names the folder to work in"))]
    NoFolder(PathBuf),
}

/// A project that was found and read.
pub(super) struct Project {
    pub(super) workspace: Workspace,
    pub(super) configuration: UserConfiguration,
    pub(super) stamps: Stamps,
}

/// Finds project.toml, reads it and the recipes.
pub(super) fn load(global: &Global, environment: &Environment, overrides: &[Override]) -> miette::Result<Project> {
    let root = find(global)?;
    let text = fs::read(&root.join("project.toml"))?;
    let manifest = manifest::parse_bytes("project.toml", &text)?;
    let configuration = user_configuration(environment)?;
    let text = String::from_utf8_lossy(&text);
    let store = Store::at(&root);
    let stamps = store.stamps(&root);
    let workspace = workspace::load(
        &manifest,
        &workspace::Options {
            root: &root,
            text: ("project.toml", &text),
            overrides,
            base_channels: configuration.channels.as_deref(),
            rendered: &store.rendered(),
            stamps: &stamps,
            machine: Subdir::current().ok_or_else(|| miette::miette!("conda has no name for this platform"))?,
        },
    )?;
    Ok(Project { workspace, configuration, stamps })
}

/// The folders of the project here and of the one in which a prefix lies, and those of channels that they name by relative
/// paths: these channels are nobody else's.
pub(super) fn own_places(global: &Global, prefix: &Path) -> Vec<PathBuf> {
    let prefix = prefix.canonicalize().unwrap_or_else(|_| prefix.to_owned());
    let around = prefix.ancestors().find(|it| it.join("project.toml").is_file()).map(Path::to_owned);
    let roots: BTreeSet<PathBuf> = find(global).ok().into_iter().chain(around).collect();
    let channels: Vec<PathBuf> = roots.iter().flat_map(|root| relative_channels(root)).collect();
    roots.into_iter().chain(channels).collect()
}

/// The folders of the channels that a project names by relative paths, as they are written and where links lead. One whose
/// project.toml cannot be read has none.
fn relative_channels(root: &Path) -> Vec<PathBuf> {
    let text = fs::read(&root.join("project.toml")).ok();
    let manifest = text.and_then(|it| manifest::parse_bytes("project.toml", &it).ok());
    let channels = manifest.into_iter().flat_map(|it| it.project.channels).map(|it| it.value);
    let folders = channels.filter(|it| it.starts_with("./") || it.starts_with("../"));
    let both = |it: String| [Some(without_dots(&root.join(&it))), root.join(&it).canonicalize().ok()];
    folders.flat_map(both).flatten().collect()
}

/// The folder of the nearest project.toml, here or above, without symbolic links in it.
pub(super) fn find(global: &Global) -> miette::Result<PathBuf> {
    let start = match &global.directory {
        Some(folder) if !folder.is_dir() => return Err(UsageError::NoFolder(folder.clone()).into()),
        Some(folder) => folder.clone(),
        None => PathBuf::from("."),
    };
    let start = start.canonicalize().into_diagnostic().wrap_err("the current folder is gone")?;
    let found = start.ancestors().find(|it| it.join("project.toml").is_file());
    Ok(found.ok_or_else(|| UsageError::NoProject(start.clone()))?.to_owned())
}

/// What the user has set for all projects: a configuration file, and variables that are stronger than it.
fn user_configuration(environment: &Environment) -> miette::Result<UserConfiguration> {
    let mut configuration = UserConfiguration::default();
    let home = folder(environment, "XDG_CONFIG_HOME", ".config");
    if let Some(file) = home.map(|it| it.join("envbuild/config.toml"))
        && let Some(bytes) = fs::read_if_there(&file)?
    {
        configuration = manifest::parse_configuration(&file.to_string_lossy(), &bytes)?;
        let near = file.parent().unwrap_or(Path::new("/"));
        let anchored = |list: Vec<String>| list.iter().map(|it| anchor(it, near)).collect();
        configuration.channels = configuration.channels.map(anchored);
        configuration.source_mirrors = anchored(configuration.source_mirrors);
    }
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let list = |name: &str| {
        let value = environment.get(name).filter(|it| !it.trim().is_empty())?;
        let words = value.split(',').map(str::trim).filter(|it| !it.is_empty());
        Some(words.map(|it| anchor(it, &here)).collect::<Vec<_>>())
    };
    if let Some(channels) = list("ENVBUILD_CHANNELS") {
        configuration.channels = Some(channels);
    }
    if let Some(mirrors) = list("ENVBUILD_SOURCE_MIRROR") {
        configuration.source_mirrors = mirrors;
    }
    Ok(configuration)
}

/// Makes a relative path absolute; names and URLs stay.
fn anchor(text: &str, folder: &Path) -> String {
    let is_path = text.starts_with("./") || text.starts_with("../") || text == "." || text == "..";
    if is_path { folder.join(text).to_string_lossy().into_owned() } else { text.to_owned() }
}

fn folder(environment: &Environment, variable: &str, below_home: &str) -> Option<PathBuf> {
    let named = environment.get(variable).filter(|it| Path::new(it).is_absolute()).map(PathBuf::from);
    named.or_else(|| environment.get("HOME").map(|home| Path::new(home).join(below_home)))
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// The folder of caches that the user's projects share.
pub(super) fn cache(environment: &Environment) -> Option<PathBuf> {
    let named = environment.get("ENVBUILD_CACHE_DIR").filter(|it| !it.is_empty()).map(PathBuf::from);
    named.or_else(|| folder(environment, "XDG_CACHE_HOME", ".cache").map(|it| it.join("envbuild"))).map(absolute)
}

/// The manifest of the nearest project.toml, without the recipes that it names.
pub(super) fn manifest(global: &Global) -> miette::Result<manifest::Manifest> {
    Ok(manifest::parse_bytes("project.toml", &fs::read(&find(global)?.join("project.toml"))?)?)
}

/// The settings of a run.
pub(super) fn settings(
    project: &Project,
    environment: &Environment,
    how: &How,
    overrides: &[Override],
) -> miette::Result<Settings> {
    let machine = Machine::probe();
    let path = |name: &str| environment.get(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let cache = cache(environment).unwrap_or_else(|| project.workspace.root.join(".envbuild/cache"));
    Ok(Settings {
        cache: absolute(cache),
        scratch: absolute(path("ENVBUILD_SCRATCH").unwrap_or_else(|| PathBuf::from("/tmp/envbuild"))),
        mirrors: project.configuration.source_mirrors.clone(),
        network: if how.offline { Network::Offline } else { Network::Online },
        lock_policy: if how.locked { LockPolicy::Locked } else { LockPolicy::Follow },
        host_policy: HostPolicy::Required,
        machine,
        cpus: (machine.cpus / jobs(how, &machine)).max(1),
        program: std::env::current_exe().into_diagnostic().wrap_err("this program does not know its own path")?,
        environment: environment.clone(),
        level: PACK_LEVEL,
        whole: overrides.is_empty(),
    })
}

/// How many jobs run at once.
pub(super) fn jobs(how: &How, machine: &Machine) -> u32 {
    how.jobs.unwrap_or(machine.cpus)
}

impl UsageError {
    /// The error for a name that no environment has.
    pub(super) fn unknown_environment(name: &str, near: Option<&str>, names: &[&str]) -> Self {
        let cells: Vec<&str> = names.iter().copied().filter(|it| it.starts_with(&format!("{name}-"))).collect();
        let help = match near {
            _ if !cells.is_empty() => format!("it stands for {}: name one of them", cells.join(", ")),
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "the project has no [environments]".to_owned(),
            None => format!("the environments are {}", names.join(", ")),
        };
        Self::UnknownEnvironment { name: name.to_owned(), help }
    }
}
