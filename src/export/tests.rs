//! The formats, of an environment that is written down here; the real readers are in the integration tests.

use std::path::Path;

use rattler_conda_types::Subdir;

use super::{Contents, ExportError, Format, is_wanted, of_files, of_prefix, write};

const HASHES: &str = r#""md5":"0123456789abcdef0123456789abcdef",
    "sha256":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef""#;

fn record(name: &str, version: &str, rest: &str) -> (String, Vec<u8>) {
    let record = format!(
        r#"{{"name":"{name}","version":"{version}","build":"0","build_number":0,"subdir":"linux-64",
        "fn":"{name}-{version}-0.conda","channel":"https://u:secret@conda.example/t/tk-secret/forge",
        "url":"https://u:secret@conda.example/t/tk-secret/forge/linux-64/{name}-{version}-0.conda",{HASHES},{rest}}}"#
    );
    (format!("conda-meta/{name}-{version}-0.json"), record.into_bytes())
}

fn file(name: &str, text: &str) -> (String, Vec<u8>) {
    (name.to_owned(), text.as_bytes().to_vec())
}

const SITE: &str = "lib/python3.11/site-packages";

/// Python, a package that needs it, one that pip has replaced, and three that pip brought.
fn files() -> Vec<(String, Vec<u8>)> {
    let metadata = |name: &str, version: &str, more: &str| {
        let folder = format!("{SITE}/{name}-{version}.dist-info");
        file(&format!("{folder}/METADATA"), &format!("Name: {name}\nVersion: {version}\n{more}\n"))
    };
    let owned = format!(r#""files":["{SITE}/mine-1.0.dist-info/METADATA"],"depends":["python >=3.11"]"#);
    let replaced = format!(r#""files":["{SITE}/old-1.0.dist-info/METADATA"],"depends":["python"]"#);
    let local = "file:///home/me/output";
    let ours = format!(
        r#"{{"name":"ours","version":"1!2+a","build":"h_0","subdir":"noarch","fn":"ours-1!2+a-h_0.conda",{HASHES},
        "url":"{local}/noarch/ours-1!2+a-h_0.conda","channel":"{local}","license":"BSD","depends":["mine","absent"]}}"#
    );
    vec![
        record("python", "3.11.7", r#""depends":[],"license":"PSF-2.0","requested_specs":["python 3.11.*"]"#),
        record("mine", "1.0", &owned),
        record("old", "1.0", &replaced),
        file("conda-meta/ours.json", &ours),
        file("conda-meta/state", r#"{"env_vars":{"A":"b: c","GONE":"***unset***"}}"#),
        metadata("mine", "1.0", ""),
        metadata("old", "2.0", ""),
        metadata("Some.Name", "3.0", "Requires-Dist: mine>=1\nRequires-Dist: ours; extra == 'x'\nLicense: a licence"),
        file(&format!("{SITE}/old-2.0.dist-info/INSTALLER"), "pip\n"),
        file(&format!("{SITE}/old-1.0.dist-info/INSTALLER"), "conda\n"),
        metadata("fetched", "1", ""),
        file(
            &format!("{SITE}/fetched-1.dist-info/direct_url.json"),
            r#"{"url":"https://x:secret@git.example/f.git","vcs_info":{"vcs":"git","commit_id":"c0ffee"}}"#,
        ),
        metadata("editable", "1", ""),
        file(
            &format!("{SITE}/editable-1.dist-info/direct_url.json"),
            r#"{"url":"file:///home/me/src","dir_info":{"editable":true}}"#,
        ),
    ]
}

fn contents() -> Contents {
    of_files("env", Path::new("/env"), &files()).unwrap()
}

#[test]
fn what_pip_replaced_is_what_is_there() {
    let contents = contents();
    let names = |it: &Contents| -> Vec<String> { it.packages.iter().map(|it| it.name.clone()).collect() };
    assert_eq!(names(&contents), ["mine", "ours", "python"]);
    let python: Vec<&str> = contents.python.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(python, ["editable", "fetched", "old", "some-name"]);
    assert_eq!(contents.remarks, ["old 1.0 of conda was replaced by 2.0 of pip"]);
    assert_eq!(contents.platform, Subdir::Linux64);
    assert!(files().iter().all(|(name, _)| is_wanted(name)));
    for name in ["conda-meta/history", "conda-meta/a/b.json", "lib/python3.11/site-packages/a.py", "bin/x.json"] {
        assert!(!is_wanted(name), "{name}");
    }
}

#[test]
fn a_folder_gives_what_its_files_give() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("env");
    for (name, bytes) in files() {
        std::fs::create_dir_all(prefix.join(&name).parent().unwrap()).unwrap();
        std::fs::write(prefix.join(&name), bytes).unwrap();
    }
    let read = of_prefix(&prefix).unwrap();
    assert_eq!(read.place, prefix.to_string_lossy());
    assert_eq!(Contents { place: "/env".to_owned(), ..read }, contents());
    assert!(matches!(of_prefix(folder.path()), Err(ExportError::NoRecords(_))));
}

#[test]
fn no_format_tells_secrets() {
    let formats = [
        Format::List,
        Format::Explicit,
        Format::Environment,
        Format::EnvironmentNoBuilds,
        Format::CondaLock,
        Format::Pixi,
        Format::Sbom,
    ];
    for format in formats {
        let export = write(&contents(), format).unwrap();
        assert!(!export.text.contains("secret"), "{format:?}: {}", export.text);
        assert_eq!(export, write(&contents(), format).unwrap());
        assert_eq!(export.warnings[0], contents().remarks[0]);
    }
    let sbom = write(&contents(), Format::Sbom).unwrap().text;
    assert!(!sbom.contains("/home/me"), "{sbom}");
}

#[test]
fn lists_look_as_conda_prints_them() {
    let list = write(&contents(), Format::List).unwrap().text;
    let expected = "# packages in environment at /env:\n#\n\
        # Name                     Version          Build            Channel\n\
        editable                   1                pypi_0           pypi\n\
        fetched                    1                pypi_0           pypi\n\
        mine                       1.0              0                https://conda.example/forge\n";
    assert!(list.starts_with(expected), "{list}");
    let explicit = write(&contents(), Format::Explicit).unwrap().text;
    let (_, lines) = explicit.split_once("@EXPLICIT\n").unwrap();
    assert_eq!(
        lines,
        "https://conda.example/forge/linux-64/python-3.11.7-0.conda#0123456789abcdef0123456789abcdef\n\
         https://conda.example/forge/linux-64/mine-1.0-0.conda#0123456789abcdef0123456789abcdef\n\
         file:///home/me/output/noarch/ours-1!2+a-h_0.conda#0123456789abcdef0123456789abcdef\n\
         # pip fetched @ git+https://git.example/f.git@c0ffee\n# pip old==2.0\n# pip some-name==3.0\n"
    );
    let environment = write(&contents(), Format::Environment).unwrap();
    assert_eq!(
        environment.text,
        "name: env\nchannels:\n  - https://conda.example/forge\n  - file:///home/me/output\ndependencies:\n  \
         - mine=1.0=0\n  - ours=1!2+a=h_0\n  - python=3.11.7=0\n  - pip:\n      \
         - fetched @ git+https://git.example/f.git@c0ffee\n      - old==2.0\n      - some-name==3.0\n\
         variables:\n  A: 'b: c'\n# editable 1 was installed editable, from a folder of its machine, so it is left out\n"
    );
    let no_builds = write(&contents(), Format::EnvironmentNoBuilds).unwrap().text;
    assert!(no_builds.contains("  - mine=1.0\n"), "{no_builds}");
}

#[test]
fn rattler_reads_the_pixi_lock() {
    let text = write(&contents(), Format::Pixi).unwrap().text;
    let lock = rattler_lock::LockFile::from_str_with_base_directory(&text, None).unwrap();
    let environment = lock.default_environment().unwrap();
    let platform = environment.platforms().next().unwrap();
    let mut names: Vec<String> =
        environment.conda_packages(platform).unwrap().map(|it| it.name().as_source().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["mine", "ours", "python"]);
    assert!(text.contains("- pypi: git+https://git.example/f.git?rev=c0ffee#c0ffee\n"), "{text}");
}

#[test]
fn the_graph_of_the_bill_follows_packages_of_both_kinds() {
    let text = write(&contents(), Format::Sbom).unwrap().text;
    let bom: serde_json::Value = serde_json::from_str(&text).unwrap();
    let needs = |of: &str| -> Vec<String> {
        let entry = bom["dependencies"].as_array().unwrap().iter().find(|it| it["ref"].as_str().unwrap().contains(of));
        let short = |it: &serde_json::Value| it.as_str().unwrap().split('@').next().unwrap().to_owned();
        entry.unwrap()["dependsOn"].as_array().unwrap().iter().map(short).collect()
    };
    assert_eq!(needs("pypi/some-name"), ["pkg:conda/mine"]);
    assert_eq!(needs("conda/ours"), ["pkg:conda/mine"]);
    assert_eq!(needs("conda/mine"), ["pkg:conda/python"]);
    let roots = ["conda/ours", "conda/python", "pypi/editable", "pypi/fetched", "pypi/old", "pypi/some-name"];
    assert_eq!(needs("environment"), roots.map(|it| format!("pkg:{it}")));
    let ours = bom["components"].as_array().unwrap().iter().find(|it| it["name"] == "ours").unwrap();
    assert_eq!(ours["purl"], "pkg:conda/ours@1%212%2Ba?build=h_0&channel=output&subdir=noarch&type=conda");
    assert_eq!(ours["licenses"][0]["license"]["name"], "BSD");
    assert!(text.contains(r#""expression": "PSF-2.0""#));
}

#[test]
fn what_a_format_needs_is_asked_for_once() {
    let mut contents = contents();
    for package in &mut contents.packages {
        package.md5 = None;
    }
    let error = write(&contents, Format::CondaLock).unwrap_err();
    assert!(error.to_string().contains("mine, ours, python"), "{error}");
    // The other hash is told then.
    assert!(write(&contents, Format::Explicit).unwrap().text.contains("-0.conda#sha256:0123"));
    contents.packages[0].url = None;
    contents.packages[0].channel = None;
    contents.packages[0].placeless = Some("output".to_owned());
    assert!(write(&contents, Format::Pixi).is_err());
    let explicit = write(&contents, Format::Explicit).unwrap();
    assert!(explicit.text.contains("# no URL for: mine-1.0-0.conda\n"), "{}", explicit.text);
    let places = "nothing says where the channel `output` of a project is, which has mine";
    assert_eq!(explicit.warnings[1], places);
    assert!(explicit.warnings.iter().any(|it| it.contains("-o FILE.bundle")), "{:?}", explicit.warnings);
    let environment = write(&contents, Format::Environment).unwrap().text;
    assert!(environment.contains(&format!("\n# {places}\n")), "{environment}");
    assert!(write(&contents, Format::List).unwrap().text.contains("0                <unknown>\n"));

    let mut files = files();
    files.extend([file("conda-meta/a.json", "{}"), file("conda-meta/b.json", "no")]);
    let error = of_files("env", Path::new("/env"), &files).unwrap_err().to_string();
    assert!(error.contains("conda-meta/a.json: ") && error.contains("conda-meta/b.json: "), "{error}");
}
