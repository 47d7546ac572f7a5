//! Why a file's run path cannot be read or changed.

use std::path::{Path, PathBuf};

use miette::Diagnostic;

use crate::base::FsError;

/// A run path that cannot be read or set.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ElfError {
    /// The file is of another kind.
    #[error("`{}` is not an ELF executable or shared library", .0.display())]
    #[diagnostic(code(envbuild::elf::not_elf), help("only such files have a run path"))]
    NotElf(PathBuf),
    /// The file is linked statically.
    #[error("`{}` is not dynamically linked", .0.display())]
    #[diagnostic(code(envbuild::elf::not_dynamic), help("a program that loads no libraries needs no run path"))]
    NotDynamic(PathBuf),
    /// The file contradicts itself.
    #[error("`{}` is a broken ELF file: {what}", path.display())]
    #[diagnostic(code(envbuild::elf::malformed), help("was it written completely? build it again"))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file is laid out in a way that leaves no room for another program header.
    #[error("cannot make room for a run path in `{}`: {what}", path.display())]
    #[diagnostic(
        code(envbuild::elf::unsupported),
        help("link it with a run path to begin with, such as `-Wl,-rpath,$PREFIX/lib`, which can be shortened later")
    )]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What stands in the way.
        what: &'static str,
    },
    /// `patchelf` was called with arguments that it does not know.
    #[error("patchelf: {0}")]
    #[diagnostic(
        code(envbuild::elf::usage),
        help("usage: patchelf --version | [--force-rpath] --set-rpath RUNPATH FILE... | --print-rpath FILE")
    )]
    Usage(String),
    /// A file could not be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::elf::file), forward(0))]
    File(#[from] FsError),
}

/// The same before it is known which file it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    NotElf,
    NotDynamic,
    Malformed(&'static str),
    Unsupported(&'static str),
}

impl Problem {
    pub(super) fn of(self, path: &Path) -> ElfError {
        let path = path.to_owned();
        match self {
            Self::NotElf => ElfError::NotElf(path),
            Self::NotDynamic => ElfError::NotDynamic(path),
            Self::Malformed(what) => ElfError::Malformed { path, what },
            Self::Unsupported(what) => ElfError::Unsupported { path, what },
        }
    }
}
