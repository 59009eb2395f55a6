//! Sums, factors and products of tensors that are no weights.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Axis, Building, Built, Known, Value};
use crate::graph::{Einsum, Label, Multiplier, NodeId};
use crate::kernel::node::{Fixed, Kind, Term};
use crate::kernel::sparse::{Sparse, along};
use crate::rational::Rational;

/// Labels with their axes.
pub(super) type Labelled = Vec<(Label, Axis)>;

pub(super) fn positions(labelled: &Labelled) -> Vec<(Label, usize)> {
    labelled.iter().filter_map(|(label, axis)| Some((*label, axis.positions()?))).collect()
}

pub(super) fn size(order: &[(Label, usize)]) -> usize {
    order.iter().map(|(_, length)| length).product()
}

impl Building<'_> {
    pub(super) fn scaled(&mut self, id: NodeId, multiplier: &Multiplier) -> Built<Value> {
        let value = self.value(self.graph.node(id).operands[0])?;
        let factor = self.factor(multiplier);
        Ok(Value { term: Term { factor: value.term.factor * factor, ..value.term }, ..value })
    }

    /// The axes that values agree on, label by label. Numbers that are the same everywhere agree with everything.
    fn agreed(
        &self,
        labels: &[Label],
        values: &[(&[Label], &Value)],
        lengths: &dyn Fn(Label) -> usize,
    ) -> Built<Labelled> {
        let mut agreed = Vec::new();
        for label in labels {
            let mut kind: Option<Axis> = None;
            for (own, value) in values.iter().filter(|(_, value)| value.term.node != 0) {
                let Some(axis) = own.iter().position(|other| other == label).map(|at| value.axes[at]) else {
                    continue;
                };
                // What is fixed has positions, or is the same along channels.
                let free = self.is_fixed(value) && matches!(axis, Axis::Channel(_));
                match kind {
                    Some(known) if known != axis && !free => {
                        return Err(self.refuse(
                            "one operand varies along an axis that holds exchangeable channels of another",
                        ));
                    }
                    None if !free => kind = Some(axis),
                    _ => {}
                }
            }
            let length = lengths(*label);
            let uniform = || {
                values.iter().find_map(|(own, value)| {
                    own.iter().position(|other| other == label).map(|at| value.axes[at])
                })
            };
            agreed.push((*label, kind.or_else(uniform).unwrap_or(Axis::Position(length))));
        }
        Ok(agreed)
    }

    /// A value read at the positions of some labels.
    pub(super) fn lined_up(&self, value: &Value, labels: &[Label], order: &[(Label, usize)]) -> Term {
        let to: Vec<usize> = order.iter().map(|(_, length)| *length).collect();
        let rows = to.iter().product();
        if value.term.node == 0 {
            return self.uniform(value.term.factor, vec![Axis::Position(rows)]).term;
        }
        let place = |label: &Label| order.iter().position(|(own, _)| own == label);
        let own = labels.iter().enumerate().filter(|(axis, _)| value.position(*axis).is_some());
        let axes: Vec<usize> = own.filter_map(|(_, label)| place(label)).collect();
        Building::composed(value, along(&value.shape(), &to, &axes))
    }

    pub(super) fn add(&mut self, id: NodeId, einsum: &Einsum) -> Built<Value> {
        let graph = self.graph;
        let operands = graph.node(id).operands.clone();
        let lengths = self.lengths(&graph.node(id).shape)?;
        let length =
            |label: Label| einsum.output.iter().position(|own| *own == label).map_or(1, |at| lengths[at]);
        let known = operands.iter().map(|own| self.known(*own)).collect::<Built<Vec<Known>>>()?;
        let own: Vec<(&[Label], &Value)> = known
            .iter()
            .zip(&einsum.inputs)
            .filter_map(
                |(known, labels)| {
                    if let Known::Value(value) = known { Some((&labels[..], value)) } else { None }
                },
            )
            .collect();
        let mut agreed = self.agreed(&einsum.output, &own, &length)?;
        // A parameter alone says nothing of its axes but that they grow.
        let bare = |label: &Label| {
            known.iter().zip(&einsum.inputs).any(|(known, labels)| match known {
                Known::Weight(bare) => {
                    labels.iter().zip(&bare.axes).any(|(own, axis)| own == label && axis.2)
                }
                Known::Value(_) => false,
            })
        };
        for (label, axis) in &mut agreed {
            if !own.iter().any(|(labels, _)| labels.contains(label)) && bare(label) {
                *axis = Axis::Channel(axis.length());
            }
        }
        let order = positions(&agreed);
        let mut terms = Vec::new();
        for (known, labels) in known.into_iter().zip(&einsum.inputs) {
            let value = match known {
                Known::Value(value) => value,
                Known::Weight(bare) => {
                    let axis =
                        |label: &Label| agreed.iter().find(|(own, _)| own == label).map(|(_, axis)| *axis);
                    let axes = labels.iter().filter_map(axis).collect();
                    self.vector(&bare, axes)?
                }
            };
            self.hold_own_channels(&value, labels, &agreed)?;
            terms.push(self.lined_up(&value, labels, &order));
        }
        let axes = agreed.into_iter().map(|(_, axis)| axis).collect();
        Ok(self.sum(terms, axes))
    }

    /// A random number that every channel shares would keep channels dependent.
    fn hold_own_channels(&self, value: &Value, labels: &[Label], agreed: &Labelled) -> Built<()> {
        let shares = |(label, axis): &(Label, Axis)| axis.has_channels() && !labels.contains(label);
        if !self.is_fixed(value) && agreed.iter().any(shares) {
            return Err(
                self.refuse("one random number is shared by all channels, so they do not become independent")
            );
        }
        Ok(())
    }

    /// One operand: a sum over some axes, a transposition.
    pub(super) fn reduced(&mut self, value: &Value, einsum: &Einsum, factor: f64) -> Built<Value> {
        let labelled: Labelled = einsum.inputs[0].iter().copied().zip(value.axes.iter().copied()).collect();
        let mut factor = factor;
        for (label, axis) in &labelled {
            if !einsum.output.contains(label) && axis.has_channels() {
                if !self.is_fixed(value) {
                    return Err(self.refuse("it sums channels without weights of their own"));
                }
                factor *= axis.channels() as f64;
            }
        }
        let from = positions(&labelled);
        let axes: Labelled = einsum
            .output
            .iter()
            .filter_map(|label| labelled.iter().find(|(own, _)| own == label).copied())
            .collect();
        let map = summing(&from, &positions(&axes));
        let value = Value {
            term: Term { factor: value.term.factor * factor, ..value.term.clone() },
            ..value.clone()
        };
        Ok(self.through(&value, map, axes.into_iter().map(|(_, axis)| axis).collect()))
    }

    /// Two operands, neither a weight.
    pub(super) fn multiplied(
        &mut self,
        id: NodeId,
        values: [Value; 2],
        einsum: &Einsum,
        multiplier: &Multiplier,
    ) -> Built<Value> {
        let factor = self.factor(multiplier);
        match (self.is_fixed(&values[0]), self.is_fixed(&values[1])) {
            _ if values.iter().any(|value| self.is_pattern(value)) => {
                self.attended(id, &values, einsum, factor)
            }
            (true, true) => self.fixed_product(&values, einsum, factor),
            (true, false) => self.mixed((&values[0], 0), (&values[1], 1), einsum, factor),
            (false, true) => self.mixed((&values[1], 1), (&values[0], 0), einsum, factor),
            (false, false) if einsum.contracted().is_empty() => self.product(values, einsum, factor),
            (false, false) => self.average(id, values, einsum, multiplier),
        }
    }

    pub(super) fn both(&self, values: &[Value; 2], einsum: &Einsum) -> Built<(Labelled, Labelled)> {
        let own = [(&einsum.inputs[0][..], &values[0]), (&einsum.inputs[1][..], &values[1])];
        let length = |label: Label| {
            let find = |(labels, value): &(&[Label], &Value)| {
                labels.iter().position(|own| *own == label).map(|at| value.axes[at].length())
            };
            own.iter().find_map(find).unwrap_or(1)
        };
        Ok((self.agreed(&einsum.output, &own, &length)?, self.agreed(&einsum.contracted(), &own, &length)?))
    }

    fn fixed_product(&mut self, values: &[Value; 2], einsum: &Einsum, factor: f64) -> Built<Value> {
        let (output, summed) = self.both(values, einsum)?;
        let channels: usize = summed.iter().map(|(_, axis)| axis.channels()).product();
        let all: Vec<(Label, usize)> = positions(&output).into_iter().chain(positions(&summed)).collect();
        let terms = [0, 1].map(|at| self.lined_up(&values[at], &einsum.inputs[at], &all));
        let [mut left, right] = terms;
        left.factor *= factor * channels as f64;
        let sum = Arc::new(summing(&all, &positions(&output)));
        let axes = output.into_iter().map(|(_, axis)| axis).collect();
        Ok(self.fresh(Kind::Fixed(Fixed::Product(left, right, sum)), axes))
    }

    /// A fixed tensor times a random one: every point mixes positions in its own way.
    fn mixed(
        &mut self,
        (fixed, fixed_at): (&Value, usize),
        (random, random_at): (&Value, usize),
        einsum: &Einsum,
        factor: f64,
    ) -> Built<Value> {
        let values =
            if fixed_at == 0 { [fixed.clone(), random.clone()] } else { [random.clone(), fixed.clone()] };
        let (output, summed) = self.both(&values, einsum)?;
        if summed.iter().any(|(_, axis)| axis.has_channels()) {
            return Err(self.refuse("it sums channels without weights of their own"));
        }
        self.hold_own_channels(random, &einsum.inputs[random_at], &output)?;
        let inner: Labelled =
            einsum.inputs[random_at].iter().copied().zip(random.axes.iter().copied()).collect();
        let (outer, inner) = (positions(&output), positions(&inner));
        let axes: Vec<Axis> = output.iter().map(|(_, axis)| *axis).collect();
        if fixed.term.node == 0 {
            let all: Vec<(Label, usize)> = outer.iter().copied().chain(positions(&summed)).collect();
            let spread = lined(&inner, &all);
            let map = summing(&all, &outer).after(&spread);
            let scaled = fixed.term.factor * factor;
            let value = Value {
                term: Term { factor: random.term.factor * scaled, ..random.term.clone() },
                ..random.clone()
            };
            return Ok(self.through(&value, map, axes));
        }
        let pattern = pattern(&einsum.inputs[fixed_at], fixed, &outer, &inner);
        let mut pattern = Building::composed(fixed, pattern);
        pattern.factor *= factor * random.term.factor;
        let argument =
            self.whole(&Value { term: Term { factor: 1.0, ..random.term.clone() }, ..random.clone() });
        Ok(self.fresh(Kind::Mixed { pattern, argument }, axes))
    }

    /// Two random tensors, entry by entry.
    pub(super) fn product(&mut self, values: [Value; 2], einsum: &Einsum, factor: f64) -> Built<Value> {
        if self.is_fixed(&values[0]) || self.is_fixed(&values[1]) {
            let (fixed, random) = if self.is_fixed(&values[0]) { (0, 1) } else { (1, 0) };
            return self.mixed((&values[fixed], fixed), (&values[random], random), einsum, factor);
        }
        let (output, _) = self.both(&values, einsum)?;
        let order = positions(&output);
        let axes: Vec<Axis> = output.iter().map(|(_, axis)| *axis).collect();
        let mut places = [0; 2];
        for at in [0, 1] {
            self.hold_own_channels(&values[at], &einsum.inputs[at], &output)?;
            let term = self.lined_up(&values[at], &einsum.inputs[at], &order);
            let factor = if at == 0 { factor * term.factor } else { term.factor };
            places[at] = self.whole(&Value { term: Term { factor, ..term }, axes: axes.clone() });
        }
        if !self.leaves[places[0]].is_disjoint(&self.leaves[places[1]]) {
            return self.dependent_product(places, axes);
        }
        Ok(self.fresh(Kind::Product(places[0], places[1]), axes))
    }

    /// A sum over channels of products: a number in the limit.
    fn average(
        &mut self,
        id: NodeId,
        values: [Value; 2],
        einsum: &Einsum,
        multiplier: &Multiplier,
    ) -> Built<Value> {
        let (output, summed) = self.both(&values, einsum)?;
        let growth = self.summed_growth(id, einsum);
        if growth.is_one() {
            return Err(self
                .refuse("it sums finitely many products of random numbers, which stay random")
                .with_help("let the length that is summed grow with a `scale` symbol"));
        }
        if values.iter().zip(&einsum.inputs).any(|(value, labels)| self.keeps_heads((value, labels), einsum))
        {
            return Err(self.refuse("it sums a part of what heads give, whose channels depend on each other"));
        }
        let channels: usize = summed.iter().map(|(_, axis)| axis.channels()).product();
        let factor = match multiplier {
            Multiplier::Written(scalar) => {
                let root = growth.pow(Rational::HALF);
                let noise = root.and_then(|root| scalar.powers.mul(&root));
                match noise.map(|noise| noise.cmp_one()) {
                    Some(Ordering::Less) => self.scalar(scalar) * channels as f64,
                    Some(Ordering::Equal) => {
                        let factor = self.scalar(scalar) * (channels as f64).sqrt();
                        return self.scores(id, values, einsum, factor);
                    }
                    Some(Ordering::Greater) | None => return Err(self.too_large()),
                }
            }
            Multiplier::Free | Multiplier::Hole => 1.0,
        };
        let order = positions(&output);
        let all: Vec<(Label, usize)> = order.iter().copied().chain(positions(&summed)).collect();
        let terms = [0, 1].map(|at| self.lined_up(&values[at], &einsum.inputs[at], &all));
        let inner = size(&positions(&summed));
        let place = |at: usize| Some([(at / inner) as u32, reads(&terms[0], at)?, reads(&terms[1], at)?]);
        let places = (0..size(&all)).filter_map(place).collect();
        let factor = factor * terms[0].factor * terms[1].factor;
        let [left, right] = [terms[0].node, terms[1].node];
        let axes = output.into_iter().map(|(_, axis)| axis).collect();
        Ok(self.fresh(Kind::Fixed(Fixed::Average { left, right, places, factor }), axes))
    }
}

