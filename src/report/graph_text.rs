//! The graph as text: a line for every parameter and operation, nested as the spec nests them.

use super::notation::{Notation, brackets, last_part};
use crate::graph::{Block, Graph, Init, NodeId, Op, ParamId, ScopeId};
use crate::report::Annotations;

/// Column at which sizes and roles stand, if the line is short enough.
const COLUMN: usize = 84;

/// Writes the graph for a reader. The text is stable: equal graphs give equal texts.
pub fn text(graph: &Graph, annotations: &Annotations<'_>) -> String {
    let mut writer =
        Writer { notation: Notation::new(graph, annotations), open: Vec::new(), out: String::new() };
    writer.header();
    graph.ids().for_each(|id| writer.node(id));
    writer.enter(&[]);
    writer.footer();
    writer.out
}

/// Writes nodes in order and keeps the scopes that are open.
struct Writer<'a> {
    notation: Notation<'a>,
    open: Vec<ScopeId>,
    out: String,
}

impl Writer<'_> {
    fn header(&mut self) {
        let graph = self.notation.graph;
        self.line(&format!("network {}", if graph.name.is_empty() { "(unnamed)" } else { &graph.name }), "");
        if !graph.scales.is_empty() {
            self.line(&format!("scale {}", self.notation.scales()), "");
        }
        self.out.push('\n');
    }

    fn footer(&mut self) {
        let graph = self.notation.graph;
        if graph.outputs.is_empty() && graph.loss.is_none() {
            return;
        }
        self.out.push('\n');
        let outputs: Vec<_> = graph.outputs.iter().map(|id| self.notation.full(*id)).collect();
        if !outputs.is_empty() {
            self.line(&format!("outputs {}", outputs.join(", ")), "");
        }
        if let Some(loss) = graph.loss {
            self.line(&format!("loss {}", self.notation.full(loss)), "");
        }
    }

    fn node(&mut self, id: NodeId) {
        let node = self.notation.graph.node(id);
        let chain = self.chain(node.scope);
        self.enter(&chain);
        let size = (self.notation.annotations.size)(id);
        let (line, note) = match &node.op {
            Op::Data(data) => {
                let data = &self.notation.graph.data[data.index()];
                let kind = if data.target { "target" } else { "input" };
                (format!("{kind} {}", self.notation.data(data, &node.shape)), size.unwrap_or_default())
            }
            Op::Param(param) => (self.param(*param), self.param_note(*param, size)),
            _ => (self.notation.equation(id), size.unwrap_or_default()),
        };
        self.line(&line, &note);
    }

    fn param(&self, id: ParamId) -> String {
        let param = self.notation.graph.param(id);
        let init = match param.init {
            Init::Random => String::new(),
            Init::Constant(value) => format!(" = {value}"),
        };
        let frozen = if param.frozen { " frozen" } else { "" };
        let name = param.external.as_ref().map(|name| format!(" as {name:?}")).unwrap_or_default();
        let axes = brackets(&self.notation.axes(&param.shape));
        format!("param {}{axes}{init}{frozen}{name}", last_part(&param.path))
    }

    fn param_note(&self, id: ParamId, size: Option<String>) -> String {
        let role = (self.notation.annotations.role)(id);
        role.into_iter().chain(size).collect::<Vec<_>>().join("  ")
    }

    /// The scopes around a node, outermost first, without the whole network.
    fn chain(&self, scope: ScopeId) -> Vec<ScopeId> {
        let mut chain = Vec::new();
        let mut at = Some(scope);
        while let Some(id) = at {
            chain.push(id);
            at = self.notation.graph.scope(id).parent;
        }
        chain.pop();
        chain.reverse();
        chain
    }

    /// Closes and opens scopes until exactly these are open.
    fn enter(&mut self, chain: &[ScopeId]) {
        let shared = self.open.iter().zip(chain).take_while(|(own, wanted)| own == wanted).count();
        while self.open.len() > shared {
            self.open.pop();
            self.line("}", "");
        }
        for id in &chain[shared..] {
            let title = self.title(*id);
            self.line(&format!("{title} {{"), "");
            self.open.push(*id);
        }
    }

    fn title(&self, id: ScopeId) -> String {
        let scope = self.notation.graph.scope(id);
        match scope.block {
            Some(block) => self.repeat(self.notation.graph.block(block), &scope.name),
            None => scope.name.clone(),
        }
    }

    fn repeat(&self, block: &Block, name: &str) -> String {
        let shared = if block.shared { " shared" } else { "" };
        let name = if name.is_empty() { String::new() } else { format!(" as {name}") };
        let letter = block.letter.as_ref().map(|letter| format!("{letter} over ")).unwrap_or_default();
        format!("repeat {letter}{}{shared}{name}", self.notation.dim(&block.count))
    }

    fn line(&mut self, text: &str, note: &str) {
        let indent = 2 * self.open.len();
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(text);
        if !note.is_empty() {
            let gap = COLUMN.saturating_sub(indent + text.chars().count()).max(2);
            self.out.push_str(&" ".repeat(gap));
            self.out.push_str(note);
        }
        self.out.push('\n');
    }
}
