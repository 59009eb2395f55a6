//! Following sizes back, rule by rule.

use std::collections::{HashMap, HashSet};

use super::grounds::{self, Alternatives};
use super::{Step, TermLine, words};
use crate::graph::{Graph, NodeId, Op};
use crate::size::Size;
use crate::size::analysis::{Calculus, Sizes};
use crate::size::backward::{Backward, When};
use crate::size::term::{Quantity, Record, Rule, Term};

/// A size that is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Goal {
    /// |x_0|.
    Value(NodeId),
    /// D(x).
    Change(NodeId),
    /// G at initialization.
    Fresh(NodeId),
    /// G in training.
    Gradient(NodeId),
}

impl Goal {
    fn node(self) -> NodeId {
        match self {
            Goal::Value(id) | Goal::Change(id) | Goal::Fresh(id) | Goal::Gradient(id) => id,
        }
    }
}

/// All sizes, ready to be followed back.
pub struct Chain<'a, 'g> {
    calculus: &'a Calculus<'g>,
    sizes: &'a Sizes,
}

impl<'a, 'g> Chain<'a, 'g> {
    /// The sizes of one analysis.
    pub fn new(calculus: &'a Calculus<'g>, sizes: &'a Sizes) -> Self {
        Chain { calculus, sizes }
    }

