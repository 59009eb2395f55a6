//! What an expression says before it is evaluated: its letters, and the lengths that its indices give them.

use crate::syntax::ast::{Arg, Expr, ExprKind, Index, IndexKind};

use super::Lowering;
use super::builtin::Builtin;
use super::environment::{Function, Value};
use super::equation::{AxisId, Equation};

impl<'a> Lowering<'a> {
    /// The letters that an expression shares with what stands around it.
    pub(super) fn letters(&self, expr: &'a Expr, equation: &mut Equation<'a>) -> Vec<AxisId> {
        let mut letters = Vec::new();
        if equation.left.is_some() {
            self.collect_letters(expr, equation, &mut letters);
        }
        letters
    }

    fn collect_letters(&self, expr: &'a Expr, equation: &mut Equation<'a>, letters: &mut Vec<AxisId>) {
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::Hole | ExprKind::Name(_) => {}
            ExprKind::Indexed(_, indices) => self.index_letters(indices, equation, letters),
            ExprKind::Call(call) if self.changes_lengths(&call.callee.name) => {}
            ExprKind::Call(call) => call.args.iter().for_each(|arg| match arg {
                Arg::Positional(inner) | Arg::Named(_, inner) => {
                    self.collect_letters(inner, equation, letters)
                }
                Arg::Over(..) => {}
            }),
            ExprKind::Sum(terms) => {
                terms.iter().for_each(|(_, term)| self.collect_letters(term, equation, letters))
            }
            ExprKind::Product(factors) => {
                factors.iter().for_each(|(_, factor)| self.collect_letters(factor, equation, letters));
            }
            ExprKind::Negate(inner) | ExprKind::Power(inner, _) => {
                self.collect_letters(inner, equation, letters)
            }
        }
    }

    fn index_letters(&self, indices: &'a [Index], equation: &mut Equation<'a>, letters: &mut Vec<AxisId>) {
        for index in indices {
            match &index.kind {
                IndexKind::Axis(letter) | IndexKind::Sized(letter, _) => {
                    letters.push(equation.letter(letter))
                }
                IndexKind::Group(parts) => self.index_letters(parts, equation, letters),
                IndexKind::At(expr) => self.collect_letters(expr, equation, letters),
                IndexKind::Rest => {}
            }
        }
    }

    /// Whether a function's arguments keep letters of their own, because an axis changes its length.
    pub(super) fn changes_lengths(&self, callee: &str) -> bool {
        matches!(self.function_named(callee), Some(Function::Builtin(Builtin::Window | Builtin::Concat)))
    }

    /// Learns the lengths of letters from the tensors that an expression indexes, before it is evaluated: a split may stand
    /// before the tensor that says how long its letters are.
    pub(super) fn survey(&self, expr: &'a Expr, equation: &mut Equation<'a>) {
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::Hole | ExprKind::Name(_) => {}
            ExprKind::Indexed(base, indices) => self.survey_indexed(base, indices, equation),
            ExprKind::Call(call) if self.changes_lengths(&call.callee.name) => {}
            ExprKind::Call(call) => call.args.iter().for_each(|arg| match arg {
                Arg::Positional(inner) | Arg::Named(_, inner) => self.survey(inner, equation),
                Arg::Over(..) => {}
            }),
            ExprKind::Sum(terms) => terms.iter().for_each(|(_, term)| self.survey(term, equation)),
            ExprKind::Product(factors) => {
                factors.iter().for_each(|(_, factor)| self.survey(factor, equation))
            }
            ExprKind::Negate(inner) | ExprKind::Power(inner, _) => self.survey(inner, equation),
        }
    }

    fn survey_indexed(&self, base: &'a Expr, indices: &'a [Index], equation: &mut Equation<'a>) {
        for index in indices {
            if let IndexKind::At(inner) = &index.kind {
                self.survey(inner, equation);
            }
        }
        let ExprKind::Name(ident) = &base.kind else { return };
        let Some(Value::Tensor(tensor)) = self.find(&ident.name).map(|binding| &binding.value) else {
            return;
        };
        let shape = self.shape(tensor.node);
        let front = indices.iter().take_while(|index| index.kind != IndexKind::Rest).count();
        if front == indices.len() && front != shape.len() {
            return;
        }
        let ends =
            indices.iter().rev().zip(shape.iter().rev()).take(indices.len() - front.min(indices.len()));
        for (index, length) in indices.iter().zip(shape).take(front).chain(ends) {
            match &index.kind {
                IndexKind::Rest => break,
                IndexKind::Axis(letter) => {
                    let axis = equation.letter(letter);
                    equation.learn(axis, length, index.span);
                }
                IndexKind::Sized(..) | IndexKind::Group(_) | IndexKind::At(_) => {}
            }
        }
    }
}
