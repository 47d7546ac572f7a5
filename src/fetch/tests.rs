//! Sources from the store, from mirrors and from a server on this machine.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use miette::Diagnostic as _;
use rattler_digest::{Md5, Sha256, compute_bytes_digest};
use tempfile::TempDir;

use super::{FetchError, FetchRequest, Fetched, SourceRef, fetch, file_name};
use crate::{base::Network, rt::Rt};

pub(super) const CONTENT: &str = "the source\n";

pub(super) struct Bench {
    rt: Rt,
    folder: TempDir,
    pub(super) mirrors: Vec<String>,
    network: Network,
    /// Without pip's files: those of the machine are not the tests'.
    pub(super) environment: BTreeMap<String, String>,
}

impl Bench {
    pub(super) fn new(network: Network) -> Self {
        Self {
            rt: Rt::new().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            mirrors: Vec::new(),
            network,
            environment: BTreeMap::from([("PIP_CONFIG_FILE".to_owned(), "/dev/null".to_owned())]),
        }
    }

    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(super) fn mirror(&mut self, name: &str, file: &str, content: &str) -> PathBuf {
        let folder = self.path(name);
        write(&folder.join(file), content);
        self.mirrors.push(folder.display().to_string());
        folder
    }

    fn fetch(&self, sources: &[SourceRef]) -> Result<Vec<Fetched>, FetchError> {
        let store = self.path("store");
        let request = FetchRequest {
            sources,
            mirrors: &self.mirrors,
            store: &store,
            network: self.network,
            environment: &self.environment,
            default_index: |_| Err("no index was asked".to_owned()),
        };
        fetch(&self.rt, &request)
    }

    pub(super) fn one(&self, source: SourceRef) -> Result<Fetched, FetchError> {
        self.fetch(&[source]).map(|mut fetched| fetched.remove(0))
    }
}

pub(super) fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(super) fn sha256(content: &str) -> String {
    hex::encode(compute_bytes_digest::<Sha256>(content))
}

pub(super) fn source(url: &str) -> SourceRef {
    SourceRef {
        urls: vec![url.to_owned()],
        sha256: Some(sha256(CONTENT)),
        md5: None,
        file_name: file_name(url).unwrap(),
    }
}

const UPSTREAM: &str = "https://sources.invalid/thing-1.0.tar.gz";

/// Answers one connection after the other with these texts, the last one again and again, and notes the requests.
pub(super) fn serve(answers: &[&str]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (noted, answers) = (requests.clone(), answers.iter().map(|&it| it.to_owned()).collect::<Vec<_>>());
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { continue };
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                request.push(byte[0]);
            }
            noted.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
            let answer = answers.get(number).or(answers.last()).unwrap();
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    (address, requests)
}

pub(super) fn ok(content: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{content}", content.len())
}

