//! The result of a coordinate check as plain data.
//!
//! The field names are a contract: `mupc check --format json` writes them as they stand. A number that is not finite (a run that diverged) is
//! `null` there. The predictions are exact; every other number is measured.

use serde::{Deserialize, Deserializer, Serialize};

use crate::rational::Rational;

/// A coordinate check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The network's name; empty if its spec gives none.
    pub network: String,
    /// The parameterization as the user named it.
    pub parameterization: String,
    /// The optimizer, or which one trains which parameter.
    pub optimizer: String,
    /// What the runs trained on.
    pub data: String,
    /// The command that repeats the check.
    pub command: String,
    /// The scale symbol that was varied: `n`, `L`.
    pub symbol: String,
    /// Its values, ascending.
    pub values: Vec<i64>,
    /// One independent run per value and seed.
    pub seeds: Vec<u64>,
    /// The steps after which tensors were measured; 0 is the initialization.
    pub steps: Vec<usize>,
    /// Samples per step.
    pub batch: usize,
    /// The learning rate at the base size.
    pub learning_rate: f64,
    /// Lengths and further scale symbols that were set: name and value.
    pub lengths: Vec<(String, i64)>,
    /// Threads that the runs shared.
    pub threads: usize,
    /// Wall-clock time of the whole check.
    pub seconds: f64,
    /// False if it was interrupted.
    pub complete: bool,
    /// Every prediction with its measurement.
    pub findings: Vec<Finding>,
    /// Every run.
    pub runs: Vec<Run>,
    /// How updates align with activations, site by site.
    pub alignment: Vec<Alignment>,
    /// The findings summed up.
    pub verdict: Overall,
}

impl Record {
    /// The first refuted finding: where to look first.
    pub fn culprit(&self) -> Option<&Finding> {
        self.findings.get(self.verdict.culprit?)
    }

    /// Whether any prediction is refuted.
    pub fn is_refuted(&self) -> bool {
        self.verdict.above > 0
    }
}

/// One prediction and what was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Label of a tensor or path of a parameter.
    pub subject: String,
    /// Place in the graph: what comes later is computed from what comes before.
    pub order: usize,
    /// What was measured of it.
    pub quantity: Quantity,
    /// After this many steps.
    pub step: usize,
    /// What the analyzer derives.
    pub predicted: Predicted,
    /// The measured sizes, by ascending value.
    pub series: Vec<Point>,
    /// The measured exponent, where there is one.
    pub fit: Option<Fit>,
    /// Whether the prediction holds.
    pub verdict: Verdict,
    /// What explains a verdict that is not plain.
    pub reason: Option<String>,
}

impl Finding {
    /// Whether the seeds scatter too much for an exponent: more of them may help.
    pub fn is_blunt(&self) -> bool {
        self.verdict == Verdict::Unmeasured && self.fit.is_some()
    }

    /// Sorts causes before effects: by step; what flows forward in the order of the graph, then what flows backward in the opposite order.
    pub fn causal_order(&self) -> (usize, bool, usize, Quantity) {
        let backward = self.quantity.is_backward();
        let order = if backward { usize::MAX - self.order } else { self.order };
        (self.step, backward, order, self.quantity)
    }
}

/// What is measured. A size is the root mean square over the entries; subscripts are steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// A parameter's entries.
    Entries,
    /// How far a parameter's entries have moved.
    EntryChange,
    /// What a parameter's update does at one of its sites.
    Update,
    /// How an initial parameter answers to a change of what enters it.
    Propagation,
    /// A tensor.
    Value,
    /// How far a tensor has moved.
    Change,
    /// The gradient of the loss.
    Gradient,
    /// How far a gradient has moved.
    GradientChange,
    /// The optimizer's eps against the gradients it is added to.
    Epsilon,
}

impl Quantity {
    /// All of them, causes first.
    pub const ALL: [Quantity; 9] = [
        Quantity::Entries,
        Quantity::EntryChange,
        Quantity::Update,
        Quantity::Propagation,
        Quantity::Value,
        Quantity::Change,
        Quantity::Gradient,
        Quantity::GradientChange,
        Quantity::Epsilon,
    ];

    /// A word or two for headings.
    pub fn name(self) -> &'static str {
        match self {
            Quantity::Entries => "entries",
            Quantity::EntryChange => "change of entries",
            Quantity::Update => "update",
            Quantity::Propagation => "propagation",
            Quantity::Value => "value",
            Quantity::Change => "change",
            Quantity::Gradient => "gradient",
            Quantity::GradientChange => "change of gradient",
            Quantity::Epsilon => "eps",
        }
    }

    /// How it is written in a formula.
    pub fn symbol(self) -> &'static str {
        match self {
            Quantity::Entries => "|W|",
            Quantity::EntryChange => "|ΔW|",
            Quantity::Update => "|ΔW x|",
            Quantity::Propagation => "|W₀ Δx|",
            Quantity::Value => "|x|",
            Quantity::Change => "|Δx|",
            Quantity::Gradient => "|G|",
            Quantity::GradientChange => "|ΔG|",
            Quantity::Epsilon => "ε/|g|",
        }
    }

    /// One sentence for readers who see it for the first time.
    pub fn sentence(self) -> &'static str {
        match self {
            Quantity::Entries => "The size of a parameter's entries.",
            Quantity::EntryChange => "How far a parameter's entries have moved since initialization.",
            Quantity::Update => "What the parameter's update alone does to the output of its operation.",
            Quantity::Propagation => "How the initial parameter passes on a change of its input.",
            Quantity::Value => "The size of a tensor's entries.",
            Quantity::Change => "How far a tensor's entries have moved since initialization.",
            Quantity::Gradient => "The size of the loss's gradient with respect to a tensor's entries.",
            Quantity::GradientChange => "How far the gradient has moved since initialization.",
            Quantity::Epsilon => "The optimizer's eps against the gradients that it is added to.",
        }
    }

    /// Whether it comes from the backward pass.
    pub fn is_backward(self) -> bool {
        matches!(self, Quantity::Gradient | Quantity::GradientChange | Quantity::Epsilon)
    }
}

