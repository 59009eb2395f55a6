//! The forward pass at initialization: |x_0| of every tensor.
//!
//! For a fresh weight with entries of size s, |h| = m s N^(1/2) |x|: the central limit theorem. A contraction of two activations
//! is N^(1/2) |u||v| along axes where the summand is odd ([`super::parity`]) and N |u||v| along the others.

use std::ops::Range;

use smallvec::{SmallVec, smallvec};

use super::parity::Summation;
use super::repetition::Repetitions;
use super::term::{Factor, Largest, Quantity, Rule, Terms, aligned, coherent, random};
use super::{Size, elementwise};
use crate::abc::Abc;
use crate::dim::Dim;
use crate::graph::walk::{Semantics, interpret};
use crate::graph::{Block, BlockId, Carried, Graph, Init, Multiplier, NodeId, Op, ParamId};
use crate::rational::Rational;
use crate::shape::Shaped;

/// What the forward pass reads.
pub struct Forward<'a, 'g> {
    /// The graph with its sites.
    pub shaped: &'a Shaped<'g>,
    /// How each contraction sums.
    pub sums: &'a [Summation],
    /// The residual streams that grow.
    pub repetitions: &'a Repetitions,
    /// The parameterization.
    pub abc: &'a Abc,
}

/// The size of a written or chosen multiplier in front of an operation.
pub fn multiplier(graph: &Graph, abc: &Abc, id: NodeId) -> Size {
    match graph.written_multiplier(id) {
        Some(written) if written.coefficient.is_zero() => Size::Zero,
        Some(written) => Size::Power(written.powers.clone()),
        None => abc.contractions.get(&id).map_or_else(Size::one, Size::from),
    }
}

/// The multiplier in front of a term of a sum.
pub fn in_sum(abc: &Abc, add: NodeId, operand: usize) -> Factor {
    let own = abc.branches.get(&(add, operand));
    (Quantity::Multiplier, own.map_or_else(Size::one, Size::from))
}

/// The size of a parameter's entries at initialization, with its own multiplier.
pub fn entry(graph: &Graph, abc: &Abc, param: ParamId) -> Size {
    let scaling = &abc.params[param.index()];
    let own = Size::from(&scaling.multiplier);
    match graph.param(param).init {
        Init::Constant(value) if value.is_zero() => Size::Zero,
        Init::Constant(_) => own,
        Init::Random => own.mul(&Size::from(&scaling.init_std)),
    }
}

/// A written number: zero or Θ(1).
fn number(value: Rational) -> Size {
    if value.is_zero() { Size::Zero } else { Size::one() }
}

impl Forward<'_, '_> {
    /// The rule of one node: the terms of |x_0|, given the sizes of its operands.
    pub fn rule(&self, id: NodeId, values: &[Size], terms: &mut impl Terms) {
        let graph = self.shaped.graph;
        let node = graph.node(id);
        let value = |at: usize| {
            let operand = node.operands[at];
            (Quantity::Value(operand), values[operand.index()].clone())
        };
        match &node.op {
            Op::Data(_) | Op::RelativeBucket(_) => {
                terms.term(Rule::Given, &[(Quantity::Constant, Size::one())])
            }
            Op::Constant(constant) => terms.term(Rule::Given, &[(Quantity::Constant, number(*constant))]),
            Op::Range => terms.term(Rule::Given, &[(Quantity::Constant, range(&node.shape))]),
            Op::Param(param) => {
                terms.term(Rule::Initialized, &[(Quantity::Entry, entry(graph, self.abc, *param))]);
            }
            Op::Contract { .. } => self.contract(id, values, terms),
            Op::Add(_) => {
                let term = |at: usize| [in_sum(self.abc, id, at), value(at)];
                (0..node.operands.len()).for_each(|at| terms.term(Rule::Sum, &term(at)));
            }
            Op::Scale(factor) => terms.term(Rule::Scaled, &[self.factor(id, factor), value(0)]),
            Op::Map(func) => {
                let of = elementwise::value(*func, &value(0).1);
                terms.term(Rule::Elementwise, &[(Quantity::Image(node.operands[0]), of)]);
            }
            Op::Normalize { .. } => {
                let size = if value(0).1.is_zero() { Size::Zero } else { Size::one() };
                terms.term(Rule::Normalized, &[(Quantity::Constant, size)]);
            }
            Op::Softmax { axis, log: false } => {
                let share = Size::one().div(&Size::from(&node.shape[*axis].powers));
                terms.term(Rule::Softmax, &[(Quantity::Share, share)]);
            }
            Op::Softmax { log: true, .. } => {
                terms.term(Rule::Softmax, &[(Quantity::Constant, Size::one())]);
                terms.term(Rule::Softmax, &[value(0)]);
            }
            Op::Lookup { .. } => terms.term(Rule::Row, &[value(0)]),
            Op::Concat { .. } => {
                (0..node.operands.len()).for_each(|at| terms.term(Rule::Kept, &[value(at)]));
            }
            Op::Max { .. }
            | Op::Window { .. }
            | Op::Split { .. }
            | Op::Merge { .. }
            | Op::Pick { .. }
            | Op::Gate(_)
            | Op::Exit(_)
            | Op::Step { .. }
            | Op::Collect { .. } => terms.term(Rule::Kept, &[value(0)]),
            Op::Carry(_) => self.carry(id, values, terms),
        }
    }

