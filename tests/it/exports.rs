//! What `export` writes is read by the programs whose formats they are: conda-lock, py-rattler, CycloneDX's own library.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::support::{Project, Ran, client, science, skip};

const ENVIRONMENT: &str = "everyone-libgreet1.0.0";

/// What is in it.
const PACKAGES: &[&str] =
    &["greet-all 1.0.0", "greet-data 2024.1", "hello 1.2.0", "libgreet 1.0.0", "libpolite 0.3.0", "shout 0.9.1"];

/// Says whether a bill of materials is what its schema demands, and how many components and edges it has.
const VALIDATE: &str = r#"
import json, sys
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = open(sys.argv[1]).read()
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
assert error is None, error
bom = Bom.from_json(json.loads(text))
assert bom.validate()
for component in bom.components:
    purl = component.purl
    assert purl.name == component.name and purl.version == component.version, purl
    print(purl.type, purl.name, purl.version)
"#;

/// Reads a pixi.lock or an explicit file, and installs what it names, with py-rattler.
const INSTALL: &str = r#"
import asyncio, os, sys
from pathlib import Path
from rattler import Channel, Gateway, Platform, install
from rattler.explicit_environment import ExplicitEnvironmentSpec
from rattler.lock import LockFile

async def named_by(kind, path, channel):
    platforms = [Platform("linux-64"), Platform("noarch")]
    if kind == "pixi":
        return LockFile.from_path(path).default_environment().conda_repodata_records_for_platform(platforms[0])
    spec = ExplicitEnvironmentSpec.from_path(Path(path))
    assert spec.platform == platforms[0], spec.platform
    urls = [it.url for it in spec.packages]
    names = [url.partition('#')[0].rsplit("/", 1)[1].rsplit("-", 2)[0] for url in urls]
    found = await Gateway().query([Channel(channel)], platforms, names, recursive=False)
    by_url = {f"{it.url}#{it.md5.hex()}": it for of_one in found for it in of_one}
    return [by_url[url] for url in urls]

async def main(kind, path, channel, prefix):
    records = await named_by(kind, path, channel)
    await install(records=records, target_prefix=prefix, platform=Platform("linux-64"))
    for record in records:
        print(record.name.normalized, record.version)

asyncio.run(main(*sys.argv[1:]))
sys.stdout.flush()
# Threads of the library may still end while Python does, which Python takes for a fatal error.
os._exit(0)
"#;

/// Reads, as conda-lock does, what was exported of each source: its own file, and both of conda's environment files.
const READ: &str = r#"
import pathlib, sys
from conda_lock.lockfile import parse_conda_lock_file
from conda_lock.src_parser.environment_yaml import parse_environment_file

for source in sys.argv[1:]:
    lock = parse_conda_lock_file(pathlib.Path(f"{source}.conda-lock.yml"))
    assert all(it.hash.md5 and it.hash.sha256 and it.url for it in lock.package)
    print("conda-lock", *sorted(f"{it.name}={it.version}" for it in lock.package))
    for kind in ["environment", "environment-no-builds"]:
        spec = parse_environment_file(pathlib.Path(f"{source}.{kind}.yml"), ["linux-64"], "")
        assert spec.channels, source
        found = spec.dependencies["linux-64"]
        assert all(bool(it.build) == (kind == "environment") for it in found), found
        print(kind, *sorted(f"{it.name}={it.version.strip('=').removesuffix('.*')}" for it in found))
"#;

/// The same as rattler does, of pixi's file and of explicit ones.
const READ_BY_RATTLER: &str = r#"
import sys
from pathlib import Path
from rattler import Platform
from rattler.explicit_environment import ExplicitEnvironmentSpec
from rattler.lock import LockFile

for source in sys.argv[1:]:
    lock = LockFile.from_path(f"{source}.pixi.lock")
    records = lock.default_environment().conda_repodata_records_for_platform(Platform("linux-64"))
    print("pixi", *sorted(f"{it.name.normalized}={it.version}" for it in records))
    spec = ExplicitEnvironmentSpec.from_path(Path(f"{source}.explicit.txt"))
    files = [it.url.partition('#')[0].rsplit("/", 1)[1] for it in spec.packages]
    print("explicit", *sorted("=".join(it.rsplit("-", 2)[:2]) for it in files))
"#;

/// A Python with conda-lock and CycloneDX's library.
fn readers() -> Option<PathBuf> {
    let packages = ["conda-lock==4.0.3", "cyclonedx-python-lib[json-validation]==11.12.0"];
    let python = client::venv("readers", &packages, "import conda_lock, cyclonedx, jsonschema");
    if python.is_none() {
        skip("Python with conda-lock and cyclonedx-python-lib, nor an index to get them from");
    }
    python
}

