//! What can be said of a parameterization: stable or not, trivial, feature learning or kernel, and which tensor or parameter is to blame.
//!
//! For perceptrons trained by gradient descent this agrees with TP-IV Definition 3.2 and Theorems 3.3-3.8, and for
//! entrywise-normalized optimizers with TP-IVb section 2.8, at every rational exponent (property tests).

use std::collections::HashSet;
use std::fmt;

use crate::graph::{Graph, Init, NodeId, Op, ParamId};
use crate::rational::Rational;
use crate::shape::Site;
use crate::size::Size;
use crate::size::analysis::{Calculus, Sizes, exceeds};
use crate::size::forward::{in_sum, multiplier, next_of};
use crate::size::target::Bound;
use crate::size::term::{Rule, coherent};

/// What a parameterization does in the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// A preactivation is not Θ(1), or something grows, before the first step.
    UnstableAtInit,
    /// Something changes by more than it may.
    UnstableInTraining,
    /// Only the logits diverge, and only because the readout's initial weights act on changed features.
    ControlledDivergence,
    /// The logits do not move.
    Trivial,
    /// Stable and moving, with features that do not move.
    Kernel,
    /// Stable and moving, with features that move.
    FeatureLearning,
}

impl Verdict {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::UnstableAtInit => "unstable at initialization",
            Verdict::UnstableInTraining => "unstable in training",
            Verdict::ControlledDivergence => "controlled divergence",
            Verdict::Trivial => "trivial",
            Verdict::Kernel => "kernel",
            Verdict::FeatureLearning => "feature learning",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How far a parameter moves the tensors that it acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Movement {
    /// As far as it may.
    Maximal,
    /// Less.
    Lazy,
    /// Further than it may.
    Exploding,
    /// It is not trained.
    Frozen,
    /// No gradient reaches it.
    Still,
}

impl Movement {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Movement::Maximal => "maximal",
            Movement::Lazy => "lazy",
            Movement::Exploding => "exploding",
            Movement::Frozen => "frozen",
            Movement::Still => "no gradient",
        }
    }
}

/// What is found about one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamVerdict {
    /// The parameter.
    pub param: ParamId,
    /// How it moves its tensors.
    pub movement: Movement,
    /// U, relative to what its tensors may change: n^-r_l if it is lazy.
    pub update: Size,
    /// P at its uses where a wide layer ends: whether the readout is initialized maximally.
    pub propagation: Option<Size>,
}

/// What is wrong at one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// It is larger at initialization than it may be.
    GrowsAtInit,
    /// It is a preactivation that vanishes at initialization.
    VanishesAtInit,
    /// It changes by more than it may.
    ChangesTooMuch,
}

/// One tensor that is out of bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The tensor.
    pub node: NodeId,
    /// What is wrong.
    pub fault: Fault,
    /// Its size.
    pub size: Size,
    /// What it should be.
    pub allowed: Size,
    /// The rule that makes it so large, for changes.
    pub through: Option<Rule>,
}

/// Everything that is found about a parameterization.
#[derive(Clone, Debug)]
pub struct Classification {
    /// The verdict.
    pub verdict: Verdict,
    /// D of the logits.
    pub output_change: Size,
    /// D of the last hidden representation: n^-r.
    pub feature_change: Size,
    /// Where that was read.
    pub features: Vec<NodeId>,
    /// Tensors out of bounds: first those where it starts, then those that only pass it on, both in topological order.
    pub problems: Vec<Problem>,
    /// What is found about every parameter.
    pub params: Vec<ParamVerdict>,
}

impl Classification {
    /// Neither initialization nor training blows up.
    pub fn is_stable(&self) -> bool {
        match self.verdict {
            Verdict::UnstableAtInit | Verdict::UnstableInTraining | Verdict::ControlledDivergence => false,
            Verdict::Trivial | Verdict::Kernel | Verdict::FeatureLearning => true,
        }
    }

    /// The logits move.
    pub fn is_nontrivial(&self) -> bool {
        !self.output_change.vanishes()
    }

    /// Whether every trained parameter moves its tensors as far as it may.
    pub fn is_maximal(&self) -> bool {
        self.params.iter().all(|param| matches!(param.movement, Movement::Maximal | Movement::Frozen))
    }
}

