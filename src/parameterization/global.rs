//! The largest stable learning rate if all parameters share one.
//!
//! Stability only gets worse with the rate, so the boundary is found by halving an interval of exponents of the first scale symbol; the
//! exponent itself is the simplest fraction that is left. The other symbols keep power 0.

use std::rc::Rc;

use super::verdict::{Verdict, classify};
use crate::abc::Abc;
use crate::dim::{Monomial, Symbol};
use crate::optimizer::Plan;
use crate::rational::Rational;
use crate::size::analysis::{Calculus, analyze};

/// Exponents beyond this are not looked for.
const WIDEST: i64 = 64;

/// Halvings of the interval: enough to tell fractions with denominators up to a hundred apart.
const HALVINGS: usize = 22;

/// The largest power of the first symbol that is stable as a learning rate for all parameters; none if the initialization is not
/// stable, nothing grows, or every rate is.
pub fn largest_global_rate(calculus: &Calculus, abc: &Abc, plan: &Plan) -> Option<Rational> {
    let stable = |exponent: Rational| is_stable(calculus, abc, plan, exponent);
    let (mut low, mut high) = (Rational::integer(-WIDEST), Rational::integer(WIDEST));
    if calculus.graph().scales.is_empty() || !stable(low) || stable(high) {
        return None;
    }
    for _ in 0..HALVINGS {
        let middle = low.add(high)?.mul(Rational::HALF)?;
        *(if stable(middle) { &mut low } else { &mut high }) = middle;
    }
    simplest(low, high).filter(|exponent| stable(*exponent))
}

fn is_stable(calculus: &Calculus, abc: &Abc, plan: &Plan, exponent: Rational) -> bool {
    let mut abc = abc.clone();
    for scaling in &mut abc.params {
        scaling.learning_rate = Monomial::power(Symbol(0), exponent);
    }
    let found = classify(calculus, &analyze(calculus, Rc::new(abc), plan.clone()));
    match found.verdict {
        Verdict::UnstableAtInit | Verdict::UnstableInTraining | Verdict::ControlledDivergence => false,
        Verdict::Trivial | Verdict::Kernel | Verdict::FeatureLearning => true,
    }
}

/// The fraction with the smallest denominator in low <= x < high (Stern-Brocot descent, by denominators).
fn simplest(low: Rational, high: Rational) -> Option<Rational> {
    (1..=128).find_map(|denominator| {
        let scaled = low.mul(Rational::integer(denominator))?;
        let numerator = -(-scaled.numerator()).div_euclid(scaled.denominator());
        let candidate = Rational::new(numerator, denominator)?;
        (candidate >= low && candidate < high).then_some(candidate)
    })
}
