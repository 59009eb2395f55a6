//! Statements and blocks.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{map, opt};
use nom::sequence::preceded;

use super::expression::{expression, indices, product};
use super::list::{List, list, trailing_comma};
use super::recovery::{assigns, no_statement, recover, unclosed_block};
use super::rules::rules_block;
use super::{Parsed, Tokens, expect, keyword_as_name, name, syntax, text, token};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::syntax::ast::{
    Assign, AssignOp, Binding, DataDecl, DataKind, Def, Experiment, Expr, Formal, Growth, Ident, ParamDecl,
    Repeat, RulesKind, Stmt, StmtKind,
};
use crate::syntax::token::{Bracket, Keyword, Kind};

const AXES: List =
    List { what: "axis list", item: "an axis length", bracket: Bracket::Square, may_be_empty: true };
const FORMALS: List =
    List { what: "list of formals", item: "a formal", bracket: Bracket::Round, may_be_empty: true };
const OPEN: Kind = Kind::Open(Bracket::Curly);
const CLOSE: Kind = Kind::Close(Bracket::Curly);

/// `{ statement }` up to the end of the text or, in a block, its `}`. Broken statements are reported and left out.
pub(super) fn statements<'a>(mut input: Tokens<'a>, block: Option<Tokens<'a>>) -> (Tokens<'a>, Vec<Stmt>) {
    let mut found = Vec::new();
    while input.kind() != Kind::End && !(block.is_some() && input.kind() == CLOSE) {
        input = match statement(input) {
            Ok((rest, kind)) => {
                found.push(Stmt { kind, span: input.span_to(rest) });
                rest
            }
            Err(nom::Err::Failure(super::Trouble::Syntax(failed, error))) => {
                input.context.report(*error);
                recover(input, failed)
            }
            Err(_) => {
                input.context.report(no_statement(input));
                recover(input, input)
            }
        };
    }
    (input, found)
}

fn statement(input: Tokens) -> Parsed<StmtKind> {
    match input.kind() {
        Kind::Keyword(keyword) if assigns(input) => assignment_to_keyword(input, keyword),
        Kind::Keyword(keyword) => keyword_statement(input.next(), keyword),
        Kind::Name if assigns(input) || input.kind_ahead(1) == Kind::Open(Bracket::Square) => {
            assignment(input)
        }
        _ => input.mismatch(),
    }
}

fn keyword_statement(input: Tokens, keyword: Keyword) -> Parsed<StmtKind> {
    match keyword {
        Keyword::Network => network(input),
        Keyword::Use => map(text("the name of a file in quotes"), StmtKind::Use).parse(input),
        Keyword::Scale => map(several(binding), StmtKind::Scale).parse(input),
        Keyword::Dim => map(several(binding), StmtKind::Dim).parse(input),
        Keyword::Input => map(several(data), |data| StmtKind::Data(DataKind::Input, data)).parse(input),
        Keyword::Target => map(several(data), |data| StmtKind::Data(DataKind::Target, data)).parse(input),
        Keyword::Param => map(several(param), StmtKind::Param).parse(input),
        Keyword::Def => definition(input),
        Keyword::Repeat => repeat(input),
        Keyword::Return => map(expression, StmtKind::Return).parse(input),
        Keyword::Loss => map(expression, StmtKind::Loss).parse(input),
        Keyword::Name => external_name(input),
        Keyword::Parameterization => rules_block(input, RulesKind::Parameterization),
        Keyword::Expect => rules_block(input, RulesKind::Expect),
        Keyword::Experiment => experiment(input),
        Keyword::Shared | Keyword::As | Keyword::Over | Keyword::In | Keyword::Frozen => input.mismatch(),
    }
}

/// `loss = e` means `loss e`; any other keyword here was meant as a name.
fn assignment_to_keyword(input: Tokens, keyword: Keyword) -> Parsed<StmtKind> {
    let equals = input.next();
    if !matches!(keyword, Keyword::Loss | Keyword::Return) || equals.kind() != Kind::Equals {
        input.context.report(keyword_as_name(input));
        return assignment(input);
    }
    let word = input.slice();
    input.context.report(
        syntax(format!("`{word}` is a keyword, not a name to assign to"))
            .at(equals.span(), "leave out this `=`")
            .help(format!("write `{word} ...`")),
    );
    keyword_statement(equals.next(), keyword)
}

/// `item { "," item }`
fn several<'a, T>(item: fn(Tokens<'a>) -> Parsed<'a, T>) -> impl Fn(Tokens<'a>) -> Parsed<'a, Vec<T>> {
    move |input| {
        let (mut rest, first) = item(input)?;
        let mut items = vec![first];
        while rest.kind() == Kind::Comma {
            rest = rest.next();
            if !rest.same_line() && rest.kind() != Kind::Name {
                rest.context.report(trailing_comma(rest, "another item"));
                break;
            }
            let (after, next) = item(rest)?;
            items.push(next);
            rest = after;
        }
        Ok((rest, items))
    }
}

