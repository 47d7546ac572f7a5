//! Downloads over http and https. The one file of the room that is asynchronous inside.

use std::{io::Write as _, path::Path, time::Duration};

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

/// A client that takes proxies from the environment.
pub(super) struct Http(reqwest::Client);

impl Http {
    /// Makes a client. The error is a sentence.
    pub(super) fn new() -> Result<Self, String> {
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

    /// Downloads a URL into a file. The error is a sentence.
    pub(super) fn download(&self, rt: &Rt, url: &Url, file: &Path) -> Result<(), String> {
        rt.block_on(async {
            let mut pause = PAUSE;
            for attempt in 1.. {
                match self.attempt(url, file).await {
                    Ok(()) => return Ok(()),
                    Err(Failure::Passing(reason)) if attempt < ATTEMPTS => {
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

    async fn attempt(&self, url: &Url, file: &Path) -> Result<(), Failure> {
        let passing =
            |error: reqwest::Error| Failure::Passing(format!("failed: {}", with_causes(&error.without_url())));
        let lasting = |error: std::io::Error| Failure::Lasting(format!("could not be written: {error}"));
        let mut response = self.0.get(url.clone()).send().await.map_err(passing)?;
        let status = response.status();
        if !status.is_success() {
            let reason = format!("answered {status}");
            let again = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
            return Err(if again { Failure::Passing(reason) } else { Failure::Lasting(reason) });
        }
        // The file is begun anew with every attempt.
        let mut file = std::fs::File::create(file).map_err(lasting)?;
        while let Some(bytes) = response.chunk().await.map_err(passing)? {
            file.write_all(&bytes).map_err(lasting)?;
        }
        Ok(())
    }
}
