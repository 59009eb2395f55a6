//! What a coordinate check is asked to do, and what it costs before it starts.

use std::sync::Arc;

use super::runs::Course;
use super::setting::{Base, setting};
use crate::graph::Graph;
use crate::network::{Network, Question};
use crate::numeric::build::{BuildError, Purpose, build};
use crate::numeric::data::{BindError, Bound, Column, Source, bind};
use crate::numeric::program::Program;
use crate::numeric::setting::Setting;
use crate::rational::Rational;
use crate::size::analysis::Calculus;

/// A check of one network under one parameterization.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose rules, for which optimizers.
    pub question: Question,
    /// The scale symbol that grows, by place.
    pub symbol: usize,
    /// Its values, ascending.
    pub values: Vec<i64>,
    /// Values of all scale symbols; that of the growing one is replaced.
    pub base: Vec<Rational>,
    /// Examples in the one batch that is trained on.
    pub batch: usize,
    /// Learning rate and the like at the smallest value.
    pub chosen: Base,
    /// What is trained on.
    pub source: Source,
    /// What every run does.
    pub course: Course,
}

/// Why a check cannot start.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RequestError {
    /// Too few sizes.
    #[error("an exponent needs at least two values of `{0}`; give a range such as `--over {0}=64..512`")]
    TooFewValues(String),
    /// A network that cannot be run.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// Why a network cannot be run at one of the values.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NetworkError {
    /// It cannot be built.
    #[error("{symbol} = {value}: {error}")]
    Build {
        /// The symbol.
        symbol: String,
        /// Its value.
        value: i64,
        /// Why.
        error: BuildError,
    },
    /// The data does not fit.
    #[error("{0}")]
    Data(#[from] BindError),
    /// More memory than there may be.
    #[error(
        "one run at {symbol} = {value} needs {needed}, more than the {allowed} of `--memory`; choose smaller values, lengths or batches, or allow more"
    )]
    Memory {
        /// The symbol.
        symbol: String,
        /// Its value.
        value: i64,
        /// What it needs.
        needed: String,
        /// What it may take.
        allowed: String,
    },
}

/// A network at one value, ready to be started from any seed.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The value of the growing symbol.
    pub value: i64,
    /// The values of all symbols.
    pub values: Vec<Rational>,
    /// The plan.
    pub program: Arc<Program>,
    /// The numbers of the parameterization.
    pub setting: Arc<Setting>,
    /// Bytes of one run.
    pub bytes: u64,
}

impl Prepared {
    /// How much there is to do in a run, beside others of the check.
    pub fn work(&self) -> usize {
        1 + self.program.multiplications() / 1000
    }
}

/// Everything that is known before the first run.
#[derive(Clone, Debug)]
pub struct Prepare {
    /// One network per value.
    pub networks: Vec<Prepared>,
    /// The batch, the same at every value.
    pub batch: Arc<Vec<Column>>,
    /// What the data is, in one line.
    pub data: String,
}

impl Prepare {
    /// How much there is to do for one seed.
    pub fn work(&self) -> usize {
        self.networks.iter().map(Prepared::work).sum()
    }
}

impl Request {
    /// The name of the growing symbol.
    pub fn symbol_name<'g>(&self, graph: &'g Graph) -> &'g str {
        &graph.scales[self.symbol].name
    }

    /// The values of all symbols where the growing one has a given value.
    pub fn values_at(&self, value: i64) -> Vec<Rational> {
        let mut values = self.base.clone();
        values[self.symbol] = Rational::integer(value);
        values
    }

    /// Starts prepared networks with the numbers that are now chosen.
    pub fn set(
        &self,
        calculus: &Calculus,
        found: &crate::parameterization::Parameterization,
        prepared: &mut Prepare,
    ) {
        let Some(base) = prepared.networks.first().map(|network| network.values.clone()) else { return };
        for network in &mut prepared.networks {
            network.setting = Arc::new(setting(calculus, found, &base, &network.values, &self.chosen));
        }
    }

    /// Builds every network and the batch.
    ///
    /// # Errors
    /// If an exponent could not be fitted, a length is not whole, the data does not fit, or memory does not suffice.
    pub fn prepare(
        &self,
        network: &Network,
        found: &crate::parameterization::Parameterization,
    ) -> Result<Prepare, RequestError> {
        let graph = &network.graph;
        let symbol = self.symbol_name(graph).to_string();
        let Some(smallest) = self.values.first().filter(|_| self.values.len() > 1) else {
            return Err(RequestError::TooFewValues(symbol));
        };
        let calculus = network.calculus_for(&self.question);
        let base = self.values_at(*smallest);
        let mut networks = Vec::new();
        for value in &self.values {
            let values = self.values_at(*value);
            let numbers = setting(&calculus, found, &base, &values, &self.chosen);
            let program = build(graph, &values, self.batch, &numbers, Purpose::Observation);
            let program = program.map_err(|error| NetworkError::Build {
                symbol: symbol.clone(),
                value: *value,
                error,
            })?;
            let bytes = bytes(&program);
            fits(bytes, self.course.memory, &symbol, *value)?;
            let (program, setting) = (Arc::new(program), Arc::new(numbers));
            networks.push(Prepared { value: *value, values, program, setting, bytes });
        }
        let bound: Bound = bind(&self.source, graph, &base).map_err(NetworkError::from)?;
        let examples: Vec<usize> = (0..self.batch).collect();
        Ok(Prepare { networks, batch: Arc::new(bound.batch(&examples)), data: bound.describe() })
    }
}

/// Bytes of one run: buffers, a copy of values and gradients, optimizer states, in f32.
fn bytes(program: &Program) -> u64 {
    4 * (2 * program.numbers() as u64 + 2 * program.weight_count() as u64)
}

/// Holds the bytes of one run against what all may take.
///
/// # Errors
/// If they are more.
pub fn fits(bytes: u64, most: u64, symbol: &str, value: i64) -> Result<(), NetworkError> {
    if bytes <= most {
        return Ok(());
    }
    let [needed, allowed] = [bytes, most].map(readable);
    Err(NetworkError::Memory { symbol: symbol.to_string(), value, needed, allowed })
}

/// A number of bytes for a reader.
pub fn readable(bytes: u64) -> String {
    let float = bytes as f64;
    match bytes {
        0..=999_999 => format!("{:.0} kB", float / 1e3),
        1_000_000..=999_999_999 => format!("{:.0} MB", float / 1e6),
        _ => format!("{:.1} GB", float / 1e9),
    }
}
