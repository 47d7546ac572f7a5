//! A prefix as a folder that can bring it back, tried before it counts.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rattler_conda_types::{Channel, ChannelConfig, RepoDataRecord, Subdir};

use super::{
    ExecError,
    means::{Means, compilers},
    process,
    stated::stated,
    target,
};
use crate::{
    adopt::{self, AdoptOptions, Adopted, Editables},
    archive,
    backup::{self, BackupError, Drill, System, TestRun},
    base::{FsError, Scratch, fs},
    conda::without_secrets,
    export::{self, Contents, Format},
    install, lock,
    pack::{self, PackRequest},
    solve,
    tree::Header,
    unpack::{self, Machine, UnpackRequest, VerifyRequest},
};

/// What to back up, and where to.
#[derive(Debug, Clone, Copy)]
pub struct BackupRequest<'a> {
    /// Any conda prefix.
    pub prefix: &'a Path,
    /// The folder to write; nothing may be there.
    pub folder: &'a Path,
    /// A script that the drill runs in the environment.
    pub test: Option<&'a Path>,
    /// What becomes of editable installs.
    pub editables: Editables,
    /// Folders whose channels are nobody else's: the archive names them without their place.
    pub own: &'a [PathBuf],
}

/// Where a backup is until it is whole.
const INSIDE: &str = "backup";

/// A backup that was made.
#[derive(Debug)]
pub struct Saved {
    /// What came of the drill.
    pub drill: Drill,
    /// The size of the archive in bytes.
    pub bytes: u64,
    /// What a restore will not bring back, as sentences.
    pub warnings: Vec<String>,
}

/// Writes everything that brings a prefix back into a folder, and tries it: the archive is unpacked elsewhere, compared with
/// its digests, and the test is run in the environment. A backup that fails the drill is kept, and says so.
///
/// # Errors
/// When there is something in the folder, or the prefix cannot be read or packed. Nothing is left behind.
pub fn backup(means: &Means<'_>, request: &BackupRequest<'_>) -> Result<Saved, ExecError> {
    let BackupRequest { prefix, folder, test, editables, .. } = *request;
    if fs::list(folder).map_or_else(|_| folder.symlink_metadata().is_ok(), |entries| !entries.is_empty()) {
        return Err(BackupError::Occupied(folder.to_owned()).into());
    }
    fs::require_writable(folder)?;
    let scratch = Scratch::beside(folder)?;
    let inside = scratch.path().join(INSIDE);
    fs::create_dir_all(&inside)?;

    let options = AdoptOptions {
        editables,
        threads: means.threads as usize,
        cancel: means.cancel.clone(),
        ..AdoptOptions::default()
    };
    let adopted = adopt::adopt(prefix, &options)?;
    let contents = export::of_prefix(prefix)?;
    let mut warnings = lists(&contents, &inside)?;
    let unfixable = adopted.report.unfixable.iter();
    warnings.extend(unfixable.map(|it| format!("`{}` names its prefix in a way that cannot be changed", it.file)));
    warnings.extend(
        adopted.report.left_behind.iter().map(|it| format!("`{it}` stays behind: it is not of the environment")),
    );
    records(&adopted, &contents, &inside)?;
    let virtual_packages: Vec<String> = solve::host_virtual_packages()?.iter().map(ToString::to_string).collect();
    let system =
        System::here(contents.platform.as_str(), virtual_packages, compilers(means.environment), contents.channels());
    backup::write_json(&inside.join(backup::SYSTEM), &system)?;
    let archive = inside.join(backup::ARCHIVE);
    pack(means, request, adopted, contents.platform, &archive)?;
    let bytes = fs::size(&archive);
    let drill = drill(means, scratch.path(), contents.platform, test)?;
    backup::write_json(&inside.join(backup::DRILL), &drill)?;
    backup::seal(&inside)?;
    std::fs::rename(&inside, folder).map_err(|error| FsError::new("rename into place", folder, error))?;
    Ok(Saved { drill, bytes, warnings })
}

/// The lists that people and other programs read. Gives what they have no place for.
fn lists(contents: &Contents, folder: &Path) -> Result<Vec<String>, ExecError> {
    let mut warnings = Vec::new();
    for (file, format) in [
        (backup::CONDA_LIST, Format::List),
        (backup::ENVIRONMENT, Format::Environment),
        (backup::ENVIRONMENT_NO_BUILDS, Format::EnvironmentNoBuilds),
        (backup::EXPLICIT, Format::Explicit),
        (backup::SBOM, Format::Sbom),
    ] {
        let export = export::write(contents, format)?;
        fs::write_atomic(&folder.join(file), export.text.as_bytes())?;
        warnings.extend(export.warnings.into_iter().filter(|_| format == Format::Environment));
    }
    let (lines, left_out) = export::requirements(contents);
    let comments = left_out.iter().map(|it| format!("# {it}\n"));
    let text: String = comments.chain(lines.iter().map(|it| format!("{it}\n"))).collect();
    fs::write_atomic(&folder.join(backup::PIP), text.as_bytes())?;
    Ok(warnings)
}