fn network(input: Tokens) -> Parsed<StmtKind> {
    let (rest, name) = name("the network's name")(input)?;
    if rest.same_line() && matches!(rest.kind(), Kind::Minus | Kind::Dot | Kind::Number) {
        let error = rest.unexpected("the end of the network's name");
        return rest.fail(error.help("names are made of the letters a to z and A to Z, digits and `_`"));
    }
    Ok((rest, StmtKind::Network(name)))
}

/// `NAME "=" expr`
fn binding(input: Tokens) -> Parsed<Binding> {
    let (rest, name) = name("a name")(input)?;
    let (rest, _) = expect(Kind::Equals, "`=` and a value")(rest)?;
    map(expression, |value| Binding { name: name.clone(), value }).parse(rest)
}

/// `NAME [ "with" binding { "," binding } ] [ "over" NAME "=" expr ".." expr ]`
fn experiment(input: Tokens) -> Parsed<StmtKind> {
    let (rest, data) = name("what to train on: digits, text or synthetic")(input)?;
    let with = rest.kind() == Kind::Name && rest.slice() == "with";
    let (rest, lengths) = if with { several(binding)(rest.next())? } else { (rest, Vec::new()) };
    let over = rest.kind() == Kind::Keyword(Keyword::Over);
    let (rest, over) = if over { map(growth, Some).parse(rest.next())? } else { (rest, None) };
    Ok((rest, StmtKind::Experiment(Experiment { data, lengths, over })))
}

/// `NAME "=" expr ".." expr`
fn growth(input: Tokens) -> Parsed<Growth> {
    let (rest, symbol) = name("a scale symbol")(input)?;
    let (rest, _) = expect(Kind::Equals, "`=` and two values")(rest)?;
    let (rest, first) = expression(rest)?;
    let (rest, _) = expect(Kind::Rest, "`..` and the largest value")(rest)?;
    map(expression, |last| Growth { symbol: symbol.clone(), first: first.clone(), last }).parse(rest)
}

/// `NAME [ axes ] [ "in" expr ]`
fn data(input: Tokens) -> Parsed<DataDecl> {
    let classes = opt(preceded(token(Kind::Keyword(Keyword::In)), expression));
    map((name("the name of a tensor"), axes, classes), |(name, dims, classes)| DataDecl {
        name,
        dims,
        classes,
    })
    .parse(input)
}

/// `[ "[" [ expr { "," expr } ] "]" ]`
fn axes(input: Tokens) -> Parsed<Vec<Expr>> {
    if input.kind() == Kind::Open(Bracket::Square) {
        list(input, &AXES, expression)
    } else {
        Ok((input, Vec::new()))
    }
}

/// `NAME [ axes ] [ "=" expr ] [ "frozen" ] [ "as" STRING ]`
fn param(input: Tokens) -> Parsed<ParamDecl> {
    let (rest, (name, dims)) = (name("the name of a parameter"), axes).parse(input)?;
    let (rest, init) = opt(preceded(token(Kind::Equals), expression)).parse(rest)?;
    let frozen = map(token(Kind::Keyword(Keyword::Frozen)), |frozen| input.span_of(frozen));
    let external = preceded(token(Kind::Keyword(Keyword::As)), text("an external name in quotes"));
    let (rest, (frozen, external)) = (opt(frozen), opt(external)).parse(rest)?;
    match rest.kind() {
        Kind::Equals | Kind::Keyword(Keyword::Frozen | Keyword::As) => rest.fail(out_of_order(rest)),
        _ => Ok((rest, ParamDecl { name, dims, init, frozen, external })),
    }
}

fn out_of_order(input: Tokens) -> Diagnostic {
    syntax(format!("{} is out of order in this parameter", input.found()))
        .at(input.span(), "belongs further left, once")
        .help("the order is `param w[n] = 0 frozen as \"...\"`")
}

/// `NAME "(" [ formal { "," formal } ] ")" block`
fn definition(input: Tokens) -> Parsed<StmtKind> {
    let (rest, name) = name("the name of the definition")(input)?;
    if rest.kind() != Kind::Open(Bracket::Round) {
        let error = rest.unexpected("`(` and the formals").at(name.span, "of this definition");
        return rest.fail(error.help("a definition that takes nothing is written `def f() { ... }`"));
    }
    let (rest, formals) = list(rest, &FORMALS, formal)?;
    map(body, |body| StmtKind::Def(Def { name: name.clone(), formals: formals.clone(), body })).parse(rest)
}

