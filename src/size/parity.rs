//! Sign symmetry: which sums at initialization have summands of mean zero.
//!
//! A tensor is **odd** along an axis if some parameters have the property that flipping the signs of their slices flips the
//! tensor's slices along that axis, and nothing else in it. Random parameters are odd in themselves along every axis; the
//! rules below say what each operation keeps of that. A sum over an axis along which the summand is odd has mean-zero summands and
//! is of size N^(1/2); any other sum is of size N.
//!
//! Per axis one group of flips is kept, which is enough for every known architecture and errs towards N. In a block with
//! own weights the weights of earlier repetitions are other weights; a carried stream is odd in "the carried streams of this
//! block" ([`Flip::Carry`]).

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use smallvec::{SmallVec, smallvec};

use super::reachability::Dependence;
use super::repetition::{Repetitions, is_new};
use crate::dim::Monomial;
use crate::graph::walk::{Semantics, interpret};
use crate::graph::{Block, BlockId, Einsum, Func, Gate, Graph, Init, Label, NodeId, Op, ParamId};
use crate::shape::Shaped;
use crate::shape::stream::Streams;

/// What is flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flip {
    /// The slices of a parameter along one of its axes.
    Param(ParamId, u8),
    /// Whatever makes this carried stream odd.
    Carry(NodeId),
}

/// A group of flips that make a tensor odd, by its number; 0 is none.
type Group = u32;

const NONE: Group = 0;

/// Sums of more terms with flips of their own count as without any: an error towards N, and linear work.
const MOST_FLIPS: usize = 64;

/// Along which axes a tensor is odd, and in what.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parity {
    axes: SmallVec<[Group; 4]>,
    zero: bool,
}

/// How the sum of one operation behaves at initialization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summation {
    /// The product of the summed axes along which the summand is odd.
    pub random: Monomial,
    /// The product of the other summed axes.
    pub coherent: Monomial,
    /// The operand that is a weight on which the other operand already depends, with contracted and free axes exchanged.
    pub aligned: Option<usize>,
}

/// How every contraction sums at initialization, by node; nodes that sum nothing over growing axes have the default.
pub fn summations(shaped: &Shaped) -> Vec<Summation> {
    symmetries(shaped, Streams::none(shaped.graph)).0
}

/// The same, and how the branches of residual streams add up.
pub fn symmetries(shaped: &Shaped, streams: Streams) -> (Vec<Summation>, Repetitions) {
    let mut signs = Signs::new(shaped);
    let Ok(values) = interpret(shaped.graph, &mut signs);
    let is_odd = |id: NodeId, block: BlockId| signs.is_odd_in_new(&values[id.index()], block);
    let repetitions = Repetitions::new(shaped.graph, streams, is_odd);
    (signs.sums, repetitions)
}

struct Signs<'s, 'g> {
    shaped: &'s Shaped<'g>,
    dependence: Dependence<'s, 'g>,
    groups: Vec<SmallVec<[Flip; 2]>>,
    numbers: HashMap<SmallVec<[Flip; 2]>, Group>,
    sums: Vec<Summation>,
}

impl Semantics for Signs<'_, '_> {
    type Value = Parity;
    type Error = std::convert::Infallible;

    fn apply(&mut self, graph: &Graph, id: NodeId, values: &[Parity]) -> Result<Parity, Self::Error> {
        let node = graph.node(id);
        let rank = node.shape.len();
        let operand = |at: usize| &values[node.operands[at].index()];
        let none = |zero| Parity { axes: smallvec![NONE; rank], zero };
        Ok(match &node.op {
            Op::Data(_) | Op::Range | Op::RelativeBucket(_) => none(false),
            Op::Constant(value) => none(value.is_zero()),
            Op::Param(param) => self.param(*param, rank),
            Op::Contract { einsum, .. } => self.contract(id, einsum, values),
            Op::Add(einsum) => self.add(id, einsum, values),
            Op::Scale(_) => operand(0).clone(),
            Op::Map(func) => mapped(*func, operand(0)),
            Op::Normalize { .. } => operand(0).clone(),
            Op::Softmax { .. } => none(false),
            Op::Max { .. } => none(operand(0).zero),
            Op::Lookup { einsum, .. } => self.lookup(einsum, operand(0)),
            Op::Window { axis, .. } => window(operand(0), *axis),
            Op::Split { axis, parts } => split(operand(0), *axis, *parts),
            Op::Merge { axis, parts } => self.merge(node.operands[0], operand(0), *axis, *parts),
            Op::Pick { axis, .. } | Op::Step { axis, .. } => without(operand(0), *axis),
            Op::Concat { .. } => concat(node.operands.iter().map(|id| &values[id.index()])),
            Op::Gate(Gate::Causal | Gate::TopK { .. }) => none(false),
            Op::Gate(Gate::Dropout(_) | Gate::StopGradient) => operand(0).clone(),
            Op::Carry(_) => self.carry(id, values),
            Op::Exit(_) => operand(0).clone(),
            Op::Collect { block, axis } => self.collect(*block, operand(0), *axis),
        })
    }

