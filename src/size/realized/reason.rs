//! Why an experiment may measure less than what is realized in the limit.
//!
//! Measured above a prediction, a rule is refuted. Measured below, the prediction is a bound that is not attained, and these are the
//! reasons that can be read off the graph and its sizes. None looks at a name.

use std::fmt;

use super::reading::{Reading, is_near};
use super::{Moment, Realized, moments};
use crate::graph::{Einsum, Graph, Init, NodeId, Op, ParamId};
use crate::size::Size;
use crate::size::analysis::Calculus;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// x_0.
    Initial(NodeId),
    /// G_0.
    Fresh(NodeId),
    /// x_t - x_0.
    Change(NodeId),
    /// G_t - G_0.
    GradientChange(NodeId),
    /// U_t.
    Update(NodeId),
    /// P_t.
    Propagation(NodeId),
    /// W_t - W_0.
    Moved(ParamId),
}

/// Why a size may be measured below its prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Branches that are distributed alike meet in a softmax.
    Symmetry,
    /// A maximum of terms whose exponents differ by 1/2 or less.
    Mixture {
        /// What it is without what is larger only in the limit.
        low: Size,
        /// The prediction.
        high: Size,
    },
    /// Gradients start at zero or vanish at first.
    Saddle {
        /// The size while gradients are as at first.
        low: Size,
        /// The prediction.
        high: Size,
    },
    /// A slope jumps where an entry changes its sign, and few or none of the entries that are there do.
    Kink {
        /// The size if none does.
        low: Size,
        /// The prediction.
        high: Size,
    },
    /// A sum of several branches, of which the largest starts with a small coefficient.
    Branches {
        /// Without the larger branches.
        low: Size,
        /// The prediction.
        high: Size,
    },
    /// Changes have outgrown what changes.
    Explosion,
    /// A weight is used again the other way round.
    Tied,
    /// Summands of mean zero.
    Cancellation,
}

impl Reason {
    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Reason::Symmetry => "symmetry",
            Reason::Mixture { .. } => "mixture",
            Reason::Saddle { .. } => "saddle",
            Reason::Kink { .. } => "kink",
            Reason::Branches { .. } => "branches",
            Reason::Explosion => "explosion",
            Reason::Tied => "tied",
            Reason::Cancellation => "cancellation",
        }
    }

    /// It in a sentence.
    pub fn statement(&self) -> &'static str {
        match self {
            Reason::Symmetry => {
                "branches that are distributed alike meet in a softmax, which takes away what their gradients have in common"
            }
            Reason::Mixture { .. } => {
                "a sum of terms whose powers differ by 1/2 or less, of which the larger one starts with a small coefficient"
            }
            Reason::Saddle { .. } => {
                "gradients start much smaller than training makes them, and the first steps have to leave this start"
            }
            Reason::Kink { .. } => {
                "a slope jumps where an entry changes its sign: the mean of squares counts these entries, and at small changes few or none do"
            }
            Reason::Branches { .. } => {
                "several ways lead here whose powers differ by 1/2 or less, and the largest may start with a small coefficient"
            }
            Reason::Explosion => {
                "changes have outgrown what changes: one direction rules, sums need not line up, and what saturates is met on its way there"
            }
            Reason::Tied => {
                "the sum counts as aligned because its input depends on the same weight; fresh weights in between may have turned it"
            }
            Reason::Cancellation => {
                "summands have mean zero by a sign symmetry, unless training has lined them up"
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.statement())
    }
}

/// The reasons of one parameterization.
#[derive(Debug)]
pub struct Excuses<'a, 'g> {
    calculus: &'a Calculus<'g>,
    realized: &'a Realized,
    /// The same steps, read for the least sizes.
    least: Vec<Moment>,
    /// The same, read for the smallest of several ways.
    smallest: Vec<Moment>,
    alike: Vec<bool>,
    tied: Vec<bool>,
    /// Whether some change outgrows its bound, at every step.
    explodes: Vec<bool>,
}

/// Everything that reasons rest on.
pub fn excuses<'a, 'g>(calculus: &'a Calculus<'g>, realized: &'a Realized) -> Excuses<'a, 'g> {
    let graph = calculus.graph();
    let least = moments(calculus, realized, Reading::Least, realized.steps.len());
    let smallest = moments(calculus, realized, Reading::Smallest, realized.steps.len());
    let outgrown = |moment: &Moment| {
        graph.ids().any(|id| {
            let allowed = calculus.allowed(id, &realized.initial);
            !matches!(graph.node(id).op, Op::Param(_))
                && allowed.is_some_and(|most| moment.change[id.index()] > most)
        })
    };
    let explodes = realized.steps.iter().map(outgrown).collect();
    Excuses { least, smallest, alike: alike(calculus), tied: tied(calculus), explodes, calculus, realized }
}

impl Excuses<'_, '_> {
    /// Why something may be measured below what is predicted for a step (1, 2, ...; without meaning for what is measured at
    /// initialization), if anything is known.
    pub fn of(&self, subject: Subject, step: usize) -> Option<Reason> {
        let node = match subject {
            Subject::Initial(id) => return self.tied[id.index()].then_some(Reason::Tied),
            Subject::Fresh(id) => {
                let fresh = !self.realized.fresh[id.index()].is_zero();
                return (fresh && self.alike[id.index()]).then_some(Reason::Symmetry);
            }
            Subject::Moved(param) => self.node_of(param),
            Subject::Change(id)
            | Subject::GradientChange(id)
            | Subject::Update(id)
            | Subject::Propagation(id) => Some(id),
        };
        let at = step.checked_sub(1)?;
        let (high, low) = (pick(self.realized.steps.get(at)?, subject), pick(self.least.get(at)?, subject));
        if node.is_some_and(|node| self.alike[node.index()]) {
            return Some(Reason::Symmetry);
        }
        let (low, high) = (low.clone(), high.clone());
        match low < high {
            true if is_near(&low, &high) => Some(Reason::Mixture { low, high }),
            true if self.explodes[at] => Some(Reason::Explosion),
            true if self.jumps(subject) => Some(Reason::Kink { low, high }),
            true => Some(Reason::Saddle { low, high }),
            false if self.explodes[at] => Some(Reason::Explosion),
            false if node.is_some_and(|node| self.cancels(node)) => Some(Reason::Cancellation),
            false => {
                let low = pick(self.smallest.get(at)?, subject).clone();
                (low < high).then_some(Reason::Branches { low, high })
            }
        }
    }

