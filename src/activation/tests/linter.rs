//! The linter, on scripts that do harm and on some that do none.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use super::{
    super::{ACTIVATE, DEACTIVATE, LintError, LintRequest, Problem, lint},
    shells::{Prefix, activation},
};

/// Scripts called `demo.sh`, either of which may be left out.
fn demo(activate: &str, deactivate: &str) -> Prefix {
    let mut prefix = Prefix::new();
    for (folder, text) in [(ACTIVATE, activate), (DEACTIVATE, deactivate)] {
        if !text.is_empty() {
            prefix = prefix.script(&format!("{folder}/demo.sh"), text);
        }
    }
    prefix
}

fn tried(prefix: &Prefix, library_path: &str, variables: &[&str]) -> Result<(), LintError> {
    let folder = tempfile::tempdir().unwrap();
    let mut files = BTreeSet::new();
    for below in [ACTIVATE, DEACTIVATE, "etc/conda/env_vars.d"] {
        for entry in std::fs::read_dir(prefix.path(below)).into_iter().flatten() {
            files.insert(PathBuf::from(below).join(entry.unwrap().file_name()));
        }
    }
    lint(&LintRequest {
        package: "demo",
        prefix: prefix.root(),
        files: &files,
        variables: &variables.iter().map(|it| (*it).to_owned()).collect(),
        library_path,
        places: &[PathBuf::from("/s/demo/b/work")],
        folder: folder.path(),
        limit: Duration::from_secs(5),
    })
}

/// The problems as they are told.
fn problems(activate: &str, deactivate: &str) -> Vec<String> {
    match tried(&demo(activate, deactivate), "/opt/mpi/lib:/opt/cuda/lib/", &[]) {
        Ok(()) => Vec::new(),
        Err(LintError::Harm { problems, .. }) => problems.iter().map(ToString::to_string).collect(),
        Err(other) => panic!("{other}"),
    }
}

#[track_caller]
fn only(activate: &str, deactivate: &str, expected: &str) {
    assert_eq!(problems(activate, deactivate), [expected], "{activate}\n--\n{deactivate}");
}

#[test]
fn what_undoes_itself_is_fine() {
    for (activate, deactivate) in [
        ("", ""),
        ("# nothing\n", ""),
        ("true", "true"),
        // As packages do it by hand.
        (
            "if [ -n \"${NCCL_NET+x}\" ]; then export _NCCL_NET_OLD=\"$NCCL_NET\"; fi\nexport NCCL_NET=OFI\n",
            "if [ -n \"${_NCCL_NET_OLD+x}\" ]; then\n  export NCCL_NET=\"$_NCCL_NET_OLD\"\n  unset _NCCL_NET_OLD\nelse\n  \
             unset NCCL_NET\nfi\n",
        ),
        ("help_me() { :; }; help_me; unset -f help_me", ""),
        ("(cd /; umask 000; set -f; export A=1)", ""),
        ("export PATH=\"/opt/x:$PATH\"", "PATH=${PATH#/opt/x:}"),
        (
            "if [ -z \"${XLA_FLAGS:-}\" ]; then export XLA_FLAGS=a _XLA=1; fi",
            "if [ -n \"${_XLA:-}\" ]; then unset XLA_FLAGS _XLA; fi",
        ),
    ] {
        assert_eq!(problems(activate, deactivate), [""; 0], "{activate}\n--\n{deactivate}");
    }
}

#[test]
fn generated_scripts_pass() {
    let all = activation(
        &[("NCCL_NET", "AWS Libfabric"), ("HARD", "it's `a` \"$b\"")],
        &["NCCL_NET_GDR_LEVEL"],
        &[("LD_LIBRARY_PATH", &["$CONDA_PREFIX/lib/x"]), ("PATH", &["/opt/a", "/opt/b"])],
        &[("PYTHONPATH", &["/opt/c"])],
    );
    let names: Vec<&str> = all.names().collect();
    let prefix =
        Prefix::new().with("demo", &all).with("demo-2", &activation(&[("NCCL_NET", "x")], &["HARD"], &[], &[]));
    tried(&prefix, "", &names).unwrap();
}

