//! What stands before the archive in a file that unpacks itself: a shell script and a program that is linked statically.
//!
//! The program is made by the build script out of rooms of this crate; see `build.rs` and `program/main.rs`.
//!
//! Knows nothing of: what is packed, and how.

use crate::archive::SELF_EXTRACTING;

/// The program; empty when it could not be built.
const PROGRAM: &[u8] = include_bytes!(env!("ENVBUILD_UNPACKER"));
const SCRIPT: &str = include_str!("launch.sh");
/// The script has one block for itself, and the program begins and ends with one.
const BLOCK: usize = 8192;

/// The platform on which files that this envbuild makes can unpack themselves, such as `linux-64`; nothing when it was
/// built without the unpacker.
pub fn platform() -> Option<&'static str> {
    let known = [
        ("x86_64", "linux-64"),
        ("aarch64", "linux-aarch64"),
        ("powerpc64le", "linux-ppc64le"),
        ("riscv64", "linux-riscv64"),
        ("s390x", "linux-s390x"),
    ];
    let found = known.into_iter().find(|(it, _)| *it == machine()).map(|(_, platform)| platform);
    found.filter(|_| !PROGRAM.is_empty() && cfg!(target_os = "linux"))
}

/// As `uname -m` says it.
const fn machine() -> &'static str {
    if cfg!(all(target_arch = "powerpc64", target_endian = "little")) { "powerpc64le" } else { std::env::consts::ARCH }
}

/// The script and the program, after which the archive stands.
pub fn beginning() -> Vec<u8> {
    let mut program = PROGRAM.to_vec();
    program.resize(program.len().next_multiple_of(BLOCK), 0);
    let values = [
        ("@ARCHIVE@", (BLOCK + program.len()).to_string()),
        ("@SYSTEM@", "Linux".to_owned()),
        ("@MACHINE@", machine().to_owned()),
        ("@BLOCK@", BLOCK.to_string()),
        ("@BLOCKS@", (program.len() / BLOCK).to_string()),
        ("@SUM@", format!("{} {}", cksum(&program), program.len())),
    ];
    let script = values.into_iter().fold(SCRIPT.to_owned(), |script, (mark, value)| script.replace(mark, &value));
    debug_assert!(script.len() < BLOCK && script.as_bytes().starts_with(SELF_EXTRACTING));
    let mut bytes = script.into_bytes();
    bytes.resize(BLOCK, b'\n');
    bytes.extend(program);
    bytes
}

/// The sum that POSIX's `cksum` prints: a CRC of the bytes and of their number, the lowest byte first, without zeros at
/// its end.
fn cksum(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x04c1_1db7;
    let mut table = [0_u32; 256];
    for (entry, byte) in table.iter_mut().zip(0_u32..) {
        *entry = (0..8).fold(byte << 24, |sum, _| if sum >> 31 == 1 { sum << 1 ^ POLYNOMIAL } else { sum << 1 });
    }
    let step = |sum: u32, byte: &u8| sum << 8 ^ table[usize::from(sum.to_be_bytes()[0] ^ byte)];
    let length = bytes.len().to_le_bytes();
    let used = length.iter().rposition(|it| *it != 0).map_or(0, |last| last + 1);
    !length[..used].iter().fold(bytes.iter().fold(0, step), step)
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, beginning, cksum};
    use crate::archive::SELF_EXTRACTING;

    #[test]
    fn sums_are_those_of_posix() {
        assert_eq!(cksum(b""), 4_294_967_295);
        assert_eq!(cksum(b"123456789"), 930_766_865);
    }

    #[test]
    fn the_script_fits_into_its_block() {
        let beginning = beginning();
        assert_eq!(beginning.len() % BLOCK, 0);
        let script = std::str::from_utf8(&beginning[..BLOCK]).unwrap();
        let rest = script.as_bytes().strip_prefix(SELF_EXTRACTING).unwrap();
        assert!(rest.starts_with(format!("{}\n", beginning.len()).as_bytes()), "{script}");
        assert!(script.ends_with("\n\n") && !script.replace("$@", "").contains('@'), "{script}");
    }
}
