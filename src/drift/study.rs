//! The runs of each question, and what they add up to.

mod judged;
mod measure;
mod start;
mod taylor;

use rayon::prelude::*;

use judged::{power, predicted};
use measure::{alignment, distance, largest_eigenvalue, spread_out};

use super::descent::{Descent, outputs};
use super::record::{Curve, Kind, Point, Section};
use super::request::{Case, Common, Request, RequestError, Sized};
use crate::graph::{Func, Graph, Op};
use crate::kernel::tangent::{Tangent, program};
use crate::kernel::{Limit, Parameterization, Prior, empirical};
use crate::numeric::machine::Machine;
use crate::parameterization::Named;
use crate::watch::Watch;

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
        self.watch.expects(self.runs(cases.len()));
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
                self.watch.finished(1);
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
            tangent.start(&own.setting, 0);
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
            Some(Named::Ntk) => Some((power(-1, 2), "Jacot et al. 2018; Lee et al. 2019")),
            Some(Named::Mup | Named::MeanField) => Some((power(0, 1), "Yang & Hu 2021")),
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
        let power = Some((power(-1, 1), "Chizat, Oyallon & Bach 2019"));
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
            tangent.start(&own.setting, seed);
            let factors: Vec<f64> = prior.params.iter().map(trained).collect();
            let (kernel, _) = tangent.kernel(&self.common.probe, &factors);
            Ok(distance(&kernel, &spread_out(&exact, channels)))
        };
        let mut points = Vec::new();
        for (at, own) in self.each(&case.case.sized, measure) {
            points.push(Point::new(at, own.into_iter().collect::<Result<_, _>>()?));
        }
        let power = (power(-1, 2), "Jacot et al. 2018; rate as of a mean over n channels");
        let power = self.in_width().then_some(power);
        section.curves = vec![predicted("distance from the limit", points, power)];
        Ok(section)
    }

    /// Whether the growing symbol is a width and not a depth.
    fn in_width(&self) -> bool {
        let symbol = crate::dim::Symbol(self.request.symbol as u16);
        self.graph.blocks.iter().all(|block| block.count.powers.exponent(symbol).is_zero())
    }
}

/// Whether all nonlinearities have second derivatives.
fn is_smooth(graph: &Graph) -> bool {
    let kinked = |op: &Op| {
        matches!(
            op,
            Op::Map(Func::Relu | Func::LeakyRelu | Func::Elu | Func::Abs | Func::Sign) | Op::Max { .. }
        )
    };
    graph.ids().all(|id| !kinked(&graph.node(id).op))
}