/// The position that a selection reads.
pub(super) fn reads(term: &Term, at: usize) -> Option<u32> {
    match &term.map {
        None => Some(at as u32),
        Some(map) => map.row(at).first().map(|(column, _)| *column),
    }
}

/// A tensor with some labels read at the positions of more of them.
fn lined(from: &[(Label, usize)], to: &[(Label, usize)]) -> Sparse {
    let lengths = |order: &[(Label, usize)]| order.iter().map(|(_, length)| *length).collect::<Vec<_>>();
    let axes: Vec<usize> =
        from.iter().filter_map(|(label, _)| to.iter().position(|(own, _)| own == label)).collect();
    along(&lengths(from), &lengths(to), &axes)
}

/// The sum over the labels that `to` lacks.
fn summing(from: &[(Label, usize)], to: &[(Label, usize)]) -> Sparse {
    lined(to, from).transposed()
}

/// A fixed tensor as a matrix from the positions of `inner` to those of `outer`; labels that both have must be equal.
fn pattern(labels: &[Label], fixed: &Value, outer: &[(Label, usize)], inner: &[(Label, usize)]) -> Sparse {
    let shape = fixed.shape();
    let own: Vec<Label> = labels
        .iter()
        .enumerate()
        .filter(|(axis, _)| fixed.position(*axis).is_some())
        .map(|(_, label)| *label)
        .collect();
    let point = |order: &[(Label, usize)], flat: usize| {
        let mut rest = flat;
        let mut found = Vec::new();
        for (label, length) in order.iter().rev() {
            found.push((*label, rest % length));
            rest /= length;
        }
        found
    };
    let read = |at: usize| {
        let (row, column) = (point(outer, at / size(inner)), point(inner, at % size(inner)));
        let agrees =
            row.iter().all(|(label, own)| column.iter().all(|(other, at)| other != label || at == own));
        let place =
            |label: &Label| row.iter().chain(&column).find(|(own, _)| own == label).map_or(0, |(_, at)| *at);
        agrees.then(|| own.iter().zip(&shape).fold(0, |flat, (label, length)| flat * length + place(label)))
    };
    Sparse::gather(shape.iter().product(), (0..size(outer) * size(inner)).map(read))
}
