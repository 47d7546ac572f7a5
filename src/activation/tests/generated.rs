//! The generated scripts, sourced by real shells.

use super::{
    super::{ACTIVATE, scripts},
    shells::{Prefix, activation, shells},
};

/// Every kind of change, for variables that are called after it.
fn all() -> super::super::Activation {
    activation(
        &[("SET", "ours")],
        &["GONE"],
        &[("FIRST", &["/one", "/two"])],
        &[("LAST", &["/three", "$CONDA_PREFIX/four"])],
    )
}

fn everywhere(prefix: &Prefix, text: &str, expected: &str) {
    for shell in shells() {
        let found = prefix.run(shell, text).replace(prefix.root().to_str().unwrap(), "PREFIX");
        assert_eq!(found.trim_end(), expected.trim_end(), "{shell}:\n{text}");
    }
}

const TELL: &str = "tell SET; tell GONE; tell FIRST; tell LAST";

#[test]
fn what_was_not_set_is_not_set_again() {
    let prefix = Prefix::new().with("demo", &all());
    everywhere(
        &prefix,
        &format!("on demo; {TELL}; off demo; {TELL}"),
        "SET=[ours]\nGONE unset\nFIRST=[/one:/two]\nLAST=[/three:PREFIX/four]\n\
         SET unset\nGONE unset\nFIRST unset\nLAST unset",
    );
}

#[test]
fn what_was_empty_is_empty_again() {
    let prefix = Prefix::new().with("demo", &all());
    everywhere(
        &prefix,
        &format!("export SET= GONE= FIRST= LAST=; on demo; {TELL}; off demo; {TELL}"),
        "SET=[ours]\nGONE unset\nFIRST=[/one:/two]\nLAST=[/three:PREFIX/four]\n\
         SET=[]\nGONE=[]\nFIRST=[]\nLAST=[]",
    );
}

#[test]
fn old_values_come_back_whatever_is_in_them() {
    let prefix = Prefix::new().with("demo", &all());
    let hard = r#"it's "a" $HOME `x` \ * ~ ; & x"#;
    let quoted = format!("'{}'", hard.replace('\'', r"'\''"));
    everywhere(
        &prefix,
        &format!(
            "export SET={quoted} GONE={quoted} FIRST={quoted} LAST={quoted}; on demo; tell FIRST; off demo; {TELL}"
        ),
        &format!("FIRST=[/one:/two:{hard}]\nSET=[{hard}]\nGONE=[{hard}]\nFIRST=[{hard}]\nLAST=[{hard}]"),
    );
    everywhere(&prefix, "export SET='two\nlines\n'; on demo; off demo; tell SET", "SET=[two\nlines\n]");
}

#[test]
fn what_no_program_saw_no_program_sees_again() {
    let prefix = Prefix::new().with("demo", &all());
    everywhere(
        &prefix,
        &format!("SET=a GONE=b FIRST=c LAST=d; on demo; tell SET; tell LAST; off demo; {TELL}"),
        "SET=[ours]\nLAST=[d:/three:PREFIX/four]\nSET:[a]\nGONE:[b]\nFIRST:[c]\nLAST:[d]",
    );
}

#[test]
fn what_somebody_changed_in_between_stays() {
    let prefix = Prefix::new().with("demo", &all());
    everywhere(
        &prefix,
        &format!(
            "export SET=a GONE=b FIRST=/c LAST=/d; on demo; SET=mine; export GONE=mine; FIRST=/x:$FIRST:/y; \
             LAST=/x:$LAST:/y; off demo; {TELL}"
        ),
        "SET=[mine]\nGONE=[mine]\nFIRST=[/x:/c:/y]\nLAST=[/x:/d:/y]",
    );
    everywhere(
        &prefix,
        &format!("export SET=a; on demo; unset SET FIRST; LAST=/z; off demo; {TELL}"),
        "SET unset\nGONE unset\nFIRST unset\nLAST=[/z]",
    );
}

