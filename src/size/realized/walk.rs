//! The pass of changes with the inner products of changes and gradients beside them.

use crate::graph::walk::{Semantics, interpret};
use crate::graph::{Block, BlockId, Graph, NodeId, Op};
use crate::size::Size;
use crate::size::change::Changes;
use crate::size::echo::{Echo, Shares};
use crate::size::forward::{Climbs, next_of};
use crate::size::parity::Summation;
use crate::size::realized::reading::Reading;
use crate::size::repetition::Repetitions;
use crate::size::term::coherent;

/// What the pass reads.
#[derive(Clone, Copy)]
pub struct Known<'a, 'g> {
    /// The rules of changes, with the steps of the parameters.
    pub changes: Changes<'a, 'g>,
    /// What is kept of a sum.
    pub reading: Reading,
    /// D of every node in the limit, once it is known.
    pub full: Option<&'a [Size]>,
    /// How every contraction sums at initialization.
    pub sums: &'a [Summation],
    /// The shares of inner products, by node and operand.
    pub shares: &'a Shares,
    /// The gradients that made the steps.
    pub gradient: &'a [Size],
    /// How many entries every node has.
    pub entries: &'a [Size],
}

impl<'a, 'g> Known<'a, 'g> {
    /// The rules, with inner products as far as they are known.
    pub fn with_echo<'w>(&self, work: &'w [Size]) -> Changes<'w, 'g>
    where
        'a: 'w,
    {
        Changes { echo: Some(self.echo(work)), ..self.changes }
    }

    /// Inner products as far as they are known.
    pub fn echo<'w>(&self, work: &'w [Size]) -> Echo<'w>
    where
        'a: 'w,
        'g: 'w,
    {
        let Known { sums, shares, gradient, entries, .. } = *self;
        Echo { graph: self.changes.shaped.graph, sums, work, shares, gradient, entries }
    }
}

/// D and I of every node.
pub fn changes(known: Known) -> (Vec<Size>, Vec<Size>) {
    let graph = known.changes.shaped.graph;
    let nothing = || vec![Size::Zero; graph.len()];
    let mut walk = Walk {
        known,
        climbs: Climbs::new(graph, known.changes.repetitions),
        work: nothing(),
        own: nothing(),
    };
    let Ok(values) = interpret(graph, &mut walk);
    (values, walk.work)
}

struct Walk<'a, 'g> {
    known: Known<'a, 'g>,
    climbs: Climbs,
    /// I.
    work: Vec<Size>,
    /// The part of it that a repetition's own updates make.
    own: Vec<Size>,
}

impl Walk<'_, '_> {
    fn rule(&self, id: NodeId, values: &[Size]) -> Size {
        let changes = self.known.with_echo(&self.work);
        let Known { reading, full, .. } = self.known;
        reading.of_both(values, full, |values, terms| changes.rule(id, values, terms))
    }

    /// I of a node: what its operands bring along; of a parameter, what the optimizer does.
    fn work(&self, graph: &Graph, id: NodeId) -> Size {
        if let Op::Param(_) = graph.node(id).op {
            return self.put(graph, id);
        }
        let brought = self.brought(graph, id, |source| &self.work[source.index()]);
        match next_of(graph, id) {
            Some(_) if self.repetitions().streams.is_residual(id) => brought.max(self.added(graph, id)),
            Some(next) => brought.max(self.work[next.index()].clone()),
            None => brought,
        }
    }

    /// The part of I that a repetition's own updates make, for what is not on the path of a growing stream.
    fn own_work(&self, graph: &Graph, id: NodeId) -> Size {
        let streams = &self.repetitions().streams;
        if streams.block[id.index()].is_none() || streams.on_path[id.index()] {
            return Size::Zero;
        }
        match graph.node(id).op {
            Op::Param(_) => self.put(graph, id),
            Op::Exit(block) => {
                let carried = graph.block(block).carried.iter().find(|carried| carried.exit == id);
                match carried.filter(|carried| streams.is_residual(carried.carry)) {
                    Some(carried) => {
                        self.own[carried.enter.index()].clone().max(self.added(graph, carried.carry))
                    }
                    None => self.brought(graph, id, |source| self.own_of(source)),
                }
            }
            _ => self.brought(graph, id, |source| self.own_of(source)),
        }
    }

    /// What an optimizer puts into a parameter: it moves every entry against its gradient.
    fn put(&self, graph: &Graph, id: NodeId) -> Size {
        let Some(param) = graph.as_param(id) else { return Size::Zero };
        let (moved, at) = (&self.known.changes.steps[param.index()], id.index());
        self.known.entries[at].mul(moved).mul(&self.known.gradient[at])
    }

    fn brought<'w>(&'w self, graph: &Graph, id: NodeId, of: impl Fn(NodeId) -> &'w Size) -> Size {
        let operands = graph.node(id).operands.iter().zip(&self.known.shares[id.index()]);
        operands.map(|(source, share)| of(*source).mul(share)).fold(Size::Zero, Size::max)
    }

    fn own_of(&self, source: NodeId) -> &Size {
        let is_param = self.known.changes.shaped.view_of[source.index()].is_some();
        if is_param { &self.work[source.index()] } else { &self.own[source.index()] }
    }

    /// What the updates of all repetitions add to a residual stream. What they answer to its change they cannot make larger: all of them together
    /// pass on at most the gradient of the stream.
    fn added(&self, graph: &Graph, carry: NodeId) -> Size {
        let repetitions = self.repetitions();
        let feeding = repetitions.streams.feeding(carry).iter();
        let added = feeding.map(|&(place, level)| {
            let branch = &repetitions.streams.branches[place];
            let source = graph.node(branch.add).operands[branch.operand];
            let share = &self.known.shares[branch.add.index()][branch.operand];
            coherent(&repetitions.times[place][level].coherent).mul(self.own_of(source)).mul(share)
        });
        added.fold(Size::Zero, Size::max)
    }

    fn repetitions(&self) -> &Repetitions {
        self.known.changes.repetitions
    }
}

impl Semantics for Walk<'_, '_> {
    type Value = Size;
    type Error = std::convert::Infallible;

    fn apply(&mut self, graph: &Graph, id: NodeId, values: &[Size]) -> Result<Size, Self::Error> {
        let size = self.rule(id, values);
        self.work[id.index()] = self.work(graph, id);
        self.own[id.index()] = self.own_work(graph, id);
        Ok(self.climbs.keep(graph, id, values, size))
    }

    fn repeat(&mut self, graph: &Graph, id: BlockId, block: &Block, values: &mut [Size]) -> bool {
        let known = self.known.with_echo(&self.work);
        let reading = self.known.reading;
        let rule = |carry: NodeId, values: &[Size]| reading.of(|terms| known.rule(carry, values, terms));
        let moved = self.climbs.take_round_by(id, block, values, rule);
        let brought = |carry: NodeId| self.work(graph, carry) > self.work[carry.index()];
        let again = block.carried.iter().any(|carried| brought(carried.carry));
        moved || (again && self.climbs.go_round(id))
    }

    fn settle(&mut self, _: &Graph, id: BlockId, block: &Block, values: &mut [Size]) -> bool {
        self.climbs.settle_round(id, block, values)
    }
}
