//! The largest stable learning rates for a given initialization: one sweep back, the dual of the changes.
//!
//! A tensor can **afford** the change A(x) = min over its consumers of A(h) over the amplification from x to h, and no more than
//! its own bound; A(logits) = 1. Each parameter then moves as far as its sites can afford, U(h) = A(h), and the learning rate is
//! that step divided by what the optimizer makes of the gradient. Under muP every A is 1.
//!
//! A product passes on the change of one factor times what the other factor has become, and that follows from the steps: factors that
//! vanish at initialization (a gate of zeros, a narrow key) are first taken as they start, then as large as these steps make them.

use super::{Failure, Unbounded, Unsettled};
use crate::abc::{Abc, ParamScaling};
use crate::graph::walk::{Adjoint, backpropagate};
use crate::graph::{Block, BlockId, Graph, NodeId, Op, Param, ParamId};
use crate::optimizer::step::StepLaw;
use crate::rational::Rational;
use crate::shape::Site;
use crate::size::Size;
use crate::size::analysis::Calculus;
use crate::size::backward::{Backward, Steps, When, gradients, step};
use crate::size::change::{self, Changes};
use crate::size::forward::{self, Climbs, in_sum};
use crate::size::term::{Largest, Quantity, coherent};

/// The change that a tensor can afford.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Afforded {
    /// If updates of its own repetition make it: all repetitions move a residual stream the same way.
    pub own: Size,
    /// If it answers to a change of the stream. Outside of growing blocks both are the same.
    pub answer: Size,
}

impl Afforded {
    fn both(size: Size) -> Afforded {
        Afforded { own: size.clone(), answer: size }
    }

    fn min(self, other: Afforded) -> Afforded {
        Afforded { own: self.own.min(other.own), answer: self.answer.min(other.answer) }
    }
}

/// The change that every tensor can afford, where tensors have become as large as `reached`; `None` for tensors that the logits do not
/// depend on.
fn affordable(calculus: &Calculus, abc: &Abc, initial: &[Size], reached: &[Size]) -> Vec<Option<Afforded>> {
    let graph = calculus.graph();
    let nothing = vec![Size::Zero; graph.params.len()];
    let one = || Afforded::both(Size::one());
    let seeds = graph.ids().map(|id| calculus.is_output[id.index()].then(one)).collect();
    let changes = Changes { so_far: Some(reached), ..calculus.changes(abc, initial, &nothing) };
    let (scratch, climbs) = (vec![Size::Zero; graph.len()], Climbs::new(graph, &calculus.repetitions));
    let mut sweep = Sweep { calculus, changes, scratch, climbs };
    backpropagate(graph, &mut sweep, seeds)
}

/// What an initialization leaves to training: the sizes from which the learning rates are solved.
#[derive(Clone, Debug)]
pub struct Budget {
    /// |x_0|.
    pub initial: Vec<Size>,
    /// A(x), for tensors on the way to the logits.
    pub afforded: Vec<Option<Afforded>>,
    /// The size in training under these steps: max(|x_0|, D(x)), where D(x) is at most A(x); for parameters, max(|w_0|, step).
    pub reached: Vec<Size>,
    /// Per parameter: how far its entries (with its own multiplier) may move, the least that its sites can afford.
    pub steps: Vec<Size>,
    /// Gradients in training, for these steps.
    pub gradient: Vec<Size>,
}

/// Rounds in which sizes must settle. Every further one needs another product of factors that vanish at initialization.
const ROUNDS: usize = 64;

impl Budget {
    /// The budget of an initialization; fails where the rounds do not settle.
    pub fn new(calculus: &Calculus, abc: &Abc) -> Result<Budget, Failure> {
        let initial = calculus.initial(abc);
        let mut budget = Budget {
            afforded: Vec::new(),
            reached: initial.clone(),
            steps: vec![Size::Zero; abc.params.len()],
            gradient: Vec::new(),
            initial,
        };
        let mut larger = budget.round(calculus, abc);
        for _ in 1..ROUNDS {
            if larger.is_none() {
                break;
            }
            larger = budget.round(calculus, abc);
        }
        if let Some(node) = larger {
            return Err(Failure::Unsettled(Unsettled { node }));
        }
        let backward = calculus.backward(abc, &budget.initial, &budget.reached, When::Training);
        let first = calculus.first(abc);
        let backward = Backward { first: &first, ..backward };
        budget.gradient = gradients(backward, Steps::Given(&budget.steps), calculus.seeds());
        Ok(budget)
    }

