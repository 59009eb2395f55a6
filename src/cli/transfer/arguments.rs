//! The arguments of `transfer`, and the request that they make.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use crate::check::setting::Base;
use crate::cli::args::{OptimizerChoice, Terms};
use crate::cli::data::DataArguments;
use crate::cli::failure::Failure;
use crate::cli::memory::allowed;
use crate::cli::names::Suggested;
use crate::cli::sizes::{counts_repetitions, rate, sizes};
use crate::graph::Graph;
use crate::network::{Network, Question};
use crate::numeric::data::Source;
use crate::numeric::train::{Routine, Schedule};
use crate::numeric::update::Memory;
use crate::optimizer::{Direction, Optimizer};
use crate::rational::Rational;
use crate::transfer::knob::{Grid, Knob, Place};
use crate::transfer::request::{Arm, Course, Request, Search};
use crate::transfer::sweep::Share;
use crate::transfer::verdict::Limits;

const EXAMPLES: &str = "\
Examples:
  mupc transfer mlp.mup --data digits                 SP against muP, with Adam
  mupc transfer mlp.mup -p sp -p ntk -p mup -o sgd -o adam --seeds 5
  mupc transfer resmlp.mup -p sp -p depth-mup --over L=2..32 --set n=64
  mupc transfer mlp.mup -p mup --sweep init=2^-3..2^3 --lr 2^-6
  mupc transfer mlp.mup --plan                        what it would cost
  mupc transfer mlp.mup --store runs.jsonl            every finished run is kept; --resume goes on
  mupc transfer mlp.mup --store 3.jsonl --shard 3/16  one of 16 shares of the work
  mupc transfer merge all.jsonl 1.jsonl 2.jsonl 3.jsonl
  mupc transfer mlp.mup --html report.html --csv runs.csv

At the smallest size all parameterizations are one network; hyperparameters are what they are there.
The best value is the lowest point of a parabola through the mean logarithms of the final training
losses (the last tenth of the steps). Drift is the slope of its logarithm against that of the size,
in octaves per doubling. The cost is the loss at the value that is best at the smallest size, over
the loss at the own best value, minus 1. Verdicts: transfers, does not transfer, undecided (with
what would decide it). All definitions: docs/transfer.md.
Exit status: 1 if a parameterization does not transfer, 2 if nothing could be run or the sweep was
interrupted; a share that is done (--shard) is not judged and ends with 0.";

/// Arguments of `transfer`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct TransferArguments {
    /// Something else than a sweep.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// The spec; `-` for standard input.
    #[arg(required = true)]
    pub spec: Option<PathBuf>,
    /// The parameterizations: known ones, the spec's own, or `FILE.mup:NAME`; again for several.
    #[arg(short, long, value_name = "NAME", num_args = 1, default_values = ["sp", "mup"], value_parser = Suggested)]
    pub parameterization: Vec<String>,
    /// For which optimizers: every `-o NAME` is one of its own, every `-o PATTERN=NAME` holds for all of them.
    #[command(flatten)]
    pub terms: Terms,
    /// What to train on, and at which lengths.
    #[command(flatten)]
    pub data: DataArguments,
    /// The scale symbol that grows and its values: `n=64..1024` doubles, `n=64,96,128` lists. If not given: what the spec's own experiment says,
    /// else its first symbol from 64 to 1024.
    #[arg(long, value_name = "SYMBOL=VALUES")]
    pub over: Option<String>,
    /// What is varied, in powers of two: lr, init, output, attention, decay or batch, as in `lr=2^-12..2^-3` or `lr=2^-12..2^-3/2` for two
    /// values per octave; again for several, each by itself. If not given: the learning rate, ten octaves that suit the optimizer.
    #[arg(long, value_name = "KNOB=RANGE")]
    pub sweep: Vec<SweepChoice>,
    /// What every run does.
    #[command(flatten)]
    pub course: CourseArguments,
    /// How many seeds, each an independent run per point.
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: u64,
    /// How many times to halve the distance of the points around an optimum; 0 keeps to the grid.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(0..=i64::from(Search::MOST)))]
    pub refine: u32,
    /// By how many steps a grid may grow at an end where its optimum lies.
    #[arg(long, default_value = "6", value_parser = clap::value_parser!(u16).range(0..=30))]
    pub reach: u16,
    /// The drift per doubling, in octaves, that counts as none.
    #[arg(long, value_name = "OCTAVES", default_value = "0.25", value_parser = rate, allow_negative_numbers = true)]
    pub margin: f64,
    /// The share by which the loss may rise without being called a cost.
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = rate, allow_negative_numbers = true)]
    pub tolerance: f64,
    /// The most memory for all runs together, in GB; 4 if not given, or half of the machine's where that is less.
    #[arg(long, value_name = "GB", value_parser = rate, allow_negative_numbers = true)]
    pub memory: Option<f64>,
    /// Runs side by side; all cores if not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub threads: Option<u16>,
    /// Say what the sweep would cost, and run nothing.
    #[arg(long)]
    pub plan: bool,
    /// Keep every finished run in this file, one line of JSON each.
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// Go on with the `--store`: what is there is not run again.
    #[arg(long, requires = "store")]
    pub resume: bool,
    /// Do one share of the runs, as in `3/16`, into a `--store` of its own; `mupc transfer merge` joins the stores.
    #[arg(long, value_name = "NUMBER/OF", value_parser = share, requires = "store")]
    pub shard: Option<Share>,
    /// How to write it.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Where the result goes.
