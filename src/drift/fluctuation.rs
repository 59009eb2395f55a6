//! Moments over draws at initialization: how much depth over width makes activations and the kernel fluctuate.
//!
//! For a relu layer with independent normal weights and no bias, |h'|^2 given |h|^2 is a sum of n independent terms, so that exactly
//! E|h'|^4 / (E|h'|^2)^2 = (1 + 5/n) E|h|^4 / (E|h|^2)^2, whatever the variance of the weights (Hanin & Nica 2020, arXiv 1909.05989; Hanin 2018,
//! arXiv 1801.03744); for a linear layer 5 is 2. The relative variance of the kernel's diagonal is of the order of depth over width as well.

use super::record::Point;
use crate::graph::{BlockId, Func, Graph, Init, NodeId, Op};
use crate::rational::Rational;
use crate::shape::Shaped;

/// How many standard errors a moment may be off: 99.9 % of a normal variable.
pub const ERRORS: f64 = 3.3;

/// The layers of a perceptron without random biases: 1/n of each layer times 5 for relu, 2 for linear ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Law {
    /// (the number in 1 + c/n, n), by layer.
    pub layers: Vec<(f64, f64)>,
}

impl Law {
    /// The law of a tensor, if a chain of plain layers leads from the input to it.
    pub fn of(graph: &Graph, values: &[Rational], tensor: NodeId) -> Option<Law> {
        let shaped = Shaped::new(graph);
        let mut walk = Walk { graph, shaped: &shaped, values, layers: Vec::new(), steps: 0 };
        walk.go(tensor, 2.0, None).filter(|number| *number == 2.0)?;
        Some(Law { layers: walk.layers })
    }

    /// The product over layers of 1 + c/n.
    pub fn ratio(&self) -> f64 {
        self.layers.iter().map(|(number, width)| 1.0 + number / width).product()
    }

    /// The sum over layers of 1/n.
    pub fn depth_over_width(&self) -> f64 {
        self.layers.iter().map(|(_, width)| 1.0 / width).sum()
    }
}

/// The most nodes that a walk passes: a guard against mistakes, far beyond any spec.
const MOST: usize = 1 << 20;

struct Walk<'a> {
    graph: &'a Graph,
    shaped: &'a Shaped<'a>,
    values: &'a [Rational],
    layers: Vec<(f64, f64)>,
    steps: usize,
}

impl Walk<'_> {
    /// From a tensor towards the input, or to the beginning of a repetition; the number of a nonlinearity whose layer comes next.
    fn go(&mut self, mut at: NodeId, mut number: f64, stop: Option<NodeId>) -> Option<f64> {
        loop {
            if stop == Some(at) {
                return Some(number);
            }
            self.steps += 1;
            let node = self.graph.node(at);
            match &node.op {
                _ if self.steps > MOST => return None,
                Op::Data(_) => return Some(number),
                Op::Map(Func::Relu) if number == 2.0 => {
                    number = 5.0;
                    at = node.operands[0];
                }
                Op::Add(_) => at = self.without_bias(&node.operands)?,
                Op::Scale(_) => at = node.operands[0],
                Op::Contract { .. } => {
                    let (weights, others): (Vec<NodeId>, Vec<NodeId>) =
                        node.operands.iter().partition(|own| self.shaped.view_of[own.index()].is_some());
                    let ([weight], [other]) = (&weights[..], &others[..]) else { return None };
                    let param = self.graph.param(self.shaped.view_of[weight.index()]?);
                    let [width] = &node.shape[..] else { return None };
                    if !matches!(param.init, Init::Random) {
                        return None;
                    }
                    self.layers.push((number, crate::concrete::float(width.at(self.values)?)));
                    number = 2.0;
                    at = *other;
                }
                Op::Exit(block) => at = self.repeated(*block, at, number)?,
                _ => return None,
            }
        }
    }

    /// The term of a sum that is no bias; biases must start at zero.
    fn without_bias(&self, operands: &[NodeId]) -> Option<NodeId> {
        let bias = |own: &NodeId| self.shaped.view_of[own.index()].map(|param| self.graph.param(param));
        let zero = |own: &NodeId| {
            bias(own).is_none_or(|own| matches!(own.init, Init::Constant(value) if value.is_zero()))
        };
        let rest: Vec<&NodeId> = operands.iter().filter(|own| bias(own).is_none()).collect();
        match rest[..] {
            [only] if operands.iter().all(zero) => Some(*only),
            _ => None,
        }
    }

    /// A block of layers with weights of their own: its layers as often as it repeats; the result is what enters it.
    fn repeated(&mut self, block: BlockId, exit: NodeId, number: f64) -> Option<NodeId> {
        let block = &self.graph.blocks[block.index()];
        let carried = block.carried.iter().find(|own| own.exit == exit)?;
        let count = block.count.at(self.values)?.to_integer().filter(|count| !block.shared && *count > 0)?;
        let before = self.layers.len();
        self.go(carried.next, number, Some(carried.carry)).filter(|own| *own == number)?;
        let layers = self.layers[before..].to_vec();
        (1..count).for_each(|_| self.layers.extend_from_slice(&layers));
        Some(carried.enter)
    }
}

/// E q^2 / (E q)^2 over draws with its interval of [`ERRORS`] standard errors, by the delta method.
pub fn ratio(at: f64, draws: &[f64]) -> Point {
    let count = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / count;
    let square = draws.iter().map(|own| own * own).sum::<f64>() / count;
    let size = square / (mean * mean);
    let influence = |own: &f64| (own * own - 2.0 * square * own / mean) / (mean * mean) + size;
    let variance = draws.iter().map(|own| influence(own).powi(2)).sum::<f64>() / (count - 1.0);
    let error = ERRORS * (variance / count).sqrt();
    Point { at, size, low: size - error, high: size + error, ..Point::default() }
}

/// The relative variance, once per group of draws: what a power is fitted to.
pub fn spread(at: f64, draws: &[f64], groups: usize) -> Point {
    let length = (draws.len() / groups).max(2);
    let seeds = draws.chunks_exact(length).map(|own| ratio(at, own).size - 1.0);
    Point::new(at, seeds.collect())
}
