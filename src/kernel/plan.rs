//! Which pairs of nodes a kernel needs, in which order, and the rule of each.
//!
//! A pair (i, j) holds the expectation of (node i at x) times (node j at x') in one channel, for every position of the one and every position of
//! the other, and beside it the tangent: the inner product of their derivatives by all weights, as a sum over weights of forward times backward
//! covariance. A rule writes a pair in terms of earlier ones (Yang 2019, arXiv 1910.12478; 2020, arXiv 2006.14548). Pairs are found from the
//! output backwards, so that nothing is computed that nobody reads; where only equal positions are read, only those are kept.

mod rules;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::build::NoLimit;
use super::cells::Cells;
use super::node::{Kind, Node, Place, Sampled};
use super::sparse::Sparse;

/// A node at x and a node at x'.
pub(super) type Pair = (Place, Place);

/// Which of the two nodes a rule takes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// How a pair is computed.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// The number one at both.
    One,
    /// A sum of pairs whose positions on one side are read through maps.
    Sum { side: Side, terms: Vec<(Pair, Option<Arc<Sparse>>, f64)> },
    /// Divided by the deviation of one side after its mean is subtracted.
    Normalized { side: Side, node: Place, pair: Pair, mean: Option<Pair> },
    /// Positions of one side mixed by its pattern.
    Mixed { side: Side, node: Place, pair: Pair },
    /// A fixed node on one side times the mean of the other.
    Fixed { side: Side, node: Place, pair: Pair },
    /// The value without its tangent.
    Stopped { pair: Pair },
    /// Two contractions of one weight with fixed sources: a matrix of inner products.
    Gram,
    /// Two contractions of one weight with random sources.
    Contraction { pair: Pair },
    /// One parameter with itself.
    Vector,
    /// One table with itself.
    Table,
    /// Functions of several Gaussians: means over draws, from the pairs of these.
    Sampled { pairs: Vec<Pair> },
    /// Two functions of correlated Gaussians. Behind a trained gain the tangent of the argument holds this factor times (argument at x) (at x'),
    /// channel by channel.
    Dual { pair: Pair, gain: Option<f64> },
    /// A function of a Gaussian (on this side) with a Gaussian: Stein's lemma.
    Stein { side: Side, pair: Pair },
    /// The mean of a function of a Gaussian; the other node is the number one.
    Mean { side: Side },
    /// The mean of a parameter that starts as a constant.
    Constant { value: f64 },
    /// Two independent nodes: the product of their means.
    Outer { left: Pair, right: Pair },
    /// Sums of products of two pairs.
    Product { factors: Vec<(Pair, Pair)> },
    /// Two mixtures by the softmax of random scores: means over draws of the scores.
    Attended { scores: Pair, values: Pair },
}

/// What is read of a pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Demand {
    /// Which positions.
    pub cells: Cells,
    /// Its tangent, too.
    pub tangent: bool,
}

/// One pair, to be computed after all it reads.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub pair: Pair,
    pub demand: Demand,
    pub rule: Rule,
    /// The last step that reads it.
    pub last: usize,
}

/// The pairs of a kernel in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub steps: Vec<Step>,
    pub index: HashMap<Pair, usize>,
    /// Functions whose mean is read.
    pub means: BTreeSet<Place>,
    /// Functions whose mean slope is read.
    pub slopes: BTreeSet<Place>,
    /// Functions of which two stand in a dual.
    pub duals: BTreeSet<Place>,
    /// Functions that stand behind trained gains.
    pub gains: BTreeSet<Place>,
}

type Key = (Place, Place, Pair);

/// What is known of the nodes while pairs are found.
pub(super) struct Planner<'a> {
    pub nodes: &'a [Node],
    /// Per node: the weights whose Gaussians it is a function of.
    leaves: Vec<BTreeSet<usize>>,
    /// Per node: whether its mean is zero for all inputs.
    centred: Vec<bool>,
    label: &'a dyn Fn(Place) -> String,
    open: BTreeMap<Key, Demand>,
}

/// A node as functions of Gaussians: itself, or an elementwise function of one.
pub(super) fn formulas(nodes: &[Node], place: Place) -> Option<Cow<'_, Sampled>> {
    match &nodes[place].kind {
        Kind::Sampled(own) => Some(Cow::Borrowed(own)),
        Kind::Map { func, argument } => {
            Some(Cow::Owned(Sampled::of_map(*func, *argument, nodes[place].size)))
        }
        _ => None,
    }
}

/// The weights whose Gaussians every node is a function of.
pub(super) fn leaves(nodes: &[Node]) -> Vec<BTreeSet<usize>> {
    let mut found: Vec<BTreeSet<usize>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let own = leaves_of(node, &found);
        found.push(own);
    }
    found
}

/// The same of one node, given those before it.
pub(super) fn leaves_of(node: &Node, before: &[BTreeSet<usize>]) -> BTreeSet<usize> {
    match &node.kind {
        Kind::Fixed(_) => BTreeSet::new(),
        Kind::Contraction(own) => BTreeSet::from([own.weight.id]),
        Kind::Vector(weight) | Kind::Table { weight, .. } => BTreeSet::from([weight.id]),
        Kind::Map { argument, .. }
        | Kind::Normalized { argument, .. }
        | Kind::Mixed { argument, .. }
        | Kind::Stopped(argument) => before[*argument].clone(),
        Kind::Sum(terms) => terms.iter().flat_map(|term| before[term.node].iter().copied()).collect(),
        Kind::Sampled(own) => own.nodes().iter().flat_map(|place| before[*place].iter().copied()).collect(),
        Kind::Product(left, right) | Kind::Scores(left, right) => {
            before[*left].union(&before[*right]).copied().collect()
        }
        Kind::Pattern(own) => before[own.scores].clone(),
        Kind::Attended(own) => before[own.scores].union(&before[own.values]).copied().collect(),
    }
}

