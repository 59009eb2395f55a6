//! All sizes of a graph under a given abc-parameterization and optimizer.
//!
//! Values at initialization and fresh gradients need one pass each. Training is the least solution of a recursion: gradients move
//! the parameters, the parameters move the tensors, the tensors change the gradients. It is solved by rounds from "nothing has
//! moved", and either settles, or breaks a bound (then the parameterization is unstable and the rounds stop).

use std::cell::OnceCell;
use std::collections::HashSet;
use std::rc::Rc;

use super::Size;
use super::backward::{Backward, Steps, When, gradients, step};
use super::change::{self, Changes, Convention};
use super::forward::{self, Forward};
use super::parity::{Summation, symmetries};
use super::repetition::Repetitions;
use super::target::{Bound, before_loss, bounds};
use super::term::{self, Largest, Quantity};
use crate::abc::Abc;
use crate::dim::Symbol;
use crate::graph::{Graph, NodeId, Op};
use crate::optimizer::Plan;
use crate::optimizer::step::{StepLaw, laws};
use crate::rational::Rational;
use crate::shape::Shaped;
use crate::shape::stream::Streams;

/// A graph with everything about sizes that no parameterization changes.
#[derive(Debug)]
pub struct Calculus<'g> {
    /// The graph with its sites.
    pub shaped: Shaped<'g>,
    /// What lines up with what.
    pub convention: Convention,
    /// The residual streams whose number of repetitions grows.
    pub repetitions: Repetitions,
    /// How every contraction sums at initialization.
    pub sums: Vec<Summation>,
    /// What every tensor is held against.
    pub bounds: Vec<Bound>,
    /// The nodes that the logits depend on, and the logits.
    pub before_loss: Vec<bool>,
    /// The logits.
    pub is_output: Vec<bool>,
    /// The logits and what only becomes logits, by sums, factors and rearrangements: nothing else feels their size.
    pub is_tail: Vec<bool>,
    labels: OnceCell<Vec<String>>,
}

impl<'g> Calculus<'g> {
    /// Prepares a graph whose numbers of repetitions count as finite: they enter no exponent.
    pub fn new(graph: &'g Graph) -> Calculus<'g> {
        Calculus::with_streams(graph, Streams::none(graph))
    }

    /// Prepares a graph whose growing numbers of repetitions go to infinity, too.
    pub fn deep(graph: &'g Graph) -> Calculus<'g> {
        Calculus::with_streams(graph, Streams::new(graph))
    }

    fn with_streams(graph: &'g Graph, streams: Streams) -> Calculus<'g> {
        let shaped = Shaped::new(graph);
        let (sums, repetitions) = symmetries(&shaped, streams);
        let outputs: HashSet<NodeId> = graph.outputs.iter().copied().collect();
        Calculus {
            convention: Convention::default(),
            labels: OnceCell::new(),
            sums,
            repetitions,
            bounds: bounds(&shaped),
            before_loss: before_loss(graph),
            is_tail: tail(graph),
            is_output: graph.ids().map(|id| outputs.contains(&id)).collect(),
            shaped,
        }
    }

    /// The name of a node for a reader.
    pub fn label(&self, id: NodeId) -> &str {
        &self.labels.get_or_init(|| self.graph().labels())[id.index()]
    }

    /// The same graph under another convention.
    pub fn with_convention(self, convention: Convention) -> Calculus<'g> {
        Calculus { convention, ..self }
    }

    /// The same graph with blocks repeated as often as their symbols say, apart from those whose number grows: for sizes that are to be measured
    /// at these values of the scale symbols.
    pub fn at(mut self, values: &[Rational], growing: Symbol) -> Calculus<'g> {
        let known = |block: &crate::graph::Block| {
            Some(&block.count).filter(|count| count.powers.exponent(growing).is_zero())?.at(values)
        };
        let known = self.graph().blocks.iter().map(known).collect();
        self.repetitions = self.repetitions.with_known(known);
        self
    }

    /// The pass of changes for given steps of the parameters.
    pub fn changes<'a>(&'a self, abc: &'a Abc, initial: &'a [Size], steps: &'a [Size]) -> Changes<'a, 'g> {
        Changes {
            shaped: &self.shaped,
            abc,
            initial,
            steps,
            convention: self.convention,
            repetitions: &self.repetitions,
            own: &[],
            so_far: None,
            first_order: false,
            few_jump: false,
            echo: None,
        }
    }

