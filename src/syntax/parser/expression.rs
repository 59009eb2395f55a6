//! Expressions, calls and indices.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{map, opt};
use nom::sequence::preceded;

use super::list::{List, list, unclosed};
use super::recovery::assigns;
use super::{Parsed, Tokens, expect, keyword_as_name, name, syntax, token};
use crate::diagnostic::Diagnostic;
use crate::rational::Rational;
use crate::syntax::ast::{Arg, Call, Expr, ExprKind, Ident, Index, IndexKind, Side, Sign};
use crate::syntax::token::{Bracket, Keyword, Kind};

const ARGUMENTS: List =
    List { what: "argument list", item: "an argument", bracket: Bracket::Round, may_be_empty: true };
const INDICES: List =
    List { what: "index list", item: "an index", bracket: Bracket::Square, may_be_empty: false };
const ROUND: Kind = Kind::Open(Bracket::Round);
const SQUARE: Kind = Kind::Open(Bracket::Square);

/// `[ "-" ] product { ( "+" | "-" ) product }`
pub(super) fn expression(input: Tokens) -> Parsed<Expr> {
    let (start, minus) = opt(token(Kind::Minus)).parse(input)?;
    let (rest, first) = product(start)?;
    let first = match minus {
        Some(_) => Expr { kind: ExprKind::Negate(Box::new(first)), span: input.span_to(rest) },
        None => first,
    };
    chain(input, rest, (Sign::Plus, first), sign, product, ExprKind::Sum)
}

/// `power { ( "*" | "/" ) power }`
pub(super) fn product(input: Tokens) -> Parsed<Expr> {
    let (rest, first) = power(input)?;
    chain(input, rest, (Side::Times, first), side, power, ExprKind::Product)
}

/// `*.bias: ...` at the start of a line is a pattern of the next rule, not a factor of this one.
fn begins_pattern(input: Tokens) -> bool {
    let star = input.kind() == Kind::Star && input.token().line_start;
    star && matches!(input.kind_ahead(1), Kind::Dot | Kind::Colon | Kind::Comma | Kind::Star)
}

/// `first { operator operand }`, flat; a lone operand stays itself.
fn chain<'a, O>(
    input: Tokens<'a>,
    mut rest: Tokens<'a>,
    first: (O, Expr),
    operator: fn(Kind) -> Option<O>,
    operand: fn(Tokens<'a>) -> Parsed<'a, Expr>,
    kind: fn(Vec<(O, Expr)>) -> ExprKind,
) -> Parsed<'a, Expr> {
    let mut parts = vec![first];
    while let Some(operator) = operator(rest.kind()).filter(|_| !begins_pattern(rest)) {
        let (after, next) = operand(rest.next())?;
        parts.push((operator, next));
        rest = after;
    }
    if parts.len() == 1 {
        return Ok((rest, parts.remove(0).1));
    }
    Ok((rest, Expr { kind: kind(parts), span: input.span_to(rest) }))
}

fn sign(kind: Kind) -> Option<Sign> {
    match kind {
        Kind::Plus => Some(Sign::Plus),
        Kind::Minus => Some(Sign::Minus),
        _ => None,
    }
}

fn side(kind: Kind) -> Option<Side> {
    match kind {
        Kind::Star => Some(Side::Times),
        Kind::Slash => Some(Side::Over),
        _ => None,
    }
}

/// `postfix [ "^" exponent ]`
fn power(input: Tokens) -> Parsed<Expr> {
    let (rest, base) = postfix(input)?;
    let (rest, exponent) = opt(preceded(token(Kind::Caret), exponent)).parse(rest)?;
    let Some(exponent) = exponent else { return Ok((rest, base)) };
    if rest.kind() == Kind::Caret {
        return rest.fail(
            syntax("a power of a power needs parentheses")
                .at(rest.span(), "a second `^`")
                .help("write `(a^b)^c` or `a^(b^c)`"),
        );
    }
    Ok((rest, Expr { kind: ExprKind::Power(Box::new(base), Box::new(exponent)), span: input.span_to(rest) }))
}

/// `[ "-" ] ( NUMBER | "(" expr ")" )`
fn exponent(input: Tokens) -> Parsed<Expr> {
    let (start, minus) = opt(token(Kind::Minus)).parse(input)?;
    if !matches!(start.kind(), Kind::Number | ROUND) {
        let error = start.unexpected("a number or `(` as the exponent");
        let name = matches!(start.kind(), Kind::Name);
        return start.fail(error.help_if(name.then(|| format!("write `^({})`", start.shown()))));
    }
    let (rest, value) = alt((number, parenthesis)).parse(start)?;
    if minus.is_none() {
        return Ok((rest, value));
    }
    Ok((rest, Expr { kind: ExprKind::Negate(Box::new(value)), span: input.span_to(rest) }))
}

