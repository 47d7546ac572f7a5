//! Lock files in temporary folders, with records made by hand and with those of `ENVBUILD_TEST_CHANNEL`.

use std::{
    collections::BTreeMap,
    fs::{metadata, read_to_string, write as write_file},
    path::Path,
};

use rattler_conda_types::{
    Channel, GenericVirtualPackage, MatchSpec, NoArchType, PackageRecord, ParseStrictness, RepoDataRecord, Subdir,
    VersionWithSource,
};
use rattler_digest::{Md5, Sha256, compute_bytes_digest};

use super::{
    Change, Demand, LockError, LockedEnvironment, RelativeChannel, Unsatisfied, changes, read, satisfies, write,
};

const BASE: &str = "file:///site/channel/";

/// A package under a channel's folder: name, version, build, depends.
fn record(channel: &Path, name: &str, version: &str, build: &str, depends: &[&str]) -> RepoDataRecord {
    let mut package = PackageRecord::new(
        name.parse().unwrap(),
        version.parse::<VersionWithSource>().unwrap(),
        build.parse().unwrap(),
    );
    package.subdir = "linux-64".to_owned();
    package.arch = Some("x86_64".to_owned());
    package.platform = Some("linux".to_owned());
    package.depends = depends.iter().map(|need| (*need).to_owned()).collect();
    package.sha256 = Some(compute_bytes_digest::<Sha256>(build));
    package.md5 = Some(compute_bytes_digest::<Md5>(build));
    package.size = Some(1234);
    let channel = Channel::try_from_directory(channel).unwrap();
    let base: url::Url = channel.base_url.url().clone().into();
    let file = format!("{name}-{version}-{build}.conda");
    RepoDataRecord {
        package_record: package,
        identifier: file.parse().unwrap(),
        url: base.join(&format!("linux-64/{file}")).unwrap(),
        channel: Some(base.to_string()),
    }
}

fn environment(packages: Vec<RepoDataRecord>) -> LockedEnvironment {
    LockedEnvironment {
        platform: Subdir::Linux64,
        channels: vec!["./output".to_owned(), BASE.to_owned()],
        virtual_packages: vec!["__glibc=2.28=0".to_owned(), "__unix=0=0".to_owned()],
        packages,
    }
}

/// A project with the local `app` and `libfoo` and the channel's `zlib`, in install order.
fn project(folder: &Path) -> Vec<RepoDataRecord> {
    let output = folder.join("output");
    let mut zlib = record(Path::new("/site/channel"), "zlib", "1.3", "h0_0", &[]);
    zlib.package_record.run_exports = Some(Default::default());
    let mut libfoo = record(&output, "libfoo", "2.1", "site_h1_0", &["zlib >=1.2", "__glibc >=2.17"]);
    libfoo.package_record.timestamp = Some(jiff::Timestamp::from_second(1_700_000_000).unwrap().into());
    vec![zlib, libfoo, record(&output, "app", "1.0", "site_h2_0", &["libfoo >=2"])]
}

/// The project's own channel, as the lock file names it.
fn own(folder: &Path) -> [RelativeChannel; 1] {
    [RelativeChannel { folder: folder.to_owned(), written: "output".to_owned() }]
}

fn one(environment: LockedEnvironment) -> BTreeMap<String, LockedEnvironment> {
    BTreeMap::from([("app".to_owned(), environment)])
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envbuild.lock");
    assert!(read(&path).unwrap().is_empty(), "no file, no environments");
    let mut packages = project(folder.path());
    packages[2].package_record.noarch = NoArchType::python();
    packages[2].package_record.python_site_packages_path = Some("lib/python3.12/site-packages".to_owned());
    packages[2].package_record.build_number = 7;
    packages[2].package_record.constrains = vec!["numpy <2".to_owned()];
    let environments = one(environment(packages));
    write(&path, &environments, &own(&folder.path().join("output"))).unwrap();
    let found = read(&path).unwrap();
    for (found, expected) in found["app"].packages.iter().zip(&environments["app"].packages) {
        assert_eq!(found.package_record, expected.package_record);
        assert_eq!(found, expected);
    }
    assert_eq!(found, environments);
}

