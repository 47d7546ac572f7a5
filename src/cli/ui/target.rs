//! What an environment needs and a target does not have.

use serde_json::json;

use super::{
    data::{data, note},
    json::print,
};
use crate::{
    base::FsError,
    cli::args::Global,
    needs::{Needs, Violation},
};

/// An environment held against a target.
pub(in crate::cli) struct Judged<'a> {
    /// The target, as it was named.
    pub(in crate::cli) target: &'a str,
    /// What the environment needs.
    pub(in crate::cli) needs: &'a Needs,
    /// What is missing.
    pub(in crate::cli) violations: &'a [Violation],
    /// What is needed and the target says nothing of.
    pub(in crate::cli) unsaid: &'a [String],
}

/// `check --target`: a line for each violation; and what is needed at all, for the one who is not quiet.
pub(in crate::cli) fn target_text(judged: &Judged<'_>, global: &Global) -> Result<(), FsError> {
    let lines: Vec<String> = judged.violations.iter().map(ToString::to_string).collect();
    if !lines.is_empty() {
        data(&lines.join("\n"))?;
    }
    if global.quiet {
        return Ok(());
    }
    for name in judged.unsaid {
        note(&format!("warning: {name} is needed, and the target says nothing of it"));
    }
    for file in &judged.needs.damaged {
        note(&format!("warning: {file} is a damaged executable or library, and was passed over"));
    }
    note(&format!("{}: {}", judged.target, summary(judged)));
    Ok(())
}

fn summary(judged: &Judged<'_>) -> String {
    let needs = judged.needs;
    let mut words = vec![format!("{} executables and libraries", needs.elf_files)];
    words.extend(needs.glibc.as_ref().map(|it| format!("they need glibc {}", it.version)));
    words.extend(needs.cpu.as_ref().map(|it| format!("a processor of {}", it.level)));
    let cxx = needs.symbols.iter().filter(|it| it.name == "GLIBCXX" || it.name == "CXXABI");
    words.extend(cxx.map(|it| format!("{}_{} of {}", it.name, it.version, it.library)));
    words.push(match judged.violations.len() {
        0 => "nothing is missing".to_owned(),
        1 => "1 thing is missing".to_owned(),
        count => format!("{count} things are missing"),
    });
    words.join(", ")
}

/// `check --target --format json`.
pub(in crate::cli) fn target_json(judged: &Judged<'_>) -> Result<(), FsError> {
    let Judged { target, needs, violations, unsaid } = judged;
    print(&json!({
        "target": target,
        "violations": violations,
        "unsaid": unsaid,
        "needs": {
            "platform": needs.platform,
            "elf_files": needs.elf_files,
            "glibc": needs.glibc,
            "symbols": needs.symbols,
            "cpu": needs.cpu,
            "libraries": needs.libraries,
            "virtual_packages": needs.virtual_packages,
            "host": needs.host,
            "damaged": needs.damaged,
        },
    }))
}
