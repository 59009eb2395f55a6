//! Monomials in the scale symbols: axis lengths and written multipliers.
//!
//! A **scale symbol** (width `n`, depth `L`, ...) goes to infinity; all else is Θ(1). Symbols are ordered by declaration: the first
//! goes to infinity first, so two monomials are compared lexicographically in that order. A **dim** is a positive rational times a
//! monomial (`4*n`, `n^(3/2)`, `50257`); two dims are equal exactly when both parts are.

use std::cmp::Ordering;
use std::fmt;

use smallvec::SmallVec;

use crate::rational::{Exponent, Rational};

/// A scale symbol, numbered in the order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Symbol(pub u16);

impl Symbol {
    /// One over the learning rate of an experiment with small steps: it goes to infinity before everything that a spec declares.
    pub const INVERSE_RATE: Symbol = Symbol(u16::MAX);
}

/// The order of limits.
impl Ord for Symbol {
    fn cmp(&self, other: &Self) -> Ordering {
        // The inverse rate has the highest number and comes first.
        self.0.wrapping_add(1).cmp(&other.0.wrapping_add(1))
    }
}

impl PartialOrd for Symbol {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A product of powers of scale symbols, sorted by symbol, without zero powers.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Monomial(SmallVec<[(Symbol, Exponent); 1]>);

impl Monomial {
    /// The empty product: Θ(1).
    pub fn one() -> Monomial {
        Monomial::default()
    }

    /// One symbol to a power.
    pub fn power(symbol: Symbol, exponent: Exponent) -> Monomial {
        let mut powers = SmallVec::new();
        if !exponent.is_zero() {
            powers.push((symbol, exponent));
        }
        Monomial(powers)
    }

    /// Whether it is the empty product.
    pub fn is_one(&self) -> bool {
        self.0.is_empty()
    }

    /// The symbols and their powers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Symbol, Exponent)> + '_ {
        self.0.iter().copied()
    }

    /// The power of one symbol.
    pub fn exponent(&self, symbol: Symbol) -> Exponent {
        self.iter().find(|(own, _)| *own == symbol).map_or(Rational::ZERO, |(_, power)| power)
    }

    /// Product; `None` if an exponent does not fit.
    pub fn mul(&self, other: &Monomial) -> Option<Monomial> {
        if other.is_one() {
            return Some(self.clone());
        }
        self.combine(other, Rational::add, Some)
    }

    /// Quotient; `None` if an exponent does not fit.
    pub fn div(&self, other: &Monomial) -> Option<Monomial> {
        if other.is_one() {
            return Some(self.clone());
        }
        self.combine(other, Rational::sub, Rational::neg)
    }

    /// A rational power; `None` if an exponent does not fit.
    pub fn pow(&self, power: Rational) -> Option<Monomial> {
        if power.is_zero() {
            return Some(Monomial::one());
        }
        self.iter().map(|(symbol, own)| Some((symbol, own.mul(power)?))).collect::<Option<_>>().map(Monomial)
    }

    /// Merges two sorted lists of powers; `lone` maps powers that only `other` has.
    fn combine(
        &self,
        other: &Monomial,
        both: fn(Rational, Rational) -> Option<Rational>,
        lone: fn(Rational) -> Option<Rational>,
    ) -> Option<Monomial> {
        let (left, right) = (&self.0, &other.0);
        let mut merged = SmallVec::new();
        let (mut i, mut j) = (0, 0);
        while i < left.len() || j < right.len() {
            let side = match (left.get(i), right.get(j)) {
                (Some((a, _)), Some((b, _))) => a.cmp(b),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            let (symbol, power) = match side {
                Ordering::Less => left[i],
                Ordering::Greater => (right[j].0, lone(right[j].1)?),
                Ordering::Equal => (left[i].0, both(left[i].1, right[j].1)?),
            };
            i += usize::from(side != Ordering::Greater);
            j += usize::from(side != Ordering::Less);
            if !power.is_zero() {
                merged.push((symbol, power));
            }
        }
        Some(Monomial(merged))
    }

    /// How it compares with Θ(1): the sign of its first power.
    pub fn cmp_one(&self) -> Ordering {
        self.0.first().map_or(Ordering::Equal, |(_, power)| power.cmp(&Rational::ZERO))
    }

    /// Writes it with the given symbol names, `n^3/2 L^-1`; `1` if empty.
    pub fn display<'a>(&'a self, names: &'a [String]) -> DisplayMonomial<'a> {
        DisplayMonomial { monomial: self, names, between: " " }
    }
}

/// Cloned more than anything else: as one block of memory.
impl Clone for Monomial {
    fn clone(&self) -> Self {
        Monomial(SmallVec::from_slice(&self.0))
    }
}

impl FromIterator<(Symbol, Exponent)> for Monomial {
    fn from_iter<I: IntoIterator<Item = (Symbol, Exponent)>>(powers: I) -> Self {
        let mut sorted: SmallVec<[_; 1]> = powers.into_iter().filter(|(_, power)| !power.is_zero()).collect();
        sorted.sort_by_key(|(symbol, _)| *symbol);
        Monomial(sorted)
    }
}

impl Ord for Monomial {
    /// Lexicographic in the order of the symbols: the first symbol with different powers decides.
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (&self.0, &other.0);
        for i in 0.. {
            let (symbol, a, b) = match (left.get(i), right.get(i)) {
                (None, None) => return Ordering::Equal,
                (Some((_, a)), None) => return a.cmp(&Rational::ZERO),
                (None, Some((_, b))) => return Rational::ZERO.cmp(b),
                (Some((s, a)), Some((t, b))) => (s.cmp(t), *a, *b),
            };
            let order = match symbol {
                Ordering::Equal => a.cmp(&b),
                Ordering::Less => a.cmp(&Rational::ZERO),
                Ordering::Greater => Rational::ZERO.cmp(&b),
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }
}

impl PartialOrd for Monomial {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A [`Monomial`] with the names of its symbols.
pub struct DisplayMonomial<'a> {
    monomial: &'a Monomial,
    names: &'a [String],
    between: &'static str,
}

impl fmt::Display for DisplayMonomial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.monomial.is_one() {
            return f.write_str("1");
        }
        for (position, (symbol, power)) in self.monomial.iter().enumerate() {
            let between = if position == 0 { "" } else { self.between };
            let name = self.names.get(usize::from(symbol.0)).map_or("?", String::as_str);
            match power == Rational::ONE {
                true => write!(f, "{between}{name}")?,
                false => write!(f, "{between}{name}^{power}")?,
            }
        }
        Ok(())
    }
}

