//! The HTTP client of the rooms that speak to channels: the user's rattler credentials when there are any, and nothing
//! at all when the network may not be used.

use rattler_networking::{AuthenticationMiddleware, LazyClient, OfflineMiddleware};
use reqwest_middleware::ClientBuilder;

use crate::base::Network;

/// A client that is made when the first request is; a run with local channels only never makes it.
pub fn client(network: Network) -> LazyClient {
    LazyClient::new(move || {
        let agent = concat!("envbuild/", env!("CARGO_PKG_VERSION"));
        let plain = reqwest::Client::builder().user_agent(agent).build().unwrap_or_default();
        match (network, AuthenticationMiddleware::from_env_and_defaults()) {
            (Network::Offline, _) => ClientBuilder::new(plain).with(OfflineMiddleware).build(),
            (Network::Online, Ok(credentials)) => ClientBuilder::new(plain).with(credentials).build(),
            // A broken credential file must not stop those who need none; the server will say 401 to the others.
            (Network::Online, Err(_)) => ClientBuilder::new(plain).build(),
        }
    })
}
