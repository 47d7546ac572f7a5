//! The records of installed packages.

/// Whether a file of an environment, by its name relative to the prefix, is the record of a package: `conda-meta/*.json`.
pub fn is_record(name: &[u8]) -> bool {
    name.strip_prefix(b"conda-meta/").is_some_and(|file| file.ends_with(b".json") && !file.contains(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::is_record;

    #[test]
    fn records_lie_in_one_folder() {
        assert!(is_record(b"conda-meta/x-1-0.json"));
        for other in ["conda-meta/history", "conda-meta/envbuild/needs.json", "share/conda-meta/x-1-0.json"] {
            assert!(!is_record(other.as_bytes()), "{other}");
        }
    }
}
