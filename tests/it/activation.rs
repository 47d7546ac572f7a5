//! What packages do to a shell: scripts that are made of the manifest's settings, and what is found in a recipe's own.

use std::{collections::BTreeMap, path::Path, process::Command};

use crate::support::{Project, Ran, files_below};

/// Settings of every kind, and a value that no shell may read.
const SETTINGS: &str = r#"
[recipes.settings.activation]
set = { NCCL_NET = "AWS Libfabric", HARD = "it's \"$HOME\" `x` \\ *", PLACE = "${CONDA_PREFIX}/share" }
unset = ["NCCL_NET_GDR_LEVEL"]
prepend = { LD_LIBRARY_PATH = "$CONDA_PREFIX/lib/settings", PATH = ["/opt/one", "/opt/two"] }
append = { PYTHONPATH = "/opt/python" }
"#;

const RECIPE: &str = "package:\n  name: settings\n  version: 1.0.0\nbuild:\n  script: mkdir $PREFIX/share && echo x > \
                      $PREFIX/share/settings\n";

/// A recipe that installs scripts of its own.
fn with_scripts(name: &str) -> String {
    format!(
        "package:\n  name: {name}\n  version: 1.0.0\nbuild:\n  script:\n    - mkdir -p $PREFIX/etc/conda/activate.d \
         $PREFIX/etc/conda/deactivate.d\n    - if [ -f $RECIPE_DIR/on.sh ]; then cp $RECIPE_DIR/on.sh \
         $PREFIX/etc/conda/activate.d/{name}.sh; fi\n    - if [ -f $RECIPE_DIR/off.sh ]; then cp $RECIPE_DIR/off.sh \
         $PREFIX/etc/conda/deactivate.d/{name}.sh; fi\n"
    )
}

fn manifest(recipes: &[&str], more: &str) -> String {
    let recipes: String =
        recipes.iter().map(|it| format!("[recipes.{it}]\npath = \"recipes/{it}\"\nhost-bound = false\n")).collect();
    format!("[project]\nname = \"shells\"\nchannels = []\n{recipes}{more}")
}

const ENVIRONMENT: &str = "[environments.env]\ndependencies = [\"settings\"]\n";

/// What matters of an environment, in the order of the names; nothing for what is not set.
const NAMES: [&str; 7] = ["HARD", "LD_LIBRARY_PATH", "NCCL_NET", "NCCL_NET_GDR_LEVEL", "PATH", "PLACE", "PYTHONPATH"];

/// What `env -0` printed, with `prefix` by another name.
fn variables(printed: &str, prefix: &Path) -> Vec<Option<String>> {
    let pairs = printed.split('\0').filter_map(|it| it.split_once('='));
    let all: BTreeMap<&str, &str> = pairs.collect();
    NAMES.iter().map(|it| all.get(it).map(|value| value.replace(prefix.to_str().unwrap(), "PREFIX"))).collect()
}

/// Runs a text in a shell in a folder, with values that the settings of the tests touch.
fn shell(program: &str, text: &str, folder: &Path) -> String {
    let mut command = Command::new(program);
    command.args(["-c", text]).current_dir(folder).env_clear();
    for (name, value) in BEFORE {
        command.env(name, value);
    }
    Ran::new(command.output().unwrap()).success().stdout
}

const BEFORE: [(&str, &str); 4] =
    [("PATH", "/usr/bin:/bin"), ("NCCL_NET", "Socket"), ("NCCL_NET_GDR_LEVEL", "5"), ("LD_LIBRARY_PATH", "/site/lib")];

