//! Operations with labelled axes: products, sums, lookups.

use smallvec::{SmallVec, smallvec};

use super::Building;
use super::emit::{Built, whole};
use crate::graph::{Einsum, Label, NodeId};
use crate::numeric::contraction::{Axes, Contraction};
use crate::numeric::nest::{Loop, Nest, strides};
use crate::numeric::picking::Lookup;
use crate::numeric::pointwise::{Access, Link};
use crate::numeric::program::{Kernel, Outer, Product, Source, Value};

/// The label of the batch: no einsum has so many.
const BATCH: Label = Label::MAX;

/// The labels of a value's axes with their lengths.
fn axes(value: &Value, labels: &[Label]) -> Axes {
    let batch = value.batched.then_some(BATCH);
    batch.into_iter().chain(labels.iter().copied()).zip(value.shape.iter().copied()).collect()
}

fn has(axes: &Axes, label: Label) -> bool {
    axes.iter().any(|(own, _)| *own == label)
}

fn shape_of(axes: &Axes) -> SmallVec<[usize; 6]> {
    axes.iter().map(|(_, length)| *length).collect()
}

/// How far a tensor moves per step of a label.
fn step_of(axes: &Axes, label: Label) -> usize {
    let steps = strides(&shape_of(axes));
    axes.iter().position(|(own, _)| *own == label).map_or(0, |at| steps[at])
}

/// How an operand lies along the result if its axes are neighbours there and in the same order.
fn access(operand: &Axes, out: &Axes) -> Option<Access> {
    let own: SmallVec<[(Label, usize); 6]> =
        operand.iter().filter(|(_, length)| *length > 1).copied().collect();
    let all: SmallVec<[(Label, usize); 6]> = out.iter().filter(|(_, length)| *length > 1).copied().collect();
    let Some(first) = own.first() else { return Some(Access { every: out_length(out), of: 1 }) };
    let start = all.iter().position(|axis| axis == first)?;
    let fits = all.get(start..start + own.len())? == own.as_slice();
    let every = all[start + own.len()..].iter().map(|(_, length)| length).product();
    let of = own.iter().map(|(_, length)| length).product();
    fits.then_some(Access { every, of })
}

