//! `pack -p`: prefixes that other programs have made and people have changed run where they are sent.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    answers::{documented, fields},
    support::{Project, Ran, bare, client, contents_below, skip, variable},
};

/// A prefix with a short path, and everything that is needed to make and pack it.
struct Bench {
    project: Project,
    room: TempDir,
    client: PathBuf,
    channel: String,
}

impl Bench {
    fn new() -> Option<Self> {
        let Some(channel) = variable("ENVBUILD_TEST_CHANNEL") else {
            skip("conda channel with CPython (ENVBUILD_TEST_CHANNEL)");
            return None;
        };
        let client = client::python()?;
        let room = tempfile::Builder::new().prefix("e").rand_bytes(4).tempdir_in("/tmp").unwrap();
        Some(Self { project: Project::new().with_settings_of_pip(), room, client, channel })
    }

    fn prefix(&self) -> PathBuf {
        self.room.path().join("e")
    }

    fn conda(&self, specs: &[&str]) {
        client::install_from(&self.channel, &self.project, &self.client, specs, &self.prefix());
    }

    /// Runs a program of the prefix.
    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        let mut command = Command::new(self.prefix().join("bin").join(program));
        self.project.pin(&mut command);
        Ran::new(command.args(arguments).env("PIP_ROOT_USER_ACTION", "ignore").output().unwrap()).success()
    }

    fn pip(&self, arguments: &[&str]) {
        self.run("pip", &[&["install", "--quiet", "--no-input"], arguments].concat());
    }

    fn site(&self) -> PathBuf {
        self.prefix().join("lib/python3.11/site-packages")
    }

    /// A project with one module and a script.
    fn sources(&self, name: &str) -> PathBuf {
        let folder = self.project.path(format!("src-of-{name}"));
        let text = format!(
            "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname = \
             \"{name}\"\nversion = \"1.5\"\n[project.scripts]\n{name} = \"{name}:main\"\n[tool.setuptools]\npackages = \
             [\"{name}\"]\n"
        );
        for (file, text) in [
            ("pyproject.toml", text),
            (&format!("{name}/__init__.py"), format!("def main():\n    print('{name} ran')\n")),
            (&format!("{name}/data/deep.txt"), "data\n".to_owned()),
            ("tests/__init__.py", String::new()),
        ] {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        folder
    }

    fn pack(&self, arguments: &[&str]) -> Ran {
        let prefix = self.prefix();
        self.project.run(&[&["pack", "-p", prefix.to_str().unwrap()], arguments].concat())
    }

    /// The report of a pack that succeeds.
    #[track_caller]
    fn report(&self, arguments: &[&str]) -> Value {
        self.pack(&[&["--format", "json"], arguments].concat()).success().json()
    }

    /// The prefix goes; the archive is unpacked by both ways at paths of their own, the second with a space in it.
    #[track_caller]
    fn sent(&self, archive: &str) -> [PathBuf; 2] {
        let gone = self.room.path().join("gone");
        fs::rename(self.prefix(), gone).unwrap();
        let archive = self.project.path(archive);
        let by_us = self.project.beside("unpacked by envbuild, at a path that is longer than the first one was");
        self.project.run(&["unpack", archive.to_str().unwrap(), "-p", by_us.to_str().unwrap()]).success();
        let by_tar = self.project.beside("by-tar");
        fs::create_dir(&by_tar).unwrap();
        let tar = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&by_tar).status().unwrap();
        assert!(tar.success());
        bare(&by_tar.join("bin/conda-unpack"), &[]);
        [by_us, by_tar]
    }
}

fn names(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|it| it[field].as_str().unwrap().to_owned()).collect()
}

fn package<'a>(report: &'a Value, kind: &str, name: &str) -> &'a Value {
    report[kind].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{name}: {report}"))
}

