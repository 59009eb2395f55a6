//! What a study of transfer is asked to do.

use super::knob::{Grid, Knob};
use crate::check::request::NetworkError;
use crate::check::setting::Base;
use crate::graph::Graph;
use crate::network::Question;
use crate::numeric::data::Source;
use crate::numeric::train::Routine;
use crate::rational::Rational;

/// One family of curves: a parameterization, an optimizer, a hyperparameter, and what the others are meanwhile.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Whose rules, for which optimizers.
    pub question: Question,
    /// What is varied.
    pub knob: Knob,
    /// Its values in the first round.
    pub grid: Grid,
    /// The other hyperparameters, at the base size.
    pub chosen: Base,
    /// Examples per step, unless they are what is varied.
    pub batch: usize,
}

/// A sweep of one network.
#[derive(Clone, Debug)]
pub struct Request {
    /// The families of curves.
    pub arms: Vec<Arm>,
    /// The scale symbol that grows, by place.
    pub symbol: usize,
    /// Its values, ascending; the smallest is the base at which all parameterizations are one.
    pub values: Vec<i64>,
    /// Values of all scale symbols; that of the growing one is replaced.
    pub base: Vec<Rational>,
    /// One independent run per curve, value and seed.
    pub seeds: Vec<u64>,
    /// What is trained on.
    pub source: Source,
    /// What every run does.
    pub course: Course,
    /// How far optima are looked for.
    pub search: Search,
    /// At most so many bytes for all runs together.
    pub memory: u64,
    /// Runs side by side.
    pub threads: usize,
}

/// What every run does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// Steps of training.
    pub steps: usize,
    /// Momenta, schedule, clipping.
    pub routine: Routine,
    /// Whether runs without hope are ended early: see [`Course::is_hopeless`].
    pub early_stop: bool,
}

impl Course {
    /// A run without hope is worse than this many times its loss at the start.
    pub const HOPELESS: f64 = 2.0;

    /// The number of last steps over which the training loss is averaged: a tenth of all.
    pub fn tail(self) -> usize {
        self.steps.div_ceil(10).max(1)
    }

    /// Whether a run can be ended after these losses: a quarter of the steps are done, and the mean loss of the last tenth (of all
    /// steps) is above twice the loss at the start. Such a run counts as diverged.
    pub fn is_hopeless(self, losses: &[f64]) -> bool {
        let tail = self.tail();
        if !self.early_stop || losses.len() < (self.steps / 4).max(tail + 1) {
            return false;
        }
        let recent = losses[losses.len() - tail..].iter().sum::<f64>() / tail as f64;
        recent > Course::HOPELESS * losses[0].abs()
    }
}

/// How far optima are looked for, beyond the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    /// How many times the distance of neighbours is halved around an optimum.
    pub halvings: u32,
    /// How many steps of the grid are added at an end at which the optimum lies.
    pub reach: i32,
}

impl Search {
    /// The most halvings there may be.
    pub const MOST: u32 = 4;

    /// One halving more, where the grid of an arm has places between that its hyperparameter can take.
    pub fn finer(self, arm: &Arm) -> Option<u32> {
        let next = self.halvings + 1;
        (next <= Search::MOST && arm.grid.step >> next >= arm.knob.finest()).then_some(next)
    }
}

/// Why a sweep cannot start.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RequestError {
    /// Nothing to transfer between.
    #[error("transfer needs at least two values of `{0}`; give a range such as `--over {0}=64..512`")]
    TooFewValues(String),
    /// A grid without a shape.
    #[error(
        "--sweep: a grid of {0} {1} has no optimum between others; give at least three, as in `lr=2^-12..2^-3`"
    )]
    TooFewPlaces(usize, &'static str),
    /// Steps between the values of a hyperparameter that it cannot take.
    #[error("--sweep: {knob} {why}")]
    Grid {
        /// Which.
        knob: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// More examples in one step than there are.
    #[error("a step would take {batch} examples, but the data has {examples}; choose a smaller `--batch`")]
    Batch {
        /// Examples per step.
        batch: usize,
        /// Examples in all.
        examples: usize,
    },
    /// A network that cannot be run.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl Request {
    /// The name of the growing symbol.
    pub fn symbol_name<'g>(&self, graph: &'g Graph) -> &'g str {
        &graph.scales[self.symbol].name
    }

    /// The values of all symbols where the growing one has a given value.
    pub fn values_at(&self, value: i64) -> Vec<Rational> {
        let mut values = self.base.clone();
        values[self.symbol] = Rational::integer(value);
        values
    }

    /// Holds what can be held without building anything: enough values, grids that have an inside and that their hyperparameter can take.
    ///
    /// # Errors
    /// If one of them does not hold.
    pub fn validate(&self, graph: &Graph) -> Result<(), RequestError> {
        if self.values.len() < 2 {
            return Err(RequestError::TooFewValues(self.symbol_name(graph).to_string()));
        }
        for Arm { knob, grid, .. } in &self.arms {
            let count = grid.places().len();
            if count < 3 {
                return Err(RequestError::TooFewPlaces(count, if count == 1 { "value" } else { "values" }));
            }
            let wrong = |why: String| Err(RequestError::Grid { knob: knob.words(), why });
            if grid.step % knob.finest() != 0 || grid.first.0 % knob.finest() != 0 {
                return wrong("takes whole powers of two only".to_string());
            }
            let (least, most) = knob.limits();
            if grid.first < least || grid.last > most {
                return wrong(format!("lies between {least} and {most}"));
            }
        }
        Ok(())
    }
}
