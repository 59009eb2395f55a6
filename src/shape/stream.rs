//! Residual streams: what a growing number of repetitions adds to.
//!
//! A stream is **residual** if it goes through its block on an identity path: from the carry to the end of the repetition through
//! nothing but sums (of which it is one term, once), dropout and inner residual blocks. What the sums add to it are its **branches**. Only
//! residual streams have a limit when the number of repetitions grows: everything else is a power of one map, which forgets its
//! input or blows up whatever the multipliers are (TP-VI).

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::Shaped;
use crate::graph::{Block, BlockId, Gate, Graph, NodeId, Op};

/// A block and the stream of it that a branch feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feeds {
    /// The block.
    pub block: BlockId,
    /// The stream, by its carry.
    pub carry: NodeId,
}

/// What is added to a stream in every repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The sum on the path.
    pub add: NodeId,
    /// Which of its operands the branch is.
    pub operand: usize,
    /// The growing streams that it feeds, outermost first; the last one is that of the block it stands in.
    pub feeds: SmallVec<[Feeds; 1]>,
}

/// A stream that a growing block carries without an identity path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The block.
    pub block: BlockId,
    /// The carry of the stream.
    pub carry: NodeId,
    /// Where the identity ends: the value at the end of a repetition.
    pub next: NodeId,
}

/// The residual streams of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// Per block: whether it is repeated a growing number of times and carries a residual stream.
    pub growing: Vec<bool>,
    /// Every branch of a residual stream of a growing block, in topological order.
    pub branches: Vec<Branch>,
    /// Per node: whether it lies on the path of a residual stream of the innermost growing block around it.
    pub on_path: Vec<bool>,
    /// Per node: the innermost growing block around it.
    pub block: Vec<Option<BlockId>>,
    /// Per carry of a residual stream: its branches, as places in the list and in their `feeds`.
    fed: BTreeMap<NodeId, Vec<(usize, usize)>>,
    /// Streams of growing blocks that are not residual.
    pub lost: Vec<Lost>,
}

type Feeding = BTreeMap<(NodeId, usize), SmallVec<[Feeds; 1]>>;

impl Streams {
    /// No repetition counts as growing.
    pub fn none(graph: &Graph) -> Streams {
        Streams {
            growing: vec![false; graph.blocks.len()],
            on_path: vec![false; graph.len()],
            block: vec![None; graph.len()],
            ..Streams::default()
        }
    }

    /// The streams of all growing blocks.
    pub fn new(graph: &Graph) -> Streams {
        let mut streams = Streams::none(graph);
        let mut paths = Vec::new();
        for (id, block) in (0..).map(BlockId).zip(&graph.blocks).filter(|(_, block)| !block.count.is_finite())
        {
            for carried in &block.carried {
                let (carry, next) = (carried.carry, carried.next);
                match identity(graph, block, carry, next) {
                    Some(path) => paths.push((Feeds { block: id, carry }, path)),
                    None => streams.lost.push(Lost { block: id, carry, next }),
                }
            }
        }
        for (feeds, _) in &paths {
            streams.growing[feeds.block.index()] = true;
            streams.fed.insert(feeds.carry, Vec::new());
        }
        streams.place(graph);
        let mut feeding = Feeding::new();
        paths.into_iter().for_each(|(feeds, path)| streams.follow(graph, feeds, path, &mut feeding));
        streams.keep(feeding);
        streams
    }

    /// The innermost growing block around every node: blocks come in the order of their first nodes, outer ones first.
    fn place(&mut self, graph: &Graph) {
        for (id, block) in (0..).map(BlockId).zip(&graph.blocks).filter(|(id, _)| self.growing[id.index()]) {
            self.block[block.nodes.start as usize..block.nodes.end as usize].fill(Some(id));
        }
    }

    /// The branches along a path, and the part of the path of which no inner block is nearer.
    fn follow(&mut self, graph: &Graph, feeds: Feeds, mut path: Vec<NodeId>, feeding: &mut Feeding) {
        path.sort_unstable();
        for node in &path {
            self.on_path[node.index()] |= self.block[node.index()] == Some(feeds.block);
            if let Op::Add(_) = graph.node(*node).op {
                let operands = graph.node(*node).operands.iter().enumerate();
                let branches = operands.filter(|(_, operand)| path.binary_search(operand).is_err());
                branches.for_each(|(at, _)| feeding.entry((*node, at)).or_default().push(feeds));
            }
        }
    }

