//! Solving against the channel that `ENVBUILD_TEST_CHANNEL` names, and with records made by hand.

use rattler_conda_types::{
    Channel, GenericVirtualPackage, MatchSpec, PackageRecord, ParseStrictness, RepoDataRecord, Subdir,
    VersionWithSource,
};
use url::Url;

use super::{
    BuildsRequest, SolveError, SolveRequest, fitting_builds, host_virtual_packages, solve, target_virtual_packages,
};
use crate::{
    base::{Network, testing::base_channel},
    rt::Rt,
};

fn specs(texts: &[&str]) -> Vec<MatchSpec> {
    texts.iter().map(|text| MatchSpec::from_str(text, ParseStrictness::Lenient).unwrap()).collect()
}

/// A package of the project: name, version, build, depends.
fn local(name: &str, version: &str, build: &str, depends: &[&str]) -> RepoDataRecord {
    let mut package = PackageRecord::new(
        name.parse().unwrap(),
        version.parse::<VersionWithSource>().unwrap(),
        build.parse().unwrap(),
    );
    package.subdir = "linux-64".to_owned();
    package.depends = depends.iter().map(|need| (*need).to_owned()).collect();
    package.sha256 = Some(rattler_digest::compute_bytes_digest::<rattler_digest::Sha256>(build));
    let file = format!("{name}-{version}-{build}.conda");
    RepoDataRecord {
        package_record: package,
        identifier: file.parse().unwrap(),
        url: Url::parse(&format!("file:///project/output/linux-64/{file}")).unwrap(),
        channel: Some("file:///project/output/".to_owned()),
    }
}

fn glibc() -> Vec<GenericVirtualPackage> {
    target_virtual_packages(Subdir::Linux64, &[("__glibc".to_owned(), "2.28".to_owned())]).unwrap()
}

struct Question<'a> {
    specs: &'a [&'a str],
    channels: &'a [Channel],
    local: &'a [RepoDataRecord],
    locked: &'a [RepoDataRecord],
    network: Network,
}

impl Default for Question<'_> {
    fn default() -> Self {
        Self { specs: &[], channels: &[], local: &[], locked: &[], network: Network::Offline }
    }
}

impl Question<'_> {
    fn solve(&self) -> Result<Vec<RepoDataRecord>, SolveError> {
        let cache = tempfile::tempdir().unwrap();
        let request = SolveRequest {
            platform: Subdir::Linux64,
            specs: &specs(self.specs),
            channels: self.channels,
            local: self.local,
            virtual_packages: &glibc(),
            locked: self.locked,
            cache: cache.path(),
            network: self.network,
        };
        solve(&Rt::new().unwrap(), &request)
    }

    fn names(&self) -> Vec<String> {
        self.solve().unwrap().iter().map(|record| record.identifier.to_file_name()).collect()
    }
}

fn real_channel() -> Option<Channel> {
    base_channel("solving with a real Python").map(Channel::from_url)
}

#[test]
fn local_packages_alone_are_enough() {
    let packages = [
        local("app", "1.0", "site_h1_0", &["libfoo >=2", "__glibc >=2.17"]),
        local("libfoo", "1.0", "site_h2_0", &[]),
        local("libfoo", "2.1", "site_h3_0", &["__linux"]),
    ];
    let question = Question { specs: &["app * site*"], local: &packages, ..Question::default() };
    assert_eq!(question.names(), ["libfoo-2.1-site_h3_0.conda", "app-1.0-site_h1_0.conda"]);
}

#[test]
fn build_globs_choose_among_builds() {
    let packages = [local("mpi4py", "4.0.3", "derecho_h1_0", &[]), local("mpi4py", "4.0.3", "other_h2_0", &[])];
    let ask = |spec: &str| Question { specs: &[spec], local: &packages, ..Question::default() }.names();
    assert_eq!(ask("mpi4py * *derecho*"), ["mpi4py-4.0.3-derecho_h1_0.conda"]);
    assert_eq!(ask("mpi4py 4.0.3 other_*"), ["mpi4py-4.0.3-other_h2_0.conda"]);
}