#[test]
fn what_stays_behind_is_told() {
    only(
        "export A=1\nexport _B=2\n",
        "unset _B",
        "`etc/conda/activate.d/demo.sh` leaves the variable `A` behind: before not set, after `1`",
    );
    only("A=1", "", "`etc/conda/activate.d/demo.sh` leaves the shell variable `A` behind: before not set, after `1`");
    only(
        "true",
        "export A=",
        "`etc/conda/deactivate.d/demo.sh` leaves the variable `A` behind: before not set, after empty",
    );
    only(
        "a=(1 2)",
        "",
        "`etc/conda/activate.d/demo.sh` leaves the shell variable `a` behind: before not set, after `1`",
    );
    only(
        "f() { :; }",
        "",
        "`etc/conda/activate.d/demo.sh` leaves the function `f` behind: before not set, after `f () { : }`",
    );
    only(
        "alias ll='ls -l'",
        "",
        "`etc/conda/activate.d/demo.sh` leaves the alias `ll` behind: before not set, after `alias ll='ls -l'`",
    );
    only(
        "set -e",
        "",
        "`etc/conda/activate.d/demo.sh` leaves the shell option `errexit` behind: before `set +o errexit`, after `set -o errexit`",
    );
    only(
        "set +u",
        "",
        "`etc/conda/activate.d/demo.sh` leaves the shell option `nounset` behind: before `set -o nounset`, after `set +o nounset`",
    );
    only(
        "shopt -s extglob",
        "",
        "`etc/conda/activate.d/demo.sh` leaves the shell option `extglob` behind: before `shopt -u extglob`, after `shopt -s extglob`",
    );
    only(
        "umask 0",
        "umask 77",
        "`etc/conda/activate.d/demo.sh` leaves the mask of new files (`umask`) behind: before `0022`, after `0077`",
    );
    only(
        "trap 'echo bye' EXIT",
        "",
        "`etc/conda/activate.d/demo.sh` leaves the traps (`trap`) behind: before empty, after `trap -- 'echo bye' EXIT`",
    );
    let moved = problems("cd /", "");
    assert!(
        moved.len() == 1 && moved[0].contains("leaves the working directory behind") && moved[0].ends_with("after `/`"),
        "{moved:?}"
    );
}

#[test]
fn an_old_value_that_is_lost_is_told() {
    only(
        "export NCCL_NET=OFI",
        "unset NCCL_NET",
        "`etc/conda/activate.d/demo.sh` leaves the variable `NCCL_NET` behind where its variables were set before: before \
         `before NCCL_NET`, after not set",
    );
    only(
        "unset NCCL_NET_GDR_LEVEL",
        "",
        "`etc/conda/activate.d/demo.sh` leaves the variable `NCCL_NET_GDR_LEVEL` behind where its variables were set before: \
         before `before NCCL_NET_GDR_LEVEL`, after not set",
    );
    only(
        "export LD_LIBRARY_PATH=/x",
        "unset LD_LIBRARY_PATH",
        "`etc/conda/activate.d/demo.sh` leaves the variable `LD_LIBRARY_PATH` behind where its variables were set before: \
         before `/before/LD_LIBRARY_PATH`, after not set",
    );
    // Only who has the variable takes this way.
    only(
        "if [ -n \"${CFLAGS-}\" ]; then export CFLAGS=\"$CFLAGS -g\"; fi",
        "",
        "`etc/conda/activate.d/demo.sh` leaves the variable `CFLAGS` behind where its variables were set before: before \
         `before CFLAGS`, after `before CFLAGS -g`",
    );
}

#[test]
fn the_devices_of_a_job_are_its_own() {
    for text in ["unset CUDA_VISIBLE_DEVICES", "export CUDA_VISIBLE_DEVICES=3", "export CUDA_VISIBLE_DEVICES="] {
        let found = problems(text, "");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("`etc/conda/activate.d/demo.sh` changes `CUDA_VISIBLE_DEVICES`"), "{found:?}");
    }
    only(
        "export _OLD=${CUDA_VISIBLE_DEVICES-none}; unset CUDA_VISIBLE_DEVICES",
        "if [ \"$_OLD\" != none ]; then export CUDA_VISIBLE_DEVICES=$_OLD; fi; unset _OLD",
        "`etc/conda/activate.d/demo.sh` changes `CUDA_VISIBLE_DEVICES` where its variables were set before: before `3,1`, \
         while active not set",
    );
}

