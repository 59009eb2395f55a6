//! What to change so that a parameterization becomes stable and moves: one line per cause, none per consequence.

use super::verdict::{Classification, Fault, Movement, Problem, Verdict};
use crate::graph::{Init, NodeId, Op};
use crate::size::Size;
use crate::size::analysis::{Calculus, Sizes, exceeds};
use crate::size::term::Rule;

/// Advice, the first cause first.
pub fn mend(calculus: &Calculus, sizes: &Sizes, found: &Classification) -> Vec<String> {
    let mut advice: Vec<String> = Vec::new();
    for line in found.problems.iter().filter_map(|problem| cause(calculus, sizes, problem)).chain(rates(calculus, found)) {
        if !advice.contains(&line) {
            advice.push(line);
        }
    }
    advice
}

/// What mends one tensor, if the fault starts there.
fn cause(calculus: &Calculus, sizes: &Sizes, problem: &Problem) -> Option<String> {
    let names = calculus.graph().symbol_names();
    let factor = problem.allowed.div(&problem.size);
    let factor = factor.display(&names);
    let starts_here = match problem.fault {
        Fault::GrowsAtInit | Fault::VanishesAtInit => initial_operands_are_fine(calculus, sizes, problem.node),
        Fault::ChangesTooMuch => calculus.graph().node(problem.node).operands.iter().all(|operand| !exceeds(calculus, sizes, *operand)),
    };
    if !starts_here {
        return None;
    }
    match (problem.fault, problem.through) {
        (Fault::ChangesTooMuch, Some(Rule::Propagation)) | (Fault::GrowsAtInit | Fault::VanishesAtInit, _) => {
            Some(match random_weight(calculus, problem.node) {
                Some(path) => format!("scale the initialization of `{path}` by {factor}"),
                None => format!("put a multiplier {factor} in front of `{}`", calculus.graph().label(problem.node)),
            })
        }
        (Fault::ChangesTooMuch, Some(Rule::ProductChange)) => {
            Some(format!("put a multiplier {factor} in front of `{}`", calculus.graph().label(problem.node)))
        }
        (Fault::ChangesTooMuch, _) => None,
    }
}

/// Whether everything that goes into a tensor may be as large as it is.
fn initial_operands_are_fine(calculus: &Calculus, sizes: &Sizes, id: NodeId) -> bool {
    calculus.graph().node(id).operands.iter().all(|operand| {
        let allowed = calculus.allowed(*operand, &sizes.initial);
        calculus.graph().as_param(*operand).is_some() || allowed.is_none_or(|allowed| sizes.initial[operand.index()] <= allowed)
    })
}

/// The path of the random weight that acts in a node.
fn random_weight(calculus: &Calculus, id: NodeId) -> Option<String> {
    let node = calculus.graph().node(id);
    let weights = (0..node.operands.len()).filter_map(|operand| calculus.shaped.site_at(id, operand));
    let mut random = weights.filter(|site| calculus.graph().param(site.param).init == Init::Random);
    let site = random.next().filter(|_| matches!(node.op, Op::Contract { .. } | Op::Lookup { .. }))?;
    Some(calculus.graph().param(site.param).path.clone())
}

/// Learning rates that are too high and, where nothing is, those that are too low. A change is proportional to its rate.
fn rates<'c>(calculus: &'c Calculus, found: &'c Classification) -> impl Iterator<Item = String> + 'c {
    let wanted = match found.verdict {
        Verdict::UnstableAtInit | Verdict::UnstableInTraining | Verdict::ControlledDivergence => Movement::Exploding,
        Verdict::Trivial | Verdict::Kernel | Verdict::FeatureLearning => Movement::Lazy,
    };
    let names = calculus.graph().symbol_names();
    found.params.iter().filter(move |param| param.movement == wanted).map(move |param| {
        let path = &calculus.graph().param(param.param).path;
        let factor = Size::one().div(&param.update);
        match wanted {
            Movement::Exploding => format!("lower the learning rate of `{path}` by {}", factor.display(&names)),
            _ => format!("`{path}` could move {} times further", factor.display(&names)),
        }
    })
}
