//! Facts about the host: where they are found, whom they reach, and what is told when they are not there.

use super::site::Site;

/// The library of a host, in a folder of the machine.
fn library(site: &Site, words: &[&str]) {
    site.write("lib/theirs.c", "int theirs(void) { return 2; }\n");
    let mut cc = std::process::Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(site.path("lib/libtheirs.so")).arg(site.path("lib/theirs.c")).args(words);
    assert!(cc.status().unwrap().success());
}

#[test]
fn a_fact_is_what_a_command_says_and_what_files_hold() {
    let Some(site) = Site::lmod() else { return };
    // On the PATH through a module, and it speaks on the other output.
    site.program("mpich/bin/mpichversion", "#!/bin/sh\necho 'MPICH Version: 4.0.2' >&2; echo 'Release: 1'\n");
    site.tcl("mpich/4.0", "prepend-path PATH @/mpich/bin\nsetenv MPI_VERSION 4.0");
    library(&site, &["-Wl,--build-id=0x11"]);
    site.write("etc/release", "one\n");
    let facts = "modules = [\"mpich\"]
[host.facts.mpi]
command = \"mpichversion\"
pattern = 'Version:\\s+(\\S+)'
files = [\"@/lib/libtheirs.so\"]
[host.facts.module]
command = 'echo \"$MPI_VERSION\"; pwd; echo $HOME'
[host.facts.release]
files = [\"@/etc/release\"]";
    site.manifest(facts, &[("plain", ""), ("free", "host-bound = false")]);
    site.build();
    let changes = |edit: &dyn Fn()| {
        edit();
        let plan = site.project.plan(&[]);
        assert_eq!(plan.node("build:free")["state"], "fresh");
        let why = site.project.run(&["why", "build:plain", "--format", "json"]).success().json();
        let report = site.build();
        assert_eq!(
            (report.with("built"), report.with("fresh")),
            (vec!["build:plain".into()], vec!["build:free".into()])
        );
        let changes = why["nodes"][0]["changes"].as_array().unwrap().clone();
        let text = |it: &serde_json::Value| it.as_str().unwrap_or_default().to_owned();
        let change = |it: &serde_json::Value| (text(&it["input"]), text(&it["old"]), text(&it["new"]));
        changes.iter().map(change).collect::<Vec<_>>()
    };

    let version = changes(&|| {
        site.program("mpich/bin/mpichversion", "#!/bin/sh\necho 'MPICH Version: 4.0.3'\n");
    });
    assert_eq!(version, [("host/fact/mpi".to_owned(), "4.0.2".to_owned(), "4.0.3".to_owned())]);
    assert_eq!(site.shells_without_work(), 0, "facts are found out in what was captured");

    let build_id = changes(&|| library(&site, &["-Wl,--build-id=0x22"]));
    let [(input, old, new)] = &build_id[..] else { panic!("{build_id:?}") };
    assert_eq!(*input, format!("host/fact/mpi/{}", site.path("lib/libtheirs.so").display()));
    assert!(old.starts_with("build id 11, content ") && new.starts_with("build id 22, content "), "{old} {new}");

    // The same build id says nothing when the bytes are others.
    let content = changes(&|| library(&site, &["-Wl,--build-id=0x22", "-Wl,-soname,other"]));
    assert!(matches!(&content[..], [(_, old, new)] if old != new && new.starts_with("build id 22")), "{content:?}");

    let release = changes(&|| site.write("etc/release", "two\n"));
    assert_eq!(release[0].0, format!("host/fact/release/{}", site.path("etc/release").display()));
    site.write("etc/release", "one\n");
    assert_eq!(site.build().count("fresh"), 2, "what was built before is still there");
}

#[test]
fn all_that_is_wrong_with_facts_is_told_at_once() {
    let Some(site) = Site::lmod() else { return };
    site.tcl("mpich/4.0", "setenv MPI_VERSION 4.0");
    let facts = "modules = [\"mpich\"]
[host.facts.fails]
command = \"echo on the way; echo to nowhere >&2; exit 3\"
[host.facts.silent]
command = \"true\"
[host.facts.other]
command = \"echo the version is secret\"
pattern = 'Version:\\s+(\\S+)'
[host.facts.odd]
command = \"echo 'Version: none at all'\"
pattern = 'Version: (.*)'
[host.facts.gone]
command = \"no-such-command --version\"
files = [\"@/lib/none.so\", \"@/modules\"]";
    // With other modules a fact may be away, but with those of the host it has to be there.
    site.manifest(facts, &[("plain", "modules = { unload = [\"mpich\"] }")]);
    let said = site.refused();
    for parts in [
        "(7 problems)",
        "the fact `fails`: its command ended with exit status: 3: to nowhere",
        "project.toml:9:11",
        "the fact `silent`: its command says no version",
        "project.toml:11:11",
        "the fact `other`: its pattern finds no version in what the command says: the version is secret",
        "project.toml:14:11",
        "the fact `odd`: its pattern finds no version in what the command says: Version: none at all",
        "project.toml:17:11",
        "the fact `gone`: its command ended with exit status: 127:",
        "no-such-command",
        "project.toml:19:11",
        "the fact `gone`: the file `[SITE]/lib/none.so` is not there",
        "the fact `gone`: the file `[SITE]/modules` is not a file",
        "project.toml:20:",
    ] {
        assert!(said.contains(parts), "`{parts}` is not in {said}");
    }
    let text = site.project.read("project.toml");
    let facts = text.split("[host.facts.fails]").next().unwrap().to_owned();
    site.project.write(
        "project.toml",
        &format!("{facts}{}", text.split_once("\n\n[recipes").map(|it| format!("\n[recipes{}", it.1)).unwrap()),
    );
    site.build();
}

#[test]
fn a_version_is_a_virtual_package_for_every_solver() {
    let Some(site) = Site::lmod() else { return };
    site.write("version", "8.1\n");
    let host = "[host.facts.mpi]\ncommand = \"cat @/version\"\nvirtual-package = \"__site_mpi\"";
    site.manifest(host, &[("tool", "")]);
    let recipe = site.project.read("recipes/tool/recipe.yaml");
    site.project.write("recipes/tool/recipe.yaml", &format!("{recipe}requirements:\n  run:\n    - __site_mpi >=8\n"));
    let text = site.project.read("project.toml");
    let environments = "
[environments.here]
dependencies = [\"tool\"]
[environments.there]
dependencies = [\"tool\"]
target = \"old\"
[targets.old]
virtual-packages = { __glibc = \"2.28\" }
";
    site.project.write("project.toml", &format!("{text}{environments}"));
    site.project.run(&["lock"]).success();
    for environment in ["here", "there"] {
        let plan = site.project.plan(&[environment]);
        assert_eq!(plan.node(&format!("lock:{environment}"))["state"], "fresh");
    }
    assert_eq!(site.project.read("envbuild.lock").matches("__site_mpi=8.1").count(), 2);

    // A target that names the package itself is another host.
    site.project.edit("project.toml", "{ __glibc = \"2.28\" }", "{ __glibc = \"2.28\", __site_mpi = \"7.9\" }");
    let said = site.project.run(&["lock", "there"]).failure(1).stderr;
    assert!(said.contains("__site_mpi") && said.contains(">=8"), "{said}");
    site.project.run(&["lock", "here"]).success().says("nothing to do");
    site.project.edit("project.toml", "\"7.9\"", "\"9\"");
    site.project.run(&["lock"]).success();

    // Another version on the host: solved again where it counts, and the package is another one.
    site.write("version", "8.2\n");
    let plan = site.project.plan(&[]);
    assert_eq!(plan.node("build:tool")["reason"], "host/fact/mpi changed");
    let why = site.project.run(&["why", "lock:here"]).success().stdout;
    assert!(why.contains("__site_mpi=8.2"), "{why}");
    assert_eq!(plan.node("lock:there")["state"], "maybe", "the target has its own");
    site.project.run(&["lock"]).success();
    site.project.run(&["lock"]).success().says("nothing to do");

    // Too old for what is locked.
    site.write("version", "7.0\n");
    let said = site.project.run(&["lock", "here"]).failure(1).stderr;
    assert!(said.contains("__site_mpi") && said.contains(">=8"), "{said}");
}

#[test]
fn a_fact_is_stronger_than_what_is_found_on_the_machine() {
    let Some(site) = Site::lmod() else { return };
    site.manifest("[host.facts.libc]\ncommand = \"echo 2.5\"\nvirtual-package = \"__glibc\"", &[("tool", "")]);
    let recipe = site.project.read("recipes/tool/recipe.yaml");
    let needs = "requirements:\n  run:\n    - __glibc >=2.17\n";
    site.project.write("recipes/tool/recipe.yaml", &format!("{recipe}{needs}"));
    let text = site.project.read("project.toml");
    let here = "\n[environments.env]\ndependencies = [\"tool\"]\n";
    site.project.write("project.toml", &format!("{text}{here}"));
    let said = site.project.run(&["lock"]).failure(1).stderr;
    assert!(said.contains("__glibc >=2.17"), "{said}");
    let there = "target = \"new\"\n[targets.new]\nvirtual-packages = { __glibc = \"2.28\" }\n";
    site.project.write("project.toml", &format!("{text}{here}{there}"));
    site.project.run(&["lock"]).success();
}

#[test]
fn the_environments_of_a_build_are_solved_with_facts() {
    let Some(site) = Site::lmod() else { return };
    site.write("version", "8.1\n");
    let host = "[host.facts.mpi]\ncommand = \"cat @/version\"\nvirtual-package = \"__site_mpi\"";
    site.manifest(host, &[("needed", "host-bound = false"), ("user", "")]);
    let add = |name: &str, text: &str| {
        let path = format!("recipes/{name}/recipe.yaml");
        site.project.write(&path, &format!("{}{text}", site.project.read(&path)));
    };
    add("needed", "requirements:\n  run:\n    - __site_mpi >=8\n");
    add("user", "requirements:\n  host:\n    - needed\n");
    site.build();
    site.write("version", "7.0\n");
    let ran = site.project.run(&["build"]).failure(1);
    let log = ran.stderr.clone();
    assert!(log.contains("__site_mpi") && log.contains(">=8"), "{log}");
}

#[test]
fn another_compiler_first_on_the_path_counts_for_what_is_bound_to_the_host() {
    for site in [Site::lmod(), Site::environment_modules()].into_iter().flatten() {
        site.program("wrapper/gcc", "#!/bin/sh\nexec /usr/bin/gcc \"$@\"\n");
        site.tcl("wrapper/1", "prepend-path PATH @/wrapper");
        site.tcl("empty/1", "prepend-path PATH @/none");
        site.manifest("modules = [\"empty\"]", &[("plain", ""), ("free", "host-bound = false"), ("data", "")]);
        site.project.edit("recipes/data/recipe.yaml", "build:", "build:\n  noarch: generic");
        assert_eq!(site.build().count("built"), 3);
        site.project.edit("project.toml", "\"empty\"", "\"wrapper\"");

        let shown = |node: &str| site.project.run(&["why", node]).success().stdout;
        let why = shown("build:plain");
        assert!(why.contains("host/compiler/gcc") && why.contains("host/modules"), "{why}");
        let report = site.build();
        assert_eq!((report.with("built"), report.count("fresh")), (vec!["build:plain".to_owned()], 2));

        // The same folder, another wrapper.
        site.program("wrapper/gcc", "#!/bin/sh\n# It adds something.\nexec /usr/bin/gcc -O1 \"$@\"\n");
        let why = shown("build:plain");
        assert!(why.contains("host/compiler/gcc") && !why.contains("host/modules"), "{why}");
        assert_eq!(site.build().with("built"), ["build:plain"]);
        assert_eq!(site.shells_without_work(), 0);

        // One that only a variable names.
        site.program("hidden/mycc", "#!/bin/sh\necho mycc 1\n");
        site.tcl("wrapper/1", "setenv CC \"@/hidden/mycc -O2\"");
        site.build();
        site.program("hidden/mycc", "#!/bin/sh\necho mycc 2\n");
        let report = site.build();
        assert_eq!(report.node("build:plain")["reason"], "host/compiler/mycc changed");
    }
}

#[test]
fn a_file_is_looked_for_beside_the_manifest_however_it_is_written() {
    let Some(site) = Site::lmod() else { return };
    site.project.write("etc/release", "one\n");
    site.manifest("[host.facts.release]\nfiles = [\"./etc/release\", \"etc/./release\"]", &[("plain", "")]);
    site.project.run(&["host"]).success();
}