#[derive(Debug, Args)]
pub struct OutputArguments {
    /// How to write it.
    #[arg(short, long, value_enum, default_value = "text")]
    pub format: TransferFormat,
    /// Also write a page with charts and numbers, which needs no other file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Also write the charts.
    #[arg(long, value_name = "FOLDER")]
    pub svg: Option<PathBuf>,
    /// Also write all runs as a table.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Show no progress.
    #[arg(short, long)]
    pub quiet: bool,
}

/// What every run does.
#[derive(Debug, Args)]
pub struct CourseArguments {
    /// Steps of training.
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// Examples per step.
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub batch: u32,
    /// How the learning rate goes during a run.
    #[arg(long, value_enum, default_value = "constant")]
    pub schedule: ScheduleChoice,
    /// The learning rate where another hyperparameter is varied: `0.01` or `2^-7`; the middle of those that suit the optimizer if not given.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub lr: Option<f64>,
    /// A factor on all initial standard deviations.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = rate)]
    pub init_scale: f64,
    /// A factor in front of the logits.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = rate)]
    pub output_multiplier: f64,
    /// A factor in front of attention scores.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = rate)]
    pub attention_multiplier: f64,
    /// Weight decay at the smallest size; none if not given.
    #[arg(long, value_name = "DECAY", value_parser = rate)]
    pub weight_decay: Option<f64>,
    /// Momentum of SGD; none if not given.
    #[arg(long, value_name = "SHARE", value_parser = rate)]
    pub momentum: Option<f64>,
    /// The largest norm of all gradients together; none if not given.
    #[arg(long, value_name = "NORM", value_parser = rate)]
    pub clip: Option<f64>,
    /// Also run what has no hope to its end: a run is ended (and counts as diverged) if its loss is twice that at the start after a quarter
    /// of the steps.
    #[arg(long)]
    pub to_the_end: bool,
}

/// Something else than a sweep.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Join stores of one sweep: those of its shares.
    Merge {
        /// The store to be written.
        into: PathBuf,
        /// The stores to be joined.
        #[arg(required = true)]
        from: Vec<PathBuf>,
    },
}

/// Formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TransferFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// All runs, for a spreadsheet.
    Csv,
}

/// Schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScheduleChoice {
    /// The same at every step.
    Constant,
    /// Down to zero along a line.
    Linear,
    /// Up over a twentieth of the steps, then down to zero along half a cosine.
    Cosine,
}

impl ScheduleChoice {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            ScheduleChoice::Constant => "constant",
            ScheduleChoice::Linear => "linear",
            ScheduleChoice::Cosine => "cosine",
        }
    }

    fn schedule(self, steps: usize) -> Schedule {
        match self {
            ScheduleChoice::Constant => Schedule::Constant,
            ScheduleChoice::Linear => Schedule::Linear { steps },
            ScheduleChoice::Cosine => Schedule::WarmupCosine { warmup: steps.div_ceil(20), steps },
        }
    }
}

/// A hyperparameter and its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepChoice {
    /// Which.
    pub knob: Knob,
    /// Its values.
    pub grid: Grid,
}

impl FromStr for SweepChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<SweepChoice, String> {
        let form = || format!("`{text}` is not of the form `lr=2^-12..2^-3`");
        let (knob, range) = text.split_once('=').ok_or_else(form)?;
        let knob: Knob = knob.trim().parse()?;
        let (range, density) = match range.split_once('/') {
            Some((range, density)) => (range, density.trim().parse::<i32>().ok()),
            None => (range, Some(1)),
        };
        let density = density.filter(|density| [1, 2, 4, 8, 16].contains(density));
        let density = density.ok_or("an octave is divided by 1, 2, 4, 8 or 16, as in `lr=2^-12..2^-3/2`")?;
        let place = |value: &str| {
            let value = rate(value.trim())?;
            Place::of_value(value)
                .ok_or_else(|| format!("`{value}` is not a power of two, as `2^-7` or `2^-6.5`"))
        };
        let (first, last) = range.split_once("..").unwrap_or((range, range));
        let (first, last) = (place(first)?, place(last)?);
        if last < first {
            return Err(format!("{last} is smaller than {first}: give the smaller value first"));
        }
        Ok(SweepChoice { knob, grid: Grid { first, last, step: Place::OCTAVE / density } })
    }
}

