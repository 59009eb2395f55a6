//! Which tensors depend on which parameters, asked one pair at a time.
//!
//! A search goes backwards from the tensor and never before the parameter's first use (or, where a repetition uses it again, the
//! start of that repetition), so the usual question (does the key depend on the query weight?) is answered within a block. A
//! search that visits too much answers "it depends", which errs towards larger sums.

use std::collections::HashSet;

use super::forward::next_of;
use crate::graph::{Block, Graph, NodeId, Op, ParamId};
use crate::shape::{Shaped, Site};

/// Nodes that one search may visit.
const BUDGET: usize = 20_000;

/// Answers questions of dependence.
pub struct Dependence<'s, 'g> {
    shaped: &'s Shaped<'g>,
    source: Vec<Option<NodeId>>,
}

impl<'s, 'g> Dependence<'s, 'g> {
    /// Prepares the answers for a graph.
    pub fn new(shaped: &'s Shaped<'g>) -> Self {
        let mut source = vec![None; shaped.graph.params.len()];
        for id in shaped.graph.ids() {
            if let Op::Param(param) = shaped.graph.node(id).op {
                source[param.index()].get_or_insert(id);
            }
        }
        Dependence { shaped, source }
    }

    /// Whether a tensor depends on a parameter (this repetition's, for a parameter of a block with own weights).
    pub fn on_param(&self, tensor: NodeId, param: ParamId) -> bool {
        let Some(source) = self.source[param.index()] else { return false };
        let graph = self.shaped.graph;
        let first = graph.consumers(source).map(|(consumer, _)| consumer).min().unwrap_or(source);
        let around = |carry: NodeId| back_edge(graph, carry, source);
        let floor = floor(graph, first, source);
        tensor == source
            || search(graph, tensor, floor, around, |id| graph.node(id).operands.contains(&source))
    }

    /// Whether a tensor depends on the streams that a block carries.
    pub fn on_carry(&self, tensor: NodeId, carry: NodeId) -> bool {
        let graph = self.shaped.graph;
        let Op::Carry(block) = graph.node(carry).op else { return false };
        let start = NodeId::new(graph.block(block).nodes.start as usize);
        search(graph, tensor, start, |_| None, |id| graph.node(id).op == Op::Carry(block))
    }

    /// Whether the other operand of a site depends on another site of the same parameter in which an axis that is contracted here
    /// was free.
    pub fn exchanged(&self, site: &Site) -> bool {
        let graph = self.shaped.graph;
        let node = graph.node(site.node);
        let inputs: Vec<NodeId> = node
            .operands
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != site.operand)
            .map(|(_, id)| *id)
            .collect();
        let Some(source) = self.source[site.param.index()] else { return false };
        let around = |carry: NodeId| back_edge(graph, carry, source);
        self.shaped.sites_of(site.param).filter(|other| *other != site && free_here(graph, site, other)).any(
            |other| {
                let floor = floor(graph, other.node, source);
                inputs.iter().any(|input| search(graph, *input, floor, around, |id| id == other.node))
            },
        )
    }
}

/// Whether an axis of the parameter that `site` contracts is kept by `other`.
fn free_here(graph: &Graph, site: &Site, other: &Site) -> bool {
    let (here, there) = (contracted_axes(graph, site), contracted_axes(graph, other));
    here.iter().zip(&there).any(|(here, there)| *here && !*there)
}

fn contracted_axes(graph: &Graph, site: &Site) -> Vec<bool> {
    match &graph.node(site.node).op {
        Op::Contract { einsum, .. } | Op::Lookup { einsum, .. } => {
            einsum.inputs[site.operand].iter().map(|label| !einsum.output.contains(label)).collect()
        }
        _ => Vec::new(),
    }
}

/// Where a carried stream comes from besides its entry, if the earlier repetition used the same parameter.
fn back_edge(graph: &Graph, carry: NodeId, source: NodeId) -> Option<NodeId> {
    next_of(graph, carry).filter(|_| {
        let Op::Carry(id) = graph.node(carry).op else { return false };
        uses_again(graph.block(id), source)
    })
}

/// Whether every repetition of a block uses the same parameter.
fn uses_again(block: &Block, source: NodeId) -> bool {
    block.shared || !block.nodes.contains(&(source.index() as u32))
}

/// Before which node no search for a use needs to go: the use itself, or the start of the outermost repetition around it that uses the
/// parameter again.
fn floor(graph: &Graph, usage: NodeId, source: NodeId) -> NodeId {
    let mut floor = usage;
    let mut at = graph.block_of(graph.node(usage).scope);
    while let Some(id) = at {
        let block = graph.block(id);
        if uses_again(block, source) {
            floor = floor.min(NodeId::new(block.nodes.start as usize));
        }
        at = block.parent;
    }
    floor
}

/// Whether going backwards from `from`, never before `floor`, finds a node.
fn search(
    graph: &Graph,
    from: NodeId,
    floor: NodeId,
    around: impl Fn(NodeId) -> Option<NodeId>,
    found: impl Fn(NodeId) -> bool,
) -> bool {
    let mut seen = HashSet::new();
    let mut stack = vec![from];
    while let Some(id) = stack.pop() {
        if id < floor || !seen.insert(id) {
            continue;
        }
        if found(id) || seen.len() > BUDGET {
            return true;
        }
        stack.extend(graph.node(id).operands.iter().copied());
        stack.extend(around(id));
    }
    false
}
