//! What each kind of node reads: one function per kind, every field named.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::{Entry, FingerprintError, Inputs, tree::LINK};
use crate::{
    activation::{self, Activation},
    base::{Digest, FsError},
    plan::NodeId,
    recipe::{ENGINE, Source},
    workspace::{Environment, Package, Target},
};

/// The version of what envbuild itself puts into a package: raised when the same inputs would give other bytes.
const BUILD_FORM: &str = "3";

/// The version of what envbuild puts into a prefix.
const INSTALL_FORM: &str = "1";

/// The version of the archive's layout.
const PACK_FORM: &str = "3";

/// Reads a folder or file as [`scan`](super::scan) does.
pub type ScanFn<'a> = dyn Fn(&Path) -> Result<Arc<Vec<Entry>>, FsError> + 'a;

/// What a package build depends on.
pub struct BuildInputs<'a> {
    /// The package cell.
    pub package: &'a Package,
    /// What it depends on of the host, by input name; nothing for most packages that are not host-bound.
    pub host: &'a BTreeMap<String, String>,
    /// The platform that is built for.
    pub platform: &'a str,
    /// The folder that packages are built in: compiled files may hold it, as they hold Nix's store. It is the same
    /// everywhere unless the user chooses another.
    pub scratch: &'a str,
    /// The packages of base channels that are locked for its build and host environments, by input name as
    /// [`locked_package`] gives it.
    pub environments: &'a BTreeMap<String, String>,
    /// Content digests of the local packages in its build and host environments.
    pub needs: &'a BTreeMap<NodeId, Digest>,
    /// Build strings of the packages that it pins exactly, which its own metadata names.
    pub pins: &'a BTreeMap<NodeId, String>,
    /// Reads folders and files; the caller may remember what it read.
    pub scan: &'a ScanFn<'a>,
}

/// The inputs of a package build.
///
/// # Errors
/// When a file of the recipe or of its sources cannot be read.
pub fn build_inputs(from: &BuildInputs<'_>) -> Result<Inputs, FingerprintError> {
    let BuildInputs { package, host, platform, scratch, environments, needs, pins, scan } = from;
    let mut inputs = Inputs::new();
    inputs.add("engine", format!("{ENGINE}, form {BUILD_FORM}"));
    inputs.add("package", format!("{} {} {}", package.cell.package, package.cell.version, package.cell.build_string));
    inputs.add("platform", if package.cell.noarch { "noarch" } else { platform });
    inputs.add("scratch", scratch);
    for (axis, value) in &package.cell.variant {
        inputs.add(format!("variant/{axis}"), value);
    }
    for (name, value) in &package.cell.environment {
        inputs.add(format!("environment/{name}"), value.as_ref().map_or("not set".to_owned(), |it| format!("={it}")));
    }
    inputs.extend(host);
    // No recipe makes it.
    if package.external.is_some() {
        return Ok(inputs);
    }
    if let Some(activation) = &package.activation {
        add_activation(&mut inputs, activation);
    }
    let own = scan(package.folder())?;
    for entry in own.iter() {
        inputs.add(format!("recipe/{}", entry.path), &entry.value);
    }
    for path in outer_sources(package, &own) {
        let place = package.folder().join(&path);
        if !place.exists() {
            return Err(FingerprintError::MissingSource { path, package: package.id.clone() });
        }
        for entry in scan(&place)?.iter() {
            let file = if entry.path.is_empty() { path.clone() } else { format!("{path}/{}", entry.path) };
            inputs.add(format!("source/{file}"), &entry.value);
        }
    }
    inputs.extend(environments);
    for (node, content) in *needs {
        inputs.add(format!("needs/{node}"), content);
    }
    for (node, build_string) in *pins {
        inputs.add(format!("pins/{node}"), build_string);
    }
    Ok(inputs)
}

/// Each variable by its name, with all that the scripts are made of.
fn add_activation(inputs: &mut Inputs, activation: &Activation) {
    inputs.add("activation", format!("form {}", activation::FORM));
    for (name, value) in &activation.set {
        inputs.add(format!("activation/set/{name}"), value);
    }
    for name in &activation.unset {
        inputs.add(format!("activation/unset/{name}"), "");
    }
    for (verb, lists) in [("prepend", &activation.prepend), ("append", &activation.append)] {
        for (name, folders) in lists {
            inputs.add(format!("activation/{verb}/{name}"), folders.join(":"));
        }
    }
}

/// Path sources, patches and scripts that `own`, the scan of the recipe's folder, does not see, as the recipe names them.
pub fn outer_sources(package: &Package, own: &[Entry]) -> Vec<String> {
    // A path that passes through a link of the folder ends where the link leads.
    let through_link = |path: &str| {
        let path: PathBuf = Path::new(path).components().filter(|it| *it != Component::CurDir).collect();
        path.ancestors().filter_map(Path::to_str).any(|part| {
            let at = own.binary_search_by(|entry| entry.path.as_str().cmp(part));
            at.is_ok_and(|at| own[at].value.starts_with(LINK))
        })
    };
    let outside = |path: &str| {
        let mut depth = 0_i32;
        for part in Path::new(path).components() {
            match part {
                Component::ParentDir => depth -= 1,
                Component::Normal(_) => depth += 1,
                Component::RootDir | Component::Prefix(_) => return true,
                Component::CurDir => {}
            }
            if depth < 0 {
                return true;
            }
        }
        false
    };
    let mut paths: Vec<String> = package
        .cell
        .sources
        .iter()
        .filter_map(|source| match source {
            Source::Path(path) if outside(path) || through_link(path) => Some(path.clone()),
            _ => None,
        })
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// What the build and host environments of a package depend on.
#[derive(Debug)]
pub struct ResolveInputs<'a> {
    /// The package cell.
    pub package: &'a Package,
    /// The platform that is built for.
    pub platform: &'a str,
    /// The base channels, in order.
    pub channels: &'a [String],
    /// What its solver is told of the host, as `__name=version`.
    pub facts: &'a [String],
    /// Content digests of the local packages in these environments: what they need to run is in there, too.
    pub needs: &'a BTreeMap<NodeId, Digest>,
}

