//! Changes after O(1) steps: D(x), the size of x_t - x_0.
//!
//! The output of a weight changes by **update** (the weight's change acting on its input, coherent over the whole fan-in) and by
//! **propagation** (the initial weight acting on the change of its input, which training aligns with it). Both are terms of
//! the same product rule that moves attention scores and gates.

use smallvec::{SmallVec, smallvec};

use super::echo::Echo;
use super::forward::{Climbs, in_sum, multiplier, next_of};
use super::repetition::Repetitions;
use super::term::{Factor, Largest, Quantity, Rule, Terms, aligned, coherent, random};
use super::{Size, elementwise};
use crate::abc::Abc;
use crate::dim::Monomial;
use crate::graph::walk::{Semantics, interpret};
use crate::graph::{Block, BlockId, Gate, Graph, Init, NodeId, Op};
use crate::shape::{Shaped, Site};

/// How a parameter's change lines up with its input. The literature splits on it (Everett et al. 2024).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alignment {
    /// Coherent over the whole fan-in: N.
    #[default]
    Full,
    /// As good as independent: N^(1/2).
    None,
}

/// Whether a readout's initial weights line up with changed features (TP-IVb Theorem 2.8.12 against an earlier remark there).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readout {
    /// They do: strict stability.
    #[default]
    Aligned,
    /// They do not: then SP with Adam at learning rate 1/n passes.
    Independent,
}

/// The two conventions on which published stability conditions differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Convention {
    /// Of updates with inputs.
    pub alignment: Alignment,
    /// Of readouts with changed features.
    pub readout: Readout,
}

impl Convention {
    /// What the summed length N of an update counts.
    pub fn update(self, summed: &Monomial) -> Factor {
        match self.alignment {
            Alignment::Full => (Quantity::Coherent, coherent(summed)),
            Alignment::None => (Quantity::Random, random(summed)),
        }
    }

    /// What the fan-in of a site counts in propagation.
    fn propagation(self, site: &Site) -> Factor {
        match self.readout {
            Readout::Independent if site.fan_out.is_one() => (Quantity::Random, random(&site.fan_in)),
            Readout::Independent | Readout::Aligned => {
                (Quantity::Aligned, aligned(&site.fan_in, &site.fan_out))
            }
        }
    }
}

/// What the pass of changes reads.
#[derive(Clone, Copy)]
pub struct Changes<'a, 'g> {
    /// The graph with its sites.
    pub shaped: &'a Shaped<'g>,
    /// The parameterization.
    pub abc: &'a Abc,
    /// |x_0|.
    pub initial: &'a [Size],
    /// The change of every parameter's entries.
    pub steps: &'a [Size],
    /// What lines up with what.
    pub convention: Convention,
    /// The residual streams that grow.
    pub repetitions: &'a Repetitions,
    /// Per node of a growing block: the change that its own repetition's updates make. Empty while that is being found.
    pub own: &'a [Size],
    /// max(|x_0|, D(x)) so far, where it is not to be read off the changes at hand.
    pub so_far: Option<&'a [Size]>,
    /// Whether changes act on initial values only, as in the first step.
    pub first_order: bool,
    /// Whether functions that jump do so for few entries: without the root that many of them have in the mean of squares.
    pub few_jump: bool,
    /// How much of a change lines up with what acts on it. Without it, all that can.
    pub echo: Option<Echo<'a>>,
}

impl Changes<'_, '_> {
    fn change(&self, id: NodeId, changes: &[Size]) -> Factor {
        match self.shaped.view_of[id.index()] {
            Some(param) => (Quantity::Step, self.steps[param.index()].clone()),
            None => (Quantity::Change(id), changes[id.index()].clone()),
        }
    }

    fn reached(&self, id: NodeId, changes: &[Size]) -> Factor {
        let initial = self.initial[id.index()].clone();
        match (self.first_order, self.so_far) {
            (true, _) => (Quantity::Value(id), initial),
            (false, Some(reached)) => (Quantity::Reached(id), initial.max(reached[id.index()].clone())),
            (false, None) => (Quantity::Reached(id), initial.max(self.change(id, changes).1)),
        }
    }

