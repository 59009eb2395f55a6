//! The learning rate of a check, where the user gives none: as large as the linear response of the network allows.
//!
//! Exponents are those of small changes: once a tensor has changed by its own size, normalizations and saturating functions hold it there, whatever
//! the width. A run of one seed, with the usual rate, shows how far tensors move that are Θ(1) at initialization (logits apart); the rate is lowered until they
//! move by at most [`STILL`] of their size. What is stable moves most at the smallest size, what is not at the largest, so that is where the run is made.

use rayon::ThreadPoolBuildError;

use super::compare::regime;
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
    let place = match regime(calculus, found) {
        Regime::Finite => 0,
        Regime::Small => prepared.networks.len() - 1,
    };
    let steady = steady(calculus, found);
    let usual = request.chosen.learning_rate;
    let mut seen: Vec<f64> = Vec::new();
    for _ in 0..TRIALS {
        let moved = movement(&steady, &trial(request, prepared, place, watch)?);
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

/// The tensors that are Θ(1) at initialization, logits apart.
fn steady(calculus: &Calculus, found: &Parameterization) -> Vec<NodeId> {
    let initial = calculus.initial(&found.abc);
    let fits = |id: &NodeId| initial[id.index()] == Size::one() && !calculus.is_tail[id.index()];
    tensors(calculus).filter(fits).collect()
}

/// The largest relative change; infinite if the run diverged.
fn movement(steady: &[NodeId], run: &Option<Measured>) -> f64 {
    let Some(run) = run.as_ref().filter(|run| run.diverged_at.is_none()) else { return f64::INFINITY };
    let Some((_, moment)) = run.moments.last() else { return f64::INFINITY };
    let of = |sizes: &[Option<f64>], id: &NodeId| sizes.get(id.index()).copied().flatten();
    let relative = |id: &NodeId| {
        let (change, value) = (of(&moment.change, id)?, of(&run.moments[0].1.value, id)?);
        Some(change / value).filter(|ratio| ratio.is_finite())
    };
    steady.iter().filter_map(relative).fold(0.0, f64::max)
}