fn centred(nodes: &[Node]) -> Vec<bool> {
    let mut found: Vec<bool> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let own = node.gaussian
            || match &node.kind {
                Kind::Map { func, argument } => func.law().odd && nodes[*argument].gaussian,
                Kind::Sum(terms) => terms.iter().all(|term| found[term.node]),
                Kind::Normalized { argument, centred, .. } => *centred || found[*argument],
                Kind::Mixed { argument, .. } | Kind::Stopped(argument) => found[*argument],
                Kind::Product(left, right) => found[*left] || found[*right],
                Kind::Attended(own) => found[own.values],
                Kind::Fixed(_)
                | Kind::Contraction(_)
                | Kind::Vector(_)
                | Kind::Table { .. }
                | Kind::Scores(..)
                | Kind::Pattern(_)
                | Kind::Sampled(_) => false,
            };
        found.push(own);
    }
    found
}

impl<'a> Planner<'a> {
    pub fn new(nodes: &'a [Node], label: &'a dyn Fn(Place) -> String) -> Planner<'a> {
        Planner { nodes, leaves: leaves(nodes), centred: centred(nodes), label, open: BTreeMap::new() }
    }

    /// Asks for a pair.
    pub fn demand(&mut self, pair: Pair, demand: Demand) {
        if self.is_zero(pair) {
            return;
        }
        let key = (pair.0.max(pair.1), pair.0.min(pair.1), pair);
        let sizes = self.sizes(pair);
        let cells = if sizes == (1, 1) { Cells::All } else { demand.cells };
        let known = self.open.entry(key).or_insert(Demand { cells: cells.clone(), tangent: false });
        known.cells = known.cells.with(&cells, sizes);
        known.tangent |= demand.tangent;
    }

    /// How many positions both have.
    fn sizes(&self, pair: Pair) -> (usize, usize) {
        (self.nodes[pair.0].size, self.nodes[pair.1].size)
    }

    /// Whether both expectation and tangent of a pair are zero for all inputs.
    pub fn is_zero(&self, (left, right): Pair) -> bool {
        !self.related(left, right) && (self.centred[left] || self.centred[right])
    }

    /// Whether two nodes are functions of Gaussians with common weights.
    fn related(&self, left: Place, right: Place) -> bool {
        !self.leaves[left].is_disjoint(&self.leaves[right])
    }

    /// Finds all pairs behind those that were asked for.
    pub fn plan(mut self) -> Result<Plan, NoLimit> {
        let mut found: Vec<(Key, Demand, Rule)> = Vec::new();
        let mut plan = Plan::default();
        while let Some((key, demand)) = self.open.pop_last() {
            let rule = self.rule(key.2, demand.tangent)?;
            self.note(key.2, &rule, &mut plan);
            for (pair, demand) in self.reads(key.2, &rule, &demand) {
                self.demand(pair, demand);
            }
            found.push((key, demand, rule));
        }
        found.reverse();
        for (at, (key, demand, rule)) in found.into_iter().enumerate() {
            plan.index.insert(key.2, at);
            plan.steps.push(Step { pair: key.2, demand, rule, last: usize::MAX });
        }
        for at in 0..plan.steps.len() {
            for pair in pairs(&plan.steps[at].rule) {
                if let Some(read) = plan.index.get(&pair) {
                    plan.steps[*read].last = at;
                }
            }
        }
        Ok(plan)
    }

    fn note(&self, (left, right): Pair, rule: &Rule, plan: &mut Plan) {
        let own = |side: &Side| if *side == Side::Left { left } else { right };
        match rule {
            Rule::Mean { side } => drop(plan.means.insert(own(side))),
            Rule::Stein { side, .. } => drop(plan.slopes.insert(own(side))),
            Rule::Dual { gain, .. } => {
                plan.duals.extend([left, right]);
                plan.gains.extend(gain.map(|_| left));
            }
            _ => {}
        }
    }
}

/// The pairs that a rule reads.
pub(super) fn pairs(rule: &Rule) -> Vec<Pair> {
    match rule {
        Rule::One | Rule::Gram | Rule::Vector | Rule::Table | Rule::Mean { .. } | Rule::Constant { .. } => {
            Vec::new()
        }
        Rule::Sum { terms, .. } => terms.iter().map(|term| term.0).collect(),
        Rule::Normalized { pair, mean, .. } => [Some(*pair), *mean].into_iter().flatten().collect(),
        Rule::Mixed { pair, .. }
        | Rule::Fixed { pair, .. }
        | Rule::Stopped { pair }
        | Rule::Contraction { pair }
        | Rule::Dual { pair, .. }
        | Rule::Stein { pair, .. } => vec![*pair],
        Rule::Outer { left, right } => vec![*left, *right],
        Rule::Sampled { pairs } => pairs.clone(),
        Rule::Attended { scores, values } => vec![*scores, *values],
        Rule::Product { factors } => factors.iter().flat_map(|(one, other)| [*one, *other]).collect(),
    }
}
