//! What was captured is believed while everything that decided about it is as it was.

use std::{fs, os::unix::fs::symlink};

use super::site::Site;

/// A machine whose one package was built with the module `mpich` of version 4.0.
fn built(site: Option<Site>) -> Option<Site> {
    let site = site?;
    site.tcl("mpich/4.0", "setenv MPI_VERSION 4.0");
    site.write("settings.sh", "export SITE=one\n");
    let init = fs::read_to_string(site.path("init.sh")).unwrap();
    site.write("init.sh", &format!(". '@/settings.sh'\n{init}"));
    site.manifest("modules = [\"mpich\"]", &[("plain", "")]);
    site.build();
    assert_eq!((site.seen("plain")["SITE"].as_str(), site.shells()), ("one", 1));
    assert_eq!(site.shells_without_work(), 0);
    Some(site)
}

/// The inputs that have changed since the last build, which is done again.
#[track_caller]
fn changes(site: &Site) -> String {
    let report = site.build();
    assert_eq!(report.with("built"), ["build:plain"]);
    report.node("build:plain")["reason"].as_str().unwrap().to_owned()
}

#[test]
fn whatever_decides_about_an_environment_is_noticed() {
    for site in [built(Site::lmod()), built(Site::environment_modules())].into_iter().flatten() {
        site.tcl("mpich/4.0", "# A comment.\nsetenv MPI_VERSION 4.0");
        assert_eq!(site.shells_without_work(), 1, "a comment in a module file is read, and nothing follows");
        assert_eq!(site.shells_without_work(), 0);

        site.tcl("mpich/4.0", "setenv MPI_VERSION 4.0\nsetenv MPI_NAME mpich");
        assert_eq!(changes(&site), "host/environment/MPI_NAME is new");

        // A version that is taken by default.
        site.tcl("mpich/4.1", "setenv MPI_VERSION 4.1");
        assert_eq!(changes(&site), "host/environment/MPI_VERSION changed, and 2 more");
        assert_eq!(site.seen("plain")["MPI_VERSION"], "4.1");
        site.write("modules/mpich/.version", "#%Module1.0\nset ModulesVersion 4.0\n");
        assert_eq!(site.build().count("fresh"), 1, "what was built with 4.0 is there");
        assert_eq!(site.project.run(&["why", "build:plain"]).success().stdout.matches("fresh").count(), 1);

        // A file that the file of the manifest sources.
        site.write("settings.sh", "export SITE=two\n");
        assert_eq!(changes(&site), "host/environment/SITE changed");
        let init = fs::read_to_string(site.path("init.sh")).unwrap();
        site.write("init.sh", &format!("{init}\nexport MORE=1\n"));
        assert_eq!(changes(&site), "host/environment/MORE is new");

        // A folder that is searched first gets a module of the same name.
        fs::create_dir(site.path("first")).unwrap();
        let init = fs::read_to_string(site.path("init.sh")).unwrap();
        site.write("init.sh", &format!("{init}\nMODULEPATH='@/first':$MODULEPATH\n"));
        assert_eq!(site.shells_without_work(), 1);
        assert_eq!(site.shells_without_work(), 0);
        site.write("first/mpich/.version", "#%Module1.0\nset ModulesVersion 4.0\n");
        site.write("first/mpich/4.0", "#%Module1.0\nsetenv MPI_VERSION first\n");
        assert!(changes(&site).starts_with("host/environment/MPI_"));
        assert_eq!(site.seen("plain")["MPI_VERSION"], "first");
        assert_eq!(site.shells_without_work(), 0);

        for folder in ["first/mpich", "modules/mpich"] {
            fs::remove_dir_all(site.path(folder)).unwrap();
        }
        assert!(site.refused().contains("the module `mpich` cannot be loaded"));
    }
}

#[test]
fn a_default_that_is_a_link_is_noticed() {
    let link = |site: &Site, version: &str| {
        drop(fs::remove_file(site.path("modules/mpich/default")));
        symlink(version, site.path("modules/mpich/default")).unwrap();
    };
    for site in [built(Site::lmod()), built(Site::environment_modules())].into_iter().flatten() {
        link(&site, "4.0");
        site.tcl("mpich/4.1", "setenv MPI_VERSION 4.1");
        site.project.run(&["build"]).success();
        link(&site, "4.1");
        changes(&site);
        assert_eq!(site.seen("plain")["MPI_VERSION"], "4.1");
    }

    // Two versions with the same text: the module system tells them apart by where the link leads.
    let Some(site) = built(Site::lmod()) else { return };
    site.tcl("mpich/4.1", "setenv MPI_VERSION 4.0");
    link(&site, "4.1");
    assert_eq!(changes(&site), "host/modules changed");
    link(&site, "4.0");
    assert_eq!(site.build().count("fresh"), 1, "what was built with 4.0 is there");
    assert_eq!(site.shells_without_work(), 0);
}

#[test]
fn what_is_kept_is_thrown_away_when_it_is_damaged() {
    let Some(site) = built(Site::lmod()) else { return };
    let file = site.project.path(".envbuild/cache/host.json");
    for bytes in [&b"{"[..], b"", b"{\"form\": \"host 0\", \"entries\": {}}"] {
        fs::write(&file, bytes).unwrap();
        assert_eq!(site.shells_without_work(), 1);
        assert_eq!(site.shells_without_work(), 0);
    }
    // Who only asks does not write.
    fs::remove_file(&file).unwrap();
    site.project.run(&["plan"]).success();
    assert!(!file.exists());
}

#[test]
fn what_is_changed_while_it_is_read_is_not_believed() {
    let Some(site) = Site::lmod() else { return };
    // The module file replaces itself when it is loaded, as an installation does that happens at that moment.
    let text =
        "setenv MPI_VERSION 4.0\nexec sh -c {printf '#%%Module1.0\\nsetenv MPI_VERSION 4.1\\n' >'@/modules/mpich/4.0'}";
    site.tcl("mpich/4.0", text);
    site.manifest("modules = [\"mpich\"]", &[("plain", "")]);
    site.build();
    assert_eq!(site.seen("plain")["MPI_VERSION"], "4.0");
    assert_eq!(changes(&site), "host/environment/MPI_VERSION changed");
    assert_eq!((site.seen("plain")["MPI_VERSION"].as_str(), site.shells()), ("4.1", 2));
    assert_eq!(site.shells_without_work(), 0);
}