    fn repeat(&mut self, _: &Graph, _: BlockId, block: &Block, values: &mut [Parity]) -> bool {
        if block.count == crate::dim::Dim::one() {
            return false;
        }
        let mut again = false;
        for carried in &block.carried {
            let next = values[carried.next.index()].clone();
            let entered = values[carried.enter.index()].clone();
            let carry = &mut values[carried.carry.index()];
            let joined = self.join(carried.carry, &entered, &next);
            again |= joined != *carry;
            *carry = joined;
        }
        again
    }

    fn settle(&mut self, _: &Graph, _: BlockId, block: &Block, values: &mut [Parity]) -> bool {
        let mut again = false;
        for carried in &block.carried {
            let carry = &mut values[carried.carry.index()];
            let nothing = Parity { axes: smallvec![NONE; carry.axes.len()], zero: false };
            again |= nothing != *carry;
            *carry = nothing;
        }
        again
    }
}

impl<'s, 'g> Signs<'s, 'g> {
    fn new(shaped: &'s Shaped<'g>) -> Self {
        Signs {
            shaped,
            dependence: Dependence::new(shaped),
            groups: vec![SmallVec::new()],
            numbers: HashMap::new(),
            sums: vec![Summation::default(); shaped.graph.len()],
        }
    }
}

impl Signs<'_, '_> {
    /// Whether flips of weights that are new in every repetition of a block flip a tensor.
    fn is_odd_in_new(&self, tensor: &Parity, block: BlockId) -> bool {
        let new = |flip: &Flip| match flip {
            Flip::Param(param, _) => {
                self.dependence.node_of(*param).is_some_and(|node| is_new(self.shaped.graph, node, block))
            }
            Flip::Carry(_) => false,
        };
        let odd = |group: &Group| *group != NONE && self.groups[*group as usize].iter().all(new);
        tensor.zero || tensor.axes.iter().any(odd)
    }

    fn number(&mut self, mut flips: SmallVec<[Flip; 2]>) -> Group {
        flips.sort_unstable();
        flips.dedup();
        if flips.is_empty() {
            return NONE;
        }
        let next = self.groups.len() as Group;
        let number = *self.numbers.entry(flips.clone()).or_insert(next);
        if number == next {
            self.groups.push(flips);
        }
        number
    }

    /// Random entries are symmetric; constant ones are not.
    fn param(&mut self, param: ParamId, rank: usize) -> Parity {
        match self.shaped.graph.param(param).init {
            Init::Constant(value) => Parity { axes: smallvec![NONE; rank], zero: value.is_zero() },
            Init::Random => {
                let axes = (0..rank).map(|axis| self.number(smallvec![Flip::Param(param, axis as u8)]));
                Parity { axes: axes.collect(), zero: false }
            }
        }
    }

    /// Whether no flip of the group changes a tensor.
    fn independent(&mut self, tensor: NodeId, group: Group) -> bool {
        self.groups[group as usize].iter().all(|flip| match *flip {
            Flip::Param(param, _) => !self.dependence.on_param(tensor, param),
            Flip::Carry(carry) => !self.dependence.on_carry(tensor, carry),
        })
    }

    /// The flips of one factor's axis that leave every other factor as it is. A fresh weight's may change the other factor: of the
    /// entries that are summed, one flip reaches a vanishing part.
    fn product_group(
        &mut self,
        id: NodeId,
        einsum: &Einsum,
        label: Label,
        fresh: Option<usize>,
        values: &[Parity],
    ) -> Group {
        let operands = self.shaped.graph.node(id).operands.clone();
        for (own, source) in operands.iter().enumerate() {
            let Some(axis) = einsum.axis(own, label) else { continue };
            let group = values[source.index()].axes[axis];
            let mut others = operands.iter().enumerate().filter(|(other, _)| *other != own);
            let along = |other: usize| einsum.has(other, label) && einsum.output.contains(&label);
            let free = fresh == Some(own) && !others.clone().any(|(other, _)| along(other));
            if group != NONE && (free || others.all(|(_, other)| self.independent(*other, group))) {
                return group;
            }
        }
        NONE
    }

