//! Normalizations, softmax, masks and tables.

use super::{Axis, Building, Built, Known, Value};
use crate::graph::{Einsum, NodeId, Norm};
use crate::kernel::node::{Fixed, Kind, Term};
use crate::kernel::sparse::along;
use crate::numeric::rows::Along;

impl Building<'_> {
    pub(super) fn normalize(&mut self, id: NodeId, norm: Norm, axes: &[usize]) -> Built<Value> {
        let value = self.value(self.graph.node(id).operands[0])?;
        if norm == Norm::Batch {
            return Err(self.refuse("batch normalization makes examples depend on each other, which a kernel of pairs cannot say")
                .with_help("use `layer_norm` in its place"));
        }
        if self.is_fixed(&value) {
            let [axis] = axes else { return Err(self.refuse("it normalizes an input over several axes")) };
            let along = if norm == Norm::Rms { Along::Rms } else { Along::Standardize };
            return self.along_axis(&value, *axis, along);
        }
        let left_out =
            value.axes.iter().enumerate().any(|(at, axis)| axis.has_channels() && !axes.contains(&at));
        if left_out || !value.channels() {
            return Err(
                self.refuse("it normalizes each channel by itself, so that what it divides by stays random")
            );
        }
        let argument = self.whole(&value);
        let shape = value.shape();
        let together: Vec<bool> = (0..value.axes.len())
            .filter(|at| value.position(*at).is_some())
            .map(|at| axes.contains(&at))
            .collect();
        let group = |flat: usize| {
            let (mut rest, mut number, mut stride) = (flat, 0, 1);
            for (length, together) in shape.iter().zip(&together).rev() {
                if !together {
                    number += rest % length * stride;
                    stride *= length;
                }
                rest /= length;
            }
            number as u32
        };
        let groups = (0..shape.iter().product()).map(group).collect();
        let centred = norm == Norm::Standardize;
        Ok(self.fresh(Kind::Normalized { argument, centred, groups }, value.axes))
    }

    pub(super) fn softmax(&mut self, id: NodeId, axis: usize, log: bool) -> Built<Value> {
        let value = self.value(self.graph.node(id).operands[0])?;
        if !self.is_fixed(&value) {
            return self.random_softmax(&value, axis, log);
        }
        self.along_axis(&value, axis, if log { Along::LogSoftmax } else { Along::Softmax })
    }

    pub(super) fn causal(&mut self, id: NodeId) -> Built<Value> {
        let value = self.value(self.graph.node(id).operands[0])?;
        let rank = value.axes.len();
        let (Axis::Position(queries), Axis::Position(_)) = (value.axes[rank - 2], value.axes[rank - 1])
        else {
            return Err(self.refuse("it masks an axis of channels"));
        };
        if !self.is_fixed(&value) {
            return self.random_causal(&value);
        }
        self.along_axis(&value, rank - 1, Along::Causal { queries })
    }

    /// An operation along an axis of what is fixed.
    fn along_axis(&mut self, value: &Value, axis: usize, along_it: Along) -> Built<Value> {
        let Some(place) = value.position(axis) else {
            return Err(self.refuse("it goes along an axis of channels, which are all alike in the limit"));
        };
        if !self.is_fixed(value) {
            return Err(self.refuse("it acts on random scores, for which there is no closed form"));
        }
        let shape = value.shape();
        let order: Vec<usize> = (0..shape.len()).filter(|own| *own != place).chain([place]).collect();
        let turned: Vec<usize> = order.iter().map(|own| shape[*own]).collect();
        let back: Vec<usize> =
            (0..shape.len()).map(|own| order.iter().position(|at| *at == own).unwrap_or(0)).collect();
        let term = Building::composed(value, along(&shape, &turned, &back));
        let length = shape[place];
        let made = self.fresh(
            Kind::Fixed(Fixed::Rows(along_it, length, term)),
            turned.iter().map(|own| Axis::Position(*own)).collect(),
        );
        let back = along(&turned, &shape, &order);
        Ok(self.through(&made, back, value.axes.clone()))
    }

    pub(super) fn lookup(&mut self, id: NodeId, axis: usize, einsum: &Einsum) -> Built<Value> {
        let operands = self.graph.node(id).operands.clone();
        let numbers = self.value(operands[1])?;
        let Known::Weight(bare) = self.known(operands[0])? else {
            return Err(self.refuse("it reads entries of something that is not a parameter"));
        };
        if !self.is_fixed(&numbers) {
            return Err(self.refuse("it reads rows by numbers that are random"));
        }
        let labels = &einsum.inputs[0];
        let mut axes = Vec::new();
        for label in &einsum.output {
            let own = labels.iter().enumerate().find(|(at, own)| *at != axis && *own == label);
            let from = einsum.axis(1, *label).map(|at| numbers.axes[at]);
            match (own, from) {
                (Some((at, _)), None) => axes.push(Axis::Channel(bare.axes[at].1)),
                (None, Some(kind)) => axes.push(kind),
                _ => return Err(self.refuse("every position reads a table of its own")),
            }
        }
        let order: Vec<usize> = einsum.output.iter().filter_map(|label| einsum.axis(1, *label)).collect();
        let shape = numbers.shape();
        let to: Vec<usize> = order.iter().map(|at| shape[*at]).collect();
        let back: Vec<usize> =
            (0..shape.len()).map(|own| order.iter().position(|at| *at == own).unwrap_or(0)).collect();
        let term: Term = Building::composed(&numbers, along(&shape, &to, &back));
        let weight = self.weight(&bare, &format!("rows {axis}"), 1.0, 1.0)?;
        if weight.constant.is_some_and(|value| value != 0.0) {
            return Err(self.refuse("the table starts with one number everywhere"));
        }
        Ok(self.fresh(Kind::Table { weight, numbers: term }, axes))
    }
}