/// Compiles a library with the prefix as a string and in its run path.
fn compile(bench: &Bench) {
    let source = bench.project.path("mine.c");
    let prefix = bench.prefix();
    fs::write(&source, format!("const char *where(void) {{ return \"{}/share/mine\"; }}\n", prefix.display())).unwrap();
    let rpath = format!("-Wl,-rpath,{}/lib", prefix.display());
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-Wl,-soname,libmine.so", &rpath, "-o"])
        .arg(prefix.join("lib/libmine.so"))
        .arg(&source);
    assert!(cc.status().unwrap().success());
    // Another one finds the first by its run path only.
    let mut cc = Command::new("cc");
    let user = "const char *where(void); const char *there(void) { return where(); }\n";
    fs::write(bench.project.path("user.c"), user).unwrap();
    let folder = prefix.join("lib/deep");
    fs::create_dir(&folder).unwrap();
    cc.args(["-shared", "-fPIC", "-Wl,--enable-new-dtags", &rpath, "-o"]).arg(folder.join("libuser.so"));
    cc.arg(bench.project.path("user.c")).arg(prefix.join("lib/libmine.so"));
    assert!(cc.arg("-Wl,-soname,libuser.so").status().unwrap().success());
}

#[test]
fn a_prefix_with_packages_of_pip_and_every_kind_of_change_runs_elsewhere() {
    let Some(bench) = Bench::new() else { return };
    bench.conda(&["python 3.11.*", "pip", "setuptools", "wheel", "packaging", "numpy"]);
    // Another version over conda's, real wheels with scripts, and one that is edited by hand.
    bench.pip(&["tabulate==0.9.0", "requests", "packaging==24.2"]);
    bench.pip(&["--no-build-isolation", "--no-deps", "--editable", bench.sources("greeter").to_str().unwrap()]);
    compile(&bench);
    let library = bench.prefix().join("lib/python3.11");
    fs::write(library.join("antigravity.py"), "print('nothing flies')\n").unwrap();
    fs::remove_file(library.join("this.py")).unwrap();
    fs::write(bench.site().join("tabulate/version.py"), "__version__ = 'mine'\n").unwrap();
    fs::write(bench.site().join("elsewhere.pth"), "/usr/share\n").unwrap();
    fs::write(bench.prefix().join("etc-env"), format!("{0}/x:{0}2:{0}.bak", bench.prefix().display())).unwrap();
    symlink(bench.prefix().join("bin/python3.11"), bench.prefix().join("bin/absolute")).unwrap();
    symlink("/usr/bin/env", bench.prefix().join("bin/outside")).unwrap();

    let refused = bench.pack(&[]).failure(1).says("greeter").says("--ignore-editable").says("--include-editable");
    assert!(refused.stderr.contains("src-of-greeter") && refused.stderr.contains("wheel"), "{}", refused.stderr);
    assert!(!bench.project.path("e-linux-64.tar.zst").exists());

    let report = bench.report(&["--include-editable", "-o", "e.tar.zst"]);
    let python = package(&report, "conda", "python");
    assert_eq!(names(&python["changed"], "file"), ["lib/python3.11/antigravity.py"]);
    assert_eq!(python["missing"], serde_json::json!(["lib/python3.11/this.py"]));
    let packaging = package(&report, "conda", "packaging");
    assert!(!packaging["missing"].as_array().unwrap().is_empty(), "pip has removed its dist-info: {packaging}");
    assert!(packaging["changed"].as_array().unwrap().iter().all(|it| it["by"] == "packaging"), "{packaging}");
    for whole in ["numpy", "pip", "setuptools", "wheel"] {
        let package = package(&report, "conda", whole);
        assert!(
            package["changed"] == serde_json::json!([]) && package["missing"] == serde_json::json!([]),
            "{package}"
        );
    }
    let tabulate = package(&report, "pip", "tabulate");
    assert_eq!(names(&tabulate["changed"], "file"), ["lib/python3.11/site-packages/tabulate/version.py"]);
    assert_eq!(package(&report, "pip", "packaging")["version"], "24.2");
    assert_eq!(names(&report["outside_links"], "file"), ["bin/outside"]);
    assert_eq!(names(&report["outside_paths"], "names"), ["/usr/share"]);
    assert_eq!(names(&report["unfixable"], "file"), ["lib/libmine.so"]);
    assert_eq!(report["relinked"], serde_json::json!(["lib/deep/libuser.so", "lib/libmine.so"]));
    assert_eq!(report["editable"][0]["name"], "greeter");
    assert_eq!(report["longest_prefix"], 255);
    let documented = documented("`envbuild pack`");
    for field in fields(&report) {
        assert!(documented.contains(&field), "the book does not name `{field}`");
    }
    // The same bytes, for any number of threads.
    let again = bench.report(&["--include-editable", "-o", "again.tar.zst", "-j", "1"]);
    assert_eq!(again["pieces"][0]["sha256"], report["pieces"][0]["sha256"]);

    let old = bench.prefix();
    fs::rename(bench.project.path("src-of-greeter"), bench.project.path("sources are gone")).unwrap();
    for prefix in bench.sent("e.tar.zst") {
        let python = prefix.join("bin/python");
        let code = "import requests, numpy, packaging, tabulate, ctypes, sys; print(packaging.__version__, sys.prefix)";
        let out = bare(&python, &["-c", code]).stdout;
        assert_eq!(out.trim(), format!("24.2 {}", prefix.display()));
        assert_eq!(bare(&prefix.join("bin/greeter"), &[]).stdout, "greeter ran\n");
        assert!(bare(&prefix.join("bin/tabulate"), &["--help"]).stdout.contains("Pretty-print"));
        assert!(bare(&prefix.join("bin/pip"), &["--version"]).stdout.contains(prefix.to_str().unwrap()));
        bare(&python, &["-m", "pip", "check"]);
        let listed = bare(&python, &["-m", "pip", "list", "--format", "json"]).json();
        let greeter = listed.as_array().unwrap().iter().find(|it| it["name"] == "greeter").unwrap();
        assert_eq!(greeter["version"], "1.5");
        assert_eq!(greeter["editable_project_location"], Value::Null);
        assert_eq!(fs::read_link(prefix.join("bin/absolute")).unwrap(), prefix.join("bin/python3.11"));
        let text = fs::read_to_string(prefix.join("etc-env")).unwrap();
        assert_eq!(text, format!("{}/x:{1}2:{1}.bak", prefix.display(), old.display()));
        let library = fs::read(prefix.join("lib/libmine.so")).unwrap();
        let real = old.to_str().unwrap().as_bytes();
        assert!(library.windows(real.len()).any(|it| it == real), "it cannot be corrected, so it must be as it was");
        let code = "import ctypes, sys; ctypes.CDLL(sys.prefix + '/lib/deep/libuser.so').there";
        bare(&python, &["-c", code]);
        let config = fs::read_to_string(prefix.join("bin/python3.11-config")).unwrap();
        assert!(config.contains(&format!("\nprefix=\"{}\"\n", prefix.display())), "{config}");
    }
}

