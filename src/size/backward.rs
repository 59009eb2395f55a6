//! The backward pass: G, the size of the loss gradient with respect to one coordinate of each tensor.
//!
//! **Fresh** gradients (at initialization) pass independent factors: sums of mean-zero terms, M^(1/2). **Training** gradients are
//! bounded by the worst alignment: a weight acts by its operator norm, and through its own change coherently, over all of M.
//! The gradient with respect to a parameter is one more operand of the same rules: m |x| G(h), summed over the axes it lacks.

use smallvec::{SmallVec, smallvec};

use super::change::Convention;
use super::echo::Recoil;
use super::forward::{Climbs, in_sum, multiplier};
use super::repetition::Repetitions;
use super::term::{Factor, Largest, Quantity, Rule, Terms, aligned, coherent, random};
use super::{Size, elementwise};
use crate::abc::Abc;
use crate::dim::Monomial;
use crate::graph::walk::{Adjoint, backpropagate};
use crate::graph::{Block, BlockId, Gate, Graph, NodeId, Op, ParamId};
use crate::optimizer::step::StepLaw;
use crate::rational::Rational;
use crate::shape::Shaped;

/// Which gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At initialization.
    Fresh,
    /// In training: the bound.
    Training,
}

/// What the backward pass reads.
#[derive(Clone, Copy)]
pub struct Backward<'a, 'g> {
    /// The graph with its sites.
    pub shaped: &'a Shaped<'g>,
    /// The parameterization.
    pub abc: &'a Abc,
    /// |x_0|.
    pub initial: &'a [Size],
    /// max(|x_0|, D(x)).
    pub reached: &'a [Size],
    /// The residual streams that grow.
    pub repetitions: &'a Repetitions,
    /// Which gradients.
    pub when: When,
    /// What lines up with what.
    pub convention: Convention,
    /// What has moved, where the change of the gradients is asked for and not the gradients.
    pub motion: Option<Motion<'a>>,
    /// |x_0| in the first repetition of blocks; empty if that is not looked at.
    pub first: &'a [Size],
    /// The block that is now walked as its first repetition.
    pub beginning: Option<BlockId>,
}

/// What changes gradients in training: G_t - G_0 obeys the rules of gradients in training, and besides, what a gradient is multiplied with on
/// its way has changed.
#[derive(Clone, Copy)]
pub struct Motion<'a> {
    /// The gradients at initialization.
    pub fresh: &'a [Size],
    /// D of every tensor.
    pub change: &'a [Size],
    /// Whether what has changed acts on gradients as they were at first, where these are not zero, and no entry of the few that are there
    /// crosses a kink.
    pub first_order: bool,
    /// How much of a gradient's change lines up with what passes it on. Without it, all that can.
    pub recoil: Option<Recoil<'a>>,
}

impl Motion<'_> {
    /// The whole gradient of a node: what it was, or by how much it changed.
    fn whole(&self, id: NodeId, gradients: &[Size]) -> Factor {
        let fresh = self.fresh[id.index()].clone();
        let later = if self.first_order && !fresh.is_zero() { &fresh } else { &gradients[id.index()] };
        (Quantity::Gradient(id), fresh.clone().max(later.clone()))
    }

    /// D of a tensor.
    fn change(&self, id: NodeId) -> Factor {
        (Quantity::Change(id), self.change[id.index()].clone())
    }
}

impl Backward<'_, '_> {
    fn value(&self, id: NodeId) -> Factor {
        match self.when {
            When::Fresh => (Quantity::Value(id), self.initial[id.index()].clone()),
            When::Training => (Quantity::Reached(id), self.reached[id.index()].clone()),
        }
    }

    fn gradient(&self, id: NodeId, gradients: &[Size]) -> Factor {
        let size = gradients[id.index()].clone();
        match (self.when, self.motion) {
            (When::Fresh, _) => (Quantity::FreshGradient(id), size),
            (When::Training, None) => (Quantity::Gradient(id), size),
            (When::Training, Some(_)) => (Quantity::GradientChange(id), size),
        }
    }

    /// The gradient that a changed factor acts on.
    fn whole(&self, id: NodeId, gradients: &[Size]) -> Factor {
        self.motion.map_or_else(|| self.gradient(id, gradients), |motion| motion.whole(id, gradients))
    }

