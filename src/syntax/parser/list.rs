//! Lists in brackets, and what is said when one is broken.

use super::{Parsed, Tokens, syntax};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::token::{Bracket, Kind};

/// How messages speak of a list.
pub(super) struct List {
    /// The list itself: `axis list`.
    pub what: &'static str,
    /// What stands in it: `an axis length`.
    pub item: &'static str,
    /// Its brackets.
    pub bracket: Bracket,
    /// Whether it may be empty.
    pub may_be_empty: bool,
}

/// `( [ item { "," item } ] )` in the list's brackets; `input` stands at the opening one.
pub(super) fn list<'a, T>(
    input: Tokens<'a>,
    list: &List,
    item: impl Fn(Tokens<'a>) -> Parsed<'a, T>,
) -> Parsed<'a, Vec<T>> {
    let close = Kind::Close(list.bracket);
    if input.next().kind() == close {
        if !list.may_be_empty {
            input.context.report(empty(input, list));
        }
        return Ok((input.next().next(), Vec::new()));
    }
    input.deeper(|input| items(input, list, item))
}

fn items<'a, T>(
    open: Tokens<'a>,
    list: &List,
    item: impl Fn(Tokens<'a>) -> Parsed<'a, T>,
) -> Parsed<'a, Vec<T>> {
    let (mut rest, first) = item(open.next())?;
    let mut items = vec![first];
    let mut forgiven = false;
    while rest.kind() != Kind::Close(list.bracket) {
        if rest.kind() == Kind::Comma {
            rest = rest.next();
        } else if may_begin_item(rest) && open.token().partner().is_some() {
            if !std::mem::replace(&mut forgiven, true) {
                rest.context.report(missing_comma(rest, open, list));
            }
        } else {
            return rest.fail(unclosed(rest, open, list.what, list.bracket));
        }
        if rest.kind() == Kind::Close(list.bracket) {
            rest.context.report(trailing_comma(rest, list));
            break;
        }
        let (after, found) = item(rest)?;
        items.push(found);
        rest = after;
    }
    Ok((rest.next(), items))
}

/// Whether the token here looks like the next item of a list whose comma was forgotten.
fn may_begin_item(input: Tokens) -> bool {
    matches!(input.kind(), Kind::Name | Kind::Number | Kind::Hole | Kind::Rest) && input.same_line()
}

fn missing_comma(input: Tokens, open: Tokens, list: &List) -> Diagnostic {
    let close = list.bracket.close();
    syntax(format!("expected `,` or `{close}`, found {}", input.found()))
        .at(input.span(), "a `,` is missing before this")
        .at(open.span(), format!("in the {} that starts here", list.what))
}

fn trailing_comma(input: Tokens, list: &List) -> Diagnostic {
    let comma = input.previous().map_or(input.span(), |comma| input.span_of(comma));
    syntax(format!("expected {} after `,`, found `{}`", list.item, list.bracket.close()))
        .at(comma, "nothing follows this `,`")
        .help("leave it out: a list does not end with a comma")
}

fn empty(open: Tokens, list: &List) -> Diagnostic {
    let both = open.span_to(open.next().next());
    syntax(format!("the {} is empty", list.what)).at(both, format!("expected {}", list.item)).help(format!(
        "without indices leave out the `{}{}`",
        list.bracket.open(),
        list.bracket.close()
    ))
}

/// The list that `open` starts is not closed where `input` stands.
pub(super) fn unclosed(input: Tokens, open: Tokens, what: &str, bracket: Bracket) -> Diagnostic {
    let (start, close) = (bracket.open(), bracket.close());
    let message = format!("expected `{close}` to close the {what}, found {}", input.found());
    let error = match input.kind() {
        Kind::Foreign(_) => return opened(input.unexpected(&format!("`,` or `{close}`")), open.span(), what, start),
        Kind::Close(_) => syntax(message).at(input.span(), format!("expected `{close}`")),
        _ => syntax(message).at(input.gap(), format!("expected `,` or `{close}`")),
    };
    opened(error, open.span(), what, start)
}

fn opened(error: Diagnostic, open: Span, what: &str, start: &str) -> Diagnostic {
    error.at(open, format!("this `{start}` opens the {what}"))
}
