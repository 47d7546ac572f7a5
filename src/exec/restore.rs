//! Brings a backed-up prefix back, in the best way that the machine allows.

use std::{
    fmt,
    path::Path,
    process::{Command, Stdio},
};

use rattler_conda_types::{Channel, EnvironmentYaml, MatchSpec, MatchSpecOrSubSection, RepoDataRecord, Subdir};

use super::{
    ExecError,
    backup::channels,
    means::{Means, compilers},
    process, target,
};
use crate::{
    backup::{self, BackupError, Difference, System, differences},
    base::{Scratch, fs},
    install::{self, InstallRequest},
    lock,
    needs::{Kind, Needs, violations},
    solve::{self, SolveRequest},
    tree,
    unpack::{self, Machine, UnpackRequest},
};

/// How a prefix can come back, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The archive: the same files.
    Pack,
    /// The same packages from their channels.
    Explicit,
    /// Whatever satisfies the environment file.
    Environment,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pack => "the archive",
            Self::Explicit => "the same packages",
            Self::Environment => "environment.yml",
        })
    }
}

/// A prefix that came back.
#[derive(Debug)]
pub struct Restored {
    /// How.
    pub way: Way,
    /// Why better ways were not taken, as sentences.
    pub refused: Vec<String>,
    /// Where this system is not as the other was.
    pub differences: Vec<Difference>,
    /// What is not as it was, as sentences.
    pub warnings: Vec<String>,
}

/// Brings a prefix back. `only` forbids all other ways.
///
/// # Errors
/// When the backup is damaged, there is something at the prefix, or no way leads there: the error tells why not each.
pub fn restore(means: &Means<'_>, folder: &Path, prefix: &Path, only: Option<Way>) -> Result<Restored, ExecError> {
    backup::verify(folder)?;
    let then = backup::read_system(folder)?;
    if fs::list(prefix).map_or_else(|_| prefix.symlink_metadata().is_ok(), |entries| !entries.is_empty()) {
        return Err(BackupError::Occupied(prefix.to_owned()).into());
    }
    // Else each way would fail for this, the last after a solve.
    fs::require_writable(prefix)?;
    let here = Subdir::current().ok_or(ExecError::NoPlatform)?;
    let virtual_packages = solve::host_virtual_packages()?;
    let told: Vec<String> = virtual_packages.iter().map(ToString::to_string).collect();
    let now = System::here(here.as_str(), told, compilers(means.environment), then.channels.clone());
    let base = channels(&then.channels);
    let silent = solve::unreachable(means.rt, &base, here, means.cache, means.network);
    let silent: Vec<(String, String)> =
        silent.into_iter().filter_map(|(place, why)| Some((then.channels.get(place)?.clone(), why))).collect();
    let mut differences = differences(&then, &now, &silent);
    let attempt = Attempt { means, folder, prefix, here, then: &then, now: &now, base: &base, silent: &silent };
    let mut refused = Vec::new();
    for way in [Way::Pack, Way::Explicit, Way::Environment] {
        if only.is_some_and(|it| it != way) {
            continue;
        }
        let tried = match way {
            Way::Pack => attempt.by_pack(),
            Way::Explicit => attempt.by_packages(),
            Way::Environment => attempt.by_environment(&virtual_packages),
        };
        match tried {
            Ok(warnings) => {
                let refused = once(&refused, &mut differences);
                return Ok(Restored { way, refused, differences, warnings });
            }
            Err(ExecError::Cancelled) => return Err(ExecError::Cancelled),
            Err(error) => refused.push((way, super::tell(&error))),
        }
    }
    let refused = once(&refused, &mut differences);
    let differences = differences.iter().map(ToString::to_string).collect();
    Err(ExecError::NoWay { folder: folder.to_owned(), refused, differences })
}

/// Why ways were not taken, each reason once: together for all ways that it bars, and then no longer among the differences.
fn once(refused: &[(Way, String)], differences: &mut Vec<Difference>) -> Vec<String> {
    differences.retain(|it| !refused.iter().any(|(_, why)| why.contains(&it.to_string())));
    let mut told: Vec<(Vec<String>, &String)> = Vec::new();
    for (way, why) in refused {
        match told.iter_mut().find(|(_, it)| *it == why) {
            Some((ways, _)) => ways.push(way.to_string()),
            None => told.push((vec![way.to_string()], why)),
        }
    }
    told.iter().map(|(ways, why)| format!("not by {}: {why}", ways.join(" nor by "))).collect()
}

struct Attempt<'a> {
    means: &'a Means<'a>,
    folder: &'a Path,
    prefix: &'a Path,
    here: Subdir,
    then: &'a System,
    now: &'a System,
    base: &'a [Channel],
    silent: &'a [(String, String)],
}

