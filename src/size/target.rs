//! How large a tensor may be, seen from what uses it: one sweep back from the logits.
//!
//! Logits, preactivations and everything that enters a contraction or a nonlinearity may be O(1). A tensor that only goes into
//! normalizations may have any size, and may change by that size. A written factor shifts what stands before it: in
//! `logits = y / n` the tensor `y` may be as large as n.

use super::Size;
use crate::dim::Symbol;
use crate::graph::func::Law;
use crate::graph::walk::{Adjoint, backpropagate};
use crate::graph::{Block, BlockId, Graph, NodeId, Op};
use crate::shape::Shaped;

/// What a tensor's values and changes are held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Nothing on the way to the logits uses it.
    Unused,
    /// The size at initialization of this tensor, of which it is a part: it only goes into normalizations.
    Relative(NodeId),
    /// This size.
    Absolute(Size),
}

impl Bound {
    /// The stricter of two.
    fn tighten(&mut self, other: Bound) {
        let stricter = match (&*self, &other) {
            (Bound::Absolute(a), Bound::Absolute(b)) => b < a,
            (Bound::Absolute(_), _) | (_, Bound::Unused) => false,
            (_, Bound::Absolute(_)) | (Bound::Unused, _) => true,
            (Bound::Relative(a), Bound::Relative(b)) => b < a,
        };
        if stricter {
            *self = other;
        }
    }

    /// The size to aim for: 1 where nothing asks for another one.
    pub fn aim(&self) -> Size {
        match self {
            Bound::Absolute(size) => size.clone(),
            Bound::Unused | Bound::Relative(_) => Size::one(),
        }
    }

    /// The bound of `source`, of which a factor times it has this bound.
    fn divided(&self, factor: &Size, source: NodeId) -> Bound {
        match self {
            Bound::Absolute(size) => Bound::Absolute(size.div(factor)),
            Bound::Unused => Bound::Unused,
            Bound::Relative(_) => Bound::Relative(source),
        }
    }
}

/// The bound of every node.
pub fn bounds(shaped: &Shaped) -> Vec<Bound> {
    let mut seeds = vec![Bound::Unused; shaped.graph.len()];
    for output in &shaped.graph.outputs {
        seeds[output.index()] = Bound::Absolute(Size::one());
    }
    let before_loss = before_loss(shaped.graph);
    let counts = counts(shaped.graph);
    backpropagate(shaped.graph, &mut Pull { before_loss: &before_loss, counts: &counts }, seeds)
}

/// The nodes that the logits depend on, themselves included; the others belong to the loss.
pub fn before_loss(graph: &Graph) -> Vec<bool> {
    graph.ancestors(&graph.outputs)
}

/// The symbols that count repetitions. A branch behind a written 1/L is no larger for it: the factor is there for the sum over repetitions.
fn counts(graph: &Graph) -> Vec<Symbol> {
    graph.blocks.iter().flat_map(|block| block.count.powers.iter().map(|(symbol, _)| symbol)).collect()
}

struct Pull<'b> {
    before_loss: &'b [bool],
    counts: &'b [Symbol],
}

impl Adjoint for Pull<'_> {
    type Value = Bound;

    fn pull(&mut self, graph: &Graph, id: NodeId, at: usize, bounds: &[Bound]) -> Bound {
        let (own, source) = (&bounds[id.index()], graph.node(id).operands[at]);
        if !self.before_loss[id.index()] || *own == Bound::Unused {
            return Bound::Unused;
        }
        let one = || Bound::Absolute(Size::one());
        match &graph.node(id).op {
            Op::Scale(_) => match graph.written_multiplier(id) {
                Some(factor) if !factor.coefficient.is_zero() => {
                    let in_width = factor.powers.iter().filter(|(symbol, _)| !self.counts.contains(symbol));
                    own.divided(&Size::Power(in_width.collect()), source)
                }
                _ => own.divided(&Size::one(), source),
            },
            Op::Map(func) => match func.law() {
                Law { homogeneous: Some(2), .. } => own.divided(&Size::one(), source),
                _ => one(),
            },
            Op::Contract { einsum, .. } if einsum.inputs.len() == 1 && einsum.contracted().is_empty() => {
                own.clone()
            }
            Op::Contract { .. } | Op::Softmax { .. } => one(),
            Op::Normalize { .. } => Bound::Relative(source),
            Op::Add(_)
            | Op::Max { .. }
            | Op::Lookup { .. }
            | Op::Window { .. }
            | Op::Split { .. }
            | Op::Merge { .. }
            | Op::Pick { .. }
            | Op::Concat { .. }
            | Op::Gate(_)
            | Op::Carry(_)
            | Op::Exit(_)
            | Op::Step { .. }
            | Op::Collect { .. } => own.clone(),
            Op::Data(_) | Op::Param(_) | Op::Constant(_) | Op::Range | Op::RelativeBucket(_) => Bound::Unused,
        }
    }

    fn join(&mut self, into: &mut Bound, contribution: Bound) {
        into.tighten(contribution);
    }

    /// What a stream is held against at the start of a repetition holds at the end of the one before. Once is enough: bounds
    /// only guide the derivation, and what it finds is checked.
    fn repeat(&mut self, _: BlockId, block: &Block, bounds: &mut [Bound]) -> bool {
        let mut again = false;
        for carried in &block.carried {
            let carry = bounds[carried.carry.index()].clone();
            let next = &mut bounds[carried.next.index()];
            let unused = *next == Bound::Unused;
            next.tighten(carry);
            again |= unused && *next != Bound::Unused;
        }
        again
    }
}
