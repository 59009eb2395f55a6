//! Deep networks of a layer, trained on the digits: which of them learn.
//!
//! Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017 (arXiv 1611.01232): random networks can be trained where signals reach their
//! end, and how deep that is is measured in correlation lengths. Here plain gradient descent trains a perceptron of a given depth at every point of a small grid.

use std::fmt::Write;
use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::finite::NotRun;
use super::maps::{Activation, Layer};
use super::record::{Network, Trained};
use crate::graph::{Func, Graph};
use crate::kernel::trained::setting;
use crate::kernel::{Parameterization, Prior};
use crate::network::compile;
use crate::numeric::build::{Purpose, build};
use crate::numeric::data::{BindError, Bound, Column, Source, bind};
use crate::numeric::program::Program;
use crate::numeric::setting::Setting;
use crate::numeric::train::{Routine, Trainer};
use crate::optimizer::Optimizer;
use crate::rational::Rational;
use crate::watch::Watch;

/// Images in the digits.
const PIXELS: usize = 64;
/// What counts as having learned: the share of right answers among the training examples; 1/10 is chance.
pub const THRESHOLD: f64 = 0.5;
/// The separation of learners and others by depth scale that is asked for.
const SEPARATION: f64 = 0.9;

/// Which networks, and how they are trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The activation.
    pub func: Func,
    /// Hidden layers.
    pub depth: usize,
    /// Their width.
    pub width: i64,
    /// Training examples.
    pub examples: usize,
    /// Examples per step.
    pub batch: usize,
    /// Steps.
    pub steps: usize,
    /// The learning rates of gradient descent; the best counts.
    pub rates: Vec<f64>,
    /// Chooses starts and the order of the examples.
    pub seed: u64,
}

