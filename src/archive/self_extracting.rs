//! Archives that follow a script and a program in the same file; the script says where they begin.

use std::io::{self, Read as _, SeekFrom};

use super::{error::Fault, source::Input};

/// How a file that unpacks itself begins: a shell script whose second line ends in the offset, in decimal digits, of the
/// `tar.zst` behind it.
pub const SELF_EXTRACTING: &[u8] = b"#!/bin/sh\n# A self-extracting archive of envbuild; its tar.zst begins at byte ";

/// Goes to where the archive begins.
pub(super) fn skip(input: &mut dyn Input) -> Result<(), Fault> {
    let mut start = Vec::new();
    (&mut *input).take(SELF_EXTRACTING.len() as u64 + 16).read_to_end(&mut start)?;
    let at = start.strip_prefix(SELF_EXTRACTING).and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let at = at.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).filter(|at| *at < i64::MAX as u64);
    let at = at.ok_or_else(|| Fault::damaged("its script does not say where it begins"))?;
    let found: io::Result<u64> = input.seek(SeekFrom::Start(at));
    Ok(found.map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::SELF_EXTRACTING;
    use crate::archive::{
        Fault, Format,
        tests::{PLENTY, file, read_all, write},
    };

    fn after(digits: &str, archive: &[u8]) -> Vec<u8> {
        let mut bytes = [SELF_EXTRACTING, digits.as_bytes(), b"\nexit 1\n"].concat();
        bytes.resize(1000, 0);
        [&bytes, archive].concat()
    }

    #[test]
    fn what_stands_before_is_skipped() {
        let entries = [file("f", true, b"content".to_vec())];
        let archive = write(Format::SelfExtracting, None, 1, &entries);
        assert_eq!(read_all(&after("1000", &archive), &[], PLENTY).unwrap(), entries);
        for digits in
            ["", "x", "-1", "999", "1001", "18446744073709551615", "9223372036854775806", "10000000000000001000"]
        {
            let fault = read_all(&after(digits, &archive), &[], PLENTY).unwrap_err();
            assert!(matches!(fault, Fault::Damaged(_)), "{digits}: {fault}");
        }
    }
}
