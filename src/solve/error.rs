//! Why there is no solution.

use miette::Diagnostic;

/// The environment could not be solved.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum SolveError {
    /// No set of packages satisfies the requirements.
    #[error("no set of packages satisfies the requirements:\n{}", .0.trim_end())]
    #[diagnostic(
        code(envbuild::solve::unsatisfiable),
        help("relax one of the requirements named above, or add the channel or recipe that has the missing package")
    )]
    Unsatisfiable(String),
    /// A channel could not be read.
    #[error("the channel `{channel}` could not be read: {reason}")]
    #[diagnostic(
        code(envbuild::solve::channel),
        help("check the channel's address and that it can be reached from here")
    )]
    Channel {
        /// Its URL, or the URLs of all when it is not known which one failed.
        channel: String,
        /// What went wrong, from the outside in.
        reason: String,
    },
    /// The network is needed and was not allowed.
    #[error("the channel `{0}` is not in the cache, and the network may not be used")]
    #[diagnostic(code(envbuild::solve::offline), help("run once where there is a network, or leave out `--offline`"))]
    Offline(String),
    /// A requirement that a package states cannot be understood.
    #[error("the package `{package}` has a requirement `{spec}` that cannot be understood: {reason}")]
    #[diagnostic(code(envbuild::solve::requirement), help("correct the recipe of the package"))]
    Requirement {
        /// The package's file name.
        package: String,
        /// The requirement.
        spec: String,
        /// What the parser says.
        reason: String,
    },
    /// A virtual package of a target has a version that is none.
    #[error("the virtual package `{name}` cannot have the version `{version}`: {reason}")]
    #[diagnostic(
        code(envbuild::solve::virtual_package),
        help("give a version such as `2.28`, or version and build as `1=x86_64_v3`")
    )]
    VirtualPackage {
        /// Its name.
        name: String,
        /// The version as given.
        version: String,
        /// What the parser says.
        reason: String,
    },
    /// This machine's virtual packages could not be found out.
    #[error("the virtual packages of this machine could not be found out: {0}")]
    #[diagnostic(code(envbuild::solve::host), help("name a target and give its virtual packages in the manifest"))]
    Host(String),
    /// The solver failed for a reason of its own.
    #[error("the solver failed: {0}")]
    #[diagnostic(code(envbuild::solve::solver), help("report this with the manifest and the lock file"))]
    Solver(String),
}