    /// The lengths over which a gradient is summed.
    fn broadcast(&self, length: &Monomial) -> Factor {
        match self.when {
            When::Fresh => (Quantity::RandomBroadcast, random(length)),
            When::Training => (Quantity::Broadcast, coherent(length)),
        }
    }

    /// The rule of one operand of one node: the terms of its gradient. `steps` are the changes of the parameters so far.
    pub fn rule(&self, id: NodeId, at: usize, gradients: &[Size], steps: &[Size], terms: &mut impl Terms) {
        let times = |in_training| {
            (Quantity::Repetitions, self.repetitions.of_gradient(self.shaped, id, at, in_training))
        };
        let (alike, each) = (times(self.when == When::Training), times(false));
        match alike.1.is_one() {
            true => self.once(id, at, gradients, steps, terms),
            false => self.once(id, at, gradients, steps, &mut Times { alike, each, terms }),
        }
    }

    /// The rule within one repetition.
    fn once(&self, id: NodeId, at: usize, gradients: &[Size], steps: &[Size], terms: &mut impl Terms) {
        let whole = self.whole(id, gradients);
        if whole.1.is_zero() {
            return;
        }
        if let Some(motion) = self.motion {
            self.turned(id, at, motion, whole.clone(), terms);
        }
        let graph = self.shaped.graph;
        let node = graph.node(id);
        let own = node.operands[at];
        let g = self.gradient(id, gradients);
        match &node.op {
            Op::Contract { .. } => self.contract(id, at, [g, whole], steps, terms),
            Op::Add(_) => {
                let length = self.lacks(id, at);
                let rule = if length.is_one() { Rule::PassBackward } else { Rule::BroadcastBackward };
                terms.term(rule, &[in_sum(self.abc, id, at), self.broadcast(&length), g]);
            }
            Op::Lookup { .. } if at == 0 => {
                terms.term(Rule::BroadcastBackward, &[self.broadcast(&self.lacks(id, at)), g]);
            }
            Op::Scale(_) => {
                let factor = (Quantity::Multiplier, multiplier(graph, self.abc, id));
                terms.term(Rule::PassBackward, &[factor, g]);
            }
            Op::Map(func) => {
                let slope = elementwise::slope(*func, &self.value(own).1);
                terms.term(Rule::PassBackward, &[(Quantity::Slope, slope), g]);
            }
            Op::Normalize { .. } => terms.term(Rule::PassBackward, &[self.normalizer(own), g]),
            Op::Softmax { axis, log: false } => {
                let share = Size::one().div(&Size::from(&node.shape[*axis].powers));
                terms.term(Rule::PassBackward, &[(Quantity::Share, share), g]);
            }
            Op::Window { size, .. } => {
                terms.term(Rule::BroadcastBackward, &[(Quantity::Broadcast, coherent(&size.powers)), g]);
            }
            Op::Softmax { log: true, .. }
            | Op::Max { .. }
            | Op::Split { .. }
            | Op::Merge { .. }
            | Op::Pick { .. }
            | Op::Concat { .. }
            | Op::Gate(Gate::Causal | Gate::TopK { .. } | Gate::Dropout(_))
            | Op::Carry(_)
            | Op::Exit(_)
            | Op::Step { .. }
            | Op::Collect { .. } => terms.term(Rule::PassBackward, &[g]),
            Op::Lookup { .. } | Op::Gate(Gate::StopGradient) => {}
            Op::Data(_) | Op::Param(_) | Op::Constant(_) | Op::Range | Op::RelativeBucket(_) => {}
        }
    }

    fn lacks(&self, id: NodeId, at: usize) -> Monomial {
        let reach = self.shaped.reach[id.index()].as_ref();
        reach.map_or_else(Monomial::one, |reach| reach.lacks[at].clone())
    }

    /// A normalization divides by what its input was before training moved it; by what it became, if it was zero.
    fn normalizer(&self, own: NodeId) -> Factor {
        let initial = self.divisor(own);
        let size = if initial.is_zero() { &self.reached[own.index()] } else { initial };
        (Quantity::Normalizer, Size::one().div(size))
    }

