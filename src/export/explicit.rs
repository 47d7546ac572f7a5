//! URLs with hashes, as `conda list --explicit --md5` prints them (CEP 23).
//!
//! conda, mamba, micromamba and rattler all read `#MD5`. A package whose MD5 nobody knows has `#sha256:…`, which conda
//! and rattler read always, and mamba since its version 2.

use std::fmt::Write as _;

use super::{environment::requirements, facts::Contents, format::Export, order::installable};

/// What can be done about packages that no URL names.
const INSTEAD: &str =
    "a bundle (`envbuild pack ENV -o FILE.bundle`) holds the packages themselves, and an explicit.txt of them";

pub(super) fn write(contents: &Contents) -> Export {
    let mut without = Vec::new();
    let mut text = format!(
        "# This file may be used to create an environment using:\n\
         # $ conda create --name <env> --file <this file>\n\
         # platform: {}\n\
         # created-by: envbuild {}\n\
         @EXPLICIT\n",
        contents.platform,
        env!("CARGO_PKG_VERSION")
    );
    for package in installable(&contents.packages) {
        let Some(url) = &package.url else {
            let _ = writeln!(text, "# no URL for: {}", package.file_name);
            without.push(format!("{} {}", package.name, package.version));
            continue;
        };
        let _ = match (&package.md5, &package.sha256) {
            (Some(md5), _) => writeln!(text, "{url}#{md5}"),
            (None, Some(sha256)) => writeln!(text, "{url}#sha256:{sha256}"),
            (None, None) => writeln!(text, "{url}"),
        };
    }
    let mut warnings = Vec::new();
    if !without.is_empty() {
        warnings.push(format!("packages without a URL are left out: {}", without.join(", ")));
        if contents.packages.iter().any(|it| it.placeless.is_some()) {
            let _ = writeln!(text, "# {INSTEAD}");
            warnings.push(INSTEAD.to_owned());
        }
    }
    // `conda-lock install` and `micromamba` read these comments.
    let (lines, more) = requirements(contents);
    for line in lines {
        let _ = writeln!(text, "# pip {line}");
    }
    warnings.extend(more);
    if !contents.python.is_empty() {
        warnings.push("conda reads no Python packages from an explicit file: they stand in comments".to_owned());
    }
    Export { text, warnings }
}