#[test]
fn all_ways_of_activation_give_the_same() {
    let mut project = Project::new()
        .manifest(&manifest(&["settings"], &format!("{SETTINGS}{ENVIRONMENT}")))
        .recipe("settings", RECIPE);
    project.run(&["all"]).success();
    let prefix = project.path(".envbuild/envs/env");
    let scripts = ["etc/conda/activate.d/settings.sh", "etc/conda/deactivate.d/settings.sh"];
    assert!(scripts.iter().all(|it| prefix.join(it).is_file()), "{:?}", files_below(&prefix.join("etc")));

    for (name, value) in BEFORE {
        project.set(name, value);
    }
    let ran = project.run(&["run", "-q", "env", "--", "env", "-0"]).success().stdout;
    let ran = variables(&ran, &prefix);
    let expected = [
        Some("it's \"$HOME\" `x` \\ *"),
        Some("PREFIX/lib/settings:/site/lib"),
        Some("AWS Libfabric"),
        None,
        Some("/opt/one:/opt/two:PREFIX/bin:/usr/bin:/bin"),
        Some("PREFIX/share"),
        Some("/opt/python"),
    ];
    assert_eq!(ran, expected.map(|it| it.map(str::to_owned)));

    // As conda does it: its own variables first, then the scripts by name; on the way back in reverse order.
    let by_conda = format!(
        "set -eu; export CONDA_PREFIX='{0}' PATH='{0}'/bin:$PATH; . \"$CONDA_PREFIX/{1}\"; env -0; echo; \
         . \"$CONDA_PREFIX/{2}\"; env -0",
        prefix.display(),
        scripts[0],
        scripts[1]
    );
    let archive = project.path("dist/env-linux-64.tar.zst");
    let unpacked = project.beside("un packed");
    std::fs::create_dir(&unpacked).unwrap();
    assert!(
        Command::new("tar").arg("--zstd").arg("-xf").arg(archive).current_dir(&unpacked).status().unwrap().success()
    );
    Ran::new(Command::new(unpacked.join("bin/conda-unpack")).output().unwrap()).success();
    let by_pack = "set -eu; . bin/activate; env -0; echo; . bin/deactivate; env -0".to_owned();

    let before = [None, Some("/site/lib"), Some("Socket"), Some("5"), Some("/usr/bin:/bin"), None, None];
    for (text, place) in [(by_conda, &prefix), (by_pack, &unpacked)] {
        for program in ["sh", "bash", "dash", "zsh"] {
            if Command::new(program).args(["-c", ":"]).status().is_err() {
                crate::support::skip(program);
                continue;
            }
            let printed = shell(program, &text, place);
            let (active, after) = printed.split_once("\0\n").unwrap();
            assert_eq!(variables(active, place), ran, "{program}");
            let after: Vec<Option<String>> = variables(after, place)
                .into_iter()
                .map(|it| it.map(|value| value.replace("PREFIX/bin:", "")))
                .collect();
            assert_eq!(after, before.map(|it| it.map(str::to_owned)), "{program}");
        }
    }
    project.assert_fresh();
}

#[test]
fn each_variable_is_an_input() {
    let project = Project::new().manifest(&manifest(&["settings"], SETTINGS)).recipe("settings", RECIPE);
    project.run(&["build"]).success();
    let first = project.only("output/linux-64", "settings-");
    project.edit("project.toml", "AWS Libfabric", "OFI");
    let why = project.run(&["why", "build:settings"]).success().stdout;
    for word in ["activation/set/NCCL_NET", "AWS Libfabric", "OFI"] {
        assert!(why.contains(word), "{why}");
    }
    assert_eq!(project.report(&["build"]).node("build:settings")["reason"], "activation/set/NCCL_NET changed");
    assert!(files_below(&project.path("output/linux-64")).len() > 2, "another content has another name");
    // Back again it is the same package, made of the same bytes.
    project.edit("project.toml", "OFI", "AWS Libfabric");
    let before = std::fs::read(&first).unwrap();
    project.run(&["build"]).success();
    assert_eq!(std::fs::read(&first).unwrap(), before);

    for (old, new, input) in [
        ("[\"NCCL_NET_GDR_LEVEL\"]", "[]", "activation/unset/NCCL_NET_GDR_LEVEL is gone"),
        ("[\"/opt/one\", \"/opt/two\"]", "[\"/opt/two\", \"/opt/one\"]", "activation/prepend/PATH changed"),
        ("PYTHONPATH = \"/opt/python\"", "PYTHONPATH = \"/opt/python\", A = \"/b\"", "activation/append/A is new"),
    ] {
        project.edit("project.toml", old, new);
        assert_eq!(project.report(&["build"]).node("build:settings")["reason"], input);
    }
    // Neither the order nor the form matters.
    project.edit("project.toml", "append = {", "[recipes.settings.activation.append]\nA = \"/b\" # ");
    project.edit("project.toml", "A = \"/b\" #", "A = \"/b\"\nPYTHONPATH = [\"/opt/python\"] #");
    project.run(&["build"]).success().says("nothing to do");
}

