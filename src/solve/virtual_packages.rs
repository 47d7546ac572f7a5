//! Virtual packages: what this machine offers, and what a named target offers.

use std::collections::BTreeMap;

use rattler_conda_types::{GenericVirtualPackage, PackageName, Subdir, Version};
use rattler_virtual_packages::{VirtualPackageOverrides, VirtualPackages};

use super::error::SolveError;
use crate::base::with_causes;

/// The virtual packages of this machine (`__glibc`, `__linux`, `__cuda`, …), sorted by name.
///
/// # Errors
/// When they cannot be found out.
pub fn host_virtual_packages() -> Result<Vec<GenericVirtualPackage>, SolveError> {
    let found = VirtualPackages::detect(&VirtualPackageOverrides::default(), None);
    let found = found.map_err(|error| SolveError::Host(with_causes(&error)))?;
    let mut packages: Vec<_> = found.into_generic_virtual_packages().collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

/// The virtual packages of a target: what the platform implies (`__unix`, `__linux` or `__osx`, the family's
/// `__archspec`) and those `named` with their versions, which come first. Nothing is taken from this machine. A version
/// may carry a build string, as in `1=x86_64_v3`; without one it is `0`. Sorted by name.
///
/// # Errors
/// When a name or a version cannot be one.
pub fn target_virtual_packages(
    platform: Subdir,
    named: &[(String, String)],
) -> Result<Vec<GenericVirtualPackage>, SolveError> {
    let mut packages = BTreeMap::new();
    for (name, version) in implied(platform) {
        let package = parse(name, version)?;
        packages.insert(package.name.as_normalized().to_owned(), package);
    }
    for (name, version) in named {
        let package = parse(name, version)?;
        packages.insert(package.name.as_normalized().to_owned(), package);
    }
    Ok(packages.into_values().collect())
}

/// Virtual packages by their names and versions, in the order given.
///
/// # Errors
/// When a name or a version cannot be one.
pub fn named_virtual_packages(named: &[(String, String)]) -> Result<Vec<GenericVirtualPackage>, SolveError> {
    named.iter().map(|(name, version)| parse(name, version)).collect()
}

fn implied(platform: Subdir) -> Vec<(&'static str, &'static str)> {
    let mut packages = Vec::new();
    if platform.is_unix() {
        packages.push(("__unix", "0"));
    }
    if platform.is_linux() {
        packages.push(("__linux", "0"));
    }
    if platform.is_osx() {
        packages.push(("__osx", "0"));
    }
    if platform.is_windows() {
        packages.push(("__win", "0"));
    }
    match platform {
        Subdir::Linux64 | Subdir::Osx64 | Subdir::Win64 => packages.push(("__archspec", "1=x86_64")),
        Subdir::LinuxAarch64 => packages.push(("__archspec", "1=aarch64")),
        Subdir::LinuxPpc64le => packages.push(("__archspec", "1=ppc64le")),
        _ => {}
    }
    packages
}

fn parse(name: &str, text: &str) -> Result<GenericVirtualPackage, SolveError> {
    let bad = |reason: &dyn std::fmt::Display| SolveError::VirtualPackage {
        name: name.to_owned(),
        version: text.to_owned(),
        reason: reason.to_string(),
    };
    let (version, build) = text.split_once('=').unwrap_or((text, "0"));
    if !name.starts_with("__") {
        return Err(bad(&"the name of a virtual package starts with two underscores"));
    }
    Ok(GenericVirtualPackage {
        name: name.parse::<PackageName>().map_err(|error| bad(&error))?,
        version: version.parse::<Version>().map_err(|error| bad(&error))?,
        build_string: build.parse().map_err(|error| bad(&error))?,
    })
}
