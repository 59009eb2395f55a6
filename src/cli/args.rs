//! The arguments, as clap reads them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::check::{CheckArguments, EXAMPLES};
use super::failure::Failure;
use super::files::{compile_for, name_in_file};
use super::names::{Suggested, one_of};
use crate::diagnostic::{did_you_mean, nearest};
use crate::graph::Graph;
use crate::network::{Network, Question};
use crate::optimizer::{Decay, Optimizer, Plan};
use crate::parameterization::pattern::matching;
use crate::parameterization::scheme::NoScheme;
use crate::parameterization::{Form, LearningRates, Scheme};
use crate::rational::Rational;
use crate::size::change::{Alignment, Convention, Readout};

/// A compiler for neural-network parameterizations: from a short spec to exact scaling exponents.
#[derive(Debug, Parser)]
#[command(name = "mupc", version, after_help = GENERAL, propagate_version = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

const GENERAL: &str = "\
Examples:
  mupc table gpt2.mup                       how everything scales under muP with Adam
  mupc table gpt2.mup -p sp -o sgd          the same for standard parameterization with SGD
  mupc explain gpt2.mup h.mlp.up.weight     why a parameter scales as it does
  mupc classify gpt2.mup -p ntk             stable? nontrivial? feature learning or kernel?

A spec named `-` is read from standard input.
Exit status: 0 holds, 1 does not hold, 2 could not run.";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Print how every parameter's initialization, learning rate, eps and weight decay scale.
    #[command(after_help = TABLE)]
    Table(TableArguments),
    /// Say why a parameter or tensor scales as it does, step by step.
    #[command(after_help = EXPLAIN)]
    Explain(ExplainArguments),
    /// Judge a parameterization: stable or not, trivial, feature learning or kernel; 1 if it is not stable and nontrivial.
    #[command(after_help = CLASSIFY)]
    Classify(ClassifyArguments),
    /// Decide whether two parameterizations are the same up to gauge, and where they first differ; 1 if they differ.
    #[command(after_help = COMPARE)]
    Compare(CompareArguments),
    /// Train the network at several sizes and hold every predicted exponent against what is measured; 1 if one is refuted.
    #[command(after_help = EXAMPLES)]
    Check(CheckArguments),
    /// Find the best learning rate at several sizes: does that of the smallest stay the best? 1 if it does not.
    Transfer(Box<super::transfer::TransferArguments>),
    /// Show what the network is at infinite width: NNGP and NTK, their spectra, predictions and training in time.
    Kernel(super::kernel::KernelArguments),
    /// Follow limits in which features are learned, and finite networks on their way there; 1 if these do not approach them.
    Limit(super::limit::LimitArguments),
    /// Draw the ordered and the chaotic phase of a spec's layers, and train deep networks all over it; 1 if others learn than predicted.
    Phase(super::phase::PhaseArguments),
    /// Measure what finite width does: how far the kernel and the features move, and whether as predicted; 1 if not.
    Drift(super::drift::DriftArguments),
    /// Hold the `expect` blocks of specs against what is derived; 1 if something differs.
    #[command(after_help = TEST)]
    Test(TestArguments),
    /// Show the graph that a spec means.
    #[command(after_help = GRAPH)]
    Graph(GraphArguments),
    /// Set specs in the one canonical form, in place.
    #[command(after_help = FMT)]
    Fmt(FmtArguments),
    /// Print a completion script for a shell.
    Completions(super::completions::CompletionsArguments),
}

/// Which rules to follow.
#[derive(Clone, Debug, Args)]
pub struct Rules {
    /// The parameterization: a known one, one that the spec defines, or `FILE.mup:NAME`, one of a file of its own.
    #[arg(short, long, value_name = "NAME", default_value = "mup", value_parser = Suggested)]
    pub parameterization: String,
    /// For which optimizers.
    #[command(flatten)]
    pub terms: Terms,
}

/// For which optimizers, and under which conventions.
#[derive(Clone, Debug, Args)]
pub struct Terms {
    /// The optimizer; again with a pattern of parameters for those that have another one, as in `-o adam -o 'h.*.weight=muon'`. Adam, or
    /// the one that the parameterization is made for, if none is given.
    #[arg(short, long, value_name = "[PATTERN=]NAME")]
    pub optimizer: Vec<OptimizerChoice>,
    /// Let numbers of repetitions grow, with L^-ALPHA in front of every branch of a residual stream; 0 is standard depth.
    #[arg(long, value_name = "ALPHA", value_parser = exponent, allow_negative_numbers = true)]
    pub alpha: Option<Rational>,
    /// Whether updates line up with activations over the whole fan-in (Everett et al. 2024).
    #[arg(long, value_enum, default_value = "full")]
    pub alignment: AlignmentChoice,
    /// Whether a readout's initial weights line up with changed features: strict Tensor-Programs stability, or loose.
    #[arg(long, value_enum, default_value = "strict")]
    pub readout: ReadoutChoice,
    /// Which learning rates: the parameterization's own, or for its multipliers and initializations the largest stable ones, per parameter or
    /// one for all.
    #[arg(long, value_name = "WHICH", default_value = "own", value_parser = rates())]
    pub rates: LearningRates,
    /// How weight decay acts.
    #[arg(long, value_name = "KIND", default_value = "decoupled", value_parser = decay())]
    pub decay: Decay,
}

