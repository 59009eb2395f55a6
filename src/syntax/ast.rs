//! The syntax tree. It says what was written, not whether it makes sense: names, dims and shapes are the lowering's business.

mod rules;

pub use rules::{Clause, ClauseValue, Pattern, Rule, RulesBlock, RulesKind, Setting};

use crate::rational::Rational;
use crate::source::Span;

/// One source text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// The statements, in order.
    pub statements: Vec<Stmt>,
    /// Every comment, in order; the formatter puts them back.
    pub comments: Vec<Comment>,
}

/// `# ...` up to the end of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The text with its `#`, without trailing blanks.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A name with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// A quoted text with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What stands between the quotes.
    pub value: String,
    /// Where, with the quotes.
    pub span: Span,
}

/// A statement with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// From its first to its last byte.
    pub span: Span,
}

/// The statements. Any of them may be written in any body; the lowering refuses the misplaced ones.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// `network gpt2`
    Network(Ident),
    /// `use "blocks.mup"`
    Use(Text),
    /// `scale n = 768, L = 12`
    Scale(Vec<Binding>),
    /// `dim d = n, ff = 4*n`
    Dim(Vec<Binding>),
    /// `input tokens[seq] in vocab` or `target next[seq] in vocab`
    Data(DataKind, Vec<DataDecl>),
    /// `param wq[heads, head, d], bias[d] = 0 frozen as "x"`
    Param(Vec<ParamDecl>),
    /// `def linear(x[.., i], out) { ... }`
    Def(Def),
    /// `y = e`, `y[o] = e`, `y += e`
    Assign(Assign),
    /// `repeat L shared as block { ... }`
    Repeat(Repeat),
    /// `return e`
    Return(Expr),
    /// `loss e`
    Loss(Expr),
    /// `name block.attention.wq as "h.{l}.attn.q"`
    Name(Vec<Ident>, Text),
    /// `experiment digits with pixels = 64 over n = 64..512`
    Experiment(Experiment),
    /// `parameterization mine from mup { ... }`, `expect mup with adam { ... }`
    Rules(RulesBlock),
    /// `optimizer adam` in such a block
    Setting(Setting),
    /// `h.*.weight: lr n^-1` in such a block
    Rule(Rule),
}

/// `n = 768`
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// What is bound.
    pub name: Ident,
    /// To what.
    pub value: Expr,
}

/// Which small version of a network experiments train: `experiment text with seq = 16, L = 2 over n = 64..512`
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// What it is trained on.
    pub data: Ident,
    /// Other numbers for dims and scale symbols.
    pub lengths: Vec<Binding>,
    /// What grows.
    pub over: Option<Growth>,
}

/// `n = 64..512`
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    /// A scale symbol.
    pub symbol: Ident,
    /// Its smallest value.
    pub first: Expr,
    /// Its largest value; the ones between are doubled.
    pub last: Expr,
}

/// Whether data goes into the network or is what it should give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// `input`
    Input,
    /// `target`
    Target,
}

/// `tokens[seq] in vocab`
#[derive(Clone, Debug, PartialEq)]
pub struct DataDecl {
    /// The tensor's name.
    pub name: Ident,
    /// Its axis lengths; the batch axis is implicit.
    pub dims: Vec<Expr>,
    /// Whole numbers below this, if it is not real-valued.
    pub classes: Option<Expr>,
}

/// `wq[heads, head, d] = 0 frozen as "h.{l}.q"`
#[derive(Clone, Debug, PartialEq)]
pub struct ParamDecl {
    /// The parameter's name.
    pub name: Ident,
    /// Its axis lengths.
    pub dims: Vec<Expr>,
    /// A constant initial value; random if absent.
    pub init: Option<Expr>,
    /// Not trained.
    pub frozen: Option<Span>,
    /// What other tools call it.
    pub external: Option<Text>,
}

/// A definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Def {
    /// Its name.
    pub name: Ident,
    /// What it takes.
    pub formals: Vec<Formal>,
    /// What it does.
    pub body: Vec<Stmt>,
}

/// `x[.., d]`, `heads`, `causal = 1`
#[derive(Clone, Debug, PartialEq)]
pub struct Formal {
    /// Its name.
    pub name: Ident,
    /// Axis pattern, if it takes a tensor of a certain shape.
    pub pattern: Option<Vec<Index>>,
    /// What it is when not given.
    pub default: Option<Expr>,
}

/// `=` or `+=`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignOp {
    /// `=`
    Set,
    /// `+=`
    Add,
}

/// `y[t, o] = e`
#[derive(Clone, Debug, PartialEq)]
pub struct Assign {
    /// What is assigned.
    pub target: Ident,
    /// Its axes, in index notation.
    pub indices: Option<Vec<Index>>,
    /// `=` or `+=`.
    pub op: AssignOp,
    /// The value.
    pub value: Expr,
}

/// `repeat L shared as block { ... }`, `repeat t over seq { ... }`
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// The letter that counts the repetitions: a scan of an axis.
    pub letter: Option<Ident>,
    /// How often.
    pub count: Expr,
    /// One set of weights for all repetitions: a recurrence.
    pub shared: Option<Span>,
    /// The name its parameters' paths begin with.
    pub label: Option<Ident>,
    /// What is repeated.
    pub body: Vec<Stmt>,
}

/// An expression with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// From its first to its last byte.
    pub span: Span,
}

/// The expressions. Sums and products are flat, so that a long one does not nest deeply.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `0.5`
    Number(Rational),
    /// `?`, a multiplier for the compiler to solve
    Hole,
    /// `x`
    Name(Ident),
    /// `x[t, d]`
    Indexed(Box<Expr>, Vec<Index>),
    /// `softmax(s, over u)`
    Call(Call),
    /// `a + b - c`; the first sign is always plus
    Sum(Vec<(Sign, Expr)>),
    /// `a * b / c`; the first is always a factor
    Product(Vec<(Side, Expr)>),
    /// `-a`
    Negate(Box<Expr>),
    /// `n^(3/2)`
    Power(Box<Expr>, Box<Expr>),
}

/// `+` or `-`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// `*` or `/`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `*`
    Times,
    /// `/`
    Over,
}

/// `linear(x, out = d) as fc1`
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What is called.
    pub callee: Ident,
    /// With what.
    pub args: Vec<Arg>,
    /// What its parameters' paths begin with, instead of the callee's name.
    pub instance: Option<Ident>,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// `x`
    Positional(Expr),
    /// `out = d`
    Named(Ident, Expr),
    /// `over u`, `over (h w)`
    Over(Vec<Ident>, Span),
}

/// An entry of an index list.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// What it is.
    pub kind: IndexKind,
    /// Where it stands.
    pub span: Span,
}

/// The entries of an index list.
#[derive(Clone, Debug, PartialEq)]
pub enum IndexKind {
    /// `t`: an axis
    Axis(String),
    /// `h:heads`: an axis with its length
    Sized(String, Box<Expr>),
    /// `..`: all axes not named
    Rest,
    /// `(h k)`: several axes laid out as one, the last fastest
    Group(Vec<Index>),
    /// `0`, `tokens[t]`: the entry of a table with this number
    At(Box<Expr>),
}
