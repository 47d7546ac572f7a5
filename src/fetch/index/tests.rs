//! pip's configuration, the pages of an index, and indexes on this machine.

use std::{collections::BTreeMap, path::Path};

use miette::Diagnostic as _;
use url::Url;

use super::{
    configuration::{Configuration, Options, files, location},
    page::{Link, links},
};
use crate::{
    base::Network,
    fetch::{
        FetchError, SourceRef,
        tests::{Bench, CONTENT, ok, serve, sha256, source, status, write},
    },
};

const MIRRORED: &str = "mirror://pypi/Some.Thing/thing-1.0.tar.gz";

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn configured(texts: &[&str], variables: &[(&str, &str)]) -> Configuration {
    let mut options = Options::default();
    texts.iter().for_each(|text| options.add(text).unwrap());
    options.configuration(&environment(variables)).unwrap()
}

#[test]
fn later_files_sections_of_a_command_and_variables_are_stronger() {
    let shared = "# shared\n[global]\nindex-url = https://a.invalid/simple\nextra-index-url =\n    https://x.invalid\n\
                  \n    https://y.invalid  \ntimeout: 60\n";
    let own = "[global]\nindex_url: https://b.invalid/simple\n[list]\nindex-url = https://never.invalid\n";
    let read = configured(&[shared, own], &[]);
    assert_eq!(read.index.as_deref(), Some("https://b.invalid/simple"));
    assert_eq!(read.extra, ["https://x.invalid", "https://y.invalid"]);
    assert!(!read.no_index && read.links.is_empty());

    // A command's section is stronger than another file's general one.
    let command =
        "[download]\nindex-url = https://c.invalid\n[install]\nindex-url = https://d.invalid\nno-index = yes\n";
    let read = configured(&[command, shared], &[]);
    assert_eq!(read.index.as_deref(), Some("https://c.invalid"));
    assert!(read.no_index);

    let variables = [
        ("PIP_INDEX_URL", "https://e.invalid"),
        ("PIP_EXTRA_INDEX_URL", "https://f.invalid ./g"),
        ("PIP_FIND_LINKS", "/wheels"),
        ("PIP_NO_INDEX", "0"),
    ];
    let read = configured(&[command, shared], &variables);
    assert_eq!(read.index.as_deref(), Some("https://e.invalid"));
    assert_eq!(read.extra, ["https://f.invalid", "./g"]);
    assert_eq!(read.links, ["/wheels"]);
    assert!(!read.no_index);

    // What is empty is not set.
    let read = configured(&[shared, "[global]\nextra-index-url =\n"], &[("PIP_INDEX_URL", "")]);
    assert_eq!(read.index.as_deref(), Some("https://a.invalid/simple"));
    assert!(read.extra.is_empty());
}

