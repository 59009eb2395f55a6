//! Which tensors depend on which parameters, asked one pair at a time.
//!
//! A search goes backwards from the tensor and never before the parameter's first use (or, where a repetition uses it again, the
//! start of that repetition), so the usual question (does the key depend on the query weight?) is answered within a block. A
//! search that visits too much answers "it depends", which errs towards larger sums; so does every search of a graph whose
//! searches have visited too much together, which keeps them linear.

use std::collections::BinaryHeap;

use super::forward::next_of;
use crate::graph::{Block, Graph, NodeId, Op, ParamId};
use crate::shape::{Shaped, Site};

/// Nodes that one search may visit.
const BUDGET: usize = 20_000;

/// Nodes that all searches of a graph may visit, per node of the graph; known networks need a handful.
const VISITS_PER_NODE: usize = 256;

/// Answers questions of dependence.
pub struct Dependence<'s, 'g> {
    shaped: &'s Shaped<'g>,
    source: Vec<Option<NodeId>>,
    /// Per parameter: before which node no search for its uses needs to go.
    floor: Vec<Option<NodeId>>,
    /// Per parameter: the axes that some site of it keeps.
    kept: Vec<u32>,
    /// Per site: whether its parameter is exchanged there, if that was asked.
    answers: Vec<Option<bool>>,
    visits: Visits,
}

/// What the searches have visited.
struct Visits {
    /// Per node: the last search that visited it.
    last: Vec<u32>,
    search: u32,
    /// Nodes visited by this search.
    count: usize,
    /// Nodes visited by all searches.
    total: usize,
    /// How many these may be.
    most: usize,
}

impl Visits {
    fn new(nodes: usize) -> Visits {
        let most = nodes.saturating_mul(VISITS_PER_NODE).saturating_add(100_000);
        Visits { last: vec![0; nodes], search: 0, count: 0, total: 0, most }
    }

    fn begin(&mut self) {
        if self.search == u32::MAX {
            self.last.fill(0);
            self.search = 0;
        }
        self.search += 1;
        self.count = 0;
    }

    /// Whether this search is the first time here.
    fn is_new(&mut self, id: NodeId) -> bool {
        self.count += 1;
        self.total += 1;
        std::mem::replace(&mut self.last[id.index()], self.search) != self.search
    }

    fn are_too_many(&self) -> bool {
        self.count > BUDGET || self.total > self.most
    }
}

impl<'s, 'g> Dependence<'s, 'g> {
    /// Prepares the answers for a graph.
    pub fn new(shaped: &'s Shaped<'g>) -> Self {
        let graph = shaped.graph;
        let mut source = vec![None; graph.params.len()];
        let mut floors = source.clone();
        for id in graph.ids() {
            if let Op::Param(param) = graph.node(id).op {
                source[param.index()].get_or_insert(id);
            }
            for operand in &graph.node(id).operands {
                let known = graph.as_param(*operand).filter(|p| source[p.index()] == Some(*operand));
                if let Some(first) = known.map(|param| &mut floors[param.index()]) {
                    first.get_or_insert_with(|| floor(graph, id, *operand));
                }
            }
        }
        let mut kept = vec![0; graph.params.len()];
        for site in &shaped.sites {
            kept[site.param.index()] |= axes(graph, site.node, site.operand).kept;
        }
        let answers = vec![None; shaped.sites.len()];
        Dependence { shaped, source, floor: floors, kept, answers, visits: Visits::new(graph.len()) }
    }

    /// The node of a parameter, if something uses it.
    pub fn node_of(&self, param: ParamId) -> Option<NodeId> {
        self.source[param.index()]
    }

    /// How many nodes all searches have visited together.
    #[cfg(test)]
    pub(super) fn visited(&self) -> usize {
        self.visits.total
    }

    /// Whether a tensor depends on a parameter (this repetition's, for a parameter of a block with own weights).
    pub fn on_param(&mut self, tensor: NodeId, param: ParamId) -> bool {
        let Some(source) = self.source[param.index()] else { return false };
        let graph = self.shaped.graph;
        let floor = self.floor[param.index()].unwrap_or(source);
        let around = |carry: NodeId| back_edge(graph, carry, source);
        tensor == source || self.search(tensor, floor, around, |id| graph.node(id).operands.contains(&source))
    }

