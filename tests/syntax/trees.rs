//! Random syntax trees, of the shapes that the grammar can give.

#[path = "rule_trees.rs"]
mod rule_trees;

use mupc::rational::Rational;
use mupc::source::Span;
use mupc::syntax::ast::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

pub fn span() -> Span {
    Span::default()
}

pub fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a",
        "b",
        "x",
        "n",
        "w_1",
        "heads",
        "as_is",
        "a_rather_long_name_that_makes_lines_break",
    ])
    .prop_map(str::to_owned)
}

pub fn ident() -> impl Strategy<Value = Ident> {
    word().prop_map(|name| Ident { name, span: span() })
}

pub fn text() -> impl Strategy<Value = Text> {
    "[a-z.{}#'/]{0,12}".prop_map(|value| Text { value, span: span() })
}

fn make(kind: ExprKind) -> Expr {
    Expr { kind, span: span() }
}

fn number() -> impl Strategy<Value = Expr> {
    (0..1_000_000_i64, 0..8_u32).prop_map(|(digits, places)| {
        make(ExprKind::Number(Rational::new(digits, 10_i64.pow(places)).unwrap()))
    })
}

pub fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        number(),
        Just(make(ExprKind::Hole)),
        ident().prop_map(|name| make(ExprKind::Name(name))),
        ident().prop_map(|name| make(ExprKind::Name(name))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let sign = prop_oneof![Just(Sign::Plus), Just(Sign::Minus)];
        let side = prop_oneof![Just(Side::Times), Just(Side::Over)];
        let indices = vec(index(inner.clone()), 1..4);
        prop_oneof![
            chain(inner.clone(), sign, Sign::Plus).prop_map(|terms| make(ExprKind::Sum(terms))),
            chain(inner.clone(), side, Side::Times).prop_map(|factors| make(ExprKind::Product(factors))),
            boxed.clone().prop_map(|value| make(ExprKind::Negate(value))),
            (boxed.clone(), boxed.clone()).prop_map(|(base, power)| make(ExprKind::Power(base, power))),
            (boxed, indices).prop_map(|(base, indices)| make(ExprKind::Indexed(base, indices))),
            call(inner).prop_map(|call| make(ExprKind::Call(call))),
        ]
    })
}

fn chain<O: Clone + std::fmt::Debug>(
    inner: impl Strategy<Value = Expr> + Clone,
    operator: impl Strategy<Value = O>,
    first: O,
) -> impl Strategy<Value = Vec<(O, Expr)>> {
    (inner.clone(), vec((operator, inner), 1..3)).prop_map(move |(head, mut rest)| {
        rest.insert(0, (first.clone(), head));
        rest
    })
}

/// A definition, or a function of the language that takes axes, lengths and options.
fn callee() -> impl Strategy<Value = Ident> {
    let of_the_language = prop::sample::select(vec![
        "window",
        "top_k",
        "relative_bucket",
        "batch_normalize",
        "standardize",
        "softmax",
        "range",
        "concat",
    ]);
    let of_the_language = of_the_language.prop_map(|name| Ident { name: name.to_owned(), span: span() });
    prop_oneof![ident(), of_the_language]
}

fn call(inner: impl Strategy<Value = Expr> + Clone) -> impl Strategy<Value = Call> {
    let arg = prop_oneof![
        inner.clone().prop_map(Arg::Positional),
        (ident(), inner).prop_map(|(name, value)| Arg::Named(name, value)),
        vec(ident(), 1..3).prop_map(|axes| Arg::Over(axes, span())),
    ];
    (callee(), vec(arg, 0..4), of(ident())).prop_map(|(callee, args, instance)| Call {
        callee,
        args,
        instance,
    })
}

