//! The places where a source may lie, in the order in which they are asked.

use std::path::PathBuf;

use url::Url;

use super::{SourceRef, hash::Expected};
use crate::recipe::{IndexFile, index_file};

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A file on this machine, in a mirror.
    MirrorFile(PathBuf),
    /// A URL below a mirror.
    MirrorUrl(Url),
    /// A file on this machine that the recipe names.
    File(PathBuf),
    /// One of the recipe's URLs.
    Url(Url),
    /// A file of a Python project, wherever pip would look for it.
    Index(IndexFile),
    /// A text that says where to look, but not in a way that is understood.
    Unclear(String),
}

/// All places of a source behind the store.
pub(super) fn places(source: &SourceRef, expected: &Expected, mirrors: &[String]) -> Vec<Place> {
    let mut names = vec![vec![source.file_name.as_str()]];
    if let Some(sha256) = &expected.sha256 {
        names.push(vec![sha256]);
        names.push(vec![sha256, source.file_name.as_str()]);
    }
    let mut places = Vec::new();
    for mirror in mirrors {
        for name in &names {
            places.push(in_mirror(mirror, name));
        }
    }
    for url in &source.urls {
        if let Ok(Some(file)) = index_file(url) {
            places.push(Place::Index(file));
            continue;
        }
        places.push(match Url::parse(url) {
            Ok(url) if is_http(&url) => Place::Url(url),
            Ok(url) if url.scheme() == "file" => {
                url.to_file_path().map_or(Place::Unclear(url.to_string()), Place::File)
            }
            _ => Place::Unclear(url.clone()),
        });
    }
    places.dedup();
    places
}

fn in_mirror(mirror: &str, name: &[&str]) -> Place {
    let below = |folder: PathBuf| Place::MirrorFile(name.iter().fold(folder, |path, part| path.join(part)));
    match Url::parse(mirror) {
        Ok(mut url) if is_http(&url) => {
            url.path_segments_mut().expect("an http URL has a path").pop_if_empty().extend(name);
            Place::MirrorUrl(url)
        }
        Ok(url) if url.scheme() == "file" => url.to_file_path().map_or(Place::Unclear(mirror.to_owned()), below),
        Ok(_) => Place::Unclear(mirror.to_owned()),
        Err(_) => below(PathBuf::from(mirror)),
    }
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}
