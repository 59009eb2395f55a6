//! Two readings of a sum of sizes: its size in the limit, and the least that it may look like at finite widths.

use smallvec::SmallVec;

use crate::dim::Monomial;
use crate::rational::Rational;
use crate::size::Size;
use crate::size::term::{Factor, Quantity, Rule, Terms, product};

/// What is kept of a sum of terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The largest term: the limit.
    Largest,
    /// What small learning rates and widths of some hundred may still show: what training adds to values and gradients left out, and of two terms
    /// that come from one thing and differ by no more than n^(1/2) the smaller one.
    Least,
    /// The same for all terms of a sum, wherever they come from: of those that differ by no more than n^(1/2) from the largest, the smallest.
    Smallest,
}

impl Reading {
    /// What is kept of the terms that `rule` gives.
    pub fn of(self, rule: impl FnOnce(&mut Pool)) -> Size {
        let lines_up = self == Reading::Largest;
        self.kept(Pool { lines_up, terms: SmallVec::new() }, rule)
    }

    fn kept(self, mut pool: Pool, rule: impl FnOnce(&mut Pool)) -> Size {
        rule(&mut pool);
        let largest = pool.terms.iter().map(|(size, _)| size.clone()).fold(Size::Zero, Size::max);
        match self {
            Reading::Largest | Reading::Least => largest,
            Reading::Smallest => {
                let sizes = pool.terms.into_iter().map(|(size, _)| size);
                let near = sizes.filter(|size| !size.is_zero() && is_near(size, &largest));
                near.min().unwrap_or(largest)
            }
        }
    }

    /// The same of sizes of which `full` are the ones in the limit: the smallest of several ways may also be near the largest one as they are there, all
    /// that lines up counted.
    pub fn of_both(self, sizes: &[Size], full: Option<&[Size]>, rule: impl Fn(&[Size], &mut Pool)) -> Size {
        let read = self.of(|terms| rule(sizes, terms));
        match full.filter(|_| self == Reading::Smallest) {
            Some(full) => {
                let pool = Pool { lines_up: true, terms: SmallVec::new() };
                read.min(self.kept(pool, |terms| rule(full, terms)))
            }
            None => read,
        }
    }

    /// What something is that was `initial` and changed.
    pub fn joined(self, initial: &[Size], change: &[Size]) -> Vec<Size> {
        let joined = |(initial, change): (&Size, &Size)| match self {
            Reading::Least | Reading::Smallest if !initial.is_zero() => initial.clone(),
            Reading::Largest | Reading::Least | Reading::Smallest => initial.clone().max(change.clone()),
        };
        initial.iter().zip(change).map(joined).collect()
    }
}

/// Whether two sizes differ by no more than the square root of any symbol.
pub fn is_near(low: &Size, high: &Size) -> bool {
    let (Some(low), Some(high)) = (low.power(), high.power()) else { return low == high };
    let small = |ratio: Monomial| ratio.iter().all(|(_, power)| power.abs() <= Rational::HALF);
    high.div(low).is_some_and(small)
}

/// The terms of a sum.
pub struct Pool {
    /// Whether what lines up in the limit counts as lined up.
    lines_up: bool,
    /// Sizes, and whether the term comes from a factor's change.
    terms: SmallVec<[(Size, bool); 4]>,
}

impl Terms for Pool {
    fn term(&mut self, _: Rule, factors: &[Factor]) {
        let has = |is: fn(&Quantity) -> bool| factors.iter().any(|(quantity, _)| is(quantity));
        let lines_up = has(|quantity| matches!(quantity, Quantity::Echo(_) | Quantity::Recoil(_)));
        let turned = has(|quantity| matches!(quantity, Quantity::Turn(_)));
        let mut size = product(factors);
        // What lines up stands behind what does not; what a changed slope does before what it would have done anyway.
        let paired = self.terms.last().is_some_and(|(_, last)| lines_up || *last);
        if let Some((partner, _)) = if paired { self.terms.pop() } else { None } {
            // What does not line up is there in any case; of two ways either may have the small coefficient.
            let (low, high) = match partner < size {
                true => (partner, size),
                false if lines_up => (partner.clone(), partner),
                false => (size, partner),
            };
            size = if !self.lines_up && is_near(&low, &high) { low } else { high };
        }
        self.terms.push((size, turned));
    }
}