/// Classifies a parameterization from its sizes.
pub fn classify(calculus: &Calculus, sizes: &Sizes) -> Classification {
    let graph = calculus.graph();
    let mut problems = at_init(calculus, &sizes.initial);
    let starts_badly = !problems.is_empty();
    let moving = in_training(calculus, sizes);
    let largest =
        |ids: &[NodeId]| ids.iter().map(|id| sizes.change[id.index()].clone()).max().unwrap_or(Size::Zero);
    let features = frontier(calculus);
    let (output_change, feature_change) = (largest(&graph.outputs), largest(&features));
    let verdict = match (starts_badly, moving.is_empty()) {
        (true, _) => Verdict::UnstableAtInit,
        (false, false)
            if sizes.settled && moving.iter().all(|problem| is_controlled(calculus, sizes, problem)) =>
        {
            Verdict::ControlledDivergence
        }
        (false, false) => Verdict::UnstableInTraining,
        (false, true) if !sizes.settled => Verdict::UnstableInTraining,
        (false, true) if output_change.vanishes() => Verdict::Trivial,
        (false, true) if feature_change.vanishes() => Verdict::Kernel,
        (false, true) => Verdict::FeatureLearning,
    };
    problems.extend(moving);
    origins_first(graph, &mut problems);
    let params = graph.param_ids().map(|(param, _)| judge(calculus, sizes, param)).collect();
    Classification { verdict, output_change, feature_change, features, problems, params }
}

/// Puts the problems that no other one has caused first: tensors whose operands are within bounds. What comes round in a repetition comes
/// last.
fn origins_first(graph: &Graph, problems: &mut [Problem]) {
    let faulty: HashSet<NodeId> = problems.iter().map(|problem| problem.node).collect();
    problems.sort_by_key(|problem| {
        let operands = &graph.node(problem.node).operands;
        let back = next_of(graph, problem.node).is_some_and(|next| faulty.contains(&next));
        let caused = operands.iter().any(|operand| faulty.contains(operand));
        (problem.fault == Fault::ChangesTooMuch, caused || back, back)
    });
}

/// Tensors of the network proper: neither parameters nor rearranged parameters nor parts of the loss.
pub fn tensors<'c>(calculus: &'c Calculus) -> impl Iterator<Item = NodeId> + 'c {
    calculus
        .graph()
        .ids()
        .filter(|id| calculus.before_loss[id.index()] && calculus.shaped.view_of[id.index()].is_none())
}

/// What is wrong before the first step, for given sizes at initialization, in topological order.
pub fn at_init(calculus: &Calculus, initial: &[Size]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut excused = vec![false; calculus.graph().len()];
    for id in tensors(calculus) {
        let own = &initial[id.index()];
        let inherited = inherited(calculus, initial, id, &excused);
        let site = preactivation(calculus, id).filter(|_| !into_normalization(calculus, id));
        let least = site.map(|site| inherited.clone().unwrap_or_else(Size::one).mul(&narrowing(site)));
        let finite = !calculus.shaped.infinite[id.index()];
        let may_vanish = finite || inherited.is_some() || least.as_ref().is_some_and(|least| own >= least);
        excused[id.index()] = own.vanishes() && may_vanish;
        let problem =
            |fault, allowed: Size| Problem { node: id, fault, size: own.clone(), allowed, through: None };
        if let Some(entered) = entered(calculus, initial, id).filter(|entered| own > entered) {
            problems.push(problem(Fault::GrowsAtInit, entered));
            continue;
        }
        let most = calculus
            .allowed(id, initial)
            .map(|most| if site.is_some() { most.min(Size::one()) } else { most });
        match (most, least) {
            (Some(most), _) if *own > most => problems.push(problem(Fault::GrowsAtInit, most)),
            (_, Some(least)) if *own < least => problems.push(problem(Fault::VanishesAtInit, least)),
            (_, _) => {}
        }
    }
    problems
}

/// What enters the residual stream of a growing block: what its branches may add up to. A normalization behind it does not excuse more, for
/// then all of the network before the block is lost in the sum.
fn entered(calculus: &Calculus, initial: &[Size], id: NodeId) -> Option<Size> {
    let residual = calculus.repetitions.streams.is_residual(id);
    let enter = || initial[calculus.graph().node(id).operands[0].index()].clone();
    residual.then(|| enter().max(Size::one()))
}

