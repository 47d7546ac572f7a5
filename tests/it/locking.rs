//! Build and host environments are locked: a build does not depend on the day, and only `lock --update` moves it.

use std::fs;

use crate::support::Project;

/// A project whose channel is the base channel of another: a library in some versions, a code generator whose packages
/// export a runtime, and a second library.
struct Upstream(Project);

impl Upstream {
    fn new() -> Self {
        let manifest = "[project]\nname = \"upstream\"\n[matrix]\nanswer_version = [\"1.0\"]\n\
                        [recipes.answer]\npath = \"recipes/answer\"\n[recipes.other]\npath = \"recipes/other\"\n\
                        [recipes.generator]\npath = \"recipes/generator\"\n[recipes.runtime]\npath = \"recipes/runtime\"\n";
        let answer = "package:\n  name: answer\n  version: ${{ answer_version }}\n\
                      build:\n  noarch: generic\n  script:\n    - mkdir -p $PREFIX/share\n    - echo ${{ answer_version }} > $PREFIX/share/answer\n";
        let plain = |name: &str| {
            format!(
                "package:\n  name: {name}\n  version: '1'\nbuild:\n  noarch: generic\n  script:\n    \
                 - mkdir -p $PREFIX/share\n    - echo 1 > $PREFIX/share/{name}\n"
            )
        };
        let generator = format!("{}requirements:\n  run_exports:\n    strong:\n      - runtime\n", plain("generator"));
        let project = Project::called("upstream")
            .manifest(manifest)
            .recipe("answer", answer)
            .recipe("other", &plain("other"))
            .recipe("runtime", &plain("runtime"))
            .recipe("generator", &generator);
        project.run(&["build"]).success();
        Self(project)
    }

    /// Publishes these versions of the library.
    fn publish(&self, versions: &str) {
        let manifest = self.0.read("project.toml");
        let axis = manifest.lines().find(|it| it.starts_with("answer_version")).unwrap().to_owned();
        self.0.edit("project.toml", &axis, &format!("answer_version = {versions}"));
        self.0.run(&["build"]).success();
    }

    /// A project that builds against it.
    fn downstream(&self) -> Project {
        let manifest = "[project]\nname = \"downstream\"\nchannels = [\"conda-forge\"]\n\
                        [recipes.app]\npath = \"recipes/app\"\n[recipes.user]\npath = \"recipes/user\"\n\
                        [environments.all]\ndependencies = [\"user\"]\npack = []\n";
        let app = "package:\n  name: app\n  version: '1'\n\
                   build:\n  noarch: generic\n  script:\n    - mkdir -p $PREFIX/share\n    - cat $PREFIX/share/answer > $PREFIX/share/app\n\
                   requirements:\n  host:\n    - answer\n";
        let user = "package:\n  name: user\n  version: '1'\n\
                    build:\n  noarch: generic\n  script:\n    - cp $PREFIX/share/app $PREFIX/share/user\n\
                    requirements:\n  host:\n    - app\n  run:\n    - app\n";
        Project::called("downstream")
            .manifest(manifest)
            .recipe("app", app)
            .recipe("user", user)
            .env("ENVBUILD_CHANNELS", self.0.path("output"))
    }
}

fn installed(project: &Project, file: &str) -> String {
    project.read(&format!(".envbuild/envs/all/share/{file}")).trim().to_owned()
}

#[test]
fn a_newer_version_in_a_base_channel_moves_nothing_until_it_is_asked_for() {
    let upstream = Upstream::new();
    let project = upstream.downstream();
    let report = project.report(&["all"]);
    assert_eq!(report.with("built"), ["resolve:app", "build:app", "build:user", "lock:all", "install:all"]);
    assert!(project.read("envbuild.lock").contains("app/host:"), "{}", project.read("envbuild.lock"));
    assert_eq!(installed(&project, "user"), "1.0");

    upstream.publish("[\"1.0\", \"1.1\"]");
    project.assert_fresh();
    // A clone on another day has the lock file and nothing else.
    for folder in [".envbuild", "output"] {
        fs::remove_dir_all(project.path(folder)).unwrap();
    }
    let before = project.read("envbuild.lock");
    project.run(&["all", "--locked"]).success();
    assert_eq!(installed(&project, "user"), "1.0");
    assert_eq!(project.read("envbuild.lock"), before);

    let moved = project.run(&["lock", "--update", "app"]).success();
    assert_eq!(moved.stdout, "app/host\n  answer 1.0 → 1.1\n");
    let plan = project.plan(&[]);
    assert_eq!(plan.with("dirty"), ["build:app"]);
    assert_eq!(plan.with("fresh"), ["resolve:app"]);
    let why = project.run(&["why", "build:app"]).success();
    assert!(why.stdout.contains("host-environment/answer\n    old: 1.0 "), "{}", why.stdout);
    let report = project.report(&["all"]);
    assert_eq!(report.with("built"), ["build:app", "build:user", "lock:all", "install:all"]);
    assert_eq!(installed(&project, "user"), "1.1");
    project.assert_fresh();
}

