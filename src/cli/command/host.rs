//! `host`: what the host provides, and what a change of it makes stale.

use super::{World, plan::planned};
use crate::{
    base::Cancel,
    cli::{
        Exit,
        args::{Format, HostArgs},
        signals, ui,
    },
    exec::{self, Children, require_host},
    host::Saved,
};

pub(in crate::cli) fn host(world: &World, args: &HostArgs) -> miette::Result<Exit> {
    let (cancel, children) = (Cancel::new(), Children::default());
    signals::watch(cancel.clone(), children.clone(), || {});
    let earlier = args.against.as_deref().map(Saved::read).transpose()?;
    let context = planned(world, &[])?.stopped_by(cancel, children).probing_anew();
    require_host(&context)?;
    let saved = exec::saved(&context).map_err(exec::ExecError::from)?;
    let staleness = match &earlier {
        Some(earlier) => exec::since_saved(&context, earlier)?,
        None => exec::since_built(&context)?,
    };
    if let Some(file) = &args.save {
        saved.write(file)?;
    }
    let report =
        ui::HostReport { context: &context, saved: &saved, staleness: &staleness, is_saved: earlier.is_some() };
    match args.format {
        Format::Text => ui::host_text(&report)?,
        Format::Json => ui::host_json(&report)?,
    }
    Ok(Exit::Success)
}
