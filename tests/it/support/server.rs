//! A web server of the files in a folder that can be told to fail.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The server; it ends with the tests' process.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Its URL, without a slash at the end.
    pub(crate) address: String,
    site: Arc<Site>,
}

#[derive(Debug)]
struct Site {
    folder: PathBuf,
    /// How many of the next packages are cut in their middle.
    cuts: AtomicUsize,
    /// The packages that were asked for.
    asked: Mutex<BTreeSet<String>>,
}

impl Server {
    /// Serves what is in the folder when it is asked for.
    pub(crate) fn of(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let site = Arc::new(Site { folder: folder.to_owned(), cuts: AtomicUsize::new(0), asked: Mutex::default() });
        let served = site.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = served.clone();
                // Whoever asks may go away at any time.
                std::thread::spawn(move || drop(site.answer(&stream)));
            }
        });
        Self { address, site }
    }

    /// Lets the connections of the next packages break off in the middle.
    pub(crate) fn cut(&self, packages: usize) {
        self.site.cuts.store(packages, Ordering::SeqCst);
    }

    /// The packages that were asked for since this was called last.
    pub(crate) fn asked(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.site.asked.lock().unwrap())
    }
}

impl Site {
    fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        while lines.next().transpose()?.is_some_and(|it| !it.is_empty()) {}
        let mut words = first.split(' ');
        let (method, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let name = name.trim_start_matches('/');
        let Ok(bytes) = std::fs::read(self.folder.join(name)) else {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
        stream.write_all(head.as_bytes())?;
        if method != "GET" {
            return Ok(());
        }
        let mut end = bytes.len();
        if name.ends_with(".conda") {
            self.asked.lock().unwrap().insert(name.to_owned());
            let one_less = |left: usize| left.checked_sub(1);
            if self.cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
                end /= 2;
            }
        }
        stream.write_all(&bytes[..end])
    }
}