/// Runs a Python with a pinned environment.
fn python(project: &Project, python: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(python);
    project.pin(&mut command);
    command.env("RATTLER_CACHE_DIR", project.beside("client-cache"));
    Ran::new(command.args(arguments).output().unwrap()).success().stdout
}

fn export(project: &Project, what: &str, format: &str) -> String {
    project.run(&["export", what, "--format", format]).success().stdout
}

/// What conda-lock makes of a lock file of ours.
fn render(project: &Project, readers: &Path, kind: &str, what: &str) -> String {
    project.run(&["export", what, "--format", "conda-lock", "-o", "conda-lock.yml"]).success();
    let (render, file) = match kind {
        "explicit" => (["-m", "conda_lock", "render", "-k", "explicit"], "conda-linux-64.lock"),
        _ => (["-m", "conda_lock", "render", "-k", "env"], "conda-linux-64.lock.yml"),
    };
    python(project, readers, &[&render[..], &["-p", "linux-64", "conda-lock.yml"]].concat());
    project.read(file)
}

/// The lines of an explicit file that name packages, sorted.
fn urls(text: &str) -> Vec<&str> {
    let mut urls: Vec<&str> = text.lines().skip_while(|it| *it != "@EXPLICIT").skip(1).collect();
    urls.retain(|it| !it.starts_with('#'));
    urls.sort_unstable();
    urls
}

#[test]
fn conda_lock_renders_what_is_exported() {
    let Some(readers) = readers() else { return };
    let project = Project::example("quickstart");
    project.run(&["lock", ENVIRONMENT]).success();
    let ours = export(&project, ENVIRONMENT, "explicit");
    let theirs = render(&project, &readers, "explicit", ENVIRONMENT);
    assert!(urls(&ours).len() > 3, "{ours}");
    assert_eq!(urls(&ours), urls(&theirs));
    let theirs = render(&project, &readers, "env", ENVIRONMENT);
    let ours = export(&project, ENVIRONMENT, "environment");
    let below = |text: &str| text.split_once("channels:\n").unwrap().1.trim_end().to_owned();
    assert_eq!(below(&ours), below(&theirs));
}

#[test]
fn py_rattler_installs_from_what_is_exported() {
    let Some(rattler) = client::python() else { return };
    let project = Project::example("quickstart");
    project.run(&["lock", ENVIRONMENT]).success();
    let channel = format!("file://{}", project.path("output").display());
    for (format, file) in [("pixi", "pixi.lock"), ("explicit", "explicit.txt")] {
        project.run(&["export", ENVIRONMENT, "--format", format, "-o", file]).success();
        let prefix = project.beside(format!("by {format}"));
        let mut installed: Vec<String> =
            python(&project, &rattler, &["-c", INSTALL, format, file, &channel, prefix.to_str().unwrap()])
                .lines()
                .map(str::to_owned)
                .collect();
        installed.sort();
        assert_eq!(installed, PACKAGES, "{format}");
        let mut hello = Command::new(prefix.join("bin/hello"));
        project.pin(&mut hello);
        let hello = Ran::new(hello.arg("--everyone").output().unwrap()).success();
        assert_eq!(hello.stdout, "Hello, Ada!\nHello, Barbara!\nHello, Grace!\n");

        // The prefix is another program's: what it holds is told all the same, and as the lock tells it.
        let prefix = prefix.to_str().unwrap();
        let told = |what: &str| urls(&export(&project, what, "explicit")).join("\n");
        assert_eq!(told(prefix), told(ENVIRONMENT));
    }
}

#[test]
fn a_lock_a_prefix_and_an_archive_have_the_same_bill() {
    let Some(readers) = readers() else { return };
    let project = Project::example("quickstart");
    project.run(&["pack", ENVIRONMENT]).success();
    let archive = format!("dist/{ENVIRONMENT}-linux-64.tar.zst");
    let prefix = format!(".envbuild/envs/{ENVIRONMENT}");
    let bills = [ENVIRONMENT, &prefix, &archive].map(|what| {
        project.run(&["export", what, "--format", "sbom", "-o", "sbom.cdx.json"]).success();
        let valid = python(&project, &readers, &["-c", VALIDATE, "sbom.cdx.json"]);
        assert_eq!(valid.lines().filter_map(|it| it.strip_prefix("conda ")).collect::<Vec<_>>(), PACKAGES, "{what}");
        let text = project.read("sbom.cdx.json");
        for place in [project.root(), project.scratch(), &project.beside("home")] {
            assert!(!text.contains(place.to_str().unwrap()), "the bill of {what} names {}", place.display());
        }
        let bill: Value = serde_json::from_str(&text).unwrap();
        (bill["components"].clone(), bill["dependencies"].clone())
    });
    assert_eq!(bills[0].0, bills[1].0);
    assert_eq!(bills[0].0, bills[2].0);
    assert_eq!(bills[1].1, bills[2].1);
    // An archive knows its name, whatever its file is called.
    std::fs::rename(project.path(&archive), project.path("renamed")).unwrap();
    assert!(export(&project, "./renamed", "environment").starts_with(&format!("name: {ENVIRONMENT}\n")));
}

