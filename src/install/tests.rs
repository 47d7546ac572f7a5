//! Installing tiny packages made here, and a real Python from `ENVBUILD_TEST_CHANNEL`.

use std::{
    collections::BTreeMap,
    fs::{create_dir_all, read, read_to_string, remove_file, write},
    path::{Path, PathBuf},
    process::Command,
};

use rattler_conda_types::{
    MatchSpec, ParseStrictness, RepoData, RepoDataRecord, Subdir, compression_level::CompressionLevel,
};
use rattler_digest::{Sha256, compute_bytes_digest};
use rattler_package_streaming::write::write_conda_package;
use serde_json::json;
use tempfile::TempDir;
use url::Url;

use super::{InstallError, InstallRequest, Installed, activation, install, list, verify};
use crate::{
    base::{Network, testing::base_channel},
    rt::Rt,
};

/// A folder for a test: prefixes, a package cache, channels.
struct Bench {
    folder: TempDir,
    rt: Rt,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), rt: Rt::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn install(&self, prefix: &str, records: &[RepoDataRecord]) -> Result<Installed, InstallError> {
        self.install_for(prefix, records, None, None)
    }

    fn install_for(
        &self,
        prefix: &str,
        records: &[RepoDataRecord],
        target_prefix: Option<&Path>,
        interpreter: Option<&Path>,
    ) -> Result<Installed, InstallError> {
        let request = InstallRequest {
            prefix: &self.path(prefix),
            target_prefix,
            platform: Subdir::Linux64,
            records,
            specs: &[MatchSpec::from_str("tiny >=1", ParseStrictness::Lenient).unwrap()],
            cache: &self.path("cache"),
            interpreter,
            network: Network::Offline,
        };
        install(&self.rt, &request)
    }

    /// Writes a package `tiny 1.0 0` with these files into a channel and gives its record.
    fn tiny(&self, channel: &str, files: &[(&str, &str)]) -> RepoDataRecord {
        let tree = tempfile::tempdir().unwrap();
        let mut entries = Vec::new();
        let mut written = Vec::new();
        let mut put = |name: &str, text: &str| {
            let path = tree.path().join(name);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(&path, text).unwrap();
            written.push(path);
        };
        for (name, text) in files {
            put(name, text);
            let mut entry = json!({"_path": name, "path_type": "hardlink", "size_in_bytes": text.len(),
                "sha256": hex::encode(compute_bytes_digest::<Sha256>(text))});
            if text.contains("/placeholder") {
                entry["prefix_placeholder"] = json!("/placeholder");
                entry["file_mode"] = json!(if text.contains('\0') { "binary" } else { "text" });
            }
            entries.push(entry);
        }
        let index = json!({"name": "tiny", "version": "1.0", "build": "0", "build_number": 0, "subdir": "linux-64",
            "depends": []});
        put("info/index.json", &index.to_string());
        put("info/paths.json", &json!({"paths_version": 1, "paths": entries}).to_string());
        let folder = self.path(channel).join("linux-64");
        create_dir_all(&folder).unwrap();
        let archive = folder.join("tiny-1.0-0.conda");
        let out = std::fs::File::create(&archive).unwrap();
        write_conda_package(out, tree.path(), &written, CompressionLevel::Default, Some(1), "tiny-1.0-0", None, None)
            .unwrap();
        RepoDataRecord {
            package_record: rattler_index::package_record_from_archive(&archive).unwrap(),
            identifier: "tiny-1.0-0.conda".parse().unwrap(),
            url: Url::from_file_path(&archive).unwrap(),
            channel: Some(Url::from_directory_path(self.path(channel)).unwrap().to_string()),
        }
    }
}

/// Python 3.12 with pip, numpy and what they need, from the real channel.
fn real_packages() -> Option<Vec<RepoDataRecord>> {
    let channel = base_channel("the installation of a real Python")?;
    let wanted = ["python-3.12", "python_abi-3.12", "pip-", "setuptools-", "wheel-", "packaging-", "numpy-2.2.6-py312"];
    let mut records = Vec::new();
    for subdir in ["linux-64", "noarch"] {
        let path = channel.to_file_path().unwrap().join(subdir).join("repodata.json");
        let index: RepoData = serde_json::from_str(&read_to_string(path).unwrap()).unwrap();
        for (identifier, package_record) in index.conda_packages {
            let file = identifier.to_file_name();
            if wanted.iter().any(|start| file.starts_with(start)) {
                let url = channel.join(&format!("{subdir}/{file}")).unwrap();
                records.push(RepoDataRecord { package_record, identifier, url, channel: Some(channel.to_string()) });
            }
        }
    }
    assert_eq!(records.len(), wanted.len());
    Some(records)
}