/// The inputs of a resolution.
pub fn resolve_inputs(from: &ResolveInputs<'_>) -> Inputs {
    let ResolveInputs { package, platform, channels, facts, needs } = from;
    let mut inputs = Inputs::new();
    inputs.add("engine", ENGINE);
    inputs.add("platform", platform);
    inputs.add("channels", channels.join(" "));
    for (axis, value) in &package.cell.variant {
        inputs.add(format!("variant/{axis}"), value);
    }
    for (environment, list) in [("build", &package.cell.build), ("host", &package.cell.host)] {
        let mut specs: Vec<&str> = list.iter().map(|it| it.spec.as_str()).collect();
        specs.sort_unstable();
        specs.dedup();
        for spec in specs {
            inputs.add(format!("{environment}-spec/{spec}"), "");
        }
    }
    for fact in *facts {
        inputs.add(format!("fact/{fact}"), "");
    }
    for setting in &package.cell.environment_settings {
        inputs.add(format!("setting/{setting}"), "");
    }
    for (node, content) in *needs {
        inputs.add(format!("needs/{node}"), content);
    }
    inputs
}

/// What a solve depends on.
#[derive(Debug)]
pub struct LockInputs<'a> {
    /// The environment cell.
    pub environment: &'a Environment,
    /// The platform that is solved for.
    pub platform: &'a str,
    /// The base channels, in order.
    pub channels: &'a [String],
    /// The virtual packages that the solver is given.
    pub virtual_packages: &'a [String],
    /// Digests of the archives of the local packages that it may hold: the lock file names those very files.
    pub needs: &'a BTreeMap<NodeId, Digest>,
}

/// The inputs of a solve.
pub fn lock_inputs(from: &LockInputs<'_>) -> Inputs {
    let LockInputs { environment, platform, channels, virtual_packages, needs } = from;
    let mut inputs = Inputs::new();
    inputs.add("platform", platform);
    let mut specs = environment.specs.clone();
    specs.sort();
    for spec in specs {
        // A spec that is written twice is one spec.
        if inputs.get(&format!("spec/{spec}")).is_none() {
            inputs.add(format!("spec/{spec}"), "");
        }
    }
    inputs.add("channels", channels.join(" "));
    inputs.add("virtual-packages", virtual_packages.join(" "));
    for (node, content) in *needs {
        inputs.add(format!("needs/{node}"), content);
    }
    inputs
}

/// The name of the input that a locked package is, for all that comes after the lock.
pub const PACKAGE: &str = "package/";

/// The inputs of an installation: what is locked, by package name.
pub fn install_inputs(packages: &BTreeMap<String, String>) -> Inputs {
    let mut inputs = Inputs::new();
    inputs.add("form", INSTALL_FORM);
    add_packages(&mut inputs, packages);
    inputs
}

fn add_packages(inputs: &mut Inputs, packages: &BTreeMap<String, String>) {
    for (name, package) in packages {
        inputs.add(format!("{PACKAGE}{name}"), package);
    }
}

/// What a test depends on.
pub struct TestInputs<'a> {
    /// What is installed, by package name.
    pub packages: &'a BTreeMap<String, String>,
    /// The host's modules that it runs with, by input name; nothing for what is not bound to the host.
    pub host: &'a BTreeMap<String, String>,
    /// The test script.
    pub script: PathBuf,
    /// Reads folders and files; the caller may remember what it read.
    pub scan: &'a ScanFn<'a>,
}

/// The inputs of an environment's test.
///
/// # Errors
/// When the script cannot be read.
pub fn test_inputs(from: &TestInputs<'_>) -> Result<Inputs, FingerprintError> {
    let mut inputs = Inputs::new();
    add_packages(&mut inputs, from.packages);
    inputs.extend(from.host);
    // Whether it may be executed decides who runs it.
    for entry in (from.scan)(&from.script)?.iter() {
        inputs.add("script", &entry.value);
    }
    Ok(inputs)
}

/// What an archive depends on.
#[derive(Debug)]
pub struct PackInputs<'a> {
    /// What is installed, by package name.
    pub packages: &'a BTreeMap<String, String>,
    /// The archive's file name.
    pub file_name: &'a str,
    /// The path for which it is made, if it is made for one.
    pub dest_prefix: Option<&'a str>,
    /// The machine that it has to run on, which is asked before it is packed.
    pub target: Option<&'a Target>,
    /// The compression level.
    pub level: i32,
}

/// The inputs of an archive.
pub fn pack_inputs(from: &PackInputs<'_>) -> Inputs {
    let mut inputs = Inputs::new();
    inputs.add("form", PACK_FORM);
    add_packages(&mut inputs, from.packages);
    inputs.add("archive", from.file_name);
    if let Some(prefix) = from.dest_prefix {
        inputs.add("dest-prefix", prefix);
    }
    if let Some(Target { name: _, platform: _, virtual_packages, libraries, symbols }) = from.target {
        for (what, version) in virtual_packages.iter().chain(symbols) {
            inputs.add(format!("target/{what}"), version);
        }
        for library in libraries {
            inputs.add(format!("target/libraries/{library}"), "there");
        }
    }
    inputs.add("level", from.level);
    inputs
}