    /// |x_0| of what a normalization divides: in the first repetition, while that is walked.
    fn divisor(&self, own: NodeId) -> &Size {
        let graph = self.shaped.graph;
        let inside = |block: BlockId| graph.block(block).nodes.contains(&(own.index() as u32));
        if self.beginning.is_some_and(inside) { &self.first[own.index()] } else { &self.initial[own.index()] }
    }

    /// The rules for the gradient of a node in the first repetition of its outermost block, if that differs from later ones.
    pub fn beginning_at(mut self, id: NodeId) -> Self {
        let blocks = (0..).map(BlockId).zip(&self.shaped.graph.blocks);
        let mut around = blocks.filter(|(_, block)| block.nodes.contains(&(id.index() as u32)));
        self.beginning = around.find(|(_, block)| self.starts_smaller(block)).map(|(id, _)| id);
        self
    }

    /// Whether the streams of an outermost block enter smaller than they are later.
    pub fn starts_smaller(&self, block: &Block) -> bool {
        let smaller = |carry: usize| self.first[carry] < self.initial[carry];
        !self.first.is_empty()
            && block.parent.is_none()
            && block.carried.iter().any(|carried| smaller(carried.carry.index()))
    }

    /// What an operation multiplies gradients with has changed: a factor of a product, a slope, a normalizer, a share.
    fn turned(&self, id: NodeId, at: usize, motion: Motion, whole: Factor, terms: &mut impl Terms) {
        let node = self.shaped.graph.node(id);
        let own = node.operands[at];
        let change = motion.change(own).1;
        let relative = |to: &Size| change.div(to).min(Size::one());
        let turn = |size: Size| (Quantity::Turn(own), size);
        match &node.op {
            Op::Contract { .. } => self.turned_factor(id, at, motion, whole, terms),
            Op::Map(func) => {
                let many = self.shaped.infinite[own.index()] && !motion.first_order;
                let slope = elementwise::slope_change(*func, &self.initial[own.index()], &change, many);
                terms.term(Rule::TurnedBackward, &[turn(slope), whole]);
            }
            Op::Normalize { .. } => {
                let moved = turn(relative(self.divisor(own)));
                terms.term(Rule::TurnedBackward, &[moved, self.normalizer(own), whole]);
            }
            Op::Softmax { axis, log } => {
                let share = Size::one().div(&Size::from(&node.shape[*axis].powers));
                let share = if *log { Size::one() } else { share };
                let moved = turn(relative(&Size::one()));
                terms.term(Rule::TurnedBackward, &[(Quantity::Share, share), moved, whole]);
            }
            Op::Max { .. } | Op::Gate(Gate::TopK { .. }) => {
                let many = self.shaped.infinite[own.index()] && !motion.first_order;
                let moved = elementwise::crossing(&self.initial[own.index()], &change, many);
                terms.term(Rule::TurnedBackward, &[turn(moved), whole]);
            }
            Op::Lookup { .. }
            | Op::Add(_)
            | Op::Scale(_)
            | Op::Window { .. }
            | Op::Split { .. }
            | Op::Merge { .. }
            | Op::Pick { .. }
            | Op::Concat { .. }
            | Op::Gate(Gate::Causal | Gate::Dropout(_) | Gate::StopGradient)
            | Op::Carry(_)
            | Op::Exit(_)
            | Op::Step { .. }
            | Op::Collect { .. }
            | Op::Data(_)
            | Op::Param(_)
            | Op::Constant(_)
            | Op::Range
            | Op::RelativeBucket(_) => {}
        }
    }

    /// The other factor of a product has changed.
    fn turned_factor(&self, id: NodeId, at: usize, motion: Motion, whole: Factor, terms: &mut impl Terms) {
        let node = self.shaped.graph.node(id);
        let Some(other) = (0..node.operands.len()).find(|other| *other != at) else { return };
        if self.shaped.site_at(id, other).is_some_and(|site| self.is_random(site.param)) {
            return;
        }
        let factor = (Quantity::Multiplier, multiplier(self.shaped.graph, self.abc, id));
        let moved = motion.change(node.operands[other]);
        let most = self.broadcast(&self.lacks(id, at)).1;
        self.made_by((id, at), Rule::TurnedBackward, [factor, moved, whole], most, terms);
    }

