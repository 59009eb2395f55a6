//! What would decide an open study: how many seeds, how fine a grid, or that neither is within reach.
//!
//! The variance of an optimum is s^2/S + h^2/12 (see [`study`](super::study)); more seeds shrink the first part, a finer grid the second. The interval of
//! the drift, as the roots of these variances, has to end on one side of the margin; or those of the costs, as 1/sqrt(S), on one side of the tolerance. The
//! numbers are estimates from the study at hand: more runs move its middle, too.

use super::record::{Curve, Drift, Study};
use super::statistics::{mean, pooled, quantile};
use super::verdict::Limits;

/// More seeds than this are out of reach.
const MANY: f64 = 64.0;

/// What would decide a study; `seeds` and `halvings` are what it was made with.
pub fn advice(study: &Study, seeds: usize, halvings: u32, limits: Limits) -> String {
    if let Some(curve) = study.curves.iter().find(|curve| curve.optimum.is_none()) {
        return bracketing(study, curve);
    }
    let Some(drift) = study.drift else { return "more sizes: a wider `--over`".to_string() };
    if seeds < 2 {
        return "more than one seed (`--seeds`): how far they scatter is not known".to_string();
    }
    let need = Need { study, drift, seeds: seeds as f64, limits };
    let least = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    let same = least(need.by_drift(1.0), need.by_cost());
    let finer = least(need.by_drift(0.25), need.by_cost()).filter(|_| halvings < 4);
    let count = |wanted: f64| wanted.ceil().max(seeds as f64 + 1.0);
    let refined = |wanted: f64| match wanted <= seeds as f64 {
        true => format!("the same seeds with `--refine {}`", halvings + 1),
        false => format!("about {} with `--refine {}`", count(wanted), halvings + 1),
    };
    match (same.filter(|own| *own <= MANY), finer.filter(|own| *own <= MANY)) {
        (Some(same), Some(finer)) if finer < 0.75 * same => {
            format!("about {} seeds (`--seeds`), or {}", count(same), refined(finer))
        }
        (Some(same), _) => format!("about {} seeds (`--seeds`)", count(same)),
        (None, Some(finer)) => format!("{}: seeds alone do not", refined(finer)),
        (None, None) => format!(
            "{}, out of reach: the drift lies too near to the margin; sizes farther apart (`--over`) tell more",
            least(same, finer).map_or("more than any number of seeds".to_string(), |own| {
                format!("about {} seeds", count(own))
            })
        ),
    }
}

/// Where a curve has no optimum.
fn bracketing(study: &Study, curve: &Curve) -> String {
    match curve.points.iter().all(|point| point.mean.is_none()) {
        _ if curve.level => {
            "no wider grid: the loss is the same from there on, and any of these values does".to_string()
        }
        true => "a grid with smaller values".to_string(),
        false => {
            format!("a wider grid for {}: `--sweep {}=...`, or a larger `--reach`", study.knob, study.knob)
        }
    }
}

/// How many seeds a study needs.
struct Need<'s> {
    study: &'s Study,
    drift: Drift,
    seeds: f64,
    limits: Limits,
}

impl Need<'_> {
    /// For the drift, if h^2 is multiplied by this; none where no number of seeds suffices.
    fn by_drift(&self, finer: f64) -> Option<f64> {
        let optima = || self.study.curves.iter().filter_map(|curve| curve.optimum.as_ref());
        let (single, freedom) = pooled(&optima().map(|own| own.seeds.clone()).collect::<Vec<_>>());
        let whole = |width: f64| (width / 2.0 / quantile(freedom)).powi(2);
        let whole = mean(&optima().map(|own| whole(own.high - own.low)).collect::<Vec<_>>());
        let spacing = (whole - single / self.seeds).max(0.0);
        let half = (self.drift.high - self.drift.low) / 2.0;
        let away = self.limits.margin - self.drift.per_doubling.abs();
        let left = whole * (away / half).powi(2) - finer * spacing;
        (left > 0.0).then(|| single / left)
    }

    /// For the costs: all below the tolerance, or that at the largest size above it.
    fn by_cost(&self) -> Option<f64> {
        let most = self.limits.tolerance.ln_1p();
        let of = |curve: &Curve| {
            let regret = curve.regret.as_ref()?;
            let (middle, half) = (regret.ratio?.ln(), (regret.high?.ln() - regret.low?.ln()) / 2.0);
            Some((middle, self.seeds * (half / (most - middle)).powi(2)))
        };
        let costs: Vec<(f64, f64)> =
            self.study.curves.iter().skip(1).map(of).collect::<Option<Vec<(f64, f64)>>>()?;
        let last = costs.last()?;
        match costs.iter().all(|(middle, _)| *middle < most) {
            true => Some(costs.iter().fold(0.0, |largest, (_, wanted)| largest.max(*wanted))),
            false => (last.0 > most).then_some(last.1),
        }
    }
}