#[test]
fn local_packages_are_relative_and_move_with_the_project() {
    let text = |folder: &Path, day: i64| {
        let mut packages = project(folder);
        for package in &mut packages {
            package.package_record.indexed_timestamp = Some(jiff::Timestamp::from_second(day).unwrap().into());
        }
        let path = folder.join("envbuild.lock");
        write(&path, &one(environment(packages)), &own(&folder.join("output"))).unwrap();
        read_to_string(path).unwrap()
    };
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let written = text(here.path(), 1_700_000_000);
    assert_eq!(written, text(there.path(), 1_800_000_000));
    assert!(written.starts_with("version: 7\n"), "{written}");
    assert!(written.contains("conda: output/linux-64/app-1.0-site_h2_0.conda"), "{written}");
    assert!(written.contains("/site/channel/linux-64/zlib-1.3-h0_0.conda"), "{written}");
    assert!(!written.contains("indexed_timestamp"), "{written}");
    let moved = there.path().join("moved");
    std::fs::create_dir(&moved).unwrap();
    std::fs::rename(there.path().join("envbuild.lock"), moved.join("envbuild.lock")).unwrap();
    let app = read(&moved.join("envbuild.lock")).unwrap()["app"].packages.pop_named("app");
    assert_eq!(app.url.to_file_path().unwrap(), moved.join("output/linux-64/app-1.0-site_h2_0.conda"));
    assert_eq!(app.channel, record(&moved.join("output"), "app", "1.0", "x", &[]).channel);
}

trait PopNamed {
    fn pop_named(&self, name: &str) -> RepoDataRecord;
}

impl PopNamed for Vec<RepoDataRecord> {
    fn pop_named(&self, name: &str) -> RepoDataRecord {
        self.iter().find(|record| record.package_record.name.as_normalized() == name).unwrap().clone()
    }
}

#[test]
fn a_strange_folder_name_survives() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("a b+c%20ü");
    std::fs::create_dir(&folder).unwrap();
    let environments = one(environment(project(&folder)));
    let path = folder.join("envbuild.lock");
    write(&path, &environments, &own(&folder.join("output"))).unwrap();
    assert_eq!(read(&path).unwrap(), environments);
}

#[test]
fn the_same_text_is_not_written_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envbuild.lock");
    let output = folder.path().join("output");
    let mut environments = one(environment(project(folder.path())));
    write(&path, &environments, &own(&output)).unwrap();
    let (before, text) = (metadata(&path).unwrap().modified().unwrap(), read_to_string(&path).unwrap());
    environments.get_mut("app").unwrap().packages.reverse();
    write(&path, &environments, &own(&output)).unwrap();
    assert_eq!(read_to_string(&path).unwrap(), text, "the order of packages says nothing");
    assert_eq!(metadata(&path).unwrap().modified().unwrap(), before);
}

#[test]
fn targets_and_platforms_live_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envbuild.lock");
    let packages = project(folder.path());
    let old = environment(packages.clone());
    let new = LockedEnvironment { virtual_packages: vec!["__glibc=2.34=0".to_owned()], ..old.clone() };
    let mut arm = record(Path::new("/site/channel"), "zlib", "1.3", "h0_0", &[]);
    arm.package_record.subdir = "linux-aarch64".to_owned();
    arm.package_record.arch = Some("aarch64".to_owned());
    arm.url = format!("{BASE}linux-aarch64/zlib-1.3-h0_0.conda").parse().unwrap();
    let arm = LockedEnvironment { platform: Subdir::LinuxAarch64, packages: vec![arm], ..old.clone() };
    let empty = LockedEnvironment { packages: Vec::new(), ..old.clone() };
    let environments: BTreeMap<String, LockedEnvironment> =
        [("arm", arm), ("empty", empty), ("new", new), ("old", old)].map(|(name, it)| (name.to_owned(), it)).into();
    write(&path, &environments, &own(&folder.path().join("output"))).unwrap();
    assert_eq!(read(&path).unwrap(), environments);
}

