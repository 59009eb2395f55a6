//! Why each exponent is what it is: the chain of rules from inputs and loss to a parameter or tensor.
//!
//! Nothing is computed here a second time. Every step asks the rule that the analysis used for the terms behind its result
//! ([`crate::size::term::Record`]) and follows the factors of the largest one back, so the chain can be checked with pencil and paper.

mod chain;
mod display;
mod grounds;
mod param;

use crate::abc::Abc;
use crate::diagnostic::did_you_mean;
use crate::graph::{Graph, NodeId, ParamId};
use crate::parameterization::{Failure, LearningRates, Parameterization};
use crate::size::Size;
use crate::size::analysis::{Calculus, Sizes, analyze};

use chain::Chain;

/// One line of reasoning: a size, and the terms of the rule that gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is found: `|x|`, `D(x)`, `G(x)` of a tensor.
    pub quantity: String,
    /// How large it is.
    pub size: String,
    /// The rule, in words.
    pub rule: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// The terms of the rule, each with its factors; the result is the largest of them.
    pub terms: Vec<TermLine>,
    /// Operations that passed the size on unchanged on the way.
    pub through: Vec<String>,
}

/// One term: a product of named factors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermLine {
    /// Name and size of each factor.
    pub factors: Vec<(String, String)>,
    /// Their product.
    pub size: String,
    /// Whether it is the largest.
    pub largest: bool,
}

/// A part of an explanation, with what it concludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub title: String,
    /// The steps, premises first.
    pub steps: Vec<Step>,
    /// What follows.
    pub conclusions: Vec<String>,
}

/// Why a parameter or tensor scales as it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What is explained, for which parameterization and optimizer.
    pub title: String,
    /// The parts.
    pub sections: Vec<Section>,
}

/// Not a parameter or tensor of the network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the network has no parameter or tensor `{name}`{}", hint.as_ref().map_or(String::new(), |hint| format!("; {hint}")))]
pub struct UnknownSubject {
    /// What was asked for.
    pub name: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

/// Why there is no explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unexplained {
    /// Nothing of that name.
    Unknown(UnknownSubject),
    /// What it would explain cannot be derived.
    Underived(Failure),
}

/// What an explanation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Param(ParamId),
    Tensor(NodeId),
}

/// Explains a parameter (by path or external name) or a tensor (by path; `x'2` is the second of that name).
pub fn explain(
    calculus: &Calculus,
    found: &Parameterization,
    name: &str,
) -> Result<Explanation, Unexplained> {
    let graph = calculus.graph();
    let subject = subject(calculus, name).map_err(Unexplained::Unknown)?;
    let sizes = analyze(calculus, found.abc.clone(), found.plan.clone());
    let rates = match found.rates {
        LearningRates::Own => String::new(),
        other => format!(" at {other} rates"),
    };
    let title = |what: &str| format!("{what} under {} with {}{rates}", found.scheme, found.plan);
    Ok(match subject {
        Subject::Param(param) => Explanation {
            title: title(&graph.param(param).path),
            sections: param::sections(calculus, found, &sizes, param).map_err(Unexplained::Underived)?,
        },
        Subject::Tensor(node) => Explanation {
            title: title(calculus.label(node)),
            sections: tensor_sections(calculus, &sizes, node),
        },
    })
}

fn subject(calculus: &Calculus, name: &str) -> Result<Subject, UnknownSubject> {
    let graph = calculus.graph();
    let named = |(id, param): (ParamId, &crate::graph::Param)| {
        (param.path == name || param.external.as_deref() == Some(name)).then_some(Subject::Param(id))
    };
    let tensor = || graph.ids().find(|id| calculus.label(*id) == name).map(Subject::Tensor);
    graph.param_ids().find_map(named).or_else(tensor).ok_or_else(|| {
        let tensors = graph.ids().map(|id| calculus.label(id));
        let known = graph.params.iter().map(|param| param.path.as_str()).chain(tensors);
        UnknownSubject { name: name.into(), hint: did_you_mean(name, known) }
    })
}

fn tensor_sections(calculus: &Calculus, sizes: &Sizes, node: NodeId) -> Vec<Section> {
    let mut sections =
        vec![chain_section(calculus, sizes, "value at initialization", chain::Goal::Value(node))];
    sections.push(chain_section(calculus, sizes, "change in training", chain::Goal::Change(node)));
    sections.push(chain_section(calculus, sizes, "gradient at initialization", chain::Goal::Fresh(node)));
    sections.push(chain_section(calculus, sizes, "gradient in training", chain::Goal::Gradient(node)));
    sections
}

fn chain_section(calculus: &Calculus, sizes: &Sizes, title: &str, goal: chain::Goal) -> Section {
    let chain = Chain::new(calculus, sizes);
    Section { title: title.into(), steps: chain.steps(goal), conclusions: Vec::new() }
}

/// A size with the symbol names of a graph.
fn words(graph: &Graph, size: &Size) -> String {
    size.display(&graph.symbol_names()).to_string()
}

/// The multiplier of a parameter's own, if it is not 1.
fn own_multiplier(abc: &Abc, param: ParamId) -> Option<Size> {
    Some(Size::from(&abc.params[param.index()].multiplier)).filter(|size| !size.is_one())
}
