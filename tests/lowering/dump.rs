//! A compact text of a graph: one line per node.

use std::fmt::Write;

use mupc::dim::Dim;
use mupc::graph::{Einsum, Gate, Graph, Init, Multiplier, NodeId, Op};

/// One line per parameter, block and node.
pub fn dump(graph: &Graph) -> String {
    let mut text = format!("network {}\n", graph.name);
    for (at, param) in graph.params.iter().enumerate() {
        let frozen = if param.frozen { " frozen" } else { "" };
        let external = param.external.as_deref().map(|name| format!(" as {name}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "p{at} {} {} {}{frozen}{external}",
            param.path,
            shape(graph, &param.shape),
            init(param.init)
        );
    }
    for (at, block) in graph.blocks.iter().enumerate() {
        let carried: Vec<String> = block
            .carried
            .iter()
            .map(|one| {
                format!(
                    "%{} -> %{} .. %{} -> %{}",
                    one.enter.index(),
                    one.carry.index(),
                    one.next.index(),
                    one.exit.index()
                )
            })
            .collect();
        let _ = writeln!(
            text,
            "b{at} {} x {}{}{} nodes {:?} parent {:?}: {}",
            graph.scope_path(block.scope),
            block.letter.as_ref().map(|letter| format!("{letter} over ")).unwrap_or_default(),
            block.count.display(&graph.symbol_names()),
            if block.shared { " shared" } else { "" },
            block.nodes,
            block.parent.map(|parent| parent.0),
            carried.join(", ")
        );
    }
    for id in graph.ids() {
        let node = graph.node(id);
        let path = graph.scope_path(node.scope);
        let dot = if path.is_empty() { "" } else { "." };
        let name = node.name.as_ref().map(|name| format!("{path}{dot}{name} ")).unwrap_or_default();
        let _ =
            writeln!(text, "%{} {name}{} = {}", id.index(), shape(graph, &node.shape), operation(graph, id));
    }
    let outputs: Vec<String> = graph.outputs.iter().map(|id| format!("%{}", id.index())).collect();
    let _ = writeln!(text, "outputs {} loss {:?}", outputs.join(" "), graph.loss.map(|id| id.index()));
    text
}

fn init(init: Init) -> String {
    match init {
        Init::Random => "random".to_string(),
        Init::Constant(number) => number.to_string(),
    }
}

fn shape(graph: &Graph, shape: &[Dim]) -> String {
    let names = graph.symbol_names();
    let dims: Vec<String> = shape.iter().map(|dim| dim.display(&names).to_string()).collect();
    format!("[{}]", dims.join(", "))
}

fn operands(graph: &Graph, id: NodeId) -> String {
    let operands: Vec<String> =
        graph.node(id).operands.iter().map(|one| format!("%{}", one.index())).collect();
    operands.join(" ")
}

fn einsum(einsum: &Einsum) -> String {
    let word = |labels: &[u8]| labels.iter().map(|label| char::from(b'a' + label)).collect::<String>();
    let inputs: Vec<String> = einsum.inputs.iter().map(|labels| word(labels)).collect();
    format!("{}->{}", inputs.join(","), word(&einsum.output))
}

fn multiplier(graph: &Graph, multiplier: &Multiplier) -> String {
    match multiplier {
        Multiplier::Free => String::new(),
        Multiplier::Hole => " times ?".to_string(),
        Multiplier::Written(scalar) => format!(" times {}", scalar.display(&graph.symbol_names())),
    }
}

fn operation(graph: &Graph, id: NodeId) -> String {
    let from = operands(graph, id);
    match &graph.node(id).op {
        Op::Contract { einsum: axes, multiplier: factor } => {
            format!("contract {from} {}{}", einsum(axes), multiplier(graph, factor))
        }
        Op::Add(axes) => format!("add {from} {}", einsum(axes)),
        Op::Scale(factor) => format!("scale {from}{}", multiplier(graph, factor)),
        Op::Map(func) => format!("{} {from}", func.name()),
        Op::Lookup { axis, einsum: axes } => format!("lookup {from} axis {axis} {}", einsum(axes)),
        Op::Constant(number) => format!("constant {number}"),
        Op::Gate(Gate::Dropout(rate)) => format!("dropout {from} rate {rate}"),
        Op::Window { axis, size, stride, dilation, padding } => {
            let size = size.display(&[]).to_string();
            format!(
                "window {from} axis {axis} size {size} stride {stride} dilation {dilation} padding {padding}"
            )
        }
        op => format!("{op:?} {from}").trim_end().to_string(),
    }
}
