//! The arguments of `check`, and the request that they make.

use std::path::PathBuf;

use clap::Args;

use crate::check::request::Request;
use crate::check::runs::Course;
use crate::check::setting::Base;
use crate::cli::args::Rules;
use crate::cli::data::DataArguments;
use crate::cli::failure::Failure;
use crate::cli::output::OutputArguments;
use crate::cli::sizes::{counts_repetitions, rate, sizes};
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
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// The factor in front of the logits at the smallest value: with logits far below 1 the gradient of a cross entropy does not depend on
/// them, and its size shows the power and nothing else.
const QUIET: f64 = 0.25;

/// What is added to the size of gradients at the smallest value: too little to slow down even the smallest gradients, whose size would then
/// show in the steps.
const NEGLIGIBLE: f64 = 1e-12;

impl CheckArguments {
    /// How many seeds there may be in the end.
    pub fn most_seeds(&self) -> usize {
        self.most_seeds.unwrap_or(2 * self.seeds).max(self.seeds) as usize
    }

    /// What the check is to do.
    pub fn request(&self, network: &Network, source: Source) -> Result<Request, Failure> {
        let graph = &network.graph;
        let mut question = self.rules.question(graph)?;
        let (symbol, values) = sizes(self.over.as_deref(), graph)?;
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
