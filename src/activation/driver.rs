//! The text that bash runs to try scripts. It uses no function and no word that a script could have taken.

use std::{fmt::Write as _, path::Path};

use super::{script::quote, snapshot::OWN};

/// What one shell does.
pub(super) struct Plan<'a> {
    /// The scripts in the order in which they are sourced.
    pub(super) scripts: &'a [std::path::PathBuf],
    /// Where the account goes: `0`, `1`, … are the states before, after the first script, …; `told` says how far it got.
    pub(super) folder: &'a Path,
    /// Whether a variable that is not set ends the shell.
    pub(super) strict: bool,
    /// The most seconds that the processor may work for it.
    pub(super) seconds: u64,
}

/// The commands of a shell that sources scripts and takes down its own state before and after each of them.
pub(super) fn driver(plan: &Plan<'_>) -> String {
    let file = |name: &str| quote(&plan.folder.join(name).to_string_lossy());
    let (told, names) = (file("told"), file("names"));
    let mut text = format!("builtin ulimit -c 0 -t {} -f {LARGEST}\n", plan.seconds.max(1));
    if plan.strict {
        text.push_str("builtin set -u\n");
    }
    text.push_str(&shot(&file("0"), &names));
    for (index, script) in plan.scripts.iter().enumerate() {
        let number = index + 1;
        // Whatever ends the shell ends it between these two lines.
        let _ = writeln!(text, "builtin printf 'begin {number}\\n' >>{told}");
        let _ = writeln!(text, "builtin . {}", quote(&script.to_string_lossy()));
        let _ = writeln!(text, "builtin printf 'end {number} %s\\n' \"$?\" >>{told}");
        text.push_str(&shot(&file(&number.to_string()), &names));
    }
    text
}

/// The largest file that a script may write, in blocks of 1024 bytes.
const LARGEST: u64 = 256 << 10;

/// The commands that write the state of the shell to a file. None of them fails: a script may have said `set -e`.
fn shot(to: &str, names: &str) -> String {
    let each = |list: &str, kind: &str, declare: &str, held: &str| {
        format!(
            "builtin compgen {list} >|{names} || :
while IFS= builtin read -r {OWN}name; do
builtin printf '{kind}\\0%s\\0' \"${OWN}name\"
builtin {declare} \"${OWN}name\" 2>/dev/null || :
builtin printf '\\0%s\\0' {held}
done <{names} >>{to}
"
        )
    };
    let one = |kind: &str, name: &str, commands: &[&str]| {
        let commands: Vec<String> = commands.iter().map(|it| format!("builtin {it} || :;")).collect();
        let commands = commands.join(" ");
        format!("{{ builtin printf '{kind}\\0{name}\\0'; {commands} builtin printf '\\0\\0'; }} >>{to}\n")
    };
    [
        each("-v", "variable", "declare -p", &format!("\"${{!{OWN}name-}}\"")),
        each("-A function", "function", "declare -f", "''"),
        each("-a", "alias", "alias", "''"),
        one("options", "", &["set +o", "shopt -p"]),
        one("plain", "the traps (`trap`)", &["trap -p"]),
        one("plain", "the working directory", &["pwd"]),
        one("plain", "the mask of new files (`umask`)", &["umask"]),
    ]
    .concat()
}
