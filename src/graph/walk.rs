//! The one walk, with several readings.
//!
//! A reading gives every operation a meaning ([`Semantics`]); [`interpret`] applies it in topological order. A block is walked
//! until the reading says that another repetition would change nothing. The state of a carried stream survives an outer
//! repetition, so that nested blocks cost the sum of their repetitions, never the product.

use super::{Block, BlockId, Graph, NodeId};

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
}

/// Gives every node its meaning, in topological order.
pub fn interpret<S: Semantics>(graph: &Graph, semantics: &mut S) -> Result<Vec<S::Value>, S::Error> {
    let mut values: Vec<S::Value> = Vec::with_capacity(graph.len());
    let ends = block_ends(graph);
    let mut at = 0;
    while at < graph.len() {
        let value = semantics.apply(graph, NodeId::new(at), &values)?;
        match values.get_mut(at) {
            Some(slot) => *slot = value,
            None => values.push(value),
        }
        at += 1;
        for &id in ends.get(&at).map_or(&[][..], Vec::as_slice) {
            let block = graph.block(id);
            if semantics.repeat(graph, id, block, &mut values) {
                at = block.nodes.start as usize;
                break;
            }
        }
    }
    Ok(values)
}

/// The blocks that end before each node, innermost first.
fn block_ends(graph: &Graph) -> std::collections::HashMap<usize, Vec<BlockId>> {
    let mut ends = std::collections::HashMap::<usize, Vec<BlockId>>::new();
    for id in (0..graph.blocks.len() as u32).rev().map(BlockId) {
        ends.entry(graph.block(id).nodes.end as usize).or_default().push(id);
    }
    ends
}
