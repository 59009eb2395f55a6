//! What an experiment sees: sizes at every single step, from initialization on.
//!
//! [`super::analysis`] finds the least sizes that bound training for all time. An experiment of a few steps need not attain them: gradients
//! are fresh at first, and what they move depends on what has moved before. Here the same rules are read step by step, from "nothing has
//! moved":
//!
//! 1. the gradient that step t - 1 left, fresh part and change, moves every parameter by its law;
//! 2. the parameters move the tensors: by update (coherent), and by propagation, where a weight answers coherently only to
//!    what came back through it ([`super::echo`]);
//! 3. what has moved changes the gradients.
//!
//! Sizes are those of root mean squares over all coordinates and repetitions of a block. Updates and propagation are meant as
//! U_t = op(W_t, x_t) - op(W_0, x_t) and P_t = op(W_0, x_t) - op(W_0, x_0), multipliers included; gradients as those of the mean loss with
//! respect to node values, a parameter's with respect to the trained tensor times its own multiplier.

mod back;
mod reading;
pub mod reason;
mod walk;

use std::rc::Rc;

use super::Size;
use super::analysis::{Calculus, reached};
use super::backward::{Backward, Motion, Steps, When, gradients, step};
use super::change::{self, Changes};
use super::echo::{Shares, share};
use super::term::{Factor, Largest, Quantity, Rule, Terms};
use crate::abc::Abc;
use crate::dim::{Monomial, Symbol};
use crate::graph::NodeId;
use crate::optimizer::Plan;
use crate::optimizer::step::StepLaw;
use crate::rational::Rational;
use reading::Reading;

/// The sizes at initialization and after every step.
#[derive(Clone, Debug)]
pub struct Realized {
    /// The parameterization.
    pub abc: Rc<Abc>,
    /// The laws of the optimizers' steps, per parameter.
    pub laws: Vec<StepLaw>,
    /// The size of the learning rate.
    pub rate: Size,
    /// |x_0|, per node.
    pub initial: Vec<Size>,
    /// The same in the first repetition of blocks; empty if none is repeated.
    pub first: Vec<Size>,
    /// G_0, per node.
    pub fresh: Vec<Size>,
    /// After steps 1, 2, ...
    pub steps: Vec<Moment>,
}

/// The sizes after one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// D_t = x_t - x_0, per node.
    pub change: Vec<Size>,
    /// G_t - G_0, per node.
    pub gradient_change: Vec<Size>,
    /// U_t, per node at which a parameter is used.
    pub update: Vec<Size>,
    /// P_t, per node at which a parameter is used; zero where it is only added or looked up.
    pub propagation: Vec<Size>,
    /// W_t - W_0 per parameter: entries of the trained tensor times its own multiplier.
    pub moved: Vec<Size>,
    /// I_t = <G, D>, per node: see [`super::echo`].
    pub work: Vec<Size>,
}

impl Moment {
    /// Nothing has moved.
    fn start(nodes: usize, params: usize) -> Moment {
        let zero = || vec![Size::Zero; nodes];
        Moment {
            change: zero(),
            gradient_change: zero(),
            update: zero(),
            propagation: zero(),
            moved: vec![Size::Zero; params],
            work: zero(),
        }
    }
}

impl Realized {
    /// The gradient of a node at a step (0: at initialization).
    pub fn gradient(&self, id: NodeId, at: usize) -> Size {
        let fresh = self.fresh[id.index()].clone();
        match at.checked_sub(1).and_then(|at| self.steps.get(at)) {
            Some(moment) => fresh.max(moment.gradient_change[id.index()].clone()),
            None => fresh,
        }
    }
}

/// How far an experiment goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Regime {
    /// Steps are Θ(1): what grows, acts on what has grown; what is bounded, saturates.
    #[default]
    Finite,
    /// Steps are small, at every size of the experiment: of two changes, the one with the lower power of the rate is the larger one, and nothing
    /// saturates. The rate is a further symbol, which goes to zero before the others go to infinity.
    Small,
}

/// The sizes of the first `steps` steps.
pub fn realize(
    calculus: &Calculus,
    abc: impl Into<Rc<Abc>>,
    plan: impl Into<Plan>,
    steps: usize,
    regime: Regime,
) -> Realized {
    let abc = abc.into();
    let initial = calculus.initial(&abc);
    let params = calculus.graph().params.len();
    let first = calculus.first(&abc);
    let backward = Backward { first: &first, ..calculus.backward(&abc, &initial, &initial, When::Fresh) };
    let fresh = gradients(backward, Steps::Given(&vec![Size::Zero; params]), calculus.seeds());
    let rate = match regime {
        Regime::Finite => Size::one(),
        Regime::Small => Size::Power(Monomial::power(Symbol::INVERSE_RATE, Rational::integer(-1))),
    };
    let laws = calculus.laws(&plan.into());
    let mut realized = Realized { abc, laws, rate, initial, first, fresh, steps: Vec::new() };
    realized.steps = moments(calculus, &realized, Reading::Largest, steps);
    realized
}

/// The first steps, in one reading.
fn moments(calculus: &Calculus, realized: &Realized, reading: Reading, steps: usize) -> Vec<Moment> {
    let run = Run { calculus, realized, reading, entries: entries(calculus) };
    let start = Moment::start(realized.initial.len(), realized.laws.len());
    let mut found: Vec<Moment> = Vec::with_capacity(steps);
    for _ in 0..steps {
        let next = run.next(found.last().unwrap_or(&start), found.len());
        found.push(next);
    }
    found
}

