//! Tiny real packages for the tests of this room.

use std::path::{Path, PathBuf};

use rattler_conda_types::compression_level::CompressionLevel;
use rattler_digest::{Sha256, compute_bytes_digest};
use rattler_package_streaming::write::write_conda_package;
use serde_json::json;

/// A package to be written.
pub(super) struct Tiny<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) build: &'a str,
    pub(super) subdir: &'a str,
    pub(super) depends: &'a [&'a str],
    pub(super) timestamp: u64,
    /// The content of its one file.
    pub(super) content: &'a str,
    /// More files of its info folder.
    pub(super) info: &'a [(&'a str, &'a str)],
}

impl Default for Tiny<'_> {
    fn default() -> Self {
        Self {
            name: "tiny",
            version: "1.0",
            build: "site_habc1234_0",
            subdir: "linux-64",
            depends: &[],
            timestamp: 1_700_000_000_000,
            content: "hello",
            info: &[],
        }
    }
}

impl Tiny<'_> {
    /// Writes the archive into a folder and gives its path.
    pub(super) fn write(&self, folder: &Path) -> PathBuf {
        let tree = tempfile::tempdir().unwrap();
        let file = format!("share/{}.txt", self.name);
        let paths = json!({"paths_version": 1, "paths": [{
            "_path": file, "path_type": "hardlink", "size_in_bytes": self.content.len(),
            "sha256": hex::encode(compute_bytes_digest::<Sha256>(self.content)),
        }]});
        let noarch = (self.subdir == "noarch").then_some("generic");
        let index = json!({
            "name": self.name, "version": self.version, "build": self.build, "build_number": 0,
            "subdir": self.subdir, "depends": self.depends, "timestamp": self.timestamp, "noarch": noarch,
        });
        let mut files = vec![
            (file, self.content.to_owned()),
            ("info/index.json".to_owned(), index.to_string()),
            ("info/paths.json".to_owned(), paths.to_string()),
            ("info/hash_input.json".to_owned(), json!({"build": self.build}).to_string()),
        ];
        files.extend(self.info.iter().map(|(name, text)| (format!("info/{name}"), (*text).to_owned())));
        let mut written = Vec::new();
        for (name, text) in files {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            written.push(path);
        }
        let stem = format!("{}-{}-{}", self.name, self.version, self.build);
        std::fs::create_dir_all(folder).unwrap();
        let archive = folder.join(format!("{stem}.conda"));
        let out = std::fs::File::create(&archive).unwrap();
        write_conda_package(out, tree.path(), &written, CompressionLevel::Default, Some(1), &stem, None, None).unwrap();
        archive
    }
}
