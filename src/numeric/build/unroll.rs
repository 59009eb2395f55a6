//! How the graph is walked, repetition by repetition, and what is known of its uses beforehand.

use smallvec::SmallVec;

use super::{BuildError, Building};
use crate::dim::Dim;
use crate::graph::unroll::{Unroll, Unrolled};
use crate::graph::{Einsum, Graph, NodeId, Op, ParamId};
use crate::numeric::program::{MatrixAxes, Value};

/// How many operations read each node. What is carried to the next repetition is read by its carry.
pub(super) fn readers(graph: &Graph) -> Vec<usize> {
    let mut readers: Vec<usize> = graph.ids().map(|id| graph.consumers(id).count()).collect();
    for carried in graph.blocks.iter().flat_map(|block| &block.carried) {
        // The exit and the next carry pass on one tensor.
        readers[carried.next.index()] += usize::from(graph.consumers(carried.next).count() > 1);
    }
    readers
}

/// The matrix that the first contraction of a parameter makes of it. Rows of tables are columns of one matrix; what is only added is a
/// column.
pub(super) fn matrix_axes(graph: &Graph, param: ParamId) -> MatrixAxes {
    let rank = graph.param(param).shape.len();
    let own = graph.ids().filter(|id| graph.as_param(*id) == Some(param));
    let uses = own.flat_map(|id| graph.consumers(id).collect::<Vec<_>>());
    let mut found = uses.filter_map(|(user, operand)| match &graph.node(user).op {
        Op::Contract { einsum, .. } => Some(split_axes(einsum, operand)),
        Op::Lookup { axis, .. } if operand == 0 => {
            let rows = (0..rank).filter(|own| own != axis).collect();
            Some(MatrixAxes { rows, columns: SmallVec::from_slice(&[*axis]), ..MatrixAxes::default() })
        }
        _ => None,
    });
    found.next().unwrap_or_else(|| MatrixAxes { rows: (0..rank).collect(), ..MatrixAxes::default() })
}

fn split_axes(einsum: &Einsum, operand: usize) -> MatrixAxes {
    let mut axes = MatrixAxes::default();
    let elsewhere =
        |label| (0..einsum.inputs.len()).any(|other| other != operand && einsum.has(other, label));
    for (axis, label) in einsum.inputs[operand].iter().enumerate() {
        match (einsum.output.contains(label), elsewhere(*label)) {
            (false, _) => axes.columns.push(axis),
            (true, false) => axes.rows.push(axis),
            (true, true) => axes.blocks.push(axis),
        }
    }
    // Gains and depthwise filters move as one vector.
    if axes.rows.is_empty() && axes.columns.is_empty() {
        std::mem::swap(&mut axes.rows, &mut axes.blocks);
    }
    axes
}

impl<'a> Unroll<'a> for Building<'a> {
    type Value = Value;
    type Error = BuildError;

    fn graph(&self) -> &'a Graph {
        self.graph
    }

    fn state(&mut self) -> &mut Unrolled<Value> {
        &mut self.unrolled
    }

    fn length(&self, count: &Dim) -> Result<usize, BuildError> {
        Building::length(self, count)
    }

    fn node(&mut self, id: NodeId) -> Result<(), BuildError> {
        Building::node(self, id)
    }
}
