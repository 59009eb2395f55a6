//! Functions whose result has an axis of another length than their argument: `window` and `concat`. The letters of their
//! arguments have lengths of their own, and the result of a window is whole.

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::{Dim, Scalar};
use crate::graph::{Op, Operands};
use crate::rational::Rational;
use crate::source::Span;
use crate::syntax::ast::{Arg, Call, Expr, Ident, Sign};

use super::arguments::Arguments;
use super::builtin::Builtin;
use super::environment::Tensor;
use super::equation::{Axes, Equation, Operand};
use super::{Lowered, Lowering, Reported};

/// The numbers of a window.
#[derive(Clone, Copy, Debug)]
struct Frame {
    size: i64,
    stride: i64,
    dilation: i64,
    padding: i64,
}

impl Frame {
    /// What is added to an axis's length before it is divided by the stride.
    fn excess(self) -> Option<i64> {
        let span = self.dilation.checked_mul(self.size - 1)?;
        self.padding.checked_sub(span)?.checked_sub(1)?.checked_add(self.stride)
    }
}

impl<'a> Lowering<'a> {
    /// Sliding windows along an axis.
    pub(super) fn window(
        &mut self,
        arguments: &Arguments<'a>,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let mut inner = equation.like();
        let first = arguments.required(0)?;
        self.survey(first, &mut inner);
        let tensor = self.tensor_argument(first, arguments.over, &mut inner);
        let size = self.whole_argument(Builtin::Window, arguments, 1, 1, 1)?;
        let stride = self.whole_argument(Builtin::Window, arguments, 2, 1, 1)?;
        let dilation = self.whole_argument(Builtin::Window, arguments, 3, 1, 1)?;
        let padding = self.whole_argument(Builtin::Window, arguments, 4, 0, size - 1)?;
        let frame = Frame { size, stride, dilation, padding };
        let tensor = tensor?;
        let axis = self.window_axis(&tensor, arguments.over, &mut inner, span)?;
        let mut shape = self.shape(tensor.node).to_vec();
        shape[axis] = self.positions(&shape[axis].clone(), frame, span)?;
        let size = Dim::number(Rational::integer(size));
        shape.push(size.clone());
        let [stride, dilation, padding] = [stride, dilation, padding].map(Rational::integer);
        let op = Op::Window { axis, size, stride, dilation, padding };
        let node = self.append(op, Operands::from_slice(&[tensor.node]), shape, span)?;
        Ok(Tensor { node, axes: None, span })
    }

