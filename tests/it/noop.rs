//! A run without work reads no recipe, no package and no record, writes nothing, and looks at each file a few times at
//! most. Seen from outside, through the system calls.

use std::{collections::BTreeMap, fs, process::Command, thread::sleep, time::Duration};

use crate::support::{Project, Ran, skip};

/// The system calls of a run: name, then the lines.
struct Calls(BTreeMap<String, Vec<String>>);

impl Calls {
    /// Runs the program under `strace`, which has to end well; nothing when there is no `strace`.
    fn of(project: &Project, arguments: &[&str]) -> Option<Self> {
        if Command::new("strace").arg("-V").output().is_err() {
            skip("strace");
            return None;
        }
        let program = project.command(arguments);
        let mut traced = Command::new("strace");
        let log = project.beside("calls");
        // Whole paths, a line for each call that ended well, of all threads.
        traced.args(["-f", "-z", "-s", "4096", "-o"]).arg(&log).arg("-e").arg("trace=%file,write,ftruncate");
        traced.arg(program.get_program()).args(program.get_args());
        project.pin(&mut traced);
        Ran::new(traced.output().unwrap()).success().says("nothing to do");
        let mut calls: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in fs::read_to_string(log).unwrap().lines() {
            // The number of the process stands first.
            let call = line.split_once(' ').map_or(line, |it| it.1.trim_start());
            if let Some((name, _)) = call.split_once('(') {
                calls.entry(name.to_owned()).or_default().push(call.to_owned());
            }
        }
        Some(Self(calls))
    }

    fn named(&self, names: &[&str]) -> Vec<&str> {
        names.iter().filter_map(|it| self.0.get(*it)).flatten().map(String::as_str).collect()
    }

    /// The paths below the project that were opened, with the flags.
    fn opened(&self, project: &Project) -> Vec<(String, String)> {
        let root = format!("{}/", project.root().display());
        let opened = |call: &str| {
            let mut parts = call.split('"');
            let path = parts.nth(1)?.strip_prefix(&root)?.to_owned();
            Some((path, parts.next()?.to_owned()))
        };
        self.named(&["open", "openat"]).into_iter().filter_map(opened).collect()
    }

    /// How often a file was looked at by its name.
    fn looks(&self) -> usize {
        let names = ["stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink"];
        self.named(&names).len()
    }
}

/// Runs until everything is known: what was touched less than two seconds before a run is read again by it.
fn settle(project: &Project, arguments: &[&str]) {
    project.run(arguments).success();
    sleep(Duration::from_secs(4));
    project.run(arguments).success().says("nothing to do");
}

/// A project of so many packages, each with a script of its own, in a chain.
fn chain(packages: usize) -> Project {
    let mut manifest = "[project]\nname = \"chain\"\nchannels = []\n".to_owned();
    let mut project = Project::new();
    for number in 0..packages {
        manifest += &format!("[recipes.link{number}]\npath = \"recipes/link{number}\"\n");
        let need = number.checked_sub(1).map_or_else(String::new, |before| {
            format!("requirements:\n  host:\n    - link{before}\n  run:\n    - link{before}\n")
        });
        let recipe = format!(
            "package:\n  name: link{number}\n  version: '1'\nbuild:\n  noarch: generic\n  script: build.sh\n{need}"
        );
        let script = format!("mkdir -p $PREFIX/share\necho {number} >$PREFIX/share/link{number}\n");
        project =
            project.recipe(&format!("link{number}"), &recipe).file(&format!("recipes/link{number}/build.sh"), &script);
    }
    project.manifest(&manifest)
}

/// Nothing but what the program keeps for itself is opened, and only the lock is written.
fn assert_untouched(calls: &Calls, project: &Project) {
    let opened = calls.opened(project);
    assert!(opened.iter().any(|it| it.0 == "project.toml"), "{opened:?}");
    for (path, flags) in &opened {
        let own = ["recipes", "output", "dist", ".envbuild/records", ".envbuild/builds"];
        let is_inside = own.iter().any(|it| path.strip_prefix(it).is_some_and(|rest| rest.starts_with('/')));
        // The channel's folders are swept; what is in them is not read.
        let is_swept = path.starts_with("output/") && flags.contains("O_DIRECTORY");
        let is_small = is_swept || path.ends_with(".sha256");
        assert!(!is_inside || is_small, "{path} was opened");
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|it| flags.contains(it));
        assert!(!writes || path.starts_with(".envbuild/lock"), "{path} was opened to be written");
    }
    let changes = ["rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "symlink", "chmod"];
    let lock = format!("{}/.envbuild/lock", project.root().display());
    let changed: Vec<&str> = calls.named(&changes).into_iter().filter(|it| !it.contains(&lock)).collect();
    assert_eq!(changed, [""; 0]);
}

#[test]
fn nothing_is_read_or_written_and_looks_grow_with_the_nodes_alone() {
    let arguments = ["build", "--offline"];
    let (small, large) = (chain(3), chain(11));
    let mut looks = Vec::new();
    for project in [&small, &large] {
        settle(project, &arguments);
        let Some(calls) = Calls::of(project, &arguments) else { return };
        assert_untouched(&calls, project);
        looks.push(calls.looks());
    }
    // Its folder twice, its two files, the recipe once more, the package. A look for each pair of nodes would be 52 more.
    assert!(looks[1] - looks[0] <= 8 * 6, "{looks:?} looks at 3 and 11 packages");
}

#[test]
fn environments_and_their_archives_are_not_read_either() {
    let project = Project::example("quickstart");
    settle(&project, &["all"]);
    let Some(calls) = Calls::of(&project, &["all"]) else { return };
    assert_untouched(&calls, &project);
}

#[test]
fn what_is_kept_is_never_believed_over_the_files() {
    let project = chain(2);
    settle(&project, &["build"]);
    let built = |project: &Project| project.report(&["build"]).sorted("built");

    // The same size, and the old time put back.
    let script = project.path("recipes/link1/build.sh");
    let time = script.metadata().unwrap().modified().unwrap();
    project.edit("recipes/link1/build.sh", "echo 1", "echo 7");
    fs::File::options().write(true).open(&script).unwrap().set_modified(time).unwrap();
    assert_eq!(built(&project), ["build:link1"]);

    project.write("recipes/link0/new", "a file that was not there");
    assert_eq!(built(&project), ["build:link0"]);
    fs::remove_file(project.path("recipes/link0/new")).unwrap();
    assert_eq!(project.report(&["build"]).count("fresh"), 2, "what was built before is still there");

    // What is kept is damaged, gone, or of another time.
    let kept = |name: &str| project.path(".envbuild/cache").join(name);
    let names = ["stamps.txt", "records.txt", "rendered.txt"];
    let old: Vec<Vec<u8>> = names.iter().map(|it| fs::read(kept(it)).unwrap()).collect();
    for name in names {
        fs::write(kept(name), "stamps 1 damaged\n").unwrap();
    }
    project.run(&["build"]).success().says("nothing to do");
    project.edit("recipes/link1/build.sh", "echo 7", "echo 8");
    assert_eq!(built(&project), ["build:link1"]);
    for (name, bytes) in names.iter().zip(old) {
        fs::write(kept(name), bytes).unwrap();
    }
    project.run(&["build"]).success().says("nothing to do");
}
