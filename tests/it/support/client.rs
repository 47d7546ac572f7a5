//! A conda client that knows nothing of envbuild: py-rattler from PyPI.
//!
//! Knows nothing of: what any single test is about.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use super::{Project, Ran, skip, variable};

/// Solves specs from the channel, installs what that gives and says what it was.
const CLIENT: &str = r#"
import asyncio, os, sys
from rattler import Channel, Gateway, MatchSpec, Platform, install, solve

async def main(url, prefix, *specs):
    specs = [MatchSpec(it) for it in specs]
    platforms = [Platform("linux-64"), Platform("noarch")]
    records = await solve(sources=[Channel(url)], specs=specs, platforms=platforms, gateway=Gateway())
    await install(records=records, target_prefix=prefix, platform=Platform("linux-64"))
    for record in sorted(records, key=lambda it: it.name.normalized):
        print(record.name.normalized, record.version)

asyncio.run(main(*sys.argv[1:]))
sys.stdout.flush()
# Threads of the library may still end while Python does, which Python takes for a fatal error.
os._exit(0)
"#;

/// A Python that can import rattler: the one that is named, or a virtual environment that is made once and kept.
pub(crate) fn python() -> Option<PathBuf> {
    if let Some(python) = variable("ENVBUILD_TEST_PYTHON") {
        return Some(PathBuf::from(python));
    }
    let python = venv("client", &["py-rattler==0.22.0"], "import rattler");
    if python.is_none() {
        skip("Python with py-rattler, nor an index to get it from (ENVBUILD_TEST_PYTHON names one that has it)");
    }
    python
}

/// The Python of a virtual environment that is made once and kept; none when it cannot be made. It is there when the
/// import works.
pub(crate) fn venv(name: &str, packages: &[&str], import: &str) -> Option<PathBuf> {
    // Tests that run at once share what they make.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let python = folder.join("bin/python");
    let works = |program: &Path, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|it| it.success())
    };
    let import = ["-c", import];
    let install = [&["-m", "pip", "install", "--quiet"], packages].concat();
    let ready = works(&python, &import)
        || (works(Path::new("python3"), &["-m", "venv", "--clear", folder.to_str().unwrap()])
            && works(&python, &install)
            && works(&python, &import));
    ready.then_some(python)
}

/// Installs what some specs ask for from a project's channel into a prefix; names and versions of all that is there then.
#[track_caller]
pub(crate) fn install(project: &Project, python: &Path, specs: &[&str], prefix: &Path) -> String {
    install_from(&format!("file://{}", project.path("output").display()), project, python, specs, prefix)
}

/// The same from any channel.
#[track_caller]
pub(crate) fn install_from(url: &str, project: &Project, python: &Path, specs: &[&str], prefix: &Path) -> String {
    let mut client = Command::new(python);
    project.pin(&mut client);
    client.args(["-c", CLIENT, url]).arg(prefix).args(specs).env("RATTLER_CACHE_DIR", project.beside("client-cache"));
    Ran::new(client.output().unwrap()).success().stdout
}
