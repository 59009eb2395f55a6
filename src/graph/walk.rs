//! The one walk, with several readings.
//!
//! A reading gives every operation a meaning ([`Semantics`]); [`interpret`] applies it in topological order. A block is walked
//! until the reading says that another repetition would change nothing. The state of a carried stream survives an outer
//! repetition, so that nested blocks cost what they change, never the product of their repetitions. After [`MOST_WALKS`] times
//! the graph's length the reading must settle, so that a walk is linear whatever goes round.

use super::{Block, BlockId, Graph, NodeId};

/// How often each node is walked on average before blocks must settle.
pub const MOST_WALKS: usize = 32;

/// How often blocks may still go round.
struct Patience {
    /// The nodes that may be walked while blocks go round as they like.
    nodes: usize,
    /// The blocks that have settled since.
    settled: Vec<bool>,
}

impl Patience {
    fn new(graph: &Graph) -> Patience {
        Patience { nodes: graph.len().saturating_mul(MOST_WALKS), settled: vec![false; graph.blocks.len()] }
    }

    /// Counts a node.
    fn walk(&mut self) {
        self.nodes = self.nodes.saturating_sub(1);
    }

    /// Whether a block goes round as it likes; `None` if it has settled.
    fn with(&mut self, block: BlockId) -> Option<bool> {
        let free = self.nodes > 0;
        let settled = !free && std::mem::replace(&mut self.settled[block.index()], true);
        (!settled).then_some(free)
    }
}

/// A meaning for every operation.
pub trait Semantics {
    /// What a node means.
    type Value;
    /// Why it may have no meaning.
    type Error;

    /// The meaning of a node, given those of its operands in `values`.
    fn apply(
        &mut self,
        graph: &Graph,
        id: NodeId,
        values: &[Self::Value],
    ) -> Result<Self::Value, Self::Error>;

    /// Called when the nodes of a block have been walked: takes the values at the end of the repetition back to its start, and
    /// says whether the block must be walked again. One walk is enough for readings that do not change in a loop.
    fn repeat(&mut self, _graph: &Graph, _id: BlockId, _block: &Block, _values: &mut [Self::Value]) -> bool {
        false
    }

    /// Called in the place of [`Semantics::repeat`] when blocks have gone round too often: gives the carried streams values that no
    /// walk changes any more, and says whether the block must be walked with them.
    fn settle(&mut self, _graph: &Graph, _id: BlockId, _block: &Block, _values: &mut [Self::Value]) -> bool {
        false
    }
}

/// Gives every node its meaning, in topological order.
pub fn interpret<S: Semantics>(graph: &Graph, semantics: &mut S) -> Result<Vec<S::Value>, S::Error> {
    let mut values: Vec<S::Value> = Vec::with_capacity(graph.len());
    let ends = Places::new(graph, |block| block.nodes.end);
    let mut patience = Patience::new(graph);
    let mut at = 0;
    while at < graph.len() {
        let value = semantics.apply(graph, NodeId::new(at), &values)?;
        match values.get_mut(at) {
            Some(slot) => *slot = value,
            None => values.push(value),
        }
        at += 1;
        patience.walk();
        for &id in ends.at(at) {
            let block = graph.block(id);
            let again = match patience.with(id) {
                Some(true) => semantics.repeat(graph, id, block, &mut values),
                Some(false) => semantics.settle(graph, id, block, &mut values),
                None => false,
            };
            if again {
                at = block.nodes.start as usize;
                break;
            }
        }
    }
    Ok(values)
}

/// A meaning for the gradient of every operation.
pub trait Adjoint {
    /// The gradient of the loss with respect to a node, as far as this reading knows it.
    type Value: Clone;

    /// What a node's gradient contributes to that of one of its operands.
    fn pull(&mut self, graph: &Graph, id: NodeId, operand: usize, gradients: &[Self::Value]) -> Self::Value;

    /// Adds a contribution.
    fn join(&mut self, into: &mut Self::Value, contribution: Self::Value);

    /// Which operand of a node is served first, if it matters.
    fn first(&self, _graph: &Graph, _id: NodeId) -> usize {
        0
    }

    /// Called when a block has been walked backwards: takes the gradients of the carried streams to the end of the repetition
    /// before, and says whether the block must be walked again.
    fn repeat(&mut self, _id: BlockId, _block: &Block, _gradients: &mut [Self::Value]) -> bool {
        false
    }

    /// Called in the place of [`Adjoint::repeat`] when blocks have gone round too often; see [`Semantics::settle`].
    fn settle(&mut self, _id: BlockId, _block: &Block, _gradients: &mut [Self::Value]) -> bool {
        false
    }
}

/// Takes gradients from the loss to everything it depends on, starting from the given ones.
pub fn backpropagate<A: Adjoint>(
    graph: &Graph,
    adjoint: &mut A,
    mut gradients: Vec<A::Value>,
) -> Vec<A::Value> {
    let starts = Places::new(graph, |block| block.nodes.start);
    let mut patience = Patience::new(graph);
    let mut at = graph.len();
    while at > 0 {
        at -= 1;
        let id = NodeId::new(at);
        let count = graph.node(id).operands.len();
        let first = adjoint.first(graph, id);
        for position in 0..count {
            let operand = (first + position) % count;
            let contribution = adjoint.pull(graph, id, operand, &gradients);
            adjoint.join(&mut gradients[graph.node(id).operands[operand].index()], contribution);
        }
        patience.walk();
        for &block in starts.at(at) {
            let again = match patience.with(block) {
                Some(true) => adjoint.repeat(block, graph.block(block), &mut gradients),
                Some(false) => adjoint.settle(block, graph.block(block), &mut gradients),
                None => false,
            };
            if again {
                at = graph.block(block).nodes.end as usize;
                break;
            }
        }
    }
    gradients
}

/// The blocks at each place between nodes, innermost first.
struct Places {
    /// Per place: how many blocks stand at the places before it.
    before: Vec<u32>,
    blocks: Vec<BlockId>,
}

impl Places {
    /// Sorts blocks by place. Blocks are numbered in the order of their first nodes, so that inner ones have higher numbers.
    fn new(graph: &Graph, place: impl Fn(&Block) -> u32) -> Places {
        let mut before = vec![0; graph.len() + 2];
        for block in &graph.blocks {
            before[place(block) as usize + 1] += 1;
        }
        for at in 1..before.len() {
            before[at] += before[at - 1];
        }
        let mut blocks: Vec<BlockId> = (0..graph.blocks.len() as u32).rev().map(BlockId).collect();
        blocks.sort_by_key(|id| place(graph.block(*id)));
        Places { before, blocks }
    }

    fn at(&self, place: usize) -> &[BlockId] {
        &self.blocks[self.before[place] as usize..self.before[place + 1] as usize]
    }
}
