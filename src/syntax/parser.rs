//! The parser: nom over tokens.
//!
//! ```ebnf
//! file       = { statement } ;
//! statement  = "network" NAME
//!            | "use" STRING
//!            | "scale" binding { "," binding }
//!            | "dim" binding { "," binding }
//!            | ( "input" | "target" ) data { "," data }
//!            | "param" param { "," param }
//!            | "def" NAME "(" [ formal { "," formal } ] ")" block
//!            | "repeat" [ NAME "over" ] product [ "shared" ] [ "as" NAME ] block
//!            | "return" expr
//!            | "loss" expr
//!            | "name" step { "." step } "as" STRING
//!            | "parameterization" title [ "from" title ] "{" { line } "}"
//!            | "expect" title [ "with" title ] "{" { line } "}"
//!            | "experiment" NAME [ "with" binding { "," binding } ] [ "over" NAME "=" expr ".." expr ]
//!            | NAME [ "[" indices "]" ] ( "=" | "+=" ) expr ;
//! step       = NAME | "repeat" ;
//! title      = NAME { "-" NAME } ;                                  (no blanks inside)
//! line       = "optimizer" title | "alpha" expr | "verdict" STRING | pattern { "," pattern } ":" clause { "," clause } ;
//! pattern    = STRING | ( NAME | "*" ) { "." | "*" | NAME } ;       (no blanks inside)
//! clause     = NAME ( expr | title | "frozen" ) ;
//! binding    = NAME "=" expr ;
//! data       = NAME [ "[" [ expr { "," expr } ] "]" ] [ "in" expr ] ;
//! param      = NAME [ "[" [ expr { "," expr } ] "]" ] [ "=" expr ] [ "frozen" ] [ "as" STRING ] ;
//! formal     = NAME [ "[" indices "]" ] [ "=" expr ] ;
//! block      = "{" { statement } "}" ;
//! expr       = [ "-" ] product { ( "+" | "-" ) product } ;
//! product    = power { ( "*" | "/" ) power } ;
//! power      = postfix [ "^" [ "-" ] ( NUMBER | "(" expr ")" ) ] ;
//! postfix    = primary [ "[" indices "]" ] ;
//! primary    = NUMBER | "?" | "(" expr ")" | call | NAME ;
//! call       = NAME "(" [ arg { "," arg } ] ")" [ "as" NAME ] ;
//! arg        = "over" ( NAME | "(" NAME { NAME } ")" ) | NAME "=" expr | expr ;
//! indices    = index { "," index } ;
//! index      = ".." | "(" NAME { NAME } ")" | NAME [ ":" product ] | expr ;
//! NAME       = letter { letter | digit | "_" } ;
//! NUMBER     = digits [ "." digits ] [ ( "e" | "E" ) [ "-" | "+" ] digits ] ;      (exact; "_" may group digits)
//! STRING     = '"' { any character but '"' and the end of the line } '"' ;
//! comment    = "#" up to the end of the line ;
//! ```
//!
//! Two tokens always say which rule applies, so nothing is read twice and the time is linear. `Err(Error)` means "not this rule"
//! and costs nothing; `Err(Failure)` carries the finished message and the place to go on from. A statement that fails is
//! reported and left out, and the parser goes on where the next one seems to start (see `recovery`). A small slip (a keyword as a name, a
//! comma left out) is reported in passing and the statement is kept.

mod expression;
mod list;
mod recovery;
mod rules;
mod statement;

use std::cell::{Cell, RefCell};

use nom::IResult;
use nom::error::{ErrorKind, ParseError};

use super::ast::{File, Ident, Text};
use super::lexer::{MOST_ERRORS, lex};
use super::token::{Kind, Token};
use crate::diagnostic::{Diagnostic, Stage};
use crate::source::{FileId, Span};

/// Brackets and blocks may be nested this deep.
pub const DEEPEST: usize = 100;

/// Reads a text: everything that could be understood, and every error.
pub fn parse(file: FileId, text: &str) -> (File, Vec<Diagnostic>) {
    let lexemes = lex(file, text);
    let context = Context::new(file, text, &lexemes.tokens, &lexemes.errors);
    let statements = statement::statements(Tokens { context: &context, at: 0 }, None).1;
    let found = context.errors.into_inner();
    let mut errors = lexemes.errors;
    errors.extend(found);
    errors.sort_by_key(|error| error.labels.first().map(|label| label.span.start));
    errors.truncate(MOST_ERRORS);
    (File { statements, comments: lexemes.comments }, errors)
}