/// Sizes that are no smaller than one step before: nothing comes back.
fn at_least(sizes: Vec<Size>, before: &[Size]) -> Vec<Size> {
    sizes.into_iter().zip(before).map(|(size, before)| size.max(before.clone())).collect()
}

/// How many entries every node has, counting growing axes only.
fn entries(calculus: &Calculus) -> Vec<Size> {
    let graph = calculus.graph();
    let count = |id: NodeId| {
        let lengths = graph.node(id).shape.iter().map(|dim| Size::from(&dim.powers));
        lengths.fold(Size::one(), |product, length| product.mul(&length))
    };
    graph.ids().map(count).collect()
}

/// What all steps have in common.
struct Run<'r, 'g> {
    calculus: &'r Calculus<'g>,
    realized: &'r Realized,
    reading: Reading,
    entries: Vec<Size>,
}

impl Run<'_, '_> {
    /// One step: gradients move parameters, parameters tensors, tensors gradients.
    fn next(&self, last: &Moment, done: usize) -> Moment {
        let initial = &self.realized.initial;
        let gradient = self.reading.joined(&self.realized.fresh, &last.gradient_change);
        let moved = self.moved(&gradient, &last.moved);
        let shares = self.shares(last, &gradient);
        let changes = self.calculus.changes(&self.realized.abc, initial, &moved);
        let own = change::own(changes);
        let full = self.realized.steps.get(done);
        let so_far = full.map(|full| self.reading.joined(initial, &full.change));
        let few_jump = self.reading != Reading::Largest;
        let changes = Changes { own: &own, so_far: so_far.as_deref(), few_jump, ..changes };
        let known = walk::Known {
            changes,
            reading: self.reading,
            full: full.map(|full| &full.change[..]),
            sums: &self.calculus.sums,
            shares: &shares,
            gradient: &gradient,
            entries: &self.entries,
        };
        let (change, work) = walk::changes(known);
        let change = at_least(change, &last.change);
        let (update, propagation) = self.parts(known.with_echo(&work), &change, last);
        let reached = self.reading.joined(initial, &change);
        let gradient_change = back::gradient_changes(back::Known {
            backward: self.moving(&change, &reached),
            reading: self.reading,
            full: full.map(|full| &full.gradient_change[..]),
            echo: known.echo(&work),
            steps: &moved,
        });
        let gradient_change = at_least(gradient_change, &last.gradient_change);
        Moment { gradient_change, update, propagation, change, work, moved }
    }

    /// The pass of changes of gradients.
    fn moving<'a>(&'a self, change: &'a [Size], reached: &'a [Size]) -> Backward<'a, 'a> {
        let Realized { abc, initial, first, fresh, .. } = self.realized;
        let first_order = self.reading != Reading::Largest;
        let motion = Some(Motion { fresh, change, first_order, recoil: None });
        Backward { motion, first, ..self.calculus.backward(abc, initial, reached, When::Training) }
    }

    /// How far parameters are from where they started: as far as before, or by the step that the gradient now makes.
    fn moved(&self, gradient: &[Size], before: &[Size]) -> Vec<Size> {
        let graph = self.calculus.graph();
        let mut moved = before.to_vec();
        for id in graph.ids() {
            let Some(param) = graph.as_param(id).filter(|param| !graph.param(*param).frozen) else {
                continue;
            };
            let factor = (Quantity::Gradient(id), gradient[id.index()].clone());
            let law = &self.realized.laws[param.index()];
            let size = Largest::of(|terms| step(&self.realized.abc, param, law, factor, terms));
            let known = &mut moved[param.index()];
            *known = std::mem::replace(known, Size::Zero).max(size.mul(&self.realized.rate));
        }
        moved
    }

    /// Which share of every operand's inner product goes through which node: with initial weights, as the changes of the weights are another way
    /// in which a tensor moves.
    fn shares(&self, last: &Moment, gradient: &[Size]) -> Shares {
        let graph = self.calculus.graph();
        let Realized { abc, initial, fresh: first, .. } = self.realized;
        let fresh = self.calculus.backward(abc, initial, initial, When::Fresh);
        let reached = reached(initial, &last.change);
        let moving = self.moving(&last.change, &reached);
        let through = |id: NodeId, at: usize| {
            let mut initially = Initially(Largest(Size::Zero));
            fresh.rule(id, at, first, &last.moved, &mut initially);
            moving.rule(id, at, &last.gradient_change, &last.moved, &mut initially);
            share(&initially.0.0, &gradient[graph.node(id).operands[at].index()])
        };
        graph.ids().map(|id| (0..graph.node(id).operands.len()).map(|at| through(id, at)).collect()).collect()
    }

    /// U and P at every use of a parameter, at least what they were.
    fn parts(&self, changes: Changes, change: &[Size], last: &Moment) -> (Vec<Size>, Vec<Size>) {
        let (mut update, mut propagation) = (last.update.clone(), last.propagation.clone());
        for site in &self.calculus.shaped.sites {
            let at = site.node.index();
            let response = self.reading.of(|terms| changes.response(site, change, terms));
            let parts = [changes.update(site, change), response];
            for (known, size) in [&mut update[at], &mut propagation[at]].into_iter().zip(parts) {
                *known = std::mem::replace(known, Size::Zero).max(size);
            }
        }
        (update, propagation)
    }
}

/// Keeps what does not come through a weight's change.
struct Initially(Largest);

impl Terms for Initially {
    fn term(&mut self, rule: Rule, factors: &[Factor]) {
        if rule != Rule::ChangeBackward {
            self.0.term(rule, factors);
        }
    }
}
