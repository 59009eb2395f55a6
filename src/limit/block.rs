//! Which layer a spec is made of: phi(W x + b), the same phi everywhere.

use std::collections::BTreeMap;

use crate::graph::{Func, Graph, NodeId, Op};
use crate::shape::Shaped;
use crate::source::Span;

/// The layer of a spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// phi
    pub func: Func,
    /// Whether biases are added before it.
    pub biased: bool,
    /// Where it stands, the last one first.
    pub layers: Vec<String>,
}

/// Why a spec has no such layer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NoBlock {
    /// What stands in the way.
    pub reason: String,
    /// What to do.
    pub help: String,
    /// Where, and where that was called.
    pub places: Vec<Span>,
}

/// Finds the layer.
///
/// # Errors
/// If the spec has none, several, or operations between layers whose maps are others.
pub fn find(graph: &Graph) -> Result<Block, NoBlock> {
    let shaped = Shaped::new(graph);
    let labels = graph.labels();
    for id in graph.ids() {
        if let Some(reason) = obstacle(graph, &shaped, id) {
            return Err(NoBlock {
                reason: format!("`{}` {reason}", labels[id.index()]),
                help: "the maps are those of plain layers phi(W x + b); for such a layer by itself, name its activation, as in `--activation relu`"
                    .to_string(),
                places: graph.places(id),
            });
        }
    }
    let mut found: BTreeMap<Func, (bool, Vec<NodeId>)> = BTreeMap::new();
    for id in graph.ids() {
        let Op::Map(func) = graph.node(id).op else { continue };
        let Some(biased) = preactivation(&shaped, graph.node(id).operands[0]) else { continue };
        let own = found.entry(func).or_insert((true, Vec::new()));
        own.0 &= biased;
        own.1.push(id);
    }
    let help = "name the activation, as in `--activation relu`".to_string();
    let mut all = found.into_iter();
    match (all.next(), all.next()) {
        (Some((func, (biased, nodes))), None) => {
            let layers = nodes.iter().rev().map(|id| labels[id.index()].clone()).collect();
            Ok(Block { func, biased, layers })
        }
        (None, _) => Err(NoBlock {
            reason: "the network has no layer phi(W x + b) whose outputs grow in number".to_string(),
            help,
            places: Vec::new(),
        }),
        (Some((one, _)), Some((two, (_, nodes)))) => Err(NoBlock {
            reason: format!("the network has layers with {} and with {}", one.name(), two.name()),
            help,
            places: nodes.first().map(|id| graph.places(*id)).unwrap_or_default(),
        }),
    }
}

/// Whether a node is W x + b (true) or W x (false) with a growing number of outputs; none if it is neither.
fn preactivation(shaped: &Shaped, id: NodeId) -> Option<bool> {
    let node = shaped.graph.node(id);
    match &node.op {
        Op::Contract { .. } => {
            let mut sites = (0..node.operands.len()).filter_map(|operand| shaped.site_at(id, operand));
            sites.any(|site| !site.fan_out.is_one()).then_some(false)
        }
        Op::Add(_) if node.operands.len() == 2 => {
            let weight = |operand: usize| shaped.view_of[node.operands[operand].index()].is_some();
            let source = (0..2).find(|operand| !weight(*operand) && weight(1 - operand))?;
            preactivation(shaped, node.operands[source]).map(|_| true)
        }
        _ => None,
    }
}

/// What changes the maps of the layers around it.
fn obstacle(graph: &Graph, shaped: &Shaped, id: NodeId) -> Option<&'static str> {
    let node = graph.node(id);
    let grows = |id: &NodeId| {
        let weight = shaped.view_of[id.index()].is_some();
        !weight && graph.node(*id).shape.iter().any(|dim| !dim.is_finite())
    };
    match &node.op {
        Op::Normalize { .. } => Some("normalizes: the variance is no longer the layers' to choose"),
        Op::Softmax { log: false, .. } => Some("is an attention pattern, which mixes positions"),
        Op::Add(_) if node.operands.iter().filter(|id| grows(id)).count() > 1 => {
            Some("adds a branch to a stream (a skip connection)")
        }
        Op::Contract { .. } if node.operands.iter().filter(|id| grows(id)).count() > 1 => {
            Some("multiplies two activations")
        }
        Op::Step { .. } => Some("reads a sequence step by step, with the same weights at every step"),
        _ => None,
    }
}
