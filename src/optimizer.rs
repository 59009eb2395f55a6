//! Optimizers, as far as exponents are concerned: how large a step is for a gradient of a given size.
//!
//! Momentum, warm-up and schedules multiply a step by Θ(1) and do not appear. The next optimizers (relative steps, spectral norm
//! steps) are further variants of [`Optimizer`]; the compiler then lists every law that is missing.

use std::fmt;
use std::str::FromStr;

use crate::rational::Rational;

/// An update law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Optimizer {
    /// Stochastic gradient descent, with or without momentum: the step is eta times the gradient.
    Sgd,
    /// Adam and every optimizer that normalizes the gradient entrywise: an entry of the step has size eta.
    Adam,
    /// Adam with decoupled weight decay; the same step.
    AdamW,
}

impl Optimizer {
    /// Every optimizer, by its name on the command line.
    pub const ALL: [(&'static str, Optimizer); 3] =
        [("sgd", Optimizer::Sgd), ("adam", Optimizer::Adam), ("adamw", Optimizer::AdamW)];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Optimizer::Sgd => "sgd",
            Optimizer::Adam => "adam",
            Optimizer::AdamW => "adamw",
        }
    }

    /// The power k of the gradient in an entry of the step, eta g^k: 1 for gradient descent, 0 for entrywise normalization.
    pub fn gradient_power(self) -> Rational {
        match self {
            Optimizer::Sgd => Rational::ONE,
            Optimizer::Adam | Optimizer::AdamW => Rational::ZERO,
        }
    }

    /// Whether it compares the gradient with an eps.
    pub fn has_epsilon(self) -> bool {
        match self {
            Optimizer::Sgd => false,
            Optimizer::Adam | Optimizer::AdamW => true,
        }
    }
}

impl fmt::Display for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Not the name of an optimizer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown optimizer `{0}`; known are sgd, adam, adamw")]
pub struct UnknownOptimizer(String);

impl FromStr for Optimizer {
    type Err = UnknownOptimizer;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Optimizer::ALL.iter().find(|(own, _)| *own == name);
        known.map(|(_, optimizer)| *optimizer).ok_or_else(|| UnknownOptimizer(name.to_string()))
    }
}
