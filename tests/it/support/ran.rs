//! What a run of the program gave.

use std::process::Output;

use serde_json::Value;

/// A program that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    /// Its exit status; nothing when a signal ended it.
    pub(crate) status: Option<i32>,
    /// All of its standard output.
    pub(crate) stdout: String,
    /// All of its standard error.
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program speaks UTF-8");
        Self { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Asserts an exit status of 0.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.failure(0)
    }

    /// Asserts an exit status.
    #[track_caller]
    pub(crate) fn failure(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that standard error has a text in it. Where a long message is broken into lines depends on how long the paths
    /// in it are, so that does not matter.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let unbroken = self.stderr.replace("\n  │ ", " ");
        assert!(self.stderr.contains(text) || unbroken.contains(text), "`{text}` is not in:\n{}", self.stderr);
        self
    }

    /// The one JSON value that standard output holds.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }

    /// The report of a run with `--format json`.
    #[track_caller]
    pub(crate) fn report(&self) -> Report {
        Report(self.json())
    }

    /// The answer of `plan --format json`.
    #[track_caller]
    pub(crate) fn plan(&self) -> Plan {
        Plan(self.json())
    }
}

fn ids(nodes: &Value, fits: impl Fn(&Value) -> bool) -> Vec<String> {
    let nodes = nodes["nodes"].as_array().expect("there is a list of nodes");
    nodes.iter().filter(|it| fits(it)).map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

fn node<'a>(nodes: &'a Value, id: &str) -> &'a Value {
    let all = nodes["nodes"].as_array().expect("there is a list of nodes");
    all.iter().find(|it| it["id"] == id).unwrap_or_else(|| panic!("there is no node `{id}` in {nodes:#}"))
}

/// The report of a run.
#[derive(Debug)]
pub(crate) struct Report(pub(crate) Value);

impl Report {
    /// The nodes that ended so (`built`, `fresh`, `failed`, `skipped`), in the report's order.
    pub(crate) fn with(&self, result: &str) -> Vec<String> {
        ids(&self.0, |it| it["result"] == result)
    }

    /// The same, sorted: where parallel jobs decide the order.
    pub(crate) fn sorted(&self, result: &str) -> Vec<String> {
        let mut ids = self.with(result);
        ids.sort();
        ids
    }

    /// One node's entry.
    #[track_caller]
    pub(crate) fn node(&self, id: &str) -> &Value {
        node(&self.0, id)
    }

    /// How many nodes ended so.
    pub(crate) fn count(&self, result: &str) -> u64 {
        self.0["counts"][result].as_u64().expect("there are counts")
    }
}

/// A plan.
#[derive(Debug)]
pub(crate) struct Plan(pub(crate) Value);

impl Plan {
    /// Every node's id, in the plan's order.
    pub(crate) fn ids(&self) -> Vec<String> {
        ids(&self.0, |_| true)
    }

    /// The ids of one kind, in the plan's order, without the kind.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<String> {
        let plain = |id: String| id.strip_prefix(&format!("{kind}:")).unwrap().to_owned();
        ids(&self.0, |it| it["kind"] == kind).into_iter().map(plain).collect()
    }

    /// One node's entry.
    #[track_caller]
    pub(crate) fn node(&self, id: &str) -> &Value {
        node(&self.0, id)
    }

    /// The ids of the nodes in a state.
    pub(crate) fn with(&self, state: &str) -> Vec<String> {
        ids(&self.0, |it| it["state"] == state)
    }

    /// What a node needs.
    #[track_caller]
    pub(crate) fn needs(&self, id: &str) -> Vec<String> {
        let needs = node(&self.0, id)["needs"].as_array().expect("a node has needs");
        needs.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    }
}