/// Why networks could not be trained.
#[derive(Debug, thiserror::Error)]
pub enum NotTrained {
    /// They cannot be built.
    #[error("{0}")]
    Run(#[from] NotRun),
    /// The digits do not fit.
    #[error("{0}")]
    Data(#[from] BindError),
}

impl Course {
    /// The spec of the network, as the language has it.
    pub fn spec(&self) -> String {
        let mut text = format!(
            "network deep\nscale n = {}\ndim pixels = {PIXELS}, classes = 10\ninput image[pixels]\ntarget label in classes\nx = image\n",
            self.width
        );
        for layer in 1..=self.depth {
            let _ = writeln!(
                text,
                "x{layer} = {}(affine({}, n) as layer{layer})",
                self.func.name(),
                match layer {
                    1 => "image".to_string(),
                    _ => format!("x{}", layer - 1),
                }
            );
        }
        let _ =
            writeln!(text, "logits = readout(x{}, classes)\nloss cross_entropy(logits, label)", self.depth);
        text.replace("x = image\n", "")
    }

    /// The numbers of a network with these variances; the readout has variance one over fan-in.
    fn setting(&self, graph: &Graph, layer: Layer, rate: f64) -> Setting {
        let mut prior = Prior::new(graph, Parameterization::Standard, layer.weight);
        for (param, own) in graph.params.iter().zip(&mut prior.params) {
            if param.path.starts_with("readout") {
                own.variance = 1.0;
            } else if own.constant.is_some() {
                (own.variance, own.constant) = (layer.bias, None);
            }
        }
        let mut found = setting(graph, &[Rational::integer(self.width)], &prior, rate);
        found.params.iter_mut().for_each(|own| own.optimizer = Some(Optimizer::Sgd));
        found
    }

    /// Trains a network at every pair of variances; those that were not finished before the watch stopped are left out.
    ///
    /// # Errors
    /// If the network cannot be built.
    pub fn train(
        &self,
        activation: &Activation,
        layers: &[Layer],
        watch: &dyn Watch,
    ) -> Result<Trained, NotTrained> {
        let graph = compile(&self.spec()).map_err(NotRun::from)?.graph;
        let values = [Rational::integer(self.width)];
        let data = bind(&Source::Digits, &graph, &values)?;
        let first = self.setting(&graph, Layer { weight: 1.0, bias: 0.0 }, 1.0);
        let program = build(&graph, &values, self.batch, &first, Purpose::Training);
        let program = Arc::new(program.map_err(NotRun::from)?);
        let jobs =
            layers.iter().flat_map(|layer| self.rates.iter().map(|rate| self.setting(&graph, *layer, *rate)));
        let jobs: Vec<Setting> = jobs.collect();
        let one = |setting: &Setting| {
            let accuracy = self.accuracy(&program, setting, &data, watch)?;
            watch.finished(1);
            Some(accuracy)
        };
        let accuracies: Vec<Option<f64>> = jobs.par_iter().map(one).collect();
        let best = accuracies.chunks(self.rates.len()).map(|own| {
            own.iter().copied().collect::<Option<Vec<f64>>>().map(|own| own.into_iter().fold(0.0, f64::max))
        });
        let networks = layers.iter().zip(best).filter_map(|(layer, accuracy)| {
            let (accuracy, depth) = (accuracy?, activation.signal(*layer).depth());
            Some(Network {
                weight: layer.weight,
                bias: layer.bias,
                accuracy,
                learned: accuracy > THRESHOLD,
                depth: depth.is_finite().then_some(depth),
            })
        });
        Ok(self.judged(networks.collect()))
    }

    fn judged(&self, networks: Vec<Network>) -> Trained {
        let separation = separation(&networks);
        let rates: Vec<String> = self.rates.iter().map(f64::to_string).collect();
        Trained {
            how: format!(
                "gradient descent on cross entropy, the best rate of {}; {} steps of {} of {} digits",
                rates.join(", "),
                self.steps,
                self.batch,
                self.examples
            ),
            depth: self.depth,
            width: self.width,
            threshold: THRESHOLD,
            separation,
            layers_per_scale: split(&networks).map(|scale| self.depth as f64 / scale),
            holds: separation.is_none_or(|own| own >= SEPARATION),
            networks,
        }
    }

    /// The share of right answers on the training examples at the end; none if the watch stopped before.
    fn accuracy(
        &self,
        program: &Arc<Program>,
        setting: &Setting,
        data: &Bound,
        watch: &dyn Watch,
    ) -> Option<f64> {
        let mut trainer = Trainer::<f32>::new(Arc::clone(program), setting, Routine::default(), self.seed);
        let mut order: Vec<usize> = (0..self.examples).collect();
        let mut stream = ChaCha8Rng::seed_from_u64(self.seed);
        let mut step = 0;
        while step < self.steps {
            order.shuffle(&mut stream);
            for examples in order.chunks_exact(self.batch).take(self.steps - step) {
                step += 1;
                if watch.stopped() {
                    return None;
                }
                if !trainer.step(&data.batch(examples)).is_finite() {
                    return Some(0.0);
                }
            }
        }
        let (mut right, mut all) = (0, 0);
        for examples in order.chunks_exact(self.batch) {
            let columns = data.batch(examples);
            trainer.machine.load(&columns);
            trainer.machine.forward();
            let (Some(output), Some(labels)) = (program.outputs.first(), labels(&columns)) else { continue };
            let logits = trainer.machine.values(output.slot);
            let rows = logits.chunks_exact(logits.len() / self.batch).zip(labels);
            right += rows.filter(|(row, label)| largest(row, output.scale) == Some(**label as usize)).count();
            all += self.batch;
        }
        Some(right as f64 / all.max(1) as f64)
    }
}

fn labels(columns: &[Column]) -> Option<&Vec<u32>> {
    columns.iter().find_map(|own| if let Column::Whole(labels) = own { Some(labels) } else { None })
}

/// The place of the largest number; none if one is no number, or if all are the same.
fn largest(row: &[f32], scale: f64) -> Option<usize> {
    let sign = if scale < 0.0 { -1.0 } else { 1.0 };
    let order = |at: &usize, other: &usize| (sign * row[*at]).total_cmp(&(sign * row[*other]));
    let best = (0..row.len()).max_by(order)?;
    let usable = row.iter().all(|own| own.is_finite()) && row.iter().any(|own| *own != row[best]);
    usable.then_some(best)
}

fn scale(network: &Network) -> f64 {
    network.depth.unwrap_or(f64::INFINITY)
}

/// The share of pairs of a learner and another in which the learner has the longer depth scale; half for ties.
fn separation(networks: &[Network]) -> Option<f64> {
    let (learners, others): (Vec<_>, Vec<_>) = networks.iter().partition(|own| own.learned);
    let win = |one: f64, two: f64| match one.total_cmp(&two) {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    };
    let pairs = learners.iter().flat_map(|one| others.iter().map(|two| win(scale(one), scale(two))));
    let count = learners.len() * others.len();
    (count > 0).then(|| pairs.sum::<f64>() / count as f64)
}

/// The depth scale above which networks learn: the geometric middle of the neighbours between which a split has the fewest errors.
fn split(networks: &[Network]) -> Option<f64> {
    separation(networks)?;
    let mut scales: Vec<f64> = networks.iter().map(scale).filter(|own| own.is_finite()).collect();
    scales.sort_by(f64::total_cmp);
    let middles = scales.windows(2).map(|pair| (pair[0] * pair[1]).sqrt());
    let errors = |at: f64| networks.iter().filter(|own| own.learned != (scale(own) > at)).count();
    middles.min_by_key(|at| errors(*at))
}
