//! The face: arguments, words, colours, exit statuses. The only room that prints.
//!
//! Knows nothing of: how a key is made, how a package is built.

mod args;
mod clock;
mod command;
mod exit;
mod kinds;
mod outside;
mod pack_args;
mod patterns;
mod project;
mod signals;
mod ui;
mod values;

use std::{collections::BTreeMap, ffi::OsString, path::Path, process::ExitCode};

use clap::Parser as _;

use args::{Cli, Command};
pub use exit::Exit;

/// What the program was started with.
type Environment = BTreeMap<String, String>;

/// Runs the program: `arguments` as the operating system gives them, the program's name first.
pub fn main(arguments: &[OsString], environment: Environment) -> ExitCode {
    let called_as = arguments.first().map(Path::new).and_then(Path::file_name);
    if called_as == Some("patchelf".as_ref()) {
        return command::patchelf(&arguments[1..]);
    }
    if called_as.is_some_and(crate::exec::is_make) {
        return command::make(arguments, &environment);
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return ui::usage(&error),
    };
    ui::set_up(&environment);
    if environment.get("ENVBUILD_FLOCK").is_some_and(|it| it == "off") {
        crate::base::trust_no_flock();
    }
    match dispatch(cli, environment) {
        Ok(exit) => exit.into(),
        Err(error) => {
            ui::error(&error);
            exit::of_error(&error).into()
        }
    }
}

fn dispatch(cli: Cli, environment: Environment) -> miette::Result<Exit> {
    let Cli { global, command } = cli;
    let world = command::World { global, environment };
    match command {
        Command::All(args) => command::run_stage(&world, args, crate::plan::Stage::All),
        Command::Build(args) if args.check => command::check(&world, &args.run),
        Command::Build(args) => command::run_stage(&world, args.run, stage(crate::plan::Kind::Build)),
        Command::Lock(args) => command::lock(&world, args),
        Command::Install(args) => command::run_stage(&world, args, stage(crate::plan::Kind::Install)),
        Command::Test(args) => command::run_stage(&world, args, stage(crate::plan::Kind::Test)),
        Command::Pack(args) => command::pack(&world, args),
        Command::Unpack(args) => command::unpack(&world, &args),
        Command::Check(args) if args.target.is_some() => command::check_target(&world, &args),
        Command::Check(args) => command::check_host(&world, &args),
        Command::Plan(args) => command::plan(&world, &args),
        Command::Why(args) => command::why(&world, &args),
        Command::Status(args) => command::status(&world, &args),
        Command::Run(args) => command::run(&world, args),
        Command::List(args) => command::list(&world, &args),
        Command::Export(args) => command::export(&world, &args),
        Command::Backup(args) => command::backup(&world, &args),
        Command::Restore(args) => command::restore(&world, &args),
        Command::Clone(args) => command::clone(&world, &args),
        Command::Clean(args) => command::clean(&world, &args),
        Command::Host(args) => command::host(&world, &args),
        Command::Gc(args) => command::gc(&world, &args),
        Command::Worker(args) => command::worker(&args),
    }
}

fn stage(kind: crate::plan::Kind) -> crate::plan::Stage {
    crate::plan::Stage::Kind(kind)
}
