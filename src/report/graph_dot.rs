//! The graph in the language of Graphviz: scopes and blocks as clusters, parameters coloured by role, shapes on the edges.

use std::fmt::Write;

use super::notation::{Notation, last_part};
use crate::graph::{Graph, Multiplier, Node, NodeId, Op, ScopeId};
use crate::report::Annotations;
use crate::report::graph_svg::palette;

/// Writes the graph for `dot`.
pub fn dot(graph: &Graph, annotations: &Annotations<'_>) -> String {
    let mut writer = Writer { notation: Notation::new(graph, annotations), out: String::new() };
    writer.header();
    writer.clusters();
    graph.ids().for_each(|id| writer.edges(id));
    writer.back_edges();
    writer.out.push_str("}\n");
    writer.out
}

struct Writer<'a> {
    notation: Notation<'a>,
    out: String,
}

impl Writer<'_> {
    fn line(&mut self, indent: usize, text: &str) {
        self.out.push_str(&"  ".repeat(indent));
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn header(&mut self) {
        let name = quote(&self.notation.graph.name);
        self.line(0, &format!("digraph {name} {{"));
        self.line(1, &format!("label={name}; labelloc=t; rankdir=TB; fontname=Helvetica; compound=true;"));
        self.line(1, "node [shape=box, style=rounded, fontname=Helvetica, fontsize=11, height=0.3];");
        self.line(1, "edge [fontname=Helvetica, fontsize=9, fontcolor=\"#667085\", color=\"#667085\"];");
    }

    /// Writes the tree of scopes as nested clusters, each with its nodes. Scopes come after what they are in, so a stack of
    /// what is still to be written or closed does without recursion.
    fn clusters(&mut self) {
        let graph = self.notation.graph;
        let mut children = vec![Vec::new(); graph.scopes.len()];
        for (at, scope) in graph.scopes.iter().enumerate() {
            if let Some(parent) = scope.parent {
                children[parent.index()].push(Step::Open(ScopeId(at as u32)));
            }
        }
        let mut nodes = vec![Vec::new(); graph.scopes.len()];
        graph.ids().for_each(|id| nodes[graph.node(id).scope.index()].push(id));
        let mut depth = 0;
        let mut stack = vec![Step::Open(ScopeId(0))];
        while let Some(step) = stack.pop() {
            match step {
                Step::Close => {
                    self.line(depth, "}");
                    depth -= 1;
                }
                Step::Open(id) if id.index() < nodes.len() => {
                    if graph.scope(id).parent.is_some() {
                        depth += 1;
                        self.open(depth, id);
                        stack.push(Step::Close);
                    }
                    nodes[id.index()].iter().for_each(|node| self.node(depth + 1, *node));
                    stack.extend(children[id.index()].drain(..).rev());
                }
                Step::Open(_) => {}
            }
        }
    }

    fn open(&mut self, depth: usize, id: ScopeId) {
        let scope = self.notation.graph.scope(id);
        self.line(depth, &format!("subgraph cluster_{} {{", id.0));
        let (label, look) = match scope.block {
            Some(block) => {
                let block = self.notation.graph.block(block);
                let shared = if block.shared { " (shared)" } else { "" };
                let label = format!("{} × {}{shared}", scope.name, self.notation.dim(&block.count));
                (label, "style=\"rounded,filled\"; color=\"#6B7C93\"; fillcolor=\"#F6F8FB\"; penwidth=1.5;")
            }
            None => (scope.name.clone(), "style=rounded; color=\"#C5CDD8\"; penwidth=1;"),
        };
        self.line(depth + 1, &format!("label={}; labeljust=l; {look}", quote(&label)));
    }

    fn node(&mut self, depth: usize, id: NodeId) {
        let node = self.notation.graph.node(id);
        let look = match &node.op {
            Op::Param(param) => {
                let (fill, line) = palette((self.notation.annotations.role)(*param).as_deref());
                format!(", shape=box, style=\"rounded,filled\", fillcolor=\"{fill}\", color=\"{line}\"")
            }
            Op::Data(_) => ", style=\"rounded,bold\"".to_string(),
            Op::Carry(_) | Op::Exit(_) => ", style=\"rounded,dashed\"".to_string(),
            _ => String::new(),
        };
        let label = quote(&self.label(id, node));
        self.line(depth, &format!("n{} [label={label}{look}];", id.index()));
    }

    fn label(&self, id: NodeId, node: &Node) -> String {
        let what = self.what(node);
        match (&node.op, &node.name) {
            (Op::Param(_) | Op::Data(_), _) | (_, None) => what,
            _ => format!("{} = {what}", self.notation.short(id)),
        }
    }

    /// The operation in a word or two.
    fn what(&self, node: &Node) -> String {
        let graph = self.notation.graph;
        match &node.op {
            Op::Data(data) => graph.data[data.index()].name.clone(),
            Op::Param(param) => last_part(&graph.param(*param).path).to_string(),
            Op::Constant(value) => value.to_string(),
            Op::Contract { einsum, multiplier } => {
                let names = self.notation.labels(einsum, &node.operands);
                let sums: Vec<_> =
                    einsum.contracted().iter().filter_map(|label| names.get(label).cloned()).collect();
                let sums = if sums.is_empty() { String::new() } else { format!(" Σ {}", sums.join(", ")) };
                format!("{}·{sums}", factor(&self.notation, multiplier))
            }
            Op::Scale(multiplier) => format!("{}·", factor(&self.notation, multiplier)),
            Op::Add(_) => "+".to_string(),
            Op::Map(func) => func.name().to_string(),
            op => super::graph_json::op_name(op).replace('_', " "),
        }
    }

    fn edges(&mut self, id: NodeId) {
        let graph = self.notation.graph;
        for operand in &graph.node(id).operands {
            let mut label = self.notation.shape(&graph.node(*operand).shape);
            if let Some(size) = (self.notation.annotations.size)(*operand) {
                let _ = write!(label, " {size}");
            }
            self.line(
                1,
                &format!("n{} -> n{} [label={}];", operand.index(), id.index(), quote(label.trim_start())),
            );
        }
    }

    fn back_edges(&mut self) {
        for stream in self.notation.graph.blocks.iter().flat_map(|block| &block.carried) {
            let (from, to) = (stream.next.index(), stream.carry.index());
            self.line(1, &format!("n{from} -> n{to} [style=dashed, constraint=false];"));
        }
    }
}

/// What to write next in the tree of clusters.
#[derive(Clone, Copy)]
enum Step {
    Open(ScopeId),
    Close,
}

fn factor(notation: &Notation<'_>, multiplier: &Multiplier) -> String {
    notation.factor(multiplier).trim_end_matches("· ").to_string()
}

/// A string of Graphviz.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " "))
}