    /// The axis of a window. The letters on the left have one more for the place in the window.
    fn window_axis(
        &mut self,
        tensor: &Tensor,
        over: Option<&'a [Ident]>,
        inner: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<usize> {
        let mut shorter = inner.like();
        let fits = inner.positional(self.shape(tensor.node).len() + 1).is_some();
        if let (None, true, Some(left)) = (&tensor.axes, fits, &mut shorter.left) {
            left.pop();
        }
        let names = if tensor.axes.is_none() { &mut shorter } else { inner };
        let axes = self.axes_of(tensor, over, names, span)?;
        match axes.as_slice() {
            &[axis] => Ok(axis),
            _ => Err(self.shape_error("a window slides along one axis", span, "use one `window` per axis")),
        }
    }

    /// How many windows an axis has: (length + padding - dilation (size - 1) - 1) / stride + 1.
    fn positions(&mut self, length: &Dim, frame: Frame, span: Span) -> Lowered<Dim> {
        let Some(excess) = frame.excess() else {
            return Err(self.shape_error("the numbers of this window do not fit 64 bits", span, "too large"));
        };
        let own = Scalar::from(length);
        let total = match excess {
            0 => own,
            _ if length.is_finite() => {
                let excess = Scalar::number(Rational::integer(excess));
                self.number_sum((&own, span), (Sign::Plus, &excess, span))?
            }
            _ => return Err(self.growing_window(length, frame, span)),
        };
        let count = total.div(&Scalar::number(Rational::integer(frame.stride)));
        let count = self.number_product(count, span)?;
        if length.is_finite() && (count.coefficient.denominator() != 1 || !count.coefficient.is_positive()) {
            return Err(self.broken_window(length, frame, &count, span));
        }
        self.as_length(&count, span)
    }

    fn growing_window(&mut self, length: &Dim, frame: Frame, span: Span) -> Reported {
        let text = self.dim_text(length);
        let fitting =
            frame.dilation.saturating_mul(frame.size - 1).saturating_add(1).saturating_sub(frame.stride);
        let error = Diagnostic::new(
            Stage::Shape,
            format!("the number of windows along `{text}` has no single power"),
        )
        .at(span, format!("the axis grows, and padding {} leaves a rest", frame.padding))
        .help(format!(
            "with `padding = {fitting}` their number is `{text}` divided by the stride, {}",
            frame.stride
        ));
        self.report(error)
    }

    fn broken_window(&mut self, length: &Dim, frame: Frame, count: &Scalar, span: Span) -> Reported {
        let (text, count) = (self.dim_text(length), count.display(&self.symbols));
        let rest = frame
            .excess()
            .unwrap_or(0)
            .saturating_add(length.coefficient.numerator())
            .rem_euclid(frame.stride);
        let mut error =
            Diagnostic::new(Stage::Shape, format!("the windows do not fit an axis of length `{text}`"))
                .at(span, format!("{count} windows"))
                .note("there are (length + padding - dilation * (size - 1) - 1) / stride + 1 of them");
        if rest != 0 {
            error = error
                .help(format!("choose `padding = {}`", frame.padding.saturating_add(frame.stride - rest)));
        }
        self.report(error)
    }

    /// Tensors one after another along an axis.
    pub(super) fn concat(
        &mut self,
        call: &'a Call,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let (parts, over) = self.concat_arguments(call)?;
        let mut operands: Vec<(Tensor, Vec<&'a str>)> = Vec::with_capacity(parts.len());
        let mut axis = 0;
        for (at, part) in parts.iter().enumerate() {
            let mut inner = equation.like();
            self.survey(part, &mut inner);
            let tensor = self.tensor_argument(part, over, &mut inner)?;
            let own = self.axes_of(&tensor, over, &mut inner, span)?;
            let letters = tensor.axes.iter().flatten().map(|axis| inner.name(*axis)).collect();
            match (at, own.as_slice()) {
                (0, &[first]) => axis = first,
                (_, &[same]) if same == axis => {}
                _ => {
                    return Err(self.shape_error(
                        "the parts must be joined along the same axis",
                        part.span,
                        "another axis here",
                    ));
                }
            }
            operands.push((tensor, letters));
        }
        self.join(operands, axis, equation, span)
    }

    fn concat_arguments(&mut self, call: &'a Call) -> Lowered<(Vec<&'a Expr>, Option<&'a [Ident]>)> {
        let (mut parts, mut over) = (Vec::new(), None);
        for arg in &call.args {
            match arg {
                Arg::Positional(expr) => parts.push(expr),
                Arg::Over(letters, _) => over = Some(letters.as_slice()),
                Arg::Named(name, _) => {
                    return Err(self.names_error("`concat` takes no named arguments", name.span, "not here"));
                }
            }
        }
        match parts.is_empty() {
            true => {
                Err(self.names_error("`concat` needs tensors to join", call.callee.span, "none are given"))
            }
            false => Ok((parts, over)),
        }
    }

    fn join(
        &mut self,
        operands: Vec<(Tensor, Vec<&'a str>)>,
        axis: usize,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let Some((first, letters)) = operands.first() else { return Err(Reported) };
        let mut shape = self.shape(first.node).to_vec();
        let mut total = Scalar::from(&shape[axis]);
        for (other, theirs) in &operands[1..] {
            let own = self.shape(other.node).to_vec();
            let fits =
                own.len() == shape.len() && (0..own.len()).all(|at| at == axis || own[at] == shape[at]);
            if !fits || (letters != theirs && !letters.is_empty() && !theirs.is_empty()) {
                return Err(self.unlike_parts(first, other));
            }
            total =
                self.number_sum((&total, first.span), (Sign::Plus, &Scalar::from(&own[axis]), other.span))?;
        }
        shape[axis] = self.as_length(&total, span)?;
        let nodes = operands.iter().map(|(tensor, _)| tensor.node).collect();
        let node = self.append(Op::Concat { axis }, nodes, shape, span)?;
        if letters.is_empty() || letters.contains(&"..") {
            return Ok(Tensor { node, axes: None, span });
        }
        self.relettered(node, letters, equation, span)
    }

    /// Gives the result the letters of its parts.
    fn relettered(
        &mut self,
        node: crate::graph::NodeId,
        letters: &[&'a str],
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let axes: Axes = letters.iter().map(|letter| equation.letter(letter)).collect();
        let operand = Operand { node, axes, span };
        for (axis, dim) in operand.axes.iter().zip(self.shape(node).to_vec()) {
            self.unify(equation, *axis, &dim, span)?;
        }
        Ok(operand.into())
    }

    fn unlike_parts(&mut self, first: &Tensor, other: &Tensor) -> Reported {
        let [theirs, ours] = [first, other].map(|part| self.shape_text(self.shape(part.node)));
        let error = Diagnostic::new(Stage::Shape, "these parts cannot be joined")
            .at(other.span, format!("{ours} here"))
            .at(first.span, format!("but {theirs} here"))
            .note("all axes but the one they are joined along must be equal");
        self.report(error)
    }
}