/// What the parser knows besides its place in the tokens.
struct Context<'a> {
    file: FileId,
    text: &'a str,
    tokens: &'a [Token],
    /// Where the lexer has reported something, in order.
    slips: Vec<u32>,
    /// The last `}` that nothing opened.
    last_stray_brace: Option<usize>,
    errors: RefCell<Vec<Diagnostic>>,
    depth: Cell<usize>,
    /// One block without an end is reported per file: all further ones have the same cause.
    unclosed: Cell<bool>,
    /// The first block whose `}` stands further left than its beginning: its `{` and its `}`.
    suspect: Cell<Option<(usize, usize)>>,
}

impl<'a> Context<'a> {
    fn new(file: FileId, text: &'a str, tokens: &'a [Token], errors: &[Diagnostic]) -> Context<'a> {
        Context {
            file,
            text,
            tokens,
            slips: errors.iter().filter_map(|error| Some(error.labels.first()?.span.start)).collect(),
            last_stray_brace: recovery::last_stray_brace(tokens),
            errors: RefCell::new(Vec::new()),
            depth: Cell::new(0),
            unclosed: Cell::new(false),
            suspect: Cell::new(None),
        }
    }

    fn report(&self, error: Diagnostic) {
        let mut errors = self.errors.borrow_mut();
        if errors.len() < MOST_ERRORS {
            errors.push(error);
        }
    }
}

/// A place in the tokens.
#[derive(Clone, Copy)]
struct Tokens<'a> {
    context: &'a Context<'a>,
    at: usize,
}

/// Why a rule did not match.
enum Trouble<'a> {
    /// The text is something else.
    Mismatch,
    /// The text is wrong from here on.
    Syntax(Tokens<'a>, Box<Diagnostic>),
}

type Parsed<'a, T> = IResult<Tokens<'a>, T, Trouble<'a>>;

impl<'a> ParseError<Tokens<'a>> for Trouble<'a> {
    fn from_error_kind(_: Tokens<'a>, _: ErrorKind) -> Self {
        Trouble::Mismatch
    }

    fn append(_: Tokens<'a>, _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl<'a> Tokens<'a> {
    /// The token here; the last one is never passed.
    fn token(self) -> Token {
        self.context.tokens[self.at]
    }

    fn kind(self) -> Kind {
        self.token().kind
    }

    /// The kind of the token `ahead` places from here.
    fn kind_ahead(self, ahead: usize) -> Kind {
        self.context.tokens.get(self.at + ahead).map_or(Kind::End, |token| token.kind)
    }

    fn next(self) -> Tokens<'a> {
        self.to(self.at + 1)
    }

    fn to(self, at: usize) -> Tokens<'a> {
        Tokens { at: at.min(self.context.tokens.len() - 1), ..self }
    }

    fn previous(self) -> Option<Token> {
        self.at.checked_sub(1).map(|before| self.context.tokens[before])
    }

    fn span(self) -> Span {
        self.span_of(self.token())
    }

    fn span_of(self, token: Token) -> Span {
        Span { file: self.context.file, start: token.start, end: token.end }
    }

    /// From the token here to the one before `rest`.
    fn span_to(self, rest: Tokens<'a>) -> Span {
        rest.previous().map_or(self.span(), |last| self.span().to(self.span_of(last)))
    }

    fn slice(self) -> &'a str {
        self.slice_of(self.token())
    }

    fn slice_of(self, token: Token) -> &'a str {
        self.context.text.get(token.start as usize..token.end as usize).unwrap_or("")
    }

    /// Whether the lexer has complained about this token already.
    fn slipped(self) -> bool {
        self.context.slips.binary_search(&self.token().start).is_ok()
    }

    /// Whether the token here goes on in the line of the one before.
    fn same_line(self) -> bool {
        self.at > 0 && !self.token().line_start && self.kind() != Kind::End
    }

    /// Where to point when something is missing here: at what stands in its place, or at the end of the line before.
    fn gap(self) -> Span {
        match self.previous() {
            Some(before) if !self.same_line() => {
                Span { file: self.context.file, start: before.end, end: before.end }
            }
            _ => self.span(),
        }
    }

    /// The token here, in words.
    fn found(self) -> String {
        match self.kind() {
            Kind::End => "the end of the file".to_owned(),
            Kind::Keyword(_) => format!("the keyword `{}`", self.slice()),
            Kind::Text => "a text".to_owned(),
            _ => format!("`{}`", self.shown()),
        }
    }

    /// The token's text, shortened for a message.
    fn shown(self) -> String {
        let text = self.slice();
        if text.chars().count() <= 40 {
            text.to_owned()
        } else {
            text.chars().take(37).chain("...".chars()).collect()
        }
    }

    /// An error in this place: what was expected and what was found. A sign of another language brings its advice along.
    fn unexpected(self, expected: &str) -> Diagnostic {
        let error = syntax(format!("expected {expected}, found {}", self.found()));
        match self.kind() {
            Kind::Foreign(Some(advice)) => error.at(self.span(), "not part of the language").help(advice),
            Kind::Foreign(None) => error.at(self.span(), "not part of the language"),
            Kind::Keyword(keyword) => error
                .at(self.gap(), format!("expected {expected}"))
                .help_if(keyword.place().map(str::to_owned)),
            _ => error.at(self.gap(), format!("expected {expected}")),
        }
    }

    fn fail<T>(self, error: Diagnostic) -> Parsed<'a, T> {
        Err(nom::Err::Failure(Trouble::Syntax(self, Box::new(error))))
    }

    fn mismatch<T>(self) -> Parsed<'a, T> {
        Err(nom::Err::Error(Trouble::Mismatch))
    }

    /// Runs `inner` one level deeper, unless that is too deep.
    fn deeper<T>(self, inner: impl FnOnce(Tokens<'a>) -> Parsed<'a, T>) -> Parsed<'a, T> {
        let depth = self.context.depth.get();
        if depth >= DEEPEST {
            return self.fail(
                syntax(format!("brackets and blocks are nested more than {DEEPEST} deep"))
                    .at(self.span(), "one more than the language allows")
                    .help("give the inner parts names of their own"),
            );
        }
        self.context.depth.set(depth + 1);
        let result = inner(self);
        self.context.depth.set(depth);
        result
    }
}

