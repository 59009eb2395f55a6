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

/// What would decide a study. It was made with so many `seeds`; `finer` is the next `--refine`, where there are places between those of its grid.
pub fn advice(study: &Study, seeds: usize, finer: Option<u32>, limits: Limits) -> String {
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
    let finer = finer.and_then(|next| Some((next, least(need.by_drift(0.25), need.by_cost())?)));
    let count = |wanted: f64| (wanted - 1e-9).ceil().max(seeds as f64 + 1.0);
    let refined = |(next, wanted): (u32, f64)| match wanted <= seeds as f64 {
        true => format!("the same seeds with `--refine {next}`"),
        false => format!("about {} seeds with `--refine {next}`", count(wanted)),
    };
    match (same.filter(|own| *own <= MANY), finer.filter(|own| own.1 <= MANY)) {
        (Some(same), Some(finer)) if finer.1 < 0.75 * same => {
            format!("about {} seeds (`--seeds`), or {}", count(same), refined(finer))
        }
        (Some(same), _) => format!("about {} seeds (`--seeds`)", count(same)),
        (None, Some(finer)) => format!("{}: seeds alone do not decide it", refined(finer)),
        (None, None) => {
            let least = least(same, finer.map(|own| own.1));
            let wanted = least.map_or("no number of seeds".to_string(), |own| {
                format!("about {} seeds, out of reach,", count(own))
            });
            format!(
                "{wanted} while the drift stays at {:+.2}, so near to the margin; more seeds may move it, and sizes farther apart (`--over`) tell more",
                drift.per_doubling
            )
        }
    }
}