    fn graph(&self) -> &'g Graph {
        self.calculus.graph()
    }

    fn size(&self, goal: Goal) -> &Size {
        let table = match goal {
            Goal::Value(_) => &self.sizes.initial,
            Goal::Change(_) => &self.sizes.change,
            Goal::Fresh(_) => &self.sizes.fresh,
            Goal::Gradient(_) => &self.sizes.gradient,
        };
        &table[goal.node().index()]
    }

    /// The terms of the rule behind a size.
    fn terms(&self, goal: Goal) -> Vec<Term> {
        let mut record = Record::default();
        let (calculus, sizes) = (self.calculus, self.sizes);
        match goal {
            Goal::Value(id) => {
                calculus.forward(&sizes.abc).rule(id, &sizes.initial, &mut record);
            }
            Goal::Change(id) => sizes.changes(calculus).rule(id, &sizes.change, &mut record),
            Goal::Fresh(id) => self.gradient_terms(id, When::Fresh, &mut record),
            Goal::Gradient(id) => self.gradient_terms(id, When::Training, &mut record),
        }
        record.0.retain(|term| !term.size.is_zero());
        record.0
    }

    fn gradient_terms(&self, id: NodeId, when: When, record: &mut Record) {
        let one = (Quantity::Constant, Size::one());
        if self.calculus.is_output[id.index()] {
            return record.0.push(Term {
                rule: Rule::Loss,
                factors: [one].into_iter().collect(),
                size: Size::one(),
            });
        }
        let (sizes, initial) = (self.sizes, &self.sizes.initial);
        let (table, reached) = match when {
            When::Fresh => (&sizes.fresh, initial),
            When::Training => (&sizes.gradient, &sizes.reached),
        };
        let backward = self.calculus.backward(&sizes.abc, initial, reached, when);
        let backward = Backward { first: &sizes.first, ..backward }.beginning_at(id);
        for (consumer, at) in self.graph().consumers(id) {
            backward.rule(consumer, at, table, &sizes.steps, record);
        }
        for carry in carried_into(self.graph(), id) {
            let factor = match when {
                When::Fresh => (Quantity::FreshGradient(carry), table[carry.index()].clone()),
                When::Training => (Quantity::Gradient(carry), table[carry.index()].clone()),
            };
            crate::size::term::Terms::term(record, Rule::PassBackward, &[factor]);
        }
    }

    /// What a term's factors rest on.
    fn premises(&self, term: &Term) -> Vec<Goal> {
        let goal = |(quantity, _): &(Quantity, Size)| match *quantity {
            Quantity::Value(id) | Quantity::Image(id) => Some(Goal::Value(id)),
            Quantity::Change(id) | Quantity::ImageChange(id) => Some(Goal::Change(id)),
            Quantity::FreshGradient(id) => Some(Goal::Fresh(id)),
            Quantity::Gradient(id) => Some(Goal::Gradient(id)),
            Quantity::Reached(id) if *self.size(Goal::Change(id)) > *self.size(Goal::Value(id)) => {
                Some(Goal::Change(id))
            }
            Quantity::Reached(id) => Some(Goal::Value(id)),
            _ => None,
        };
        let mut goals: Vec<Goal> = term.factors.iter().filter_map(goal).collect();
        goals.retain(|goal| self.calculus.shaped.view_of[goal.node().index()].is_none());
        goals
    }

    /// The steps that lead to a size, premises first, each once.
    pub fn steps(&self, goal: Goal) -> Vec<Step> {
        let (steps, circular) = self.ordered(goal, |_, terms| largest(terms));
        if !circular {
            return self.shorten(steps);
        }
        let alternatives = self.alternatives(goal);
        let order = grounds::order(&alternatives);
        let premises: HashMap<Goal, _> = alternatives.into_iter().collect();
        let grounded = |goal: Goal, terms: &[Term]| {
            let place = grounds::first_grounded(goal, premises.get(&goal)?, &order)?;
            equally_large(terms).nth(place)
        };
        let (steps, _) = self.ordered(goal, |goal, terms| grounded(goal, terms).or_else(|| largest(terms)));
        self.shorten(steps)
    }

    /// The steps for one choice of the term that explains each size, and whether some size then rests on itself.
    fn ordered(&self, goal: Goal, choose: impl Fn(Goal, &[Term]) -> Option<usize>) -> (Vec<Step>, bool) {
        let mut done: HashMap<Goal, bool> = HashMap::new();
        let mut steps = Vec::new();
        let mut circular = false;
        let mut stack = vec![(goal, false)];
        while let Some((goal, ready)) = stack.pop() {
            if let (false, Some(written)) = (ready, done.get(&goal)) {
                circular |= !written;
                continue;
            }
            let terms = self.terms(goal);
            let Some(chosen) = choose(goal, &terms) else {
                steps.push(self.nothing(goal));
                done.insert(goal, true);
                continue;
            };
            done.insert(goal, ready);
            if ready {
                steps.push(self.step(goal, &terms, chosen));
            } else {
                stack.push((goal, true));
                stack.extend(self.premises(&terms[chosen]).into_iter().rev().map(|goal| (goal, false)));
            }
        }
        (steps, circular)
    }

    /// Every goal that one of the largest terms may lead to, with the premises of these terms.
    fn alternatives(&self, goal: Goal) -> Alternatives<Goal> {
        let mut found = Alternatives::new();
        let mut seen = HashSet::new();
        let mut stack = vec![goal];
        while let Some(goal) = stack.pop() {
            if !seen.insert(goal) {
                continue;
            }
            let terms = self.terms(goal);
            let premises: Vec<Vec<Goal>> =
                equally_large(&terms).map(|at| self.premises(&terms[at])).collect();
            stack.extend(premises.iter().flatten());
            found.push((goal, premises));
        }
        found
    }

    fn step(&self, goal: Goal, terms: &[Term], largest: usize) -> Step {
        let line = |(at, term): (usize, &Term)| TermLine {
            factors: telling(term).map(|factor| self.factor(goal, term.rule, factor)).collect(),
            size: words(self.graph(), &term.size),
            largest: at == largest,
        };
        Step {
            quantity: self.quantity(goal),
            size: words(self.graph(), self.size(goal)),
            rule: terms[largest].rule.statement(),
            source: terms[largest].rule.source(),
            terms: terms.iter().enumerate().map(line).collect(),
            through: Vec::new(),
        }
    }

    fn nothing(&self, goal: Goal) -> Step {
        let rule = match goal {
            Goal::Value(_) => "zero at initialization",
            Goal::Change(_) => "nothing before it changes",
            Goal::Fresh(_) | Goal::Gradient(_) => "no gradient reaches it",
        };
        let size = words(self.graph(), self.size(goal));
        Step { quantity: self.quantity(goal), size, rule, source: "", terms: Vec::new(), through: Vec::new() }
    }

    fn quantity(&self, goal: Goal) -> String {
        let label = self.calculus.label(goal.node());
        match goal {
            Goal::Value(_) => format!("|{label}|"),
            Goal::Change(_) => format!("D({label})"),
            Goal::Fresh(_) => format!("G0({label})"),
            Goal::Gradient(_) => format!("G({label})"),
        }
    }

    fn factor(&self, goal: Goal, rule: Rule, (quantity, size): &(Quantity, Size)) -> (String, String) {
        let label = |id: &NodeId| self.calculus.label(*id);
        let name = match quantity {
            Quantity::Multiplier => "multiplier".into(),
            Quantity::Entry => format!("entries of {}", self.weight(goal)),
            Quantity::Value(id) if self.calculus.shaped.view_of[id.index()].is_some() => {
                format!("entries of {}", label(id))
            }
            Quantity::Reached(id) if self.calculus.shaped.view_of[id.index()].is_some() => {
                format!("entries of {}", label(id))
            }
            Quantity::Value(id) | Quantity::Reached(id) => format!("|{}|", label(id)),
            Quantity::Change(id) => format!("D({})", label(id)),
            Quantity::Image(id) => format!("phi(|{}|)", label(id)),
            Quantity::ImageChange(id) => format!("phi(D({}))", label(id)),
            Quantity::Step => format!("change of {}", self.weight(goal)),
            Quantity::FreshGradient(id) => format!("G0({})", label(id)),
            Quantity::Gradient(id) => format!("G({})", label(id)),
            Quantity::GradientChange(id) => format!("dG({})", label(id)),
            Quantity::Turn(id) => format!("turn({})", label(id)),
            Quantity::Echo(id) => format!("<G, D>({})", label(id)),
            Quantity::Recoil(id) => format!("<dG, x>({})", label(id)),
            Quantity::Coherent => "N".into(),
            Quantity::Random => "N^1/2".into(),
            Quantity::Aligned => "N^1/2 max(1, N/M)^1/2".into(),
            Quantity::OwnChange(id) => format!("own D({})", label(id)),
            Quantity::Repetitions => "L".into(),
            Quantity::RandomRepetitions => "L^1/2".into(),
            Quantity::OwnEntry => format!("initial entries of {}", self.weight(goal)),
            Quantity::ShapeFactor => "shape".into(),
            Quantity::Broadcast => "M".into(),
            Quantity::RandomBroadcast => "M^1/2".into(),
            Quantity::AlignedBack => "M^1/2 max(1, M/N)^1/2".into(),
            Quantity::Slope => "slope".into(),
            Quantity::Normalizer => "1/|input|".into(),
            Quantity::Share => "1/K".into(),
            Quantity::Constant if rule == Rule::Step => "learning rate".into(),
            Quantity::Constant => "1".into(),
        };
        (name, words(self.graph(), size))
    }

    /// The parameter that acts where a size is made.
    fn weight(&self, goal: Goal) -> String {
        let nodes: Vec<NodeId> = match goal {
            Goal::Value(id) | Goal::Change(id) => vec![id],
            Goal::Fresh(id) | Goal::Gradient(id) => {
                self.graph().consumers(id).map(|(consumer, _)| consumer).collect()
            }
        };
        let mut paths: Vec<&str> = Vec::new();
        for id in nodes {
            let own = self.graph().as_param(id).map(|param| self.graph().param(param).path.as_str());
            let count = self.graph().node(id).operands.len();
            let sites = (0..count).filter_map(|operand| self.calculus.shaped.site_at(id, operand));
            paths.extend(
                own.into_iter().chain(sites.map(|site| self.graph().param(site.param).path.as_str())),
            );
        }
        paths.dedup();
        paths.join(" / ")
    }

    /// Joins steps that only pass a size on to the one that they pass it to.
    fn shorten(&self, steps: Vec<Step>) -> Vec<Step> {
        let mut short: Vec<Step> = Vec::new();
        let last = steps.len();
        for (at, step) in steps.into_iter().enumerate() {
            let trivial = step.terms.len() == 1 && step.terms[0].factors.len() == 1 && at + 1 < last;
            let follows =
                |before: &Step| step.terms[0].factors[0].0 == before.quantity && before.size == step.size;
            match short.last_mut() {
                Some(before) if trivial && follows(before) => {
                    before.through.push(before.quantity.clone());
                    before.quantity = step.quantity;
                }
                _ => short.push(step),
            }
        }
        short
    }
}

