//! Runs of the program with a library between it and libc that fails or kills it at its n-th write. The product knows
//! nothing of it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use rustix::io::Errno;

use super::ends::end_session;
use crate::support::{Project, Ran, repository};

/// How long a run may take before it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What happens at the n-th write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The power is cut, in the middle of a write or just before anything else.
    Kill,
    /// It fails, and all goes well from then on.
    Once(Errno),
    /// The disk is full from then on.
    Full,
}

/// How a run went.
#[derive(Debug)]
pub(super) struct Faulted {
    pub(super) ran: Ran,
    /// Whether there was an n-th write at all.
    pub(super) fired: bool,
    /// Which one it was.
    pub(super) what: String,
}

/// Runs the program to its end with a fault at its n-th write (from 1) to what lasts of a project: everything but the
/// folder of what jobs throw away, and the cache.
#[track_caller]
pub(super) fn run(project: &Project, arguments: &[&str], at: u64, fault: Fault) -> Faulted {
    let root = project.root().display();
    let roots = format!("{root}:-{root}/.envbuild/scratch:-{root}/.envbuild/cache");
    run_below(project, arguments, (&roots, Exchange::Unseen), at, fault)
}

/// The exchange of two names, which does not pass through libc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    /// It does not count.
    Unseen,
    /// It counts as a write (on x86-64), of a program that starts no others.
    Seen,
    /// There is none, as on some file systems.
    Missing,
}

/// The same for writes below other folders: `FOLDER:-LEFT_OUT:…`.
#[track_caller]
pub(super) fn run_below(
    project: &Project,
    arguments: &[&str],
    (roots, exchange): (&str, Exchange),
    at: u64,
    fault: Fault,
) -> Faulted {
    let mut command = command(project, arguments, roots, at, &fault.word());
    match exchange {
        Exchange::Unseen => {}
        Exchange::Seen => {
            command.env("FAULTS_EXCHANGE", "seen");
        }
        Exchange::Missing => {
            command.env("FAULTS_EXCHANGE", "missing");
        }
    }
    let ran = to_its_end(project, command);
    let bytes = fs::read(project.beside("faults")).unwrap();
    let number = |index: usize| i64::from_ne_bytes(bytes[index * 8..][..8].try_into().unwrap());
    assert!(number(3) != 0, "the library was not loaded: {}", ran.stderr);
    let what = bytes[32..].split(|it| *it == 0).next().unwrap();
    Faulted { ran, fired: number(1) == 1, what: String::from_utf8_lossy(what).into_owned() }
}

/// The program, ready to be started as the leader of a session, so that all that it starts can be found. Nothing fails.
pub(super) fn leader(project: &Project, arguments: &[&str]) -> Command {
    command(project, arguments, "", 0, "never")
}

fn command(project: &Project, arguments: &[&str], roots: &str, at: u64, how: &str) -> Command {
    let state = project.beside("faults");
    File::create(&state).unwrap().set_len(STATE).unwrap();
    let mut command = project.command(arguments);
    command.env("LD_PRELOAD", library()).env("FAULTS_STATE", &state).env("FAULTS_ROOTS", roots);
    command.env("FAULTS_AT", at.to_string()).env("FAULTS_HOW", how);
    command
}

/// Runs a command that leads a session to its end, and ends all that it leaves.
#[track_caller]
fn to_its_end(project: &Project, mut command: Command) -> Ran {
    // Files, not pipes: a process that outlives the program would hold a pipe open.
    let (stdout, stderr) = (project.beside("stdout"), project.beside("stderr"));
    command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > PATIENCE {
            end_session(child.id());
            panic!("the run hangs:\n{}", fs::read_to_string(&stderr).unwrap());
        }
        thread::sleep(Duration::from_millis(2));
    };
    end_session(child.id());
    Ran::new(Output { status, stdout: fs::read(&stdout).unwrap(), stderr: fs::read(&stderr).unwrap() })
}

/// At least the size of the library's `struct state`.
const STATE: u64 = 64 * 1024;

impl Fault {
    fn word(self) -> String {
        match self {
            Self::Kill => "kill".to_owned(),
            Self::Full => "full".to_owned(),
            Self::Once(errno) => format!("once:{}", errno.raw_os_error()),
        }
    }
}

/// The library, compiled once in a test run.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join("libfaults.so");
        // Another test run may have it loaded.
        let beside = folder.join(format!("libfaults-{}.so", std::process::id()));
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&beside);
        command.arg(repository().join("tests/it/faults/interposer.c")).arg("-ldl");
        let output = command.output().expect("there is a C compiler called `cc`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::rename(&beside, &library).unwrap();
        library
    })
}
