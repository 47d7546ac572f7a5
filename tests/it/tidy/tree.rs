//! Rules about the repository's files, whatever is in them.

use std::{fs, process::Command};

use crate::support::{files_below, repository, skip};

/// The files that are in git or would be added to it.
fn tracked() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(repository())
        .output();
    match listed {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
        }
        _ => {
            skip("git checkout");
            Vec::new()
        }
    }
}

/// Every file and folder in tests/it has its `mod` line.
pub(super) fn forgotten_tests() -> Vec<String> {
    let folder = repository().join("tests/it");
    let mut complaints = Vec::new();
    for file in files_below(&folder) {
        let Some(name) = file.file_stem().filter(|_| file.extension().is_some_and(|it| it == "rs")) else { continue };
        let parent = file.parent().unwrap();
        let owner = match (parent.to_str().unwrap(), name.to_str().unwrap()) {
            ("", "main") | (_, "mod") => continue,
            ("", _) => folder.join("main.rs"),
            (parent, _) if folder.join(parent).join("mod.rs").exists() => folder.join(parent).join("mod.rs"),
            (parent, _) => folder.join(format!("{parent}.rs")),
        };
        let line = format!("mod {};", name.to_string_lossy());
        if !fs::read_to_string(&owner).unwrap_or_default().lines().any(|it| it.ends_with(&line)) {
            complaints.push(format!("tests/it/{}:1: `{line}` is missing in {}", file.display(), owner.display()));
        }
    }
    complaints
}

/// No file names a place that only one machine has, or the host of a registry.
pub(super) fn machines() -> Vec<String> {
    // In halves, because this file is looked at as well.
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/home", "/runner")];
    let hosts = [concat!("index.", "crates.", "io"), concat!("static.", "crates.", "io"), concat!("python", "hosted.")];
    let mut complaints = Vec::new();
    for file in tracked().iter().filter(|it| *it != "Cargo.lock") {
        let Ok(text) = fs::read_to_string(repository().join(file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            // A place is absolute: nothing that could be the end of another path stands before it.
            let is_start =
                |at: usize| !line[..at].ends_with(|it: char| it.is_alphanumeric() || "._-~}])>*".contains(it));
            let absolute = |place: &&&str| line.match_indices(**place).any(|(at, _)| is_start(at));
            let host = |host: &&&str| line.contains(**host);
            for found in places.iter().filter(absolute).chain(hosts.iter().filter(host)) {
                complaints.push(format!("{file}:{}: `{found}` is of one machine", number + 1));
            }
        }
    }
    complaints
}

/// Every folder of `recipes/` and `examples/` is named in README.md there or above.
pub(super) fn unnamed_folders() -> Vec<String> {
    let mut complaints = Vec::new();
    let readme = |path: &str| fs::read_to_string(repository().join(path)).unwrap_or_default();
    for kind in ["recipes", "examples"] {
        let text = readme(&format!("{kind}/README.md")) + &readme("README.md");
        let mut folders: Vec<String> = tracked()
            .iter()
            .filter_map(|it| Some(it.strip_prefix(&format!("{kind}/"))?.split_once('/')?.0.to_owned()))
            .collect();
        folders.dedup();
        let unnamed = folders.iter().filter(|it| !text.contains(it.as_str()));
        complaints.extend(unnamed.map(|it| format!("{kind}/{it}:1: no README.md names it")));
    }
    complaints
}
