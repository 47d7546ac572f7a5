//! The matrix: products of axes, zipped groups, exclusions, and the values that a command line puts in their place.

use std::collections::BTreeMap;

use miette::Diagnostic;

use crate::{
    manifest::{Matrix, closest},
    recipe::Axes,
};

/// `VAR=VALUE` of a command line: the axis takes these values and no others for this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Axis name.
    pub axis: String,
    /// Its values.
    pub values: Vec<String>,
}

/// A `VAR=VALUE` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
pub enum OverrideError {
    /// There is no such axis.
    #[error("`{axis}` is not an axis of this project's matrix")]
    #[diagnostic(code(envbuild::workspace::unknown_axis))]
    Unknown {
        /// What was typed.
        axis: String,
        /// What may have been meant.
        #[help]
        help: String,
    },
    /// No value was given.
    #[error("`{axis}=` gives the axis no value")]
    #[diagnostic(
        code(envbuild::workspace::no_value),
        help("write `{axis}=VALUE`, or `{axis}=VALUE,VALUE` for several")
    )]
    Empty {
        /// The axis.
        axis: String,
    },
    /// A zipped axis was given values that its group has no row for.
    #[error("`{axis}` is zipped with {others}, and no row of that zip has `{axis}` = `{value}`")]
    #[diagnostic(code(envbuild::workspace::no_row), help("give all axes of the zip, with equally many values each"))]
    NoRow {
        /// The axis.
        axis: String,
        /// The value that no row has.
        value: String,
        /// The other axes of its group.
        others: String,
    },
}

/// Splits words of the form `VAR=VALUE[,VALUE…]` from the others, which are names of goals.
pub fn parse_overrides(words: &[String]) -> (Vec<String>, Vec<Override>) {
    let mut names = Vec::new();
    let mut overrides = Vec::new();
    for word in words {
        match word.split_once('=') {
            // A goal may be written as a node id, which has an equals sign behind its bracket.
            Some((axis, values)) if !axis.contains('[') => {
                let values = values.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect();
                overrides.push(Override { axis: axis.to_owned(), values });
            }
            _ => names.push(word.clone()),
        }
    }
    (names, overrides)
}

/// The matrix of this run: what the manifest wrote, with the command line's values in place.
#[derive(Debug, Clone, Default)]
pub(super) struct Grid {
    pub(super) axes: Axes,
    exclude: Vec<BTreeMap<String, String>>,
}

impl Grid {
    /// Puts the overrides into the manifest's matrix, and says everything that is wrong with them.
    pub(super) fn new(matrix: &Matrix, overrides: &[Override]) -> Result<Self, Vec<OverrideError>> {
        let mut values: Vec<(String, Vec<String>)> = Vec::new();
        for axis in &matrix.axes {
            values.push((axis.name.value.clone(), axis.values.iter().map(|it| it.value.clone()).collect()));
        }
        let zip: Vec<Vec<String>> =
            matrix.zip.iter().map(|zip| zip.axes.iter().map(|it| it.value.clone()).collect()).collect();
        let exclude = matrix
            .exclude
            .iter()
            .map(|rule| rule.values.iter().map(|(axis, value)| (axis.value.clone(), value.value.clone())).collect())
            .collect();
        let mut grid = Self { axes: Axes { values, zip }, exclude };
        let mut problems = Vec::new();
        for wanted in overrides {
            if let Err(problem) = grid.check(wanted) {
                problems.push(problem);
            }
        }
        if problems.is_empty() {
            problems = grid.apply(overrides);
        }
        if problems.is_empty() { Ok(grid) } else { Err(problems) }
    }

