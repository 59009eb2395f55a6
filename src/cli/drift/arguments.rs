//! The arguments of `drift`, and the request that they make.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::cli::data::DataArguments;
use crate::cli::failure::Failure;
use crate::cli::files::name_in_file;
use crate::cli::names::Suggested;
use crate::cli::output::OutputArguments;
use crate::cli::sizes::{rate, sizes};
use crate::diagnostic::did_you_mean;
use crate::drift::record::Kind;
use crate::drift::request::Request;
use crate::graph::Graph;
use crate::network::Question;
use crate::optimizer::Optimizer;
use crate::parameterization::{Named, Scheme};

/// Examples of the help.
const EXAMPLES: &str = "\
Examples:
  mupc drift mlp.mup                                     NTK and muP: how far kernel and features move, five widths
  mupc drift mlp.mup -p ntk -p mup -p sp --over n=64..1024 --seeds 5
  mupc drift mlp.mup --study convergence -p ntk          the kernel at initialization against its limit
  mupc drift mlp.mup --study models --share 0.05         how long a linear model tracks the network
  mupc drift mlp.mup --study alpha --alpha 0.25,1,4,16,64,256   from rich to lazy by the output scale
  mupc drift mlp.mup --study fluctuation --draws 4000    moments at initialization against prod (1 + 5/n)
  mupc drift mlp.mup --html drift.html --svg pictures --format json

Training is full-batch gradient descent on L = 1/(2B) sum (f - f_0 - y)^2, where f_0 is the network at
initialization and classes are one-hot vectors less their mean.
Exit status: 1 if a prediction is refuted.";

/// Arguments of `drift`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DriftArguments {
    /// The spec; `-` for standard input.
    pub spec: PathBuf,
    /// The parameterizations: known ones, the spec's own, or `FILE.mup:NAME`; again for several.
    #[arg(short, long, value_name = "NAME", default_values = ["ntk", "mup"], value_parser = Suggested)]
    pub parameterization: Vec<String>,
    /// Which questions.
    #[arg(long, value_delimiter = ',', default_value = "drift,alignment", value_parser = questions())]
    pub study: Vec<Vec<Kind>>,
    /// What to train on, and at which lengths.
    #[command(flatten)]
    pub data: DataArguments,
    /// The scale symbol that grows and its values: `n=64..1024` doubles, `n=64,96,128` lists.
    #[arg(long, value_name = "SYMBOL=VALUES")]
    pub over: Option<String>,
    /// How many seeds, each an independent run per value.
    #[arg(long, default_value = "8", value_parser = clap::value_parser!(u64).range(2..=1000))]
    pub seeds: u64,
    /// Steps of gradient descent.
    #[arg(long, default_value = "40", value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// Examples that are trained on, all of them in every step.
    #[arg(long, default_value = "32", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Further examples, on which kernels and features are measured.
    #[arg(long, default_value = "16", value_parser = clap::value_parser!(u32).range(2..))]
    pub probe: u32,
    /// The learning rate at the smallest value: `0.01` or `2^-7`. If not given: a quarter to a half of what the kernel at initialization allows
    /// on the sizes at both ends.
    #[arg(long, value_name = "RATE", value_parser = rate, allow_negative_numbers = true)]
    pub lr: Option<f64>,
    /// Networks drawn for the moments of `fluctuation`.
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u32).range(32..))]
    pub draws: u32,
    /// Output scales.
    #[arg(long, value_delimiter = ',', default_value = "0.25,1,4,16,64,256", value_parser = rate)]
    pub alpha: Vec<f64>,
    /// The share of the network's movement by which a model may be off while it tracks it.
    #[arg(long, default_value = "0.1", value_parser = rate)]
    pub share: f64,
    /// Threads; all cores if not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// A question, or all of them.
fn questions() -> impl TypedValueParser<Value = Vec<Kind>> {
    let one = |kind: Kind| PossibleValue::new(kind.name()).help(kind.question());
    let all = PossibleValue::new("all").help("Everything");
    let names = PossibleValuesParser::new(Kind::ALL.map(one).into_iter().chain([all]));
    names.map(|name| Kind::ALL.into_iter().filter(|kind| name == "all" || name == kind.name()).collect())
}

impl DriftArguments {
    fn question(&self, graph: &Graph, name: &str) -> Result<(String, Question), Failure> {
        let own = name_in_file(name)?;
        let scheme = Scheme::find(graph, &own).map_err(|error| {
            let names = Named::ALL.into_iter().map(Named::name);
            Failure::Other(format!("-p: {error}"), did_you_mean(&own, names))
        })?;
        Ok((own, Question::new(scheme, Optimizer::Sgd)))
    }

    /// The parameterizations: their names, and what is asked of them.
    pub fn questions(&self, graph: &Graph) -> Result<Vec<(String, Question)>, Failure> {
        let names = self.parameterization.iter();
        let all: Vec<(String, Question)> =
            names.map(|name| self.question(graph, name)).collect::<Result<_, _>>()?;
        match (1..all.len()).find(|at| all[..*at].iter().any(|own| own.0 == all[*at].0)) {
            Some(twice) => Err(Failure::new(format!("-p: `{}` is asked for twice", all[twice].0))),
            None => Ok(all),
        }
    }

    /// What the study is to do.
    pub fn request(&self, graph: &Graph) -> Result<Request, Failure> {
        let (symbol, values) = sizes(self.over.as_deref(), graph)?;
        let asked = |kind: &Kind| self.study.iter().flatten().any(|own| own == kind);
        let mut alphas = self.alpha.clone();
        alphas.sort_by(f64::total_cmp);
        alphas.dedup();
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(asked).collect();
        if kinds.contains(&Kind::Alpha) && alphas.len() < 2 {
            return Err(Failure::new(
                "--alpha: a power needs at least two output scales, as in `--alpha 1,4,16`",
            ));
        }
        Ok(Request {
            kinds,
            symbol,
            values,
            seeds: self.seeds,
            steps: self.steps as usize,
            batch: self.batch as usize,
            probe: self.probe as usize,
            draws: self.draws as usize,
            alphas,
            share: self.share,
            rate: self.lr,
        })
    }
}
