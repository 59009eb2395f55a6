//! From a parameterization to the numbers that a network starts with: the place where exponents meet constants.
//!
//! All parameterizations are one and the same network at the *base* values of the scale symbols, as in muTransfer (TP-V section 4): there
//! every multiplier is 1, a weight starts with standard deviation fan_in^(-1/2) (the smallest over its uses), a product of two
//! activations whose summands have either sign is divided by the root of their number, and the learning rate, eps and weight
//! decay are the user's. At other values each of them is multiplied by (value / base)^exponent.

use std::collections::BTreeMap;

use crate::concrete::float;
use crate::dim::{Dim, Monomial};
use crate::graph::{Graph, Init, Multiplier, NodeId, Op, ParamId};
use crate::numeric::setting::{ParamSetting, Setting, Start};
use crate::parameterization::Parameterization;
use crate::rational::Rational;
use crate::size::analysis::Calculus;

/// What the user chooses at the base values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Base {
    /// The learning rate of all parameters.
    pub learning_rate: f64,
    /// A factor on the initial standard deviation of all parameters.
    pub init_scale: f64,
    /// A factor in front of the logits.
    pub output_multiplier: f64,
    /// A factor in front of products of activations.
    pub attention_multiplier: f64,
    /// What optimizers add to the size of gradients.
    pub epsilon: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