    fn check(&self, wanted: &Override) -> Result<(), OverrideError> {
        let axis = wanted.axis.clone();
        let names = self.axes.values.iter().map(|(name, _)| name.as_str());
        if !names.clone().any(|name| name == axis) {
            let help = match closest(&axis, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if self.axes.values.is_empty() => "the project has no [matrix]".to_owned(),
                None => format!("the axes are {}", names.map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")),
            };
            return Err(OverrideError::Unknown { axis, help });
        }
        if wanted.values.is_empty() { Err(OverrideError::Empty { axis }) } else { Ok(()) }
    }

    fn apply(&mut self, overrides: &[Override]) -> Vec<OverrideError> {
        let mut problems = Vec::new();
        for wanted in overrides {
            let group = self.axes.zip.iter().find(|group| group.contains(&wanted.axis)).cloned();
            let Some(group) = group else {
                self.set(&wanted.axis, wanted.values.clone());
                continue;
            };
            // The whole row is given: take it as it stands. Otherwise keep the rows that the zip already has.
            let given =
                |axis: &String| overrides.iter().any(|it| &it.axis == axis && it.values.len() == wanted.values.len());
            if group.iter().all(given) {
                self.set(&wanted.axis, wanted.values.clone());
                continue;
            }
            let current = self.get(&wanted.axis).to_vec();
            if let Some(value) = wanted.values.iter().find(|value| !current.contains(value)) {
                let others: Vec<_> =
                    group.iter().filter(|it| **it != wanted.axis).map(|it| format!("`{it}`")).collect();
                problems.push(OverrideError::NoRow {
                    axis: wanted.axis.clone(),
                    value: value.clone(),
                    others: others.join(", "),
                });
                continue;
            }
            let rows: Vec<usize> = (0..current.len()).filter(|row| wanted.values.contains(&current[*row])).collect();
            for axis in &group {
                let kept = rows.iter().map(|row| self.get(axis)[*row].clone()).collect();
                self.set(axis, kept);
            }
        }
        problems
    }

    fn get(&self, axis: &str) -> &[String] {
        self.axes.values.iter().find(|(name, _)| name == axis).map_or(&[], |(_, values)| values)
    }

    fn set(&mut self, axis: &str, values: Vec<String>) {
        if let Some((_, old)) = self.axes.values.iter_mut().find(|(name, _)| name == axis) {
            *old = values;
        }
    }

    /// Whether an `exclude` rule speaks of this cell: it names no axis that the cell lacks, and all its values agree.
    pub(super) fn excludes(&self, cell: &BTreeMap<String, String>) -> bool {
        self.exclude.iter().any(|rule| rule.iter().all(|(axis, value)| cell.get(axis) == Some(value)))
    }

    /// Every combination of the named axes: zipped ones advance together, the rest multiply, the first name slowest.
    pub(super) fn expand(&self, names: &[String]) -> Vec<BTreeMap<String, String>> {
        let mut cells = vec![BTreeMap::new()];
        let mut done: Vec<&String> = Vec::new();
        for name in names {
            if done.contains(&name) {
                continue;
            }
            let group: Vec<&String> = match self.axes.zip.iter().find(|group| group.contains(name)) {
                Some(group) => group.iter().filter(|axis| names.contains(axis)).collect(),
                None => vec![name],
            };
            let mut rows: Vec<BTreeMap<String, String>> = Vec::new();
            for index in 0..self.get(name).len() {
                let row = group.iter().map(|axis| ((*axis).clone(), self.get(axis)[index].clone())).collect();
                if !rows.contains(&row) {
                    rows.push(row);
                }
            }
            let mut next = Vec::new();
            for cell in &cells {
                for row in &rows {
                    let mut cell = cell.clone();
                    cell.extend(row.clone());
                    next.push(cell);
                }
            }
            cells = next;
            done.extend(group);
        }
        cells.retain(|cell| !self.excludes(cell));
        cells
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Grid, Override, OverrideError, parse_overrides};
    use crate::manifest::parse;

    fn grid(overrides: &[(&str, &[&str])]) -> Result<Grid, Vec<OverrideError>> {
        let text = r#"
            [project]
            name = "p"
            [matrix]
            python = ["3.11", "3.12"]
            torch = ["2.7", "2.6"]
            vision = ["0.22", "0.21"]
            zip = [["torch", "vision"]]
            exclude = [{ python = "3.12", torch = "2.6" }]
        "#;
        let manifest = parse("project.toml", text).expect("the manifest is good");
        let overrides: Vec<Override> = overrides
            .iter()
            .map(|(axis, values)| Override {
                axis: (*axis).to_owned(),
                values: values.iter().map(|it| (*it).to_owned()).collect(),
            })
            .collect();
        Grid::new(&manifest.matrix, &overrides)
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|it| (*it).to_owned()).collect()
    }

    fn lines(cells: &[BTreeMap<String, String>]) -> Vec<String> {
        cells.iter().map(|cell| cell.values().cloned().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn zipped_axes_advance_together_and_exclusions_drop_cells() {
        let cells = grid(&[]).unwrap().expand(&names(&["python", "torch", "vision"]));
        assert_eq!(lines(&cells), ["3.11 2.7 0.22", "3.11 2.6 0.21", "3.12 2.7 0.22"]);
    }

    #[test]
    fn one_axis_of_a_zip_stands_alone() {
        assert_eq!(lines(&grid(&[]).unwrap().expand(&names(&["vision"]))), ["0.22", "0.21"]);
        assert_eq!(grid(&[]).unwrap().expand(&[]).len(), 1);
    }

    #[test]
    fn an_override_of_one_zipped_axis_picks_its_row() {
        let cells = grid(&[("torch", &["2.6"])]).unwrap().expand(&names(&["torch", "vision"]));
        assert_eq!(lines(&cells), ["2.6 0.21"]);
    }

    #[test]
    fn an_override_of_a_whole_row_brings_new_values() {
        let cells = grid(&[("torch", &["2.8"]), ("vision", &["0.23"])]).unwrap().expand(&names(&["torch", "vision"]));
        assert_eq!(lines(&cells), ["2.8 0.23"]);
        let problems = grid(&[("torch", &["2.8"])]).unwrap_err();
        assert!(matches!(&problems[..], [OverrideError::NoRow { .. }]), "{problems:?}");
    }

    #[test]
    fn a_misspelt_axis_is_told_with_the_one_that_was_meant() {
        let problems = grid(&[("pyhton", &["3.11"]), ("torch", &[])]).unwrap_err();
        assert_eq!(problems.len(), 2);
        assert!(matches!(&problems[0], OverrideError::Unknown { help, .. } if help.contains("`python`")));
    }

    #[test]
    fn goals_and_overrides_are_told_apart() {
        let words = names(&["hello", "python=3.11,3.12", "build:hello[python=3.11]"]);
        let (goals, overrides) = parse_overrides(&words);
        assert_eq!(goals, ["hello", "build:hello[python=3.11]"]);
        assert_eq!(overrides[0].values, ["3.11", "3.12"]);
    }
}
