//! An error of a library, told whole.

use std::error::Error;

/// An error's sentence and those of its causes, as one line. A cause that is repeated by what stands before it is left
/// out.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let sentence = error.to_string();
        if !text.contains(&sentence) {
            text.push_str(": ");
            text.push_str(&sentence);
        }
        cause = error.source();
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::with_causes;

    #[derive(Debug, thiserror::Error)]
    #[error("{says}")]
    struct Told {
        says: &'static str,
        #[source]
        because: Option<Box<Self>>,
    }

    #[test]
    fn each_cause_is_told_once() {
        let root = Told { says: "no such file", because: None };
        let middle = Told { says: "cannot read x: no such file", because: Some(Box::new(root)) };
        let outer = Told { says: "cannot start", because: Some(Box::new(middle)) };
        assert_eq!(with_causes(&outer), "cannot start: cannot read x: no such file");
    }
}
