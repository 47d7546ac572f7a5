//! A machine that is not as the project says: what is told of it.

use std::fs;

use rustix::process::Signal;

use super::site::Site;
use crate::support::{Running, eventually, processes_naming};

/// Asserts that a message has texts in it, in this order.
#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some(at) = rest.find(part) else { panic!("`{part}` is not (at its place) in:\n{text}") };
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn all_unknown_modules_of_all_sets_are_told_in_the_words_of_the_module_system() {
    for (site, words) in [
        (Site::lmod(), "The following module(s) are unknown: \"@\""),
        (Site::environment_modules(), "ERROR: Unable to locate a modulefile for '@'"),
    ] {
        let Some(site) = site else { continue };
        site.tcl("mpich/4.0", "setenv MPI_NAME mpich");
        site.manifest(
            "modules = [\"mpich/4.0\", \"mpich/4.9\"]",
            &[
                ("one", "modules = { load = [\"hdf5\", \"netcdf\"] }"),
                ("two", "modules = { unload = [\"cuda\"] }"),
                ("three", "modules = { load = [\"hdf5\"] }"),
            ],
        );
        let said = site.refused();
        // [host] is line 5, its modules line 7; each recipe has four lines with the empty one.
        for (module, line) in [("mpich/4.9", 7), ("hdf5", 11), ("netcdf", 11), ("hdf5", 19)] {
            assert_says(&said, &[&format!("the module `{module}` cannot be loaded")]);
            assert_says(&said, &[&words.replace('@', module)]);
            assert_says(&said, &[&format!("project.toml:{line}:")]);
        }
        assert_says(&said, &["the module `cuda` is not loaded, so it cannot be unloaded", "project.toml:15:"]);
        assert_says(&said, &["loaded are: mpich/4.0"]);
        assert_eq!(said.matches("`mpich/4.9` cannot be loaded").count(), 1, "{said}");
        assert_eq!(said.matches("`hdf5` cannot be loaded").count(), 2, "{said}");
        assert!(said.contains("(5 problems)"), "{said}");
        assert!(!site.path("seen-one").exists());
    }
}

#[test]
fn a_file_that_is_to_be_sourced_has_to_be_there_and_to_do_its_work() {
    let Some(site) = Site::lmod() else { return };
    site.tcl("mpich/4.0", "setenv MPI_NAME mpich");
    let host = |init: &str| format!("init = [{init}]\nmodules = [\"mpich\"]");

    site.manifest_with(&host("\"@/none.sh\", \"sub/none.sh\""), &[("plain", "")]);
    let said = site.refused();
    assert_says(&said, &["the file `[SITE]/none.sh` is not there", "project.toml:6:"]);
    assert_says(&said, &["the file `sub/none.sh` is not there"]);

    // A file of the project itself.
    site.project.write("init.sh", "echo about to fail >&2\n. /no/such/file\n");
    site.manifest_with(&host("\"init.sh\""), &[("plain", "")]);
    let said = site.refused();
    assert_says(&said, &["sourcing `init.sh` failed", "about to fail", "/no/such/file", "project.toml:6:"]);

    site.project.write("init.sh", "if true; then\n");
    assert_says(&site.refused(), &["sourcing `init.sh` failed", "syntax error"]);

    for status in [0, 1, 7] {
        site.project.write("init.sh", &format!("echo bye >&2; exit {status}\n"));
        let said = site.refused();
        let ended = format!("ended in `init.sh` with exit status: {status}");
        assert_says(&said, &[&ended, "bye", "project.toml:6:", "calls `exit`"]);
    }

    site.project.write("init.sh", "set -eu\nexport SITE=here\n");
    let said = site.refused();
    assert_says(&said, &["there is no `module` command", "project.toml:7:", "name the file that defines it"]);

    // What a file has set for itself does not reach the modules' own functions.
    site.project.write("init.sh", &format!("set -u\n. {}\nset -eu\n", site.path("init.sh").display()));
    site.build();
    assert_eq!(site.seen("plain")["MPI_NAME"], "mpich");
}

#[test]
fn a_machine_without_any_module_builds_what_needs_none() {
    let site = Site::lmod();
    let Some(site) = site else { return };
    site.project.write("init.sh", "export SITE=here\n");
    site.manifest_with("init = [\"init.sh\"]", &[("plain", "")]);
    site.build();
    assert_eq!(site.seen("plain")["SITE"], "here");
    site.manifest_with("label = \"site\"", &[("plain", "")]);
    site.build();
    assert_eq!(site.seen("plain").get("SITE"), None);
}

