//! `[host]`: modules, facts and external packages, and the modules of a recipe.

use std::{collections::BTreeMap, str::FromStr as _};

use rattler_conda_types::{PackageName, Version};
use regex::Regex;

use super::{
    error::ManifestError,
    model::{External, ExternalVersion, Fact, Host, Modules, RpathKind, Spanned},
    names::{Kind, check_name},
    problems::{Problems, clip},
    read::{Keys, Reader},
};

const HOST: Keys = Keys {
    known: &["label", "rpaths", "libraries", "init", "modules", "rpath-kind", "facts", "externals"],
    later: &[],
};
const FACT: Keys = Keys { known: &["command", "pattern", "virtual-package", "files"], later: &[] };
const EXTERNAL: Keys = Keys { known: &["version"], later: &[] };
const VERSION: Keys = Keys { known: &["fact"], later: &[] };
const MODULES: Keys = Keys { known: &["load", "unload"], later: &[] };

/// Reads `[host]` and all below it.
pub(super) fn host(table: &Reader<'_>, problems: &mut Problems) -> Host {
    table.only(&HOST, problems);
    let facts: Vec<Fact> = table.tables("facts", problems).into_iter().map(|it| fact(it, problems)).collect();
    check_virtual_packages(&facts, problems);
    let externals = table.tables("externals", problems);
    Host {
        span: table.at.clone(),
        label: table.string("label", problems),
        rpaths: table.strings("rpaths", problems).unwrap_or_default(),
        libraries: table.strings("libraries", problems).unwrap_or_default(),
        init: table.strings("init", problems).unwrap_or_default(),
        modules: names_of_modules(table, "modules", problems),
        rpath_kind: rpath_kind(table, problems),
        externals: externals.into_iter().filter_map(|it| external(it, &facts, problems)).collect(),
        facts,
    }
}

/// Reads `modules` of a recipe.
pub(super) fn modules(recipe: &Reader<'_>, problems: &mut Problems) -> Modules {
    let Some(table) = recipe.inline_table("modules", problems) else { return Modules::default() };
    table.only(&MODULES, problems);
    Modules { load: names_of_modules(&table, "load", problems), unload: names_of_modules(&table, "unload", problems) }
}

/// A list of modules, each one word that no shell and no module command takes for something else.
fn names_of_modules(table: &Reader<'_>, key: &str, problems: &mut Problems) -> Vec<Spanned<String>> {
    let mut modules = table.strings(key, problems).unwrap_or_default();
    modules.retain(|module| {
        let is_name = !module.value.starts_with('-') && !module.value.contains(char::is_whitespace);
        if !is_name {
            problems.push(ManifestError::InvalidHost {
                what: table.what(key),
                reason: format!("`{}` is not the name of one module", clip(&module.value)),
                help: "write each module as a text of its own, as in [\"gcc/12.4.0\", \"cray-mpich/8.1.29\"]"
                    .to_owned(),
                at: module.span.clone().into(),
            });
        }
        is_name
    });
    modules
}

fn rpath_kind(table: &Reader<'_>, problems: &mut Problems) -> Option<Spanned<RpathKind>> {
    let Spanned { value, span } = table.string("rpath-kind", problems)?;
    let value = match value.as_str() {
        "rpath" => RpathKind::Rpath,
        "runpath" => RpathKind::Runpath,
        _ => {
            problems.push(ManifestError::InvalidHost {
                what: table.what("rpath-kind"),
                reason: format!("`{}` is no kind of run path", clip(&value)),
                help: "write \"rpath\", or \"runpath\", which LD_LIBRARY_PATH overrides".to_owned(),
                at: span.into(),
            });
            return None;
        }
    };
    Some(Spanned { value, span })
}

