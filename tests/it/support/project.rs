//! A project in a folder of its own, and the program run in it with a pinned environment.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, Weak},
};

use tempfile::TempDir;

use super::{Plan, Ran, Report, contents_below, files_below, normalise::normalise, repository, variable};

/// A project and everything around it; removed when dropped.
#[derive(Debug)]
pub(crate) struct Project {
    room: TempDir,
    folder: PathBuf,
    scratch: Arc<TempDir>,
    cache: Arc<TempDir>,
    variables: BTreeMap<String, String>,
    /// What the program is started by, when that is not the test itself.
    starter: Vec<String>,
}

impl Project {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self::called("project")
    }

    /// An empty folder of this name.
    pub(crate) fn called(name: &str) -> Self {
        let room = short_folder();
        let folder = room.path().join(name);
        fs::create_dir(&folder).unwrap();
        for other in ["home", "tmp"] {
            fs::create_dir(room.path().join(other)).unwrap();
        }
        Self {
            folder,
            room,
            scratch: Arc::new(short_folder()),
            cache: cache(),
            variables: BTreeMap::new(),
            starter: Vec::new(),
        }
    }

    /// A copy of an example, without what a run of it may have left there.
    pub(crate) fn example(name: &str) -> Self {
        Self::called(name).copy(&repository().join("examples").join(name))
    }

    /// Copies a folder's files into the project, but for the results of runs.
    pub(crate) fn copy(self, folder: &Path) -> Self {
        let made = ["output", "dist", ".envbuild", "envbuild.lock"];
        for file in files_below(folder) {
            if made.iter().any(|it| file.starts_with(it)) {
                continue;
            }
            let to = self.path(&file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(folder.join(&file), to).unwrap();
        }
        self
    }

    /// Writes a file, with the folders that it needs.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.write(path, text);
        self
    }

    /// Writes project.toml.
    pub(crate) fn manifest(self, text: &str) -> Self {
        self.file("project.toml", text)
    }

    /// Writes `recipes/NAME/recipe.yaml`.
    pub(crate) fn recipe(self, name: &str, text: &str) -> Self {
        self.file(&format!("recipes/{name}/recipe.yaml"), text)
    }

    /// Sets a variable for every run.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a variable for every run from now on.
    pub(crate) fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.variables.insert(name.to_owned(), value.as_ref().to_str().unwrap().to_owned());
    }

    /// Tells the program what pip was told by whoever runs the tests: where an index is, and how it is trusted.
    pub(crate) fn with_settings_of_pip(mut self) -> Self {
        let names = ["INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "CERT"].map(|it| format!("PIP_{it}"));
        for name in names.iter().map(String::as_str).chain(["VIRTUAL_ENV", "CONDA_PREFIX"]) {
            if let Some(value) = variable(name) {
                self.set(name, value);
            }
        }
        self.set("PIP_CONFIG_FILE", variable("PIP_CONFIG_FILE").unwrap_or_default());
        let home = variable("HOME").unwrap_or_default();
        self.set("XDG_CONFIG_HOME", variable("XDG_CONFIG_HOME").unwrap_or_else(|| format!("{home}/.config")));
        self.env("HOME", home)
    }

    /// Builds in the same place as another project does, as two users of one machine do.
    pub(crate) fn scratch_of(mut self, other: &Self) -> Self {
        self.scratch = Arc::clone(&other.scratch);
        self
    }

    /// The project's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.folder
    }

    /// A path in the project.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join(path)
    }

    /// A path beside the project, in the folder that is removed with it.
    pub(crate) fn beside(&self, path: impl AsRef<Path>) -> PathBuf {
        self.room.path().join(path)
    }

    /// The folder that packages are built in.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Replaces a text in a file; it has to be there.
    #[track_caller]
    pub(crate) fn edit(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "`{old}` is not in {path}");
        self.write(path, &text.replace(old, new));
    }

    /// Moves the project's folder; its places outside stay.
    pub(crate) fn move_to(&mut self, name: &str) {
        let to = self.room.path().join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(&self.folder, &to).unwrap();
        self.folder = to;
    }

    /// Goes on with a copy of the project's folder, with all that runs have made in it; the original stays as it is.
    pub(crate) fn clone_to(&mut self, name: &str) {
        let to = self.room.path().join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        assert!(Command::new("cp").arg("-a").args([&self.folder, &to]).status().unwrap().success());
        self.folder = to;
    }

    /// Goes on with another folder, which an earlier move or copy has left there.
    pub(crate) fn go_to(&mut self, name: &str) {
        self.folder = self.room.path().join(name);
        assert!(self.folder.is_dir());
    }

    /// Runs the program as another user from now on, to whom everything here is given. Only root can do that; for anybody
    /// else the user stays.
    pub(crate) fn become_nobody(&mut self) {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let program = self.beside("envbuild");
        fs::copy(env!("CARGO_BIN_EXE_envbuild"), &program).unwrap();
        self.give_to("65534");
        let words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program.to_str().unwrap()];
        self.starter = words.map(str::to_owned).to_vec();
    }

    /// The same project, whose program is started by these words.
    pub(crate) fn started_by(mut self, words: &[&str]) -> Self {
        self.starter = [words, &[env!("CARGO_BIN_EXE_envbuild")]].concat().into_iter().map(str::to_owned).collect();
        self
    }

    /// Takes everything back.
    pub(crate) fn become_ourselves(&mut self) {
        if !self.starter.is_empty() {
            self.give_to("0");
            self.starter.clear();
        }
    }

    fn give_to(&self, user: &str) {
        let folders = [self.room.path(), self.scratch.path()];
        let mut command = Command::new("chown");
        assert!(command.args(["-R", "-h", &format!("{user}:{user}")]).args(folders).status().unwrap().success());
    }

    /// The one file in a folder of the project whose name begins so.
    #[track_caller]
    pub(crate) fn only(&self, folder: &str, beginning: &str) -> PathBuf {
        let fits = |it: &PathBuf| it.components().count() == 1 && it.to_string_lossy().starts_with(beginning);
        let found: Vec<PathBuf> = files_below(&self.path(folder)).into_iter().filter(fits).collect();
        assert_eq!(found.len(), 1, "{found:?} begin with {beginning}");
        self.path(folder).join(&found[0])
    }

    /// Whether a folder has the same files with the same bytes in another project.
    pub(crate) fn holds_the_same(&self, other: &Self, folder: &str) -> bool {
        contents_below(&self.path(folder)) == contents_below(&other.path(folder))
    }

    /// The program, ready to be started in the project's folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.starter.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest);
                command
            }
            None => Command::new(env!("CARGO_BIN_EXE_envbuild")),
        };
        command.args(arguments);
        self.pin(&mut command);
        command
    }

    /// Gives a command the project's folder and environment.
    pub(crate) fn pin(&self, command: &mut Command) {
        command.current_dir(&self.folder).stdin(Stdio::null()).env_clear();
        let home = self.beside("home");
        command.env("PATH", variable("PATH").unwrap_or_default());
        command.env("HOME", &home).env("TMPDIR", self.beside("tmp"));
        for (name, folder) in
            [("CACHE", ".cache"), ("CONFIG", ".config"), ("DATA", ".local/share"), ("STATE", ".local/state")]
        {
            command.env(format!("XDG_{name}_HOME"), home.join(folder));
        }
        command.env("ENVBUILD_CACHE_DIR", self.cache.path()).env("ENVBUILD_SCRATCH", self.scratch.path());
        command.env("LC_ALL", "C.UTF-8").env("NO_COLOR", "1").env("COLUMNS", "120");
        command.envs(&self.variables);
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::new(self.command(arguments).output().unwrap())
    }

    /// Runs the program, which has to succeed, and reads its report.
    #[track_caller]
    pub(crate) fn report(&self, arguments: &[&str]) -> Report {
        let arguments = [arguments, &["--format", "json"]].concat();
        self.run(&arguments).success().report()
    }

    /// Asks for a plan.
    #[track_caller]
    pub(crate) fn plan(&self, words: &[&str]) -> Plan {
        self.run(&[&["plan", "--format", "json"], words].concat()).success().plan()
    }

    /// Asserts that a run has nothing to do.
    #[track_caller]
    pub(crate) fn assert_fresh(&self) {
        self.run(&["all"]).success().says("nothing to do");
    }

    /// A text without what differs from run to run.
    pub(crate) fn normalise(&self, text: &str) -> String {
        let name = |path: &Path| path.to_string_lossy().into_owned();
        let places = [
            (name(&self.folder), "[PROJECT]"),
            (name(self.room.path()), "[ROOM]"),
            (name(self.scratch.path()), "[SCRATCH]"),
            (name(self.cache.path()), "[CACHE]"),
        ];
        normalise(text, &places)
    }
}

/// A folder with a short path without links in it: prefixes below it are padded to a fixed length.
fn short_folder() -> TempDir {
    let place = std::env::temp_dir().canonicalize().unwrap();
    tempfile::Builder::new().prefix("eb").tempdir_in(place).unwrap()
}

/// The package cache that all projects of a test run share, for as long as there is one.
fn cache() -> Arc<TempDir> {
    static CACHE: Mutex<Weak<TempDir>> = Mutex::new(Weak::new());
    let mut kept = CACHE.lock().unwrap();
    kept.upgrade().unwrap_or_else(|| {
        let made = Arc::new(short_folder());
        *kept = Arc::downgrade(&made);
        made
    })
}
