//! Packages that stand for what the host provides.

use super::site::Site;
use crate::support::client;

const HOST: &str = "\
[host.facts.mpi]
command = \"cat @/version\"
[host.externals.mpich]
version = { fact = \"mpi\" }
[host.externals.cuda-driver]
version = \"12.2\"";

/// A machine with an MPI, and a package that is built against it and needs it to run.
fn site() -> Option<Site> {
    let site = Site::lmod()?;
    site.write("version", "4.0.2\n");
    site.manifest(HOST, &[("tool", "")]);
    let recipe = site.project.read("recipes/tool/recipe.yaml");
    let needs = "requirements:\n  host:\n    - mpich 4.* external_*\n  run:\n    - mpich 4.* external_*\n";
    site.project.write("recipes/tool/recipe.yaml", &format!("{recipe}{needs}"));
    let text = site.project.read("project.toml");
    let environment =
        "\n[environments.env]\ndependencies = [\"tool\", \"mpich 4.* external_*\", \"cuda-driver >=12\"]\n";
    site.project.write("project.toml", &format!("{text}{environment}"));
    Some(site)
}

#[test]
fn they_resolve_without_a_base_channel_and_follow_their_fact() {
    let Some(site) = site() else { return };
    let report = site.project.report(&["install"]);
    assert_eq!(report.count("failed"), 0);
    site.project.only("output/noarch", "mpich-4.0.2-external_0_");
    site.project.only("output/noarch", "cuda-driver-12.2-external_0_");
    let meta = site.project.only(".envbuild/envs/env/conda-meta", "mpich-4.0.2-external_0_");
    let meta: serde_json::Value = serde_json::from_slice(&std::fs::read(meta).unwrap()).unwrap();
    assert_eq!((&meta["files"], &meta["depends"]), (&serde_json::json!([]), &serde_json::json!([])));
    site.project.run(&["install"]).success().says("nothing to do");

    // A new version on the host: it, and what needs it.
    site.write("version", "4.0.3\n");
    let plan = site.project.plan(&["env"]);
    assert_eq!(plan.node("build:mpich")["reason"], "host/version changed");
    assert_eq!(plan.node("build:cuda-driver")["state"], "fresh");
    let report = site.project.report(&["install"]);
    let mut built = report.with("built");
    built.retain(|it| it.starts_with("build:"));
    built.sort();
    assert_eq!(built, ["build:mpich", "build:tool"]);
    site.project.only(".envbuild/envs/env/conda-meta", "mpich-4.0.3-external_0_");
    site.project.run(&["install"]).success().says("nothing to do");

    // And back: nothing is built again.
    site.write("version", "4.0.2\n");
    let report = site.project.report(&["install"]);
    assert!(report.with("built").iter().all(|it| !it.starts_with("build:")), "{:#}", report.0);

    // One that no requirement takes.
    site.write("version", "5.0\n");
    let said = site.project.run(&["install"]).failure(1).stderr;
    assert!(said.contains("mpich"), "{said}");
}

#[test]
fn other_clients_install_them() {
    let Some(python) = client::python() else { return };
    let Some(site) = site() else { return };
    site.project.run(&["build"]).success();
    let prefix = site.project.beside("client's prefix");
    let listed = client::install(&site.project, &python, &["tool", "mpich 4.* external_*"], &prefix);
    assert_eq!(listed, "mpich 4.0.2\ntool 1.0.0\n");
    assert!(prefix.join("share/tool").is_file());
}

#[test]
fn a_hyphen_of_the_hosts_version_does_not_end_it() {
    let Some(site) = site() else { return };
    site.write("version", "4.3.0-rc1\n");
    site.project.run(&["build", "mpich"]).success();
    site.project.only("output/noarch", "mpich-4.3.0_rc1-external_0_");
}

#[test]
fn the_name_of_a_recipe_is_taken() {
    let Some(site) = site() else { return };
    site.project.edit("project.toml", "[host.externals.cuda-driver]", "[host.externals.tool]");
    let ran = site.project.run(&["plan"]).failure(3);
    assert!(ran.stderr.contains("tool") && ran.stderr.contains("project.toml:"), "{}", ran.stderr);
    // A version that is written needs no look at the host.
    let Some(site) = self::site() else { return };
    site.manifest_with(
        "init = [\"/no/such/file\"]\n[host.externals.mpich]\nversion = \"4.0\"",
        &[("data", "host-bound = false")],
    );
    assert_eq!(site.build().sorted("built"), ["build:data", "build:mpich"]);
}