    /// The operand that is a random weight with a growing fan-in. Where it is used more than once the same way round, as in a
    /// recurrence, it acts as if it were drawn anew (TP-I, Gaussian conditioning).
    fn fresh(&self, id: NodeId) -> Option<usize> {
        let count = self.shaped.graph.node(id).operands.len();
        (0..count).find(|operand| {
            let site = self.shaped.site_at(id, *operand);
            site.is_some_and(|site| {
                let random = self.shaped.graph.param(site.param).init == Init::Random;
                random && !site.fan_in.is_one()
            })
        })
    }

    fn contract(&mut self, id: NodeId, einsum: &Einsum, values: &[Parity]) -> Parity {
        let node = self.shaped.graph.node(id);
        let zero = node.operands.iter().any(|operand| values[operand.index()].zero);
        let mut sum = Summation { aligned: self.aligned(id), ..Summation::default() };
        let fresh = self.fresh(id).filter(|_| sum.aligned.is_none());
        for label in einsum.contracted() {
            let length = label_length(self.shaped.graph, id, einsum, label);
            if length.is_one() {
                continue;
            }
            let side = match self.product_group(id, einsum, label, fresh, values) {
                NONE => &mut sum.coherent,
                _ => &mut sum.random,
            };
            *side = side.mul(&length).unwrap_or_default();
        }
        self.sums[id.index()] = sum;
        let group = |label: &Label| self.product_group(id, einsum, *label, fresh, values);
        let axes = einsum.output.iter().map(group).collect();
        Parity { axes, zero }
    }

    /// The weight among the operands that the other operand already depends on the other way round.
    fn aligned(&mut self, id: NodeId) -> Option<usize> {
        (0..2).find(|&operand| {
            let Some(site) = self
                .shaped
                .graph
                .node(id)
                .operands
                .get(operand)
                .and_then(|_| self.shaped.site_at(id, operand))
            else {
                return false;
            };
            self.shaped.sites_of[site.param.index()].len() > 1 && self.dependence.exchanged(site)
        })
    }

