//! Random trees of `parameterization` and `expect` blocks.

use mupc::syntax::ast::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{expr, ident, span, statement, text, word};

/// `mean-field`: names with `-` between them.
fn title() -> impl Strategy<Value = Ident> {
    vec(word(), 1..4).prop_map(|words| Ident { name: words.join("-"), span: span() })
}

pub fn block() -> impl Strategy<Value = RulesBlock> {
    let kind = select(vec![RulesKind::Parameterization, RulesKind::Expect]);
    kind.prop_flat_map(|kind| {
        let body = vec(line(kind).prop_map(statement), 0..5);
        (title(), of(title()), body).prop_map(move |(title, other, body)| RulesBlock {
            kind,
            title,
            other,
            body,
            braces: span(),
        })
    })
}

fn line(kind: RulesKind) -> BoxedStrategy<StmtKind> {
    let setting = |key: &str, value: BoxedStrategy<ClauseValue>| {
        let key = Ident { name: key.to_owned(), span: span() };
        value.prop_map(move |value| StmtKind::Setting(Setting { key: key.clone(), value })).boxed()
    };
    let rule = rule(kind).prop_map(StmtKind::Rule).boxed();
    match kind {
        RulesKind::Parameterization => prop_oneof![
            rule,
            setting("optimizer", title().prop_map(ClauseValue::Word).boxed()),
            setting("alpha", expr().prop_map(ClauseValue::Power).boxed()),
        ]
        .boxed(),
        RulesKind::Expect => {
            prop_oneof![rule, setting("verdict", text().prop_map(ClauseValue::Quoted).boxed())].boxed()
        }
    }
}

fn rule(kind: RulesKind) -> impl Strategy<Value = Rule> {
    let keys = match kind {
        RulesKind::Parameterization => vec!["multiplier", "init", "lr", "eps", "decay", "optimizer"],
        RulesKind::Expect => {
            vec!["multiplier", "init", "lr", "eps", "decay", "move", "value", "change", "gradient", "fresh"]
        }
    };
    let clauses =
        subsequence(keys, 1..=4).prop_flat_map(|keys| keys.into_iter().map(clause).collect::<Vec<_>>());
    (vec(pattern(), 1..4), clauses).prop_map(|(patterns, clauses)| Rule { patterns, clauses })
}

/// Only optimizers and movements are names; whatever else is said is a power, or a word that stands for none.
fn clause(key: &'static str) -> impl Strategy<Value = Clause> {
    let name = |name: &str| Ident { name: name.to_owned(), span: span() };
    let none = select(vec!["frozen", "none"]).prop_map(move |word| ClauseValue::Word(name(word)));
    let value = match key {
        "optimizer" | "move" => title().prop_map(ClauseValue::Word).boxed(),
        _ => prop_oneof![3 => expr().prop_map(ClauseValue::Power), 1 => none].boxed(),
    };
    value.prop_map(move |value| Clause { key: name(key), value })
}

/// A path with stars, or anything between quotes. A star that begins a line begins a pattern only before a dot, a colon or a comma.
fn pattern() -> impl Strategy<Value = Pattern> {
    let names = ["repeat", "optimizer", "verdict"].map(str::to_owned).to_vec();
    let step = prop_oneof![
        word(),
        select(names),
        Just("*".to_owned()),
        (word(), word()).prop_map(|(a, b)| format!("{a}*{b}"))
    ];
    let path = vec(step, 1..4).prop_map(|steps| steps.join("."));
    let path = path.prop_map(|value| Pattern { path: Text { value, span: span() }, quoted: false });
    prop_oneof![
        path,
        text().prop_map(|path| Pattern { path, quoted: true }),
        ident().prop_map(|name| Pattern { path: Text { value: name.name, span: span() }, quoted: false })
    ]
}
