//! How nodes, lengths and axes are written, the same in every picture of a graph.
//!
//! An axis is named by its length, with a prime for every other axis of that length in the same line: attention scores are
//! `s[heads, seq, seq']`. So one line tells the shapes and which axes meet.

pub(super) mod formula;

use std::collections::{HashMap, HashSet};

use crate::dim::{Dim, Scalar};
use crate::graph::{BlockId, Data, Einsum, Graph, Label, NodeId, ScopeId};
use crate::report::Annotations;

/// The names of everything in one graph.
pub(super) struct Notation<'a> {
    pub graph: &'a Graph,
    pub annotations: &'a Annotations<'a>,
    symbols: Vec<String>,
    paths: Vec<String>,
    shorts: Vec<String>,
    /// Every name with the scope it stands in.
    taken: HashSet<(ScopeId, String)>,
    streams: HashMap<NodeId, NodeId>,
}

impl<'a> Notation<'a> {
    /// Names every node, in order.
    pub fn new(graph: &'a Graph, annotations: &'a Annotations<'a>) -> Notation<'a> {
        let paths = (0..graph.scopes.len() as u32).map(|id| graph.scope_path(ScopeId(id))).collect();
        let shorts = short_names(graph);
        let mut taken: HashSet<_> =
            graph.ids().zip(&shorts).map(|(id, name)| (graph.node(id).scope, name.clone())).collect();
        taken.extend(graph.scopes.iter().filter_map(|scope| Some((scope.parent?, scope.name.clone()))));
        let streams =
            graph.blocks.iter().flat_map(|block| &block.carried).map(|stream| (stream.carry, stream.next));
        Notation {
            graph,
            annotations,
            symbols: graph.symbol_names(),
            paths,
            shorts,
            taken,
            streams: streams.collect(),
        }
    }

    /// The name of a node inside its scope: `q`, `x'2` for the second `x`, `%7` for a node without one.
    pub fn short(&self, id: NodeId) -> &str {
        &self.shorts[id.index()]
    }

    /// The name of a node as another scope writes it: with the path.
    pub fn full(&self, id: NodeId) -> String {
        let node = self.graph.node(id);
        match self.paths.get(node.scope.index()).map_or("", String::as_str) {
            path if path.is_empty() || node.name.is_none() => self.short(id).to_string(),
            path => format!("{path}.{}", self.short(id)),
        }
    }

    /// The name of a node as a line in `scope` writes it: without the path that both share, unless it would then name something
    /// nearer.
    pub fn seen_from(&self, scope: ScopeId, id: NodeId) -> String {
        let full = self.full(id);
        if self.graph.node(id).scope == scope {
            return self.short(id).to_string();
        }
        let mut nearer = Vec::new();
        let mut at = Some(scope);
        while let Some(around) = at {
            let inside = match self.path(around) {
                "" => Some(full.as_str()),
                path => full.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')),
            };
            if let Some(inside) = inside {
                let first = inside.split('.').next().unwrap_or_default();
                let free = !nearer.iter().any(|scope| self.taken.contains(&(*scope, first.to_string())));
                return if free { inside.to_string() } else { full };
            }
            nearer.push(around);
            at = self.graph.scope(around).parent;
        }
        full
    }

    /// The call that `inner` is a part of, as `scope` sees it: none if `inner` is around `scope`.
    pub fn call_seen_from(&self, scope: ScopeId, inner: ScopeId) -> Option<ScopeId> {
        let around: Vec<ScopeId> = self.chain(scope).collect();
        self.chain(inner).take_while(|part| !around.contains(part)).last()
    }

    /// A scope and what it is inside of, innermost first.
    fn chain(&self, scope: ScopeId) -> impl Iterator<Item = ScopeId> {
        std::iter::successors(Some(scope), |at| self.graph.scope(*at).parent)
    }

    /// What a stream is at the end of a repetition, by its [`Op::Carry`](crate::graph::Op::Carry) node.
    pub fn next(&self, carry: NodeId) -> Option<NodeId> {
        self.streams.get(&carry).copied()
    }

    /// The letter that counts the repetitions of a block.
    pub fn letter(&self, block: BlockId) -> &str {
        self.graph.block(block).letter.as_deref().unwrap_or("step")
    }

    /// The path of a scope.
    pub fn path(&self, scope: ScopeId) -> &str {
        &self.paths[scope.index()]
    }

    /// A length.
    pub fn dim(&self, dim: &Dim) -> String {
        (self.annotations.dim)(dim).unwrap_or_else(|| dim.display(&self.symbols).to_string())
    }

    /// A length in scale symbols, whatever the spec calls it.
    pub fn exact_dim(&self, dim: &Dim) -> String {
        dim.display(&self.symbols).to_string()
    }

    /// A written multiplier.
    pub fn scalar(&self, scalar: &Scalar) -> String {
        scalar.display(&self.symbols)
    }

    /// The names of axes, primed where two have one length.
    pub fn axes<'d>(&self, dims: impl IntoIterator<Item = &'d Dim>) -> Vec<String> {
        let mut seen = HashMap::<String, usize>::new();
        let mut name = |dim| {
            let name = self.dim(dim);
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            format!("{name}{}", primes(*count - 1))
        };
        dims.into_iter().map(&mut name).collect()
    }

