//! What a spec expects of its exponents, held against what is derived.

use super::custom::{Matched, matched, power};
use super::scheme::NoScheme;
use super::verdict::{Classification, Movement, classify};
use super::{Failure, Parameterization, Scheme, parameterize};
use crate::diagnostic::{Diagnostic, Stage, did_you_mean};
use crate::dim::Monomial;
use crate::graph::rules::{Clause, Expectation, Said, Word};
use crate::graph::{Graph, Init, NodeId, ParamId};
use crate::optimizer::{Optimizer, Plan};
use crate::rational::Rational;
use crate::size::Size;
use crate::size::analysis::{Calculus, Sizes, analyze};
use crate::source::Span;

/// One thing that was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Of which parameter or tensor; empty for the verdict.
    pub path: String,
    /// What of it.
    pub key: String,
    /// What the spec says.
    pub expected: String,
    /// What is derived.
    pub found: String,
    /// Whether they agree.
    pub holds: bool,
    /// Where the expected value stands, and what to write there instead; none if several things that disagree stand behind one pattern.
    pub span: Span,
    /// What to write there.
    pub rewritten: String,
}

/// One block with its outcomes.
#[derive(Clone, Debug)]
pub struct Checked {
    /// `complete-p with adam`.
    pub title: String,
    /// Where it stands.
    pub braces: Span,
    /// Every thing that was expected.
    pub outcomes: Vec<Outcome>,
}

impl Checked {
    /// Whether everything is as expected.
    pub fn holds(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.holds)
    }
}

/// A value that can be expected.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Size(Size),
    Word(&'static str),
}

impl Found {
    fn power(power: &Monomial) -> Found {
        Found::Size(Size::Power(power.clone()))
    }

    fn written(&self, names: &[String]) -> String {
        match self {
            Found::Word(word) => (*word).to_string(),
            Found::Size(Size::Zero) => "0".to_string(),
            Found::Size(Size::Beyond) => "unbounded".to_string(),
            Found::Size(Size::Power(power)) => written(power, names),
        }
    }
}

/// A power in the notation of the language: `n^-1*L^(-1/2)`.
fn written(power: &Monomial, names: &[String]) -> String {
    let factor = |(symbol, exponent): (crate::dim::Symbol, Rational)| {
        let name = names.get(usize::from(symbol.0)).map_or("?", String::as_str);
        match (exponent == Rational::ONE, exponent.denominator()) {
            (true, _) => name.to_string(),
            (false, 1) => format!("{name}^{exponent}"),
            (false, _) => format!("{name}^({exponent})"),
        }
    };
    let factors: Vec<String> = power.iter().map(factor).collect();
    if factors.is_empty() { "1".to_string() } else { factors.join("*") }
}

/// The parameterization and optimizer that a block is about.
pub fn subject(graph: &Graph, expectation: &Expectation) -> Result<(Scheme, Plan), Box<Diagnostic>> {
    let of = &expectation.of;
    let unknown = |error: NoScheme| {
        let known = Scheme::names(graph);
        let message = format!("{error}; known are {}", known.join(", "));
        let near = error.missing().and_then(|name| did_you_mean(name, known.iter().copied()));
        Box::new(Diagnostic::new(Stage::Names, message).at(of.span, "no such parameterization").help_if(near))
    };
    let scheme = Scheme::find(graph, &of.text).map_err(unknown)?;
    let own = scheme.custom.as_ref().and_then(|custom| custom.optimizer.clone());
    let optimizer = match expectation.with.as_ref().or(own.as_ref()) {
        None => Optimizer::Adam,
        Some(word) => word.text.parse().map_err(|error: crate::optimizer::UnknownOptimizer| {
            Box::new(Diagnostic::new(Stage::Names, error.to_string()).at(word.span, "not an optimizer"))
        })?,
    };
    Ok((scheme, optimizer.into()))
}

/// Holds one block against what is derived.
pub fn check(calculus: &Calculus, expectation: &Expectation) -> Result<Checked, Failure> {
    let (scheme, plan) = subject(calculus.graph(), expectation).map_err(Failure::Rules)?;
    let table = parameterize(calculus, scheme, plan)?;
    let sizes = analyze(calculus, table.abc.clone(), table.plan.clone());
    let class = classify(calculus, &sizes);
    let checker = Checker { calculus, table, sizes, class, names: calculus.graph().symbol_names() };
    let mut outcomes: Vec<Outcome> = expectation.verdict.iter().map(|word| checker.verdict(word)).collect();
    for rule in &expectation.rules {
        for pattern in &rule.patterns {
            let found = matched(calculus, pattern).map_err(Failure::Rules)?;
            for clause in &rule.clauses {
                outcomes.extend(checker.clause(pattern, &found, clause).map_err(Failure::Rules)?);
            }
        }
    }
    let title = format!("{} with {}", checker.table.scheme, checker.table.plan);
    Ok(Checked { title, braces: expectation.braces, outcomes })
}

