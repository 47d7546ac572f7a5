//! Why a source could not be had.

use miette::Diagnostic;

use crate::base::FsError;

/// A source that could not be had.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum FetchError {
    /// The recipe gives no hash, so that nobody could tell what was built.
    #[error("the source `{url}` has no hash")]
    #[diagnostic(code(envbuild::fetch::no_hash), help("add this line below its url:\n    {line}"))]
    NoHash {
        /// The source's first URL.
        url: String,
        /// The line for the recipe.
        line: String,
    },
    /// The recipe's hash is not one.
    #[error("the {kind} `{text}` of the source `{url}` is not a number of {digits} hexadecimal digits")]
    #[diagnostic(code(envbuild::fetch::bad_hash))]
    BadHash {
        /// The source's first URL.
        url: String,
        /// Which hash.
        kind: &'static str,
        /// What the recipe says.
        text: String,
        /// How many digits it should have.
        digits: usize,
    },
    /// A source has no URL, or a file name that is a path.
    #[error("the source `{url}` cannot be stored under the name `{name}`")]
    #[diagnostic(code(envbuild::fetch::bad_name), help("give it a `file_name` in the recipe"))]
    BadName {
        /// The source's first URL.
        url: String,
        /// The name.
        name: String,
    },
    /// The network has another file under the URL.
    #[error("the source `{url}` has another content than the recipe says: expected {expected}, found {found}")]
    #[diagnostic(
        code(envbuild::fetch::wrong_hash),
        help("if upstream replaced the file, look at the new one and correct the recipe{}", list(tried))
    )]
    WrongHash {
        /// Where the wrong file came from.
        url: String,
        /// The hash in the recipe.
        expected: String,
        /// The hash of the file.
        found: String,
        /// What else was tried, one sentence each.
        tried: Vec<String>,
    },
    /// Nobody has the file.
    #[error("the source `{url}` could not be had")]
    #[diagnostic(code(envbuild::fetch::unavailable), help("put `{name}` into a source mirror{}", list(tried)))]
    Unavailable {
        /// The source's first URL.
        url: String,
        /// The file name to put into a mirror.
        name: String,
        /// What was tried, one sentence each.
        tried: Vec<String>,
    },
    /// A git repository cannot be had without the network.
    #[error("the git source `{url}` is not supported offline")]
    #[diagnostic(code(envbuild::fetch::git_offline))]
    GitOffline {
        /// The repository.
        url: String,
    },
    /// Several sources could not be had.
    #[error("{} sources could not be had", problems.len())]
    #[diagnostic(code(envbuild::fetch::several))]
    Several {
        /// One error for each.
        #[related]
        problems: Vec<FetchError>,
    },
    /// The store cannot be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::fetch::file), forward(0))]
    File(#[from] FsError),
}

fn list(tried: &[String]) -> String {
    let mut text = String::new();
    for (number, sentence) in tried.iter().enumerate() {
        text.push_str(if number == 0 { "; tried:\n  - " } else { "\n  - " });
        text.push_str(sentence);
    }
    text
}
