//! Checks of everything but the matrix: names, platforms, dependencies, references.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr as _,
};

use rattler_conda_types::{MatchSpec, PackageName, ParseStrictness, Subdir, Version};

use super::{
    axes::axis_help,
    error::ManifestError,
    model::{Environment, Manifest, Spanned, Target},
    names::{Kind, check_name},
    packs::check_packs,
    problems::{Problems, clip},
    suggest::closest,
    template::{TemplateError, fill},
};

/// Longest host label, in characters: a build string has 64, and the key and the number need the rest.
const LONGEST_LABEL: usize = 40;

/// Checks what [`Manifest`]'s types cannot hold. Empty texts stand for values that were reported already.
pub(super) fn check(manifest: &Manifest, problems: &mut Problems) {
    check_name(&manifest.project.name, Kind::Project, problems);
    check_once("`platforms` in [project]", &manifest.project.platforms, problems);
    for platform in &manifest.project.platforms {
        check_platform(platform, problems);
    }
    if let Some(label) = manifest.host.as_ref().and_then(|host| host.label.as_ref()) {
        check_label(label, problems);
    }
    for recipe in &manifest.recipes {
        check_name(&recipe.name, Kind::Recipe, problems);
    }
    for target in &manifest.targets {
        check_target(target, problems);
    }
    let axes = manifest.matrix.axes.iter().map(|axis| axis.name.value.as_str()).collect();
    let targets = manifest.targets.iter().map(|target| target.name.value.as_str()).collect();
    for environment in &manifest.environments {
        check_environment(environment, &axes, &targets, problems);
    }
}

fn check_platform(platform: &Spanned<String>, problems: &mut Problems) {
    if Subdir::from_str(&platform.value).is_ok_and(|subdir| subdir != Subdir::NoArch) {
        return;
    }
    let known = Subdir::all().filter(|subdir| *subdir != Subdir::NoArch).map(Subdir::as_str);
    let help = match closest(&platform.value, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if platform.value == "noarch" => {
            "a recipe can be noarch; here stands where its packages run, as in `linux-64`".to_owned()
        }
        None => "write a conda platform, as in `linux-64`, `linux-aarch64` or `osx-arm64`".to_owned(),
    };
    let (platform, at) = (clip(&platform.value), platform.span.clone().into());
    problems.push(ManifestError::UnknownPlatform { platform, help, at });
}

fn check_label(label: &Spanned<String>, problems: &mut Problems) {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+');
    if label.value.len() > LONGEST_LABEL || !label.value.chars().all(valid) {
        let at = label.span.clone().into();
        problems.push(ManifestError::InvalidLabel { label: clip(&label.value), at });
    }
}

fn check_target(target: &Target, problems: &mut Problems) {
    check_name(&target.name, Kind::Target, problems);
    if let Some(platform) = &target.platform {
        check_platform(platform, problems);
    }
    for (package, version) in &target.virtual_packages {
        let is_name = PackageName::try_from(package.value.as_str()).is_ok();
        if !is_name || !package.value.starts_with("__") {
            let bare = package.value.trim_start_matches('_');
            let help = match is_name && !bare.is_empty() {
                true => format!("virtual packages start with two underscores: `__{}`", clip(bare)),
                false => "write two underscores and a package name, as in `__glibc`".to_owned(),
            };
            let (name, at) = (clip(&package.value), package.span.clone().into());
            problems.push(ManifestError::InvalidVirtualPackage { name, help, at });
        }
        // A build string may follow, as in `1=x86_64_v3`.
        let (number, build) = version.value.split_once('=').unwrap_or((&version.value, "0"));
        check_version(package, version, number, problems);
        if build.is_empty() || !build.chars().all(|it| it.is_ascii_alphanumeric() || "_.+".contains(it)) {
            invalid_version(package, version, "no build string follows the `=`", problems);
        }
    }
    for (kind, version) in &target.symbols {
        if version.value.split('.').all(|it| it.parse::<u64>().is_ok()) {
            check_version(kind, version, &version.value, problems);
        } else {
            invalid_version(kind, version, "versions of symbols are numbers with dots", problems);
        }
    }
}

