//! Where the prefix stands in a file.

use std::sync::Arc;

use super::splice::{Cut, Splices};

/// How a file holds the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The file may change its length.
    Text,
    /// Strings end with a NUL byte, and what the prefix is shorter than the placeholder is filled with NUL bytes at the
    /// end of the string, so that the file keeps its length.
    Binary,
}

/// Where the prefix stands in a file: offsets in its canonical form, in bytes, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Places {
    /// In a text, which may change its length.
    Text(Vec<u64>),
    /// In strings, which may not.
    Binary(Vec<Words>),
}

/// A string in a binary file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Where the prefix stands in it; never empty.
    pub at: Vec<u64>,
    /// Where its NUL byte stands, or the end of the file.
    pub end: u64,
}

impl Places {
    /// How the file holds the prefix.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Text(_) => Mode::Text,
            Self::Binary(_) => Mode::Binary,
        }
    }

    /// How often the prefix stands there.
    pub fn count(&self) -> usize {
        match self {
            Self::Text(at) => at.len(),
            Self::Binary(words) => words.iter().map(|it| it.at.len()).sum(),
        }
    }

    /// What turns a file that names `from` into one that names `to`. `canonical` is the length of the placeholder in
    /// bytes; in a binary file neither text may be longer, which is the caller's to check.
    pub fn splices(&self, canonical: usize, from: &[u8], to: &[u8]) -> Splices {
        let mut cuts = Vec::new();
        if from != to {
            let shorter = |text: &[u8]| (canonical as u64).saturating_sub(text.len() as u64);
            match self {
                Self::Text(places) => {
                    // A text that names something longer than the placeholder lies further back, not nearer.
                    let (old, new) = (from.len() as u64, canonical as u64);
                    let now = |(index, at): (usize, &u64)| (at + index as u64 * old).saturating_sub(index as u64 * new);
                    cuts.extend(places.iter().enumerate().map(now).map(|at| Cut::Prefix { at }));
                }
                Self::Binary(words) => {
                    for Words { at, end } in words {
                        let now = |(index, at): (usize, &u64)| at.saturating_sub(index as u64 * shorter(from));
                        cuts.extend(at.iter().enumerate().map(now).map(|at| Cut::Prefix { at }));
                        let count = at.len() as u64;
                        let at = end.saturating_sub(count * shorter(from));
                        cuts.push(Cut::Zeros { at, old: count * shorter(from), new: count * shorter(to) });
                    }
                }
            }
        }
        Splices::new(Arc::from(from), Arc::from(to), cuts)
    }

    /// As one line of ASCII: `t` or `b`, and the offsets; `:` ends a string and precedes its end.
    pub fn to_line(&self) -> String {
        let join = |at: &[u64]| at.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Text(at) => format!("t{}", join(at)),
            Self::Binary(words) => {
                let words: Vec<String> = words.iter().map(|it| format!("{}:{}", join(&it.at), it.end)).collect();
                format!("b{}", words.join(";"))
            }
        }
    }

    /// Reads what [`to_line`](Self::to_line) wrote; nothing when it is malformed, when offsets do not ascend by at least
    /// the placeholder's length `canonical`, or when a file of `size` bytes in its canonical form has no such places.
    pub fn from_line(line: &str, canonical: usize, size: u64) -> Option<Self> {
        let mut free = 0;
        let mut place = |text: &str| {
            let at: u64 = text.parse().ok()?;
            let fits = at >= free && text.len() < 20 && !text.starts_with('+');
            free = at.checked_add(canonical as u64)?;
            (fits && free <= size).then_some(at)
        };
        if let Some(text) = line.strip_prefix('t') {
            return text.split(',').map(&mut place).collect::<Option<_>>().map(Self::Text);
        }
        let mut last_end = None;
        let mut words = Vec::new();
        for text in line.strip_prefix('b')?.split(';') {
            let (at, end) = text.split_once(':')?;
            let at: Vec<u64> = at.split(',').map(&mut place).collect::<Option<_>>()?;
            let end: u64 = end.parse().ok()?;
            let whole = at.last()?.checked_add(canonical as u64)?;
            if end < whole || end > size || last_end.is_some_and(|last| at.first().is_none_or(|first| *first <= last)) {
                return None;
            }
            last_end = Some(end);
            words.push(Words { at, end });
        }
        Some(Self::Binary(words))
    }
}

#[cfg(test)]
mod tests {
    use super::{Places, Words};

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let binary = Places::Binary(vec![Words { at: vec![0, 40], end: 90 }, Words { at: vec![100], end: 140 }]);
        for places in [Places::Text(vec![3, 50]), binary] {
            assert_eq!(Places::from_line(&places.to_line(), 32, 140), Some(places.clone()));
            assert_eq!(Places::from_line(&places.to_line(), 32, 81), None, "{places:?}");
        }
        for bad in ["", "t", "t5,4", "t0,31", "tx", "b0", "b0:31", "b0:40;40:80", "b:5", "t-1", "t+1", "x1"] {
            assert_eq!(Places::from_line(bad, 32, 1000), None, "{bad}");
        }
    }
}
