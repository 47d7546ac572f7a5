//! Checks of the matrix: axes, zips and exclusions against each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    error::ManifestError,
    model::{Axis, Exclude, Matrix, Spanned, Zip},
    names::{Kind, check_name},
    problems::{Problems, clip, listed},
};

/// The help for an axis that is not declared.
pub(super) fn axis_help<'a>(axis: &str, axes: impl Iterator<Item = &'a str> + Clone, problems: &Problems) -> String {
    let none = format!("declare it in [matrix], with its values: `{} = [\"1.0\", \"2.0\"]`", clip(axis));
    problems.help(axis, "the axes", axes, &none)
}

/// Checks the matrix. What needs the values of a `broken` axis is passed over: its values are not all known.
pub(super) fn check_matrix(matrix: &Matrix, broken: &BTreeSet<String>, problems: &mut Problems) {
    let mut known = BTreeMap::new();
    for axis in &matrix.axes {
        check_name(&axis.name, Kind::Axis, problems);
        let readable = !broken.contains(&axis.name.value);
        if axis.values.is_empty() && readable {
            let Spanned { value, span } = axis.name.clone();
            problems.push(ManifestError::EmptyAxis { axis: value, at: span.into() });
        }
        let mut values = BTreeMap::new();
        for value in &axis.values {
            if let Some(first) = values.insert(value.value.as_str(), value.span.clone()) {
                problems.push(ManifestError::DuplicateValue {
                    axis: axis.name.value.clone(),
                    value: value.value.clone(),
                    first: first.into(),
                    at: value.span.clone().into(),
                });
            }
        }
        known.insert(axis.name.value.as_str(), Known { axis, values: values.into_keys().collect(), readable });
    }
    check_zips(&matrix.zip, &known, problems);
    check_excludes(&matrix.exclude, &known, problems);
}

struct Known<'a> {
    axis: &'a Axis,
    values: BTreeSet<&'a str>,
    readable: bool,
}

fn check_zips(zips: &[Zip], known: &BTreeMap<&str, Known<'_>>, problems: &mut Problems) {
    let mut zipped = BTreeMap::new();
    for zip in zips {
        if zip.axes.len() < 2 {
            problems.push(ManifestError::ZipTooFew { at: zip.span.clone().into() });
        }
        let mut lengths = Vec::new();
        for axis in &zip.axes {
            let at = axis.span.clone().into();
            let Some(declared) = known.get(axis.value.as_str()) else {
                let help = axis_help(&axis.value, known.keys().copied(), problems);
                problems.push(ManifestError::ZipUnknownAxis { axis: clip(&axis.value), help, at });
                continue;
            };
            if let Some(first) = zipped.insert(axis.value.as_str(), axis.span.clone()) {
                problems.push(ManifestError::ZipTwice { axis: axis.value.clone(), first: first.into(), at });
            }
            if declared.readable {
                lengths.push((axis.value.as_str(), declared.axis.values.len()));
            }
        }
        if lengths.iter().any(|(_, length)| *length != lengths[0].1) {
            const SHOWN: usize = 8;
            let mut told: Vec<String> =
                lengths.iter().take(SHOWN).map(|(axis, length)| format!("`{}` has {length}", clip(axis))).collect();
            if lengths.len() > SHOWN {
                told.push("…".to_owned());
            }
            problems.push(ManifestError::ZipUnequal { lengths: told.join(", "), at: zip.span.clone().into() });
        }
    }
}

fn check_excludes(excludes: &[Exclude], known: &BTreeMap<&str, Known<'_>>, problems: &mut Problems) {
    for exclude in excludes {
        if exclude.values.is_empty() {
            problems.push(ManifestError::ExcludeEmpty { at: exclude.span.clone().into() });
        }
        for (axis, value) in &exclude.values {
            let Some(declared) = known.get(axis.value.as_str()) else {
                let help = axis_help(&axis.value, known.keys().copied(), problems);
                let at = axis.span.clone().into();
                problems.push(ManifestError::ExcludeUnknownAxis { axis: clip(&axis.value), help, at });
                continue;
            };
            if declared.readable && !declared.values.contains(value.value.as_str()) {
                problems.push(ManifestError::ExcludeUnknownValue {
                    axis: axis.value.clone(),
                    value: clip(&value.value),
                    values: listed(declared.axis.values.iter().map(|it| it.value.as_str())),
                    at: value.span.clone().into(),
                });
            }
        }
    }
}