#[test]
fn the_reason_of_a_conflict_is_told() {
    let packages = [local("app", "1.0", "h1_0", &["libfoo >=3"]), local("libfoo", "2.1", "h3_0", &[])];
    let error = Question { specs: &["app"], local: &packages, ..Question::default() }.solve().unwrap_err();
    let SolveError::Unsatisfiable(reason) = &error else { panic!("{error}") };
    assert!(reason.contains("libfoo >=3"), "{reason}");
    assert!(!reason.contains("Cannot solve"), "{reason}");

    let packages = [local("app", "1.0", "h1_0", &["__glibc >=2.34"])];
    let error = Question { specs: &["app"], local: &packages, ..Question::default() }.solve().unwrap_err();
    assert!(error.to_string().contains("__glibc"), "{error}");
}

#[test]
fn a_locked_package_is_kept_while_the_project_has_it() {
    let packages = [local("libfoo", "1.0", "h1_0", &[]), local("libfoo", "2.0", "h2_0", &[])];
    let ask = |specs: &[&str], locked: &[RepoDataRecord]| {
        Question { specs, local: &packages, locked, ..Question::default() }.names()
    };
    assert_eq!(ask(&["libfoo"], &[]), ["libfoo-2.0-h2_0.conda"]);
    assert_eq!(ask(&["libfoo"], &packages[..1]), ["libfoo-1.0-h1_0.conda"]);
    assert_eq!(ask(&["libfoo >=2"], &packages[..1]), ["libfoo-2.0-h2_0.conda"], "it no longer satisfies");
    let gone = [local("libfoo", "1.5", "h9_0", &[])];
    assert_eq!(ask(&["libfoo"], &gone), ["libfoo-2.0-h2_0.conda"], "nobody has it any more");
    let mut rebuilt = [packages[0].clone()];
    rebuilt[0].package_record.sha256 = None;
    assert_eq!(ask(&["libfoo"], &rebuilt), ["libfoo-2.0-h2_0.conda"], "its bytes are others now");
}

#[test]
fn a_target_is_never_this_machine() {
    let packages = target_virtual_packages(
        Subdir::Linux64,
        &[("__glibc".to_owned(), "2.28".to_owned()), ("__archspec".to_owned(), "1=x86_64_v3".to_owned())],
    );
    let shown: Vec<String> = packages.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["__archspec=1=x86_64_v3", "__glibc=2.28=0", "__linux=0=0", "__unix=0=0"]);
    let shown: Vec<String> =
        target_virtual_packages(Subdir::OsxArm64, &[]).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["__osx=0=0", "__unix=0=0"]);
    for (name, version) in [("__glibc", "not a version!"), ("glibc", "2.28"), ("__g libc", "1")] {
        let error = target_virtual_packages(Subdir::Linux64, &[(name.to_owned(), version.to_owned())]).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    let host = host_virtual_packages().unwrap();
    assert!(host.iter().any(|package| package.name.as_normalized() == "__unix"));
}

#[test]
fn a_missing_channel_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = [Channel::try_from_directory(&folder.path().join("nowhere")).unwrap()];
    let error = Question { specs: &["numpy"], channels: &missing, ..Question::default() }.solve().unwrap_err();
    assert!(matches!(&error, SolveError::Channel { channel, .. } if channel.contains("nowhere")), "{error}");
}

