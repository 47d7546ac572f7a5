//! From the states of a shell to what is wrong with the scripts that it sourced.

use std::path::Path;

use super::{
    DEACTIVATE, LintRequest, Problem,
    lint::Bench,
    session::Session,
    snapshot::{Item, Snapshot, Value},
};

pub(super) const DEVICES: &str = "CUDA_VISIBLE_DEVICES";
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// What a session shows; `when` says in which circumstances, for the wording.
pub(super) fn problems(bench: &Bench<'_>, session: &Session, when: &'static str) -> Vec<Problem> {
    let mut problems = ends(bench, session, when);
    let Some(before) = session.states.first() else { return problems };
    let active = &session.states[1..session.states.len().min(bench.activating + 1)];
    problems.extend(devices(bench, before, active, when));
    problems.extend(baked(bench, before, active));
    if session.is_whole() {
        problems.extend(leaks(bench, session, when));
    }
    if session.left {
        problems.push(Problem::Process { when });
    }
    problems
}

fn name(bench: &Bench<'_>, script: usize) -> String {
    bench.scripts[script].display().to_string()
}

/// How the scripts came to their ends.
fn ends(bench: &Bench<'_>, session: &Session, when: &'static str) -> Vec<Problem> {
    let said = || {
        // The prefix of a build is long and says nothing.
        let prefix = format!("{}/", bench.request.prefix.display());
        session.said.as_ref().map(|it| format!(": {}", clip(&it.replace(&prefix, "")))).unwrap_or_default()
    };
    let mut problems = Vec::new();
    for (script, status) in session.statuses.iter().enumerate().filter(|it| *it.1 != 0) {
        problems.push(Problem::Failed { script: name(bench, script), status: *status, when, said: said() });
    }
    match session.open {
        Some(script) if session.hung => {
            let seconds = bench.request.limit.as_secs();
            problems.push(Problem::Hangs { script: name(bench, script), seconds, when });
        }
        Some(script) => problems.push(Problem::Ends { script: name(bench, script), when, said: said() }),
        None => {}
    }
    problems
}

/// The device mask may not change for a moment.
fn devices(bench: &Bench<'_>, before: &Snapshot, active: &[Snapshot], when: &'static str) -> Option<Problem> {
    let at = active.iter().position(|it| it.variable(DEVICES) != before.variable(DEVICES))?;
    let (before, active) = shown(before.variable(DEVICES), active[at].variable(DEVICES));
    Some(Problem::Devices { script: name(bench, at), when, before, active })
}

/// Values that were right while the package was built.
fn baked(bench: &Bench<'_>, before: &Snapshot, active: &[Snapshot]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(last) = active.last() else { return problems };
    for item in before.differing(last) {
        let Item::Variable(variable) = item else { continue };
        let held = |state: &Snapshot| state.variable(variable).map(|it| it.held.clone()).unwrap_or_default();
        for (value, place) in baked_in(bench.request, variable, &held(last)) {
            let at = active.iter().position(|it| held(it).contains(&value)).unwrap_or_default();
            let (script, variable, value) = (name(bench, at), variable.clone(), format!("`{}`", clip(&value)));
            problems.push(Problem::Baked { script, variable, value, place });
        }
    }
    problems
}

/// What of a variable's value was right while the package was built, and what it is.
pub(super) fn baked_in(request: &LintRequest<'_>, variable: &str, held: &str) -> Vec<(String, &'static str)> {
    let places = request.places.iter().filter_map(|it| it.to_str()).filter(|it| held.contains(*it));
    let mut found: Vec<(String, &str)> =
        places.map(|it| (it.to_owned(), "a folder of the build, which is gone when it ends")).collect();
    if variable == LIBRARY_PATH {
        let had: Vec<&Path> = entries(request.library_path).collect();
        let theirs = entries(held).filter(|it| had.contains(it) && !it.starts_with(request.prefix));
        found.extend(
            theirs.map(|it| (it.to_string_lossy().into_owned(), "from the `LD_LIBRARY_PATH` that the build had")),
        );
    }
    found
}

/// The folders of a list. As paths, they are equal with and without a slash at the end.
fn entries(list: &str) -> impl Iterator<Item = &Path> {
    list.split(':').filter(|it| !it.is_empty()).map(Path::new)
}