#[test]
fn of_equal_folders_only_ours_goes() {
    let prefix = Prefix::new().with("demo", &all());
    everywhere(
        &prefix,
        "export FIRST=/two:/a:/one LAST=/a:/three:/a; on demo; tell FIRST; tell LAST; off demo; tell FIRST; tell LAST",
        "FIRST=[/one:/two:/two:/a:/one]\nLAST=[/a:/three:/a:/three:PREFIX/four]\nFIRST=[/two:/a:/one]\nLAST=[/a:/three:/a]",
    );
    // An empty element means something in some lists.
    everywhere(&prefix, "export FIRST=: LAST=:/a; on demo; off demo; tell FIRST; tell LAST", "FIRST=[:]\nLAST=[:/a]");
}

#[test]
fn a_second_activation_changes_nothing() {
    let prefix = Prefix::new().with("demo", &all());
    everywhere(
        &prefix,
        &format!(
            "export SET=a LAST=/d; on demo; on demo; {TELL}; off demo; {TELL}; off demo; {TELL}; env | grep -c _ENV || :"
        ),
        "SET=[ours]\nGONE unset\nFIRST=[/one:/two]\nLAST=[/d:/three:PREFIX/four]\n\
         SET=[a]\nGONE unset\nFIRST unset\nLAST=[/d]\nSET=[a]\nGONE unset\nFIRST unset\nLAST=[/d]\n0",
    );
}

#[test]
fn two_packages_share_a_variable() {
    let other = activation(&[("SET", "theirs"), ("GONE", "back")], &["SOME"], &[("FIRST", &["/one"])], &[]);
    let prefix = Prefix::new().with("demo", &all()).with("demo-2", &other);
    everywhere(
        &prefix,
        &format!(
            "export SET=a GONE=b FIRST=/c; on demo; on demo-2; {TELL}; off demo-2; {TELL}; off demo; {TELL}; \
             env | grep -c _ENV || :"
        ),
        "SET=[theirs]\nGONE=[back]\nFIRST=[/one:/one:/two:/c]\nLAST=[/three:PREFIX/four]\n\
         SET=[ours]\nGONE unset\nFIRST=[/one:/two:/c]\nLAST=[/three:PREFIX/four]\n\
         SET=[a]\nGONE=[b]\nFIRST=[/c]\nLAST unset\n0",
    );
}

#[test]
fn one_package_in_two_environments_is_undone_one_by_one() {
    let prefix =
        Prefix::new().with("demo", &activation(&[("WHERE", "$CONDA_PREFIX")], &[], &[("FIRST", &["/x"])], &[]));
    let other =
        Prefix::new().with("demo", &activation(&[("WHERE", "in ${CONDA_PREFIX}/b")], &[], &[("FIRST", &["/y"])], &[]));
    let inner = other.root().to_str().unwrap().replace('\'', r"'\''");
    for shell in shells() {
        let found = prefix.run(
            shell,
            &format!(
                "OUTER=$CONDA_PREFIX; INNER='{inner}'; on demo; export CONDA_PREFIX=\"$INNER\"; on demo; tell WHERE; \
                 tell FIRST; off demo; CONDA_PREFIX=$OUTER; tell WHERE; tell FIRST; off demo; tell WHERE; tell FIRST"
            ),
        );
        let found =
            found.replace(other.root().to_str().unwrap(), "INNER").replace(prefix.root().to_str().unwrap(), "OUTER");
        let expected = "WHERE=[in INNER/b]\nFIRST=[/y:/x]\nWHERE=[OUTER]\nFIRST=[/x]\nWHERE unset\nFIRST unset\n";
        assert_eq!(found, expected, "{shell}");
    }
}

#[test]
fn another_shell_can_undo_it() {
    let prefix = Prefix::new().with("demo", &all());
    let deactivate = format!("{}/demo.sh", super::super::DEACTIVATE);
    everywhere(
        &prefix,
        &format!(
            "export SET=a FIRST=/c; on demo; sh -eu -c '. \"$CONDA_PREFIX/{deactivate}\"; echo \"$SET $FIRST ${{LAST-none}}\"'"
        ),
        "a /c none",
    );
}

