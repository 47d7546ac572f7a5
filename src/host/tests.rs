//! Real shells with functions called `module`; the real module systems are in the integration tests.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use miette::Diagnostic as _;

use super::{
    HostError, HostErrors,
    capture::{Captured, capture},
    shell::Limits,
    variables::{mentions, new_folders, of_host},
};
use crate::{
    base::{Cancel, fs},
    workspace::{Host, InitFile, ModuleStep, Verb},
};

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn what_belongs_to_the_shell_says_nothing_of_the_host() {
    let captured = environment(&[
        ("BASH_FUNC_module%%", "() { :; }"),
        ("HOME", "/homeless-shelter"),
        ("LMOD_DIR", "/usr/share/lmod"),
        ("LOADEDMODULES", "mpich/4.0"),
        ("MPICH_DIR", "/opt/mpich"),
        ("PATH", "/opt/mpich/bin:/usr/bin"),
        ("_ModuleTable001_", "X01vZHVsZQ=="),
        ("__LMOD_REF_COUNT_PATH", "/opt/mpich/bin:1"),
        ("__MODULES_LMALTNAME", "a"),
    ]);
    let names: Vec<String> = of_host(&captured).into_keys().collect();
    assert_eq!(names, ["MPICH_DIR", "PATH"]);
}

#[test]
fn the_folders_of_a_module_are_those_that_it_added() {
    let before = environment(&[("PATH", "/usr/bin"), ("LD_LIBRARY_PATH", "/opt/gcc/lib64")]);
    let after = environment(&[
        ("PATH", "/opt/mpich/bin:/usr/bin"),
        ("LD_LIBRARY_PATH", "/opt/mpich/lib/:/opt/gcc/lib64"),
        ("MPICH_DIR", "/opt/mpich"),
        ("MPICH_VERSION", "4.0"),
        ("MODULEPATH", "/opt/modules"),
        ("ROOT", "/opt"),
    ]);
    let folders: Vec<String> = new_folders(&before, &after).iter().map(|it| it.display().to_string()).collect();
    assert_eq!(folders, ["/opt/mpich", "/opt/mpich/bin", "/opt/mpich/lib"]);
}

/// `[host]` with one file to be sourced and modules to be loaded, with their places 10, 20, 30 ...
fn host(folder: &std::path::Path, init: &str, modules: &[&str]) -> Host {
    let path = folder.join("init.sh");
    std::fs::write(&path, init).unwrap();
    let step = |(number, name): (usize, &&str)| {
        let start = 10 * (number + 1);
        ModuleStep { verb: Verb::Load, name: (*name).to_owned(), origin: start..start + name.len() }
    };
    Host {
        init: vec![InitFile { written: "init.sh".to_owned(), path, origin: 1..8 }],
        modules: modules.iter().enumerate().map(step).collect(),
        ..Host::default()
    }
}

/// Loads the modules of a host with little patience.
fn load(host: &Host) -> Result<Captured, Vec<HostError>> {
    let cancel = Cancel::new();
    capture(host, &host.modules, Limits { cancel: &cancel, patience: Duration::from_millis(500) })
}

/// The sentences of problems, each with the beginning of its place.
fn told(problems: &[HostError]) -> Vec<(String, Option<usize>)> {
    let place = |it: &HostError| it.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    problems.iter().map(|it| (it.to_string(), place(it))).collect()
}