#[test]
fn a_file_that_pip_would_not_read_is_told_with_its_line() {
    assert_eq!(Options::default().add("[global]\n\nwhat is this\n"), Err(3));
    assert_eq!(Options::default().add("index-url = https://a.invalid\n"), Err(1));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pip.conf");
    write(&file, "[global]\nno-index = perhaps\n");
    let variables = environment(&[("PIP_CONFIG_FILE", file.to_str().unwrap())]);
    let error = Configuration::read(&variables).unwrap_err();
    assert_eq!(error, "pip's option `no-index` is `perhaps`, which is neither yes nor no");
    write(&file, "oh\n");
    let error = Configuration::read(&variables).unwrap_err();
    assert!(error.ends_with("pip.conf` cannot be read: line 1 is neither a section nor `key = value`"), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_files_are_those_of_pip_in_its_order() {
    let variables = [("HOME", "/home/me"), ("XDG_CONFIG_DIRS", "/one:/two"), ("CONDA_PREFIX", "/conda")];
    let paths = |variables: &[(&str, &str)]| -> Vec<String> {
        files(&environment(variables)).iter().map(|it| it.display().to_string()).collect()
    };
    let shared = ["/one/pip/pip.conf", "/two/pip/pip.conf", "/etc/pip.conf"];
    let own = ["/home/me/.pip/pip.conf", "/home/me/.config/pip/pip.conf", "/conda/pip.conf"];
    assert_eq!(paths(&variables), [shared, own].concat());
    let more = [("HOME", "/home/me"), ("XDG_CONFIG_HOME", "/config"), ("VIRTUAL_ENV", "/venv"), ("CONDA_PREFIX", "/c")];
    let read = paths(&more);
    assert_eq!(read[2..], ["/home/me/.pip/pip.conf", "/config/pip/pip.conf", "/venv/pip.conf"]);
    // A file that is named replaces the user's, if it is there.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.conf");
    write(&file, "");
    let file = file.to_str().unwrap();
    assert_eq!(
        paths(&[("HOME", "/home/me"), ("PIP_CONFIG_FILE", file)]),
        ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", file]
    );
    assert!(paths(&[("HOME", "/home/me"), ("PIP_CONFIG_FILE", "/dev/null")]).is_empty());
}

#[test]
fn a_location_is_a_url_or_a_path_and_its_error_shows_nothing_of_it() {
    assert_eq!(location("~/wheels", Some("/home/me")).unwrap().as_str(), "file:///home/me/wheels");
    assert_eq!(location("/wheels", None).unwrap().as_str(), "file:///wheels");
    assert_eq!(location("https://u:p@a.invalid/s", None).unwrap().as_str(), "https://u:p@a.invalid/s");
    assert!(!location("ftp://me:secret@a.invalid/s", None).unwrap_err().contains("secret"));
}

const PAGE: &str = r##"<!DOCTYPE html><html><body><!-- <a href="thing-0.0.tar.gz">no</a> -->
<a href="../../files/thing-1.0.tar.gz#sha256=ABCD" data-yanked="broken" data-requires-python="&gt;=3.8">thing</a><br/>
<A class=x HREF='https://files.invalid/thing-1.0%2Bx.tar.gz?a=1&amp;b=2'
>thing</A><a>none</a><a href=thing-1.1.zip>thing-1.1.zip</a><a href="folder/">f</a></body></html>"##;

fn link(name: &str, url: &str, sha256: Option<&str>) -> Link {
    Link { name: name.to_owned(), url: Url::parse(url).unwrap(), sha256: sha256.map(str::to_owned) }
}

#[test]
fn the_links_of_an_html_page_are_read_yanked_ones_too() {
    let base = Url::parse("https://index.invalid/root/simple/thing/").unwrap();
    let expected = [
        link("thing-1.0.tar.gz", "https://index.invalid/root/files/thing-1.0.tar.gz", Some("abcd")),
        link("thing-1.0+x.tar.gz", "https://files.invalid/thing-1.0%2Bx.tar.gz?a=1&b=2", None),
        link("thing-1.1.zip", "https://index.invalid/root/simple/thing/thing-1.1.zip", None),
    ];
    assert_eq!(links(PAGE, "text/html; charset=utf-8", &base).unwrap(), expected);
    let based = "<base href=\"/else/\"><a href='a.zip'>a.zip</a><a href=\"open";
    assert_eq!(links(based, "", &base).unwrap()[0], link("a.zip", "https://index.invalid/else/a.zip", None));
}

#[test]
fn the_links_of_a_json_page_are_read_and_a_new_version_is_refused() {
    let base = Url::parse("https://index.invalid/simple/thing/").unwrap();
    let page = r#"{"meta": {"api-version": "1.3"}, "name": "thing", "files": [
        {"filename": "a.zip", "url": "../a.zip", "hashes": {"sha256": "AB", "md5": "1"}, "yanked": "bad"},
        {"filename": "b.zip", "url": "https://b.invalid/0/b.zip", "hashes": {}}]}"#;
    let kind = "application/vnd.pypi.simple.v1+json";
    let expected = [
        link("a.zip", "https://index.invalid/simple/a.zip", Some("ab")),
        link("b.zip", "https://b.invalid/0/b.zip", None),
    ];
    assert_eq!(links(page, kind, &base).unwrap(), expected);
    let error = links(&page.replace("1.3", "2.0"), kind, &base).unwrap_err();
    assert_eq!(error, "speaks version 2.0 of the simple API, and only 1 is known");
    assert!(links("<html>", kind, &base).unwrap_err().starts_with("is no page of an index: "));
}

