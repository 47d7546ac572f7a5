//! A circle of recipes, told as a sentence with the places.

use super::{PlanError, error::Circle};
use crate::workspace::{Package, Workspace};

/// Each circle is a list of package cells, of which each needs the next and the last needs the first.
pub(super) fn tell_cycle(workspace: &Workspace, circles: &[Vec<usize>]) -> PlanError {
    let tell = |circle: &Vec<usize>| {
        let package = |at: usize| &workspace.packages[circle[at % circle.len()]];
        let steps: Vec<String> = (0..circle.len()).map(|at| format!("needs `{}`", package(at + 1).id)).collect();
        let places = (0..circle.len()).map(|at| place(workspace, package(at), package(at + 1))).collect();
        Circle { sentence: format!("`{}` {}", package(0).id, steps.join(", which ")), places }
    };
    PlanError::Cycle { circles: circles.iter().map(tell).collect() }
}

/// Where a recipe asks for another package: file and line.
fn place(workspace: &Workspace, package: &Package, needed: &Package) -> String {
    let file = package.file.strip_prefix(&workspace.root).unwrap_or(&package.file).display();
    let line = package.cell.requirements().find(|it| it.name == needed.cell.package).and_then(|it| it.line);
    match line {
        Some(line) => format!("`{}` is asked for at {file}:{line}", needed.cell.package),
        None => format!("`{}` is made by {file}", package.id),
    }
}
