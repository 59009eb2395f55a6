//! Are two parameterizations the same up to gauge, and if not, where do they first differ?
//!
//! A gauge shift moves a factor between a parameter's multiplier, its initialization and its learning rate (see [`crate::abc`]). What no shift
//! changes, and what therefore decides, is for every parameter: the initial size of what acts at each use, m s, and the relative step
//! eta (m g)^k s^(r-1) S; for every contraction of activations and every branch, the multiplier; eps in units of the gradient; and weight
//! decay in units of what keeps its effect.

use super::{LearningRates, Parameterization, Scheme};
use crate::abc::ParamScaling;
use crate::dim::Monomial;
use crate::graph::{Init, NodeId, Param, ParamId, ScaleSymbol};
use crate::optimizer::Plan;
use crate::size::Size;
use crate::size::analysis::Calculus;
use crate::size::forward::multiplier;

/// One parameter under both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamPair {
    /// Its path.
    pub name: String,
    /// How it starts.
    pub init: Init,
    /// Not trained.
    pub frozen: bool,
    /// Multiplier, initialization and rate under each.
    pub scalings: [ParamScaling; 2],
    /// How they differ beyond gauge.
    pub difference: Option<Difference>,
}

/// One multiplier in front of an operation under both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontPair {
    /// The tensor behind it.
    pub name: String,
    /// The factor under each.
    pub factors: [Monomial; 2],
}

/// What differs beyond gauge, as the factor from the first to the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// What acts at a use starts larger or smaller.
    Initial(Monomial),
    /// Relative steps are larger or smaller.
    Step(Monomial),
    /// eps in units of the gradient is larger or smaller.
    Epsilon(Monomial),
    /// The effect of weight decay is larger or smaller.
    Decay(Monomial),
    /// Different optimizers: no shift makes one of the other.
    Optimizer,
    /// A number does not fit.
    Unknown,
}

/// Two parameterizations of one network side by side.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The network's name.
    pub network: String,
    /// What grows.
    pub scales: Vec<ScaleSymbol>,
    /// Whose rules.
    pub schemes: [Scheme; 2],
    /// For which optimizers.
    pub plans: [Plan; 2],
    /// Which learning rates.
    pub rates: [LearningRates; 2],
    /// Parameters, in the order of declaration.
    pub parameters: Vec<ParamPair>,
    /// Multipliers in front of contractions of activations and of branches that one of them has.
    pub fronts: Vec<FrontPair>,
}

impl Comparison {
    /// Puts two parameterizations of one graph side by side.
    pub fn new(calculus: &Calculus, first: &Parameterization, second: &Parameterization) -> Comparison {
        let graph = calculus.graph();
        let both = [first, second];
        let pair = |(id, param): (ParamId, &Param)| ParamPair {
            name: param.path.clone(),
            init: param.init,
            frozen: param.frozen,
            scalings: both.map(|own| own.abc.params[id.index()].clone()),
            difference: difference(calculus, id, both),
        };
        Comparison {
            network: graph.name.clone(),
            scales: graph.scales.clone(),
            schemes: both.map(|own| own.scheme.clone()),
            plans: both.map(|own| own.plan.clone()),
            rates: both.map(|own| own.rates),
            parameters: graph.param_ids().map(pair).collect(),
            fronts: fronts(calculus, both),
        }
    }

    /// Whether both are the same function at every step.
    pub fn is_same(&self) -> bool {
        let params = self.parameters.iter().all(|pair| pair.difference.is_none());
        params && self.fronts.iter().all(|pair| pair.factors[0] == pair.factors[1])
    }

    /// The first real difference, in words: parameters in the order of declaration, then operations.
    pub fn first_difference(&self) -> Option<String> {
        let names: Vec<String> = self.scales.iter().map(|scale| scale.name.clone()).collect();
        let [one, other] = self.schemes.each_ref().map(ToString::to_string);
        let param = |pair: &ParamPair| {
            let difference = pair.difference.as_ref()?;
            Some(format!("`{}` {}", pair.name, difference.in_words(&names, &one, &other)))
        };
        let front = |pair: &FrontPair| {
            let [a, b] = pair.factors.each_ref().map(|factor| factor.display(&names).to_string());
            (a != b).then(|| {
                format!("the multiplier in front of `{}` is {a} under {one} and {b} under {other}", pair.name)
            })
        };
        self.parameters.iter().find_map(param).or_else(|| self.fronts.iter().find_map(front))
    }

    /// The names of the scale symbols.
    pub fn symbols(&self) -> Vec<String> {
        self.scales.iter().map(|scale| scale.name.clone()).collect()
    }
}

impl Difference {
    /// A clause that goes on after the parameter's name.
    pub fn in_words(&self, names: &[String], one: &str, other: &str) -> String {
        let times = |factor: &Monomial| factor.display(names).to_string();
        match self {
            Difference::Initial(factor) => {
                format!("starts {} times as large under {other} as under {one}", times(factor))
            }
            Difference::Step(factor) => {
                format!("takes relative steps {} times as large under {other} as under {one}", times(factor))
            }
            Difference::Epsilon(factor) => {
                format!(
                    "has an eps, in units of its gradient, {} times as large under {other} as under {one}",
                    times(factor)
                )
            }
            Difference::Decay(factor) => {
                format!("decays {} times as much per step under {other} as under {one}", times(factor))
            }
            Difference::Optimizer => "has another optimizer".to_string(),
            Difference::Unknown => "has exponents that do not fit".to_string(),
        }
    }
}

