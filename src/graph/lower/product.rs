//! Products: numbers gather into one multiplier, tensors are contracted pairwise: the leftmost pair that can sum a letter first.
//!
//! With `a[i, j] * b[j, k] * c[k, l]` and `[i]` on the left, the lone `l` is summed in `c` first; then `a` meets `b` and `j` goes,
//! for no other factor has it; then the result meets `c` and `k` goes. In `gate[k] * w[k, o, i] * x[k, i]` the weight meets `x` first. The multiplier stands on the one contraction, or on the
//! last one that sums something if there are several; with no contraction at all it is an operation of its own.
//!
//! While one factor is evaluated, the letters of the others are held, so that a sum inside of it does not take what they need.

use std::collections::{HashMap, VecDeque};

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::Scalar;
use crate::graph::{Func, Multiplier, NodeId, Op};
use crate::source::Span;
use crate::syntax::ast::{Expr, Side};

use super::environment::{Tensor, Value};
use super::equation::{Axes, AxisId, Equation, Operand};
use super::{Lowered, Lowering, Reported};

/// The factors of a product, sorted out.
#[derive(Debug)]
struct Factors {
    number: Scalar,
    /// Whether a number was written at all.
    written: Option<Span>,
    hole: Option<Span>,
    tensors: Vec<Tensor>,
}

/// A contraction that the product appended, and whether it sums something.
type Contraction = (NodeId, bool);

impl<'a> Lowering<'a> {
    /// A product of numbers, holes and tensors.
    pub(super) fn product(
        &mut self,
        factors: &'a [(Side, Expr)],
        equation: &mut Equation<'a>,
        sums: bool,
        span: Span,
    ) -> Lowered<Value> {
        let letters: Vec<Vec<AxisId>> =
            factors.iter().map(|(_, factor)| self.letters(factor, equation)).collect();
        letters.iter().for_each(|own| equation.hold(own));
        let mut parts = Factors { number: Scalar::one(), written: None, hole: None, tensors: Vec::new() };
        let mut outcome = Ok(());
        for ((side, factor), own) in factors.iter().zip(&letters) {
            equation.release(own);
            let value = self.eval(factor, equation, sums);
            equation.hold(own);
            if value.and_then(|value| self.gather(&mut parts, *side, value, factor.span)).is_err() {
                outcome = Err(Reported);
            }
        }
        letters.iter().for_each(|own| equation.release(own));
        outcome?;
        self.multiply(parts, equation, sums, span)
    }

    /// Sorts one factor out.
    fn gather(&mut self, parts: &mut Factors, side: Side, value: Value, span: Span) -> Lowered<()> {
        match value {
            Value::Number(number) => {
                parts.written.get_or_insert(span);
                parts.number = self.times(&parts.number, side, &number, span)?;
            }
            Value::Hole => {
                if let Some(first) = parts.hole.replace(span) {
                    let error = Diagnostic::new(Stage::Names, "a product has one `?`")
                        .at(span, "a second one")
                        .at(first, "it stands for the whole multiplier");
                    return Err(self.report(error));
                }
            }
            value => {
                let tensor = self.as_tensor(value, span)?;
                parts.tensors.push(match side {
                    Side::Times => tensor,
                    Side::Over => self.keep_shape(Op::Map(Func::Recip), tensor, span)?,
                });
            }
        }
        Ok(())
    }

    fn times(&mut self, left: &Scalar, side: Side, right: &Scalar, span: Span) -> Lowered<Scalar> {
        if side == Side::Over && right.coefficient.is_zero() {
            return Err(self.names_error("division by zero", span, "this is zero"));
        }
        let product = match side {
            Side::Times => left.mul(right),
            Side::Over => left.div(right),
        };
        self.number_product(product, span)
    }

    fn multiply(
        &mut self,
        parts: Factors,
        equation: &mut Equation<'a>,
        sums: bool,
        span: Span,
    ) -> Lowered<Value> {
        let multiplier = match (parts.written, parts.hole) {
            (Some(number), Some(hole)) => {
                let error =
                    Diagnostic::new(Stage::Names, "a multiplier is either written or left to be solved")
                        .at(hole, "`?` stands for the whole multiplier")
                        .at(number, "but a number is written here");
                return Err(self.report(error));
            }
            (_, Some(hole)) if parts.tensors.is_empty() => {
                return self.as_tensor(Value::Hole, hole).map(Value::Tensor);
            }
            (_, None) if parts.tensors.is_empty() => return Ok(Value::Number(parts.number)),
            (None, Some(_)) => Multiplier::Hole,
            (Some(_), None) => Multiplier::Written(parts.number),
            (None, None) => Multiplier::Free,
        };
        let tensor = match <[Tensor; 1]>::try_from(parts.tensors) {
            Ok([single]) => self.multiple(single, multiplier, equation, sums, span)?,
            Err(tensors) => self.multiply_tensors(&tensors, multiplier, equation, span)?,
        };
        Ok(Value::Tensor(tensor))
    }

    /// A multiplier times one tensor.
    fn multiple(
        &mut self,
        tensor: Tensor,
        multiplier: Multiplier,
        equation: &Equation<'a>,
        sums: bool,
        span: Span,
    ) -> Lowered<Tensor> {
        let before = self.graph.len();
        let tensor = if sums { self.sum_out(tensor, equation)? } else { tensor };
        if self.graph.len() > before {
            self.set_multiplier(tensor.node, multiplier);
            return Ok(tensor);
        }
        match &multiplier {
            Multiplier::Free => Ok(tensor),
            Multiplier::Written(number) if number.is_one() => Ok(tensor),
            Multiplier::Written(_) | Multiplier::Hole => self.keep_shape(Op::Scale(multiplier), tensor, span),
        }
    }

