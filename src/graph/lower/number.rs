//! Exact numbers and lengths: sums, products, powers, and what a length must be.
//!
//! A number is a rational times roots times powers of scale symbols. Sums of unlike powers are refused: `n + 1` has no single
//! power, and to drop the 1 silently would make two different lengths equal.

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::{Dim, Scalar};
use crate::rational::Rational;
use crate::source::Span;
use crate::syntax::ast::{Expr, Sign};

use super::environment::Value;
use super::equation::Equation;
use super::{FINEST_EXPONENT, Lowered, Lowering};

/// More different roots than this in one number are refused.
const MOST_ROOTS: usize = 8;

/// The sum of two numbers with the same powers; `None` if they grow differently or do not fit.
fn like_sum(left: &Scalar, right: &Scalar) -> Option<Scalar> {
    if left.coefficient.is_zero() {
        return Some(right.clone());
    }
    if right.coefficient.is_zero() {
        return Some(left.clone());
    }
    let coefficient = left.coefficient.add(right.coefficient)?;
    match (left.powers == right.powers && left.roots == right.roots, coefficient.is_zero()) {
        (false, _) => None,
        (true, true) => Some(Scalar::number(Rational::ZERO)),
        (true, false) => Some(Scalar { coefficient, ..left.clone() }),
    }
}

/// The negative of a number.
pub(super) fn negative(number: &Scalar) -> Option<Scalar> {
    number.mul(&Scalar::number(Rational::integer(-1)))
}

/// The plain rational that a number is, if it is one.
pub(super) fn rational(number: &Scalar) -> Option<Rational> {
    (number.roots.is_empty() && number.powers.is_one()).then_some(number.coefficient)
}

/// Whether an exponent is beyond what is computed with.
pub(super) fn is_too_fine(power: Rational) -> bool {
    power.numerator().abs() > FINEST_EXPONENT || power.denominator() > FINEST_EXPONENT
}

impl<'a> Lowering<'a> {
    /// The sum of two numbers.
    pub(super) fn number_sum(
        &mut self,
        (left, at): (&Scalar, Span),
        (sign, right, span): (Sign, &Scalar, Span),
    ) -> Lowered<Scalar> {
        let signed = match sign {
            Sign::Plus => Some(right.clone()),
            Sign::Minus => negative(right),
        };
        if let Some(sum) = signed.and_then(|right| like_sum(left, &right)) {
            return Ok(sum);
        }
        if left.powers == right.powers && left.roots == right.roots {
            return Err(self.too_large(span));
        }
        let (ours, theirs) = (right.display(&self.symbols), left.display(&self.symbols));
        let error = Diagnostic::new(
            Stage::Shape,
            format!("`{theirs}` and `{ours}` grow differently: their sum has no single power"),
        )
        .at(span, format!("`{ours}` here"))
        .at(at, format!("`{theirs}` here"))
        .help("keep the one that grows faster, or declare the sum as a scale symbol of its own");
        Err(self.report(error))
    }

    /// The product or quotient of two numbers.
    pub(super) fn number_product(&mut self, product: Option<Scalar>, span: Span) -> Lowered<Scalar> {
        let Some(product) = product else { return Err(self.too_large(span)) };
        self.check_fine(product, span)
    }

    /// A number to a power.
    pub(super) fn number_power(&mut self, base: &Scalar, power: Rational, span: Span) -> Lowered<Scalar> {
        if is_too_fine(power) {
            return Err(self.too_fine(power, span));
        }
        if base.coefficient.is_negative() && power.denominator() != 1 {
            return Err(self.names_error("a root of a negative number", span, "has no real value"));
        }
        if base.coefficient.is_zero() && power.is_negative() {
            return Err(self.names_error("division by zero", span, "the number below is zero"));
        }
        self.number_product(base.pow(power), span)
    }

