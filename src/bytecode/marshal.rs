//! Values as CPython's `marshal` writes them, brought into one form (formats 3 and 4; `Python/marshal.c`).
//!
//! What Python writes is no function of the value. It marks every object that anybody in the process holds besides the
//! value itself as one to come back to, so that a name which stands in some cache is written in another way; it tells
//! whether a text was interned, which for short texts depends on what ran before; it writes sets in the order of hashes,
//! of which some are addresses; and whether two equal sets are one object depends on the interned texts again. Here equal
//! values become one object, sets are sorted, a text is interned when it is so anywhere in the file, and only what is
//! really referred to is marked.
//!
//! Nothing here calls itself, so that no depth of nesting exhausts the stack.

use std::{cmp::Ordering, collections::HashMap};

/// The bit of an object's type that says that later references may name the object.
const MARK: u8 = 0x80;
/// Below this number of bytes an ASCII text, and of items a tuple, is written with a length of one byte.
const SHORT: usize = 256;
/// How deep objects may stand in each other. Python reads and writes nothing deeper.
const DEEPEST: usize = 2000;

/// How a code object is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// The numbers at its beginning.
    pub(super) numbers: usize,
    /// The objects between these and the number of its first line.
    pub(super) before: usize,
    /// The objects after that number.
    pub(super) after: usize,
}

/// The bytes are not what Python writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {why}")]
pub(super) struct Malformed {
    at: usize,
    why: &'static str,
}

/// The one form of a value, for any form of it that Python has written.
///
/// # Errors
/// When the bytes are not exactly one value of the kinds that code consists of.
pub(super) fn canonical(bytes: &[u8], layout: Layout) -> Result<Vec<u8>, Malformed> {
    let mut reader = Reader { bytes, at: 0 };
    let mut graph = Graph::default();
    let root = graph.read(&mut reader, layout)?;
    if reader.at < bytes.len() {
        return Err(reader.malformed("something follows the value"));
    }
    Ok(graph.write(root, layout))
}

/// An object. Of the kinds that are written in several ways, `kind` is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Object<'a> {
    kind: Kind,
    /// What stands behind the type and the length.
    bytes: &'a [u8],
    /// Places of the objects in it.
    items: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// `None` and the like, by the type: never marked.
    Single(u8),
    /// A number, by the type.
    Number(u8),
    Bytes,
    Ascii,
    Unicode,
    Tuple,
    Set,
    /// With the bytes of its first line, which stand between its objects.
    Code([u8; 4]),
}

/// An object whose items are not all read.
struct Open<'a> {
    object: Object<'a>,
    wanted: usize,
    /// Its place among the marked.
    mark: Option<usize>,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn malformed(&self, why: &'static str) -> Malformed {
        Malformed { at: self.at, why }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or_else(|| self.malformed("it is cut off"))?;
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn four(&mut self) -> Result<[u8; 4], Malformed> {
        let taken = self.take(4)?;
        Ok([taken[0], taken[1], taken[2], taken[3]])
    }

    /// A length of four bytes. There can be no more items than bytes.
    fn length(&mut self) -> Result<usize, Malformed> {
        let length = u32::from_le_bytes(self.four()?);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.bytes.len() - self.at { Err(self.malformed("it is cut off")) } else { Ok(length) }
    }
}

/// All objects of a value. Those in an object stand before it, so that nothing contains itself.
#[derive(Default)]
struct Graph<'a> {
    objects: Vec<Object<'a>>,
    /// Of each object, whether it is a text that was interned somewhere.
    interned: Vec<bool>,
    /// Where an object stands.
    places: HashMap<Object<'a>, u32>,
}

