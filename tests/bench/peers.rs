//! The same graph for ninja and GNU make: the recipes' own files lead to one stamp each.

use std::{fmt::Write as _, path::Path, process::Command};

use super::project::{Project, Shape, name, write};

/// Writes `build.ninja` and `Makefile` into `folder`, for the recipes of a project.
pub(crate) fn write_graphs(folder: &Path, project: &Project, shape: Shape) {
    let mut ninja = "rule touch\n  command = touch $out\n".to_owned();
    let mut make = ".SUFFIXES:\nMAKEFLAGS += -r\nall:".to_owned();
    for node in 0..shape.nodes {
        write!(make, " out/{}", name(node)).unwrap();
    }
    make.push('\n');
    for node in 0..shape.nodes {
        let name = name(node);
        let recipe = project.root.join("recipes").join(&name);
        let needs: Vec<String> = shape.needs_of(node).into_iter().map(|it| format!("out/{}", self::name(it))).collect();
        let files = format!("{0}/recipe.yaml {0}/build.sh {1}", recipe.display(), needs.join(" "));
        writeln!(ninja, "build out/{name}: touch {files}").unwrap();
        writeln!(make, "out/{name}: {files}\n\ttouch $@").unwrap();
    }
    write(&folder.join("build.ninja"), &ninja);
    write(&folder.join("Makefile"), &make);
    std::fs::create_dir_all(folder.join("out")).unwrap();
}

/// A peer's command in its folder.
pub(crate) fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    // What a make that runs this benchmark says to its own children.
    command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    command
}
