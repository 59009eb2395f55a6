//! The graph as JSON, for other programs. The fields are described in `docs/graph-json.md`; `version` changes when they do.

use serde_json::{Map, Value, json};

use super::notation::{Notation, formula::einsum_of};
use crate::dim::{Dim, Monomial};
use crate::graph::{
    Block, BlockId, Buckets, Data, Einsum, Gate, Graph, Init, Multiplier, Node, NodeId, Norm, Op, Param,
};
use crate::graph::{ParamId, Scope};
use crate::report::Annotations;

/// Counts the incompatible changes of the format.
const VERSION: u32 = 1;

/// Writes the graph for a program. Lengths and multipliers are strings in the notation of the language.
pub fn json(graph: &Graph, annotations: &Annotations<'_>) -> Value {
    let writer = Writer(Notation::new(graph, annotations));
    json!({
        "format": "mupc-graph",
        "version": VERSION,
        "name": graph.name,
        "scales": graph.scales.iter().map(|scale| json!({"name": scale.name, "base": scale.base.to_string()})).collect::<Vec<_>>(),
        "scopes": graph.scopes.iter().enumerate().map(|(at, scope)| writer.scope(at, scope)).collect::<Vec<_>>(),
        "blocks": graph.blocks.iter().enumerate().map(|(at, block)| writer.block(at, block)).collect::<Vec<_>>(),
        "data": graph.data.iter().enumerate().map(|(at, data)| writer.data(at, data)).collect::<Vec<_>>(),
        "params": graph.param_ids().map(|(id, param)| writer.param(id, param)).collect::<Vec<_>>(),
        "nodes": graph.ids().map(|id| writer.node(id)).collect::<Vec<_>>(),
        "outputs": graph.outputs.iter().map(|id| id.index()).collect::<Vec<_>>(),
        "loss": graph.loss.map(NodeId::index),
    })
}

struct Writer<'a>(Notation<'a>);

