//! The loop: look at what is ready, start what has to run, wait for a message, go on.

use std::{
    cell::OnceCell,
    collections::BTreeMap,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use super::{
    Claim, Event, NodeReport, Report, Reporter,
    pool::{Pool, Wish},
    priority::{Urgency, urgencies},
    state::{NodeState, States},
};
use crate::{
    base::Cancel,
    exec::{ExecError, Executor, Job, Look, Machine, Message, Outcome, Outputs, Stale, tell},
    fingerprint::Reason,
    plan::{Index, Plan},
    store::NodeResult,
};

/// What a failure means for the nodes that do not need the failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failures {
    /// Nothing new is started; what runs may end.
    Stop,
    /// They are done all the same.
    KeepGoing,
}

/// How to run.
pub struct Options<'a> {
    /// How many jobs at once.
    pub jobs: usize,
    /// What the jobs share.
    pub machine: Machine,
    /// For each node of the plan, what it holds while it runs.
    pub claims: &'a [Claim],
    /// Tells for each node of the plan how many seconds it probably takes. Asked when something has to run.
    pub expected: &'a dyn Fn() -> Vec<f64>,
    /// What a failure means.
    pub failures: Failures,
    /// Raised to stop the run.
    pub cancel: &'a Cancel,
}

/// Looks at a node whose needs are done.
pub type LookFn<'a> = dyn Fn(Index, &Outputs) -> Result<Look, ExecError> + 'a;

/// Does everything in a plan that is not fresh. Never fails: what goes wrong is in the report.
pub fn run(
    plan: &Plan,
    look: &LookFn<'_>,
    executor: &mut dyn Executor,
    reporter: &mut dyn Reporter,
    options: &Options<'_>,
) -> Report {
    let (sender, messages) = channel();
    let mut run = Run {
        plan,
        states: States::new(plan),
        pool: Pool::new(options.machine, options.jobs),
        options,
        outputs: Outputs::new(),
        due: BTreeMap::new(),
        times: OnceCell::new(),
        report: blank_report(plan),
        started: vec![None; plan.nodes().len()],
        reporter,
        closed: false,
    };
    run.reporter.event(&Event::Begin { nodes: plan.nodes().len() });
    let mut stopping = false;
    loop {
        if options.cancel.is_cancelled() && !stopping {
            stopping = true;
            run.closed = true;
            run.report.stopped = true;
            run.reporter.event(&Event::Stopping);
            executor.cancel();
        }
        // All that can be known is known before a job is chosen: a node that turns out to be fresh costs nothing, and
        // what waits for it may be more urgent than all the others.
        while !run.closed && !options.cancel.is_cancelled() {
            let Some(index) = run.states.next_ready() else { break };
            run.consider(index, look);
        }
        while !run.closed && !options.cancel.is_cancelled() {
            let Some(index) = run.choose() else { break };
            if !executor.make_room(run.held_with(index)) {
                break;
            }
            executor.start(run.start(index), &sender);
        }
        if run.states.running().is_empty() {
            if options.cancel.is_cancelled() && !stopping {
                continue;
            }
            if run.closed || run.states.due().next().is_none() {
                break;
            }
        }
        if let Some(message) = next_message(&messages) {
            run.finish(message);
            executor.make_room(run.pool.held(&run.running()));
        }
    }
    run.skip_the_rest();
    run.reporter.event(&Event::End);
    run.report.outputs = run.outputs;
    run.report
}

/// Waits a moment for a message, so that a cancellation is noticed soon.
fn next_message(messages: &Receiver<Message>) -> Option<Message> {
    messages.recv_timeout(Duration::from_millis(50)).ok()
}

fn blank_report(plan: &Plan) -> Report {
    let blank = |node: &crate::plan::Node| NodeReport {
        id: node.id.clone(),
        result: NodeResult::Skipped,
        reason: None,
        seconds: 0.0,
        error: None,
        because: Vec::new(),
    };
    Report { nodes: plan.nodes().iter().map(blank).collect(), ..Report::default() }
}

/// The only mutable state of a run.
struct Run<'a> {
    plan: &'a Plan,
    states: States,
    pool: Pool,
    options: &'a Options<'a>,
    outputs: Outputs,
    /// What is known of the nodes that are due.
    due: BTreeMap<Index, Stale>,
    /// How long each node probably takes, and how urgent that makes it; only known when something has to run.
    times: OnceCell<(Vec<f64>, Vec<Urgency>)>,
    report: Report,
    started: Vec<Option<Instant>>,
    reporter: &'a mut dyn Reporter,
    /// No new job is started any more.
    closed: bool,
}

