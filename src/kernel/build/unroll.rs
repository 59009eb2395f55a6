//! Repetitions, one after another; parameters and streams.

use std::sync::Arc;

use super::{Axis, Bare, Building, Built, Known, Value};
use crate::dim::Dim;
use crate::graph::unroll::{Unroll, Unrolled};
use crate::graph::{BlockId, Graph, NodeId, ParamId};
use crate::kernel::NoLimit;
use crate::kernel::node::{Kind, Term};
use crate::kernel::sparse::placed;

impl<'a> Unroll<'a> for Building<'a> {
    type Value = Known;
    type Error = NoLimit;

    fn graph(&self) -> &'a Graph {
        self.graph
    }

    fn state(&mut self) -> &mut Unrolled<Known> {
        &mut self.unrolled
    }

    fn length(&self, count: &Dim) -> Built<usize> {
        Building::length(self, count)
    }

    fn node(&mut self, id: NodeId) -> Built<()> {
        Building::node(self, id)
    }
}

impl Building<'_> {
    /// The value that a stream has at the start of a repetition.
    pub(super) fn carried(&mut self, carry: NodeId, block: BlockId) -> Built<Known> {
        let enter = self.graph.node(carry).operands[0];
        self.unrolled.carried(carry, block).map_or_else(|| self.known(enter), Ok)
    }

    /// A parameter as it is declared.
    pub(super) fn bare(&self, param: ParamId) -> Built<Bare> {
        let declared = self.graph.param(param);
        let repetition = self.unrolled.repetition_of(self.graph, param);
        let lengths = self.lengths(&declared.shape)?;
        let own = lengths.into_iter().zip(&declared.shape).enumerate();
        let axes = own.map(|(at, (length, dim))| (at, length, !dim.is_finite())).collect();
        Ok(Bare { param, repetition, view: String::new(), axes })
    }

    /// What every repetition gives, along a new axis of positions.
    pub(super) fn stacked(&mut self, id: NodeId, axis: usize) -> Built<Value> {
        let entries = self.unrolled.collected.get(&id).cloned().unwrap_or_default();
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
