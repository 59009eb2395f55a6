//! Networks that are ready to be trained: from a cell of a sweep to a program and its numbers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::fingerprint::Fingerprint;
use super::knob::{Knob, Place};
use super::record::Predicted;
use super::request::{Request, RequestError};
use crate::check::request::{NetworkError, fits};
use crate::check::setting::{is_attention, is_output, setting};
use crate::concrete::float;
use crate::dim::Symbol;
use crate::graph::NodeId;
use crate::network::Network;
use crate::numeric::build::{Purpose, build};
use crate::numeric::data::{Bound, bind};
use crate::numeric::program::Program;
use crate::numeric::setting::Setting;
use crate::parameterization::Parameterization;
use crate::parameterization::global::{Turned, largest_factor};
use crate::parameterization::learning_rates::NoLargestRate;
use crate::size::analysis::Calculus;
use crate::size::change::Readout;

/// One point of one curve: all seeds of it are one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// Which family of curves.
    pub arm: usize,
    /// The value of the growing symbol.
    pub value: i64,
    /// The value of the hyperparameter.
    pub place: Place,
}

/// A network that can be started from any seed.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Where it belongs.
    pub cell: Cell,
    /// The plan.
    pub program: Arc<Program>,
    /// The numbers of the parameterization.
    pub setting: Arc<Setting>,
    /// Examples per step.
    pub batch: usize,
    /// Bytes of one run.
    pub bytes: u64,
    /// Of the numbers.
    pub fingerprint: String,
}

impl Prepared {
    /// Floating-point operations of one step: matrix products, and the passes of the optimizer over the weights.
    pub fn operations(&self) -> f64 {
        2.0 * self.program.multiplications() as f64
    }

    /// What a step costs in comparison with others: products and numbers that are moved through memory.
    pub fn work(&self) -> usize {
        self.program.multiplications() + 16 * self.program.weight_count() + 1
    }
}

/// A family of curves with what the analyzer says of it.
#[derive(Debug)]
pub struct Analyzed<'g> {
    /// Its calculus.
    calculus: Calculus<'g>,
    /// The same where a readout's initial weights do not line up with changed features.
    loose: Calculus<'g>,
    /// Multipliers, initializations, rates.
    found: Parameterization,
}

impl Analyzed<'_> {
    /// The parameterization's name.
    pub fn parameterization(&self) -> String {
        self.found.scheme.to_string()
    }

    /// The optimizers' names.
    pub fn optimizer(&self) -> String {
        self.found.plan.to_string()
    }

    /// The operations that a hyperparameter stands in front of; all operations have their places in the same order under every convention.
    fn fronts(&self, knob: Knob) -> Vec<NodeId> {
        let own = |id: &NodeId| match knob {
            Knob::Output => is_output(&self.calculus, *id),
            Knob::Attention => is_attention(&self.calculus, *id),
            Knob::Lr | Knob::Init | Knob::Decay | Knob::Batch => false,
        };
        self.calculus.graph().ids().filter(own).collect()
    }

    /// Why a hyperparameter changes nothing in this network, if so.
    fn idle(&self, knob: Knob) -> Option<&'static str> {
        match (knob, self.fronts(knob).is_empty()) {
            (Knob::Output, true) => Some("changes nothing here: no product with a weight gives the logits"),
            (Knob::Attention, true) => {
                Some("changes nothing here: the network multiplies no activations with each other")
            }
            _ => None,
        }
    }

    /// How the best factor on all learning rates (initializations, logits, attention scores) moves with a symbol, in powers of it: as the largest factor at
    /// which training is stable. Where that has no answer, why. A readout counts as loose: under a cross entropy, logits that grow because its initial
    /// weights line up with changed features are no harm to training (Haas et al. 2025, arXiv 2505.22491).
    pub fn predicted(&self, knob: Knob, symbol: usize) -> Result<Predicted, String> {
        let fronts = self.fronts(knob);
        let turned = match knob {
            Knob::Lr => Turned::Rates,
            Knob::Init => Turned::Inits,
            Knob::Output | Knob::Attention => Turned::Fronts(&fronts),
            Knob::Decay => return Err("stability bounds no weight decay".to_string()),
            Knob::Batch => return Err("sizes are counted in powers, and a batch stays finite".to_string()),
        };
        if fronts.iter().any(|node| self.calculus.graph().written_multiplier(*node).is_some()) {
            return Err(format!("the spec itself writes a factor where the {} stands", knob.words()));
        }
        let of = |calculus: &Calculus| {
            let factor = largest_factor(calculus, &self.found.abc, &self.found.plan, turned);
            factor.map(|factor| factor.exponent(Symbol(symbol as u16)))
        };
        let exponent = of(&self.loose).map_err(|why| match (why, knob) {
            (NoLargestRate::Every, Knob::Lr) => "every rate is stable".to_string(),
            (NoLargestRate::Every, _) => "training is stable with every value".to_string(),
            (NoLargestRate::Start(_) | NoLargestRate::None, Knob::Lr) => {
                "no factor on the rates keeps training stable: the initialization is unstable".to_string()
            }
            (NoLargestRate::Start(_) | NoLargestRate::None, _) => {
                "no value keeps training stable: at one rate for all sizes, the parameterization is unstable"
                    .to_string()
            }
        })?;
        let strict = of(&self.calculus).ok().map(|exponent| exponent.to_string());
        Ok(Predicted { exponent: exponent.to_string(), value: float(exponent), strict })
    }
}

