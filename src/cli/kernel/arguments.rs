//! The arguments of `kernel`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::data::DataArguments;
use crate::cli::failure::Failure;
use crate::cli::output::OutputArguments;
use crate::diagnostic::did_you_mean;
use crate::graph::{Graph, NodeId};
use crate::kernel::dynamics::Loss;
use crate::kernel::{Parameterization, Prior};
use crate::parameterization::pattern::matching;

/// Examples of the help.
const EXAMPLES: &str = "\
Examples:
  mupc kernel mlp.mup                                       NNGP and NTK on the digits: spectrum, regression, training
  mupc kernel mlp.mup --weight-variance 2                   He's start; `--weight-variance 'readout.*=1'` for some parameters
  mupc kernel mlp.mup --trained --set n=512                 the finite network beside its limit
  mupc kernel convnet.mup --set side=8 --train 50 --test 50 --kernel nngp
  mupc kernel mlp.mup --sample 4 --set n=64 --train 20 --test 20 --ridge 0.01   finite networks in place of the limit
  mupc kernel mlp.mup --html mlp.html --svg pictures        spectrum and learning curves as pictures
  mupc kernel mlp.mup --npy kernels --format json           the kernels as arrays, everything else as JSON

What has no infinite-width limit is an error that names the tensor and says why (exit status 2).";

/// Arguments of `kernel`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct KernelArguments {
    /// The spec; `-` for standard input.
    pub spec: PathBuf,
    /// What to learn, and at which lengths.
    #[command(flatten)]
    pub data: DataArguments,
    /// Examples to train on.
    #[arg(long, default_value = "500", value_parser = clap::value_parser!(u32).range(1..))]
    pub train: u32,
    /// Examples to predict.
    #[arg(long, default_value = "500", value_parser = clap::value_parser!(u32).range(1..))]
    pub test: u32,
    /// Where factors stand: in front of weights with unit variance, or in their variance.
    #[arg(short, long, value_enum, default_value = "ntk")]
    pub parameterization: Factors,
    /// The variance of what a weight gives out per unit mean square of what it reads; again with a pattern for some parameters.
    #[arg(long, value_name = "[PATTERN=]VARIANCE")]
    pub weight_variance: Vec<String>,
    /// Lets biases that the spec starts at zero be random with this variance.
    #[arg(long, value_name = "VARIANCE", value_parser = positive, allow_negative_numbers = true)]
    pub bias_variance: Option<f64>,
    /// Which kernels.
    #[arg(short, long, value_enum, default_value = "both")]
    pub kernel: Which,
    /// Monte Carlo in place of the limit: means over so many networks of the spec's lengths, with their standard error.
    #[arg(long, value_name = "NETWORKS", value_parser = clap::value_parser!(u32).range(2..))]
    pub sample: Option<u32>,
    /// Where an expectation has no closed form, as of max pooling: two to this power points per lattice, of eight.
    #[arg(long, value_name = "POWER", default_value = "8", value_parser = clap::value_parser!(u8).range(2..=16))]
    pub lattice: u8,
    /// The tensor whose kernel is asked for; the network's output if not given.
    #[arg(long, value_name = "TENSOR")]
    pub output: Option<String>,
    /// What is added to the diagonal of kernels in regression.
    #[arg(long, default_value = "0", value_parser = not_negative, allow_negative_numbers = true)]
    pub ridge: f64,
    /// How errors add up, which sets the unit of time.
    #[arg(long, value_enum, default_value = "sum")]
    pub loss: LossChoice,
    /// Times of training to look at, such as `0,1,10,inf`; chosen by the spectrum if not given.
    #[arg(long, value_delimiter = ',', value_parser = time, allow_hyphen_values = true)]
    pub times: Vec<f64>,
    /// Discrete steps of gradient descent with this learning rate in place of gradient flow; a time is steps times rate.
    #[arg(long, value_name = "RATE", value_parser = positive, allow_negative_numbers = true)]
    pub rate: Option<f64>,
    /// Also train the finite network, at the spec's lengths.
    #[arg(long)]
    pub trained: bool,
    /// The most memory, in GB.
    #[arg(long, value_name = "GB", default_value = "4", value_parser = positive, allow_negative_numbers = true)]
    pub memory: f64,
    /// Threads; all cores if not given. Results do not depend on it.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Where the result goes.
    #[command(flatten)]
    pub result: OutputArguments,
    /// Also write the kernels of all examples as arrays for NumPy.
    #[arg(long, value_name = "FOLDER")]
    pub npy: Option<PathBuf>,
}

