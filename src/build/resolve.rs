//! What the build and host environments of a cell hold, so that it can be locked: the library is asked, because only it
//! knows what compilers and libraries export into these environments.

use std::{collections::BTreeSet, path::PathBuf};

use rattler_build::{
    metadata::Output,
    render::resolved_dependencies::{FinalizedDependencies, RunExportsDownload},
    tool_configuration::Configuration,
};
use rattler_build_recipe::stage1::Requirements;
use rattler_conda_types::{PackageName, RepoDataRecord};

use super::{BuildError, BuildJob, Environments, ResolveJob, ResolvePolicy, frozen, output, place::Place, run};
use crate::{base::with_causes, rt::Rt};

/// Resolves the environments of a cell. What comes out comes out again when a build gets to see nothing else.
///
/// # Errors
/// When the recipe cannot be rendered, or nothing satisfies what it requires; with [`ResolvePolicy::Keep`], when the
/// locked packages do not.
pub fn resolve(rt: &Rt, job: &ResolveJob) -> Result<Environments, BuildError> {
    let cell = output::select(&job.build)?;
    let place = Place::take(&job.build, &cell, run::PATIENCE)?;
    let resolved = output::assemble(&job.build, cell, &place).and_then(|output| {
        let (tools, folder) = (run::tools(&job.build), place.root().join("locked"));
        Solver { rt, job: &job.build, output, tools, folder, attempts: 0 }.resolve(job.policy)
    });
    let removed = place.remove();
    let resolved = resolved?;
    removed?;
    Ok(resolved)
}

struct Solver<'a> {
    rt: &'a Rt,
    job: &'a BuildJob,
    output: Output,
    tools: Configuration,
    /// Where the indexes of the attempts go.
    folder: PathBuf,
    attempts: usize,
}

impl Solver<'_> {
    fn resolve(&mut self, policy: ResolvePolicy) -> Result<Environments, BuildError> {
        let locked = self.job.locked.clone();
        if policy != ResolvePolicy::Update {
            match self.among(&locked) {
                Ok(resolved) => return self.settle(resolved),
                Err(error) if policy == ResolvePolicy::Keep => return Err(error),
                Err(_) => {}
            }
        }
        let newest = self.solve(&self.job.base_channels.clone())?;
        if policy == ResolvePolicy::Prefer && !locked.is_empty() {
            // What is locked stays, and only what is not yet locked comes from the channels; when that does not go
            // together, everything moves.
            let known: BTreeSet<&PackageName> = locked.iter().map(|it| &it.package_record.name).collect();
            let new = union(&newest).into_iter().filter(|it| !known.contains(&it.package_record.name));
            let mixed: Vec<RepoDataRecord> = locked.iter().cloned().chain(new).collect();
            if let Ok(resolved) = self.among(&mixed) {
                return self.settle(resolved);
            }
        }
        self.settle(newest)
    }

    /// Narrows the choice until the solver, when it sees this choice only, makes it again: two environments that hold
    /// different versions of one package would otherwise be able to swap them.
    fn settle(&mut self, mut resolved: Environments) -> Result<Environments, BuildError> {
        loop {
            let again = self.among(&union(&resolved))?;
            if urls(&again) == urls(&resolved) {
                return Ok(again);
            }
            resolved = again;
        }
    }

    fn among(&mut self, records: &[RepoDataRecord]) -> Result<Environments, BuildError> {
        self.attempts += 1;
        let folder = self.folder.join(self.attempts.to_string());
        let channels = frozen::channels(records, &self.job.base_channels, &folder)?;
        let known = |it: &mut RepoDataRecord| {
            if let Some(record) = records.iter().find(|record| record.url == it.url) {
                // Not the throw-away channel that the solver saw, but the one that it stands for.
                *it = record.clone();
            }
        };
        let mut resolved = self.solve(&channels)?;
        resolved.build.iter_mut().for_each(known);
        resolved.host.iter_mut().for_each(known);
        Ok(resolved)
    }

    /// Asks the library, with the local dependencies and these channels.
    fn solve(&self, channels: &[String]) -> Result<Environments, BuildError> {
        let mut output = self.output.clone();
        output.build_configuration.channels.extend(output::channels(channels)?);
        let staged: Vec<Requirements> = output.recipe.staging_caches.iter().map(|it| it.requirements.clone()).collect();
        let mut environments = Environments::default();
        let own = output.recipe.requirements.clone();
        for requirements in staged.into_iter().chain([own]) {
            output.recipe.requirements = requirements;
            let solving = output.clone().resolve_dependencies(&self.tools, RunExportsDownload::DownloadMissing);
            let solved = self.rt.block_on(Box::pin(solving)).map_err(|error| BuildError::Unsolvable {
                package: self.job.output.clone(),
                reason: with_causes(&error),
            })?;
            if let Some(FinalizedDependencies { build, host, .. }) = solved.finalized_dependencies {
                let from_base = |it: &RepoDataRecord| !self.is_local(it);
                environments.build.extend(build.into_iter().flat_map(|it| it.resolved).filter(from_base));
                environments.host.extend(host.into_iter().flat_map(|it| it.resolved).filter(from_base));
            }
        }
        for list in [&mut environments.build, &mut environments.host] {
            list.sort_by(|a, b| a.url.cmp(&b.url));
            list.dedup_by(|a, b| a.url == b.url);
        }
        Ok(environments)
    }

    fn is_local(&self, record: &RepoDataRecord) -> bool {
        self.job.channels.iter().any(|channel| record.url.as_str().starts_with(channel.as_str()))
    }
}

fn union(environments: &Environments) -> Vec<RepoDataRecord> {
    let mut all: Vec<RepoDataRecord> = environments.build.iter().chain(&environments.host).cloned().collect();
    all.sort_by(|a, b| a.url.cmp(&b.url));
    all.dedup_by(|a, b| a.url == b.url);
    all
}

fn urls(environments: &Environments) -> [Vec<&str>; 2] {
    [&environments.build, &environments.host].map(|list| list.iter().map(|it| it.url.as_str()).collect())
}
