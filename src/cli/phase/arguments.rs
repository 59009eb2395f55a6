//! The arguments of `phase`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::limit::span;
use crate::cli::output::OutputArguments;
use crate::cli::sizes::rate;
use crate::diagnostic::nearest;
use crate::graph::Func;
use crate::limit::maps::Layer;
use crate::limit::phase::{Plane, spaced};
use crate::limit::trainable::Course;

const EXAMPLES: &str = "\
Examples:
  mupc phase mlp.mup                                  ordered and chaotic phase of its layers, and which deep networks learn
  mupc phase mlp.mup --activation tanh                the same layers with another activation
  mupc phase mlp.mup --untrained --format json        the diagram alone
  mupc phase mlp.mup --weight-variance 1.5 --bias-variance 0.1    what becomes of signals at one point
  mupc phase mlp.mup --depth 40 --width 128 --steps 500 --html phase.html
  mupc phase gpt2.mup --activation gelu --untrained   where the spec is more than layers, name the activation

A layer is h' = W phi(h) + b with W ~ N(0, weight variance / fan-in) and b ~ N(0, bias variance).
Exit status 1: among deep networks, those that learn are not those with the longer depth scale.";

/// Arguments of `phase`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PhaseArguments {
    /// The spec; `-` for standard input.
    pub spec: PathBuf,
    /// The activation, in place of the one in the spec's layers.
    #[arg(long, value_name = "NAME", value_parser = function)]
    pub activation: Option<Func>,
    /// sigma_w^2 of the one point that is told in full.
    #[arg(long, value_name = "VARIANCE", default_value = "1", value_parser = rate, allow_negative_numbers = true)]
    pub weight_variance: f64,
    /// sigma_b^2 of that point.
    #[arg(long, value_name = "VARIANCE", default_value = "0", value_parser = not_negative, allow_negative_numbers = true)]
    pub bias_variance: f64,
    /// The weight variances of the diagram.
    #[arg(long, value_name = "LOW..HIGH", default_value = "0.25..4", value_parser = span)]
    pub weights: (f64, f64),
    /// The largest bias variance of the diagram; it begins at 0.
    #[arg(long, value_name = "VARIANCE", default_value = "0.3", value_parser = rate)]
    pub biases: f64,
    /// Cells of the diagram along the weight variance; half as many along the bias variance.
    #[arg(long, default_value = "46", value_parser = clap::value_parser!(u16).range(2..=400))]
    pub cells: u16,
    /// Train no networks.
    #[arg(long)]
    pub untrained: bool,
    /// Hidden layers of the networks that are trained.
    #[arg(long, default_value = "30", value_parser = clap::value_parser!(u16).range(2..=500))]
    pub depth: u16,
    /// Their width.
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(4..=4096))]
    pub width: u16,
    /// Steps of training.
    #[arg(long, default_value = "300", value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// Networks along the weight variance, and along the bias variance.
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "9x3", value_parser = grid)]
    pub networks: (usize, usize),
    /// Learning rates; the best one counts.
    #[arg(long, value_delimiter = ',', default_value = "0.01,0.1", value_parser = rate)]
    pub rates: Vec<f64>,
    /// Chooses how networks start.
    #[arg(long, default_value = "0")]
    pub seed: u64,
    /// Threads; all cores if not given. Results do not depend on it.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Elementwise functions with Gaussian moments.
pub fn function(name: &str) -> Result<Func, String> {
    let usable = |func: &Func| !matches!(func, Func::Log | Func::Sqrt | Func::Recip | Func::Sign);
    Func::named(name).filter(usable).ok_or_else(|| {
        let names = || Func::ALL.into_iter().filter(usable).map(Func::name);
        let all: Vec<&str> = names().collect();
        let near = nearest(name, names()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("`{name}` is none of {}{near}", all.join(", "))
    })
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|own: &f64| own.is_finite() && *own >= 0.0);
    number.ok_or(format!("`{text}` is not a variance such as 0 or 0.05"))
}

fn grid(text: &str) -> Result<(usize, usize), String> {
    let read = || {
        let (columns, rows) = text.split_once('x')?;
        let (columns, rows): (usize, usize) = (columns.trim().parse().ok()?, rows.trim().parse().ok()?);
        ((1..=100).contains(&columns) && (1..=100).contains(&rows)).then_some((columns, rows))
    };
    read().ok_or(format!("`{text}` is not of the form 9x3, with at most 100 either way"))
}

impl PhaseArguments {
    /// The part of the plane that is looked at.
    pub fn plane(&self) -> Result<Plane, Failure> {
        Ok(Plane { weights: self.weights, largest_bias: self.biases, cells: usize::from(self.cells) })
    }

    /// The networks.
    pub fn course(&self, func: Func) -> Course {
        Course {
            func,
            depth: usize::from(self.depth),
            width: i64::from(self.width),
            examples: 500,
            batch: 50,
            steps: self.steps as usize,
            rates: self.rates.clone(),
            seed: self.seed,
        }
    }

    /// Where networks are trained.
    pub fn points(&self, plane: &Plane) -> Vec<Layer> {
        let weights = spaced(plane.weights.0, plane.weights.1, self.networks.0);
        let biases = spaced(0.0, plane.largest_bias, self.networks.1);
        let row = |bias: f64| weights.clone().into_iter().map(move |weight| Layer { weight, bias });
        biases.into_iter().flat_map(row).collect()
    }
}
