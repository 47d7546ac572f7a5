//! What was asked for, as nodes.

use super::{Kind, NodeId, PlanError, dependencies::Catalogue, node::packed_as};
use crate::{
    manifest::closest,
    workspace::{Environment, Workspace},
};

/// How far a command goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Everything there is.
    All,
    /// Every node of one kind, and what it needs.
    Kind(Kind),
}

/// One thing to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// All nodes of a stage.
    Everything(Stage),
    /// One node.
    Node(NodeId),
}

/// Turns the names of a command line into goals. A name is a node id (`pack:hello`), a recipe, package or package cell
/// (for the stage `build`), an environment or environment cell (for the other stages); with the stages `All` and `lock`,
/// either.
/// No names mean the whole stage.
///
/// # Errors
/// Every name that nothing is called by, each with the one that may have been meant.
pub fn resolve_goals(workspace: &Workspace, stage: Stage, names: &[String]) -> Result<Vec<Goal>, PlanError> {
    if names.is_empty() {
        return Ok(vec![Goal::Everything(stage)]);
    }
    let known = Known::of(workspace, stage);
    let mut goals = Vec::new();
    let mut unknown = Vec::new();
    for name in names {
        let found: Vec<Goal> =
            known.0.iter().filter(|(called, _)| called == name).map(|(_, id)| Goal::Node(id.clone())).collect();
        let named = |it: &&crate::workspace::Environment| &it.name == name || &it.family == name;
        if let (true, Stage::Kind(kind), Some(environment)) =
            (found.is_empty(), stage, workspace.environments.iter().find(named))
            && kind != Kind::Build
        {
            return Err(PlanError::NoStage { environment: environment.name.clone(), kind });
        }
        let is_package = |it: &&crate::workspace::Package| [&it.id, &it.cell.package, &it.recipe].contains(&name);
        if let (true, Stage::Kind(Kind::Lock), Some(package)) =
            (found.is_empty(), stage, workspace.packages.iter().find(is_package))
        {
            return Err(PlanError::NothingToLock { package: package.id.clone() });
        }
        if found.is_empty() {
            let near = closest(name, known.0.iter().map(|(called, _)| called.as_str()));
            unknown.push((name.clone(), near.map(str::to_owned)));
        }
        for goal in found {
            if !goals.contains(&goal) {
                goals.push(goal);
            }
        }
    }
    if unknown.is_empty() { Ok(goals) } else { Err(PlanError::unknown_goals(unknown, stage)) }
}

/// The one environment that is meant, as an index, and what has to be done before its files can be packed: what fails its
/// test is not packed. A name is that of an environment or environment cell, or of a node that packs it; no names mean
/// the only one that there is.
///
/// # Errors
/// When nothing is called so, or the names mean several environments.
pub fn one_environment(workspace: &Workspace, names: &[String]) -> Result<(usize, Goal), PlanError> {
    let called = |name: &String| {
        let is_node = |what: &str| NodeId::new(Kind::Pack, what).as_str() == name;
        let is_called = |it: &Environment| {
            let mut nodes = it.packs.iter().map(|format| packed_as(&it.name, format));
            &it.name == name || &it.family == name || is_node(&it.name) || nodes.any(|it| is_node(&it))
        };
        let all = workspace.environments.iter().enumerate();
        all.filter(|(_, it)| is_called(it)).map(|(index, _)| index).collect::<Vec<_>>()
    };
    let mut found: Vec<usize> = match names {
        [] => (0..workspace.environments.len()).collect(),
        names => names.iter().flat_map(called).collect(),
    };
    let all = || workspace.environments.iter().flat_map(|it| [it.name.as_str(), &it.family]);
    let unknown = names.iter().filter(|name| called(name).is_empty());
    let unknown: Vec<_> = unknown.map(|name| (name.clone(), closest(name, all()).map(str::to_owned))).collect();
    if !unknown.is_empty() {
        return Err(PlanError::unknown_goals(unknown, Stage::Kind(Kind::Pack)));
    }
    found.sort_unstable();
    found.dedup();
    if let [index] = found[..] {
        let environment = &workspace.environments[index];
        let kind = if environment.test.is_some() { Kind::Test } else { Kind::Lock };
        return Ok((index, Goal::Node(NodeId::new(kind, &environment.name))));
    }
    let names: Vec<&str> = found.iter().map(|it| workspace.environments[*it].name.as_str()).collect();
    let (text, help) = match names[..] {
        [] => ("the project has none".to_owned(), "declare one in [environments]".to_owned()),
        _ => (format!("{} are meant", names.len()), format!("name one of {}", names.join(", "))),
    };
    Err(PlanError::OneEnvironment { text, help })
}

/// Every name that can be typed, with a node that it means; a name may stand for several.
struct Known(Vec<(String, NodeId)>);

impl Known {
    fn of(workspace: &Workspace, stage: Stage) -> Self {
        let mut known = Vec::new();
        let catalogue = Catalogue::new(workspace);
        for (subject, package) in workspace.packages.iter().enumerate() {
            let mut names = vec![package.id.clone(), package.cell.package.clone(), package.recipe.clone()];
            names.sort();
            names.dedup();
            let resolve = catalogue.needs_of(subject).outside.then_some(Kind::Resolve);
            for kind in std::iter::once(Kind::Build).chain(resolve) {
                let id = NodeId::new(kind, &package.id);
                let meant = match stage {
                    Stage::All | Stage::Kind(Kind::Build) => kind == Kind::Build,
                    Stage::Kind(Kind::Lock) => kind == Kind::Resolve,
                    Stage::Kind(_) => false,
                };
                if meant {
                    known.extend(names.iter().map(|name| (name.clone(), id.clone())));
                }
                known.push((id.as_str().to_owned(), id));
            }
        }
        for environment in &workspace.environments {
            let mut kinds = vec![Kind::Lock, Kind::Install];
            kinds.extend(environment.test.as_ref().map(|_| Kind::Test));
            let mut ids: Vec<(Kind, NodeId)> =
                kinds.into_iter().map(|kind| (kind, NodeId::new(kind, &environment.name))).collect();
            let packs = environment.packs.iter().map(|format| packed_as(&environment.name, format));
            ids.extend(packs.map(|what| (Kind::Pack, NodeId::new(Kind::Pack, &what))));
            for (kind, id) in ids {
                let meant = match stage {
                    Stage::All => true,
                    Stage::Kind(wanted) => wanted == kind,
                };
                if meant {
                    known.push((environment.name.clone(), id.clone()));
                    if environment.family != environment.name {
                        known.push((environment.family.clone(), id.clone()));
                    }
                }
                known.push((id.as_str().to_owned(), id));
            }
        }
        Self(known)
    }
}
