//! What pip is configured with, read without pip: its chapter "Configuration" says which files and variables there are
//! and which is stronger. Only the options that say where files lie are looked at.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use url::Url;

/// The options that are looked at, as pip spells them in its files.
const OPTIONS: &[&str] = &["index-url", "extra-index-url", "find-links", "no-index"];

/// The sections of a file that are read, the weakest first. pip itself reads `global` and the one of its command.
const SECTIONS: &[&str] = &["global", "install", "download"];

/// Where pip would look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::fetch) struct Configuration {
    /// The index that stands in for pip's default one.
    pub(super) index: Option<String>,
    /// More indexes.
    pub(super) extra: Vec<String>,
    /// Folders and pages with links to files.
    pub(super) links: Vec<String>,
    /// Whether no index is to be asked.
    pub(super) no_index: bool,
}

impl Configuration {
    /// Reads the files and the variables. The error is a sentence.
    pub(in crate::fetch) fn read(environment: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut options = Options::default();
        for file in files(environment) {
            let bytes = match std::fs::read(&file) {
                Ok(bytes) => bytes,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(format!("pip's `{}` cannot be read: {error}", file.display())),
            };
            let text = String::from_utf8_lossy(&bytes);
            options.add(&text).map_err(|line| {
                format!("pip's `{}` cannot be read: line {line} is neither a section nor `key = value`", file.display())
            })?;
        }
        options.configuration(environment)
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory)
}

/// The files that pip reads, the weakest first.
pub(super) fn files(environment: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let folder = |name: &str| environment.get(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let own = folder("PIP_CONFIG_FILE");
    if own.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let home = folder("HOME");
    let is_mac = cfg!(target_os = "macos");
    let mut files = Vec::new();
    // Of all users.
    if is_mac {
        files.push(PathBuf::from("/Library/Application Support/pip/pip.conf"));
    } else {
        let shared = environment.get("XDG_CONFIG_DIRS").filter(|it| !it.is_empty()).map_or("/etc/xdg", String::as_str);
        files.extend(shared.split(':').filter(|it| !it.is_empty()).map(|it| Path::new(it).join("pip/pip.conf")));
        files.push(PathBuf::from("/etc/pip.conf"));
    }
    // Of this one, who may have said that another file counts.
    if !own.as_ref().is_some_and(|it| it.exists()) {
        files.extend(home.as_ref().map(|it| it.join(".pip/pip.conf")));
        let of_mac = home.as_ref().map(|it| it.join("Library/Application Support/pip"));
        let configured = folder("XDG_CONFIG_HOME").filter(|it| !is_mac && it.is_absolute());
        let configured = configured.or_else(|| home.as_ref().map(|it| it.join(".config")));
        let of_user = of_mac.filter(|it| is_mac && it.is_dir()).or_else(|| configured.map(|it| it.join("pip")));
        files.extend(of_user.map(|it| it.join("pip.conf")));
    }
    // Of the Python that is active.
    files.extend(folder("VIRTUAL_ENV").or_else(|| folder("CONDA_PREFIX")).map(|it| it.join("pip.conf")));
    files.extend(own);
    files
}

/// What stands in files, by section and option.
#[derive(Debug, Default)]
pub(super) struct Options(BTreeMap<(String, String), String>);

impl Options {
    /// Adds a file's text, which is stronger than those before. The error is the number of a line.
    pub(super) fn add(&mut self, text: &str) -> Result<(), usize> {
        let mut section: Option<String> = None;
        let mut option: Option<(String, String)> = None;
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let plain = line.trim();
            if plain.is_empty() || plain.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with(char::is_whitespace)
                && let Some(option) = &option
            {
                // The value goes on.
                let value = self.0.entry(option.clone()).or_default();
                value.push('\n');
                value.push_str(plain);
                continue;
            }
            if let Some(name) = plain.strip_prefix('[').and_then(|it| it.split_once(']')).map(|it| it.0) {
                section = Some(name.to_owned());
                option = None;
                continue;
            }
            let (section, (name, value)) = section.clone().zip(plain.split_once(['=', ':'])).ok_or(number + 1)?;
            let name = name.trim().to_ascii_lowercase().replace('_', "-");
            let place = (section, name.strip_prefix("--").unwrap_or(&name).to_owned());
            self.0.insert(place.clone(), value.trim().to_owned());
            option = Some(place);
        }
        Ok(())
    }

    /// What counts in the end: sections by their strength, and variables before all files. Empty values do not count.
    pub(super) fn configuration(&self, environment: &BTreeMap<String, String>) -> Result<Configuration, String> {
        let mut chosen: BTreeMap<&str, &str> = BTreeMap::new();
        for option in OPTIONS {
            let in_files = SECTIONS.iter().filter_map(|it| self.0.get(&((*it).to_owned(), (*option).to_owned())));
            let variable = environment.get(&variable(option));
            let values = in_files.chain(variable).map(|it| it.trim()).filter(|it| !it.is_empty());
            // The last one stays.
            chosen.extend(values.map(|value| (*option, value)));
        }
        let list = |option| chosen.get(option).into_iter().flat_map(|it| it.split_whitespace()).map(str::to_owned);
        let no_index = match chosen.get("no-index").map(|it| it.to_ascii_lowercase()).as_deref() {
            None | Some("n" | "no" | "f" | "false" | "off" | "0") => false,
            Some("y" | "yes" | "t" | "true" | "on" | "1") => true,
            Some(other) => return Err(format!("pip's option `no-index` is `{other}`, which is neither yes nor no")),
        };
        Ok(Configuration {
            index: chosen.get("index-url").map(|&it| it.to_owned()),
            extra: list("extra-index-url").collect(),
            links: list("find-links").collect(),
            no_index,
        })
    }
}

/// The variable for an option.
fn variable(option: &str) -> String {
    format!("PIP_{}", option.to_ascii_uppercase().replace('-', "_"))
}

/// An option's value as a URL: it may be a path. The error is a sentence, without the value: it may hold a password.
pub(super) fn location(text: &str, home: Option<&str>) -> Result<Url, String> {
    if let Ok(url) = Url::parse(text) {
        return match url.scheme() {
            "http" | "https" | "file" => Ok(url),
            other => Err(format!("pip's configuration names an index by `{other}:`, which is no file or http URL")),
        };
    }
    let in_home = text.strip_prefix("~/").zip(home).map(|(rest, home)| Path::new(home).join(rest));
    let path = std::path::absolute(in_home.unwrap_or_else(|| PathBuf::from(text)));
    let url = path.ok().and_then(|it| Url::from_file_path(it).ok());
    url.ok_or_else(|| "pip's configuration names an index that is neither a URL nor a path".to_owned())
}
