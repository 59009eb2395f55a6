//! Sizes: how large a typical coordinate of a tensor is, as a monomial in the scale symbols.
//!
//! "x has size S" means that the root mean square of x's coordinates is Θ(S). Sizes multiply exactly; a sum has the size of its
//! largest term, in the order of the symbols. The tables of this room follow the data flow of training:
//!
//! | table | of | section |
//! |---|---|---|
//! | [`repetition`] | residual streams under a growing number of repetitions | TP-VI |
//! | [`parity`] | sign symmetries, which decide between N^(1/2) and N | TP-I "Gaussian matrices are mean zero" |
//! | [`forward`] | x_0, the values at initialization | TP-IV, Spectral |
//! | [`backward`] | G, the gradients, fresh and in training | TP-IV, TP-IVb |
//! | [`change`] | D = x_t - x_0, by update and by propagation | TP-IV Definition 3.2, TP-V |
//! | [`analysis`] | all of them together, for a given abc-parameterization | |
//! | [`echo`] | how much of a change lines up with what acts on it next | |
//! | [`realized`] | all of them step by step, as an experiment sees them | |
//! | [`target`] | how large each tensor may be, seen from what uses it | |
//!
//! Architecture invariant: no float. Where a number does not fit, the size is [`Size::Beyond`], which is larger than everything.

pub mod analysis;
pub mod backward;
pub mod change;
pub mod echo;
pub mod elementwise;
pub mod forward;
pub mod parity;
pub mod reachability;
pub mod realized;
pub mod repetition;
pub mod target;
pub mod term;

use std::cmp::Ordering;
use std::fmt;

use crate::dim::Monomial;
use crate::rational::Rational;

/// How large a typical coordinate is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// Exactly zero.
    Zero,
    /// Θ of a monomial.
    Power(Monomial),
    /// Larger than every monomial that fits: exponential growth, a division by zero, an exponent out of range.
    Beyond,
}

impl Size {
    /// Θ(1).
    pub fn one() -> Size {
        Size::Power(Monomial::one())
    }

    /// Whether it is Θ(1).
    pub fn is_one(&self) -> bool {
        matches!(self, Size::Power(power) if power.is_one())
    }

    /// Whether it is exactly zero.
    pub fn is_zero(&self) -> bool {
        *self == Size::Zero
    }

    /// Product. Zero times anything is zero.
    pub fn mul(&self, other: &Size) -> Size {
        match (self, other) {
            (Size::Zero, _) | (_, Size::Zero) => Size::Zero,
            (Size::Beyond, _) | (_, Size::Beyond) => Size::Beyond,
            (Size::Power(a), Size::Power(b)) => a.mul(b).map_or(Size::Beyond, Size::Power),
        }
    }

    /// Quotient. Division by zero is [`Size::Beyond`], unless zero is divided.
    pub fn div(&self, other: &Size) -> Size {
        match (self, other) {
            (Size::Zero, _) => Size::Zero,
            (_, Size::Zero) | (Size::Beyond, _) => Size::Beyond,
            (_, Size::Beyond) => Size::Zero,
            (Size::Power(a), Size::Power(b)) => a.div(b).map_or(Size::Beyond, Size::Power),
        }
    }

    /// A rational power.
    pub fn pow(&self, power: Rational) -> Size {
        match self {
            _ if power.is_zero() => Size::one(),
            Size::Zero if power.is_negative() => Size::Beyond,
            Size::Beyond if power.is_negative() => Size::Zero,
            Size::Zero | Size::Beyond => self.clone(),
            Size::Power(own) => own.pow(power).map_or(Size::Beyond, Size::Power),
        }
    }

    /// The size of a sum of both.
    pub fn max(self, other: Size) -> Size {
        Ord::max(self, other)
    }

    /// The monomial, if it is one.
    pub fn power(&self) -> Option<&Monomial> {
        match self {
            Size::Power(power) => Some(power),
            Size::Zero | Size::Beyond => None,
        }
    }

    /// How it compares with Θ(1).
    pub fn cmp_one(&self) -> Ordering {
        match self {
            Size::Zero => Ordering::Less,
            Size::Power(power) => power.cmp_one(),
            Size::Beyond => Ordering::Greater,
        }
    }

    /// Whether it goes to infinity.
    pub fn grows(&self) -> bool {
        self.cmp_one() == Ordering::Greater
    }

    /// Whether it goes to zero, or is zero.
    pub fn vanishes(&self) -> bool {
        self.cmp_one() == Ordering::Less
    }

    /// Writes it with the given symbol names.
    pub fn display<'a>(&'a self, names: &'a [String]) -> DisplaySize<'a> {
        DisplaySize { size: self, names }
    }
}

impl From<&Monomial> for Size {
    fn from(power: &Monomial) -> Size {
        Size::Power(power.clone())
    }
}

impl Ord for Size {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |size: &Size| match size {
            Size::Zero => 0,
            Size::Power(_) => 1,
            Size::Beyond => 2,
        };
        match (self, other) {
            (Size::Power(a), Size::Power(b)) => a.cmp(b),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl PartialOrd for Size {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A [`Size`] with the names of its symbols.
pub struct DisplaySize<'a> {
    size: &'a Size,
    names: &'a [String],
}

impl fmt::Display for DisplaySize<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size {
            Size::Zero => f.pad("0"),
            Size::Beyond => f.pad("unbounded"),
            Size::Power(power) => f.pad(&power.display(self.names).to_string()),
        }
    }
}
