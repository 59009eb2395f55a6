//! One operation as a line of index notation.

use std::collections::HashMap;

use super::{Notation, brackets};
use crate::graph::{Buckets, Einsum, Gate, Label, Multiplier, Node, NodeId, Norm, Op};

impl Notation<'_> {
    /// A node as an equation: `q[seq, head] = wq[head, n] · x[seq, n]  summed over n`.
    pub fn equation(&self, id: NodeId) -> String {
        let node = self.graph.node(id);
        let left = match einsum_of(&node.op) {
            Some(einsum) => brackets(&pick(&self.labels(einsum, &node.operands), &einsum.output)),
            None => self.shape(&node.shape),
        };
        format!("{}{left} = {}", self.short(id), self.formula(id, node))
    }

    /// The right side of the equation.
    fn formula(&self, id: NodeId, node: &Node) -> String {
        match &node.op {
            Op::Data(data) => self.data(&self.graph.data[data.index()], &node.shape),
            Op::Param(param) => format!("param {}", self.graph.param(*param).path),
            Op::Constant(value) => value.to_string(),
            Op::Range => "0, 1, 2, ...".to_string(),
            Op::RelativeBucket(Buckets { count, farthest, bidirectional }) => {
                let ways = if *bidirectional { "both ways" } else { "backwards" };
                format!("the bucket of the distance, {count} up to {farthest} {ways}")
            }
            Op::Contract { einsum, multiplier } => self.contraction(node, einsum, multiplier),
            Op::Add(einsum) => self.operands(node, einsum).join(" + "),
            Op::Scale(multiplier) => format!("{}{}", self.factor(multiplier), self.operand(node, 0)),
            Op::Lookup { axis, einsum } => self.lookup(node, *axis, einsum),
            Op::Concat { axis } => {
                let all: Vec<_> = (0..node.operands.len()).map(|at| self.operand(node, at)).collect();
                format!("concat({}, over {})", all.join(", "), self.axis(node, *axis))
            }
            Op::Carry(_) => {
                let next =
                    self.next(id).map_or("itself".to_string(), |next| self.seen_from(node.scope, next));
                format!("{} at first, then {next}", self.operand(node, 0))
            }
            Op::Exit(_) => format!("{} at last", self.operand(node, 0)),
            _ => self.unary(node),
        }
    }

    /// The operations with one operand that keep or rearrange its axes.
    fn unary(&self, node: &Node) -> String {
        let x = self.operand(node, 0);
        let over =
            |axes: &[usize]| axes.iter().map(|axis| self.axis(node, *axis)).collect::<Vec<_>>().join(" ");
        match &node.op {
            Op::Map(func) => format!("{}({x})", func.name()),
            Op::Normalize { norm: Norm::Standardize, axes } => {
                format!("standardize({x}, over {})", over(axes))
            }
            Op::Normalize { norm: Norm::Batch, axes } if axes.is_empty() => format!("batch_normalize({x})"),
            Op::Normalize { norm: Norm::Batch, axes } => format!("batch_normalize({x}, over {})", over(axes)),
            Op::Normalize { norm: Norm::Rms, axes } => format!("rms_normalize({x}, over {})", over(axes)),
            Op::Softmax { axis, log } => {
                format!("{}softmax({x}, over {})", if *log { "log_" } else { "" }, over(&[*axis]))
            }
            Op::Max { axes } => format!("max({x}, over {})", over(axes)),
            Op::Window { axis, size, stride, dilation, padding } => format!(
                "window({x}, over {}, {}, stride = {stride}, dilation = {dilation}, padding = {padding})",
                over(&[*axis]),
                self.dim(size)
            ),
            Op::Split { axis, parts } => {
                let parts = self.axes(node.shape.iter().skip(*axis).take(*parts)).join(" ");
                format!("{x}, {} split into ({parts})", over(&[*axis]))
            }
            Op::Merge { axis, parts } => {
                format!("{x}, ({}) merged", over(&(*axis..axis + parts).collect::<Vec<_>>()))
            }
            Op::Pick { axis, at } => format!("{x} at {} = {at}", over(&[*axis])),
            Op::Step { block, axis } => format!("{x} at {} = {}", over(&[*axis]), self.letter(*block)),
            Op::Collect { block, .. } => format!("{x} for every {}", self.letter(*block)),
            Op::Gate(Gate::Causal) => format!("causal({x})"),
            Op::Gate(Gate::TopK { axis, count }) => format!("top_k({x}, {count}, over {})", over(&[*axis])),
            Op::Gate(Gate::Dropout(rate)) => format!("dropout({x}, {rate})"),
            Op::Gate(Gate::StopGradient) => format!("stop_gradient({x})"),
            _ => x,
        }
    }

    fn contraction(&self, node: &Node, einsum: &Einsum, multiplier: &Multiplier) -> String {
        let product = self.operands(node, einsum).join(" · ");
        let sums = pick(&self.labels(einsum, &node.operands), &einsum.contracted());
        let sums = if sums.is_empty() { String::new() } else { format!("  summed over {}", sums.join(", ")) };
        format!("{}{product}{sums}", self.factor(multiplier))
    }

    /// `table[tokens[seq], n]`.
    fn lookup(&self, node: &Node, axis: usize, einsum: &Einsum) -> String {
        let [table, index] = &self.operands_with(node, einsum)[..] else { return String::new() };
        let mut places = table.1.clone();
        if let Some(place) = places.get_mut(axis) {
            *place = format!("{}{}", index.0, brackets(&index.1));
        }
        format!("{}{}", table.0, brackets(&places))
    }

    /// The factor in front of a product, with its dot; nothing where none is written.
    pub fn factor(&self, multiplier: &Multiplier) -> String {
        match multiplier {
            Multiplier::Free => String::new(),
            Multiplier::Hole => "? · ".to_string(),
            Multiplier::Written(scalar) => format!("{} · ", self.scalar(scalar)),
        }
    }

    /// An operand with the names of its axes.
    fn operand(&self, node: &Node, at: usize) -> String {
        let Some(id) = node.operands.get(at) else { return String::new() };
        format!("{}{}", self.seen_from(node.scope, *id), self.shape(&self.graph.node(*id).shape))
    }

    /// The name of an axis of the only operand.
    pub fn axis(&self, node: &Node, axis: usize) -> String {
        let Some(id) = node.operands.first() else { return String::new() };
        self.axes(&self.graph.node(*id).shape).into_iter().nth(axis).unwrap_or_default()
    }

    fn operands(&self, node: &Node, einsum: &Einsum) -> Vec<String> {
        self.operands_with(node, einsum).into_iter().map(|(name, axes)| name + &brackets(&axes)).collect()
    }

    fn operands_with(&self, node: &Node, einsum: &Einsum) -> Vec<(String, Vec<String>)> {
        let names = self.labels(einsum, &node.operands);
        let both = node.operands.iter().zip(&einsum.inputs);
        both.map(|(id, labels)| (self.seen_from(node.scope, *id), pick(&names, labels))).collect()
    }
}

/// The axes that an operation matches up, if it does.
pub(in crate::report) fn einsum_of(op: &Op) -> Option<&Einsum> {
    match op {
        Op::Contract { einsum, .. } | Op::Add(einsum) | Op::Lookup { einsum, .. } => Some(einsum),
        _ => None,
    }
}

fn pick(names: &HashMap<Label, String>, labels: &[Label]) -> Vec<String> {
    labels.iter().map(|label| names.get(label).cloned().unwrap_or_else(|| "_".to_string())).collect()
}
