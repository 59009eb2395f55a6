//! From a graph to its scaling table: the named parameterizations, and what can be said of any.
//!
//! Initialization comes first ([`named`] for SP, NTK and mean field, [`derive`](mod@derive) for muP), then the learning rates follow by one sweep
//! ([`rates`]), then eps and weight decay. [`verdict`] classifies a parameterization, whoever wrote it.

pub mod assumptions;
pub mod conflict;
pub mod derive;
mod failure;
pub mod findings;
pub mod form;
pub mod global;
pub mod mend;
pub mod named;
pub mod rates;
pub mod table;
pub mod verdict;

use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use crate::abc::Abc;
use crate::dim::Monomial;
use crate::graph::{NodeId, ParamId};
use crate::optimizer::Optimizer;
use crate::size::Size;
use crate::size::analysis::Calculus;

pub use conflict::Conflict;
pub use form::Form;
use rates::Budget;
pub use table::ScalingTable;

/// A parameterization with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    /// Standard parameterization: what frameworks do without further thought.
    Sp,
    /// Neural-tangent parameterization.
    Ntk,
    /// Mean-field parameterization.
    MeanField,
    /// Maximal-update parameterization.
    Mup,
}

impl Named {
    /// Every one, by its name on the command line.
    pub const ALL: [Named; 4] = [Named::Sp, Named::Ntk, Named::MeanField, Named::Mup];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Named::Sp => "sp",
            Named::Ntk => "ntk",
            Named::MeanField => "mean-field",
            Named::Mup => "mup",
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Not the name of a parameterization.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown parameterization `{0}`; known are sp, ntk, mean-field, mup")]
pub struct UnknownParameterization(String);

impl FromStr for Named {
    type Err = UnknownParameterization;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Named::ALL.into_iter().find(|named| named.name() == name);
        known.ok_or_else(|| UnknownParameterization(name.to_string()))
    }
}

/// A graph's scaling table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameterization {
    /// Whose rules.
    pub named: Named,
    /// For which optimizer.
    pub optimizer: Optimizer,
    /// Where the factors stand.
    pub form: Form,
    /// Multipliers, initializations, learning rates.
    pub abc: Rc<Abc>,
    /// Per parameter: how eps must scale; none without a gradient or with an optimizer that has none.
    pub epsilon: Vec<Option<Monomial>>,
    /// Per parameter: how weight decay must scale (coupled to the learning rate, as in AdamW); none if frozen.
    pub weight_decay: Vec<Option<Monomial>>,
    /// Parameters that no gradient reaches: any learning rate will do.
    pub untrained: Vec<ParamId>,
}

/// A size that has no exponent where the table needs one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbounded {
    /// Where.
    pub node: NodeId,
    /// What was asked for.
    pub what: &'static str,
}

/// Why a parameterization could not be derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Two uses of one parameter ask for different ratios of initialization to update.
    Conflict(Box<Conflict>),
    /// A size is zero or beyond every power.
    Unbounded(Unbounded),
}

/// The scaling table of a graph under a named parameterization.
pub fn parameterize(
    calculus: &Calculus,
    named: Named,
    optimizer: Optimizer,
) -> Result<Parameterization, Failure> {
    let mut abc = match named {
        Named::Sp => named::sp(calculus),
        Named::Ntk => named::ntk(calculus),
        Named::MeanField => named::mean_field(calculus),
        Named::Mup => derive::maximal_update(calculus)?,
    };
    let budget = Budget::new(calculus, &abc);
    if named != Named::Sp {
        rates::spend(calculus, &mut abc, optimizer, &budget)?;
    }
    Ok(complete(calculus, named, optimizer, abc, &budget))
}

/// Adds eps and weight decay, which follow from the rest: eps is compared with gradients at initialization; decay acts as learning rate
/// times weight decay times weight, so weight decay goes like one over the learning rate.
fn complete(
    calculus: &Calculus,
    named: Named,
    optimizer: Optimizer,
    abc: Abc,
    budget: &Budget,
) -> Parameterization {
    let gradients = rates::entry_gradients(calculus, &abc, optimizer, budget);
    let params = calculus.graph().param_ids();
    let trained = |param: ParamId| !calculus.graph().param(param).frozen;
    let (mut epsilon, mut weight_decay, mut untrained) = (Vec::new(), Vec::new(), Vec::new());
    for (id, _) in params {
        let gradient = gradients[id.index()].power().filter(|_| trained(id));
        epsilon.push(gradient.filter(|_| optimizer.has_epsilon()).cloned());
        let rate = &abc.params[id.index()].learning_rate;
        weight_decay.push(Monomial::one().div(rate).filter(|_| trained(id)));
        if trained(id) && gradients[id.index()] == Size::Zero {
            untrained.push(id);
        }
    }
    Parameterization {
        named,
        optimizer,
        form: Form::Native,
        abc: Rc::new(abc),
        epsilon,
        weight_decay,
        untrained,
    }
}