    /// The factor that a change acts on. Step by step, what a weight's change makes of a tensor's is counted as update.
    fn factor(&self, own: NodeId, other: NodeId, changes: &[Size]) -> Factor {
        let is_param = |id: NodeId| self.shaped.view_of[id.index()].is_some();
        match self.echo.is_some() && is_param(other) && !is_param(own) {
            true => (Quantity::Value(other), self.initial[other.index()].clone()),
            false => self.reached(other, changes),
        }
    }

    /// The rule of one node: the terms of D, given the changes of its operands.
    pub fn rule(&self, id: NodeId, changes: &[Size], terms: &mut impl Terms) {
        let graph = self.shaped.graph;
        let node = graph.node(id);
        (0..node.operands.len()).for_each(|at| self.through(id, at, changes, terms));
        if let Op::Param(_) = node.op {
            terms.term(Rule::Step, &[self.change(id, changes)]);
        }
        if self.repetitions.streams.is_residual(id) {
            return self.accumulated(id, changes, terms);
        }
        if let Some(next) = next_of(graph, id).filter(|next| next.index() < changes.len()) {
            terms.term(Rule::PassChange, &[self.change(next, changes)]);
        }
    }

    /// What the repetitions do to the residual stream of a carry: their updates alike, their answers each in its own way.
    fn accumulated(&self, carry: NodeId, changes: &[Size], terms: &mut impl Terms) {
        for &(place, level) in self.repetitions.streams.feeding(carry) {
            let branch = &self.repetitions.streams.branches[place];
            let source = self.shaped.graph.node(branch.add).operands[branch.operand];
            let (times, front) =
                (&self.repetitions.times[place][level], in_sum(self.abc, branch.add, branch.operand));
            let alike = (Quantity::Repetitions, coherent(&times.coherent));
            let own = self.own.get(source.index()).or(changes.get(source.index()));
            let own = (Quantity::OwnChange(source), own.cloned().unwrap_or(Size::Zero));
            terms.term(Rule::AccumulatedChange, &[alike, front.clone(), own]);
            if source.index() < changes.len() {
                let each = (Quantity::RandomRepetitions, times.independent.clone());
                terms.term(Rule::AccumulatedResponse, &[each, front, self.change(source, changes)]);
            }
        }
    }

    /// Whether what jumps does so for many of the entries of a tensor, as a mean of squares sees it.
    fn many_jump(&self, source: NodeId) -> bool {
        self.shaped.infinite[source.index()] && !self.first_order && !self.few_jump
    }

    /// What of the rule comes through the change of one operand.
    pub fn through(&self, id: NodeId, at: usize, changes: &[Size], terms: &mut impl Terms) {
        let graph = self.shaped.graph;
        let node = graph.node(id);
        let source = node.operands[at];
        let (name, size) = self.change(source, changes);
        match &node.op {
            Op::Contract { .. } => self.product(id, at, changes, terms),
            Op::Lookup { .. } if at > 0 => {}
            Op::Add(_) => terms.term(self.pass(source), &[in_sum(self.abc, id, at), (name, size)]),
            Op::Concat { .. } | Op::Lookup { .. } => terms.term(self.pass(source), &[(name, size)]),
            Op::Scale(_) => {
                let factor = (Quantity::Multiplier, multiplier(graph, self.abc, id));
                terms.term(Rule::PassChange, &[factor, (name, size)]);
            }
            Op::Map(func) => {
                let initial = &self.initial[source.index()];
                let moved = elementwise::change(*func, initial, &size, self.many_jump(source));
                terms.term(Rule::PassChange, &[(Quantity::ImageChange(source), moved)]);
            }
            Op::Normalize { .. } => {
                let relative = size.div(&self.initial[source.index()]).min(Size::one());
                terms.term(Rule::PassChange, &[(Quantity::ImageChange(source), relative)]);
            }
            Op::Softmax { axis, log: false } => {
                let share = Size::one().div(&Size::from(&node.shape[*axis].powers));
                let moved = (Quantity::ImageChange(source), size.min(Size::one()));
                terms.term(Rule::PassChange, &[(Quantity::Share, share), moved]);
            }
            Op::Gate(Gate::TopK { .. }) => {
                terms.term(Rule::PassChange, &[(name, size.clone())]);
                // Which entries are the largest jumps, and their shares with them, in no direction that adds up: step by step it is seen, for
                // bounds the scores count as smooth.
                if self.echo.is_some() {
                    let jumps =
                        elementwise::crossing(&self.initial[source.index()], &size, self.many_jump(source));
                    terms.term(Rule::PassChange, &[(Quantity::ImageChange(source), jumps)]);
                }
            }
            Op::Softmax { log: true, .. }
            | Op::Max { .. }
            | Op::Window { .. }
            | Op::Split { .. }
            | Op::Merge { .. }
            | Op::Pick { .. }
            | Op::Gate(_)
            | Op::Carry(_)
            | Op::Exit(_)
            | Op::Step { .. }
            | Op::Collect { .. } => terms.term(Rule::PassChange, &[(name, size)]),
            Op::Data(_) | Op::Param(_) | Op::Constant(_) | Op::Range | Op::RelativeBucket(_) => {}
        }
    }