    fn factor(&self, id: NodeId, _: &Multiplier) -> Factor {
        (Quantity::Multiplier, multiplier(self.shaped.graph, self.abc, id))
    }

    fn contract(&self, id: NodeId, values: &[Size], terms: &mut impl Terms) {
        let graph = self.shaped.graph;
        let sum = &self.sums[id.index()];
        let mut factors: SmallVec<[Factor; 5]> =
            smallvec![(Quantity::Multiplier, multiplier(graph, self.abc, id))];
        let operands = &graph.node(id).operands;
        factors.extend(
            operands.iter().map(|operand| (Quantity::Value(*operand), values[operand.index()].clone())),
        );
        if let Some(site) = sum.aligned.and_then(|operand| self.shaped.site_at(id, operand)) {
            factors.push((Quantity::Aligned, aligned(&site.fan_in, &site.fan_out)));
            return terms.term(Rule::AlignedAtInit, &factors);
        }
        let rule = match (sum.random.is_one(), sum.coherent.is_one()) {
            (true, true) => Rule::Product,
            (_, true) => Rule::CentralLimit,
            (_, false) => Rule::LargeNumbers,
        };
        if !sum.random.is_one() {
            factors.push((Quantity::Random, random(&sum.random)));
        }
        if !sum.coherent.is_one() {
            factors.push((Quantity::Coherent, coherent(&sum.coherent)));
        }
        terms.term(rule, &factors);
    }

    /// A carried stream is what enters, and in later repetitions what came round: on a residual stream, what the branches added.
    fn carry(&self, id: NodeId, values: &[Size], terms: &mut impl Terms) {
        let graph = self.shaped.graph;
        if !self.repetitions.streams.is_residual(id) {
            for (source, size) in sources(graph, id, values) {
                terms.term(Rule::Kept, &[(Quantity::Value(source), size.clone())]);
            }
            return;
        }
        let enter = graph.node(id).operands[0];
        terms.term(Rule::Kept, &[(Quantity::Value(enter), values[enter.index()].clone())]);
        for &(place, level) in self.repetitions.streams.feeding(id) {
            let branch = &self.repetitions.streams.branches[place];
            let source = graph.node(branch.add).operands[branch.operand];
            let Some(size) = values.get(source.index()) else { continue };
            let times = self.repetitions.times[place][level].independent.clone();
            let front = in_sum(self.abc, branch.add, branch.operand);
            let factors =
                [(Quantity::RandomRepetitions, times), front, (Quantity::Value(source), size.clone())];
            terms.term(Rule::Accumulated, &factors);
        }
    }
}

/// The entry of a carried stream and, once it is known, its value at the end of a repetition.
pub fn sources<'v>(
    graph: &Graph,
    carry: NodeId,
    values: &'v [Size],
) -> impl Iterator<Item = (NodeId, &'v Size)> {
    let enter = graph.node(carry).operands[0];
    let next = next_of(graph, carry).and_then(|next| Some((next, values.get(next.index())?)));
    std::iter::once((enter, &values[enter.index()])).chain(next)
}