impl Writer<'_> {
    fn scope(&self, at: usize, scope: &Scope) -> Value {
        json!({
            "id": at,
            "name": scope.name,
            "parent": scope.parent.map(|parent| parent.index()),
            "block": scope.block.map(BlockId::index),
        })
    }

    fn block(&self, at: usize, block: &Block) -> Value {
        let carried = block.carried.iter().map(|stream| {
            json!({
                "enter": stream.enter.index(),
                "carry": stream.carry.index(),
                "next": stream.next.index(),
                "exit": stream.exit.index(),
            })
        });
        json!({
            "id": at,
            "count": self.0.exact_dim(&block.count),
            "letter": block.letter,
            "shared": block.shared,
            "nodes": [block.nodes.start, block.nodes.end],
            "scope": block.scope.index(),
            "parent": block.parent.map(BlockId::index),
            "carried": carried.collect::<Vec<_>>(),
        })
    }

    fn data(&self, at: usize, data: &Data) -> Value {
        json!({
            "id": at,
            "name": data.name,
            "target": data.target,
            "classes": data.classes.as_ref().map(|dim| self.0.exact_dim(dim)),
        })
    }

    fn param(&self, id: ParamId, param: &Param) -> Value {
        let init = match param.init {
            Init::Random => json!("random"),
            Init::Constant(value) => json!(value.to_string()),
        };
        json!({
            "id": id.index(),
            "path": param.path,
            "shape": self.shape(&param.shape),
            "init": init,
            "frozen": param.frozen,
            "external": param.external,
            "scope": param.scope.index(),
            "role": (self.0.annotations.role)(id),
        })
    }

    fn node(&self, id: NodeId) -> Value {
        let node = self.0.graph.node(id);
        let mut fields = Map::new();
        fields.insert("id".into(), json!(id.index()));
        fields.insert("op".into(), json!(op_name(&node.op)));
        fields.insert("name".into(), json!(node.name.as_deref()));
        fields.insert("scope".into(), json!(node.scope.index()));
        fields
            .insert("operands".into(), json!(node.operands.iter().map(|id| id.index()).collect::<Vec<_>>()));
        fields.insert("shape".into(), self.shape(&node.shape));
        if let Some(einsum) = einsum_of(&node.op) {
            fields.insert("einsum".into(), json!(equation(einsum)));
        }
        fields.extend(self.attributes(node));
        if let Some(size) = (self.0.annotations.size)(id) {
            fields.insert("size".into(), json!(size));
        }
        Value::Object(fields)
    }

    /// What an operation has besides its operands and axes.
    fn attributes(&self, node: &Node) -> Map<String, Value> {
        let fields = match &node.op {
            Op::Data(data) => json!({"data": data.index()}),
            Op::Param(param) => json!({"param": param.index()}),
            Op::Constant(value) => json!({"value": value.to_string()}),
            Op::RelativeBucket(Buckets { count, farthest, bidirectional }) => {
                json!({"buckets": count, "max_distance": farthest, "bidirectional": bidirectional})
            }
            Op::Contract { multiplier, .. } | Op::Scale(multiplier) => {
                json!({"multiplier": self.multiplier(multiplier)})
            }
            Op::Map(func) => json!({"function": func.name()}),
            Op::Normalize { norm: Norm::Standardize, axes } => {
                json!({"norm": "standardize", "axes": axes.to_vec()})
            }
            Op::Normalize { norm: Norm::Batch, axes } => json!({"norm": "batch", "axes": axes.to_vec()}),
            Op::Normalize { norm: Norm::Rms, axes } => json!({"norm": "rms", "axes": axes.to_vec()}),
            Op::Softmax { axis, log } => json!({"axis": axis, "log": log}),
            Op::Max { axes } => json!({"axes": axes.to_vec()}),
            Op::Lookup { axis, .. } | Op::Concat { axis } => json!({"axis": axis}),
            Op::Window { axis, size, stride, dilation, padding } => json!({
                "axis": axis, "size": self.0.exact_dim(size), "stride": stride.to_string(),
                "dilation": dilation.to_string(), "padding": padding.to_string(),
            }),
            Op::Split { axis, parts } | Op::Merge { axis, parts } => json!({"axis": axis, "parts": parts}),
            Op::Pick { axis, at } => json!({"axis": axis, "at": at}),
            Op::Gate(Gate::TopK { axis, count }) => json!({"axis": axis, "count": count}),
            Op::Gate(Gate::Dropout(rate)) => json!({"rate": rate.to_string()}),
            Op::Carry(block) | Op::Exit(block) => json!({"block": block.index()}),
            Op::Step { block, axis } | Op::Collect { block, axis } => {
                json!({"block": block.index(), "axis": axis})
            }
            Op::Range | Op::Add(_) | Op::Gate(Gate::Causal | Gate::StopGradient) => json!({}),
        };
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    fn multiplier(&self, multiplier: &Multiplier) -> Value {
        match multiplier {
            Multiplier::Free => json!("free"),
            Multiplier::Hole => json!("?"),
            Multiplier::Written(scalar) => json!({
                "written": self.0.scalar(scalar),
                "coefficient": scalar.coefficient.to_string(),
                "roots": scalar.roots.iter().map(|(base, power)| json!([base.to_string(), power.to_string()])).collect::<Vec<_>>(),
                "powers": self.powers(&scalar.powers),
            }),
        }
    }

    /// A monomial as powers keyed by scale symbol.
    fn powers(&self, monomial: &Monomial) -> Value {
        let name =
            |at: u16| self.0.graph.scales.get(usize::from(at)).map_or("?", |scale| scale.name.as_str());
        monomial
            .iter()
            .map(|(symbol, power)| (name(symbol.0).to_string(), json!(power.to_string())))
            .collect::<Map<_, _>>()
            .into()
    }

    fn shape(&self, dims: &[Dim]) -> Value {
        dims.iter().map(|dim| self.0.exact_dim(dim)).collect::<Vec<_>>().into()
    }
}

/// The operation's name.
pub(super) fn op_name(op: &Op) -> &'static str {
    match op {
        Op::Data(_) => "data",
        Op::Param(_) => "param",
        Op::Constant(_) => "constant",
        Op::Range => "range",
        Op::RelativeBucket(_) => "relative_bucket",
        Op::Contract { .. } => "contract",
        Op::Add(_) => "add",
        Op::Scale(_) => "scale",
        Op::Map(_) => "map",
        Op::Normalize { .. } => "normalize",
        Op::Softmax { .. } => "softmax",
        Op::Max { .. } => "max",
        Op::Lookup { .. } => "lookup",
        Op::Window { .. } => "window",
        Op::Split { .. } => "split",
        Op::Merge { .. } => "merge",
        Op::Pick { .. } => "pick",
        Op::Concat { .. } => "concat",
        Op::Gate(Gate::Causal) => "causal",
        Op::Gate(Gate::TopK { .. }) => "top_k",
        Op::Gate(Gate::Dropout(_)) => "dropout",
        Op::Gate(Gate::StopGradient) => "stop_gradient",
        Op::Carry(_) => "carry",
        Op::Exit(_) => "exit",
        Op::Step { .. } => "step",
        Op::Collect { .. } => "collect",
    }
}

/// The axes as numbers, operands before the arrow: `[0 1], [1] -> [0]`.
fn equation(einsum: &Einsum) -> String {
    let list = |labels: &[u8]| {
        let labels: Vec<_> = labels.iter().map(u8::to_string).collect();
        format!("[{}]", labels.join(" "))
    };
    let inputs: Vec<_> = einsum.inputs.iter().map(|labels| list(labels)).collect();
    format!("{} -> {}", inputs.join(", "), list(&einsum.output))
}
