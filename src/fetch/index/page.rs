//! The pages of an index: the simple repository API as HTML (PEP 503) and as JSON (PEP 691).

use serde::Deserialize;
use url::Url;

/// What a page may be, the best first; the header that PEP 691 gives clients which read both forms.
pub(super) const ACCEPT: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";

/// A file on a page. Whether it was yanked does not matter: a recipe asks for this one file and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The name of the file.
    pub(super) name: String,
    /// Where it lies.
    pub(super) url: Url,
    /// Its sha256, when the page tells.
    pub(super) sha256: Option<String>,
}

#[derive(Deserialize)]
struct Json {
    meta: Meta,
    files: Vec<JsonFile>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "api-version")]
    version: String,
}

#[derive(Deserialize)]
struct JsonFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: std::collections::BTreeMap<String, String>,
}

/// Reads a page: `kind` is its content type, `base` its own address. The error is the end of a sentence.
pub(super) fn links(text: &str, kind: &str, base: &Url) -> Result<Vec<Link>, String> {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.ends_with("+json") || kind == "application/json" { json(text, base) } else { Ok(html(text, base)) }
}

fn json(text: &str, base: &Url) -> Result<Vec<Link>, String> {
    let page: Json = serde_json::from_str(text).map_err(|error| format!("is no page of an index: {error}"))?;
    if page.meta.version.split('.').next() != Some("1") {
        return Err(format!("speaks version {} of the simple API, and only 1 is known", page.meta.version));
    }
    let link = |file: JsonFile| {
        let sha256 = file.hashes.get("sha256").map(|it| it.to_ascii_lowercase());
        Some(Link { name: file.filename, url: base.join(&file.url).ok()?, sha256 })
    };
    Ok(page.files.into_iter().filter_map(link).collect())
}

/// The links of an HTML page. A file is called like the last part of its address, as it is for pip.
fn html(text: &str, base: &Url) -> Vec<Link> {
    let tags = tags(text);
    let named = tags.iter().find(|(name, _)| name == "base").and_then(|(_, href)| base.join(href).ok());
    let base = named.as_ref().unwrap_or(base);
    let link = |href: &str| {
        let mut url = base.join(href).ok()?;
        let name = decoded(url.path_segments()?.next_back().filter(|it| !it.is_empty())?);
        let hashes = url.fragment().into_iter().flat_map(|it| it.split('&'));
        let sha256 = hashes.filter_map(|it| it.strip_prefix("sha256=")).map(str::to_ascii_lowercase).next();
        url.set_fragment(None);
        Some(Link { name, url, sha256 })
    };
    tags.iter().filter(|(name, _)| name == "a").filter_map(|(_, href)| link(href)).collect()
}

/// The `href`s of a page's elements, each with the element's name.
fn tags(text: &str) -> Vec<(String, String)> {
    let mut tags = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |it| it.1);
            continue;
        }
        let end = rest.find(|it: char| !it.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        rest = &rest[end..];
        if !name.is_empty()
            && let Some(href) = href(&mut rest)
        {
            tags.push((name, href));
        }
    }
    tags
}

/// Reads the attributes of an element up to its end and gives the `href` among them.
fn href(rest: &mut &str) -> Option<String> {
    let mut found = None;
    loop {
        *rest = rest.trim_start_matches(|it: char| it.is_ascii_whitespace() || it == '/');
        if rest.is_empty() || rest.starts_with('>') {
            return found;
        }
        let end = rest.find(|it: char| it.is_ascii_whitespace() || "=>/".contains(it)).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        // A stray character is no attribute, and may not be looked at for ever.
        *rest = &rest[if end == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { end }..];
        let Some(value) = rest.trim_start().strip_prefix('=') else { continue };
        let value = value.trim_start();
        let (value, after) = match value.chars().next().filter(|it| matches!(it, '"' | '\'')) {
            Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            None => value.split_at(value.find(|it: char| it.is_ascii_whitespace() || it == '>').unwrap_or(value.len())),
        };
        if name == "href" && found.is_none() {
            found = Some(unescaped(value).trim().to_owned());
        }
        *rest = after;
    }
}

/// Replaces character references, as far as addresses have them.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let reference = part.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        match reference {
            Some((character, after)) => {
                plain.push(character);
                plain.push_str(after);
            }
            None => {
                plain.push('&');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn character(name: &str) -> Option<char> {
    let number = |name: &str| match name.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok(),
        None => name.parse().ok(),
    };
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => char::from_u32(number(name.strip_prefix('#')?)?),
    }
}

/// Replaces `%2B` and the like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%').and_then(|it| hex::decode(it).ok());
        match digits {
            Some(byte) => {
                bytes.extend(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
