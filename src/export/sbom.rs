//! A software bill of materials: CycloneDX 1.6 in JSON (<https://cyclonedx.org/docs/1.6/json/>).
//!
//! Nothing in it depends on when or where it was made: the serial number is the digest of the rest, and packages of a
//! local channel are named without its path.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Map, Value, json};

use super::{
    dist_info::normalised,
    environment::address,
    facts::{Contents, Origin, PackageFacts, PythonFacts},
    format::Export,
    order::name_of,
};
use crate::{
    base::Digest,
    conda::{public_channel, without_secrets},
};

/// What the environment itself is called among the components.
const ROOT: &str = "environment";

/// A channel as anybody may read it: a local one by its name.
fn without_place(channel: &str) -> String {
    public_channel(channel, &["/".into()])
}

/// What a package's channel is called.
fn channel(package: &PackageFacts) -> Option<String> {
    package.channel.as_deref().map(without_place).or_else(|| package.placeless.clone())
}

/// All channels, each once.
fn channels(contents: &Contents) -> Vec<String> {
    let mut channels: Vec<String> = Vec::new();
    let named = contents.solved_from.iter().map(|it| without_place(it));
    for channel in named.chain(contents.packages.iter().filter_map(channel)) {
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    channels
}

pub(super) fn write(contents: &Contents) -> Export {
    let refs = References::new(contents);
    let mut components = Vec::new();
    let mut depends: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (package, reference) in contents.packages.iter().zip(&refs.conda) {
        components.push(conda(package, reference));
        let needs = package.depends.iter().filter_map(|it| refs.conda_by_name.get(name_of(it)));
        depends.insert(reference.clone(), needs.filter(|it| *it != reference).cloned().collect());
    }
    for (package, reference) in contents.python.iter().zip(&refs.python) {
        components.push(python(package, reference));
        let needs = package.requires.iter().filter(|it| !is_extra(it)).filter_map(|it| refs.of_requirement(it));
        depends.insert(reference.clone(), needs.filter(|it| *it != reference).cloned().collect());
    }
    components.sort_by(|one, other| one["bom-ref"].as_str().cmp(&other["bom-ref"].as_str()));
    depends.insert(ROOT.to_owned(), roots(contents, &refs, &depends));
    let dependencies: Vec<Value> = depends
        .iter()
        .map(|(reference, needs)| json!({"ref": reference, "dependsOn": needs.iter().collect::<Vec<_>>()}))
        .collect();
    let mut properties = vec![property("envbuild:platform", &contents.platform.to_string())];
    properties.extend(channels(contents).iter().map(|it| property("envbuild:channel", it)));
    let mut bom = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "",
        "version": 1,
        "metadata": {
            "tools": {
                "components": [{"type": "application", "name": "envbuild", "version": env!("CARGO_PKG_VERSION")}],
            },
            "component": {"type": "platform", "bom-ref": ROOT, "name": contents.name, "properties": properties},
        },
        "components": components,
        "dependencies": dependencies,
    });
    bom["serialNumber"] = serial_number(&Digest::of(bom.to_string())).into();
    let mut text = format!("{bom:#}");
    text.push('\n');
    Export { text, warnings: Vec::new() }
}

/// How components are referred to: by their package URL, and a number where two have the same.
struct References {
    conda: Vec<String>,
    python: Vec<String>,
    conda_by_name: BTreeMap<String, String>,
    python_by_name: BTreeMap<String, String>,
}

impl References {
    fn new(contents: &Contents) -> Self {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut unique = |purl: String| {
            let count = seen.entry(purl.clone()).or_default();
            *count += 1;
            if *count == 1 { purl } else { format!("{purl}#{count}") }
        };
        let conda: Vec<String> = contents.packages.iter().map(|it| unique(conda_purl(it))).collect();
        let python: Vec<String> = contents.python.iter().map(|it| unique(python_purl(it))).collect();
        let names = contents.packages.iter().map(|it| it.name.clone());
        let conda_by_name = names.zip(conda.iter().cloned()).collect();
        let python_by_name = contents.python.iter().map(|it| it.name.clone()).zip(python.iter().cloned()).collect();
        Self { conda, python, conda_by_name, python_by_name }
    }

    /// What a requirement of a Python package is met by: another one, or a conda package of the same name.
    fn of_requirement(&self, requirement: &str) -> Option<&String> {
        let end = requirement.find(|it: char| !(it.is_ascii_alphanumeric() || "._-".contains(it)));
        let name = normalised(&requirement[..end.unwrap_or(requirement.len())]);
        let conda = || self.conda_by_name.iter().find(|(it, _)| normalised(it) == name).map(|(_, reference)| reference);
        self.python_by_name.get(&name).or_else(conda)
    }
}

/// Whether a requirement counts only for a feature that somebody asks for.
fn is_extra(requirement: &str) -> bool {
    requirement.split_once(';').is_some_and(|(_, marker)| marker.contains("extra"))
}

/// What the environment needs itself: what was asked for, and what nothing else needs.
fn roots(contents: &Contents, refs: &References, depends: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let needed: BTreeSet<&String> = depends.values().flatten().collect();
    let asked = contents.packages.iter().zip(&refs.conda).filter(|(it, _)| !it.requested.is_empty()).map(|(_, it)| it);
    let asked: BTreeSet<&String> = asked.collect();
    let all = refs.conda.iter().chain(&refs.python);
    all.filter(|it| !needed.contains(it) || asked.contains(it)).cloned().collect()
}

