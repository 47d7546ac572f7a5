//! `environment.yml`, as `conda env export` writes it; but without `prefix:`, which is a path of one machine.

use super::{
    facts::{Contents, Origin, PythonFacts},
    format::Export,
    yaml::{Lines, scalar},
};

pub(super) fn write(contents: &Contents, builds: bool) -> Export {
    let (pip, left_out) = requirements(contents);
    let mut lines = Lines::default();
    lines.pair(0, "name", &contents.name);
    let channels = contents.channels();
    lines.line(0, if channels.is_empty() { "channels: []" } else { "channels:" });
    for channel in channels {
        lines.line(1, &format!("- {}", scalar(&channel)));
    }
    lines.line(0, "dependencies:");
    for package in &contents.packages {
        let spec = if builds && !package.build.is_empty() {
            format!("{}={}={}", package.name, package.version, package.build)
        } else {
            format!("{}={}", package.name, package.version)
        };
        lines.line(1, &format!("- {}", scalar(&spec)));
    }
    if !pip.is_empty() {
        lines.line(1, "- pip:");
        for line in &pip {
            lines.line(3, &format!("- {}", scalar(line)));
        }
    }
    if !contents.variables.is_empty() {
        lines.line(0, "variables:");
        for (name, value) in &contents.variables {
            lines.pair(1, name, value);
        }
    }
    lines.comments(&contents.without_place());
    lines.comments(&left_out);
    Export { text: lines.finish(), warnings: left_out }
}

/// The Python packages that no conda package brought as pip's requirements, sorted by name; and sentences about those
/// that pip cannot get, because they came from a folder of the machine.
pub fn requirements(contents: &Contents) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut left_out) = (Vec::new(), Vec::new());
    for python in &contents.python {
        match requirement(python) {
            Some(line) => lines.push(line),
            None => left_out.push(left_out_because(python)),
        }
    }
    (lines, left_out)
}

fn requirement(python: &PythonFacts) -> Option<String> {
    let PythonFacts { name, version, .. } = python;
    match &python.origin {
        Origin::Index => Some(format!("{name}=={version}")),
        Origin::Local { .. } => None,
        _ => Some(format!("{name} @ {}", address(python)?)),
    }
}

/// The URL that pip gets a package by; none when it came from an index or a folder.
pub(super) fn address(python: &PythonFacts) -> Option<String> {
    match &python.origin {
        Origin::Archive { url, sha256: Some(sha256) } => Some(format!("{url}#sha256={sha256}")),
        Origin::Archive { url, sha256: None } => Some(url.to_string()),
        Origin::Commit { kind, url, commit, subdirectory } => {
            let below = subdirectory.as_ref().map(|it| format!("#subdirectory={it}")).unwrap_or_default();
            Some(format!("{kind}+{url}@{commit}{below}"))
        }
        Origin::Index | Origin::Local { .. } => None,
    }
}

fn left_out_because(python: &PythonFacts) -> String {
    let how =
        if python.origin == (Origin::Local { editable: true }) { "editable, from a folder" } else { "from a path" };
    format!("{} {} was installed {how} of its machine, so it is left out", python.name, python.version)
}

/// A sentence about the Python packages that a format leaves out because nobody wrote down where they are from.
pub(super) fn without_url(format: &str, packages: &[&PythonFacts]) -> Vec<String> {
    let names: Vec<String> = packages.iter().map(|it| format!("{} {}", it.name, it.version)).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let names = names.join(", ");
    vec![format!("{format} needs the URL of each Python package, and nobody wrote down that of {names}: left out")]
}
