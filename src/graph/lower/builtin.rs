//! The functions of the language that are not elementwise.

use smallvec::SmallVec;

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::{Dim, Scalar};
use crate::graph::{Gate, Multiplier, Norm, Op, Operands};
use crate::rational::Rational;
use crate::source::Span;
use crate::syntax::ast::{Call, Expr, Ident};

use super::arguments::Arguments;
use super::environment::{Tensor, Value};
use super::equation::{Axes, AxisId, Equation, Operand};
use super::{Lowered, Lowering, Reported};

/// A function of the language that is not elementwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    Standardize,
    RmsNormalize,
    BatchNormalize,
    Softmax,
    LogSoftmax,
    Sum,
    Mean,
    Max,
    Window,
    Range,
    RelativeBucket,
    Concat,
    Causal,
    TopK,
    Dropout,
    StopGradient,
}

impl Builtin {
    /// Every one.
    pub(super) const ALL: [Builtin; 16] = [
        Builtin::Standardize,
        Builtin::RmsNormalize,
        Builtin::BatchNormalize,
        Builtin::Softmax,
        Builtin::LogSoftmax,
        Builtin::Sum,
        Builtin::Mean,
        Builtin::Max,
        Builtin::Window,
        Builtin::Range,
        Builtin::RelativeBucket,
        Builtin::Concat,
        Builtin::Causal,
        Builtin::TopK,
        Builtin::Dropout,
        Builtin::StopGradient,
    ];

    /// Its name in the language.
    pub(super) fn name(self) -> &'static str {
        match self {
            Builtin::Standardize => "standardize",
            Builtin::RmsNormalize => "rms_normalize",
            Builtin::BatchNormalize => "batch_normalize",
            Builtin::Softmax => "softmax",
            Builtin::LogSoftmax => "log_softmax",
            Builtin::Sum => "sum",
            Builtin::Mean => "mean",
            Builtin::Max => "max",
            Builtin::Window => "window",
            Builtin::Range => "range",
            Builtin::RelativeBucket => "relative_bucket",
            Builtin::Concat => "concat",
            Builtin::Causal => "causal",
            Builtin::TopK => "top_k",
            Builtin::Dropout => "dropout",
            Builtin::StopGradient => "stop_gradient",
        }
    }

    /// The function of a name.
    pub(super) fn named(name: &str) -> Option<Builtin> {
        Builtin::ALL.into_iter().find(|builtin| builtin.name() == name)
    }

    /// What it takes, and what of it must be given.
    fn formals(self) -> &'static [(&'static str, bool)] {
        match self {
            Builtin::Window => {
                &[("x", true), ("size", true), ("stride", false), ("dilation", false), ("padding", false)]
            }
            Builtin::Range => &[("length", true)],
            Builtin::RelativeBucket => &[
                ("queries", true),
                ("keys", true),
                ("buckets", false),
                ("max_distance", false),
                ("bidirectional", false),
            ],
            Builtin::Dropout => &[("x", true), ("rate", true)],
            Builtin::TopK => &[("x", true), ("k", true)],
            _ => &[("x", true)],
        }
    }

    /// Whether it goes along axes.
    fn takes_over(self) -> bool {
        !matches!(self, Builtin::Range | Builtin::RelativeBucket | Builtin::Dropout | Builtin::StopGradient)
    }
}