    /// A sum is odd along an axis if every term is, in flips that leave the other terms alone or flip them too.
    fn add(&mut self, id: NodeId, einsum: &Einsum, values: &[Parity]) -> Parity {
        let operands = self.shaped.graph.node(id).operands.clone();
        let terms: SmallVec<[(usize, NodeId); 2]> = operands
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, operand)| !values[operand.index()].zero)
            .collect();
        let axes = einsum.output.iter().map(|label| self.sum_group(einsum, *label, &terms, values)).collect();
        Parity { axes, zero: terms.is_empty() }
    }

    fn sum_group(
        &mut self,
        einsum: &Einsum,
        label: Label,
        terms: &[(usize, NodeId)],
        values: &[Parity],
    ) -> Group {
        let mut groups = SmallVec::<[Group; 2]>::new();
        for (position, operand) in terms {
            let axis = einsum.axis(*position, label);
            match axis.map_or(NONE, |axis| values[operand.index()].axes[axis]) {
                NONE => return NONE,
                group => groups.push(group),
            }
        }
        let mut kinds = groups.clone();
        kinds.sort_unstable();
        kinds.dedup();
        if kinds.len() < 2 {
            return kinds.first().copied().unwrap_or(NONE);
        }
        let flips: SmallVec<[Flip; 2]> =
            kinds.iter().flat_map(|kind| self.groups[*kind as usize].iter().copied()).collect();
        let alone = |signs: &mut Self, (own, (_, operand)): (&Group, &(usize, NodeId))| {
            kinds.iter().all(|kind| kind == own || signs.independent(*operand, *kind))
        };
        match flips.len() <= MOST_FLIPS && groups.iter().zip(terms).all(|term| alone(self, term)) {
            true => self.number(flips),
            false => NONE,
        }
    }

    fn lookup(&mut self, einsum: &Einsum, table: &Parity) -> Parity {
        let axis = |label: &Label| einsum.axis(0, *label).filter(|_| !einsum.has(1, *label));
        let axes =
            einsum.output.iter().map(|label| axis(label).map_or(NONE, |axis| table.axes[axis])).collect();
        Parity { axes, zero: table.zero }
    }

    /// Of several axes laid out as one only the growing one matters.
    fn merge(&mut self, source: NodeId, x: &Parity, axis: usize, parts: usize) -> Parity {
        let shape = &self.shaped.graph.node(source).shape;
        let mut growing = (axis..axis + parts).filter(|at| !shape[*at].is_finite());
        let group = match (growing.next(), growing.next()) {
            (Some(only), None) => x.axes[only],
            _ => NONE,
        };
        let mut axes = x.axes.clone();
        axes.drain(axis..axis + parts);
        axes.insert(axis, group);
        Parity { axes, zero: x.zero }
    }

    /// At first a carried stream is taken to be what enters.
    fn carry(&mut self, id: NodeId, values: &[Parity]) -> Parity {
        match values.get(id.index()) {
            Some(known) => known.clone(),
            None => values[self.shaped.graph.node(id).operands[0].index()].clone(),
        }
    }

    /// Flips reach what every repetition gives, through the carried streams too; the new axis is one of data.
    fn collect(&mut self, block: BlockId, x: &Parity, axis: usize) -> Parity {
        let stream = self.shaped.graph.block(block).carried.first().map(|carried| Flip::Carry(carried.carry));
        let mut axes = x.axes.clone();
        for group in axes.iter_mut().filter(|group| **group != NONE) {
            *group = self.number(self.groups[*group as usize].iter().copied().chain(stream).collect());
        }
        axes.insert(axis, NONE);
        Parity { axes, zero: x.zero }
    }

    /// A stream that is odd when it enters and when it comes round is odd in the carried streams of the block.
    fn join(&mut self, carry: NodeId, entered: &Parity, next: &Parity) -> Parity {
        let axes = entered.axes.iter().zip(&next.axes).map(|(a, b)| {
            if *a == NONE || *b == NONE {
                return NONE;
            }
            let mut flips: SmallVec<[Flip; 2]> = smallvec![Flip::Carry(carry)];
            flips.extend(self.groups[*a as usize].iter().copied());
            self.number(flips)
        });
        Parity { axes: axes.collect(), zero: entered.zero && next.zero }
    }
}

/// The growth of the axis with a label.
fn label_length(graph: &Graph, id: NodeId, einsum: &Einsum, label: Label) -> Monomial {
    let operands = &graph.node(id).operands;
    let found = (0..einsum.inputs.len()).find_map(|operand| Some((operand, einsum.axis(operand, label)?)));
    found.map_or_else(Monomial::one, |(operand, axis)| {
        graph.node(operands[operand]).shape[axis].powers.clone()
    })
}

fn mapped(func: Func, x: &Parity) -> Parity {
    let law = func.law();
    let zero = x.zero && law.zero_at_zero;
    match law.odd {
        true => Parity { axes: x.axes.clone(), zero },
        false => Parity { axes: smallvec![NONE; x.axes.len()], zero },
    }
}

fn without(x: &Parity, axis: usize) -> Parity {
    let mut axes = x.axes.clone();
    axes.remove(axis);
    Parity { axes, zero: x.zero }
}

fn window(x: &Parity, axis: usize) -> Parity {
    let mut axes = x.axes.clone();
    axes[axis] = NONE;
    axes.push(NONE);
    Parity { axes, zero: x.zero }
}

/// Flips of whole groups of entries are flips too: every part keeps them.
fn split(x: &Parity, axis: usize, parts: usize) -> Parity {
    let mut axes = x.axes.clone();
    let group = axes.remove(axis);
    axes.insert_many(axis, std::iter::repeat_n(group, parts));
    Parity { axes, zero: x.zero }
}

/// What flips every part flips the whole: along the joined axis too, as the halves that rotary positions turn and join again.
fn concat<'v>(parts: impl Iterator<Item = &'v Parity>) -> Parity {
    let parts: SmallVec<[&Parity; 2]> = parts.collect();
    let rank = parts.first().map_or(0, |part| part.axes.len());
    let common = |at: usize| {
        let group = parts[0].axes[at];
        if parts.iter().all(|part| part.axes[at] == group) { group } else { NONE }
    };
    Parity { axes: (0..rank).map(common).collect(), zero: parts.iter().all(|part| part.zero) }
}
