//! Parameterizations that a spec defines: what its rules say, and the rest from the one that it inherits from.

use std::collections::BTreeMap;

use crate::abc::Abc;
use crate::diagnostic::{Diagnostic, Stage, did_you_mean};
use crate::dim::Monomial;
use crate::graph::rules::{Clause, Custom, Factor, Said, Word};
use crate::graph::{Graph, Init, Multiplier, NodeId, Op, ParamId};
use crate::optimizer::Plan;
use crate::shape::Site;
use crate::size::analysis::Calculus;

use super::pattern::matches;

/// What a pattern of paths means in a network.
#[derive(Clone, Debug, Default)]
pub struct Matched {
    /// Parameters, by path or by the name that other tools use.
    pub params: Vec<ParamId>,
    /// Tensors that the spec names, or single operations by their label.
    pub tensors: Vec<NodeId>,
}

/// Everything that a pattern matches; nothing at all is an error.
pub fn matched(calculus: &Calculus, pattern: &Word) -> Result<Matched, Box<Diagnostic>> {
    let graph = calculus.graph();
    let of = |path: &str| matches(&pattern.text, path);
    let params =
        graph.param_ids().filter(|(_, param)| of(&param.path) || param.external.as_deref().is_some_and(of));
    let exact = !pattern.text.contains('*');
    let shown = |id: &NodeId| {
        let plain =
            !matches!(graph.node(*id).op, Op::Param(_)) && calculus.shaped.view_of[id.index()].is_none();
        plain && (exact || graph.node(*id).name.is_some()) && of(calculus.label(*id))
    };
    let found =
        Matched { params: params.map(|(id, _)| id).collect(), tensors: graph.ids().filter(shown).collect() };
    if !found.params.is_empty() || !found.tensors.is_empty() {
        return Ok(found);
    }
    let tensors = graph.ids().map(|id| calculus.label(id));
    let known = graph.params.iter().map(|param| param.path.as_str()).chain(tensors);
    let error =
        Diagnostic::new(Stage::Names, format!("`{}` matches no parameter and no tensor", pattern.text))
            .at(pattern.span, "nothing has such a path");
    let near = did_you_mean(&pattern.text, known);
    Err(Box::new(error.help(
        near.unwrap_or_else(|| "`mupc graph` names them all; `*` stands for any run of characters".into()),
    )))
}

/// The optimizers that a parameterization asks for, where a plan says nothing of single parameters.
pub fn plan(calculus: &Calculus, custom: &Custom, mut plan: Plan) -> Result<Plan, Box<Diagnostic>> {
    let mut of = BTreeMap::new();
    for rule in &custom.rules {
        let Some(clause) = rule.clauses.iter().find(|clause| clause.key.text == "optimizer") else {
            continue;
        };
        let Said::Word(name) = &clause.said else { continue };
        let optimizer = name.parse().map_err(|error| unknown(&error, clause))?;
        for pattern in &rule.patterns {
            let found = matched(calculus, pattern)?;
            if let Some(tensor) = found.tensors.first().filter(|_| found.params.is_empty()) {
                return Err(of_no_tensor(calculus.label(*tensor), clause, pattern));
            }
            of.extend(found.params.into_iter().map(|param| (param, optimizer)));
        }
    }
    of.append(&mut plan.of);
    Ok(Plan { of, ..plan })
}

fn unknown(error: &crate::optimizer::UnknownOptimizer, clause: &Clause) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(Stage::Names, error.to_string()).at(clause.span, "not an optimizer"))
}

/// What rules say of a parameter as a power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Its multiplier.
    Multiplier,
    /// Its initialization.
    Init,
    /// Its learning rate.
    Rate,
    /// eps.
    Epsilon,
    /// Weight decay.
    Decay,
}

/// What the rules say, by parameter.
pub type Written = BTreeMap<(ParamId, Key), Monomial>;

/// Puts what the rules say into an abc-parameterization.
pub fn apply(calculus: &Calculus, custom: &Custom, abc: &mut Abc) -> Result<Written, Box<Diagnostic>> {
    let mut written = Written::default();
    for rule in &custom.rules {
        for pattern in &rule.patterns {
            let found = matched(calculus, pattern)?;
            for clause in rule.clauses.iter().filter(|clause| clause.key.text != "optimizer") {
                match found.params.is_empty() {
                    false => found
                        .params
                        .iter()
                        .try_for_each(|id| of_param(calculus, *id, clause, abc, &mut written))?,
                    true => found
                        .tensors
                        .iter()
                        .try_for_each(|id| of_tensor(calculus, *id, clause, pattern, abc))?,
                }
            }
        }
    }
    Ok(written)
}