struct Checker<'a, 'g> {
    calculus: &'a Calculus<'g>,
    table: Parameterization,
    sizes: Sizes,
    class: Classification,
    names: Vec<String>,
}

impl Checker<'_, '_> {
    fn verdict(&self, word: &Word) -> Outcome {
        let found = self.class.verdict.name().to_string();
        Outcome {
            path: String::new(),
            key: "verdict".into(),
            expected: word.text.clone(),
            holds: found == word.text,
            span: word.span,
            rewritten: format!("\"{found}\""),
            found,
        }
    }

    /// What a clause expects of everything that a pattern matches.
    fn clause(
        &self,
        pattern: &Word,
        all: &Matched,
        clause: &Clause,
    ) -> Result<Vec<Outcome>, Box<Diagnostic>> {
        let of_tensor = ["value", "change", "gradient", "fresh"].contains(&clause.key.text.as_str());
        let tensors = of_tensor || (all.params.is_empty() && clause.key.text == "multiplier");
        let missing = |what: &str| {
            let message =
                format!("`{}` is of a {what}, and `{}` matches none", clause.key.text, pattern.text);
            let error = Diagnostic::new(Stage::Names, message)
                .at(clause.key.span, format!("says something of a {what}"));
            Box::new(error.at(pattern.span, "matches none"))
        };
        match tensors {
            true if all.tensors.is_empty() => Err(missing("tensor")),
            true => all.tensors.iter().map(|id| self.of_tensor(*id, clause)).collect(),
            false if all.params.is_empty() => Err(missing("parameter")),
            false => all.params.iter().map(|id| self.of_param(*id, clause)).collect(),
        }
    }

    fn of_param(&self, id: ParamId, clause: &Clause) -> Result<Outcome, Box<Diagnostic>> {
        let param = self.calculus.graph().param(id);
        let (scaling, at) = (&self.table.abc.params[id.index()], id.index());
        let optional = |own: &Option<Monomial>| own.as_ref().map_or(Found::Word("none"), Found::power);
        let found = match clause.key.text.as_str() {
            "multiplier" => Found::power(&scaling.multiplier),
            "init" => match param.init {
                Init::Random => Found::power(&scaling.init_std),
                Init::Constant(value) if value.is_zero() => Found::Size(Size::Zero),
                Init::Constant(_) => Found::Size(Size::one()),
            },
            "lr" if param.frozen => Found::Word("frozen"),
            "lr" => Found::power(&scaling.learning_rate),
            "eps" => optional(&self.table.epsilon[at]),
            "decay" => optional(&self.table.weight_decay[at]),
            _ => Found::Word(match self.class.params[at].movement {
                Movement::Still => "none",
                movement => movement.name(),
            }),
        };
        let expected = match &clause.said {
            Said::Zero => Some(Found::Size(Size::Zero)),
            Said::Factor(_) => Some(Found::power(&power(self.calculus, id, clause)?)),
            Said::Word(_) => None,
        };
        Ok(self.outcome(&param.path, clause, expected, found))
    }

    fn of_tensor(&self, id: NodeId, clause: &Clause) -> Result<Outcome, Box<Diagnostic>> {
        let table = match clause.key.text.as_str() {
            "value" => &self.sizes.initial,
            "change" => &self.sizes.change,
            "gradient" => &self.sizes.gradient,
            "fresh" => &self.sizes.fresh,
            _ => return Ok(self.outcome(self.calculus.label(id), clause, self.said(clause), self.front(id))),
        };
        let found = Found::Size(table[id.index()].clone());
        Ok(self.outcome(self.calculus.label(id), clause, self.said(clause), found))
    }

    fn said(&self, clause: &Clause) -> Option<Found> {
        match &clause.said {
            Said::Zero => Some(Found::Size(Size::Zero)),
            // A tensor has no fan-in and no fan-out: nothing is found that could be equal.
            Said::Factor(factor) if !factor.fan_in.is_zero() || !factor.fan_out.is_zero() => None,
            Said::Factor(factor) => Some(Found::power(&factor.powers)),
            Said::Word(_) => None,
        }
    }

    /// The multiplier in front of an operation, or of the branch that it is.
    fn front(&self, id: NodeId) -> Found {
        let branches = &self.table.abc.branches;
        let branch = self.calculus.graph().consumers(id).find_map(|key| branches.get(&key));
        let own = self.table.abc.contractions.get(&id);
        Found::power(&branch.or(own).cloned().unwrap_or_default())
    }

    fn outcome(&self, path: &str, clause: &Clause, expected: Option<Found>, found: Found) -> Outcome {
        let rewritten = found.written(&self.names);
        let said = match (&clause.said, &expected) {
            (Said::Word(word), _) => word.clone(),
            (_, Some(expected)) => expected.written(&self.names),
            (_, None) => "?".to_string(),
        };
        Outcome {
            path: path.to_string(),
            key: clause.key.text.clone(),
            holds: said == rewritten,
            expected: said,
            found: rewritten.clone(),
            span: clause.span,
            rewritten,
        }
    }
}