impl Default for Base {
    /// Learning rate 2^-7, no weight decay, eps 1e-8, factors 1.
    fn default() -> Base {
        Base {
            learning_rate: 0.007_812_5,
            init_scale: 1.0,
            output_multiplier: 1.0,
            attention_multiplier: 1.0,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// The numbers of a parameterization at target values, relative to base values (both by scale symbol).
pub fn setting(
    calculus: &Calculus,
    found: &Parameterization,
    base_values: &[Rational],
    values: &[Rational],
    base: &Base,
) -> Setting {
    let graph = calculus.graph();
    let ratio = |power: &Monomial| factor(power, base_values, values);
    let of = |param: ParamId| {
        let scaling = &found.abc.params[param.index()];
        let at = param.index();
        let std = base.init_scale * base_std(calculus, param, base_values) * ratio(&scaling.init_std);
        let declared = graph.param(param);
        ParamSetting {
            multiplier: ratio(&scaling.multiplier),
            start: match declared.init {
                Init::Random => Start::Normal(std),
                Init::Constant(value) => Start::Constant(float(value) * ratio(&scaling.init_std)),
            },
            optimizer: (!declared.frozen).then(|| found.plan.optimizer(param)),
            learning_rate: base.learning_rate * ratio(&scaling.learning_rate),
            epsilon: base.epsilon * found.epsilon[at].as_ref().map_or(1.0, ratio),
            weight_decay: base.weight_decay * found.weight_decay[at].as_ref().map_or(1.0, ratio),
        }
    };
    let params = graph.param_ids().map(|(param, _)| of(param)).collect();
    let mut fronts: BTreeMap<NodeId, f64> = BTreeMap::new();
    for id in graph.ids() {
        let own = found.abc.contractions.get(&id).map_or(1.0, ratio);
        let front = own * base_front(calculus, id, base_values) * user_front(calculus, id, base);
        if front != 1.0 {
            fronts.insert(id, front);
        }
    }
    let branches = found.abc.branches.iter().map(|(place, power)| (*place, ratio(power))).collect();
    Setting { params, fronts, branches, decay: found.decay }
}

/// (value / base)^power, over all symbols.
fn factor(power: &Monomial, base: &[Rational], values: &[Rational]) -> f64 {
    let one = |(symbol, exponent): (crate::dim::Symbol, Rational)| {
        let at = usize::from(symbol.0);
        (float(values[at]) / float(base[at])).powf(float(exponent))
    };
    power.iter().map(one).product()
}

fn product<'d>(dims: impl Iterator<Item = &'d Dim>, values: &[Rational]) -> f64 {
    dims.filter_map(|dim| dim.at(values)).map(float).product()
}

/// One over the root of the largest fan-in among a parameter's uses, finite axes included.
fn base_std(calculus: &Calculus, param: ParamId, base: &[Rational]) -> f64 {
    let graph = calculus.graph();
    let fan_in = |node: NodeId, operand: usize| match &graph.node(node).op {
        Op::Contract { einsum, .. } => {
            let source = graph.node(node).operands[operand];
            let labelled = einsum.inputs[operand].iter().zip(&graph.node(source).shape);
            product(labelled.filter(|(label, _)| !einsum.output.contains(label)).map(|(_, dim)| dim), base)
        }
        _ => 1.0,
    };
    let sites = calculus.shaped.sites_of(param).map(|site| fan_in(site.node, site.operand));
    sites.fold(1.0, f64::max).powf(-0.5)
}

/// 1/sqrt(K) in front of a product of two activations that sums K mean-zero terms and whose factor nobody has written.
fn base_front(calculus: &Calculus, id: NodeId, base: &[Rational]) -> f64 {
    let graph = calculus.graph();
    let node = graph.node(id);
    let Op::Contract { einsum, multiplier: Multiplier::Free | Multiplier::Hole } = &node.op else {
        return 1.0;
    };
    let site = (0..node.operands.len()).any(|operand| calculus.shaped.site_at(id, operand).is_some());
    let activations = node.operands.iter().all(|own| calculus.shaped.view_of[own.index()].is_none());
    if node.operands.len() < 2 || site || !activations || !is_random(calculus, id) {
        return 1.0;
    }
    let labelled = einsum.inputs[0].iter().zip(&graph.node(node.operands[0]).shape);
    let summed = labelled.filter(|(label, _)| !einsum.output.contains(label) && einsum.has(1, **label));
    product(summed.map(|(_, dim)| dim), base).powf(-0.5)
}

/// The user's factors: on logits and on products of activations.
fn user_front(calculus: &Calculus, id: NodeId, base: &Base) -> f64 {
    let of = |chosen: bool, factor: f64| if chosen { factor } else { 1.0 };
    of(is_output(calculus, id), base.output_multiplier)
        * of(is_attention(calculus, id), base.attention_multiplier)
}

/// Whether the user's output multiplier stands in front of an operation: a weight's product that gives logits.
pub fn is_output(calculus: &Calculus, id: NodeId) -> bool {
    let node = calculus.graph().node(id);
    let site = (0..node.operands.len()).any(|operand| calculus.shaped.site_at(id, operand).is_some());
    calculus.is_tail[id.index()] && is_product(calculus, id) && site
}

/// Whether the user's attention multiplier stands in front of an operation: a product of two activations.
pub fn is_attention(calculus: &Calculus, id: NodeId) -> bool {
    let node = calculus.graph().node(id);
    let activations = node.operands.iter().all(|own| calculus.shaped.view_of[own.index()].is_none());
    is_product(calculus, id) && activations && calculus.before_loss[id.index()] && is_random(calculus, id)
}

fn is_product(calculus: &Calculus, id: NodeId) -> bool {
    matches!(&calculus.graph().node(id).op, Op::Contract { einsum, .. } if einsum.inputs.len() == 2)
}

/// Whether a product sums terms of either sign: by its symmetries over a growing axis, or because a softmax turns it into shares.
fn is_random(calculus: &Calculus, id: NodeId) -> bool {
    !calculus.sums[id.index()].random.is_one() || is_score(calculus.graph(), id)
}

/// Whether a tensor goes into a softmax and nowhere else, through sums, factors, masks and rearrangements.
fn is_score(graph: &Graph, id: NodeId) -> bool {
    let mut users = graph.consumers(id).peekable();
    let shares = |(user, _): (NodeId, usize)| match &graph.node(user).op {
        Op::Softmax { log: false, .. } => true,
        Op::Add(_) | Op::Scale(_) | Op::Gate(_) | Op::Split { .. } | Op::Merge { .. } => {
            is_score(graph, user)
        }
        _ => false,
    };
    users.peek().is_some() && users.all(shares)
}

/// Values of the scale symbols: the base ones of the spec, with some replaced.
pub fn values(graph: &Graph, replaced: &[(usize, i64)]) -> Vec<Rational> {
    let mut values: Vec<Rational> = graph.scales.iter().map(|scale| scale.base).collect();
    replaced.iter().for_each(|(at, value)| values[*at] = Rational::integer(*value));
    values
}
