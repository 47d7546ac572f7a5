//! Where packages come from, told without what is nobody else's business: credentials, tokens, paths of a machine.

use std::path::{Path, PathBuf};

use url::Url;

/// A URL without user, password, query and fragment, and without the `/t/TOKEN` of channels that ask for one. The path
/// of a `file://` URL stays.
pub fn without_secrets(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only for URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    if let Some(path) = without_token(url.path()).filter(|_| url.scheme() != "file") {
        url.set_path(&path);
    }
    url
}

/// The path without its first `/t/TOKEN`, when there is one: conda takes it for a token wherever it stands.
fn without_token(path: &str) -> Option<String> {
    let (before, rest) = path.split_once("/t/")?;
    let after = rest.find('/').map_or("", |at| &rest[at..]);
    let token = &rest[..rest.len() - after.len()];
    let is_token = !token.is_empty() && token.chars().all(|it| it.is_ascii_alphanumeric() || "-_".contains(it));
    is_token.then(|| format!("{before}{after}"))
}

/// A package's URL that can be shown to anybody: without secrets; of a channel in one of the folders `own` only its own
/// name, the subdirectory and the file. What is no URL is a path, of which the last part is left.
pub fn public_url(text: &str, own: &[PathBuf]) -> String {
    match Url::parse(text) {
        Ok(url) if is_below(&url, own) => {
            let parts: Vec<&str> = url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).collect();
            format!("file:///{}", parts[parts.len().saturating_sub(3)..].join("/"))
        }
        Ok(url) => without_secrets(&url).into(),
        Err(_) => last_part(text),
    }
}

/// The same for a channel, which may be a name, a path or a URL. A channel in a folder of `own` has its name alone.
pub fn public_channel(text: &str, own: &[PathBuf]) -> String {
    match Url::parse(text) {
        Ok(url) if is_below(&url, own) => last_part(url.path()),
        Ok(url) => without_secrets(&url).into(),
        Err(_) if own.iter().any(|it| Path::new(text).starts_with(it)) => last_part(text),
        // Relative to a folder that is not told.
        Err(_) if text.starts_with(['.', '~']) => last_part(text),
        Err(_) => text.to_owned(),
    }
}

/// Whether a URL is of a file in one of these folders: of a project's own channel, whose place is another one wherever the
/// project is. A channel that lies elsewhere, as one that a site shares, is where packages can be had.
pub fn is_below(url: &Url, own: &[PathBuf]) -> bool {
    let path = || url.to_file_path().ok();
    url.scheme() == "file" && path().is_some_and(|path| own.iter().any(|it| path.starts_with(it)))
}

/// Whether a record's URL is one of [`public_url`] that tells no place, as its channel says, which is a bare name then.
pub fn is_placeless(url: &str, channel: Option<&str>) -> bool {
    let Some(channel) = channel.filter(|it| !it.is_empty() && !it.contains('/')) else { return false };
    let mut parts = url.strip_prefix("file:///").unwrap_or_default().split('/');
    parts.next() == Some(channel) && parts.count() == 2
}

fn last_part(path: &str) -> String {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use url::Url;

    use super::{is_placeless, public_channel, public_url, without_secrets};

    #[test]
    fn secrets_do_not_travel() {
        let text = "https://me:secret@conda.example/t/tk-123/forge/linux-64/x.conda?key=1#sha";
        assert_eq!(public_url(text, &[]), "https://conda.example/forge/linux-64/x.conda");
        let channel = |text| public_channel(text, &[]);
        assert_eq!(channel("https://conda.example/t/tk/forge"), "https://conda.example/forge");
        assert_eq!(channel("https://conda.example/conda/t/tk/forge"), "https://conda.example/conda/forge");
        assert_eq!(channel("https://conda.example/t/tk"), "https://conda.example/");
        assert_eq!(channel("conda-forge"), "conda-forge");
    }

    #[test]
    fn only_a_projects_own_channels_lose_their_place() {
        let own = [PathBuf::from("/home/me/project"), PathBuf::from("/home/me/beside")];
        for (url, channel, public) in [
            ("file:///home/me/project/output/noarch/x-1-0.conda", "file:///home/me/project/output/", true),
            ("file:///home/me/beside/noarch/x-1-0.conda", "/home/me/beside", true),
            ("file:///home/me/project-2/output/noarch/x-1-0.conda", "file:///home/me/project-2/output/", false),
            ("file:///glade/channel/noarch/x-1-0.conda", "/glade/channel", false),
        ] {
            let (shown, name) = (public_url(url, &own), public_channel(channel, &own));
            assert_eq!((shown != url, name != channel), (public, public), "{shown} {name}");
            assert_eq!(is_placeless(&shown, Some(&name)), public, "{shown} {name}");
            // Whoever packs it again changes nothing.
            assert_eq!((public_url(&shown, &[]), public_channel(&name, &[])), (shown, name));
        }
        assert!(!is_placeless("file:///glade/noarch/x-1-0.conda", Some("file:///glade")));
        assert!(!is_placeless("https://conda.example/noarch/x-1-0.conda", Some("conda.example")));
        assert!(!is_placeless("file:///output/noarch/x-1-0.conda", None));
    }

    #[test]
    fn a_local_path_is_no_token() {
        let url = Url::parse("file:///home/t/me/channel/noarch/x-1-0.conda").unwrap();
        assert_eq!(without_secrets(&url), url);
    }
}
