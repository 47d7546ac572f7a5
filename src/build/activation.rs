//! The activation scripts of a package: made of the manifest's settings, and tried before anybody else sources them.

use std::{
    collections::{BTreeSet, HashSet},
    path::PathBuf,
    time::Duration,
};

use rattler_build::metadata::Output;
use rattler_build_types::glob::GlobVec;
use rattler_conda_types::package::PathsJson;

use super::{BuildError, BuildJob, kinds, output::invalid};
use crate::{
    activation::{self, ACTIVATE, DEACTIVATE, LintRequest},
    base::fs,
};

/// The longest that a shell may take to source the scripts of one package.
const LIMIT: Duration = Duration::from_secs(30);

/// Puts the scripts of the job's activation into the prefix, so that they are packaged whatever files the recipe names. An
/// output that packages nothing else gets none: it is there for what it requires, which brings its own.
pub(super) fn add(job: &BuildJob, output: &mut Output, installed: &HashSet<PathBuf>) -> Result<(), BuildError> {
    let Some(wanted) = &job.activation else { return Ok(()) };
    if kinds::packaged(output, installed)?.is_empty() {
        return Ok(());
    }
    let prefix = output.prefix().to_owned();
    let made = activation::scripts(&job.output, wanted);
    let mut names = Vec::new();
    for (folder, text) in [(ACTIVATE, made.activate), (DEACTIVATE, made.deactivate)] {
        let name = format!("{folder}/{}.sh", job.output);
        let file = prefix.join(&name);
        if file.symlink_metadata().is_ok() {
            return Err(BuildError::TwoActivations { package: job.output.clone(), file: name });
        }
        fs::create_dir_all(&prefix.join(folder))?;
        fs::write_atomic(&file, text.as_bytes())?;
        names.push(name);
    }
    let own = &output.recipe.build.always_include_files;
    let include = own.include_globs().iter().map(|glob| glob.source().to_owned()).chain(names.iter().cloned());
    let exclude = own.exclude_globs().iter().map(|glob| glob.source().to_owned());
    let both = GlobVec::from_strings(include.collect(), exclude.collect());
    output.recipe.build.always_include_files = both.map_err(invalid("package name", &job.output))?;
    Ok(())
}

/// Tries the scripts of a package, its recipe's own ones too.
pub(super) fn lint(job: &BuildJob, output: &Output, paths: &PathsJson) -> Result<(), BuildError> {
    let directories = &output.build_configuration.directories;
    let files: BTreeSet<PathBuf> = paths.paths.iter().map(|it| it.relative_path.clone()).collect();
    let variables = job.activation.iter().flat_map(|it| it.names()).map(str::to_owned).collect();
    let folder = directories.build_dir.with_file_name("activation");
    let mut places = vec![directories.work_dir.clone()];
    if directories.build_prefix != directories.host_prefix {
        places.push(directories.build_prefix.clone());
    }
    fs::create_dir_all(&folder)?;
    Ok(activation::lint(&LintRequest {
        package: &job.output,
        prefix: output.prefix(),
        files: &files,
        variables: &variables,
        library_path: job.environment.get("LD_LIBRARY_PATH").map_or("", String::as_str),
        places: &places,
        folder: &folder,
        limit: LIMIT,
    })?)
}