#[test]
fn offline_the_channel_that_needs_the_network_is_named() {
    let remote = [Channel::from_url(Url::parse("https://someone:secret@channel.invalid/t/secret/forge").unwrap())];
    let error = Question { specs: &["numpy"], channels: &remote, ..Question::default() }.solve().unwrap_err();
    assert!(matches!(&error, SolveError::Offline(channel) if channel.contains("channel.invalid/forge")), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn a_real_environment_is_solved() {
    let Some(channel) = real_channel() else { return };
    let channels = [channel];
    let wanted = ["python 3.12.*", "pip", "numpy"];
    let question = Question { specs: &wanted, channels: &channels, ..Question::default() };
    let names = question.names();
    for start in ["python-3.12", "pip-", "numpy-2.2.6-py312"] {
        assert!(names.iter().any(|name| name.starts_with(start)), "{start} in {names:?}");
    }
    let place = |start: &str| names.iter().position(|name| name.starts_with(start)).unwrap();
    assert!(place("python-3.12") < place("numpy-"), "what is needed comes first");
    assert_eq!(question.names(), names);

    let locked = question.solve().unwrap();
    let free = Question { specs: &["python", "pip"], channels: &channels, ..Question::default() }.names();
    assert!(free.iter().any(|name| name.starts_with("python-3.13")), "{free:?}");
    let kept = Question { specs: &["python", "pip"], channels: &channels, locked: &locked, ..Question::default() };
    assert!(kept.names().iter().any(|name| name.starts_with("python-3.12")));
}

#[test]
fn a_local_name_is_taken_from_nowhere_else() {
    let Some(channel) = real_channel() else { return };
    let channels = [channel];
    // An older numpy of the project wins over the channel's, and what it needs comes from the channel; so does what only
    // the project's `tool` leads to.
    let packages =
        [local("numpy", "1.0", "site_h1_0", &["python 3.12.*", "tool"]), local("tool", "1.0", "site_h2_0", &["pip"])];
    let question = Question { specs: &["numpy"], channels: &channels, local: &packages, ..Question::default() };
    let names = question.names();
    assert!(names.contains(&"numpy-1.0-site_h1_0.conda".to_owned()), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("pip-")), "{names:?}");
    let error = Question { specs: &["numpy >=2"], channels: &channels, local: &packages, ..Question::default() };
    assert!(matches!(error.solve(), Err(SolveError::Unsatisfiable(_))));
}

#[test]
fn builds_are_those_whose_virtual_packages_there_are_and_the_newest_is_first() {
    let folder = tempfile::tempdir().unwrap();
    let build = |version: &str, number: u64, depends: &[&str], constrains: &[&str]| {
        let package = serde_json::json!({
            "name": "tool", "version": version, "build": format!("h{number}"), "build_number": number,
            "subdir": "linux-64", "depends": depends, "constrains": constrains,
        });
        (format!("tool-{version}-h{number}.conda"), package)
    };
    let packages: serde_json::Map<String, serde_json::Value> = [
        build("1.9", 0, &["__glibc >=2.17,<3.0.a0"], &[]),
        build("1.10", 0, &["__glibc >=2.17"], &["__cuda >=12"]),
        build("1.10", 2, &["__unix"], &[]),
        build("2.0", 0, &["__glibc >=2.34"], &[]),
        build("2.1", 0, &["__cuda"], &[]),
    ]
    .into_iter()
    .collect();
    let repodata = serde_json::json!({ "info": { "subdir": "linux-64" }, "packages": {}, "packages.conda": packages });
    for (subdir, text) in [("linux-64", repodata.to_string()), ("noarch", "{\"packages\": {}}".to_owned())] {
        std::fs::create_dir(folder.path().join(subdir)).unwrap();
        std::fs::write(folder.path().join(subdir).join("repodata.json"), text).unwrap();
    }
    let channel = Channel::from_url(Url::from_directory_path(folder.path()).unwrap());
    let cache = tempfile::tempdir().unwrap();
    let found = |spec: &str, named: &[(&str, &str)]| {
        let named: Vec<(String, String)> = named.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
        let request = BuildsRequest {
            specs: &specs(&[spec]),
            platform: Subdir::Linux64,
            channels: std::slice::from_ref(&channel),
            virtual_packages: &target_virtual_packages(Subdir::Linux64, &named).unwrap(),
            cache: cache.path(),
            network: Network::Offline,
        };
        let builds = fitting_builds(&Rt::new().unwrap(), &request).unwrap();
        builds
            .into_values()
            .flatten()
            .map(|it| format!("{}-{}", it.package_record.version, it.package_record.build))
            .collect::<Vec<_>>()
    };
    assert_eq!(found("tool", &[("__glibc", "2.28")]), ["1.10-h2", "1.10-h0", "1.9-h0"]);
    assert_eq!(found("tool", &[("__glibc", "2.28"), ("__cuda", "11.8")]), ["2.1-h0", "1.10-h2", "1.9-h0"]);
    assert_eq!(found("tool 1.9.*", &[("__glibc", "2.34")]), ["1.9-h0"]);
    assert_eq!(found("other", &[]), Vec::<String>::new());
}
