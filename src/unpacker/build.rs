//! Cargo's build script: makes the unpacker that self-extracting archives carry.
//!
//! The unpacker consists of rooms of this crate (see `program/main.rs`), but must be a program of its own, small and linked
//! statically, before this crate is compiled. So a package is written into Cargo's output folder, with the dependencies
//! and the lock file of this one, and built from there. Where that cannot be done, because there is no static C library,
//! envbuild is built without it and says so when somebody asks for such an archive.

#![expect(clippy::disallowed_methods, reason = "Cargo speaks to a build script by variables")]

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The libraries of this crate that those rooms need.
const LIBRARIES: [&str; 15] = [
    "blake3",
    "bzip2",
    "flate2",
    "hex",
    "lzma-rust2",
    "memchr",
    "miette",
    "rayon",
    "rustix",
    "serde",
    "serde_json",
    "signal-hook",
    "tempfile",
    "thiserror",
    "zstd",
];

/// What the unpacker is made of, besides the libraries.
const SOURCES: [&str; 7] =
    ["Cargo.lock", "Cargo.toml", "src/archive", "src/base", "src/tree", "src/unpack", "src/unpacker"];

/// Small, but what decompresses and hashes is fast.
const PROFILE: &str = r#"
[profile.release]
opt-level = "s"
lto = "fat"
codegen-units = 1
panic = "abort"
strip = true

[profile.release.package]
blake3 = { opt-level = 3 }
memchr = { opt-level = 3 }
zstd-sys = { opt-level = 3 }
"#;

/// For a debug build of envbuild: there in seconds when one of the rooms has changed.
const DEBUG_PROFILE: &str = r#"
[profile.release]
opt-level = 1
incremental = true
panic = "abort"
strip = true
"#;

fn main() -> Result<(), Box<dyn Error>> {
    for source in SOURCES {
        say(&format!("rerun-if-changed={source}"));
    }
    let unpacker = PathBuf::from(env::var("OUT_DIR")?).join("unpacker");
    fs::create_dir_all(&unpacker)?;
    let goal = unpacker.join("program");
    if checks_only() {
        fs::write(&goal, [])?;
    } else {
        match build(&unpacker) {
            Ok(program) => fs::copy(program, &goal).map(drop)?,
            Err(error) => {
                let error = error.to_string();
                say(&format!("warning=self-extracting archives cannot be made: {}", error.replace('\n', " ")));
                fs::write(&goal, [])?;
            }
        }
    }
    say(&format!("rustc-env=ENVBUILD_UNPACKER={}", goal.display()));
    Ok(())
}

/// Whether nothing that is compiled now will ever run. Cargo tells a build script only of clippy, for whose results it has
/// another output folder than for those of the compiler; `cargo check` shares its folder with `cargo build`.
fn checks_only() -> bool {
    let wrapper = env::var_os("RUSTC_WORKSPACE_WRAPPER").map(PathBuf::from);
    wrapper.as_deref().and_then(Path::file_stem).is_some_and(|it| it == "clippy-driver")
}

/// So a build script speaks to Cargo.
fn say(line: &str) {
    println!("cargo::{line}");
}

/// Builds the program in a folder and gives its path.
fn build(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let target = env::var("TARGET")?;
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    fs::write(folder.join("Cargo.toml"), manifest(&root)?)?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned(), "-Crelocation-model=static".to_owned()];
    // Whoever unpacks need not know where envbuild was built.
    let home = env::var("CARGO_HOME").or_else(|_| env::var("HOME").map(|home| format!("{home}/.cargo")));
    flags.extend(home.map(|home| format!("--remap-path-prefix={home}=cargo")));
    flags.push(format!("--remap-path-prefix={}=envbuild", root.display()));
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo.current_dir(folder).args(["build", "--release", "--offline", "--quiet", "--target", &target]);
    cargo.arg("--target-dir").arg(folder.join("target"));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env_remove("RUSTFLAGS");
    // With these a linter would stand in for the compiler, and somebody's settings for the profile above.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text == "RUSTC_WORKSPACE_WRAPPER"
            || text.starts_with("CARGO_PROFILE_")
            || text.starts_with("CARGO_UNSTABLE_")
        {
            cargo.env_remove(&name);
        }
    }
    let output = cargo.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(folder.join("target").join(target).join("release/unpacker"))
}

/// A package with the versions and features of this one.
fn manifest(root: &Path) -> Result<String, Box<dyn Error>> {
    let own = fs::read_to_string(root.join("Cargo.toml"))?;
    let own = own.split("[dependencies]\n").nth(1).and_then(|rest| rest.split("\n[").next()).unwrap_or_default();
    let named = |line: &&str| line.split_once(" = ").is_some_and(|(name, _)| LIBRARIES.contains(&name));
    // What draws errors takes long to compile, and nothing here draws them.
    let plain = |line: &str| line.replace(", features = [\"fancy-no-backtrace\"]", "");
    let dependencies: Vec<String> = own.lines().filter(named).map(plain).collect();
    let main = root.join("src/unpacker/program/main.rs");
    let profile = if env::var("PROFILE")? == "debug" { DEBUG_PROFILE } else { PROFILE };
    Ok(format!(
        "[package]\nname = \"unpacker\"\nversion = \"{}\"\nedition = \"2024\"\n\n[workspace]\n\n[[bin]]\nname = \"unpacker\"\n\
         path = {:?}\n\n[dependencies]\n{}\n{profile}",
        env::var("CARGO_PKG_VERSION")?,
        main,
        dependencies.join("\n"),
    ))
}
