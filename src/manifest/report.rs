//! All problems of one manifest, as one diagnostic.

use std::{error::Error, fmt};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use super::{
    error::ManifestError,
    problems::{MOST, Problems},
};

/// Lines longer than this many bytes are not drawn whole.
const LONGEST_LINE: usize = 400;
/// What remains of a line that is too long to be drawn.
const CUT_LINE: usize = 100;

/// Every problem of one manifest, in the order of the file, with the text that the places refer to.
#[derive(Debug, Clone)]
pub struct ManifestErrors(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    problems: Vec<ManifestError>,
    untold: usize,
    drawn: Vec<Drawn>,
    // The text is absent when there is nothing to draw, and holds cut lines where the file's are too long.
    text: Option<NamedSource<String>>,
    file_name: String,
}

/// A problem as it is drawn: its labels lie in the drawn text, each on one line.
#[derive(Debug, Clone)]
struct Drawn {
    problem: ManifestError,
    labels: Vec<LabeledSpan>,
}

impl ManifestErrors {
    pub(super) fn new(file_name: &str, text: &str, found: Problems) -> Self {
        let Problems { list: mut problems, untold } = found;
        problems.sort_by_key(first_place);
        let lines = Lines::of(text);
        let drawn: Vec<Drawn> = problems
            .iter()
            .map(|problem| Drawn { problem: problem.clone(), labels: lines.labels_of(problem) })
            .collect();
        let text = (drawn.iter().any(|it| !it.labels.is_empty())).then(|| NamedSource::new(file_name, lines.drawn));
        Self(Box::new(Inner { problems, untold, drawn, text, file_name: file_name.to_owned() }))
    }

    /// The problems in the order of the file, at least one and at most fifty. Their places refer to the text that was
    /// parsed.
    pub fn problems(&self) -> &[ManifestError] {
        &self.0.problems
    }

    /// How many problems there are beyond [`ManifestErrors::problems`].
    pub fn untold(&self) -> usize {
        self.0.untold
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { problems, untold, file_name, .. } = &*self.0;
        match problems.len() + untold {
            1 => write!(f, "`{file_name}` has a problem"),
            count => write!(f, "`{file_name}` has {count} problems"),
        }
    }
}

impl Error for ManifestErrors {}

impl Diagnostic for ManifestErrors {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new("envbuild::manifest"))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (self.0.untold > 0).then(|| Box::new(format!("the first {MOST} are shown")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.text.as_ref().map(|text| text as &dyn SourceCode)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.drawn.iter().map(|it| it as &dyn Diagnostic)))
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl Error for Drawn {}

impl Diagnostic for Drawn {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.code()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<_>)
    }
}

fn first_place(problem: &ManifestError) -> usize {
    problem.labels().and_then(|labels| labels.map(|label| label.offset()).max()).unwrap_or(0)
}

/// The text as it is drawn, and where each of its lines came from.
struct Lines {
    drawn: String,
    lines: Vec<Line>,
}

struct Line {
    written: usize,
    drawn: usize,
    /// Bytes that are drawn, without the line's end.
    length: usize,
}

impl Lines {
    fn of(text: &str) -> Self {
        let mut lines = Self { drawn: String::with_capacity(text.len()), lines: Vec::new() };
        let mut written = 0;
        for line in text.split_inclusive('\n') {
            let content = line.trim_end_matches(['\n', '\r']);
            let drawn = lines.drawn.len();
            let length = if content.len() > LONGEST_LINE {
                let length = content.floor_char_boundary(CUT_LINE);
                lines.drawn.push_str(&content[..length]);
                lines.drawn.push_str("…\n");
                length
            } else {
                lines.drawn.push_str(line);
                content.len()
            };
            lines.lines.push(Line { written, drawn, length });
            written += line.len();
        }
        lines
    }

    /// A problem's labels in the drawn text. A label over several lines keeps its first line: a value may be as long as
    /// the file.
    fn labels_of(&self, problem: &ManifestError) -> Vec<LabeledSpan> {
        let Some(labels) = problem.labels() else { return Vec::new() };
        let place = |label: LabeledSpan| {
            let after = self.lines.partition_point(|line| line.written <= label.offset());
            let mut text = label.label().map(str::to_owned);
            let (start, end) = match after.checked_sub(1).map(|index| &self.lines[index]) {
                None => (0, 0),
                Some(line) => {
                    let start = (label.offset() - line.written).min(line.length);
                    let end = (start + label.len()).min(line.length);
                    if label.offset() > line.written + start {
                        // The column that the drawing shows is the cut's, so the label says the true one.
                        let column = label.offset() - line.written + 1;
                        text = text.map(|text| format!("{text}: byte {column} of this line"));
                    }
                    (self.char_start(line.drawn + start), self.char_start(line.drawn + end))
                }
            };
            LabeledSpan::new(text, start, end - start)
        };
        labels.map(place).collect()
    }

    fn char_start(&self, offset: usize) -> usize {
        self.drawn.floor_char_boundary(offset)
    }
}
