//! `${{ axis }}` inside a dependency.

/// A `${{ … }}` that cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `${{` without its `}}`.
    #[error("`${{{{` has no closing `}}}}`")]
    Open,
    /// Something other than a name between the braces.
    #[error("`{0}` is not the name of an axis")]
    NotAName(String),
    /// A name that has no value.
    #[error("`{0}` has no value here")]
    Unknown(String),
}

/// Replaces each `${{ name }}` in `text` by the value that `value` gives for the name.
///
/// # Errors
/// For the first template that is not closed, holds no name, or whose name has no value.
pub fn fill<'a>(text: &str, mut value: impl FnMut(&str) -> Option<&'a str>) -> Result<String, TemplateError> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, template)) = rest.split_once("${{") {
        let (inside, after) = template.split_once("}}").ok_or(TemplateError::Open)?;
        let name = inside.trim();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(TemplateError::NotAName(name.to_owned()));
        }
        filled.push_str(before);
        filled.push_str(value(name).ok_or_else(|| TemplateError::Unknown(name.to_owned()))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::{TemplateError, fill};

    fn filled(text: &str) -> Result<String, TemplateError> {
        fill(text, |name| (name == "python").then_some("3.11"))
    }

    #[test]
    fn fills_every_template() {
        assert_eq!(filled("numpy"), Ok("numpy".to_owned()));
        assert_eq!(filled("py${{python}} ${{ python }}.*"), Ok("py3.11 3.11.*".to_owned()));
    }

    #[test]
    fn says_what_it_cannot_fill() {
        assert_eq!(filled("numpy ${{ python"), Err(TemplateError::Open));
        assert_eq!(filled("numpy ${{ a|b }}"), Err(TemplateError::NotAName("a|b".to_owned())));
        assert_eq!(filled("numpy ${{ numpy }}"), Err(TemplateError::Unknown("numpy".to_owned())));
    }
}
