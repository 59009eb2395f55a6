//! Repetitions, one after another.

use std::collections::HashMap;
use std::ops::Range;

use smallvec::SmallVec;

use super::{BuildError, Building};
use crate::graph::{BlockId, Einsum, Graph, NodeId, Op, ParamId};
use crate::numeric::program::{MatrixAxes, Value};

/// The nodes that stack what every repetition of a block gives.
pub(super) fn collectors(graph: &Graph) -> HashMap<BlockId, Vec<NodeId>> {
    let mut found: HashMap<BlockId, Vec<NodeId>> = HashMap::new();
    for id in graph.ids() {
        if let Op::Collect { block, .. } = graph.node(id).op {
            found.entry(block).or_default().push(id);
        }
    }
    found
}

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

impl Building<'_> {
    /// Walks a range of nodes of the body of `inside`.
    pub(super) fn run(&mut self, range: Range<u32>, inside: Option<BlockId>) -> Result<(), BuildError> {
        let mut at = range.start;
        let mut done: Vec<BlockId> = Vec::new();
        loop {
            if let Some(block) = self.next_block(at, inside, &done) {
                self.repeat(block)?;
                done.push(block);
                at = self.graph.block(block).nodes.end.max(at);
            } else if at < range.end {
                self.node(NodeId::new(at as usize))?;
                at += 1;
            } else {
                return Ok(());
            }
        }
    }

    /// The block that begins at a place of the body of `inside`.
    fn next_block(&self, at: u32, inside: Option<BlockId>, done: &[BlockId]) -> Option<BlockId> {
        let ids = (0..self.graph.blocks.len() as u32).map(BlockId);
        let mut found = ids.filter(|id| {
            let block = self.graph.block(*id);
            block.nodes.start == at && block.parent == inside && !done.contains(id)
        });
        found.next()
    }

    fn repeat(&mut self, id: BlockId) -> Result<(), BuildError> {
        let graph = self.graph;
        let block = graph.block(id);
        let collectors = self.collectors.get(&id).cloned().unwrap_or_default();
        collectors.iter().for_each(|node| drop(self.collected.insert(*node, Vec::new())));
        for step in 0..self.length(&block.count)? {
            self.step[id.index()] = step;
            self.run(block.nodes.clone(), Some(id))?;
            let ends =
                block.carried.iter().map(|carried| (carried.carry, self.known[carried.next.index()].clone()));
            let ends: Vec<_> = ends.collect();
            self.previous.extend(ends.into_iter().filter_map(|(carry, value)| Some((carry, value?))));
            for node in &collectors {
                let entry = self.known[graph.node(*node).operands[0].index()].clone();
                self.collected.entry(*node).or_default().extend(entry);
            }
        }
        Ok(())
    }

    /// The value that a stream has at the start of a repetition.
    pub(super) fn carried(&self, carry: NodeId, block: BlockId, enter: &Value) -> Value {
        match self.step[block.index()] {
            0 => enter.clone(),
            _ => self.previous.get(&carry).unwrap_or(enter).clone(),
        }
    }

    /// The numbers of the repetitions that a parameter belongs to: those of the blocks around it that have weights of their own.
    pub(super) fn repetition_of(&self, param: ParamId) -> SmallVec<[usize; 2]> {
        let mut numbers = SmallVec::new();
        let mut at = self.graph.block_of(self.graph.param(param).scope);
        while let Some(id) = at {
            let block = self.graph.block(id);
            if !block.shared {
                numbers.push(self.step[id.index()]);
            }
            at = block.parent;
        }
        numbers.reverse();
        numbers
    }
}
