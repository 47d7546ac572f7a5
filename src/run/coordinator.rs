//! The loop: look at what is ready, start what has to run, wait for a message, go on.

use std::{
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use super::{
    Event, NodeReport, Report, Reporter,
    state::{NodeState, States},
};
use crate::{
    base::Cancel,
    exec::{ExecError, Executor, Job, Look, Message, Outcome, Outputs, tell},
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
#[derive(Debug)]
pub struct Options<'a> {
    /// How many jobs at once.
    pub jobs: usize,
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
        outputs: Outputs::new(),
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
        while !run.closed && run.states.running() < options.jobs {
            let Some(index) = run.states.next_ready() else { break };
            if let Some(job) = run.consider(index, look, options.failures) {
                executor.start(job, &sender);
            }
            if options.cancel.is_cancelled() {
                break;
            }
        }
        if run.states.running() == 0 {
            if options.cancel.is_cancelled() && !stopping {
                continue;
            }
            break;
        }
        if let Some(message) = next_message(&messages) {
            run.finish(message, options.failures);
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
        because: None,
    };
    Report { nodes: plan.nodes().iter().map(blank).collect(), ..Report::default() }
}

/// The only mutable state of a run.
struct Run<'a> {
    plan: &'a Plan,
    states: States,
    outputs: Outputs,
    report: Report,
    started: Vec<Option<Instant>>,
    reporter: &'a mut dyn Reporter,
    /// No new job is started any more.
    closed: bool,
}

impl Run<'_> {
    /// Looks at a ready node; gives the job when it has to run.
    fn consider(&mut self, index: Index, look: &LookFn<'_>, failures: Failures) -> Option<Job> {
        let node = self.plan.node(index);
        match look(index, &self.outputs) {
            Ok(Look::Fresh(output)) => {
                self.outputs.insert(index, output);
                self.report.nodes[index.number()].result = NodeResult::Fresh;
                self.reporter.event(&Event::Fresh { node });
                self.states.set(index, NodeState::Done);
                None
            }
            Ok(Look::Kept(record)) => {
                self.outputs.insert(index, record.output);
                self.report.nodes[index.number()].result = NodeResult::Fresh;
                self.reporter.event(&Event::Fresh { node });
                self.states.set(index, NodeState::Done);
                None
            }
            Ok(Look::Stale(stale)) => {
                self.reporter.event(&Event::Started { node, reason: &stale.reason });
                self.report.nodes[index.number()].reason = Some(stale.reason.clone());
                self.started[index.number()] = Some(Instant::now());
                self.states.set(index, NodeState::Running);
                let outputs = node.needs.iter().filter_map(|it| Some((*it, self.outputs.get(it)?.clone()))).collect();
                Some(Job { index, stale: *stale, outputs })
            }
            Err(error) => {
                self.fail(index, &error, failures);
                None
            }
        }
    }

    fn finish(&mut self, message: Message, failures: Failures) {
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
            Err(error) => self.fail(index, &error, failures),
        }
    }

    fn fail(&mut self, index: Index, error: &ExecError, failures: Failures) {
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
            report.because = Some(node.id.clone());
            report.reason = Some(Reason::Behind(vec![node.id.clone()]));
            self.reporter.event(&Event::Skipped { node: self.plan.node(blocked), because: Some(node) });
            self.states.set(blocked, NodeState::Skipped);
        }
        if failures == Failures::Stop {
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