impl Attempt<'_> {
    fn by_pack(&self) -> Result<Vec<String>, ExecError> {
        let archive = self.folder.join(backup::ARCHIVE);
        let mut hindered = Vec::new();
        let mut warnings = Vec::new();
        let needs = unpack::files_that(&archive, &|name| name == tree::NEEDS)?;
        match needs.first().map(|(_, bytes)| Needs::parse(bytes)).transpose()? {
            Some(needs) if needs.format > 0 => {
                let library_path = self.means.environment.get("LD_LIBRARY_PATH").map(String::as_str);
                let machine = target::this_machine(self.here, library_path, &needs)?;
                for violation in violations(&needs, &machine) {
                    let told = violation.to_string();
                    match violation.kind {
                        Kind::Platform | Kind::Glibc | Kind::Cpu => hindered.push(told),
                        // They may have been missing where the backup was made, too.
                        _ => warnings.push(told),
                    }
                }
            }
            _ if self.now.can_stand_for(self.then) => {}
            _ => hindered.push("this system's architecture or C library is not as it was".to_owned()),
        }
        if !hindered.is_empty() {
            return Err(ExecError::Hindered { reasons: hindered });
        }
        unpack::unpack(&UnpackRequest {
            archive: &archive,
            prefix: self.prefix,
            machine: &Machine::default(),
            threads: self.means.threads,
            progress: self.means.progress,
            cancel: self.means.cancel,
        })?;
        Ok(warnings)
    }

    fn by_packages(&self) -> Result<Vec<String>, ExecError> {
        let locked = lock::read(&self.folder.join(backup::LOCK))?;
        let locked = locked.into_values().next().ok_or(BackupError::NotABackup {
            folder: self.folder.to_owned(),
            reason: format!("{} is empty", backup::LOCK),
        })?;
        if locked.platform != self.here {
            let reason = format!("the packages are for {}, and this is {}", locked.platform, self.here);
            return Err(ExecError::Hindered { reasons: vec![reason] });
        }
        self.require_channels()?;
        install::verify(&locked.packages, self.folder)?;
        self.install(&locked.packages, &[])
    }

    fn by_environment(
        &self,
        virtual_packages: &[rattler_conda_types::GenericVirtualPackage],
    ) -> Result<Vec<String>, ExecError> {
        self.require_channels()?;
        let mut tried = Ok(Vec::new());
        // The same builds, when there are any; else the same versions.
        for file in [backup::ENVIRONMENT, backup::ENVIRONMENT_NO_BUILDS] {
            let path = self.folder.join(file);
            let specs = specs(&path)?;
            let solved = solve::solve(
                self.means.rt,
                &SolveRequest {
                    platform: self.here,
                    specs: &specs,
                    channels: self.base,
                    local: &[],
                    virtual_packages,
                    locked: &[],
                    cache: self.means.cache,
                    network: self.means.network,
                },
            );
            match solved {
                Ok(records) => return self.install(&records, &specs),
                Err(error) => tried = Err(error.into()),
            }
        }
        tried
    }

    fn require_channels(&self) -> Result<(), ExecError> {
        let reasons: Vec<String> = self
            .silent
            .iter()
            .map(|(channel, why)| format!("the channel `{channel}` cannot be reached: {why}"))
            .collect();
        if reasons.is_empty() { Ok(()) } else { Err(ExecError::Hindered { reasons }) }
    }

    /// Installs conda packages, and with pip what pip had brought. What fails leaves no prefix.
    fn install(&self, records: &[RepoDataRecord], specs: &[MatchSpec]) -> Result<Vec<String>, ExecError> {
        let installed = install::install(
            self.means.rt,
            &InstallRequest {
                prefix: self.prefix,
                target_prefix: None,
                platform: self.here,
                records,
                specs,
                cache: &self.means.packages(),
                interpreter: None,
                network: self.means.network,
            },
        );
        let done = installed.map_err(ExecError::from).and_then(|_| self.pip());
        if done.is_err() {
            fs::remove_dir_all(self.prefix)?;
        }
        done
    }

    fn pip(&self) -> Result<Vec<String>, ExecError> {
        let requirements = self.folder.join(backup::PIP);
        let text = fs::read_text(&requirements)?;
        let warnings: Vec<String> = text.lines().filter_map(|it| it.strip_prefix("# ")).map(str::to_owned).collect();
        if !text.lines().any(|it| !it.starts_with('#')) {
            return Ok(warnings);
        }
        let scratch = Scratch::new()?;
        let log = scratch.path().join("pip.log");
        let mut command = Command::new(self.prefix.join("bin/python"));
        command
            .args(["-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "-r"])
            .arg(&requirements)
            .stdin(Stdio::null())
            .env_clear()
            .envs(install::activation(self.prefix, self.here, self.means.environment)?);
        let status = process::run(command, &log, self.means.children, self.means.cancel)?;
        if !status.success() {
            let log = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
            let lines: Vec<&str> = log.lines().rev().filter(|it| it.starts_with("ERROR")).collect();
            let why = if lines.is_empty() { log.clone() } else { lines.join("\n") };
            return Err(ExecError::Pip { status: status.to_string(), why });
        }
        Ok(warnings)
    }
}

/// The conda packages that an environment file asks for.
fn specs(path: &Path) -> Result<Vec<MatchSpec>, ExecError> {
    let bad = |why: String| ExecError::Protocol { path: path.to_owned(), why };
    let yaml = EnvironmentYaml::from_path(path).map_err(|error| bad(error.to_string()))?;
    Ok(yaml
        .dependencies
        .into_iter()
        .filter_map(|it| match it {
            MatchSpecOrSubSection::MatchSpec(spec) => Some(*spec),
            MatchSpecOrSubSection::SubSection(..) => None,
        })
        .collect())
}
