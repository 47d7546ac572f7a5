//! A conda client that knows nothing of envbuild uses the local channel.

use std::process::Command;

use crate::support::{Project, Ran, client};

#[test]
fn a_plain_conda_client_installs_from_the_local_channel() {
    let Some(python) = client::python() else { return };
    let project = Project::example("quickstart");
    project.run(&["build", "hello"]).success();
    let prefix = project.beside("client's prefix");
    let installed = client::install(&project, &python, &["hello", "libgreet 2.*"], &prefix);
    assert_eq!(installed, "greet-data 2024.1\nhello 1.2.0\nlibgreet 2.0.0\n");
    let mut hello = Command::new(prefix.join("bin/hello"));
    project.pin(&mut hello);
    let hello = Ran::new(hello.arg("--everyone").output().unwrap()).success();
    assert_eq!(hello.stdout, "Welcome, Ada!\nWelcome, Barbara!\nWelcome, Grace!\n");
}