/// `primary [ "[" indices "]" ]`
fn postfix(input: Tokens) -> Parsed<Expr> {
    let (rest, base) = primary(input)?;
    let (after, found) = opt(indices).parse(rest)?;
    let Some(found) = found else { return Ok((rest, base)) };
    if after.kind() == SQUARE {
        return after.fail(
            syntax("a second index list")
                .at(after.span(), "starts here")
                .at(rest.span(), "the first one starts here")
                .help("write all indices in one list: `a[t, u]`"),
        );
    }
    Ok((after, Expr { kind: ExprKind::Indexed(Box::new(base), found), span: input.span_to(after) }))
}

/// `NUMBER | "?" | "(" expr ")" | call | NAME`
fn primary(input: Tokens) -> Parsed<Expr> {
    let found = alt((number, hole, parenthesis, call_or_name)).parse(input);
    match found {
        Err(nom::Err::Error(_)) => input.fail(no_expression(input)),
        found => found,
    }
}

fn no_expression(input: Tokens) -> Diagnostic {
    let error = input.unexpected("an expression");
    match input.kind() {
        Kind::Minus => error.help("a minus sign inside needs parentheses: `a * (-b)`"),
        Kind::Plus => error.help("there is no `+` sign: leave it out"),
        Kind::Rest => error.help("`..` stands only in an index list: `x[.., i]`"),
        Kind::Text => error.help("a text stands only behind `use` and `as`"),
        Kind::Open(Bracket::Square) => {
            error.help("there are no list values; indices stand behind a name: `x[i]`")
        }
        _ => error,
    }
}

/// A number, exactly; one that does not fit is reported and read as 1.
fn number(input: Tokens) -> Parsed<Expr> {
    let (rest, _) = token(Kind::Number)(input)?;
    let value = input.slice().parse().unwrap_or_else(|_| {
        if !input.slipped() {
            input.context.report(
                syntax("number too large or too fine to be held exactly")
                    .at(input.span(), "does not fit")
                    .note("numbers are exact fractions with 64-bit numerator and denominator"),
            );
        }
        Rational::ONE
    });
    Ok((rest, Expr { kind: ExprKind::Number(value), span: input.span() }))
}

fn hole(input: Tokens) -> Parsed<Expr> {
    map(token(Kind::Hole), |_| Expr { kind: ExprKind::Hole, span: input.span() }).parse(input)
}

fn parenthesis(input: Tokens) -> Parsed<Expr> {
    token(ROUND)(input)?;
    input.deeper(|open| {
        let (rest, inner) = expression(open.next())?;
        if rest.kind() != Kind::Close(Bracket::Round) {
            return rest.fail(unclosed_parenthesis(rest, open));
        }
        Ok((rest.next(), inner))
    })
}

fn unclosed_parenthesis(input: Tokens, open: Tokens) -> Diagnostic {
    let error = unclosed(input, open, "parenthesis", "an operator", Bracket::Round);
    if input.kind() == Kind::Comma {
        error.help("there are no tuples; in an index, `(h k)` is a group")
    } else {
        error
    }
}

fn call_or_name(input: Tokens) -> Parsed<Expr> {
    match input.kind() {
        // What begins a statement on a new line is that statement, and the expression is missing.
        Kind::Name if !input.token().line_start || !assigns(input) => {}
        Kind::Keyword(keyword) if input.same_line() && keyword.begins_statement() => {
            input.context.report(keyword_as_name(input));
        }
        _ => return input.mismatch(),
    }
    let callee = Ident { name: input.slice().to_owned(), span: input.span() };
    let rest = input.next();
    if rest.kind() == ROUND {
        return call(input, callee);
    }
    Ok((rest, Expr { kind: ExprKind::Name(callee), span: input.span() }))
}

/// `NAME "(" [ arg { "," arg } ] ")" [ "as" NAME ]`
fn call(input: Tokens, callee: Ident) -> Parsed<Expr> {
    let (mut rest, args) = list(input.next(), &ARGUMENTS, argument)?;
    let mut instance = None;
    // Before a text it is the external name of the parameter that the call initializes.
    if rest.kind() == Kind::Keyword(Keyword::As) && rest.kind_ahead(1) != Kind::Text {
        let (after, label) = name("a name for this call")(rest.next())?;
        (rest, instance) = (after, Some(label));
    }
    Ok((rest, Expr { kind: ExprKind::Call(Call { callee, args, instance }), span: input.span_to(rest) }))
}