    /// The pass of values at initialization.
    pub fn forward<'a>(&'a self, abc: &'a Abc) -> Forward<'a, 'g> {
        Forward { shaped: &self.shaped, sums: &self.sums, repetitions: &self.repetitions, abc }
    }

    /// The law of every parameter's steps.
    pub fn laws(&self, plan: &Plan) -> Vec<StepLaw> {
        laws(&self.shaped, plan)
    }

    /// The backward pass, at initialization or in training.
    pub fn backward<'a>(
        &'a self,
        abc: &'a Abc,
        initial: &'a [Size],
        reached: &'a [Size],
        when: When,
    ) -> Backward<'a, 'g> {
        let (repetitions, convention) = (&self.repetitions, self.convention);
        Backward {
            shaped: &self.shaped,
            abc,
            initial,
            reached,
            repetitions,
            when,
            convention,
            motion: None,
            first: &[],
            beginning: None,
        }
    }

    /// The graph.
    pub fn graph(&self) -> &'g Graph {
        self.shaped.graph
    }

    /// The largest change that a tensor may have. What goes into normalizations may change by its own size; without growing axes it may
    /// vanish at initialization and still move by O(1).
    pub fn allowed(&self, id: NodeId, initial: &[Size]) -> Option<Size> {
        match &self.bounds[id.index()] {
            Bound::Unused => None,
            Bound::Absolute(size) => Some(size.clone()),
            Bound::Relative(whole) if self.shaped.infinite[whole.index()] => {
                Some(initial[whole.index()].clone()).filter(|size| !size.is_zero())
            }
            Bound::Relative(whole) => Some(initial[whole.index()].clone().max(Size::one())),
        }
    }

    /// Values at initialization; in the loss, where logits count as Θ(1), everything is.
    pub fn initial(&self, abc: &Abc) -> Vec<Size> {
        let mut sizes = forward::sizes(&self.forward(abc));
        for (size, before) in sizes.iter_mut().zip(&self.before_loss) {
            if !before {
                *size = Size::one();
            }
        }
        sizes
    }

    /// Values at initialization in the first repetition of blocks; empty if none is repeated.
    pub fn first(&self, abc: &Abc) -> Vec<Size> {
        forward::first(&self.forward(abc))
    }

    /// Where gradients start: at the loss, with size 1.
    pub fn seeds(&self) -> Vec<Size> {
        let mut seeds = vec![Size::Zero; self.graph().len()];
        let starts = self.graph().loss.iter().chain(&self.graph().outputs);
        if let Some(loss) = self.graph().loss {
            seeds[loss.index()] = Size::one();
        } else {
            starts.for_each(|output| seeds[output.index()] = Size::one());
        }
        seeds
    }
}

/// The logits and what only becomes logits.
fn tail(graph: &Graph) -> Vec<bool> {
    let mut tail = vec![false; graph.len()];
    let before = before_loss(graph);
    for output in &graph.outputs {
        tail[output.index()] = true;
    }
    let carried: HashSet<NodeId> =
        graph.blocks.iter().flat_map(|block| &block.carried).map(|carried| carried.next).collect();
    for id in graph.ids().rev().filter(|id| before[id.index()] && !carried.contains(id)) {
        let mut users = graph.consumers(id).filter(|(user, _)| before[user.index()]).peekable();
        let becomes = |(user, _): (NodeId, usize)| tail[user.index()] && is_linear(&graph.node(user).op);
        tail[id.index()] |= users.peek().is_some() && users.all(becomes);
    }
    tail
}

