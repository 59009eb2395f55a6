//! The largest stable learning rate if all parameters share one.
//!
//! Stability only gets worse with the rate, so the boundary is found by halving an interval of exponents, one scale symbol after the
//! other: the later symbols are held so small that they cannot spoil what an exponent of the earlier one allows. The exponent itself
//! is the simplest fraction that is left.

use std::rc::Rc;

use super::learning_rates::NoLargestRate;
use super::verdict::classify;
use crate::abc::Abc;
use crate::dim::{Monomial, Symbol};
use crate::graph::{Init, NodeId};
use crate::optimizer::Plan;
use crate::rational::Rational;
use crate::size::analysis::{Calculus, analyze};

/// Exponents beyond this are not looked for.
const WIDEST: i64 = 64;

/// The largest denominator of an exponent.
const LARGEST_DENOMINATOR: i64 = 128;

/// Halvings of the interval: enough to tell fractions with such denominators apart.
const HALVINGS: usize = 22;

/// The largest power of the scale symbols that is stable as a learning rate for all parameters; 1 where nothing grows.
pub fn largest_global_rate(calculus: &Calculus, abc: &Abc, plan: &Plan) -> Result<Monomial, NoLargestRate> {
    largest_power(calculus, |rate| {
        let mut abc = abc.clone();
        abc.params.iter_mut().for_each(|scaling| scaling.learning_rate.clone_from(rate));
        Some(is_stable(calculus, abc, plan))
    })
}

/// What one factor is put in front of.
#[derive(Clone, Copy, Debug)]
pub enum Turned<'a> {
    /// All learning rates.
    Rates,
    /// All random initializations.
    Inits,
    /// These contractions, whose multipliers nobody has written.
    Fronts(&'a [NodeId]),
}

impl Turned<'_> {
    /// A parameterization with the factor; `None` on overflow.
    fn by(self, calculus: &Calculus, abc: &Abc, factor: &Monomial) -> Option<Abc> {
        let mut abc = abc.clone();
        let graph = calculus.graph();
        match self {
            Turned::Rates => {
                for scaling in &mut abc.params {
                    scaling.learning_rate = scaling.learning_rate.mul(factor)?;
                }
            }
            Turned::Inits => {
                for ((_, param), scaling) in graph.param_ids().zip(&mut abc.params) {
                    if param.init == Init::Random {
                        scaling.init_std = scaling.init_std.mul(factor)?;
                    }
                }
            }
            Turned::Fronts(nodes) => {
                for node in nodes {
                    let own = abc.contractions.entry(*node).or_default();
                    *own = own.mul(factor)?;
                }
            }
        }
        Some(abc)
    }
}

/// The largest power of the scale symbols by which all of something can be multiplied while training stays stable: how the best factor in front
/// of it must move; 1 where what is there is the largest that is stable.
///
/// # Errors
/// If no factor is the largest: something else is unstable, or every factor is stable.
pub fn largest_factor(
    calculus: &Calculus,
    abc: &Abc,
    plan: &Plan,
    turned: Turned,
) -> Result<Monomial, NoLargestRate> {
    largest_power(calculus, |factor| Some(is_stable(calculus, turned.by(calculus, abc, factor)?, plan)))
}

fn largest_power(
    calculus: &Calculus,
    holds: impl Fn(&Monomial) -> Option<bool>,
) -> Result<Monomial, NoLargestRate> {
    let mut rate = Monomial::one();
    let count = calculus.graph().scales.len() as u16;
    for at in 0..count {
        let small: Monomial =
            (at + 1..count).map(|later| (Symbol(later), Rational::integer(-WIDEST))).collect();
        let power = |exponent: Rational| rate.mul(&Monomial::power(Symbol(at), exponent));
        let stable = |exponent: Rational| {
            let tried = power(exponent).and_then(|rate| rate.mul(&small));
            tried.and_then(|tried| holds(&tried)).unwrap_or(false)
        };
        let exponent = match largest_stable(&stable) {
            Err(NoLargestRate::Every) if at > 0 => Err(NoLargestRate::None),
            found => found,
        }?;
        rate = power(exponent).ok_or(NoLargestRate::None)?;
    }
    Ok(rate)
}

/// The largest exponent that is stable.
fn largest_stable(stable: &impl Fn(Rational) -> bool) -> Result<Rational, NoLargestRate> {
    let next = Rational::new(1, 2 * LARGEST_DENOMINATOR).unwrap_or(Rational::ONE);
    if stable(Rational::ZERO) && !stable(next) {
        return Ok(Rational::ZERO);
    }
    let (mut low, mut high) = (Rational::integer(-WIDEST), Rational::integer(WIDEST));
    match (stable(low), stable(high)) {
        (_, true) => return Err(NoLargestRate::Every),
        (false, false) => return Err(NoLargestRate::None),
        (true, false) => {}
    }
    for _ in 0..HALVINGS {
        let middle = low.add(high).and_then(|sum| sum.mul(Rational::HALF)).ok_or(NoLargestRate::None)?;
        *(if stable(middle) { &mut low } else { &mut high }) = middle;
    }
    simplest(low, high).filter(|exponent| stable(*exponent)).ok_or(NoLargestRate::None)
}

fn is_stable(calculus: &Calculus, abc: Abc, plan: &Plan) -> bool {
    classify(calculus, &analyze(calculus, Rc::new(abc), plan.clone())).is_stable()
}

/// The fraction with the smallest denominator in low <= x < high.
fn simplest(low: Rational, high: Rational) -> Option<Rational> {
    (1..=LARGEST_DENOMINATOR).find_map(|denominator| {
        let scaled = low.mul(Rational::integer(denominator))?;
        let numerator = -(-scaled.numerator()).div_euclid(scaled.denominator());
        let candidate = Rational::new(numerator, denominator)?;
        (candidate >= low && candidate < high).then_some(candidate)
    })
}
