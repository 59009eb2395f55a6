//! `parameterization` and `expect` blocks.

use nom::Parser;
use nom::combinator::map;

use super::expression::expression;
use super::{Parsed, Tokens, expect, syntax, text};
use crate::diagnostic::did_you_mean;
use crate::source::Span;
use crate::syntax::ast::{
    Clause, ClauseValue, Ident, Pattern, Rule, RulesBlock, RulesKind, Setting, Stmt, StmtKind, Text,
};
use crate::syntax::token::{Bracket, Keyword, Kind};

const OPEN: Kind = Kind::Open(Bracket::Curly);
const CLOSE: Kind = Kind::Close(Bracket::Curly);

/// Clauses whose value is a word.
const WORDS: [&str; 2] = ["optimizer", "move"];
const RULE_KEYS: [&str; 6] = ["multiplier", "init", "lr", "eps", "decay", "optimizer"];
const EXPECT_KEYS: [&str; 10] =
    ["multiplier", "init", "lr", "eps", "decay", "move", "value", "change", "gradient", "fresh"];
const RULE_SETTINGS: [&str; 2] = ["optimizer", "alpha"];
const EXPECT_SETTINGS: [&str; 1] = ["verdict"];

fn keys(kind: RulesKind) -> &'static [&'static str] {
    match kind {
        RulesKind::Parameterization => &RULE_KEYS,
        RulesKind::Expect => &EXPECT_KEYS,
    }
}

fn settings(kind: RulesKind) -> &'static [&'static str] {
    match kind {
        RulesKind::Parameterization => &RULE_SETTINGS,
        RulesKind::Expect => &EXPECT_SETTINGS,
    }
}

/// `title [ ( "from" | "with" ) title ] "{" { rule } "}"`; `input` stands behind the keyword.
pub(super) fn rules_block(input: Tokens, kind: RulesKind) -> Parsed<StmtKind> {
    let (rest, title) = title(input, "the name of a parameterization")?;
    let word = match kind {
        RulesKind::Parameterization => "from",
        RulesKind::Expect => "with",
    };
    let (open, other) = match rest.kind() == Kind::Name && rest.slice() == word {
        true => map(|rest| self::title(rest, "a name"), Some).parse(rest.next())?,
        false => (rest, None),
    };
    if open.kind() != OPEN {
        return broken_head(
            open,
            kind,
            RulesBlock { kind, title, other, body: Vec::new(), braces: open.span() },
        );
    }
    let (end, body) = lines(open.next(), kind);
    if end.kind() != CLOSE {
        return end.fail(end.unexpected("`}`").at(open.span(), "to close this `{`"));
    }
    let braces = open.span().to(end.span());
    Ok((end.next(), StmtKind::Rules(RulesBlock { kind, title, other, body, braces })))
}

/// A head that goes wrong before its `{` is one mistake: the block behind it is jumped over.
fn broken_head(input: Tokens, kind: RulesKind, block: RulesBlock) -> Parsed<StmtKind> {
    let head = match kind {
        RulesKind::Parameterization => "parameterization NAME from NAME {",
        RulesKind::Expect => "expect NAME with NAME {",
    };
    let error = input.unexpected("`{` and rules").help(format!("the head is `{head}`"));
    let mut open = input;
    while open.same_line() && open.kind() != OPEN {
        open = open.next();
    }
    match open.token().partner().filter(|_| open.kind() == OPEN) {
        None => input.fail(error),
        Some(partner) => {
            input.context.report(error);
            Ok((open.to(partner + 1), StmtKind::Rules(block)))
        }
    }
}

/// `NAME { "-" NAME }` without blanks inside.
fn title<'a>(input: Tokens<'a>, expected: &'static str) -> Parsed<'a, Ident> {
    if input.kind() != Kind::Name {
        return input.fail(input.unexpected(expected));
    }
    let mut rest = input.next();
    while rest.kind() == Kind::Minus
        && touches(rest)
        && rest.kind_ahead(1) == Kind::Name
        && touches(rest.next())
    {
        rest = rest.next().next();
    }
    Ok((rest, whole(input, rest)))
}

/// Whether nothing stands between a token and the one before.
fn touches(input: Tokens) -> bool {
    input.previous().is_some_and(|before| before.end == input.token().start)
}

/// Everything from one token up to another, as one name.
fn whole(from: Tokens, to: Tokens) -> Ident {
    let span: Span = from.span_to(to);
    let text = from.context.text.get(span.start as usize..span.end as usize).unwrap_or("");
    Ident { name: text.to_owned(), span }
}

/// Settings and rules up to the `}`. Broken lines are reported and left out.
fn lines(mut input: Tokens<'_>, kind: RulesKind) -> (Tokens<'_>, Vec<Stmt>) {
    let mut found = Vec::new();
    while !matches!(input.kind(), Kind::End | CLOSE) && !begins_statement(input) {
        input = match line(input, kind) {
            Ok((rest, kind)) => {
                found.push(Stmt { kind, span: input.span_to(rest) });
                rest
            }
            Err(nom::Err::Failure(super::Trouble::Syntax(failed, error))) => {
                input.context.report(*error);
                next_line(input, failed)
            }
            Err(_) => {
                input.context.report(input.unexpected("a rule such as `fc1.weight: lr 1`"));
                next_line(input, input)
            }
        };
    }
    (input, found)
}