impl<'a> Graph<'a> {
    fn read(&mut self, reader: &mut Reader<'a>, layout: Layout) -> Result<u32, Malformed> {
        // What references may name: the objects that are whole.
        let mut marked: Vec<Option<u32>> = Vec::new();
        let mut open: Vec<Open<'a>> = Vec::new();
        loop {
            let kind = reader.byte()?;
            let mut place = if kind == b'r' {
                let named = usize::try_from(u32::from_le_bytes(reader.four()?)).unwrap_or(usize::MAX);
                let named = marked.get(named).copied().flatten();
                named.ok_or_else(|| reader.malformed("it refers to what is not there"))?
            } else {
                let mark = (kind & MARK != 0).then_some(marked.len());
                marked.extend(mark.map(|_| None));
                let (object, wanted, interned) = begin(reader, kind & !MARK, layout)?;
                if mark.is_some() && matches!(object.kind, Kind::Single(_)) {
                    return Err(reader.malformed("it marks what is never marked"));
                }
                if wanted > 0 {
                    if open.len() == DEEPEST {
                        return Err(reader.malformed("it is nested too deep"));
                    }
                    open.push(Open { object, wanted, mark });
                    continue;
                }
                let place = self.add(object, interned);
                if let Some(mark) = mark {
                    marked[mark] = Some(place);
                }
                place
            };
            // It may be the last of what it is in, and that again.
            loop {
                let Some(last) = open.last_mut() else { return Ok(place) };
                last.object.items.push(place);
                if let Kind::Code(line) = &mut last.object.kind
                    && last.object.items.len() == layout.before
                {
                    *line = reader.four()?;
                }
                if last.object.items.len() < last.wanted {
                    break;
                }
                let Some(Open { mut object, mark, .. }) = open.pop() else { return Ok(place) };
                if object.kind == Kind::Set {
                    object.items.sort_by(|one, other| self.order(*one, *other));
                }
                place = self.add(object, false);
                if let Some(mark) = mark {
                    marked[mark] = Some(place);
                }
            }
        }
    }

    /// The place of an object: that of its equal, when there is one. Code is itself alone: the interpreter keeps
    /// what it learns of a function there. So is what does not equal itself.
    fn add(&mut self, object: Object<'a>, interned: bool) -> u32 {
        let single = matches!(object.kind, Kind::Code(_)) || is_nan(&object);
        if !single && let Some(place) = self.places.get(&object) {
            self.interned[*place as usize] |= interned;
            return *place;
        }
        let place = u32::try_from(self.objects.len()).expect("lengths of 32 bits hold no more objects than that");
        if !single {
            self.places.insert(object.clone(), place);
        }
        self.objects.push(object);
        self.interned.push(interned);
        place
    }

    /// An order of values, by what is in them.
    fn order(&self, mut one: u32, mut other: u32) -> Ordering {
        loop {
            let (a, b) = (&self.objects[one as usize], &self.objects[other as usize]);
            let by_bytes = a.kind.cmp(&b.kind).then_with(|| a.bytes.cmp(b.bytes));
            let order = by_bytes.then_with(|| a.items.len().cmp(&b.items.len()));
            // Equal objects have one place: what differs first, differs.
            match a.items.iter().zip(&b.items).find(|(a, b)| a != b) {
                Some((a, b)) if order.is_eq() => (one, other) = (*a, *b),
                _ => return order,
            }
        }
    }

    /// How often each object stands in the value.
    fn counts(&self, root: u32) -> Vec<u32> {
        let mut counts = vec![0u32; self.objects.len()];
        let mut todo = vec![root];
        while let Some(place) = todo.pop() {
            let count = &mut counts[place as usize];
            *count = count.saturating_add(1);
            if *count == 1 {
                todo.extend(&self.objects[place as usize].items);
            }
        }
        counts
    }

    fn write(&self, root: u32, layout: Layout) -> Vec<u8> {
        enum Step {
            Object(u32),
            Line([u8; 4]),
        }
        let counts = self.counts(root);
        let mut numbers: Vec<Option<u32>> = vec![None; self.objects.len()];
        let mut next = 0u32;
        let mut text = Vec::new();
        let mut todo = vec![Step::Object(root)];
        while let Some(step) = todo.pop() {
            let place = match step {
                Step::Object(place) => place as usize,
                Step::Line(line) => {
                    text.extend(line);
                    continue;
                }
            };
            if let Some(number) = numbers[place] {
                text.push(b'r');
                text.extend(number.to_le_bytes());
                continue;
            }
            let object = &self.objects[place];
            let mut mark = 0;
            if counts[place] > 1 && !matches!(object.kind, Kind::Single(_)) {
                mark = MARK;
                numbers[place] = Some(next);
                next += 1;
            }
            object.head(self.interned[place], mark, &mut text);
            let mut items = object.items.iter().map(|item| Step::Object(*item)).rev();
            if let Kind::Code(line) = object.kind {
                todo.extend(items.by_ref().take(layout.after));
                todo.push(Step::Line(line));
            }
            todo.extend(items);
        }
        text
    }
}

