//! Appending operations: shapes, labels, and the facts that the lowering keeps of every node.
//!
//! Every operation passes through [`Lowering::append`], which counts it against the limits, refuses too many axes, and notes whether
//! the result depends on a parameter. The letters of an equation become the labels of an operation here, numbered from zero.

use smallvec::SmallVec;

use crate::dim::{Dim, Scalar};
use crate::graph::{Einsum, Label, Multiplier, Node, NodeId, Op, Operands};
use crate::rational::Rational;
use crate::source::Span;

use super::environment::{Tensor, Value};
use super::equation::{Axes, AxisId, Equation, Operand};
use super::{HIGHEST_RANK, Lowered, Lowering};

/// Numbers the axes of one operation from zero.
fn labels(operands: &[Operand], output: &[AxisId]) -> Einsum {
    let mut seen: SmallVec<[AxisId; 16]> = SmallVec::new();
    let mut label = |axis: &AxisId| -> Label {
        let at = seen.iter().position(|own| own == axis).unwrap_or_else(|| {
            seen.push(*axis);
            seen.len() - 1
        });
        at as Label
    };
    let inputs = operands.iter().map(|operand| operand.axes.iter().map(&mut label).collect()).collect();
    Einsum { inputs, output: output.iter().map(&mut label).collect() }
}

impl<'a> Lowering<'a> {
    /// Appends an operation.
    pub(super) fn append(
        &mut self,
        op: Op,
        operands: Operands,
        shape: Vec<Dim>,
        span: Span,
    ) -> Lowered<NodeId> {
        self.spend(span)?;
        self.check_rank(shape.len(), span)?;
        let own = matches!(op, Op::Param(_));
        let trained = own || operands.iter().any(|operand| self.trained[operand.index()]);
        let node = Node { op, operands, shape, name: None, scope: self.frame().scope, span };
        self.trained.push(trained);
        Ok(self.graph.append(node))
    }

    /// Refuses a tensor with too many axes.
    fn check_rank(&mut self, rank: usize, span: Span) -> Lowered<()> {
        if rank <= HIGHEST_RANK {
            return Ok(());
        }
        let message = format!("a tensor has at most {HIGHEST_RANK} axes");
        Err(self.shape_error(message, span, format!("more than {HIGHEST_RANK} here")))
    }

    /// The shape of a node.
    pub(super) fn shape(&self, node: NodeId) -> &[Dim] {
        &self.graph.node(node).shape
    }

    /// Appends an operation on one tensor that keeps its shape.
    pub(super) fn keep_shape(&mut self, op: Op, tensor: Tensor, span: Span) -> Lowered<Tensor> {
        let shape = self.shape(tensor.node).to_vec();
        let node = self.append(op, Operands::from_slice(&[tensor.node]), shape, span)?;
        Ok(Tensor { node, span, ..tensor })
    }

    /// Appends an operation on operands whose axes are in the table.
    fn aligned(
        &mut self,
        op: Op,
        operands: &[Operand],
        output: Axes,
        equation: &Equation<'a>,
        span: Span,
    ) -> Lowered<Operand> {
        let shape = output.iter().filter_map(|axis| equation.length(*axis).cloned()).collect();
        let nodes = operands.iter().map(|operand| operand.node).collect();
        let node = self.append(op, nodes, shape, span)?;
        Ok(Operand { node, axes: output, span })
    }

    /// Appends a contraction, with nothing written in front.
    pub(super) fn contract(
        &mut self,
        operands: &[Operand],
        output: Axes,
        equation: &Equation<'a>,
        span: Span,
    ) -> Lowered<Operand> {
        let op = Op::Contract { einsum: labels(operands, &output), multiplier: Multiplier::Free };
        let result = self.aligned(op, operands, output, equation, span)?;
        if let ([operand], true) = (operands, operands.iter().all(|one| one.axes.len() == result.axes.len()))
        {
            self.inherit_classes(operand.node, result.node);
        }
        Ok(result)
    }

    /// Appends a sum of tensors.
    pub(super) fn add(
        &mut self,
        operands: &[Operand],
        output: Axes,
        equation: &Equation<'a>,
        span: Span,
    ) -> Lowered<Operand> {
        self.check_rank(output.len(), span)?;
        self.aligned(Op::Add(labels(operands, &output)), operands, output, equation, span)
    }

    /// Appends a lookup of the rows of a table.
    pub(super) fn look_up_rows(
        &mut self,
        axis: usize,
        operands: &[Operand],
        output: Axes,
        equation: &Equation<'a>,
        span: Span,
    ) -> Lowered<Operand> {
        let op = Op::Lookup { axis, einsum: labels(operands, &output) };
        self.aligned(op, operands, output, equation, span)
    }

    /// Puts a factor in front of a contraction that was just appended.
    pub(super) fn set_multiplier(&mut self, node: NodeId, factor: Multiplier) {
        if let Op::Contract { multiplier, .. } = &mut self.graph.node_mut(node).op {
            *multiplier = factor;
        }
    }

    /// Appends the same number everywhere.
    pub(super) fn constant(&mut self, number: &Scalar, shape: Vec<Dim>, span: Span) -> Lowered<NodeId> {
        if let Some(number) = super::number::rational(number) {
            return self.append(Op::Constant(number), Operands::new(), shape, span);
        }
        let one = self.append(Op::Constant(Rational::ONE), Operands::new(), shape.clone(), span)?;
        let factor = Op::Scale(Multiplier::Written(number.clone()));
        self.append(factor, Operands::from_slice(&[one]), shape, span)
    }

    /// The tensor that a value is; numbers become constants.
    pub(super) fn as_tensor(&mut self, value: Value, span: Span) -> Lowered<Tensor> {
        match value {
            Value::Tensor(tensor) => Ok(tensor),
            Value::Number(number) => {
                let node = self.constant(&number, Vec::new(), span)?;
                Ok(Tensor { node, axes: Some(Axes::new()), span })
            }
            Value::Hole => {
                let label = "it stands for a factor of a tensor, as in `? * x`";
                Err(self.names_error("`?` cannot stand alone", span, label))
            }
            Value::Function(_) => {
                Err(self.names_error("a function is not a tensor", span, "call it: `f(x)`"))
            }
            Value::Poison => Err(super::Reported),
        }
    }

    /// A node made of the same whole numbers as another one.
    pub(super) fn inherit_classes(&mut self, from: NodeId, to: NodeId) {
        if let Some(classes) = self.classes.get(&from).cloned() {
            self.classes.insert(to, classes);
        }
    }

    /// Multiplies a tensor by -1.
    pub(super) fn negated(&mut self, tensor: Tensor, span: Span) -> Lowered<Tensor> {
        let minus_one = Multiplier::Written(Scalar::number(Rational::integer(-1)));
        self.keep_shape(Op::Scale(minus_one), tensor, span)
    }

    /// Sums the letters of a tensor that nothing holds.
    pub(super) fn sum_out(&mut self, tensor: Tensor, equation: &Equation<'a>) -> Lowered<Tensor> {
        let Some(axes) = &tensor.axes else { return Ok(tensor) };
        let kept: Axes = axes.iter().copied().filter(|axis| equation.is_held(*axis)).collect();
        if kept.len() == axes.len() {
            return Ok(tensor);
        }
        let operand = Operand { node: tensor.node, axes: axes.clone(), span: tensor.span };
        self.contract(&[operand], kept, equation, tensor.span).map(Tensor::from)
    }
}

impl From<Operand> for Tensor {
    fn from(operand: Operand) -> Tensor {
        Tensor { node: operand.node, axes: Some(operand.axes), span: operand.span }
    }
}