fn conda(package: &PackageFacts, reference: &str) -> Value {
    let mut component = component(reference, &package.name, &package.version, &conda_purl(package));
    let hashes: Vec<Value> = [("MD5", &package.md5), ("SHA-256", &package.sha256)]
        .into_iter()
        .filter_map(|(alg, hash)| Some(json!({"alg": alg, "content": hash.as_ref()?.to_lowercase()})))
        .collect();
    if !hashes.is_empty() {
        component.insert("hashes".to_owned(), hashes.into());
    }
    add_licence(&mut component, package.license.as_deref());
    if let Some(url) = package.url.as_ref().filter(|it| it.scheme() != "file") {
        let url = without_secrets(url).to_string();
        component.insert("externalReferences".to_owned(), json!([{"type": "distribution", "url": url}]));
    }
    let mut properties = vec![
        property("envbuild:build", &package.build),
        property("envbuild:subdir", &package.subdir),
        property("envbuild:file", &package.file_name),
    ];
    properties.extend(package.size.map(|it| property("envbuild:size", &it.to_string())));
    // Without it, the name of a folder in the package's URL would be taken for that of a channel of conda's.
    properties.extend(package.is_of_a_folder().then(|| property("envbuild:origin", "local channel")));
    component.insert("properties".to_owned(), properties.into());
    component.into()
}

fn python(package: &PythonFacts, reference: &str) -> Value {
    let mut component = component(reference, &package.name, &package.version, &python_purl(package));
    if let Origin::Archive { sha256: Some(sha256), .. } = &package.origin {
        component.insert("hashes".to_owned(), json!([{"alg": "SHA-256", "content": sha256.to_lowercase()}]));
    }
    add_licence(&mut component, package.license.as_deref());
    let reference = match &package.origin {
        Origin::Archive { url, .. } => Some(json!([{"type": "distribution", "url": url}])),
        Origin::Commit { url, .. } => Some(json!([{"type": "vcs", "url": url}])),
        Origin::Index | Origin::Local { .. } => None,
    };
    component.extend(reference.map(|it| ("externalReferences".to_owned(), it)));
    let mut properties: Vec<Value> = package.installer.iter().map(|it| property("envbuild:installer", it)).collect();
    if let Origin::Local { editable } = package.origin {
        properties.push(property("envbuild:origin", if editable { "editable folder" } else { "local path" }));
    }
    if !properties.is_empty() {
        component.insert("properties".to_owned(), properties.into());
    }
    component.into()
}

fn component(reference: &str, name: &str, version: &str, purl: &str) -> Map<String, Value> {
    [("type", "library"), ("bom-ref", reference), ("name", name), ("version", version), ("purl", purl)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect()
}

fn property(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

/// An SPDX expression where the licence is one, the recipe's words otherwise.
fn add_licence(component: &mut Map<String, Value>, licence: Option<&str>) {
    if let Some(licence) = licence {
        let is_expression = spdx::Expression::parse(licence).is_ok();
        let told = if is_expression { json!({"expression": licence}) } else { json!({"license": {"name": licence}}) };
        component.insert("licenses".to_owned(), json!([told]));
    }
}

/// The package URL of a conda package. Of a channel that has no short name it holds the URL, and of a local one the name
/// of its folder.
fn conda_purl(package: &PackageFacts) -> String {
    let archive = if package.file_name.ends_with(".tar.bz2") { "tar.bz2" } else { "conda" };
    let channel = channel(package).unwrap_or_default();
    let qualifiers =
        [("build", package.build.as_str()), ("channel", &channel), ("subdir", &package.subdir), ("type", archive)];
    purl("conda", &package.name, &package.version, &qualifiers)
}

fn python_purl(package: &PythonFacts) -> String {
    let address = address(package).unwrap_or_default();
    let qualifier = match package.origin {
        Origin::Archive { .. } => ("download_url", address.split('#').next().unwrap_or_default()),
        _ => ("vcs_url", address.as_str()),
    };
    purl("pypi", &package.name, &package.version, &[qualifier])
}

/// A package URL; qualifiers come sorted, and those without a value are left out.
/// <https://github.com/package-url/purl-spec>
fn purl(kind: &str, name: &str, version: &str, qualifiers: &[(&str, &str)]) -> String {
    let mut purl = format!("pkg:{kind}/{}@{}", encoded(name), encoded(version));
    let set = qualifiers.iter().filter(|(_, value)| !value.is_empty());
    for (number, (key, value)) in set.enumerate() {
        let _ = write!(purl, "{}{key}={}", if number == 0 { '?' } else { '&' }, encoded(value));
    }
    purl
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A UUID of version 8 (RFC 9562: its bits are the maker's own) out of a digest.
fn serial_number(digest: &Digest) -> String {
    let hex = digest.to_string();
    let variant = ["8", "9", "a", "b"][usize::from(hex.as_bytes()[16] % 4)];
    format!("urn:uuid:{}-{}-8{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
