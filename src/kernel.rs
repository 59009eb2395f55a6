//! Kernels of the graph: what a spec's network is when its widths are infinite.
//!
//! A network whose channels are many is, at initialization, a Gaussian process with a covariance that follows from the graph alone (the NNGP), and
//! under small steps of gradient descent it moves as a linear model with another kernel, the sum over all weights of forward times backward
//! covariance (the NTK). This room reads both off a graph ([`Limit`]), for any pair of inputs:
//!
//! | file | what is in it |
//! |---|---|
//! | [`node`], `build` | the graph as nodes with positions and without channels; what has no limit is an error that names the node |
//! | `plan` | which pairs of nodes are needed, and the rule of each |
//! | `cells` | which pairs of positions of two nodes are kept |
//! | [`dual`], [`series`], [`quadrature`], [`angle`] | what nonlinearities make of covariances: closed forms, Hermite series, integrals |
//! | [`formula`], `attention`, `sampling`, [`lattice`] | what functions of several Gaussians and the softmax of random scores make of them, by quasi-Monte Carlo |
//! | `prepare`, [`statistics`] | single points: variances, deviations, attention patterns |
//! | `evaluate`, [`gram`] | tiles of pairs of points, in parallel, bit-identical for any number of threads |
//! | [`spectrum`], [`regression`], [`dynamics`], [`study`] | what follows from a kernel: predictions, time, modes |
//! | [`empirical`], [`tangent`], [`trained`] | finite networks beside the limit: by Jacobians, structured, trained |
//!
//! Architecture invariant: like `numeric`, this room never sees a prediction of exponents; it imports neither `size` nor `parameterization`.

pub mod angle;
mod attention;
mod build;
mod cells;
pub mod dual;
pub mod dynamics;
pub mod empirical;
mod evaluate;
pub mod formula;
pub mod gram;
pub mod lattice;
pub mod node;
mod plan;
mod prepare;
pub mod prior;
pub mod quadrature;
pub mod record;
pub mod regression;
mod sampling;
pub mod series;
pub mod sparse;
pub mod spectrum;
pub mod statistics;
pub mod study;
pub mod tangent;
pub mod trained;

use std::collections::BTreeSet;

use crate::graph::{Graph, NodeId};
use crate::rational::Rational;

pub use build::NoLimit;
pub use gram::Gram;
pub use prior::{ParamPrior, Parameterization, Prior};
pub use statistics::Points;

use node::{Kind, Node, Place};
use plan::{Demand, Plan, Planner};

/// The infinite-width limit of one tensor of a network.
#[derive(Clone, Debug)]
pub struct Limit {
    nodes: Vec<Node>,
    reached: BTreeSet<Place>,
    /// Pairs of points with others.
    cross: Plan,
    /// Pairs of points with themselves.
    own: Plan,
    /// Lengths of the positions of the tensor; empty if it is one number per channel.
    pub shape: Vec<usize>,
    /// How many independent functions the tensor has: classes.
    pub channels: usize,
    /// Whether the tangent is computed.
    pub tangent: bool,
    /// What means over draws are taken over.
    pub draws: Draws,
}

/// Draws of a mean that stands for an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// Points of a lattice: two to this power.
    pub power: u32,
    /// Independent shifts of the lattice, at least two: kernels are means over them, and their scatter gives the standard error.
    pub shifts: u64,
}

impl Default for Draws {
    fn default() -> Draws {
        Draws { power: 8, shifts: 8 }
    }
}

impl Limit {
    /// The limit of a node of a graph at given values of its scale symbols (they matter for factors and lengths that do not go to infinity, and for
    /// the tangent of the standard parameterization). `tangent` asks for the NTK beside the NNGP.
    ///
    /// # Errors
    /// If the node, or one that it depends on, has no limit, or none with a rule here.
    pub fn new(
        graph: &Graph,
        values: &[Rational],
        prior: &Prior,
        output: NodeId,
        tangent: bool,
    ) -> Result<Limit, NoLimit> {
        let made = build::build(graph, values, prior, output)?;
        let labels = graph.labels();
        let nodes = made.nodes;
        let label = |place: Place| labels[nodes[place].origin.index()].clone();
        let spanned = |mut error: NoLimit| {
            let id = graph.ids().find(|id| labels[id.index()] == error.node);
            if let Some(id) = id.filter(|_| error.places.is_empty()) {
                error.places = graph.places(id);
            }
            error
        };
        let mut planner = Planner::new(&nodes, &label);
        planner.demand((made.output, made.output), Demand { tangent, ..Demand::default() });
        let cross = planner.plan().map_err(spanned)?;
        let reached = prepare::reached(&nodes, made.output);
        let own = prepare::plan(&nodes, &reached, &label).map_err(spanned)?;
        Ok(Limit {
            reached,
            cross,
            own,
            shape: made.shape,
            channels: made.channels,
            tangent,
            draws: Draws::default(),
            nodes,
        })
    }

    /// How many positions the tensor has.
    pub fn positions(&self) -> usize {
        self.shape.iter().product()
    }

    /// The most positions of any node whose pairs are computed.
    fn largest_size(&self) -> usize {
        let steps = self.cross.steps.iter().chain(&self.own.steps);
        steps.map(|step| (self.cells(step) as f64).sqrt() as usize).max().unwrap_or(1)
    }

    /// The most numbers that a pair of points needs at once, roughly.
    pub fn numbers_per_pair(&self) -> usize {
        let numbers = |step: &plan::Step| self.cells(step) * (1 + usize::from(step.demand.tangent));
        let mut sizes: Vec<usize> = self.cross.steps.iter().map(numbers).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes.iter().take(6).sum()
    }

    /// How many pairs of positions a step keeps.
    fn cells(&self, step: &plan::Step) -> usize {
        step.demand.cells.count((self.nodes[step.pair.0].size, self.nodes[step.pair.1].size))
    }

    /// Where expectations have no closed form and are means over draws, in the order of the graph.
    pub fn sampled(&self) -> BTreeSet<NodeId> {
        let own = self.reached.iter().map(|place| &self.nodes[*place]);
        own.filter(|node| matches!(node.kind, Kind::Sampled(_) | Kind::Attended(_)))
            .map(|node| node.origin)
            .collect()
    }

    /// The most Gaussians, at x and x' together, of such an expectation; zero where there is none.
    fn dimensions(&self) -> usize {
        let own = self.reached.iter().map(|place| match &self.nodes[*place].kind {
            Kind::Sampled(own) => 2 * own.most(),
            Kind::Attended(own) => 2 * own.rows.most(),
            _ => 0,
        });
        own.max().unwrap_or(0)
    }
}
