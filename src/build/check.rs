//! Runs the recipe's own tests on the archive, before anybody else gets to see it.

use std::path::Path;

use rattler_build::{
    metadata::Output,
    package_test::{TestConfiguration, TestError, run_test},
    tool_configuration::Configuration,
};
use rattler_build_recipe::stage1::TestType;
use rattler_build_script::EnvironmentIsolation;
use rattler_solve::{ChannelPriority, SolveStrategy};

use super::{BuildError, BuildJob, error::report_text, output::channels, package::exit_status};
use crate::rt::Rt;

/// Runs every test that needs an environment. The library tests what is in the package while it makes the archive.
pub(super) fn check(
    rt: &Rt,
    job: &BuildJob,
    (output, archive): (&Output, &Path),
    tools: &Configuration,
) -> Result<(), BuildError> {
    let all = output.recipe.tests();
    let with_environment = || all.iter().enumerate().filter(|(_, test)| kind(test).is_some());
    let directories = &output.build_configuration.directories;
    let folder = directories.output_dir.with_file_name("test");
    let channels = [channels(&job.channels)?, channels(&job.base_channels)?].concat();
    for (index, (number, test)) in with_environment().enumerate() {
        let configuration = TestConfiguration {
            test_prefix: folder.clone(),
            target_platform: None,
            host_platform: None,
            current_platform: output.build_configuration.build_platform.clone(),
            keep_test_prefix: false,
            test_index: Some(index),
            channels: channels.clone(),
            channel_priority: ChannelPriority::Strict,
            solve_strategy: SolveStrategy::Highest,
            tool_configuration: tools.clone(),
            output_dir: directories.output_dir.clone(),
            exclude_newer: None,
            // The process of a host-bound build holds what the host's modules have set, and little else.
            env_isolation: if job.host_bound { EnvironmentIsolation::None } else { EnvironmentIsolation::default() },
        };
        match rt.block_on(Box::pin(run_test(archive, &configuration, None))) {
            Ok(()) => {}
            // The archive leaves out tests that are empty on this platform; the numbers of the others close the gap.
            Err(TestError::TestFailed(text)) if text.starts_with("Test index ") => break,
            Err(error) => {
                return Err(BuildError::Test {
                    package: job.output.clone(),
                    test: format!("test {} of {} ({})", number + 1, all.len(), kind(test).unwrap_or_default()),
                    reason: reason(error),
                    folder,
                });
            }
        }
    }
    Ok(())
}

/// What a test that needs an environment is called.
fn kind(test: &TestType) -> Option<&'static str> {
    match test {
        TestType::Python { .. } => Some("python"),
        TestType::Perl { .. } => Some("perl"),
        TestType::R { .. } => Some("r"),
        TestType::Ruby { .. } => Some("ruby"),
        TestType::Commands(_) => Some("commands"),
        TestType::Downstream(_) => Some("downstream"),
        TestType::PackageContents { .. } => None,
    }
}

/// Behind a script's status the library prints advice for people who use its own program.
fn reason(error: TestError) -> String {
    let text = report_text(&error.into_report());
    exit_status(&text).map_or(text, |status| format!("its script ended with exit status {status}"))
}
