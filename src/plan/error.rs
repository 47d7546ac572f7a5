//! Why there is no plan.

use std::fmt;

use miette::Diagnostic;

use super::{Kind, Stage};

/// A workspace or a goal that cannot be planned.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum PlanError {
    /// Recipes need each other.
    #[error("recipes need each other in a circle: {}", list(circles))]
    #[diagnostic(
        code(envbuild::plan::cycle),
        help("{}; remove one of these requirements, or split a package into outputs", places(circles))
    )]
    Cycle {
        /// The circles, each told as a sentence.
        circles: Vec<Circle>,
    },
    /// An environment that has nothing to do at this stage.
    #[error("the environment `{environment}` has no {kind}")]
    #[diagnostic(
        code(envbuild::plan::no_stage),
        help("its table says `test = \"SCRIPT\"` when it is tested, and `pack = []` when it is not packed")
    )]
    NoStage {
        /// The environment.
        environment: String,
        /// The stage.
        kind: Kind,
    },
    /// Several environments, or none, where one is needed.
    #[error("one archive holds one environment, and {text}")]
    #[diagnostic(code(envbuild::plan::one_environment), help("{help}"))]
    OneEnvironment {
        /// What there is instead.
        text: String,
        /// What to type.
        help: String,
    },
    /// A package that needs no base channel to be built.
    #[error("the build and host environments of `{package}` hold nothing but the project's own packages")]
    #[diagnostic(
        code(envbuild::plan::nothing_to_lock),
        help("there is nothing to lock for it; `envbuild build` builds it")
    )]
    NothingToLock {
        /// The package.
        package: String,
    },
    /// Names that nothing is called by.
    #[error("{text}")]
    #[diagnostic(code(envbuild::plan::unknown_goal), help("{help}"))]
    UnknownGoals {
        /// The sentence.
        text: String,
        /// What may have been meant.
        help: String,
    },
}

/// One circle of requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circle {
    /// `a` needs `b`, which needs `a`.
    pub sentence: String,
    /// Where each package is asked for.
    pub places: Vec<String>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

fn list(circles: &[Circle]) -> String {
    circles.iter().map(|it| it.sentence.clone()).collect::<Vec<_>>().join("; ")
}

/// The cells of a recipe make circles of their own, and ask at the same place.
fn places(circles: &[Circle]) -> String {
    let mut places: Vec<&str> = Vec::new();
    for place in circles.iter().flat_map(|it| &it.places) {
        if !places.contains(&place.as_str()) {
            places.push(place);
        }
    }
    places.join(", ")
}

impl PlanError {
    pub(super) fn unknown_goals(unknown: Vec<(String, Option<String>)>, stage: Stage) -> Self {
        let what = match stage {
            Stage::All => "no recipe, package, environment or node",
            Stage::Kind(Kind::Build) => "no recipe or package",
            Stage::Kind(_) => "no environment",
        };
        let names: Vec<String> = unknown.iter().map(|(name, _)| format!("`{name}`")).collect();
        let near: Vec<String> = unknown
            .iter()
            .filter_map(|(_, near)| near.as_ref())
            .map(|near| format!("did you mean `{near}`?"))
            .collect();
        let help =
            if near.is_empty() { "`envbuild plan` lists everything there is".to_owned() } else { near.join(" ") };
        Self::UnknownGoals { text: format!("{what} is called {}", names.join(" or ")), help }
    }
}
