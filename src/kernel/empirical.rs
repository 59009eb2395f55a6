//! Kernels of finite networks, drawn and averaged: Monte Carlo where no limit in closed form is known, and what limits are checked against.
//!
//! A draw gives f f' over the channels of the output (NNGP) and, for its first channel, J J' with the Jacobian J by all trained weights (NTK; Jacot
//! et al. 2018). Means over draws differ from the limit by the standard error, which is told, and by the finite width, of order 1/n.

use std::sync::Arc;

use rayon::prelude::*;

use super::gram::Gram;
use super::prior::{Parameterization, Prior, fan_in};
use crate::graph::{Graph, Multiplier, Node, NodeId, Op, ParamId};
use crate::numeric::build::{BuildError, Purpose, build};
use crate::numeric::data::Bound;
use crate::numeric::initial::start;
use crate::numeric::machine::Machine;
use crate::numeric::matrix::{Layout, multiply};
use crate::numeric::program::Program;
use crate::numeric::setting::{ParamSetting, Setting, Start};
use crate::optimizer::Optimizer;
use crate::rational::Rational;
use crate::shape::Shaped;
use crate::watch::Watch;

/// Examples that run through a network together.
const BATCH: usize = 32;

/// Means of kernels over draws.
#[derive(Clone, Debug, Default)]
pub struct Sampled {
    /// The means.
    pub mean: Gram,
    /// The root mean square of the standard errors of the NNGP, over that of its entries.
    pub nngp_error: f64,
    /// The same of the NTK; zero if it was not asked for.
    pub ntk_error: f64,
    /// How many networks.
    pub draws: usize,
}

/// Which finite networks.
#[derive(Clone, Copy, Debug)]
pub struct Draws<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// The values of its scale symbols.
    pub values: &'a [Rational],
    /// How weights start.
    pub prior: &'a Prior,
    /// The tensor whose kernels are asked for; its last axis are channels, others are positions.
    pub output: NodeId,
    /// How many networks.
    pub count: usize,
    /// Whether the NTK is asked for.
    pub tangent: bool,
}

/// The numbers of a finite network in the parameterization of its prior.
pub fn setting(graph: &Graph, values: &[Rational], prior: &Prior) -> Setting {
    let own = |(param, own): (ParamId, &super::prior::ParamPrior)| {
        let std = (own.variance / fan_in(graph, values, param)).sqrt();
        let (multiplier, std) = match prior.parameterization {
            Parameterization::Ntk => (std, 1.0),
            Parameterization::Standard => (1.0, std),
        };
        ParamSetting {
            multiplier,
            start: own.constant.map_or(Start::Normal(std), |value| Start::Constant(value / multiplier)),
            optimizer: own.trained.then_some(Optimizer::Sgd),
            learning_rate: 0.0,
            epsilon: 0.0,
            weight_decay: 0.0,
        }
    };
    let params = graph.param_ids().map(|(param, _)| param).zip(&prior.params).map(own).collect();
    let shaped = Shaped::new(graph);
    let fronts = graph.ids().filter_map(|id| Some((id, front(&shaped, id, values)?))).collect();
    Setting { params, fronts, ..Setting::default() }
}

/// One over the number of products of activations that a contraction sums over growing axes, where no factor is written: as in the limit.
fn front(shaped: &Shaped, id: NodeId, values: &[Rational]) -> Option<f64> {
    let node = shaped.graph.node(id);
    let Op::Contract { einsum, multiplier: Multiplier::Free | Multiplier::Hole } = &node.op else {
        return None;
    };
    let activations =
        node.operands.len() == 2 && node.operands.iter().all(|own| shaped.view_of[own.index()].is_none());
    let labelled = einsum.inputs[0].iter().zip(&shaped.graph.node(node.operands[0]).shape);
    let summed: Vec<_> =
        labelled.filter(|(label, _)| !einsum.output.contains(label) && einsum.has(1, **label)).collect();
    let grows = summed.iter().any(|(_, dim)| !dim.is_finite());
    let count: f64 =
        summed.iter().filter_map(|(_, dim)| dim.at(values)).map(crate::concrete::float).product();
    (activations && grows).then(|| 1.0 / count)
}

