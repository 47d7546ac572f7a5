//! rattler-build as a Python library, in a virtual environment of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::project::write;

/// The version that is compared.
pub(crate) const VERSION: &str = "0.73.0";

const RENDER: &str = r#"
import sys, pathlib
from rattler_build import Stage0Recipe, VariantConfig
for recipe in sorted(pathlib.Path(sys.argv[1]).glob("*/recipe.yaml")):
    assert Stage0Recipe.from_file(recipe).render(VariantConfig())
"#;

const BUILD: &str = r#"
import sys
from rattler_build import Stage0Recipe, VariantConfig
recipe, output = sys.argv[1:]
for variant in Stage0Recipe.from_file(recipe).render(VariantConfig()):
    variant.run_build(output_dir=output, channels=[])
"#;

/// An installed rattler-build.
pub(crate) struct Peer {
    place: PathBuf,
}

impl Peer {
    /// Installs it below `place`, unless it is there; says in one line why it cannot.
    pub(crate) fn get(place: &Path) -> Result<Self, String> {
        let peer = Self { place: place.join("rattler-build") };
        write(&peer.place.join("render.py"), RENDER);
        write(&peer.place.join("build.py"), BUILD);
        if !works(peer.python().args(["-c", "import rattler_build"])) {
            let venv = peer.place.join("venv");
            if !works(Command::new("python3").args(["-m", "venv"]).arg(&venv)) {
                return Err("python3 with venv is not installed".to_owned());
            }
            let package = format!("py-rattler-build=={VERSION}");
            if !works(peer.python().args(["-m", "pip", "install", "--quiet", &package])) {
                return Err(format!("pip does not install {package}"));
            }
        }
        Ok(peer)
    }

    /// Renders every recipe below a folder, in one process.
    pub(crate) fn render(&self, recipes: &Path) -> Command {
        let mut command = self.python();
        command.arg(self.place.join("render.py")).arg(recipes);
        command
    }

    /// Builds one recipe into a folder.
    pub(crate) fn build(&self, recipe: &Path, output: &Path) -> Command {
        let mut command = self.python();
        command.arg(self.place.join("build.py")).arg(recipe).arg(output);
        command.env("RATTLER_CACHE_DIR", self.place.join("cache"));
        command
    }

    fn python(&self) -> Command {
        Command::new(self.place.join("venv/bin/python"))
    }
}

fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|it| it.status.success())
}
