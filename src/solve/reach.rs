//! Which channels answer.

use std::{path::Path, time::Duration};

use rattler_conda_types::{Channel, Subdir};

use super::solver::gateway;
use crate::{
    base::{Network, with_causes},
    rt::Rt,
};

/// How long a channel may take: where a firewall swallows what is sent, nothing ever answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// The channels whose index cannot be read for a platform, by their places in the list, each with the reason as a sentence.
pub fn unreachable(
    rt: &Rt,
    channels: &[Channel],
    platform: Subdir,
    cache: &Path,
    network: Network,
) -> Vec<(usize, String)> {
    rt.block_on(async {
        let gateway = gateway(cache, network);
        let mut silent = Vec::new();
        for (place, channel) in channels.iter().enumerate() {
            let local = channel.base_url.url().to_file_path();
            // The gateway takes a folder that is not there for a channel without packages.
            let gone = local.is_ok_and(|it| !it.join("noarch/repodata.json").exists() && !has_index(&it, platform));
            if gone {
                silent.push((place, "there is no index in that folder".to_owned()));
                continue;
            }
            match tokio::time::timeout(PATIENCE, gateway.names([channel.clone()], [platform, Subdir::NoArch])).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => silent.push((place, with_causes(&error))),
                Err(_) => silent.push((place, format!("it did not answer within {} seconds", PATIENCE.as_secs()))),
            }
        }
        silent
    })
}

fn has_index(channel: &Path, platform: Subdir) -> bool {
    channel.join(platform.as_str()).join("repodata.json").exists()
}
