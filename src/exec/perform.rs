//! The bridge: the only file that sees both a node and the rooms that do it. Every executor calls it.

use std::time::Instant;

use super::{Context, ExecError, Job, build, environment, look::made, look::record, packaging, resolve};
use crate::{plan::Kind, store::Output};

/// A job that ended well.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What it made.
    pub output: Output,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Does one node and remembers it.
///
/// # Errors
/// When it fails; nothing is remembered then.
pub fn perform(context: &Context, job: &Job) -> Result<Outcome, ExecError> {
    let started = Instant::now();
    let node = context.plan.node(job.index);
    // Packages and the lock file are replaced by a rename under a new name or with new content: the old record stays
    // true until the new one is written. A prefix, a test and an archive have one place each.
    if matches!(node.kind, Kind::Install | Kind::Test | Kind::Pack) {
        context.store.forget(&node.id)?;
    }
    crate::base::fs::remove_file(&context.store.log(&node.id))?;
    let output = match node.kind {
        Kind::Resolve => resolve::resolve(context, job)?,
        Kind::Build => build::build(context, job)?,
        Kind::Lock => environment::lock(context, job)?,
        Kind::Install => environment::install(context, job)?,
        Kind::Test => environment::test(context, job)?,
        Kind::Pack => packaging::pack(context, job)?,
    };
    if context.cancel.is_cancelled() {
        return Err(ExecError::Cancelled);
    }
    let seconds = started.elapsed().as_secs_f64();
    context.store.commit(&record(node, &job.stale, output.clone(), seconds))?;
    made(context, &output);
    Ok(Outcome { output, seconds })
}