#[test]
fn what_was_compiled_in_a_short_prefix_can_move_to_a_shorter_one() {
    let Some(bench) = Bench::new() else { return };
    bench.conda(&["python 3.11.*"]);
    compile(&bench);
    let report = bench.report(&["--short-prefix", "-o", "e.tar.zst"]);
    assert_eq!(report["longest_prefix"], bench.prefix().as_os_str().len());
    assert_eq!(report["unfixable"], serde_json::json!([]));
    fs::rename(bench.prefix(), bench.room.path().join("gone")).unwrap();
    let archive = bench.project.path("e.tar.zst");
    let long = bench.project.beside("a path that is longer than the first one was");
    bench.project.run(&["unpack", archive.to_str().unwrap(), "-p", long.to_str().unwrap()]).failure(1).says("at most");
    let short = bench.room.path().join("f");
    bench.project.run(&["unpack", archive.to_str().unwrap(), "-p", short.to_str().unwrap()]).success();
    let code = "import ctypes, sys; f = ctypes.CDLL(sys.prefix + '/lib/libmine.so').where; f.restype = ctypes.c_char_p; \
                print(f().decode())";
    let out = bare(&short.join("bin/python"), &["-c", code]).stdout;
    assert_eq!(out.trim(), short.join("share/mine").to_str().unwrap());
}

