//! What things may be called.

use super::{
    error::ManifestError,
    model::Spanned,
    problems::{Problems, clip},
};

/// Longest name, in characters: names become parts of file names.
const LONGEST: usize = 64;

/// What a name is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Project,
    Recipe,
    Environment,
    Target,
    Axis,
    Fact,
    External,
}

impl Kind {
    fn what(self) -> &'static str {
        match self {
            Self::Project => "a project",
            Self::Recipe => "a recipe",
            Self::Environment => "an environment",
            Self::Target => "a target",
            Self::Axis => "an axis",
            Self::Fact => "a fact",
            Self::External => "an external package",
        }
    }

    fn allows(self, name: &str) -> bool {
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let first = name.chars().next().is_some_and(|c| match self {
            Self::Project => c.is_ascii_alphanumeric(),
            Self::Recipe | Self::External => lower(c) || c == '_',
            Self::Environment | Self::Target | Self::Fact => lower(c),
            Self::Axis => c.is_ascii_alphabetic() || c == '_',
        });
        let rest = name.chars().all(|c| match self {
            Self::Project => c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'),
            Self::Recipe | Self::Environment | Self::Target | Self::Fact | Self::External => {
                lower(c) || matches!(c, '.' | '_' | '-')
            }
            Self::Axis => c.is_ascii_alphanumeric() || c == '_',
        });
        first && rest && name.len() <= LONGEST
    }

    fn rule(self) -> &'static str {
        match self {
            Self::Project => {
                "use letters, digits, `.`, `_` and `-`, starting with a letter or a digit, at most 64 characters"
            }
            Self::Recipe | Self::External => {
                "use lower-case letters, digits, `.`, `_` and `-`, starting with a letter, a digit or `_`, at most 64 \
                 characters"
            }
            Self::Environment | Self::Target | Self::Fact => {
                "use lower-case letters, digits, `.`, `_` and `-`, starting with a letter or a digit, at most 64 \
                 characters"
            }
            Self::Axis => {
                "recipes read an axis as a variable: use letters, digits and `_`, starting with a letter or `_`, at \
                 most 64 characters"
            }
        }
    }

    /// The name made valid by small changes, when these suffice.
    fn mended(self, name: &str) -> Option<String> {
        let mended: String = match self {
            Self::Axis => name.chars().map(|c| if matches!(c, '-' | '.' | ' ') { '_' } else { c }).collect(),
            Self::Project => name.replace(' ', "-"),
            Self::Recipe | Self::Environment | Self::Target | Self::Fact | Self::External => {
                name.to_ascii_lowercase().replace([' ', '/'], "-")
            }
        };
        self.allows(&mended).then_some(mended)
    }
}

/// Reports a name that things of this kind cannot have. An empty text was reported when it was read, unless it is a key.
pub(super) fn check_name(name: &Spanned<String>, kind: Kind, problems: &mut Problems) {
    let is_reported = name.value.is_empty() && kind == Kind::Project;
    if is_reported || kind.allows(&name.value) {
        return;
    }
    let rule = kind.rule();
    let help = match kind.mended(&name.value) {
        Some(mended) => format!("{rule}; `{mended}` would do"),
        None => rule.to_owned(),
    };
    let at = name.span.clone().into();
    problems.push(ManifestError::InvalidName { name: clip(&name.value), what: kind.what(), help, at });
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn allows_what_conda_and_file_systems_allow() {
        for (kind, name) in [
            (Kind::Project, "Derecho-2"),
            (Kind::Recipe, "_openmp_mutex"),
            (Kind::Recipe, "mpi4py"),
            (Kind::Environment, "resnet.2-gpu"),
            (Kind::Axis, "mpi4py_version"),
        ] {
            assert!(kind.allows(name), "{name}");
        }
        for (kind, name) in [
            (Kind::Project, ".."),
            (Kind::Recipe, "MPI"),
            (Kind::Environment, "-gpu"),
            (Kind::Environment, "a/b"),
            (Kind::Target, ""),
            (Kind::Axis, "3d"),
            (Kind::Axis, "r-base"),
        ] {
            assert!(!kind.allows(name), "{name}");
        }
        assert!(!Kind::Recipe.allows(&"x".repeat(65)));
    }

    #[test]
    fn mends_small_slips() {
        assert_eq!(Kind::Axis.mended("r-base").as_deref(), Some("r_base"));
        assert_eq!(Kind::Environment.mended("ResNet 50").as_deref(), Some("resnet-50"));
        assert_eq!(Kind::Environment.mended("é"), None);
    }
}