/// All bytecode of pip in a prefix: path and bytes.
fn bytecode_of_pip(prefix: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![prefix.join("lib/python3.12/site-packages/pip")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "pyc") {
                let bytes = read(&path).unwrap();
                found.insert(path.strip_prefix(prefix).unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

fn python(prefix: &Path, code: &str) -> String {
    let output = Command::new(prefix.join("bin/python")).args(["-c", code]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_real_python_is_installed_with_bytecode() {
    let Some(records) = real_packages() else { return };
    let bench = Bench::new();
    let prefix = bench.path("env");
    let first = bench.install("env", &records).unwrap();
    assert_eq!((first.linked, first.unlinked, first.repaired), (records.len(), 0, false));
    assert!(first.compiled > 500, "{first:?}");
    assert!(prefix.join("conda-meta/history").exists());
    assert!(!prefix.join("conda-meta/.envbuild-incomplete").exists());
    assert_eq!(python(&prefix, "import numpy; print(numpy.arange(4).sum())"), "6");

    let bytecode = bytecode_of_pip(&prefix);
    let init = &bytecode[Path::new("lib/python3.12/site-packages/pip/__pycache__/__init__.cpython-312.pyc")];
    assert_eq!(init[4..8], 1u32.to_le_bytes(), "validated by nothing");
    let name = bench.folder.path().to_str().unwrap();
    for (path, bytes) in &bytecode {
        assert!(!bytes.windows(name.len()).any(|part| part == name.as_bytes()), "{} names a path", path.display());
    }
    let shown = python(&prefix, "import pip; print(pip.main.__code__.co_filename)");
    assert_eq!(shown, prefix.join("lib/python3.12/site-packages/pip/__init__.py").to_str().unwrap());

    assert_eq!(bench.install("env", &records).unwrap(), Installed::default(), "nothing to do");
    assert_eq!(bytecode_of_pip(&prefix), bytecode);

    let packages = list(&prefix).unwrap();
    assert_eq!(packages.len(), records.len());
    assert!(packages.windows(2).all(|pair| pair[0].name < pair[1].name));

    let current = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
    let set = activation(&prefix, Subdir::Linux64, &current).unwrap();
    assert_eq!(set["CONDA_PREFIX"], prefix.to_str().unwrap());
    assert_eq!(set["PATH"], format!("{}:/usr/bin:/bin", prefix.join("bin").display()));

    // Deleted bytecode comes back; a package that goes takes its bytecode along.
    remove_file(prefix.join("lib/python3.12/site-packages/pip/__pycache__/__init__.cpython-312.pyc")).unwrap();
    let again = bench.install("env", &records).unwrap();
    assert!(!again.repaired && again.linked == 0 && again.compiled >= bytecode.len(), "{again:?}");
    assert_eq!(bytecode_of_pip(&prefix).len(), bytecode.len());
    let without: Vec<RepoDataRecord> =
        records.into_iter().filter(|record| record.package_record.name.as_normalized() != "pip").collect();
    assert_eq!(bench.install("env", &without).unwrap(), Installed { unlinked: 1, ..Installed::default() });
    assert!(!prefix.join("lib/python3.12/site-packages/pip").exists());
}

#[test]
fn a_staging_prefix_names_its_target_and_is_the_same_anywhere() {
    let Some(records) = real_packages() else { return };
    let bench = Bench::new();
    let target = Path::new("/opt/site/env");
    bench.install("real", &records).unwrap();
    let interpreter = bench.path("real/bin/python3.12");
    bench.install_for("stage", &records, Some(target), Some(&interpreter)).unwrap();
    bench.install_for("elsewhere/with a longer name", &records, Some(target), Some(&interpreter)).unwrap();
    let (one, two) = (bench.path("stage"), bench.path("elsewhere/with a longer name"));
    assert!(!bytecode_of_pip(&one).is_empty());
    assert!(bytecode_of_pip(&one) == bytecode_of_pip(&two), "the bytecode differs");
    let script = read_to_string(one.join("bin/pip")).unwrap();
    assert!(script.starts_with("#!/opt/site/env/bin/python3.12"), "{script}");
    assert_eq!(script, read_to_string(two.join("bin/pip")).unwrap());

    let error = bench.install_for("third", &records, Some(target), Some(Path::new("/bin/false"))).unwrap_err();
    assert!(matches!(&error, InstallError::Bytecode { wanted, .. } if wanted == "3.12"), "{error}");
}

#[test]
fn the_cache_is_not_touched_by_bytecode() {
    let Some(records) = real_packages() else { return };
    let bench = Bench::new();
    bench.install("env", &records).unwrap();
    let mut folders = vec![bench.path("cache")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy().into_owned();
            assert!(!(name.contains("/pip-") && name.ends_with(".pyc")), "{name}");
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
}

#[test]
fn a_broken_prefix_is_made_anew() {
    let bench = Bench::new();
    let records = [bench.tiny("channel", &[("share/tiny.txt", "hello"), ("share/other.txt", "there")])];
    let prefix = bench.path("env");
    let breakages: [(&str, &dyn Fn()); 4] = [
        ("killed", &|| write(prefix.join("conda-meta/.envbuild-incomplete"), "").unwrap()),
        ("cut", &|| write(prefix.join("conda-meta/tiny-1.0-0.json"), "{\"name\":").unwrap()),
        ("empty", &|| write(prefix.join("conda-meta/tiny-1.0-0.json"), "").unwrap()),
        ("lost", &|| remove_file(prefix.join("share/other.txt")).unwrap()),
    ];
    bench.install("env", &records).unwrap();
    for (name, breakage) in breakages {
        write(prefix.join("stray.txt"), "").unwrap();
        breakage();
        let installed = bench.install("env", &records).unwrap();
        assert_eq!((installed.repaired, installed.linked), (true, 1), "{name}");
        assert_eq!(read_to_string(prefix.join("share/other.txt")).unwrap(), "there", "{name}");
        assert!(!prefix.join("stray.txt").exists(), "{name}");
    }
    let left: Vec<_> =
        std::fs::read_dir(bench.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "only channel, cache and env: {left:?}");
}

#[test]
fn a_failed_installation_stays_marked() {
    let bench = Bench::new();
    let good = bench.tiny("channel", &[("share/tiny.txt", "hello")]);
    let mut bad = good.clone();
    bad.url = Url::from_file_path(bench.path("nowhere/tiny-1.0-0.conda")).unwrap();
    let error = bench.install("env", &[bad]).unwrap_err();
    assert!(matches!(error, InstallError::Failed { .. }), "{error}");
    assert!(bench.path("env/conda-meta/.envbuild-incomplete").exists());
    assert!(bench.install("env", &[good]).unwrap().repaired);
}

#[test]
fn two_archives_of_one_name_are_never_mixed_up() {
    let bench = Bench::new();
    let one = bench.tiny("one", &[("share/tiny.txt", "one")]);
    let two = bench.tiny("two", &[("share/tiny.txt", "two")]);
    assert_eq!(one.identifier, two.identifier);
    let text = |prefix: &str| read_to_string(bench.path(prefix).join("share/tiny.txt")).unwrap();
    bench.install("a", std::slice::from_ref(&one)).unwrap();
    bench.install("b", std::slice::from_ref(&two)).unwrap();
    assert_eq!((text("a").as_str(), text("b").as_str()), ("one", "two"));
    bench.install("b", std::slice::from_ref(&one)).unwrap();
    assert_eq!((text("a").as_str(), text("b").as_str()), ("one", "one"), "the same prefix, the other archive");

    // A channel that states no hash gives the cache nothing to tell them apart by.
    let mut bare = two;
    bare.package_record.sha256 = None;
    bare.package_record.md5 = None;
    bench.install("c", &[bare]).unwrap();
    assert_eq!(text("c"), "two");
}

#[test]
fn altered_bytes_are_refused() {
    let bench = Bench::new();
    let record = bench.tiny("output", &[("share/tiny.txt", "hello")]);
    let output = bench.path("output");
    let check = |record: &RepoDataRecord, under: &Path| verify(std::slice::from_ref(record), under);
    check(&record, &output).unwrap();
    let path = record.url.to_file_path().unwrap();
    let whole = read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[40] ^= 1;
    write(&path, &bytes).unwrap();
    let error = check(&record, &output).unwrap_err();
    let InstallError::Altered { expected, found, .. } = &error else { panic!("{error}") };
    assert_eq!(*expected, hex::encode(record.package_record.sha256.unwrap()));
    assert_eq!(*found, hex::encode(compute_bytes_digest::<Sha256>(&bytes)));
    assert!(error.to_string().contains("tiny-1.0-0.conda"));
    assert!(check(&record, &bench.path("elsewhere")).is_err(), "other local channels are checked as well");

    let mut bare = record.clone();
    bare.package_record.sha256 = None;
    check(&bare, &bench.path("elsewhere")).unwrap();
    assert!(check(&bare, &output).is_err(), "the project's own packages have a hash");
    remove_file(&path).unwrap();
    assert!(matches!(check(&record, &output), Err(InstallError::Gone(_))));
}

#[test]
fn offline_a_download_is_refused() {
    let bench = Bench::new();
    let mut record = bench.tiny("channel", &[("share/tiny.txt", "hello")]);
    record.url = "https://channel.invalid/linux-64/tiny-1.0-0.conda".parse().unwrap();
    let error = bench.install("env", std::slice::from_ref(&record)).unwrap_err();
    assert!(matches!(&error, InstallError::Offline { url } if url.contains("channel.invalid")), "{error}");
    assert!(matches!(
        install(
            &bench.rt,
            &InstallRequest {
                prefix: Path::new("env"),
                target_prefix: None,
                platform: Subdir::Linux64,
                records: &[],
                specs: &[],
                cache: &bench.path("cache"),
                interpreter: None,
                network: Network::Online,
            }
        ),
        Err(InstallError::Relative(_))
    ));
}

#[test]
fn placeholders_are_replaced_and_requests_are_read_back() {
    let bench = Bench::new();
    let prefix = bench.path("env");
    assert_eq!(list(&prefix).unwrap(), []);
    let padding = "\0".repeat(8);
    let binary = format!("/placeholder/lib{padding}");
    let record = bench.tiny("channel", &[("bin/tiny", "#!/placeholder/bin/sh\n"), ("lib/tiny", &binary)]);
    let target = Path::new("/opt/x");
    bench.install_for("env", &[record], Some(target), None).unwrap();
    assert_eq!(read_to_string(prefix.join("bin/tiny")).unwrap(), "#!/opt/x/bin/sh\n");
    assert!(read(prefix.join("lib/tiny")).unwrap().starts_with(b"/opt/x/lib\0"));
    assert_eq!(list(&prefix).unwrap()[0].requested, ["tiny >=1"]);
    write(prefix.join("conda-meta/tiny-1.0-0.json"), "{").unwrap();
    assert!(matches!(list(&prefix), Err(InstallError::Records { .. })));
}

#[test]
fn activation_sources_the_scripts() {
    let bench = Bench::new();
    let script =
        "unset GONE\nexport TINY_HOME=\"$CONDA_PREFIX/share\"\nexport TINY_TEXT=$'two\\nlines = x'\necho noise\n";
    let record = bench.tiny("channel", &[("etc/conda/activate.d/tiny.sh", script)]);
    bench.install("env with space", &[record]).unwrap();
    let prefix = bench.path("env with space");
    let current = BTreeMap::from([("PATH", "/usr/bin:/bin"), ("KEEP", "1"), ("GONE", "1")]);
    let current = current.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let set = activation(&prefix, Subdir::Linux64, &current).unwrap();
    assert_eq!(set["TINY_HOME"], prefix.join("share").to_str().unwrap());
    assert_eq!(set["TINY_TEXT"], "two\nlines = x");
    assert_eq!(set["KEEP"], "1");
    assert!(!set.contains_key("GONE") && !set.contains_key("_") && !set.contains_key("SHLVL"), "{set:?}");

    write(prefix.join("etc/conda/activate.d/tiny.sh"), "echo broken >&2; exit 3\n").unwrap();
    let error = activation(&prefix, Subdir::Linux64, &current).unwrap_err();
    assert!(error.to_string().contains("broken"), "{error}");
}