fn index(inner: impl Strategy<Value = Expr>) -> impl Strategy<Value = Index> {
    let entry = |kind| Index { kind, span: span() };
    let axis = word().prop_map(IndexKind::Axis);
    let group =
        vec(word().prop_map(move |axis| entry(IndexKind::Axis(axis))), 1..4).prop_map(IndexKind::Group);
    let at_or_sized = (of(word()), inner).prop_map(|(axis, value)| match (axis, value) {
        (Some(axis), value) => IndexKind::Sized(axis, Box::new(value)),
        (None, Expr { kind: ExprKind::Name(axis), .. }) => IndexKind::Axis(axis.name),
        (None, value) => IndexKind::At(Box::new(value)),
    });
    prop_oneof![axis, Just(IndexKind::Rest), group, at_or_sized].prop_map(entry)
}

fn binding() -> impl Strategy<Value = Binding> {
    (ident(), expr()).prop_map(|(name, value)| Binding { name, value })
}

fn data() -> impl Strategy<Value = DataDecl> {
    (ident(), vec(expr(), 0..3), of(expr())).prop_map(|(name, dims, classes)| DataDecl {
        name,
        dims,
        classes,
    })
}

fn param() -> impl Strategy<Value = ParamDecl> {
    let parts = (ident(), vec(expr(), 0..3), of(expr()), of(Just(span())), of(text()));
    parts.prop_map(|(name, dims, init, frozen, external)| ParamDecl { name, dims, init, frozen, external })
}

fn assign() -> impl Strategy<Value = Assign> {
    let op = prop_oneof![Just(AssignOp::Set), Just(AssignOp::Add)];
    (ident(), of(vec(index(expr()), 1..4)), op, expr()).prop_map(|(target, indices, op, value)| Assign {
        target,
        indices,
        op,
        value,
    })
}

fn formal() -> impl Strategy<Value = Formal> {
    (ident(), of(vec(index(expr()), 1..3)), of(expr())).prop_map(|(name, pattern, default)| Formal {
        name,
        pattern,
        default,
    })
}

fn simple() -> impl Strategy<Value = StmtKind> {
    let kind = prop_oneof![Just(DataKind::Input), Just(DataKind::Target)];
    prop_oneof![
        ident().prop_map(StmtKind::Network),
        text().prop_map(StmtKind::Use),
        vec(binding(), 1..4).prop_map(StmtKind::Scale),
        vec(binding(), 1..4).prop_map(StmtKind::Dim),
        (kind, vec(data(), 1..3)).prop_map(|(kind, data)| StmtKind::Data(kind, data)),
        vec(param(), 1..4).prop_map(StmtKind::Param),
        assign().prop_map(StmtKind::Assign),
        assign().prop_map(StmtKind::Assign),
        expr().prop_map(StmtKind::Return),
        expr().prop_map(StmtKind::Loss),
        (vec(ident(), 1..4), text()).prop_map(|(path, external)| StmtKind::Name(path, external)),
        rule_trees::block().prop_map(StmtKind::Rules),
        rule_trees::block().prop_map(StmtKind::Rules),
    ]
}

pub fn statement(kind: StmtKind) -> Stmt {
    Stmt { kind, span: span() }
}

fn any_statement() -> impl Strategy<Value = Stmt> {
    simple().prop_map(statement).prop_recursive(3, 12, 4, |inner| {
        let body = vec(inner, 0..4).boxed();
        let def = (ident(), vec(formal(), 0..4), body.clone())
            .prop_map(|(name, formals, body)| StmtKind::Def(Def { name, formals, body }));
        let repeat = (of(ident()), expr(), of(Just(span())), of(ident()), body).prop_map(
            |(letter, count, shared, label, body)| {
                StmtKind::Repeat(Repeat { letter, count, shared, label, body })
            },
        );
        prop_oneof![def, repeat].prop_map(statement)
    })
}

/// A file without comments.
pub fn file() -> impl Strategy<Value = File> {
    vec(any_statement(), 0..5).prop_map(|statements| File { statements, comments: Vec::new() })
}
