//! Going on after an error, so that one mistake gives one message.
//!
//! A statement that fails is left at the next place where one surely starts: a statement's keyword or `NAME [...] =` at the start of a
//! line, or the `}` of the block. Lists that the statement opened and that are closed further down are jumped over, since a new line inside
//! them starts nothing; a block behind a broken head is read for its own errors.

use super::statement::block;
use super::{Tokens, syntax};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::syntax::token::{Bracket, Keyword, Kind, Token};

const OPEN: Kind = Kind::Open(Bracket::Curly);
const CLOSE: Kind = Kind::Close(Bracket::Curly);

/// The place to go on from, for a statement that began at `start` and was wrong at `failed`.
pub(super) fn recover<'a>(start: Tokens<'a>, failed: Tokens<'a>) -> Tokens<'a> {
    if let Some(after) = past_stray_braces(start) {
        return after;
    }
    let mut rest = start;
    loop {
        let beyond = rest.at >= failed.at;
        match rest.kind() {
            Kind::End => return rest,
            _ if beyond && rest.at > start.at && resumes(rest) => return rest,
            OPEN if beyond => return past_block(rest),
            Kind::Open(_) => rest = rest.to(rest.token().partner().unwrap_or(rest.at) + 1),
            _ => rest = rest.next(),
        }
    }
}

/// Braces without an owner: a pair is jumped over as a whole, a run of unpaired ones is one mistake.
fn past_stray_braces(start: Tokens) -> Option<Tokens> {
    let kind = start.kind();
    if kind == OPEN && let Some(partner) = start.token().partner() {
        return Some(start.to(partner + 1));
    }
    if !matches!(kind, OPEN | CLOSE) {
        return None;
    }
    if kind == OPEN {
        start.context.unclosed.set(true);
    }
    let mut rest = start;
    while rest.kind() == kind {
        rest = rest.next();
    }
    Some(rest)
}

/// The block behind a broken head; one that is too deep to be read is jumped over.
fn past_block(open: Tokens) -> Tokens {
    match block(open) {
        Ok((rest, _)) => rest,
        Err(_) => {
            let partner = open.token().partner();
            open.context.unclosed.set(open.context.unclosed.get() || partner.is_none());
            open.to(partner.map_or(open.context.tokens.len(), |partner| partner + 1))
        }
    }
}

fn resumes(input: Tokens) -> bool {
    match input.kind() {
        CLOSE => true,
        Kind::Keyword(keyword) => input.token().line_start && keyword.begins_statement(),
        Kind::Name => input.token().line_start && assigns(input),
        _ => false,
    }
}

/// Whether `NAME [ "[" ... "]" ] ( "=" | "+=" )` begins here.
pub(super) fn assigns(input: Tokens) -> bool {
    let mut after = input.next();
    if after.kind() == Kind::Open(Bracket::Square) {
        let Some(partner) = after.token().partner() else { return false };
        after = after.to(partner + 1);
    }
    matches!(after.kind(), Kind::Equals | Kind::PlusEquals)
}

/// The last `}` without a `{`.
pub(super) fn last_stray_brace(tokens: &[Token]) -> Option<usize> {
    tokens.iter().rposition(|token| token.kind == CLOSE && token.partner().is_none())
}

/// What is wrong where no statement can be made out.
pub(super) fn no_statement(input: Tokens) -> Diagnostic {
    match input.kind() {
        Kind::Name => name_alone(input),
        Kind::Close(bracket) => {
            let (open, close) = (bracket.open(), bracket.close());
            syntax(format!("a `{close}` that closes nothing"))
                .at(input.span(), format!("there is no `{open}` open here"))
        }
        OPEN => syntax("a block without a head")
            .at(input.span(), "starts here")
            .help("a block belongs to `def NAME(...)` or `repeat COUNT`"),
        _ if input.same_line() && follows_expression(input) => input.unexpected("the end of the statement"),
        _ => input.unexpected("a statement"),
    }
}

/// Whether the token before could end an expression, so that the one here was perhaps meant to go on with it.
fn follows_expression(input: Tokens) -> bool {
    let before = input.previous().map(|token| token.kind);
    matches!(before, Some(Kind::Name | Kind::Number | Kind::Hole | Kind::Close(Bracket::Round | Bracket::Square)))
}

fn name_alone(input: Tokens) -> Diagnostic {
    let word = input.slice();
    let on_line = input.same_line() && follows_expression(input);
    let meant = Keyword::ALL.iter().filter(|(keyword, _)| on_line || keyword.begins_statement());
    let meant = did_you_mean(word, meant.map(|(_, text)| *text));
    if on_line {
        return input.unexpected("an operator or the end of the statement").help_if(meant);
    }
    let shown = input.shown();
    let calls = input.kind_ahead(1) == Kind::Open(Bracket::Round);
    if calls && meant.is_none() {
        return syntax(format!("the result of `{shown}` goes nowhere"))
            .at(input.span(), "a call is not a statement")
            .help(format!("give the result a name: `y = {shown}(...)`"));
    }
    let error = syntax(format!("expected a statement, found `{shown}`"));
    match meant {
        Some(meant) => error.at(input.span(), "not a keyword").help(meant),
        None => {
            let help = format!("to give `{shown}` a value, write `{shown} = ...`");
            error.at(input.span(), "neither a keyword nor followed by `=`").help(help)
        }
    }
}

/// The text ended inside a block. Where another block ends further left than it began, its `}` was probably meant for this one.
pub(super) fn unclosed_block(open: Tokens) {
    if open.context.unclosed.replace(true) {
        return;
    }
    let error = syntax("a block that is never closed");
    let error = match open.context.suspect.get() {
        Some((inner, close)) if inner > open.at => error
            .at(open.to(inner).span(), "this `{` may lack its `}` ...")
            .at(open.to(close).span(), "... because this one, taken for it, stands further left")
            .at(open.span(), "so that this `{` stays open"),
        _ => error.at(open.span(), "this `{` has no `}`"),
    };
    open.context.report(error);
}

impl<'a> Tokens<'a> {
    /// Remembers the first block whose `}` stands further left than the line of its `{`.
    pub(super) fn note_indentation(self, close: Tokens<'a>) {
        if self.context.suspect.get().is_some() || close.kind() != CLOSE || !close.token().line_start {
            return;
        }
        if close.indentation() < self.indentation() {
            self.context.suspect.set(Some((self.at, close.at)));
        }
    }

    /// How many blanks begin the line of this token.
    fn indentation(self) -> usize {
        let before = self.context.text.get(..self.token().start as usize).unwrap_or("");
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        self.context.text[line..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }
}
