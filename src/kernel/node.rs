//! The nodes of a limit: what a network's operations become when its widths go to infinity.
//!
//! Every tensor keeps its *positions* (pixels, tokens: axes that do not come from weights) and loses its *channels*, over which its entries are
//! exchangeable: two channels of one tensor are independent and alike, so that a node stands for one channel at all positions. What is kept of
//! two nodes is the expectation of their product, for every position of the one and every position of the other (Yang 2019, "Wide feedforward
//! or recurrent neural networks of any architecture are Gaussian processes", arXiv 1910.12478).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::formula::{Formula, Step};
use super::sparse::Sparse;
use crate::graph::{DataId, Func, NodeId, ParamId};
use crate::numeric::rows::Along;

/// The number of a node in a [`super::Limit`].
pub type Place = usize;

/// A node read through a map of its positions, times a number.
#[derive(Clone, Debug)]
pub struct Term {
    /// The node.
    pub node: Place,
    /// The positions; all as they are if absent.
    pub map: Option<Arc<Sparse>>,
    /// The factor in front.
    pub factor: f64,
}

/// What one node is.
#[derive(Clone, Debug)]
pub struct Node {
    /// How it is made.
    pub kind: Kind,
    /// How many positions it has.
    pub size: usize,
    /// Where it stands in the graph.
    pub origin: NodeId,
    /// Whether it is a Gaussian with mean zero, jointly with all others of this kind.
    pub gaussian: bool,
    /// Whether its tangent differs from channel to channel, so that only sums over channels have a limit: products.
    pub rough: bool,
    /// Whether channels of one head depend on each other, so that only sums over all heads have a limit.
    pub headed: bool,
}

/// The kinds of nodes.
#[derive(Clone, Debug)]
pub enum Kind {
    /// The same for all draws of the weights; a number per position, for every point.
    Fixed(Fixed),
    /// A fresh or shared weight times what it reads, summed over channels: Gaussian by the central limit theorem.
    Contraction(Contraction),
    /// A parameter as it is: biases, gains, trained positions.
    Vector(Weight),
    /// Rows of a random table, picked by whole numbers.
    Table {
        /// The table.
        weight: Weight,
        /// The numbers.
        numbers: Term,
    },
    /// An elementwise function of a Gaussian.
    Map {
        /// Which.
        func: Func,
        /// Of what.
        argument: Place,
    },
    /// A sum.
    Sum(Vec<Term>),
    /// Divided by its root mean square over channels, after its mean is subtracted if `centred`. Both are numbers in the limit.
    Normalized {
        /// What is normalized.
        argument: Place,
        /// Whether the mean is subtracted.
        centred: bool,
        /// Positions with the same number are normalized together.
        groups: Vec<u32>,
    },
    /// Another mixture of positions for every point: attention with a fixed pattern.
    Mixed {
        /// The pattern, a fixed node: (output positions) x (input positions) after its map.
        pattern: Term,
        /// What is mixed.
        argument: Place,
    },
    /// A function of several Gaussians, or of one at several positions, whose expectations have no closed form.
    Sampled(Arc<Sampled>),
    /// Two independent factors, channel by channel.
    Product(Place, Place),
    /// The root of the number of channels times the mean of their products, of independent factors: Gaussian by the central limit theorem.
    Scores(Place, Place),
    /// Random scores that are masked, or their softmax.
    Pattern(Arc<Pattern>),
    /// Positions mixed by the softmax of random scores, in another way by every head.
    Attended(Arc<Attended>),
    /// The value without its tangent.
    Stopped(Place),
}

/// Functions of Gaussians, one per position.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// The different functions.
    pub formulas: Vec<Formula>,
    /// For every position: which of them, and the Gaussians (node, position) that it is a function of.
    pub entries: Vec<(usize, Vec<(Place, u32)>)>,
}

impl Sampled {
    /// An elementwise function of one Gaussian.
    pub fn of_map(func: Func, argument: Place, size: usize) -> Sampled {
        let formula = Formula { steps: vec![Step::Leaf(0), Step::Map(func, 0)], leaves: 1 };
        let entries = (0..size).map(|at| (0, vec![(argument, at as u32)])).collect();
        Sampled { formulas: vec![formula], entries }
    }