#[test]
fn what_is_locked_stays_when_a_recipe_needs_one_more_package() {
    let upstream = Upstream::new();
    let project = upstream.downstream();
    project.run(&["build"]).success();
    upstream.publish("[\"1.0\", \"1.1\"]");
    project.edit("recipes/app/recipe.yaml", "    - answer\n", "    - answer\n    - other\n");
    project.run(&["build", "--locked"]).failure(1).says("--locked forbids").says("resolve:app");
    let moved = project.run(&["lock", "app"]).success();
    assert_eq!(moved.stdout.lines().collect::<Vec<_>>()[0], "app/host");
    assert!(moved.stdout.contains("other 1 ") && moved.stdout.contains(" added"), "{}", moved.stdout);
    assert!(!moved.stdout.contains("answer"), "{}", moved.stdout);
    // A requirement that the locked version does not satisfy moves it.
    project.edit("recipes/app/recipe.yaml", "    - answer\n", "    - answer >=1.1\n");
    let moved = project.run(&["lock", "app"]).success();
    assert_eq!(moved.stdout, "app/host\n  answer 1.0 → 1.1\n");
    // A version that left the channel cannot be built against, and is not replaced in silence under --locked.
    upstream.publish("[\"1.0\", \"1.2\"]");
    project.run(&["build"]).success();
}

#[test]
fn what_a_build_tool_exports_is_locked_with_it() {
    let upstream = Upstream::new();
    let project = upstream.downstream();
    project.edit("recipes/app/recipe.yaml", "  host:\n", "  build:\n    - generator\n  host:\n");
    project.run(&["build", "app"]).success();
    let lock = project.read("envbuild.lock");
    let of = |name: &str| {
        let from = lock.find(&format!("{name}:\n")).unwrap_or_else(|| panic!("{name} is not in {lock}"));
        lock[from..].lines().take_while(|it| !it.starts_with("packages:")).collect::<Vec<_>>().join("\n")
    };
    assert!(of("app/build").contains("generator-1-"), "{lock}");
    assert!(of("app/host").contains("runtime-1-") && of("app/host").contains("answer-1.0-"), "{lock}");
    let listed = project.run(&["list", "app/host"]).success().stdout;
    assert!(listed.starts_with("answer ") && listed.contains("runtime "), "{listed}");
    // It stays as long as its recipe does.
    project.edit(
        "project.toml",
        "[recipes.app]\npath = \"recipes/app\"\n[recipes.user]\npath = \"recipes/user\"\n",
        "",
    );
    project.edit("project.toml", "\"user\"", "\"other\"");
    project.run(&["all"]).success();
    assert!(!project.read("envbuild.lock").contains("app/host"));
}

#[test]
fn what_a_channel_brought_goes_with_the_channel() {
    let (upstream, other) = (Upstream::new(), Upstream::new());
    let project = upstream.downstream();
    project.run(&["build", "app"]).success();
    let other = project.env("ENVBUILD_CHANNELS", other.0.path("output"));
    let place = upstream.0.path("output").to_string_lossy().into_owned();
    assert!(other.read("envbuild.lock").contains(&place));
    other.run(&["build", "app"]).success();
    assert!(!other.read("envbuild.lock").contains(&place), "{}", other.read("envbuild.lock"));
}

#[test]
fn what_was_locked_for_a_build_that_needs_no_channel_any_more_is_no_input() {
    let upstream = Upstream::new();
    let project = upstream.downstream();
    project.run(&["build", "app"]).success();
    let record = ".envbuild/records/build+app.json";
    assert!(project.read(record).contains("host-environment/answer"));
    project.edit("recipes/app/recipe.yaml", "requirements:\n  host:\n    - answer\n", "");
    project.edit("recipes/app/recipe.yaml", "cat $PREFIX/share/answer", "echo alone");
    assert_eq!(project.report(&["build", "app"]).with("built"), ["build:app"]);
    assert!(!project.read(record).contains("host-environment"), "{}", project.read(record));
}

#[test]
fn every_environment_moves_when_none_is_named() {
    let upstream = Upstream::new();
    let project = upstream.downstream();
    project.edit("project.toml", "[\"user\"]", "[\"user\", \"answer\"]");
    project.run(&["all"]).success();
    upstream.publish("[\"1.0\", \"1.1\"]");
    project.assert_fresh();
    let moved = project.run(&["lock", "--update", "--format", "json"]).success().json();
    assert_eq!(moved["moved"]["app/host"][0], "answer 1.0 → 1.1", "{moved:#}");
    assert!(moved["moved"]["all"].as_array().unwrap().iter().any(|it| it == "answer 1.0 → 1.1"), "{moved:#}");
    project.run(&["lock", "--update", "--locked"]).failure(2);
    project.run(&["lock", "--update", "user"]).failure(2).says("nothing but the project's own packages");
}
