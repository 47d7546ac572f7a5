//! The environments that are packed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    program::envbuild,
    project::{Project, write},
};

/// The wheels beside CPython.
const WHEELS: &str = include_str!("wheels.txt");

/// A prefix.
pub(crate) struct Data {
    pub(crate) prefix: PathBuf,
    /// How many processors there are.
    pub(crate) cores: u32,
    pub(crate) files: u64,
    /// The size of its files, in bytes.
    pub(crate) bytes: u64,
    /// The project whose environment it is.
    root: Option<PathBuf>,
}

impl Data {
    /// A prefix that is there.
    pub(crate) fn of(prefix: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (files, bytes) = content(&prefix);
        Self { prefix, cores: u32::try_from(cores).unwrap_or(1), files, bytes, root: None }
    }

    /// CPython from the base channel and wheels from pip's index, made once; says in one line why it cannot be had.
    pub(crate) fn wheels(place: &Path) -> Result<Self, String> {
        let root = place.join("wheels");
        let done = root.join("done");
        let prefix = root.join(".envbuild/envs/wheels");
        if !done.is_file() {
            drop(fs::remove_dir_all(&root));
            let manifest = "[project]\nname = \"wheels\"\nchannels = [\"conda-forge\"]\n\n[environments.wheels]\n\
                            dependencies = [\"python 3.12.*\", \"pip\"]\npack = []\n";
            write(&root.join("project.toml"), manifest);
            write(&root.join("wheels.txt"), WHEELS);
            run(&mut in_project(&root, place, &["install"]))?;
            let mut pip = Command::new(prefix.join("bin/python"));
            pip.args(["-B", "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "-r"]);
            run(pip.arg(root.join("wheels.txt")))?;
            write(&done, "");
        }
        Ok(Self { root: Some(root), ..Self::of(prefix) })
    }

    /// Makes envbuild's commands in its project, if it has one.
    pub(crate) fn locked(&self, place: &Path) -> Option<impl Fn(&[&str]) -> Command + Copy> {
        let root = self.root.as_deref()?;
        Some(move |arguments: &[&str]| in_project(root, place, arguments))
    }

    /// What is in it, in one line.
    pub(crate) fn describe(&self) -> String {
        let name = self.prefix.file_name().unwrap_or_default().to_string_lossy();
        format!("`{name}`: {} files, {} MB", self.files, self.bytes / 1_000_000)
    }
}

/// A command in a project whose channel may be the tests' own.
#[expect(clippy::disallowed_methods, reason = "a benchmark is started by the operating system, as main is")]
fn in_project(root: &Path, place: &Path, arguments: &[&str]) -> Command {
    let mut command = envbuild(&Project { root: root.to_owned() }, place, arguments);
    if let Ok(channel) = std::env::var("ENVBUILD_TEST_CHANNEL") {
        command.env("ENVBUILD_CHANNELS", channel);
    }
    command
}

/// How many files a folder holds, and how many bytes they have.
fn content(folder: &Path) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.path().symlink_metadata().unwrap();
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                bytes += metadata.len();
            }
        }
    }
    (files, bytes)
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    let last = || String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
    if output.status.success() { Ok(()) } else { Err(format!("{program} fails: {}", last())) }
}
