//! Probes each module set once, when somebody first asks for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    thread,
};

use super::{
    Found, HostError, HostErrors, cache, capture::capture, compiler::compilers, fact::find_out, mpi, shell::Limits,
};
use crate::{
    base::{Cancel, Stamps},
    workspace::{Host, ModuleSet},
};

/// What a probe depends on.
#[derive(Debug)]
pub struct Request<'a> {
    /// `[host]`.
    pub host: &'a Host,
    /// The name and the text of the manifest, for drawing problems.
    pub manifest: (&'a str, &'a str),
    /// What is known of files without reading them.
    pub stamps: &'a Stamps,
    /// Raised when the run must stop.
    pub cancel: &'a Cancel,
}

/// A set as it was found, or why not.
type Answer = Result<Arc<Found>, HostErrors>;

/// The host as it is during one run. What was found once is not looked for again.
#[derive(Debug, Default)]
pub struct Probe {
    /// Where captured environments are kept between runs, if anywhere.
    kept: Option<PathBuf>,
    /// Whether what is captured now is kept for other runs.
    keeps: bool,
    sets: Mutex<BTreeMap<ModuleSet, Arc<OnceLock<Answer>>>>,
}

impl Probe {
    /// A probe that has found nothing yet, and believes nothing that was found before.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that believes what the file `kept` holds of environments while nothing that decided about them has changed,
    /// and `keeps` there what it captures itself, or writes nothing.
    pub fn with(kept: PathBuf, keeps: bool) -> Self {
        Self { kept: Some(kept), keeps, sets: Mutex::default() }
    }

    /// What a module set gives.
    ///
    /// # Errors
    /// When a module cannot be loaded, or a fact not be found out with the modules of `[host]`.
    pub fn set(&self, set: &ModuleSet, request: &Request<'_>) -> Answer {
        let cell = {
            let mut sets = self.sets.lock().expect("no thread panics while it holds the sets");
            Arc::clone(sets.entry(set.clone()).or_default())
        };
        let look = || {
            let (name, text) = request.manifest;
            self.look(set, request).map(Arc::new).map_err(|it| HostErrors::new(name, text, it))
        };
        cell.get_or_init(look).clone()
    }

    /// Looks at several sets at once.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn all(&self, sets: &BTreeSet<ModuleSet>, request: &Request<'_>) -> Result<(), HostErrors> {
        let answers: Vec<Answer> = thread::scope(|scope| {
            let asked: Vec<_> = sets.iter().map(|set| scope.spawn(|| self.set(set, request))).collect();
            asked.into_iter().map(|it| it.join().expect("a probe does not panic")).collect()
        });
        let wrong: Vec<HostError> =
            answers.into_iter().filter_map(Result::err).flat_map(|it| it.problems().to_vec()).collect();
        let (name, text) = request.manifest;
        if wrong.is_empty() { Ok(()) } else { Err(HostErrors::new(name, text, wrong)) }
    }

    fn look(&self, set: &ModuleSet, request: &Request<'_>) -> Result<Found, Vec<HostError>> {
        let Request { host, stamps, cancel, .. } = request;
        let limits = Limits::of(cancel);
        let known = self.kept.as_ref().and_then(|file| cache::known(file, host, set, stamps));
        let captured = match known {
            Some(captured) => captured,
            None => {
                let captured = capture(host, set, limits)?;
                if let Some(file) = self.kept.as_ref().filter(|_| self.keeps) {
                    // One at a time: each writes the whole file.
                    let _sets = self.sets.lock().expect("no thread panics while it holds the sets");
                    cache::keep(file, (host, set), &captured, stamps);
                }
                captured
            }
        };
        let mut found = Found::of(&captured);
        let mut problems = Vec::new();
        for fact in &host.facts {
            match find_out(fact, &found.environment, stamps, limits) {
                Ok(known) => drop(found.facts.insert(fact.name.clone(), known)),
                // Where a recipe's modules are others, what belongs to the host's own may be away.
                Err(wrong) if *set != host.modules && wrong.iter().all(HostError::is_absence) => {}
                Err(wrong) => problems.extend(wrong),
            }
        }
        match compilers(&found.environment, stamps, limits) {
            Ok(compilers) => found.compilers = compilers,
            Err(problem) => problems.push(problem),
        }
        match mpi::libraries(&found.environment, stamps, limits) {
            Ok(libraries) => found.mpi = libraries,
            Err(problem) => problems.push(problem),
        }
        if problems.is_empty() { Ok(found) } else { Err(problems) }
    }
}
