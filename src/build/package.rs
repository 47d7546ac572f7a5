//! The steps of one build, in the library's order: staging, sources, environments, script, archive.

use std::path::PathBuf;

use rattler_build::{
    metadata::Output, package_test::PackageContentsTestExt as _, packaging::record_files,
    render::resolved_dependencies::RunExportsDownload, script::InterpreterError, source::patch::apply_patch_custom,
    tool_configuration::Configuration,
};
use rattler_build_recipe::stage1::TestType;

use super::{BuildError, BuildJob, activation, bytecode, error::report_text, kinds, linked};
use crate::{base::with_causes, ledger::HostLibrary, rt::Rt};

/// What a build has made.
pub(super) struct Packaged {
    /// The output, completed.
    pub(super) output: Output,
    /// Its archive in the build folder.
    pub(super) archive: PathBuf,
    /// What it needs of the host.
    pub(super) libraries: Vec<HostLibrary>,
}

/// Builds an output and packages it.
pub(super) fn package(rt: &Rt, job: &BuildJob, output: Output, tools: &Configuration) -> Result<Packaged, BuildError> {
    rt.block_on(Box::pin(steps(job, output, tools)))
}

// The library's own `run_build` does the same, but hides the script's exit status, and stores the URLs of the channels
// in the archive. Those are paths of this machine.
async fn steps(job: &BuildJob, mut output: Output, tools: &Configuration) -> Result<Packaged, BuildError> {
    let package = output.name().as_normalized().to_owned();
    let folder = output.build_configuration.directories.build_dir.clone();
    let directories = &output.build_configuration.directories;
    directories.create_build_dir(true).map_err(|error| source_error(&package, &error))?;
    output.record_build_start();

    let staged = output.process_staging_caches(tools).await;
    let staged = staged.map_err(|report| BuildError::Staging {
        package: package.clone(),
        reason: report_text(&report),
        folder: folder.clone(),
    })?;
    if let Some((dependencies, sources, libraries)) = staged {
        output.finalized_cache_dependencies = Some(dependencies);
        output.finalized_cache_sources = Some(sources);
        output.staging_library_name_map = Some(libraries);
    }
    let output = output.fetch_sources(tools, apply_patch_custom).await;
    let output = output.map_err(|error| source_error(&package, &error))?;
    let output = output.resolve_dependencies(tools, RunExportsDownload::DownloadMissing).await;
    let mut output =
        output.map_err(|error| BuildError::Unsolvable { package: package.clone(), reason: with_causes(&error) })?;
    sort_run_exports(&mut output);

    // What the environments bring must not get into the package; what a staging output left in the prefix must.
    let prefix = output.prefix().to_owned();
    let before = record_files(&prefix).unwrap_or_default();
    let installed = output.install_environments(tools).await;
    installed.map_err(|error| BuildError::Install { package: package.clone(), reason: with_causes(&error) })?;
    let installed = record_files(&prefix).unwrap_or_default().difference(&before).cloned().collect();

    let script = output.run_build_script(tools).await;
    script.map_err(|error| script_error(&package, &folder, error))?;

    let unpackaged = |reason| BuildError::Package { package: package.clone(), reason, folder: folder.clone() };
    kinds::check(&output, &installed)?.map_err(unpackaged)?;
    activation::add(job, &mut output, &installed)?;
    bytecode::compile(&mut output, &installed).await?;
    output.build_configuration.channels.clear();
    let allowed = linked::take_allowed(job, &mut output);
    let archive = output.create_package(tools, Some(&installed)).await;
    let (archive, paths) = archive.map_err(|error| unpackaged(with_causes(&error)))?;
    output.record_artifact(&archive, &paths);
    activation::lint(job, &output, &paths)?;
    let libraries = linked::finish(job, &output, (&archive, &paths), &allowed)?;

    let tests = output.recipe.tests().len();
    for (number, test) in output.recipe.tests().iter().enumerate() {
        if let TestType::PackageContents { package_contents } = test {
            package_contents.run_test(&paths, &output).map_err(|error| BuildError::Test {
                package: package.clone(),
                test: format!("test {} of {tests} (package contents)", number + 1),
                reason: with_causes(&error),
                folder: folder.clone(),
            })?;
        }
    }
    Ok(Packaged { output, archive, libraries })
}

/// The library collects what other packages export in maps without an order, and that is the order in which the archive
/// names them: the same inputs gave different bytes. The recipe's own requirements stay in its order and come first.
fn sort_run_exports(output: &mut Output) {
    let Some(dependencies) = &mut output.finalized_dependencies else { return };
    for list in [&mut dependencies.run.depends, &mut dependencies.run.constraints] {
        list.sort_by_cached_key(|it| it.as_run_export().map(|_| it.render(true)));
    }
}

fn source_error(package: &str, error: &(dyn std::error::Error + 'static)) -> BuildError {
    BuildError::Source { package: package.to_owned(), reason: with_causes(error) }
}

fn script_error(package: &str, folder: &std::path::Path, error: InterpreterError) -> BuildError {
    let reason = with_causes(&error);
    match exit_status(&reason) {
        Some(status) => BuildError::Script { package: package.to_owned(), status, folder: folder.to_owned() },
        None => BuildError::Interpreter { package: package.to_owned(), reason },
    }
}

/// The library tells the status in a sentence only.
pub(super) fn exit_status(reason: &str) -> Option<i32> {
    let (_, rest) = reason.split_once("Script failed with status ")?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}
