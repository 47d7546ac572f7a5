//! Where packages come from, told without what is nobody else's business: credentials, tokens, paths of a machine.

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

/// A package's URL that can be shown to anybody: without secrets; of a local channel only its own name, the
/// subdirectory and the file. What is no URL is a path, of which the last part is left.
pub fn public_url(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "file" => {
            let parts: Vec<&str> = url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).collect();
            format!("file:///{}", parts[parts.len().saturating_sub(3)..].join("/"))
        }
        Ok(url) => without_secrets(&url).into(),
        Err(_) => last_part(text),
    }
}

/// The same for a channel, which may be a name, a path or a URL.
pub fn public_channel(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "file" => last_part(url.path()),
        Ok(url) => without_secrets(&url).into(),
        Err(_) if text.starts_with(['/', '.', '~']) => last_part(text),
        Err(_) => text.to_owned(),
    }
}

fn last_part(path: &str) -> String {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{public_channel, public_url, without_secrets};

    #[test]
    fn secrets_do_not_travel() {
        let text = "https://me:secret@conda.example/t/tk-123/forge/linux-64/x.conda?key=1#sha";
        assert_eq!(public_url(text), "https://conda.example/forge/linux-64/x.conda");
        assert_eq!(public_channel("https://conda.example/t/tk/forge"), "https://conda.example/forge");
        assert_eq!(public_channel("https://conda.example/conda/t/tk/forge"), "https://conda.example/conda/forge");
        assert_eq!(public_channel("https://conda.example/t/tk"), "https://conda.example/");
        assert_eq!(public_channel("conda-forge"), "conda-forge");
        assert_eq!(public_channel("/home/me/channel/"), "channel");
    }

    #[test]
    fn a_local_path_is_no_token() {
        let url = Url::parse("file:///home/t/me/channel/noarch/x-1-0.conda").unwrap();
        assert_eq!(without_secrets(&url), url);
    }
}
