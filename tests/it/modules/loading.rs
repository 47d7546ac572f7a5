//! Modules that are as the project says: what a build gets of them, and of nothing else.

use std::fs;

use super::site::Site;
use crate::support::Mounts;

/// Both systems in turn.
fn sites() -> impl Iterator<Item = Site> {
    [Site::lmod(), Site::environment_modules()].into_iter().flatten()
}

#[test]
fn each_distinct_set_is_loaded_once_and_given_to_its_builds() {
    for site in sites() {
        site.tcl("gcc/12.4", "prepend-path PATH @/gcc/bin\nsetenv GCC_VERSION 12.4");
        for version in ["4.0", "4.1"] {
            let text = format!("setenv MPI_NAME mpich\nsetenv MPI_VERSION {version}\nprepend-path PATH @/mpich/bin");
            site.tcl(&format!("mpich/{version}"), &text);
        }
        site.tcl("hdf5/1.14", "setenv HDF5_DIR @/hdf5");
        site.manifest(
            "modules = [\"gcc/12.4\", \"mpich\"]",
            &[
                ("plain", ""),
                ("other", "modules = { load = [\"hdf5\"], unload = [\"mpich\"] }"),
                ("same", "modules = { unload = [\"mpich\"], load = [\"hdf5\"] }"),
                ("free", "host-bound = false"),
            ],
        );
        assert_eq!(site.build().count("built"), 4);
        assert_eq!(site.shells(), 2, "the host's own set and one that two recipes share");

        let plain = site.seen("plain");
        assert_eq!((plain["MPI_NAME"].as_str(), plain["MPI_VERSION"].as_str()), ("mpich", "4.1"));
        let folders = ["mpich/bin", "gcc/bin"].map(|it| site.path(it).display().to_string()).join(":");
        assert!(plain["PATH"].contains(&folders), "{}", plain["PATH"]);
        for name in ["other", "same"] {
            let seen = site.seen(name);
            assert_eq!(seen["HDF5_DIR"], site.path("hdf5").display().to_string());
            assert_eq!((seen.get("MPI_NAME"), seen["GCC_VERSION"].as_str()), (None, "12.4"));
            assert!(!seen["PATH"].contains("mpich/bin"), "{}", seen["PATH"]);
        }
        // Neither a package that is bound to no host nor any other sees the module system itself.
        assert_eq!(site.seen("free").get("GCC_VERSION"), None);
        for name in ["plain", "other", "same", "free"] {
            let seen = site.seen(name);
            let state = |it: &&String| ["MODULE", "LMOD", "LOADED", "_LM", "__"].iter().any(|word| it.contains(word));
            assert_eq!(seen.keys().filter(state).collect::<Vec<_>>(), [""; 0]);
        }

        assert_eq!(site.shells_without_work(), 0, "what was captured is used again");
    }
}

#[test]
fn lua_and_what_a_module_loads_itself() {
    let Some(site) = Site::lmod() else { return };
    site.lua("zlib/1.3", "setenv('ZLIB_DIR', '@/zlib')");
    site.lua("mpich/4.0", "depends_on('zlib')\nprepend_path('LD_LIBRARY_PATH', '@/my mpi/lib')\nfamily('mpi')");
    site.lua("openmpi/5.0", "family('mpi')\nsetenv('MPI_NAME', 'Open MPI')");
    site.manifest("modules = [\"mpich\"]", &[("plain", ""), ("other", "modules = { load = [\"openmpi\"] }")]);
    site.build();
    let seen = site.seen("plain");
    assert_eq!(seen["ZLIB_DIR"], site.path("zlib").display().to_string());
    assert_eq!(seen["LD_LIBRARY_PATH"], site.path("my mpi/lib").display().to_string());
    // One of a family takes the other's place, and what only that one needed goes with it.
    let seen = site.seen("other");
    assert_eq!((seen["MPI_NAME"].as_str(), seen.get("LD_LIBRARY_PATH")), ("Open MPI", None));

    let why = site.project.run(&["why", "build:plain", "--format", "json"]).success().json();
    assert_eq!(why["nodes"][0]["state"], "fresh", "{why:#}");
}

