//! Checked exact rationals.
//!
//! `Ratio<i64>` wraps silently in release builds; [`Rational`] returns `None` where a result does not fit, so that overflow is
//! always an answer and never a wrong number. Exponents of scale symbols and coefficients of dims are both this type.

use std::fmt;
use std::str::FromStr;

use num_rational::Ratio;
use num_traits::{CheckedAdd, CheckedMul, CheckedSub, Signed, Zero};

/// An exact rational number with checked arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rational(Ratio<i64>);

/// The power of a scale symbol in a size.
pub type Exponent = Rational;

impl Rational {
    /// 0.
    pub const ZERO: Rational = Rational(Ratio::new_raw(0, 1));
    /// 1.
    pub const ONE: Rational = Rational(Ratio::new_raw(1, 1));
    /// 1/2.
    pub const HALF: Rational = Rational(Ratio::new_raw(1, 2));

    /// `numerator / denominator`; `None` if the denominator is zero or a number is too large to negate.
    pub fn new(numerator: i64, denominator: i64) -> Option<Rational> {
        if denominator == 0 || numerator == i64::MIN || denominator == i64::MIN {
            return None;
        }
        Some(Rational(Ratio::new(numerator, denominator)))
    }

    /// A whole number.
    pub const fn integer(value: i64) -> Rational {
        Rational(Ratio::new_raw(value, 1))
    }

    /// The numerator in lowest terms.
    pub fn numerator(self) -> i64 {
        *self.0.numer()
    }

    /// The denominator in lowest terms, always positive.
    pub fn denominator(self) -> i64 {
        *self.0.denom()
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self.numerator() == 0
    }

    /// Whether it is below 0.
    pub fn is_negative(self) -> bool {
        self.0.is_negative()
    }

    /// Whether it is above 0.
    pub fn is_positive(self) -> bool {
        self.numerator() > 0
    }

    /// The whole number it is, if it is one.
    pub fn to_integer(self) -> Option<i64> {
        (self.denominator() == 1).then(|| self.numerator())
    }

    /// Sum.
    pub fn add(self, other: Rational) -> Option<Rational> {
        if self.denominator() == 1 && other.denominator() == 1 {
            return self.numerator().checked_add(other.numerator()).map(Rational::integer);
        }
        self.0.checked_add(&other.0).map(Rational)
    }

    /// Difference.
    pub fn sub(self, other: Rational) -> Option<Rational> {
        if self.denominator() == 1 && other.denominator() == 1 {
            return self.numerator().checked_sub(other.numerator()).map(Rational::integer);
        }
        self.0.checked_sub(&other.0).map(Rational)
    }

    /// Product.
    pub fn mul(self, other: Rational) -> Option<Rational> {
        if self.denominator() == 1 && other.denominator() == 1 {
            return self.numerator().checked_mul(other.numerator()).map(Rational::integer);
        }
        self.0.checked_mul(&other.0).map(Rational)
    }

    /// Quotient; `None` for division by zero.
    pub fn div(self, other: Rational) -> Option<Rational> {
        other.recip().and_then(|inverse| self.mul(inverse))
    }

    /// 1 / self; `None` for zero.
    pub fn recip(self) -> Option<Rational> {
        Rational::new(self.denominator(), self.numerator())
    }

    /// -self; `None` only at the end of the range.
    pub fn neg(self) -> Option<Rational> {
        Rational::ZERO.sub(self)
    }

    /// The distance from zero.
    pub fn abs(self) -> Rational {
        Rational(self.0.abs())
    }

    /// self to a whole power, by repeated squaring; `None` on overflow or for zero to a negative power.
    pub fn powi(self, power: i64) -> Option<Rational> {
        let mut base = if power < 0 { self.recip()? } else { self };
        let mut left = power.unsigned_abs();
        let mut result = Rational::ONE;
        if base == Rational::ONE || left == 0 {
            return Some(Rational::ONE);
        }
        while left > 0 {
            if left & 1 == 1 {
                result = result.mul(base)?;
            }
            left >>= 1;
            if left > 0 {
                base = base.mul(base)?;
            }
        }
        Some(result)
    }

