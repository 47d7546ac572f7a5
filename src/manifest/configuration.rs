//! The user's configuration file, which holds what is true for all projects of a machine or site:
//!
//! ```toml
//! channels = ["https://conda.example.org/conda-forge"]   # in the place of every project's own
//! source-mirror = ["/shared/sources"]                    # asked before the network
//! ```

use super::{
    error::ManifestError,
    model::Spanned,
    parse::document,
    problems::Problems,
    read::{Keys, Reader},
    report::ManifestErrors,
};

const KEYS: Keys = Keys { known: &["channels", "source-mirror"], later: &[] };

/// What a user has set for all projects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserConfiguration {
    /// Channels that stand in for every project's base channels.
    pub channels: Option<Vec<String>>,
    /// Folders or URLs that are asked for sources before the network.
    pub source_mirrors: Vec<String>,
}

/// Reads the text of a configuration file. `file_name` only names the file in the report.
///
/// # Errors
/// When anything is wrong with the text; the error holds every problem.
pub fn parse_configuration(file_name: &str, bytes: &[u8]) -> Result<UserConfiguration, ManifestErrors> {
    let mut problems = Problems::default();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(not_text(file_name, error.valid_up_to())),
    };
    let document = document(file_name, text)?;
    let root = Reader::root(&document);
    root.only(&KEYS, &mut problems);
    let plain = |list: Vec<Spanned<String>>| list.into_iter().map(|it| it.value).collect::<Vec<_>>();
    let channels = root.strings("channels", &mut problems).map(plain);
    let source_mirrors = root.strings("source-mirror", &mut problems).map(plain).unwrap_or_default();
    if problems.count() > 0 {
        return Err(ManifestErrors::new(file_name, text, problems));
    }
    Ok(UserConfiguration { channels, source_mirrors })
}

/// The report for a file that is not UTF-8.
pub(super) fn not_text(file_name: &str, valid: usize) -> ManifestErrors {
    let mut problems = Problems::default();
    problems.push(ManifestError::NotText { valid });
    ManifestErrors::new(file_name, "", problems)
}

#[cfg(test)]
mod tests {
    use super::{UserConfiguration, parse_configuration};
    use crate::manifest::parse_bytes;

    #[test]
    fn both_keys_are_read_and_both_may_be_absent() {
        let text = b"channels = [\"https://conda.example.org/main\"]\nsource-mirror = [\"/shared\"]\n";
        let read = parse_configuration("config.toml", text).unwrap();
        assert_eq!(read.channels.as_deref(), Some(&["https://conda.example.org/main".to_owned()][..]));
        assert_eq!(read.source_mirrors, ["/shared"]);
        assert_eq!(parse_configuration("config.toml", b"").unwrap(), UserConfiguration::default());
    }

    #[test]
    fn a_slip_is_told_with_what_was_meant() {
        let errors = parse_configuration("config.toml", b"chanels = []\nsource-mirror = 3\n").unwrap_err();
        assert_eq!(errors.problems().len(), 2, "{errors:?}");
    }

    #[test]
    fn what_is_no_text_is_told_with_the_first_wrong_byte() {
        let errors = parse_bytes("project.toml", b"name = \"\xff\"").unwrap_err();
        insta::assert_snapshot!(errors.problems()[0].to_string(), @"the file is not UTF-8 text: byte 8 fits no character");
    }
}
