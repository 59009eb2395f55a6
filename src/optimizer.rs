//! Optimizers, as far as exponents are concerned: how large a step is for a gradient of a given size.
//!
//! Every optimizer is one line of a table ([`Optimizer::law`]): where its steps point, whether they are relative to the weights, which
//! factor of the matrix's shape it applies, and what its eps is compared with. All rates and gauges follow from these facts through
//! one formula, [`step::StepLaw`]. Momentum, warm-up and schedules multiply a step by Θ(1) and do not appear.

pub mod plan;
pub mod step;

use std::fmt;
use std::str::FromStr;

pub use plan::{Decay, Plan};

/// An update law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Optimizer {
    /// Stochastic gradient descent, with or without momentum.
    Sgd,
    /// Adam (Kingma & Ba 2015).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019); the same step.
    AdamW,
    /// Adagrad (Duchi et al. 2011), during the first Θ(1) steps.
    Adagrad,
    /// RMSprop (Tieleman & Hinton 2012).
    RmsProp,
    /// Lion (Chen et al. 2023).
    Lion,
    /// Sign descent (Bernstein et al. 2018).
    Sign,
    /// Adafactor with relative steps (Shazeer & Stern 2018).
    Adafactor,
    /// LARS (You et al. 2017).
    Lars,
    /// LAMB (You et al. 2020).
    Lamb,
    /// Muon without a factor: steps eta U V^T.
    Muon,
    /// Muon as first published, with the factor max(1, fan_out/fan_in)^(1/2) (Jordan et al. 2024).
    MuonJordan,
    /// Muon with the factor max(fan_in, fan_out)^(1/2), so that entries are as Adam's (Liu et al. 2025, Moonlight).
    MuonMoonlight,
    /// Shampoo with exponents -1/4 on both sides (Gupta et al. 2018), during the first Θ(1) steps.
    Shampoo,
    /// Adam in Shampoo's eigenbasis (Vyas et al. 2024).
    Soap,
}

/// Where a step points, and what is left of the gradient's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Along the gradient, and as large.
    Gradient,
    /// Every entry by itself, of size 1 whatever the gradient's size.
    Entrywise,
    /// U V^T of the gradient's singular vectors: spectral norm 1.
    Spectral,
}

/// The factor of a matrix's shape in front of a spectral step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShapeFactor {
    /// None.
    One,
    /// max(1, fan_out/fan_in)^(1/2).
    Growing,
    /// max(fan_in, fan_out)^(1/2).
    Largest,
}

/// What eps is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Epsilon {
    /// There is none that matters.
    None,
    /// An entry of the gradient.
    Entry,
    /// The Frobenius norm of the gradient.
    Norm,
    /// Its square.
    SquaredNorm,
    /// An entry of the weights: the floor of a relative step.
    Weight,
}

/// What the calculus knows of an optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Law {
    /// Its name on the command line.
    pub name: &'static str,
    /// Where a step points.
    pub direction: Direction,
    /// Whether steps are multiples of the weights' own size.
    pub relative: bool,
    /// The factor of the shape.
    pub factor: ShapeFactor,
    /// What eps is added to.
    pub epsilon: Epsilon,
}

impl Optimizer {
    /// Every optimizer.
    pub const ALL: [Optimizer; 15] = [
        Optimizer::Sgd,
        Optimizer::Adam,
        Optimizer::AdamW,
        Optimizer::Adagrad,
        Optimizer::RmsProp,
        Optimizer::Lion,
        Optimizer::Sign,
        Optimizer::Adafactor,
        Optimizer::Lars,
        Optimizer::Lamb,
        Optimizer::Muon,
        Optimizer::MuonJordan,
        Optimizer::MuonMoonlight,
        Optimizer::Shampoo,
        Optimizer::Soap,
    ];

    /// The facts.
    pub fn law(self) -> Law {
        use Direction::{Entrywise, Gradient, Spectral};
        use Epsilon::{Entry, Norm, SquaredNorm, Weight};
        use ShapeFactor::{Growing, Largest, One};
        let (name, direction, relative, factor, epsilon) = match self {
            Optimizer::Sgd => ("sgd", Gradient, false, One, Epsilon::None),
            Optimizer::Adam => ("adam", Entrywise, false, One, Entry),
            Optimizer::AdamW => ("adamw", Entrywise, false, One, Entry),
            Optimizer::Adagrad => ("adagrad", Entrywise, false, One, Entry),
            Optimizer::RmsProp => ("rmsprop", Entrywise, false, One, Entry),
            Optimizer::Lion => ("lion", Entrywise, false, One, Epsilon::None),
            Optimizer::Sign => ("sign", Entrywise, false, One, Epsilon::None),
            Optimizer::Adafactor => ("adafactor", Entrywise, true, One, Weight),
            Optimizer::Lars => ("lars", Gradient, true, One, Norm),
            Optimizer::Lamb => ("lamb", Entrywise, true, One, Entry),
            Optimizer::Muon => ("muon", Spectral, false, One, Norm),
            Optimizer::MuonJordan => ("muon-jordan", Spectral, false, Growing, Norm),
            Optimizer::MuonMoonlight => ("muon-moonlight", Spectral, false, Largest, Norm),
            Optimizer::Shampoo => ("shampoo", Spectral, false, One, SquaredNorm),
            Optimizer::Soap => ("soap", Spectral, false, One, Norm),
        };
        Law { name, direction, relative, factor, epsilon }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        self.law().name
    }

    /// Its step in words.
    pub fn step_in_words(self) -> &'static str {
        let law = self.law();
        match (law.direction, law.relative) {
            (Direction::Gradient, false) => "steps proportional to the gradient; momentum constant",
            (Direction::Gradient, true) => "steps along the gradient, as large as the weights times the rate",
            (Direction::Entrywise, false) => "steps normalized entrywise",
            (Direction::Entrywise, true) => {
                "steps normalized entrywise, as large as the weights times the rate"
            }
            (Direction::Spectral, _) => match law.factor {
                ShapeFactor::One => "steps of spectral norm 1 times the rate",
                ShapeFactor::Growing => "steps of spectral norm max(1, fan_out/fan_in)^1/2 times the rate",
                ShapeFactor::Largest => "steps of spectral norm max(fan_in, fan_out)^1/2 times the rate",
            },
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
#[error("unknown optimizer `{0}`; known are {list}", list = Optimizer::ALL.map(Optimizer::name).join(", "))]
pub struct UnknownOptimizer(String);

impl FromStr for Optimizer {
    type Err = UnknownOptimizer;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Optimizer::ALL.into_iter().find(|optimizer| optimizer.name() == name);
        known.ok_or_else(|| UnknownOptimizer(name.to_string()))
    }
}