#[test]
fn what_is_exported_of_a_lock_a_prefix_and_an_archive_is_read_by_the_programs_whose_formats_it_has() {
    let (Some(readers), Some(rattler)) = (readers(), client::python()) else { return };
    // An archive knows the places of channels that others can use.
    let site = Project::example("quickstart");
    site.run(&["build"]).success();
    let manifest = format!(
        "[project]\nname = \"user\"\nchannels = [\"file://{}\"]\n[environments.env]\ndependencies = [\"greet-all\", \"libgreet \
         1.*\"]\npack = [\"tar.zst\"]\n",
        site.path("output").display()
    );
    let project = Project::called("user").manifest(&manifest);
    project.run(&["pack", "env"]).success();
    // No prefix need exist.
    let prefix = ".envbuild/envs/env";
    assert!(!project.path(prefix).exists());
    project.run(&["install", "env"]).success();
    let archive = "dist/env-linux-64.tar.zst";
    let sources = [("lock", "env"), ("prefix", prefix), ("archive", archive)];
    for (source, what) in sources {
        for (format, ending) in [
            ("conda-lock", "conda-lock.yml"),
            ("environment", "environment.yml"),
            ("environment-no-builds", "environment-no-builds.yml"),
            ("pixi", "pixi.lock"),
            ("explicit", "explicit.txt"),
        ] {
            let file = format!("{source}.{ending}");
            project.run(&["export", what, "--format", format, "-o", &file]).success();
        }
        // As `conda list` does: the name, the version, the build and the channel.
        let list = export(&project, what, "list");
        let rows = list.lines().filter(|it| !it.starts_with('#'));
        let rows: Vec<_> = rows.map(|it| it.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(rows, PACKAGES, "{source}");
    }
    let expected = PACKAGES.iter().map(|it| it.replace(' ', "=")).collect::<Vec<_>>().join(" ");
    for (program, code, kinds) in [
        (&readers, READ, &["conda-lock", "environment", "environment-no-builds"][..]),
        (&rattler, READ_BY_RATTLER, &["pixi", "explicit"]),
    ] {
        let read = python(&project, program, &["-c", code, "lock", "prefix", "archive"]);
        let all = sources.iter().flat_map(|_| kinds);
        let expected: Vec<String> = all.map(|kind| format!("{kind} {expected}")).collect();
        assert_eq!(read.lines().collect::<Vec<_>>(), expected);
    }
    // The bill and the list inside the archive are those that are exported of it.
    let inside = |file: &str| {
        let mut tar = Command::new("tar");
        tar.arg("-xOf").arg(project.path(archive)).arg(format!("conda-meta/envbuild/{file}"));
        Ran::new(tar.output().unwrap()).success().stdout
    };
    project.write("inside.json", &inside("sbom.cdx.json"));
    let valid = python(&project, &readers, &["-c", VALIDATE, "inside.json"]);
    assert_eq!(valid.lines().filter_map(|it| it.strip_prefix("conda ")).collect::<Vec<_>>(), PACKAGES);
    assert_eq!(urls(&inside("packages.txt")), urls(&project.read("archive.explicit.txt")));
    assert!(
        urls(&inside("packages.txt")).iter().all(|it| it.split_once('#').is_some_and(|(_, hash)| hash.len() == 32))
    );
}

#[test]
fn what_cannot_be_exported_is_told() {
    let project = Project::example("quickstart");
    project.run(&["lock", "minimal-libgreet1.0.0"]).success();
    project.run(&["export", ENVIRONMENT]).failure(1).says("is not locked yet").says("envbuild lock everyone");
    project.run(&["export", "minimal"]).failure(2).says("minimal-libgreet1.0.0");
    project.run(&["export", "./nothing"]).failure(2).says("there is nothing at");
    project.run(&["export", "./recipes"]).failure(2).says("no environment, no prefix and no archive");
    project.write("broken/conda-meta/x.json", "{}");
    project.run(&["export", "./broken"]).failure(1).says("conda-meta/x.json: it has no `name`");
    project.write("empty/conda-meta/history", "");
    project.run(&["export", "./empty", "-o", "out"]).failure(1).says("holds no records");
    assert!(!project.path("out").exists());
}

#[test]
fn an_update_is_told_from_a_whole_archive() {
    let project = Project::example("quickstart");
    project.run(&["install", ENVIRONMENT]).success();
    let prefix = format!(".envbuild/envs/{ENVIRONMENT}");
    project.run(&["pack", "-p", &prefix, "-o", "old.tar"]).success();
    project.write(&format!("{prefix}/share/new"), "new\n");
    project.run(&["pack", "-p", &prefix, "-o", "update.tar", "--since", "old.tar"]).success();
    for format in ["list", "explicit", "sbom"] {
        let ran = project.run(&["export", "update.tar", "--format", format]).failure(2);
        ran.says("is an update").says("without --since");
        project.run(&["export", "old.tar", "--format", format]).success();
    }
}

/// A server of the files in a folder, on a port of its own; ends with the value.
struct Server(Child, String);

impl Server {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.split_whitespace().skip_while(|it| *it != "port").nth(1).unwrap();
        let host = format!("127.0.0.1:{port}");
        Self(child, host)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn module(project: &Project, name: &str, requires: &str) {
    let text = format!(
        "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\n\
         name = \"{name}\"\nversion = \"1.5\"\ndependencies = [{requires}]\nlicense = \"MIT\"\n\
         [tool.setuptools]\npy-modules = [\"it_{name}\"]\n"
    );
    project.write(&format!("{name}/pyproject.toml"), &text);
    project.write(&format!("{name}/it_{name}.py"), "");
}

#[test]
fn what_pip_brought_is_told_with_where_it_came_from() {
    let Some(readers) = readers() else { return };
    let Some((project, prefix)) = science() else { return };
    let pip = |arguments: &[&str]| {
        let all = [&["-m", "pip", "-q", "--no-cache-dir", "--disable-pip-version-check"], arguments].concat();
        python(&project, &prefix.join("bin/python"), &all)
    };
    module(&project, "indexed", "");
    module(&project, "by_url", "\"indexed>=1\"");
    module(&project, "here", "");
    let alone = ["--no-index", "--no-deps", "--no-build-isolation"];
    pip(&[&["wheel", "-w", "wheels", "./indexed", "./by_url"], &alone[..]].concat());
    pip(&[&["install", "--find-links", "wheels", "indexed"], &alone[..]].concat());
    pip(&[&["install", "-e", "./here"], &alone[..]].concat());
    let server = Server::start(&project.path("wheels"));
    let wheel = "by_url-1.5-py3-none-any.whl";
    pip(&[&["install", &format!("http://me:secret@{}/{wheel}", server.1)], &alone[..]].concat());

    let prefix = prefix.to_str().unwrap();
    let list = export(&project, prefix, "list");
    let row = |name: &str| format!("\n{name:<25}  {:<15}  {:<15}  pypi\n", "1.5", "pypi_0");
    for name in ["by-url", "here", "indexed"] {
        assert!(list.contains(&row(name)), "{list}");
    }
    let url = format!("http://{}/{wheel}", server.1);
    let ran = project.run(&["export", prefix]).success().says("here 1.5 was installed editable");
    let address = ran.stdout.lines().find(|it| it.contains("- by-url @ ")).unwrap().trim_start();
    assert!(address.starts_with(&format!("- by-url @ {url}#sha256=")), "{address}");
    assert!(ran.stdout.contains("\n      - indexed==1.5\n") && !ran.stdout.contains("secret"), "{}", ran.stdout);

    let rendered = render(&project, &readers, "env", prefix);
    assert!(rendered.contains(&format!("  - pip:\n      - by-url @ {url}")), "{rendered}");
    project.run(&["export", prefix, "--format", "sbom", "-o", "sbom.cdx.json"]).success();
    let bill = python(&project, &readers, &["-c", VALIDATE, "sbom.cdx.json"]);
    assert!(bill.contains("pypi by-url 1.5\n") && bill.contains("conda python 3.11."), "{bill}");
    let text = project.read("sbom.cdx.json");
    assert!(!text.contains("secret") && !text.contains(project.root().to_str().unwrap()), "{text}");

    // The requirements are pip's own words: it takes them as they are.
    let environment = project.run(&["export", prefix, "--format", "explicit"]).success().stdout;
    let requirements: Vec<&str> = environment.lines().filter_map(|it| it.strip_prefix("# pip ")).collect();
    project.write("requirements.txt", &requirements.join("\n"));
    let again = ["install", "--dry-run", "--ignore-installed", "--find-links", "wheels", "-r", "requirements.txt"];
    let ran = pip(&[&again[..], &alone].concat());
    assert_eq!(requirements.len(), 2, "{ran}");
}