fn syntax(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Stage::Syntax, message)
}

/// A token of this kind.
fn token<'a>(kind: Kind) -> impl Fn(Tokens<'a>) -> Parsed<'a, Token> {
    move |input| if input.kind() == kind { Ok((input.next(), input.token())) } else { input.mismatch() }
}

/// A token of this kind; anything else is an error.
fn expect<'a>(kind: Kind, expected: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, Token> {
    move |input| {
        if input.kind() == kind {
            Ok((input.next(), input.token()))
        } else {
            input.fail(input.unexpected(expected))
        }
    }
}

/// A name; a keyword in its place is reported and read as one.
fn name<'a>(expected: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, Ident> {
    move |input| {
        match input.kind() {
            Kind::Name => {}
            Kind::Keyword(_) if input.same_line() => input.context.report(keyword_as_name(input)),
            _ => return input.fail(input.unexpected(expected)),
        }
        Ok((input.next(), Ident { name: input.slice().to_owned(), span: input.span() }))
    }
}

fn keyword_as_name(input: Tokens) -> Diagnostic {
    let word = input.slice();
    syntax(format!("`{word}` is a keyword and cannot be a name"))
        .at(input.span(), "expected a name")
        .help(format!("choose another one, such as `{word}_1`"))
}

/// A quoted text; a bare name in its place is an error that says so.
fn text<'a>(expected: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, Text> {
    move |input| match input.kind() {
        Kind::Text => {
            // A text that was never closed lacks the second quote.
            let quoted = input.slice();
            let (quote, inside) = quoted.split_at(quoted.len().min(1));
            let value = inside.strip_suffix(quote).unwrap_or(inside).to_owned();
            Ok((input.next(), Text { value, span: input.span() }))
        }
        Kind::Name if input.same_line() => {
            let bare: String = input.context.text[input.token().start as usize..]
                .chars()
                .take_while(|c| c.is_ascii_graphic() && *c != '"')
                .take(60)
                .collect();
            input.fail(input.unexpected(expected).help(format!("put it between quotes: `\"{bare}\"`")))
        }
        _ => input.fail(input.unexpected(expected)),
    }
}
