//! The door: a manifest and the place it stands in become a workspace, or every problem at once.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rattler_conda_types::{Channel, ChannelConfig, Subdir};

use super::{
    BaseChannel, Override, Workspace, WorkspaceError, WorkspaceErrors, environments,
    error::span,
    host,
    matrix::Grid,
    recipes::{self, Source},
};
use crate::{
    base::Stamps,
    manifest::{Manifest, closest},
    recipe::Rendered,
};

/// What a workspace depends on besides the manifest.
#[derive(Debug)]
pub struct Options<'a> {
    /// The folder of project.toml, absolute.
    pub root: &'a Path,
    /// The manifest's file name and text, for drawing problems.
    pub text: (&'a str, &'a str),
    /// Axis values of the command line.
    pub overrides: &'a [Override],
    /// Channels that stand in for the manifest's (URLs, names or absolute paths), as users behind a firewall set them.
    pub base_channels: Option<&'a [String]>,
    /// The file in which rendered recipes are kept between runs.
    pub rendered: &'a Path,
    /// What is known of the recipes' files.
    pub stamps: &'a Stamps,
    /// The platform that envbuild runs on.
    pub machine: Subdir,
}

/// Reads the recipes and multiplies everything out.
///
/// # Errors
/// All problems of the project together, each with its place.
pub fn load(manifest: &Manifest, options: &Options<'_>) -> Result<Workspace, WorkspaceErrors> {
    let mut problems = Vec::new();
    let fail = |problems| WorkspaceErrors::new(options.text.0, options.text.1, problems);
    let grid = match Grid::new(&manifest.matrix, options.overrides) {
        Ok(grid) => grid,
        Err(wrong) => return Err(fail(wrong.into_iter().map(WorkspaceError::from).collect())),
    };
    check_platform(manifest, options.machine, &mut problems);
    let channels = channels(manifest, options, &mut problems);
    let source = Source { root: options.root, platform: options.machine, stamps: options.stamps };
    let rendered = Rendered::open(options.rendered, &grid.axes, options.machine);
    let mut packages = recipes::load(manifest, &grid, (&source, &rendered), &mut problems);
    host::externals(manifest, options.root, &mut packages.packages, &mut problems);
    rendered.save();
    let environments = environments::load(manifest, &grid, options.root, &mut problems);
    // With a recipe that could not be read, nobody knows what uses an axis.
    let all_read =
        !problems.iter().any(|it| matches!(it, WorkspaceError::NoRecipe { .. } | WorkspaceError::BadRecipe { .. }));
    if all_read {
        check_axes(manifest, &packages.read, &mut problems);
    }
    if !problems.is_empty() {
        return Err(fail(problems));
    }
    Ok(Workspace {
        root: options.root.to_owned(),
        name: manifest.project.name.value.clone(),
        platform: options.machine,
        channels,
        host: host::host(manifest, options.root),
        manifest: (options.text.0.to_owned(), options.text.1.to_owned()),
        axes: grid.axes.values,
        zip: grid.axes.zip,
        packages: packages.packages,
        environments,
    })
}

fn check_platform(manifest: &Manifest, machine: Subdir, problems: &mut Vec<WorkspaceError>) {
    let named = &manifest.project.platforms;
    if let Some(first) = named.first()
        && !named.iter().any(|it| it.value == machine.as_str())
    {
        let wanted = named.iter().map(|it| format!("`{}`", it.value)).collect::<Vec<_>>().join(", ");
        let machine = machine.to_string();
        problems.push(WorkspaceError::OtherPlatform { wanted, machine, at: span(&first.span) });
    }
    for target in &manifest.targets {
        if let Some(platform) = target.platform.as_ref().filter(|it| it.value != machine.as_str()) {
            problems.push(WorkspaceError::OtherTarget {
                target: target.name.value.clone(),
                wanted: platform.value.clone(),
                machine: machine.to_string(),
                at: span(&platform.span),
            });
        }
    }
}

fn channels(manifest: &Manifest, options: &Options<'_>, problems: &mut Vec<WorkspaceError>) -> Vec<BaseChannel> {
    let written = match options.base_channels {
        Some(given) => given.iter().map(|it| (it.clone(), None)).collect(),
        None => manifest.project.channels.iter().map(|it| (it.value.clone(), Some(span(&it.span)))).collect::<Vec<_>>(),
    };
    let config = ChannelConfig::default_with_root_dir(PathBuf::from(options.root));
    let mut channels = Vec::new();
    for (channel, at) in written {
        match Channel::from_str(&channel, &config) {
            Ok(parsed) => {
                let relative = channel.starts_with("./") || channel.starts_with("../");
                let written = if relative { channel } else { parsed.base_url.to_string() };
                channels.push(BaseChannel { channel: parsed, written });
            }
            Err(error) => problems.push(WorkspaceError::BadChannel { channel, why: error.to_string(), at }),
        }
    }
    channels
}

fn check_axes(manifest: &Manifest, read: &BTreeSet<String>, problems: &mut Vec<WorkspaceError>) {
    let plain = |name: &str| name.replace('-', "_");
    let mut used: BTreeSet<String> = read.iter().map(|it| plain(it)).collect();
    for environment in &manifest.environments {
        used.extend(environment.matrix.iter().map(|it| plain(&it.value)));
    }
    let mut unused: Vec<_> = manifest.matrix.axes.iter().filter(|it| !used.contains(&plain(&it.name.value))).collect();
    unused.sort_by_key(|it| it.name.span.start);
    for axis in unused {
        let help = match closest(&axis.name.value, read.iter().map(String::as_str)) {
            Some(near) => format!("the recipes read `{near}`: was that meant? Otherwise remove the axis"),
            None => "remove the axis, or use it in a recipe as `${{ axis }}`"
                .replace("axis }}", &format!("{} }}}}", axis.name.value)),
        };
        problems.push(WorkspaceError::UnusedAxis { axis: axis.name.value.clone(), at: span(&axis.name.span), help });
    }
}