    /// What can be afforded while tensors are as large as they have become; a tensor that the steps make larger.
    fn round(&mut self, calculus: &Calculus, abc: &Abc) -> Option<NodeId> {
        self.afforded = affordable(calculus, abc, &self.initial, &self.reached);
        let bounds = self.bounds(calculus);
        self.steps = affordable_steps(calculus, abc, &self.afforded, &bounds);
        let changes = calculus.changes(abc, &self.initial, &self.steps);
        let own = change::own(Changes { so_far: Some(&bounds), ..changes });
        let moved = change::sizes(Changes { own: &own, ..changes });
        let mut larger = None;
        for node in calculus.graph().ids() {
            let id = node.index();
            let next = match calculus.shaped.view_of[id] {
                Some(param) => self.steps[param.index()].clone(),
                None => moved[id].clone().min(bounds[id].clone()),
            };
            if next > self.reached[id] {
                self.reached[id] = next;
                larger = Some(node);
            }
        }
        larger
    }

    /// max(|x_0|, A(x)); of a parameter |w_0|, for it moves by its own step and not by what its uses could take.
    fn bounds(&self, calculus: &Calculus) -> Vec<Size> {
        let bound = |id: usize| match (&calculus.shaped.view_of[id], &self.afforded[id]) {
            (None, Some(afforded)) => self.initial[id].clone().max(afforded.answer.clone()),
            (_, _) => self.initial[id].clone(),
        };
        (0..self.initial.len()).map(bound).collect()
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

impl Sweep<'_, '_> {
    /// What a node can afford, told of one of its operands: a branch of a residual stream moves it once in every repetition, and what
    /// leaves a stream (or reads a tensor from outside) answers to it.
    fn told(&self, id: NodeId, operand: usize, own: &Afforded) -> Afforded {
        let repetitions = &self.calculus.repetitions;
        if let Some(branch) = repetitions.streams.branch_at(id, operand) {
            let times = repetitions.in_all(branch);
            let stream = own.own.clone().min(own.answer.clone());
            return Afforded {
                own: stream.div(&coherent(&times.coherent)),
                answer: stream.div(&times.independent),
            };
        }
        let source = self.calculus.graph().node(id).operands[operand].index();
        let inside = repetitions.streams.block.get(id.index()).copied().flatten();
        let elsewhere = repetitions.streams.block[source] != inside || repetitions.streams.on_path[source];
        let is_path = repetitions.streams.on_path[id.index()];
        match inside.is_some() && elsewhere && !is_path {
            true => Afforded::both(own.answer.clone()),
            false => own.clone(),
        }
    }
}

impl Sweep<'_, '_> {
    /// The change that the operand of a node can afford if the node can afford `own`. A function that jumps answers by a root: a share D/|x| of its
    /// entries changes by 1.
    fn before(&self, graph: &Graph, id: NodeId, own: &Size, factor: &Size) -> Size {
        let source = graph.node(id).operands[0].index();
        match graph.node(id).op {
            Op::Map(func) if func.law().jumps() && *own >= Size::one() => Size::Beyond,
            Op::Map(func) if func.law().jumps() => {
                let root = if self.calculus.shaped.infinite[source] { 2 } else { 1 };
                self.changes.initial[source].mul(&own.pow(Rational::integer(root)))
            }
            _ => own.div(factor),
        }
    }
}

impl Adjoint for Sweep<'_, '_> {
    type Value = Option<Afforded>;

    fn pull(
        &mut self,
        graph: &Graph,
        id: NodeId,
        operand: usize,
        afforded: &[Option<Afforded>],
    ) -> Option<Afforded> {
        if !self.calculus.before_loss[id.index()] {
            return None;
        }
        let own = self.told(id, operand, afforded[id.index()].as_ref()?);
        let source = graph.node(id).operands[operand];
        let bound = self.calculus.allowed(source, self.changes.initial).unwrap_or_else(Size::one);
        match self.amplification(id, operand) {
            Size::Zero => Some(Afforded::both(bound)),
            factor => {
                let before = |size: &Size| self.before(graph, id, size, &factor);
                let told = Afforded { own: before(&own.own), answer: before(&own.answer) };
                Some(told.min(Afforded::both(bound)))
            }
        }
    }

    fn join(&mut self, into: &mut Option<Afforded>, contribution: Option<Afforded>) {
        *into = match (into.take(), contribution) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    fn repeat(&mut self, id: BlockId, block: &Block, afforded: &mut [Option<Afforded>]) -> bool {
        let mut sizes: Vec<Option<Size>> =
            afforded.iter().map(|own| own.as_ref().map(|own| own.own.clone())).collect();
        let again = self.climbs.take_least(id, block, &mut sizes);
        for carried in block.carried.iter().filter(|_| again) {
            let next = carried.next.index();
            afforded[next] = sizes[next].take().map(Afforded::both);
        }
        again
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
pub fn set_largest_stable(calculus: &Calculus, abc: &mut Abc, laws: &[StepLaw]) -> Result<(), Failure> {
    let budget = Budget::new(calculus, abc)?;
    spend(calculus, abc, laws, &budget)
}

/// The same with a budget that is known: a budget does not depend on learning rates.
pub fn spend(calculus: &Calculus, abc: &mut Abc, laws: &[StepLaw], budget: &Budget) -> Result<(), Failure> {
    let gradients = of_params(calculus.graph(), &budget.gradient);
    for (id, _) in calculus.graph().param_ids().filter(|(_, param)| !param.frozen) {
        let gradient = &gradients[id.index()];
        if gradient.is_zero() {
            continue;
        }
        let rate = rate(abc, id, &laws[id.index()], &budget.steps[id.index()], gradient);
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
    afforded: &[Option<Afforded>],
    reached: &[Size],
) -> Vec<Size> {
    let site_step = |site: &Site| {
        let afforded = &afforded[site.node.index()].as_ref()?.own;
        let afforded = &afforded.div(&term_of_sum(calculus, abc, site));
        let front = forward::multiplier(calculus.graph(), abc, site.node);
        Some(request(calculus, site, afforded, reached).div(&front))
    };
    let step = |(id, param): (ParamId, &Param)| {
        let steps = calculus.shaped.sites_of(id).filter_map(site_step);
        if param.frozen { Size::Zero } else { steps.min().unwrap_or(Size::Zero) }
    };
    calculus.graph().param_ids().map(step).collect()
}

/// The multiplier in front of a parameter that is itself a term of a sum.
fn term_of_sum(calculus: &Calculus, abc: &Abc, site: &Site) -> Size {
    match calculus.graph().node(site.node).op {
        Op::Add(_) => in_sum(abc, site.node, site.operand).1,
        _ => Size::one(),
    }
}

/// eta from m eta (m G)^k s^r S = step.
fn rate(abc: &Abc, param: ParamId, law: &StepLaw, step: &Size, gradient: &Size) -> Size {
    let scaling = &abc.params[param.index()];
    let gain = law.gain(&scaling.multiplier, &scaling.init_std).map_or(Size::Beyond, Size::Power);
    step.div(&gain).div(&gradient.pow(law.gradient_power))
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
pub fn entry_gradients(calculus: &Calculus, abc: &Abc, laws: &[StepLaw], budget: &Budget) -> Vec<Size> {
    let fresh = of_params(calculus.graph(), &fresh_gradients(calculus, abc, &budget.initial));
    if calculus.graph().param_ids().all(|(id, param)| param.frozen || !fresh[id.index()].is_zero()) {
        let own =
            |(gradient, scaling): (&Size, &ParamScaling)| gradient.mul(&Size::from(&scaling.multiplier));
        return fresh.iter().zip(&abc.params).map(own).collect();
    }
    let steps = steps_of(calculus.graph(), abc, laws, &fresh);
    let backward = calculus.backward(abc, &budget.initial, &budget.reached, When::Training);
    let first = calculus.first(abc);
    let backward = Backward { first: &first, ..backward };
    let training = of_params(calculus.graph(), &gradients(backward, Steps::Given(&steps), calculus.seeds()));
    let own = |(id, fresh): (usize, Size)| {
        let gradient = if fresh.is_zero() { &training[id] } else { &fresh };
        gradient.mul(&Size::from(&abc.params[id].multiplier))
    };
    fresh.into_iter().enumerate().map(own).collect()
}

/// The gradients of all tensors at initialization.
pub fn fresh_gradients(calculus: &Calculus, abc: &Abc, initial: &[Size]) -> Vec<Size> {
    let first = calculus.first(abc);
    let backward = Backward { first: &first, ..calculus.backward(abc, initial, initial, When::Fresh) };
    let nothing = vec![Size::Zero; abc.params.len()];
    gradients(backward, Steps::Given(&nothing), calculus.seeds())
}

/// The steps that a parameterization makes for given gradients.
fn steps_of(graph: &Graph, abc: &Abc, laws: &[StepLaw], gradients: &[Size]) -> Vec<Size> {
    let step = |(id, param): (ParamId, &Param)| {
        let gradient = (Quantity::Constant, gradients[id.index()].clone());
        let moved = || Largest::of(|terms| step(abc, id, &laws[id.index()], gradient, terms));
        if param.frozen { Size::Zero } else { moved() }
    };
    graph.param_ids().map(step).collect()
}
