//! Everything that a job may read. Shared between threads; what changes is behind its own lock.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
};

use rattler_conda_types::GenericVirtualPackage;

use super::{
    Children, ExecError, HostPolicy, Machine, host, jobserver::Jobserver, libraries::Libraries, resolve, scans::Scans,
};
use crate::{
    base::{Cancel, Network, Stamps, fs},
    channel::LocalChannel,
    host::Probe,
    lock::{self, LockedEnvironment, RelativeChannel},
    manifest::DEFAULT_PACK_FORMAT,
    plan::{Index, NodeId, Plan},
    rt::Rt,
    solve,
    store::{LastRun, NodeResult, Store},
    workspace::{BaseChannel, Environment, Workspace},
};

/// May the lock file change?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockPolicy {
    /// It follows the manifest.
    Follow,
    /// It must satisfy the manifest as it stands.
    Locked,
}

/// What a run depends on besides the project.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Packages and repodata, shared between projects.
    pub cache: PathBuf,
    /// Where packages are built: the same on every machine, because the place is visible in some compiled files.
    pub scratch: PathBuf,
    /// Folders or URLs that are asked for sources before the network.
    pub mirrors: Vec<String>,
    /// May jobs use the network?
    pub network: Network,
    /// May the lock file change?
    pub lock_policy: LockPolicy,
    /// Must the host be as the project says?
    pub host_policy: HostPolicy,
    /// What the machine has.
    pub machine: Machine,
    /// Processors for each build that declares none.
    pub cpus: u32,
    /// This program, which is also the worker.
    pub program: PathBuf,
    /// The environment of the user.
    pub environment: BTreeMap<String, String>,
    /// The compression level of archives.
    pub level: i32,
    /// Whether the workspace holds every environment of the manifest, so that others may leave the lock file.
    pub whole: bool,
}

/// The project, its plan and its places.
#[derive(Debug)]
pub struct Context {
    /// The project.
    pub workspace: Workspace,
    /// What is to be done.
    pub plan: Plan,
    /// The state folder.
    pub store: Store,
    /// The local channel.
    pub channel: LocalChannel,
    /// The runtime.
    pub rt: Rt,
    /// The run's settings.
    pub settings: Settings,
    /// Processes that jobs have started.
    pub children: Children,
    /// Raised when the run must stop.
    pub cancel: Cancel,
    /// The processors that builds can borrow.
    pub(super) jobserver: Jobserver,
    /// The nodes that move what is locked to the newest.
    updates: BTreeSet<Index>,
    /// How the last run went.
    last_run: OnceLock<LastRun>,
    /// What is known of files without reading them.
    pub stamps: Stamps,
    /// This machine's virtual packages, once somebody asked.
    machine: OnceLock<Vec<GenericVirtualPackage>>,
    /// What the host provides, once somebody asked.
    pub(super) host: Probe,
    /// Libraries of the host, looked at once.
    pub(super) libraries: Libraries,
    /// Recipe folders and path sources, read once.
    pub(super) scans: Scans,
    /// The lock file as it stands; read once, changed by lock jobs one at a time.
    lock_file: Mutex<Option<Arc<BTreeMap<String, LockedEnvironment>>>>,
}

impl Context {
    /// Puts a project together with its places.
    pub fn new((workspace, stamps): (Workspace, Stamps), plan: Plan, rt: Rt, settings: Settings) -> Self {
        let cancel = Cancel::new();
        let store = Store::at(&workspace.root);
        Self {
            // Who only asks what would be done writes nothing.
            host: Probe::with(store.host(), settings.host_policy == HostPolicy::Required),
            store,
            jobserver: Jobserver::new(settings.machine.cpus),
            channel: LocalChannel::at(&workspace.root.join("output")).stopped_by(cancel.clone()),
            workspace,
            plan,
            rt,
            settings,
            children: Children::default(),
            cancel,
            libraries: Libraries::default(),
            scans: Scans::default(),
            stamps,
            machine: OnceLock::new(),
            updates: BTreeSet::new(),
            last_run: OnceLock::new(),
            lock_file: Mutex::default(),
        }
    }

    /// The same, with a flag and a list of children that the caller's handler of signals knows already.
    #[must_use]
    pub fn stopped_by(mut self, cancel: Cancel, children: Children) -> Self {
        self.channel = self.channel.stopped_by(cancel.clone());
        (self.cancel, self.children) = (cancel, children);
        self
    }

    /// The same, with a host that is probed anew whatever was found before.
    #[must_use]
    pub fn probing_anew(mut self) -> Self {
        self.host = Probe::new();
        self
    }

    /// Lets these nodes move what is locked to the newest that satisfies.
    #[must_use]
    pub fn updating(mut self, nodes: BTreeSet<Index>) -> Self {
        self.updates = nodes;
        self
    }

    /// Whether a node moves what is locked.
    pub(super) fn updates(&self, index: Index) -> bool {
        self.updates.contains(&index)
    }

    /// The package cache, which builds, tests and prefixes share.
    pub(super) fn packages(&self) -> PathBuf {
        // The name that rattler's own tools give it below the same root.
        self.settings.cache.join("pkgs")
    }

    /// The path of the lock file.
    pub fn lock_path(&self) -> PathBuf {
        self.workspace.root.join("envbuild.lock")
    }

