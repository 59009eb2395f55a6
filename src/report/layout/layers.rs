//! Which layer of its frame everything stands in, and the bends of wires that pass layers.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// How many bends one frame may have; wires beyond are drawn straight through.
const BENDS: usize = 30_000;

/// A wire's part, between numbered nodes.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// Which value it carries: edges of one value share bends.
    pub value: usize,
    pub stream: bool,
}

/// Where a node may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In the first layer.
    In,
    /// In between.
    Inside,
    /// In the last layer.
    Out,
}

/// Nodes with their layers, and edges between neighbouring layers.
#[derive(Debug, Default)]
pub struct Layered {
    /// The layer of every node; bends come after the nodes that were given.
    pub layer: Vec<usize>,
    /// On the straight line of the frame's stream.
    pub spine: Vec<bool>,
    /// Between neighbouring layers.
    pub edges: Vec<Edge>,
    /// That go upwards, or would need too many bends.
    pub direct: Vec<Edge>,
    /// How many layers there are.
    pub count: usize,
}

/// Gives every node a layer.
pub fn layer(kinds: &[Kind], edges: &[Edge]) -> Layered {
    let rank = topological(kinds.len(), edges);
    let (mut forward, direct): (Vec<Edge>, Vec<Edge>) =
        edges.iter().partition(|edge| rank[edge.from] < rank[edge.to] && edge.from != edge.to);
    forward.sort_by_key(|edge| rank[edge.from]);
    let layer = longest_paths(kinds, &forward);
    let count = layer.iter().max().map_or(0, |last| last + 1);
    let spine = spine(kinds.len(), &forward);
    let mut layered = Layered { layer, spine: vec![false; kinds.len()], edges: Vec::new(), direct, count };
    spine.iter().for_each(|node| layered.spine[*node] = true);
    layered.bend(&forward, &spine);
    layered
}

/// Places in an order in which edges go forward. Of what is ready the earliest given comes first; in a circle the earliest is ready.
fn topological(count: usize, edges: &[Edge]) -> Vec<usize> {
    let mut waiting = vec![0usize; count];
    let mut after = vec![Vec::new(); count];
    for edge in edges.iter().filter(|edge| edge.from != edge.to) {
        waiting[edge.to] += 1;
        after[edge.from].push(edge.to);
    }
    let mut ready: BinaryHeap<_> = (0..count).filter(|node| waiting[*node] == 0).map(Reverse).collect();
    let mut rank = vec![usize::MAX; count];
    let (mut next, mut oldest) = (0, 0);
    while next < count {
        while oldest < count && rank[oldest] != usize::MAX {
            oldest += 1;
        }
        let node = ready.pop().map_or(oldest, |Reverse(node)| node);
        if rank[node] != usize::MAX {
            continue;
        }
        rank[node] = next;
        next += 1;
        for to in &after[node] {
            waiting[*to] = waiting[*to].saturating_sub(1);
            if waiting[*to] == 0 && rank[*to] == usize::MAX {
                ready.push(Reverse(*to));
            }
        }
    }
    rank
}

/// The layer of a node is one more than the last of what it needs; what needs nothing stands just above its first use.
fn longest_paths(kinds: &[Kind], forward: &[Edge]) -> Vec<usize> {
    let mut layer: Vec<usize> = kinds.iter().map(|kind| usize::from(*kind != Kind::In)).collect();
    let mut needs = vec![false; kinds.len()];
    for edge in forward {
        layer[edge.to] = layer[edge.to].max(layer[edge.from] + 1);
        needs[edge.to] = true;
    }
    let mut first_use = vec![usize::MAX; kinds.len()];
    for edge in forward {
        first_use[edge.from] = first_use[edge.from].min(layer[edge.to]);
    }
    for node in 0..kinds.len() {
        if kinds[node] == Kind::Inside && !needs[node] && first_use[node] != usize::MAX {
            layer[node] = first_use[node].max(2) - 1;
        }
    }
    let last =
        (0..kinds.len()).filter(|node| kinds[*node] != Kind::Out).map(|node| layer[node]).max().unwrap_or(0);
    let outs = (0..kinds.len()).filter(|node| kinds[*node] == Kind::Out);
    outs.for_each(|node| layer[node] = last + 1);
    layer
}

/// The path with the most of the streams on it; none without a stream.
fn spine(count: usize, forward: &[Edge]) -> Vec<usize> {
    const STREAM: usize = 64;
    let mut best = vec![(0usize, usize::MAX); count];
    for edge in forward {
        let weight = best[edge.from].0 + if edge.stream { STREAM } else { 1 };
        if weight > best[edge.to].0 {
            best[edge.to] = (weight, edge.from);
        }
    }
    let Some(end) = (0..count).max_by_key(|node| (best[*node].0, Reverse(*node))) else { return Vec::new() };
    if !forward.iter().any(|edge| edge.stream) {
        return Vec::new();
    }
    let mut path: Vec<_> =
        std::iter::successors(Some(end), |node| Some(best[*node].1).filter(|from| *from != usize::MAX))
            .collect();
    path.reverse();
    path
}

impl Layered {
    /// Cuts the edges that pass layers.
    fn bend(&mut self, forward: &[Edge], spine: &[usize]) {
        let on_spine: HashMap<usize, usize> =
            spine.iter().zip(spine.iter().skip(1)).map(|(a, b)| (*a, *b)).collect();
        let given = self.layer.len();
        let mut chains = Chains::new();
        for edge in forward {
            let span = self.layer[edge.to].saturating_sub(self.layer[edge.from]);
            let straight = on_spine.get(&edge.from) == Some(&edge.to);
            let chain = chains.entry((edge.from, edge.value, straight)).or_default();
            let more = span.saturating_sub(chain.len() + 1);
            if span == 0 || self.layer.len() - given + more > BENDS {
                self.direct.push(*edge);
            } else {
                self.lead(*edge, straight, chain);
            }
        }
    }

    /// Leads one edge through the bends of its value, which are made as far as they are needed; the spine has its own.
    fn lead(&mut self, edge: Edge, straight: bool, chain: &mut Vec<usize>) {
        let span = self.layer[edge.to] - self.layer[edge.from];
        while chain.len() + 1 < span {
            let (from, to) = (chain.last().copied().unwrap_or(edge.from), self.layer.len());
            self.layer.push(self.layer[edge.from] + chain.len() + 1);
            self.spine.push(straight);
            self.edges.push(Edge { from, to, ..edge });
            chain.push(to);
        }
        let from = if span > 1 { chain[span - 2] } else { edge.from };
        self.edges.push(Edge { from, ..edge });
    }
}

/// The bends of every value that leaves a node, layer after layer.
type Chains = HashMap<(usize, usize, bool), Vec<usize>>;