#[test]
fn outputs_with_files_of_their_own_get_scripts() {
    let recipe = "recipe:\n  name: several\n  version: 1.0.0\noutputs:\n  - package:\n      name: several-lib\n    build:\n      \
                  noarch: generic\n      files: [lib/**]\n      script: mkdir $PREFIX/lib && echo a > $PREFIX/lib/a && echo b > \
                  $PREFIX/b\n  - package:\n      name: several\n    build:\n      noarch: generic\n    requirements:\n      \
                  run:\n        - several-lib\n";
    let text = manifest(
        &["several"],
        "[recipes.several.activation]\nset = { A = \"1\" }\n[environments.env]\ndependencies = [\"several\"]\n",
    );
    let project = Project::new().manifest(&text).recipe("several", recipe);
    project.run(&["all"]).success();
    let prefix = project.path(".envbuild/envs/env");
    let files: Vec<String> = ["etc", "lib", "b"]
        .iter()
        .flat_map(|it| files_below(&prefix.join(it)).into_iter().map(move |file| format!("{it}/{}", file.display())))
        .collect();
    let expected = ["etc/conda/activate.d/several-lib.sh", "etc/conda/deactivate.d/several-lib.sh", "lib/a"];
    assert_eq!(files, expected);
    let ran = project.run(&["run", "-q", "env", "--", "sh", "-c", "echo $A"]).success();
    assert_eq!(ran.stdout, "1\n");
}

#[test]
fn a_script_of_the_recipe_is_not_overwritten() {
    let text = manifest(&["own"], "[recipes.own.activation]\nset = { A = \"1\" }\n");
    let project =
        Project::new().manifest(&text).recipe("own", &with_scripts("own")).file("recipes/own/off.sh", "true\n");
    project
        .run(&["build"])
        .failure(1)
        .says("installs `etc/conda/deactivate.d/own.sh`, which is made of the recipe's `activation`");
    std::fs::remove_file(project.path("recipes/own/off.sh")).unwrap();
    project.run(&["build"]).success();
}

#[test]
fn scripts_that_undo_themselves_are_packaged() {
    let project = Project::new()
        .manifest(&manifest(&["own"], ""))
        .recipe("own", &with_scripts("own"))
        .file(
            "recipes/own/on.sh",
            "if [ -n \"${XLA_FLAGS+x}\" ]; then export _XLA_FLAGS=\"$XLA_FLAGS\"; fi\nexport \
             XLA_FLAGS=\"--data=$CONDA_PREFIX${XLA_FLAGS:+ $XLA_FLAGS}\"\n",
        )
        .file(
            "recipes/own/off.sh",
            "if [ -n \"${_XLA_FLAGS+x}\" ]; then export XLA_FLAGS=\"$_XLA_FLAGS\"; else unset XLA_FLAGS; fi\nunset \
             _XLA_FLAGS\n",
        );
    project.run(&["build"]).success();
    project.only("output/linux-64", "own-1.0.0-");
}

/// What people copy from a guide for a machine: it sets, and nothing undoes it.
const GUIDE: &str = "export MPICH_GPU_SUPPORT_ENABLED=1\nexport MPICH_OFI_NIC_POLICY=GPU\nexport \
                     FI_MR_CACHE_MONITOR=userfaultfd\nexport FI_CXI_DISABLE_HOST_REGISTER=1\nexport \
                     NCCL_SOCKET_IFNAME=hsn\nexport NCCL_NET=\"AWS Libfabric\"\nunset NCCL_NET_GDR_LEVEL\nunset \
                     CUDA_VISIBLE_DEVICES\n";