    /// The most Gaussians of a position.
    pub fn most(&self) -> usize {
        self.formulas.iter().map(|own| own.leaves).max().unwrap_or(0)
    }

    /// The nodes of all Gaussians.
    pub fn nodes(&self) -> BTreeSet<Place> {
        self.entries.iter().flat_map(|(_, leaves)| leaves.iter().map(|leaf| leaf.0)).collect()
    }
}

/// Random scores on their way to the values that they mix.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The scores, which are Gaussian.
    pub scores: Place,
    /// The row that every position belongs to; none where it is masked.
    pub row: Vec<Option<u32>>,
    /// Whether it is the softmax of every row; else the scores themselves.
    pub softmax: bool,
}

/// Attention with random scores (Hron et al. 2020, "Infinite attention: NNGP and NTK for deep attention networks", arXiv 2006.10540).
#[derive(Clone, Debug)]
pub struct Attended {
    /// The scores.
    pub scores: Place,
    /// What is mixed.
    pub values: Place,
    /// The scores of the row of every position, as functions of several Gaussians have theirs; the formulas have no steps.
    pub rows: Sampled,
    /// The positions of the values that these scores weigh.
    pub mixed: Vec<Vec<u32>>,
}

/// What does not depend on weights.
#[derive(Clone, Debug)]
pub enum Fixed {
    /// The number one.
    One,
    /// An input.
    Data(DataId),
    /// Given numbers.
    Numbers(Vec<f64>),
    /// A sum.
    Sum(Vec<Term>),
    /// An elementwise function.
    Map(Func, Term),
    /// The product of two tensors, then a sum over positions.
    Product(Term, Term, Arc<Sparse>),
    /// An operation along the last axis, of this length.
    Rows(Along, usize, Term),
    /// An average over channels of a product of two nodes: (position of the first, position of the second) for each of its own positions.
    Average {
        /// The first.
        left: Place,
        /// The second.
        right: Place,
        /// Which positions are summed: own position, that of the first, that of the second.
        places: Vec<[u32; 3]>,
        /// The factor in front.
        factor: f64,
    },
}

/// A weight tensor of one repetition.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Its number: equal for equal tensors.
    pub id: usize,
    /// Of which parameter.
    pub param: ParamId,
    /// Variance of a product of its entries with its multiplier: covariance per unit of what it reads.
    pub variance: f64,
    /// The value that all entries have at the start, with the multiplier; none if they are random.
    pub constant: Option<f64>,
    /// The square of what a unit change of an entry does: tangent per unit of what it reads; zero if frozen.
    pub tangent: f64,
}

/// A contraction with a weight.
#[derive(Clone, Debug)]
pub struct Contraction {
    /// The weight; its variance and tangent are those of the sum over all that is contracted, per unit of the mean of products.
    pub weight: Weight,
    /// What it reads: (own positions) x (contracted positions). Its factor is a sign; its size is in the weight's numbers.
    pub source: Term,
    /// How many positions are contracted.
    pub contracted: usize,
    /// Positions with different numbers have weights of their own; none if all share theirs.
    pub own: Option<Vec<u32>>,
}

impl Node {
    /// Whether it is the same for all draws of the weights.
    pub fn is_fixed(&self) -> bool {
        matches!(self.kind, Kind::Fixed(_))
    }

    /// Whether every pair with it is a linear map of pairs with its operands.
    pub fn is_linear(&self) -> bool {
        match self.kind {
            Kind::Sum(_) | Kind::Normalized { .. } | Kind::Mixed { .. } | Kind::Stopped(_) => true,
            Kind::Fixed(Fixed::One)
            | Kind::Contraction(_)
            | Kind::Vector(_)
            | Kind::Table { .. }
            | Kind::Map { .. }
            | Kind::Sampled(_)
            | Kind::Product(..)
            | Kind::Scores(..)
            | Kind::Pattern(_)
            | Kind::Attended(_) => false,
            Kind::Fixed(_) => true,
        }
    }
}
