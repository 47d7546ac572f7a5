//! What a host-bound package is linked with, seen when the library has relinked and packaged its files: which libraries of
//! the host it will load, whether it may, and under which tag its run paths stand.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use rattler_build::metadata::Output;
use rattler_build_types::glob::GlobVec;
use rattler_conda_types::{PackageName, PrefixRecord, package::PathsJson};

use super::{BuildError, BuildJob, TIMESTAMP};
use crate::{
    base::FsError,
    conda::{self, Amendment},
    elf::{self, RunPathKind},
    ledger::{self, HostLibrary, Ledger, Made, Module, Need, is_c_library},
};

/// Whether a package's libraries are looked at.
fn is_concerned(job: &BuildJob, output: &Output) -> bool {
    job.host_bound && output.target_platform().is_linux()
}

/// Takes from the recipe which libraries a package may need that nothing provides, and lets the library find no fault: it
/// would tell one of them, and fail before the others are looked at.
pub(super) fn take_allowed(job: &BuildJob, output: &mut Output) -> GlobVec {
    if !is_concerned(job, output) {
        return GlobVec::default();
    }
    let linking = &mut output.recipe.build.dynamic_linking;
    linking.overlinking_behavior = Default::default();
    std::mem::replace(&mut linking.missing_dso_allowlist, GlobVec::from_vec(vec!["**"], None))
}

/// Looks at what was packaged, refuses what it may not be linked with, and writes the archive anew: with the run paths
/// under the tag that the job asks for, and with the ledger.
pub(super) fn finish(
    job: &BuildJob,
    output: &Output,
    (archive, paths): (&Path, &PathsJson),
    allowed: &GlobVec,
) -> Result<Vec<HostLibrary>, BuildError> {
    if !is_concerned(job, output) {
        return Ok(Vec::new());
    }
    let mut own = paths.paths.iter().map(|it| it.relative_path.as_path());
    if let Some(path) = own.find(|it| it.starts_with(ledger::FOLDER)) {
        let (package, path) = (job.output.clone(), path.display().to_string());
        return Err(BuildError::OwnLedger { package, path });
    }
    let prefix = output.prefix();
    let mut amendment = Amendment { time: TIMESTAMP.unsigned_abs(), ..Amendment::default() };
    let files = lay_out(job, output, archive, &mut amendment)?;
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let modules: Vec<Module<'_>> =
        job.loaded.iter().map(|it| Module { name: &it.name, folders: &it.folders }).collect();
    let library_path = job.environment.get("LD_LIBRARY_PATH").map(String::as_str);
    let request = ledger::Request { prefix, files: &files, library_path, modules: &modules };
    let Made { libraries, needs } = ledger::make(&request)?;
    let offenders = offenders(output, &needs, paths, allowed)?;
    if !offenders.is_empty() {
        let folder = output.build_configuration.directories.build_dir.clone();
        return Err(BuildError::Overlinking { package: job.output.clone(), offenders, folder });
    }
    let package = output.name().as_normalized().to_owned();
    let path = PathBuf::from(Ledger::path_of(&package));
    let ledger = Ledger { package, version: output.version().to_string(), libraries };
    amendment.added.insert(path, ledger.to_bytes());
    conda::amend(archive, &amendment)?;
    Ok(ledger.libraries)
}