/// An answer with a content type.
fn page(kind: &str, text: &str) -> String {
    let length = text.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}")
}

fn bench(network: Network, variables: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::new(network);
    bench.environment.extend(environment(variables));
    bench
}

fn told(error: &FetchError) -> String {
    format!("{error}\n{}", error.help().unwrap())
}

#[test]
fn an_index_is_asked_by_the_normalised_name_and_with_its_credentials() {
    let html = "<a href=\"../../files/thing-1.0.tar.gz\">thing-1.0.tar.gz</a>";
    let json = "{\"meta\":{\"api-version\":\"1.0\"},\"files\":[{\"filename\":\"thing-1.0.tar.gz\",\"url\":\"/files/thing-1.0.tar.gz\"}]}";
    for (kind, text) in [("text/html", html), ("application/vnd.pypi.simple.v1+json", json)] {
        let (address, requests) = serve(&[&page(kind, text), &ok(CONTENT)]);
        let index = address.replace("http://", "http://me:secret@") + "/simple/";
        let bench = bench(Network::Online, &[("PIP_INDEX_URL", &index)]);
        let fetched = bench.one(source(MIRRORED)).unwrap();
        assert_eq!(fetched.url, MIRRORED);
        assert_eq!(std::fs::read_to_string(&fetched.file).unwrap(), CONTENT);
        let requests = requests.lock().unwrap();
        assert!(requests[0].starts_with("GET /simple/some-thing/ HTTP/1.1\r\n"), "{}", requests[0]);
        assert!(requests[0].contains("accept: application/vnd.pypi.simple.v1+json, "), "{}", requests[0]);
        assert!(requests[1].starts_with("GET /files/thing-1.0.tar.gz HTTP/1.1\r\n"), "{}", requests[1]);
        for request in requests.iter() {
            assert!(request.contains("authorization: Basic bWU6c2VjcmV0"), "{request}");
        }
    }
}

#[test]
fn credentials_stay_with_their_server_and_out_of_errors() {
    let (files, elsewhere) = serve(&[&status("403 Forbidden")]);
    let (address, _) = serve(&[&page("text/html", &format!("<a href=\"{files}/thing-1.0.tar.gz\">t</a>"))]);
    let (refusing, _) = serve(&[&status("401 Unauthorized")]);
    let with_password = |address: &str| address.replace("http://", "http://me:secret@");
    let (index, extra) = (with_password(&address), with_password(&refusing));
    let bench = bench(Network::Online, &[("PIP_INDEX_URL", &index), ("PIP_EXTRA_INDEX_URL", &extra)]);
    let text = told(&bench.one(source(MIRRORED)).unwrap_err());
    assert!(text.contains(&format!("`{files}/thing-1.0.tar.gz` answered 403 Forbidden")), "{text}");
    let hidden = refusing.replace("http://", "http://****@");
    assert!(text.contains(&format!("`{hidden}/some-thing/` answered 401 Unauthorized")), "{text}");
    assert!(!text.contains("secret") && !text.contains("me:"), "{text}");
    assert!(!elsewhere.lock().unwrap()[0].to_lowercase().contains("authorization"));
}

