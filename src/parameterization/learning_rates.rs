//! Which learning rates go with given multipliers and initializations: the parameterization's own, the largest stable rate of every
//! parameter, or the largest one that all can share (Everett et al. 2024 compare per-layer with global rates).

use std::fmt;
use std::str::FromStr;

use super::custom::Key;
use super::global::largest_global_rate;
use super::rates::{Budget, spend};
use super::verdict::{Problem, at_init};
use super::{Failure, Parameterization, complete};
use crate::abc::Abc;
use crate::size::analysis::Calculus;

/// A choice of learning rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LearningRates {
    /// What the parameterization says.
    #[default]
    Own,
    /// The largest stable rate of every parameter.
    Largest,
    /// The largest stable rate that all parameters share.
    Global,
}

impl LearningRates {
    /// Every choice.
    pub const ALL: [LearningRates; 3] = [LearningRates::Own, LearningRates::Largest, LearningRates::Global];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            LearningRates::Own => "own",
            LearningRates::Largest => "largest",
            LearningRates::Global => "global",
        }
    }
}

impl fmt::Display for LearningRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Not a choice of learning rates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown learning rates `{0}`; known are {list}", list = LearningRates::ALL.map(LearningRates::name).join(", "))]
pub struct UnknownLearningRates(String);

impl FromStr for LearningRates {
    type Err = UnknownLearningRates;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = LearningRates::ALL.into_iter().find(|rates| rates.name() == name);
        known.ok_or_else(|| UnknownLearningRates(name.to_string()))
    }
}

/// Why no learning rate is the largest stable one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLargestRate {
    /// The initialization is not stable: no rate mends that.
    Start(Problem),
    /// Every rate is stable: nothing is trained.
    Every,
    /// None is, or none that is a power of the scale symbols within reach.
    None,
}

impl Parameterization {
    /// The same multipliers and initializations with other learning rates; eps and weight decay follow them. Fails where the initialization
    /// is not stable, or no rate is the largest.
    pub fn with_rates(self, calculus: &Calculus, rates: LearningRates) -> Result<Parameterization, Failure> {
        if rates == LearningRates::Own {
            return Ok(self);
        }
        let mut abc: Abc = self.abc.as_ref().clone();
        let budget = Budget::new(calculus, &abc)?;
        if let Some(problem) = at_init(calculus, &budget.initial).into_iter().next() {
            return Err(Failure::NoLargestRate(NoLargestRate::Start(problem)));
        }
        match rates {
            LearningRates::Own => {}
            LearningRates::Largest => spend(calculus, &mut abc, &self.laws, &budget)?,
            LearningRates::Global => {
                let rate = largest_global_rate(calculus, &abc, &self.plan).map_err(Failure::NoLargestRate)?;
                abc.params.iter_mut().for_each(|scaling| scaling.learning_rate.clone_from(&rate));
            }
        }
        let found = complete(calculus, self.scheme, self.plan, self.laws, abc, &budget);
        let mut written = self.written;
        written.retain(|(_, key), _| *key != Key::Rate);
        let found = Parameterization { rates, written, ..found };
        Ok(found.with_decay(calculus, self.decay))
    }
}