/// The length of an axis: a positive rational times a monomial.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dim {
    /// The number in front; positive.
    pub coefficient: Rational,
    /// How it grows.
    pub powers: Monomial,
}

impl Dim {
    /// Length 1.
    pub fn one() -> Dim {
        Dim::number(Rational::ONE)
    }

    /// A fixed length.
    pub fn number(coefficient: Rational) -> Dim {
        Dim { coefficient, powers: Monomial::one() }
    }

    /// The scale symbol itself.
    pub fn symbol(symbol: Symbol) -> Dim {
        Dim { coefficient: Rational::ONE, powers: Monomial::power(symbol, Rational::ONE) }
    }

    /// Whether it does not grow. (A dim that shrinks counts as infinite here: it is refused when it is declared.)
    pub fn is_finite(&self) -> bool {
        self.powers.is_one()
    }

    /// Product; `None` if a number does not fit.
    pub fn mul(&self, other: &Dim) -> Option<Dim> {
        Some(Dim {
            coefficient: self.coefficient.mul(other.coefficient)?,
            powers: self.powers.mul(&other.powers)?,
        })
    }

    /// Quotient; `None` if a number does not fit.
    pub fn div(&self, other: &Dim) -> Option<Dim> {
        Some(Dim {
            coefficient: self.coefficient.div(other.coefficient)?,
            powers: self.powers.div(&other.powers)?,
        })
    }

    /// A rational power where the coefficient's power is rational too.
    pub fn pow(&self, power: Rational) -> Option<Dim> {
        Some(Dim { coefficient: self.coefficient.pow(power)?, powers: self.powers.pow(power)? })
    }

    /// The length when every symbol has the given value, if that is a rational number.
    pub fn at(&self, values: &[Rational]) -> Option<Rational> {
        self.powers.iter().try_fold(self.coefficient, |length, (symbol, power)| {
            length.mul(values.get(usize::from(symbol.0))?.pow(power)?)
        })
    }

    /// Writes it with the given symbol names: `4*n`, `n/64`, `n^(3/2)`, `50257`.
    pub fn display<'a>(&'a self, names: &'a [String]) -> DisplayDim<'a> {
        DisplayDim { dim: self, names }
    }
}

/// A [`Dim`] with the names of its symbols, in the notation of the language.
pub struct DisplayDim<'a> {
    dim: &'a Dim,
    names: &'a [String],
}

impl fmt::Display for DisplayDim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut above = Vec::new();
        let mut below = Vec::new();
        let coefficient = self.dim.coefficient;
        if coefficient.numerator() != 1 {
            above.push(coefficient.numerator().to_string());
        }
        if coefficient.denominator() != 1 {
            below.push(coefficient.denominator().to_string());
        }
        for (symbol, power) in self.dim.powers.iter() {
            let name = self.names.get(usize::from(symbol.0)).map_or("?", String::as_str);
            let side = if power.is_negative() { &mut below } else { &mut above };
            side.push(match (power.abs(), power.denominator()) {
                (size, _) if size == Rational::ONE => name.to_string(),
                (size, 1) => format!("{name}^{size}"),
                (size, _) => format!("{name}^({size})"),
            });
        }
        let above = if above.is_empty() { "1".to_string() } else { above.join("*") };
        f.write_str(&above)?;
        below.iter().try_for_each(|factor| write!(f, "/{factor}"))
    }
}

/// A written multiplier: a number, roots of numbers, and powers of symbols, as in `0.5 / sqrt(head)` or `1/n`.
///
/// Roots that are not rational are kept as (base, exponent) pairs, so that the multiplier stays exact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scalar {
    /// The rational factor; may be negative or zero.
    pub coefficient: Rational,
    /// Irrational factors, base to exponent, sorted by base.
    pub roots: Vec<(Rational, Exponent)>,
    /// How it grows.
    pub powers: Monomial,
}

