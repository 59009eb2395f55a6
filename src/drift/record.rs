//! What a study of finite width found, as plain data; the field names are a contract (docs/drift.schema.json).

use serde::Serialize;

use crate::check::record::{Fit, Predicted, Verdict};

/// A study.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Record {
    /// The network's name; empty if its spec gives none.
    pub network: String,
    /// The command that repeats the study.
    pub command: String,
    /// What was trained on.
    pub data: String,
    /// The scale symbol that was varied.
    pub symbol: String,
    /// Its values, ascending.
    pub values: Vec<i64>,
    /// Independent runs per value.
    pub seeds: usize,
    /// Steps of gradient descent.
    pub steps: usize,
    /// Examples that are trained on.
    pub batch: usize,
    /// Examples that kernels and features are measured on.
    pub probe: usize,
    /// The questions, in the order of asking.
    pub sections: Vec<Section>,
    /// False if it was interrupted.
    pub complete: bool,
    /// Wall-clock time.
    pub seconds: f64,
}

impl Record {
    /// Whether some prediction is refuted: measured above it, or below one that is more than an upper bound.
    pub fn is_refuted(&self) -> bool {
        self.sections.iter().flat_map(|own| &own.curves).any(|own| match own.verdict {
            Some(Verdict::Above) => true,
            Some(Verdict::Below) => !own.bound,
            Some(Verdict::Agrees | Verdict::Unmeasured) | None => false,
        })
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// How far the kernel at initialization is from its limit.
    Convergence,
    /// How far training moves the kernel and the last hidden features.
    Drift,
    /// Linear and quadratic models of the network.
    Models,
    /// Drift against the scale of the output.
    Alpha,
    /// Moments over draws at initialization.
    Fluctuation,
    /// How well the kernel lines up with the targets.
    Alignment,
}

impl Kind {
    /// All, in the order of asking.
    pub const ALL: [Kind; 6] =
        [Kind::Convergence, Kind::Drift, Kind::Alignment, Kind::Models, Kind::Alpha, Kind::Fluctuation];

    /// What is asked, for somebody who chooses.
    pub fn question(self) -> &'static str {
        match self {
            Kind::Convergence => "The kernel at initialization against its limit",
            Kind::Drift => "How far training moves the kernel and the last hidden layer",
            Kind::Models => "Linear and quadratic models of the network",
            Kind::Alpha => "Drift against the scale of the output",
            Kind::Fluctuation => {
                "Moments of activations and of the kernel at initialization, against depth over width"
            }
            Kind::Alignment => "How well the kernel lines up with the targets, before and after training",
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Convergence => "convergence",
            Kind::Drift => "drift",
            Kind::Models => "models",
            Kind::Alpha => "alpha",
            Kind::Fluctuation => "fluctuation",
            Kind::Alignment => "alignment",
        }
    }
}

/// The answer to one question for one parameterization.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// The question.
    pub kind: Kind,
    /// The parameterization as the user named it.
    pub parameterization: String,
    /// What was done, in a sentence.
    pub about: String,
    /// The name of the variable: a scale symbol, or `alpha`.
    pub variable: String,
    /// The learning rate at the smallest value; none where nothing is trained.
    pub learning_rate: Option<f64>,
    /// What was measured.
    pub curves: Vec<Curve>,
}

/// One quantity against the variable.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// What it is, in words.
    pub quantity: String,
    /// The measured sizes, ascending.
    pub points: Vec<Point>,
    /// The predicted power, if there is a theorem.
    pub predicted: Option<Predicted>,
    /// Whether the theorem is an upper bound: what is measured below it does not refute it.
    pub bound: bool,
    /// The measured power.
    pub fit: Option<Fit>,
    /// Whether the prediction holds; none without one.
    pub verdict: Option<Verdict>,
    /// What explains a verdict that is not plain.
    pub reason: Option<String>,
    /// Who predicts it.
    pub source: Option<String>,
}

/// A measured size. Numbers that are not finite (a run that diverged) are `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// The value of the variable.
    pub at: f64,
    /// The mean over seeds, geometric where seeds are given.
    pub size: f64,
    /// The smallest seed, or the lower end of the interval.
    pub low: f64,
    /// The largest seed, or the upper end.
    pub high: f64,
    /// Every seed; empty for moments over draws.
    pub seeds: Vec<f64>,
    /// The exact value that is predicted, if there is one.
    pub expected: Option<f64>,
    /// The sum of 1/width over nonlinear layers, where that is what the prediction depends on.
    pub depth_over_width: Option<f64>,
}

impl Point {
    /// Sums up seeds.
    pub fn new(at: f64, seeds: Vec<f64>) -> Point {
        let own = crate::check::record::Point::new(0, seeds);
        Point { at, size: own.size, low: own.low, high: own.high, seeds: own.seeds, ..Point::default() }
    }
}

impl Curve {
    /// A measured curve without a prediction.
    pub fn measured(quantity: impl Into<String>, points: Vec<Point>) -> Curve {
        Curve {
            quantity: quantity.into(),
            points,
            predicted: None,
            bound: false,
            fit: None,
            verdict: None,
            reason: None,
            source: None,
        }
    }
}