#[test]
fn what_is_no_lock_file_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envbuild.lock");
    write_file(&path, "version: 7\n<<<<<<< HEAD\nx: 1\n=======\nx: 2\n>>>>>>> other\n").unwrap();
    let error = read(&path).unwrap_err();
    assert!(matches!(error, LockError::Conflict(_)));
    assert!(error.to_string().contains("envbuild.lock"));
    for text in ["", "version: 7", "version: 99\nenvironments: {}\npackages: []\n", "- [", "\u{0}"] {
        write_file(&path, text).unwrap();
        let found = read(&path);
        assert!(matches!(&found, Err(LockError::Parse { .. })), "{text:?} gave {found:?}");
    }
    write_file(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(read(&path), Err(LockError::Parse { .. })));
}

struct Case {
    environment: LockedEnvironment,
    specs: Vec<&'static str>,
    glibc: &'static str,
    local: Vec<RepoDataRecord>,
    own: std::path::PathBuf,
}

impl Case {
    fn new(folder: &Path) -> Self {
        let packages = project(folder);
        Self {
            local: packages[1..].to_vec(),
            environment: environment(packages),
            specs: vec!["app * site*"],
            glibc: "2.28",
            own: folder.join("output"),
        }
    }

    fn check(&self) -> Result<(), Unsatisfied> {
        let specs: Vec<MatchSpec> =
            self.specs.iter().map(|spec| MatchSpec::from_str(spec, ParseStrictness::Lenient).unwrap()).collect();
        let glibc = GenericVirtualPackage {
            name: "__glibc".parse().unwrap(),
            version: self.glibc.parse().unwrap(),
            build_string: "0".parse().unwrap(),
        };
        satisfies(
            &self.environment,
            &Demand {
                platform: Subdir::Linux64,
                specs: &specs,
                channels: &["./output".to_owned(), BASE.to_owned()],
                virtual_packages: &[glibc],
                local: &self.local,
                own: &self.own,
            },
        )
    }

    fn reason(&self) -> String {
        self.check().unwrap_err().to_string()
    }
}

#[test]
fn a_lock_that_answers_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = Case::new(folder.path());
    assert_eq!(case.check(), Ok(()));
    // More builds of a local package than the locked one, and requirements that say the same again.
    case.local.push(record(&folder.path().join("output"), "app", "1.1", "site_h9_0", &[]));
    case.specs = vec!["app", "libfoo 2.*", "__glibc >=2.17", "zlib"];
    case.environment.virtual_packages.clear();
    assert_eq!(case.check(), Ok(()));
}

#[test]
fn every_reason_to_solve_again_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let new = || Case::new(folder.path());
    let output = folder.path().join("output");

    let mut case = new();
    case.environment.platform = Subdir::Osx64;
    assert_eq!(case.reason(), "it is locked for osx-64, not linux-64");

    let mut case = new();
    case.environment.channels.pop();
    assert_eq!(case.reason(), format!("its channels were [./output] and are [./output, {BASE}] now"));

    let mut case = new();
    case.specs.push("numpy");
    assert_eq!(case.reason(), "no locked package satisfies `numpy`");
    case.specs = vec!["app * other*"];
    assert_eq!(case.reason(), "`app * other*` is not satisfied by the locked app 1.0 site_h2_0");
    case.specs = vec!["app", "zlib >=2"];
    assert_eq!(case.reason(), "`zlib >=2` is not satisfied by the locked zlib 1.3 h0_0");

    let mut case = new();
    case.environment.packages.remove(0);
    assert_eq!(
        case.reason(),
        "the locked libfoo 2.1 site_h1_0 needs `zlib >=1.2`, which nothing locked or virtual satisfies"
    );
    let mut case = new();
    case.glibc = "2.12";
    assert_eq!(
        case.reason(),
        "the locked libfoo 2.1 site_h1_0 needs `__glibc >=2.17`, which nothing locked or virtual satisfies"
    );

    let mut case = new();
    case.environment.packages[0].package_record.constrains = vec!["libfoo <2".to_owned()];
    assert_eq!(case.reason(), "the locked zlib 1.3 h0_0 allows only `libfoo <2`, not the locked libfoo 2.1 site_h1_0");

    let mut case = new();
    case.local[0].package_record.sha256 = Some(compute_bytes_digest::<Sha256>("rebuilt"));
    assert_eq!(case.reason(), "the project's libfoo is not the locked libfoo-2.1-site_h1_0.conda any more");
    let mut case = new();
    case.local.push(record(&output, "zlib", "1.3", "site_h5_0", &[]));
    assert_eq!(case.reason(), "the project's zlib is not the locked zlib-1.3-h0_0.conda any more");
    let mut case = new();
    case.local.remove(0);
    assert_eq!(case.reason(), "the project no longer builds the locked libfoo-2.1-site_h1_0.conda");

    let mut case = new();
    case.environment.packages.push(record(Path::new("/site/channel"), "extra", "1", "h7_0", &[]));
    assert_eq!(case.reason(), "nothing needs the locked extra 1 h7_0");
    let mut case = new();
    case.environment.packages.push(case.environment.packages[0].clone());
    assert_eq!(case.reason(), "zlib is locked twice");
}