fn check_version(name: &Spanned<String>, version: &Spanned<String>, text: &str, problems: &mut Problems) {
    if let Err(error) = Version::from_str(text) {
        invalid_version(name, version, &error.to_string(), problems);
    }
}

fn invalid_version(name: &Spanned<String>, version: &Spanned<String>, reason: &str, problems: &mut Problems) {
    problems.push(ManifestError::InvalidVersion {
        name: clip(&name.value),
        version: clip(&version.value),
        reason: clip(reason),
        at: version.span.clone().into(),
    });
}

fn check_environment(
    environment: &Environment,
    axes: &BTreeSet<&str>,
    targets: &BTreeSet<&str>,
    problems: &mut Problems,
) {
    let name = clip(&environment.name.value);
    check_name(&environment.name, Kind::Environment, problems);
    check_once(&format!("`matrix` in [environments.{name}]"), &environment.matrix, problems);
    for axis in environment.matrix.iter().filter(|axis| !axes.contains(axis.value.as_str())) {
        let help = axis_help(&axis.value, axes.iter().copied(), problems);
        let (axis, at) = (clip(&axis.value), axis.span.clone().into());
        problems.push(ManifestError::EnvironmentUnknownAxis { environment: name.clone(), axis, help, at });
    }
    if let Some(target) = environment.target.as_ref().filter(|target| !targets.contains(target.value.as_str())) {
        let none = format!("declare it with a table [targets.{}]", clip(&target.value));
        let help = problems.help(&target.value, "the targets", targets.iter().copied(), &none);
        let (target, at) = (clip(&target.value), target.span.clone().into());
        problems.push(ManifestError::UnknownTarget { environment: name.clone(), target, help, at });
    }
    check_packs(environment, problems);
    for dependency in &environment.dependencies {
        check_dependency(dependency, environment, axes, problems);
    }
}

fn check_dependency(
    dependency: &Spanned<String>,
    environment: &Environment,
    axes: &BTreeSet<&str>,
    problems: &mut Problems,
) {
    let at = || dependency.span.clone().into();
    let own: BTreeSet<&str> = environment.matrix.iter().map(|axis| axis.value.as_str()).collect();
    let mut unknown = Vec::new();
    // The value does not matter for the form of the spec, and 1 may stand wherever a name or a version may.
    let filled = fill(&dependency.value, |axis| {
        if !own.contains(axis) {
            unknown.push(axis.to_owned());
        }
        Some("1")
    });
    for axis in unknown {
        let help = if axes.contains(axis.as_str()) {
            format!("add \"{}\" to `matrix` of the environment", clip(&axis))
        } else {
            let none = "write the value itself, or add an axis to the environment's `matrix`";
            problems.help(&axis, "the environment's axes", own.iter().copied(), none)
        };
        let environment = clip(&environment.name.value);
        problems.push(ManifestError::UnknownTemplate { name: clip(&axis), environment, help, at: at() });
    }
    match filled {
        Err(TemplateError::Unknown(_)) => {}
        Err(error) => {
            problems.push(ManifestError::InvalidTemplate { reason: clip(&error.to_string()), at: at() });
        }
        Ok(spec) => {
            if let Err(error) = MatchSpec::from_str(&spec, ParseStrictness::Lenient) {
                let (spec, reason) = (clip(&dependency.value), clip(&error.to_string()));
                problems.push(ManifestError::InvalidSpec { spec, reason, at: at() });
            }
        }
    }
}

pub(super) fn check_once(what: &str, values: &[Spanned<String>], problems: &mut Problems) {
    let mut seen = BTreeMap::new();
    for value in values {
        if let Some(first) = seen.insert(value.value.as_str(), value.span.clone()) {
            problems.push(ManifestError::Repeated {
                what: what.to_owned(),
                value: clip(&value.value),
                first: first.into(),
                at: value.span.clone().into(),
            });
        }
    }
}
