//! What a scaling table takes for granted, in words, so that a reader can see whether it is his case.

use super::{LearningRates, Named, Parameterization};
use crate::graph::Graph;
use crate::size::analysis::Calculus;
use crate::size::change::{Alignment, Readout};

/// The assumptions in force.
pub fn assumptions(calculus: &Calculus, found: &Parameterization) -> Vec<String> {
    let graph = calculus.graph();
    let mut list = vec![limits(graph)];
    match found.scheme.alpha {
        None => list.extend(repetitions(graph)),
        Some(alpha) => list.extend(super::depth::remarks(calculus, alpha)),
    }
    list.push("batch size and number of steps: Θ(1); data: entries of size 1, correlated".into());
    list.push(match calculus.convention.alignment {
        Alignment::Full => "updates: aligned with activations over the whole fan-in".into(),
        Alignment::None => "updates: not aligned with activations (square root of the fan-in)".into(),
    });
    list.push(match calculus.convention.readout {
        Readout::Aligned => "readouts: initial weights align with changed features (strict stability)".into(),
        Readout::Independent => "readouts: initial weights do not align with changed features".into(),
    });
    list.extend(rates(found));
    list.extend(steps(calculus, found));
    if graph.ids().any(|id| graph.written_multiplier(id).is_some() && calculus.before_loss[id.index()]) {
        list.push("written multipliers: kept as they stand".into());
    }
    list
}

fn limits(graph: &Graph) -> String {
    let names: Vec<_> = graph.scales.iter().map(|scale| scale.name.as_str()).collect();
    match names.as_slice() {
        [] => "nothing grows: every exponent is 0".into(),
        [only] => format!("limit: {only} goes to infinity; all else is Θ(1)"),
        [..] => format!("limits: {} go to infinity in this order; all else is Θ(1)", names.join(", ")),
    }
}

/// Symbols that count repetitions only.
fn repetitions(graph: &Graph) -> Option<String> {
    let names = graph.symbol_names();
    let growing = graph.blocks.iter().filter(|block| !block.count.is_finite());
    let mut counts: Vec<String> = growing.map(|block| block.count.display(&names).to_string()).collect();
    counts.sort();
    counts.dedup();
    let list = counts.join(", ");
    (!counts.is_empty())
        .then(|| format!("repetitions ({list}): the count enters no exponent of a width parameterization"))
}

fn rates(found: &Parameterization) -> Option<String> {
    match found.rates {
        LearningRates::Own => own_rates(found.scheme.named),
        LearningRates::Largest => Some(
            "learning rates: for every parameter the largest stable one that these multipliers and initializations allow"
                .into(),
        ),
        LearningRates::Global => Some(
            "learning rates: one for all parameters, the largest stable one that these multipliers and initializations allow"
                .into(),
        ),
    }
}

fn own_rates(named: Named) -> Option<String> {
    match named {
        Named::Sp => Some("learning rates: constant, as frameworks leave them".into()),
        Named::Ntk | Named::MeanField => {
            Some("learning rates: the largest stable ones, per parameter".into())
        }
        Named::Mup | Named::DepthMup | Named::CompleteP => None,
    }
}

fn steps(calculus: &Calculus, found: &Parameterization) -> Vec<String> {
    let optimizers = found.plan.optimizers(calculus.graph().params.len());
    let several = optimizers.len() > 1;
    let line = |(at, optimizer): (usize, &crate::optimizer::Optimizer)| {
        let name = if several { format!("optimizer {optimizer}: ") } else { "optimizer: ".to_string() };
        let decay =
            if at + 1 == optimizers.len() { format!("; {}", found.decay.in_words()) } else { String::new() };
        format!("{name}{}{decay}", optimizer.step_in_words())
    };
    optimizers.iter().enumerate().map(line).collect()
}
