//! Operations that only move entries: transpositions, windows, entries of an axis, concatenations.

use smallvec::{SmallVec, smallvec};

use super::emit::Built;
use super::{BuildError, Building};
use crate::numeric::linear::{Linear, Part};
use crate::numeric::nest::{Loop, Nest, strides};
use crate::numeric::program::{Kernel, Value};

impl Building<'_> {
    /// The axes of the buffer in another order; the flag of the batch is the caller's to set.
    pub(super) fn turned(&mut self, value: &Value, order: &[usize]) -> Built {
        if order.iter().enumerate().all(|(at, axis)| at == *axis) {
            return Ok(value.clone());
        }
        let from = strides(&value.shape);
        let shape: SmallVec<[usize; 6]> = order.iter().map(|axis| value.shape[*axis]).collect();
        let to = strides(&shape);
        let loops = order.iter().enumerate().map(|(at, axis)| (shape[at], [to[at], from[*axis]]));
        let nest = Nest::new(loops, [0; 2]);
        self.moved(nest, true, value, shape, value.batched)
    }

    /// One operand along a nest.
    pub(super) fn moved(
        &mut self,
        nest: Nest<2>,
        covers: bool,
        value: &Value,
        shape: SmallVec<[usize; 6]>,
        batched: bool,
    ) -> Built {
        let parts = vec![Part { operand: 0, nest }];
        let kernel = Kernel::Linear(Linear { parts, factor: 1.0, covers });
        let out = self.emit(kernel, &[value], shape, batched)?;
        Ok(Value { scale: value.scale, ..out })
    }

    /// One entry of an axis (counted without the batch).
    pub(super) fn pick(&mut self, axis: usize, at: usize, value: &Value) -> Built {
        let axis = axis + usize::from(value.batched);
        let from = strides(&value.shape);
        let mut shape = value.shape.clone();
        shape.remove(axis);
        let to = strides(&shape);
        let kept = (0..value.shape.len()).filter(|own| *own != axis).enumerate();
        let loops: Vec<Loop<2>> = kept.map(|(out, own)| (shape[out], [to[out], from[own]])).collect();
        self.moved(Nest::new(loops, [0, at * from[axis]]), true, value, shape, value.batched)
    }

    /// Sliding windows: one part per place in the window, as far as it lies inside.
    pub(super) fn window(
        &mut self,
        axis: usize,
        size: usize,
        [stride, dilation, padding]: [usize; 3],
        shape: &[usize],
        value: &Value,
    ) -> Built {
        let axis = axis + usize::from(value.batched);
        let mut shape: SmallVec<[usize; 6]> = SmallVec::from_slice(shape);
        if value.batched {
            shape.insert(0, self.batch);
        }
        let (from, to) = (strides(&value.shape), strides(&shape));
        let (length, left) = (value.shape[axis], padding / 2);
        let mut parts = Vec::new();
        for place in 0..size {
            let reach = place * dilation;
            let first = left.saturating_sub(reach).div_ceil(stride);
            let end = (length + left).saturating_sub(reach).div_ceil(stride).min(shape[axis]);
            if end <= first {
                continue;
            }
            let mut loops: Vec<Loop<2>> =
                (0..value.shape.len()).map(|own| (value.shape[own], [to[own], from[own]])).collect();
            loops[axis] = (end - first, [to[axis], from[axis] * stride]);
            let base = [first * to[axis] + place, (first * stride + reach - left) * from[axis]];
            parts.push(Part { operand: 0, nest: Nest::new(loops, base) });
        }
        let points: usize = parts.iter().map(|part: &Part| part.nest.points()).sum();
        let covers = points == shape.iter().product::<usize>();
        let kernel = Kernel::Linear(Linear { parts, factor: 1.0, covers });
        let out = self.emit(kernel, &[value], shape, value.batched)?;
        Ok(Value { scale: value.scale, ..out })
    }

    /// Tensors one after another.
    pub(super) fn concat(&mut self, axis: usize, operands: &[Value]) -> Built {
        let mut parts = self.alike(operands)?;
        self.distinct(&mut parts)?;
        let batched = parts[0].batched;
        let axis = axis + usize::from(batched);
        let mut shape = parts[0].shape.clone();
        shape[axis] = parts.iter().map(|part| part.shape[axis]).sum();
        self.joined(&parts, axis, shape, |part| part.shape[axis])
    }

    /// Tensors side by side along a new axis.
    pub(super) fn stack(&mut self, axis: usize, entries: &[Value]) -> Built {
        let mut parts = self.alike(entries)?;
        for part in &mut parts {
            let axis = (axis + usize::from(part.batched)).min(part.shape.len());
            part.shape.insert(axis, 1);
        }
        self.distinct(&mut parts)?;
        let axis = (axis + usize::from(parts[0].batched)).min(parts[0].shape.len() - 1);
        let mut shape = parts[0].shape.clone();
        shape[axis] = parts.len();
        self.joined(&parts, axis, shape, |_| 1)
    }

    fn joined(
        &mut self,
        parts: &[Value],
        axis: usize,
        shape: SmallVec<[usize; 6]>,
        length: impl Fn(&Value) -> usize,
    ) -> Built {
        let to = strides(&shape);
        let mut start = 0;
        let mut own = Vec::new();
        for (operand, part) in parts.iter().enumerate() {
            let from = strides(&part.shape);
            let loops = (0..shape.len()).map(|at| (part.shape[at], [to[at], from[at]]));
            own.push(Part { operand, nest: Nest::new(loops.collect::<Vec<_>>(), [start * to[axis], 0]) });
            start += length(part);
        }
        let operands: Vec<&Value> = parts.iter().collect();
        let kernel = Kernel::Linear(Linear { parts: own, factor: 1.0, covers: true });
        let out = self.emit(kernel, &operands, shape, parts[0].batched)?;
        Ok(Value { scale: parts[0].scale, ..out })
    }

    /// The same factor for all, and a batch for all if one has it.
    fn alike(&mut self, values: &[Value]) -> Result<Vec<Value>, BuildError> {
        let batched = values.iter().any(|value| value.batched);
        let same = values.iter().all(|value| value.scale == values[0].scale);
        let mut found = Vec::new();
        for value in values {
            let value = if same { value.clone() } else { self.scaled(value)? };
            found.push(if batched && !value.batched { self.for_every_example(&value)? } else { value });
        }
        Ok(found)
    }

    /// Copies a tensor along the batch.
    pub(super) fn for_every_example(&mut self, value: &Value) -> Built {
        let mut shape = value.shape.clone();
        shape.insert(0, self.batch);
        let length: usize = value.shape.iter().product();
        let loops: SmallVec<[Loop<2>; 2]> = smallvec![(self.batch, [length, 0]), (length, [1, 1])];
        self.moved(Nest::new(loops, [0; 2]), true, value, shape, true)
    }
}