/// The value at the end of a repetition that a carried stream takes up, if there is more than one repetition.
pub fn next_of(graph: &Graph, carry: NodeId) -> Option<NodeId> {
    let Op::Carry(id) = graph.node(carry).op else { return None };
    (graph.block(id).count != Dim::one()).then_some(graph.carried(carry)?.next)
}

fn range(shape: &[Dim]) -> Size {
    shape.first().map_or_else(Size::one, |length| Size::from(&length.powers))
}

/// |x_0| of every tensor.
pub fn sizes(forward: &Forward) -> Vec<Size> {
    both(forward).0
}

/// |x_0| in the first repetition of the outermost blocks, where streams may be smaller than later; elsewhere as it is. Empty if no block is
/// repeated.
pub fn first(forward: &Forward) -> Vec<Size> {
    if forward.shaped.graph.blocks.is_empty() { Vec::new() } else { both(forward).1 }
}

fn both(forward: &Forward) -> (Vec<Size>, Vec<Size>) {
    let graph = forward.shaped.graph;
    let climbs = Climbs::new(graph, forward.repetitions);
    let mut walk = Walk { forward, climbs, first: vec![None; graph.len()] };
    let Ok(values) = interpret(graph, &mut walk);
    let first =
        walk.first.into_iter().zip(&values).map(|(first, value)| first.unwrap_or_else(|| value.clone()));
    let first = first.collect();
    (values, first)
}

struct Walk<'f, 'a, 'g> {
    forward: &'f Forward<'a, 'g>,
    climbs: Climbs,
    /// What nodes of outermost blocks were when these had been walked for the first time.
    first: Vec<Option<Size>>,
}

impl Semantics for Walk<'_, '_, '_> {
    type Value = Size;
    type Error = std::convert::Infallible;

    fn apply(&mut self, graph: &Graph, id: NodeId, values: &[Size]) -> Result<Size, Self::Error> {
        let size = Largest::of(|terms| self.forward.rule(id, values, terms));
        Ok(self.climbs.keep(graph, id, values, size))
    }

    fn repeat(&mut self, _: &Graph, id: BlockId, block: &Block, values: &mut [Size]) -> bool {
        if block.parent.is_none() {
            for at in block.nodes.clone().map(|at| at as usize) {
                self.first[at].get_or_insert_with(|| values[at].clone());
            }
        }
        let rule =
            |carry: NodeId, values: &[Size]| Largest::of(|terms| self.forward.rule(carry, values, terms));
        self.climbs.take_round_by(id, block, values, rule)
    }

    fn settle(&mut self, _: &Graph, id: BlockId, block: &Block, values: &mut [Size]) -> bool {
        self.climbs.settle_round(id, block, values)
    }
}

/// How often the streams of each block have grown from one repetition to the next.
pub struct Climbs {
    /// Since the block around it was last walked again.
    rounds: Vec<u32>,
    /// In all.
    total: Vec<u32>,
    nodes: Vec<Range<u32>>,
    /// How often each block is repeated, where that is known.
    counts: Vec<Option<Rational>>,
}

/// A stream that still grows after so many repetitions grows with every one.
const PATIENCE: u32 = 6;

impl Climbs {
    /// No block has been walked yet.
    pub fn new(graph: &Graph, repetitions: &Repetitions) -> Climbs {
        let nodes: Vec<_> = graph.blocks.iter().map(|block| block.nodes.clone()).collect();
        let counts = repetitions.counts(graph);
        Climbs { rounds: vec![0; nodes.len()], total: vec![0; nodes.len()], nodes, counts }
    }

    /// A carried stream never shrinks from one walk of its block to the next.
    pub fn keep(&self, graph: &Graph, id: NodeId, values: &[Size], size: Size) -> Size {
        match (&graph.node(id).op, values.get(id.index())) {
            (Op::Carry(_), Some(known)) => size.max(known.clone()),
            _ => size,
        }
    }

    /// Takes the streams at the end of a block back to its start; true if one is larger there than before. A number of repetitions
    /// is walked at most so often; a symbol's, until nothing grows any more or a stream is beyond every power.
    pub fn take_round(&mut self, id: BlockId, block: &Block, values: &mut [Size]) -> bool {
        let edges = block.carried.iter().map(|carried| (carried.next, carried.carry));
        self.take(id, edges, values)
    }

