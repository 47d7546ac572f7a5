//! How many programs a run without work starts: those that find facts out, and no more for more recipes.

use std::{collections::BTreeMap, fs, process::Command, thread::sleep, time::Duration};

use super::site::Site;
use crate::support::{Ran, skip};

/// The programs that a run without work starts, with how often; nothing when there is no `strace`.
fn started(site: &Site) -> Option<BTreeMap<String, usize>> {
    if Command::new("strace").arg("-V").output().is_err() {
        skip("strace");
        return None;
    }
    let log = site.path("calls");
    let program = site.project.command(&["build"]);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-z", "-e", "trace=execve", "-o"]).arg(&log);
    traced.arg(program.get_program()).args(program.get_args());
    site.project.pin(&mut traced);
    Ran::new(traced.output().unwrap()).success().says("nothing to do");
    let mut programs = BTreeMap::new();
    for line in fs::read_to_string(log).unwrap().lines().filter(|it| it.contains("execve(")) {
        let program = line.split('"').nth(1).unwrap();
        *programs.entry(program.rsplit('/').next().unwrap().to_owned()).or_default() += 1;
    }
    Some(programs)
}

/// A machine whose recipes have three module sets in turn, all built, and known: what was touched less than two seconds
/// before a run is looked at again by it.
fn site(recipes: usize, facts: &str) -> Option<Site> {
    let site = Site::lmod()?;
    for name in ["mpi/1", "hdf5/1", "cuda/1"] {
        site.tcl(name, &format!("setenv {}_DIR @/{name}", name.replace('/', "_")));
    }
    let sets = ["", "modules = { load = [\"hdf5\"] }", "modules = { load = [\"cuda\"], unload = [\"mpi\"] }"];
    let names: Vec<String> = (0..recipes).map(|it| format!("r{it}")).collect();
    let tables: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(sets.into_iter().cycle()).collect();
    site.manifest(&format!("modules = [\"mpi\"]\n{facts}"), &tables);
    assert_eq!(site.build().count("built"), recipes as u64);
    assert_eq!(site.shells(), 3);
    sleep(Duration::from_secs(3));
    assert_eq!(site.shells_without_work(), 0);
    Some(site)
}

#[test]
fn a_run_without_work_asks_for_facts_alone_however_many_recipes_there_are() {
    for (facts, asked) in [("", 0), ("[host.facts.release]\ncommand = \"echo 8.1\"", 3)] {
        for recipes in [3, 9] {
            let Some(site) = site(recipes, facts) else { return };
            let Some(mut programs) = started(&site) else { return };
            assert_eq!(programs.remove("envbuild"), Some(1));
            assert_eq!(programs.remove("bash").unwrap_or_default(), asked, "one for each fact in each set");
            assert_eq!(programs, BTreeMap::new(), "with {recipes} recipes");
        }
    }
}