#[test]
fn each_of_several_modules_has_the_folders_that_it_brought() {
    for site in sites() {
        site.tcl("zlib/1.3", "prepend-path LD_LIBRARY_PATH @/zlib/lib");
        site.tcl("mpich/4.0", "module load zlib\nprepend-path LD_LIBRARY_PATH @/mpich/lib\nsetenv MPI_DIR @/mpich");
        site.tcl("site/1", "module load mpich");
        site.tcl("hdf5/1", "setenv HDF5_DIR @/hdf5");
        site.manifest("modules = [\"site\", \"hdf5\"]", &[("plain", "")]);
        site.build();
        let host = site.project.run(&["host", "--format", "json"]).success().json();
        let here = site.path("");
        let folders = |module: &serde_json::Value| {
            let all = module["folders"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
            all.map(|it| it.replace(here.to_str().unwrap(), "")).collect::<Vec<_>>().join(" ")
        };
        let modules = host["sets"][0]["modules"].as_array().unwrap();
        let mut told: Vec<(&str, String)> =
            modules.iter().map(|it| (it["name"].as_str().unwrap(), folders(it))).collect();
        told.sort();
        let expected = [
            ("hdf5/1", "hdf5".to_owned()),
            ("mpich/4.0", "mpich mpich/lib".to_owned()),
            ("site/1", String::new()),
            ("zlib/1.3", "zlib/lib".to_owned()),
        ];
        assert_eq!(told, expected);
    }
}

#[test]
fn any_value_of_a_variable_arrives_as_it_is() {
    let values = [
        ("PLAIN", "text"),
        ("QUOTES", r#"a 'single' and a "double" one"#),
        ("EQUALS", "-DA=1 -DB=2"),
        ("DOLLARS", r#"$HOME "$PATH" $(echo no) `echo no` \ \\ ${x}"#),
        ("BACKSLASH", r"a\b"),
    ];
    for site in sites() {
        // In braces, Tcl leaves everything alone.
        let lines: Vec<String> = values.iter().map(|(name, value)| format!("setenv {name} {{{value}}}")).collect();
        site.tcl("odd/1", &lines.join("\n"));
        // Module systems lose lines and spaces, but a file that is sourced does not.
        let init = fs::read_to_string(site.path("init.sh")).unwrap();
        let more = "export LINES=$'one\\ntwo\\n\\nthree' DOLLAR_LINES=$'one $x\\ntwo \\'y\\'' SPACES='  both  sides  ' LETTERS='größer ≥ 1'";
        site.write("init.sh", &format!("{init}\n{more}\n"));
        site.manifest("modules = [\"odd\"]", &[("plain", "")]);
        site.build();
        let seen = site.seen("plain");
        let lines =
            [("LINES", "one\ntwo\n\nthree"), ("DOLLAR_LINES", "one $x\ntwo 'y'"), ("SPACES", "  both  sides  ")];
        for (name, value) in values.into_iter().chain(lines) {
            assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name}");
        }
    }
}

#[test]
fn what_a_build_sets_itself_is_stronger_than_a_module() {
    for site in sites() {
        let own =
            ["PREFIX", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "PKG_NAME", "SRC_DIR", "SUBDIR", "HOME", "ARCH"];
        let lines: Vec<String> = own.iter().map(|it| format!("setenv {it} @/nowhere")).collect();
        site.tcl("rude/1", &format!("{}\nprepend-path LD_RUN_PATH @/rude/lib\nsetenv CFLAGS -O1", lines.join("\n")));
        site.manifest("modules = [\"rude\"]", &[("plain", "")]);
        site.build();
        let seen = site.seen("plain");
        let nowhere = site.path("nowhere").display().to_string();
        let of_module: Vec<&String> = seen.iter().filter(|it| *it.1 == nowhere).map(|it| it.0).collect();
        assert_eq!(of_module, [""; 0]);
        assert_eq!((seen["PKG_NAME"].as_str(), seen["CFLAGS"].as_str()), ("plain", "-O1"));
        let run_path = format!("{}/lib:{}", seen["PREFIX"], site.path("rude/lib").display());
        assert_eq!(seen["LD_RUN_PATH"], run_path);
    }
}

#[test]
fn the_shell_of_the_user_has_no_influence() {
    for mut site in sites() {
        site.tcl("mpich/4.0", "setenv MPI_NAME mpich\nprepend-path LD_LIBRARY_PATH @/mpich/lib");
        site.manifest("modules = [\"mpich\"]\n[host.facts.mpi]\ncommand = \"echo 4.0\"", &[("plain", "")]);
        site.build();
        let (first, built) = (site.seen("plain"), fs::read_dir(site.project.path("output/linux-64")).unwrap().count());

        site.program("user/gcc", "#!/bin/sh\necho gcc of the user\n");
        site.write("user/bash_env", "touch @/leaked; export MPI_NAME=user\n");
        let path = format!("{}:{}", site.path("user").display(), first["PATH"]);
        let file = site.path("user/bash_env").display().to_string();
        for (name, value) in [
            ("PATH", path.as_str()),
            ("BASH_ENV", &file),
            ("ENV", &file),
            ("BASH_FUNC_module%%", "() { echo a module of the user >&2; return 1; }"),
            ("CC", "tcc"),
            ("CFLAGS", "-O9"),
            ("LD_LIBRARY_PATH", "/opt/user/lib"),
            ("LD_RUN_PATH", "/opt/user/lib"),
            ("LOADEDMODULES", "intel/2024"),
            ("MODULEPATH", "/opt/user/modules"),
            ("_LMFILES_", "/opt/user/modules/intel/2024"),
            ("MPI_NAME", "user"),
            ("SHELLOPTS", "braceexpand:errexit:hashall:xtrace"),
        ] {
            site.project.set(name, value);
        }
        assert_eq!(site.shells_without_work(), 0);
        // All over again, with the same key and so the same record.
        let record = |site: &Site| {
            let file = site.project.only(".envbuild/records", "build+");
            let text = fs::read_to_string(file).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["inputs"].clone()
        };
        let inputs = record(&site);
        for folder in [".envbuild", "output"] {
            fs::remove_dir_all(site.project.path(folder)).unwrap();
        }
        assert_eq!(site.build().with("built"), ["build:plain"]);
        assert_eq!(record(&site), inputs);
        assert_eq!(site.seen("plain"), first);
        assert_eq!(fs::read_dir(site.project.path("output/linux-64")).unwrap().count(), built);
        assert!(!site.path("leaked").exists());
    }
}

#[test]
fn tests_see_the_modules_too() {
    for mut site in sites() {
        site.tcl("mpich/4.0", "setenv MPI_NAME mpich\nprepend-path PATH @/mpich/bin");
        site.program("mpich/bin/mpi-name", "#!/bin/sh\necho \"$MPI_NAME\"\n");
        site.manifest("modules = [\"mpich\"]", &[("plain", ""), ("free", "host-bound = false")]);
        let recipe = "tests:\n  - script:\n      - test \"$(mpi-name)\" = mpich\n";
        site.project
            .write("recipes/plain/recipe.yaml", &format!("{}{recipe}", site.project.read("recipes/plain/recipe.yaml")));
        site.project.write("bound.sh", "test \"$(mpi-name)\" = mpich\n");
        site.project.write("free.sh", "test \"$MPI_NAME\" = user\n! command -v mpi-name\n");
        let environment = |name: &str, package: &str| {
            format!("\n[environments.{name}]\ndependencies = [\"{package}\"]\ntest = \"{name}.sh\"\npack = []\n")
        };
        let text = site.project.read("project.toml");
        site.project.write("project.toml", &(text + &environment("bound", "plain") + &environment("free", "free")));
        site.project.set("MPI_NAME", "user");
        site.project.run(&["all"]).success();

        // A test is done again when what the modules give is another.
        site.tcl("mpich/4.0", "setenv MPI_NAME mpich\nprepend-path PATH @/mpich/bin\nsetenv MORE 1");
        let report = site.project.report(&["all"]);
        assert_eq!(report.sorted("built"), ["build:plain", "test:bound"]);
    }
}

#[test]
fn without_a_file_to_source_there_are_those_of_a_login_shell() {
    let Some(site) = Site::lmod() else { return };
    site.tcl("mpich/4.0", "setenv MPI_NAME mpich");
    site.write("profile/b_last.sh", "export ORDER=$ORDER:last\n");
    site.write("profile/a_first.sh", "export ORDER=first\n[ -n \"$NOT_SET\" ] && echo never\n");
    site.write("profile/modules.sh", ". '@/init.sh'\n");
    site.write("profile/modules.csh", "this is for another shell\n");
    site.manifest_with("modules = [\"mpich\"]", &[("plain", "")]);
    let Some(mounts) = Mounts::new(&format!("mount --bind '{}' /etc/profile.d", site.path("profile").display())) else {
        return;
    };
    let build = || mounts.run(&site.project, site.project.root(), &["build"]).success();
    build();
    let seen = site.seen("plain");
    assert_eq!((seen["MPI_NAME"].as_str(), seen["ORDER"].as_str()), ("mpich", "first:last"));
    assert!(build().stderr.contains("nothing to do"));
    assert_eq!(site.shells(), 1);
    // One more of these files.
    site.write("profile/c_new.sh", "export NEW=1\n");
    build();
    assert_eq!((site.shells(), site.seen("plain")["NEW"].as_str()), (2, "1"));
}
