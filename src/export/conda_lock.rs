//! conda-lock's unified lock file, version 1 (`conda_lock/lockfile/v1/models.py`).

use std::collections::BTreeMap;

use super::{
    environment::{address, without_url},
    error::ExportError,
    facts::{Contents, Origin, PackageFacts},
    format::Export,
    order::name_of,
    yaml::{Lines, scalar},
};
use crate::base::Digest;

pub(super) fn write(contents: &Contents) -> Result<Export, ExportError> {
    let lacking = |what: &'static str, known: &dyn Fn(&PackageFacts) -> bool| {
        let packages: Vec<String> =
            contents.packages.iter().filter(|it| !known(it)).map(|it| it.name.clone()).collect();
        if packages.is_empty() { Ok(()) } else { Err(ExportError::Unknown { format: "conda-lock", what, packages }) }
    };
    lacking("the URL", &|it| it.url.is_some())?;
    lacking("the MD5", &|it| it.md5.is_some())?;

    let platform = contents.platform.to_string();
    let mut packages = Lines::default();
    for package in &contents.packages {
        conda(&mut packages, package, &platform);
    }
    let mut unknown = Vec::new();
    for python in &contents.python {
        let url = match &python.origin {
            Origin::Archive { url, .. } => Some(url.to_string()),
            _ => address(python),
        };
        let Some(url) = url else {
            unknown.push(python);
            continue;
        };
        let sha256 = match &python.origin {
            Origin::Archive { sha256, .. } => sha256.as_deref(),
            _ => None,
        };
        entry(&mut packages, &python.name, &python.version, "pip", &platform);
        dependencies(&mut packages, &BTreeMap::new());
        packages.pair(1, "url", &url);
        hashes(&mut packages, None, sha256);
        packages.line(1, "source:");
        packages.line(2, "type: url");
        packages.pair(2, "url", &url);
        packages.line(1, "category: main");
        packages.line(1, "optional: false");
    }
    let warnings = without_url("conda-lock", &unknown);
    let packages = packages.finish();
    let mut lines = Lines::default();
    lines.comments(&warnings);
    lines.line(0, "version: 1");
    lines.line(0, "metadata:");
    lines.line(1, "content_hash:");
    // conda-lock's own is of the file that it solved, and compared with that file only. Any will do that changes with
    // the packages.
    lines.pair(2, &platform, &Digest::of(&packages).to_string());
    lines.line(1, "channels:");
    for channel in contents.channels() {
        lines.line(1, &format!("- url: {}", scalar(&channel)));
        lines.line(2, "used_env_vars: []");
    }
    lines.list(1, "platforms", &[platform]);
    lines.line(1, "sources: []");
    lines.line(0, "package:");
    Ok(Export { text: lines.finish() + &packages, warnings })
}

fn conda(lines: &mut Lines, package: &PackageFacts, platform: &str) {
    let mut depends: BTreeMap<&str, &str> = BTreeMap::new();
    for spec in &package.depends {
        let name = name_of(spec);
        depends.insert(name, spec.split_once(name).map_or("", |(_, rest)| rest.trim()));
    }
    entry(lines, &package.name, &package.version, "conda", platform);
    dependencies(lines, &depends);
    lines.pair_if(1, "url", package.url.as_ref().map(url::Url::as_str));
    hashes(lines, package.md5.as_deref(), package.sha256.as_deref());
    lines.line(1, "category: main");
    lines.line(1, "optional: false");
}

fn entry(lines: &mut Lines, name: &str, version: &str, manager: &str, platform: &str) {
    lines.line(0, &format!("- name: {}", scalar(name)));
    lines.pair(1, "version", version);
    lines.pair(1, "manager", manager);
    lines.pair(1, "platform", platform);
}

fn dependencies(lines: &mut Lines, depends: &BTreeMap<&str, &str>) {
    if depends.is_empty() {
        lines.line(1, "dependencies: {}");
        return;
    }
    lines.line(1, "dependencies:");
    for (name, version) in depends {
        lines.pair(2, name, version);
    }
}

fn hashes(lines: &mut Lines, md5: Option<&str>, sha256: Option<&str>) {
    if md5.is_none() && sha256.is_none() {
        lines.line(1, "hash: {}");
        return;
    }
    lines.line(1, "hash:");
    lines.pair_if(2, "md5", md5);
    lines.pair_if(2, "sha256", sha256);
}