    /// The lock file as it stands.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn locked(&self) -> Result<Arc<BTreeMap<String, LockedEnvironment>>, ExecError> {
        let mut kept = self.lock_file.lock().expect("no thread panics while it holds the lock file");
        if let Some(environments) = &*kept {
            return Ok(Arc::clone(environments));
        }
        let read = Arc::new(lock::read(&self.lock_path())?);
        *kept = Some(Arc::clone(&read));
        Ok(read)
    }

    /// Puts environments into the lock file, or takes them out of it.
    pub(super) fn relock(&self, changes: Vec<(String, Option<LockedEnvironment>)>) -> Result<(), ExecError> {
        let mut kept = self.lock_file.lock().expect("no thread panics while it holds the lock file");
        let mut environments = match &*kept {
            Some(environments) => (**environments).clone(),
            None => lock::read(&self.lock_path())?,
        };
        for (name, environment) in changes {
            match environment {
                Some(environment) => drop(environments.insert(name, environment)),
                None => drop(environments.remove(&name)),
            }
        }
        if self.settings.whole {
            environments.retain(|name, _| self.knows(name));
        }
        lock::write(&self.lock_path(), &environments, &self.relative_channels())?;
        *kept = Some(Arc::new(environments));
        Ok(())
    }

    /// Whether an environment of the lock file is one of this project.
    fn knows(&self, name: &str) -> bool {
        self.workspace.environments.iter().any(|it| it.name == name)
            || resolve::belongs_to_one(name, &self.workspace.packages)
    }

    /// The base channels as the lock file and the keys name them.
    pub fn channel_names(&self) -> Vec<String> {
        self.workspace.channels.iter().map(|it| it.written.clone()).collect()
    }

    /// The folders whose channels have another place wherever the project is.
    pub(super) fn own_places(&self) -> Vec<PathBuf> {
        let relative = self.relative_channels().into_iter().map(|it| it.folder);
        std::iter::once(self.workspace.root.clone()).chain(relative).collect()
    }

    /// The channels that the lock file names by relative paths: the project's own, and those that the manifest names so.
    fn relative_channels(&self) -> Vec<RelativeChannel> {
        let own = RelativeChannel { folder: self.channel.root().to_owned(), written: "output".to_owned() };
        let named = self.workspace.channels.iter().filter(|it| it.written.starts_with('.'));
        // As it is written, and where it leads when there is a link on the way.
        let folders = |it: &BaseChannel| {
            let folder = it.channel.base_url.url().to_file_path().ok()?;
            let real = folder.canonicalize().ok().filter(|real| *real != folder);
            let written = it.written.clone();
            Some(
                [Some(folder), real]
                    .into_iter()
                    .flatten()
                    .map(move |folder| RelativeChannel { folder, written: written.clone() }),
            )
        };
        std::iter::once(own).chain(named.filter_map(folders).flatten()).collect()
    }

    /// The virtual packages that an environment is solved with: its target's, and this machine's when it names none. The
    /// facts of the project are stronger than what is found on any machine, and what a target names is stronger than they.
    ///
    /// # Errors
    /// When the machine's cannot be found out, or the target's are wrong.
    pub fn virtual_packages(&self, environment: &Environment) -> Result<Vec<GenericVirtualPackage>, ExecError> {
        let mut packages = match &environment.target {
            Some(target) => solve::target_virtual_packages(self.workspace.platform, &target.virtual_packages)?,
            None => match self.machine.get() {
                Some(found) => found.clone(),
                None => {
                    let found = solve::host_virtual_packages()?;
                    self.machine.get_or_init(|| found).clone()
                }
            },
        };
        // A target is another machine with the same host software, unless it says otherwise.
        let named = environment.target.as_ref().map_or(&[][..], |it| &it.virtual_packages);
        let mut facts = host::virtual_packages(self)?;
        facts.retain(|fact| !named.iter().any(|it| it.0 == fact.name.as_normalized()));
        packages.retain(|it| !facts.iter().any(|fact| fact.name == it.name));
        packages.extend(facts);
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(packages)
    }

    /// How many seconds a node took when it was last done; nothing when it never was.
    pub fn took(&self, node: &NodeId) -> Option<f64> {
        let last = self.last_run.get_or_init(|| self.store.last_run().unwrap_or_default());
        match last.nodes.get(node)? {
            (NodeResult::Built, _, seconds) => Some(*seconds),
            // What it took before is told by its record, if that is still there. Only for an order: no error follows.
            _ => self.store.record(node).ok().flatten().map(|it| it.seconds),
        }
    }

    /// Whether a node went wrong when it was last tried. Only for the wording of a reason: nothing follows from it.
    pub(super) fn failed_before(&self, node: &NodeId) -> bool {
        let last = self.last_run.get_or_init(|| self.store.last_run().unwrap_or_default());
        matches!(last.nodes.get(node), Some((NodeResult::Failed, ..)))
    }

    /// The archive of an environment, in the format of that index in its list.
    pub fn archive(&self, environment: &Environment, part: usize) -> PathBuf {
        self.dist(environment, environment.packs.get(part).map_or(DEFAULT_PACK_FORMAT, String::as_str))
    }

    /// Where the archive of an environment goes, whose name ends in its format.
    pub(super) fn dist(&self, environment: &Environment, ending: &str) -> PathBuf {
        let name = format!("{}-{}.{ending}", environment.name, self.workspace.platform);
        self.workspace.root.join("dist").join(name)
    }

    /// A fresh folder for what a job throws away.
    pub(super) fn scratch(&self) -> Result<fs::Scratch, ExecError> {
        Ok(fs::Scratch::inside(&self.store.scratch())?)
    }
}