#[test]
fn a_prefix_is_known_by_each_of_its_names_and_thinned_by_patterns() {
    let Some(bench) = Bench::new() else { return };
    bench.conda(&["python 3.11.*", "pip"]);
    bench.pip(&["tabulate==0.9.0"]);
    // Everything was installed by way of the one path, and is packed by way of another.
    let link = bench.room.path().join("by another name");
    symlink(bench.prefix(), &link).unwrap();
    fs::write(bench.prefix().join("names"), format!("{}\n{}\n", bench.prefix().display(), link.display())).unwrap();
    bench.pip(&["--no-build-isolation", "--no-deps", "--editable", bench.sources("left").to_str().unwrap()]);
    let socket = std::os::unix::net::UnixListener::bind(bench.prefix().join("socket")).unwrap();
    let patterns = ["--exclude", "*/idlelib/*", "--exclude", "*.md", "--include", "*/idlelib/help.py"];
    let words =
        [&["pack", "-p", link.to_str().unwrap(), "-o", "e.tar.zst", "--ignore-editable"], &patterns[..]].concat();
    bench.project.run(&words).failure(1).says("socket");
    let words = [&words[..], &["--exclude", "socket", "--format", "json"]].concat();
    let report = bench.project.run(&words).success().json();
    drop(socket);
    assert!(report["excluded"].as_u64().unwrap() > 10, "{}", report["excluded"]);
    assert_eq!(package(&report, "conda", "python")["missing"], serde_json::json!([]), "they were left out on purpose");
    assert_eq!(report["editable"][0]["included"], false);
    bench.project.run(&words).failure(2).says("is there already").says("--force");
    bench.project.run(&[&words[..], &["--force"]].concat()).success();
    // The third way out, in the words of the help.
    let refused = bench.pack(&["--exclude", "socket"]).failure(1);
    assert!(refused.stderr.contains("pip install --no-deps --force-reinstall"), "{}", refused.stderr);
    let sources = bench.project.path("src-of-left");
    bench.pip(&["--no-build-isolation", "--no-deps", "--force-reinstall", sources.to_str().unwrap()]);
    let report = bench.report(&["--exclude", "socket", "-o", "wheel.tar.zst"]);
    assert_eq!(report["editable"], serde_json::json!([]));
    assert_eq!(package(&report, "pip", "left")["changed"], serde_json::json!([]));
    let by_wheel = bench.project.beside("by wheel");
    bench.project.run(&["unpack", "wheel.tar.zst", "-p", by_wheel.to_str().unwrap()]).success();
    fs::rename(&sources, bench.project.path("sources are gone")).unwrap();
    assert_eq!(bare(&by_wheel.join("bin/left"), &[]).stdout, "left ran\n");
    for prefix in bench.sent("e.tar.zst") {
        let names = fs::read_to_string(prefix.join("names")).unwrap();
        assert_eq!(names, format!("{0}\n{0}\n", prefix.display()));
        let idle = prefix.join("lib/python3.11/idlelib");
        let files: Vec<_> = fs::read_dir(&idle).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(files, ["help.py"]);
        let record = fs::read_dir(prefix.join("conda-meta")).unwrap().map(|it| it.unwrap().path());
        let record =
            record.into_iter().find(|it| it.file_name().unwrap().to_str().unwrap().starts_with("python-3.")).unwrap();
        let record = fs::read_to_string(record).unwrap();
        assert!(record.contains("idlelib/help.py") && !record.contains("idlelib/run.py"));
        bare(&prefix.join("bin/python"), &["-m", "pip", "check"]);
        assert!(!prefix.join("bin/left").exists());
    }
}

#[test]
fn everything_that_cannot_be_packed_is_told_at_once() {
    let mut project = Project::new();
    let prefix = project.path("env");
    for folder in ["conda-meta", "lib", "secret"] {
        fs::create_dir_all(prefix.join(folder)).unwrap();
    }
    fs::write(prefix.join("conda-meta/bad-1-0.json"), "{\"name\": 1}").unwrap();
    fs::write(prefix.join("conda-meta/worse-1-0.json"), "no json").unwrap();
    fs::write(prefix.join("lib/unreadable"), "x").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(prefix.join("socket")).unwrap();
    project.become_nobody();
    for name in ["lib/unreadable", "secret"] {
        fs::set_permissions(prefix.join(name), fs::Permissions::from_mode(0o0)).unwrap();
    }
    let ran = project.run(&["pack", "-p", "env"]).failure(1);
    for told in ["bad-1-0.json", "worse-1-0.json", "`socket` is a socket", "unreadable", "secret", "5 problems"] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    project.run(&["pack", "-p", "env/lib"]).failure(1).says("is not a conda prefix");
    project.run(&["pack", "-p", "lib"]).failure(2).says("there is nothing at");
    let all = ["--exclude", "*.json", "--exclude", "socket", "--exclude", "secret", "--exclude", "*/unreadable"];
    project.run(&[&["pack", "-p", "env"], &all[..]].concat()).success().says("0 conda packages");
    project.run(&["pack", "-p", "env", "-o", "x.doc"]).failure(2);
    symlink("env", project.path("other")).unwrap();
    for inside in ["env/x.tar", "other/new/x.tar", "env/x/"] {
        project.run(&["pack", "-p", "env", "-o", inside]).failure(2).says("would lie in the environment");
    }
    project.run(&["backup", "-p", "env", "-o", "env/backup"]).failure(2).says("would lie in the environment");
    project.run(&["clone", "./env", "-p", "env/clone"]).failure(2).says("would lie in the environment");
    assert!(!prefix.join("x.tar").exists() && !prefix.join("new").exists() && !prefix.join("x").exists());
    project.run(&["pack", "--exclude", "a"]).failure(2).says("--prefix");
}

