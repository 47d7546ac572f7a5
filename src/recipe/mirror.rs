//! Sources that name no host: `mirror://pypi/PROJECT/FILE` is a file of a Python project, wherever the machine's pip
//! would look for it.

/// The mirrors that there are, each with the form of its addresses.
const KNOWN: &[(&str, &str)] = &[("pypi", "mirror://pypi/PROJECT/FILE")];

/// A file of a Python project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// The project's name, normalised as PEP 503 says: lower case, and one `-` for each run of `-`, `_` and `.`.
    pub project: String,
    /// The name of the file, exactly.
    pub file: String,
}

/// An address that begins with `mirror://` and leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// The mirror has no such name.
    #[error("there is no mirror called `{0}`")]
    Unknown(String),
    /// Something is missing in the address, or is too much.
    #[error("it does not have the form `{0}`")]
    Form(&'static str),
}

impl MirrorError {
    /// What to do about it.
    pub fn help(&self) -> String {
        let forms: Vec<String> = KNOWN.iter().map(|(_, form)| format!("`{form}`")).collect();
        match self {
            Self::Unknown(_) => format!("the known mirrors are: {}", forms.join(", ")),
            Self::Form(form) => format!(
                "write `{form}`: the project's name and the name of one of its files, as they stand in the index, \
                 for example `mirror://pypi/thing/thing-1.0.tar.gz`"
            ),
        }
    }
}

/// Reads an address. Nothing for one of another scheme.
///
/// # Errors
/// When the mirror is not known, or the rest has not its form.
pub fn index_file(url: &str) -> Result<Option<IndexFile>, MirrorError> {
    let Some(rest) = url.strip_prefix("mirror:") else { return Ok(None) };
    let Some(rest) = rest.strip_prefix("//") else { return Err(MirrorError::Form(KNOWN[0].1)) };
    let mut parts = rest.split('/');
    let mirror = parts.next().unwrap_or_default();
    let Some((_, form)) = KNOWN.iter().find(|(name, _)| *name == mirror) else {
        return Err(MirrorError::Unknown(mirror.to_owned()));
    };
    match (parts.next(), parts.next(), parts.next()) {
        (Some(project), Some(file), None) if is_name(project, "-_.") && is_name(file, "-_.+!") => {
            Ok(Some(IndexFile { project: normalised(project), file: file.to_owned() }))
        }
        _ => Err(MirrorError::Form(form)),
    }
}

/// Whether a text has only letters, digits and some other characters, and begins with none of those.
fn is_name(text: &str, others: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_alphanumeric())
        && text.chars().all(|it| it.is_ascii_alphanumeric() || others.contains(it))
}

fn normalised(project: &str) -> String {
    let parts = project.split(['-', '_', '.']).filter(|it| !it.is_empty());
    parts.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::{IndexFile, MirrorError, index_file};

    #[test]
    fn a_file_is_read_and_its_project_normalised() {
        let read = index_file("mirror://pypi/Some._Thing/Some_Thing-1!1.0+x.tar.gz").unwrap();
        let (project, file) = ("some-thing".to_owned(), "Some_Thing-1!1.0+x.tar.gz".to_owned());
        assert_eq!(read, Some(IndexFile { project, file }));
        assert_eq!(index_file("https://x.invalid/pypi/a/b"), Ok(None));
    }

    #[test]
    fn another_mirror_and_another_form_are_errors() {
        let error = index_file("mirror://gnu/make/make-4.tar.gz").unwrap_err();
        assert_eq!(error, MirrorError::Unknown("gnu".to_owned()));
        assert_eq!(error.help(), "the known mirrors are: `mirror://pypi/PROJECT/FILE`");
        for rest in ["", "/", "/a", "/a/", "//b", "/a/b/c", "/a/b?q", "/a/b#sha256=1", "/a/..", "/a/b%20c", "/a/b/"] {
            let url = format!("mirror://pypi{rest}");
            assert!(matches!(index_file(&url), Err(MirrorError::Form(_))), "{url}");
        }
        assert!(matches!(index_file("mirror:pypi/a/b"), Err(MirrorError::Form(_))));
    }
}