impl<'a> Lowering<'a> {
    /// A call of a function of the language.
    pub(super) fn builtin(
        &mut self,
        builtin: Builtin,
        call: &'a Call,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Value> {
        if builtin == Builtin::Concat {
            return self.concat(call, equation, span).map(Value::Tensor);
        }
        let arguments = self.arguments(call, builtin.formals(), builtin.takes_over())?;
        let first = arguments.required(0)?;
        let tensor = match builtin {
            Builtin::Range => self.range(first, span)?,
            Builtin::RelativeBucket => self.relative_bucket(&arguments, span)?,
            Builtin::Window => self.window(&arguments, equation, span)?,
            Builtin::Dropout => {
                let rate = self.rate(arguments.required(1)?);
                let tensor = self.tensor_argument(first, None, equation)?;
                self.keep_shape(Op::Gate(Gate::Dropout(rate?)), tensor, span)?
            }
            Builtin::StopGradient => {
                let tensor = self.tensor_argument(first, None, equation)?;
                self.keep_shape(Op::Gate(Gate::StopGradient), tensor, span)?
            }
            Builtin::Causal => {
                let tensor = self.tensor_argument(first, arguments.over, equation)?;
                self.causal(tensor, arguments.over, equation, span)?
            }
            Builtin::TopK => self.top_k(&arguments, equation, span)?,
            Builtin::BatchNormalize => {
                let tensor = self.tensor_argument(first, arguments.over, equation)?;
                self.batch_normalize(tensor, arguments.over, equation, span)?
            }
            _ => {
                let before = self.graph.len();
                let tensor = self.tensor_argument(first, arguments.over, equation)?;
                if builtin == Builtin::Sum && self.is_new_product(&tensor, before) {
                    return self.sum_of_product(tensor, arguments.over, equation, span).map(Value::Tensor);
                }
                self.along_axes(builtin, tensor, arguments.over, equation, span)?
            }
        };
        Ok(Value::Tensor(tensor))
    }

    /// Evaluates a tensor argument; the letters behind `over` are not summed in it.
    pub(super) fn tensor_argument(
        &mut self,
        expr: &'a Expr,
        over: Option<&'a [Ident]>,
        equation: &mut Equation<'a>,
    ) -> Lowered<Tensor> {
        let letters: Vec<AxisId> =
            over.unwrap_or_default().iter().map(|letter| equation.letter(&letter.name)).collect();
        equation.hold(&letters);
        let value = self.eval(expr, equation, false);
        equation.release(&letters);
        let value = value?;
        let tensor = self.as_tensor(value, expr.span)?;
        Ok(Tensor { span: expr.span, ..tensor })
    }

    fn along_axes(
        &mut self,
        builtin: Builtin,
        tensor: Tensor,
        over: Option<&'a [Ident]>,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let axes = self.axes_of(&tensor, over, equation, span)?;
        match builtin {
            Builtin::Sum => self.reduce(tensor, &axes, false, span),
            Builtin::Mean => self.reduce(tensor, &axes, true, span),
            Builtin::Max => self.largest(tensor, axes, span),
            Builtin::Standardize => {
                self.keep_shape(Op::Normalize { norm: Norm::Standardize, axes }, tensor, span)
            }
            Builtin::RmsNormalize => self.keep_shape(Op::Normalize { norm: Norm::Rms, axes }, tensor, span),
            _ => {
                let &[axis] = axes.as_slice() else {
                    let message = format!("`{}` goes along one axis", builtin.name());
                    return Err(self.shape_error(message, span, "`over` names several"));
                };
                self.keep_shape(Op::Softmax { axis, log: builtin == Builtin::LogSoftmax }, tensor, span)
            }
        }
    }

