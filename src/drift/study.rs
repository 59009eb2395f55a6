//! The runs of each question, and what they add up to.

use rayon::prelude::*;

use super::descent::{Descent, outputs};
use super::fluctuation::{Law, ratio, spread};
use super::model::{Degree, Model};
use super::record::{Curve, Kind, Point, Section};
use super::request::{Case, Common, Request, RequestError, Sized};
use crate::check::record::{self, Predicted, Verdict};
use crate::check::verdict::judge;
use crate::graph::{Func, Graph, Op};
use crate::kernel::tangent::{Tangent, one, program};
use crate::kernel::{Limit, Parameterization, Prior, empirical};
use crate::numeric::initial::start;
use crate::numeric::machine::Machine;
use crate::parameterization::Named;
use crate::rational::Rational;

/// Who is told how far a study is, and may stop it.
pub trait Watch: Sync {
    /// So many runs will be made.
    fn starts(&self, runs: usize);

    /// One is done.
    fn finished(&self);

    /// Whether the rest is to be left undone.
    fn stopped(&self) -> bool {
        false
    }
}

/// Nobody.
impl Watch for () {
    fn starts(&self, _runs: usize) {}

    fn finished(&self) {}
}

/// Groups of draws for the scatter of a variance.
const GROUPS: usize = 8;

/// A study of a network.
pub struct Study<'a> {
    /// The network.
    pub graph: &'a Graph,
    /// What is asked.
    pub request: &'a Request,
    /// Data and tensors.
    pub common: Common,
    /// Who watches.
    pub watch: &'a dyn Watch,
}

/// A parameterization with the learning rate at its smallest size.
struct Rated<'a> {
    case: &'a Case,
    rate: f64,
}

/// What a run with kernels before and after training measures; not finite if it diverged.
#[derive(Clone, Copy, Debug)]
struct Moved {
    kernel: f64,
    features: f64,
    before: f64,
    after: f64,
}

