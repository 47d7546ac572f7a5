//! The packages of an environment as they are, beside an archive of its files: made, and unpacked.

use std::{fs, path::Path, process::Command};

use super::{Contender, data::Data, measure, trees::Trees};
use crate::{arguments::Arguments, table::table};

/// Rows for both; nothing for a prefix without a project, of which no packages are locked.
pub(super) fn rows(arguments: &Arguments, place: &Path, folder: &Path, data: &Data) -> String {
    let Some(locked) = data.locked(place) else { return String::new() };
    let archive = |kind: &str| Some(folder.join(format!("locked.{kind}")));
    let pack = |kind: &'static str| {
        let command = move |goal: &Path| {
            let mut command = locked(&["-q", "pack", "wheels", "--force"]);
            // A bundle compresses nothing, so it takes no level.
            if kind != "bundle" {
                command.args(["--level", "3"]);
            }
            command.arg("-o").arg(goal);
            command
        };
        let label = format!("envbuild pack of what is locked, {kind}");
        Contender { label, command: Box::new(command), archive: archive(kind) }
    };
    let copy = {
        let bundle = archive("bundle").unwrap_or_default();
        let command = move |goal: &Path| {
            let mut command = Command::new("cp");
            command.arg(&bundle).arg(goal);
            command
        };
        Contender { label: "cp of that bundle".to_owned(), command: Box::new(command), archive: archive("copy") }
    };
    let all = [pack("bundle"), pack("tar.zst"), copy];
    let mut text = table(
        &["packing", "best", "median", "memory", "size"],
        &measure(arguments, &all, &mut Trees::below(folder, 0)),
    );
    let unpack = |kind: &'static str| {
        let from = archive(kind).unwrap_or_default();
        let command = move |goal: &Path| {
            let mut command = locked(&["-q", "unpack"]);
            command.arg(&from).arg("-p").arg(goal);
            command
        };
        Contender { label: format!("envbuild unpack of it, {kind}"), command: Box::new(command), archive: None }
    };
    let all = [unpack("bundle"), unpack("tar.zst")];
    let trees = folder.join("trees");
    fs::create_dir(&trees).unwrap();
    let size = fs::metadata(archive("bundle").unwrap_or_default()).map_or(0, |it| it.len()) * 6;
    text += "\n";
    text += &table(
        &["unpacking", "best", "median", "memory", "size"],
        &measure(arguments, &all, &mut Trees::below(&trees, size)),
    );
    format!("What is locked of it, without the wheels:\n\n{text}\n")
}
