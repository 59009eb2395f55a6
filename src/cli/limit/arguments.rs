//! The arguments of `limit`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::cli::failure::Failure;
use crate::cli::files;
use crate::cli::output::OutputArguments;
use crate::cli::phase::function;
use crate::cli::sizes::rate;
use crate::graph::Func;
use crate::limit::problem::{Example, Problem, ProblemError};
use crate::limit::{embedding, finite};
use crate::numeric::data::read;

const EXAMPLES: &str = "\
Examples:
  mupc limit linear                                   0, 0.2, 0.36288, ...: the limit of a linear hidden layer, exactly
  mupc limit linear --point 1,0=1,0 --point 0,1=0,2 --rate 0.3 --steps 20
  mupc limit linear tests/limits/specs/linear.mup     a spec of this structure, its biases and its own networks
  mupc limit mean-field tests/limits/specs/scales.mup --set d=4 --steps 10   one of its scale symbols grows
  mupc limit mean-field --activation relu             a nonlinear hidden layer, by particles, with its error
  mupc limit mean-field --data points.csv --targets 1 --html mean-field.html
  mupc limit embeddings                               word vectors: random in the kernel limit, learned under muP
  mupc limit embeddings specs/word2vec.mup --widths 128..4096 --seeds 5

Exit status 1: finite networks do not approach the limit as n^(-1/2), or vectors do not behave as predicted.";

/// Arguments of `limit`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LimitArguments {
    /// Which limit.
    #[command(subcommand)]
    pub task: LimitTask,
}

/// Limits in which features are learned.
#[derive(Debug, Subcommand)]
pub enum LimitTask {
    /// One linear hidden layer under muP: an exact recursion of a few scalars.
    #[command(after_help = EXAMPLES)]
    Linear(LinearArguments),
    /// One nonlinear hidden layer under muP: particles in each other's mean field, with an error estimate.
    #[command(after_help = EXAMPLES)]
    MeanField(MeanFieldArguments),
    /// Word vectors: how far they move in the kernel limit and under muP.
    #[command(after_help = EXAMPLES)]
    Embeddings(EmbeddingArguments),
}

