//! What can be chosen on the command line.

use std::path::{Path, PathBuf};

/// Measures envbuild on generated projects, beside its peers.
#[derive(clap::Parser)]
#[command(name = "cargo bench --")]
pub(crate) struct Arguments {
    /// What to measure; everything when nothing is named
    #[arg(value_enum)]
    chosen: Vec<Section>,
    /// Packages of the projects with nothing to do and of the cold plan
    #[arg(long, value_delimiter = ',', default_value = "1000")]
    pub(crate) nodes: Vec<usize>,
    /// Cells of the one recipe with many variants
    #[arg(long, default_value_t = 223)]
    pub(crate) variants: usize,
    /// How often each thing is measured
    #[arg(long, default_value_t = 10)]
    pub(crate) repeat: usize,
    /// Environments to pack and unpack in the place of the one that is made for it
    #[arg(long)]
    pub(crate) prefix: Vec<PathBuf>,
    /// Where projects are made; they are kept there and used again
    #[arg(long)]
    work: Option<PathBuf>,
    // Cargo passes it to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One group of measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Section {
    /// Nothing to do, beside ninja and make
    Noop,
    /// The first plan: every recipe is rendered
    Plan,
    /// Sleeping builds, against the longest path
    Schedule,
    /// One trivial package, beside rattler-build
    Overhead,
    /// A large environment packed and unpacked, beside tar, zstd, conda-pack, mksquashfs and cp
    Packing,
}

impl Arguments {
    /// What to measure.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let all = [Section::Noop, Section::Plan, Section::Schedule, Section::Overhead, Section::Packing];
        if self.chosen.is_empty() { all.to_vec() } else { self.chosen.clone() }
    }

    /// The folder for everything that is made here, without links in it.
    pub(crate) fn place(&self) -> PathBuf {
        let usual = || Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
        let place = self.work.clone().unwrap_or_else(usual);
        std::fs::create_dir_all(&place).unwrap();
        place.canonicalize().unwrap()
    }
}