/// Everything that is known before the first run.
#[derive(Debug)]
pub struct Prepare<'g> {
    /// By family of curves.
    pub arms: Vec<Analyzed<'g>>,
    /// The examples.
    pub bound: Arc<Bound>,
    /// What the data is, in one line.
    pub data: String,
    symbol: String,
    programs: RefCell<BTreeMap<(usize, i64), Arc<Program>>>,
}

impl<'g> Prepare<'g> {
    /// Fits the data and keeps what every cell needs; `found` has a parameterization for every arm.
    ///
    /// # Errors
    /// If the request does not hold together, a network of the first round cannot be built, the data does not fit, or memory does not suffice.
    pub fn new(
        request: &Request,
        network: &'g Network,
        found: Vec<Parameterization>,
    ) -> Result<Prepare<'g>, RequestError> {
        let graph = &network.graph;
        request.validate(graph)?;
        let analyze = |(arm, found): (&super::request::Arm, Parameterization)| {
            let mut loose = arm.question.clone();
            loose.convention.readout = Readout::Independent;
            let [calculus, loose] = [&arm.question, &loose].map(|own| network.calculus_for(own));
            Analyzed { calculus, loose, found }
        };
        let arms = request.arms.iter().zip(found).map(analyze).collect();
        let symbol = request.symbol_name(graph).to_string();
        // A length that is not whole is an error of the network's, with its values.
        let base = request.values_at(request.values[0]);
        let bound = Arc::new(bind(&request.source, graph, &base).map_err(NetworkError::from)?);
        let data = bound.describe();
        let prepare = Prepare { arms, bound, data, symbol, programs: RefCell::default() };
        for (arm, own) in request.arms.iter().zip(&prepare.arms) {
            if let Some(why) = own.idle(arm.knob) {
                return Err(RequestError::Grid { knob: arm.knob.words(), why: why.to_string() });
            }
        }
        for cell in super::sweep::grid(request) {
            prepare.cell(request, cell)?;
        }
        Ok(prepare)
    }

    /// The network of a cell.
    ///
    /// # Errors
    /// If it cannot be built, or takes more memory than there is.
    pub fn cell(&self, request: &Request, cell: Cell) -> Result<Prepared, RequestError> {
        let (arm, own) = (&request.arms[cell.arm], &self.arms[cell.arm]);
        let (chosen, batch) = arm.knob.turned(arm.chosen, arm.batch, cell.place);
        let examples = self.bound.examples();
        if batch > examples {
            return Err(RequestError::Batch { batch, examples });
        }
        let base = request.values_at(request.values[0]);
        let values = request.values_at(cell.value);
        let numbers = setting(&own.calculus, &own.found, &base, &values, &chosen);
        let build = || {
            let built = build(own.calculus.graph(), &values, batch, &numbers, Purpose::Training);
            let failed =
                |error| NetworkError::Build { symbol: self.symbol.clone(), value: cell.value, error };
            built.map(Arc::new).map_err(failed)
        };
        let program = match arm.knob {
            // These change no factor of the network.
            Knob::Lr | Knob::Init | Knob::Decay => {
                let known = self.programs.borrow().get(&(cell.arm, cell.value)).cloned();
                known.map_or_else(build, Ok)?
            }
            Knob::Output | Knob::Attention | Knob::Batch => build()?,
        };
        self.programs.borrow_mut().insert((cell.arm, cell.value), Arc::clone(&program));
        let bytes = 4 * (program.numbers() as u64 + 2 * program.weight_count() as u64);
        fits(bytes, request.memory, &self.symbol, cell.value)?;
        let fingerprint = Fingerprint::of_setting(&numbers, batch).to_string();
        Ok(Prepared { cell, program, setting: Arc::new(numbers), batch, bytes, fingerprint })
    }
}
