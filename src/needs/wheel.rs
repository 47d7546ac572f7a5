//! What pip has installed: `RECORD` in the `.dist-info` folder of each wheel lists its files, one in a line, with digest and
//! size after commas, and relative to the folder that the `.dist-info` folder is in ("Recording installed projects", PyPA).

/// How the names of such packages begin.
pub const PYPI: &str = "pypi:";

/// A wheel that was installed.
#[derive(Debug)]
pub(super) struct Wheel {
    /// `pypi:name-version`.
    pub(super) id: String,
    /// Its files, relative to the prefix.
    pub(super) files: Vec<Vec<u8>>,
}

/// The folder that the files are relative to and the wheel's name with its version, when a name is that of such a list.
fn place(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let folder = name.strip_suffix(b".dist-info/RECORD")?;
    let at = memchr::memrchr(b'/', folder)?;
    Some((&folder[..at], &folder[at + 1..]))
}

/// Whether an entry is the list of a wheel's files.
pub(super) fn is_record(name: &[u8]) -> bool {
    place(name).is_some()
}

/// Reads such a list. Lines that make no sense are nobody's files.
pub(super) fn read(name: &[u8], bytes: &[u8]) -> Option<Wheel> {
    let (folder, wheel) = place(name)?;
    let files = bytes.split(|it| *it == b'\n').filter_map(|line| below(folder, path(line)?)).collect();
    Some(Wheel { id: format!("{PYPI}{}", String::from_utf8_lossy(wheel)), files })
}

/// The first field of a line, in quotes when it holds a comma.
fn path(line: &[u8]) -> Option<&[u8]> {
    let (end, text) = match line.strip_prefix(b"\"") {
        Some(text) => (b'"', text),
        None => (b',', line),
    };
    memchr::memchr(end, text).map(|at| &text[..at]).filter(|it| !it.is_empty())
}

fn below(folder: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = folder.split(|it| *it == b'/').collect();
    for part in path.split(|it| *it == b'/') {
        match part {
            b"." | b"" => {}
            b".." => drop(parts.pop()?),
            other => parts.push(other),
        }
    }
    Some(parts.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn files_are_relative_to_the_folder_and_may_lead_out_of_it() {
        let list = b"a/b.so,sha256=x,7\n../../../bin/tool,,\r\n\"c,d.so\",sha256=y,8\n\nstrange\n";
        let wheel = read(b"lib/python3.11/site-packages/my_tool-1.2.dist-info/RECORD", list).unwrap();
        assert_eq!(wheel.id, "pypi:my_tool-1.2");
        let site = "lib/python3.11/site-packages";
        let expected = [format!("{site}/a/b.so"), "bin/tool".to_owned(), format!("{site}/c,d.so")];
        assert_eq!(wheel.files, expected.map(String::into_bytes));
        assert!(read(b"lib/RECORD", list).is_none());
    }
}