fn fact((name, table): (Spanned<String>, Reader<'_>), problems: &mut Problems) -> Fact {
    table.only(&FACT, problems);
    check_name(&name, Kind::Fact, problems);
    let fact = Fact {
        command: table.string("command", problems),
        pattern: table.string("pattern", problems),
        virtual_package: table.string("virtual-package", problems),
        files: table.strings("files", problems).unwrap_or_default(),
        name,
    };
    check_fact(&fact, &table, problems);
    fact
}

fn check_fact(fact: &Fact, table: &Reader<'_>, problems: &mut Problems) {
    let mut wrong = |what: String, reason: String, help: &str, at: &std::ops::Range<usize>| {
        problems.push(ManifestError::InvalidHost { what, reason, help: help.to_owned(), at: at.clone().into() });
    };
    // A value of a wrong type was reported; it is there all the same.
    let has = |key| table.has(key);
    if !has("command") && !has("files") {
        let help = "add a `command` and a `pattern` that finds the version in its output, or `files`, or both";
        wrong(table.name.clone(), "there is nothing to find out".to_owned(), help, &fact.name.span);
    }
    if let Some(pattern) = &fact.pattern {
        if let Err(error) = Regex::new(&pattern.value) {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let help = "write a regular expression in single quotes, as in 'Version:\\s+(\\S+)'";
            wrong(table.what("pattern"), format!("it is no regular expression: {}", clip(reason)), help, &pattern.span);
        }
        if !has("command") {
            let help = "add the `command` whose output it is for";
            wrong(table.what("pattern"), "there is no command".to_owned(), help, &pattern.span);
        }
    }
    if let Some(package) = &fact.virtual_package {
        let is_name = PackageName::try_from(package.value.as_str()).is_ok() && package.value.starts_with("__");
        if !is_name {
            let at = package.span.clone().into();
            let help = "write two underscores and a package name, as in `__cray_mpich`".to_owned();
            problems.push(ManifestError::InvalidVirtualPackage { name: clip(&package.value), help, at });
        } else if !has("command") {
            problems.push(ManifestError::InvalidHost {
                what: table.what("virtual-package"),
                reason: "there is no command that tells its version".to_owned(),
                help: "add a `command`, and a `pattern` that finds the version in its output".to_owned(),
                at: package.span.clone().into(),
            });
        }
    }
}

/// Two facts of one name would hide one another.
fn check_virtual_packages(facts: &[Fact], problems: &mut Problems) {
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for fact in facts {
        let Some(package) = &fact.virtual_package else { continue };
        let name = package.value.to_lowercase();
        let Some(first) = names.insert(name.clone(), &fact.name.value) else { continue };
        let reason = format!("`{name}` is already that of the fact `{}`", clip(first));
        let help = "give one of the two another name".to_owned();
        let what = format!("`virtual-package` in [host.facts.{}]", clip(&fact.name.value));
        let at = package.span.clone().into();
        problems.push(ManifestError::InvalidHost { what, reason: clip(&reason), help, at });
    }
}

fn external((name, table): (Spanned<String>, Reader<'_>), facts: &[Fact], problems: &mut Problems) -> Option<External> {
    table.only(&EXTERNAL, problems);
    check_name(&name, Kind::External, problems);
    if !table.has("version") {
        table.missing("version", "version = { fact = \"NAME\" }", problems);
        return None;
    }
    if !table.is_table("version") {
        let version = table.string("version", problems)?;
        let reason = match Version::from_str(&version.value) {
            Ok(_) if version.value.contains('-') => Some("the version of a package has no `-`".to_owned()),
            Ok(_) => None,
            Err(error) => Some(clip(&error.to_string())),
        };
        if let Some(reason) = reason {
            let (at, written) = (version.span.clone().into(), clip(&version.value));
            let name = "version".to_owned();
            problems.push(ManifestError::InvalidVersion { name, version: written, reason, at });
        }
        return Some(External { name, version: ExternalVersion::Written(version) });
    }
    let version = table.inline_table("version", problems)?;
    version.only(&VERSION, problems);
    if !version.has("fact") {
        version.missing("fact", "fact = \"NAME\"", problems);
    }
    let fact = version.string("fact", problems)?;
    let at = fact.span.clone().into();
    match facts.iter().find(|it| it.name.value == fact.value) {
        Some(found) if found.command.is_some() => {}
        Some(_) => problems.push(ManifestError::InvalidHost {
            what: version.what("fact"),
            reason: format!("the fact `{}` has no command that tells a version", clip(&fact.value)),
            help: "add a `command` and a `pattern` to it, or write the version itself".to_owned(),
            at,
        }),
        None => {
            let none = format!("declare it with a table [host.facts.{}]", clip(&fact.value));
            let names = facts.iter().map(|it| it.name.value.as_str());
            let help = problems.help(&fact.value, "the facts", names, &none);
            let (external, fact) = (clip(&name.value), clip(&fact.value));
            problems.push(ManifestError::UnknownFact { external, fact, help, at });
        }
    }
    Some(External { name, version: ExternalVersion::Fact(fact) })
}
