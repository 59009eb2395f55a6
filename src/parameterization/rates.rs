//! The largest stable learning rates for a given initialization: one sweep back, the dual of the changes.
//!
//! A tensor can **afford** the change A(x) = min over its consumers of A(h) over the amplification from x to h, and no more than
//! its own bound; A(logits) = 1. Each parameter then moves as far as its sites can afford, U(h) = A(h), and the learning rate is
//! that step divided by what the optimizer makes of the gradient. Under muP every A is 1.

use super::{Failure, Unbounded};
use crate::abc::{Abc, ParamScaling};
use crate::graph::walk::{Adjoint, backpropagate};
use crate::graph::{Block, BlockId, Graph, NodeId, Op, Param, ParamId};
use crate::optimizer::Optimizer;
use crate::shape::Site;
use crate::size::Size;
use crate::size::analysis::Calculus;
use crate::size::backward::{Steps, When, gradients, step};
use crate::size::change::Changes;
use crate::size::forward::{self, Climbs};
use crate::size::term::{Largest, Quantity};

/// The change that every tensor can afford; `None` for tensors that the logits do not depend on.
pub fn affordable(calculus: &Calculus, abc: &Abc, initial: &[Size]) -> Vec<Option<Size>> {
    let graph = calculus.graph();
    let nothing = vec![Size::Zero; graph.params.len()];
    let seeds = graph.ids().map(|id| calculus.is_output[id.index()].then(Size::one)).collect();
    let changes = calculus.changes(abc, initial, &nothing);
    let (scratch, climbs) = (vec![Size::Zero; graph.len()], Climbs::new(graph));
    let mut sweep = Sweep { calculus, changes, scratch, climbs };
    backpropagate(graph, &mut sweep, seeds)
}

/// What an initialization leaves to training: the sizes from which the learning rates are solved.
#[derive(Clone, Debug)]
pub struct Budget {
    /// |x_0|.
    pub initial: Vec<Size>,
    /// A(x), for tensors on the way to the logits.
    pub afforded: Vec<Option<Size>>,
    /// max(|x_0|, A(x)); for parameters, max(|w_0|, step).
    pub reached: Vec<Size>,
    /// Per parameter: how far its entries (with its own multiplier) may move, the least that its sites can afford.
    pub steps: Vec<Size>,
    /// Gradients in training, for these steps.
    pub gradient: Vec<Size>,
}

impl Budget {
    /// The budget of an initialization.
    pub fn new(calculus: &Calculus, abc: &Abc) -> Budget {
        let initial = calculus.initial(abc);
        let afforded = affordable(calculus, abc, &initial);
        let mut reached: Vec<Size> =
            calculus.graph().ids().map(|id| reached(calculus, id, &initial, &afforded)).collect();
        let steps = affordable_steps(calculus, abc, &afforded, &reached);
        for (id, view) in calculus.graph().ids().zip(&calculus.shaped.view_of) {
            let own = &mut reached[id.index()];
            if let Some(step) = view.map(|param| &steps[param.index()]).filter(|step| *step > own) {
                own.clone_from(step);
            }
        }
        let backward = calculus.backward(abc, &initial, &reached, When::Training);
        let gradient = gradients(backward, Steps::Given(&steps), calculus.seeds());
        Budget { initial, afforded, reached, steps, gradient }
    }
}

/// max(|x_0|, A(x)); of a parameter |x_0|, for it moves by its own step and not by what its uses could take.
fn reached(calculus: &Calculus, id: NodeId, initial: &[Size], afforded: &[Option<Size>]) -> Size {
    let own = initial[id.index()].clone();
    match (&calculus.shaped.view_of[id.index()], &afforded[id.index()]) {
        (None, Some(afforded)) => own.max(afforded.clone()),
        (_, _) => own,
    }
}

struct Sweep<'a, 'g> {
    calculus: &'a Calculus<'g>,
    changes: Changes<'a, 'g>,
    scratch: Vec<Size>,
    climbs: Climbs,
}

impl Sweep<'_, '_> {
    /// How much larger a change of size 1 comes out of a node than it went into one of its operands.
    fn amplification(&mut self, id: NodeId, operand: usize) -> Size {
        let source = self.calculus.graph().node(id).operands[operand].index();
        self.scratch[source] = Size::one();
        let size = Largest::of(|terms| self.changes.through(id, operand, &self.scratch, terms));
        self.scratch[source] = Size::Zero;
        size
    }
}

impl Adjoint for Sweep<'_, '_> {
    type Value = Option<Size>;

    fn pull(&mut self, graph: &Graph, id: NodeId, operand: usize, afforded: &[Option<Size>]) -> Option<Size> {
        if !self.calculus.before_loss[id.index()] {
            return None;
        }
        let own = afforded[id.index()].clone()?;
        let source = graph.node(id).operands[operand];
        let bound = self.calculus.allowed(source, self.changes.initial).unwrap_or_else(Size::one);
        match self.amplification(id, operand) {
            Size::Zero => Some(bound),
            factor => Some(own.div(&factor).min(bound)),
        }
    }