    /// The same where a rule says what a stream is at the start of a repetition.
    pub fn take_round_by(
        &mut self,
        id: BlockId,
        block: &Block,
        values: &mut [Size],
        rule: impl Fn(NodeId, &[Size]) -> Size,
    ) -> bool {
        let mut grew = false;
        for carried in block.carried.iter().filter(|_| !self.is_over(id)) {
            let size = rule(carried.carry, values);
            let known = &mut values[carried.carry.index()];
            if size > *known {
                grew = true;
                *known = if self.is_patient(id) { size } else { Size::Beyond };
            }
        }
        self.count(id, grew)
    }

    /// The same for gradients, which go round the other way.
    pub fn take_back(&mut self, id: BlockId, block: &Block, gradients: &mut [Size]) -> bool {
        let edges = block.carried.iter().map(|carried| (carried.carry, carried.next));
        self.take(id, edges, gradients)
    }

    /// The dual, for what a stream can afford: what it can at the start of a repetition it can at the end of the one before. A stream that
    /// can afford less with every repetition can in the end afford nothing.
    pub fn take_least(&mut self, id: BlockId, block: &Block, afforded: &mut [Option<Size>]) -> bool {
        let mut fell = false;
        for carried in block.carried.iter().filter(|_| !self.is_over(id)) {
            let Some(start) = afforded[carried.carry.index()].clone() else { continue };
            let end = &mut afforded[carried.next.index()];
            if end.as_ref().is_none_or(|end| start < *end) {
                fell = true;
                *end = Some(if self.is_patient(id) { start } else { Size::Zero });
            }
        }
        self.count(id, fell)
    }

    /// When streams have gone round too often: if one would still grow, all are beyond every power.
    pub fn settle_round(&self, id: BlockId, block: &Block, values: &mut [Size]) -> bool {
        self.settle(id, block, |carried| (carried.next, carried.carry), values)
    }

    /// The same for gradients.
    pub fn settle_back(&self, id: BlockId, block: &Block, gradients: &mut [Size]) -> bool {
        self.settle(id, block, |carried| (carried.carry, carried.next), gradients)
    }

    fn settle(
        &self,
        id: BlockId,
        block: &Block,
        edge: impl Fn(&Carried) -> (NodeId, NodeId),
        sizes: &mut [Size],
    ) -> bool {
        let mut edges = block.carried.iter().map(&edge);
        let again = !self.is_over(id) && edges.any(|(from, to)| sizes[from.index()] > sizes[to.index()]);
        for (_, to) in block.carried.iter().map(edge).filter(|_| again) {
            sizes[to.index()] = Size::Beyond;
        }
        again
    }

    fn take(
        &mut self,
        id: BlockId,
        edges: impl Iterator<Item = (NodeId, NodeId)>,
        sizes: &mut [Size],
    ) -> bool {
        let mut grew = false;
        for (from, to) in edges.filter(|_| !self.is_over(id)) {
            let size = sizes[from.index()].clone();
            if size > sizes[to.index()] {
                grew = true;
                sizes[to.index()] = if self.is_patient(id) { size } else { Size::Beyond };
            }
        }
        self.count(id, grew)
    }

    /// Walks a block again because of something else that went round, if it is repeated so often.
    pub fn go_round(&mut self, id: BlockId) -> bool {
        !self.is_over(id) && self.count(id, true)
    }

    /// Whether a block has been walked as often as it is repeated.
    fn is_over(&self, id: BlockId) -> bool {
        let rounds = Rational::integer(i64::from(self.rounds[id.index()]) + 1);
        self.counts[id.index()].is_some_and(|count| rounds >= count)
    }

    fn is_patient(&self, id: BlockId) -> bool {
        self.total[id.index()] < PATIENCE
    }

    /// Counts a walk that leads to another one, in which the blocks inside are repeated anew.
    fn count(&mut self, id: BlockId, again: bool) -> bool {
        if again {
            let at = id.index();
            self.rounds[at] += 1;
            self.total[at] += 1;
            let end = self.nodes[at].end;
            let inside = self.nodes[at + 1..].iter().take_while(|nodes| nodes.start < end).count();
            self.rounds[at + 1..][..inside].fill(0);
        }
        again
    }
}
