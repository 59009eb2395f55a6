//! Does the best value at the smallest size stay the best?
//!
//! - **transfers**: the whole interval of the drift lies within the margin; or the transferred value costs no more than the tolerance at every size,
//!   by the upper end of the interval of the regret.
//! - **does not transfer**: the whole interval of the drift lies beyond the margin, and the transferred value is not shown to be free; or it costs more
//!   than the tolerance at the largest size, by the lower end of the interval; or runs diverge with it.
//! - **undecided**: everything else, with what would decide it.

use super::advice::advice;
use super::record::{Drift, Study, Verdict};

/// What counts as nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Drift per doubling, in octaves.
    pub margin: f64,
    /// The share by which the loss may rise.
    pub tolerance: f64,
}

impl Default for Limits {
    /// A quarter of an octave per doubling: one factor of two over four doublings. Five percent of the loss.
    fn default() -> Limits {
        Limits { margin: 0.25, tolerance: 0.05 }
    }
}

/// Gives a study its verdict, from its drift and its regrets; `seeds` and `finer` are for [`advice`].
pub fn judge(study: &mut Study, seeds: usize, finer: Option<u32>, limits: Limits) {
    let (verdict, reason) = decide(study, limits);
    study.verdict = verdict;
    study.reason = reason;
    study.advice = (verdict == Verdict::Undecided).then(|| advice(study, seeds, finer, limits));
}

fn decide(study: &Study, limits: Limits) -> (Verdict, String) {
    let most = 1.0 + limits.tolerance;
    let regrets =
        || study.curves.iter().skip(1).filter_map(|curve| Some((curve.value, curve.regret.as_ref()?)));
    if let Some((value, _)) = regrets().find(|(_, regret)| regret.loss.is_none()) {
        return (
            Verdict::DoesNot,
            format!("the value that is best at the smallest size diverges at {value}"),
        );
    }
    if let Some(open) = study.curves.iter().find(|curve| curve.optimum.is_none()) {
        let why = open.obstacle.clone().unwrap_or_default();
        return (Verdict::Undecided, format!("at {} the best value is {why}", open.value));
    }
    let Some(drift) = study.drift else {
        return (Verdict::Undecided, "too few sizes have an optimum".to_string());
    };
    let within = drift.low >= -limits.margin && drift.high <= limits.margin;
    let beyond = drift.low > limits.margin || drift.high < -limits.margin;
    let free = regrets().count() + 1 == study.curves.len()
        && regrets().all(|(_, regret)| regret.high.is_some_and(|high| high <= most));
    let last = study.curves.last().and_then(|curve| Some((curve.value, curve.regret.as_ref()?)));
    let dear = last.filter(|(_, regret)| regret.low.is_some_and(|low| low > most));
    let cost = last.and_then(|(value, regret)| Some(format!("{} at {value}", percent(regret.ratio?))));
    let cost = cost.unwrap_or_else(|| "a cost that was not measured".to_string());
    match (within, beyond, free) {
        (true, _, _) => (
            Verdict::Transfers,
            format!("the optimum stays within ±{} octaves per doubling; {cost}", limits.margin),
        ),
        (_, _, true) => {
            let moves =
                if beyond { "the optimum moves, but following it gains nothing" } else { "it costs nothing" };
            (Verdict::Transfers, format!("{moves}: {cost}"))
        }
        (_, true, _) => (Verdict::DoesNot, format!("the optimum moves; not to follow it costs {cost}")),
        _ if dear.is_some() => (Verdict::DoesNot, format!("the transferred value costs {cost}")),
        _ => (Verdict::Undecided, format!("{}; {cost}", between(drift, limits))),
    }
}

/// `+12 %`.
fn percent(ratio: f64) -> String {
    format!("{:+.1} % of the loss", (ratio - 1.0) * 100.0)
}

fn between(drift: Drift, limits: Limits) -> String {
    format!(
        "the drift, {:+.2} to {:+.2} octaves per doubling, reaches across the margin of ±{}",
        drift.low, drift.high, limits.margin
    )
}
