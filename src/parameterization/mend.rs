//! What to change so that a parameterization becomes stable and learns features: its differences from the maximal-update
//! parameterization, told in its own gauge.

use super::derive::maximal_update;
use super::rates::set_largest_stable;
use super::verdict::{Classification, Verdict};
use super::{Parameterization, depth};
use crate::abc::{Abc, ParamScaling};
use crate::dim::Monomial;
use crate::graph::{NodeId, ParamId};
use crate::optimizer::step::StepLaw;
use crate::size::analysis::Calculus;

/// Advice, parameter by parameter and then operation by operation; empty if nothing needs mending or muP cannot be derived.
pub fn mend(calculus: &Calculus, given: &Parameterization, found: &Classification) -> Vec<String> {
    if found.verdict == Verdict::FeatureLearning && found.is_maximal() {
        return Vec::new();
    }
    let Ok(mut wanted) = maximal_update(calculus) else { return Vec::new() };
    if let Some(alpha) = given.scheme.alpha {
        depth::multiply_branches(calculus, &mut wanted, alpha.max(crate::rational::Rational::HALF));
    }
    if set_largest_stable(calculus, &mut wanted, &given.laws).is_err() {
        return Vec::new();
    }
    let laws = &given.laws;
    let given = given.abc.as_ref();
    let params = calculus
        .graph()
        .param_ids()
        .filter_map(|(id, _)| param(calculus, given, &wanted, &laws[id.index()], id));
    branches(calculus, given, &wanted)
        .into_iter()
        .chain(params)
        .chain(operations(calculus, given, &wanted))
        .collect()
}

/// How one parameter differs, with its own multiplier kept.
fn param(calculus: &Calculus, given: &Abc, wanted: &Abc, law: &StepLaw, id: ParamId) -> Option<String> {
    let (given, wanted) = (&given.params[id.index()], &wanted.params[id.index()]);
    let wanted = wanted.shift(&given.multiplier.div(&wanted.multiplier)?, law)?;
    let param = calculus.graph().param(id);
    let names = calculus.graph().symbol_names();
    let factor = |what: &str, get: fn(&ParamScaling) -> &Monomial| {
        let factor = get(&wanted).div(get(given)).filter(|factor| !factor.is_one())?;
        Some(format!("{what} by {}", factor.display(&names)))
    };
    let random = param.init == crate::graph::Init::Random;
    let init = random.then(|| factor("initialization", |scaling| &scaling.init_std)).flatten();
    let rate = if param.frozen { None } else { factor("learning rate", |scaling| &scaling.learning_rate) };
    let parts: Vec<String> = init.into_iter().chain(rate).collect();
    (!parts.is_empty()).then(|| format!("`{}`: multiply its {}", param.path, parts.join(" and its ")))
}

/// Multipliers in front of the branches of residual streams that differ.
fn branches(calculus: &Calculus, given: &Abc, wanted: &Abc) -> Vec<String> {
    let graph = calculus.graph();
    let names = graph.symbol_names();
    let line = |(key, wants): (&(NodeId, usize), &Monomial)| {
        let has = given.branches.get(key).cloned().unwrap_or_default();
        let branch = calculus.label(graph.node(key.0).operands[key.1]);
        let text = format!(
            "branch `{branch}`: put {} in front of it instead of {}",
            wants.display(&names),
            has.display(&names)
        );
        (has != *wants).then_some(text)
    };
    wanted.branches.iter().filter_map(line).collect()
}

/// Multipliers in front of operations that differ.
fn operations(calculus: &Calculus, given: &Abc, wanted: &Abc) -> Vec<String> {
    let names = calculus.graph().symbol_names();
    let mut nodes: Vec<NodeId> =
        given.contractions.keys().chain(wanted.contractions.keys()).copied().collect();
    nodes.sort_unstable();
    nodes.dedup();
    let line = |node: NodeId| {
        let of = |abc: &Abc| abc.contractions.get(&node).cloned().unwrap_or_default();
        let (has, wants) = (of(given), of(wanted));
        let text = format!(
            "`{}`: put {} in front of it instead of {}",
            calculus.label(node),
            wants.display(&names),
            has.display(&names)
        );
        (has != wants).then_some(text)
    };
    nodes.into_iter().filter_map(line).collect()
}
