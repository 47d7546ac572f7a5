//! The same inputs give the same bytes, whoever builds, where and when; and `build --check` says so, or what differs.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use crate::support::{Project, Ran, contents_below, files_below, trio};

/// The user and group `nobody` of most systems. They need not have a name.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives a folder and all in it to nobody.
fn give(folder: &Path) {
    chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in fs::read_dir(folder).unwrap().map(|it| it.unwrap()) {
        if entry.file_type().unwrap().is_dir() {
            give(&entry.path());
        } else {
            std::os::unix::fs::lchown(entry.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

/// Empties a folder.
fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(|it| it.unwrap()) {
        if entry.file_type().unwrap().is_dir() {
            fs::remove_dir_all(entry.path()).unwrap();
        } else {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

#[test]
fn two_users_with_two_checkouts_at_two_times_make_the_same_bytes() {
    let one = trio(Project::new());
    one.run(&["all"]).success();
    assert_eq!(one.run(&["run", "-q", "env", "--", "ask"]).status, Some(42), "it is a real program");
    clear(one.scratch());

    // Another place, umask, HOME, cache and language, files of another day, and another number of jobs.
    let two = trio(Project::called("a place with a longer name").scratch_of(&one));
    let two = two.env("LC_ALL", "C").env("TZ", "Pacific/Auckland").env("USER", "somebody").env("ENVBUILD_JUNK", "1");
    let two = {
        let cache = two.beside("cache");
        two.env("ENVBUILD_CACHE_DIR", cache)
    };
    for file in files_below(two.root()) {
        let file = fs::File::options().append(true).open(two.path(file)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    }
    let program = two.beside("envbuild");
    fs::copy(env!("CARGO_BIN_EXE_envbuild"), &program).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$0\" all -j 1"]).arg(&program);
    two.pin(&mut command);
    // Only root can become somebody else; for others it is the same user in other circumstances.
    if is_root() {
        give(two.beside("").as_path());
        give(one.scratch());
        command.uid(NOBODY).gid(NOBODY);
    }
    Ran::new(command.output().unwrap()).success();

    let archives = files_below(&two.path("output"));
    let names = ["ask-", "data-", "libanswer-", "pair-lib-", "pair-tool-"];
    let conda = archives.iter().filter(|it| it.extension().is_some_and(|it| it == "conda"));
    assert_eq!(conda.count(), names.len(), "{archives:?}");
    for folder in ["output/linux-64", "output/noarch", "dist"] {
        assert!(!files_below(&one.path(folder)).is_empty());
        assert!(one.holds_the_same(&two, folder), "{folder} differs");
    }
    assert_eq!(one.read("envbuild.lock"), two.read("envbuild.lock"));
    if is_root() {
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(two.path("envbuild.lock")).unwrap());
        assert_eq!(owner, NOBODY, "it was somebody else");
    }
}

#[test]
fn a_check_finds_nothing_and_changes_nothing_where_all_is_well() {
    let project = trio(Project::new());
    // What is not built yet is built first.
    let ran = project.run(&["build", "--check", "ask"]).success();
    let lines = |ran: &Ran, word: &str| ran.stderr.lines().filter(|it| it.starts_with(word)).count();
    assert_eq!((lines(&ran, "built  build:"), lines(&ran, "same   build:")), (2, 1), "{}", ran.stderr);
    ran.says("same   build:ask in ").says("built again: 1 the same, 0 not");

    project.run(&["all"]).success();
    let places = ["output", "dist", ".envbuild/records", ".envbuild/builds"];
    let state = || -> Vec<_> { places.iter().flat_map(|it| contents_below(&project.path(it))).collect() };
    let before = state();
    let ran = project.run(&["build", "--check", "-j", "2"]).success();
    assert_eq!(lines(&ran, "same   build:"), 5, "{}", ran.stderr);
    let json = project.run(&["build", "--check", "--format", "json", "data", "pair-lib"]).success().json();
    let packages = json["packages"].as_array().unwrap();
    let ids: Vec<&str> = packages.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["build:data", "build:pair-lib"]);
    for package in packages {
        let keys: Vec<_> = package.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["id", "result", "reason", "files", "seconds", "log"]);
        assert_eq!((&package["result"], &package["files"]), (&"same".into(), &serde_json::json!([])));
        assert!(project.path(package["log"].as_str().unwrap()).is_file());
    }
    let quiet = project.run(&["build", "--check", "-q", "data"]).success();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert!(state() == before, "a check left something");
    assert!(files_below(&project.path(".envbuild/scratch")).is_empty());
    project.assert_fresh();
    project.run(&["build", "--check", "no-such-recipe"]).failure(2);
}

#[test]
fn a_check_names_the_files_that_differ() {
    let moody = "package: {name: moody, version: '1.0'}\nbuild:\n  noarch: generic\n  script:\n    - mkdir -p $PREFIX/share\n    \
                 - echo steady > $PREFIX/share/steady\n    - date +%s.%N > $PREFIX/share/when\n    \
                 - if mkdir @FIRST@; then touch $PREFIX/share/first; fi\n    \
                 - touch $PREFIX/share/mode; chmod $(test -e @SECOND@ && echo 755 || echo 644) $PREFIX/share/mode\n    \
                 - ln -s $(test -e @SECOND@ && echo when || echo steady) $PREFIX/share/link\n    - mkdir -p @SECOND@\n";
    let good = "package: {name: good, version: '1.0'}\nbuild: {noarch: generic, script: ['touch $PREFIX/good']}\n";
    let project = Project::new();
    let place = |name: &str| project.beside(name).to_str().unwrap().to_owned();
    let moody = moody.replace("@FIRST@", &place("first")).replace("@SECOND@", &place("second"));
    let manifest = "[project]\nname = \"moody\"\nchannels = []\n[recipes.moody]\npath = \"recipes/moody\"\n\
                    [recipes.good]\npath = \"recipes/good\"\n";
    let project = project.manifest(manifest).recipe("moody", &moody).recipe("good", good);
    project.run(&["build"]).success();
    let before = contents_below(&project.path("output"));
    let ran = project.run(&["build", "--check"]).failure(1);
    let lines: Vec<&str> = ran.stderr.lines().filter(|it| it.starts_with("  ")).collect();
    let expected = [
        "  share/first was there before, and is not now",
        "  share/link led to `steady`, and leads to `when`",
        "  share/mode had the mode 644, and has 755",
        "  share/when has other bytes",
    ];
    assert_eq!(lines, expected);
    let ran = ran.says("differs build:moody in ").says("same   build:good in ").says("built again: 1 the same, 1 not");
    assert_eq!(ran.stdout, "");
    assert!(contents_below(&project.path("output")) == before, "a check changed the channel");
    project.assert_fresh();

    let ran = project.run(&["build", "--check", "--format", "json", "moody"]).failure(1);
    let package = &ran.json()["packages"][0];
    assert_eq!((package["id"].as_str(), package["result"].as_str()), (Some("build:moody"), Some("differs")));
    let files = package["files"].as_array().unwrap();
    let when = serde_json::json!({"path": "share/when", "how": {"what": "bytes"}});
    assert!(files.contains(&when), "{files:?}");
    let mode = serde_json::json!({"path": "share/mode", "how": {"what": "mode", "before": "644", "after": "755"}});
    assert!(files.contains(&mode), "{files:?}");
    project.run(&["build", "--check", "-q", "moody"]).failure(1).says("share/when has other bytes");
    project.run(&["build", "--check", "good"]).success();
}

#[test]
fn a_check_tells_why_a_second_build_failed() {
    let project = Project::new();
    let once = project.beside("once").to_str().unwrap().to_owned();
    let recipe = format!(
        "package: {{name: once, version: '1.0'}}\nbuild: {{noarch: generic, script: ['mkdir {once}', 'touch $PREFIX/once']}}\n"
    );
    let manifest = "[project]\nname = \"once\"\nchannels = []\n[recipes.once]\npath = \"recipes/once\"\n";
    let project = project.manifest(manifest).recipe("once", &recipe);
    let ran = project.run(&["build", "--check"]).failure(1);
    ran.says("failed build:once after ").says("File exists").says("0 the same, 0 not, 1 failed");
    let report = project.run(&["build", "--check", "--format", "json"]).failure(1).json();
    let reason = report["packages"][0]["reason"].as_str().unwrap();
    assert!(report["packages"][0]["result"] == "failed" && reason.contains("exit status 1"), "{report}");
    // The package itself is as good as it was.
    project.assert_fresh();

    // What cannot be built at all has no second build.
    project.edit("recipes/once/recipe.yaml", "'touch $PREFIX/once'", "'exit 7'");
    let ran = project.run(&["build", "--check", "--format", "json"]).failure(1);
    assert_eq!(ran.report().with("failed"), ["build:once"]);
}

#[test]
fn a_check_runs_as_many_builds_at_once_as_it_is_told() {
    let project = Project::new();
    let place = project.beside("meeting");
    fs::create_dir(&place).unwrap();
    let place = place.to_str().unwrap();
    // Each waits for the other, in the first build and in the second.
    let meets = |own: &str, other: &str| {
        format!(
            "package: {{name: {own}, version: '1.0'}}\nbuild:\n  noarch: generic\n  script:\n    - touch $PREFIX/{own}\n    \
             - n=$(ls {place} | grep -c '^{own}[.]' || true)\n    - touch {place}/{own}.$n\n    \
             - until [ -e {place}/{other}.$n ]; do sleep 0.02; done\n"
        )
    };
    let manifest = "[project]\nname = \"two\"\nchannels = []\n[recipes.a]\npath = \"recipes/a\"\n[recipes.b]\npath = \
                    \"recipes/b\"\n";
    let project = project.manifest(manifest).recipe("a", &meets("a", "b")).recipe("b", &meets("b", "a"));
    project.run(&["build", "--check", "-j", "2"]).success().says("built again: 2 the same, 0 not");

    // Two of these at once would meet in a folder that there is once.
    let alone = |name: &str| {
        format!(
            "package: {{name: {name}, version: '1.0'}}\nbuild: {{noarch: generic, script: ['mkdir {place}/lock', 'sleep 0.2', \
             'rmdir {place}/lock', 'touch $PREFIX/{name}']}}\n"
        )
    };
    let project = project.recipe("a", &alone("a")).recipe("b", &alone("b"));
    project.run(&["build", "--check", "-j", "1"]).success().says("built again: 2 the same, 0 not");
}

#[test]
fn a_check_that_is_stopped_leaves_nothing_running() {
    let project = Project::new();
    let gate = crate::support::Gate::new(project.beside("gate"));
    let first = project.beside("first").to_str().unwrap().to_owned();
    // The first build passes, the second waits at the gate.
    let script = format!("if mkdir {first}; then exit 0; fi\n{}\n", gate.script());
    let recipe = "package: {name: slow, version: '1.0'}\nbuild: {noarch: generic, script: build.sh}\n";
    let manifest = "[project]\nname = \"slow\"\nchannels = []\n[recipes.slow]\npath = \"recipes/slow\"\n";
    let project = project.manifest(manifest).recipe("slow", recipe).file("recipes/slow/build.sh", &script);
    let running = crate::support::Running::start(&project, &["build", "--check"]);
    let pid = gate.reached();
    running.signal(rustix::process::Signal::INT);
    let ran = running.wait().failure(130).says("stopped: 0 the same, 0 not");
    assert!(!ran.stderr.contains("failed"), "{}", ran.stderr);
    crate::support::eventually("the script is gone", || !crate::support::is_alive(pid));
    project.assert_fresh();
    let left = project.run(&["status"]).success();
    assert!(left.stdout.contains("1 fresh"), "{}", left.stdout);
    assert!(files_below(&project.path(".envbuild/scratch")).is_empty());
}
