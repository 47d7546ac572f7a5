//! Whether an environment can live here: the machine, the path.

use std::{cmp::Ordering, path::Path};

use serde_json::Value;

use super::{error::UnpackError, head::Head};
use crate::tree::{PrefixFault, prefix_fault};

/// What is known of the machine on which an environment is to run. What is not known is not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its platform, such as `linux-64`.
    pub platform: Option<String>,
    /// The version of its glibc.
    pub glibc: Option<String>,
}

/// Compares what an archive says of itself with the machine.
///
/// # Errors
/// When the environment cannot run there; the error names everything that is in its way.
pub(super) fn check_machine(archive: &Path, head: &Head, machine: &Machine) -> Result<(), UnpackError> {
    require_machine(archive, &head.header.platform, head.needs().and_then(glibc).as_deref(), machine)
}

/// Whether an environment for a platform, that needs at least some glibc, can run on a machine. The archive is what the error
/// names.
///
/// # Errors
/// When it cannot; the error names everything that is in its way.
pub fn require_machine(
    archive: &Path,
    wanted: &str,
    glibc: Option<&str>,
    machine: &Machine,
) -> Result<(), UnpackError> {
    let mut faults = Vec::new();
    if let Some(platform) = machine.platform.as_deref()
        && wanted != "noarch"
        && wanted != platform
    {
        faults.push(format!("it is for {wanted}, and this machine is {platform}"));
    }
    if let (Some(wanted), Some(glibc)) = (glibc, machine.glibc.as_deref())
        && older(glibc, wanted)
    {
        faults.push(format!("it needs glibc {wanted}, and this machine has {glibc}"));
    }
    if faults.is_empty() { Ok(()) } else { Err(UnpackError::Machine { path: archive.to_owned(), faults }) }
}

/// The oldest glibc that will do, in whichever way it is written.
fn glibc(needs: &[u8]) -> Option<String> {
    let needs: Value = serde_json::from_slice(needs).ok()?;
    let glibc = needs.get("glibc")?;
    glibc.as_str().or_else(|| glibc.get("version")?.as_str()).map(str::to_owned)
}

/// Whether one version is older than the other; not, when one of them is no version.
fn older(one: &str, other: &str) -> bool {
    let numbers = |text: &str| text.split('.').map(|part| part.parse::<u64>().ok()).collect::<Option<Vec<_>>>();
    numbers(one).zip(numbers(other)).is_some_and(|(one, other)| one.cmp(&other) == Ordering::Less)
}

/// Whether an environment whose placeholder is `limit` bytes long can live at a path.
///
/// # Errors
/// When it cannot.
pub(super) fn check_prefix(prefix: &Path, limit: usize) -> Result<(), UnpackError> {
    let path = || prefix.to_owned();
    match prefix_fault(prefix, limit) {
        None => Ok(()),
        Some(PrefixFault::Character(what)) => Err(UnpackError::PrefixCharacter { prefix: path(), what }),
        Some(PrefixFault::Length { length, limit }) => Err(UnpackError::PrefixLength { prefix: path(), length, limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::{glibc, older};

    #[test]
    fn needs_are_read_in_any_form() {
        assert_eq!(glibc(br#"{"glibc": "2.28", "more": 1}"#).as_deref(), Some("2.28"));
        assert_eq!(glibc(br#"{"glibc": {"version": "2.17", "file": "lib/x"}}"#).as_deref(), Some("2.17"));
        for none in [&b"{}"[..], b"[]", b"", br#"{"glibc": null}"#, br#"{"glibc": 2.28}"#] {
            assert_eq!(glibc(none), None);
        }
        assert!(older("2.9", "2.28") && older("2.28", "2.28.1"));
        assert!(!older("2.28", "2.28") && !older("2.40", "2.28") && !older("x", "2.28"));
    }
}
