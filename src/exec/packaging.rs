//! An archive: the locked packages go from the package cache into it, with a placeholder for the prefix in their files, so
//! that nothing of this machine is in the archive and the same lock gives the same bytes anywhere. No prefix need exist.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rattler_conda_types::RepoDataRecord;

use super::{
    Against, Context, ExecError, Job, Stated,
    bundles::{BUNDLE, BUNDLE_FOLDER, bundle},
    environment, stated, target,
};
use crate::{
    adopt::{self, Filters},
    archive::Format,
    base::{Digest, Progress, fs, within},
    conda::Sums,
    image::{self, Image, ImageRequest},
    pack::{self, PackError, PackRequest, Piece},
    store::Output,
    tree::{Digests, FILES, FOLDER},
    workspace::Environment,
};

/// The archive of a node, where the manifest asks for one.
pub(super) fn pack(context: &Context, job: &Job) -> Result<Output, ExecError> {
    let node = context.plan.node(job.index);
    let environment = &context.workspace.environments[node.subject];
    let archive = context.archive(environment, node.part);
    let format = environment.packs.get(node.part).map_or(PackAs::Archive(Format::TarZst), |it| PackAs::named(it));
    let request = ArchiveRequest {
        format,
        archive: Some(&archive),
        since: None,
        kept: None,
        dest_prefix: None,
        arcroot: "",
        split: None,
        level: None,
        threads: context.settings.cpus,
        filters: None,
        against: Against::Own,
        progress: Progress::none(),
    };
    // One of ours that has lost its list; what was never ours is not touched.
    if archive.is_dir()
        && list_of(&archive).is_none()
        && [FOLDER, image::LOCK].iter().any(|it| archive.join(it).exists())
    {
        fs::remove_dir_all(&archive)?;
    }
    // Whoever put it there: a folder is not replaced by a file, nor the other way round.
    if archive.symlink_metadata().is_ok_and(|it| it.is_dir() != format.is_folder()) {
        return Err(PackError::Occupied(archive).into());
    }
    let piece = archived(context, environment, &request)?.pieces.into_iter().next();
    let file = archive.strip_prefix(&context.workspace.root).unwrap_or(&archive).to_owned();
    Ok(match (piece, list_of(&archive)) {
        (Some(Piece { sha256, bytes, .. }), _) => Output::Archive { sha256, bytes, file },
        (None, Some(list)) => Output::Folder { digest: Digest::of(fs::read(&list)?), folder: file },
        (None, None) => unreachable!("every folder that is packed begins with a list of what is in it"),
    })
}

/// The file in a packed folder that says, by digests, what is in it; none in any other folder.
pub(super) fn list_of(folder: &Path) -> Option<PathBuf> {
    [FILES, image::INDEX].iter().map(|list| folder.join(list)).find(|list| list.is_file())
}

/// What an environment is packed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackAs {
    /// An archive of its files.
    Archive(Format),
    /// Its packages, as they are.
    Bundle {
        /// In a folder, and not in a file.
        folder: bool,
    },
}

impl PackAs {
    /// The format that stands in the manifest.
    fn named(name: &str) -> Self {
        match name {
            BUNDLE => Self::Bundle { folder: false },
            BUNDLE_FOLDER => Self::Bundle { folder: true },
            name => Self::Archive(Format::parse(name).unwrap_or(Format::TarZst)),
        }
    }

    /// Whether it is a folder and no file.
    fn is_folder(self) -> bool {
        matches!(self, Self::Archive(Format::Folder) | Self::Bundle { folder: true })
    }

    /// The format that a file's name promises by its ending, or a folder's by its slash.
    pub fn of_path(path: &Path) -> Option<Self> {
        let folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        let name = path.file_name()?.to_string_lossy();
        let lower = name.to_ascii_lowercase();
        let ends = |ending: &str| lower.strip_suffix(ending).is_some_and(|it| it.len() > 1 && it.ends_with('.'));
        if ends(BUNDLE) || (folder && ends(BUNDLE_FOLDER)) {
            return Some(Self::Bundle { folder });
        }
        if folder { Some(Self::Archive(Format::Folder)) } else { Format::of_file_name(&name).map(Self::Archive) }
    }
}

/// An archive of what is locked for an environment.
#[derive(Clone, Copy)]
pub struct ArchiveRequest<'a> {
    /// Its format.
    pub format: PackAs,
    /// Where it goes; without it, an update goes beside the archives of the project, under a name that says both of its
    /// ends.
    pub archive: Option<&'a Path>,
    /// The tree for which it is an update.
    pub since: Option<&'a Digests>,
    /// What that tree is read from, which is not written over.
    pub kept: Option<&'a Path>,
    /// The path at which it is to be used; without it that of the manifest.
    pub dest_prefix: Option<&'a str>,
    /// The folder in the archive in which the environment stands; empty for none.
    pub arcroot: &'a str,
    /// The size of the parts, in bytes, into which it is cut.
    pub split: Option<u64>,
    /// The level of compression; without it that of the settings.
    pub level: Option<i32>,
    /// Threads that compress.
    pub threads: u32,
    /// What is left out of it, and put back.
    pub filters: Option<&'a Filters>,
    /// What it is held against.
    pub against: Against<'a>,
    /// Is told how far it is.
    pub progress: Progress<'a>,
}