impl Scalar {
    /// A plain number.
    pub fn number(coefficient: Rational) -> Scalar {
        Scalar { coefficient, roots: Vec::new(), powers: Monomial::one() }
    }

    /// 1.
    pub fn one() -> Scalar {
        Scalar::number(Rational::ONE)
    }

    /// Whether it is exactly 1.
    pub fn is_one(&self) -> bool {
        *self == Scalar::one()
    }

    /// Product; `None` if a number does not fit.
    pub fn mul(&self, other: &Scalar) -> Option<Scalar> {
        let mut product = Scalar {
            coefficient: self.coefficient.mul(other.coefficient)?,
            roots: self.roots.clone(),
            powers: self.powers.mul(&other.powers)?,
        };
        other.roots.iter().try_for_each(|(base, power)| product.mul_root(*base, *power))?;
        Some(product)
    }

    /// Multiplies by `base^power`, folding the result into the coefficient where it is rational.
    fn mul_root(&mut self, base: Rational, power: Rational) -> Option<()> {
        let known = self.roots.iter().position(|(own, _)| *own == base);
        let power = match known {
            Some(at) => self.roots.remove(at).1.add(power)?,
            None => power,
        };
        match base.pow(power) {
            Some(value) => self.coefficient = self.coefficient.mul(value)?,
            None => self.roots.push((base, power)),
        }
        self.roots.sort_unstable();
        Some(())
    }

    /// Quotient; `None` for division by zero or if a number does not fit.
    pub fn div(&self, other: &Scalar) -> Option<Scalar> {
        self.mul(&other.pow(Rational::integer(-1))?)
    }

    /// A rational power; `None` for a root of a negative number, zero to a negative power, or if a number does not fit.
    pub fn pow(&self, power: Rational) -> Option<Scalar> {
        if self.coefficient.is_negative() && power.denominator() != 1 {
            return None;
        }
        if self.coefficient.is_zero() && power.is_negative() {
            return None;
        }
        let mut result = Scalar { powers: self.powers.pow(power)?, ..Scalar::one() };
        match self.coefficient.pow(power) {
            Some(value) => result.coefficient = value,
            None if power.denominator() == 1 => return None,
            None => result.mul_root(self.coefficient, power)?,
        }
        self.roots.iter().try_for_each(|(base, own)| result.mul_root(*base, own.mul(power)?))?;
        Some(result)
    }

    /// Writes it with the given symbol names: `0.5*64^-1/2*n^-1`.
    pub fn display(&self, names: &[String]) -> String {
        let mut factors = Vec::new();
        if self.coefficient != Rational::ONE || (self.roots.is_empty() && self.powers.is_one()) {
            factors.push(self.coefficient.to_string());
        }
        factors.extend(self.roots.iter().map(|(base, power)| format!("{base}^{power}")));
        if !self.powers.is_one() {
            factors.push(DisplayMonomial { monomial: &self.powers, names, between: "*" }.to_string());
        }
        factors.join("*")
    }
}

impl From<&Dim> for Scalar {
    fn from(dim: &Dim) -> Self {
        Scalar { coefficient: dim.coefficient, roots: Vec::new(), powers: dim.powers.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(power: (i64, i64)) -> Monomial {
        Monomial::power(Symbol(0), Rational::new(power.0, power.1).unwrap())
    }

    fn l(power: i64) -> Monomial {
        Monomial::power(Symbol(1), Rational::integer(power))
    }

    #[test]
    fn the_first_symbol_decides() {
        assert!(n((1, 2)) > l(100));
        assert!(n((-1, 2)) < l(-100));
        assert!(l(1) > Monomial::one());
        assert!(n((1, 1)).mul(&l(-1)).unwrap() < n((1, 1)));
    }

    #[test]
    fn products_cancel() {
        let product = n((1, 2)).mul(&l(1)).unwrap().mul(&n((-1, 2))).unwrap();
        assert_eq!(product, l(1));
        assert_eq!(n((1, 1)).div(&n((1, 1))).unwrap(), Monomial::one());
    }

    #[test]
    fn displays_in_the_notation_of_the_language() {
        let names = ["n".to_string(), "L".to_string()];
        let dim = Dim { coefficient: Rational::new(3, 64).unwrap(), powers: n((3, 2)).mul(&l(-1)).unwrap() };
        assert_eq!(dim.display(&names).to_string(), "3*n^(3/2)/64/L");
        assert_eq!(dim.powers.display(&names).to_string(), "n^3/2 L^-1");
        assert_eq!(Dim::one().display(&names).to_string(), "1");
    }

    #[test]
    fn roots_stay_exact() {
        let root = Scalar::number(Rational::integer(2)).pow(Rational::HALF).unwrap();
        assert_eq!(root.display(&[]), "2^1/2");
        assert_eq!(root.mul(&root).unwrap(), Scalar::number(Rational::integer(2)));
    }
}
