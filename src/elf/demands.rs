//! What a file needs of the machine and of other files, all at once.

use std::path::Path;

use super::{
    error::{ElfError, Problem},
    linkage::{self, Linkage},
    notes::{self, Level},
    reader::{Fault, Pieces, Reader, open},
    versions::{self, SymbolVersion},
};

/// What an executable or shared library needs, and what it has for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demands {
    /// What it is linked with.
    pub linkage: Linkage,
    /// The versions of symbols that it needs, by library.
    pub needed: Vec<SymbolVersion>,
    /// The versions of symbols that it defines.
    pub defined: Vec<SymbolVersion>,
    /// The level of the x86-64 processors that it says it needs; most files say nothing.
    pub level: Option<Level>,
}

/// Reads what a file needs; nothing when it is no executable and no shared library.
///
/// # Errors
/// When it contradicts itself or cannot be read.
pub fn demands(file: &Path) -> Result<Option<Demands>, ElfError> {
    demands_of(&open(file)?, file)
}

/// The same for bytes wherever they are; `name` is for the error.
///
/// # Errors
/// As for [`demands`].
pub fn demands_of<P: Pieces + ?Sized>(source: &P, name: &Path) -> Result<Option<Demands>, ElfError> {
    match read(source) {
        Ok(demands) => Ok(Some(demands)),
        Err(Fault::Elf(Problem::NotElf)) => Ok(None),
        Err(fault) => Err(fault.of(name)),
    }
}

fn read<P: Pieces + ?Sized>(source: &P) -> Result<Demands, Fault> {
    let reader = Reader::new(source)?;
    Ok(Demands {
        linkage: linkage::of(&reader)?,
        needed: versions::needed(&reader)?,
        defined: versions::defined(&reader)?,
        level: notes::level(&reader)?,
    })
}
