//! From runs to studies: curves, optima with intervals, drift, regret.
//!
//! - **Interval of an optimum.** Two things make it uncertain. The optima of single seeds scatter; their variance s^2 is pooled over all sizes of a study.
//!   And a curve is known at points only: between neighbours at distance h the optimum is off by h^2/12, the variance of a uniform distribution. The
//!   variance is s^2/S + h^2/12 for S seeds, the interval Student's at 95 %.
//! - **Drift.** The slope of the weighted least-squares line of log2 optimum against log2 size. Where the optima lie farther from a line than their
//!   variances allow, the slope's variance is multiplied by chi^2 over its degrees of freedom. Student's distribution has the degrees of freedom of the
//!   variances and of the line together.
//! - **Regret.** Loss at the transferred value over loss at the own optimum, both read off the curve along straight lines, seed by seed: seeds share
//!   their order of examples, so that their ratio scatters less than they do. Interval: Student's at 95 %, variance pooled over sizes.

use super::curve::{Bottom, Lowest, Shape};
use super::knob::Place;
use super::prepare::Analyzed;
use super::record::{Curve, Drift, Optimum, Point, Regret, Study, Verdict, Wider};
use super::request::{Arm, Request};
use super::runs::Run;
use super::statistics::{line, mean, pooled, quantile};
use super::verdict::{Limits, judge};

/// What the runs of one arm say.
pub fn study(request: &Request, at: usize, analyzed: &Analyzed, runs: &[Run], limits: Limits) -> Study {
    let arm = &request.arms[at];
    let (parameterization, optimizer) = (analyzed.parameterization(), analyzed.optimizer());
    let own = |run: &&Run| {
        run.parameterization == parameterization && run.optimizer == optimizer && run.knob == arm.knob
    };
    let runs: Vec<&Run> = runs.iter().filter(own).collect();
    let curves: Vec<Curve> = request.values.iter().map(|value| curve(request, *value, &runs)).collect();
    let window = f64::from(arm.grid.step) / f64::from(Place::OCTAVE);
    let (predicted, unpredicted) = match analyzed.predicted(arm.knob, request.symbol) {
        Ok(predicted) => (Some(predicted), None),
        Err(why) => (None, Some(why)),
    };
    let mut study = Study {
        parameterization,
        optimizer,
        knob: arm.knob,
        fixed: fixed(arm),
        curves,
        drift: None,
        predicted,
        unpredicted,
        wider: Wider { holds: None, worse_at: Vec::new() },
        noise: 0.0,
        verdict: Verdict::Undecided,
        reason: String::new(),
        advice: None,
    };
    measure(&mut study, window);
    judge(&mut study, request.seeds.len(), request.search.finer(arm), limits);
    study
}

/// Reads optima, drift and regrets off the curves of a study. `window` is a step of the grid, in octaves.
pub fn measure(study: &mut Study, window: f64) {
    Measuring::new(&study.curves, window).fill(study);
}

/// The hyperparameters that were not varied, where they have a say.
fn fixed(arm: &Arm) -> Vec<(String, f64)> {
    use super::knob::Knob;
    let chosen = &arm.chosen;
    let of = |knob: Knob| match knob {
        Knob::Lr => chosen.learning_rate,
        Knob::Init => chosen.init_scale,
        Knob::Output => chosen.output_multiplier,
        Knob::Attention => chosen.attention_multiplier,
        Knob::Decay => chosen.weight_decay,
        Knob::Batch => arm.batch as f64,
    };
    let others = Knob::ALL.into_iter().filter(|knob| *knob != arm.knob);
    others.map(|knob| (knob.name().to_string(), of(knob))).collect()
}

/// The curve of one size. Points count when all their seeds are done.
fn curve(request: &Request, value: i64, runs: &[&Run]) -> Curve {
    let own: Vec<&&Run> = runs.iter().filter(|run| run.value == value).collect();
    let mut places: Vec<f64> = own.iter().map(|run| run.log2).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let point = |log2: f64| {
        let at = |seed: &u64| own.iter().find(|run| run.log2 == log2 && run.seed == *seed);
        let seeds: Option<Vec<Option<f64>>> =
            request.seeds.iter().map(|seed| at(seed).map(|run| run.loss)).collect();
        let losses = seeds?;
        let logs: Option<Vec<f64>> = losses.iter().map(|loss| loss.map(f64::ln)).collect();
        Some(Point { log2, mean: logs.map(|logs| mean(&logs).exp()).filter(|mean| mean.is_finite()), losses })
    };
    let points: Vec<Point> = places.into_iter().filter_map(point).collect();
    Curve { value, points, optimum: None, obstacle: None, level: false, regret: None }
}

/// The curves of a study while they are read.
struct Measuring {
    shapes: Vec<Shape>,
    lowest: Vec<Lowest>,
    /// Whether some loss is negative: then relative costs mean nothing.
    negative: bool,
}

impl Measuring {
    fn new(curves: &[Curve], window: f64) -> Measuring {
        let shapes: Vec<Shape> = curves.iter().map(|curve| Shape::new(&curve.points)).collect();
        let lowest = shapes.iter().map(|shape| shape.lowest(window)).collect();
        let losses = curves.iter().flat_map(|curve| &curve.points).flat_map(|point| &point.losses);
        let negative = losses.flatten().any(|loss| *loss < 0.0);
        Measuring { shapes, lowest, negative }
    }

    fn bottoms(&self) -> impl Iterator<Item = Option<&Bottom>> {
        self.lowest.iter().map(|lowest| match lowest {
            Lowest::Inside(bottom) if !self.negative => Some(bottom),
            _ => None,
        })
    }

