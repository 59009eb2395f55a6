//! How weights start and how they move: what a limit needs to know beside the graph.

use crate::concrete::float;
use crate::graph::{Graph, Init, Op, ParamId};
use crate::rational::Rational;

/// Where the factor of a weight stands. Both give one NNGP; they differ in how fast weights learn, and so in the NTK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameterization {
    /// y = sigma N^(-1/2) W x with W ~ N(0, 1) (Jacot et al. 2018, arXiv 1806.07572): the tangent has a limit.
    Ntk,
    /// y = W x with W ~ N(0, sigma^2 / N): the tangent grows with the fan-in N, which is taken from the spec's lengths.
    Standard,
}

/// The start of one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamPrior {
    /// sigma^2: the variance of what it gives out per unit mean square of what it reads; of a bias, its own variance.
    pub variance: f64,
    /// The number that all entries start with; none if they are random.
    pub constant: Option<f64>,
    /// Whether it is trained.
    pub trained: bool,
}

/// The start of all parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// Where factors stand.
    pub parameterization: Parameterization,
    /// By [`crate::graph::ParamId`].
    pub params: Vec<ParamPrior>,
}

impl Prior {
    /// As the spec says: random parameters with sigma^2 = `variance`, constant ones as they are.
    pub fn new(graph: &Graph, parameterization: Parameterization, variance: f64) -> Prior {
        let of = |param: &crate::graph::Param| match param.init {
            Init::Random => ParamPrior { variance, constant: None, trained: !param.frozen },
            Init::Constant(value) => {
                ParamPrior { variance: 1.0, constant: Some(float(value)), trained: !param.frozen }
            }
        };
        Prior { parameterization, params: graph.params.iter().map(of).collect() }
    }
}

/// The largest number of entries that a use of a parameter sums; 1 if none does.
pub fn fan_in(graph: &Graph, values: &[Rational], param: ParamId) -> f64 {
    let own = graph.ids().filter(|id| graph.as_param(*id) == Some(param));
    let uses = own.flat_map(|id| graph.consumers(id).collect::<Vec<_>>());
    let summed = uses.map(|(user, operand)| {
        let Op::Contract { einsum, .. } = &graph.node(user).op else { return 1.0 };
        let labelled = einsum.inputs[operand].iter().zip(&graph.param(param).shape);
        let summed = labelled.filter(|(label, _)| !einsum.output.contains(label));
        summed.filter_map(|(_, dim)| dim.at(values)).map(float).product()
    });
    summed.fold(1.0, f64::max)
}
