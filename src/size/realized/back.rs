//! The pass of changes of gradients with their inner products with values beside them.

use crate::graph::walk::{Adjoint, backpropagate};
use crate::graph::{Block, BlockId, Graph, NodeId, Op};
use crate::size::Size;
use crate::size::backward::{Backward, Motion};
use crate::size::echo::{Echo, Recoil, Shares, share};
use crate::size::forward::{Climbs, in_sum};
use crate::size::realized::reading::Reading;

/// What the pass reads.
#[derive(Clone, Copy)]
pub struct Known<'a, 'g> {
    /// The rules of changes of gradients.
    pub backward: Backward<'a, 'g>,
    /// What is kept of a sum.
    pub reading: Reading,
    /// G_t - G_0 of every node in the limit, once it is known.
    pub full: Option<&'a [Size]>,
    /// The inner products of gradients and changes.
    pub echo: Echo<'a>,
    /// The changes of the parameters.
    pub steps: &'a [Size],
}

/// G_t - G_0 of every node.
pub fn gradient_changes(known: Known) -> Vec<Size> {
    let graph = known.backward.shaped.graph;
    let mut pass = Pass {
        known,
        climbs: Climbs::new(graph, known.backward.repetitions),
        work: vec![Size::Zero; graph.len()],
        shares: parts(&known.backward),
    };
    backpropagate(graph, &mut pass, vec![Size::Zero; graph.len()])
}

/// Which part of a node's values comes from which operand: all of it, except in sums.
fn parts(backward: &Backward) -> Shares {
    let graph = backward.shaped.graph;
    let part = |id: NodeId, at: usize| match graph.node(id).op {
        Op::Add(_) => {
            let operand = graph.node(id).operands[at];
            let own = in_sum(backward.abc, id, at).1.mul(&backward.initial[operand.index()]);
            share(&own, &backward.initial[id.index()])
        }
        _ => Size::one(),
    };
    graph.ids().map(|id| (0..graph.node(id).operands.len()).map(|at| part(id, at)).collect()).collect()
}

struct Pass<'a, 'g> {
    known: Known<'a, 'g>,
    climbs: Climbs,
    /// J.
    work: Vec<Size>,
    shares: Shares,
}

impl Pass<'_, '_> {
    fn recoil(&self) -> Recoil<'_> {
        let Known { backward, echo, .. } = self.known;
        let (initial, entries) = (backward.initial, echo.entries);
        Recoil { graph: echo.graph, initial, entries, work: &self.work, shares: &self.shares }
    }

    /// What a node gives to an operand's J: part of its own, and what changed of the factor in between.
    fn work(&self, graph: &Graph, id: NodeId, at: usize, pulled: &Size) -> Size {
        let node = graph.node(id);
        let own = node.operands[at].index();
        let passed = || self.recoil().through(id, at);
        match &node.op {
            Op::Contract { .. } => {
                let others = (0..node.operands.len()).filter(|other| *other != at);
                let turned = others.map(|other| self.known.echo.through(id, other));
                turned.fold(passed(), Size::max)
            }
            Op::Map(_) | Op::Normalize { .. } => passed().max(self.known.echo.through(id, at)),
            // Shares and places of largest entries do not go with the values: all of the change may line up.
            Op::Softmax { .. } | Op::Max { .. } => {
                let initial = self.known.backward.initial[own].clone();
                self.known.echo.entries[own].mul(&initial).mul(pulled)
            }
            Op::Lookup { .. }
            | Op::Add(_)
            | Op::Scale(_)
            | Op::Window { .. }
            | Op::Split { .. }
            | Op::Merge { .. }
            | Op::Pick { .. }
            | Op::Concat { .. }
            | Op::Gate(_)
            | Op::Carry(_)
            | Op::Exit(_)
            | Op::Step { .. }
            | Op::Collect { .. } => passed(),
            Op::Data(_) | Op::Param(_) | Op::Constant(_) | Op::Range | Op::RelativeBucket(_) => Size::Zero,
        }
    }
}

impl Adjoint for Pass<'_, '_> {
    type Value = Size;

    fn pull(&mut self, graph: &Graph, id: NodeId, at: usize, gradients: &[Size]) -> Size {
        let Known { backward, steps, reading, full, .. } = self.known;
        let motion = backward.motion.map(|motion| Motion { recoil: Some(self.recoil()), ..motion });
        let rules = Backward { motion, ..backward };
        let pulled =
            reading.of_both(gradients, full, |gradients, terms| rules.rule(id, at, gradients, steps, terms));
        let work = self.work(graph, id, at, &pulled);
        let known = &mut self.work[graph.node(id).operands[at].index()];
        *known = std::mem::replace(known, Size::Zero).max(work);
        pulled
    }

    fn join(&mut self, into: &mut Size, contribution: Size) {
        if contribution > *into {
            *into = contribution;
        }
    }

    fn repeat(&mut self, id: BlockId, block: &Block, gradients: &mut [Size]) -> bool {
        let mut again = false;
        for carried in &block.carried {
            let work = self.work[carried.carry.index()].clone();
            let next = &mut self.work[carried.next.index()];
            again |= work > *next;
            *next = std::mem::replace(next, Size::Zero).max(work);
        }
        if self.known.backward.beginning == Some(id) {
            self.known.backward.beginning = None;
            return false;
        }
        if self.climbs.take_back(id, block, gradients) || (again && self.climbs.go_round(id)) {
            return true;
        }
        let begins = self.known.backward.starts_smaller(block);
        self.known.backward.beginning = begins.then_some(id);
        begins
    }

    fn settle(&mut self, id: BlockId, block: &Block, gradients: &mut [Size]) -> bool {
        self.climbs.settle_back(id, block, gradients)
    }
}
