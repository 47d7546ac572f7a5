//! The order in which packages can be installed.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::PackageFacts;

/// Packages with what they need before them; of several that could come, the first by name comes. What needs each other
/// in a ring comes in the order in which it is reached. That python needs pip is no reason to wait: conda notes it in
/// every record of python that it writes (`add_pip_as_python_dependency`), and pip, which needs python, cannot be there
/// before it.
pub(super) fn installable(packages: &[PackageFacts]) -> Vec<&PackageFacts> {
    let by_name: BTreeMap<&str, &PackageFacts> = packages.iter().map(|it| (it.name.as_str(), it)).collect();
    let mut done = BTreeSet::new();
    let mut order = Vec::with_capacity(packages.len());
    // An explicit stack: a chain of dependencies may be longer than a thread's stack is deep.
    for start in by_name.values().copied() {
        let mut open = vec![(start, false)];
        while let Some((package, needs_are_done)) = open.pop() {
            if needs_are_done {
                order.push(package);
            } else if done.insert(package.name.as_str()) {
                open.push((package, true));
                let needs = package.depends.iter().map(|it| name_of(it));
                let needs: BTreeSet<&str> = needs.filter(|it| package.name != "python" || *it != "pip").collect();
                open.extend(needs.iter().rev().filter_map(|it| by_name.get(it)).map(|it| (*it, false)));
            }
        }
    }
    order
}

/// The name in a dependency such as `conda-forge::python >=3.11,<3.12.0a0 *_cpython`.
pub(super) fn name_of(spec: &str) -> &str {
    let spec = spec.trim();
    let spec = spec.rsplit_once("::").map_or(spec, |(_, name)| name);
    let end = spec.find(|it: char| it.is_whitespace() || "=<>!~[;".contains(it)).unwrap_or(spec.len());
    &spec[..end]
}

#[cfg(test)]
mod tests {
    use super::{PackageFacts, installable, name_of};

    fn package(name: &str, depends: &[&str]) -> PackageFacts {
        let depends = depends.iter().map(|it| (*it).to_owned()).collect();
        PackageFacts { name: name.to_owned(), depends, ..PackageFacts::default() }
    }

    #[test]
    fn what_is_needed_comes_first_and_rings_end() {
        let packages = [
            package("a", &["z >=1", "absent"]),
            package("pip", &["python", "wheel"]),
            package("python", &["pip", "z"]),
            package("wheel", &["python"]),
            package("z", &[]),
            package("ring", &["zing"]),
            package("zing", &["ring"]),
        ];
        let names: Vec<&str> = installable(&packages).iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["z", "a", "python", "wheel", "pip", "zing", "ring"]);
    }

    #[test]
    fn names_end_where_versions_begin() {
        for spec in ["python", "python 3.*", "conda-forge::python>=3", "python[version='3.*']", "python=3.11=*_cp"] {
            assert_eq!(name_of(spec), "python");
        }
    }
}
