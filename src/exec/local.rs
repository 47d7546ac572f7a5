//! Jobs on this machine: a thread each.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc::Sender},
};

use super::{Context, ExecError, Executor, Job, Message, family, perform};

/// Runs jobs on threads of this process, which start processes for what is long.
#[derive(Debug)]
pub struct Local {
    context: Arc<Context>,
}

impl Local {
    /// Runs jobs of this project.
    pub fn new(context: Arc<Context>) -> Self {
        family::take_orphans(true);
        Self { context }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // `run` puts the user's command into this process's place, and that one wants no orphans.
        family::take_orphans(false);
    }
}

impl Executor for Local {
    fn start(&mut self, job: Job, messages: &Sender<Message>) {
        let context = Arc::clone(&self.context);
        let answer = messages.clone();
        let index = job.index;
        let started = std::thread::Builder::new().name(self.context.plan.node(index).id.to_string()).spawn(move || {
            // A thread that is gone without a word would be waited for without end. What the panic says is on stderr.
            let outcome = catch_unwind(AssertUnwindSafe(|| perform(&context, &job)));
            let outcome = outcome.unwrap_or(Err(ExecError::Panicked));
            // Nobody listens any more when the run was ended at once.
            drop(answer.send(Message { index, outcome }));
        });
        if let Err(source) = started {
            let outcome = Err(ExecError::Start { program: "a thread".to_owned(), source });
            drop(messages.send(Message { index, outcome }));
        }
    }

    fn make_room(&mut self, held: u32) -> bool {
        self.context.jobserver.make_room(held)
    }

    fn cancel(&mut self) {
        self.context.cancel.cancel();
        self.context.children.end();
    }
}