    /// A parameter that is passed on makes an update of what receives it.
    fn pass(&self, operand: NodeId) -> Rule {
        if self.shaped.view_of[operand.index()].is_some() { Rule::Update } else { Rule::PassChange }
    }

    /// The change of one factor times the other factor.
    fn product(&self, id: NodeId, at: usize, changes: &[Size], terms: &mut impl Terms) {
        let node = self.shaped.graph.node(id);
        let own = node.operands[at];
        let other = (0..node.operands.len()).find(|other| *other != at);
        let through = other.and_then(|other| self.shaped.site_at(id, other));
        if let Some(site) =
            through.filter(|site| self.is_random(site) && self.shaped.view_of[own.index()].is_none())
        {
            return self.propagation(site, own, changes, terms);
        }
        let rule = match self.shaped.view_of[own.index()] {
            Some(_) => Rule::Update,
            None => Rule::ProductChange,
        };
        let factor = (Quantity::Multiplier, multiplier(self.shaped.graph, self.abc, id));
        let mut factors: SmallVec<[Factor; 4]> = smallvec![factor, self.change(own, changes)];
        factors.extend(other.map(|other| self.factor(own, node.operands[other], changes)));
        let summed = self.summed(id);
        let most = match rule {
            Rule::Update => self.convention.update(&summed),
            _ => (Quantity::Coherent, coherent(&summed)),
        };
        match (self.echo, rule) {
            (Some(echo), Rule::ProductChange) => echo.terms(id, at, rule, (&factors, most), terms),
            _ => {
                factors.push(most);
                terms.term(rule, &factors);
            }
        }
    }

    fn is_random(&self, site: &Site) -> bool {
        self.shaped.graph.param(site.param).init == Init::Random
    }

    fn summed(&self, id: NodeId) -> Monomial {
        self.shaped.reach[id.index()].as_ref().map_or_else(Monomial::one, |reach| reach.summed.clone())
    }

    /// W_0 acting on the change of its input.
    fn propagation(&self, site: &Site, input: NodeId, changes: &[Size], terms: &mut impl Terms) {
        let source = self.shaped.graph.node(site.node).operands[site.operand];
        let factors = [
            (Quantity::Multiplier, multiplier(self.shaped.graph, self.abc, site.node)),
            (Quantity::Entry, self.initial[source.index()].clone()),
            self.change(input, changes),
        ];
        let most = self.convention.propagation(site);
        match self.echo {
            Some(echo) => {
                let at = usize::from(site.operand == 0);
                echo.terms(site.node, at, Rule::Propagation, (&factors, most), terms);
            }
            None => {
                let [multiplier, entry, change] = factors;
                terms.term(Rule::Propagation, &[multiplier, entry, most, change]);
            }
        }
    }