    fn join(&mut self, into: &mut Option<Size>, contribution: Option<Size>) {
        *into = match (into.take(), contribution) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    fn repeat(&mut self, id: BlockId, block: &Block, afforded: &mut [Option<Size>]) -> bool {
        self.climbs.take_least(id, block, afforded)
    }
}

/// Multiplier times change of an entry that one use of a parameter can afford: A(h) / (|x| N).
pub fn request(calculus: &Calculus, site: &Site, afforded: &Size, reached: &[Size]) -> Size {
    let node = calculus.graph().node(site.node);
    let other = match node.op {
        Op::Contract { .. } => (0..node.operands.len()).find(|other| *other != site.operand),
        _ => None,
    };
    let input = other.map_or_else(Size::one, |other| reached[node.operands[other].index()].clone());
    let summed = match (&node.op, &calculus.shaped.reach[site.node.index()]) {
        (Op::Contract { .. }, Some(reach)) => calculus.convention.update(&reach.summed).1,
        _ => Size::one(),
    };
    if input.is_zero() { afforded.clone() } else { afforded.div(&input.mul(&summed)) }
}

/// Sets every learning rate to the largest stable one.
pub fn set_largest_stable(calculus: &Calculus, abc: &mut Abc, optimizer: Optimizer) -> Result<(), Failure> {
    let budget = Budget::new(calculus, abc);
    spend(calculus, abc, optimizer, &budget)
}

/// The same with a budget that is known: a budget does not depend on learning rates.
pub fn spend(
    calculus: &Calculus,
    abc: &mut Abc,
    optimizer: Optimizer,
    budget: &Budget,
) -> Result<(), Failure> {
    let gradients = of_params(calculus.graph(), &budget.gradient);
    for (id, _) in calculus.graph().param_ids().filter(|(_, param)| !param.frozen) {
        let gradient = &gradients[id.index()];
        if gradient.is_zero() {
            continue;
        }
        let rate = rate(abc, id, optimizer, &budget.steps[id.index()], gradient);
        let unbounded = || {
            let node = calculus.shaped.sites_of(id).next().map_or(NodeId::new(0), |site| site.node);
            Failure::Unbounded(Unbounded { node, what: "learning rate" })
        };
        abc.params[id.index()].learning_rate = rate.power().cloned().ok_or_else(unbounded)?;
    }
    Ok(())
}

/// How far the entries of every parameter (with its own multiplier) may move: the least that its sites can afford.
fn affordable_steps(
    calculus: &Calculus,
    abc: &Abc,
    afforded: &[Option<Size>],
    reached: &[Size],
) -> Vec<Size> {
    let site_step = |site: &Site| {
        let afforded = afforded[site.node.index()].as_ref()?;
        let front = forward::multiplier(calculus.graph(), abc, site.node);
        Some(request(calculus, site, afforded, reached).div(&front))
    };
    let step = |(id, param): (ParamId, &Param)| {
        let steps = calculus.shaped.sites_of(id).filter_map(site_step);
        if param.frozen { Size::Zero } else { steps.min().unwrap_or(Size::Zero) }
    };
    calculus.graph().param_ids().map(step).collect()
}

/// eta from m eta (m G)^k = step.
fn rate(abc: &Abc, param: ParamId, optimizer: Optimizer, step: &Size, gradient: &Size) -> Size {
    let own = Size::from(&abc.params[param.index()].multiplier);
    let power = optimizer.gradient_power();
    step.div(&own).div(&own.mul(gradient).pow(power))
}

fn of_params(graph: &Graph, gradients: &[Size]) -> Vec<Size> {
    let mut own = vec![Size::Zero; graph.params.len()];
    for id in graph.ids() {
        if let Some(param) = graph.as_param(id) {
            own[param.index()] = own[param.index()].clone().max(gradients[id.index()].clone());
        }
    }
    own
}

/// What eps is compared with: the gradient of each parameter's entries at initialization (its own multiplier included), or in training where
/// it vanishes at initialization, as behind a readout of zeros.
pub fn entry_gradients(calculus: &Calculus, abc: &Abc, optimizer: Optimizer, budget: &Budget) -> Vec<Size> {
    let fresh = of_params(calculus.graph(), &fresh_gradients(calculus, abc, &budget.initial));
    if calculus.graph().param_ids().all(|(id, param)| param.frozen || !fresh[id.index()].is_zero()) {
        let own =
            |(gradient, scaling): (&Size, &ParamScaling)| gradient.mul(&Size::from(&scaling.multiplier));
        return fresh.iter().zip(&abc.params).map(own).collect();
    }
    let steps = steps_of(calculus.graph(), abc, optimizer, &fresh);
    let backward = calculus.backward(abc, &budget.initial, &budget.reached, When::Training);
    let training = of_params(calculus.graph(), &gradients(backward, Steps::Given(&steps), calculus.seeds()));
    let own = |(id, fresh): (usize, Size)| {
        let gradient = if fresh.is_zero() { &training[id] } else { &fresh };
        gradient.mul(&Size::from(&abc.params[id].multiplier))
    };
    fresh.into_iter().enumerate().map(own).collect()
}

/// The gradients of all tensors at initialization.
pub fn fresh_gradients(calculus: &Calculus, abc: &Abc, initial: &[Size]) -> Vec<Size> {
    let backward = calculus.backward(abc, initial, initial, When::Fresh);
    let nothing = vec![Size::Zero; abc.params.len()];
    gradients(backward, Steps::Given(&nothing), calculus.seeds())
}

/// The steps that a parameterization makes for given gradients.
fn steps_of(graph: &Graph, abc: &Abc, optimizer: Optimizer, gradients: &[Size]) -> Vec<Size> {
    let step = |(id, param): (ParamId, &Param)| {
        let gradient = (Quantity::Constant, gradients[id.index()].clone());
        let moved = || Largest::of(|terms| step(abc, id, optimizer, gradient, terms));
        if param.frozen { Size::Zero } else { moved() }
    };
    graph.param_ids().map(step).collect()
}
