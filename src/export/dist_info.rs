//! Python packages by the metadata that installers leave in `site-packages`.
//!
//! The files are those of the "Recording installed projects" and "Direct URL origin" specifications of the PyPA.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::facts::{Origin, PythonFacts};
use crate::conda::without_secrets;

/// The files of a `*.dist-info` folder that are looked at. `METADATA` is in all of them.
pub(super) const FILES: &[&str] = &["METADATA", "INSTALLER", "direct_url.json"];

/// A name as indexes compare it in conda's words.
pub(super) fn normalised(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', '.'], "-")
}

/// What a folder of metadata says. `files` are its files by name: those of [`FILES`], or `PKG-INFO` alone.
///
/// # Errors
/// When it names no package; the text says why.
pub(super) fn parse(files: &BTreeMap<&str, &[u8]>) -> Result<PythonFacts, String> {
    let metadata = files.get("METADATA").or_else(|| files.get("PKG-INFO")).ok_or("it has no METADATA")?;
    let metadata = String::from_utf8_lossy(metadata);
    let headers = headers(&metadata);
    let all = |name: &str| -> Vec<String> {
        headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone()).collect()
    };
    let one = |name: &str| all(name).into_iter().next().filter(|it| !it.is_empty() && it != "UNKNOWN");
    let installer = files.get("INSTALLER").map(|it| String::from_utf8_lossy(it).trim().to_owned());
    Ok(PythonFacts {
        name: normalised(&one("Name").ok_or("its metadata have no `Name`")?),
        version: one("Version").ok_or("its metadata have no `Version`")?,
        installer: installer.filter(|it| !it.is_empty()),
        origin: files.get("direct_url.json").map_or(Ok(Origin::Index), |it| origin(it))?,
        requires: all("Requires-Dist"),
        requires_python: one("Requires-Python"),
        // Some put the licence's whole text there.
        license: one("License-Expression").or_else(|| one("License").filter(|it| it.len() <= 100)),
    })
}

/// The headers of a message as in electronic mail, up to the empty line; a continued line counts for the one before.
fn headers(text: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in text.lines().take_while(|it| !it.trim_end().is_empty()) {
        match (line.starts_with([' ', '\t']), line.split_once(':'), headers.last_mut()) {
            (true, _, Some((_, value))) => {
                value.push('\n');
                value.push_str(line.trim());
            }
            (false, Some((name, value)), _) => headers.push((name.to_owned(), value.trim().to_owned())),
            _ => {}
        }
    }
    headers
}

fn origin(direct_url: &[u8]) -> Result<Origin, String> {
    let bad = |why: &dyn std::fmt::Display| format!("direct_url.json: {why}");
    let value: Value = serde_json::from_slice(direct_url).map_err(|error| bad(&error))?;
    let url = value["url"].as_str().ok_or_else(|| bad(&"it has no `url`"))?;
    let url = without_secrets(&Url::parse(url).map_err(|error| bad(&error))?);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if url.scheme() == "file" {
        return Ok(Origin::Local { editable: value["dir_info"]["editable"] == true });
    }
    if let (Some(kind), Some(commit)) = (text(&value["vcs_info"]["vcs"]), text(&value["vcs_info"]["commit_id"])) {
        return Ok(Origin::Commit { kind, url, commit, subdirectory: text(&value["subdirectory"]) });
    }
    let archive = &value["archive_info"];
    let old = archive["hash"].as_str().and_then(|it| it.strip_prefix("sha256=")).map(str::to_owned);
    Ok(Origin::Archive { url, sha256: text(&archive["hashes"]["sha256"]).or(old) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Origin, parse};

    fn read(metadata: &str, direct_url: &str) -> Result<super::PythonFacts, String> {
        let mut files: BTreeMap<&str, &[u8]> = BTreeMap::from([("METADATA", metadata.as_bytes())]);
        if !direct_url.is_empty() {
            files.insert("direct_url.json", direct_url.as_bytes());
        }
        parse(&files)
    }

    #[test]
    fn metadata_end_at_the_empty_line() {
        let facts = read(
            "Metadata-Version: 2.1\nName: My.Pkg_x\nVersion: 1.0\nRequires-Dist: a>=1; extra == 'b'\nLicense: MIT\n\n\
             Name: other\n",
            "",
        )
        .unwrap();
        assert_eq!((facts.name.as_str(), facts.version.as_str()), ("my-pkg-x", "1.0"));
        assert_eq!(facts.requires, ["a>=1; extra == 'b'"]);
        assert_eq!((facts.license.as_deref(), facts.origin), (Some("MIT"), Origin::Index));
        assert!(read("Name: x\n", "").unwrap_err().contains("Version"));
    }

    #[test]
    fn origins_lose_secrets_and_paths() {
        let of = |json: &str| read("Name: x\nVersion: 1\n", json).unwrap().origin;
        let commit = of(r#"{"url":"https://me:tok@git.example/x.git","subdirectory":"py",
            "vcs_info":{"vcs":"git","requested_revision":"main","commit_id":"abc"}}"#);
        let Origin::Commit { url, commit, subdirectory, .. } = commit else { panic!("{commit:?}") };
        assert_eq!((url.as_str(), commit.as_str()), ("https://git.example/x.git", "abc"));
        assert_eq!(subdirectory.as_deref(), Some("py"));
        let archive = of(r#"{"url":"https://files.example/x-1.whl?sig=1","archive_info":{"hash":"sha256=12"}}"#);
        let Origin::Archive { url, sha256 } = archive else { panic!("{archive:?}") };
        assert_eq!((url.as_str(), sha256.as_deref()), ("https://files.example/x-1.whl", Some("12")));
        let local = of(r#"{"url":"file:///home/me/x","dir_info":{"editable":true}}"#);
        assert_eq!(local, Origin::Local { editable: true });
        assert!(read("Name: x\nVersion: 1\n", "{}").is_err());
    }
}
