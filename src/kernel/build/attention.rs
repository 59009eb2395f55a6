//! Attention with random scores: 1/sqrt(d) in front of scores that sum a growing head, and many heads.
//!
//! The scores of a head are Gaussian then, with the product of the kernels of queries and keys as covariance, and those of different heads are independent:
//! what the heads give is Gaussian after the next weight, which sums them (Hron et al. 2020, arXiv 2006.10540). With a fixed number of heads it is not.

use std::sync::Arc;

use super::factors::{positions, reads, size};
use super::{Axis, Building, Built, NoLimit, Value};
use crate::graph::{Einsum, Label, NodeId};
use crate::kernel::formula::Formula;
use crate::kernel::node::{Attended, Kind, Pattern, Place, Sampled, Term};

/// A row of attention may have so many scores.
const MOST: usize = 256;

impl Building<'_> {
    /// Whether a contraction leaves channels of what has heads: then their sums depend on each other.
    pub(super) fn keeps_heads(&self, (value, labels): (&Value, &[Label]), einsum: &Einsum) -> bool {
        let kept = |(label, axis): (&Label, &Axis)| axis.has_channels() && einsum.output.contains(label);
        self.nodes[value.term.node].headed && labels.iter().zip(&value.axes).any(kept)
    }

    pub(super) fn too_large(&self) -> NoLimit {
        self.refuse("its factor lets the scores grow without bound").with_help(
            "write one over the length that is summed in front, or one over its root with many heads",
        )
    }

    /// Whether a value is made of masked scores or their softmax.
    pub(super) fn is_pattern(&self, value: &Value) -> bool {
        matches!(self.nodes[value.term.node].kind, Kind::Pattern(_))
    }

    /// Whether axes of channels that both operands have and the result keeps grow: many heads.
    fn many_heads(&self, id: NodeId, values: &[Value; 2], einsum: &Einsum) -> bool {
        let node = self.graph.node(id);
        einsum.inputs[0].iter().enumerate().any(|(axis, label)| {
            let with = einsum.axis(1, *label).filter(|_| einsum.output.contains(label));
            let grows = !self.graph.node(node.operands[0]).shape[axis].is_finite();
            grows
                && values[0].axes[axis].has_channels()
                && with.is_some_and(|at| values[1].axes[at].has_channels())
        })
    }

    fn few_heads(&self) -> NoLimit {
        self.refuse(
            "its factor leaves the scores random in the limit, and the number of heads does not grow: what few heads give is no Gaussian",
        )
        .with_help("let the number of heads grow with a `scale` symbol, or write one over the length that is summed in front (attention with 1/d)")
    }

    /// Scores that stay random: a sum over channels of products with one over the root of their number in front.
    pub(super) fn scores(
        &mut self,
        id: NodeId,
        values: [Value; 2],
        einsum: &Einsum,
        factor: f64,
    ) -> Built<Value> {
        if !self.many_heads(id, &values, einsum) {
            return Err(self.few_heads());
        }
        let (output, summed) = self.both(&values, einsum)?;
        if !positions(&summed).is_empty() {
            return Err(self.refuse("its scores stay random, and it sums positions together with channels"));
        }
        let order = positions(&output);
        let axes: Vec<Axis> = output.iter().map(|(_, axis)| *axis).collect();
        let mut places = [0; 2];
        for at in [0, 1] {
            let term = self.lined_up(&values[at], &einsum.inputs[at], &order);
            let factor = if at == 0 { factor * term.factor } else { term.factor };
            places[at] = self.whole(&Value { term: Term { factor, ..term }, axes: axes.clone() });
        }
        let [one, two] = places;
        if !self.leaves[one].is_disjoint(&self.leaves[two]) {
            return Err(self
                .refuse("queries and keys share weights, so that these scores have means that grow")
                .with_help("write one over the length that is summed in front (attention with 1/d)"));
        }
        if !self.nodes[one].gaussian && !self.nodes[two].gaussian {
            return Err(
                self.refuse("neither queries nor keys are Gaussian: these scores may have means that grow")
            );
        }
        Ok(self.fresh(Kind::Scores(one, two), axes))
    }

    /// Scores of which every row sees its own beginning.
    pub(super) fn random_causal(&mut self, value: &Value) -> Built<Value> {
        let scores = self.whole(value);
        if !self.nodes[scores].gaussian {
            return Err(self.refuse("it masks random scores that are not Gaussian with mean zero"));
        }
        let shape = value.shape();
        let [.., queries, keys] = shape[..] else { return Err(self.refuse("it masks a single axis")) };
        let seen = |flat: usize| (flat % keys <= flat / keys % queries).then_some(0);
        let row = (0..self.nodes[scores].size).map(seen).collect();
        let pattern = Pattern { scores, row, softmax: false };
        Ok(self.fresh(Kind::Pattern(Arc::new(pattern)), value.axes.clone()))
    }

    /// The softmax of random scores, which only the mixing of values reads.
    pub(super) fn random_softmax(&mut self, value: &Value, axis: usize, log: bool) -> Built<Value> {
        let Some(place) = value.position(axis).filter(|_| matches!(value.axes[axis], Axis::Position(_)))
        else {
            return Err(self
                .refuse("softmax of random scores along channels has no closed form")
                .with_help("scores that sum growing heads with 1/d in front become numbers in the limit"));
        };
        if log {
            return Err(self.refuse("the logarithm of a softmax of random scores has no rule"));
        }
        let whole = self.whole(value);
        let (scores, seen) = match &self.nodes[whole].kind {
            Kind::Pattern(own) if !own.softmax => (own.scores, Some(Arc::clone(own))),
            _ if self.nodes[whole].gaussian => (whole, None),
            _ => {
                return Err(self
                    .refuse("softmax of scores that are random and not Gaussian with mean zero has no rule")
                    .with_help("what is added to scores or multiplies them stands before the mask, and is Gaussian or a number"));
            }
        };
        let shape = value.shape();
        let stride: usize = shape[place + 1..].iter().product();
        let row = |flat: usize| (flat / (stride * shape[place]) * stride + flat % stride) as u32;
        let visible = |at: usize| seen.as_ref().is_none_or(|own| own.row[at].is_some());
        let row = (0..self.nodes[scores].size).map(|at| visible(at).then(|| row(at))).collect();
        let pattern = Pattern { scores, row, softmax: true };
        Ok(self.fresh(Kind::Pattern(Arc::new(pattern)), value.axes.clone()))
    }

    /// Values mixed by the softmax of random scores.
    pub(super) fn attended(
        &mut self,
        id: NodeId,
        values: &[Value; 2],
        einsum: &Einsum,
        factor: f64,
    ) -> Built<Value> {
        let at = usize::from(!self.is_pattern(&values[0]));
        let Kind::Pattern(pattern) = self.nodes[values[at].term.node].kind.clone() else {
            return Err(self.refuse("it mixes values without a softmax"));
        };
        let mixed = &values[1 - at];
        if !pattern.softmax || self.is_pattern(mixed) || self.is_fixed(mixed) {
            return Err(self.refuse(
                "random scores have a rule only where their softmax mixes random values, and nowhere else",
            ));
        }
        if !self.many_heads(id, values, einsum) {
            return Err(self.few_heads());
        }
        let (output, summed) = self.both(values, einsum)?;
        if summed.iter().any(|(_, axis)| axis.has_channels()) {
            return Err(self.refuse("it sums channels without weights of their own"));
        }
        let (order, inner) = (positions(&output), positions(&summed));
        let all: Vec<(Label, usize)> = order.iter().chain(&inner).copied().collect();
        let weights = self.lined_up(&values[at], &einsum.inputs[at], &all);
        let values = self.lined_up(mixed, &einsum.inputs[1 - at], &all);
        let scale = factor * weights.factor * values.factor;
        let whole = Term { node: values.node, map: None, factor: scale };
        let source = match scale == 1.0 {
            true => values.node,
            false => self.push(Kind::Sum(vec![whole]), self.nodes[values.node].size),
        };
        let length = size(&inner);
        let pairs = |row: usize| {
            let both = |at: usize| Some((reads(&weights, at)?, reads(&values, at)?));
            (row * length..(row + 1) * length).filter_map(both).collect::<Vec<(u32, u32)>>()
        };
        let found = self.rows_of(&pattern, (0..size(&order)).map(pairs).collect())?;
        let kind = Kind::Attended(Arc::new(Attended { values: source, ..found }));
        Ok(self.fresh(kind, output.into_iter().map(|(_, axis)| axis).collect()))
    }

    /// Mixtures by (positions of scores, of values), each of which has a whole row of a softmax.
    fn rows_of(&self, pattern: &Pattern, pairs: Vec<Vec<(u32, u32)>>) -> Built<Attended> {
        let mut lengths = vec![0_usize; pattern.row.len()];
        pattern.row.iter().flatten().for_each(|row| lengths[*row as usize] += 1);
        let mut rows = Sampled { formulas: Vec::new(), entries: Vec::new() };
        let mut mixed = Vec::new();
        for own in pairs {
            let seen: Vec<(u32, u32)> =
                own.into_iter().filter(|(at, _)| pattern.row[*at as usize].is_some()).collect();
            let row = seen.first().and_then(|(at, _)| pattern.row[*at as usize]);
            let length = row.map_or(0, |row| lengths[row as usize]);
            let whole = seen.len() == length && seen.iter().all(|(at, _)| pattern.row[*at as usize] == row);
            if length == 0 || !whole {
                return Err(self.refuse(
                    "it sums another axis than the one that the softmax of random scores goes along",
                ));
            }
            if length > MOST {
                return Err(self.refuse(format!("its rows have {length} random scores, more than {MOST}")));
            }
            rows.entries.push((formula(&mut rows.formulas, length), gaussians(pattern.scores, &seen)));
            mixed.push(seen.into_iter().map(|(_, value)| value).collect());
        }
        Ok(Attended { scores: pattern.scores, values: 0, rows, mixed })
    }
}

/// The number of the formula of so many Gaussians.
fn formula(known: &mut Vec<Formula>, leaves: usize) -> usize {
    known.iter().position(|own| own.leaves == leaves).unwrap_or_else(|| {
        known.push(Formula { steps: Vec::new(), leaves });
        known.len() - 1
    })
}

fn gaussians(scores: Place, row: &[(u32, u32)]) -> Vec<(Place, u32)> {
    row.iter().map(|(at, _)| (scores, *at)).collect()
}
