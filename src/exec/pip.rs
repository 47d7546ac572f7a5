//! Which index pip asks when nobody has configured one: only pip itself knows.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
};

/// How pip may be started, the likeliest first.
const PIPS: &[(&str, &[&str])] =
    &[("python3", &["-m", "pip"]), ("pip3", &[]), ("pip", &[]), ("python", &["-m", "pip"])];

/// The index that pip's help names as the default of `--index-url`. The error is a sentence that says what to do.
pub(super) fn default_index(environment: &BTreeMap<String, String>) -> Result<String, String> {
    let path = environment.get("PATH").map_or("", String::as_str);
    for (name, arguments) in PIPS {
        // The first of that name counts, as it would for the user.
        let Some(program) = path.split(':').map(|it| Path::new(it).join(name)).find(|it| it.is_file()) else {
            continue;
        };
        let help = Command::new(program)
            .args(*arguments)
            .args(["download", "--help"])
            .env_clear()
            .envs(environment)
            // Wide enough for no line to be broken.
            .env("COLUMNS", "10000")
            .env("PIP_NO_COLOR", "1")
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .stdin(Stdio::null())
            .output();
        if let Ok(help) = help
            && let Some(index) = default_in(&String::from_utf8_lossy(&help.stdout))
        {
            return Ok(index);
        }
    }
    Err("no index was asked: pip is not configured, and no pip was found that says which index is its own; set \
         PIP_INDEX_URL, or `index-url` below `[global]` in pip.conf"
        .to_owned())
}

/// The default that a help text gives for `--index-url`.
fn default_in(help: &str) -> Option<String> {
    let (_, about) = help.split_once("--index-url")?;
    let (_, value) = about.split_once("(default")?;
    let value = value.split_once(')')?.0.trim_start_matches(':').trim();
    (value.starts_with("https://") || value.starts_with("http://")).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{default_in, default_index};

    #[test]
    fn the_default_is_read_out_of_the_help() {
        let help = "Package Index Options:\n  -i, --index-url <url>  Base URL (default https://index.invalid/simple). \
                    This should\n  --extra-index-url <url>  More (default nothing).\n";
        assert_eq!(default_in(help).as_deref(), Some("https://index.invalid/simple"));
        assert_eq!(default_in("-i, --index-url <url>  Base URL.\n  --x  X (default none)."), None);
        assert_eq!(default_in("no such option (default https://index.invalid/simple)"), None);
    }

    #[test]
    fn without_a_pip_the_error_says_what_to_set() {
        let error = default_index(&BTreeMap::from([("PATH".to_owned(), "/nowhere".to_owned())])).unwrap_err();
        assert!(error.contains("set PIP_INDEX_URL, or `index-url` below `[global]` in pip.conf"), "{error}");
    }
}
