//! `pixi.lock`, version 6: the newest that pixi of before 2026 and py-rattler before 0.24 read. Newer ones read it too;
//! what rattler itself writes, version 7, they do not.

use rattler_conda_types::ChannelConfig;

use super::{
    environment::without_url,
    error::ExportError,
    facts::{Contents, Origin, PackageFacts, PythonFacts},
    format::Export,
    yaml::{Lines, scalar},
};

pub(super) fn write(contents: &Contents) -> Result<Export, ExportError> {
    let lacking: Vec<String> =
        contents.packages.iter().filter(|it| it.url.is_none()).map(|it| it.name.clone()).collect();
    if !lacking.is_empty() {
        return Err(ExportError::Unknown { format: "pixi", what: "the URL", packages: lacking });
    }
    let (mut python, mut unknown) = (Vec::new(), Vec::new());
    for facts in &contents.python {
        match location(&facts.origin) {
            Some(location) => python.push((location, facts)),
            None => unknown.push(facts),
        }
    }
    let warnings = without_url("pixi", &unknown);
    let mut lines = Lines::default();
    lines.comments(&warnings);
    lines.line(0, "version: 6");
    lines.line(0, "environments:");
    lines.line(1, "default:");
    lines.line(2, "channels:");
    for channel in contents.channels() {
        lines.line(2, &format!("- url: {}", scalar(&channel_url(&channel))));
    }
    lines.line(2, "packages:");
    lines.line(3, &format!("{}:", contents.platform));
    for package in &contents.packages {
        lines.line(3, &format!("- conda: {}", scalar(package.url.as_ref().map_or("", url::Url::as_str))));
    }
    for (location, _) in &python {
        lines.line(3, &format!("- pypi: {}", scalar(location)));
    }
    lines.line(0, "packages:");
    for package in &contents.packages {
        conda(&mut lines, package);
    }
    for (location, facts) in &python {
        pypi(&mut lines, location, facts);
    }
    Ok(Export { text: lines.finish(), warnings })
}

/// Channels are URLs in this format. No index of Python packages is named: each of them has its own URL.
fn channel_url(name: &str) -> String {
    let alias = ChannelConfig::default_with_root_dir("/".into()).channel_alias;
    match name {
        "defaults" => "https://repo.anaconda.com/pkgs/main/".to_owned(),
        _ if name.starts_with("pkgs/") => format!("https://repo.anaconda.com/{name}/"),
        _ if name.contains("://") => format!("{name}/"),
        _ => format!("{}/{name}/", alias.as_str().trim_end_matches('/')),
    }
}

/// The fields stand in the order in which rattler writes them.
fn conda(lines: &mut Lines, package: &PackageFacts) {
    lines.line(0, &format!("- conda: {}", scalar(package.url.as_ref().map_or("", url::Url::as_str))));
    lines.pair(1, "name", &package.name);
    lines.pair(1, "version", &package.version);
    lines.pair(1, "build", &package.build);
    lines.line(1, &format!("build_number: {}", package.build_number));
    lines.pair(1, "subdir", &package.subdir);
    lines.pair_if(1, "noarch", package.noarch);
    lines.pair_if(1, "sha256", package.sha256.as_deref());
    lines.pair_if(1, "md5", package.md5.as_deref());
    lines.list(1, "depends", &package.depends);
    lines.list(1, "constrains", &package.constrains);
    lines.pair_if(1, "license", package.license.as_deref());
    if let Some(size) = package.size {
        lines.line(1, &format!("size: {size}"));
    }
    if let Some(timestamp) = package.timestamp {
        lines.line(1, &format!("timestamp: {timestamp}"));
    }
    lines.pair_if(1, "python_site_packages_path", package.site_packages.as_deref());
}

fn pypi(lines: &mut Lines, location: &str, facts: &PythonFacts) {
    lines.line(0, &format!("- pypi: {}", scalar(location)));
    lines.pair(1, "name", &facts.name);
    lines.pair(1, "version", &facts.version);
    if let Origin::Archive { sha256, .. } = &facts.origin {
        lines.pair_if(1, "sha256", sha256.as_deref());
    }
    lines.list(1, "requires_dist", &facts.requires);
    lines.pair_if(1, "requires_python", facts.requires_python.as_deref());
}

fn location(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Archive { url, .. } => Some(url.to_string()),
        Origin::Commit { kind, url, commit, subdirectory } => {
            let below = subdirectory.as_ref().map(|it| format!("&subdirectory={it}")).unwrap_or_default();
            Some(format!("{kind}+{url}?rev={commit}{below}#{commit}"))
        }
        Origin::Index | Origin::Local { .. } => None,
    }
}
