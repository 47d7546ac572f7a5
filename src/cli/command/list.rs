//! `list`: what is in an environment.

use super::World;
use crate::{
    cli::{
        Exit,
        args::{Format, ListArgs},
        project::{self, UsageError},
        ui,
    },
    lock,
    manifest::closest,
};

pub(in crate::cli) fn list(world: &World, args: &ListArgs) -> miette::Result<Exit> {
    let root = project::find(&world.global)?;
    let locked = lock::read(&root.join("envbuild.lock"))?;
    let Some(environment) = locked.get(&args.environment) else {
        let project = project::load(&world.global, &world.environment, &[])?;
        let names: Vec<&str> = project.workspace.environments.iter().map(|it| it.name.as_str()).collect();
        if names.contains(&args.environment.as_str()) {
            return Err(miette::miette!(
                help = format!("run `envbuild lock {}`", args.environment),
                "`{}` is not locked yet",
                args.environment
            ));
        }
        let near = closest(&args.environment, names.iter().copied());
        return Err(UsageError::unknown_environment(&args.environment, near, &names).into());
    };
    match args.format {
        Format::Text => ui::list_text(&environment.packages)?,
        Format::Json => ui::list_json(&environment.packages)?,
    }
    Ok(Exit::Success)
}
