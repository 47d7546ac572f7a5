//! Which channels answer.

use std::path::Path;

use rattler_conda_types::{Channel, Subdir};

use super::solver::gateway;
use crate::{
    base::{Network, with_causes},
    rt::Rt,
};

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
            } else if let Err(error) = gateway.names([channel.clone()], [platform, Subdir::NoArch]).await {
                silent.push((place, with_causes(&error)));
            }
        }
        silent
    })
}

fn has_index(channel: &Path, platform: Subdir) -> bool {
    channel.join(platform.as_str()).join("repodata.json").exists()
}
