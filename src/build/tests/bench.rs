//! Where a test builds: its own scratch folder, cache, recipes and channel.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rattler_conda_types::Channel;
use tempfile::TempDir;

use crate::{
    build::{BuildError, BuildJob, Built, build},
    rt::Rt,
};

/// A folder for one test.
pub(crate) struct Bench {
    pub(crate) rt: Rt,
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { rt: Rt::new().unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a recipe and returns a job for it.
    pub(crate) fn job(&self, name: &str, recipe: &str) -> BuildJob {
        BuildJob {
            recipe: self.write(&format!("recipes/{name}/recipe.yaml"), recipe),
            output: name.to_owned(),
            axes: BTreeMap::new(),
            variant: BTreeMap::new(),
            build_string: "site_1_0000000000".to_owned(),
            siblings: BTreeMap::new(),
            platform: "linux-64".to_owned(),
            virtual_packages: Vec::new(),
            facts: Vec::new(),
            host_bound: false,
            environment: BTreeMap::new(),
            loaded: Vec::new(),
            activation: None,
            rpath_kind: crate::elf::RunPathKind::Rpath,
            channels: Vec::new(),
            base_channels: Vec::new(),
            locked: Vec::new(),
            scratch: self.path("s"),
            cache: self.path("cache"),
            sources: Vec::new(),
            run_paths: Vec::new(),
            libraries: Vec::new(),
            cpus: 2,
            held: 1,
            make_flags: String::new(),
            out: self.path("out"),
        }
    }

    pub(crate) fn write(&self, relative: &str, text: &str) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn build(&self, job: &BuildJob) -> Result<Built, BuildError> {
        build(&self.rt, job)
    }

    /// Puts an archive into the test's channel and gives the channel's URL.
    pub(crate) fn publish(&self, built: &Built) -> String {
        let channel = self.path("channel");
        fs::create_dir_all(channel.join("noarch")).unwrap();
        let subdir = channel.join(&built.subdir);
        fs::create_dir_all(&subdir).unwrap();
        fs::copy(&built.archive, subdir.join(built.archive.file_name().unwrap())).unwrap();
        let index = rattler_index::index_fs(rattler_index::IndexFsConfig {
            channel: channel.clone(),
            target_platform: None,
            repodata_patch: None,
            write_zst: false,
            write_shards: false,
            repodata_revisions: Vec::new(),
            package_revision_assignment: Default::default(),
            force: true,
            max_parallel: 1,
            multi_progress: None,
        });
        self.rt.block_on(index).unwrap();
        Channel::try_from_directory(&channel).unwrap().base_url.to_string()
    }

    /// Unpacks an archive and gives the folder.
    pub(crate) fn unpack(&self, archive: &Path) -> PathBuf {
        let name = archive.file_name().unwrap();
        let target = self.path("unpacked").join(name);
        rattler_package_streaming::fs::extract(archive, &target).unwrap();
        target
    }
}