    /// Whether a tensor depends on the streams that a block carries.
    pub fn on_carry(&mut self, tensor: NodeId, carry: NodeId) -> bool {
        let graph = self.shaped.graph;
        let Op::Carry(block) = graph.node(carry).op else { return false };
        let start = NodeId::new(graph.block(block).nodes.start as usize);
        self.search(tensor, start, |_| None, |id| graph.node(id).op == Op::Carry(block))
    }

    /// Whether going backwards from `from`, never before `floor`, finds a node.
    fn search(
        &mut self,
        from: NodeId,
        floor: NodeId,
        around: impl Fn(NodeId) -> Option<NodeId>,
        found: impl Fn(NodeId) -> bool,
    ) -> bool {
        self.visits.begin();
        let mut stack = vec![from];
        while let Some(id) = stack.pop() {
            if id < floor || !self.visits.is_new(id) {
                continue;
            }
            if found(id) || self.visits.are_too_many() {
                return true;
            }
            stack.extend(self.shaped.graph.node(id).operands.iter().copied());
            stack.extend(around(id));
        }
        false
    }

    /// Whether the other operand of a site depends on another site of the same parameter in which an axis that is contracted here
    /// was kept.
    pub fn exchanged(&mut self, site: &Site) -> bool {
        let contracted = axes(self.shaped.graph, site.node, site.operand).contracted;
        let kept = contracted & self.kept[site.param.index()] != 0;
        let answer = kept && self.source[site.param.index()].is_some_and(|source| self.meets(site, source));
        if let Some(place) = self.shaped.place_of(site.node, site.operand) {
            self.answers[place] = Some(answer);
        }
        answer
    }

    /// Goes backwards from a site, later nodes first: so no way to a node stays further up than the lowest one visited before it.
    fn meets(&mut self, site: &Site, source: NodeId) -> bool {
        let graph = self.shaped.graph;
        let first = self.shaped.sites_of(site.param).next().map_or(site.node, |first| first.node);
        let end = floor(graph, first, source);
        let inputs = graph.node(site.node).operands.iter().enumerate();
        let mut heap: BinaryHeap<NodeId> =
            inputs.filter(|(at, _)| *at != site.operand).map(|(_, id)| *id).collect();
        let mut lowest = NodeId::end();
        self.visits.begin();
        while let Some(id) = heap.pop().filter(|id| *id >= end) {
            if !self.visits.is_new(id) {
                continue;
            }
            lowest = lowest.min(id);
            match self.meeting(id, site) {
                Some(Meeting::Kept) if floor(graph, id, source) <= lowest => return true,
                Some(Meeting::Alike(true)) if id == lowest => return true,
                Some(Meeting::Alike(false)) => continue,
                _ if self.visits.are_too_many() => return true,
                _ => {}
            }
            heap.extend(graph.node(id).operands.iter().copied());
            heap.extend(back_edge(graph, id, source));
        }
        false
    }

    /// What a node is to a site: another site of the same parameter?
    fn meeting(&self, id: NodeId, site: &Site) -> Option<Meeting> {
        let graph = self.shaped.graph;
        let contracted = axes(graph, site.node, site.operand).contracted;
        let operands = graph.node(id).operands.iter().enumerate();
        let own = operands.filter(|(_, operand)| self.shaped.view_of[operand.index()] == Some(site.param));
        let mut met = None;
        for (at, _) in own.filter(|_| self.shaped.view_of[id.index()].is_none()) {
            let other = axes(graph, id, at);
            if other.kept & contracted != 0 {
                return Some(Meeting::Kept);
            }
            if other.contracted == contracted {
                let answer = self.shaped.place_of(id, at).and_then(|place| self.answers[place]);
                met = met.or(answer.map(Meeting::Alike));
            }
        }
        met
    }
}

/// How a search that began at one site meets another one of the same parameter.
enum Meeting {
    /// It keeps an axis that the first one contracts.
    Kept,
    /// It contracts the same axes, and the question was answered for it.
    Alike(bool),
}

/// The axes of a parameter at one site, as bits.
#[derive(Default)]
struct SiteAxes {
    contracted: u32,
    kept: u32,
}

fn axes(graph: &Graph, node: NodeId, operand: usize) -> SiteAxes {
    let (Op::Contract { einsum, .. } | Op::Lookup { einsum, .. }) = &graph.node(node).op else {
        return SiteAxes::default();
    };
    let mut axes = SiteAxes::default();
    for (at, label) in (0..u32::BITS).zip(&einsum.inputs[operand]) {
        let side = if einsum.output.contains(label) { &mut axes.kept } else { &mut axes.contracted };
        *side |= 1 << at;
    }
    axes
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