/// What is not as it was.
fn leaks(bench: &Bench<'_>, session: &Session, when: &'static str) -> Vec<Problem> {
    let (Some(first), Some(last)) = (session.states.first(), session.states.last()) else { return Vec::new() };
    let mut problems = Vec::new();
    for item in first.differing(last) {
        if *item == Item::Variable(DEVICES.to_owned()) && session.states.len() > 1 {
            let active = &session.states[1..=bench.activating];
            if devices(bench, first, active, when).is_some() {
                continue;
            }
        }
        // The script after which it was changed for the first time; one of deactivation when none of activation did it.
        let changed = |pair: &[Snapshot]| pair[0].items.get(item) != pair[1].items.get(item);
        let at = session.states.windows(2).position(changed).unwrap_or_default();
        let (before, after) = (first.items.get(item), last.items.get(item));
        let help = help(bench, item, before, at);
        let (before, after) = shown(before, after);
        problems.push(Problem::Leak {
            script: name(bench, at),
            what: what(item, first, last),
            when,
            before,
            after,
            help,
        });
    }
    problems
}

fn what(item: &Item, first: &Snapshot, last: &Snapshot) -> String {
    match item {
        Item::Variable(name) => {
            let is_exported = [first, last].iter().any(|it| it.variable(name).is_some_and(Value::is_exported));
            format!("the {} `{name}`", if is_exported { "variable" } else { "shell variable" })
        }
        Item::Function(name) => format!("the function `{name}`"),
        Item::Alias(name) => format!("the alias `{name}`"),
        Item::Option(name) => format!("the shell option `{name}`"),
        Item::Plain(name) => name.clone(),
    }
}

fn help(bench: &Bench<'_>, item: &Item, before: Option<&Value>, script: usize) -> String {
    let own = Path::new(DEACTIVATE).join(bench.scripts[script].file_name().unwrap_or_default());
    let own = own.display();
    match item {
        Item::Variable(name) if before.is_some() => format!(
            "keep the old value on activation, in a variable whose name begins with an underscore, and give it back to \
             `{name}` in `{own}`; or say what the variable is to be under `activation` of the recipe in project.toml, \
             and the scripts are made"
        ),
        Item::Variable(name) => format!(
            "unset `{name}` in `{own}`; or say what the variable is to be under `activation` of the recipe in \
             project.toml, and the scripts are made"
        ),
        Item::Function(name) => format!("end the script with `unset -f {name}`, or do so in `{own}`"),
        Item::Alias(name) => format!("undo it in `{own}` with `unalias {name}`, or define none"),
        Item::Option(_) | Item::Plain(_) => {
            "leave it as it is, or put what needs it into parentheses, which make a shell of their own".to_owned()
        }
    }
}

/// Before and after, as they are told.
fn shown(before: Option<&Value>, after: Option<&Value>) -> (String, String) {
    let same = matches!((before, after), (Some(before), Some(after)) if before.held == after.held);
    let show = |value: Option<&Value>| match value {
        None => "not set".to_owned(),
        // What differs is an attribute, or an element of an array.
        Some(value) if same && !value.declared.is_empty() => format!("`{}`", clip(&value.declared)),
        Some(value) if value.held.is_empty() && is_told(&value.declared) => format!("`{}`", clip(&value.declared)),
        Some(value) if value.held.is_empty() => "empty".to_owned(),
        Some(value) => format!("`{}`", clip(&value.held)),
    };
    (show(before), show(after))
}

/// Whether bash's account of something tells more than that it is empty: that of a variable does not.
fn is_told(declared: &str) -> bool {
    !declared.is_empty() && !declared.starts_with("declare ")
}

/// One line of at most this many characters.
pub(super) fn clip(text: &str) -> String {
    const LONGEST: usize = 160;
    let line = match text.contains('\n') {
        true => text.split_whitespace().collect::<Vec<_>>().join(" "),
        false => text.replace(char::is_control, " "),
    };
    let mut clipped: String = line.chars().take(LONGEST).collect();
    if line.chars().nth(LONGEST).is_some() {
        clipped.push('…');
    }
    clipped
}