    /// Goes over the batch, which has no letter, and over the axes that are named besides.
    fn batch_normalize(
        &mut self,
        tensor: Tensor,
        over: Option<&'a [Ident]>,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let axes = match over {
            Some(_) => self.axes_of(&tensor, over, equation, span)?,
            None => SmallVec::new(),
        };
        self.keep_shape(Op::Normalize { norm: Norm::Batch, axes }, tensor, span)
    }

    /// The axes that `over` names; the last one without it.
    pub(super) fn axes_of(
        &mut self,
        tensor: &Tensor,
        over: Option<&'a [Ident]>,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<SmallVec<[usize; 2]>> {
        let rank = self.shape(tensor.node).len();
        let Some(letters) = over else {
            if rank == 0 {
                return Err(self.shape_error(
                    "a number has no axis to go along",
                    tensor.span,
                    "it has no axes",
                ));
            }
            return Ok(SmallVec::from_slice(&[rank - 1]));
        };
        let named = match &tensor.axes {
            Some(axes) => axes.clone(),
            None => match equation.positional(rank) {
                Some(axes) => axes,
                None => return Err(self.nameless_axis(tensor, letters, span)),
            },
        };
        let mut axes = SmallVec::new();
        for letter in letters {
            let axis = equation.letter(&letter.name);
            match named.iter().position(|own| *own == axis) {
                Some(position) if axes.contains(&position) => {
                    return Err(self.shape_error(
                        format!("`{}` is named twice", letter.name),
                        letter.span,
                        "again here",
                    ));
                }
                Some(position) => axes.push(position),
                None => return Err(self.no_such_axis(tensor, letter)),
            }
        }
        Ok(axes)
    }

    fn nameless_axis(&mut self, tensor: &Tensor, letters: &[Ident], span: Span) -> Reported {
        let shape = self.shape_text(self.shape(tensor.node));
        let place = letters.iter().map(|letter| letter.span).reduce(Span::to).unwrap_or(span);
        let error = Diagnostic::new(Stage::Shape, "`over` names an axis of a tensor without letters")
            .at(place, "which axis is this?")
            .at(tensor.span, format!("no letters here; its shape is {shape}"))
            .help("give the argument letters, as in `x[t, i]`");
        self.report(error)
    }

    fn no_such_axis(&mut self, tensor: &Tensor, letter: &Ident) -> Reported {
        let mut error = Diagnostic::new(
            Stage::Shape,
            format!("no axis of the argument has the letter `{}`", letter.name),
        )
        .at(letter.span, "named here")
        .at(tensor.span, "but not an axis of this");
        if self.counts_steps(&letter.name) {
            error = error.note("it counts the steps of a repetition: inside there is one entry at a time");
        }
        self.report(error)
    }

    /// A sum or a mean over axes: a contraction of one operand.
    fn reduce(&mut self, tensor: Tensor, axes: &[usize], mean: bool, span: Span) -> Lowered<Tensor> {
        let mut local = Equation::free();
        let shape = self.shape(tensor.node).to_vec();
        let all: Axes =
            shape.iter().enumerate().map(|(at, dim)| local.unnamed(at, dim.clone(), tensor.span)).collect();
        let keep = |at: &usize| !axes.contains(at);
        let kept: Axes = (0..all.len()).filter(keep).map(|at| all[at]).collect();
        let operand = Operand { node: tensor.node, axes: all, span: tensor.span };
        let result = self.contract(&[operand], kept, &local, span)?;
        if mean {
            let count = axes.iter().try_fold(Dim::one(), |count, at| count.mul(&shape[*at]));
            let one_over = count.and_then(|count| Scalar::from(&count).pow(Rational::integer(-1)));
            let factor = self.number_product(one_over, span)?;
            self.set_multiplier(result.node, Multiplier::Written(factor));
        }
        let letters = tensor.axes.map(|own| (0..own.len()).filter(keep).map(|at| own[at]).collect());
        Ok(Tensor { node: result.node, axes: letters, span })
    }

    /// Whether a tensor is a product of two that was appended for this argument alone, and sums nothing.
    fn is_new_product(&self, tensor: &Tensor, before: usize) -> bool {
        let node = self.graph.node(tensor.node);
        let last = tensor.node.index() >= before && tensor.node.index() + 1 == self.graph.len();
        let sums_nothing = match &node.op {
            Op::Contract { einsum, .. } => einsum.inputs.len() == 2 && einsum.contracted().is_empty(),
            _ => false,
        };
        last && sums_nothing && node.name.is_none()
    }

    /// The sum of a product is one contraction: the product need not exist.
    fn sum_of_product(
        &mut self,
        tensor: Tensor,
        over: Option<&'a [Ident]>,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let axes = self.axes_of(&tensor, over, equation, span)?;
        let node = self.graph.node_mut(tensor.node);
        let kept = |at: &usize| !axes.contains(at);
        if let Op::Contract { einsum, .. } = &mut node.op {
            einsum.output = (0..einsum.output.len()).filter(kept).map(|at| einsum.output[at]).collect();
        }
        node.shape = (0..node.shape.len()).filter(kept).map(|at| node.shape[at].clone()).collect();
        let letters = tensor.axes.map(|own| (0..own.len()).filter(kept).map(|at| own[at]).collect());
        Ok(Tensor { node: tensor.node, axes: letters, span })
    }

    fn largest(&mut self, tensor: Tensor, axes: SmallVec<[usize; 2]>, span: Span) -> Lowered<Tensor> {
        let keep = |at: &usize| !axes.contains(at);
        let shape = self.shape(tensor.node);
        let left = (0..shape.len()).filter(keep).map(|at| shape[at].clone()).collect();
        let letters = tensor.axes.map(|own| (0..own.len()).filter(keep).map(|at| own[at]).collect());
        let node =
            self.append(Op::Max { axes: axes.clone() }, Operands::from_slice(&[tensor.node]), left, span)?;
        Ok(Tensor { node, axes: letters, span })
    }

    /// Hides later positions; `over (t u)` brings the query's and the key's axis to the end first.
    fn causal(
        &mut self,
        tensor: Tensor,
        over: Option<&'a [Ident]>,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let rank = self.shape(tensor.node).len();
        if rank < 2 {
            let label = "it has fewer than two axes";
            return Err(self.shape_error("`causal` takes scores of queries and keys", tensor.span, label));
        }
        if over.is_none() {
            return self.keep_shape(Op::Gate(Gate::Causal), tensor, span);
        }
        let axes = self.axes_of(&tensor, over, equation, span)?;
        let &[query, key] = axes.as_slice() else {
            return Err(self.shape_error(
                "`causal` goes over two axes",
                span,
                "write `over (t u)`: query, then key",
            ));
        };
        if (query, key) == (rank - 2, rank - 1) {
            return self.keep_shape(Op::Gate(Gate::Causal), tensor, span);
        }
        let operand = self.lettered(&tensor, equation)?;
        let others = (0..rank).filter(|at| *at != query && *at != key);
        let order: Axes = others.chain([query, key]).map(|at| operand.axes[at]).collect();
        let turned = self.contract(&[operand], order, equation, span)?;
        self.keep_shape(Op::Gate(Gate::Causal), turned.into(), span)
    }

    fn rate(&mut self, expr: &'a Expr) -> Lowered<Rational> {
        let rate = self.plain_number(expr, "the rate")?;
        if rate.is_negative() || rate >= Rational::ONE {
            return Err(self.names_error(
                "a rate is at least 0 and below 1",
                expr.span,
                format!("this is {rate}"),
            ));
        }
        Ok(rate)
    }

    /// Keeps the largest entries of an axis.
    fn top_k(
        &mut self,
        arguments: &Arguments<'a>,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let tensor = self.tensor_argument(arguments.required(0)?, arguments.over, equation);
        let count = self.whole_argument(Builtin::TopK, arguments, 1, 1, 1);
        let (tensor, count) = (tensor?, count?);
        let axes = self.axes_of(&tensor, arguments.over, equation, span)?;
        let &[axis] = axes.as_slice() else {
            return Err(self.shape_error("`top_k` goes along one axis", span, "`over` names several"));
        };
        let length = self.shape(tensor.node)[axis].clone();
        let most = length.at(&self.bases).and_then(|length| length.to_integer());
        if most.is_some_and(|most| count > most) {
            let label = format!("the axis has length `{}`", self.dim_text(&length));
            return Err(self.shape_error(format!("`top_k` cannot keep {count} entries"), span, label));
        }
        self.keep_shape(Op::Gate(Gate::TopK { axis, count }), tensor, span)
    }

    /// A whole number among the arguments of a function.
    pub(super) fn whole_argument(
        &mut self,
        builtin: Builtin,
        arguments: &Arguments<'a>,
        position: usize,
        least: i64,
        default: i64,
    ) -> Lowered<i64> {
        let Some(expr) = arguments.get(position) else { return Ok(default) };
        let (name, _) = builtin.formals()[position];
        let number = self.plain_number(expr, &format!("`{name}`"))?;
        match number.to_integer() {
            Some(whole) if whole >= least => Ok(whole),
            _ => {
                let of = builtin.name();
                let message = format!("`{name}` of `{of}` is a whole number, at least {least}");
                Err(self.shape_error(message, expr.span, format!("this is {number}")))
            }
        }
    }
}