impl Study<'_> {
    /// All answers.
    ///
    /// # Errors
    /// If a network cannot be built or parameterized.
    pub fn sections<'c>(&self, cases: &'c [Case]) -> Result<Vec<Section>, RequestError> {
        let asked = |kind: Kind| self.request.kinds.contains(&kind);
        let rated = |case: &'c Case| -> Result<Rated<'c>, RequestError> {
            Ok(Rated { case, rate: self.request.rate.map_or_else(|| self.stable_rate(&case.sized), Ok)? })
        };
        let cases: Vec<Rated<'c>> = cases.iter().map(rated).collect::<Result<_, _>>()?;
        self.watch.starts(self.runs(cases.len()));
        let mut sections = Vec::new();
        if let Some(case) = cases.first().filter(|_| asked(Kind::Convergence)) {
            sections.push(self.convergence(case)?);
        }
        for case in &cases {
            sections.extend(self.trained(case)?);
        }
        for case in cases.iter().filter(|_| asked(Kind::Models)) {
            sections.push(self.models(case));
        }
        for case in cases.iter().filter(|_| asked(Kind::Alpha)) {
            sections.push(self.lazy(case)?);
        }
        if let Some(case) = cases.first().filter(|_| asked(Kind::Fluctuation)) {
            sections.push(self.fluctuation(case)?);
        }
        Ok(sections)
    }

    fn runs(&self, cases: usize) -> usize {
        let own = self.request;
        let per_size = own.values.len() * own.seeds as usize;
        let has = |kind: Kind| usize::from(own.kinds.contains(&kind));
        let trained = has(Kind::Drift).max(has(Kind::Alignment));
        let alphas = own.alphas.len() * own.seeds as usize;
        has(Kind::Convergence) * per_size
            + cases * (per_size * (trained + has(Kind::Models)) + has(Kind::Alpha) * alphas)
            + has(Kind::Fluctuation) * own.values.len()
    }

    /// One result per size and seed, in order; none for those that were not started before the watch stopped.
    fn each<R: Send>(&self, sized: &[Sized], run: impl Fn(&Sized, u64) -> R + Sync) -> Vec<(f64, Vec<R>)> {
        let jobs: Vec<(usize, u64)> = (0..sized.len())
            .rev()
            .flat_map(|at| (0..self.request.seeds).map(move |seed| (at, seed)))
            .collect();
        let found: Vec<(usize, R)> = jobs
            .par_iter()
            .with_max_len(1)
            .filter(|_| !self.watch.stopped())
            .map(|(at, seed)| {
                let found = run(&sized[*at], *seed);
                self.watch.finished();
                (*at, found)
            })
            .collect();
        let mut by_size: Vec<(f64, Vec<R>)> =
            sized.iter().map(|own| (own.value as f64, Vec::new())).collect();
        found.into_iter().for_each(|(at, own)| by_size[at].1.push(own));
        by_size
    }

    fn tangent(&self, sized: &Sized) -> Result<Tangent<f32>, RequestError> {
        let batch = self.request.probe;
        let made = Tangent::new(self.graph, &sized.values, batch, &sized.setting, self.common.output);
        made.map_err(|error| RequestError::Tangent { symbol: self.symbol(), value: sized.value, error })
    }

    fn symbol(&self) -> String {
        self.graph.scales[self.request.symbol].name.clone()
    }

    /// Half of what the kernel on the batch allows, at the sizes at both ends: B over its largest eigenvalue.
    fn stable_rate(&self, sized: &[Sized]) -> Result<f64, RequestError> {
        let mut rate = f64::INFINITY;
        for own in sized.first().into_iter().chain(sized.last()) {
            let batch = self.request.batch;
            let made = Tangent::<f32>::new(self.graph, &own.values, batch, &own.setting, self.common.output);
            let failed = |error| RequestError::Tangent { symbol: self.symbol(), value: own.value, error };
            let mut tangent = made.map_err(failed)?;
            start(tangent.machine(), &own.setting, 0);
            let (kernel, _) = tangent.kernel(&self.common.batch, &own.factors);
            rate = rate.min(batch as f64 / largest_eigenvalue(&kernel));
        }
        // A power of two is easier to quote.
        Ok((0.5 * rate).log2().floor().exp2())
    }

    /// Kernels and features before and after training.
    fn moved(&self, sized: &Sized, rate: f64, seed: u64, alpha: f64) -> Result<Moved, RequestError> {
        let common = &self.common;
        let mut descent =
            Descent::<f32>::new(sized, &common.batch, &common.targets, rate, seed).scaled(alpha);
        let mut tangent = self.tangent(sized)?;
        let mut features = common.hidden.map(|hidden| {
            let made = program(self.graph, &sized.values, self.request.probe, &sized.setting, hidden);
            made.map(|own| Machine::<f32>::new(own.into()))
        });
        let mut look = |descent: &Descent<f32>| {
            tangent.follow(descent.machine());
            let kernel = tangent.kernel(&common.probe, &sized.factors).0;
            let features = match &mut features {
                Some(Ok(machine)) => {
                    descent.give(machine);
                    machine.load(&common.probe);
                    outputs(machine)
                }
                _ => Vec::new(),
            };
            (kernel, features)
        };
        let first = look(&descent);
        let mut loss = 0.0;
        for _ in 0..self.request.steps {
            loss = descent.step();
        }
        let last = look(&descent);
        let finite = |own: f64| if loss.is_finite() { own } else { f64::INFINITY };
        Ok(Moved {
            kernel: finite(distance(&last.0, &first.0)),
            features: finite(distance(&last.1, &first.1)),
            before: alignment(&first.0, &common.probe_targets, self.request.probe),
            after: finite(alignment(&last.0, &common.probe_targets, self.request.probe)),
        })
    }

    /// The sections about training: drift and alignment share their runs.
    fn trained(&self, case: &Rated) -> Result<Vec<Section>, RequestError> {
        let asked = |kind: Kind| self.request.kinds.contains(&kind);
        if !asked(Kind::Drift) && !asked(Kind::Alignment) {
            return Ok(Vec::new());
        }
        let found = self.each(&case.case.sized, |sized, seed| self.moved(sized, case.rate, seed, 1.0));
        let mut runs: Vec<(f64, Vec<Moved>)> = Vec::new();
        for (at, own) in found {
            runs.push((at, own.into_iter().collect::<Result<_, _>>()?));
        }
        let of = |own: fn(&Moved) -> f64| -> Vec<Point> {
            runs.iter().map(|(at, runs)| Point::new(*at, runs.iter().map(own).collect())).collect()
        };
        let power = match case.case.regime {
            Some(Named::Ntk) => Some((power(-1, 2), "Jacot et al. 2018; Lee et al. 2019, theorem 2.1")),
            Some(Named::Mup | Named::MeanField) => Some((power(0, 1), "Yang & Hu 2021, section 6")),
            _ => None,
        };
        let mut sections = Vec::new();
        if asked(Kind::Drift) {
            let mut kernel = predicted("change of the kernel", of(|own| own.kernel), power);
            // Lee et al. bound it; changes of single features have either sign and average out.
            kernel.bound = case.case.regime == Some(Named::Ntk);
            let mut curves = vec![kernel];
            if self.common.hidden.is_some() {
                curves.push(predicted("change of the last hidden layer", of(|own| own.features), power));
            }
            sections.push(self.section(Kind::Drift, case, curves));
        }
        if asked(Kind::Alignment) {
            let curves = vec![
                Curve::measured("before training", of(|own| own.before)),
                Curve::measured("after training", of(|own| own.after)),
            ];
            sections.push(self.section(Kind::Alignment, case, curves));
        }
        Ok(sections)
    }

    fn section(&self, kind: Kind, case: &Rated, curves: Vec<Curve>) -> Section {
        let steps = self.request.steps;
        let about = match kind {
            Kind::Drift => format!("relative change after {steps} steps, on the probe"),
            Kind::Alignment => {
                format!(
                    "<K, yy'> / (|K| |yy'|), centred, K the mean over outputs, on the probe, before and after {steps} steps"
                )
            }
            Kind::Models => format!(
                "distance of the outputs on the batch over the network's own movement; steps until it exceeds {}, of {steps}",
                self.request.share
            ),
            Kind::Alpha => format!(
                "relative change after {steps} steps with alpha (f - f_0) on L / alpha^2, {} = {}",
                self.symbol(),
                self.middle(case).value
            ),
            Kind::Convergence | Kind::Fluctuation => String::new(),
        };
        let variable = if kind == Kind::Alpha { "alpha".to_string() } else { self.symbol() };
        let parameterization = case.case.name.to_string();
        Section { kind, parameterization, about, variable, learning_rate: Some(case.rate), curves }
    }

    /// The size at which output scales are compared.
    fn middle<'c>(&self, case: &'c Rated) -> &'c Sized {
        &case.case.sized[case.case.sized.len() / 2]
    }

    /// From lazy to rich: drift against the output scale.
    fn lazy(&self, case: &Rated) -> Result<Section, RequestError> {
        let sized = self.middle(case);
        let mut points: [Vec<Point>; 2] = Default::default();
        for alpha in &self.request.alphas {
            let found = self
                .each(std::slice::from_ref(sized), |sized, seed| self.moved(sized, case.rate, seed, *alpha));
            let runs: Vec<Moved> = found.into_iter().flat_map(|(_, own)| own).collect::<Result<_, _>>()?;
            points[0].push(Point::new(*alpha, runs.iter().map(|own| own.kernel).collect()));
            points[1].push(Point::new(*alpha, runs.iter().map(|own| own.features).collect()));
        }
        let power = Some((power(-1, 1), "Chizat, Oyallon & Bach 2019, theorem 2.2"));
        let [kernel, features] = points;
        let mut curves = vec![match is_smooth(self.graph) {
            true => predicted("change of the kernel", kernel, power),
            false => {
                let reason = "no theorem: where functions have kinks, the kernel moves in jumps, one per unit that crosses";
                Curve { reason: Some(reason.to_string()), ..predicted("change of the kernel", kernel, None) }
            }
        }];
        if self.common.hidden.is_some() {
            curves.push(predicted("change of the last hidden layer", features, power));
        }
        Ok(self.section(Kind::Alpha, case, curves))
    }

    /// How far the kernel at initialization is from its limit, in the NTK parameterization with all variances 1.
    fn convergence(&self, case: &Rated) -> Result<Section, RequestError> {
        let graph = self.graph;
        let prior = Prior::new(graph, Parameterization::Ntk, 1.0);
        let mut section = Section {
            kind: Kind::Convergence,
            parameterization: "ntk".to_string(),
            about: "distance of the kernel at initialization from its limit, over the limit, on the probe"
                .to_string(),
            variable: self.symbol(),
            learning_rate: None,
            curves: Vec::new(),
        };
        let values = self.request.values_at(graph, self.request.values[0]);
        let limit = match Limit::new(graph, &values, &prior, self.common.output, true) {
            Ok(limit) => limit,
            Err(error) => {
                section.about = format!("no infinite-width limit to compare with: {error}");
                return Ok(section);
            }
        };
        let exact = limit.gram(&self.common.points, &()).ntk;
        let channels = limit.channels;
        let measure = |sized: &Sized, seed: u64| -> Result<f64, RequestError> {
            let setting = empirical::setting(graph, &sized.values, &prior);
            let trained = |own: &crate::kernel::ParamPrior| f64::from(u8::from(own.trained));
            let own = Sized { setting: setting.into(), ..sized.clone() };
            let mut tangent = self.tangent(&own)?;
            start(tangent.machine(), &own.setting, seed);
            let factors: Vec<f64> = prior.params.iter().map(trained).collect();
            let (kernel, _) = tangent.kernel(&self.common.probe, &factors);
            Ok(distance(&kernel, &spread_out(&exact, channels)))
        };
        let mut points = Vec::new();
        for (at, own) in self.each(&case.case.sized, measure) {
            points.push(Point::new(at, own.into_iter().collect::<Result<_, _>>()?));
        }
        let power = (power(-1, 2), "Jacot et al. 2018, theorem 1; rate as of a mean over n channels");
        let power = self.in_width().then_some(power);
        section.curves = vec![predicted("distance from the limit", points, power)];
        Ok(section)
    }

    /// Whether the growing symbol is a width and not a depth.
    fn in_width(&self) -> bool {
        let symbol = crate::dim::Symbol(self.request.symbol as u16);
        self.graph.blocks.iter().all(|block| block.count.powers.exponent(symbol).is_zero())
    }

    /// Taylor polynomials beside the network.
    fn models(&self, case: &Rated) -> Section {
        let degrees: Vec<Degree> = match is_smooth(self.graph) {
            true => vec![Degree::Linear, Degree::Quadratic],
            false => vec![Degree::Linear],
        };
        let mut curves = Vec::new();
        for degree in degrees {
            let (name, exponent) = match degree {
                Degree::Linear => ("linear", power(-1, 2)),
                Degree::Quadratic => ("quadratic", power(-1, 1)),
            };
            let found =
                self.each(&case.case.sized, |sized, seed| self.tracked(degree, sized, case.rate, seed));
            let of = |own: fn(&(f64, f64)) -> f64| -> Vec<Point> {
                found.iter().map(|(at, runs)| Point::new(*at, runs.iter().map(own).collect())).collect()
            };
            let power = match case.case.regime {
                Some(Named::Ntk) => Some((exponent, "Lee et al. 2019, theorem 2.1; Dyer & Gur-Ari 2020")),
                _ => None,
            };
            let mut end = predicted(&format!("{name} model: distance at the end"), of(|own| own.0), power);
            end.bound = true;
            curves.push(end);
            curves.push(Curve::measured(format!("{name} model: steps that it tracks"), of(|own| own.1)));
        }
        self.section(Kind::Models, case, curves)
    }

    /// How far a model is off at the end, and the steps before it was off by more than the share.
    fn tracked(&self, degree: Degree, sized: &Sized, rate: f64, seed: u64) -> (f64, f64) {
        let (batch, targets) = (&self.common.batch, &self.common.targets);
        let mut network = Descent::<f64>::new(sized, batch, targets, rate, seed);
        let mut model = Model::new(degree, sized, batch, targets, rate, seed);
        let origin = model.outputs();
        let mut machine = network.machine().clone();
        let (mut off, mut steps) = (0.0, self.request.steps as f64);
        for step in 1..=self.request.steps {
            network.step();
            model.step();
            network.give(&mut machine);
            let (own, other) = (outputs(&mut machine), model.outputs());
            let square = |one: &[f64], two: &[f64]| -> f64 {
                one.iter().zip(two).map(|(one, two)| (one - two).powi(2)).sum()
            };
            off = (square(&own, &other) / square(&own, &origin)).sqrt();
            if !(off <= self.request.share) && steps == self.request.steps as f64 {
                steps = step as f64 - 1.0;
            }
        }
        (off, steps.max(0.5))
    }

    /// Moments over draws.
    fn fluctuation(&self, case: &Rated) -> Result<Section, RequestError> {
        let graph = self.graph;
        let input = one(&self.common.probe, 0, self.request.probe);
        let mut curves: [Vec<Point>; 3] = Default::default();
        for sized in case.case.sized.iter().filter(|_| !self.watch.stopped()) {
            let found = self.draws(sized, &input)?;
            self.watch.finished();
            let at = sized.value as f64;
            let law = self.common.hidden.and_then(|hidden| Law::of(graph, &sized.values, hidden));
            let told =
                |point: Point| Point { depth_over_width: law.as_ref().map(Law::depth_over_width), ..point };
            let expected = law.as_ref().map(Law::ratio);
            if self.common.hidden.is_some() {
                let squares: Vec<f64> = found.iter().map(|own| own.0).collect();
                curves[0].push(Point { expected, ..told(ratio(at, &squares)) });
            }
            let kernels: Vec<f64> = found.iter().map(|own| own.1).collect();
            curves[1].push(told(ratio(at, &kernels)));
            curves[2].push(told(spread(at, &kernels, GROUPS)));
        }
        let [activations, kernels, spreads] = curves;
        let power = (power(-1, 1), "Hanin & Nica 2020, theorem 1: of the order of depth over width");
        let power = self.in_width().then_some(power);
        let mut all = vec![
            Curve::measured("E K(x,x)^2 / (E K(x,x))^2", kernels),
            predicted("relative variance of K(x,x)", spreads, power),
        ];
        if self.common.hidden.is_some() {
            all.insert(0, exact("E|h|^4 / (E|h|^2)^2", activations));
        }
        Ok(Section {
            kind: Kind::Fluctuation,
            parameterization: case.case.name.to_string(),
            about: format!(
                "over {} draws at initialization, one input; h is the last hidden layer, K the kernel of the first output",
                self.request.draws
            ),
            variable: self.symbol(),
            learning_rate: None,
            curves: all,
        })
    }

    /// |h|^2 and K(x, x) of the first output, by draw.
    fn draws(
        &self,
        sized: &Sized,
        input: &[crate::numeric::data::Column],
    ) -> Result<Vec<(f64, f64)>, RequestError> {
        let graph = self.graph;
        let failed = |error| RequestError::Tangent { symbol: self.symbol(), value: sized.value, error };
        let tangent = Tangent::<f32>::new(graph, &sized.values, 1, &sized.setting, self.common.output)
            .map_err(failed)?;
        let tangent = tangent.of_first_entry();
        let hidden = match self.common.hidden {
            Some(hidden) => {
                let made = program(graph, &sized.values, 1, &sized.setting, hidden).map_err(failed)?;
                Some(Machine::<f32>::new(made.into()))
            }
            None => None,
        };
        let draw = |(tangent, hidden): &mut (Tangent<f32>, Option<Machine<f32>>), seed: usize| {
            // Seeds of their own: other questions count from zero.
            let mut first = tangent.machine().clone();
            start(&mut first, &sized.setting, 1_000_000 + seed as u64);
            tangent.follow(&first);
            let kernel = tangent.kernel(input, &sized.factors).0[0];
            let squares = hidden.as_mut().map_or(0.0, |machine| {
                crate::kernel::tangent::copy_weights(&first, machine);
                machine.load(input);
                outputs(machine).iter().map(|own| own * own).sum()
            });
            (squares, kernel)
        };
        let all = (0..self.request.draws).into_par_iter();
        Ok(all.map_init(|| (tangent.clone(), hidden.clone()), draw).collect())
    }
}