/// Where factors stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Factors {
    /// y = sigma N^(-1/2) W x, W ~ N(0, 1).
    Ntk,
    /// y = W x, W ~ N(0, sigma^2 / N).
    Standard,
}

/// Which kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// Both.
    Both,
    /// The covariance at initialization alone: it exists for more networks.
    Nngp,
}

/// Losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LossChoice {
    /// L = 1/2 sum (f - y)^2
    Sum,
    /// L = 1/(2 N C) sum (f - y)^2, N examples and C outputs
    Mean,
}

impl From<LossChoice> for Loss {
    fn from(choice: LossChoice) -> Loss {
        match choice {
            LossChoice::Sum => Loss::Sum,
            LossChoice::Mean => Loss::Mean,
        }
    }
}

fn number(text: &str, holds: impl Fn(f64) -> bool, what: &str) -> Result<f64, String> {
    text.parse().ok().filter(|own| holds(*own)).ok_or(format!("`{text}` is not {what}"))
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |own| own.is_finite() && own > 0.0, "a positive number")
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text, |own| own.is_finite() && own >= 0.0, "a number that is not negative")
}

fn time(text: &str) -> Result<f64, String> {
    number(text, |own| own >= 0.0, "a time such as 0, 2.5 or inf")
}

impl KernelArguments {
    /// How weights start.
    pub fn prior(&self, graph: &Graph) -> Result<Prior, Failure> {
        let parameterization = match self.parameterization {
            Factors::Ntk => Parameterization::Ntk,
            Factors::Standard => Parameterization::Standard,
        };
        let mut prior = Prior::new(graph, parameterization, 1.0);
        for text in &self.weight_variance {
            let (pattern, number) = match text.rsplit_once('=') {
                Some((pattern, number)) => (Some(pattern), number),
                None => (None, text.as_str()),
            };
            let variance =
                not_negative(number).map_err(|error| Failure::new(format!("--weight-variance: {error}")))?;
            match pattern {
                None => {
                    prior
                        .params
                        .iter_mut()
                        .filter(|own| own.constant.is_none())
                        .for_each(|own| own.variance = variance);
                }
                Some(pattern) => {
                    let params = matching(graph, pattern).map_err(|error| Failure::new(error.to_string()))?;
                    params.into_iter().for_each(|param| prior.params[param.index()].variance = variance);
                }
            }
        }
        if let Some(variance) = self.bias_variance {
            for own in prior.params.iter_mut().filter(|own| own.constant == Some(0.0)) {
                (own.variance, own.constant) = (variance, None);
            }
        }
        Ok(prior)
    }

    /// How weights start, in words.
    pub fn start(&self) -> String {
        let weights = match &self.weight_variance[..] {
            [] => "1".to_string(),
            own => own.join(", "),
        };
        let biases = self
            .bias_variance
            .map_or("as the spec says".to_string(), |variance| format!("variance {variance}"));
        format!("weights with variance {weights} over fan-in, biases {biases}")
    }

    /// The tensor whose kernel is asked for.
    pub fn output_of(&self, graph: &Graph) -> Result<NodeId, Failure> {
        let Some(name) = &self.output else {
            return match graph.outputs[..] {
                [only] => Ok(only),
                [] => Err(Failure::Other(
                    "the spec has no output".to_string(),
                    Some("give it a `loss`, or name a tensor with `--output`".to_string()),
                )),
                _ => {
                    let labels = graph.labels();
                    let names: Vec<&str> =
                        graph.outputs.iter().map(|id| labels[id.index()].as_str()).collect();
                    Err(Failure::Other(
                        format!("the network has {} outputs: {}", names.len(), names.join(", ")),
                        Some(format!("say which one, as in `--output {}`", names[0])),
                    ))
                }
            };
        };
        let labels = graph.labels();
        graph
            .ids()
            .find(|id| labels[id.index()] == *name || graph.named(*id).as_deref() == Some(name))
            .ok_or_else(|| {
                Failure::Other(
                    format!("the network has no tensor `{name}`"),
                    did_you_mean(name, labels.iter().map(String::as_str))
                        .or(Some("`mupc graph` names them all".to_string())),
                )
            })
    }
}
