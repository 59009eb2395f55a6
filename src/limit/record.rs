//! What the studies of this room found, as plain data. The field names are a contract: `--format json` writes them as they stand.

use serde::Serialize;

use crate::check::record::Point;

/// A fitted exponent.
#[derive(Clone, Debug, Serialize)]
pub struct Slope {
    /// The slope over the widest values.
    pub exponent: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Sizes at growing widths, held against an exponent.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// What was measured.
    pub name: String,
    /// The sizes, ascending by width.
    pub points: Vec<Point>,
    /// The exponent of the theory.
    pub expected: f64,
    /// The measured one; none if too little was measured.
    pub slope: Option<Slope>,
    /// Whether the interval of the slope, widened by 0.1, holds the expected exponent.
    pub holds: bool,
}

/// A limit that is followed in time, with the finite networks beside it.
#[derive(Clone, Debug, Serialize)]
pub struct Followed {
    /// `linear` or `mean-field`.
    pub limit: String,
    /// The command that repeats it.
    pub command: String,
    /// What the network is.
    pub network: String,
    /// What widths are values of.
    pub symbol: String,
    /// How the limit was computed.
    pub method: String,
    /// What is minimized.
    pub loss: String,
    /// The learning rate of the limit.
    pub rate: f64,
    /// Examples.
    pub examples: usize,
    /// Outputs of the limit for all examples before every step and after the last: (steps + 1) x (examples * outputs).
    pub outputs: Vec<Vec<f64>>,
    /// The loss at these times.
    pub losses: Vec<f64>,
    /// The root mean square of the standard errors of the outputs; zero where the limit is exact.
    pub error: f64,
    /// Finite networks; none if none were asked for.
    pub finite: Option<Judged>,
    /// Whether the error of the limit is at most a third of the smallest distance that was measured, so that distances mean something.
    pub resolved: bool,
    /// False if it was interrupted: then a part of the runs is missing, and nothing is judged.
    pub complete: bool,
    /// Seconds in all.
    pub seconds: f64,
}

/// Word vectors at growing widths, in two parameterizations.
#[derive(Clone, Debug, Serialize)]
pub struct Embedded {
    /// `embeddings`.
    pub limit: String,
    /// The command that repeats it.
    pub command: String,
    /// The network.
    pub network: String,
    /// The corpus, in words.
    pub data: String,
    /// How it was trained, in words.
    pub training: String,
    /// The parameterizations.
    pub sides: Vec<Side>,
    /// Whether the vectors stay as they are in the one and learn in the other.
    pub holds: bool,
    /// False if it was interrupted: then a part of the runs is missing, and nothing is judged.
    pub complete: bool,
    /// Seconds in all.
    pub seconds: f64,
}

/// One parameterization.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// `ntk` or `mup`.
    pub parameterization: String,
    /// |E_t - E_0| / |E_0| of the table of vectors.
    pub change: Judged,
    /// The share of the nearest neighbours of words that training has replaced, at every width.
    pub replaced: Vec<Point>,
    /// How that share goes with the width.
    pub replaced_slope: Option<Slope>,
    /// The loss at the end, at every width.
    pub losses: Vec<Point>,
    /// The nearest neighbours of some words at the largest width, before and after.
    pub neighbours: Vec<Neighbours>,
}

/// The nearest neighbours of a word.
#[derive(Clone, Debug, Serialize)]
pub struct Neighbours {
    /// The word.
    pub word: String,
    /// Before training.
    pub before: Vec<String>,
    /// After training.
    pub after: Vec<String>,
}

/// A phase diagram.
#[derive(Clone, Debug, Serialize)]
pub struct Diagram {
    /// The network.
    pub network: String,
    /// The command that repeats it.
    pub command: String,
    /// The activation.
    pub activation: String,
    /// The spec's own point, if it was asked for.
    pub own: Cell,
    /// The edge of chaos, from small fixed points to large ones.
    pub edge: Vec<EdgePoint>,
    /// The edge at round bias variances.
    pub landmarks: Vec<EdgePoint>,
    /// Bias variances of the grid.
    pub biases: Vec<f64>,
    /// Weight variances of the grid.
    pub weights: Vec<f64>,
    /// The grid: (biases) x (weights).
    pub cells: Vec<Cell>,
    /// Deep networks; none if none were asked for.
    pub trained: Option<Trained>,
    /// False if it was interrupted: then a part of the runs is missing, and nothing is judged.
    pub complete: bool,
    /// Seconds in all.
    pub seconds: f64,
}

/// A point of the edge.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EdgePoint {
    /// The fixed point of the variance.
    pub variance: f64,
    /// sigma_w^2
    pub weight: f64,
    /// sigma_b^2
    pub bias: f64,
}

/// Deep networks at one pair of variances, in the limit of width.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// sigma_w^2
    pub weight: f64,
    /// sigma_b^2
    pub bias: f64,
    /// `ordered`, `edge` or `chaotic`.
    pub phase: &'static str,
    /// `fixed`, `vanishes` or `diverges`.
    pub variance_goes: &'static str,
    /// The fixed point of the variance; none if it is zero or infinite.
    pub variance: Option<f64>,
    /// chi_1
    pub chi: f64,
    /// The fixed point of the correlation.
    pub correlation: Option<f64>,
    /// The correlation length; none if there is none, or if it is infinite.
    pub xi: Option<f64>,
    /// The depth scale of variances.
    pub xi_variance: Option<f64>,
    /// The depth scale that is compared with the depth of networks: the correlation length, or that of gradients; none if infinite.
    pub depth: Option<f64>,
}

/// Deep networks of finite width, trained.
#[derive(Clone, Debug, Serialize)]
pub struct Trained {
    /// How, in words.
    pub how: String,
    /// Hidden layers.
    pub depth: usize,
    /// Width.
    pub width: i64,
    /// What counts as having learned: the share of right answers on the training examples.
    pub threshold: f64,
    /// Every network.
    pub networks: Vec<Network>,
    /// The probability that of two networks of which one learned, that one has the longer depth scale; none if all or none learned.
    pub separation: Option<f64>,
    /// The number of layers per depth scale at which learning stops, as the split with the fewest errors has it.
    pub layers_per_scale: Option<f64>,
    /// Whether the separation is at least 0.9, or there is none to judge.
    pub holds: bool,
}

/// One network.
#[derive(Clone, Debug, Serialize)]
pub struct Network {
    /// sigma_w^2
    pub weight: f64,
    /// sigma_b^2
    pub bias: f64,
    /// The share of right answers on the training examples at the end.
    pub accuracy: f64,
    /// Whether that is above the threshold.
    pub learned: bool,
    /// The depth scale in the limit; none if infinite.
    pub depth: Option<f64>,
}
