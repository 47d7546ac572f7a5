//! What a second build showed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    data::note,
    json::print,
    message::{log_tail, relative, seconds},
};
use crate::{
    base::FsError,
    cli::args::Global,
    exec::{Checked, Context, tell},
};

/// One package, as soon as it is known. What is wrong is told in any case.
pub(in crate::cli) fn checked(context: &Context, checked: &Checked, global: &Global) {
    let id = &context.plan.node(checked.index).id;
    let took = seconds(checked.seconds);
    match &checked.outcome {
        Ok(differences) if differences.is_empty() => {
            if !global.quiet {
                note(&format!("same   {id} in {took}"));
            }
        }
        Ok(differences) => {
            let mut text = format!("differs {id} in {took}\n");
            for difference in differences {
                let _ = writeln!(text, "  {} {}", difference.path, difference.how);
            }
            note(text.trim_end());
        }
        Err(error) => {
            let mut text = format!("failed {id} after {took}\n");
            for line in tell(error).lines() {
                let _ = writeln!(text, "  {line}");
            }
            log_tail(&mut text, &context.store.check_log(id), context);
            note(text.trim_end());
        }
    }
}

/// The end of a check.
pub(in crate::cli) fn check_summary(done: &[Checked], stopped: bool, global: &Global) {
    if global.quiet {
        return;
    }
    let count = |fits: &dyn Fn(&Checked) -> bool| done.iter().filter(|it| fits(it)).count();
    let same = count(&|it| it.outcome.as_ref().is_ok_and(Vec::is_empty));
    let failed = count(&|it| it.outcome.is_err());
    let word = if stopped { "stopped" } else { "built again" };
    let mut text = format!("{word}: {same} the same, {} not", done.len() - same - failed);
    if failed > 0 {
        let _ = write!(text, ", {failed} failed");
    }
    note(&text);
}

/// `build --check --format json`.
pub(in crate::cli) fn check_json(context: &Context, done: &[Checked]) -> Result<(), FsError> {
    let packages: Vec<Value> = done
        .iter()
        .map(|checked| {
            let id = &context.plan.node(checked.index).id;
            let log = context.store.check_log(id);
            let (result, reason, files) = match &checked.outcome {
                Ok(differences) if differences.is_empty() => ("same", Value::Null, json!([])),
                Ok(differences) => ("differs", Value::Null, json!(differences)),
                Err(error) => ("failed", Value::String(tell(error)), json!([])),
            };
            json!({
                "id": id,
                "result": result,
                "reason": reason,
                "files": files,
                "seconds": (checked.seconds * 1000.0).round() / 1000.0,
                "log": if log.is_file() { Value::String(relative(&log, &context.workspace.root)) } else { Value::Null },
            })
        })
        .collect();
    print(&json!({ "packages": packages }))
}