    /// A gradient through a change that was made by gradients: as for any change, and what lines up with it, `most` times a term.
    fn made_by(
        &self,
        (id, at): (NodeId, usize),
        rule: Rule,
        [factor, change, whole]: [Factor; 3],
        most: Size,
        terms: &mut impl Terms,
    ) {
        let any = (Quantity::RandomBroadcast, random(&self.lacks(id, at)).min(most.clone()));
        let most = (Quantity::Recoil(self.shaped.graph.node(id).operands[at]), most);
        terms.term(rule, &[factor.clone(), change.clone(), any, whole.clone()]);
        terms.term(rule, &[factor, change, most, whole]);
    }

    fn contract(&self, id: NodeId, at: usize, of: [Factor; 2], steps: &[Size], terms: &mut impl Terms) {
        let [g, whole] = of;
        let graph = self.shaped.graph;
        let factor = (Quantity::Multiplier, multiplier(graph, self.abc, id));
        let node = graph.node(id);
        let lacks = self.lacks(id, at);
        let Some(other) = (0..node.operands.len()).find(|other| *other != at) else {
            return terms.term(Rule::BroadcastBackward, &[factor, self.broadcast(&lacks), g]);
        };
        let source = node.operands[other];
        match (self.when, self.shaped.site_at(id, other)) {
            (When::Training, Some(site)) if self.is_random(site.param) => {
                let entry = (Quantity::Entry, self.initial[source.index()].clone());
                let most = (Quantity::AlignedBack, aligned(&site.fan_out, &site.fan_in));
                let step = (Quantity::Step, steps[site.param.index()].clone());
                self.lined_up((id, at), Rule::AlignedBackward, [factor.clone(), entry, g], most, terms);
                let sum = self.convention.update(&lacks);
                match self.motion {
                    None => terms.term(Rule::ChangeBackward, &[factor, step, sum, whole]),
                    Some(_) => {
                        self.made_by((id, at), Rule::ChangeBackward, [factor, step, whole], sum.1, terms)
                    }
                }
            }
            (When::Fresh, Some(_)) => {
                terms.term(Rule::FreshBackward, &[factor, self.value(source), self.broadcast(&lacks), g]);
            }
            (_, _) => {
                let most = self.broadcast(&lacks);
                let factors = [factor, self.value(source), g];
                self.lined_up((id, at), Rule::ProductBackward, factors, most, terms);
            }
        }
    }

    /// A gradient through a factor that it lines up with, at most; of a gradient's change, with as much as is known to.
    fn lined_up(
        &self,
        place: (NodeId, usize),
        rule: Rule,
        factors: [Factor; 3],
        most: Factor,
        terms: &mut impl Terms,
    ) {
        let (id, at) = place;
        let own = self.shaped.graph.node(id).operands[at];
        let recoil = self.motion.and_then(|motion| motion.recoil);
        match recoil.filter(|_| self.shaped.view_of[own.index()].is_none()) {
            Some(recoil) => recoil.terms(place, rule, (&factors, &self.lacks(id, at), most), terms),
            None => {
                let [multiplier, other, g] = factors;
                terms.term(rule, &[multiplier, other, most, g]);
            }
        }
    }

    fn is_random(&self, param: ParamId) -> bool {
        self.shaped.graph.param(param).init == crate::graph::Init::Random
    }
}

/// Terms that occur in every repetition.
struct Times<'t, T> {
    /// How they add up.
    alike: Factor,
    /// How those add up that come through the initial weights of every repetition.
    each: Factor,
    terms: &'t mut T,
}

impl<T: Terms> Terms for Times<'_, T> {
    fn term(&mut self, rule: Rule, factors: &[Factor]) {
        let times = if rule == Rule::AlignedBackward { &self.each } else { &self.alike };
        let mut all: SmallVec<[Factor; 5]> = smallvec![times.clone()];
        all.extend(factors.iter().cloned());
        self.terms.term(rule, &all);
    }
}