/// `3/16`.
fn share(text: &str) -> Result<Share, String> {
    let numbers =
        text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    match numbers {
        Some((number, of)) if (1..=of).contains(&number) => Ok(Share { number, of }),
        Some((_, of)) if of > 0 => {
            Err(format!("there is no share `{text}`: the first of {of} is `1/{of}`, the last `{of}/{of}`"))
        }
        _ => Err(format!("`{text}` is not a share such as 3/16")),
    }
}

impl TransferArguments {
    /// What the sweep is to do.
    pub fn request(&self, network: &Network, source: Source) -> Result<Request, Failure> {
        let graph = &network.graph;
        let (symbol, values) = sizes(self.over.as_deref(), graph)?;
        let steps = self.course.steps as usize;
        let memory = Memory { momentum: self.course.momentum.unwrap_or(0.0), ..Memory::default() };
        let schedule = self.course.schedule.schedule(steps);
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Request {
            arms: self.arms(graph, symbol)?,
            symbol,
            values,
            base: graph.scales.iter().map(|scale| scale.base).collect(),
            seeds: (0..self.seeds).collect(),
            source,
            course: Course {
                steps,
                routine: Routine { memory, schedule, clip: self.course.clip },
                early_stop: !self.course.to_the_end,
            },
            search: Search { halvings: self.refine, reach: i32::from(self.reach) },
            memory: allowed(self.memory)?,
            threads: self.threads.map_or_else(cores, usize::from),
        })
    }

    /// What counts as nothing.
    pub fn limits(&self) -> Limits {
        Limits { margin: self.margin, tolerance: self.tolerance }
    }

    fn arms(&self, graph: &Graph, symbol: usize) -> Result<Vec<Arm>, Failure> {
        let mut arms: Vec<Arm> = Vec::new();
        for name in &self.parameterization {
            for terms in self.terms_by_optimizer() {
                let mut question = terms.question(graph, name)?;
                if counts_repetitions(graph, symbol) {
                    question.scheme.alpha = question.scheme.alpha.or(Some(Rational::ZERO));
                }
                let default = SweepChoice { knob: Knob::Lr, grid: usual_grid(&question) };
                let sweeps = if self.sweep.is_empty() { vec![default] } else { self.sweep.clone() };
                arms.extend(sweeps.into_iter().map(|sweep| self.arm(&question, sweep)));
            }
        }
        if self.course.lr.is_some() && arms.iter().all(|arm| arm.knob == Knob::Lr) {
            return Err(Failure::Other(
                "--lr: the learning rate is what is varied".to_string(),
                Some("give its values, as in `--sweep lr=2^-12..2^-3`, or vary something else".to_string()),
            ));
        }
        let name = |arm: &Arm| (arm.question.scheme.to_string(), arm.question.plan.to_string(), arm.knob);
        for (at, arm) in arms.iter().enumerate() {
            if arms[..at].iter().any(|other| name(other) == name(arm)) {
                let (parameterization, optimizer, knob) = name(arm);
                return Err(Failure::new(format!(
                    "{parameterization} with {optimizer} over {knob} is asked for twice"
                )));
            }
        }
        Ok(arms)
    }

    /// One set of terms per optimizer; those for patterns of parameters hold for all.
    fn terms_by_optimizer(&self) -> Vec<Terms> {
        let (patterns, plain): (Vec<OptimizerChoice>, Vec<OptimizerChoice>) =
            self.terms.optimizer.iter().cloned().partition(|choice| choice.pattern.is_some());
        if plain.is_empty() {
            return vec![self.terms.clone()];
        }
        let with = |choice: OptimizerChoice| Terms {
            optimizer: std::iter::once(choice).chain(patterns.clone()).collect(),
            ..self.terms.clone()
        };
        plain.into_iter().map(with).collect()
    }

    fn arm(&self, question: &Question, sweep: SweepChoice) -> Arm {
        let SweepChoice { knob, grid } = sweep;
        let course = &self.course;
        let middle = usual_grid(question);
        let chosen = Base {
            learning_rate: course.lr.unwrap_or(Place((middle.first.0 + middle.last.0) / 2).value()),
            init_scale: course.init_scale,
            output_multiplier: course.output_multiplier,
            attention_multiplier: course.attention_multiplier,
            weight_decay: course.weight_decay.unwrap_or(0.0),
            ..Base::default()
        };
        Arm { question: question.clone(), knob, grid, chosen, batch: course.batch as usize }
    }
}

/// Learning rates among which the best one usually is, by the law of an optimizer's steps.
fn usual_grid(question: &Question) -> Grid {
    let law = |optimizer: Optimizer| optimizer.law();
    let law = law(question.plan.default);
    match (law.direction, law.relative) {
        (_, true) => Grid::octaves(-10, -1),
        (Direction::Gradient, false) => Grid::octaves(-7, 2),
        (Direction::Entrywise, false) => Grid::octaves(-12, -3),
        (Direction::Spectral, false) => Grid::octaves(-9, 0),
    }
}
