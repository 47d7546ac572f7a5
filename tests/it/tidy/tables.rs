//! Who may name whom. The book's chapter "Architecture" draws it.

/// The rooms by layer, the lowest first. A room names only rooms of lower layers, so the rooms of one layer are blind to
/// each other.
pub(super) const LAYERS: &[&[&str]] = &[
    &["base", "rt"],
    &["activation", "archive", "bytecode", "conda", "elf", "http", "manifest", "pkgcache", "recipe", "tree"],
    &["ledger", "unpacker", "workspace"],
    &["host", "plan"],
    &["fingerprint"],
    &["store"],
    &[
        "adopt", "backup", "build", "channel", "export", "fetch", "image", "install", "lock", "needs", "pack", "solve",
        "unpack",
    ],
    &["exec"],
    &["run"],
    &["cli"],
    &["lib", "main"],
];

/// The rooms that wrap a library each. They do one thing, and know neither the graph nor what is up to date.
pub(super) const WRAPPERS: &[&str] = LAYERS[6];

/// What those may name.
pub(super) const UNDER_WRAPPERS: &[&str] = &[
    "activation",
    "archive",
    "base",
    "bytecode",
    "conda",
    "elf",
    "http",
    "ledger",
    "pkgcache",
    "recipe",
    "rt",
    "tree",
    "unpacker",
];

/// Plain values and helpers: any room.
const ANY: &[&str] = &[""];

/// Who may name a library: a folder or a file, as the beginning of its path below `src/`. Tests may name all of them.
pub(super) const LIBRARIES: &[(&str, &[&str])] = &[
    ("archspec", &["needs/"]),
    ("blake3", ANY),
    ("bzip2", &["archive/"]),
    ("clap", &["cli/"]),
    ("console", &["cli/"]),
    ("filetime", &["image/"]),
    ("flate2", &["archive/"]),
    ("globset", &["adopt/filter.rs", "needs/"]),
    ("hex", ANY),
    ("indicatif", &["cli/"]),
    ("jiff", &["build/"]),
    ("lzma_rust2", &["archive/"]),
    ("memchr", &["adopt/", "elf/", "needs/", "tree/"]),
    ("miette", ANY),
    ("petgraph", &["plan/graph.rs"]),
    ("rattler", &["build/", "image/", "install/"]),
    ("rattler_build", &["build/", "recipe/"]),
    ("rattler_build_jinja", &["recipe/"]),
    ("rattler_build_recipe", &["build/", "recipe/"]),
    ("rattler_build_script", &["build/"]),
    ("rattler_build_types", &["build/", "recipe/"]),
    ("rattler_build_variant_config", &["recipe/"]),
    ("rattler_cache", &["build/", "pkgcache.rs", "solve/"]),
    ("rattler_conda_types", ANY),
    ("rattler_digest", &["adopt/", "backup/", "channel/", "conda/", "fetch/", "image/", "install/", "pkgcache.rs"]),
    ("rattler_index", &["channel/"]),
    ("rattler_lock", &["lock/"]),
    ("rattler_networking", &["http.rs", "pkgcache.rs"]),
    ("rattler_package_streaming", &["channel/", "image/"]),
    ("rattler_repodata_gateway", &["solve/"]),
    ("rattler_shell", &["install/"]),
    // The library that builds is told how to solve.
    ("rattler_solve", &["build/", "solve/"]),
    ("rattler_virtual_packages", &["build/", "solve/"]),
    (
        "rayon",
        &[
            "adopt/",
            "backup/",
            "base/threads.rs",
            "bytecode/mod.rs",
            "fingerprint/tree.rs",
            "image/",
            "install/bytecode.rs",
            "needs/",
            "tree/look.rs",
            "workspace/recipes.rs",
        ],
    ),
    ("reflink_copy", &["backup/"]),
    ("regex", &["host/", "manifest/host.rs"]),
    ("reqwest", &["fetch/", "http.rs"]),
    ("reqwest_middleware", &["fetch/", "http.rs"]),
    ("rustix", &["activation/", "archive/", "backup/", "base/", "cli/signals.rs", "exec/", "host/", "unpack/"]),
    ("serde", ANY),
    ("serde_json", ANY),
    ("signal_hook", &["cli/signals.rs", "unpacker/program/"]),
    ("spdx", &["export/"]),
    ("strsim", &["manifest/suggest.rs"]),
    ("tar", &["conda/", "image/"]),
    ("tempfile", &["base/fs.rs"]),
    ("thiserror", ANY),
    ("tokio", ISLANDS),
    ("toml_edit", &["manifest/"]),
    ("tracing", &["build/", "exec/leftovers.rs", "fetch/"]),
    ("tracing_subscriber", &["build/log.rs"]),
    ("url", ANY),
    ("zip", &["conda/"]),
    ("zstd", &["archive/", "conda/"]),
];

/// Where there is asynchronous code. Its doors are synchronous.
const ISLANDS: &[&str] =
    &["rt.rs", "bytecode/mod.rs", "build/", "channel/", "fetch/", "image/", "install/", "pkgcache.rs", "solve/"];

/// Cargo's build script, which starts Cargo and speaks to it.
const BUILD: &str = "unpacker/build.rs";

/// Who may use a word of the language or of a library that has a room. `Report` and its macros make an error that nobody
/// can match on, which is for the one who prints it; the building library returns them, and that room turns them into text.
pub(super) const WORDS: &[(&str, &[&str])] = &[
    ("async", ISLANDS),
    (".await", ISLANDS),
    ("miette::Report", &["cli/", "build/error.rs"]),
    ("miette::Result", &["cli/"]),
    ("miette!", &["cli/"]),
    ("bail!", &["cli/"]),
    ("IntoDiagnostic", &["cli/"]),
    (
        "Command::new",
        &[
            "activation/session.rs",
            "build/bytecode.rs",
            "bytecode/mod.rs",
            "cli/command/run.rs",
            "exec/",
            "host/shell.rs",
            BUILD,
        ],
    ),
    ("std::env::", &["main.rs", "cli/", "recipe/mentioned.rs", "unpacker/"]),
    ("println!", &[BUILD]),
    ("eprintln!", &[]),
];
