//! Whether a locked environment is still what the project asks for, without asking a solver.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use rattler_conda_types::{MatchSpec, Matches as _, PackageName, ParseStrictness, RepoDataRecord};

use super::{Demand, LockedEnvironment};

/// Why a locked environment must be solved again. It is shown as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsatisfied {
    /// It was locked for another platform.
    Platform {
        /// The platform in the lock file.
        locked: String,
        /// The platform asked for.
        wanted: String,
    },
    /// The list of channels is another one.
    Channels {
        /// The channels in the lock file.
        locked: Vec<String>,
        /// The channels asked for.
        wanted: Vec<String>,
    },
    /// No locked package is what a requirement of the environment asks for.
    Spec {
        /// The requirement.
        spec: String,
        /// The locked package of that name, if any.
        locked: Option<String>,
    },
    /// No locked or virtual package is what a locked package needs.
    Dependency {
        /// The package that needs it.
        package: String,
        /// What it needs.
        spec: String,
    },
    /// A locked package excludes another one.
    Constraint {
        /// The package that sets the constraint.
        package: String,
        /// The constraint.
        spec: String,
        /// The package that breaks it.
        broken_by: String,
    },
    /// A package of the project was built again with other content, or another version of it was.
    Rebuilt {
        /// The package's name.
        name: String,
        /// The file in the lock file.
        locked: String,
    },
    /// The lock file names a package of the project that the project no longer builds.
    Gone {
        /// The file in the lock file.
        locked: String,
    },
    /// The lock file holds two packages of one name.
    Twice {
        /// The name.
        name: String,
    },
    /// Nothing needs a package that is locked.
    Orphan {
        /// The package.
        package: String,
    },
}

impl fmt::Display for Unsatisfied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform { locked, wanted } => write!(f, "it is locked for {locked}, not {wanted}"),
            Self::Channels { locked, wanted } => {
                write!(f, "its channels were [{}] and are [{}] now", locked.join(", "), wanted.join(", "))
            }
            Self::Spec { spec, locked: None } => write!(f, "no locked package satisfies `{spec}`"),
            Self::Spec { spec, locked: Some(locked) } => write!(f, "`{spec}` is not satisfied by the locked {locked}"),
            Self::Dependency { package, spec } => {
                write!(f, "the locked {package} needs `{spec}`, which nothing locked or virtual satisfies")
            }
            Self::Constraint { package, spec, broken_by } => {
                write!(f, "the locked {package} allows only `{spec}`, not the locked {broken_by}")
            }
            Self::Rebuilt { name, locked } => write!(f, "the project's {name} is not the locked {locked} any more"),
            Self::Gone { locked } => write!(f, "the project no longer builds the locked {locked}"),
            Self::Twice { name } => write!(f, "{name} is locked twice"),
            Self::Orphan { package } => write!(f, "nothing needs the locked {package}"),
        }
    }
}

/// Whether a locked environment answers a demand as it is: every requirement and every dependency met, the project's own
/// packages the current ones, nothing superfluous.
///
/// # Errors
/// The first reason, in a fixed order, why it does not.
pub fn satisfies(environment: &LockedEnvironment, demand: &Demand<'_>) -> Result<(), Unsatisfied> {
    if environment.platform != demand.platform {
        let (locked, wanted) = (environment.platform.to_string(), demand.platform.to_string());
        return Err(Unsatisfied::Platform { locked, wanted });
    }
    if environment.channels != demand.channels {
        let (locked, wanted) = (environment.channels.clone(), demand.channels.to_vec());
        return Err(Unsatisfied::Channels { locked, wanted });
    }
    let mut packages: BTreeMap<&PackageName, &RepoDataRecord> = BTreeMap::new();
    for record in &environment.packages {
        if packages.insert(&record.package_record.name, record).is_some() {
            return Err(Unsatisfied::Twice { name: record.package_record.name.as_normalized().to_owned() });
        }
    }
    own_are_current(environment, demand)?;
    let mut queue = Vec::new();
    for spec in demand.specs {
        let named = spec.name.as_exact().and_then(|name| packages.get(name).copied());
        match named {
            Some(record) if spec.matches(record) => queue.push(record),
            other => {
                let virtually = demand.virtual_packages.iter().any(|package| spec.matches(package));
                if !virtually {
                    return Err(Unsatisfied::Spec { spec: spec.to_string(), locked: other.map(shown) });
                }
            }
        }
    }
    let mut needed: BTreeSet<&PackageName> = queue.iter().map(|record| &record.package_record.name).collect();
    while let Some(record) = queue.pop() {
        for need in &record.package_record.depends {
            let unmet = || Unsatisfied::Dependency { package: shown(record), spec: need.clone() };
            let spec = MatchSpec::from_str(need, ParseStrictness::Lenient).map_err(|_| unmet())?;
            let named = spec.name.as_exact().and_then(|name| packages.get(name).copied());
            match named {
                Some(met) if spec.matches(met) => {
                    if needed.insert(&met.package_record.name) {
                        queue.push(met);
                    }
                }
                _ if demand.virtual_packages.iter().any(|package| spec.matches(package)) => {}
                _ => return Err(unmet()),
            }
        }
    }
    constraints_hold(environment, &packages, demand)?;
    match environment.packages.iter().find(|record| !needed.contains(&record.package_record.name)) {
        Some(record) => Err(Unsatisfied::Orphan { package: shown(record) }),
        None => Ok(()),
    }
}

fn own_are_current(environment: &LockedEnvironment, demand: &Demand<'_>) -> Result<(), Unsatisfied> {
    for record in &environment.packages {
        let name = &record.package_record.name;
        let mut own = demand.local.iter().filter(|own| own.package_record.name == *name).peekable();
        if own.peek().is_some() {
            let current = |own: &RepoDataRecord| {
                own.url == record.url
                    && own.package_record.sha256.is_some()
                    && own.package_record.sha256 == record.package_record.sha256
            };
            if !own.any(current) {
                let locked = record.identifier.to_file_name();
                return Err(Unsatisfied::Rebuilt { name: name.as_normalized().to_owned(), locked });
            }
        } else if record.url.to_file_path().is_ok_and(|file| file.starts_with(demand.own)) {
            return Err(Unsatisfied::Gone { locked: record.identifier.to_file_name() });
        }
    }
    Ok(())
}

fn constraints_hold(
    environment: &LockedEnvironment,
    packages: &BTreeMap<&PackageName, &RepoDataRecord>,
    demand: &Demand<'_>,
) -> Result<(), Unsatisfied> {
    for record in &environment.packages {
        for constraint in &record.package_record.constrains {
            let Ok(spec) = MatchSpec::from_str(constraint, ParseStrictness::Lenient) else { continue };
            let Some(name) = spec.name.as_exact() else { continue };
            let broken = |broken_by: String| Unsatisfied::Constraint {
                package: shown(record),
                spec: constraint.clone(),
                broken_by,
            };
            if let Some(other) = packages.get(name).filter(|other| !spec.matches(**other)) {
                return Err(broken(shown(other)));
            }
            let mut virtually = demand.virtual_packages.iter().filter(|package| package.name == *name);
            if let Some(other) = virtually.find(|package| !spec.matches(*package)) {
                return Err(broken(other.to_string()));
            }
        }
    }
    Ok(())
}

fn shown(record: &RepoDataRecord) -> String {
    let record = &record.package_record;
    format!("{} {} {}", record.name.as_normalized(), record.version, record.build)
}
