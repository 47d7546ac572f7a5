//! Which processes use a folder: they work in it, or run something from it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// A process that uses a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub process: u32,
    /// Its name.
    pub name: String,
}

/// For each of these folders that a process uses, one such process: its current folder is there, or a file from there is
/// its program or is mapped, as libraries are. Processes of other users cannot be looked at and count as none. A folder
/// that is not there is used by nobody.
pub fn users_of(folders: &[PathBuf]) -> BTreeMap<PathBuf, User> {
    // The kernel names places without links in them.
    let real: Vec<(PathBuf, &PathBuf)> = folders.iter().filter_map(|it| Some((it.canonicalize().ok()?, it))).collect();
    let mut users = BTreeMap::new();
    if real.is_empty() {
        return users;
    }
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else { continue };
        let places = places_of(&entry.path());
        for (real, folder) in &real {
            if places.iter().any(|it| it.starts_with(real)) {
                let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default().trim().to_owned();
                users.entry((*folder).clone()).or_insert(User { process, name });
            }
        }
    }
    users
}

/// Whether a file or folder belongs to the user who runs this program. What a link leads to does not matter.
pub fn is_mine(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|it| it.uid() == rustix::process::geteuid().as_raw())
}

/// Where a process works and what it has mapped (proc_pid_maps(5)); a file that was deleted under it keeps its path.
fn places_of(process: &Path) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        ["cwd", "exe", "root"].iter().filter_map(|it| fs::read_link(process.join(it)).ok()).collect();
    let maps = fs::read(process.join("maps")).unwrap_or_default();
    let maps = String::from_utf8_lossy(&maps);
    let mapped = maps.lines().filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])));
    places.extend(mapped);
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use std::{fs, io::ErrorKind, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

    use super::users_of;

    #[test]
    fn a_folder_is_used_by_who_works_in_it_or_runs_from_it_and_by_nobody_else() {
        let room = tempfile::tempdir().unwrap();
        let [work, program, idle] = ["work", "program", "work-2"].map(|it| room.path().join(it));
        for folder in [&work, &program, &idle] {
            fs::create_dir(folder).unwrap();
        }
        let link = room.path().join("link");
        std::os::unix::fs::symlink(&program, &link).unwrap();
        let sleep = ["/bin/sleep", "/usr/bin/sleep"].into_iter().map(Path::new).find(|it| it.exists()).unwrap();
        // A real program of ours: what is linked may be a program of many names.
        fs::copy(sleep, program.join("sleep")).unwrap();
        fs::set_permissions(program.join("sleep"), fs::Permissions::from_mode(0o755)).unwrap();
        let folders = [work.clone(), link.clone(), idle.clone(), room.path().join("none")];
        assert!(users_of(&folders).is_empty());

        let mut working = Command::new(sleep).arg("1000").current_dir(&work).spawn().unwrap();
        // For a moment, what another test starts may hold the copy open for writing.
        let start = || Command::new(program.join("sleep")).arg("1000").spawn();
        let is_busy =
            |it: &std::io::Result<_>| matches!(it, Err(error) if error.kind() == ErrorKind::ExecutableFileBusy);
        let mut running = std::iter::repeat_with(start).take(10_000).find(|it| !is_busy(it)).unwrap().unwrap();
        let used = users_of(&folders);
        let by: Vec<_> = used.iter().map(|(folder, user)| (folder.clone(), user.process)).collect();
        for child in [&mut working, &mut running] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(by, [(link, running.id()), (work, working.id())]);
        assert!(users_of(&folders).is_empty());
    }
}