/// Whether all nonlinearities have second derivatives.
fn is_smooth(graph: &Graph) -> bool {
    let kinked = |op: &Op| {
        matches!(op, Op::Map(Func::Relu | Func::LeakyRelu | Func::Elu | Func::Abs) | Op::Max { .. })
    };
    graph.ids().all(|id| !kinked(&graph.node(id).op))
}

/// ||one - two|| / ||two||.
fn distance(one: &[f64], two: &[f64]) -> f64 {
    let square: f64 = one.iter().zip(two).map(|(one, two)| (one - two).powi(2)).sum();
    (square / two.iter().map(|own| own * own).sum::<f64>()).sqrt()
}

/// A kernel of rows without channels as one of rows with them: channels are independent in the limit.
fn spread_out(kernel: &[f64], channels: usize) -> Vec<f64> {
    let rows = (kernel.len() as f64).sqrt() as usize;
    let entry = |at: usize, other: usize| {
        let same = at % channels == other % channels;
        if same { kernel[at / channels * rows + other / channels] } else { 0.0 }
    };
    let all = rows * channels;
    (0..all)
        .flat_map(|at| (0..all).map(move |other| (at, other)))
        .map(|(at, other)| entry(at, other))
        .collect()
}

/// The centred alignment of a kernel with the targets (Cortes, Mohri & Rostamizadeh 2012, JMLR 13, definition 4); the kernel of two examples is the mean
/// over outputs.
fn alignment(kernel: &[f64], targets: &[f64], examples: usize) -> f64 {
    let (rows, entries) = (targets.len(), targets.len() / examples);
    let mean = |one: usize, two: usize| {
        let at = |entry: usize| kernel[(one * entries + entry) * rows + two * entries + entry];
        (0..entries).map(at).sum::<f64>() / entries as f64
    };
    let product = |one: usize, two: usize| {
        (0..entries).map(|entry| targets[one * entries + entry] * targets[two * entries + entry]).sum()
    };
    let (kernel, targets) = (centred(examples, mean), centred(examples, product));
    let dot = |one: &[f64], two: &[f64]| one.iter().zip(two).map(|(one, two)| one * two).sum::<f64>();
    dot(&kernel, &targets) / (dot(&kernel, &kernel) * dot(&targets, &targets)).sqrt()
}

