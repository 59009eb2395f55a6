//! Operations that only move entries.

use super::{Axis, Building, Built, Known, Value};
use crate::graph::{NodeId, Op};
use crate::kernel::sparse::{Sparse, pick, placed, window};
use crate::rational::Rational;

impl Building<'_> {
    /// Windows, splits, merges, picks and steps of a scan; of weights, too.
    pub(super) fn rearranged(&mut self, id: NodeId) -> Built<Known> {
        let graph = self.graph;
        let node = graph.node(id);
        let lengths = self.lengths(&node.shape)?;
        if let Known::Weight(bare) = self.known(node.operands[0])? {
            let what = match &node.op {
                Op::Step { block, axis } => format!("step {axis} {}", self.unrolled.step[block.index()]),
                op => format!("{op:?}"),
            };
            let grows = node.shape.iter().map(|dim| !dim.is_finite());
            let axes = lengths.into_iter().zip(grows).collect();
            return Ok(Known::Weight(self.viewed(&bare, &what, axes)));
        }
        let value = self.value(node.operands[0])?;
        let made = match &node.op {
            Op::Window { axis, size, stride, dilation, padding } => {
                let size = self.length(size)?;
                let steps = [*stride, *dilation, *padding].map(whole);
                self.windowed(&value, *axis, size, steps, &lengths)?
            }
            Op::Split { axis, parts } => {
                let kind = value.axes[*axis];
                self.hold_plain(kind)?;
                let new = lengths[*axis..*axis + *parts].iter().map(|length| like(kind, *length));
                let mut axes = value.axes.clone();
                axes.splice(*axis..=*axis, new);
                Value { axes, ..value }
            }
            Op::Merge { axis, parts } => self.merged(&value, *axis, *parts)?,
            Op::Pick { axis, at } => {
                let length = value.axes[*axis].length() as i64;
                self.picked(&value, *axis, at.rem_euclid(length) as usize)?
            }
            Op::Step { block, axis } => self.picked(&value, *axis, self.unrolled.step[block.index()])?,
            _ => return Err(self.refuse("it is not a rearrangement")),
        };
        Ok(Known::Value(made))
    }

    fn windowed(
        &mut self,
        value: &Value,
        axis: usize,
        size: usize,
        steps: [usize; 3],
        lengths: &[usize],
    ) -> Built<Value> {
        self.hold_plain(value.axes[axis])?;
        let Some(place) = value.position(axis) else {
            return Err(self.refuse("a window slides along channels, whose order means nothing in the limit"));
        };
        let map = window(&value.shape(), place, size, steps, lengths[axis]);
        let mut axes = value.axes.clone();
        axes[axis] = Axis::Position(lengths[axis]);
        axes.push(Axis::Position(size));
        Ok(self.through(value, map, axes))
    }

    fn merged(&self, value: &Value, axis: usize, parts: usize) -> Built<Value> {
        let range = axis..axis + parts;
        let own = &value.axes[range.clone()];
        let positions: usize = own.iter().filter_map(|axis| axis.positions()).product();
        let channels: usize = own.iter().map(|axis| axis.channels()).product();
        let new = match (own.iter().any(|axis| axis.has_channels()), positions) {
            (false, _) => Axis::Position(positions),
            (true, 1) => Axis::Channel(channels),
            (true, _) => Axis::Flat(positions, channels),
        };
        let mut axes = value.axes.clone();
        axes.splice(range, [new]);
        Ok(Value { axes, ..value.clone() })
    }

    fn picked(&mut self, value: &Value, axis: usize, at: usize) -> Built<Value> {
        self.hold_plain(value.axes[axis])?;
        let mut axes = value.axes.clone();
        axes.remove(axis);
        let Some(place) = value.position(axis) else {
            if self.is_fixed(value) {
                return Ok(Value { axes, ..value.clone() });
            }
            return Err(self.refuse("it picks one of the channels, which are all alike in the limit"));
        };
        let map = pick(&value.shape(), place, at);
        Ok(self.through(value, map, axes))
    }

    /// What is flattened can only be mapped entry by entry, and read by a weight.
    fn hold_plain(&self, axis: Axis) -> Built<()> {
        match axis {
            Axis::Flat(..) => Err(self.refuse("it takes apart an axis that holds positions and channels")),
            Axis::Channel(_) | Axis::Position(_) => Ok(()),
        }
    }

    /// Tensors one after another.
    pub(super) fn concat(&mut self, id: NodeId, axis: usize) -> Built<Value> {
        let operands = self.graph.node(id).operands.clone();
        let values = operands.iter().map(|own| self.value(*own)).collect::<Built<Vec<Value>>>()?;
        self.hold_plain(values[0].axes[axis])?;
        let Some(place) = values[0].position(axis) else {
            return Err(self
                .refuse("it joins channels of different tensors, which are not alike")
                .with_help("add the tensors in place of joining them"));
        };
        let whole = values.iter().map(|value| value.axes[axis].length()).sum();
        let mut start = 0;
        let mut terms = Vec::new();
        let mut axes = values[0].axes.clone();
        axes[axis] = Axis::Position(whole);
        for value in &values {
            if value.axes.iter().zip(&axes).enumerate().any(|(at, (own, other))| at != axis && own != other) {
                return Err(self.refuse("it joins tensors whose axes differ in kind"));
            }
            let map: Sparse = placed(&value.shape(), place, start, whole);
            terms.push(self.through(value, map, axes.clone()).term);
            start += value.axes[axis].length();
        }
        Ok(self.sum(terms, axes))
    }
}

fn like(kind: Axis, length: usize) -> Axis {
    match kind {
        Axis::Channel(_) => Axis::Channel(length),
        Axis::Position(_) | Axis::Flat(..) => Axis::Position(length),
    }
}

fn whole(value: Rational) -> usize {
    value.to_integer().and_then(|value| usize::try_from(value).ok()).unwrap_or(1)
}