impl Building<'_> {
    /// The result's axes: the batch if an operand has it, then the labels of the einsum.
    fn result(&self, einsum: &Einsum, operands: &[Axes]) -> Axes {
        let length = |label: Label| {
            let found = operands.iter().flatten().find(|(own, _)| *own == label);
            found.map_or(1, |(_, length)| *length)
        };
        let batch = operands.iter().any(|axes| has(axes, BATCH)).then_some(BATCH);
        batch.into_iter().chain(einsum.output.iter().copied()).map(|label| (label, length(label))).collect()
    }

    /// A product of one or two tensors with sums.
    pub(super) fn contract(
        &mut self,
        einsum: &Einsum,
        factor: f64,
        operands: &[Value],
        _id: NodeId,
    ) -> Built {
        let own: Vec<Axes> =
            operands.iter().zip(&einsum.inputs).map(|(value, labels)| axes(value, labels)).collect();
        let out = self.result(einsum, &own);
        let value = match operands {
            [only] => self.reduced(only, &own[0], &out)?,
            _ => self.product(operands, &own, &out, factor)?,
        };
        match operands.len() {
            1 => Ok(Value { scale: value.scale * factor, ..value }),
            _ => Ok(value),
        }
    }

    /// Sums, transposes or broadcasts one tensor to the given axes.
    fn reduced(&mut self, value: &Value, own: &Axes, out: &Axes) -> Built {
        let batched = has(out, BATCH);
        if own == out {
            return Ok(value.clone());
        }
        let mut labels = out.clone();
        labels.extend(own.iter().filter(|(label, _)| !has(out, *label)).copied());
        let covers = labels[out.len()..].iter().all(|(_, length)| *length == 1);
        let loops: Vec<Loop<2>> = labels
            .iter()
            .map(|(label, length)| (*length, [step_of(out, *label), step_of(own, *label)]))
            .collect();
        self.moved(Nest::new(loops, [0; 2]), covers, value, shape_of(out), batched)
    }

    fn product(&mut self, operands: &[Value], own: &[Axes], out: &Axes, factor: f64) -> Built {
        let mut values: Vec<Value> = Vec::new();
        let mut axes: Vec<Axes> = Vec::new();
        for at in 0..2 {
            // Labels that nothing else has are summed beforehand.
            let kept: Axes = own[at]
                .iter()
                .filter(|(label, _)| has(out, *label) || has(&own[1 - at], *label))
                .copied()
                .collect();
            values.push(self.reduced(&operands[at], &own[at], &kept)?);
            axes.push(kept);
        }
        let factor = factor * values[0].scale * values[1].scale;
        let sums = axes[0].iter().any(|(label, length)| *length > 1 && !has(out, *label));
        let elementwise = [0, 1].into_iter().find(|at| shape_is(&axes[*at], out)).filter(|_| !sums);
        if let Some(first) = elementwise {
            return self.multiplied(&values, &axes, first, out, factor);
        }
        let product = Product {
            forward: Contraction::new(&axes[0], &axes[1], out),
            backward: [Contraction::new(out, &axes[1], &axes[0]), Contraction::new(out, &axes[0], &axes[1])],
            factor,
            outer: [0, 1].map(|at| {
                let plain = values[at].source == Source::Weights && values[1 - at].batched;
                plain.then(|| outer(&axes[at], &axes[1 - at], out)).flatten().map(Box::new)
            }),
        };
        let kernel = Kernel::Product(Box::new(product));
        self.emit(kernel, &[&values[0], &values[1]], shape_of(out), has(out, BATCH))
    }

    /// An elementwise product; operand `first` has the shape of the result.
    fn multiplied(
        &mut self,
        values: &[Value],
        axes: &[Axes],
        first: usize,
        out: &Axes,
        factor: f64,
    ) -> Built {
        let mut pair = [values[first].clone(), values[1 - first].clone()];
        let access = match access(&axes[1 - first], out) {
            Some(access) => access,
            None => {
                pair[1] = self.reduced(&pair[1], &axes[1 - first], out)?;
                whole(&pair[1].shape)
            }
        };
        self.distinct(&mut pair)?;
        let value =
            self.chain(smallvec![Link::Multiply { operand: 1, access, factor }], &[&pair[0], &pair[1]])?;
        Ok(Value { shape: shape_of(out), batched: has(out, BATCH), ..value })
    }

    /// A sum, each operand with its factor.
    pub(super) fn add(&mut self, id: NodeId, einsum: &Einsum, operands: &[Value]) -> Built {
        let own: Vec<Axes> =
            operands.iter().zip(&einsum.inputs).map(|(value, labels)| axes(value, labels)).collect();
        let out = self.result(einsum, &own);
        let factors: Vec<f64> =
            (0..operands.len()).map(|at| operands[at].scale * self.setting.branch(id, at)).collect();
        let first = own.iter().position(|axes| shape_is(axes, &out));
        let mut values = operands.to_vec();
        let first = match first {
            Some(first) => first,
            None => {
                values[0] = self.reduced(&values[0], &own[0], &out)?;
                0
            }
        };
        let order: Vec<usize> =
            std::iter::once(first).chain((0..values.len()).filter(|at| *at != first)).collect();
        let mut accesses = Vec::new();
        for at in &order[1..] {
            accesses.push(match access(&own[*at], &out) {
                Some(access) => access,
                None => {
                    values[*at] = self.reduced(&values[*at], &own[*at], &out)?;
                    whole(&values[*at].shape)
                }
            });
        }
        let mut ordered: Vec<Value> = order.iter().map(|at| values[*at].clone()).collect();
        self.distinct(&mut ordered)?;
        let mut links: SmallVec<[Link; 4]> = SmallVec::new();
        if factors[first] != 1.0 {
            links.push(Link::Scale(factors[first]));
        }
        for (place, access) in accesses.into_iter().enumerate() {
            links.push(Link::Add { operand: place + 1, access, factor: factors[order[place + 1]] });
        }
        let references: Vec<&Value> = ordered.iter().collect();
        let value = self.chain(links, &references)?;
        Ok(Value { shape: shape_of(&out), batched: has(&out, BATCH), ..value })
    }

    /// Entries of a table.
    pub(super) fn lookup(&mut self, axis: usize, einsum: &Einsum, operands: &[Value]) -> Built {
        let (table, numbers) = (&operands[0], self.scaled(&operands[1])?);
        let own: Vec<Axes> = [table, &numbers]
            .into_iter()
            .zip(&einsum.inputs)
            .map(|(value, labels)| axes(value, labels))
            .collect();
        let out = self.result(einsum, &own);
        let picked = axis + usize::from(table.batched);
        let loops: Vec<Loop<3>> = out
            .iter()
            .map(|(label, length)| {
                (*length, [step_of(&out, *label), step_of(&own[0], *label), step_of(&own[1], *label)])
            })
            .collect();
        let (length, stride) = (table.shape[picked], strides(&table.shape)[picked]);
        let kernel = Kernel::Lookup(Lookup { nest: Nest::new(loops, [0; 3]), stride, length });
        let numbers = Value { gradient: false, ..numbers };
        let value = self.emit(kernel, &[table, &numbers], shape_of(&out), has(&out, BATCH))?;
        Ok(Value { scale: table.scale, ..value })
    }
}

/// The gradient of a weight as outer products; none if it shares an axis with both the result and the other operand.
fn outer(weight: &Axes, other: &Axes, out: &Axes) -> Option<Outer> {
    if weight.iter().any(|(label, length)| *length > 1 && has(out, *label) && has(other, *label)) {
        return None;
    }
    let of = |keep: &dyn Fn(Label) -> bool, axes: &Axes| -> Axes {
        axes.iter().filter(|(label, _)| keep(*label)).copied().collect()
    };
    let positions = of(&|label| has(other, label), out);
    let columns = of(&|label| has(other, label) && !has(out, label), weight);
    let rows = of(&|label| has(out, label) && !has(other, label), weight);
    let packed = |features: &Axes, tensor: &Axes| {
        let order: Axes = positions.iter().chain(features).copied().collect();
        let loops: Vec<Loop<2>> = order
            .iter()
            .map(|(label, length)| (*length, [step_of(&order, *label), step_of(tensor, *label)]))
            .collect();
        Nest::new(loops, [0; 2])
    };
    let count = |axes: &Axes| axes.iter().map(|(_, length)| length).product();
    let summed = (0..weight.len()).filter(|at| has(&columns, weight[*at].0)).collect();
    Some(Outer {
        positions: count(&positions),
        columns: count(&columns),
        rows: count(&rows),
        summed,
        read: packed(&columns, other),
        given: packed(&rows, out),
    })
}

/// Whether a tensor has exactly the axes of the result, in order.
fn shape_is(axes: &Axes, out: &Axes) -> bool {
    axes == out
}

/// How many entries a result has.
fn out_length(out: &Axes) -> usize {
    out.iter().map(|(_, length)| length).product::<usize>().max(1)
}
