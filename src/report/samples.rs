//! Small graphs for the tests of the pictures.

use std::sync::Arc;

use smallvec::smallvec;

use crate::dim::{Dim, Symbol};
use crate::graph::{
    Block, BlockId, Carried, Data, DataId, Einsum, Func, Graph, Init, Multiplier, Node, NodeId, Norm, Op,
    Param, ParamId, ScaleSymbol, Scope, ScopeId,
};
use crate::rational::Rational;
use crate::report::Annotations;
use crate::source::{FileId, Span};

/// Makes graphs by hand.
pub struct Sketch {
    pub graph: Graph,
    scope: ScopeId,
}

/// A place in no text.
fn nowhere() -> Span {
    Span::new(FileId(0), 0, 0)
}

/// The length `n`.
pub fn wide() -> Dim {
    Dim::symbol(Symbol(0))
}

impl Sketch {
    pub fn new(name: &str) -> Sketch {
        let mut graph = Graph::default();
        graph.name = name.to_string();
        let base = Rational::integer(64);
        graph.scales.push(ScaleSymbol { name: "n".to_string(), base, span: nowhere() });
        graph.scales.push(ScaleSymbol { name: "L".to_string(), base: Rational::integer(4), span: nowhere() });
        graph.scopes.push(Scope { name: String::new(), parent: None, block: None, span: nowhere() });
        Sketch { graph, scope: ScopeId(0) }
    }

    pub fn node(&mut self, name: &str, op: Op, operands: &[NodeId], shape: &[Dim]) -> NodeId {
        let name = Some(Arc::from(name)).filter(|_| !name.is_empty());
        let (operands, shape, scope) = (operands.iter().copied().collect(), shape.to_vec(), self.scope);
        self.graph.append(Node { op, operands, shape, name, scope, span: nowhere() })
    }

    pub fn enter(&mut self, name: &str) {
        let scope = Scope { name: name.to_string(), parent: Some(self.scope), block: None, span: nowhere() };
        self.graph.scopes.push(scope);
        self.scope = ScopeId(self.graph.scopes.len() as u32 - 1);
    }

    pub fn leave(&mut self) {
        self.scope = self.graph.scope(self.scope).parent.unwrap_or(ScopeId(0));
    }

    pub fn data(&mut self, name: &str, target: bool, shape: &[Dim]) -> NodeId {
        self.graph.data.push(Data { name: name.to_string(), target, classes: None, span: nowhere() });
        let id = DataId(self.graph.data.len() as u32 - 1);
        self.node(name, Op::Data(id), &[], shape)
    }

    pub fn param(&mut self, name: &str, shape: &[Dim]) -> NodeId {
        let scope = self.scope;
        let path = format!("{}.{name}", self.graph.scope_path(scope)).trim_start_matches('.').to_string();
        let (init, shape) = (Init::Random, shape.to_vec());
        let param =
            Param { path, shape: shape.clone(), init, frozen: false, external: None, scope, span: nowhere() };
        self.graph.params.push(param);
        let id = ParamId(self.graph.params.len() as u32 - 1);
        self.node("", Op::Param(id), &[], &shape)
    }

    /// A matrix with a scope of its own.
    pub fn linear(&mut self, name: &str, x: NodeId, out: Dim) -> NodeId {
        self.enter(name);
        let input = self.graph.node(x).shape[0].clone();
        let weight = self.param("weight", &[out.clone(), input]);
        let einsum = Einsum { inputs: smallvec![smallvec![0, 1], smallvec![1]], output: smallvec![0] };
        let op = Op::Contract { einsum, multiplier: Multiplier::Free };
        let y = self.node("y", op, &[weight, x], &[out]);
        self.leave();
        y
    }

    pub fn map(&mut self, func: Func, x: NodeId) -> NodeId {
        let shape = self.graph.node(x).shape.clone();
        self.node("", Op::Map(func), &[x], &shape)
    }

    pub fn norm(&mut self, x: NodeId) -> NodeId {
        let shape = self.graph.node(x).shape.clone();
        self.node("", Op::Normalize { norm: Norm::Rms, axes: smallvec![0] }, &[x], &shape)
    }

    pub fn add(&mut self, name: &str, x: NodeId, y: NodeId) -> NodeId {
        let shape = self.graph.node(x).shape.clone();
        let einsum = Einsum { inputs: smallvec![smallvec![0], smallvec![0]], output: smallvec![0] };
        self.node(name, Op::Add(einsum), &[x, y], &shape)
    }

    /// A repetition that carries one stream.
    pub fn repeat(
        &mut self,
        name: &str,
        x: NodeId,
        body: impl FnOnce(&mut Sketch, NodeId) -> NodeId,
    ) -> NodeId {
        let id = BlockId(self.graph.blocks.len() as u32);
        let outer = self.scope;
        let parent = self.graph.block_of(outer);
        self.enter(name);
        let scope = self.scope;
        self.graph.scopes[scope.index()].block = Some(id);
        let shape = self.graph.node(x).shape.clone();
        let carry = self.node("x", Op::Carry(id), &[x], &shape);
        let block = Block {
            count: Dim::symbol(Symbol(1)),
            letter: None,
            shared: false,
            nodes: 0..0,
            carried: Vec::new(),
            scope,
            parent,
            span: nowhere(),
        };
        self.graph.blocks.push(block);
        let next = body(self, carry);
        self.scope = outer;
        let end = self.graph.len() as u32;
        let exit = self.node("x", Op::Exit(id), &[next], &shape);
        let block = &mut self.graph.blocks[id.index()];
        block.nodes = carry.index() as u32..end;
        block.carried.push(Carried { enter: x, carry, next, exit });
        exit
    }
}

/// A residual perceptron.
pub fn residual() -> Graph {
    let mut sketch = Sketch::new("residual");
    let ten = Dim::number(Rational::integer(10));
    let image = sketch.data("image", false, std::slice::from_ref(&ten));
    let label = sketch.data("label", true, std::slice::from_ref(&ten));
    let x = sketch.linear("embed", image, wide());
    let x = sketch.repeat("block", x, |sketch, x| {
        sketch.enter("mlp");
        let y = sketch.norm(x);
        let y = sketch.linear("up", y, wide());
        let y = sketch.map(Func::Gelu, y);
        let y = sketch.linear("down", y, wide());
        sketch.leave();
        sketch.add("x", x, y)
    });
    let x = sketch.norm(x);
    let logits = sketch.linear("readout", x, ten);
    sketch.graph.outputs.push(logits);
    let loss = sketch.add("loss", logits, label);
    sketch.graph.loss = Some(loss);
    sketch.graph
}

/// Of the parameters of the residual perceptron.
const ROLES: [&str; 4] = ["input-like", "hidden", "hidden", "output-like"];

/// Roles and sizes for the sample.
pub fn annotations() -> Annotations<'static> {
    Annotations {
        role: &|id| ROLES.get(id.index()).map(|role| role.to_string()),
        site: &|id, operand| {
            ROLES.get([3, 7, 10, 15].iter().position(|site| *site == id.index())? + operand).copied()
        },
        size: &|id| (id.index() > 2).then(|| "n^-1/2".to_string()),
        dim: &|dim| (*dim == Dim::number(Rational::integer(10))).then(|| "classes".to_string()),
    }
}
