//! Expressions: numbers, names, sums, powers and elementwise functions.

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::Scalar;
use crate::graph::{Func, Op};
use crate::rational::Rational;
use crate::source::Span;
use crate::syntax::ast::{Call, Expr, ExprKind, Sign};

use super::environment::{Function, Tensor, Value};
use super::equation::Equation;
use super::{Lowered, Lowering, Reported};

/// A term of a sum that has been evaluated.
type Term = (Sign, Value, Span);

impl<'a> Lowering<'a> {
    /// The value of an expression. `sums` says whether terms sum the letters that nothing holds; inside the arguments of
    /// functions only products do.
    pub(super) fn eval(&mut self, expr: &'a Expr, equation: &mut Equation<'a>, sums: bool) -> Lowered<Value> {
        self.descend(expr.span)?;
        let value = self.eval_kind(expr, equation, sums);
        self.depth -= 1;
        value
    }

    fn eval_kind(&mut self, expr: &'a Expr, equation: &mut Equation<'a>, sums: bool) -> Lowered<Value> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(Value::Number(Scalar::number(*number))),
            ExprKind::Hole => Ok(Value::Hole),
            ExprKind::Name(ident) => self.look_up(ident),
            ExprKind::Indexed(base, indices) => self.indexed(base, indices, equation, expr.span),
            ExprKind::Call(call) => self.call(call, equation, expr.span),
            ExprKind::Sum(terms) => self.sum(None, terms, equation, sums, expr.span),
            ExprKind::Product(factors) => self.product(factors, equation, sums, expr.span),
            ExprKind::Negate(inner) => self.negate(inner, equation, sums, expr.span),
            ExprKind::Power(base, power) => self.power(base, power, equation, expr.span),
        }
    }

    fn negate(
        &mut self,
        inner: &'a Expr,
        equation: &mut Equation<'a>,
        sums: bool,
        span: Span,
    ) -> Lowered<Value> {
        match self.eval(inner, equation, sums)? {
            Value::Number(number) => {
                let negative = super::number::negative(&number);
                self.number_product(negative, span).map(Value::Number)
            }
            value => {
                let tensor = self.as_tensor(value, inner.span)?;
                let tensor = if sums { self.sum_out(tensor, equation)? } else { tensor };
                self.negated(tensor, span).map(Value::Tensor)
            }
        }
    }

    /// A sum; `first` is the stream of a `+=`.
    pub(super) fn sum(
        &mut self,
        first: Option<Tensor>,
        terms: &'a [(Sign, Expr)],
        equation: &mut Equation<'a>,
        sums: bool,
        span: Span,
    ) -> Lowered<Value> {
        let mut values: Vec<Term> = first
            .into_iter()
            .map(|tensor| (Sign::Plus, Value::Tensor(tensor.clone()), tensor.span))
            .collect();
        let expected = values.len() + terms.len();
        for (sign, term) in terms {
            if let Ok(value) = self.eval(term, equation, sums) {
                values.push((*sign, value, term.span));
            }
        }
        match values.len() == expected {
            true => self.add_terms(values, equation, sums, span),
            false => Err(Reported),
        }
    }

    /// `first + value`, where the value is one term.
    pub(super) fn sum_of_two(
        &mut self,
        first: Tensor,
        term: (Value, Span),
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Value> {
        let at = first.span;
        let terms = vec![(Sign::Plus, Value::Tensor(first), at), (Sign::Plus, term.0, term.1)];
        self.add_terms(terms, equation, true, span)
    }

    fn add_terms(
        &mut self,
        terms: Vec<Term>,
        equation: &mut Equation<'a>,
        sums: bool,
        span: Span,
    ) -> Lowered<Value> {
        if terms.iter().all(|(_, value, _)| matches!(value, Value::Number(_))) {
            return self.add_numbers(&terms).map(Value::Number);
        }
        let mut tensors = Vec::with_capacity(terms.len());
        for (sign, value, at) in terms {
            tensors.push(self.term(sign, value, at, equation, sums)?);
        }
        if tensors.len() == 1 {
            return Ok(tensors.pop().map_or(Value::Poison, Value::Tensor));
        }
        let (operands, whole) = self.align(&tensors, equation)?;
        let output = equation.order(&operands);
        let result = self.add(&operands, output, equation, span)?;
        Ok(Value::Tensor(self.regain(result.into(), whole)))
    }

    /// The result of an operation on whole tensors is whole.
    pub(super) fn regain(&self, tensor: Tensor, whole: bool) -> Tensor {
        let axes = tensor.axes.filter(|_| !whole);
        Tensor { axes, ..tensor }
    }

    fn add_numbers(&mut self, terms: &[Term]) -> Lowered<Scalar> {
        let mut sum = Scalar::number(Rational::ZERO);
        let mut at = terms.first().map(|(_, _, span)| *span).unwrap_or_default();
        for (sign, value, span) in terms {
            if let Value::Number(number) = value {
                sum = self.number_sum((&sum, at), (*sign, number, *span))?;
                at = at.to(*span);
            }
        }
        Ok(sum)
    }

    /// A term with its sign, as a tensor.
    fn term(
        &mut self,
        sign: Sign,
        value: Value,
        at: Span,
        equation: &Equation<'a>,
        sums: bool,
    ) -> Lowered<Tensor> {
        let value = match (sign, value) {
            (Sign::Minus, Value::Number(number)) => {
                let negative = super::number::negative(&number);
                return self
                    .number_product(negative, at)
                    .and_then(|number| self.as_tensor(Value::Number(number), at));
            }
            (_, value) => value,
        };
        let tensor = self.as_tensor(value, at)?;
        let tensor = if sums { self.sum_out(tensor, equation)? } else { tensor };
        match sign {
            Sign::Plus => Ok(tensor),
            Sign::Minus => self.negated(tensor, at),
        }
    }

    fn power(
        &mut self,
        base: &'a Expr,
        power: &'a Expr,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Value> {
        let value = self.eval(base, equation, false);
        let exponent = self.plain_number(power, "an exponent")?;
        match value? {
            Value::Number(number) => self.number_power(&number, exponent, span).map(Value::Number),
            value => {
                let tensor = self.as_tensor(value, base.span)?;
                self.tensor_power(tensor, exponent, power.span, span).map(Value::Tensor)
            }
        }
    }

    /// The powers that are elementwise functions of the language, or two of them.
    fn tensor_power(&mut self, tensor: Tensor, power: Rational, at: Span, span: Span) -> Lowered<Tensor> {
        let functions: &[Func] = match (power.numerator(), power.denominator()) {
            (1, 1) => &[],
            (2, 1) => &[Func::Square],
            (4, 1) => &[Func::Square, Func::Square],
            (-1, 1) => &[Func::Recip],
            (-2, 1) => &[Func::Square, Func::Recip],
            (1, 2) => &[Func::Sqrt],
            (-1, 2) => &[Func::Sqrt, Func::Recip],
            _ => {
                let error =
                    Diagnostic::new(Stage::Names, format!("a tensor cannot be raised to the power {power}"))
                        .at(at, "known are 1, 2, 4, 1/2, -1/2, -1 and -2")
                        .help("write a product: `x * square(x)`");
                return Err(self.report(error));
            }
        };
        functions.iter().try_fold(tensor, |tensor, func| self.keep_shape(Op::Map(*func), tensor, span))
    }

    /// A call of whatever the name stands for.
    fn call(&mut self, call: &'a Call, equation: &mut Equation<'a>, span: Span) -> Lowered<Value> {
        match self.callee(&call.callee)? {
            Function::Elementwise(func) => self.elementwise(func, call, equation, span),
            Function::Builtin(builtin) => self.builtin(builtin, call, equation, span),
            Function::Definition(id) => self.call_definition(id, call, equation, span),
        }
    }

    fn elementwise(
        &mut self,
        func: Func,
        call: &'a Call,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Value> {
        let arguments = self.arguments(call, &[("x", true)], false)?;
        let argument = arguments.required(0)?;
        match self.eval(argument, equation, false)? {
            Value::Number(number) => self.function_of_number(func, &number, span),
            value => {
                let tensor = self.as_tensor(value, argument.span)?;
                self.keep_shape(Op::Map(func), tensor, span).map(Value::Tensor)
            }
        }
    }

    /// Exact where it can be (`sqrt(head)`), else a tensor without axes.
    fn function_of_number(&mut self, func: Func, number: &Scalar, span: Span) -> Lowered<Value> {
        let power = match func {
            Func::Sqrt => Rational::HALF,
            Func::Square => Rational::integer(2),
            Func::Recip => Rational::integer(-1),
            _ => {
                let tensor = self.as_tensor(Value::Number(number.clone()), span)?;
                return self.keep_shape(Op::Map(func), tensor, span).map(Value::Tensor);
            }
        };
        self.number_power(number, power, span).map(Value::Number)
    }
}