/// A symmetric matrix less the means of its rows and columns.
fn centred(count: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let all: Vec<f64> = (0..count * count).map(|at| entry(at / count, at % count)).collect();
    let rows: Vec<f64> = all.chunks_exact(count).map(|row| row.iter().sum::<f64>() / count as f64).collect();
    let mean = rows.iter().sum::<f64>() / count as f64;
    (0..count * count).map(|at| all[at] - rows[at / count] - rows[at % count] + mean).collect()
}

/// By power iteration from a vector that favours no direction; 30 rounds give two digits.
fn largest_eigenvalue(kernel: &[f64]) -> f64 {
    let count = (kernel.len() as f64).sqrt() as usize;
    let mut vector: Vec<f64> = (0..count).map(|at| 1.0 + (at as f64 * 0.618_033_988_7).fract()).collect();
    let mut size = 0.0;
    for _ in 0..30 {
        let next: Vec<f64> = kernel
            .chunks_exact(count)
            .map(|row| row.iter().zip(&vector).map(|(row, own)| row * own).sum())
            .collect();
        let norm = |of: &[f64]| of.iter().map(|own| own * own).sum::<f64>().sqrt();
        size = norm(&next) / norm(&vector);
        let scale = norm(&next).max(f64::MIN_POSITIVE);
        vector = next.iter().map(|own| own / scale).collect();
    }
    size
}

