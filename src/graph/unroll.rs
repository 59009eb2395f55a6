//! The walk that goes through every repetition of every block, one after another, for readings that need numbers of their own in each: plans of the
//! numeric half, nodes of an infinite-width limit. The other walk ([`super::walk`]) goes round a block until nothing changes.

use std::collections::HashMap;
use std::ops::Range;

use smallvec::SmallVec;

use super::{BlockId, Graph, NodeId, Op, ParamId};
use crate::dim::Dim;

/// Where an unrolling stands.
#[derive(Clone, Debug)]
pub struct Unrolled<V> {
    /// The latest value of every node.
    pub known: Vec<Option<V>>,
    /// Per block: the number of the repetition at hand.
    pub step: Vec<usize>,
    /// Carried streams at the end of the repetition before.
    previous: HashMap<NodeId, V>,
    /// What every repetition has given so far, by `Collect` node.
    pub collected: HashMap<NodeId, Vec<V>>,
    /// The `Collect` nodes of a block.
    collectors: HashMap<BlockId, Vec<NodeId>>,
}

impl<V: Clone> Unrolled<V> {
    /// Nothing is known yet.
    pub fn new(graph: &Graph) -> Unrolled<V> {
        let mut collectors: HashMap<BlockId, Vec<NodeId>> = HashMap::new();
        for id in graph.ids() {
            if let Op::Collect { block, .. } = graph.node(id).op {
                collectors.entry(block).or_default().push(id);
            }
        }
        Unrolled {
            known: vec![None; graph.len()],
            step: vec![0; graph.blocks.len()],
            previous: HashMap::new(),
            collected: HashMap::new(),
            collectors,
        }
    }

    /// What a stream carries over from the repetition before; none in the first one, where it is what enters.
    pub fn carried(&self, carry: NodeId, block: BlockId) -> Option<V> {
        (self.step[block.index()] > 0).then(|| self.previous.get(&carry).cloned()).flatten()
    }

    /// The numbers of the repetitions that a parameter belongs to, outermost first: those of the blocks around it that have weights of their
    /// own.
    pub fn repetition_of(&self, graph: &Graph, param: ParamId) -> SmallVec<[usize; 2]> {
        let mut numbers = SmallVec::new();
        let mut at = graph.block_of(graph.param(param).scope);
        while let Some(id) = at {
            let block = graph.block(id);
            if !block.shared {
                numbers.push(self.step[id.index()]);
            }
            at = block.parent;
        }
        numbers.reverse();
        numbers
    }

    /// Keeps what the repetition that has just ended carries on and gives.
    fn end(&mut self, graph: &Graph, id: BlockId) {
        for carried in &graph.block(id).carried {
            if let Some(value) = &self.known[carried.next.index()] {
                self.previous.insert(carried.carry, value.clone());
            }
        }
        for node in self.collectors.get(&id).into_iter().flatten() {
            let entry = self.known[graph.node(*node).operands[0].index()].clone();
            self.collected.entry(*node).or_default().extend(entry);
        }
    }

    fn begin(&mut self, id: BlockId) {
        for node in self.collectors.get(&id).into_iter().flatten() {
            self.collected.insert(*node, Vec::new());
        }
    }
}

/// A reading of every node of every repetition.
pub trait Unroll<'g> {
    /// What a node means.
    type Value: Clone;
    /// Why it may have no meaning.
    type Error;

    /// The graph.
    fn graph(&self) -> &'g Graph;

    /// Where the unrolling stands.
    fn state(&mut self) -> &mut Unrolled<Self::Value>;

    /// A number of repetitions.
    ///
    /// # Errors
    /// If it is no whole number.
    fn length(&self, count: &Dim) -> Result<usize, Self::Error>;

    /// Gives a node its meaning in the repetition at hand.
    ///
    /// # Errors
    /// If it has none.
    fn node(&mut self, id: NodeId) -> Result<(), Self::Error>;
}

/// Walks all nodes in order, blocks as often as they are repeated.
///
/// # Errors
/// If a node has no meaning.
pub fn unroll<'g, U: Unroll<'g>>(reading: &mut U) -> Result<(), U::Error> {
    let end = reading.graph().len() as u32;
    run(reading, 0..end, None)
}

/// Walks a range of nodes of the body of `inside`.
fn run<'g, U: Unroll<'g>>(
    reading: &mut U,
    range: Range<u32>,
    inside: Option<BlockId>,
) -> Result<(), U::Error> {
    let mut at = range.start;
    let mut done: Vec<BlockId> = Vec::new();
    loop {
        if let Some(block) = next_block(reading.graph(), at, inside, &done) {
            repeat(reading, block)?;
            done.push(block);
            at = reading.graph().block(block).nodes.end.max(at);
        } else if at < range.end {
            reading.node(NodeId::new(at as usize))?;
            at += 1;
        } else {
            return Ok(());
        }
    }
}

/// The block that begins at a place of the body of `inside`.
fn next_block(graph: &Graph, at: u32, inside: Option<BlockId>, done: &[BlockId]) -> Option<BlockId> {
    let mut ids = (0..graph.blocks.len() as u32).map(BlockId);
    ids.find(|id| {
        let block = graph.block(*id);
        block.nodes.start == at && block.parent == inside && !done.contains(id)
    })
}

fn repeat<'g, U: Unroll<'g>>(reading: &mut U, id: BlockId) -> Result<(), U::Error> {
    let graph = reading.graph();
    let block = graph.block(id);
    reading.state().begin(id);
    for step in 0..reading.length(&block.count)? {
        reading.state().step[id.index()] = step;
        run(reading, block.nodes.clone(), Some(id))?;
        reading.state().end(graph, id);
    }
    Ok(())
}
