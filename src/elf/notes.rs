//! The notes of a file: its build-id, and the processor that it needs.
//!
//! A note is a name's length, a content's length, a kind, the name and the content, each padded.

use super::{
    error::Problem,
    image::{Image, segment, usize_of},
    reader::{Fault, Pieces, Reader},
};

/// Only the first part of notes is looked at.
const LONGEST_NOTES: u64 = 1 << 16;
/// `NT_GNU_BUILD_ID`.
const BUILD_ID: u64 = 3;
/// `NT_GNU_PROPERTY_TYPE_0`.
const PROPERTIES: u64 = 5;
/// `GNU_PROPERTY_X86_ISA_1_NEEDED`, of the "System V ABI, AMD64 Architecture Processor Supplement", which names its bits:
/// `BASELINE` is the lowest, `V2`, `V3` and `V4` follow.
const X86_NEEDED: u64 = 0xc000_8002;

/// A level of the x86-64 processors, as the AMD64 supplement of the System V ABI describes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
pub enum Level {
    /// What every processor of the kind has.
    #[default]
    #[serde(rename = "x86-64")]
    Baseline,
    /// With SSE4.2 and POPCNT: since about 2009.
    #[serde(rename = "x86-64-v2")]
    V2,
    /// With AVX2, BMI2 and FMA: since about 2013.
    #[serde(rename = "x86-64-v3")]
    V3,
    /// With AVX-512: since about 2017, and not all.
    #[serde(rename = "x86-64-v4")]
    V4,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Baseline => "x86-64",
            Self::V2 => "x86-64-v2",
            Self::V3 => "x86-64-v3",
            Self::V4 => "x86-64-v4",
        })
    }
}

/// The digits of the GNU build-id.
pub(super) fn build_id<P: Pieces + ?Sized>(reader: &Reader<'_, P>) -> Result<Option<String>, Fault> {
    find(reader, |kind, content, _| {
        (kind == BUILD_ID && !content.bytes.is_empty()).then(|| hex::encode(&content.bytes))
    })
}

/// The level of the processor that the file says it needs; nothing when it says nothing, as most do. It means something
/// for x86 only.
pub(super) fn level<P: Pieces + ?Sized>(reader: &Reader<'_, P>) -> Result<Option<Level>, Fault> {
    find(reader, |kind, content, align| if kind == PROPERTIES { needed(content, align).ok().flatten() } else { None })
}

/// Properties are a kind, a length and a content, each padded.
fn needed(content: &Image, align: usize) -> Result<Option<Level>, Problem> {
    let mut at = 0;
    while at + 8 <= content.bytes.len() {
        let (kind, length) = (content.word(at)?, usize_of(content.word(at + 4)?)?);
        if kind == X86_NEEDED && length >= 4 {
            let bits = content.word(at + 8)?;
            let levels = [(8, Level::V4), (4, Level::V3), (2, Level::V2), (1, Level::Baseline)];
            return Ok(levels.into_iter().find(|(bit, _)| bits & bit != 0).map(|it| it.1));
        }
        at += 8 + length.next_multiple_of(align);
    }
    Ok(None)
}

/// What the first of the GNU notes gives that gives anything. It is handed their kind, their content, and to what their
/// parts are padded.
fn find<P: Pieces + ?Sized, T>(
    reader: &Reader<'_, P>,
    wanted: impl Fn(u64, &Image, usize) -> Option<T>,
) -> Result<Option<T>, Fault> {
    for segment in reader.segments.iter().filter(|it| it.kind == segment::NOTE) {
        let align = if segment.align == 8 { 8 } else { 4 };
        let notes = reader.piece(segment.offset, segment.file_size.min(LONGEST_NOTES))?;
        let padded = |length: usize| length.next_multiple_of(align);
        let mut at = 0;
        while at + 12 <= notes.bytes.len() {
            let (name, content) = (usize_of(notes.word(at)?)?, usize_of(notes.word(at + 4)?)?);
            let kind = notes.word(at + 8)?;
            let begin = padded(12 + name);
            let named = notes.bytes.get(at + 12..at + 12 + name);
            let bytes = notes.bytes.get(at + begin..at + begin + content);
            let (Some(named), Some(bytes)) = (named, bytes) else { break };
            if named == b"GNU\0"
                && let Some(found) = wanted(kind, &notes.piece(bytes.to_vec()), align)
            {
                return Ok(Some(found));
            }
            at += begin + padded(content);
        }
    }
    Ok(None)
}
