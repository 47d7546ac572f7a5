//! The scheduler against made-up graphs and outcomes.

use std::{collections::BTreeSet, sync::mpsc::Sender};

use proptest::{collection::vec, prelude::Strategy, prop_assert, prop_assert_eq, proptest};

use super::{
    Claim, Event, Failures, ORDINARY, Options, Report, Reporter,
    pool::{Pool, Wish},
    priority::{remaining, urgencies},
    run,
    state::{NodeState, States},
};
use crate::{
    base::{Cancel, Digest},
    exec::{ExecError, Executor, Job, Look, Machine, Message, Outcome, Stale},
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

    fn make_room(&mut self, _: u32) -> bool {
        true
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
    let options = Options {
        jobs: 2,
        machine: Machine { cpus: 2, memory: None },
        claims: &vec![ORDINARY; needs.len()],
        expected: &|| vec![1.0; needs.len()],
        failures,
        cancel,
    };
    let report = run(&plan, &look, &mut fake, &mut Silent, &options);
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

/// Everything that a node needs, directly or not.
fn ancestors(needs: &[Vec<usize>], number: usize) -> BTreeSet<usize> {
    let direct = needs[number].iter();
    direct.flat_map(|it| ancestors(needs, *it).into_iter().chain([*it])).collect()
}

/// When each node starts, if they take so many seconds each, by a clock that is made up.
fn starts(needs: &[Vec<usize>], seconds: &[f64], claims: &[Claim], cpus: u32) -> Vec<f64> {
    let plan = Plan::of_needs(needs);
    let urgencies = urgencies(&plan, seconds);
    let pool = Pool::new(Machine { cpus, memory: None }, cpus as usize);
    let mut states = States::new(&plan);
    let mut running: Vec<(f64, Index)> = Vec::new();
    let mut starts = vec![f64::NAN; needs.len()];
    let mut now = 0.0;
    loop {
        while let Some(index) = states.next_ready() {
            states.set_due(index, urgencies[index.number()]);
        }
        let wishes: Vec<Wish> =
            running.iter().map(|(end, it)| Wish { claim: claims[it.number()], seconds: end - now }).collect();
        assert!(pool.held(&wishes) <= cpus);
        let wish = |it: Index| Wish { claim: claims[it.number()], seconds: seconds[it.number()] };
        if let Some(place) = pool.choose(states.due().map(wish), &wishes) {
            let index = states.due().nth(place).unwrap();
            states.set(index, NodeState::Running);
            starts[index.number()] = now;
            running.push((now + seconds[index.number()], index));
            continue;
        }
        running.sort_by(|a, b| b.0.total_cmp(&a.0));
        let Some((end, index)) = running.pop() else { break };
        now = end;
        states.set(index, NodeState::Done);
    }
    assert!(states.unfinished(&plan).is_empty(), "something was never started");
    starts
}

/// How long all of them take together.
fn makespan(needs: &[Vec<usize>], seconds: &[f64], claims: &[Claim], cpus: u32) -> f64 {
    let starts = starts(needs, seconds, claims, cpus);
    starts.iter().zip(seconds).map(|(start, seconds)| start + seconds).fold(0.0, f64::max)
}

proptest! {
    #[test]
    fn a_run_is_never_longer_than_grahams_bound(((needs, _), seconds, cpus) in (graphs(), vec(0.1..10.0_f64, 40), 1..9_u32)) {
        let seconds = &seconds[..needs.len()];
        let took = makespan(&needs, seconds, &vec![ORDINARY; needs.len()], cpus);
        let longest = remaining(&Plan::of_needs(&needs), seconds).into_iter().fold(0.0, f64::max);
        let work: f64 = seconds.iter().sum();
        let cpus = f64::from(cpus);
        prop_assert!(took <= work / cpus + longest * (1.0 - 1.0 / cpus) + 1e-6);
        prop_assert!(took >= longest - 1e-6 && took >= work / cpus - 1e-6);
    }

    #[test]
    fn jobs_of_any_size_all_get_their_turn(((needs, _), sizes) in (graphs(), vec(1..20_u32, 40))) {
        let claims: Vec<Claim> = sizes[..needs.len()].iter().map(|it| Claim { cpus: *it, memory: 0 }).collect();
        let seconds = vec![1.0; needs.len()];
        let took = makespan(&needs, &seconds, &claims, 8);
        prop_assert!(took <= needs.len() as f64);
    }

    #[test]
    fn every_node_ends_once_and_a_failure_skips_exactly_what_needs_it((needs, fates) in graphs()) {
        let (report, started) = simulate(&needs, &fates, Failures::KeepGoing, &Cancel::new());
        let mut blocked = BTreeSet::new();
        let all = needs.clone();
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
            // Every failure that is behind it is named.
            let failed = |it: &usize| matches!(fates[*it], Fate::Fails | Fate::CannotBeRead) && !blocked.contains(it);
            let behind: BTreeSet<usize> = ancestors(&all, number).into_iter().filter(failed).collect();
            prop_assert_eq!(report.nodes[number].because.len(), if skipped { behind.len() } else { 0 });
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

#[test]
fn the_longest_path_goes_first() {
    // 3 → 4 → 5 is the longest; the plan has three short ones before it.
    let needs = [vec![], vec![], vec![], vec![], vec![3], vec![4]];
    let seconds = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    assert_eq!(makespan(&needs, &seconds, &[ORDINARY; 6], 2), 3.0);
}

#[test]
fn a_stream_of_small_jobs_does_not_keep_a_big_one_waiting() {
    // A chain of small ones with two in each layer, and a big one that is the most urgent as soon as it is ready.
    let mut needs = vec![vec![]];
    let mut seconds = vec![1.0];
    for number in 1..40_usize {
        needs.push(if number < 3 { vec![] } else { vec![number - 2] });
        seconds.push(1.0);
    }
    let big = needs.len();
    needs.push(vec![0]);
    seconds.push(100.0);
    let mut claims = vec![ORDINARY; needs.len()];
    claims[big] = Claim { cpus: 2, memory: 0 };
    // As soon as what ran when it became ready has ended.
    assert!(starts(&needs, &seconds, &claims, 2)[big] <= 2.0);
}