/// What the analyzer derives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Predicted {
    /// Exactly zero at every size.
    Zero,
    /// A power of the scale symbol.
    Power {
        /// The exact exponent as text: `-1/2`.
        exponent: String,
        /// The same as a number.
        value: f64,
    },
    /// Larger than every power.
    Beyond,
}

impl Predicted {
    /// A power with an exact exponent.
    pub fn power(exponent: Rational) -> Predicted {
        let value = exponent.numerator() as f64 / exponent.denominator() as f64;
        Predicted::Power { exponent: exponent.to_string(), value }
    }
}

/// The measured size at one value of the scale symbol.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// The value.
    pub value: i64,
    /// Geometric mean over the seeds; zero if all of them are, not finite if none of them is.
    #[serde(deserialize_with = "or_nan")]
    pub size: f64,
    /// The smallest seed.
    #[serde(deserialize_with = "or_nan")]
    pub low: f64,
    /// The largest seed.
    #[serde(deserialize_with = "or_nan")]
    pub high: f64,
    /// Every seed, in the order of the record's seeds.
    #[serde(deserialize_with = "each_or_nan")]
    pub seeds: Vec<f64>,
}

impl Point {
    /// Sums up the seeds. Those that diverged are left out, and zeros too unless all are zero.
    pub fn new(value: i64, seeds: Vec<f64>) -> Point {
        let finite = || seeds.iter().copied().filter(|size| size.is_finite());
        let logarithms: Vec<f64> = finite().filter(|size| *size > 0.0).map(f64::ln).collect();
        let size = match (logarithms.len(), finite().next()) {
            (_, None) => f64::NAN,
            (0, Some(_)) => 0.0,
            (count, Some(_)) => (logarithms.iter().sum::<f64>() / count as f64).exp(),
        };
        // A minimum with NaN is the other number: no finite seed leaves NaN.
        let (low, high) = (finite().fold(f64::NAN, f64::min), finite().fold(f64::NAN, f64::max));
        Point { value, size, low, high, seeds }
    }
}

/// `null` stands for a number that is not finite.
fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::<f64>::deserialize(deserializer).map(|size| size.unwrap_or(f64::NAN))
}

fn each_or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let sizes = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(sizes.into_iter().map(|size| size.unwrap_or(f64::NAN)).collect())
}

/// A measured exponent; see [`crate::check::fit`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The slope over the widest values.
    pub exponent: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// Slopes between neighbouring values, ascending.
    pub local: Vec<f64>,
    /// The slope extrapolated to infinite size.
    pub extrapolated: f64,
}

/// Whether a prediction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The measurement does not contradict it.
    Agrees,
    /// Measured larger than predicted: a rule is refuted.
    Above,
    /// Measured smaller than predicted: a bound that is not attained.
    Below,
    /// No exponent could be measured; the reason says why.
    Unmeasured,
}

impl Verdict {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Agrees => "agrees",
            Verdict::Above => "above",
            Verdict::Below => "below",
            Verdict::Unmeasured => "unmeasured",
        }
    }
}

/// One run: one value, one seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The value of the scale symbol.
    pub value: i64,
    /// The seed.
    pub seed: u64,
    /// Wall-clock time of the run.
    pub seconds: f64,
    /// The first step at which a number was not finite.
    pub diverged_at: Option<usize>,
    /// The loss before every step.
    #[serde(deserialize_with = "each_or_nan")]
    pub loss: Vec<f64>,
}

/// How an update aligns with what it is multiplied with (Everett et al. 2024, arXiv 2407.05872): the exponent a in
/// |ΔW x| = |ΔW| |x| N^a, N being the length that is summed. It is 1 for full alignment and 1/2 for none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Alignment {
    /// The parameter at its site.
    pub site: String,
    /// After this many steps.
    pub step: usize,
    /// The measured exponent, at the largest value.
    pub measured: f64,
    /// The smallest over the seeds.
    pub low: f64,
    /// The largest over the seeds.
    pub high: f64,
    /// The exact exponent that the prediction assumes, as text.
    pub assumed: String,
    /// The same as a number.
    pub value: f64,
}

/// The findings summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overall {
    /// How many predictions hold.
    pub agrees: usize,
    /// How many are refuted.
    pub above: usize,
    /// How many bounds are not attained.
    pub below: usize,
    /// How many could not be measured.
    pub unmeasured: usize,
    /// The first refuted finding in causal order, as an index into the findings.
    pub culprit: Option<usize>,
}

impl Overall {
    /// Counts the verdicts and finds the first refuted one.
    pub fn of(findings: &[Finding]) -> Overall {
        let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
        let refuted = findings.iter().enumerate().filter(|(_, finding)| finding.verdict == Verdict::Above);
        Overall {
            agrees: count(Verdict::Agrees),
            above: count(Verdict::Above),
            below: count(Verdict::Below),
            unmeasured: count(Verdict::Unmeasured),
            culprit: refuted.min_by_key(|(_, finding)| finding.causal_order()).map(|(at, _)| at),
        }
    }

    /// How many findings there are.
    pub fn total(&self) -> usize {
        self.agrees + self.above + self.below + self.unmeasured
    }
}
