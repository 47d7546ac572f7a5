//! Downloads over http and https. The one file of the room that is asynchronous inside.

use std::{cell::OnceCell, io::Write as _, path::Path, time::Duration};

use url::Url;

use crate::{base::with_causes, rt::Rt};

/// How often a download is begun before it counts as failed.
const ATTEMPTS: u32 = 3;
/// The pause after the first failure; it doubles.
const PAUSE: Duration = Duration::from_millis(250);
const CONNECT: Duration = Duration::from_secs(30);
/// The longest silence in the middle of a download. There is no limit for the whole: sources may be gigabytes.
const SILENCE: Duration = Duration::from_secs(60);

/// Why one attempt failed.
enum Failure {
    /// It may work next time.
    Passing(String),
    /// It will not.
    Lasting(String),
}

/// An address as it may be shown: without the name and the password that it may hold.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // A URL that has them can lose them.
        let _ = url.set_password(None);
        let _ = url.set_username("****");
    }
    url.to_string()
}

/// The client, made when it is needed for the first time.
pub(super) struct Web<'a> {
    rt: &'a Rt,
    client: OnceCell<Result<Http, String>>,
}

impl<'a> Web<'a> {
    pub(super) fn new(rt: &'a Rt) -> Self {
        Self { rt, client: OnceCell::new() }
    }

    /// Downloads a URL into a file. The error is a sentence.
    pub(super) fn download(&self, url: &Url, file: &Path) -> Result<(), String> {
        self.http(url)?.patiently(self.rt, url, async |http| http.file(url, file).await)
    }

    /// Downloads a page of one of the content types in `accept`. The error is a sentence.
    pub(super) fn page(&self, url: &Url, accept: &str) -> Result<Answer, String> {
        self.http(url)?.patiently(self.rt, url, async |http| http.page(url, accept).await)
    }

    fn http(&self, url: &Url) -> Result<&Http, String> {
        let client = self.client.get_or_init(Http::new).as_ref();
        client.map_err(|reason| format!("`{}` was not asked: {reason}", shown(url)))
    }
}

/// A page.
pub(super) struct Answer {
    /// Its address in the end, without name and password.
    pub(super) url: Url,
    /// Its content type.
    pub(super) kind: String,
    pub(super) text: String,
}

/// A client that takes proxies from the environment.
struct Http(reqwest::Client);

impl Http {
    /// Makes a client. The error is a sentence.
    fn new() -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("envbuild/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            // A server that calls a `.tar.gz` a compressed `.tar` would have it decompressed, and its hash is of the
            // file as it is.
            .no_gzip()
            .no_deflate()
            .no_brotli()
            .no_zstd();
        client.build().map(Self).map_err(|error| format!("no connection can be made: {}", with_causes(&error)))
    }

    /// Makes up to three attempts. The error is a sentence.
    fn patiently<T>(
        &self,
        rt: &Rt,
        url: &Url,
        attempt: impl AsyncFn(&Self) -> Result<T, Failure>,
    ) -> Result<T, String> {
        rt.block_on(async {
            let url = shown(url);
            let mut pause = PAUSE;
            for number in 1.. {
                match attempt(self).await {
                    Ok(done) => return Ok(done),
                    Err(Failure::Passing(reason)) if number < ATTEMPTS => {
                        tracing::info!("`{url}` {reason}; trying again");
                        tokio::time::sleep(pause).await;
                        pause *= 2;
                    }
                    Err(Failure::Passing(reason)) => return Err(format!("`{url}` {reason}, {ATTEMPTS} times")),
                    Err(Failure::Lasting(reason)) => return Err(format!("`{url}` {reason}")),
                }
            }
            unreachable!("the last attempt returns")
        })
    }

    async fn file(&self, url: &Url, file: &Path) -> Result<(), Failure> {
        let lasting = |error: std::io::Error| Failure::Lasting(format!("could not be written: {error}"));
        let mut response = asked(self.0.get(url.clone())).await?;
        // The file is begun anew with every attempt.
        let mut file = std::fs::File::create(file).map_err(lasting)?;
        while let Some(bytes) = response.chunk().await.map_err(passing)? {
            file.write_all(&bytes).map_err(lasting)?;
        }
        Ok(())
    }

    async fn page(&self, url: &Url, accept: &str) -> Result<Answer, Failure> {
        let response = asked(self.0.get(url.clone()).header("accept", accept)).await?;
        let kind =
            response.headers().get("content-type").and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
        let url = response.url().clone();
        let bytes = response.bytes().await.map_err(passing)?;
        Ok(Answer { url, kind, text: String::from_utf8_lossy(&bytes).into_owned() })
    }
}

/// Sends a request and looks at the status of the answer.
async fn asked(request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
    let response = request.send().await.map_err(passing)?;
    let status = response.status();
    if !status.is_success() {
        let reason = format!("answered {status}");
        let again = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        return Err(if again { Failure::Passing(reason) } else { Failure::Lasting(reason) });
    }
    Ok(response)
}

fn passing(error: reqwest::Error) -> Failure {
    Failure::Passing(format!("failed: {}", with_causes(&error.without_url())))
}