/// What no gauge shift changes.
#[derive(PartialEq, Eq)]
struct Invariant {
    /// Per use: the initial size of what acts there.
    initial: Vec<Size>,
    /// The relative step; none if frozen.
    step: Option<Size>,
    /// eps over the gradient.
    epsilon: Option<Size>,
    /// Weight decay over what keeps its effect.
    decay: Option<Size>,
}

fn difference(calculus: &Calculus, id: ParamId, both: [&Parameterization; 2]) -> Option<Difference> {
    let frozen = calculus.graph().param(id).frozen;
    if !frozen && both[0].laws[id.index()] != both[1].laws[id.index()] {
        return Some(Difference::Optimizer);
    }
    let [first, second] = both.map(|own| invariant(calculus, own, id));
    let factor = |from: &Size, to: &Size, what: fn(Monomial) -> Difference| {
        (from != to).then(|| to.div(from).power().cloned().map_or(Difference::Unknown, what))
    };
    let initial = first.initial.iter().zip(&second.initial);
    let mut initial = initial.filter_map(|(from, to)| factor(from, to, Difference::Initial));
    let both = |from: &Option<Size>, to: &Option<Size>, what| match (from, to) {
        (Some(from), Some(to)) => factor(from, to, what),
        (None, None) => None,
        (_, _) => Some(Difference::Unknown),
    };
    initial
        .next()
        .or_else(|| both(&first.step, &second.step, Difference::Step))
        .or_else(|| both(&first.epsilon, &second.epsilon, Difference::Epsilon))
        .or_else(|| both(&first.decay, &second.decay, Difference::Decay))
}

fn invariant(calculus: &Calculus, own: &Parameterization, id: ParamId) -> Invariant {
    let (param, law) = (calculus.graph().param(id), &own.laws[id.index()]);
    let scaling = &own.abc.params[id.index()];
    let multiplied = Size::from(&scaling.multiplier);
    let uses: Vec<Size> =
        calculus.shaped.sites_of(id).map(|site| front(calculus, own, site.node).mul(&multiplied)).collect();
    let first = uses.first().cloned().unwrap_or(multiplied);
    let s = Size::from(&scaling.init_std);
    let acts = |factor: &Size| match param.init {
        Init::Random => factor.mul(&s),
        Init::Constant(value) if value.is_zero() => factor.div(&first),
        Init::Constant(_) => factor.clone(),
    };
    let step =
        Size::from(&scaling.learning_rate).mul(&first.pow(law.gradient_power)).mul(&Size::from(&law.shape));
    let relative = match param.init {
        Init::Random => step.mul(&s.pow(law.weight_power)).div(&s),
        Init::Constant(value) if value.is_zero() => step.mul(&first),
        Init::Constant(_) => step,
    };
    let over = |own: &Option<Monomial>, derived: Option<Monomial>| {
        Some(Size::from(own.as_ref()?).div(&Size::from(&derived?)))
    };
    Invariant {
        initial: uses.iter().map(acts).collect(),
        step: (!param.frozen).then_some(relative),
        epsilon: over(&own.epsilon[id.index()], own.derived_epsilon(id)),
        decay: over(&own.weight_decay[id.index()], own.derived_decay(id)),
    }
}

/// The multiplier in front of a use that the parameterization chose or the spec wrote.
fn front(calculus: &Calculus, own: &Parameterization, node: NodeId) -> Size {
    multiplier(calculus.graph(), &own.abc, node)
}

fn fronts(calculus: &Calculus, both: [&Parameterization; 2]) -> Vec<FrontPair> {
    let graph = calculus.graph();
    let is_use = |node: NodeId| {
        (0..graph.node(node).operands.len()).any(|operand| calculus.shaped.site_at(node, operand).is_some())
    };
    let mut nodes: Vec<NodeId> = both.iter().flat_map(|own| own.abc.contractions.keys().copied()).collect();
    nodes.retain(|node| !is_use(*node));
    nodes.sort_unstable();
    nodes.dedup();
    let contraction = |node: NodeId| FrontPair {
        name: calculus.label(node).to_string(),
        factors: both.map(|own| own.abc.contractions.get(&node).cloned().unwrap_or_default()),
    };
    let mut branches: Vec<_> = both.iter().flat_map(|own| own.abc.branches.keys().copied()).collect();
    branches.sort_unstable();
    branches.dedup();
    let branch = |key: (NodeId, usize)| FrontPair {
        name: calculus.label(graph.node(key.0).operands[key.1]).to_string(),
        factors: both.map(|own| own.abc.branches.get(&key).cloned().unwrap_or_default()),
    };
    nodes.into_iter().map(contraction).chain(branches.into_iter().map(branch)).collect()
}
