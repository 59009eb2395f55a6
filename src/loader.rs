//! Reading a spec and the files it uses. The library itself does no IO: a [`Loader`] gives it texts.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, Stage};
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::ast::{self, StmtKind, Text};
use crate::syntax::parser::parse;

/// Gives the texts of files that `use` names.
pub trait Loader {
    /// The file that `path` means in the file called `from`: a name that is the same for the same file, and its text. The
    /// error says why there is none.
    fn load(&mut self, path: &str, from: &str) -> Result<(String, String), String>;
}

/// Refuses every file: for a spec that stands alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Loader for NoFiles {
    fn load(&mut self, _path: &str, _from: &str) -> Result<(String, String), String> {
        Err("no other files can be read here".to_string())
    }
}

/// The most files that one spec may use.
pub const MOST_FILES: usize = 1000;
/// How deeply files may use each other.
pub const DEEPEST_USE: usize = 100;

/// Parsed files: the used ones, each before those that use it, then the spec.
#[derive(Debug)]
pub struct Loaded {
    /// The files with their syntax trees; the spec is the last.
    pub files: Vec<(FileId, ast::File)>,
    /// The length of their texts together.
    pub bytes: usize,
}

/// Reads a spec and all that it uses into `sources`.
pub fn load(
    name: &str,
    source: &str,
    loader: &mut dyn Loader,
    sources: &mut SourceMap,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut reading = Reading {
        loader,
        sources,
        files: Vec::new(),
        bytes: 0,
        errors: Vec::new(),
        known: HashSet::new(),
        open: Vec::new(),
    };
    reading.read(name.to_string(), source.to_string());
    match reading.errors.is_empty() {
        true => Ok(Loaded { files: reading.files, bytes: reading.bytes }),
        false => Err(reading.errors),
    }
}

/// A file on the way from the spec to the file at hand.
struct Open {
    name: String,
    /// The `use` that led to it; the spec has none.
    place: Option<Span>,
}

struct Reading<'a> {
    loader: &'a mut dyn Loader,
    sources: &'a mut SourceMap,
    files: Vec<(FileId, ast::File)>,
    bytes: usize,
    errors: Vec<Diagnostic>,
    known: HashSet<String>,
    open: Vec<Open>,
}

impl Reading<'_> {
    fn read(&mut self, name: String, text: String) {
        self.bytes = self.bytes.saturating_add(text.len());
        let file = self.sources.add(name.clone(), text);
        let text = self.sources.get(file).map_or("", |source| source.text.as_str());
        let (tree, errors) = parse(file, text);
        let understood = errors.is_empty();
        self.errors.extend(errors);
        if self.open.is_empty() {
            self.open.push(Open { name, place: None });
        }
        for stmt in tree.statements.iter().filter(|_| understood) {
            if let StmtKind::Use(path) = &stmt.kind {
                self.follow(path);
            }
        }
        self.files.push((file, tree));
    }

    fn follow(&mut self, path: &Text) {
        let from = self.open.last().map_or(String::new(), |open| open.name.clone());
        let (name, text) = match self.loader.load(&path.value, &from) {
            Ok(found) => found,
            Err(reason) => return self.fail(format!("cannot read \"{}\"", path.value), path.span, reason),
        };
        if let Some(cycle) = self.open.iter().position(|open| open.name == name) {
            return self.cycle(cycle, path);
        }
        if !self.known.insert(name.clone()) {
            return;
        }
        if self.known.len() > MOST_FILES || self.open.len() > DEEPEST_USE {
            let label = format!("at most {MOST_FILES} files, {DEEPEST_USE} deep");
            return self.fail("too many files".to_string(), path.span, label);
        }
        self.open.push(Open { name: name.clone(), place: Some(path.span) });
        self.read(name, text);
        self.open.pop();
    }

    fn fail(&mut self, message: String, span: Span, label: String) {
        self.errors.push(Diagnostic::new(Stage::Read, message).at(span, label));
    }

    fn cycle(&mut self, start: usize, path: &Text) {
        let names: Vec<&str> = self.open[start..].iter().map(|open| open.name.as_str()).collect();
        let mut error = Diagnostic::new(Stage::Read, "these files use each other")
            .at(path.span, "used again here")
            .note(format!("the files go {} -> {}", names.join(" -> "), names[0]))
            .help("move what they share into a file of its own");
        let first = self.open.get(start + 1).or(self.open.get(start)).and_then(|open| open.place);
        if let Some(span) = first.filter(|span| *span != path.span) {
            error = error.at(span, "the cycle begins here");
        }
        self.errors.push(error);
    }
}