/// The factors of a term that are worth showing: multipliers and lengths only where they are not 1.
fn telling(term: &Term) -> impl Iterator<Item = &(Quantity, Size)> {
    use Quantity::{Broadcast, Coherent, Multiplier, Random, RandomBroadcast, Slope};
    let plain =
        |quantity| matches!(quantity, Multiplier | Broadcast | RandomBroadcast | Coherent | Random | Slope);
    term.factors.iter().filter(move |(quantity, size)| !(plain(*quantity) && size.is_one()))
}

/// The terms that are as large as the largest one.
fn equally_large(terms: &[Term]) -> impl Iterator<Item = usize> {
    let most = largest(terms);
    (0..terms.len()).filter(move |at| most.is_some_and(|most| terms[*at].size == terms[most].size))
}

fn largest(terms: &[Term]) -> Option<usize> {
    (0..terms.len()).rev().max_by(|a, b| terms[*a].size.cmp(&terms[*b].size))
}

/// The streams that take up a value at the end of a repetition.
fn carried_into(graph: &Graph, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
    let block = graph.block_of(graph.node(id).scope);
    let carried = block.into_iter().flat_map(|block| &graph.block(block).carried);
    carried
        .filter(move |carried| carried.next == id && matches!(graph.node(carried.carry).op, Op::Carry(_)))
        .map(|carried| carried.carry)
}