#[test]
fn what_does_not_end_is_cut_and_named() {
    let folder = fs::Scratch::new().unwrap();
    let hangs = "module() { if [ \"$2\" = slow ]; then sleep 86400; fi; }";
    let started = Instant::now();
    let problems = load(&host(folder.path(), hangs, &["quick", "slow", "never"])).unwrap_err();
    let sentence = |what: &str| format!("{what} has not ended after 0 seconds");
    assert_eq!(told(&problems), [(sentence("`module load slow`"), Some(20))]);
    let problems = load(&host(folder.path(), "sleep 86400 & wait", &["quick"])).unwrap_err();
    assert_eq!(told(&problems), [(sentence("`init.sh`"), Some(1))]);
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn what_is_left_in_the_background_does_not_outlive_the_shell() {
    let folder = fs::Scratch::new().unwrap();
    let file = folder.path().join("pid");
    let init = format!("module() {{ sleep 86400 & echo $! >'{}'; }}", file.display());
    load(&host(folder.path(), &init, &["leaves"])).unwrap();
    let pid = std::fs::read_to_string(file).unwrap();
    let started = Instant::now();
    // A zombie until somebody takes it in.
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    while !state().is_empty() && !state().contains(") Z") {
        assert!(started.elapsed() < Duration::from_secs(60), "{}", state());
    }
}

#[test]
fn an_old_module_system_returns_nothing() {
    let folder = fs::Scratch::new().unwrap();
    // As version 3 does: it says what is wrong on the other output and returns 0.
    let old = "module() {
        case $2 in
            there) export LOADEDMODULES=there/1 ;;
            *) echo \"ModuleCmd_Load.c(213):ERROR:105: Unable to locate a modulefile for '$2'\" >&2 ;;
        esac
    }";
    let problems = load(&host(folder.path(), old, &["there", "away", "gone"])).unwrap_err();
    let told = told(&problems);
    assert_eq!(told.iter().map(|it| it.1).collect::<Vec<_>>(), [Some(20), Some(30)]);
    assert!(told[0].0.contains("`away` cannot be loaded") && told[0].0.contains("ERROR:105"), "{told:?}");
    let captured = load(&host(folder.path(), old, &["there"])).unwrap();
    assert_eq!(captured.loaded.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["there/1"]);
}

#[test]
fn every_file_that_is_sourced_is_consulted() {
    let folder = fs::Scratch::new().unwrap();
    for (name, text) in [("one.sh", ". two.sh"), ("two.sh", "f() { :; }; f"), ("three.sh", "")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let at = folder.path().display();
    let init = format!("PATH='{at}':$PATH\nexport MODULEPATH='{at}/modules'\n. '{at}/one.sh'\nmodule() {{ :; }}");
    let captured = load(&host(folder.path(), &init, &["mpich/4.0"])).unwrap();
    let consulted = |it: &str| captured.consulted.contains(&folder.path().join(it));
    for it in ["init.sh", "one.sh", "two.sh", "modules", "modules/mpich", "modules/mpich/.version", "modules/mpich/4.0"]
    {
        assert!(consulted(it), "{it} is not in {:?}", captured.consulted);
    }
    assert!(!consulted("three.sh"));
}

#[test]
fn the_same_problem_at_two_places_is_told_twice() {
    let problem = |at: usize| HostError::Module { module: "a".to_owned(), said: String::new(), at: (at, 1).into() };
    let errors = HostErrors::new("project.toml", "12345678", vec![problem(1), problem(5), problem(1)]);
    assert_eq!(told(errors.problems()).iter().map(|it| it.1).collect::<Vec<_>>(), [Some(1), Some(5)]);
}

#[test]
fn a_file_that_exports_everything_exports_nothing_of_ours() {
    let folder = fs::Scratch::new().unwrap();
    let init = "set -a; SITE=here; module() { export LOADEDMODULES=$2; }";
    let twice = host(folder.path(), init, &["one"]);
    let twice = Host { init: [twice.init.clone(), twice.init.clone()].concat(), ..twice };
    let environment = load(&twice).unwrap().environment;
    assert_eq!(environment["SITE"], "here");
    let ours: Vec<&String> = environment.keys().filter(|it| it.contains("envbuild")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn a_folder_is_mentioned_by_its_whole_name() {
    let text = "prepend_path(\"PATH\",\"/opt/mpich/bin\")\nsetenv MPI {/opt/my mpi/}\nappend-path X /opt/a:/opt/b/lib";
    for folder in ["/opt/mpich/bin", "/opt/my mpi", "/opt/a", "/opt/b/lib"] {
        assert!(mentions(text, folder.as_ref()), "{folder}");
    }
    for folder in ["/opt/mpich", "/opt/mpi", "/opt/b", "/opt", "/opt/c"] {
        assert!(!mentions(text, folder.as_ref()), "{folder}");
    }
}
