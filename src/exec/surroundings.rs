//! What a host-bound build keeps of the user's environment: what its own machinery needs to reach channels.

use std::collections::BTreeMap;

use crate::workspace::Package;

/// The network, where it is reached and who asks; where caches and settings are.
const KEPT: &[&str] = &[
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "GIT_SSH_COMMAND",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NETRC",
    "NO_PROXY",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// The beginnings of more of them.
const KEPT_FAMILIES: &[&str] = &["ENVBUILD_", "RATTLER_", "XDG_"];

/// The variables of the user that reach the worker of a host-bound build, with those that its recipe asks for. A build
/// script sees none of them; the recipe's tests do.
pub(super) fn of_worker(own: &BTreeMap<String, String>, package: &Package) -> BTreeMap<String, String> {
    let wanted = |name: &String| {
        KEPT.contains(&name.as_str())
            || KEPT_FAMILIES.iter().any(|it| name.starts_with(it))
            || package.cell.environment.contains_key(name)
    };
    let kept = own.iter().filter(|(name, _)| wanted(name));
    let fixed = [("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8"), ("SHELL", "/bin/bash"), ("TERM", "dumb")];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    fixed.into_iter().chain(kept.map(|(name, value)| (name.clone(), value.clone()))).collect()
}
