//! What an environment needs, held against the machine that it is made for.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rattler_conda_types::{
    Channel, ChannelConfig, GenericVirtualPackage, MatchSpec, Matches as _, PackageName, ParseStrictness,
    RepoDataRecord, Subdir,
};

use super::{Context, ExecError, environment::specs};
use crate::{
    adopt::{self, Adopted},
    base::{Network, fs},
    needs::{self, Kind, Needs, Owner, Unfixable, Violation, violations},
    rt::Rt,
    solve::{self, BuildsRequest},
    tree::NEEDS,
    workspace::{Environment, Target},
};

/// A target of the manifest as a machine: with what it names, and what its platform implies.
///
/// # Errors
/// When a name, a version or a pattern in it cannot be one.
pub fn machine(target: &Target, here: Subdir) -> Result<needs::Target, ExecError> {
    let platform = target.platform.as_ref().and_then(|it| it.parse().ok()).unwrap_or(here);
    let packages = solve::target_virtual_packages(platform, &target.virtual_packages)?;
    Ok(needs::Target::new(&target.name, platform, packages, &target.libraries, &target.symbols)?)
}

/// The machine that we are on, as a target of what `needs` says.
///
/// # Errors
/// When its virtual packages cannot be found out.
pub fn this_machine(here: Subdir, library_path: Option<&str>, needs: &Needs) -> Result<needs::Target, ExecError> {
    Ok(needs::Target::this_machine(here, solve::host_virtual_packages()?, library_path, needs)?)
}

/// What an environment is held against before it is packed.
#[derive(Debug, Clone, Copy)]
pub enum Against<'a> {
    /// Its own target in the manifest, when it has one.
    Own,
    /// This target.
    Target(&'a Target),
    /// The machine that we are on.
    Here,
}

impl Against<'_> {
    /// Whether there is anything to hold an environment against.
    pub(super) fn is_something(self, environment: &Environment) -> bool {
        !matches!(self, Self::Own) || environment.target.is_some()
    }
}

/// Fails when a target lacks what an environment's tree needs. Every violation is in the error, with the newest build that
/// would fit.
///
/// # Errors
/// So, and when the target's words cannot be understood.
pub(super) fn require_target(
    context: &Context,
    environment: &Environment,
    needs: &Needs,
    against: Against<'_>,
) -> Result<(), ExecError> {
    let platform = context.workspace.platform;
    let target = match (against, &environment.target) {
        (Against::Own, None) => return Ok(()),
        (Against::Own, Some(named)) | (Against::Target(named), _) => {
            let environment = Environment { target: Some(named.clone()), ..environment.clone() };
            let mut target = machine(named, platform)?;
            // Facts of the project are among them.
            target.virtual_packages = context.virtual_packages(&environment)?;
            target
        }
        (Against::Here, _) => {
            let libraries = context.settings.environment.get("LD_LIBRARY_PATH");
            this_machine(platform, libraries.map(String::as_str), needs)?
        }
    };
    let mut found = violations(needs, &target);
    if found.is_empty() {
        return Ok(());
    }
    let channels: Vec<Channel> = context.workspace.channels.iter().map(|it| it.channel.clone()).collect();
    let market = Market {
        rt: &context.rt,
        channels: &channels,
        specs: &specs(environment),
        cache: &context.settings.cache,
        network: context.settings.network,
    };
    // What is wrong is known already; what would be right is a kindness.
    drop(market.name_newest(&mut found, needs, &target));
    let list = found.iter().map(|it| format!("  {it}\n")).collect();
    Err(ExecError::Target { environment: environment.name.clone(), target: target.name, list })
}

/// What names the prefix in a way that nobody can change: as it is seen here, or as it was where the prefix was packed
/// that was unpacked here, whose place such files go on naming.
pub fn unfixable(prefix: &Path, adopted: &Adopted, needs: &Needs) -> Vec<Unfixable> {
    let one = |it: &adopt::Unfixable| {
        let why = match it.room {
            0 => "in a format that allows no other".to_owned(),
            room => format!("with room for {room} bytes"),
        };
        let of_file = needs.files.iter().find(|of| of.file == it.file).and_then(|of| of.package.clone());
        let is_named = |owner: &&String| needs.owners.get(*owner).map(|of| &of.name) == it.package.as_ref();
        let package = of_file.or_else(|| needs.owners.keys().find(is_named).cloned()).or_else(|| it.package.clone());
        Unfixable { file: it.file.clone(), package, why }
    };
    let mut all: Vec<Unfixable> = adopted.report.unfixable.iter().map(one).collect();
    let earlier = fs::read(&prefix.join(NEEDS)).ok().and_then(|bytes| Needs::parse(&bytes).ok());
    for it in earlier.into_iter().flat_map(|it| it.unfixable) {
        if adopted.entries.contains_key(it.file.as_bytes()) && all.iter().all(|other| other.file != it.file) {
            all.push(it);
        }
    }
    all.sort_by(|one, other| one.file.cmp(&other.file));
    all
}

/// Where other builds of packages are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Market<'a> {
    /// The runtime.
    pub rt: &'a Rt,
    /// The channels that come before those that the packages are from.
    pub channels: &'a [Channel],
    /// What the environment asks for: other builds have to satisfy it.
    pub specs: &'a [MatchSpec],
    /// The folder of caches.
    pub cache: &'a Path,
    /// Whether the network may be used.
    pub network: Network,
}

