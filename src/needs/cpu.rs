//! Which level of x86-64 a processor has that `__archspec` names.

use archspec::cpu::Microarchitecture;

use crate::elf::Level;

const LEVELS: [(&str, Level); 3] = [("x86_64_v4", Level::V4), ("x86_64_v3", Level::V3), ("x86_64_v2", Level::V2)];

/// The level of a microarchitecture such as `skylake` or `x86_64_v3`; nothing when it is of another family or not known.
pub(super) fn level(name: &str) -> Option<Level> {
    let found = Microarchitecture::known_targets().get(name)?;
    let is = |wanted: &str| found.name() == wanted || found.ancestors().iter().any(|it| it.name() == wanted);
    if !is("x86_64") {
        return None;
    }
    Some(LEVELS.iter().find(|it| is(it.0)).map_or(Level::Baseline, |it| it.1))
}

#[cfg(test)]
mod tests {
    use super::level;
    use crate::elf::Level;

    #[test]
    fn processors_have_the_level_of_their_ancestors() {
        for (name, expected) in [
            ("x86_64", Some(Level::Baseline)),
            ("core2", Some(Level::Baseline)),
            ("x86_64_v2", Some(Level::V2)),
            ("nehalem", Some(Level::V2)),
            ("haswell", Some(Level::V3)),
            ("zen2", Some(Level::V3)),
            ("skylake_avx512", Some(Level::V4)),
            ("zen4", Some(Level::V4)),
            ("power9le", None),
            ("nothing", None),
        ] {
            assert_eq!(level(name), expected, "{name}");
        }
    }
}
