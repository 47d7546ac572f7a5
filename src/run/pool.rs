//! What the machine has, what the running jobs hold of it, and which job may start beside them.

use crate::{
    exec::Machine,
    plan::{Kind, Plan},
    workspace::Workspace,
};

/// What a job holds while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Processors, at least 1.
    pub cpus: u32,
    /// Memory in bytes; 0 when nothing is declared.
    pub memory: u64,
}

/// One processor, and no word of memory.
pub const ORDINARY: Claim = Claim { cpus: 1, memory: 0 };

/// What each node of a plan holds while it runs: what its recipe declares, if it is a build.
pub fn claims(plan: &Plan, workspace: &Workspace) -> Vec<Claim> {
    let claim = |node: &crate::plan::Node| match node.kind {
        Kind::Build => {
            let resources = &workspace.packages[node.subject].resources;
            Claim { cpus: resources.cpus.unwrap_or(1), memory: resources.memory.unwrap_or(0) }
        }
        _ => ORDINARY,
    };
    plan.nodes().iter().map(claim).collect()
}

/// A job that runs or could: what it holds, and for how many more seconds it probably will.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wish {
    pub(super) claim: Claim,
    pub(super) seconds: f64,
}

/// What there is to share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    machine: Machine,
    cpus: u32,
    jobs: usize,
}

impl Pool {
    /// The machine, for so many jobs at once. Who asks for more jobs than there are processors gets them.
    pub(super) fn new(machine: Machine, jobs: usize) -> Self {
        let cpus = machine.cpus.max(u32::try_from(jobs).unwrap_or(u32::MAX));
        Self { machine, cpus, jobs }
    }

    /// Whether a job needs more memory than there will ever be.
    pub(super) fn is_too_small_for(&self, claim: &Claim) -> bool {
        self.machine.memory.is_some_and(|it| claim.memory > it)
    }

    /// The processors that a job takes: one that wants as many as there are, or more, has the machine for itself.
    pub(super) fn cpus(&self, claim: &Claim) -> u32 {
        if claim.cpus > 1 && claim.cpus >= self.machine.cpus { self.cpus } else { claim.cpus }
    }

    /// The processors that these jobs hold together.
    pub(super) fn held<'a>(&self, running: impl IntoIterator<Item = &'a Wish>) -> u32 {
        running.into_iter().fold(0, |sum, it| sum.saturating_add(self.cpus(&it.claim)))
    }

    fn fits(&self, claim: &Claim, running: &[Wish]) -> bool {
        let memory = running.iter().fold(claim.memory, |sum, it| sum.saturating_add(it.claim.memory));
        self.held(running).saturating_add(self.cpus(claim)) <= self.cpus
            && self.machine.memory.is_none_or(|it| memory <= it)
    }

    /// Which of the jobs that could run is started now; the most urgent one comes first in `waiting`. When that one does
    /// not fit, another may go before it only if it is probably done when the first one's turn has come: so nothing big
    /// waits for ever behind a stream of small jobs.
    pub(super) fn choose(&self, waiting: impl IntoIterator<Item = Wish>, running: &[Wish]) -> Option<usize> {
        if running.len() >= self.jobs {
            return None;
        }
        let mut patience = f64::INFINITY;
        for (place, wish) in waiting.into_iter().enumerate() {
            if self.fits(&wish.claim, running) {
                if wish.seconds <= patience {
                    return Some(place);
                }
            } else if patience.is_infinite() {
                patience = self.wait(&wish.claim, running);
            }
        }
        None
    }

    /// In how many seconds a job will probably fit.
    fn wait(&self, claim: &Claim, running: &[Wish]) -> f64 {
        let mut left = running.to_vec();
        left.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        let mut seconds = 0.0;
        while !self.fits(claim, &left) {
            let Some(next) = left.pop() else { break };
            seconds = next.seconds;
        }
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Pool, Wish};
    use crate::exec::Machine;

    const GIB: u64 = 1 << 30;

    fn wish(cpus: u32, gib: u64, seconds: f64) -> Wish {
        Wish { claim: Claim { cpus, memory: gib * GIB }, seconds }
    }

    fn pool(cpus: u32, gib: u64, jobs: usize) -> Pool {
        Pool::new(Machine { cpus, memory: Some(gib * GIB) }, jobs)
    }

    #[test]
    fn jobs_share_processors_and_memory() {
        let pool = pool(4, 8, 4);
        assert_eq!(pool.choose([wish(2, 0, 1.0)], &[wish(2, 0, 1.0)]), Some(0));
        assert_eq!(pool.choose([wish(3, 0, 1.0)], &[wish(2, 0, 1.0)]), None);
        assert_eq!(pool.choose([wish(1, 4, 1.0)], &[wish(1, 4, 1.0)]), Some(0));
        assert_eq!(pool.choose([wish(1, 5, 1.0)], &[wish(1, 4, 1.0)]), None);
        assert_eq!(pool.choose([wish(1, 0, 1.0)], &[wish(1, 8, 1.0)]), Some(0), "no word of memory is no claim");
    }

    #[test]
    fn no_more_jobs_run_than_were_asked_for_and_as_many_as_were() {
        assert_eq!(pool(4, 8, 1).choose([wish(1, 0, 1.0)], &[wish(1, 0, 1.0)]), None);
        assert_eq!(pool(1, 8, 2).choose([wish(1, 0, 1.0)], &[wish(1, 0, 1.0)]), Some(0));
    }

    #[test]
    fn a_job_that_wants_every_processor_runs_alone_with_what_there_is() {
        let pool = pool(2, 8, 4);
        for cpus in [2, 128] {
            assert_eq!(pool.choose([wish(cpus, 0, 1.0)], &[]), Some(0));
            assert_eq!(pool.choose([wish(cpus, 0, 1.0)], &[wish(1, 0, 1.0)]), None);
            assert_eq!(pool.choose([wish(1, 0, 1.0)], &[wish(cpus, 0, 1.0)]), None);
        }
        assert!(pool.is_too_small_for(&wish(1, 9, 1.0).claim) && !pool.is_too_small_for(&wish(9, 8, 1.0).claim));
        let unknown = Pool::new(Machine { cpus: 2, memory: None }, 2);
        assert!(!unknown.is_too_small_for(&wish(1, 1000, 1.0).claim));
    }

    #[test]
    fn a_big_job_is_overtaken_only_by_what_does_not_hold_it_up() {
        let pool = pool(4, 8, 4);
        let running = [wish(1, 0, 10.0), wish(1, 0, 2.0)];
        // The big one fits in 10 seconds, when both have ended.
        assert_eq!(pool.choose([wish(4, 0, 50.0), wish(1, 0, 11.0)], &running), None);
        assert_eq!(pool.choose([wish(4, 0, 50.0), wish(1, 0, 11.0), wish(1, 0, 9.0)], &running), Some(2));
        // Three processors are free in 2 seconds.
        assert_eq!(pool.choose([wish(3, 0, 50.0), wish(1, 0, 9.0)], &running), None);
        // One that takes longer than was thought could end at any moment.
        assert_eq!(pool.choose([wish(4, 0, 50.0), wish(1, 0, 0.1)], &[wish(1, 0, 0.0)]), None);
    }
}