/// How to answer.
#[derive(Debug, Args)]
pub struct Common {
    /// Threads; all cores if not given. Results do not depend on it.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What is learned, for how long, and by which finite networks.
#[derive(Debug, Args)]
pub struct Examples {
    /// An example: inputs, then targets, as in `1,0=0.5`; again for more.
    #[arg(long, value_name = "INPUTS=TARGETS", value_parser = point, conflicts_with = "data", allow_hyphen_values = true)]
    pub point: Vec<Example>,
    /// A table of examples: numbers with commas, one example per line, a line of names above them if there is one.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// How many columns of the table are targets: the last ones.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    pub targets: u16,
    /// The learning rate of the limit; 0.1 for a linear network, else 0.5.
    #[arg(long, value_parser = rate, allow_negative_numbers = true)]
    pub rate: Option<f64>,
    /// Steps of gradient descent.
    #[arg(long, default_value = "20", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub steps: u32,
    /// Another number for a `dim` or `scale` of the spec; where several scale symbols count the neurons, the first that is not named here grows.
    #[arg(long, value_name = "NAME=NUMBER", num_args = 1.., requires = "spec")]
    pub set: Vec<String>,
    /// Widths of finite networks, values of the scale symbol: `64..4096` doubles, `64,96,128` lists.
    #[arg(long, default_value = "64..4096", value_parser = widths)]
    pub widths: Widths,
    /// Independent networks per width.
    #[arg(long, default_value = "16", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub seeds: u64,
    /// The limit alone, without finite networks.
    #[arg(long)]
    pub alone: bool,
}

/// Arguments of `limit linear`.
#[derive(Debug, Args)]
pub struct LinearArguments {
    /// A spec of one linear hidden layer, with or without biases, learning |f - y|^2; f(x) = V' U x if none is given.
    pub spec: Option<PathBuf>,
    /// What is learned; the input 1 with the target 1 if nothing is given, and with a spec eight examples of a random teacher.
    #[command(flatten)]
    pub examples: Examples,
    /// How to answer.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `limit mean-field`.
#[derive(Debug, Args)]
pub struct MeanFieldArguments {
    /// A spec of one nonlinear hidden layer, with or without biases, learning |f - y|^2; one with hidden biases and `--activation` if none is given.
    pub spec: Option<PathBuf>,
    /// The activation; tanh if neither it nor a spec is given.
    #[arg(long, value_name = "NAME", value_parser = function, conflicts_with = "spec")]
    pub activation: Option<Func>,
    /// Particles per lattice: two to this power.
    #[arg(long, value_name = "POWER", default_value = "12", value_parser = clap::value_parser!(u8).range(4..=18))]
    pub particles: u8,
    /// Independent shifts of the lattice: the error is estimated from their scatter.
    #[arg(long, default_value = "8", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub shifts: u16,
    /// What is learned; eight points of a circle if nothing is given, and with a spec eight examples of a random teacher.
    #[command(flatten)]
    pub examples: Examples,
    /// How to answer.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `limit embeddings`.
#[derive(Debug, Args)]
pub struct EmbeddingArguments {
    /// A spec with `dim vocab` and `dim window` that says a word by its neighbours; continuous bag of words if none is given.
    pub spec: Option<PathBuf>,
    /// How many of the most frequent words.
    #[arg(long, default_value = "128", value_parser = clap::value_parser!(u16).range(8..=4096))]
    pub vocabulary: u16,
    /// How many neighbours, half before and half behind.
    #[arg(long, default_value = "4", value_parser = clap::value_parser!(u8).range(2..=32))]
    pub window: u8,
    /// The learning rate: at width 1, where both parameterizations are one network.
    #[arg(long, default_value = "10", value_parser = rate)]
    pub rate: f64,
    /// Steps of gradient descent.
    #[arg(long, default_value = "300", value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// Examples per step.
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    pub batch: u16,
    /// Widths: `64..4096` doubles, `64,96,128` lists.
    #[arg(long, default_value = "128..2048", value_parser = widths)]
    pub widths: Widths,
    /// Independent networks per width.
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: u64,
    /// How to answer.
    #[command(flatten)]
    pub common: Common,
}

/// Widths, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widths(pub Vec<i64>);

fn widths(text: &str) -> Result<Widths, String> {
    let read = || -> Option<Vec<i64>> {
        let usable = |own: &i64| (1..=1 << 20).contains(own);
        let mut all: Vec<i64> = match text.split_once("..") {
            Some((first, last)) => {
                let first: i64 = first.trim().parse().ok().filter(usable)?;
                let last: i64 = last.trim().parse().ok().filter(usable)?;
                std::iter::successors(Some(first), |own| Some(2 * own))
                    .take_while(|own| *own <= last)
                    .collect()
            }
            None => {
                text.split(',').map(|own| own.trim().parse().ok().filter(usable)).collect::<Option<_>>()?
            }
        };
        all.sort_unstable();
        all.dedup();
        (all.len() > 1).then_some(all)
    };
    read().map(Widths).ok_or(format!("`{text}` is not at least two widths, as in 64..4096 or 64,96,128"))
}

/// `0.5..4`.
pub fn span(text: &str) -> Result<(f64, f64), String> {
    let read = || {
        let (low, high) = text.split_once("..")?;
        let (low, high): (f64, f64) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        (low > 0.0 && low < high && high.is_finite()).then_some((low, high))
    };
    read().ok_or(format!("`{text}` is not of the form 0.5..4, with two positive numbers in this order"))
}

fn numbers(text: &str) -> Option<Vec<f64>> {
    text.split(',').map(|own| own.trim().parse().ok().filter(|own: &f64| own.is_finite())).collect()
}

fn point(text: &str) -> Result<Example, String> {
    let read = || {
        let (inputs, targets) = text.split_once('=')?;
        Some((numbers(inputs)?, numbers(targets)?))
    };
    read().ok_or(format!("`{text}` is not of the form inputs=targets, as in 1,0=0.5"))
}

/// Examples of a table, one per line: the last columns are targets.
fn table(path: &Path, targets: usize) -> Result<Vec<Example>, Failure> {
    let failed = |reason: String| Failure::new(format!("--data: {reason}"));
    let name = path.display().to_string();
    let arrays = read::table(&name, &files::bytes(path)?).map_err(|error| failed(error.to_string()))?;
    let split = |row: Vec<f64>| match row.len().checked_sub(targets).filter(|inputs| *inputs > 0) {
        Some(inputs) => Ok((row[..inputs].to_vec(), row[inputs..].to_vec())),
        None => Err(failed(format!(
            "{name} has {} columns, which leaves no input beside {targets} targets",
            row.len()
        ))),
    };
    arrays.rows().map(split).collect()
}

impl Examples {
    /// The examples that were given, or others.
    pub fn problem(&self, usual: impl Fn() -> Result<Problem, ProblemError>) -> Result<Problem, Failure> {
        let given = match &self.data {
            Some(path) => Problem::new(&table(path, usize::from(self.targets))?),
            None if self.point.is_empty() => usual(),
            None => Problem::new(&self.point),
        };
        given.map_err(|error| Failure::new(error.to_string()))
    }

    /// The finite networks.
    pub fn course(&self, func: Option<Func>) -> Result<finite::Course, Failure> {
        Ok(finite::Course {
            func,
            rate: self.rate.unwrap_or(if func.is_none() { 0.1 } else { 0.5 }),
            steps: self.steps as usize,
            widths: self.widths.0.clone(),
            seeds: self.seeds,
        })
    }
}

impl EmbeddingArguments {
    /// How vectors are trained.
    pub fn course(&self) -> Result<embedding::Course, Failure> {
        Ok(embedding::Course {
            symbol: 0,
            widths: self.widths.0.clone(),
            seeds: self.seeds,
            rate: self.rate,
            steps: self.steps as usize,
            batch: usize::from(self.batch),
        })
    }
}