/// An optimizer, for all parameters or for those that match a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptimizerChoice {
    /// Which parameters; all that nothing else is said of if absent.
    pub pattern: Option<String>,
    /// Their optimizer.
    pub optimizer: Optimizer,
}

impl FromStr for OptimizerChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (pattern, name) = match text.rsplit_once('=') {
            Some((pattern, name)) => (Some(pattern.to_string()), name),
            None => (None, text),
        };
        let known = || nearest(name, Optimizer::ALL.map(Optimizer::name).iter().copied());
        let hint = |error: crate::optimizer::UnknownOptimizer| match known() {
            Some(near) => format!("{error}; did you mean `{near}`?"),
            None => error.to_string(),
        };
        Ok(OptimizerChoice { pattern, optimizer: name.parse().map_err(hint)? })
    }
}

/// Conventions on the alignment of updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AlignmentChoice {
    /// Coherent over the whole fan-in.
    Full,
    /// As good as independent.
    None,
}

/// Conventions on readouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReadoutChoice {
    /// They line up.
    Strict,
    /// They do not.
    Loose,
}

fn exponent(text: &str) -> Result<Rational, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number such as 1/2, 0.5 or 1"))
}

impl Rules {
    /// The question that the arguments ask of a network.
    pub fn question(&self, graph: &Graph) -> Result<Question, Failure> {
        self.terms.question(graph, &self.parameterization)
    }

    /// The spec, with the file of the parameterization if it has one.
    pub fn compile(&self, spec: &Path) -> Result<Network, Failure> {
        compile_for(spec, &[&self.parameterization])
    }
}

impl Terms {
    /// The question about one parameterization.
    pub fn question(&self, graph: &Graph, name: &str) -> Result<Question, Failure> {
        let name = name_in_file(name)?;
        let mut scheme = Scheme::find(graph, &name).map_err(|error| unknown(graph, &error))?;
        scheme.alpha = self.alpha.or(scheme.alpha);
        let own = scheme.custom.as_ref().and_then(|custom| custom.optimizer.as_ref());
        let own =
            own.map(|own| own.text.parse().map_err(|error| Failure::new(format!("{error}")))).transpose()?;
        let mut plan = Plan::from(own.unwrap_or(Optimizer::Adam));
        for choice in &self.optimizer {
            match &choice.pattern {
                None => plan.default = choice.optimizer,
                Some(pattern) => {
                    let params = matching(graph, pattern).map_err(|error| Failure::new(error.to_string()))?;
                    plan.of.extend(params.into_iter().map(|param| (param, choice.optimizer)));
                }
            }
        }
        let alignment = match self.alignment {
            AlignmentChoice::Full => Alignment::Full,
            AlignmentChoice::None => Alignment::None,
        };
        let readout = match self.readout {
            ReadoutChoice::Strict => Readout::Aligned,
            ReadoutChoice::Loose => Readout::Independent,
        };
        let convention = Convention { alignment, readout };
        Ok(Question { rates: self.rates, decay: self.decay, convention, ..Question::new(scheme, plan) })
    }
}

const TABLE: &str = "\
Examples:
  mupc table gpt2.mup
  mupc table gpt2.mup --at n=4096 --at L=24        factors between the base and a larger model
  mupc table gpt2.mup --form output-multiplier     as microsoft/mup writes it
  mupc table gpt2.mup -p complete-p                 width and depth together
  mupc table gpt2.mup -p sp --rates largest         the largest stable rates of another initialization
  mupc table gpt2.mup -o adam -o 'h.*.weight=muon'  Muon for the matrices inside, Adam elsewhere
  mupc table gpt2.mup --format json | jq '.parameters[] | {name, learning_rate}'";

/// Arguments of `table`.
#[derive(Debug, Args)]
pub struct TableArguments {
    /// The spec; `-` for standard input.
    pub spec: PathBuf,
    /// Which rules.
    #[command(flatten)]
    pub rules: Rules,
    /// Where the factors stand: equivalent ways of writing one parameterization.
    #[arg(long, value_name = "FORM", default_value = "native", value_parser = form())]
    pub form: Form,
    /// The value of a scale symbol in the model to be trained, for concrete factors against the base.
    #[arg(long, value_name = "SYMBOL=VALUE", num_args = 1..)]
    pub at: Vec<String>,
    /// How to write it.
    #[arg(short, long, value_enum, default_value = "text")]
    pub format: TableFormat,
    /// Also show the names that other tools use (text).
    #[arg(long)]
    pub names: bool,
}

/// Formats of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For a terminal.
    Text,
    /// For a README or an issue.
    Markdown,
    /// For a spreadsheet.
    Csv,
    /// For a paper (booktabs).
    Latex,
    /// For programs.
    Json,
}

