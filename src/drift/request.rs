//! What is asked, and the networks of all sizes, ready to be started from any seed.

use std::sync::Arc;

use super::record::Kind;
use crate::check::setting::{Base, setting};
use crate::graph::{Graph, NodeId, Op};
use crate::kernel::Points;
use crate::kernel::study::{NoStudy, examples};
use crate::kernel::tangent::{NoTangent, program};
use crate::network::{Network, Question};
use crate::numeric::data::{BindError, Column, Source, bind};
use crate::numeric::program::Program;
use crate::numeric::setting::Setting;
use crate::parameterization::Named;
use crate::rational::Rational;
use crate::shape::Shaped;

/// A study of one network.
#[derive(Clone, Debug)]
pub struct Request {
    /// The questions.
    pub kinds: Vec<Kind>,
    /// The scale symbol that grows, by place.
    pub symbol: usize,
    /// Its values, ascending.
    pub values: Vec<i64>,
    /// Independent runs per value.
    pub seeds: u64,
    /// Steps of gradient descent.
    pub steps: usize,
    /// Examples that are trained on.
    pub batch: usize,
    /// Examples that kernels and features are measured on.
    pub probe: usize,
    /// Networks drawn for moments.
    pub draws: usize,
    /// Output scales.
    pub alphas: Vec<f64>,
    /// The share of its own movement by which a model may be off while it tracks the network.
    pub share: f64,
    /// The learning rate; chosen by the kernel at initialization if not given.
    pub rate: Option<f64>,
}

/// Why a study cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Too few sizes.
    #[error("a power needs at least two values of `{0}`; give a range such as `--over {0}=64..512`")]
    TooFewValues(String),
    /// A network without a kernel.
    #[error("{symbol} = {value}: {error}")]
    Tangent {
        /// The symbol.
        symbol: String,
        /// Its value.
        value: i64,
        /// Why.
        error: NoTangent,
    },
    /// Data that does not fit.
    #[error(transparent)]
    Data(#[from] BindError),
    /// Too few examples.
    #[error(
        "{batch} + {probe} examples are asked for, and there are {there}; ask for fewer with `--batch` and `--probe`"
    )]
    Examples {
        /// Trained on.
        batch: usize,
        /// Measured on.
        probe: usize,
        /// In the data.
        there: usize,
    },
    /// Targets that do not fit the output.
    #[error(transparent)]
    Targets(#[from] NoStudy),
    /// No or several outputs.
    #[error("the network has {0} outputs; the squared error needs one")]
    Outputs(usize),
    /// A kernel with too many rows.
    #[error(
        "{probe} examples with {entries} outputs each make a kernel of {rows} rows, more than {most}; ask for fewer with `--probe`"
    )]
    Rows {
        /// Measured on.
        probe: usize,
        /// Entries of the output.
        entries: usize,
        /// Their product.
        rows: usize,
        /// What is allowed.
        most: usize,
    },
    /// A parameterization that has no answer.
    #[error("{0}")]
    Parameterization(String),
    /// No threads.
    #[error("cannot start threads: {0}")]
    Threads(String),
}

/// The most rows of a kernel.
const ROWS: usize = 4096;

/// A network of one size in one parameterization.
#[derive(Clone, Debug)]
pub struct Sized {
    /// The value of the growing symbol.
    pub value: i64,
    /// The values of all symbols.
    pub values: Vec<Rational>,
    /// Ends with the output in the place of the loss; for the batch that is trained on.
    pub program: Arc<Program>,
    /// The start.
    pub setting: Arc<Setting>,
    /// Learning rates over the base rate, by parameter; 0 for frozen ones.
    pub factors: Vec<f64>,
}

/// One parameterization at all sizes.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What it does in width, if it is a known one as it stands.
    pub regime: Option<Named>,
    /// The networks, ascending.
    pub sized: Vec<Sized>,
}

/// What does not depend on the parameterization.
#[derive(Clone, Debug)]
pub struct Common {
    /// The output.
    pub output: NodeId,
    /// The last hidden representation; none if the output reads the input.
    pub hidden: Option<NodeId>,
    /// The batch that is trained on.
    pub batch: Vec<Column>,
    /// Its targets, one number per entry of the output.
    pub targets: Vec<f64>,
    /// The batch that is measured on.
    pub probe: Vec<Column>,
    /// The same as points of a limit.
    pub points: Points,
    /// Its targets.
    pub probe_targets: Vec<f64>,
    /// What the data is, in one line.
    pub data: String,
}

