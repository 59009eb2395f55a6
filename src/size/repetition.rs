//! What a growing number L of repetitions does to sizes (TP-VI, CompleteP).
//!
//! At initialization the branches of a residual stream are independent if every repetition has weights of its own in which its
//! branch is odd ([`super::parity`]): they add up to L^(1/2). Changes that a repetition's own updates make are aligned with the
//! gradient of the stream, the same in all repetitions: they add up to L. What a branch answers to a change of the stream comes
//! through the repetition's own initial weights and adds up like the branches themselves. Gradients go the same ways back.

use smallvec::SmallVec;

use super::Size;
use super::term::{coherent, random};
use crate::dim::Monomial;
use crate::graph::{BlockId, Graph, NodeId, Op};
use crate::rational::Rational;
use crate::shape::Shaped;
use crate::shape::stream::Streams;

/// How a sum over repetitions counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// L: summands that are alike.
    pub coherent: Monomial,
    /// L^(1/2) if the summands are independent, else L.
    pub independent: Size,
}

/// The residual streams of a graph, with how their branches add up.
#[derive(Clone, Debug, Default)]
pub struct Repetitions {
    /// The streams.
    pub streams: Streams,
    /// Per branch and stream that it feeds: the repetitions from that stream's block inwards.
    pub times: Vec<SmallVec<[Times; 1]>>,
    /// Per block: whether all its branches are independent at initialization.
    independent: Vec<bool>,
    /// Numbers of repetitions that are known although a scale symbol stands for them; empty if none is.
    known: Vec<Option<Rational>>,
}

impl Repetitions {
    /// No repetition counts as growing.
    pub fn none(graph: &Graph) -> Repetitions {
        Repetitions { streams: Streams::none(graph), times: Vec::new(), ..Repetitions::default() }
    }

    /// Counts the repetitions of given streams; `is_odd` says of a node whether it is odd in weights that are new in every repetition
    /// of a block.
    pub fn new(graph: &Graph, streams: Streams, is_odd: impl Fn(NodeId, BlockId) -> bool) -> Repetitions {
        let mut independent = vec![true; graph.blocks.len()];
        let mut times = Vec::new();
        for branch in &streams.branches {
            let source = graph.node(branch.add).operands[branch.operand];
            let odd = |block: BlockId| is_odd(source, block);
            let blocks: SmallVec<[BlockId; 2]> = branch.feeds.iter().map(|feeds| feeds.block).collect();
            blocks.iter().for_each(|block| independent[block.index()] &= odd(*block));
            times.push((0..blocks.len()).map(|level| product(graph, &blocks[level..], odd)).collect());
        }
        Repetitions { streams, times, independent, known: Vec::new() }
    }

    /// The same with known numbers of repetitions, by block.
    pub fn with_known(self, known: Vec<Option<Rational>>) -> Repetitions {
        Repetitions { known, ..self }
    }

    /// How often every block is repeated, where that is known: a number in the spec, or the number that a symbol stands for.
    pub fn counts(&self, graph: &Graph) -> Vec<Option<Rational>> {
        let count = |(at, block): (usize, &crate::graph::Block)| match block.count.is_finite() {
            true => Some(block.count.coefficient),
            false => self.known.get(at).copied().flatten(),
        };
        graph.blocks.iter().enumerate().map(count).collect()
    }

    /// How a branch adds up in the outermost stream that it feeds.
    pub fn in_all(&self, branch: usize) -> &Times {
        &self.times[branch][0]
    }

    /// By how much more the gradient of an operand of a node is than that of one repetition: where repetitions share a weight, read the
    /// same tensor from outside, or branch off a stream. In training the weights' own changes pass gradients to a tensor from outside the same way
    /// in all repetitions (their initial values do not: [`super::backward`]); on a stream the identity passes more than they do.
    pub fn of_gradient(&self, shaped: &Shaped, id: NodeId, at: usize, in_training: bool) -> Size {
        if self.times.is_empty() {
            return Size::one();
        }
        let graph = shaped.graph;
        let operand = graph.node(id).operands[at];
        let param = shaped.view_of[operand.index()];
        let mut total = Size::one();
        for block in self.streams.around(graph, id).filter(|block| !is_entry(graph, id, *block)) {
            let inside = contains(graph, block, operand);
            let leaves = self.streams.on_path[operand.index()] && !self.streams.on_path[id.index()];
            let once = match param {
                Some(_) => is_new(graph, operand, block),
                None => inside && !leaves,
            };
            if once {
                continue;
            }
            let on_stream = param.is_none() && inside;
            let random_signs = self.independent[block.index()] && (on_stream || !in_training);
            let count = &graph.block(block).count.powers;
            total = total.mul(&if random_signs { random(count) } else { coherent(count) });
        }
        total
    }
}

fn product(graph: &Graph, blocks: &[BlockId], odd: impl Fn(BlockId) -> bool) -> Times {
    let mut times = Times { coherent: Monomial::one(), independent: Size::one() };
    for block in blocks {
        let count = &graph.block(*block).count.powers;
        let own = if odd(*block) { random(count) } else { coherent(count) };
        times.coherent = times.coherent.mul(count).unwrap_or_default();
        times.independent = times.independent.mul(&own);
    }
    times
}

fn contains(graph: &Graph, block: BlockId, id: NodeId) -> bool {
    graph.block(block).nodes.contains(&(id.index() as u32))
}

/// Whether a node is a carry of a block: what enters there enters once.
fn is_entry(graph: &Graph, id: NodeId, block: BlockId) -> bool {
    graph.node(id).op == Op::Carry(block)
}

/// Whether a parameter (by its node, or a view of it) is new in every repetition of a block: declared inside a block with own weights. What
/// an inner block shares is one set for all of its repetitions, and another one in the next repetition of the outer block.
pub fn is_new(graph: &Graph, param: NodeId, block: BlockId) -> bool {
    contains(graph, block, param) && !graph.block(block).shared
}
