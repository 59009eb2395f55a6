//! Networks of finite width beside their limits: the spec of the limit under the compiler's own muP, trained at growing widths.
//!
//! All parameterizations are one network at one neuron, where a weight starts with variance 1 / fan-in; so the rate of the limit is the rate of one neuron. A mean over n
//! neurons that start independently differs from its expectation by n^(-1/2), and so do the outputs at every step.

use std::sync::Arc;

use rayon::prelude::*;

use super::layers::{NotTwoLayers, TwoLayers, recognise};
use super::problem::Problem;
use super::record::{Judged, Slope};
use crate::check::fit::fit;
use crate::check::record::Point;
use crate::check::setting::{Base, setting};
use crate::diagnostic::Diagnostics;
use crate::graph::Func;
use crate::network::{Network, Question, compile};
use crate::numeric::build::{BuildError, Purpose, build};
use crate::numeric::data::Column;
use crate::numeric::program::{Program, Value};
use crate::numeric::setting::Setting;
use crate::numeric::train::{Routine, Trainer};
use crate::optimizer::Optimizer;
use crate::parameterization::Named;
use crate::rational::Rational;
use crate::watch::Watch;

/// Why finite networks could not be run.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// The spec of the limit does not compile.
    #[error("{0}")]
    Spec(Box<Diagnostics>),
    /// The network has another structure than the limit.
    #[error("{0}")]
    Layers(#[from] NotTwoLayers),
    /// A number does not fit.
    #[error("the number of neurons at width {0} is out of range")]
    Size(i64),
    /// The network cannot be built.
    #[error("{0}")]
    Build(#[from] BuildError),
}

impl From<Diagnostics> for NotRun {
    fn from(error: Diagnostics) -> NotRun {
        NotRun::Spec(Box::new(error))
    }
}

/// A network at one width.
struct Prepared {
    program: Arc<Program>,
    setting: Setting,
    /// Places of the input and of the target.
    data: [usize; 2],
}

/// Which networks.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The activation; none for a linear hidden layer without biases. A network that is given has its own.
    pub func: Option<Func>,
    /// The rate of the limit.
    pub rate: f64,
    /// Steps of gradient descent.
    pub steps: usize,
    /// Values of the scale symbol that neurons are counted by, ascending.
    pub widths: Vec<i64>,
    /// Independent networks per width.
    pub seeds: u64,
}

impl Course {
    /// The spec of the network, as the language has it.
    pub fn spec(&self, problem: &Problem) -> String {
        let hidden = match self.func {
            None => "h = linear(x, n) as first".to_string(),
            Some(func) => format!("h = {}(affine(x, n) as first)", func.name()),
        };
        format!(
            "network two_layers\nscale n = 64\ndim inputs = {}, outputs = {}\ninput x[inputs]\ntarget y[outputs]\n{hidden}\n\
             f = readout(h, outputs) as second\nloss mse(f, y)\n",
            problem.inputs, problem.outputs
        )
    }

    /// The network at one width, ready to be started from any seed.
    fn prepare(
        &self,
        (network, layers): (&Network, &TwoLayers),
        problem: &Problem,
        width: i64,
    ) -> Result<Prepared, NotRun> {
        let question = Question::new(Named::Mup, Optimizer::Sgd);
        let calculus = network.calculus_for(&question);
        let found = network.parameterize(question.clone())?;
        // The limit descends on |f - y|^2 / 2, the network on a multiple of |f - y|^2.
        let rate = self.rate / (2.0 * layers.factor);
        let base = Base { learning_rate: rate, ..Base::default() };
        let values = [Rational::integer(width)];
        // The base of the scale symbol is what it is at one neuron.
        let one = Rational::ONE.div(layers.neurons).ok_or(NotRun::Size(width))?;
        let setting = setting(&calculus, &found, &[one], &values, &base);
        let program = build(&network.graph, &values, problem.count(), &setting, Purpose::Training)?;
        Ok(Prepared { program: Arc::new(program), setting, data: layers.data })
    }