fn power(numerator: i64, denominator: i64) -> Rational {
    Rational::new(numerator, denominator).unwrap_or(Rational::ZERO)
}

/// A curve with a power that a theorem predicts, if one does.
fn predicted(quantity: &str, points: Vec<Point>, power: Option<(Rational, &str)>) -> Curve {
    // Values of a fit are whole; what they are multiplied by moves no slope.
    let whole = |own: &Point| record::Point::new((own.at * 1024.0).round() as i64, own.seeds.clone());
    let series: Vec<record::Point> = points.iter().map(whole).collect();
    let mut curve = Curve::measured(quantity, points);
    match power {
        Some((power, source)) => {
            let predicted = Predicted::power(power);
            let found = judge(&predicted, &series, &[]);
            (curve.fit, curve.verdict, curve.reason) = (found.fit, Some(found.verdict), found.reason);
            (curve.predicted, curve.source) = (Some(predicted), Some(source.to_string()));
        }
        None => curve.fit = crate::check::fit::fit(&series).map(|own| own.fit),
    }
    curve
}

/// A curve whose values are predicted one by one.
fn exact(quantity: &str, points: Vec<Point>) -> Curve {
    let mut curve = Curve::measured(quantity, points);
    let judged: Vec<(f64, &Point)> =
        curve.points.iter().filter_map(|own| Some((own.expected?, own))).collect();
    if judged.is_empty() {
        curve.reason = Some("exact for chains of relu or linear layers without biases only".to_string());
        return curve;
    }
    let above = judged.iter().find(|(expected, own)| *expected < own.low);
    let below = judged.iter().find(|(expected, own)| *expected > own.high);
    curve.verdict = Some(match (above, below) {
        (Some(_), _) => Verdict::Above,
        (None, Some(_)) => Verdict::Below,
        (None, None) => Verdict::Agrees,
    });
    curve.source = Some("Hanin & Nica 2020: the product over layers of 1 + 5/n".to_string());
    curve
}
