//! Repetitions, one after another; parameters and streams.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Axis, Bare, Building, Built, Known, Value};
use crate::graph::{BlockId, NodeId, Op, ParamId};
use crate::kernel::node::{Kind, Term};
use crate::kernel::sparse::placed;

impl Building<'_> {
    /// Walks a range of nodes of the body of `inside`.
    pub(super) fn run(&mut self, range: Range<u32>, inside: Option<BlockId>) -> Built<()> {
        let mut at = range.start;
        let mut done: Vec<BlockId> = Vec::new();
        loop {
            if let Some(block) = self.next_block(at, inside, &done) {
                self.repeat(block)?;
                done.push(block);
                at = self.graph.block(block).nodes.end.max(at);
            } else if at < range.end {
                self.node(NodeId::new(at as usize))?;
                at += 1;
            } else {
                return Ok(());
            }
        }
    }

    fn next_block(&self, at: u32, inside: Option<BlockId>, done: &[BlockId]) -> Option<BlockId> {
        let ids = (0..self.graph.blocks.len() as u32).map(BlockId);
        let mut found = ids.filter(|id| {
            let block = self.graph.block(*id);
            block.nodes.start == at && block.parent == inside && !done.contains(id)
        });
        found.next()
    }

    fn repeat(&mut self, id: BlockId) -> Built<()> {
        let graph = self.graph;
        let block = graph.block(id);
        let collects =
            |node: &NodeId| matches!(graph.node(*node).op, Op::Collect { block, .. } if block == id);
        let collectors: Vec<NodeId> = graph.ids().filter(collects).collect();
        collectors.iter().for_each(|node| drop(self.collected.insert(*node, Vec::new())));
        for step in 0..self.length(&block.count)? {
            self.step[id.index()] = step;
            self.run(block.nodes.clone(), Some(id))?;
            let ends: Vec<_> =
                block.carried.iter().map(|own| (own.carry, self.known[own.next.index()].clone())).collect();
            self.previous.extend(ends.into_iter().filter_map(|(carry, known)| Some((carry, known?))));
            for node in &collectors {
                let entry = self.known[graph.node(*node).operands[0].index()].clone();
                self.collected.entry(*node).or_default().extend(entry);
            }
        }
        Ok(())
    }

    /// The value that a stream has at the start of a repetition.
    pub(super) fn carried(&mut self, carry: NodeId, block: BlockId) -> Built<Known> {
        let enter = self.graph.node(carry).operands[0];
        match (self.step[block.index()], self.previous.get(&carry)) {
            (1.., Some(previous)) => Ok(previous.clone()),
            _ => self.known(enter),
        }
    }

    /// A parameter as it is declared.
    pub(super) fn bare(&self, param: ParamId) -> Built<Bare> {
        let declared = self.graph.param(param);
        let mut repetition = SmallVec::new();
        let mut at = self.graph.block_of(declared.scope);
        while let Some(id) = at {
            let block = self.graph.block(id);
            if !block.shared {
                repetition.push(self.step[id.index()]);
            }
            at = block.parent;
        }
        let lengths = self.lengths(&declared.shape)?;
        let own = lengths.into_iter().zip(&declared.shape).enumerate();
        let axes = own.map(|(at, (length, dim))| (at, length, !dim.is_finite())).collect();
        Ok(Bare { param, repetition, view: String::new(), axes })
    }

    /// What every repetition gives, along a new axis of positions.
    pub(super) fn stacked(&mut self, id: NodeId, axis: usize) -> Built<Value> {
        let entries = self.collected.get(&id).cloned().unwrap_or_default();
        let count = entries.len();
        let mut terms = Vec::new();
        let mut axes: Vec<Axis> = Vec::new();
        for (at, entry) in entries.into_iter().enumerate() {
            let Known::Value(value) = entry else {
                return Err(self.refuse("it stacks weights"));
            };
            axes = value.axes.clone();
            axes.insert(axis, Axis::Position(1));
            let value = Value { axes: axes.clone(), ..value };
            let place = value.position(axis).unwrap_or(0);
            let map = placed(&value.shape(), place, at, count);
            axes[axis] = Axis::Position(count);
            let moved = self.through(&value, map, axes.clone());
            terms.push(moved.term);
        }
        Ok(self.sum(terms, axes))
    }

    /// The sum of terms that are lined up.
    pub(super) fn sum(&mut self, terms: Vec<Term>, axes: Vec<Axis>) -> Value {
        let mut terms: Vec<Term> = terms.into_iter().filter(|term| term.factor != 0.0).collect();
        if terms.is_empty() {
            return self.uniform(0.0, axes);
        }
        if terms.len() == 1 {
            return Value { term: terms.remove(0), axes };
        }
        let fixed = terms.iter().all(|term| self.nodes[term.node].is_fixed());
        let kind = match fixed {
            true => Kind::Fixed(crate::kernel::node::Fixed::Sum(terms)),
            false => Kind::Sum(terms),
        };
        self.fresh(kind, axes)
    }

    /// A bare weight behind a rearrangement that is not a transposition: another view, with axes counted anew.
    pub(super) fn viewed(&self, bare: &Bare, what: &str, axes: Vec<(usize, bool)>) -> Bare {
        let view =
            format!("{}{what}{:?};", bare.view, bare.axes.iter().map(|axis| axis.0).collect::<Vec<_>>());
        let axes = axes.into_iter().enumerate().map(|(at, (length, grows))| (at, length, grows)).collect();
        Bare { view, axes, ..bare.clone() }
    }

    /// A map behind a value's own, shared.
    pub(super) fn composed(value: &Value, map: crate::kernel::sparse::Sparse) -> Term {
        let composed = value.term.map.as_ref().map_or_else(|| map.clone(), |inner| map.after(inner));
        let map = (!composed.is_identity()).then(|| Arc::new(composed));
        Term { map, ..value.term.clone() }
    }
}