/// A keyword that can only begin a statement: the block was not closed.
fn begins_statement(input: Tokens) -> bool {
    let path_goes_on = matches!(input.kind_ahead(1), Kind::Dot | Kind::Colon | Kind::Comma | Kind::Star);
    matches!(input.kind(), Kind::Keyword(keyword) if keyword.begins_statement()) && !path_goes_on
}

/// The start of the next line, or the `}`.
fn next_line<'a>(start: Tokens<'a>, failed: Tokens<'a>) -> Tokens<'a> {
    let mut rest = if failed.at > start.at { failed } else { start.next() };
    while !matches!(rest.kind(), Kind::End | CLOSE) && !rest.token().line_start {
        rest = rest.next();
    }
    rest
}

fn line(input: Tokens, kind: RulesKind) -> Parsed<StmtKind> {
    let goes_on = matches!(input.kind_ahead(1), Kind::Colon | Kind::Dot | Kind::Comma)
        || (input.kind_ahead(1) == Kind::Star && touches(input.next()));
    match input.kind() == Kind::Name && !goes_on {
        true => setting(input, kind),
        false => rule(input, kind),
    }
}

fn setting(input: Tokens, kind: RulesKind) -> Parsed<StmtKind> {
    let key = Ident { name: input.slice().to_owned(), span: input.span() };
    let known = settings(kind);
    if !known.contains(&key.name.as_str()) {
        let error = input.next().unexpected("`:` and what is said of it").at(key.span, "a pattern of paths");
        return input.next().fail(error.help_if(did_you_mean(&key.name, known.iter().copied())));
    }
    let rest = input.next();
    if rest.kind() == Kind::Equals {
        return rest.fail(no_equals(rest, &key));
    }
    let (rest, value) = match key.name.as_str() {
        "verdict" => map(text("a verdict in quotes"), ClauseValue::Quoted).parse(rest)?,
        "optimizer" => map(|rest| title(rest, "the name of an optimizer"), ClauseValue::Word).parse(rest)?,
        _ => map(expression, ClauseValue::Power).parse(rest)?,
    };
    Ok((rest, StmtKind::Setting(Setting { key, value })))
}

fn no_equals(input: Tokens, key: &Ident) -> crate::diagnostic::Diagnostic {
    let error = syntax(format!("`{}` takes its value without `=`", key.name));
    error.at(input.span(), "leave out this `=`").help(format!("write `{} VALUE`", key.name))
}

/// `pattern { "," pattern } ":" clause { "," clause }`
fn rule(input: Tokens, kind: RulesKind) -> Parsed<StmtKind> {
    let (mut rest, first) = pattern(input)?;
    let mut patterns = vec![first];
    while rest.kind() == Kind::Comma {
        let (after, next) = pattern(rest.next())?;
        patterns.push(next);
        rest = after;
    }
    let (mut rest, _) = expect(Kind::Colon, "`:` behind the pattern")(rest)?;
    let mut clauses = Vec::<Clause>::new();
    loop {
        let (after, next) = clause(rest, kind)?;
        if let Some(twice) = clauses.iter().find(|known| known.key.name == next.key.name) {
            let error = syntax(format!("`{}` is said twice", next.key.name));
            return after.fail(error.at(next.key.span, "again").at(twice.key.span, "first here"));
        }
        clauses.push(next);
        rest = after;
        if rest.kind() != Kind::Comma {
            return Ok((rest, StmtKind::Rule(Rule { patterns, clauses })));
        }
        rest = rest.next();
    }
}

/// A path with `*`, without blanks inside, or anything between quotes.
fn pattern(input: Tokens) -> Parsed<Pattern> {
    if input.kind() == Kind::Text {
        return map(text("a pattern"), |path| Pattern { path, quoted: true }).parse(input);
    }
    let part = |kind| matches!(kind, Kind::Name | Kind::Star | Kind::Dot | Kind::Number | Kind::Keyword(_));
    if !part(input.kind()) {
        return input.fail(input.unexpected("the path of a parameter or tensor"));
    }
    let mut rest = input.next();
    while part(rest.kind()) && touches(rest) {
        rest = rest.next();
    }
    let Ident { name, span } = whole(input, rest);
    Ok((rest, Pattern { path: Text { value: name, span }, quoted: false }))
}

fn clause(input: Tokens, kind: RulesKind) -> Parsed<Clause> {
    let known = keys(kind);
    let list = known.join(", ");
    if input.kind() != Kind::Name || !known.contains(&input.slice()) {
        let error = input.unexpected(&format!("one of {list}"));
        let near = did_you_mean(input.slice(), known.iter().copied());
        return input.fail(error.help_if(near));
    }
    let key = Ident { name: input.slice().to_owned(), span: input.span() };
    let rest = input.next();
    let (rest, value) = match rest.kind() {
        Kind::Equals => return rest.fail(no_equals(rest, &key)),
        Kind::Keyword(Keyword::Frozen) => (rest.next(), ClauseValue::Word(whole(rest, rest.next()))),
        Kind::Name if rest.slice() == "none" => (rest.next(), ClauseValue::Word(whole(rest, rest.next()))),
        _ if WORDS.contains(&key.name.as_str()) => {
            map(|rest| title(rest, "a name"), ClauseValue::Word).parse(rest)?
        }
        _ => map(expression, ClauseValue::Power).parse(rest)?,
    };
    Ok((rest, Clause { key, value }))
}