/// Sums, factors and rearrangements.
fn is_linear(op: &Op) -> bool {
    match op {
        Op::Add(_)
        | Op::Scale(_)
        | Op::Split { .. }
        | Op::Merge { .. }
        | Op::Pick { .. }
        | Op::Step { .. }
        | Op::Collect { .. }
        | Op::Concat { .. } => true,
        Op::Contract { einsum, .. } => einsum.inputs.len() == 1,
        _ => false,
    }
}

/// Every size of a graph under one parameterization.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// The parameterization.
    pub abc: Rc<Abc>,
    /// The laws of the optimizers' steps, per parameter.
    pub laws: Rc<[StepLaw]>,
    /// |x_0|.
    pub initial: Vec<Size>,
    /// |x_0| in the first repetition of blocks; empty if none is repeated.
    pub first: Vec<Size>,
    /// The gradient at initialization.
    pub fresh: Vec<Size>,
    /// The gradient in training (a bound).
    pub gradient: Vec<Size>,
    /// D(x).
    pub change: Vec<Size>,
    /// Per tensor of a growing block: the change that its own repetition's updates make; empty where no block grows.
    pub own: Vec<Size>,
    /// max(|x_0|, D(x)).
    pub reached: Vec<Size>,
    /// Per parameter: the change of its entries, with its own multiplier.
    pub steps: Vec<Size>,
    /// Whether the recursion settled; if not, a bound was broken, and the sizes are those of the first step.
    pub settled: bool,
    /// Whether changes were taken to act on initial values only, as in the first step.
    pub first_order: bool,
}

/// Rounds before the recursion counts as climbing. Networks that settle do so in a few: every further round needs another
/// parameter that is used twice.
const ROUNDS: usize = 64;

/// Solves all sizes.
pub fn analyze(calculus: &Calculus, abc: Rc<Abc>, plan: impl Into<Plan>) -> Sizes {
    let initial = calculus.initial(&abc);
    let nothing = vec![Size::Zero; calculus.graph().params.len()];
    let first = calculus.first(&abc);
    let backward = Backward { first: &first, ..calculus.backward(&abc, &initial, &initial, When::Fresh) };
    let fresh = gradients(backward, Steps::Given(&nothing), calculus.seeds());
    let mut sizes = Sizes {
        laws: calculus.laws(&plan.into()).into(),
        own: Vec::new(),
        first,
        fresh,
        gradient: vec![Size::Zero; initial.len()],
        change: vec![Size::Zero; initial.len()],
        reached: initial.clone(),
        steps: nothing,
        settled: false,
        first_order: false,
        initial,
        abc,
    };
    for _ in 0..ROUNDS {
        let settled = round(calculus, &mut sizes);
        if settled {
            return Sizes { settled, ..sizes };
        }
        if broken(calculus, &sizes) {
            break;
        }
    }
    let first = first_order(calculus, &sizes);
    if broken(calculus, &first) || overshoots(calculus, &first) { first } else { sizes }
}

/// What the first step does to an unstable network, before changes act on changes: the exponents that say where it starts.
fn first_order(calculus: &Calculus, sizes: &Sizes) -> Sizes {
    let nothing = vec![Size::Zero; sizes.steps.len()];
    let backward = calculus.backward(&sizes.abc, &sizes.initial, &sizes.initial, When::Training);
    let backward = Backward { first: &sizes.first, ..backward };
    let gradient = gradients(backward, Steps::Given(&nothing), calculus.seeds());
    let mut steps = nothing.clone();
    for id in calculus.graph().ids() {
        if let Some(param) =
            calculus.graph().as_param(id).filter(|param| !calculus.graph().param(*param).frozen)
        {
            let own = (Quantity::Gradient(id), gradient[id.index()].clone());
            let law = &sizes.laws[param.index()];
            steps[param.index()] = Largest::of(|terms| step(&sizes.abc, param, law, own, terms));
        }
    }
    let changes = Changes { first_order: true, ..calculus.changes(&sizes.abc, &sizes.initial, &steps) };
    let own = change::own(changes);
    let change = outside_loss(calculus, change::sizes(Changes { own: &own, ..changes }));
    let reached = reached(&sizes.initial, &change);
    Sizes { gradient, steps, change, own, reached, first_order: true, ..sizes.clone() }
}