const EXPLAIN: &str = "\
Examples:
  mupc explain gpt2.mup wte
  mupc explain gpt2.mup h.attn.query.weight -o sgd
  mupc explain gpt2.mup logits -p sp --format json";

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The spec; `-` for standard input.
    pub spec: PathBuf,
    /// The path of a parameter or tensor.
    #[arg(value_name = "PARAM|TENSOR")]
    pub subject: String,
    /// Which rules.
    #[command(flatten)]
    pub rules: Rules,
    /// How to write it.
    #[arg(short, long, value_enum, default_value = "text")]
    pub format: ReportFormat,
}

/// Formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
}

const CLASSIFY: &str = "\
Examples:
  mupc classify gpt2.mup -p mup -o adam
  mupc classify gpt2.mup -p mup --alpha 0          what standard depth does when L grows
  mupc classify gpt2.mup -p sp -o adam || echo 'not a stable parameterization'
  mupc classify gpt2.mup -p ntk -o sgd --format json | jq .verdict";

/// Arguments of `classify`.
#[derive(Debug, Args)]
pub struct ClassifyArguments {
    /// The spec; `-` for standard input.
    pub spec: PathBuf,
    /// Which rules.
    #[command(flatten)]
    pub rules: Rules,
    /// How to write it.
    #[arg(short, long, value_enum, default_value = "text")]
    pub format: ReportFormat,
    /// Show tensors without a name, too (text).
    #[arg(long)]
    pub all: bool,
}

const COMPARE: &str = "\
Examples:
  mupc compare gpt2.mup -p sp -p mup
  mupc compare gpt2.mup -p mup -p complete-p -o sgd
  mupc compare mlp.mup -p mup -p tables.mup:table_8
  mupc compare mlp.mup -p mean-field -p mup -o sgd || echo 'not the same'";

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// The spec; `-` for standard input.
    pub spec: PathBuf,
    /// The two parameterizations: known ones, the spec's own, or `FILE.mup:NAME`.
    #[arg(short, long, value_name = "NAME", num_args = 1, required = true, value_parser = Suggested)]
    pub parameterization: Vec<String>,
    /// For which optimizers, and under which conventions.
    #[command(flatten)]
    pub terms: Terms,
    /// How to write it.
    #[arg(short, long, value_enum, default_value = "text")]
    pub format: ReportFormat,
}

const TEST: &str = "\
Examples:
  mupc test gpt2.mup
  mupc test specs                   every spec of a folder that has an `expect` block
  mupc test specs --update          write what is derived into the blocks
  mupc test specs --format json | jq .holds";

/// Arguments of `test`.
#[derive(Debug, Args)]
pub struct TestArguments {
    /// Specs, and folders of specs.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write what is derived into the blocks that differ.
    #[arg(long)]
    pub update: bool,
    /// How to write it.
    #[arg(short, long, value_enum, default_value = "text")]
    pub format: ReportFormat,
}

const GRAPH: &str = "\
Examples:
  mupc graph gpt2.mup
  mupc graph gpt2.mup --format svg --sizes --output gpt2.svg
  mupc graph gpt2.mup --format svg --compact --output architecture.svg
  mupc graph gpt2.mup --format dot | dot -Tpdf > gpt2.pdf";

/// Arguments of `graph`.
#[derive(Debug, Args)]
pub struct GraphArguments {
    /// The spec; `-` for standard input.
    pub spec: PathBuf,
    /// How to write it.
    #[arg(short, long, value_enum, default_value = "text")]
    pub format: GraphFormat,
    /// Write the size of every tensor beside it: at initialization and, after an arrow, its change in training.
    #[arg(long)]
    pub sizes: bool,
    /// Which rules, for the sizes.
    #[command(flatten)]
    pub rules: Rules,
    /// How many definitions deep the picture goes (SVG).
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// The architecture alone: no shapes, every definition one card (SVG).
    #[arg(long)]
    pub compact: bool,
    /// Write to this file and not to standard output.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Formats of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// A line for every operation.
    Text,
    /// For programs.
    Json,
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
}

const FMT: &str = "\
Examples:
  mupc fmt specs/*.mup
  mupc fmt --check specs/*.mup      1 if a file is not in canonical form
  mupc fmt - < draft.mup            from standard input to standard output";

/// Arguments of `fmt`.
#[derive(Debug, Args)]
pub struct FmtArguments {
    /// The specs; `-` reads standard input and writes standard output.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write nothing; name the files that are not in canonical form.
    #[arg(long)]
    pub check: bool,
}

fn unknown(graph: &Graph, error: &NoScheme) -> Failure {
    let Some(name) = error.missing() else { return Failure::new(error.to_string()) };
    let known = Scheme::names(graph);
    let message = format!("{error}; known are {}", known.join(", "));
    Failure::Other(message, did_you_mean(name, known.iter().copied()))
}

fn decay() -> impl TypedValueParser<Value = Decay> {
    one_of(Decay::ALL.map(Decay::name))
}

fn rates() -> impl TypedValueParser<Value = LearningRates> {
    one_of(LearningRates::ALL.map(LearningRates::name))
}

fn form() -> impl TypedValueParser<Value = Form> {
    one_of(Form::ALL.map(Form::name))
}