/// An archive that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Where it is.
    pub archive: PathBuf,
    /// The files, with their checksums; none for a folder.
    pub pieces: Vec<Piece>,
    /// The digest that names the tree; bundles have none.
    pub tree: Option<Digest>,
    /// How many files it holds; of a bundle that is not counted.
    pub files: Option<u64>,
    /// The longest path at which it can be unpacked, in bytes; a bundle does not say it.
    pub longest_prefix: Option<usize>,
}

/// Packs an environment that is locked.
///
/// # Errors
/// When a package is not to be had, the environment lacks something at its target, or the archive cannot be written.
pub fn archived(
    context: &Context,
    environment: &Environment,
    request: &ArchiveRequest<'_>,
) -> Result<Archived, ExecError> {
    let records = environment::records(context, environment)?;
    environment::verify_or_cached(context, &records)?;
    // The files of a bundle matter only where there is a target to hold them against.
    let files = match request.format {
        PackAs::Bundle { .. } if !request.against.is_something(environment) => None,
        _ => Some(Files::of(context, environment, &records, request)?),
    };
    // Before anything is sent anywhere.
    if let Some(files) = &files {
        target::require_target(context, environment, &files.stated.needs, request.against)?;
    }
    match (request.format, files) {
        (PackAs::Archive(format), Some(files)) => files.pack(context, environment, format, request),
        (PackAs::Bundle { folder }, _) => {
            let archive = request.archive.map_or_else(|| context.dist(environment, BUNDLE), Path::to_owned);
            let bundled = bundle(context, environment, &records, &archive, folder)?;
            let one = |Sums { bytes, sha256 }| Piece { path: archive.clone(), bytes, sha256 };
            let pieces = bundled.map(one).into_iter().collect();
            Ok(Archived { archive, pieces, tree: None, files: None, longest_prefix: None })
        }
        (PackAs::Archive(_), None) => unreachable!("only bundles do without files"),
    }
}

/// What an archive is made of.
struct Files {
    image: Image,
    variables: BTreeMap<String, String>,
    stated: Stated,
    /// Folders whose channels are nobody else's.
    own: Vec<PathBuf>,
}

impl Files {
    fn of(
        context: &Context,
        environment: &Environment,
        records: &[RepoDataRecord],
        extra: &ArchiveRequest<'_>,
    ) -> Result<Self, ExecError> {
        let mut image = image::image(
            &context.rt,
            &ImageRequest {
                records,
                specs: &environment::specs(environment),
                platform: context.workspace.platform,
                cache: &context.packages(),
                kept: &context.settings.cache.join("bytecode"),
                interpreter: None,
                network: context.settings.network,
            },
        )?;
        if let Some(filters) = extra.filters {
            adopt::select(&mut image.entries, filters)?;
        }
        let own = context.own_places();
        let stated = within(extra.threads.max(1) as usize, || -> Result<_, ExecError> {
            pack::see(&mut image.entries, &image.placeholder, &image.foreign)?;
            stated::stated(&image.entries, Some(&environment.name), context.workspace.platform, &own)
        })?;
        let variables = image::variables(&image.entries)?;
        Ok(Self { image, variables, stated, own })
    }

    fn pack(
        self,
        context: &Context,
        environment: &Environment,
        format: Format,
        extra: &ArchiveRequest<'_>,
    ) -> Result<Archived, ExecError> {
        let Self { mut image, variables, stated, own } = self;
        let usual = matches!(format, Format::TarZst | Format::SelfExtracting).then_some(context.settings.level);
        let platform = context.workspace.platform.as_str();
        let needs = stated.needs.to_bytes();
        let mut request = PackRequest {
            since: extra.since,
            entries: std::mem::take(&mut image.entries),
            placeholder: &image.placeholder,
            dest_prefix: extra.dest_prefix.or(environment.dest_prefix.as_deref()),
            foreign: &image.foreign,
            own: &own,
            needs: &needs,
            more: &stated.lists,
            archive: Path::new(""),
            format,
            arcroot: extra.arcroot,
            split: extra.split,
            level: extra.level.or(usual),
            threads: extra.threads.max(1),
            name: Some(&environment.name),
            platform,
            variables: &variables,
            progress: extra.progress,
            cancel: &context.cancel,
        };
        let prepared = pack::prepare(&mut request)?;
        let archive = match (extra.archive, extra.since) {
            (Some(archive), _) => archive.to_owned(),
            (None, None) => context.dist(environment, format.name()),
            (None, Some(old)) => {
                let name = pack::update_name(&environment.name, platform, old, &prepared.tree());
                context.workspace.root.join("dist").join(name)
            }
        };
        let is_kept = |kept: &Path| kept.canonicalize().is_ok_and(|it| archive.canonicalize().is_ok_and(|to| to == it));
        if extra.kept.is_some_and(is_kept) {
            return Err(ExecError::SinceItself(archive));
        }
        if extra.archive.is_none() {
            fs::create_dir_all(&context.workspace.root.join("dist"))?;
        }
        let packed = prepared.write(&PackRequest { archive: &archive, ..request })?;
        let longest_prefix = Some(image.placeholder.len());
        Ok(Archived {
            archive,
            pieces: packed.pieces,
            tree: Some(packed.tree),
            files: Some(packed.files),
            longest_prefix,
        })
    }
}