    /// The outputs of one network for all examples before every step and after the last: (steps + 1) x (examples * outputs). None if the watch stopped
    /// before.
    fn train(
        &self,
        prepared: &Prepared,
        problem: &Problem,
        seed: u64,
        watch: &dyn Watch,
    ) -> Option<Vec<Vec<f64>>> {
        let Prepared { program, setting, data } = prepared;
        let mut trainer = Trainer::<f64>::new(Arc::clone(program), setting, Routine::default(), seed);
        let column = |numbers: &[f64]| Column::Real(numbers.iter().map(|own| *own as f32).collect());
        let mut columns = [column(problem.x()), column(problem.y())];
        if data[0] > data[1] {
            columns.reverse();
        }
        trainer.machine.load(&columns);
        let mut outputs = Vec::with_capacity(self.steps + 1);
        for step in 0..=self.steps {
            if watch.stopped() {
                return None;
            }
            trainer.evaluate();
            let read = |value: &Value| -> Vec<f64> {
                trainer.machine.values(value.slot).iter().map(|own| own * value.scale).collect()
            };
            outputs.push(program.outputs.first().map(read).unwrap_or_default());
            if step < self.steps {
                trainer.update();
            }
        }
        Some(outputs)
    }

    /// Distances of the limit's own finite networks from it, as [`Course::compare_with`] has them.
    ///
    /// # Errors
    /// If the networks cannot be run.
    pub fn compare(
        &self,
        problem: &Problem,
        limit: &[Vec<f64>],
        watch: &dyn Watch,
    ) -> Result<Judged, NotRun> {
        self.compare_with(&compile(&self.spec(problem))?, problem, limit, watch)
    }

    /// Distances of finite networks from a limit, in the root mean square over steps and examples, and how they fall with the width. Networks that were not
    /// finished before the watch stopped are left out.
    ///
    /// # Errors
    /// If the networks cannot be run.
    pub fn compare_with(
        &self,
        network: &Network,
        problem: &Problem,
        limit: &[Vec<f64>],
        watch: &dyn Watch,
    ) -> Result<Judged, NotRun> {
        let layers = recognise(&network.graph)?;
        let prepared = self.widths.iter().map(|width| self.prepare((network, &layers), problem, *width));
        let prepared: Vec<Prepared> = prepared.collect::<Result<_, _>>()?;
        let one = |(place, seed): (usize, u64)| {
            let outputs = self.train(&prepared[place], problem, seed, watch)?;
            watch.finished(1);
            Some(distance(&outputs, limit))
        };
        let places = 0..prepared.len();
        let jobs: Vec<(usize, u64)> =
            places.rev().flat_map(|place| (0..self.seeds).map(move |seed| (place, seed))).collect();
        let distances: Vec<Option<f64>> = jobs.into_par_iter().map(one).collect();
        let rows = self.widths.iter().rev().zip(distances.chunks(self.seeds as usize));
        Ok(judged("distance from the limit", &points(rows, |own| *own), -0.5))
    }
}

/// Sizes at ascending widths from the runs of every width, the widest first. Runs that were not made are left out, and so are widths without any.
pub fn points<'a, R: 'a>(
    rows: impl Iterator<Item = (&'a i64, &'a [Option<R>])>,
    of: impl Fn(&R) -> f64,
) -> Vec<Point> {
    let point = |(width, runs): (&i64, &[Option<R>])| {
        let seeds: Vec<f64> = runs.iter().flatten().map(&of).collect();
        (!seeds.is_empty()).then(|| Point::new(*width, seeds))
    };
    let mut points: Vec<Point> = rows.filter_map(point).collect();
    points.reverse();
    points
}

/// The root mean square of differences.
pub fn distance(found: &[Vec<f64>], limit: &[Vec<f64>]) -> f64 {
    let differences =
        found.iter().flatten().zip(limit.iter().flatten()).map(|(own, limit)| (own - limit).powi(2));
    let count = limit.iter().map(Vec::len).sum::<usize>().max(1);
    (differences.sum::<f64>() / count as f64).sqrt()
}

/// What finite widths may bend a slope by.
const BEND: f64 = 0.1;

/// The slope of sizes over the width.
pub fn slope(points: &[Point]) -> Option<Slope> {
    let found = fit(points)?.fit;
    Some(Slope { exponent: found.exponent, low: found.low, high: found.high })
}

/// Sizes at growing widths against an expected exponent: it holds if the interval of the slope, widened by 0.1 for what finite widths bend, has it.
pub fn judged(name: &str, points: &[Point], expected: f64) -> Judged {
    let slope = slope(points);
    let holds = slope.as_ref().is_some_and(|own| own.low - BEND <= expected && expected <= own.high + BEND);
    Judged { name: name.to_string(), points: points.to_vec(), expected, slope, holds }
}
