//! What a spec says about scaling itself: parameterizations of its own, and what it expects. Plain data, keyed by patterns of paths.

use crate::dim::Monomial;
use crate::rational::Rational;
use crate::source::Span;

/// A word with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A written factor: a power of the scale symbols, and of the fan-in and fan-out of the parameter that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// The power of the scale symbols.
    pub powers: Monomial,
    /// The power of the fan-in.
    pub fan_in: Rational,
    /// The power of the fan-out.
    pub fan_out: Rational,
}

/// Which small version of the network experiments train, and on what. It changes no exponent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    /// The name of a data set.
    pub data: Word,
    /// Other numbers for dims and scale symbols.
    pub lengths: Vec<(Word, i64)>,
    /// A scale symbol with its smallest and its largest value.
    pub over: Option<(Word, i64, i64)>,
    /// The statement.
    pub span: Span,
}

/// What a clause says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Exactly zero.
    Zero,
    /// A factor.
    Factor(Factor),
    /// A word: an optimizer, `frozen`, `none`.
    Word(String),
}

/// `lr n^-1`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// What of the parameter or tensor.
    pub key: Word,
    /// What it is.
    pub said: Said,
    /// Where its value stands.
    pub span: Span,
}

/// `h.*.weight: init 1, lr n^-1`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Patterns of paths.
    pub patterns: Vec<Word>,
    /// What is said.
    pub clauses: Vec<Clause>,
}

/// `parameterization mine from mup { ... }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custom {
    /// Its name.
    pub name: Word,
    /// What it inherits from.
    pub base: Option<Word>,
    /// The exponent of the residual multiplier.
    pub alpha: Option<Rational>,
    /// The optimizer that it is made for.
    pub optimizer: Option<Word>,
    /// Its rules; later ones win.
    pub rules: Vec<Rule>,
}

/// `expect complete-p with adam { ... }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Of which parameterization.
    pub of: Word,
    /// With which optimizer.
    pub with: Option<Word>,
    /// The verdict.
    pub verdict: Option<Word>,
    /// What is expected of parameters and tensors.
    pub rules: Vec<Rule>,
    /// From `{` to `}`.
    pub braces: Span,
}
