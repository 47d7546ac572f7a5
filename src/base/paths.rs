//! Paths as they are written, whatever is on the disk.

use std::path::{Component, Path, PathBuf};

/// An absolute path without `.` and `..`, each `..` taken together with the name before it: the same whether anything is
/// there or not. Where a name before `..` is a link, the system would go another way.
pub fn without_dots(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            // Above the root is the root.
            Component::ParentDir => drop(clean.pop()),
            part => clean.push(part),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::without_dots;

    #[test]
    fn dots_go_with_the_names_before_them() {
        for (path, clean) in
            [("/a/b/../c", "/a/c"), ("/a/./b/", "/a/b"), ("/a/../../b", "/b"), ("/..", "/"), ("/a/..b/.c", "/a/..b/.c")]
        {
            assert_eq!(without_dots(Path::new(path)).as_os_str(), clean, "{path}");
        }
    }
}