/// The law of the optimizer: the change of a parameter's entries (with its own multiplier m) for a gradient G of those entries,
/// m eta (m G)^k s^r S, see [`crate::optimizer::step`].
pub fn step(abc: &Abc, param: ParamId, law: &StepLaw, gradient: Factor, terms: &mut impl Terms) {
    if gradient.1.is_zero() {
        return;
    }
    let scaling = &abc.params[param.index()];
    let rate = (Quantity::Constant, Size::from(&scaling.learning_rate));
    let own = Size::from(&scaling.multiplier);
    let multipliers = Rational::ONE.add(law.gradient_power).map_or(Size::Beyond, |power| own.pow(power));
    let mut factors: SmallVec<[Factor; 5]> = smallvec![rate, (Quantity::Multiplier, multipliers)];
    if !law.weight_power.is_zero() {
        factors.push((Quantity::OwnEntry, Size::from(&scaling.init_std).pow(law.weight_power)));
    }
    if !law.shape.is_one() {
        factors.push((Quantity::ShapeFactor, Size::from(&law.shape)));
    }
    if !law.gradient_power.is_zero() {
        factors.push((gradient.0, gradient.1.pow(law.gradient_power)));
    }
    terms.term(Rule::Step, &factors);
}

/// How the changes of parameters are known during a backward pass.
pub enum Steps<'s> {
    /// From the gradients, as they arrive.
    Law(&'s [StepLaw], &'s mut [Size]),
    /// Given beforehand.
    Given(&'s [Size]),
}

impl Steps<'_> {
    fn table(&self) -> &[Size] {
        match self {
            Steps::Law(_, steps) => steps,
            Steps::Given(steps) => steps,
        }
    }
}

/// The gradient of every node.
pub fn gradients(backward: Backward, steps: Steps, seeds: Vec<Size>) -> Vec<Size> {
    let mut pass = Pass { climbs: Climbs::new(backward.shaped.graph, backward.repetitions), backward, steps };
    backpropagate(backward.shaped.graph, &mut pass, seeds)
}

struct Pass<'s, 'a, 'g> {
    backward: Backward<'a, 'g>,
    steps: Steps<'s>,
    climbs: Climbs,
}

impl Pass<'_, '_, '_> {
    /// A gradient that arrives at a parameter (or a view of one) moves it at once, so that what lies below sees the move.
    fn arrive(&mut self, graph: &Graph, operand: NodeId, gradient: &Size) {
        let Some(param) = self.backward.shaped.view_of[operand.index()] else { return };
        if graph.param(param).frozen {
            return;
        }
        if let Steps::Law(laws, steps) = &mut self.steps {
            let factor = (Quantity::Gradient(operand), gradient.clone());
            let law = &laws[param.index()];
            let moved = Largest::of(|terms| step(self.backward.abc, param, law, factor, terms));
            let known = &mut steps[param.index()];
            if moved > *known {
                *known = moved;
            }
        }
    }
}

impl Adjoint for Pass<'_, '_, '_> {
    type Value = Size;

    fn pull(&mut self, graph: &Graph, id: NodeId, operand: usize, gradients: &[Size]) -> Size {
        let table = self.steps.table();
        let size = Largest::of(|terms| self.backward.rule(id, operand, gradients, table, terms));
        self.arrive(graph, graph.node(id).operands[operand], &size);
        size
    }

    fn join(&mut self, into: &mut Size, contribution: Size) {
        if contribution > *into {
            *into = contribution;
        }
    }

    fn first(&self, graph: &Graph, id: NodeId) -> usize {
        let operands = &graph.node(id).operands;
        operands
            .iter()
            .position(|operand| self.backward.shaped.view_of[operand.index()].is_some())
            .unwrap_or(0)
    }

    fn repeat(&mut self, id: BlockId, block: &Block, gradients: &mut [Size]) -> bool {
        if self.backward.beginning == Some(id) {
            self.backward.beginning = None;
            return false;
        }
        if self.climbs.take_back(id, block, gradients) {
            return true;
        }
        // The repetition that comes first is walked last, once: what is smaller there is divided by less.
        let begins = self.backward.starts_smaller(block);
        self.backward.beginning = begins.then_some(id);
        begins
    }

    fn settle(&mut self, id: BlockId, block: &Block, gradients: &mut [Size]) -> bool {
        self.climbs.settle_back(id, block, gradients)
    }
}