/// Where a curve has no optimum.
fn bracketing(study: &Study, curve: &Curve) -> String {
    let losses = study.curves.iter().flat_map(|own| &own.points).flat_map(|own| &own.losses);
    if losses.flatten().any(|loss| *loss < 0.0) {
        "nothing but a loss that is never negative".to_string()
    } else if curve.points.is_empty() {
        format!("the rest of the runs: no value of {} has all of its seeds at {}", study.knob, curve.value)
    } else if curve.level {
        "no wider grid: the loss is the same from there on, and any of these values does".to_string()
    } else if curve.points.iter().all(|point| point.mean.is_none()) {
        "a grid with smaller values".to_string()
    } else {
        format!("a wider grid for {}: `--sweep {}=...`, or a larger `--reach`", study.knob, study.knob)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::record::{Optimum, Point, Regret};
    use crate::transfer::tests::{made_up, point};

    /// A study of three sizes with `seeds` seeds: the optima of single seeds scatter by `scatter`, points stand `spacing` apart, the drift is `drift` with
    /// an interval of ±`half`, and every size costs `cost` (a logarithm) ±`error`.
    struct Made {
        seeds: usize,
        scatter: f64,
        spacing: f64,
        drift: f64,
        half: f64,
        cost: f64,
        error: f64,
    }

    const OPEN: Made =
        Made { seeds: 4, scatter: 0.4, spacing: 0.5, drift: 0.1, half: 0.3, cost: 0.06, error: 0.3 };

    impl Made {
        fn study(&self) -> Study {
            let freedom = 3.0 * (self.seeds as f64 - 1.0);
            // Half of the seeds above, half of them below: the variance is scatter^2.
            let step = self.scatter * ((self.seeds as f64 - 1.0) / self.seeds as f64).sqrt();
            let seeds: Vec<f64> =
                (0..self.seeds).map(|at| if at % 2 == 0 { -6.0 - step } else { -6.0 + step }).collect();
            let variance = self.scatter.powi(2) / self.seeds as f64 + self.spacing.powi(2) / 12.0;
            let half = quantile(freedom) * variance.sqrt();
            let optimum = Optimum { log2: -6.0, low: -6.0 - half, high: -6.0 + half, loss: 1.0, seeds };
            let own = |height: f64| Some(height.exp());
            let regret = Regret {
                loss: Some(1.0),
                ratio: own(self.cost),
                low: own(self.cost - self.error),
                high: own(self.cost + self.error),
                in_noise: None,
            };
            let curve = |value: i64| Curve {
                value,
                points: vec![point(-6.0, vec![Some(1.0)])],
                optimum: Some(optimum.clone()),
                obstacle: None,
                level: false,
                regret: Some(regret.clone()),
            };
            let (low, high) = (self.drift - self.half, self.drift + self.half);
            let drift = Some(Drift { per_doubling: self.drift, low, high });
            Study { drift, ..made_up([64, 128, 256].map(curve).to_vec()) }
        }

        fn advice(&self, finer: Option<u32>) -> String {
            advice(&self.study(), self.seeds, finer, Limits::default())
        }
    }

    /// s^2/S + h^2/12 has to shrink by ((margin - drift)/half)^2: with s = 0.4 and h = 0 from 0.04 to 0.01, which takes 16 seeds instead of 4.
    #[test]
    fn seeds_are_counted_by_the_drift() {
        let fine = Made { spacing: 0.0, ..OPEN };
        assert_eq!(fine.advice(None), "about 16 seeds (`--seeds`)");
        // Beyond the margin it is the same distance.
        assert_eq!(Made { drift: -0.4, ..fine }.advice(None), "about 16 seeds (`--seeds`)");
        // There is always one more to be had.
        assert_eq!(Made { half: 0.151, ..fine }.advice(None), "about 5 seeds (`--seeds`)");
    }

    /// h^2/12 = 0.02 is more than the 0.015 that are allowed: no number of seeds does, but with half the distance, which leaves 0.01, 16 do.
    #[test]
    fn a_finer_grid_does_what_seeds_cannot() {
        let coarse = Made { spacing: 0.24f64.sqrt(), half: 0.3, ..OPEN };
        assert_eq!(coarse.advice(Some(2)), "about 16 seeds with `--refine 2`: seeds alone do not decide it");
        assert!(coarse.advice(None).contains("out of reach"), "{}", coarse.advice(None));
        let still = Made { scatter: 0.01, half: 0.2, ..coarse };
        assert_eq!(still.advice(Some(3)), "the same seeds with `--refine 3`: seeds alone do not decide it");
        // s^2/S = 0.04, h^2/12 = 0.01: 0.16/(0.0333 - 0.01) is 6.9, and with 0.0025 in the place of 0.01 it is 5.2: not worth a word.
        let both = Made { spacing: 0.12f64.sqrt(), half: 0.15 * 1.5f64.sqrt(), ..OPEN };
        assert_eq!(both.advice(Some(2)), "about 7 seeds (`--seeds`)");
        // 0.16/(0.02 - 0.01) is 16, and 0.16/(0.02 - 0.0025) is 9.1.
        let both = Made { half: 0.15 * 2.5f64.sqrt(), ..both };
        assert_eq!(both.advice(Some(2)), "about 16 seeds (`--seeds`), or about 10 seeds with `--refine 2`");
    }

    /// Costs need not cross the margin: as 1/sqrt(S), from 0.1 around 0.0988 (which is 0.05 above ln 1.05) to 0.05.
    #[test]
    fn seeds_are_counted_by_the_cost() {
        let at_the_margin = Made { drift: 0.25, cost: 0.05 + 0.05f64.ln_1p(), error: 0.1, ..OPEN };
        assert_eq!(at_the_margin.advice(Some(2)), "about 16 seeds (`--seeds`)");
        let cheap = Made { cost: 0.05f64.ln_1p() - 0.05, ..at_the_margin };
        assert_eq!(cheap.advice(None), "about 16 seeds (`--seeds`)");
        // One size cheap, the largest dear: the largest decides. The other way round nothing does.
        let (dear, mut mixed) = (at_the_margin.study(), cheap.study());
        mixed.curves[2] = dear.curves[2].clone();
        assert_eq!(advice(&mixed, 4, None, Limits::default()), "about 16 seeds (`--seeds`)");
        mixed.curves.swap(1, 2);
        let told = advice(&mixed, 4, None, Limits::default());
        assert!(told.starts_with("no number of seeds while the drift stays at +0.25, so near"), "{told}");
    }

    #[test]
    fn what_is_out_of_reach_is_said_to_be() {
        let far = Made { spacing: 0.0, half: 1.0, cost: 0.05f64.ln_1p(), ..OPEN };
        let told = far.advice(Some(1));
        assert!(told.starts_with("about 178 seeds, out of reach, while the drift stays at +0.10"), "{told}");
    }

    #[test]
    fn without_scatter_or_drift_there_is_nothing_to_count() {
        let single = Made { seeds: 1, ..OPEN };
        assert!(single.advice(Some(1)).starts_with("more than one seed"));
        let study = Study { drift: None, ..OPEN.study() };
        assert!(advice(&study, 4, None, Limits::default()).starts_with("more sizes"));
    }

    /// A curve without an optimum: where to look for it, if there is one.
    #[test]
    fn brackets_are_asked_for_where_they_help() {
        let with = |points: Vec<Point>, level: bool| {
            let mut study = OPEN.study();
            study.curves[1] = Curve { points, level, optimum: None, ..study.curves[1].clone() };
            advice(&study, 4, Some(2), Limits::default())
        };
        let fall = |last: f64| vec![point(-2.0, vec![Some(2.0)]), point(-1.0, vec![Some(last)])];
        assert!(with(fall(1.0), false).starts_with("a wider grid for lr: `--sweep lr=...`"));
        assert!(with(fall(2.0), true).starts_with("no wider grid"));
        assert_eq!(with(vec![point(-2.0, vec![None, Some(1.0)])], false), "a grid with smaller values");
        assert_eq!(
            with(Vec::new(), false),
            "the rest of the runs: no value of lr has all of its seeds at 128"
        );
        assert_eq!(with(fall(-1.0), false), "nothing but a loss that is never negative");
    }
}