#[test]
fn what_was_right_during_the_build_is_told() {
    only(
        "export _OLD=\"${LD_LIBRARY_PATH-}\"; export LD_LIBRARY_PATH=/opt/cuda/lib:/other${_OLD:+:$_OLD}",
        "if [ -n \"$_OLD\" ]; then LD_LIBRARY_PATH=$_OLD; else unset LD_LIBRARY_PATH; fi; unset _OLD",
        "`etc/conda/activate.d/demo.sh` bakes a place of the build into `LD_LIBRARY_PATH`: `/opt/cuda/lib` is from the \
         `LD_LIBRARY_PATH` that the build had",
    );
    only(
        "export _DATA=/s/demo/b/work/data",
        "unset _DATA",
        "`etc/conda/activate.d/demo.sh` bakes a place of the build into `_DATA`: `/s/demo/b/work` is a folder of the build, \
         which is gone when it ends",
    );
}

#[test]
fn a_script_that_fails_or_ends_the_shell_is_told() {
    only("true\nfalse\n", "", "`etc/conda/activate.d/demo.sh` fails with status 1");
    only(
        "no-such-command",
        "",
        "`etc/conda/activate.d/demo.sh` fails with status 127: etc/conda/activate.d/demo.sh: line 1: no-such-command: command not found",
    );
    only("exit 0", "", "`etc/conda/activate.d/demo.sh` ends the shell that sources it");
    only(
        "true",
        "if then",
        "`etc/conda/deactivate.d/demo.sh` fails with status 2: etc/conda/deactivate.d/demo.sh: line 1: `if then'",
    );
    // A variable that is not set ends a strict shell; what the script leaves behind in another one is told.
    only(
        "export A=\"$NOT_SET\"",
        "",
        "`etc/conda/activate.d/demo.sh` leaves the variable `A` behind: before not set, after empty",
    );
}

#[test]
fn a_script_that_does_not_end_is_ended() {
    for text in ["while :; do :; done", "sleep 1000"] {
        only(text, "", "`etc/conda/activate.d/demo.sh` is not done after 5 seconds");
    }
    // Nobody answers a question.
    only("(read answer)", "", "`etc/conda/activate.d/demo.sh` fails with status 1");
    let left = problems("sleep 1000 & disown", "");
    assert_eq!(left, ["the scripts leave a process running"]);
}

#[test]
fn every_problem_of_every_script_is_in_one_report() {
    let prefix = demo("export A=1; unset CUDA_VISIBLE_DEVICES", "")
        .script(&format!("{ACTIVATE}/z.sh"), "export B=2; false")
        .script(&format!("{ACTIVATE}/not-looked-at.csh"), "setenv A 1")
        .script(&format!("{DEACTIVATE}/b.sh"), "alias x=y");
    let error = tried(&prefix, "", &[]).unwrap_err();
    assert_eq!(error.to_string(), "the activation scripts of `demo` do harm in 5 ways");
    let LintError::Harm { problems, .. } = error else { panic!("{error}") };
    let scripts: BTreeSet<&str> = problems
        .iter()
        .map(|it| match it {
            Problem::Leak { script, .. } | Problem::Failed { script, .. } | Problem::Devices { script, .. } => {
                script.as_str()
            }
            other => panic!("{other}"),
        })
        .collect();
    let expected = ["etc/conda/activate.d/demo.sh", "etc/conda/activate.d/z.sh", "etc/conda/deactivate.d/b.sh"];
    assert_eq!(scripts.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn values_without_a_script_are_looked_at() {
    let prefix = Prefix::new();
    std::fs::create_dir_all(prefix.path("etc/conda/env_vars.d")).unwrap();
    let prefix = prefix
        .script("etc/conda/env_vars.d/fine.json", "{\"NCCL_NET\": \"OFI\", \"LD_LIBRARY_PATH\": \"/other\"}")
        .script("etc/conda/env_vars.d/no.json", "CUDA_VISIBLE_DEVICES=1")
        .script(
            "etc/conda/env_vars.d/x.json",
            "{\"CUDA_VISIBLE_DEVICES\": \"0\", \"LD_LIBRARY_PATH\": \"/a:/opt/mpi/lib/\", \"DATA\": \"/s/demo/b/work/x\"}",
        );
    let Err(LintError::Harm { problems, .. }) = tried(&prefix, "/opt/mpi/lib", &[]) else { panic!() };
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for (problem, word) in told.iter().zip(["`CUDA_VISIBLE_DEVICES`", "`LD_LIBRARY_PATH`", "`DATA`"]) {
        assert!(problem.starts_with("`etc/conda/env_vars.d/x.json` ") && problem.contains(word), "{told:?}");
    }
}
