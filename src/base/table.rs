//! A cache in one file: names with a line of text each. It is read at once, written whole, and held for nothing when it
//! is damaged.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Digest, FsError, fs};

/// Names and texts that are kept between runs.
#[derive(Debug, Default)]
pub struct Table {
    file: PathBuf,
    /// Says what the lines are; a file with another form is as good as none.
    form: &'static str,
    text: String,
    rows: HashMap<Box<str>, Row>,
    /// What was put or removed since the file was read.
    news: Mutex<BTreeMap<String, Option<String>>>,
}

/// A line of the file.
#[derive(Debug)]
struct Row {
    value: Range<usize>,
    used: AtomicBool,
}

impl Table {
    /// Reads a table; a file that is not there, is damaged or has another form is an empty one.
    pub fn open(file: &Path, form: &'static str) -> Self {
        let text = fs::read_text(file).ok().filter(|it| is_whole(it, form)).unwrap_or_default();
        let mut rows = HashMap::with_capacity(text.len() / 128);
        let mut start = text.find('\n').map_or(text.len(), |it| it + 1);
        while let Some(length) = text[start..].find('\n') {
            let end = start + length;
            if let Some(tab) = text[start..end].find('\t') {
                let row = Row { value: start + tab + 1..end, used: AtomicBool::new(false) };
                rows.insert(text[start..start + tab].into(), row);
            }
            start = end + 1;
        }
        Self { file: file.to_owned(), form, text, rows, news: Mutex::default() }
    }

    /// A table without rows, which will be kept in `file`.
    pub fn empty(file: &Path, form: &'static str) -> Self {
        Self { file: file.to_owned(), form, ..Self::default() }
    }

    /// The text that stands beside a name.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(new) = self.news.lock().expect("no thread panics while it holds the news").get(name) {
            return new.clone().map(Cow::Owned);
        }
        let row = self.rows.get(name)?;
        row.used.store(true, Ordering::Relaxed);
        Some(Cow::Borrowed(&self.text[row.value.clone()]))
    }

    /// Puts a text beside a name, neither with a line break and the name without a tabulator: those are left out.
    pub fn put(&self, name: &str, value: String) {
        if !name.contains(['\n', '\t']) && !value.contains('\n') {
            self.news.lock().expect("no thread panics while it holds the news").insert(name.to_owned(), Some(value));
        }
    }

    /// Takes a name out.
    pub fn remove(&self, name: &str) {
        self.news.lock().expect("no thread panics while it holds the news").insert(name.to_owned(), None);
    }

    /// How many names the file had that were asked for since, and how many that were not.
    pub fn counts(&self) -> (usize, usize) {
        let used = self.rows.values().filter(|it| it.used.load(Ordering::Relaxed)).count();
        (used, self.rows.len() - used)
    }

    /// Writes the table when something was put or removed. Names that nobody asked for stay when `keep` says so.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, keep: &dyn Fn(&str) -> bool) -> Result<(), FsError> {
        let news = self.news.lock().expect("no thread panics while it holds the news");
        if news.is_empty() {
            return Ok(());
        }
        let stays =
            |(name, row): &(&str, &Row)| !news.contains_key(*name) && (row.used.load(Ordering::Relaxed) || keep(name));
        let rows = self.rows.iter().map(|(name, row)| (&**name, row));
        let old = rows.filter(stays).map(|(name, row)| (name, &self.text[row.value.clone()]));
        let new = news.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)));
        let mut body = String::with_capacity(self.text.len());
        // Sorted, so that the same rows are the same file.
        for (name, value) in old.chain(new).collect::<BTreeMap<_, _>>() {
            for part in [name, "\t", value, "\n"] {
                body.push_str(part);
            }
        }
        let text = head(self.form, &body) + &body;
        fs::write_atomic(&self.file, text.as_bytes())
    }
}

/// The first line: a damaged file is found by it.
fn head(form: &str, body: &str) -> String {
    format!("{form} {}\n", Digest::of(body))
}

fn is_whole(text: &str, form: &str) -> bool {
    text.split_once('\n').is_some_and(|(_, body)| text.starts_with(&head(form, body)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Table;

    #[test]
    fn what_is_put_is_there_the_next_time_and_damage_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("table");
        let table = Table::open(&file, "form 1");
        table.save(&|_| true).unwrap();
        assert!(!file.exists(), "nothing new is nothing to write");
        for name in ["one", "two", "three"] {
            table.put(name, format!("text of {name}\twith more"));
        }
        table.put("bad", "a\nb".to_owned());
        table.save(&|_| true).unwrap();

        let table = Table::open(&file, "form 1");
        assert_eq!(table.get("two").as_deref(), Some("text of two\twith more"));
        assert_eq!((table.get("bad"), table.counts()), (None, (1, 2)));
        table.remove("two");
        assert_eq!(table.get("two"), None);
        table.save(&|name| name == "one").unwrap();
        let table = Table::open(&file, "form 1");
        assert!(table.get("one").is_some() && table.get("two").is_none() && table.get("three").is_none());

        assert!(Table::open(&file, "form 2").get("one").is_none());
        let whole = fs::read_to_string(&file).unwrap();
        fs::write(&file, whole.replace("text", "test")).unwrap();
        assert!(Table::open(&file, "form 1").get("one").is_none());
        fs::write(&file, &whole[..whole.len() - 3]).unwrap();
        assert!(Table::open(&file, "form 1").get("one").is_none());
    }
}