    fn keep(&mut self, feeding: Feeding) {
        for ((add, operand), feeds) in feeding {
            for (level, fed) in feeds.iter().enumerate() {
                self.fed.entry(fed.carry).or_default().push((self.branches.len(), level));
            }
            self.branches.push(Branch { add, operand, feeds });
        }
    }

    /// Whether a carry starts a residual stream of a growing block.
    pub fn is_residual(&self, carry: NodeId) -> bool {
        self.fed.contains_key(&carry)
    }

    /// The branches of a stream, by its carry: places in [`Streams::branches`] and in the branch's `feeds`.
    pub fn feeding(&self, carry: NodeId) -> &[(usize, usize)] {
        self.fed.get(&carry).map_or(&[], Vec::as_slice)
    }

    /// Where the branch that an operand of a node is stands in the list of branches.
    pub fn branch_at(&self, add: NodeId, operand: usize) -> Option<usize> {
        self.branches.binary_search_by_key(&(add, operand), |branch| (branch.add, branch.operand)).ok()
    }

    /// The growing blocks around a node, innermost first.
    pub fn around<'s>(&'s self, graph: &'s Graph, node: NodeId) -> impl Iterator<Item = BlockId> + 's {
        let blocks = std::iter::successors(self.block[node.index()], |id| graph.block(*id).parent);
        blocks.filter(|id| self.growing[id.index()])
    }
}

/// The identity path of a stream through its block, if there is one: every node on it.
fn identity(graph: &Graph, block: &Block, carry: NodeId, next: NodeId) -> Option<Vec<NodeId>> {
    let start = block.nodes.start as usize;
    let mut same = vec![false; block.nodes.len()];
    let is_same =
        |same: &[bool], id: NodeId| id.index().checked_sub(start).and_then(|at| same.get(at)).copied();
    same[carry.index() - start] = true;
    for at in carry.index() + 1..=next.index() {
        let id = NodeId::new(at);
        let count = kept(graph, id).filter(|operand| is_same(&same, *operand) == Some(true)).count();
        same[at - start] = count == 1;
    }
    if next == carry || is_same(&same, next) != Some(true) {
        return None;
    }
    let mut path = vec![next];
    let mut at = next;
    while at != carry {
        at = kept(graph, at).find(|operand| is_same(&same, *operand) == Some(true))?;
        path.push(at);
    }
    Some(path)
}

/// The operands that a node passes on as they are, on their own or as a term of a sum.
fn kept(graph: &Graph, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
    let node = graph.node(id);
    let whole = |at: usize| match &node.op {
        Op::Add(einsum) => einsum.inputs[at].len() == einsum.output.len(),
        Op::Gate(Gate::Dropout(_)) | Op::Carry(_) | Op::Exit(_) => true,
        _ => false,
    };
    node.operands.iter().enumerate().filter(move |(at, _)| whole(*at)).map(|(_, operand)| *operand)
}

/// How many trained weights lie one behind the other in each branch: the **block depth**, which decides between the two depth
/// parameterizations (a block of one layer can be maximal under alpha = 1/2, one of two or more only under alpha = 1; TP-VI,
/// CompleteP).
pub fn block_depth(shaped: &Shaped, streams: &Streams, branch: &Branch) -> usize {
    let graph = shaped.graph;
    let Some(block) = branch.feeds.last().map(|feeds| graph.block(feeds.block)) else { return 0 };
    let start = block.nodes.start as usize;
    let end = graph.node(branch.add).operands[branch.operand];
    let mut depth = vec![0; block.nodes.len()];
    for at in start..=end.index().max(start) {
        let id = NodeId::new(at);
        let inner = graph.node(id).operands.iter().filter(|operand| operand.index() >= start);
        let below =
            inner.filter(|operand| !streams.on_path[operand.index()]).map(|id| depth[id.index() - start]);
        let own = if streams.on_path[at] {
            0
        } else {
            below.max().unwrap_or(0) + usize::from(is_layer(shaped, id))
        };
        depth[at - start] = own;
    }
    end.index().checked_sub(start).map_or(0, |at| depth[at])
}

/// Whether a trained weight acts here on a growing axis or gives one.
fn is_layer(shaped: &Shaped, id: NodeId) -> bool {
    let count = shaped.graph.node(id).operands.len();
    let mut sites = (0..count).filter_map(|operand| shaped.site_at(id, operand));
    sites.any(|site| site.contracts && !shaped.graph.param(site.param).frozen && !site.lookup)
}
