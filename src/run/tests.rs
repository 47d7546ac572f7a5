//! The scheduler against made-up graphs and outcomes.

use std::{collections::BTreeSet, sync::mpsc::Sender};

use proptest::{collection::vec, prelude::Strategy, prop_assert, prop_assert_eq, proptest};

use super::{Event, Failures, Options, Report, Reporter, run};
use crate::{
    base::{Cancel, Digest},
    exec::{ExecError, Executor, Job, Look, Message, Outcome, Stale},
    fingerprint::{Inputs, Reason},
    plan::{Index, Plan},
    store::{NodeResult, Output},
};

/// What happens to a node when it is looked at or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fresh,
    Succeeds,
    Fails,
    CannotBeRead,
}

/// Does each job at once as its fate has it, and checks that nothing starts before its needs.
struct Fake<'a> {
    plan: &'a Plan,
    fates: &'a [Fate],
    started: BTreeSet<usize>,
}

impl Executor for Fake<'_> {
    fn start(&mut self, job: Job, messages: &Sender<Message>) {
        let Job { index, outputs, .. } = job;
        for need in &self.plan.node(index).needs {
            assert!(outputs.contains_key(need), "{index:?} started before {need:?}");
        }
        assert!(self.started.insert(index.number()), "{index:?} started twice");
        let outcome = match self.fates[index.number()] {
            Fate::Fails => Err(ExecError::Test { status: "exit status: 1".to_owned() }),
            _ => Ok(Outcome { output: output(index), seconds: 0.0 }),
        };
        messages.send(Message { index, outcome }).unwrap();
    }

    fn cancel(&mut self) {}
}

fn output(index: Index) -> Output {
    Output::Tested { digest: Digest::of(index.number().to_string()) }
}

struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _: &Event<'_>) {}
}

/// Runs a plan to its end; gives the report and what was started.
fn simulate(needs: &[Vec<usize>], fates: &[Fate], failures: Failures, cancel: &Cancel) -> (Report, BTreeSet<usize>) {
    let plan = Plan::of_needs(needs);
    let mut fake = Fake { plan: &plan, fates, started: BTreeSet::new() };
    let look = |index: Index, _: &_| match fates[index.number()] {
        Fate::Fresh => Ok(Look::Fresh(output(index))),
        Fate::CannotBeRead => Err(ExecError::NotLocked { environment: "e".to_owned() }),
        _ => {
            let inputs = Inputs::new();
            Ok(Look::Stale(Box::new(Stale { reason: Reason::NeverDone, key: inputs.key(), inputs, previous: None })))
        }
    };
    let report = run(&plan, &look, &mut fake, &mut Silent, &Options { jobs: 2, failures, cancel });
    (report, fake.started)
}

/// Graphs where each node needs some of those before it, with a fate for each.
fn graphs() -> impl Strategy<Value = (Vec<Vec<usize>>, Vec<Fate>)> {
    vec((vec(0..1000_usize, 0..4), 0..8_u8), 0..40).prop_map(|rows| {
        let mut needs = Vec::new();
        let mut fates = Vec::new();
        for (number, (picks, fate)) in rows.into_iter().enumerate() {
            let picks: BTreeSet<usize> = picks.into_iter().filter_map(|it| it.checked_rem(number)).collect();
            needs.push(picks.into_iter().collect());
            fates.push(match fate {
                0 | 1 => Fate::Fresh,
                2 => Fate::Fails,
                3 => Fate::CannotBeRead,
                _ => Fate::Succeeds,
            });
        }
        (needs, fates)
    })
}

proptest! {
    #[test]
    fn every_node_ends_once_and_a_failure_skips_exactly_what_needs_it((needs, fates) in graphs()) {
        let (report, started) = simulate(&needs, &fates, Failures::KeepGoing, &Cancel::new());
        let mut blocked = BTreeSet::new();
        for (number, (needs, fate)) in needs.iter().zip(&fates).enumerate() {
            let fails = |it: &usize| blocked.contains(it) || matches!(fates[*it], Fate::Fails | Fate::CannotBeRead);
            let skipped = needs.iter().any(fails);
            if skipped {
                blocked.insert(number);
            }
            let expected = match fate {
                _ if skipped => NodeResult::Skipped,
                Fate::Fresh => NodeResult::Fresh,
                Fate::Succeeds => NodeResult::Built,
                Fate::Fails | Fate::CannotBeRead => NodeResult::Failed,
            };
            prop_assert_eq!(report.nodes[number].result, expected, "node {}", number);
            let runs = !skipped && matches!(fate, Fate::Succeeds | Fate::Fails);
            prop_assert_eq!(started.contains(&number), runs);
        }
    }

    #[test]
    fn without_keep_going_nothing_starts_after_a_failure_is_known((needs, fates) in graphs()) {
        let (report, started) = simulate(&needs, &fates, Failures::Stop, &Cancel::new());
        for (number, node) in report.nodes.iter().enumerate() {
            let ran = matches!(node.result, NodeResult::Built | NodeResult::Failed) && fates[number] != Fate::CannotBeRead;
            prop_assert_eq!(started.contains(&number), ran);
        }
        // Two jobs may be under way when the first failure is heard of.
        prop_assert!(report.counts().failed <= 2);
    }
}

#[test]
fn a_raised_flag_skips_everything() {
    let cancel = Cancel::new();
    cancel.cancel();
    let (report, started) = simulate(&[vec![], vec![0]], &[Fate::Succeeds; 2], Failures::KeepGoing, &cancel);
    assert!(report.stopped && started.is_empty());
    assert_eq!(report.counts().skipped, 2);
}