    /// A shape: `[seq, n]`; nothing for a single number.
    pub fn shape(&self, dims: &[Dim]) -> String {
        brackets(&self.axes(dims))
    }

    /// The name of every axis label of an einsum over these operands, the result's axes first.
    pub fn labels(&self, einsum: &Einsum, operands: &[NodeId]) -> HashMap<Label, String> {
        let mut lengths = HashMap::new();
        for (labels, operand) in einsum.inputs.iter().zip(operands) {
            let shape = &self.graph.node(*operand).shape;
            lengths.extend(labels.iter().copied().zip(shape));
        }
        let mut order = Vec::new();
        for label in einsum.output.iter().chain(einsum.inputs.iter().flatten()) {
            if !order.contains(label) && lengths.contains_key(label) {
                order.push(*label);
            }
        }
        let names = self.axes(order.iter().map(|label| lengths[label]));
        order.into_iter().zip(names).collect()
    }

    /// What an input or target is: `tokens[seq] in vocab`.
    pub fn data(&self, data: &Data, shape: &[Dim]) -> String {
        let classes = data.classes.as_ref().map(|dim| format!(" in {}", self.dim(dim)));
        format!("{}{}{}", data.name, self.shape(shape), classes.unwrap_or_default())
    }

    /// The scale symbols with their base values: `n = 768, L = 12`.
    pub fn scales(&self) -> String {
        let scales = &self.graph.scales;
        scales.iter().map(|scale| format!("{} = {}", scale.name, scale.base)).collect::<Vec<_>>().join(", ")
    }
}

/// Names in brackets; nothing for none.
pub(super) fn brackets(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("[{}]", names.join(", ")) }
}

/// A few primes, or a number where they would be many.
fn primes(count: usize) -> String {
    if count < 3 { "'".repeat(count) } else { format!("'{count}") }
}

fn short_names(graph: &Graph) -> Vec<String> {
    let mut seen = HashMap::new();
    let mut name_of = |id: NodeId| {
        let node = graph.node(id);
        let name = match graph.as_param(id) {
            Some(param) => last_part(&graph.param(param).path).to_string(),
            None => node.name.as_ref()?.to_string(),
        };
        let count = seen.entry((node.scope, name.clone())).or_insert(0);
        *count += 1;
        Some(if *count == 1 { name } else { format!("{name}'{count}") })
    };
    graph.ids().map(|id| name_of(id).unwrap_or_else(|| format!("%{}", id.index()))).collect()
}

/// The last part of a dotted path.
pub(super) fn last_part(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
