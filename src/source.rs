//! Source texts and the spans that point into them.
//!
//! One compilation reads several texts (the spec, the prelude, files named by `use`); a [`Span`] says which text and which bytes.

use std::fmt;

/// Which text of a [`SourceMap`] a span points into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u16);

/// A range of bytes in one source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        let clip = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { file, start: clip(start), end: clip(end) }
    }

    /// The smallest span that covers both; spans of different texts keep the first.
    pub fn to(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The bytes as a range.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One named text.
#[derive(Clone, Debug)]
pub struct Source {
    /// What the text is called in messages: a path, or `<prelude>`.
    pub name: String,
    /// The text itself.
    pub text: String,
}

/// All texts of one compilation, in the order they were read.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// Adds a text and says how spans refer to it.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let id = FileId(u16::try_from(self.sources.len()).unwrap_or(u16::MAX));
        self.sources.push(Source { name: name.into(), text: text.into() });
        id
    }

    /// The text a span points into.
    pub fn get(&self, file: FileId) -> Option<&Source> {
        self.sources.get(usize::from(file.0))
    }

    /// The bytes of a span, or an empty string if it points nowhere.
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.file).and_then(|source| source.text.get(span.range())).unwrap_or("")
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether nothing was read yet.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}

/// `file:line:column` of a span's start, counted from one.
pub struct Location<'a> {
    sources: &'a SourceMap,
    span: Span,
}

impl SourceMap {
    /// Where a span starts, for messages of one line.
    pub fn locate(&self, span: Span) -> Location<'_> {
        Location { sources: self, span }
    }
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(source) = self.sources.get(self.span.file) else { return write!(f, "?") };
        let before = source.text.get(..self.span.start as usize).unwrap_or(&source.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        write!(f, "{}:{line}:{column}", source.name)
    }
}