#[test]
fn every_variable_that_stays_behind_is_told() {
    let project = Project::new()
        .manifest(&manifest(&["nccl"], ""))
        .recipe("nccl", &with_scripts("nccl"))
        .file("recipes/nccl/on.sh", GUIDE);
    let ran = project.run(&["build"]).failure(1);
    let ran = ran.says("the activation scripts of `nccl` do harm in 8 ways").says("`etc/conda/activate.d/nccl.sh`");
    let mut ran = ran.says("changes `CUDA_VISIBLE_DEVICES`").says("before `3,1`, while active not set");
    for name in [
        "MPICH_GPU_SUPPORT_ENABLED",
        "MPICH_OFI_NIC_POLICY",
        "FI_MR_CACHE_MONITOR",
        "FI_CXI_DISABLE_HOST_REGISTER",
        "NCCL_SOCKET_IFNAME",
        "NCCL_NET",
    ] {
        ran = ran.says(&format!("leaves the variable `{name}` behind: before not set"));
    }
    ran.says("leaves the variable `NCCL_NET_GDR_LEVEL` behind where its variables were set before");
    let packages = files_below(&project.path("output"));
    assert!(packages.iter().all(|it| it.extension().is_none_or(|it| it != "conda")), "{packages:?}");

    // The same as settings, without the line that no package may have.
    std::fs::remove_file(project.path("recipes/nccl/on.sh")).unwrap();
    let settings = "[recipes.nccl.activation]\nset = { MPICH_GPU_SUPPORT_ENABLED = \"1\", MPICH_OFI_NIC_POLICY = \"GPU\", \
                    FI_MR_CACHE_MONITOR = \"userfaultfd\", FI_CXI_DISABLE_HOST_REGISTER = \"1\", NCCL_SOCKET_IFNAME = \
                    \"hsn\", NCCL_NET = \"AWS Libfabric\" }\nunset = [\"NCCL_NET_GDR_LEVEL\"]\n";
    project.write("project.toml", &manifest(&["nccl"], settings));
    project.write("recipes/nccl/recipe.yaml", &RECIPE.replace("settings", "nccl"));
    project.run(&["build"]).success();
}

#[test]
fn a_library_path_of_the_build_is_told() {
    // As a recipe does that asks its own shell what will be needed.
    let recipe = "package:\n  name: jaxlib\n  version: 1.0.0\nbuild:\n  script:\n    - mkdir -p \
                  $PREFIX/etc/conda/activate.d $PREFIX/etc/conda/deactivate.d\n    - echo \"export _OLD_LLP=\\${LD_LIBRARY_PATH-} \
                  LD_LIBRARY_PATH=$LD_LIBRARY_PATH:\\$CONDA_PREFIX/lib WORK=$PWD\" > $PREFIX/etc/conda/activate.d/jaxlib.sh\n    - echo \
                  'if [ -n \"$_OLD_LLP\" ]; then LD_LIBRARY_PATH=$_OLD_LLP; else unset LD_LIBRARY_PATH; fi; unset _OLD_LLP WORK' > \
                  $PREFIX/etc/conda/deactivate.d/jaxlib.sh\n";
    let text = "[project]\nname = \"shells\"\nchannels = []\n[host]\ninit = [\"site.sh\"]\n[recipes.jaxlib]\npath = \
                \"recipes/jaxlib\"\n";
    let project = Project::new()
        .manifest(text)
        .recipe("jaxlib", recipe)
        .file("site.sh", "export LD_LIBRARY_PATH=/opt/cuda/12.3/lib64:/opt/nccl/lib\n");
    let ran = project.run(&["build"]).failure(1);
    let ran = ran.says("do harm in 4 ways");
    let ran = ran.says("bakes a place of the build into `LD_LIBRARY_PATH`: `/opt/cuda/12.3/lib64` is from the");
    let ran = ran.says("`/opt/nccl/lib` is from the `LD_LIBRARY_PATH` that the build had");
    let ran = ran.says("bakes a place of the build into `WORK`");
    ran.says("leaves the variable `WORK` behind where its variables were set before");
}

#[test]
fn what_no_activation_may_do_is_told_at_once() {
    let more = "[recipes.own.activation]\nset = { PATH = \"/x\", LD_LIBRARY_PATH = \"/x\", CONDA_PREFIX = \"/x\", \"A-B\" = \"1\", \
                TWICE = \"1\" }\nunset = [\"CUDA_VISIBLE_DEVICES\", \"PWD\"]\nprepend = { TWICE = \"/a\", LIST = \"/a:/b\" }\n\
                appnd = {}\n";
    let project = Project::new().manifest(&manifest(&["own"], more)).recipe("own", &with_scripts("own"));
    let ran = project.run(&["plan"]).failure(3);
    ran.says("`project.toml` has 9 problems");
}
