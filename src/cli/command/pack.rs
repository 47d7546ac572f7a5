//! `pack`: environments of the project, or a prefix that lies anywhere.

use std::path::{Path, PathBuf};

use super::{World, run_stage};
use crate::{
    adopt::{self, AdoptOptions, Adopted, Compiled, Editables, Filters},
    archive,
    base::{Cancel, Progress, within},
    cli::{
        Exit,
        args::Format,
        outside::require_outside,
        pack_args::PackArgs,
        project::{UsageError, jobs},
        signals, ui,
    },
    exec::{self, Children, Machine},
    install,
    manifest::is_dest_prefix,
    needs::Unfixable,
    pack::{self, PackRequest},
    plan::{Kind, Stage},
    tree::Header,
    unpack,
};

pub(in crate::cli) fn pack(world: &World, args: PackArgs) -> miette::Result<Exit> {
    match &args.prefix {
        Some(prefix) => of_prefix(world, &args, prefix),
        None => run_stage(world, args.run, Stage::Kind(Kind::Pack)),
    }
}

/// Packs a prefix that anybody may have made.
fn of_prefix(world: &World, args: &PackArgs, prefix: &Path) -> miette::Result<Exit> {
    let prefix = world.path(prefix);
    let prefix = std::path::absolute(&prefix).unwrap_or(prefix);
    let cancel = Cancel::new();
    signals::watch(cancel.clone(), Children::default(), || {});
    let machine = Machine::probe();
    let threads = jobs(&args.run.how, &machine);
    let editables = match (args.ignore_editable, args.include_editable) {
        (true, _) => Editables::LeaveOut,
        (_, true) => Editables::Include,
        _ => Editables::Refuse,
    };
    let options = AdoptOptions {
        filters: Filters::new(&args.filters.0)?,
        editables,
        compiled: if args.short_prefix { Compiled::Limit } else { Compiled::Keep },
        threads: threads as usize,
        cancel: cancel.clone(),
    };
    // What was named is looked at before all files are.
    let named = args.output.as_ref().map(|file| Goal::at(world.path(file), args)).transpose()?;
    if let Some(goal) = &named {
        require_outside(&prefix, &goal.file)?;
    }
    let mut adopted = adopt::adopt(&prefix, &options)?;
    let usual = || world.path(format!("{}-{}.tar.zst", adopted.name, adopted.platform).as_ref());
    let goal = named.map_or_else(|| Goal::at(usual(), args), Ok)?;
    require_outside(&prefix, &goal.file)?;
    let variables = adopted.variables(install::variables(&prefix)?);
    let given = Header::of_environment(&prefix)?.and_then(|it| it.name);
    let platform = adopted.platform.parse().map_err(|error| miette::miette!("{error}"))?;
    let stated = within(threads as usize, || exec::stated(&adopted.entries, given.as_deref(), platform))?;
    if let Some(word) = &args.target {
        super::target::require(world, word, &adopted.name, &stated.needs, &unfixable(&adopted))?;
    }
    let since = args.since.as_ref().map(|old| unpack::digests_of(&world.path(old))).transpose()?;
    let bar = ui::Bar::new("packing", &world.global);
    let progress = |done, total| bar.at(done, total);
    let packed = pack::pack(PackRequest {
        entries: std::mem::take(&mut adopted.entries),
        placeholder: &adopted.placeholder,
        dest_prefix: args.dest_prefix.as_deref(),
        foreign: &[],
        needs: &stated.needs.to_bytes(),
        more: &stated.lists,
        since: since.as_ref(),
        archive: &goal.file,
        format: goal.format,
        arcroot: &args.arcroot,
        split: args.split,
        level: goal.level,
        threads,
        name: given.as_deref(),
        platform: &adopted.platform,
        variables: &variables,
        progress: Progress::to(&progress),
        cancel: &cancel,
    });
    bar.close();
    let packed = packed?;
    ui::adopted_text(&adopted, &goal.file, &packed, &world.global);
    if args.run.format == Format::Json {
        ui::adopted_json(&adopted, &goal.file, &packed)?;
    }
    Ok(Exit::Success)
}

/// What names the prefix in a way that nobody can change.
fn unfixable(adopted: &Adopted) -> Vec<Unfixable> {
    let one = |it: &adopt::Unfixable| {
        let why = match it.room {
            0 => "in a format that allows no other".to_owned(),
            room => format!("with room for {room} bytes"),
        };
        Unfixable { file: it.file.clone(), package: it.package.clone(), why }
    };
    adopted.report.unfixable.iter().map(one).collect()
}

/// Where an archive goes, and how.
struct Goal {
    file: PathBuf,
    format: archive::Format,
    level: Option<i32>,
}

impl Goal {
    /// A file, whose ending says the format.
    fn at(file: PathBuf, args: &PackArgs) -> Result<Self, UsageError> {
        let of_name = |it: &std::ffi::OsStr| archive::Format::of_file_name(&it.to_string_lossy());
        let is_folder = file.as_os_str().as_encoded_bytes().ends_with(b"/");
        let format = if is_folder { Some(archive::Format::Folder) } else { file.file_name().and_then(of_name) };
        let Some(format) = format else { return Err(UsageError::Ending(file)) };
        if !args.force && file.symlink_metadata().is_ok() {
            return Err(UsageError::Exists(file));
        }
        match &args.dest_prefix {
            None if format == archive::Format::Squashfs => return Err(UsageError::Mounted),
            Some(prefix) if !is_dest_prefix(prefix) => return Err(UsageError::DestPrefix(prefix.clone())),
            _ => {}
        }
        if let Some(level) = args.level
            && !format.levels().is_some_and(|it| it.contains(&level))
        {
            let levels = format.levels().map(|it| format!("{} to {}", it.start(), it.end()));
            return Err(UsageError::Level {
                level,
                format: format.name(),
                levels: levels.unwrap_or("none".to_owned()),
            });
        }
        let as_usual = matches!(format, archive::Format::TarZst | archive::Format::SelfExtracting);
        let usual = as_usual.then_some(crate::cli::project::PACK_LEVEL);
        Ok(Self { file, format, level: args.level.or(usual) })
    }
}