fn of_param(
    calculus: &Calculus,
    id: ParamId,
    clause: &Clause,
    abc: &mut Abc,
    written: &mut Written,
) -> Result<(), Box<Diagnostic>> {
    let power = power(calculus, id, clause)?;
    let param = calculus.graph().param(id);
    let own = &mut abc.params[id.index()];
    let key = match clause.key.text.as_str() {
        "multiplier" => Key::Multiplier,
        "init" if param.init != Init::Random => {
            let error = Diagnostic::new(Stage::Names, format!("`{}` starts as a constant", param.path))
                .at(clause.span, "an initialization for it")
                .at(param.span, "declared here");
            return Err(Box::new(
                error.help("leave `init` out, or narrow the pattern to parameters that start random"),
            ));
        }
        "init" => Key::Init,
        "lr" => Key::Rate,
        "eps" => Key::Epsilon,
        _ => Key::Decay,
    };
    match key {
        Key::Multiplier => own.multiplier.clone_from(&power),
        Key::Init => own.init_std.clone_from(&power),
        Key::Rate => own.learning_rate.clone_from(&power),
        Key::Epsilon | Key::Decay => {}
    }
    written.insert((id, key), power);
    Ok(())
}

/// A clause's factor for one parameter.
pub fn power(calculus: &Calculus, id: ParamId, clause: &Clause) -> Result<Monomial, Box<Diagnostic>> {
    let param = calculus.graph().param(id);
    let error = |message: String, label: &str| {
        Box::new(Diagnostic::new(Stage::Names, message).at(clause.span, label.to_string()))
    };
    let Said::Factor(factor) = &clause.said else {
        return Err(error(
            format!("`{}` of `{}` must be a power", clause.key.text, param.path),
            "not a power",
        ));
    };
    let one = Monomial::one();
    let sites: Vec<&Site> = calculus.shaped.sites_of(id).collect();
    let shape = sites.first().map_or((&one, &one), |site| (&site.fan_in, &site.fan_out));
    let uses_shape = !factor.fan_in.is_zero() || !factor.fan_out.is_zero();
    if uses_shape && sites.iter().any(|site| (&site.fan_in, &site.fan_out) != shape) {
        let message = format!("`{}` has several uses with different fan-in and fan-out", param.path);
        return Err(error(message, "which one is meant?"));
    }
    value(factor, shape).ok_or_else(|| error("this exponent is too large".into(), "does not fit"))
}

/// The power that a factor is for a given fan-in and fan-out.
pub fn value(factor: &Factor, (fan_in, fan_out): (&Monomial, &Monomial)) -> Option<Monomial> {
    factor.powers.mul(&fan_in.pow(factor.fan_in)?)?.mul(&fan_out.pow(factor.fan_out)?)
}

/// The error about what only a parameter has.
fn of_no_tensor(label: &str, clause: &Clause, pattern: &Word) -> Box<Diagnostic> {
    let message = format!("`{label}` is a tensor and has no {}", clause.key.text);
    let error = Diagnostic::new(Stage::Names, message).at(pattern.span, "this tensor");
    let help = "a tensor takes `multiplier`; init, lr, eps, decay and optimizer belong to parameters";
    Box::new(error.at(clause.span, "cannot be given").help(help))
}

/// A multiplier in front of an operation.
fn of_tensor(
    calculus: &Calculus,
    id: NodeId,
    clause: &Clause,
    pattern: &Word,
    abc: &mut Abc,
) -> Result<(), Box<Diagnostic>> {
    let graph = calculus.graph();
    let label = calculus.label(id);
    if clause.key.text != "multiplier" {
        return Err(of_no_tensor(label, clause, pattern));
    }
    let refuse = |message: String, help: &str| {
        let place = pattern.span;
        Box::new(
            Diagnostic::new(Stage::Names, message)
                .at(place, "this tensor")
                .at(clause.span, "cannot be given")
                .help(help.to_string()),
        )
    };
    let Said::Factor(factor) = &clause.said else {
        return Err(refuse(
            format!("the multiplier of `{label}` must be a power"),
            "write a factor such as 1/n",
        ));
    };
    if !factor.fan_in.is_zero() || !factor.fan_out.is_zero() {
        return Err(refuse(
            format!("`{label}` is a tensor and has no fan-in or fan-out"),
            "write the length itself, as in 1/n",
        ));
    }
    let power = factor.powers.clone();
    let branches = branches_of(calculus, graph, id);
    if !branches.is_empty() {
        abc.branches.extend(branches.into_iter().map(|branch| (branch, power.clone())));
        return Ok(());
    }
    match &graph.node(id).op {
        Op::Contract { multiplier: Multiplier::Free | Multiplier::Hole, .. }
        | Op::Scale(Multiplier::Hole) => {
            abc.contractions.insert(id, power);
            Ok(())
        }
        Op::Contract { multiplier: Multiplier::Written(_), .. } | Op::Scale(_) => Err(refuse(
            format!("the spec writes the multiplier of `{label}` itself"),
            "leave it out there, or write `?`",
        )),
        _ => Err(refuse(
            format!(
                "`{label}` is no product and no branch of a residual stream: no multiplier stands in front of it"
            ),
            "name the tensor that a product gives, such as attention scores",
        )),
    }
}

/// The branch of a growing stream that a tensor is.
fn branches_of(calculus: &Calculus, graph: &Graph, id: NodeId) -> Vec<(NodeId, usize)> {
    let branch =
        |(add, operand): &(NodeId, usize)| calculus.repetitions.streams.branch_at(*add, *operand).is_some();
    graph.consumers(id).filter(branch).collect()
}