impl Run<'_> {
    /// Looks at a ready node: it is fresh, or due, or cannot be done.
    fn consider(&mut self, index: Index, look: &LookFn<'_>) {
        let node = self.plan.node(index);
        let output = match look(index, &self.outputs) {
            Ok(Look::Fresh(output)) => output,
            Ok(Look::Kept(record)) => record.output,
            Ok(Look::Stale(stale)) => {
                let claim = self.options.claims[index.number()];
                if let Some(there) = self.options.machine.memory.filter(|_| self.pool.is_too_small_for(&claim)) {
                    return self.fail(index, &ExecError::TooBig { wanted: claim.memory, there });
                }
                self.report.nodes[index.number()].reason = Some(stale.reason.clone());
                self.due.insert(index, *stale);
                let urgency = self.times().1[index.number()];
                return self.states.set_due(index, urgency);
            }
            Err(error) => return self.fail(index, &error),
        };
        self.outputs.insert(index, output);
        self.report.nodes[index.number()].result = NodeResult::Fresh;
        self.reporter.event(&Event::Fresh { node });
        self.states.set(index, NodeState::Done);
    }

    fn times(&self) -> &(Vec<f64>, Vec<Urgency>) {
        self.times.get_or_init(|| {
            let expected = (self.options.expected)();
            let urgencies = urgencies(self.plan, &expected);
            (expected, urgencies)
        })
    }

    fn expected(&self, index: Index) -> f64 {
        self.times().0[index.number()]
    }

    /// The node to start now, if there is one that fits beside those that run.
    fn choose(&self) -> Option<Index> {
        let wish = |it: Index| Wish { claim: self.options.claims[it.number()], seconds: self.expected(it) };
        let place = self.pool.choose(self.states.due().map(wish), &self.running())?;
        self.states.due().nth(place)
    }

    /// What runs, with the time that it probably still takes.
    fn running(&self) -> Vec<Wish> {
        let wish = |it: &Index| {
            let passed = self.started[it.number()].map_or(0.0, |it| it.elapsed().as_secs_f64());
            let seconds = (self.expected(*it) - passed).max(0.0);
            Wish { claim: self.options.claims[it.number()], seconds }
        };
        self.states.running().iter().map(wish).collect()
    }

    /// The processors that are held when a node has been started besides those that run.
    fn held_with(&self, index: Index) -> u32 {
        self.pool.held(&self.running()).saturating_add(self.pool.cpus(&self.options.claims[index.number()]))
    }

    /// Begins a node that is due; gives its job.
    fn start(&mut self, index: Index) -> Job {
        let node = self.plan.node(index);
        let stale = self.due.remove(&index).expect("what is due was looked at");
        self.reporter.event(&Event::Started { node, reason: &stale.reason });
        self.started[index.number()] = Some(Instant::now());
        self.states.set(index, NodeState::Running);
        let outputs = node.needs.iter().filter_map(|it| Some((*it, self.outputs.get(it)?.clone()))).collect();
        Job { index, stale, outputs }
    }

    fn finish(&mut self, message: Message) {
        let Message { index, outcome } = message;
        let node = self.plan.node(index);
        match outcome {
            Ok(Outcome { output, seconds }) => {
                self.outputs.insert(index, output);
                let report = &mut self.report.nodes[index.number()];
                report.result = NodeResult::Built;
                report.seconds = seconds;
                self.reporter.event(&Event::Built { node, seconds });
                self.states.set(index, NodeState::Done);
            }
            Err(ExecError::Cancelled) => {
                self.reporter.event(&Event::Skipped { node, because: None });
                self.states.set(index, NodeState::Skipped);
            }
            Err(error) => self.fail(index, &error),
        }
    }

    fn fail(&mut self, index: Index, error: &ExecError) {
        let node = self.plan.node(index);
        let seconds = self.started[index.number()].map_or(0.0, |it| it.elapsed().as_secs_f64());
        let report = &mut self.report.nodes[index.number()];
        report.result = NodeResult::Failed;
        report.seconds = seconds;
        report.error = Some(tell(error));
        self.reporter.event(&Event::Failed { node, error, seconds });
        self.states.set(index, NodeState::Failed);
        for blocked in self.states.blocked_by(index) {
            let report = &mut self.report.nodes[blocked.number()];
            report.because.push(node.id.clone());
            report.because.sort();
            report.reason = Some(Reason::Behind(report.because.clone()));
            if self.states.get(blocked) == NodeState::Waiting {
                self.reporter.event(&Event::Skipped { node: self.plan.node(blocked), because: Some(node) });
                self.states.set(blocked, NodeState::Skipped);
            }
        }
        if self.options.failures == Failures::Stop {
            self.closed = true;
        }
    }

    fn skip_the_rest(&mut self) {
        for index in self.states.unfinished(self.plan) {
            self.reporter.event(&Event::Skipped { node: self.plan.node(index), because: None });
            self.states.set(index, NodeState::Skipped);
        }
    }
}
