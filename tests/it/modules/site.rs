//! A machine with modules: a folder of module files, a file that defines `module`, and packages that write down what they
//! see.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::support::{Project, Report, skip, variable};

/// Where Debian and its children put Lmod.
const LMOD: &str = "/usr/share/lmod/lmod/init/bash";

/// A recipe that leaves the environment of its script outside, and makes a package with nothing of it.
const RECIPE: &str = "\
package:
  name: @NAME@
  version: 1.0.0
build:
  script:
    - env -0 > '@FOLDER@/seen-@NAME@'
    - mkdir -p \"$PREFIX/share\" && echo @NAME@ > \"$PREFIX/share/@NAME@\"
";

/// A project on a machine with modules.
pub(super) struct Site {
    pub(super) project: Project,
    folder: PathBuf,
}

impl Site {
    /// A machine with Lmod; nothing when this one has none.
    pub(super) fn lmod() -> Option<Self> {
        if !Path::new(LMOD).is_file() {
            skip("Lmod (/usr/share/lmod)");
            return None;
        }
        Some(Self::new(&format!(". {LMOD}\n")))
    }

    /// A machine with Environment Modules; nothing when nobody says where they are.
    pub(super) fn environment_modules() -> Option<Self> {
        let Some(program) = variable("ENVBUILD_TEST_ENVIRONMENT_MODULES") else {
            skip("Environment Modules (ENVBUILD_TEST_ENVIRONMENT_MODULES)");
            return None;
        };
        Some(Self::new(&format!("eval \"$(tclsh '{program}' bash autoinit)\"\n")))
    }

    /// Each shell that sources the file of the machine adds a letter to `shells`.
    fn new(init: &str) -> Self {
        let project = Project::new();
        let folder = project.beside("site");
        fs::create_dir_all(folder.join("modules")).unwrap();
        let here = folder.display();
        let text = format!("export MODULEPATH='{here}/modules'\nprintf . >>'{here}/shells'\n{init}");
        fs::write(folder.join("init.sh"), text).unwrap();
        Self { project, folder }
    }

    /// A path in the folder of the machine.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Writes a file of the machine. Where a text has `@`, the folder of the machine is put.
    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace('@', self.folder.to_str().unwrap())).unwrap();
    }

    /// Writes a program of the machine.
    pub(super) fn program(&self, path: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        self.write(path, text);
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Writes a module file in Tcl, which both systems read.
    pub(super) fn tcl(&self, name: &str, text: &str) {
        self.write(&format!("modules/{name}"), &format!("#%Module1.0\n{text}\n"));
    }

    /// Writes a module file in Lua.
    pub(super) fn lua(&self, name: &str, text: &str) {
        self.write(&format!("modules/{name}.lua"), &format!("{text}\n"));
    }

    /// Writes the manifest: what `[host]` has besides `init`, and recipes with what their tables have besides `path`.
    pub(super) fn manifest(&self, host: &str, recipes: &[(&str, &str)]) {
        let init = format!("init = [\"{}\"]", self.path("init.sh").display());
        self.manifest_with(&format!("{init}\n{host}"), recipes);
    }

    /// The same with a whole `[host]`.
    pub(super) fn manifest_with(&self, host: &str, recipes: &[(&str, &str)]) {
        let mut text = format!("[project]\nname = \"site\"\nchannels = []\n\n[host]\n{host}\n");
        for (name, table) in recipes {
            text += &format!("\n[recipes.{name}]\npath = \"recipes/{name}\"\n{table}\n");
            let recipe = RECIPE.replace("@NAME@", name).replace("@FOLDER@", self.folder.to_str().unwrap());
            self.project.write(&format!("recipes/{name}/recipe.yaml"), &recipe);
        }
        self.project.write("project.toml", &text.replace('@', self.folder.to_str().unwrap()));
    }

    /// How many shells have sourced the file of the machine.
    pub(super) fn shells(&self) -> usize {
        fs::read(self.path("shells")).map_or(0, |it| it.len())
    }

    /// The environment that a recipe's script had.
    #[track_caller]
    pub(super) fn seen(&self, recipe: &str) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.path(&format!("seen-{recipe}"))).expect("the script has run");
        let pair = |it: &str| it.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        text.split('\0').filter_map(pair).collect()
    }

    /// Builds, which has to succeed.
    #[track_caller]
    pub(super) fn build(&self) -> Report {
        self.project.report(&["build"])
    }

    /// Builds, which has to fail; what is said, in one line: long lines are broken wherever it is drawn.
    #[track_caller]
    pub(super) fn refused(&self) -> String {
        let ran = self.project.run(&["build"]).failure(1);
        let words: Vec<String> = ran.stderr.split_whitespace().filter(|it| *it != "│").map(str::to_owned).collect();
        words.join(" ").replace(self.folder.to_str().unwrap(), "[SITE]")
    }

    /// How a build ends whose nodes must all be fresh, and how many shells it took.
    #[track_caller]
    pub(super) fn shells_without_work(&self) -> usize {
        let before = self.shells();
        self.project.run(&["build"]).success().says("nothing to do");
        self.shells() - before
    }
}
