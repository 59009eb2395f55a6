//! From a graph to its scaling table: the named parameterizations, and what can be said of any.
//!
//! Initialization comes first ([`named`] for SP, NTK and mean field, [`derive`](mod@derive) for muP), then the learning rates follow by one sweep
//! ([`rates`]), then eps and weight decay. [`verdict`] classifies a parameterization, whoever wrote it.

pub mod assumptions;
pub mod compare;
pub mod conflict;
pub mod custom;
pub mod depth;
pub mod derive;
pub mod expectation;
mod failure;
pub mod findings;
pub mod form;
pub mod global;
pub mod learning_rates;
pub mod mend;
pub mod named;
pub mod pattern;
pub mod rates;
pub mod scheme;
pub mod table;
pub mod verdict;

use std::rc::Rc;

use crate::abc::Abc;
use crate::diagnostic::Diagnostic;
use crate::dim::Monomial;
use crate::graph::{NodeId, ParamId};
use crate::optimizer::step::{Ambiguous, StepLaw, ambiguous};
use crate::optimizer::{Decay, Plan};
use crate::size::analysis::Calculus;

pub use conflict::Conflict;
use custom::Key;
pub use form::Form;
pub use learning_rates::LearningRates;
use rates::Budget;
pub use scheme::{Named, Scheme};
pub use table::ScalingTable;

/// A graph's scaling table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameterization {
    /// Whose rules.
    pub scheme: Scheme,
    /// For which optimizers.
    pub plan: Plan,
    /// Which learning rates.
    pub rates: LearningRates,
    /// The laws of their steps, per parameter.
    pub laws: Rc<[StepLaw]>,
    /// How weight decay acts.
    pub decay: Decay,
    /// Where the factors stand.
    pub form: Form,
    /// Multipliers, initializations, learning rates.
    pub abc: Rc<Abc>,
    /// Per parameter: how eps must scale; none without a gradient or with an optimizer that has none.
    pub epsilon: Vec<Option<Monomial>>,
    /// Per parameter: the gradient of its entries that eps is compared with.
    pub gradient: Vec<Option<Monomial>>,
    /// Per parameter: how weight decay must scale; none if frozen.
    pub weight_decay: Vec<Option<Monomial>>,
    /// Parameters that no gradient reaches: any learning rate will do.
    pub untrained: Vec<ParamId>,
    /// What the spec's own rules say of parameters.
    pub written: custom::Written,
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
    /// An optimizer would have to choose which matrix a parameter is.
    Ambiguous(Ambiguous),
    /// A rule of the spec's own parameterization that cannot be followed.
    Rules(Box<Diagnostic>),
    /// Learning rates for which sizes keep growing from round to round.
    Unsettled(Unsettled),
    /// The largest stable learning rates are asked for, and there are none.
    NoLargestRate(learning_rates::NoLargestRate),
}

/// A tensor whose size in training grows with every round of solving for the learning rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// The tensor.
    pub node: NodeId,
}

/// The scaling table of a graph under a named parameterization. Under one with a depth exponent the calculus must be
/// [`Calculus::deep`].
pub fn parameterize(
    calculus: &Calculus,
    scheme: impl Into<Scheme>,
    plan: impl Into<Plan>,
) -> Result<Parameterization, Failure> {
    let (scheme, mut plan) = (scheme.into(), plan.into());
    if let Some(own) = &scheme.custom {
        plan = custom::plan(calculus, own, plan).map_err(Failure::Rules)?;
    }
    if let Some(found) = ambiguous(&calculus.shaped, &plan) {
        return Err(Failure::Ambiguous(found));
    }
    let laws: Rc<[StepLaw]> = calculus.laws(&plan).into();
    let mut abc = match scheme.named.width() {
        Named::Sp => named::sp(calculus),
        Named::Ntk => named::ntk(calculus),
        Named::MeanField => named::mean_field(calculus),
        Named::Mup | Named::DepthMup | Named::CompleteP => derive::maximal_update(calculus)?,
    };
    if let Some(alpha) = scheme.alpha {
        depth::multiply_branches(calculus, &mut abc, alpha);
    }
    let budget = Budget::new(calculus, &abc)?;
    if scheme.named != Named::Sp {
        rates::spend(calculus, &mut abc, &laws, &budget)?;
    }
    let Some(own) = scheme.custom.clone() else {
        return Ok(complete(calculus, scheme, plan, laws, abc, &budget));
    };
    let written = custom::apply(calculus, &own, &mut abc).map_err(Failure::Rules)?;
    let budget = Budget::new(calculus, &abc)?;
    Ok(Parameterization { written, ..complete(calculus, scheme, plan, laws, abc, &budget) }.with_written())
}

