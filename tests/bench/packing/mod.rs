//! Packing and unpacking real environments, beside tar, zstd, conda-pack, mksquashfs and cp, in one run.

mod bundle;
mod data;
mod peer;
mod trees;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use data::Data;
use peer::CondaPack;
use trees::Trees;

use super::{
    arguments::Arguments,
    measure::{memory, once},
    program::version,
    table::{megabytes, table},
};

pub(crate) fn run(arguments: &Arguments, place: &Path) -> String {
    let mut text = "## Packing and unpacking\n\n".to_owned();
    let named = arguments.prefix.iter().map(|prefix| Data::of(prefix.clone()));
    let mut all: Vec<Data> = named.collect();
    if all.is_empty() {
        match Data::wheels(place) {
            Ok(data) => all.push(data),
            Err(why) => return text + &format!("Not measured: {why}.\n"),
        }
    }
    let peer = CondaPack::get(place);
    for data in all {
        text += &format!("### {}\n\n", data.describe());
        let folder = place.join("packing");
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        text += &pack(arguments, &folder, &data, peer.as_ref());
        text += &unpack(arguments, &folder, &data, peer.as_ref());
        text += &bundle::rows(arguments, place, &folder, &data);
        fs::remove_dir_all(&folder).unwrap();
    }
    text
}

/// One thing that is measured: what it is called, what runs, and what it leaves.
struct Contender<'a> {
    label: String,
    command: Box<dyn Fn(&Path) -> Command + 'a>,
    /// The archive that it writes; none when it makes a tree.
    archive: Option<PathBuf>,
}

fn shell(script: String) -> Command {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &script]);
    command
}

fn envbuild(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_envbuild"));
    command.arg("-q").args(arguments);
    command
}

fn pack(arguments: &Arguments, folder: &Path, data: &Data, peer: Result<&CondaPack, &String>) -> String {
    let prefix = data.prefix.as_path();
    let (from, cores) = (prefix.display(), data.cores);
    let ours = |format: &'static str, level: &'static str, jobs: u32| {
        let archive = Some(folder.join(format!("ours.{format}")));
        let command = move |goal: &Path| {
            let jobs = jobs.to_string();
            let mut command = envbuild(&["pack", "--level", level, "-j", &jobs, "--force", "-p"]);
            command.arg(prefix).arg("-o").arg(goal);
            if format == "squashfs" {
                command.args(["--dest-prefix", "/opt/environment"]);
            }
            command
        };
        let label = format!("envbuild pack, {format} at level {level}, -j {jobs}");
        Contender { label, command: Box::new(command), archive }
    };
    let mut all = vec![ours("tar.zst", "3", cores), ours("tar.zst", "3", 1)];
    let script = move |goal: &Path| {
        shell(format!("tar -c -C {from:?} . | zstd -q -f -3 -T0 -o {goal:?}", from = from.to_string()))
    };
    let archive = Some(folder.join("tar.tar.zst"));
    all.push(Contender { label: "tar -c | zstd -3 -T0".to_owned(), command: Box::new(script), archive });
    if let Ok(peer) = peer {
        for (label, more, name) in [
            ("its default (tar.gz, one thread)".to_owned(), vec![], "theirs.tar.gz"),
            (format!("tar.zst, -j {cores}"), vec!["-j".to_owned(), cores.to_string()], "theirs.tar.zst"),
        ] {
            let archive = Some(folder.join(name));
            let command = move |goal: &Path| peer.pack(prefix, goal, &more);
            all.push(Contender { label: format!("conda-pack, {label}"), command: Box::new(command), archive });
        }
    }
    if version("mksquashfs", &["-version"]).is_some() {
        all.push(ours("squashfs", "3", cores));
        let archive = Some(folder.join("theirs.squashfs"));
        let command = move |goal: &Path| {
            let mut command = Command::new("mksquashfs");
            command.arg(prefix).arg(goal).args(["-quiet", "-no-progress", "-noappend", "-comp", "zstd"]);
            command.args(["-Xcompression-level", "3"]);
            command
        };
        all.push(Contender { label: "mksquashfs, zstd at level 3".to_owned(), command: Box::new(command), archive });
    }
    let rows = measure(arguments, &all, &mut Trees::below(folder, 0));
    let missing = peer.err().map(|why| format!("\nconda-pack could not be had: {why}.\n")).unwrap_or_default();
    format!("{}{missing}\n", table(&["packing", "best", "median", "memory", "size"], &rows))
}

fn unpack(arguments: &Arguments, folder: &Path, data: &Data, peer: Result<&CondaPack, &String>) -> String {
    let mut all = Vec::new();
    let archives = [folder.join("ours.tar.zst"), folder.join("theirs.tar.gz")];
    for jobs in [data.cores, 1] {
        let archive = archives[0].clone();
        let command = move |goal: &Path| {
            let jobs = jobs.to_string();
            let mut command = envbuild(&["unpack", "-j", &jobs]);
            command.arg(&archive).arg("-p").arg(goal);
            command
        };
        let label = format!("envbuild unpack, tar.zst, every prefix fixed, -j {jobs}");
        all.push(Contender { label, command: Box::new(command), archive: None });
    }
    let scripts = [
        ("cp -a".to_owned(), format!("cp -a {:?}", data.prefix)),
        ("tar -I zstd -x".to_owned(), format!("mkdir $0 && tar -I zstd -xf {:?} -C", archives[0])),
    ];
    let conda_unpack =
        format!("mkdir $0 && tar -xzf {:?} -C $0 && \"$0/bin/python\" \"$0/bin/conda-unpack\" #", archives[1]);
    let conda_unpack = peer.is_ok().then(|| ("tar -xzf + conda-unpack of conda-pack".to_owned(), conda_unpack));
    for (label, script) in scripts.into_iter().chain(conda_unpack) {
        let command = move |goal: &Path| {
            let mut command = shell(format!("{script} \"$0\""));
            command.arg(goal);
            command
        };
        all.push(Contender { label, command: Box::new(command), archive: None });
    }
    let rows = measure(arguments, &all, &mut Trees::below(folder, data.bytes));
    format!("{}\n", table(&["unpacking", "best", "median", "memory", "size"], &rows))
}

/// Runs everything in turn, so that a busy moment of the machine hits all alike; the first round is not counted. An
/// archive is written over the one before.
fn measure(arguments: &Arguments, all: &[Contender<'_>], trees: &mut Trees) -> Vec<Vec<String>> {
    let mut goal = |contender: &Contender<'_>| contender.archive.clone().unwrap_or_else(|| trees.next());
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); all.len()];
    for round in 0..=arguments.repeat.clamp(1, 5) {
        for (contender, times) in all.iter().zip(&mut times) {
            // What others have written must not go to the disk meanwhile.
            once(Command::new("sync"));
            let took = once((contender.command)(&goal(contender)));
            if round > 0 {
                times.push(took);
            }
        }
    }
    let row = |(contender, mut times): (&Contender<'_>, Vec<Duration>)| {
        times.sort();
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        // A pipe's memory is that of several processes, of which only the first is seen.
        let one = contender.label.starts_with("envbuild") || contender.label.starts_with("conda-pack");
        let held = if one { megabytes(memory((contender.command)(&goal(contender)))) } else { String::new() };
        let size = contender.archive.as_ref().and_then(|it| fs::metadata(it).ok()).map(|it| megabytes(it.len()));
        let (best, median) = (seconds(times[0]), seconds(times[times.len() / 2]));
        vec![contender.label.clone(), best, median, held, size.unwrap_or_default()]
    };
    all.iter().zip(times).map(row).collect()
}