    /// The change of a gradient if no entry crosses a kink, or of anything if a function jumps for few entries. With small steps the power of the rate that comes of many, a root, wins in the limit; at a
    /// rate that is no limit the other, which may grow faster with the width, adds to it.
    pub fn without_kinks(&self, subject: Subject, step: usize) -> Option<&Size> {
        let at = step.checked_sub(1)?;
        let is_change = matches!(subject, Subject::GradientChange(_)) || jumps(self.calculus.graph());
        self.least.get(at).filter(|_| is_change).map(|moment| pick(moment, subject))
    }

    /// Whether a gradient changes less in its least reading from the first step on, when no gradient has grown yet.
    fn jumps(&self, subject: Subject) -> bool {
        let Subject::GradientChange(id) = subject else { return false };
        let (Some(high), Some(low)) = (self.realized.steps.first(), self.least.first()) else { return false };
        low.gradient_change[id.index()] < high.gradient_change[id.index()]
    }

    fn node_of(&self, param: ParamId) -> Option<NodeId> {
        self.calculus.graph().ids().find(|id| self.calculus.graph().as_param(*id) == Some(param))
    }

    /// Whether a node is a product of two activations whose summands have mean zero at initialization.
    fn cancels(&self, id: NodeId) -> bool {
        let node = self.calculus.graph().node(id);
        let any_weight =
            node.operands.iter().any(|operand| self.calculus.shaped.view_of[operand.index()].is_some());
        !any_weight && !self.calculus.sums[id.index()].random.is_one()
    }
}

/// Whether a function jumps.
fn jumps(graph: &Graph) -> bool {
    graph.ids().any(|id| matches!(graph.node(id).op, Op::Map(func) if func.law().jumps()))
}

fn pick(moment: &Moment, subject: Subject) -> &Size {
    match subject {
        Subject::Initial(id) | Subject::Change(id) => &moment.change[id.index()],
        Subject::Fresh(id) | Subject::GradientChange(id) => &moment.gradient_change[id.index()],
        Subject::Update(id) => &moment.update[id.index()],
        Subject::Propagation(id) => &moment.propagation[id.index()],
        Subject::Moved(param) => &moment.moved[param.index()],
    }
}

/// Per node: whether it depends on a sum that counts as aligned at initialization.
fn tied(calculus: &Calculus) -> Vec<bool> {
    let graph = calculus.graph();
    let mut tied: Vec<bool> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let own = calculus.sums[id.index()].aligned.is_some();
        tied.push(own || graph.node(id).operands.iter().any(|operand| tied[operand.index()]));
    }
    tied
}

/// Per node: whether it is, or only serves, the scores of a softmax over an axis that comes from random weights and from nothing given: over
/// branches that are distributed alike. In the loss, targets tell them apart.
fn alike(calculus: &Calculus) -> Vec<bool> {
    let graph = calculus.graph();
    let drawn = drawn(graph);
    let mut alike = vec![false; graph.len()];
    for id in graph.ids().rev() {
        let node = graph.node(id);
        let mut users = graph.consumers(id).peekable();
        alike[id.index()] = match node.op {
            _ if !calculus.before_loss[id.index()] => false,
            Op::Softmax { axis, .. } => drawn[node.operands[0].index()] & (1 << axis) != 0,
            _ => users.peek().is_some() && users.all(|(user, _)| alike[user.index()]),
        };
    }
    alike
}

/// Per node, as bits: the axes that come from random weights only.
fn drawn(graph: &Graph) -> Vec<u64> {
    let mut drawn: Vec<u64> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let node = graph.node(id);
        let of = |at: usize| node.operands.get(at).map_or(0, |operand| drawn[operand.index()]);
        let own = match &node.op {
            Op::Param(param) if graph.param(*param).init == Init::Random => u64::MAX,
            Op::Contract { einsum, .. } | Op::Add(einsum) => labelled(einsum, of),
            Op::Scale(_)
            | Op::Map(_)
            | Op::Normalize { .. }
            | Op::Softmax { .. }
            | Op::Gate(_)
            | Op::Carry(_)
            | Op::Exit(_) => of(0),
            // Rearranged axes are followed no further: then there is no excuse.
            _ => 0,
        };
        drawn.push(own);
    }
    drawn
}

/// The axes of a result that come from random weights in every operand that has them.
fn labelled(einsum: &Einsum, of: impl Fn(usize) -> u64) -> u64 {
    let is_drawn = |label| {
        let mut having = (0..einsum.inputs.len()).filter_map(|at| Some((at, einsum.axis(at, label)?)));
        having.all(|(at, axis)| of(at) & (1 << axis) != 0)
    };
    let axes = einsum.output.iter().enumerate().filter(|(_, label)| is_drawn(**label));
    axes.fold(0, |bits, (axis, _)| bits | (1 << axis))
}
