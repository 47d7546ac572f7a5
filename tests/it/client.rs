//! A conda client that knows nothing of envbuild uses the local channel: py-rattler from PyPI.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::support::{Project, Ran, skip, variable};

/// Solves `hello` from the channel, installs it and says where.
const CLIENT: &str = r#"
import asyncio, os, sys
from rattler import Channel, Gateway, MatchSpec, Platform, install, solve

async def main(url, prefix):
    specs = [MatchSpec("hello"), MatchSpec("libgreet 2.*")]
    platforms = [Platform("linux-64"), Platform("noarch")]
    records = await solve(sources=[Channel(url)], specs=specs, platforms=platforms, gateway=Gateway())
    await install(records=records, target_prefix=prefix, platform=Platform("linux-64"))
    for record in sorted(records, key=lambda it: it.name.normalized):
        print(record.name.normalized, record.version)

asyncio.run(main(sys.argv[1], sys.argv[2]))
sys.stdout.flush()
# Threads of the library may still end while Python does, which Python takes for a fatal error.
os._exit(0)
"#;

/// A Python that can import rattler: the one that is named, or a virtual environment that is made once and kept.
fn python() -> Option<PathBuf> {
    if let Some(python) = variable("ENVBUILD_TEST_PYTHON") {
        return Some(PathBuf::from(python));
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("client");
    let python = folder.join("bin/python");
    let works = |program: &PathBuf, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|it| it.success())
    };
    let import = ["-c", "import rattler"];
    let ready = works(&python, &import)
        || (works(&PathBuf::from("python3"), &["-m", "venv", "--clear", folder.to_str().unwrap()])
            && works(&python, &["-m", "pip", "install", "--quiet", "py-rattler==0.22.0"])
            && works(&python, &import));
    if !ready {
        skip("Python with py-rattler, nor an index to get it from (ENVBUILD_TEST_PYTHON names one that has it)");
    }
    ready.then_some(python)
}

#[test]
fn a_plain_conda_client_installs_from_the_local_channel() {
    let Some(python) = python() else { return };
    let project = Project::example("quickstart").file("client.py", CLIENT);
    project.run(&["build", "hello"]).success();
    let url = format!("file://{}", project.path("output").display());
    let prefix = project.beside("client's prefix");
    let mut client = Command::new(python);
    project.pin(&mut client);
    client.arg("client.py").arg(&url).arg(&prefix).env("RATTLER_CACHE_DIR", project.beside("client-cache"));
    let ran = Ran::new(client.output().unwrap()).success();
    assert_eq!(ran.stdout, "greet-data 2024.1\nhello 1.2.0\nlibgreet 2.0.0\n");
    let mut hello = Command::new(prefix.join("bin/hello"));
    project.pin(&mut hello);
    let hello = Ran::new(hello.arg("--everyone").output().unwrap()).success();
    assert_eq!(hello.stdout, "Welcome, Ada!\nWelcome, Barbara!\nWelcome, Grace!\n");
}