#[test]
fn a_module_may_talk_but_not_end_the_shell() {
    let Some(site) = Site::lmod() else { return };
    site.lua(
        "loud/1",
        "LmodMessage('to the user: $(touch @/hurt)')\nexecute{cmd='echo $PATH; printf \"x=1\\\\0y\\\\n\"; export LOUD=1', modeA={'load'}}\n\
         setenv('HEARD', 'yes')",
    );
    site.manifest("modules = [\"loud\"]", &[("plain", "")]);
    site.build();
    let seen = site.seen("plain");
    assert_eq!((seen["HEARD"].as_str(), seen["LOUD"].as_str()), ("yes", "1"));
    assert!(!site.path("hurt").exists());

    site.lua("exits/1", "execute{cmd='echo leaving >&2; exit 0', modeA={'load'}}");
    site.manifest("modules = [\"loud\", \"exits\"]", &[("plain", "")]);
    let said = site.refused();
    assert_says(&said, &["ended in `module load exits` with exit status: 0", "leaving", "project.toml:7:"]);
}

#[test]
fn a_run_can_be_stopped_while_modules_are_loaded() {
    for site in [Site::lmod(), Site::environment_modules()].into_iter().flatten() {
        let text = "if { [module-info mode load] } { exec sh -c {touch '@/ready'; exec sleep 86400} }";
        site.tcl("slow/1", &text.replace("exec sleep", "sleep"));
        site.manifest("modules = [\"slow\"]", &[("plain", "")]);
        for command in ["build", "plan", "host"] {
            let running = Running::start(&site.project, &[command]);
            eventually("the module is being loaded", || site.path("ready").exists());
            running.signal(Signal::INT);
            let ran = running.wait();
            assert_eq!(ran.status, Some(130), "{command}: {}", ran.stderr);
            let ready = site.path("ready");
            eventually("nothing of it is left", || processes_naming(&ready).is_empty());
            fs::remove_file(ready).unwrap();
        }
        assert!(!fs::exists(site.path("seen-plain")).unwrap());
    }
}

#[test]
fn a_plan_can_be_made_on_a_machine_without_the_host() {
    let Some(site) = Site::lmod() else { return };
    site.tcl("mpich/4.0", "setenv MPI_NAME mpich");
    site.manifest(
        "modules = [\"mpich\"]\n[host.facts.mpi]\ncommand = \"echo 4.0\"\nvirtual-package = \"__mpi\"\n\
         [host.externals.mpich]\nversion = { fact = \"mpi\" }",
        &[("plain", ""), ("other", "modules = { load = [\"hdf5\"] }"), ("free", "host-bound = false")],
    );
    let text = site.project.read("project.toml");
    let environment = "\n[environments.env]\ndependencies = [\"plain\", \"free\", \"mpich\"]\n";
    site.project.write("project.toml", &format!("{text}{environment}"));
    site.tcl("hdf5/1.14", "setenv HDF5_DIR /opt/hdf5");
    site.project.run(&["all"]).success();

    // Two sets lack something, and each is told.
    for module in ["mpich/4.0", "hdf5/1.14"] {
        fs::rename(site.path(&format!("modules/{module}")), site.path(&module.replace('/', "-"))).unwrap();
    }
    let said = site.project.run(&["plan"]).success().stderr;
    assert_says(&said, &["the module `mpich` cannot be loaded"]);
    assert_says(&said, &["the module `hdf5` cannot be loaded"]);
    assert_says(&said, &["what is bound to the host counts as out of date here"]);

    fs::remove_file(site.path("init.sh")).unwrap();
    let ran = site.project.run(&["plan", "--format", "json"]).success();
    assert_says(&ran.stderr, &["the file", "site/init.sh` is not there"]);
    let plan = ran.plan();
    for node in ["build:plain", "build:other"] {
        let entry = plan.node(node);
        assert_eq!(entry["state"], "dirty");
        assert!(entry["reason"].as_str().unwrap().starts_with("host/"), "{entry}");
    }
    assert_eq!(plan.node("build:mpich")["reason"], "host/version changed");
    assert_eq!(plan.with("fresh"), ["build:free"]);
    let why = site.project.run(&["why", "build:plain"]).success().stdout;
    assert_says(&why, &["host/unknown", "is not there"]);
    site.project.run(&["status"]).success();
    let said = site.project.run(&["plan", "free"]).success().stderr;
    assert!(!said.contains("is not there"), "{said}");

    // What is bound to no host can be built and tested there, too, and nothing of the others is lost.
    site.project.edit("recipes/free/recipe.yaml", "echo free", "echo free again");
    assert_eq!(site.project.report(&["build", "free"]).with("built"), ["build:free"]);
    let text = site.project.read("project.toml");
    let environment = "\n[environments.anywhere]\ndependencies = [\"free\"]\ntest = \"test.sh\"\n";
    site.project.write("test.sh", "test -f \"$CONDA_PREFIX/share/free\"\n");
    let without = text.replace("virtual-package = \"__mpi\"", "");
    site.project.write("project.toml", &format!("{without}{environment}"));
    site.project.run(&["test", "anywhere"]).success();
    let said = site.refused();
    assert_says(&said, &["the file `[SITE]/init.sh` is not there"]);
}