#[test]
fn changes_are_told_in_one_line_each() {
    let at = Path::new("/site/channel");
    let old =
        [record(at, "gone", "1", "0", &[]), record(at, "numpy", "2.2.5", "0", &[]), record(at, "same", "1", "0", &[])];
    let mut other = record(at, "content", "1", "0", &[]);
    let old = [old.to_vec(), vec![record(at, "build", "1", "h0_0", &[]), other.clone()]].concat();
    other.package_record.sha256 = Some(compute_bytes_digest::<Sha256>("other"));
    let new = [
        record(at, "build", "1", "h1_0", &[]),
        other,
        record(at, "numpy", "2.2.6", "0", &[]),
        record(at, "same", "1", "0", &[]),
        record(at, "added", "3", "0", &[]),
    ];
    let lines: Vec<String> = changes(&old, &new).iter().map(Change::to_string).collect();
    assert_eq!(
        lines,
        [
            "added 3 0 added",
            "build 1 h0_0 → h1_0",
            "content 1 0 has other content",
            "gone 1 0 removed",
            "numpy 2.2.5 → 2.2.6",
        ]
    );
    assert!(changes(&new, &new).is_empty());
}

#[test]
fn the_records_of_a_real_channel_survive() {
    let Some(url) = crate::base::testing::base_channel("locking a real Python") else { return };
    let root = url.to_file_path().unwrap();
    let mut packages = Vec::new();
    for (subdir, start) in [("linux-64", "python-3.12"), ("noarch", "pip-"), ("linux-64", "numpy-2.2.6-py312")] {
        let text = read_to_string(root.join(subdir).join("repodata.json")).unwrap();
        let index: rattler_conda_types::RepoData = serde_json::from_str(&text).unwrap();
        let (identifier, package) =
            index.conda_packages.into_iter().find(|(name, _)| name.to_file_name().starts_with(start)).unwrap();
        let place = url.join(&format!("{subdir}/{}", identifier.to_file_name())).unwrap();
        packages.push(RepoDataRecord {
            package_record: package,
            identifier,
            url: place,
            channel: Some(url.to_string()),
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envbuild.lock");
    let environments = one(environment(packages));
    write(&path, &environments, &own(&folder.path().join("output"))).unwrap();
    let found = read(&path).unwrap();
    for expected in &environments["app"].packages {
        let found = found["app"].packages.pop_named(expected.package_record.name.as_normalized());
        let (found, expected) = (found.package_record, &expected.package_record);
        assert_eq!(
            (&found.version, &found.build, &found.sha256),
            (&expected.version, &expected.build, &expected.sha256)
        );
        assert_eq!((&found.depends, &found.noarch), (&expected.depends, &expected.noarch));
        assert_eq!(found.python_site_packages_path, expected.python_site_packages_path);
    }
}
