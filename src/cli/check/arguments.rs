//! The arguments of `check`, and the request that they make.

use std::path::PathBuf;

use clap::Args;

use crate::check::request::Request;
use crate::check::runs::Course;
use crate::check::setting::Base;
use crate::cli::args::{ReportFormat, Rules};
use crate::cli::data::DataArguments;
use crate::cli::failure::Failure;
use crate::diagnostic::did_you_mean;
use crate::graph::Graph;
use crate::network::{Network, Question};
use crate::numeric::data::Source;
use crate::numeric::train::Routine;
use crate::optimizer::{Direction, Optimizer};
use crate::rational::Rational;

/// Examples of the help.
pub const EXAMPLES: &str = "\
Examples:
  mupc check mlp.mup                                 muP with Adam on the digits, five widths, three seeds
  mupc check mlp.mup -p sp -o adam                   what explodes, and where it starts
  mupc check gpt2.mup --set L=2 --over n=64..512     a small version of a large network
  mupc check resmlp.mup -p depth-mup --over L=2..32  depth instead of width
  mupc check mlp.mup -p sp --html sp.html            the pictures, as one page
  mupc check mlp.mup --data table.csv                your own data: FILE.csv, FILE.txt or NAME=FILE.npy
  mupc check mlp.mup --over n=64,96,128 --seeds 5 --lr 2^-9 --format json

Every tensor, gradient and update is measured at every size; its growth is compared with the derived exponent.
Measured above a prediction refutes it (exit status 1); measured below is listed with the reason, if one is known.";

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The spec; `-` for standard input.
    pub spec: PathBuf,
    /// Which rules.
    #[command(flatten)]
    pub rules: Rules,
    /// What to train on, and at which lengths.
    #[command(flatten)]
    pub data: DataArguments,
    /// The scale symbol that grows and its values: `n=64..1024` doubles, `n=64,96,128` lists.
    #[arg(long, value_name = "SYMBOL=VALUES")]
    pub over: Option<String>,
    /// How many seeds, each an independent run per value.
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: u64,
    /// As many seeds again, up to so many, while a prediction is refuted or 5 % of them scatter too much; twice `--seeds` if not given.
    #[arg(long, value_name = "SEEDS", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub most_seeds: Option<u64>,
    /// After which steps to measure.
    #[arg(long, value_delimiter = ',', default_value = "1,3,10")]
    pub steps: Vec<usize>,
    /// Examples in the batch.
    #[arg(long, default_value = "32")]
    pub batch: usize,
    /// The learning rate at the smallest value: `0.01` or `2^-7`. If not given: the largest power of two, up to a usual rate, at which no
    /// tensor changes by more than a quarter of its size.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub lr: Option<f64>,
    /// The most memory for all runs together, in GB.
    #[arg(long, value_name = "GB", default_value = "4", value_parser = rate)]
    pub memory: f64,
    /// Runs side by side; all cores if not given.
    #[arg(long)]
    pub threads: Option<usize>,
    /// Also list what agrees.
    #[arg(long)]
    pub all: bool,
    /// How to write it.
    #[arg(short, long, value_enum, default_value = "text")]
    pub format: ReportFormat,
    /// Also write a page with pictures and all findings, which needs no other file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Also write the pictures, one per quantity.
    #[arg(long, value_name = "FOLDER")]
    pub svg: Option<PathBuf>,
    /// Show no progress.
    #[arg(short, long)]
    pub quiet: bool,
}

/// `0.01` or `2^-7`.
fn rate(text: &str) -> Result<f64, String> {
    let value = match text.split_once('^') {
        Some((base, power)) => {
            base.parse::<f64>().ok().zip(power.parse::<f64>().ok()).map(|(base, power)| base.powf(power))
        }
        None => text.parse().ok(),
    };
    value
        .filter(|rate| rate.is_finite() && *rate > 0.0)
        .ok_or(format!("`{text}` is not a rate such as 0.01 or 2^-7"))
}

/// The factor in front of the logits at the smallest value: with logits far below 1 the gradient of a cross entropy does not depend on
/// them, and its size shows the power and nothing else.
const QUIET: f64 = 0.25;

/// What is added to the size of gradients at the smallest value: too little to slow down even the smallest gradients, whose size would then
/// show in the steps.
const NEGLIGIBLE: f64 = 1e-12;