/// The packages' records in the lock's format: what an installation from the channels needs.
fn records(adopted: &Adopted, contents: &Contents, folder: &Path) -> Result<(), ExecError> {
    // What pip has replaced is not among the contents.
    let there =
        |record: &RepoDataRecord| contents.packages.iter().any(|it| it.name == record.package_record.name.as_source());
    let records = adopted.packages.iter().map(|it| it.repodata_record.clone()).filter(there);
    let records = records.map(|mut record| {
        record.url = without_secrets(&record.url);
        record.channel = record.url.join("..").ok().map(Into::into);
        record
    });
    let locked = lock::LockedEnvironment {
        platform: contents.platform,
        channels: contents.channels(),
        virtual_packages: Vec::new(),
        packages: records.collect(),
    };
    Ok(lock::write(&folder.join(backup::LOCK), &BTreeMap::from([(contents.name.clone(), locked)]), &[])?)
}

fn pack(
    means: &Means<'_>,
    request: &BackupRequest<'_>,
    adopted: Adopted,
    platform: Subdir,
    archive: &Path,
) -> Result<(), ExecError> {
    let given = Header::of_environment(request.prefix)?.and_then(|it| it.name);
    let mut stated = stated(&adopted.entries, given.as_deref(), platform, request.own)?;
    stated.needs.unfixable = target::unfixable(request.prefix, &adopted, &stated.needs);
    let needs = stated.needs.to_bytes();
    let variables = adopted.variables(install::variables(request.prefix)?);
    let Adopted { entries, placeholder, platform, .. } = adopted;
    let packed = pack::pack(PackRequest {
        entries,
        placeholder: &placeholder,
        dest_prefix: None,
        foreign: &[],
        own: request.own,
        needs: &needs,
        more: &stated.lists,
        since: None,
        archive,
        format: archive::Format::TarZst,
        arcroot: "",
        split: None,
        level: means.level,
        threads: means.threads,
        name: given.as_deref(),
        platform: &platform,
        variables: &variables,
        progress: means.progress,
        cancel: means.cancel,
    })?;
    drop(packed);
    Ok(())
}

/// Unpacks the archive of the backup in `scratch` aside, compares, and runs the test.
fn drill(means: &Means<'_>, scratch: &Path, platform: Subdir, test: Option<&Path>) -> Result<Drill, ExecError> {
    let (folder, prefix) = (scratch.join(INSIDE), scratch.join("drill"));
    let archive = &folder.join(backup::ARCHIVE);
    let machine = Machine::default();
    let unpacked = unpack::unpack(&UnpackRequest {
        archive,
        prefix: &prefix,
        machine: &machine,
        threads: means.threads,
        progress: means.progress,
        cancel: means.cancel,
    });
    let unpacked = match unpacked {
        Ok(unpacked) => unpacked,
        Err(unpack::UnpackError::Stopped) => return Err(ExecError::Cancelled),
        Err(error) => {
            let problems = vec![super::tell(&error)];
            return Ok(Drill { passed: false, files: 0, problems, test: None });
        }
    };
    let verified = unpack::verify(&VerifyRequest {
        prefix: &prefix,
        threads: means.threads,
        progress: means.progress,
        cancel: means.cancel,
    })?;
    let mut problems = Vec::new();
    for (names, what) in [(&verified.changed, "was changed"), (&verified.missing, "is missing")] {
        problems.extend(names.iter().map(|it| format!("`{}` {what}", String::from_utf8_lossy(it))));
    }
    let test = test.map(|script| run_test(means, script, &prefix, platform, &folder.join(backup::LOG))).transpose()?;
    let passed = problems.is_empty() && test.as_ref().is_none_or(|it| it.passed);
    Ok(Drill { passed, files: unpacked.files, problems, test })
}

/// Runs a script in an activated environment, in the folder of the script.
fn run_test(
    means: &Means<'_>,
    script: &Path,
    prefix: &Path,
    platform: Subdir,
    log: &Path,
) -> Result<TestRun, ExecError> {
    let starts = fs::read(script)?.starts_with(b"#!");
    let executable = starts && script.metadata().is_ok_and(|it| it.permissions().mode() & 0o111 != 0);
    let mut command = if executable { Command::new(script) } else { Command::new("bash") };
    if !executable {
        command.arg("-e").arg(script);
    }
    let mut variables = means.environment.clone();
    // Another Python's settings would reach into this one.
    for name in ["PYTHONHOME", "PYTHONPATH"] {
        variables.remove(name);
    }
    command
        .stdin(Stdio::null())
        .env_clear()
        .envs(install::activation(prefix, platform, &variables)?)
        .current_dir(script.parent().unwrap_or(Path::new("/")));
    let status = process::run(command, log, means.children, means.cancel)?;
    let name = script.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(TestRun { script: name, passed: status.success(), status: status.to_string() })
}

/// Channels by the names or URLs that conda has for them; what is neither is left out.
pub(super) fn channels(names: &[String]) -> Vec<Channel> {
    let config = ChannelConfig::default_with_root_dir("/".into());
    names.iter().filter_map(|it| Channel::from_str(it, &config).ok()).collect()
}