pub(super) fn status(text: &str) -> String {
    format!("HTTP/1.1 {text}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

#[test]
fn a_mirror_serves_by_name_by_hash_and_as_a_store() {
    let by_hash = sha256(CONTENT);
    for file in ["thing-1.0.tar.gz", &by_hash, &format!("{by_hash}/thing-1.0.tar.gz")] {
        let mut bench = Bench::new(Network::Offline);
        let folder = bench.mirror("mirror", file, CONTENT);
        let fetched = bench.one(source(UPSTREAM)).unwrap();
        assert_eq!(fetched.url, UPSTREAM);
        assert_eq!(fetched.file, bench.path("store").join(&by_hash).join("thing-1.0.tar.gz"));
        assert_eq!(fs::read_to_string(&fetched.file).unwrap(), CONTENT);
        // From now on the store has it, and holds nothing else.
        fs::remove_dir_all(folder).unwrap();
        assert_eq!(bench.one(source(UPSTREAM)).unwrap(), fetched);
        assert_eq!(crate::base::fs::list(&bench.path("store")).unwrap().len(), 1);
    }
}

#[test]
fn a_file_url_is_a_mirror_too() {
    let mut bench = Bench::new(Network::Offline);
    let folder = bench.mirror("a mirror", "thing-1.0.tar.gz", CONTENT);
    bench.mirrors = vec![url::Url::from_directory_path(folder).unwrap().to_string()];
    bench.one(source(UPSTREAM)).unwrap();
}

#[test]
fn a_spoilt_file_in_the_store_is_replaced() {
    let mut bench = Bench::new(Network::Offline);
    bench.mirror("mirror", "thing-1.0.tar.gz", CONTENT);
    let fetched = bench.one(source(UPSTREAM)).unwrap();
    fs::write(&fetched.file, "spoilt").unwrap();
    bench.one(source(UPSTREAM)).unwrap();
    assert_eq!(fs::read_to_string(&fetched.file).unwrap(), CONTENT);
}

#[test]
fn a_mirror_with_other_bytes_is_passed_over_and_mentioned() {
    let mut bench = Bench::new(Network::Offline);
    bench.mirror("stale", "thing-1.0.tar.gz", "old\n");
    let error = bench.one(source(UPSTREAM)).unwrap_err();
    assert_eq!(error.to_string(), format!("the source `{UPSTREAM}` could not be had"));
    let help = error.help().unwrap().to_string();
    assert!(help.contains(&format!("stale/thing-1.0.tar.gz` has sha256 {}", sha256("old\n"))), "{help}");
    assert!(help.contains(&format!("`{UPSTREAM}` was not asked: the network is off")), "{help}");
    bench.mirror("good", "thing-1.0.tar.gz", CONTENT);
    bench.one(source(UPSTREAM)).unwrap();
}

#[test]
fn a_download_is_verified_and_kept() {
    let mut bench = Bench::new(Network::Online);
    bench.mirror("empty", "other", "");
    let (address, requests) = serve(&[&ok(CONTENT)]);
    let url = format!("{address}/files/thing-1.0.tar.gz");
    let fetched = bench.one(source(&url)).unwrap();
    assert_eq!(fs::read_to_string(&fetched.file).unwrap(), CONTENT);
    bench.one(source(&url)).unwrap();
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("GET /files/thing-1.0.tar.gz HTTP/1.1\r\n"));
    assert!(!requests[0].to_lowercase().contains("accept-encoding"), "{}", requests[0]);
}

#[test]
fn a_mirror_behind_a_url_is_asked_before_upstream() {
    let mut bench = Bench::new(Network::Online);
    let (address, requests) = serve(&[&status("404 Not Found"), &ok(CONTENT)]);
    bench.mirrors = vec![format!("{address}/mirror/")];
    bench.one(source(UPSTREAM)).unwrap();
    let requests = requests.lock().unwrap();
    assert!(requests[0].starts_with("GET /mirror/thing-1.0.tar.gz "));
    assert!(requests[1].starts_with(&format!("GET /mirror/{} ", sha256(CONTENT))));
}

#[test]
fn a_wrong_download_tells_both_hashes() {
    let bench = Bench::new(Network::Online);
    let (address, _) = serve(&[&ok("another\n")]);
    let url = format!("{address}/thing-1.0.tar.gz");
    let error = bench.one(source(&url)).unwrap_err().to_string();
    let (expected, found) = (sha256(CONTENT), sha256("another\n"));
    assert_eq!(
        error,
        format!(
            "the source `{url}` has another content than the recipe says: expected sha256 {expected}, found sha256 {found}"
        )
    );
    assert!(crate::base::fs::list(&bench.path("store")).unwrap().is_empty());
}

#[test]
fn a_busy_server_is_asked_again_and_a_missing_file_is_not() {
    let bench = Bench::new(Network::Online);
    let half = format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\nConnection: close\r\n\r\n{CONTENT}");
    let (address, requests) = serve(&[&status("503 Service Unavailable"), &half, &ok(CONTENT)]);
    bench.one(source(&format!("{address}/thing"))).unwrap();
    assert_eq!(requests.lock().unwrap().len(), 3);

    let (address, requests) = serve(&[&status("404 Not Found")]);
    let error = bench.one(SourceRef {
        file_name: "other".to_owned(),
        sha256: Some(sha256("?")),
        ..source(&format!("{address}/x"))
    });
    let help = error.unwrap_err().help().unwrap().to_string();
    assert!(help.contains("/x` answered 404 Not Found"), "{help}");
    assert_eq!(requests.lock().unwrap().len(), 1);

    let (address, requests) = serve(&[&status("500 Internal Server Error")]);
    let error = bench.one(SourceRef {
        file_name: "other".to_owned(),
        sha256: Some(sha256("?")),
        ..source(&format!("{address}/x"))
    });
    let help = error.unwrap_err().help().unwrap().to_string();
    assert!(help.contains("answered 500 Internal Server Error, 3 times"), "{help}");
    assert_eq!(requests.lock().unwrap().len(), 3);
}

#[test]
fn another_url_of_the_recipe_is_asked_when_the_first_fails() {
    let bench = Bench::new(Network::Online);
    let (gone, _) = serve(&[&status("410 Gone")]);
    let (there, _) = serve(&[&ok(CONTENT)]);
    let mut source = source(&format!("{gone}/thing"));
    source.urls.push(format!("{there}/thing"));
    assert_eq!(bench.one(source).unwrap().url, format!("{gone}/thing"));
}

#[test]
fn a_source_without_a_hash_prints_the_line_to_add() {
    let mut bench = Bench::new(Network::Offline);
    let unhashed = SourceRef { sha256: None, ..source(UPSTREAM) };
    let help = |error: FetchError| error.help().unwrap().to_string();
    let error = bench.one(unhashed.clone()).unwrap_err();
    assert_eq!(error.to_string(), format!("the source `{UPSTREAM}` has no hash"));
    assert!(help(error).ends_with("sha256: <the sha256 of the file>"));
    bench.mirror("mirror", "thing-1.0.tar.gz", CONTENT);
    assert!(help(bench.one(unhashed).unwrap_err()).ends_with(&format!("    sha256: {}", sha256(CONTENT))));
}

#[test]
fn an_md5_is_a_hash() {
    let mut bench = Bench::new(Network::Offline);
    let folder = bench.mirror("mirror", "thing-1.0.tar.gz", CONTENT);
    let md5 = Some(hex::encode(compute_bytes_digest::<Md5>(CONTENT)));
    let old = SourceRef { sha256: None, md5, ..source(UPSTREAM) };
    let fetched = bench.one(old.clone()).unwrap();
    assert_eq!(fetched.sha256, sha256(CONTENT));
    fs::remove_dir_all(folder).unwrap();
    assert_eq!(bench.one(old).unwrap(), fetched);
}

#[test]
fn all_problems_come_at_once() {
    let bench = Bench::new(Network::Offline);
    let bad_hash = SourceRef { sha256: Some("12".to_owned()), ..source(UPSTREAM) };
    let bad_name = SourceRef { file_name: "../x".to_owned(), ..source(UPSTREAM) };
    let git = source("git+https://example.invalid/x.git");
    let error = bench.fetch(&[bad_hash, bad_name, git.clone()]).unwrap_err();
    let FetchError::Several { problems } = error else { panic!("{error:?}") };
    let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            format!("the sha256 `12` of the source `{UPSTREAM}` is not a number of 64 hexadecimal digits"),
            format!("the source `{UPSTREAM}` cannot be stored under the name `../x`"),
            "the git source `git+https://example.invalid/x.git` is not supported offline".to_owned(),
        ]
    );
    assert!(Bench::new(Network::Online).fetch(&[git]).unwrap().is_empty());
}

#[test]
fn a_file_name_is_the_last_part_of_the_url() {
    let names = [UPSTREAM, "https://x.invalid/p/thing.zip/download", "https://x.invalid/a/?q=1", "https://x.invalid/"];
    let names = names.map(file_name);
    assert_eq!(names, [Some("thing-1.0.tar.gz"), Some("thing.zip"), Some("a"), None].map(|it| it.map(str::to_owned)));
}
