//! Depth: a multiplier L^-alpha in front of every branch of a residual stream that grows.
//!
//! alpha = 1/2 is Depth-muP (TP-VI), alpha = 1 CompleteP (Dey et al. 2025), alpha = 0 what frameworks do without further thought. Learning
//! rates, eps and weight decay follow from the multiplier by the rules for changes ([`crate::size::repetition`]).

use crate::abc::Abc;
use crate::dim::Monomial;
use crate::graph::{BlockId, Graph, NodeId, Op};
use crate::rational::Rational;
use crate::shape::stream::{Branch, block_depth};
use crate::size::analysis::Calculus;

/// Puts L^-alpha in front of every branch, L being the repetitions of all growing streams that it feeds. A branch behind a written power of
/// their count keeps that.
pub fn multiply_branches(calculus: &Calculus, abc: &mut Abc, alpha: Rational) {
    let streams = &calculus.repetitions.streams;
    for (place, branch) in streams.branches.iter().enumerate() {
        let count = &calculus.repetitions.in_all(place).coherent;
        let factor = alpha.neg().and_then(|power| count.pow(power)).filter(|factor| !factor.is_one());
        if let Some(factor) = factor.filter(|_| !is_written(calculus.graph(), branch, count)) {
            abc.branches.insert((branch.add, branch.operand), factor);
        }
    }
}

/// Whether a branch ends with a written multiplier that has a power of the number of repetitions.
fn is_written(graph: &Graph, branch: &Branch, count: &Monomial) -> bool {
    let source = graph.node(branch.add).operands[branch.operand];
    let counts = |symbol| count.iter().any(|(own, _)| own == symbol);
    graph.written_multiplier(source).is_some_and(|written| written.powers.iter().any(|(own, _)| counts(own)))
}

/// One growing block with its number of layers, in words a reader can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockDepth {
    /// The block.
    pub block: BlockId,
    /// Trained weights one behind the other in its deepest branch.
    pub layers: usize,
}

/// The block depth of every growing block.
pub fn block_depths(calculus: &Calculus) -> Vec<BlockDepth> {
    let streams = &calculus.repetitions.streams;
    let growing = (0..).map(BlockId).zip(&streams.growing).filter(|(_, growing)| **growing);
    let depth = |(block, _)| {
        let own = |branch: &&Branch| branch.feeds.last().is_some_and(|feeds| feeds.block == block);
        let layers =
            streams.branches.iter().filter(own).map(|branch| block_depth(&calculus.shaped, streams, branch));
        BlockDepth { block, layers: layers.max().unwrap_or(0) }
    };
    growing.map(depth).collect()
}

/// What the reader of a table must know of its blocks: their depth and which alpha that asks for; and which repetitions have no limit.
pub fn remarks(calculus: &Calculus, alpha: Rational) -> Vec<String> {
    let graph = calculus.graph();
    let names = graph.symbol_names();
    let mut remarks: Vec<String> = block_depths(calculus)
        .into_iter()
        .map(|found| {
            let name = block_name(graph, found.block);
            let count = graph.block(found.block).count.display(&names).to_string();
            let advice = match found.layers {
                0 => "no trained weight stands in its branches".to_string(),
                1 => "one layer per branch: alpha = 1/2 (Depth-muP) is the largest multiplier under which it is maximal"
                    .to_string(),
                layers => format!(
                    "{layers} layers one behind the other in a branch: alpha = 1 (CompleteP) lets all of them learn, below it all but the last are lazy"
                ),
            };
            format!("block `{name}`: {count} repetitions, multiplier ({count})^-{alpha} in front of its branches; {advice}")
        })
        .collect();
    remarks.extend(calculus.repetitions.streams.lost.iter().map(|lost| {
        let (name, stream) = (block_name(graph, lost.block), calculus.label(lost.carry));
        format!("block `{name}`: {}", no_limit(graph, stream, lost.carry, lost.next))
    }));
    remarks
}

/// Why a stream without identity path has no limit.
fn no_limit(graph: &Graph, stream: &str, carry: NodeId, next: NodeId) -> String {
    let sum =
        |id: NodeId| matches!(graph.node(id).op, Op::Add(_)) && graph.node(id).operands.contains(&carry);
    let after_sum = |at: usize| {
        let node = graph.node(NodeId::new(at));
        matches!(node.op, Op::Normalize { .. }) && node.operands.iter().any(|operand| sum(*operand))
    };
    let why = match (carry.index()..=next.index()).any(after_sum) {
        true => {
            "is normalized after the sum, so every repetition shrinks what came before by a constant factor"
        }
        false => "is not passed on by a sum, so every repetition replaces it",
    };
    format!(
        "`{stream}` {why}: no residual stream, and with it no limit like that of a width; the number of repetitions counts as finite"
    )
}

fn block_name(graph: &Graph, block: BlockId) -> String {
    graph.scope_path(graph.block(block).scope)
}
