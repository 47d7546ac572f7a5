//! `why`: the inputs of a node that changed.

use super::{World, plan::planned_until_stopped};
use crate::{
    cli::{
        Exit,
        args::{Format, WhyArgs},
        ui,
    },
    exec::survey,
    workspace::parse_overrides,
};

pub(in crate::cli) fn why(world: &World, args: &WhyArgs) -> miette::Result<Exit> {
    let context = planned_until_stopped(world, &args.words)?;
    let statuses = survey(&context)?;
    let (names, _) = parse_overrides(&args.words);
    // A node's id means that node; any other name means every node that it stands for.
    let asked = |id: &str| names.iter().any(|name| name == id);
    let named: Vec<_> = context.plan.iter().filter(|(_, node)| asked(node.id.as_str())).collect();
    let wanted = if named.is_empty() {
        let goals = crate::plan::resolve_goals(&context.workspace, crate::plan::Stage::All, &names)?;
        let is_goal = |node: &crate::plan::Node| goals.contains(&crate::plan::Goal::Node(node.id.clone()));
        context.plan.iter().filter(|(_, node)| is_goal(node)).collect()
    } else {
        named
    };
    match args.format {
        Format::Text => ui::why_text(&wanted, &context.plan, &statuses)?,
        Format::Json => ui::why_json(&wanted, &statuses)?,
    }
    Ok(Exit::Success)
}