    /// Refuses numbers whose exponents or roots get out of hand.
    fn check_fine(&mut self, number: Scalar, span: Span) -> Lowered<Scalar> {
        let powers = number.powers.iter().map(|(_, power)| power);
        let exponents: Vec<Rational> = powers.chain(number.roots.iter().map(|(_, power)| *power)).collect();
        if let Some(power) = exponents.into_iter().find(|power| is_too_fine(*power)) {
            return Err(self.too_fine(power, span));
        }
        if number.roots.len() > MOST_ROOTS {
            return Err(self.names_error(
                "too many different roots in one number",
                span,
                format!("more than {MOST_ROOTS}"),
            ));
        }
        Ok(number)
    }

    pub(super) fn too_fine(&mut self, power: Rational, span: Span) -> super::Reported {
        let error = Diagnostic::new(Stage::Shape, format!("exponent {power} is too large or too fine"))
            .at(span, format!("numerator and denominator may be at most {FINEST_EXPONENT}"));
        self.report(error)
    }

    fn too_large(&mut self, span: Span) -> super::Reported {
        let error = Diagnostic::new(Stage::Shape, "this number does not fit")
            .at(span, "numerator and denominator must fit 64 bits")
            .note("numbers are exact: they are never rounded");
        self.report(error)
    }

    /// Evaluates an expression that must be a number or a length.
    pub(super) fn number(&mut self, expr: &'a Expr, what: &str) -> Lowered<Scalar> {
        match self.eval(expr, &mut Equation::free(), true)? {
            Value::Number(number) => Ok(number),
            value => Err(self.not_a_number(&value, expr.span, what)),
        }
    }

    /// Says that something else stands where a number should.
    pub(super) fn not_a_number(&mut self, value: &Value, span: Span, what: &str) -> super::Reported {
        let found = match value {
            Value::Tensor(_) => "a tensor",
            Value::Function(_) => "a function",
            Value::Hole => "`?`",
            Value::Number(_) | Value::Poison => "a number that depends on the scale",
        };
        self.names_error(format!("{what} must be a number, not {found}"), span, format!("this is {found}"))
    }

    /// Evaluates an expression that must be a plain rational number.
    pub(super) fn plain_number(&mut self, expr: &'a Expr, what: &str) -> Lowered<Rational> {
        let number = self.number(expr, what)?;
        match rational(&number) {
            Some(number) => Ok(number),
            None => Err(self.not_a_number(&Value::Number(number), expr.span, what)),
        }
    }

    /// Evaluates the length of an axis.
    pub(super) fn length(&mut self, expr: &'a Expr) -> Lowered<Dim> {
        let number = self.number(expr, "a length")?;
        self.as_length(&number, expr.span)
    }

    /// The length that a number stands for: positive, not shrinking, and whole at the base values.
    pub(super) fn as_length(&mut self, number: &Scalar, span: Span) -> Lowered<Dim> {
        if !number.coefficient.is_positive() {
            return Err(self.shape_error(
                "a length must be positive",
                span,
                format!("this is {}", number.display(&self.symbols)),
            ));
        }
        let dim = Dim { coefficient: number.coefficient, powers: number.powers.clone() };
        if !number.roots.is_empty() {
            let text = number.display(&self.symbols);
            return Err(self.shape_error(
                "a length must be a rational number times powers",
                span,
                format!("this is {text}"),
            ));
        }
        self.check_length_of(dim, span)
    }

    /// Refuses a length that shrinks or is not whole at the base values.
    pub(super) fn check_length_of(&mut self, dim: Dim, span: Span) -> Lowered<Dim> {
        let text = self.dim_text(&dim);
        if dim.powers.cmp_one().is_lt() {
            let message = format!("the length `{text}` shrinks as the scale grows");
            return Err(self.shape_error(message, span, "no axis can become shorter than one entry"));
        }
        match dim.at(&self.bases) {
            Some(length) if length.denominator() == 1 => Ok(dim),
            Some(length) => {
                Err(self.broken_length(&text, format!("it is {length} at the base values"), span))
            }
            None => Err(self.broken_length(
                &text,
                "it is irrational or too large at the base values".to_string(),
                span,
            )),
        }
    }

    fn broken_length(&mut self, text: &str, label: String, span: Span) -> super::Reported {
        let error = Diagnostic::new(Stage::Shape, format!("the length `{text}` is not a whole number"))
            .at(span, label)
            .help("choose base values in `scale` that make every axis whole");
        self.report(error)
    }
}