impl Object<'_> {
    /// Writes its type, its length and its bytes.
    fn head(&self, interned: bool, mark: u8, text: &mut Vec<u8>) {
        let length = if matches!(self.kind, Kind::Tuple | Kind::Set) { self.items.len() } else { self.bytes.len() };
        let is_short = length < SHORT;
        // The interpreter has one object of each of the shortest texts, and anything that runs in it can intern that.
        let interned = interned || is_shortest(self.bytes);
        let kind = match (self.kind, is_short, interned) {
            (Kind::Single(kind) | Kind::Number(kind), _, _) => kind,
            (Kind::Bytes, _, _) => b's',
            (Kind::Ascii, true, true) => b'Z',
            (Kind::Ascii, true, false) => b'z',
            (Kind::Ascii, false, true) => b'A',
            (Kind::Ascii, false, false) => b'a',
            (Kind::Unicode, _, true) => b't',
            (Kind::Unicode, _, false) => b'u',
            (Kind::Tuple, true, _) => b')',
            (Kind::Tuple, false, _) => b'(',
            (Kind::Set, _, _) => b'>',
            (Kind::Code(_), _, _) => b'c',
        };
        text.push(kind | mark);
        let length = u32::try_from(length).expect("it was read from 32 bits").to_le_bytes();
        match self.kind {
            Kind::Single(_) | Kind::Number(_) | Kind::Code(_) => {}
            Kind::Ascii | Kind::Tuple if is_short => text.push(length[0]),
            _ => text.extend(length),
        }
        text.extend(self.bytes);
    }
}

/// Reads an object up to its items: it, the number of items, and whether it is an interned text.
fn begin<'a>(reader: &mut Reader<'a>, kind: u8, layout: Layout) -> Result<(Object<'a>, usize, bool), Malformed> {
    let mut wanted = 0;
    let (sort, bytes) = match kind {
        b'N' | b'T' | b'F' | b'.' => (Kind::Single(kind), &[][..]),
        b'i' => (Kind::Number(kind), reader.take(4)?),
        b'g' => (Kind::Number(kind), reader.take(8)?),
        b'y' => (Kind::Number(kind), reader.take(16)?),
        b'l' => {
            // Two bytes for every digit, of which there are less than none when it is negative.
            let start = reader.at;
            let digits = i32::from_le_bytes(reader.four()?).unsigned_abs();
            reader.take(usize::try_from(digits).unwrap_or(usize::MAX).saturating_mul(2))?;
            (Kind::Number(kind), &reader.bytes[start..reader.at])
        }
        b's' | b'a' | b'A' | b'u' | b't' => {
            let length = reader.length()?;
            let sort = match kind {
                b's' => Kind::Bytes,
                b'a' | b'A' => Kind::Ascii,
                _ => Kind::Unicode,
            };
            (sort, reader.take(length)?)
        }
        b'z' | b'Z' => {
            let length = reader.byte()?;
            (Kind::Ascii, reader.take(length.into())?)
        }
        b')' => {
            wanted = reader.byte()?.into();
            (Kind::Tuple, &[][..])
        }
        b'(' | b'>' => {
            wanted = reader.length()?;
            (if kind == b'(' { Kind::Tuple } else { Kind::Set }, &[][..])
        }
        b'c' => {
            wanted = layout.before + layout.after;
            (Kind::Code([0; 4]), reader.take(layout.numbers * 4)?)
        }
        _ => return Err(Malformed { at: reader.at - 1, why: "code holds no such object" }),
    };
    let interned = matches!(kind, b'A' | b'Z' | b't');
    Ok((Object { kind: sort, bytes, items: Vec::new() }, wanted, interned))
}

/// Whether a text is empty, or one character of Latin-1 in UTF-8.
fn is_shortest(text: &[u8]) -> bool {
    matches!(text, [] | [_] | [0xc2 | 0xc3, _])
}

/// Whether a number has a part that is not a number.
fn is_nan(object: &Object<'_>) -> bool {
    matches!(object.kind, Kind::Number(b'g' | b'y'))
        && object.bytes.as_chunks().0.iter().any(|part| f64::from_le_bytes(*part).is_nan())
}