impl Request {
    /// The values of all symbols where the growing one has a given value.
    pub fn values_at(&self, graph: &Graph, value: i64) -> Vec<Rational> {
        crate::check::setting::values(graph, &[(self.symbol, value)])
    }

    /// Data and tensors.
    ///
    /// # Errors
    /// If there are too few values or examples, or targets do not fit the output.
    pub fn common(&self, graph: &Graph, source: &Source) -> Result<Common, RequestError> {
        let symbol = &graph.scales[self.symbol].name;
        let smallest = match self.values[..] {
            [first, _, ..] => first,
            _ => return Err(RequestError::TooFewValues(symbol.clone())),
        };
        let [output] = graph.outputs[..] else { return Err(RequestError::Outputs(graph.outputs.len())) };
        let values = self.values_at(graph, smallest);
        let data = bind(source, graph, &values)?;
        let (batch, probe) = (self.batch, self.probe);
        if batch + probe > data.examples() {
            return Err(RequestError::Examples { batch, probe, there: data.examples() });
        }
        let shape = &graph.node(output).shape;
        let whole =
            |dim: &crate::dim::Dim| dim.at(&values).and_then(Rational::to_integer).unwrap_or(1) as usize;
        let positions = shape[..shape.len().saturating_sub(1)].iter().map(whole).product();
        let entries: usize = shape.iter().map(whole).product();
        if probe * entries > ROWS {
            return Err(RequestError::Rows { probe, entries, rows: probe * entries, most: ROWS });
        }
        let part = |from: usize, count: usize| -> Result<(Vec<Column>, Points, Vec<f64>), RequestError> {
            let chosen: Vec<usize> = (from..from + count).collect();
            let all = examples(graph, &data, &chosen, positions)?;
            let found = all.targets;
            let rows = (0..found.nrows()).flat_map(|row| (0..found.ncols()).map(move |column| (row, column)));
            Ok((data.batch(&chosen), all.points, rows.map(|(row, column)| found[(row, column)]).collect()))
        };
        let ((batch, _, targets), (probe, points, probe_targets)) = (part(0, batch)?, part(batch, probe)?);
        let hidden = hidden(graph, output);
        Ok(Common { output, hidden, batch, targets, probe, points, probe_targets, data: data.describe() })
    }

    /// The networks of all sizes in one parameterization.
    ///
    /// # Errors
    /// If a network cannot be built or parameterized.
    pub fn case(
        &self,
        network: &Network,
        name: &str,
        question: &Question,
        output: NodeId,
    ) -> Result<Case, RequestError> {
        let graph = &network.graph;
        let found = network.parameterize(question.clone());
        let found = found.map_err(|error| RequestError::Parameterization(error.to_string()))?;
        let calculus = network.calculus_for(question);
        let base = self.values_at(graph, self.values[0]);
        let chosen = Base { learning_rate: 1.0, ..Base::default() };
        let one = |value: &i64| {
            let values = self.values_at(graph, *value);
            let setting = setting(&calculus, &found, &base, &values, &chosen);
            let failed = |error| RequestError::Tangent {
                symbol: graph.scales[self.symbol].name.clone(),
                value: *value,
                error,
            };
            let program = program(graph, &values, self.batch, &setting, output).map_err(failed)?;
            let factor = |own: &crate::numeric::setting::ParamSetting| {
                if own.optimizer.is_some() { own.learning_rate } else { 0.0 }
            };
            let factors = setting.params.iter().map(factor).collect();
            Ok(Sized {
                value: *value,
                values,
                program: Arc::new(program),
                setting: Arc::new(setting),
                factors,
            })
        };
        let regime = question.scheme.custom.is_none().then_some(question.scheme.named.width());
        let sized = self.values.iter().map(one).collect::<Result<_, RequestError>>()?;
        Ok(Case { name: name.to_string(), regime, sized })
    }
}

/// What the last weight before the output reads.
fn hidden(graph: &Graph, output: NodeId) -> Option<NodeId> {
    let shaped = Shaped::new(graph);
    let weight = |id: NodeId| shaped.view_of[id.index()].is_some();
    let mut at = output;
    loop {
        let node = graph.node(at);
        let next = node.operands.iter().copied().find(|own| !weight(*own))?;
        match &node.op {
            Op::Contract { .. } if node.operands.iter().any(|own| weight(*own)) => {
                return (!matches!(graph.node(next).op, Op::Data(_))).then_some(next);
            }
            Op::Data(_) | Op::Constant(_) | Op::Param(_) => return None,
            _ => at = next,
        }
    }
}