fn argument(input: Tokens) -> Parsed<Arg> {
    match input.kind() {
        Kind::Keyword(Keyword::Over) => over(input),
        Kind::Name | Kind::Keyword(_) if input.kind_ahead(1) == Kind::Equals => {
            let (rest, formal) = name("the name of an argument")(input)?;
            map(expression, |value| Arg::Named(formal.clone(), value)).parse(rest.next())
        }
        _ => map(expression, Arg::Positional).parse(input),
    }
}

/// `"over" ( NAME | "(" NAME { NAME } ")" )`
fn over(input: Tokens) -> Parsed<Arg> {
    let start = input.next();
    let (rest, axes) = if start.kind() == ROUND {
        axis_names(start)?
    } else {
        map(name("an axis name or `(` after `over`"), |axis| vec![axis]).parse(start)?
    };
    Ok((rest, Arg::Over(axes, input.span_to(rest))))
}

/// `"(" NAME { NAME } ")"`
fn axis_names(open: Tokens) -> Parsed<Vec<Ident>> {
    let (mut rest, first) = name("an axis name")(open.next())?;
    let mut names = vec![first];
    while rest.kind() != Kind::Close(Bracket::Round) {
        let (after, next) = match rest.kind() {
            Kind::Name => name("an axis name")(rest)?,
            Kind::Comma | Kind::Colon => return rest.fail(bad_group(rest, open)),
            _ => return rest.fail(unclosed(rest, open, "group of axes", "an axis name", Bracket::Round)),
        };
        names.push(next);
        rest = after;
    }
    Ok((rest.next(), names))
}

fn bad_group(input: Tokens, open: Tokens) -> Diagnostic {
    let help = match input.kind() {
        Kind::Colon => "a group holds names only; give a length where the axis stands on its own: `h:heads`",
        _ => "the names of a group are separated by blanks: `(h k)`",
    };
    syntax(format!("expected an axis name or `)`, found {}", input.found()))
        .at(input.span(), "does not belong in a group of axes")
        .at(open.span(), "the group starts here")
        .help(help)
}

/// `"[" index { "," index } "]"`
pub(super) fn indices(input: Tokens) -> Parsed<Vec<Index>> {
    token(SQUARE)(input)?;
    list(input, &INDICES, index)
}

fn index(input: Tokens) -> Parsed<Index> {
    let (rest, kind) = match input.kind() {
        Kind::Rest => (input.next(), IndexKind::Rest),
        ROUND if begins_group(input) => map(axis_names, group).parse(input)?,
        Kind::Name | Kind::Keyword(_) if input.kind_ahead(1) == Kind::Colon => sized(input)?,
        _ => map(expression, lone_name_or_position).parse(input)?,
    };
    Ok((rest, Index { kind, span: input.span_to(rest) }))
}

/// `NAME ":" product`
fn sized(input: Tokens) -> Parsed<IndexKind> {
    let (rest, axis) = name("an axis name")(input)?;
    let (rest, _) = expect(Kind::Colon, "`:`")(rest)?;
    map(product, |length| IndexKind::Sized(axis.name.clone(), Box::new(length))).parse(rest)
}

/// `(h k` and `(h)` before the end of the index; `(h)` before anything else is a factor.
fn begins_group(input: Tokens) -> bool {
    let after_single = matches!(input.kind_ahead(3), Kind::Comma | Kind::Close(Bracket::Square));
    match (input.kind_ahead(1), input.kind_ahead(2)) {
        (Kind::Name, Kind::Name | Kind::Colon | Kind::Comma) => true,
        (Kind::Name, Kind::Close(Bracket::Round)) => after_single,
        _ => false,
    }
}

fn group(names: Vec<Ident>) -> IndexKind {
    let axis = |name: Ident| Index { kind: IndexKind::Axis(name.name), span: name.span };
    IndexKind::Group(names.into_iter().map(axis).collect())
}

fn lone_name_or_position(value: Expr) -> IndexKind {
    match value.kind {
        ExprKind::Name(axis) => IndexKind::Axis(axis.name),
        _ => IndexKind::At(Box::new(value)),
    }
}