/// Puts the packaged programs and libraries in the place of those that were built, where everything else that the loader
/// looks at is, and gives their paths in the prefix.
fn lay_out(
    job: &BuildJob,
    output: &Output,
    archive: &Path,
    amendment: &mut Amendment,
) -> Result<Vec<PathBuf>, BuildError> {
    let prefix = output.prefix();
    let mut files = Vec::new();
    conda::each_file(archive, |path, bytes| {
        let mut start = Vec::new();
        bytes.take(4).read_to_end(&mut start)?;
        if start != b"\x7fELF" {
            return Ok(());
        }
        let place = prefix.join(path);
        let before = elf::linkage(&place).ok().and_then(|it| it.run_path);
        // A file that is made anew, because the one that is there may be the package cache's too.
        match std::fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(place.parent().unwrap_or(prefix))?;
        io::copy(&mut start.as_slice().chain(bytes), &mut File::create_new(&place)?)?;
        if let Some((before, _)) = before {
            let after = elf::linkage(&place).ok().and_then(|it| it.run_path).map(|it| it.0).unwrap_or_default();
            tell_removed(output, path, &before, &after);
        }
        files.push(path.to_owned());
        Ok(())
    })?;
    files.retain(|it| elf::linkage(&prefix.join(it)).is_ok());
    if job.rpath_kind == RunPathKind::Runpath {
        for file in &files {
            let place = prefix.join(file);
            let changed = elf::set_run_path_kind(&place, RunPathKind::Runpath);
            let changed = changed.map_err(|error| FsError::new("change", &place, io::Error::other(error)))?;
            if changed {
                amendment.replaced.insert(file.clone(), place);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Says which run paths did not get into the package, because they lead out of the prefix and are not allowed.
fn tell_removed(output: &Output, file: &Path, before: &str, after: &str) {
    let kept: BTreeSet<&str> = after.split(':').collect();
    let prefix = output.prefix();
    for folder in before.split(':').filter(|it| !it.is_empty() && !kept.contains(it)) {
        if !Path::new(folder).starts_with(prefix) {
            let file = file.display();
            warn(
                output,
                &format!("the run path `{folder}` was removed from `{file}`: `[host] rpaths` does not allow it"),
            );
        }
    }
}

/// Into the log, and into what the build hands back.
fn warn(output: &Output, warning: &str) {
    tracing::warn!("{warning}");
    output.record_warning(warning);
}

/// The libraries that the package may not need, each with the files that do.
fn offenders(output: &Output, needs: &[Need], paths: &PathsJson, allowed: &GlobVec) -> Result<Vec<String>, BuildError> {
    let prefix = output.prefix();
    let records: Vec<PrefixRecord> = PrefixRecord::collect_from_prefix(prefix)
        .map_err(|error| FsError::new("read the records of", prefix, io::Error::other(error)))?;
    let owners: BTreeMap<&Path, &PackageName> =
        records.iter().flat_map(|it| it.files.iter().map(|file| (file.as_path(), name_of(it)))).collect();
    let run = output.finalized_dependencies.iter().flat_map(|it| &it.run.depends);
    let run = with_dependencies(run.filter_map(|it| it.spec().name.as_exact().cloned()).collect(), &records);
    let own: BTreeSet<&Path> = paths.paths.iter().map(|it| it.relative_path.as_path()).collect();
    let has_own = |name: &str| own.iter().any(|it| it.file_name().is_some_and(|it| it == name));
    let staged = |path: &Path| {
        let package = output.staging_library_name_map.as_ref()?.find_package(path)?;
        run.contains(&package).then_some(())
    };
    // What a staging output left in the prefix is packaged by several outputs, which are not installed here.
    let is_output = |it: &PackageName| it != output.name() && output.build_configuration.subpackages.contains_key(it);
    let by_sibling = !output.recipe.staging_caches.is_empty() && run.iter().any(is_output);
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Need { file, name, found: place } in needs {
        let inside = place.as_deref().and_then(|it| it.strip_prefix(prefix).ok());
        let why = match (place, inside) {
            (_, Some(inside)) if own.contains(inside) => continue,
            (_, Some(inside)) => match owners.get(inside) {
                Some(owner) if run.contains(*owner) => continue,
                Some(owner) => format!("{name} of the package {}, which it does not require", owner.as_normalized()),
                None if by_sibling => continue,
                None => format!("{name}, which is in no package"),
            },
            _ if is_c_library(name) || has_own(name) || staged(Path::new(name)).is_some() => continue,
            (Some(outside), None) => format!("{name}, which is the host's {}", outside.display()),
            (None, None) => format!("{name}, which is nowhere"),
        };
        let is_allowed = allowed.is_match(Path::new(name))
            || place.as_deref().is_some_and(|it| allowed.is_match(inside.unwrap_or(it)));
        if !is_allowed {
            found.entry(why).or_default().push(file.display().to_string());
        } else if place.is_none() {
            warn(output, &format!("`{}` needs {name}, and the loader does not find it", file.display()));
        }
    }
    Ok(found.into_iter().map(|(why, files)| format!("{why}: {}", files.join(", "))).collect())
}

/// Packages with all that they need to run, which are installed with them.
fn with_dependencies(names: BTreeSet<PackageName>, records: &[PrefixRecord]) -> BTreeSet<PackageName> {
    let mut open: Vec<PackageName> = names.into_iter().collect();
    let mut all = BTreeSet::new();
    while let Some(name) = open.pop() {
        if all.insert(name.clone()) {
            let record = records.iter().find(|it| *name_of(it) == name);
            let needs = record.iter().flat_map(|it| &it.repodata_record.package_record.depends);
            open.extend(needs.filter_map(|it| it.split_whitespace().next()?.parse().ok()));
        }
    }
    all
}

fn name_of(record: &PrefixRecord) -> &PackageName {
    &record.repodata_record.package_record.name
}