    fn fill(&self, study: &mut Study) {
        let seeds: Vec<Vec<f64>> = self.bottoms().flatten().map(|bottom| bottom.seeds.clone()).collect();
        let (variance, freedom) = pooled(&seeds);
        let heights: Vec<Vec<f64>> = self.bottoms().flatten().map(|bottom| bottom.y.clone()).collect();
        let noise = pooled(&heights).0.sqrt();
        study.noise = noise;
        let of = |bottom: &Bottom| {
            variance / bottom.seeds.len().max(1) as f64 + bottom.spacing * bottom.spacing / 12.0
        };
        for ((curve, shape), (bottom, lowest)) in
            study.curves.iter_mut().zip(&self.shapes).zip(self.bottoms().zip(&self.lowest))
        {
            curve.level = shape.is_level_at_end(lowest, noise);
            curve.obstacle = bottom.is_none().then(|| match curve.points.is_empty() {
                true => "unknown: no value has all of its runs".to_string(),
                false => self.obstacle(lowest, curve.level),
            });
            curve.optimum = bottom.map(|bottom| {
                let half = quantile(freedom) * of(bottom).sqrt();
                let y = shape.at(bottom.x).unwrap_or_else(|| bottom.y.clone());
                let (low, high) = (bottom.x - half, bottom.x + half);
                Optimum { log2: bottom.x, low, high, loss: mean(&y).exp(), seeds: bottom.seeds.clone() }
            });
        }
        let places = study.curves.iter().zip(self.bottoms());
        let places: Vec<(f64, f64, f64)> = places
            .filter_map(|(curve, bottom)| Some(((curve.value as f64).log2(), bottom?.x, of(bottom?))))
            .collect();
        study.drift = drift(&places, freedom);
        self.regrets(study);
    }

    /// Completes the sentence "the best value is ...".
    fn obstacle(&self, lowest: &Lowest, level: bool) -> String {
        let level = if level { ", where the curve is level" } else { "" };
        match lowest {
            _ if self.negative => "unknown: some losses are negative and have no logarithm".to_string(),
            Lowest::Nowhere => "unknown: every run diverged".to_string(),
            Lowest::First(x) => format!("the smallest that was tried, 2^{x}{level}"),
            Lowest::Last(x) => format!("the largest that was tried, 2^{x}{level}"),
            Lowest::Inside(_) => String::new(),
        }
    }

    /// What the value of the smallest size costs at every size.
    fn regrets(&self, study: &mut Study) {
        let Some(transferred) = self.bottoms().next().flatten().map(|bottom| bottom.x) else { return };
        let differences: Vec<Option<Vec<f64>>> = self
            .shapes
            .iter()
            .zip(self.bottoms())
            .map(|(shape, bottom)| {
                let (there, own) = (shape.at(transferred)?, shape.at(bottom?.x)?);
                Some(there.iter().zip(own).map(|(there, own)| there - own).collect())
            })
            .collect();
        let known: Vec<Vec<f64>> = differences.iter().skip(1).flatten().cloned().collect();
        let (variance, freedom) = pooled(&known);
        let (mut losses, noise) = (Vec::new(), study.noise);
        for (at, ((curve, shape), difference)) in
            study.curves.iter_mut().zip(&self.shapes).zip(differences).enumerate()
        {
            let there = shape.at(transferred).map(|y| mean(&y));
            losses.push(there);
            let loss = there.map(f64::exp);
            curve.regret = match difference {
                Some(own) => {
                    let (height, seeds) = (mean(&own), own.len() as f64);
                    // The smallest size costs nothing by definition.
                    let half = if at == 0 { 0.0 } else { quantile(freedom) * (variance / seeds).sqrt() };
                    let error = noise / seeds.sqrt();
                    let in_noise = (error > 0.0).then(|| height / error);
                    let [ratio, low, high] =
                        [height, height - half, height + half].map(|own| Some(own.exp()));
                    Some(Regret { loss, ratio, low, high, in_noise })
                }
                // Tried, and without a loss: it diverges there.
                None if loss.is_none() && shape.spans(transferred) && curve.optimum.is_some() => {
                    Some(Regret { loss, ratio: None, low: None, high: None, in_noise: None })
                }
                None => None,
            };
        }
        let seeds =
            study.curves.first().and_then(|curve| curve.points.first()).map_or(1, |own| own.losses.len());
        study.wider = wider(study, &losses, noise * (2.0 / seeds as f64).sqrt());
    }
}

/// Whether losses fall from size to size, but for twice the standard error of a difference.
fn wider(study: &Study, losses: &[Option<f64>], error: f64) -> Wider {
    let sizes: Vec<(i64, Option<f64>)> =
        study.curves.iter().map(|curve| curve.value).zip(losses.iter().copied()).collect();
    let worse = sizes.windows(2).filter(|pair| match (pair[0].1, pair[1].1) {
        (Some(before), Some(after)) => after > before + 2.0 * error,
        (Some(_), None) => true,
        (None, _) => false,
    });
    let worse_at: Vec<i64> = worse.map(|pair| pair[1].0).collect();
    let told = losses.iter().filter(|loss| loss.is_some()).count() > 1 || !worse_at.is_empty();
    Wider { holds: told.then_some(worse_at.is_empty()), worse_at }
}

/// The slope through (log2 size, log2 optimum, variance); `freedom` is that of the variances.
fn drift(points: &[(f64, f64, f64)], freedom: f64) -> Option<Drift> {
    let line = line(points)?;
    let left = points.len() as f64 - 2.0;
    let excess = if left > 0.0 { (line.chi_squared / left).max(1.0) } else { 1.0 };
    let half = quantile(freedom + left) * (line.variance * excess).sqrt();
    Some(Drift { per_doubling: line.slope, low: line.slope - half, high: line.slope + half })
}