    /// P at a site: what the initial weight makes of the change of the other operand. Nothing where it is only added or looked up.
    pub fn response(&self, site: &Site, changes: &[Size], terms: &mut impl Terms) {
        let node = self.shaped.graph.node(site.node);
        let other = (0..node.operands.len()).find(|other| *other != site.operand);
        if let (Op::Contract { .. }, Some(other)) = (&node.op, other) {
            Changes { first_order: true, ..*self }.through(site.node, other, changes, terms);
        }
    }

    /// U at a site: what the parameter's change does to the result.
    pub fn update(&self, site: &Site, changes: &[Size]) -> Size {
        self.only(site.node, changes, Rule::Update)
    }

    /// The largest term of a node's rule that comes from one rule.
    pub fn only(&self, id: NodeId, changes: &[Size], rule: Rule) -> Size {
        let mut selected = Selected { rule, size: Size::Zero };
        self.rule(id, changes, &mut selected);
        selected.size
    }
}

struct Selected {
    rule: Rule,
    size: Size,
}

impl Terms for Selected {
    fn term(&mut self, rule: Rule, factors: &[Factor]) {
        if rule == self.rule {
            let size = super::term::product(factors);
            self.size = std::mem::replace(&mut self.size, Size::Zero).max(size);
        }
    }
}

/// The change of every tensor of a growing block that the updates of its own repetition make.
pub fn own(changes: Changes) -> Vec<Size> {
    let graph = changes.shaped.graph;
    if changes.repetitions.times.is_empty() {
        return Vec::new();
    }
    let Ok(values) = interpret(graph, &mut Own { changes });
    values
}

struct Own<'a, 'g> {
    changes: Changes<'a, 'g>,
}

impl Semantics for Own<'_, '_> {
    type Value = Size;
    type Error = std::convert::Infallible;

    fn apply(&mut self, graph: &Graph, id: NodeId, values: &[Size]) -> Result<Size, Self::Error> {
        let streams = &self.changes.repetitions.streams;
        if streams.block[id.index()].is_none() || streams.on_path[id.index()] {
            return Ok(Size::Zero);
        }
        let carried = match graph.node(id).op {
            Op::Exit(block) => graph.block(block).carried.iter().find(|carried| carried.exit == id),
            _ => None,
        };
        Ok(Largest::of(|terms| match carried.filter(|carried| streams.is_residual(carried.carry)) {
            Some(carried) => {
                terms.term(Rule::PassChange, &[self.changes.change(carried.enter, values)]);
                self.changes.accumulated(carried.carry, values, terms);
            }
            None => self.changes.rule(id, values, terms),
        }))
    }
}

/// D of every tensor.
pub fn sizes(changes: Changes) -> Vec<Size> {
    let mut walk = Walk { changes, climbs: Climbs::new(changes.shaped.graph, changes.repetitions) };
    let Ok(values) = interpret(changes.shaped.graph, &mut walk);
    values
}

struct Walk<'a, 'g> {
    changes: Changes<'a, 'g>,
    climbs: Climbs,
}

impl Semantics for Walk<'_, '_> {
    type Value = Size;
    type Error = std::convert::Infallible;

    fn apply(&mut self, graph: &Graph, id: NodeId, values: &[Size]) -> Result<Size, Self::Error> {
        let size = Largest::of(|terms| self.changes.rule(id, values, terms));
        Ok(self.climbs.keep(graph, id, values, size))
    }

    fn repeat(&mut self, _: &Graph, id: BlockId, block: &Block, values: &mut [Size]) -> bool {
        let rule =
            |carry: NodeId, values: &[Size]| Largest::of(|terms| self.changes.rule(carry, values, terms));
        self.climbs.take_round_by(id, block, values, rule)
    }

    fn settle(&mut self, _: &Graph, id: BlockId, block: &Block, values: &mut [Size]) -> bool {
        self.climbs.settle_round(id, block, values)
    }
}
