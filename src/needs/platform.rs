//! The platforms of conda, as ELF files name them.

use crate::elf::Machine;

/// Whether addresses have 64 bits, the number of the processor's kind, and conda's name. 62 is `EM_X86_64`, and so on.
const PLATFORMS: &[(bool, u64, &str)] = &[
    (true, 62, "linux-64"),
    (false, 3, "linux-32"),
    (true, 183, "linux-aarch64"),
    (true, 21, "linux-ppc64le"),
    (true, 22, "linux-s390x"),
    (true, 243, "linux-riscv64"),
    (true, 258, "linux-loongarch64"),
    (false, 40, "linux-armv7l"),
];

/// The platform that a file for this machine belongs to.
pub(super) fn of(machine: Machine) -> Option<&'static str> {
    PLATFORMS.iter().find(|it| (it.0, it.1) == (machine.wide, machine.number)).map(|it| it.2)
}
