//! A prefix that anybody may have made.

use std::path::Path;

use super::{
    super::{World, target},
    digests,
    goal::{Goal, require_kept},
};
use crate::{
    adopt::{self, AdoptOptions, Compiled, Editables, Filters},
    base::{Cancel, Progress, fs, within},
    cli::{
        Exit,
        args::Format,
        kinds::{ENVIRONMENT, require_folder},
        outside::require_outside,
        pack_args::PackArgs,
        project::{UsageError, jobs, own_places},
        signals, ui,
    },
    exec::{self, Children, Machine, PackAs},
    install,
    pack::{self, PackRequest},
    tree::Header,
};

/// Packs a prefix that anybody may have made.
pub(super) fn pack(world: &World, args: &PackArgs, prefix: &Path) -> miette::Result<Exit> {
    let prefix = world.path(prefix);
    let prefix = std::path::absolute(&prefix).unwrap_or(prefix);
    require_folder(&prefix, "pack -p", ENVIRONMENT)?;
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
    let goal = match &args.output {
        Some(file) => Goal::at(world, world.path(file), args)?,
        None => Goal::unnamed(args)?,
    };
    let PackAs::Archive(format) = goal.format else { return Err(UsageError::NotLocked.into()) };
    goal.require_place(args.dest_prefix.as_deref())?;
    if let Some(file) = &goal.file {
        require_outside(&prefix, file)?;
    }
    // Without a name it goes into the current folder.
    fs::require_writable(goal.file.as_ref().unwrap_or(&world.path("archive".as_ref())))?;
    if let Some(word) = &args.target {
        target::meant(world, word)?;
    }
    let since = args.since.as_ref().map(|old| digests(&world.path(old))).transpose()?;
    let mut adopted = adopt::adopt(&prefix, &options)?;
    let variables = adopted.variables(install::variables(&prefix)?);
    let given = Header::of_environment(&prefix)?.and_then(|it| it.name);
    let platform = adopted.platform.parse().map_err(|error| miette::miette!("{error}"))?;
    let own = own_places(&world.global, &prefix);
    let mut stated = within(threads as usize, || exec::stated(&adopted.entries, given.as_deref(), platform, &own))?;
    stated.needs.unfixable = exec::unfixable(&prefix, &adopted, &stated.needs);
    if let Some(word) = &args.target {
        target::require(world, word, &adopted.name, &stated.needs)?;
    }
    let needs = stated.needs.to_bytes();
    let bar = ui::Bar::new("packing", &world.global);
    let progress = |done, total| bar.at(done, total);
    let mut request = PackRequest {
        entries: std::mem::take(&mut adopted.entries),
        placeholder: &adopted.placeholder,
        dest_prefix: args.dest_prefix.as_deref(),
        foreign: &[],
        own: &own,
        needs: &needs,
        more: &stated.lists,
        since: since.as_ref(),
        archive: Path::new(""),
        format,
        arcroot: &args.arcroot,
        split: args.split,
        level: goal.level,
        threads,
        name: given.as_deref(),
        platform: &adopted.platform,
        variables: &variables,
        progress: Progress::to(&progress),
        cancel: &cancel,
    };
    let packed = pack::prepare(&mut request).map_err(miette::Report::from).and_then(|prepared| {
        let file = match (goal.file, request.since) {
            (Some(file), _) => file,
            (None, Some(old)) => {
                world.path(pack::update_name(&adopted.name, &adopted.platform, old, &prepared.tree()).as_ref())
            }
            (None, None) => {
                let file = format!("{}-{}.tar.zst", adopted.name, adopted.platform);
                Goal::at(world, world.path(file.as_ref()), args)?.file.unwrap_or_default()
            }
        };
        require_outside(&prefix, &file)?;
        require_kept(&file, world, args)?;
        let packed = prepared.write(&PackRequest { archive: &file, ..request.clone() })?;
        Ok((file, packed))
    });
    bar.close();
    let (file, packed) = packed?;
    ui::adopted_text(&adopted, &file, &packed, &world.global);
    if args.run.format == Format::Json {
        ui::adopted_json(&adopted, &file, &packed)?;
    }
    Ok(Exit::Success)
}