/// How far a preactivation may vanish because its weight ends in fewer units than it starts from, (M/N)^(1/2): what is 1 for square
/// layers and n^(-1/2) for a bottleneck of finite width, which may vanish altogether, has its continuation in between.
fn narrowing(site: &Site) -> Size {
    let ratio = Size::from(&site.fan_out).div(&Size::from(&site.fan_in));
    ratio.min(Size::one()).pow(Rational::HALF)
}

/// The size that a tensor has because a tensor without growing axes, or one of zeros, vanishes before it.
fn inherited(calculus: &Calculus, initial: &[Size], id: NodeId, excused: &[bool]) -> Option<Size> {
    let operands = &calculus.graph().node(id).operands;
    let excused = operands.iter().filter(|operand| excused[operand.index()]);
    excused.map(|operand| initial[operand.index()].clone()).min()
}

/// The weight of which a tensor is the preactivation: its output, with an axis that grows. Weights that start as constants are exempt.
fn preactivation<'c>(calculus: &'c Calculus, id: NodeId) -> Option<&'c Site> {
    let count = calculus.graph().node(id).operands.len();
    let mut weights = (0..count).filter_map(|operand| calculus.shaped.site_at(id, operand));
    let contracts = |site: &&Site| site.contracts && calculus.graph().param(site.param).init == Init::Random;
    let found = weights.find(contracts);
    found.filter(|_| calculus.shaped.infinite[id.index()] && calculus.bounds[id.index()] != Bound::Unused)
}

/// Whether a tensor goes straight into normalizations: through nothing but biases, factors and rearrangements.
fn into_normalization(calculus: &Calculus, id: NodeId) -> bool {
    let graph = calculus.graph();
    let mut at = id;
    for _ in 0..MAX_STEPS {
        let mut consumers =
            graph.consumers(at).filter(|(consumer, _)| calculus.before_loss[consumer.index()]);
        let Some((consumer, _)) = consumers.next() else { return false };
        if matches!(graph.node(consumer).op, Op::Normalize { .. }) {
            return consumers.all(|(other, _)| matches!(graph.node(other).op, Op::Normalize { .. }));
        }
        if consumers.next().is_some() || !passes(calculus, consumer, at) {
            return false;
        }
        at = consumer;
    }
    false
}

/// Biases, factors and rearrangements between a weight and a normalization: a handful at most.
const MAX_STEPS: usize = 16;

fn passes(calculus: &Calculus, consumer: NodeId, from: NodeId) -> bool {
    let node = calculus.graph().node(consumer);
    let others = || node.operands.iter().filter(|operand| **operand != from);
    match &node.op {
        Op::Scale(_) | Op::Split { .. } | Op::Merge { .. } | Op::Gate(_) => true,
        Op::Add(_) => others().all(|operand| calculus.shaped.view_of[operand.index()].is_some()),
        Op::Contract { einsum, .. } => einsum.inputs.len() == 1 && einsum.contracted().is_empty(),
        _ => false,
    }
}

fn in_training(calculus: &Calculus, sizes: &Sizes) -> Vec<Problem> {
    let found = tensors(calculus).filter(|id| exceeds(calculus, sizes, *id));
    let problem = |node: NodeId| Problem {
        node,
        fault: Fault::ChangesTooMuch,
        size: sizes.change[node.index()].clone(),
        allowed: calculus.allowed(node, &sizes.initial).unwrap_or_else(Size::one),
        through: dominant(calculus, sizes, node),
    };
    found.map(problem).collect()
}

/// The rule whose term is the largest in a tensor's change.
fn dominant(calculus: &Calculus, sizes: &Sizes, id: NodeId) -> Option<Rule> {
    let rules = [Rule::Update, Rule::Propagation, Rule::ProductChange, Rule::PassChange];
    rules.into_iter().max_by_key(|rule| sizes.part(calculus, id, *rule))
}

/// A logit, or what only becomes one, that diverges by propagation alone or because an earlier one does.
fn is_controlled(calculus: &Calculus, sizes: &Sizes, problem: &Problem) -> bool {
    let part = |rule| sizes.part(calculus, problem.node, rule);
    let only_propagation =
        part(Rule::Update) <= problem.allowed && part(Rule::ProductChange) <= problem.allowed;
    calculus.is_tail[problem.node.index()] && only_propagation
}

