//! What the numbers were measured on.

use std::{fs, path::Path};

use super::program::version;

/// One line on the processor, the memory, the kernel, the file system and the versions of what is compared.
pub(crate) fn describe(place: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|it| it.split(' ').next()?.parse::<u64>().ok());
    let gibibytes = memory.unwrap_or_default().div_ceil(1024 * 1024);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let profile = if cfg!(debug_assertions) { "not optimised" } else { "optimised" };
    let mut text = format!(
        "{processor}, {cores} processors, {gibibytes} GiB, Linux {}, {}; envbuild {} ({profile})",
        kernel.trim(),
        file_system(place).unwrap_or_else(|| "unknown file system".to_owned()),
        env!("CARGO_PKG_VERSION"),
    );
    for (name, program) in [("ninja", "ninja"), ("", "make")] {
        if let Some(version) = version(program, &["--version"]) {
            text += &format!(", {}", format!("{name} {version}").trim());
        }
    }
    text
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|it| it.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The type of the file system that a folder is on: the longest mount point that leads to it.
fn file_system(place: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let above = fields.filter(|it| it.len() > 2 && place.starts_with(it[1]));
    above.max_by_key(|it| it[1].len()).map(|it| it[2].to_owned())
}
