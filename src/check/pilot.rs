//! The learning rate of a check, where the user gives none: as large as the linear response of the network allows.
//!
//! Exponents are those of small changes: once a tensor has changed by its own size, normalizations and saturating functions hold it there, whatever
//! the width. A run of one seed, with the usual rate, shows how much changes that should stay: tensors beside themselves, and gradients of parameters. The rate
//! is lowered until nothing changes by more than [`STILL`] of its size.
//!
//! Where training is stable, tensors count that are Θ(1) at initialization, logits apart, which are to move by more than they are. They move most at
//! the smallest size, where the run is made. Where it is not, changes are small at small rates only: all tensors count that are not zero at initialization, logits
//! beside 1, at which a softmax saturates, and parameters, whose gradients may turn round before that; the run is made at the largest size.

use rayon::ThreadPoolBuildError;

use super::compare::{ROUNDING, regime};
use super::request::{Prepare, Request};
use super::runs::{Measured, run_all};
use crate::graph::NodeId;
use crate::parameterization::Parameterization;
use crate::parameterization::verdict::tensors;
use crate::size::Size;
use crate::size::analysis::Calculus;
use crate::size::realized::Regime;
use crate::watch::Watch;

/// The largest relative change of a tensor that counts as small.
pub const STILL: f64 = 0.25;
/// The smallest factor on a rate after one run.
const STEEPEST: f64 = 1.0 / 64.0;
/// The most runs.
const TRIALS: usize = 8;
/// Smaller rates must bring a change down at least this much in all, or it is none that a rate decides: rows of zeros before a
/// normalization, say.
const HELPS: f64 = 0.8;

/// Lowers the learning rate of a request, and of what is prepared for it, until the network responds linearly.
///
/// # Errors
/// If threads cannot be started.
pub fn settle(
    calculus: &Calculus,
    request: &mut Request,
    prepared: &mut Prepare,
    found: &Parameterization,
    watch: &dyn Watch,
) -> Result<(), ThreadPoolBuildError> {
    let regime = regime(calculus, found);
    let place = match regime {
        Regime::Finite => 0,
        Regime::Small => prepared.networks.len() - 1,
    };
    let steady = steady(calculus, found, regime);
    let usual = request.chosen.learning_rate;
    let mut seen: Vec<f64> = Vec::new();
    for _ in 0..TRIALS {
        let moved = match trial(request, prepared, place, watch)?.filter(|run| run.diverged_at.is_none()) {
            Some(run) => changed(&steady, regime, &run),
            None => f64::INFINITY,
        };
        if moved <= STILL || watch.stopped() {
            return Ok(());
        }
        seen.push(moved);
        let factor = (STILL / moved).clamp(STEEPEST, 0.25).log2().floor().exp2();
        request.chosen.learning_rate *= factor;
        request.set(calculus, found, prepared);
    }
    let least = seen.iter().copied().fold(f64::INFINITY, f64::min);
    if least.is_finite() && least > HELPS * seen[0] {
        request.chosen.learning_rate = usual;
        request.set(calculus, found, prepared);
    }
    Ok(())
}

/// One run of one seed, measured at the last step.
fn trial(
    request: &Request,
    prepared: &Prepare,
    place: usize,
    watch: &dyn Watch,
) -> Result<Option<Measured>, ThreadPoolBuildError> {
    let mut course = request.course.clone();
    course.seeds.truncate(1);
    course.threads = 1;
    let only = Prepare { networks: vec![prepared.networks[place].clone()], ..prepared.clone() };
    Ok(run_all(&course, &only, &Quiet(watch))?.pop())
}

/// A watch that does not count runs.
struct Quiet<'w>(&'w dyn Watch);

impl Watch for Quiet<'_> {
    fn seconds(&self) -> f64 {
        self.0.seconds()
    }

    fn stopped(&self) -> bool {
        self.0.stopped()
    }
}

/// The tensors whose change is to be small, and beside what at least.
fn steady(calculus: &Calculus, found: &Parameterization, regime: Regime) -> Vec<(NodeId, f64)> {
    let initial = calculus.initial(&found.abc);
    let least = |id: NodeId| match (regime, calculus.is_tail[id.index()]) {
        (Regime::Finite, true) => None,
        (Regime::Finite, false) => (initial[id.index()] == Size::one()).then_some(0.0),
        (Regime::Small, is_tail) => (initial[id.index()] != Size::Zero).then_some(f64::from(is_tail)),
    };
    tensors(calculus).filter_map(|id| Some((id, least(id)?))).collect()
}

/// The largest share of itself by which changes something that should stay.
fn changed(steady: &[(NodeId, f64)], regime: Regime, run: &Measured) -> f64 {
    match regime {
        Regime::Finite => movement(steady, run),
        Regime::Small => movement(steady, run).max(turn(run)),
    }
}

/// The largest relative change of a tensor from initialization to the last step.
fn movement(steady: &[(NodeId, f64)], run: &Measured) -> f64 {
    let (Some((_, start)), Some((_, last))) = (run.moments.first(), run.moments.last()) else { return 0.0 };
    let relative = |(id, least): &(NodeId, f64)| {
        Some(at(&last.change, id.index())? / at(&start.value, id.index())?.max(*least))
    };
    steady.iter().filter_map(relative).filter(|ratio| ratio.is_finite()).fold(0.0, f64::max)
}

/// How much of a parameter's way is lost, at most, because its gradient turns: with the gradient that it has at first it would go as far in
/// every step as in the first ones.
fn turn(run: &Measured) -> f64 {
    let [(_, start), (early, first), .., (late, last)] = &run.moments[..] else { return 0.0 };
    let lost = |at_param: usize| {
        let is_felt = at(&start.entry_gradient, at_param)? > ROUNDING * at(&start.entry_summands, at_param)?;
        let straight = at(&first.entry_change, at_param)? * (*late as f64 / *early as f64);
        is_felt.then(|| 1.0 - at(&last.entry_change, at_param).unwrap_or(0.0) / straight)
    };
    (0..start.entries.len()).filter_map(lost).filter(|share| share.is_finite()).fold(0.0, f64::max)
}

fn at(sizes: &[Option<f64>], place: usize) -> Option<f64> {
    sizes.get(place).copied().flatten()
}