/// The files of an archive as they are in it.
fn inside(archive: &Path, into: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fs::create_dir(into).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(into).status().unwrap().success());
    contents_below(into).into_iter().collect()
}

#[test]
fn a_prefix_of_ours_is_packed_as_its_lock_is() {
    let project = Project::example("quickstart");
    project.run(&["pack", "everyone-libgreet1.0.0"]).success();
    let prefix = ".envbuild/envs/everyone-libgreet1.0.0";
    project.run(&["pack", "-p", prefix, "-o", "adopted.tar.zst"]).success();
    let locked = inside(&project.path("dist/everyone-libgreet1.0.0-linux-64.tar.zst"), &project.beside("locked"));
    let adopted = inside(&project.path("adopted.tar.zst"), &project.beside("adopted"));
    // What it needs of a machine may be told of one only, and a name has only what the manifest names; these speak of that.
    let about =
        ["needs.json", "files", "relocate.json", "sbom.cdx.json"].map(|it| Path::new("conda-meta/envbuild").join(it));
    let differ = |name: &&PathBuf| !about.contains(*name) && locked.get(*name) != adopted.get(*name);
    let differing: Vec<_> = locked.keys().chain(adopted.keys()).filter(differ).collect();
    assert_eq!(differing, Vec::<&PathBuf>::new());
    let digests = |all: &BTreeMap<PathBuf, Vec<u8>>| {
        let list = String::from_utf8_lossy(&all[&about[1]]).into_owned();
        let told = |it: &&str| !it.ends_with("needs.json") && !it.ends_with("sbom.cdx.json");
        list.split('\0').filter(told).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(digests(&locked), digests(&adopted));
    let [(named, of_lock), (unnamed, of_prefix)] = [&locked, &adopted].map(|all| {
        let mut bill: Value = serde_json::from_slice(&all[&about[3]]).unwrap();
        bill["serialNumber"] = Value::Null;
        (bill["metadata"]["component"]["name"].take(), bill)
    });
    assert_eq!((named, unnamed), ("everyone-libgreet1.0.0".into(), "environment".into()));
    assert_eq!(of_lock, of_prefix);
}

#[test]
fn a_binary_file_gets_its_own_placeholder_back() {
    let Some(python) = client::python() else { return };
    let project = Project::example("quickstart");
    project.run(&["pack", "everyone-libgreet1.0.0"]).success();
    let locked = inside(&project.path("dist/everyone-libgreet1.0.0-linux-64.tar.zst"), &project.beside("locked"));
    let room = tempfile::Builder::new().prefix("e").rand_bytes(4).tempdir_in("/tmp").unwrap();
    let prefix = room.path().join("e");
    client::install(&project, &python, &["hello", "libgreet 1.*", "shout"], &prefix);
    let words = ["pack", "-p", prefix.to_str().unwrap(), "-o", "adopted.tar.zst", "--format", "json"];
    let report = project.run(&words).success().json();
    for package in report["conda"].as_array().unwrap() {
        assert!(
            package["changed"] == serde_json::json!([]) && package["missing"] == serde_json::json!([]),
            "{package}"
        );
    }
    let adopted = inside(&project.path("adopted.tar.zst"), &project.beside("adopted"));
    let programs: Vec<_> =
        adopted.keys().filter(|it| !it.starts_with("conda-meta") && !it.ends_with("activate")).collect();
    assert!(programs.len() > 5);
    for name in programs {
        assert!(adopted.get(name) == locked.get(name), "{} differs", name.display());
    }
    // A file that was overwritten is nobody's; its neighbours stay whole.
    fs::copy("/bin/true", prefix.join("bin/hello")).unwrap();
    let report = project.run(&[&words[..], &["--force"]].concat()).success().json();
    assert_eq!(names(&package(&report, "conda", "hello")["changed"], "file"), ["bin/hello"]);
}
