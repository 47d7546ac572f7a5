//! `run`: a command in an activated environment.

use std::{
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::Command,
};

use super::{
    World, host_libraries,
    stage::{self, Ended},
};
use crate::{
    base::fs,
    cli::{Exit, args::ExecArgs, project::UsageError, ui},
    exec::activated,
    manifest::closest,
    plan::{Kind, Stage},
};

pub(in crate::cli) fn run(world: &World, args: ExecArgs) -> miette::Result<Exit> {
    let ExecArgs { environment: name, how, command } = args;
    let goal = vec![format!("{}:{name}", Kind::Install)];
    let reach = stage::Reach::to(Stage::Kind(Kind::Install));
    let ended = stage::bring_up_to_date(world, &goal, &how, reach);
    let Ended { context, report, closed, lock } = ended.map_err(|error| unknown(world, &name).unwrap_or(error))?;
    if stage::exit(&report) != Exit::Success {
        ui::summary(&context, &report, &world.global);
        closed?;
        return Ok(stage::exit(&report));
    }
    closed?;
    let environment = context.workspace.environments.iter().find(|it| it.name == name);
    let environment = environment.ok_or_else(|| miette::miette!("`{name}` is planned and not there"))?;
    // Activation makes a temporary file there. Where nothing can be written, it makes it elsewhere.
    drop(fs::create_dir_all(&context.store.scratch()));
    let variables = activated(&context, environment)?;
    drop(lock);
    host_libraries::warn(&context.store.prefix(&name), &variables);
    let (program, arguments) = command.split_first().expect("clap asks for at least one word");
    // The command takes this process's place: its signals, terminal and exit status are exactly its own.
    let found = find_program(program, &variables);
    let error = Command::new(found).args(arguments).env_clear().envs(variables).exec();
    ui::error(&miette::miette!("could not start `{}`: {error}", program.to_string_lossy()));
    Ok(Exit::Command(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 }))
}

/// Looks a program up in the environment's PATH, not in ours.
fn find_program(
    program: &std::ffi::OsStr,
    variables: &std::collections::BTreeMap<String, String>,
) -> std::path::PathBuf {
    let path = std::path::Path::new(program);
    if path.components().count() > 1 {
        return path.to_owned();
    }
    let folders = variables.get("PATH").map_or("", String::as_str);
    let runs = |it: &std::path::PathBuf| {
        it.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(folders).map(|it| it.join(path)).find(runs).unwrap_or_else(|| path.to_owned())
}

/// Says it in the words of this command, when the name is no environment's.
fn unknown(world: &World, name: &str) -> Option<miette::Report> {
    let project = crate::cli::project::load(&world.global, &world.environment, &[]).ok()?;
    let names: Vec<&str> = project.workspace.environments.iter().map(|it| it.name.as_str()).collect();
    if names.contains(&name) {
        return None;
    }
    Some(UsageError::unknown_environment(name, closest(name, names.iter().copied()), &names).into())
}
