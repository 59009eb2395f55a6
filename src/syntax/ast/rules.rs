//! The trees of `parameterization` and `expect` blocks.

use super::{Expr, Ident, Stmt, Text};
use crate::source::Span;

/// What a block of rules is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesKind {
    /// `parameterization NAME from BASE { ... }`
    Parameterization,
    /// `expect NAME with OPTIMIZER { ... }`
    Expect,
}

/// `parameterization mine from mup { ... }`, `expect complete-p with adam { ... }`
#[derive(Clone, Debug, PartialEq)]
pub struct RulesBlock {
    /// What it is for.
    pub kind: RulesKind,
    /// The parameterization that it defines or expects something of.
    pub title: Ident,
    /// What stands behind `from` or `with`.
    pub other: Option<Ident>,
    /// Settings and rules, one per line.
    pub body: Vec<Stmt>,
    /// From `{` to `}`.
    pub braces: Span,
}

/// `optimizer adam`, `alpha 1/2`, `verdict "feature learning"`
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its first word.
    pub key: Ident,
    /// What it is set to.
    pub value: ClauseValue,
}

/// `h.*.weight, wte: init 1, lr n^-1`
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Paths of parameters and tensors, with `*` for anything.
    pub patterns: Vec<Pattern>,
    /// What is said of them.
    pub clauses: Vec<Clause>,
}

/// `h.*.weight` or `"h.*.weight"`
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// The path.
    pub path: Text,
    /// Whether it was written between quotes.
    pub quoted: bool,
}

/// `lr n^-1`
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// What of the parameter or tensor.
    pub key: Ident,
    /// What it is.
    pub value: ClauseValue,
}

/// What a clause or setting says.
#[derive(Clone, Debug, PartialEq)]
pub enum ClauseValue {
    /// A power of the scale symbols.
    Power(Expr),
    /// `adam`, `frozen`, `none`, `lazy`: a word.
    Word(Ident),
    /// A quoted text.
    Quoted(Text),
}
