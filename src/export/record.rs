//! A record of `conda-meta`, by whatever program and of whatever year.
//!
//! The fields are those of conda's `PrefixRecord`. Old records lack some, and the same field has had several types, so
//! only a name and a version are insisted on.

use serde_json::Value;
use url::Url;

use super::facts::{PackageFacts, channel_name, channel_of};
use crate::conda::{is_placeless, without_secrets};

/// What a record says: the package, and the files that it owns, relative to the prefix.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) facts: PackageFacts,
    pub(super) files: Vec<String>,
}

/// Reads a record.
///
/// # Errors
/// When it is no JSON, or names no package; the text says why.
pub(super) fn parse(bytes: &[u8]) -> Result<Recorded, String> {
    let record: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let text = |key: &str| record[key].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
    let need = |key: &str| text(key).ok_or_else(|| format!("it has no `{key}`"));
    let list = |key: &str| strings(&record[key]);
    let (name, version) = (need("name")?, need("version")?);
    let build = text("build").or_else(|| text("build_string")).unwrap_or_default();
    let url = text("url").and_then(|it| Url::parse(&it).ok());
    let file_name = text("fn")
        .or_else(|| url.as_ref().and_then(|it| it.path_segments()?.next_back().map(str::to_owned)))
        .unwrap_or_else(|| format!("{name}-{version}-{build}.conda"));
    let subdir = text("subdir").or_else(|| url.as_ref().and_then(subdir_of)).unwrap_or_default();
    let mut requested = list("requested_specs");
    requested.extend(text("requested_spec").filter(|it| it != "None" && !requested.contains(it)));
    // A package that lies in no channel has a URL of this kind in conda's records.
    let url = url.filter(|it| !it.as_str().contains("<unknown>") && !it.as_str().contains("%3Cunknown%3E"));
    let said = text("channel").filter(|it| !it.contains("<unknown>"));
    // A channel that has no place has a name still.
    let (url, placeless) = match url {
        Some(url) if is_placeless(url.as_str(), said.as_deref()) => (None, said.clone()),
        url => (url, None),
    };
    let said = said.filter(|_| placeless.is_none()).map(|it| channel_name(&it));
    let channel = url.as_ref().and_then(channel_of).or(said);
    let facts = PackageFacts {
        build_number: record["build_number"].as_u64().unwrap_or_default(),
        channel,
        placeless,
        url: url.as_ref().map(without_secrets),
        md5: text("md5").filter(|it| is_hex(it, 32)),
        sha256: text("sha256").filter(|it| is_hex(it, 64)),
        size: record["size"].as_u64(),
        license: text("license"),
        depends: list("depends"),
        constrains: list("constrains"),
        noarch: match (record["noarch"].as_str(), record["noarch"].as_bool()) {
            (Some("python"), _) => Some("python"),
            (Some("generic"), _) | (_, Some(true)) => Some("generic"),
            _ => None,
        },
        timestamp: record["timestamp"].as_u64(),
        site_packages: text("python_site_packages_path"),
        name,
        version,
        build,
        subdir,
        file_name,
        requested,
    };
    Ok(Recorded { facts, files: list("files") })
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|it| it.as_str()).map(str::to_owned).collect()
}

fn subdir_of(url: &Url) -> Option<String> {
    url.path_segments()?.rev().nth(1).map(str::to_owned)
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|it| it.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn records_of_all_ages_are_understood() {
        let new = parse(
            br#"{"name":"x","version":"1","build":"0","build_number":3,"subdir":"noarch","fn":"x-1-0.conda",
            "url":"https://a:b@conda.example/t/tk-1/forge/noarch/x-1-0.conda","channel":"https://conda.example/t/tk-1/forge",
            "md5":"0123456789abcdef0123456789abcdef","noarch":"python","depends":["python"],"files":["a"],
            "requested_spec":"x >=1","timestamp":1700000000000,"license":""}"#,
        )
        .unwrap();
        assert_eq!(new.files, ["a"]);
        let facts = new.facts;
        assert_eq!(facts.url.unwrap().as_str(), "https://conda.example/forge/noarch/x-1-0.conda");
        assert_eq!(facts.channel.as_deref(), Some("https://conda.example/forge"));
        assert_eq!((facts.build_number, facts.noarch, facts.license), (3, Some("python"), None));
        assert_eq!(facts.requested, ["x >=1"]);

        let old = parse(br#"{"name":"y","version":"2","build":"py_0","noarch":true,"requested_spec":"None"}"#).unwrap();
        assert_eq!((old.facts.file_name.as_str(), old.facts.noarch), ("y-2-py_0.conda", Some("generic")));
        assert!(old.facts.requested.is_empty() && old.facts.url.is_none() && old.facts.md5.is_none());

        // As an archive has them of a project's own channel, and conda of what lies in none.
        let placeless = parse(
            br#"{"name":"z","version":"2","subdir":"noarch","url":"file:///output/noarch/z-2-0.conda","channel":"output"}"#,
        );
        let placeless = placeless.unwrap().facts;
        assert_eq!((placeless.channel, placeless.url), (None, None));
        assert_eq!((placeless.placeless.as_deref(), placeless.file_name.as_str()), (Some("output"), "z-2-0.conda"));
        let nowhere =
            parse(br#"{"name":"z","version":"2","url":"<unknown>/z-2-0.conda","channel":"<unknown>"}"#).unwrap();
        assert_eq!((nowhere.facts.channel, nowhere.facts.placeless, nowhere.facts.url), (None, None, None));

        assert!(parse(b"{}").unwrap_err().contains("`name`"));
        assert!(parse(b"nothing").is_err());
    }
}