    /// self to a rational power where the result is rational (4^(1/2) = 2); `None` if it is not, or does not fit.
    pub fn pow(self, power: Rational) -> Option<Rational> {
        let degree = u32::try_from(power.denominator()).ok()?;
        let numerator = exact_root(self.numerator(), degree)?;
        let denominator = exact_root(self.denominator(), degree)?;
        Rational::new(numerator, denominator)?.powi(power.numerator())
    }
}

/// The whole `degree`-th root of a whole number, if it has one.
fn exact_root(value: i64, degree: u32) -> Option<i64> {
    if degree == 1 || value == 1 || value == 0 {
        return Some(value);
    }
    if value < 0 || degree > 62 {
        return None;
    }
    let (mut low, mut high) = (1_i64, 1_i64 << (62 / degree + 1).min(62));
    while low < high {
        let middle = low + (high - low) / 2;
        match middle.checked_pow(degree) {
            Some(power) if power < value => low = middle + 1,
            _ => high = middle,
        }
    }
    (low.checked_pow(degree) == Some(value)).then_some(low)
}

impl Default for Rational {
    fn default() -> Self {
        Rational(Ratio::zero())
    }
}

impl From<i64> for Rational {
    fn from(value: i64) -> Self {
        Rational::integer(value)
    }
}

impl fmt::Display for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Why a text is not a rational number that mupc can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRationalError {
    /// Not of the form `3`, `-1/2`, `0.25` or `6e-3`.
    #[error("not a number")]
    Form,
    /// Numerator or denominator exceed 64 bits.
    #[error("number too large or too fine to hold exactly (64-bit numerator and denominator)")]
    Range,
}

impl FromStr for Rational {
    type Err = ParseRationalError;

    /// Reads `3`, `-1/2`, `0.25`, `6e-3` and `1_000_000` exactly.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            None => decimal(text),
            Some((above, below)) => {
                let (above, below) = (decimal(above)?, decimal(below)?);
                above.div(below).ok_or(ParseRationalError::Range)
            }
        }
    }
}

fn decimal(text: &str) -> Result<Rational, ParseRationalError> {
    use ParseRationalError::{Form, Range};
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, power) = match digits.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, power.parse::<i64>().map_err(|_| Form)?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let joined: String = whole.chars().chain(fraction.chars()).filter(|c| *c != '_').collect();
    if joined.is_empty() || !joined.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Form);
    }
    let trimmed = joined.trim_end_matches('0');
    let dropped = (joined.len() - trimmed.len()) as i64;
    let value: i64 = if trimmed.is_empty() { 0 } else { trimmed.parse().map_err(|_| Range)? };
    let places = fraction.bytes().filter(u8::is_ascii_digit).count() as i64;
    let shift = power.checked_add(dropped - places).ok_or(Range)?;
    if value == 0 {
        return Ok(Rational::ZERO);
    }
    let scale = Rational::integer(10).powi(shift).filter(|_| shift.abs() <= 18).ok_or(Range)?;
    let value = Rational::integer(if negative { -value } else { value });
    value.mul(scale).ok_or(Range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(text: &str) -> Rational {
        text.parse().unwrap()
    }

    #[test]
    fn reads_decimals_exactly() {
        assert_eq!(r("0.25"), Rational::new(1, 4).unwrap());
        assert_eq!(r("6e-3"), Rational::new(3, 500).unwrap());
        assert_eq!(r("-1/2"), Rational::new(-1, 2).unwrap());
        assert_eq!(r("1_000_000").to_string(), "1000000");
        assert_eq!("1e99".parse::<Rational>(), Err(ParseRationalError::Range));
        assert_eq!("..".parse::<Rational>(), Err(ParseRationalError::Form));
    }

    #[test]
    fn overflow_is_none() {
        assert_eq!(Rational::integer(i64::MAX).add(Rational::ONE), None);
        assert_eq!(Rational::integer(10).powi(19), None);
        assert_eq!(Rational::ZERO.recip(), None);
    }

    #[test]
    fn exact_roots() {
        assert_eq!(Rational::integer(64).pow(Rational::HALF), Some(Rational::integer(8)));
        assert_eq!(r("27/8").pow(r("-2/3")), Some(r("4/9")));
        assert_eq!(Rational::integer(2).pow(Rational::HALF), None);
    }
}
