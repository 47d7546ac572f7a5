//! One row of the table: a change, and what has to follow from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::support::{Plan, Project, Report, contents_below};

/// A change and what follows from it. The rows of a table are tried one after the other on one project, which stays as
/// they leave it.
pub(super) struct Row {
    /// What is changed.
    pub(super) name: &'static str,
    /// Changes it.
    pub(super) edit: fn(&mut Project),
    /// Further words of the command line of the run.
    pub(super) words: &'static [&'static str],
    /// What must happen.
    pub(super) then: Then,
}

/// What must happen.
pub(super) enum Then {
    /// These nodes run, each with the line that `plan` prints for it before; all others are fresh. `chain` stands for an
    /// environment's lock and what follows from it, and `*` for each of the flavours. A line that begins with `why` tells
    /// a node, an input that `why` names for it, and the values that it shows.
    Runs(&'static str),
    /// The same, and the packages keep their names and their bytes: whatever was built again came out as it was.
    RunsAndKeepsPackages(&'static str),
    /// The node fails, and the message holds these texts; nothing else changes.
    Refused(&'static str, fn(&Project) -> Vec<String>),
}

impl Row {
    /// A row whose run has no further words.
    pub(super) const fn new(name: &'static str, edit: fn(&mut Project), then: Then) -> Self {
        Self { name, edit, words: &[], then }
    }

    /// A change for which nothing may run.
    pub(super) const fn nothing(name: &'static str, edit: fn(&mut Project)) -> Self {
        Self::new(name, edit, Then::RunsAndKeepsPackages(""))
    }

    /// Runs with further words on the command line.
    pub(super) const fn with(mut self, words: &'static [&'static str]) -> Self {
        self.words = words;
        self
    }
}

/// Every package name that was seen, with its bytes: new bytes never have an old name.
type Seen = BTreeMap<PathBuf, Vec<u8>>;

/// Tries the rows in their order, and fails with all that did not do what they say.
#[track_caller]
pub(super) fn check(mut project: Project, rows: &[Row]) {
    let mut seen = Seen::new();
    let mut complaints = String::new();
    for row in rows {
        let found = attempt(&mut project, row, &mut seen);
        if !found.is_empty() {
            let _ = writeln!(complaints, "\n## {}\n{}", row.name, found.trim_end());
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
    project.assert_fresh();
}

/// Tries one row. Gives what is wrong with it; nothing when it is as it should be.
fn attempt(project: &mut Project, row: &Row, seen: &mut Seen) -> String {
    let expected = match &row.then {
        Then::Runs(lines) | Then::RunsAndKeepsPackages(lines) => lines,
        Then::Refused(line, _) => line,
    };
    let (expected, named) = read(expected);
    let before: Vec<Option<String>> = named.iter().map(|it| it.value(project)).collect();
    let packages = packages(project);
    (row.edit)(project);
    let plan = project.plan(&[]);
    let mut text = String::new();
    for (it, before) in named.iter().zip(before) {
        text.push_str(&it.compare(project, before));
    }
    let ran = project.run(&[&["all", "--format", "json"], row.words].concat());
    if ran.stdout.is_empty() {
        return format!("there is no report:\n{}", ran.stderr);
    }
    let report = ran.report();
    let went: BTreeSet<String> = report.with("built").into_iter().chain(report.with("failed")).collect();
    let got: BTreeSet<String> = went.iter().map(|it| project.normalise(&line(&plan, it))).collect();
    for (sign, lines) in [('-', expected.difference(&got)), ('+', got.difference(&expected))] {
        lines.for_each(|it| {
            let _ = writeln!(text, "{sign} {it}");
        });
    }
    text.push_str(&plan_and_run_agree(&plan, &report, &went));
    let after = self::packages(project);
    match &row.then {
        Then::RunsAndKeepsPackages(_) if after != packages => text.push_str("the packages are not as they were\n"),
        Then::Refused(_, texts) => {
            if report.with("built") != Vec::<String>::new() || after != packages {
                text.push_str("something was built all the same\n");
            }
            for it in texts(project).iter().filter(|it| !ran.stderr.contains(*it)) {
                let _ = writeln!(text, "the message does not say `{it}`:\n{}", ran.stderr);
            }
        }
        _ if ran.status != Some(0) => text.push_str(&ran.stderr),
        _ => {}
    }
    for (path, bytes) in after {
        let known = seen.entry(path.clone()).or_insert_with(|| bytes.clone());
        if *known != bytes {
            let _ = writeln!(text, "{} has other bytes than before under the same name", path.display());
        }
    }
    text
}

/// Every package of the channel with its bytes.
fn packages(project: &Project) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = contents_below(&project.path("output"));
    all.retain(|(path, _)| path.extension().is_some_and(|it| it == "conda"));
    all
}

/// The line that `plan` prints for a node.
fn line(plan: &Plan, id: &str) -> String {
    let node = plan.node(id);
    let reason = node["reason"].as_str().map_or_else(String::new, |it| format!("  ({it})"));
    format!("{}  {id}{reason}", node["state"].as_str().unwrap())
}

/// Whatever runs was dirty or maybe, whatever was dirty runs or waits for what failed, and the reason of whatever runs is
/// told.
fn plan_and_run_agree(plan: &Plan, report: &Report, went: &BTreeSet<String>) -> String {
    let mut text = String::new();
    for id in plan.with("fresh").iter().filter(|it| went.contains(*it)) {
        let _ = writeln!(text, "{id} was planned to be fresh, and runs: {}", report.node(id)["reason"]);
    }
    let skipped = report.with("skipped");
    for id in plan.with("dirty").iter().filter(|it| !went.contains(*it) && !skipped.contains(it)) {
        let _ = writeln!(text, "{id} was planned to run, and did not: {}", line(plan, id));
    }
    for id in went.iter().filter(|it| report.node(it)["reason"].as_str().is_none_or(str::is_empty)) {
        let _ = writeln!(text, "{id} ran, and nobody knows why");
    }
    text
}

/// An input that `why` has to name.
struct Named {
    node: String,
    input: String,
    values: Values,
}

/// The values that an input has to have before and after the change.
enum Values {
    /// Those of a file of the project.
    Of(PathBuf),
    /// These.
    Are(Option<String>, Option<String>),
}

impl Named {
    /// The value before a change, when it is a file's.
    fn value(&self, project: &Project) -> Option<String> {
        match &self.values {
            Values::Of(path) => value(&project.path(path)),
            Values::Are(old, _) => old.clone(),
        }
    }

    /// Asks `why`. Gives what is wrong with the answer.
    fn compare(&self, project: &Project, old: Option<String>) -> String {
        let new = match &self.values {
            Values::Of(path) => value(&project.path(path)),
            Values::Are(_, new) => new.clone(),
        };
        let answer = project.run(&["why", &self.node, "--format", "json"]).success().json();
        let changes = answer["nodes"][0]["changes"].as_array().cloned().unwrap_or_default();
        let Some(change) = changes.iter().find(|it| it["input"] == self.input) else {
            return format!("`why {}` does not name {}: {changes:?}\n", self.node, self.input);
        };
        let shown = [&change["old"], &change["new"]].map(|it| it.as_str().map(str::to_owned));
        if fits(&old, &shown[0]) && fits(&new, &shown[1]) && shown[0] != shown[1] {
            return String::new();
        }
        format!("`why {}` shows for {}: {shown:?}, not {old:?} and {new:?}\n", self.node, self.input)
    }
}

/// Whether a value is what the row says, where `[..]` is any text.
fn fits(expected: &Option<String>, shown: &Option<String>) -> bool {
    match (expected, shown) {
        (Some(expected), Some(shown)) => match expected.split_once("[..]") {
            Some((start, end)) => shown.starts_with(start) && shown.ends_with(end),
            None => expected == shown,
        },
        _ => expected == shown,
    }
}

/// A file as the key of a build sees it.
fn value(path: &Path) -> Option<String> {
    let metadata = path.symlink_metadata().ok()?;
    if metadata.is_symlink() {
        return Some(format!("-> {}", fs::read_link(path).unwrap().display()));
    }
    let digest = blake3::hash(&fs::read(path).unwrap()).to_hex();
    let executable = if metadata.permissions().mode() & 0o111 != 0 { " x" } else { "" };
    Some(format!("{digest}{executable}"))
}

/// Reads the lines of a row.
fn read(lines: &str) -> (BTreeSet<String>, Vec<Named>) {
    let mut expected = BTreeSet::new();
    let mut named = Vec::new();
    for line in lines.lines().map(str::trim).filter(|it| !it.is_empty()) {
        if let Some(rest) = line.strip_prefix("why  ") {
            let parts: Vec<&str> = rest.split("  ").collect();
            let [node, input, values] = parts[..] else { panic!("`{line}` is not `why  NODE  INPUT  VALUES`") };
            named.push(Named { node: node.to_owned(), input: input.to_owned(), values: values_of(values) });
            continue;
        }
        let each = if line.contains('*') { &["plain", "bold"][..] } else { &[""] };
        for flavour in each {
            expand(&line.replace('*', &format!("flavour{flavour}")), &mut expected);
        }
    }
    (expected, named)
}

/// `file PATH`, or `OLD => NEW`, where `none` stands for no value and `empty` for one without a letter.
fn values_of(text: &str) -> Values {
    if let Some(path) = text.strip_prefix("file ") {
        return Values::Of(path.into());
    }
    let (old, new) = text.split_once(" => ").expect("old and new value have an arrow between them");
    let value = |it: &str| (it != "none").then(|| if it == "empty" { String::new() } else { it.to_owned() });
    Values::Are(value(old), value(new))
}

/// Adds a line; for a chain, the lock's line and those of what waits for it.
fn expand(line: &str, into: &mut BTreeSet<String>) {
    let Some(rest) = line.strip_prefix("chain ") else {
        into.insert(line.to_owned());
        return;
    };
    let id = rest.split_whitespace().nth(1).expect("a chain names a lock");
    let environment = id.strip_prefix("lock:").expect("a chain begins with a lock");
    into.insert(rest.to_owned());
    into.insert(format!("maybe  install:{environment}  (waits for lock:{environment})"));
    into.insert(format!("maybe  test:{environment}  (waits for install:{environment})"));
    if environment.starts_with("full") {
        into.insert(format!("maybe  pack:{environment}  (waits for lock:{environment})"));
    }
}