    fn multiply_tensors(
        &mut self,
        tensors: &[Tensor],
        multiplier: Multiplier,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let (operands, whole) = self.align(tensors, equation)?;
        let mut contractions = Vec::new();
        let mut having = HashMap::<AxisId, usize>::new();
        for axis in operands.iter().flat_map(|operand| &operand.axes) {
            *having.entry(*axis).or_default() += 1;
        }
        let operands = self.sum_lone(operands, &having, equation, &mut contractions)?;
        let product = self.contract_all(operands.into(), &mut having, equation, &mut contractions, span)?;
        let chosen = contractions.iter().rev().find(|(_, sums)| *sums).or(contractions.last());
        if let Some((node, _)) = chosen {
            self.set_multiplier(*node, multiplier);
        }
        Ok(self.regain(Tensor { span, ..product.into() }, whole))
    }

    /// Contracts factors pair by pair until one is left. `having` counts the factors that have each letter.
    fn contract_all(
        &mut self,
        mut operands: VecDeque<Operand>,
        having: &mut HashMap<AxisId, usize>,
        equation: &mut Equation<'a>,
        contractions: &mut Vec<Contraction>,
        span: Span,
    ) -> Lowered<Operand> {
        while operands.len() > 1 {
            let (i, j) = next_pair(&operands, having, equation);
            let (Some(right), Some(left)) = (operands.remove(j), operands.remove(i)) else { break };
            for axis in left.axes.iter().chain(&right.axes) {
                having.entry(*axis).and_modify(|count| *count -= 1);
            }
            let product = self.contract_pair([left, right], having, equation, contractions, span)?;
            product.axes.iter().for_each(|axis| *having.entry(*axis).or_default() += 1);
            operands.insert(i, product);
        }
        operands.pop_front().ok_or(Reported)
    }

    /// Sums the letters that only one factor has, in that factor.
    fn sum_lone(
        &mut self,
        operands: Vec<Operand>,
        having: &HashMap<AxisId, usize>,
        equation: &Equation<'a>,
        contractions: &mut Vec<Contraction>,
    ) -> Lowered<Vec<Operand>> {
        let needed =
            |axis: &AxisId| equation.is_held(*axis) || having.get(axis).is_some_and(|count| *count > 1);
        let mut left_over = Vec::with_capacity(operands.len());
        for operand in operands {
            let kept: Axes = operand.axes.iter().copied().filter(needed).collect();
            if kept.len() == operand.axes.len() {
                left_over.push(operand);
                continue;
            }
            let span = operand.span;
            let result = self.contract(&[operand], kept, equation, span)?;
            contractions.push((result.node, true));
            left_over.push(result);
        }
        Ok(left_over)
    }

    /// Multiplies two factors and sums what no later factor has.
    fn contract_pair(
        &mut self,
        pair: [Operand; 2],
        later: &HashMap<AxisId, usize>,
        equation: &Equation<'a>,
        contractions: &mut Vec<Contraction>,
        span: Span,
    ) -> Lowered<Operand> {
        self.check_shared(&pair, equation)?;
        let order = equation.order(&pair);
        let needed =
            |axis: &AxisId| equation.is_held(*axis) || later.get(axis).is_some_and(|count| *count > 0);
        let mut output: Axes = order.iter().copied().filter(needed).collect();
        equation.sort(&mut output);
        let sums = output.len() < order.len();
        let result = self.contract(&pair, output, equation, span)?;
        contractions.push((result.node, sums));
        Ok(result)
    }

    /// Without a left side nothing says whether a letter that two factors share is summed.
    fn check_shared(&mut self, [left, right]: &[Operand; 2], equation: &Equation<'a>) -> Lowered<()> {
        let mut shared = left.axes.iter().filter(|axis| right.axes.contains(axis));
        let doubtful = shared.find(|axis| equation.left.is_none() && !equation.is_asked_for(**axis));
        let Some(axis) = doubtful else { return Ok(()) };
        let letter = equation.name(*axis);
        let error = Diagnostic::new(Stage::Shape, format!("is index `{letter}` summed here, or kept?"))
            .at(right.span, format!("has `{letter}`"))
            .at(left.span, "and so has this")
            .note("only letters on a left side say what is kept")
            .help("give the product a name and letters: `y[..] = ...`");
        Err(self.report(error))
    }
}

/// Products of more factors than this are contracted from the left without a look at their letters.
const LOOKED_AT: usize = 16;

/// The leftmost two factors that share a letter which nothing else needs, so that a sum happens as soon as it can and a weight meets
/// what it acts on; the first two if there is no such letter.
fn next_pair(
    operands: &VecDeque<Operand>,
    having: &HashMap<AxisId, usize>,
    equation: &Equation,
) -> (usize, usize) {
    if operands.len() > LOOKED_AT {
        return (0, 1);
    }
    let sums = |axis: &AxisId| !equation.is_held(*axis) && having.get(axis) == Some(&2);
    let pairs = (0..operands.len()).flat_map(|i| (i + 1..operands.len()).map(move |j| (i, j)));
    let meets = |i: usize, j: usize| {
        operands[i].axes.iter().any(|axis| sums(axis) && operands[j].axes.contains(axis))
    };
    pairs.into_iter().find(|(i, j)| meets(*i, *j)).unwrap_or((0, 1))
}
