//! Contractions with weights: where randomness comes in.

use super::{Axis, Bare, Building, Built, Known, Used, Value};
use crate::dim::Monomial;
use crate::graph::{Einsum, Label, Multiplier, NodeId};
use crate::kernel::node::{Contraction, Kind, Term};
use crate::kernel::prior::Parameterization;
use crate::kernel::sparse::along;

/// What a label of a contraction with a weight does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Summed,
    Free,
    Shared,
}

/// What a weight sums.
struct Summed {
    positions: Vec<(Label, usize)>,
    channels: usize,
}

impl Building<'_> {
    /// The factor in front of a contraction: what is written, or 1.
    pub(super) fn factor(&self, multiplier: &Multiplier) -> f64 {
        match multiplier {
            Multiplier::Written(scalar) => self.scalar(scalar),
            Multiplier::Free | Multiplier::Hole => 1.0,
        }
    }

    /// A product with sums: one or two operands, weights or not.
    pub(super) fn contract(&mut self, id: NodeId, einsum: &Einsum, multiplier: &Multiplier) -> Built<Known> {
        let operands = self.graph.node(id).operands.clone();
        let known = operands.iter().map(|own| self.known(*own)).collect::<Built<Vec<Known>>>()?;
        let value = match &known[..] {
            [Known::Weight(bare)] if *multiplier == Multiplier::Free && einsum.contracted().is_empty() => {
                let turn = |label: &Label| einsum.axis(0, *label).map(|axis| bare.axes[axis]);
                let axes = einsum.output.iter().filter_map(turn).collect();
                return Ok(Known::Weight(Bare { axes, ..bare.clone() }));
            }
            [_] => {
                let value = self.value(operands[0])?;
                self.reduced(&value, einsum, self.factor(multiplier))?
            }
            [Known::Weight(bare), Known::Value(value)] => {
                self.weighted((bare, 0), (value, 1), einsum, multiplier)?
            }
            [Known::Value(value), Known::Weight(bare)] => {
                self.weighted((bare, 1), (value, 0), einsum, multiplier)?
            }
            [Known::Value(left), Known::Value(right)] => {
                let values = [left.clone(), right.clone()];
                self.multiplied(id, values, einsum, multiplier)?
            }
            _ => {
                return Err(self
                    .refuse("it multiplies a weight by a weight")
                    .with_help("apply the weights to an activation one after the other"));
            }
        };
        Ok(Known::Value(value))
    }

    fn weighted(
        &mut self,
        (bare, weight_at): (&Bare, usize),
        (value, value_at): (&Value, usize),
        einsum: &Einsum,
        multiplier: &Multiplier,
    ) -> Built<Value> {
        let role = |label: &Label| match (einsum.output.contains(label), einsum.has(value_at, *label)) {
            (false, _) => Role::Summed,
            (true, false) => Role::Free,
            (true, true) => Role::Shared,
        };
        let labels = &einsum.inputs[weight_at];
        let roles: Vec<Role> = labels.iter().map(role).collect();
        let factor = self.factor(multiplier);
        let spread = self.is_fixed(value) && roles.contains(&Role::Free);
        if !roles.contains(&Role::Summed) && !spread {
            return self.gained((bare, weight_at), (value, value_at), einsum, factor);
        }
        self.hold_channels(value, value_at, labels, einsum)?;
        if self.keeps_heads((value, &einsum.inputs[value_at]), einsum) {
            return Err(self.refuse(
                "every head has a sum of its own, and the channels of a head depend on each other: no Gaussian",
            ));
        }
        let summed = self.summed((bare, labels, &roles), (value, value_at), einsum)?;
        let kept = einsum.output.iter().filter_map(|label| {
            let axis = einsum.axis(value_at, *label)?;
            value.axes[axis].positions().map(|length| (*label, length))
        });
        let kept: Vec<(Label, usize)> = kept.collect();
        let all: Vec<(Label, usize)> = kept.iter().chain(&summed.positions).copied().collect();
        let source = self.laid_out(value, &einsum.inputs[value_at], &all);
        let contracted: usize = summed.positions.iter().map(|(_, length)| length).product();
        let size: usize = kept.iter().map(|(_, length)| length).product();
        let own = own_weights(&kept, |label| labels.contains(&label));
        let fan_in = (summed.channels * contracted) as f64;
        let weight =
            self.weight(bare, &format!("{:?} {contracted}", signature(bare, &roles)), fan_in, factor)?;
        if weight.constant.is_some_and(|value| value != 0.0) {
            return Err(self.refuse("its weights all start with one number that is not zero"));
        }
        // The size of the value's factor goes into variances, the sign stays.
        let scale = source.factor * source.factor;
        let weight = Used { variance: weight.variance * scale, tangent: weight.tangent * scale, ..weight };
        let sign = if source.factor * factor < 0.0 { -1.0 } else { 1.0 };
        let source = Term { factor: sign, ..source };
        let axes = einsum.output.iter().map(|label| match einsum.axis(value_at, *label) {
            Some(axis) => value.axes[axis],
            None => Axis::Channel(einsum.axis(weight_at, *label).map_or(1, |axis| bare.axes[axis].1)),
        });
        let axes = axes.collect::<Vec<_>>();
        let node = self.push(Kind::Contraction(Contraction { weight, source, contracted, own }), size);
        Ok(Value { term: Term { node, map: None, factor: 1.0 }, axes })
    }

    /// What a weight sums: positions in the order of its own axes, and channels, of which one must grow.
    fn summed(
        &self,
        (bare, labels, roles): (&Bare, &[Label], &[Role]),
        (value, value_at): (&Value, usize),
        einsum: &Einsum,
    ) -> Built<Summed> {
        let mut positions: Vec<(usize, Label, usize)> = Vec::new();
        let (mut channels, mut grows) = (1, false);
        for ((label, role), (own, length, growing)) in labels.iter().zip(roles).zip(&bare.axes) {
            let Some(axis) = einsum.axis(value_at, *label).filter(|_| *role == Role::Summed) else {
                continue;
            };
            match value.axes[axis] {
                Axis::Channel(_) => {
                    channels *= length;
                    grows |= growing;
                }
                Axis::Position(_) => positions.push((*own, *label, *length)),
                Axis::Flat(of_it, rest) => {
                    positions.push((*own, *label, of_it));
                    channels *= rest;
                    grows |= growing;
                }
            }
        }
        if !self.is_fixed(value) && !grows {
            return Err(self.finite_sum(value, value_at, labels, einsum));
        }
        positions.sort_unstable();
        Ok(Summed {
            positions: positions.into_iter().map(|(_, label, length)| (label, length)).collect(),
            channels,
        })
    }

    /// A positional reading of a value: its positions in the order of some labels.
    fn laid_out(&mut self, value: &Value, labels: &[Label], order: &[(Label, usize)]) -> Term {
        let to: Vec<usize> = order.iter().map(|(_, length)| *length).collect();
        let place = |label: &Label| order.iter().position(|(own, _)| own == label);
        let positions = labels.iter().enumerate().filter(|(axis, _)| value.position(*axis).is_some());
        let axes: Vec<usize> = positions.filter_map(|(_, label)| place(label)).collect();
        let map = along(&value.shape(), &to, &axes);
        Building::composed(value, map)
    }

    /// Every channel of what a weight reads must have weights of its own, or be summed.
    fn hold_channels(&self, value: &Value, at: usize, weight: &[Label], einsum: &Einsum) -> Built<()> {
        if self.is_fixed(value) {
            return Ok(());
        }
        for (label, axis) in einsum.inputs[at].iter().zip(&value.axes) {
            if axis.has_channels() && !weight.contains(label) {
                return Err(self.refuse(
                    "one set of weights acts on every channel alike: given these weights the channels stay dependent",
                ));
            }
        }
        Ok(())
    }

    fn finite_sum(&self, value: &Value, at: usize, weight: &[Label], einsum: &Einsum) -> super::NoLimit {
        let summed = einsum.inputs[at]
            .iter()
            .zip(&value.axes)
            .filter(|(label, _)| weight.contains(label) && !einsum.output.contains(label));
        let lengths: Vec<String> = summed.map(|(_, axis)| axis.length().to_string()).collect();
        self.refuse(format!(
            "its weights sum {} random numbers, and that number does not grow: no law of large numbers",
            lengths.join(" x ")
        ))
        .with_help("let the length grow with a `scale` symbol")
    }

    /// A weight that multiplies entry by entry: a gain.
    fn gained(
        &mut self,
        (bare, weight_at): (&Bare, usize),
        (value, value_at): (&Value, usize),
        einsum: &Einsum,
        factor: f64,
    ) -> Built<Value> {
        let kind = |label: &Label, length: usize, grows: bool| match einsum.axis(value_at, *label) {
            Some(axis) => value.axes[axis],
            None if grows => Axis::Channel(length),
            None => Axis::Position(length),
        };
        let axes = einsum.inputs[weight_at].iter().zip(&bare.axes);
        let axes = axes.map(|(label, (_, length, grows))| kind(label, *length, *grows)).collect();
        let vector = self.vector(bare, axes)?;
        let mut values = [vector, value.clone()];
        if weight_at == 1 {
            values.swap(0, 1);
        }
        self.product(values, einsum, factor)
    }

    /// A parameter as a node.
    pub(super) fn vector(&mut self, bare: &Bare, axes: Vec<Axis>) -> Built<Value> {
        let signature = format!("{:?}", bare.axes.iter().map(|axis| axis.0).collect::<Vec<_>>());
        let weight = self.weight(bare, &signature, 1.0, 1.0)?;
        Ok(self.fresh(Kind::Vector(weight), axes))
    }

    /// The numbers of a weight for a use with this fan-in. A weight has one use, or several that are alike.
    pub(super) fn weight(&mut self, bare: &Bare, use_of_it: &str, fan_in: f64, factor: f64) -> Built<Used> {
        let same = |(own, _): &(Bare, String)| own.param == bare.param && own.repetition == bare.repetition;
        let known = self.weights.iter().position(same);
        let id = match known {
            Some(id) if self.weights[id].1 == use_of_it && self.weights[id].0.view == bare.view => id,
            Some(_) => {
                let path = &self.graph.param(bare.param).path;
                return Err(self.refuse(format!(
                    "`{path}` is used here in another way than before (transposed, or in parts): the two uses depend on each other"
                )));
            }
            None => {
                self.weights.push((bare.clone(), use_of_it.to_string()));
                self.weights.len() - 1
            }
        };
        let prior = self.prior.params[bare.param.index()];
        let largest = crate::kernel::prior::fan_in(self.graph, self.values, bare.param).max(fan_in);
        let square = factor * factor;
        let variance = prior.variance * fan_in / largest * square;
        let tangent = match (prior.trained, self.prior.parameterization) {
            (false, _) => 0.0,
            (true, Parameterization::Ntk) => variance,
            (true, Parameterization::Standard) => fan_in * square,
        };
        let variance = if prior.constant.is_some() { 0.0 } else { variance };
        Ok(Used { id, param: bare.param, variance, constant: prior.constant, tangent })
    }

    /// The growing part of what a contraction sums.
    pub(super) fn summed_growth(&self, id: NodeId, einsum: &Einsum) -> Monomial {
        let node = self.graph.node(id);
        let dims = einsum.inputs[0].iter().zip(&self.graph.node(node.operands[0]).shape);
        let summed = dims.filter(|(label, _)| !einsum.output.contains(label));
        summed.fold(Monomial::one(), |product, (_, dim)| product.mul(&dim.powers).unwrap_or(product))
    }
}

/// The axes of a weight by what they do.
fn signature(bare: &Bare, roles: &[Role]) -> Vec<(usize, u8)> {
    let mut own: Vec<(usize, u8)> =
        bare.axes.iter().zip(roles).map(|(axis, role)| (axis.0, *role as u8)).collect();
    own.sort_unstable();
    own
}

/// Which positions have weights of their own: a number for every position, if the weight has an axis of them.
fn own_weights(positions: &[(Label, usize)], has: impl Fn(Label) -> bool) -> Option<Vec<u32>> {
    if !positions.iter().any(|(label, _)| has(*label)) {
        return None;
    }
    let size: usize = positions.iter().map(|(_, length)| length).product();
    let number = |flat: usize| {
        let (mut rest, mut number, mut stride) = (flat, 0, 1);
        for (label, length) in positions.iter().rev() {
            if has(*label) {
                number += rest % length * stride;
                stride *= length;
            }
            rest /= length;
        }
        number as u32
    };
    Some((0..size).map(number).collect())
}