impl CheckArguments {
    /// The command that repeats the check.
    pub fn command(&self) -> String {
        let mut words: Vec<String> = std::env::args().skip(1).collect();
        words.insert(0, "mupc".to_string());
        words.join(" ")
    }

    /// How many seeds there may be in the end.
    pub fn most_seeds(&self) -> usize {
        self.most_seeds.unwrap_or(2 * self.seeds).max(self.seeds) as usize
    }

    /// What the check is to do.
    pub fn request(&self, network: &Network, source: Source) -> Result<Request, Failure> {
        let graph = &network.graph;
        let mut question = self.rules.question(graph)?;
        let (symbol, values) = self.range(graph)?;
        if counts_repetitions(graph, symbol) {
            question.scheme.alpha = question.scheme.alpha.or(Some(Rational::ZERO));
        }
        let mut steps = self.steps.clone();
        steps.push(0);
        steps.sort_unstable();
        steps.dedup();
        let threads =
            self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let chosen = Base {
            learning_rate: self.lr.unwrap_or_else(|| usual_rate(&question)),
            output_multiplier: QUIET,
            epsilon: NEGLIGIBLE,
            ..Base::default()
        };
        Ok(Request {
            question,
            symbol,
            values,
            base: graph.scales.iter().map(|scale| scale.base).collect(),
            batch: self.batch.max(1),
            chosen,
            source,
            course: Course {
                seeds: (0..self.seeds.max(1)).collect(),
                steps,
                routine: Routine::default(),
                memory: (self.memory * 1e9) as u64,
                threads: threads.max(1),
            },
        })
    }

    fn range(&self, graph: &Graph) -> Result<(usize, Vec<i64>), Failure> {
        let Some(text) = &self.over else {
            let experiment = graph.experiment.as_ref().and_then(|own| own.over.as_ref());
            if let Some((symbol, first, last)) = experiment {
                let place = graph.scales.iter().position(|scale| scale.name == symbol.text);
                return Ok((place.unwrap_or(0), doubled(*first, *last)));
            }
            if graph.scales.is_empty() {
                return Err(Failure::new("the spec declares no scale symbol: nothing can grow"));
            }
            return Ok((0, vec![64, 128, 256, 512, 1024]));
        };
        let form =
            || Failure::new(format!("--over: `{text}` is not of the form `n=64..1024` or `n=64,96,128`"));
        let (name, values) = text.split_once('=').ok_or_else(form)?;
        let symbol = graph.scales.iter().position(|scale| scale.name == name.trim()).ok_or_else(|| {
            let names = graph.scales.iter().map(|scale| scale.name.as_str());
            Failure::Other(
                format!("--over: `{name}` is not a scale symbol of this network"),
                did_you_mean(name, names),
            )
        })?;
        let values = values_of(values).ok_or_else(form)?;
        Ok((symbol, values))
    }
}

/// The first value, twice it, and so on.
fn doubled(first: i64, last: i64) -> Vec<i64> {
    std::iter::successors(Some(first), |value| value.checked_mul(2))
        .take_while(|value| *value <= last)
        .collect()
}

/// `64..1024` doubled, or a list.
fn values_of(text: &str) -> Option<Vec<i64>> {
    let mut values: Vec<i64> = match text.split_once("..") {
        Some((first, last)) => {
            let (first, last): (i64, i64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            if first <= 0 {
                return None;
            }
            doubled(first, last)
        }
        None => text
            .split(',')
            .map(|value| value.trim().parse().ok().filter(|value| *value > 0))
            .collect::<Option<_>>()?,
    };
    values.sort_unstable();
    values.dedup();
    (!values.is_empty()).then_some(values)
}

/// Whether a symbol counts the repetitions of a block.
fn counts_repetitions(graph: &Graph, symbol: usize) -> bool {
    let symbol = crate::dim::Symbol(symbol as u16);
    graph.blocks.iter().any(|block| !block.count.powers.exponent(symbol).is_zero())
}

/// A rate at which a few steps change a network visibly and do not fit the data yet.
fn usual_rate(question: &Question) -> f64 {
    let rate = |optimizer: Optimizer| {
        let law = optimizer.law();
        match (law.direction, law.relative) {
            (_, true) => 0.007_812_5,
            (Direction::Gradient, false) => 0.062_5,
            (Direction::Entrywise, false) => 0.000_976_562_5,
            (Direction::Spectral, false) => 0.031_25,
        }
    };
    rate(question.plan.default)
}
