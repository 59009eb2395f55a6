//! The result of a sweep as plain data.
//!
//! The field names are a contract: `mupc transfer --format json` writes them as they stand, docs/transfer.schema.json describes them. What is not
//! there (a run that diverged has no loss) is `null`. Predictions are exact, everything else is measured.

use serde::{Deserialize, Serialize};

use super::knob::Knob;
use super::runs::Run;

/// A study of transfer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The network's name; empty if its spec gives none.
    pub network: String,
    /// What the runs trained on.
    pub data: String,
    /// The command that repeats the study.
    pub command: String,
    /// The scale symbol that was varied: `n`, `L`.
    pub symbol: String,
    /// Its values, ascending; the smallest is the base.
    pub values: Vec<i64>,
    /// Lengths and further scale symbols: name and value.
    pub lengths: Vec<(String, i64)>,
    /// One independent run per point and seed.
    pub seeds: Vec<u64>,
    /// Steps of training.
    pub steps: usize,
    /// How the learning rate went during a run.
    pub schedule: String,
    /// The drift per doubling, in octaves, that counts as none.
    pub margin: f64,
    /// The share by which the loss may rise without being called a cost.
    pub tolerance: f64,
    /// Threads that the runs shared.
    pub threads: usize,
    /// Wall-clock time of this process.
    pub seconds: f64,
    /// Runs that this process did; the others came from a store.
    pub fresh: usize,
    /// False if it was interrupted, or did a share only.
    pub complete: bool,
    /// Whether it was stopped before its work, the sweep or a share of it, was done.
    pub interrupted: bool,
    /// One per parameterization, optimizer and hyperparameter.
    pub studies: Vec<Study>,
    /// Every run.
    pub runs: Vec<Run>,
}

/// Curves of one parameterization, optimizer and hyperparameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// The parameterization.
    pub parameterization: String,
    /// The optimizer, or the several of them.
    pub optimizer: String,
    /// What was varied.
    pub knob: Knob,
    /// The other hyperparameters, at the base size: name and value.
    pub fixed: Vec<(String, f64)>,
    /// One per value of the scale symbol, ascending.
    pub curves: Vec<Curve>,
    /// How the optimum moves.
    pub drift: Option<Drift>,
    /// How the analyzer says it moves.
    pub predicted: Option<Predicted>,
    /// Why it says nothing, if so.
    pub unpredicted: Option<String>,
    /// Whether larger is better at the transferred value.
    pub wider: Wider,
    /// The standard deviation of the logarithm of the loss among seeds, at the optima.
    pub noise: f64,
    /// Whether the best value transfers.
    pub verdict: Verdict,
    /// What it rests on.
    pub reason: String,
    /// What would decide it, if it is open.
    pub advice: Option<String>,
}

/// Loss against the hyperparameter at one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The value of the scale symbol.
    pub value: i64,
    /// Ascending by hyperparameter.
    pub points: Vec<Point>,
    /// The best value of the hyperparameter; none if it is not bracketed.
    pub optimum: Option<Optimum>,
    /// Where it seems to be, if it is not bracketed: completes "the best value is ...".
    pub obstacle: Option<String>,
    /// Whether the end of the curve at which it is lowest is no lower than the point beside it: values beyond promise nothing.
    pub level: bool,
    /// What it costs to take the value that is best at the smallest size.
    pub regret: Option<Regret>,
}

/// Final losses at one value of the hyperparameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The logarithm to the base 2 of the hyperparameter.
    pub log2: f64,
    /// By seed; none for a run that diverged.
    pub losses: Vec<Option<f64>>,
    /// Their geometric mean; none if one diverged.
    pub mean: Option<f64>,
}

/// The best value of a hyperparameter at one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Optimum {
    /// Its logarithm to the base 2.
    pub log2: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The loss there (geometric mean of the seeds).
    pub loss: f64,
    /// The optima of single seeds.
    pub seeds: Vec<f64>,
}

/// The loss at a transferred value in proportion to the loss at the own optimum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regret {
    /// The loss at the transferred value; none if runs diverge there.
    pub loss: Option<f64>,
    /// Over the loss at the own optimum; 1 costs nothing.
    pub ratio: Option<f64>,
    /// The lower end of its interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// The logarithm of the ratio in standard errors of a mean over the seeds; none without scatter.
    pub in_noise: Option<f64>,
}

/// A slope of the optimum's logarithm (base 2) against that of the scale symbol.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Octaves per doubling.
    pub per_doubling: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A power of the scale symbol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// Exact, as in `-1/2`: octaves per doubling.
    pub exponent: String,
    /// The same as a number.
    pub value: f64,
    /// The exponent if readouts count as strictly as Tensor Programs counts them; none where no factor is stable then.
    pub strict: Option<String>,
}

/// Whether the loss at the transferred value falls with size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wider {
    /// Whether it never rises by more than the seeds scatter; none if it cannot be told.
    pub holds: Option<bool>,
    /// The sizes at which it is higher than at the size before.
    pub worse_at: Vec<i64>,
}

/// Whether the best value at the smallest size is the best at larger ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    Transfers,
    /// It is not.
    DoesNot,
    /// The runs do not tell.
    Undecided,
}

impl Verdict {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Transfers => "transfers",
            Verdict::DoesNot => "does not transfer",
            Verdict::Undecided => "undecided",
        }
    }
}
