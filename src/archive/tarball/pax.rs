//! The headers that POSIX adds before an entry: lines of `LENGTH KEY=VALUE`.

use crate::archive::error::Fault;

/// What such a header says that matters here.
#[derive(Debug, Default)]
pub(super) struct Extra {
    pub(super) name: Option<Vec<u8>>,
    pub(super) target: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) modified: Option<u64>,
}

impl Extra {
    /// Reads the lines of one header.
    pub(super) fn read(&mut self, mut text: &[u8]) -> Result<(), Fault> {
        let bad = || Fault::damaged("an extended header cannot be understood");
        while !text.is_empty() {
            let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let length: usize = number(&text[..digits]).and_then(|it| it.try_into().ok()).ok_or_else(bad)?;
            let line = text.get(digits + 1..length).ok_or_else(bad)?;
            let line = line.strip_suffix(b"\n").ok_or_else(bad)?;
            let equals = line.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
            let (key, value) = (&line[..equals], &line[equals + 1..]);
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.target = Some(value.to_vec()),
                b"size" => self.size = Some(number(value).ok_or_else(bad)?),
                // Parts of a second, and times before 1970, do not matter.
                b"mtime" => self.modified = value.split(|byte| *byte == b'.').next().and_then(number),
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(Fault::Unsupported("holds sparse files"));
                }
                _ => {}
            }
            text = &text[length..];
        }
        Ok(())
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|it| *it <= i64::MAX as u64)
}