#[test]
fn the_next_index_is_asked_when_one_has_another_file_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let index = |name: &str, text: &str| {
        write(&folder.path().join(name).join("some-thing/index.html"), text);
        folder.path().join(name).display().to_string()
    };
    write(&folder.path().join("thing-1.0.tar.gz"), CONTENT);
    let other = index("other", &format!("<a href='x/thing-1.0.tar.gz#sha256={}'>t</a>", sha256("other")));
    let empty = index("empty", "<a href='thing-2.0.tar.gz'>t</a>");
    let right = index("right", "<a href='../../thing-1.0.tar.gz'>t</a>");
    let all = format!("{empty} {right}");
    // Folders are no network.
    let having = bench(Network::Offline, &[("PIP_INDEX_URL", &other), ("PIP_EXTRA_INDEX_URL", &all)]);
    having.one(source(MIRRORED)).unwrap();

    let lacking = bench(Network::Offline, &[("PIP_INDEX_URL", &other), ("PIP_EXTRA_INDEX_URL", &empty)]);
    let text = told(&lacking.one(source(MIRRORED)).unwrap_err());
    let (expected, found) = (sha256(CONTENT), sha256("other"));
    assert!(text.contains(&format!("expected sha256 {expected}, found sha256 {found}")), "{text}");
    assert!(text.contains("empty/some-thing/index.html` has no `thing-1.0.tar.gz`"), "{text}");

    // What a page says of a file is not believed.
    write(&folder.path().join("lie.tar.gz"), "lie\n");
    write(&folder.path().join("wheels/thing-1.0.tar.gz"), "lie\n");
    let links = folder.path().join("wheels").display().to_string();
    let lying = bench(Network::Offline, &[("PIP_FIND_LINKS", &links), ("PIP_NO_INDEX", "1")]);
    let text = told(&lying.one(source(MIRRORED)).unwrap_err());
    assert!(text.contains(&format!("found sha256 {}", sha256("lie\n"))), "{text}");
    assert!(text.contains("no index was asked: pip's option `no-index` is set"), "{text}");
    write(&folder.path().join("wheels/thing-1.0.tar.gz"), CONTENT);
    lying.one(source(MIRRORED)).unwrap();
}

#[test]
fn mirrors_come_first_and_offline_tells_what_was_not_asked() {
    let (address, requests) = serve(&[&status("404 Not Found")]);
    let mut bench = bench(Network::Offline, &[("PIP_INDEX_URL", &address)]);
    let text = told(&bench.one(source(MIRRORED)).unwrap_err());
    assert!(text.starts_with(&format!("the source `{MIRRORED}` could not be had\n")), "{text}");
    assert!(text.contains("put `thing-1.0.tar.gz` into a source mirror"), "{text}");
    assert!(text.contains(&format!("`{address}/some-thing/` was not asked: the network is off")), "{text}");
    bench.environment.remove("PIP_INDEX_URL");
    let text = told(&bench.one(source(MIRRORED)).unwrap_err());
    assert!(text.contains("pip's own index was not asked: the network is off"), "{text}");
    bench.mirror("mirror", "thing-1.0.tar.gz", CONTENT);
    bench.one(source(MIRRORED)).unwrap();
    assert!(requests.lock().unwrap().is_empty());
}

#[test]
fn an_index_and_a_url_may_stand_beside_each_other() {
    let (address, _) = serve(&[&ok(CONTENT)]);
    let bench = bench(Network::Online, &[]);
    let both = |urls: &[&str]| SourceRef { urls: urls.iter().map(|&it| it.to_owned()).collect(), ..source(MIRRORED) };
    let url = format!("{address}/thing-1.0.tar.gz");
    let text = told(&bench.one(source(MIRRORED)).unwrap_err());
    assert!(text.contains("\n  - no index was asked"), "{text}");
    assert_eq!(bench.one(both(&[MIRRORED, &url])).unwrap().url, MIRRORED);
    assert!(Path::new(&bench.one(both(&[&url, MIRRORED])).unwrap().file).is_file());
}
