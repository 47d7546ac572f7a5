//! Builds packages again, aside, and compares them with those in the channel. Nothing is published or remembered.

use std::{
    sync::{Mutex, mpsc},
    time::{Duration, Instant},
};

use super::{
    Context, ExecError, Outputs,
    build::{make, packages, published},
};
use crate::{
    base::fs,
    conda::{self, Difference},
    plan::Index,
    store::Output,
};

/// A package that was built again.
#[derive(Debug)]
pub struct Checked {
    /// Its node.
    pub index: Index,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How it differs from the package in the channel, or why it could not be built or compared.
    pub outcome: Result<Vec<Difference>, ExecError>,
}

/// Checks these packages, `jobs` at a time, and calls `tell` with each as soon as it is done. `outputs` holds what the
/// packages and all that they need have made. When the run is cancelled, those that are
/// not done are left out.
pub fn check(context: &Context, wanted: &[Index], outputs: &Outputs, jobs: usize, tell: &mut dyn FnMut(Checked)) {
    context.jobserver.make_room(u32::try_from(jobs.min(wanted.len())).unwrap_or(u32::MAX));
    let left = Mutex::new(wanted.iter());
    let (sender, done) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(wanted.len()) {
            let (sender, left) = (sender.clone(), &left);
            scope.spawn(move || {
                let next = || left.lock().expect("no thread panics while it takes a package").next();
                while let Some(index) = next().filter(|_| !context.cancel.is_cancelled()) {
                    let started = Instant::now();
                    let outcome = check_one(context, *index, outputs);
                    if matches!(outcome, Err(ExecError::Cancelled)) {
                        break;
                    }
                    let checked = Checked { index: *index, seconds: started.elapsed().as_secs_f64(), outcome };
                    // Somebody listens for as long as there is a thread.
                    drop(sender.send(checked));
                }
            });
        }
        drop(sender);
        loop {
            match done.recv_timeout(Duration::from_millis(50)) {
                Ok(checked) => tell(checked),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) if context.cancel.is_cancelled() => context.children.terminate(),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
    });
}

fn check_one(context: &Context, index: Index, outputs: &Outputs) -> Result<Vec<Difference>, ExecError> {
    let node = context.plan.node(index);
    let Some(Output::Package(package)) = outputs.get(&index) else {
        return Err(ExecError::Unbuilt { node: node.id.to_string() });
    };
    let needs = outputs.iter().filter(|(need, _)| node.needs.contains(need));
    let needs = packages(&needs.map(|(need, output)| (*need, output.clone())).collect());
    let scratch = context.scratch()?;
    let log = context.store.check_log(&node.id);
    fs::remove_file(&log)?;
    let built = make(context, node, &needs, scratch.path(), &log)?;
    Ok(conda::compare(&context.channel.path_of(&published(package)), &built.archive)?)
}
