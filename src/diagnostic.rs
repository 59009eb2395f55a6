//! Errors that say where, why and what to do.
//!
//! Every stage collects all of its [`Diagnostic`]s before it gives up; [`Diagnostics`] carries them with the texts they point
//! into, and its `Display` is the rendered report.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::source::{SourceMap, Span};

/// The pass that found an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Reading a file.
    Read,
    /// The grammar.
    Syntax,
    /// Names, definitions, arguments.
    Names,
    /// Dims and index equations.
    Shape,
    /// What the exponent calculus has no rule for, or cannot satisfy.
    Analysis,
}

impl Stage {
    /// The word in brackets behind `error`.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Read => "read",
            Stage::Syntax => "syntax",
            Stage::Names => "names",
            Stage::Shape => "shape",
            Stage::Analysis => "analysis",
        }
    }
}

/// A span with a few words about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// One error: the first label is where it is, the others are what it disagrees with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The pass that found it.
    pub stage: Stage,
    /// What is wrong, in one line.
    pub message: String,
    /// The places involved; the first is the main one.
    pub labels: Vec<Label>,
    /// Why it is wrong.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error of a stage.
    pub fn new(stage: Stage, message: impl Into<String>) -> Diagnostic {
        Diagnostic { stage, message: message.into(), labels: Vec::new(), notes: Vec::new(), help: None }
    }

    /// Points at a place: the main one first, then those it disagrees with.
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a reason.
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// Says how to mend it.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }

    /// Says how to mend it, if there is something to say.
    pub fn help_if(self, text: Option<String>) -> Diagnostic {
        match text {
            Some(text) => self.help(text),
            None => self,
        }
    }
}

/// Everything that is wrong with a compilation, with the texts it read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.render(&Renderer::plain()))]
pub struct Diagnostics {
    /// The texts.
    pub sources: SourceMap,
    /// The errors, in the order of their stages.
    pub items: Vec<Diagnostic>,
}

/// No report lists more errors than this; the rest are counted.
pub const SHOWN: usize = 50;

impl Diagnostics {
    /// The report with terminal colours.
    pub fn to_ansi(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut blocks: Vec<String> =
            self.items.iter().take(SHOWN).map(|item| render_one(&self.sources, item, renderer)).collect();
        if self.items.len() > SHOWN {
            blocks.push(format!("... and {} more errors", self.items.len() - SHOWN));
        }
        blocks.join("\n\n")
    }
}

/// Lines longer than this are shown without their source, so that a report stays readable.
const LONGEST_LINE: usize = 2000;

fn render_one(sources: &SourceMap, item: &Diagnostic, renderer: &Renderer) -> String {
    let title = Level::ERROR.with_name(Some(format!("error[{}]", item.stage.name())));
    let mut group = Group::with_title(title.primary_title(&item.message));
    let mut seen = Vec::new();
    for label in &item.labels {
        if seen.contains(&label.span.file) {
            continue;
        }
        seen.push(label.span.file);
        if let Some(snippet) = snippet(sources, item, label.span.file) {
            group = group.element(snippet);
        } else {
            group = group.element(Level::NOTE.message(format!("at {}", sources.locate(label.span))));
        }
    }
    for note in &item.notes {
        group = group.element(Level::NOTE.message(note));
    }
    if let Some(help) = &item.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

fn snippet<'a>(
    sources: &'a SourceMap,
    item: &'a Diagnostic,
    file: crate::source::FileId,
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let source = sources.get(file)?;
    let mut snippet = Snippet::source(source.text.as_str()).path(source.name.as_str()).fold(true);
    for (position, label) in item.labels.iter().enumerate().filter(|(_, label)| label.span.file == file) {
        let range = shown_range(&source.text, label.span)?;
        let kind = if position == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        snippet = snippet.annotation(kind.span(range).label(label.text.as_str()));
    }
    Some(snippet)
}

/// The part of a span on its first line, on character boundaries; nothing if that line is too long to print.
fn shown_range(text: &str, span: Span) -> Option<std::ops::Range<usize>> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (start, end) = (floor(span.start as usize), floor(span.end as usize));
    let line_end = text[start..].find('\n').map_or(text.len(), |offset| start + offset);
    let line_start = text[..start].rfind('\n').map_or(0, |offset| offset + 1);
    (line_end - line_start <= LONGEST_LINE).then(|| start..end.clamp(start, line_end).max(start))
}

/// At most so many known names are compared with a misspelt one, so that many mistakes in a long text stay cheap.
const COMPARED: usize = 5000;

/// The known name nearest to a misspelt one, as advice: `did you mean `relu`?`.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The known name nearest to a misspelt one, if it is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > 64 {
        return None;
    }
    let limit = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .take(COMPARED)
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= limit)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
