//! What a file is linked with.

use std::path::{Path, PathBuf};

use super::{
    edit::RunPathKind,
    error::ElfError,
    image::{tag, usize_of},
    notes,
    reader::{Fault, Pieces, Reader, open, write},
    versions::{self, SymbolVersion},
};

/// What the loader reads of an executable or shared library before it maps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linkage {
    /// What machine it is for.
    pub machine: Machine,
    /// The loader that it asks for; only programs do.
    pub interpreter: Option<PathBuf>,
    /// The name that others need it by.
    pub soname: Option<String>,
    /// The libraries that it needs, in its order.
    pub needed: Vec<String>,
    /// Its run path; when it has both, that of `DT_RUNPATH`, because the loader ignores the other one then.
    pub run_path: Option<(String, RunPathKind)>,
    /// The digits of its GNU build-id.
    pub build_id: Option<String>,
    /// Whether the loader must not look for its libraries in the default folders (`DF_1_NODEFLIB`).
    pub no_default: bool,
}

/// A kind of processor and the width of its addresses. Programs and libraries of different ones do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Whether addresses have 64 bits.
    pub wide: bool,
    /// `e_machine`, as the ELF specification numbers it.
    pub number: u64,
}

/// `DF_1_NODEFLIB`.
const NO_DEFAULT: u64 = 0x800;

/// Reads what a file is linked with. A file without a dynamic section needs nothing.
///
/// # Errors
/// When it is no ELF executable or shared library, contradicts itself, or cannot be read.
pub fn linkage(file: &Path) -> Result<Linkage, ElfError> {
    let source = open(file)?;
    Reader::new(&source).and_then(|it| of(&it)).map_err(|fault| fault.of(file))
}

/// The versions of symbols that a file needs, by library.
///
/// # Errors
/// As for [`linkage`].
pub fn needed_versions(file: &Path) -> Result<Vec<SymbolVersion>, ElfError> {
    let source = open(file)?;
    Reader::new(&source).and_then(|it| versions::needed(&it)).map_err(|fault| fault.of(file))
}

/// The versions of symbols that a library defines.
///
/// # Errors
/// As for [`linkage`].
pub fn defined_versions(file: &Path) -> Result<Vec<SymbolVersion>, ElfError> {
    let source = open(file)?;
    Reader::new(&source).and_then(|it| versions::defined(&it)).map_err(|fault| fault.of(file))
}

/// Puts the run path under this tag, in the file itself: neither its length nor any other byte changes. Other names of
/// the file see the change. Gives whether anything changed.
///
/// # Errors
/// As for [`linkage`], and when it cannot be written.
pub fn set_run_path_kind(file: &Path, kind: RunPathKind) -> Result<bool, ElfError> {
    let source = open(file)?;
    let places = Reader::new(&source).and_then(|it| run_path_places(&it, kind)).map_err(|fault| fault.of(file))?;
    if places.is_empty() {
        return Ok(false);
    }
    write(file, &places)?;
    Ok(true)
}

pub(super) fn of<P: Pieces + ?Sized>(reader: &Reader<'_, P>) -> Result<Linkage, Fault> {
    let (wide, number) = reader.head.machine()?;
    let mut linkage = Linkage {
        machine: Machine { wide, number },
        interpreter: reader.interpreter()?.map(PathBuf::from),
        soname: None,
        needed: Vec::new(),
        run_path: None,
        build_id: notes::build_id(reader)?,
        no_default: false,
    };
    let Some(dynamic) = reader.dynamic()? else { return Ok(linkage) };
    for (tag, value) in &dynamic.entries {
        match *tag {
            tag::NEEDED => linkage.needed.push(reader.text(&dynamic, *value)?),
            tag::SONAME => linkage.soname = Some(reader.text(&dynamic, *value)?),
            tag::FLAGS_1 => linkage.no_default = value & NO_DEFAULT != 0,
            _ => {}
        }
    }
    for kind in [RunPathKind::Runpath, RunPathKind::Rpath] {
        // Of two entries of one tag the loader takes the last.
        let entry = dynamic.entries.iter().rfind(|(tag, _)| *tag == kind.tag());
        if let (Some((_, at)), None) = (entry, &linkage.run_path) {
            linkage.run_path = Some((reader.text(&dynamic, *at)?, kind));
        }
    }
    Ok(linkage)
}

/// Where in the file a tag has to be written for the run path to be of this kind, and the bytes.
fn run_path_places<P: Pieces + ?Sized>(
    reader: &Reader<'_, P>,
    kind: RunPathKind,
) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
    let Some(dynamic) = reader.dynamic()? else { return Ok(Vec::new()) };
    let other = if kind == RunPathKind::Rpath { RunPathKind::Runpath } else { RunPathKind::Rpath };
    let size = dynamic.piece.dynamic_entry_size();
    let mut places = Vec::new();
    for (index, (tag, _)) in dynamic.entries.iter().enumerate() {
        if *tag == other.tag() {
            let mut bytes = dynamic.piece.piece(vec![0; usize_of(size / 2)?]);
            bytes.set_native(0, kind.tag())?;
            places.push((dynamic.at + index as u64 * size, bytes.bytes));
        }
    }
    Ok(places)
}
