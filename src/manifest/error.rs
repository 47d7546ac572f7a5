//! What can be wrong with a manifest: one variant for each kind of problem.

use miette::{Diagnostic, SourceSpan};

/// One problem of a manifest. Its label's place is in bytes of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
#[expect(missing_docs, reason = "each field stands in the message above it; `at` is the place, `help` what to do")]
#[non_exhaustive]
pub enum ManifestError {
    /// The file is longer than a manifest can be.
    #[error("the manifest has {size} bytes, more than the {limit} that are read")]
    #[diagnostic(
        code(envbuild::manifest::too_large),
        help("is this the right file? a manifest names recipes and environments; sources and data stay outside it")
    )]
    TooLarge { size: usize, limit: usize },

    /// Not text at all.
    #[error("the file is not UTF-8 text: byte {valid} fits no character")]
    #[diagnostic(
        code(envbuild::manifest::not_text),
        help("is this the right file? TOML is written in UTF-8; save it in that encoding")
    )]
    NotText { valid: usize },

    /// Nothing but comments and white space.
    #[error("the manifest is empty")]
    #[diagnostic(
        code(envbuild::manifest::empty),
        help("start with a [project] table that holds `name = \"my-project\"`")
    )]
    Empty,

    /// Not TOML.
    #[error("this is not TOML: {message}")]
    #[diagnostic(
        code(envbuild::manifest::syntax),
        help(
            "strings stand in quotes, lists in [ ], and each table under its [name]; other problems show after this one"
        )
    )]
    Syntax {
        message: String,
        #[label("here")]
        at: SourceSpan,
    },

    /// A key that means nothing.
    #[error("{table} has no key `{key}`")]
    #[diagnostic(code(envbuild::manifest::unknown_key))]
    UnknownKey {
        key: String,
        table: String,
        #[help]
        help: String,
        #[label("unknown key")]
        at: SourceSpan,
    },

    /// A key of the manifest's contract that this version does nothing about.
    #[error("`{key}` is not supported by this version of envbuild")]
    #[diagnostic(code(envbuild::manifest::not_supported), help("remove `{key}` from {table}: it would have no effect"))]
    NotSupported {
        key: String,
        table: String,
        #[label("not supported yet")]
        at: SourceSpan,
    },

    /// A key or table that has to be there.
    #[error("{table} is missing `{key}`")]
    #[diagnostic(code(envbuild::manifest::missing_key), help("add `{example}`"))]
    MissingKey {
        key: String,
        table: String,
        example: String,
        #[label("`{key}` is missing")]
        at: SourceSpan,
    },

    /// A value of another type.
    #[error("{what} must be {expected}, and this is {found}")]
    #[diagnostic(code(envbuild::manifest::wrong_type))]
    WrongType {
        what: String,
        expected: &'static str,
        found: &'static str,
        #[help]
        help: String,
        #[label("{found}")]
        at: SourceSpan,
    },

    /// A number where a string is wanted: TOML would change it.
    #[error("{what} must be a string, and `{written}` is a number")]
    #[diagnostic(code(envbuild::manifest::unquoted))]
    Unquoted {
        what: String,
        written: String,
        #[help]
        help: String,
        #[label("a number")]
        at: SourceSpan,
    },

    /// A string that is empty or holds control characters.
    #[error("{what} must be a line of text")]
    #[diagnostic(code(envbuild::manifest::bad_text), help("write text on one line in the quotes, or remove it"))]
    BadText {
        what: String,
        found: &'static str,
        #[label("{found}")]
        at: SourceSpan,
    },

    /// Something listed twice where once is enough.
    #[error("{what} lists `{value}` twice")]
    #[diagnostic(code(envbuild::manifest::repeated), help("remove one of the two"))]
    Repeated {
        what: String,
        value: String,
        #[label("first here")]
        first: SourceSpan,
        #[label("again here")]
        at: SourceSpan,
    },

    /// A name with characters that it cannot have.
    #[error("`{name}` cannot be the name of {what}")]
    #[diagnostic(code(envbuild::manifest::invalid_name))]
    InvalidName {
        name: String,
        what: &'static str,
        #[help]
        help: String,
        #[label("not a valid name")]
        at: SourceSpan,
    },

    /// A host label that cannot lead a build string.
    #[error("`{label}` cannot lead a build string")]
    #[diagnostic(
        code(envbuild::manifest::invalid_label),
        help("use one to 40 of the characters that a build string can have: letters, digits, `_`, `.` and `+`")
    )]
    InvalidLabel {
        label: String,
        #[label("not part of a build string")]
        at: SourceSpan,
    },

    /// A platform that conda does not know.
    #[error("`{platform}` is not a platform that can be built for")]
    #[diagnostic(code(envbuild::manifest::unknown_platform))]
    UnknownPlatform {
        platform: String,
        #[help]
        help: String,
        #[label("unknown platform")]
        at: SourceSpan,
    },

    /// An axis without values.
    #[error("the axis `{axis}` has no values")]
    #[diagnostic(
        code(envbuild::manifest::empty_axis),
        help("give it at least one value, as in `{axis} = [\"1.0\"]`, or remove it")
    )]
    EmptyAxis {
        axis: String,
        #[label("no values")]
        at: SourceSpan,
    },

    /// An axis that has a value twice.
    #[error("the axis `{axis}` has the value `{value}` twice")]
    #[diagnostic(code(envbuild::manifest::duplicate_value), help("remove one of the two"))]
    DuplicateValue {
        axis: String,
        value: String,
        #[label("first here")]
        first: SourceSpan,
        #[label("again here")]
        at: SourceSpan,
    },

    /// A zip of an axis that is not declared.
    #[error("`zip` names the axis `{axis}`, which [matrix] does not declare")]
    #[diagnostic(code(envbuild::manifest::zip_unknown_axis))]
    ZipUnknownAxis {
        axis: String,
        #[help]
        help: String,
        #[label("not declared")]
        at: SourceSpan,
    },

    /// A zip of axes of different lengths.
    #[error("the axes of this `zip` differ in length: {lengths}")]
    #[diagnostic(
        code(envbuild::manifest::zip_unequal),
        help("zipped axes advance together, so each needs a value for every value of the others")
    )]
    ZipUnequal {
        lengths: String,
        #[label("{lengths}")]
        at: SourceSpan,
    },

    /// A zip of fewer than two axes.
    #[error("a `zip` needs at least two axes")]
    #[diagnostic(
        code(envbuild::manifest::zip_too_few),
        help("name the axes that advance together, as in `zip = [[\"a\", \"b\"]]`, or remove the group")
    )]
    ZipTooFew {
        #[label("fewer than two axes")]
        at: SourceSpan,
    },

    /// An axis that is zipped twice.
    #[error("the axis `{axis}` is zipped twice")]
    #[diagnostic(
        code(envbuild::manifest::zip_twice),
        help("an axis can be in one group only; put all axes that advance together into one group")
    )]
    ZipTwice {
        axis: String,
        #[label("first here")]
        first: SourceSpan,
        #[label("again here")]
        at: SourceSpan,
    },

    /// An exclusion that excludes nothing in particular.
    #[error("this entry of `exclude` names no axis")]
    #[diagnostic(
        code(envbuild::manifest::exclude_empty),
        help(
            "name the values that do not go together, as in `{{ python = \"3.12\", numpy = \"1.26\" }}`, or remove it"
        )
    )]
    ExcludeEmpty {
        #[label("empty")]
        at: SourceSpan,
    },

    /// An exclusion on an axis that is not declared.
    #[error("`exclude` names the axis `{axis}`, which [matrix] does not declare")]
    #[diagnostic(code(envbuild::manifest::exclude_unknown_axis))]
    ExcludeUnknownAxis {
        axis: String,
        #[help]
        help: String,
        #[label("not declared")]
        at: SourceSpan,
    },

    /// An exclusion of a value that the axis does not have.
    #[error("`exclude` names the value `{value}`, which the axis `{axis}` does not have")]
    #[diagnostic(code(envbuild::manifest::exclude_unknown_value), help("the values of `{axis}`: {values}"))]
    ExcludeUnknownValue {
        axis: String,
        value: String,
        values: String,
        #[label("excludes nothing")]
        at: SourceSpan,
    },

    /// An environment over an axis that is not declared.
    #[error("the environment `{environment}` names the axis `{axis}`, which [matrix] does not declare")]
    #[diagnostic(code(envbuild::manifest::environment_unknown_axis))]
    EnvironmentUnknownAxis {
        environment: String,
        axis: String,
        #[help]
        help: String,
        #[label("not declared")]
        at: SourceSpan,
    },

    /// An environment for a target that is not declared.
    #[error("the environment `{environment}` names the target `{target}`, which no [targets] table declares")]
    #[diagnostic(code(envbuild::manifest::unknown_target))]
    UnknownTarget {
        environment: String,
        target: String,
        #[help]
        help: String,
        #[label("not declared")]
        at: SourceSpan,
    },

    /// A format that is used where it is mounted, without a word on where that is.
    #[error("`{format}` is mounted, not unpacked, and nothing says where")]
    #[diagnostic(code(envbuild::manifest::no_dest_prefix), help("add `dest-prefix = \"/absolute/path\"`"))]
    NoDestPrefix {
        format: String,
        #[label("needs a `dest-prefix`")]
        at: SourceSpan,
    },

    /// A path for archives that is no absolute path.
    #[error("`{prefix}` is not an absolute path in its shortest spelling")]
    #[diagnostic(code(envbuild::manifest::dest_prefix), help("as `/opt/env`: no `.`, `..`, `//`, nor `/` at the end"))]
    DestPrefix {
        prefix: String,
        #[label("the path at which the environment is to be used")]
        at: SourceSpan,
    },
    /// A pack format that is not known.
    #[error("`{format}` is not a format that this version of envbuild packs into")]
    #[diagnostic(code(envbuild::manifest::unknown_pack))]
    UnknownPack {
        format: String,
        #[help]
        help: String,
        #[label("unknown format")]
        at: SourceSpan,
    },

    /// A dependency that is not a MatchSpec.
    #[error("`{spec}` is not a MatchSpec: {reason}")]
    #[diagnostic(
        code(envbuild::manifest::invalid_spec),
        help(
            "write a package name, then a version and a build string if you need them: `numpy >=1.26,<3`, `mpi4py 4.* *cray*`"
        )
    )]
    InvalidSpec {
        spec: String,
        reason: String,
        #[label("not a MatchSpec")]
        at: SourceSpan,
    },

    /// A `${{ … }}` that is not closed or holds no name.
    #[error("this `${{{{ … }}}}` cannot be read: {reason}")]
    #[diagnostic(
        code(envbuild::manifest::invalid_template),
        help(
            "write the name of an axis of the environment's matrix between the braces, as in `python ${{{{ python }}}}.*`"
        )
    )]
    InvalidTemplate {
        reason: String,
        #[label("not a template")]
        at: SourceSpan,
    },

    /// A `${{ name }}` of something else than an axis of the environment.
    #[error("`${{{{ {name} }}}}` stands for nothing: it is not in the matrix of the environment `{environment}`")]
    #[diagnostic(code(envbuild::manifest::unknown_template))]
    UnknownTemplate {
        name: String,
        environment: String,
        #[help]
        help: String,
        #[label("`{name}` has no value here")]
        at: SourceSpan,
    },

    /// An amount of processors or memory that is none.
    #[error("`{written}` is not {wanted}, which {what} has to be")]
    #[diagnostic(code(envbuild::manifest::invalid_resource))]
    InvalidResource {
        what: String,
        written: String,
        wanted: &'static str,
        #[help]
        help: String,
        #[label("not {wanted}")]
        at: SourceSpan,
    },

    /// A variable or a folder that no activation can have.
    #[error("{what} {reason}")]
    #[diagnostic(code(envbuild::manifest::invalid_activation))]
    InvalidActivation {
        what: String,
        reason: &'static str,
        #[help]
        help: String,
        #[label("{reason}")]
        at: SourceSpan,
    },

    /// A variable that two keys of an activation name, or one twice.
    #[error("the activation names the variable `{name}` twice")]
    #[diagnostic(
        code(envbuild::manifest::activated_twice),
        help("keep it in one of `set`, `unset`, `prepend` and `append`")
    )]
    ActivatedTwice {
        name: String,
        #[label("first here")]
        first: SourceSpan,
        #[label("again here")]
        at: SourceSpan,
    },

    /// A value of `[host]` that means nothing, or two that do not go together.
    #[error("{what}: {reason}")]
    #[diagnostic(code(envbuild::manifest::invalid_host))]
    InvalidHost {
        what: String,
        reason: String,
        #[help]
        help: String,
        #[label("{reason}")]
        at: SourceSpan,
    },

    /// An external package whose version is a fact that is not declared.
    #[error("the external package `{external}` takes its version from the fact `{fact}`, which is not declared")]
    #[diagnostic(code(envbuild::manifest::unknown_fact))]
    UnknownFact {
        external: String,
        fact: String,
        #[help]
        help: String,
        #[label("not declared")]
        at: SourceSpan,
    },

    /// A virtual package whose name does not look like one.
    #[error("`{name}` is not the name of a virtual package")]
    #[diagnostic(code(envbuild::manifest::invalid_virtual_package))]
    InvalidVirtualPackage {
        name: String,
        #[help]
        help: String,
        #[label("must start with `__`")]
        at: SourceSpan,
    },

    /// A virtual package's version that is not a version.
    #[error("`{version}` is not a version: {reason}")]
    #[diagnostic(
        code(envbuild::manifest::invalid_version),
        help("write one version, as in `{name} = \"2.28\"`; ranges and wildcards are for dependencies")
    )]
    InvalidVersion {
        name: String,
        version: String,
        reason: String,
        #[label("not a version")]
        at: SourceSpan,
    },
}