#[test]
fn every_character_of_a_value_arrives() {
    let mut hard: String = (' '..='~').collect();
    // Bytes that shells have used for marks of their own, and a character outside the first plane.
    hard.push_str(
        "\u{101}\u{102}\u{103}\u{104}\u{105}\u{106}\u{107}\u{108} é 😀 \u{a0} '' '\\'' $(x) ${y} $CONDA_PREFIXES $$",
    );
    let odd = "${CONDA_PREFIX}$CONDA_PREFIX/x'$CONDA_PREFIX'${CONDA_PREFIX-}";
    let prefix = Prefix::new()
        .with("demo", &activation(&[("HARD", &hard), ("ODD", odd)], &[], &[("LIST", &[&hard.replace(':', "")])], &[]));
    everywhere(
        &prefix,
        "export LIST=/old; on demo; tell HARD; tell ODD; tell LIST; off demo; tell HARD; tell ODD; tell LIST",
        &format!(
            "HARD=[{hard}]\nODD=[PREFIXPREFIX/x'PREFIX'${{CONDA_PREFIX-}}]\nLIST=[{}:/old]\nHARD unset\nODD unset\n\
             LIST=[/old]",
            hard.replace(':', "")
        ),
    );
}

#[test]
fn nothing_but_the_variables_changes() {
    let prefix = Prefix::new().with("demo", &all());
    for shell in shells() {
        let state = "{ set; typeset -f 2>/dev/null || :; alias; umask; pwd; set +o 2>/dev/null || :; } | \
                     grep -v -e '^_is=' -e '^_=' -e '^LINENO' -e '^RANDOM' -e '^SECONDS' -e '^PIPESTATUS' -e '^pipestatus' \
                     -e '^BASH_' -e '^FUNC' -e '^[?#$!0]=' -e '^status=' -e '^TTYIDLE' -e '^EPOCH' -e '^SRANDOM' || :";
        let found = prefix.run(shell, &format!("{state}; echo ----; on demo; off demo; {state}"));
        let (before, after) = found.split_once("----\n").unwrap();
        assert!(before.contains("CONDA_PREFIX"), "{before}");
        assert_eq!(before, after, "{shell}");
    }
}

#[test]
fn odd_settings_of_a_shell_do_no_harm() {
    let prefix = Prefix::new().with("demo", &all());
    let odd = [
        ("sh", "set -f; IFS=:/"),
        ("bash", "set -o posix -o noclobber -o pipefail; IFS=e"),
        ("zsh", "emulate ksh; setopt ksh_arrays"),
        ("zsh", "setopt sh_word_split glob_subst rc_quotes warn_create_global no_nomatch"),
    ];
    for (shell, settings) in odd.into_iter().filter(|(shell, _)| shells().contains(shell)) {
        let found = prefix.run(shell, &format!("export SET='a:/b e' FIRST='/c d:/e*'; {settings}; . \"$CONDA_PREFIX/{ACTIVATE}/demo.sh\"; . \"$CONDA_PREFIX/{}/demo.sh\"; IFS=' '; printf '%s|%s|%s' \"$SET\" \"$FIRST\" \"${{LAST-none}}\"", super::super::DEACTIVATE));
        assert_eq!(found, "a:/b e|/c d:/e*|none", "{shell} {settings}");
    }
}

#[test]
fn no_two_packages_share_their_memory() {
    let one = activation(&[("X", "1")], &[], &[], &[]);
    let memory = |name: &str| {
        let text = scripts(name, &one).activate;
        let line = text.lines().find(|it| it.starts_with("_envbuild_depth=")).unwrap().to_owned();
        line.split(['{', ':']).nth(1).unwrap().to_owned()
    };
    let names = ["a-b", "a_b", "a.b", "ab", "a_hb", "a__b", "_a-b", "a_-b", "7zip", "a_n", "a"];
    let mut memories: Vec<String> = names.iter().map(|it| memory(it)).collect();
    assert!(
        memories.iter().all(|it| it.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')),
        "{memories:?}"
    );
    memories.sort();
    memories.dedup();
    assert_eq!(memories.len(), names.len());
}