/// The loss counts as linear: nothing in it changes its gradients.
fn outside_loss(calculus: &Calculus, mut change: Vec<Size>) -> Vec<Size> {
    for (size, before) in change.iter_mut().zip(&calculus.before_loss) {
        if !before {
            *size = Size::Zero;
        }
    }
    change
}

pub(super) fn reached(initial: &[Size], change: &[Size]) -> Vec<Size> {
    initial.iter().zip(change).map(|(initial, change)| initial.clone().max(change.clone())).collect()
}

/// One round: gradients, steps, changes. True if nothing changed.
fn round(calculus: &Calculus, sizes: &mut Sizes) -> bool {
    let mut steps = sizes.steps.clone();
    let backward = calculus.backward(&sizes.abc, &sizes.initial, &sizes.reached, When::Training);
    let backward = Backward { first: &sizes.first, ..backward };
    let gradient = gradients(backward, Steps::Law(&sizes.laws, &mut steps), calculus.seeds());
    let changes = calculus.changes(&sizes.abc, &sizes.initial, &steps);
    let own = change::own(Changes { so_far: Some(&sizes.reached), ..changes });
    let change = outside_loss(calculus, change::sizes(Changes { own: &own, ..changes }));
    let settled = gradient == sizes.gradient && steps == sizes.steps && change == sizes.change;
    sizes.reached = reached(&sizes.initial, &change);
    sizes.gradient = gradient;
    sizes.steps = steps;
    sizes.change = change;
    sizes.own = own;
    settled
}

/// Whether a tensor other than the logits changes by more than it may.
fn broken(calculus: &Calculus, sizes: &Sizes) -> bool {
    let graph = calculus.graph();
    graph.ids().any(|id| {
        let exempt = matches!(graph.node(id).op, Op::Param(_)) || calculus.is_tail[id.index()];
        !exempt && exceeds(calculus, sizes, id)
    })
}

/// Whether an update alone moves the logits further than they may: then what is broken later is broken by them.
fn overshoots(calculus: &Calculus, sizes: &Sizes) -> bool {
    let further = |id: NodeId| {
        let allowed = calculus.allowed(id, &sizes.initial);
        allowed.is_some_and(|allowed| sizes.part(calculus, id, term::Rule::Update) > allowed)
    };
    calculus.graph().ids().filter(|id| calculus.is_tail[id.index()]).any(further)
}

/// Whether a tensor changes by more than it may.
pub fn exceeds(calculus: &Calculus, sizes: &Sizes, id: NodeId) -> bool {
    let allowed = calculus.allowed(id, &sizes.initial);
    allowed.is_some_and(|allowed| sizes.change[id.index()] > allowed)
}

impl Sizes {
    /// The pass of changes with the steps that were found, to ask for single terms.
    pub fn changes<'a, 'g>(&'a self, calculus: &'a Calculus<'g>) -> Changes<'a, 'g> {
        let changes = calculus.changes(&self.abc, &self.initial, &self.steps);
        Changes { own: &self.own, first_order: self.first_order, ..changes }
    }

    /// What of a tensor's change comes through the rule of updates, or of propagation.
    pub fn part(&self, calculus: &Calculus, id: NodeId, rule: term::Rule) -> Size {
        self.changes(calculus).only(id, &self.change, rule)
    }
}