/// `NAME [ "[" indices "]" ] [ "=" expr ]`
fn formal(input: Tokens) -> Parsed<Formal> {
    let default = opt(preceded(token(Kind::Equals), expression));
    map((name("the name of a formal"), opt(indices), default), |(name, pattern, default)| Formal {
        name,
        pattern,
        default,
    })
    .parse(input)
}

/// `[ NAME "over" ] product [ "shared" ] [ "as" NAME ] block`
fn repeat(input: Tokens) -> Parsed<StmtKind> {
    let counts = input.kind() == Kind::Name && input.kind_ahead(1) == Kind::Keyword(Keyword::Over);
    let letter = counts.then(|| Ident { name: input.slice().to_owned(), span: input.span() });
    let (rest, count) = product(if counts { input.next().next() } else { input })?;
    let shared = map(token(Kind::Keyword(Keyword::Shared)), |shared| input.span_of(shared));
    let label = preceded(token(Kind::Keyword(Keyword::As)), name("a label"));
    let (rest, (shared, label)) = (opt(shared), opt(label)).parse(rest)?;
    let (rest, body) = body(rest)?;
    Ok((rest, StmtKind::Repeat(Repeat { letter, count, shared, label, body })))
}

/// A block. Without its `{`, but with a `}` too many further down, what follows on new lines is taken for the block.
fn body(input: Tokens) -> Parsed<Vec<Stmt>> {
    if input.kind() == OPEN {
        return block(input);
    }
    let error = no_body(input);
    if input.token().line_start && input.context.last_stray_brace.is_some_and(|stray| stray >= input.at) {
        input.context.report(error);
        return input.deeper(|input| Ok(closed(statements(input, Some(input)))));
    }
    input.fail(error)
}

fn no_body(input: Tokens) -> Diagnostic {
    let error = input.unexpected("`{` and a body");
    match input.kind() {
        Kind::Colon | Kind::Equals => error.help("a body stands between braces: `{ ... }`"),
        Kind::Name => error.help_if(did_you_mean(input.slice(), ["shared", "as"])),
        _ => error,
    }
}

/// `"{" { statement } "}"`; `input` stands at the `{`.
pub(super) fn block(input: Tokens) -> Parsed<Vec<Stmt>> {
    input.deeper(|open| {
        let (end, body) = statements(open.next(), Some(open));
        if end.kind() == Kind::End {
            unclosed_block(open);
        }
        open.note_indentation(end);
        Ok(closed((end, body)))
    })
}

fn closed((end, body): (Tokens, Vec<Stmt>)) -> (Tokens, Vec<Stmt>) {
    (end.next(), body)
}

/// `step { "." step } "as" STRING`
fn external_name(input: Tokens) -> Parsed<StmtKind> {
    let (mut rest, first) = step(input)?;
    let mut path = vec![first];
    while rest.kind() == Kind::Dot {
        let (after, next) = step(rest.next())?;
        path.push(next);
        rest = after;
    }
    let (rest, _) = expect(Kind::Keyword(Keyword::As), "`.` or `as`")(rest)?;
    map(text("an external name in quotes"), |external| StmtKind::Name(path.clone(), external)).parse(rest)
}

/// A step of a parameter's path; an unlabelled repetition is called `repeat`.
fn step(input: Tokens) -> Parsed<Ident> {
    let repeat = map(token(Kind::Keyword(Keyword::Repeat)), |repeat| Ident {
        name: input.slice().to_owned(),
        span: input.span_of(repeat),
    });
    alt((repeat, name("the path of a parameter"))).parse(input)
}

/// `NAME [ "[" indices "]" ] ( "=" | "+=" ) expr`; `input` stands at the name.
fn assignment(input: Tokens) -> Parsed<StmtKind> {
    let target = Ident { name: input.slice().to_owned(), span: input.span() };
    let (rest, indices) = opt(indices).parse(input.next())?;
    let op = match rest.kind() {
        Kind::Equals => AssignOp::Set,
        Kind::PlusEquals => AssignOp::Add,
        _ => return rest.fail(no_assignment(rest, input)),
    };
    let (rest, value) = expression(rest.next())?;
    Ok((rest, StmtKind::Assign(Assign { target, indices, op, value })))
}

/// `input` stands where `=` is missing, `target` at the name.
fn no_assignment(input: Tokens, target: Tokens) -> Diagnostic {
    let error = input.unexpected("`=` or `+=`").at(target.span(), "to assign to this");
    let comma = format!("or a `,` is missing before `{}`", target.shown());
    error.help_if(target.same_line().then_some(comma))
}