impl Draws<'_> {
    /// The kernels of some examples, over the networks that were drawn before the watch stopped.
    ///
    /// # Errors
    /// If the network cannot be run at these lengths.
    pub fn sample(&self, data: &Bound, examples: &[usize], watch: &dyn Watch) -> Result<Sampled, BuildError> {
        let setting = setting(self.graph, self.values, self.prior);
        let mut forward = self.graph.clone();
        forward.loss = Some(self.output);
        let batch = BATCH.min(examples.len()).max(1);
        let forward = Arc::new(build(&forward, self.values, batch, &setting, Purpose::Training)?);
        let backward = Arc::new(build(&self.first_entry(), self.values, 1, &setting, Purpose::Training)?);
        let (count, tangent) = (self.count, self.tangent);
        let one = |seed: usize| {
            if watch.stopped() {
                return None;
            }
            let nngp = outputs(&forward, &setting, seed as u64, data, examples);
            let ntk =
                if tangent { jacobian(&backward, &setting, seed as u64, data, examples) } else { Vec::new() };
            watch.finished(examples.len() * (examples.len() + 1) / 2 / count.max(1));
            Some((nngp, ntk))
        };
        let draws: Vec<(Vec<f64>, Vec<f64>)> = (0..count).into_par_iter().filter_map(one).collect();
        let (nngp, nngp_error) = averaged(draws.iter().map(|draw| &draw.0));
        let (ntk, ntk_error) = averaged(draws.iter().map(|draw| &draw.1));
        let rows = (nngp.len() as f64).sqrt() as usize;
        Ok(Sampled {
            mean: Gram { rows, columns: rows, nngp, ntk, errors: [nngp_error, ntk_error], cut: [0.0; 2] },
            nngp_error,
            ntk_error,
            draws: draws.len(),
        })
    }

    /// The graph with the first entry of the output in place of its loss.
    fn first_entry(&self) -> Graph {
        let mut graph = self.graph.clone();
        let mut at = self.output;
        while let Some(axis) = graph.node(at).shape.len().checked_sub(1) {
            let own = graph.node(at).clone();
            let shape = own.shape[..axis].to_vec();
            let op = Op::Pick { axis, at: 0 };
            at = graph.append(Node { op, operands: [at].into_iter().collect(), shape, name: None, ..own });
        }
        graph.loss = Some(at);
        graph
    }
}

/// f f' over channels: (rows) x (rows).
fn outputs(
    program: &Arc<Program>,
    setting: &Setting,
    seed: u64,
    data: &Bound,
    examples: &[usize],
) -> Vec<f64> {
    let mut machine = Machine::<f64>::new(Arc::clone(program));
    start(&mut machine, setting, seed);
    let value = &program.loss;
    let batched = usize::from(value.batched);
    let channels = if value.shape.len() > batched { value.shape[value.shape.len() - 1] } else { 1 };
    let mut all: Vec<f64> = Vec::new();
    for part in examples.chunks(program.batch) {
        let full: Vec<usize> =
            part.iter().copied().chain(std::iter::repeat(part[0])).take(program.batch).collect();
        machine.load(&data.batch(&full));
        machine.forward();
        let values = machine.values(value.slot);
        let per_example = values.len() / program.batch;
        all.extend(values[..part.len() * per_example].iter().map(|entry| entry * value.scale));
    }
    squared(&all, channels, 1.0 / channels as f64)
}

/// m m' for rows of this length.
fn squared(rows: &[f64], length: usize, factor: f64) -> Vec<f64> {
    let count = rows.len() / length.max(1);
    let mut out = vec![0.0; count * count];
    let plain = |row| Layout { offset: 0, row, column: 1 };
    let turned = Layout { offset: 0, row: 1, column: length };
    multiply(
        (count, count, length),
        (&mut out, plain(count)),
        (rows, plain(length)),
        (rows, turned),
        factor,
        false,
    );
    out
}

/// J J' for the first entry of the output.
fn jacobian(
    program: &Arc<Program>,
    setting: &Setting,
    seed: u64,
    data: &Bound,
    examples: &[usize],
) -> Vec<f64> {
    let mut machine = Machine::<f64>::new(Arc::clone(program));
    start(&mut machine, setting, seed);
    let trained: Vec<_> = program.weights.iter().filter(|weight| program.gradients[weight.slot]).collect();
    let length: usize = trained.iter().map(|weight| program.lengths[weight.slot]).sum();
    let mut rows = Vec::with_capacity(examples.len() * length);
    for example in examples {
        machine.load(&data.batch(&[*example]));
        machine.forward();
        machine.backward();
        trained.iter().for_each(|weight| rows.extend_from_slice(machine.gradient(weight.slot)));
    }
    squared(&rows, length, 1.0)
}

/// The mean over draws, and the relative standard error of it.
pub(super) fn averaged<'a>(draws: impl Iterator<Item = &'a Vec<f64>> + Clone) -> (Vec<f64>, f64) {
    let count = draws.clone().count() as f64;
    let mut mean = vec![0.0; draws.clone().next().map_or(0, Vec::len)];
    for draw in draws.clone() {
        mean.iter_mut().zip(draw).for_each(|(mean, own)| *mean += own / count);
    }
    let mut squares = 0.0;
    for draw in draws {
        squares += mean.iter().zip(draw).map(|(mean, own)| (own - mean).powi(2)).sum::<f64>();
    }
    let size = mean.iter().map(|own| own * own).sum::<f64>();
    let error = if size > 0.0 && count > 1.0 { (squares / (count - 1.0) / count / size).sqrt() } else { 0.0 };
    (mean, error)
}