/// Adds eps and weight decay, which follow from the rest: eps is compared with gradients at initialization, weight decay with the
/// learning rate or the gradient.
fn complete(
    calculus: &Calculus,
    scheme: Scheme,
    plan: Plan,
    laws: Rc<[StepLaw]>,
    abc: Abc,
    budget: &Budget,
) -> Parameterization {
    let gradients = rates::entry_gradients(calculus, &abc, &laws, budget);
    let trained = |param: ParamId| !calculus.graph().param(param).frozen;
    let ids = || calculus.graph().param_ids().map(|(id, _)| id);
    let untrained = ids().filter(|id| trained(*id) && gradients[id.index()].is_zero()).collect();
    let gradient = gradients.iter().map(|size| size.power().cloned()).collect();
    let mut found = Parameterization {
        scheme,
        plan,
        rates: LearningRates::Own,
        laws,
        decay: Decay::default(),
        form: Form::Native,
        abc: Rc::new(abc),
        epsilon: Vec::new(),
        gradient,
        weight_decay: Vec::new(),
        untrained,
        written: custom::Written::default(),
    };
    found.epsilon = ids().map(|id| found.derived_epsilon(id).filter(|_| trained(id))).collect();
    found.with_decay(calculus, Decay::default())
}

impl Parameterization {
    /// The same with weight decay that acts in another way.
    pub fn with_decay(mut self, calculus: &Calculus, decay: Decay) -> Parameterization {
        self.decay = decay;
        let own = |(id, param): (ParamId, &crate::graph::Param)| {
            if param.frozen { None } else { self.derived_decay(id) }
        };
        self.weight_decay = calculus.graph().param_ids().map(own).collect();
        self.with_written()
    }

    /// Lets the rules of the spec say eps and weight decay, where there are such.
    fn with_written(mut self) -> Parameterization {
        for ((id, key), power) in &self.written {
            let own = match key {
                Key::Epsilon => &mut self.epsilon[id.index()],
                Key::Decay => &mut self.weight_decay[id.index()],
                Key::Multiplier | Key::Init | Key::Rate => continue,
            };
            if let Some(own) = own {
                own.clone_from(power);
            }
        }
        self
    }

    /// What eps must be like: what the optimizer adds it to. None without a gradient or where there is no eps.
    pub fn derived_epsilon(&self, id: ParamId) -> Option<Monomial> {
        let gradient = self.gradient[id.index()].as_ref()?;
        self.laws[id.index()].epsilon(gradient, &self.abc.params[id.index()].init_std)
    }

    /// The power that keeps the effect of decay on a parameter: one over the rate, nothing, or gradient over weight.
    pub fn derived_decay(&self, id: ParamId) -> Option<Monomial> {
        let (scaling, law) = (&self.abc.params[id.index()], &self.laws[id.index()]);
        match self.decay {
            Decay::Independent => Some(Monomial::one()),
            Decay::Coupled if law.gradient_power.is_zero() => {
                self.gradient[id.index()].as_ref()?.div(&scaling.init_std)
            }
            Decay::Coupled | Decay::Decoupled => Monomial::one().div(&scaling.learning_rate),
        }
    }
}
