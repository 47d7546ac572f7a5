//! Names that nobody vouches for.

/// Names and targets longer than this are not read; Linux has paths of at most 4096 bytes.
pub(super) const LONGEST: usize = 4096;

/// The longest name of a single file that Linux has.
const LONGEST_PART: usize = 255;

/// Drops `.` parts and the slash that ends a folder's name; refuses whatever could lead out of the destination, and
/// what no file can be called. The root itself, as in `./`, becomes an empty name.
pub(super) fn clean(name: &[u8]) -> Result<Vec<u8>, &'static str> {
    if name.is_empty() {
        return Err("has no name");
    }
    if name.starts_with(b"/") {
        return Err("has an absolute name");
    }
    if name.contains(&0) {
        return Err("has a NUL byte in its name");
    }
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.contains(&b"..".as_slice()) {
        return Err("leads out of the destination");
    }
    if name.len() > LONGEST || parts.iter().any(|part| part.len() > LONGEST_PART) {
        return Err("has a name too long for any file system");
    }
    Ok(parts.join(&b'/'))
}

/// The target of a link, if a link can point there. Where it leads is for whoever follows it.
pub(super) fn target(target: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    match target.len() {
        0 => Err("is a symbolic link to nothing"),
        LONGEST.. => Err("has a target too long for any file system"),
        _ if target.contains(&0) => Err("has a NUL byte in its target"),
        _ => Ok(target),
    }
}

#[cfg(test)]
mod tests {
    use super::{clean, target};

    #[test]
    fn names_stay_inside() {
        assert_eq!(clean(b"./a//b/./c/").unwrap(), b"a/b/c");
        assert_eq!(clean(b"./").unwrap(), b"");
        assert!(clean(&[b'a'; 255]).is_ok());
        let long = [b'a'; 256];
        let deep = b"abc/".repeat(1025);
        for bad in [&b"/etc/passwd"[..], b"../x", b"a/../../x", b"a/..", b"", b"a\0b", &long, &deep] {
            assert!(clean(bad).is_err(), "{}", bad.escape_ascii());
        }
        assert!(target(vec![b'a'; 4095]).is_ok());
        for bad in [vec![], vec![b'a'; 4096], b"a\0b".to_vec()] {
            assert!(target(bad).is_err());
        }
    }
}