impl Market<'_> {
    /// Names, in each violation that another build could mend, the newest build that would fit the target.
    ///
    /// A build fits when the target meets what it says of virtual packages, when it is for the environment's Python, and
    /// when it is none of those that do not fit. For a newer C library, which builds need without a word, it also has to
    /// say something of `__glibc`.
    ///
    /// # Errors
    /// When a channel cannot be read.
    pub fn name_newest(&self, found: &mut [Violation], needs: &Needs, target: &needs::Target) -> Result<(), ExecError> {
        let bad: BTreeSet<String> =
            found.iter().filter(|it| can_be_mended(it)).filter_map(|it| it.package.clone()).collect();
        let owners: BTreeMap<&str, Owner> =
            bad.iter().filter_map(|it| Some((it.as_str(), owner(needs, it)?))).collect();
        let specs: Vec<MatchSpec> = owners.values().filter_map(|it| self.spec(&it.name)).collect();
        let channels = self.channels(owners.values());
        let builds = solve::fitting_builds(
            self.rt,
            &BuildsRequest {
                specs: &specs,
                platform: target.platform,
                channels: &channels,
                virtual_packages: &target.virtual_packages,
                cache: self.cache,
                network: self.network,
            },
        )?;
        let pythons = pythons(needs);
        for violation in found.iter_mut().filter(|it| can_be_mended(it)) {
            let owner = violation.package.as_deref().and_then(|it| owners.get(it));
            let name = owner.and_then(|it| it.name.parse::<PackageName>().ok());
            let Some(builds) = name.and_then(|it| builds.get(&it)) else { continue };
            let fits = |it: &&RepoDataRecord| {
                !bad.contains(&id(it)) && is_for(it, &pythons) && (violation.kind != Kind::Glibc || speaks_of_glibc(it))
            };
            violation.newest = builds.iter().find(fits).map(id);
        }
        Ok(())
    }

    /// What the environment asks of a package by name; when it does not, any will do.
    fn spec(&self, name: &str) -> Option<MatchSpec> {
        let name: PackageName = name.parse().ok()?;
        let own = self.specs.iter().find(|it| it.name.as_exact() == Some(&name));
        Some(own.cloned().unwrap_or_else(|| MatchSpec::from(name.clone())))
    }

    fn channels<'a>(&self, owners: impl Iterator<Item = &'a Owner>) -> Vec<Channel> {
        let config = ChannelConfig::default_with_root_dir(std::path::PathBuf::from("/"));
        let named: BTreeSet<&str> = owners.filter_map(|it| it.channel.as_deref()).collect();
        let mut channels = self.channels.to_vec();
        for channel in named.into_iter().filter_map(|it| Channel::from_str(it, &config).ok()) {
            if !channels.iter().any(|it| it.base_url == channel.base_url) {
                channels.push(channel);
            }
        }
        channels
    }
}

/// Whether another build of the package could need something else, and its record would say so.
fn can_be_mended(violation: &Violation) -> bool {
    // Those of pip are in no channel.
    let is_conda = violation.package.as_ref().is_some_and(|it| !it.starts_with(needs::PYPI));
    is_conda && matches!(violation.kind, Kind::VirtualPackage | Kind::Glibc | Kind::Cpu)
}

/// A package of the tree. An archive's list names it, and not the channel that it is from.
fn owner(needs: &Needs, id: &str) -> Option<Owner> {
    needs.owners.get(id).cloned().or_else(|| {
        // Neither a version nor a build string holds a hyphen.
        let mut parts = id.rsplitn(3, '-').map(str::to_owned);
        let (build, version, name) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Owner { name, version, build, channel: None })
    })
}

fn id(record: &RepoDataRecord) -> String {
    let record = &record.package_record;
    format!("{}-{}-{}", record.name.as_normalized(), record.version, record.build)
}

/// The Python of the tree, and its `python_abi`.
fn pythons(needs: &Needs) -> Vec<GenericVirtualPackage> {
    let python = |it: &&Owner| it.name == "python" || it.name == "python_abi";
    let package = |it: &Owner| {
        Some(GenericVirtualPackage {
            name: it.name.parse().ok()?,
            version: it.version.parse().ok()?,
            build_string: it.build.parse().ok()?,
        })
    };
    let owners = needs.packages.iter().filter_map(|it| owner(needs, it));
    owners.filter(|it| python(&it)).filter_map(|it| package(&it)).collect()
}

/// Whether a build gets along with the environment's Python.
fn is_for(record: &RepoDataRecord, pythons: &[GenericVirtualPackage]) -> bool {
    let parsed = |it: &String| MatchSpec::from_str(it, ParseStrictness::Lenient).ok();
    let specs = record.package_record.depends.iter().filter(|it| it.starts_with("python")).filter_map(parsed);
    let mut specs = specs.flat_map(|spec| pythons.iter().map(move |python| (spec.clone(), python)));
    specs.all(|(spec, python)| spec.name.as_exact() != Some(&python.name) || spec.matches(python))
}

fn speaks_of_glibc(record: &RepoDataRecord) -> bool {
    record
        .package_record
        .depends
        .iter()
        .any(|it| PackageName::from_matchspec_str(it).is_ok_and(|it| it.as_normalized() == "__glibc"))
}
