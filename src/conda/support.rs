//! Tiny real packages for the tests of this room and of the channel.

use std::{
    collections::HashMap,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rattler_conda_types::compression_level::CompressionLevel;
use rattler_digest::{Sha256, compute_bytes_digest};
use rattler_package_streaming::write::write_conda_package;
use serde_json::json;

use super::{
    Sealed,
    archive::{Archive, Member},
    content::{combine, hash},
    name::DIGITS,
    seal,
};

/// A package to be written.
pub(crate) struct Tiny<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) build: &'a str,
    pub(crate) subdir: &'a str,
    pub(crate) depends: &'a [&'a str],
    pub(crate) timestamp: u64,
    /// The content of its file.
    pub(crate) content: &'a str,
    /// Whether the file is executable.
    pub(crate) executable: bool,
    /// The target of a link beside the file.
    pub(crate) link: Option<&'a str>,
    /// More files of its info folder.
    pub(crate) info: &'a [(&'a str, &'a str)],
}

impl Default for Tiny<'_> {
    fn default() -> Self {
        Self {
            name: "tiny",
            version: "1.0",
            build: "site_habc1234_0_0000000000",
            subdir: "linux-64",
            depends: &[],
            timestamp: 1_700_000_000_000,
            content: "hello",
            executable: false,
            link: None,
            info: &[],
        }
    }
}

impl Tiny<'_> {
    /// Writes the archive under its final name.
    pub(crate) fn seal(&self, folder: &Path) -> Sealed {
        seal(&self.write(&folder.join("provisional")), self.build, folder).unwrap()
    }

    /// Writes the archive as it comes from a build, and gives its path.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
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
        if self.executable {
            std::fs::set_permissions(&written[0], std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        if let Some(target) = self.link {
            written.push(tree.path().join("share/link"));
            std::os::unix::fs::symlink(target, tree.path().join("share/link")).unwrap();
        }
        let stem = format!("{}-{}-{}", self.name, self.version, self.build);
        std::fs::create_dir_all(folder).unwrap();
        let archive = folder.join(format!("{stem}.conda"));
        let out = std::fs::File::create(&archive).unwrap();
        write_conda_package(out, tree.path(), &written, CompressionLevel::Default, Some(1), &stem, None, None).unwrap();
        archive
    }
}

/// Two archives with the same name and different content: forty bits can be made to clash, in a million tries.
pub(crate) fn clash(folder: &Path) -> (Sealed, Sealed) {
    let text = |number: u32| format!("number {number:010}");
    let sealed =
        |number: u32, at: &str| Tiny { info: &[("try", &text(number))], ..Tiny::default() }.seal(&folder.join(at));
    let mut archive = Archive::open(&sealed(0, "start").path).unwrap();
    let build = archive.build().unwrap();
    let info = archive.info(&build, Tiny::default().build).unwrap();
    let (metadata, pkg) = (hash(&mut archive, Member::Metadata).unwrap(), hash(&mut archive, Member::Pkg).unwrap());
    // All that comes before the number is the same for every try.
    let at = info.windows(text(0).len()).position(|it| it == text(0).as_bytes()).unwrap();
    let behind = at + text(0).len();
    let mut start = blake3::Hasher::new();
    start.update(&info[..at]);
    let mut seen = HashMap::new();
    for number in 0_u32.. {
        let mut hasher = start.clone();
        hasher.update(text(number).as_bytes()).update(&info[behind..]);
        let content = combine(metadata, pkg, hasher.finalize()).finalize();
        let digits: [u8; DIGITS / 2] = content.as_bytes()[..DIGITS / 2].try_into().unwrap();
        if let Some(other) = seen.insert(digits, number) {
            return (sealed(other, "one"), sealed(number, "other"));
        }
    }
    unreachable!("there are fewer names than numbers")
}