/// The last hidden representation: what the logits are made of, back to the first tensors with a growing axis.
pub fn frontier(calculus: &Calculus) -> Vec<NodeId> {
    let graph = calculus.graph();
    let mut seen = vec![false; graph.len()];
    let mut stack = graph.outputs.clone();
    let mut found = Vec::new();
    while let Some(id) = stack.pop() {
        if std::mem::replace(&mut seen[id.index()], true) || calculus.shaped.view_of[id.index()].is_some() {
            continue;
        }
        match calculus.shaped.infinite[id.index()] {
            true => found.push(id),
            false => stack.extend(graph.node(id).operands.iter().copied()),
        }
    }
    found.sort_unstable();
    found
}

fn judge(calculus: &Calculus, sizes: &Sizes, param: ParamId) -> ParamVerdict {
    let declared = calculus.graph().param(param);
    let relative = |site: &Site| {
        let allowed = calculus.allowed(site.node, &sizes.initial)?;
        let update = own_update(calculus, sizes, site);
        Some(update.div(&allowed).max(in_stream(calculus, sizes, site.node, update).unwrap_or(Size::Zero)))
    };
    let update = calculus.shaped.sites_of(param).filter_map(relative).max().unwrap_or(Size::Zero);
    let movement = match update.cmp_one() {
        _ if declared.frozen => Movement::Frozen,
        _ if sizes.steps[param.index()].is_zero() => Movement::Still,
        std::cmp::Ordering::Less => Movement::Lazy,
        std::cmp::Ordering::Equal => Movement::Maximal,
        std::cmp::Ordering::Greater => Movement::Exploding,
    };
    let readout = |site: &&Site| site.contracts && !site.fan_in.is_one() && site.fan_out.is_one();
    let propagation = calculus.shaped.sites_of(param).filter(readout);
    let propagation = propagation.map(|site| sizes.part(calculus, site.node, Rule::Propagation)).max();
    ParamVerdict { param, movement, update, propagation }
}

/// What the updates of all repetitions at one node do to the residual stream that only it goes into, relative to what the stream may change:
/// the last layer of a branch is felt by nothing else.
fn in_stream(calculus: &Calculus, sizes: &Sizes, node: NodeId, update: Size) -> Option<Size> {
    into_streams(calculus, sizes, node, &update, MAX_STEPS)
}

/// The largest of what all users pass on to streams; none if one of them does anything else.
fn into_streams(calculus: &Calculus, sizes: &Sizes, at: NodeId, size: &Size, steps: usize) -> Option<Size> {
    let graph = calculus.graph();
    let steps = steps.checked_sub(1)?;
    let through = |(user, operand): (NodeId, usize)| {
        if let Some(branch) = calculus.repetitions.streams.branch_at(user, operand) {
            let times = coherent(&calculus.repetitions.in_all(branch).coherent);
            let front = in_sum(&sizes.abc, user, operand).1;
            let allowed = calculus.allowed(user, &sizes.initial)?;
            return Some(size.mul(&times).mul(&front).div(&allowed));
        }
        let size = match graph.node(user).op {
            _ if !passes(calculus, user, at) => return None,
            Op::Scale(_) => size.mul(&multiplier(graph, &sizes.abc, user)),
            _ => size.clone(),
        };
        into_streams(calculus, sizes, user, &size, steps)
    };
    let users = graph.consumers(at).filter(|(user, _)| calculus.before_loss[user.index()]);
    let found: Option<Vec<Size>> = users.map(through).collect();
    found?.into_iter().max()
}

/// U at one site: of this parameter alone, where several meet in one sum; of the whole result, where nothing else goes in.
fn own_update(calculus: &Calculus, sizes: &Sizes, site: &Site) -> Size {
    match calculus.graph().node(site.node).op {
        Op::Contract { .. } | Op::Lookup { .. } => sizes.part(calculus, site.node, Rule::Update),
        Op::Add(_) | Op::Concat { .. } => sizes.steps[site.param.index()].clone(),
        _ => sizes.change[site.node.index()].clone(),
    }
}

/// The path of a tensor's blame, for messages.
pub fn describe(calculus: &Calculus, problem: &Problem) -> String {
    let names = calculus.graph().symbol_names();
    let (label, size) = (calculus.label(problem.node), problem.size.display(&names).to_string());
    let allowed = problem.allowed.display(&names).to_string();
    match problem.fault {
        Fault::GrowsAtInit => format!("`{label}` is {size} at initialization, not {allowed}"),
        Fault::VanishesAtInit => format!("`{label}` vanishes at initialization: {size}, not {allowed}"),
        Fault::ChangesTooMuch => format!("`{label}` changes by {size}, more than {allowed}"),
    }
}
