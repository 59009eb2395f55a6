//! Graphs built by hand, for tests that need thousands of them.
#![allow(dead_code)]

pub mod analyzed;

use mupc::dim::{Dim, Monomial, Symbol};
use mupc::graph::ScaleSymbol;
use mupc::graph::{
    Data, DataId, Einsum, Func, Graph, Init, Multiplier, Node, NodeId, Op, Param, ParamId, Scope, ScopeId,
};
use mupc::rational::Rational;
use mupc::source::Span;
use smallvec::{SmallVec, smallvec};

/// Appends nodes with as little ceremony as possible.
pub struct Builder {
    pub graph: Graph,
}

pub fn q(text: &str) -> Rational {
    text.parse().unwrap()
}

pub fn n() -> Dim {
    Dim::symbol(Symbol(0))
}

pub fn fixed(length: i64) -> Dim {
    Dim::number(Rational::integer(length))
}

pub fn power(exponent: Rational) -> Monomial {
    Monomial::power(Symbol(0), exponent)
}

impl Builder {
    pub fn new() -> Builder {
        let mut graph = Graph::default();
        graph.scales.push(ScaleSymbol {
            name: "n".into(),
            base: Rational::integer(64),
            span: Span::default(),
        });
        graph.scopes.push(Scope { name: String::new(), parent: None, block: None, span: Span::default() });
        Builder { graph }
    }

    pub fn node(&mut self, op: Op, operands: &[NodeId], shape: Vec<Dim>) -> NodeId {
        let operands = SmallVec::from_slice(operands);
        let (scope, span) = (ScopeId(0), Span::default());
        self.graph.append(Node { op, operands, shape, name: None, scope, span })
    }

    pub fn data(&mut self, name: &str, shape: Vec<Dim>, target: bool) -> NodeId {
        let id = DataId(self.graph.data.len() as u32);
        self.graph.data.push(Data { name: name.into(), target, classes: None, span: Span::default() });
        self.node(Op::Data(id), &[], shape)
    }

    pub fn param(&mut self, path: &str, shape: Vec<Dim>, init: Init) -> NodeId {
        let id = ParamId(self.graph.params.len() as u32);
        self.graph.params.push(Param {
            path: path.into(),
            shape: shape.clone(),
            init,
            frozen: false,
            external: None,
            scope: ScopeId(0),
            span: Span::default(),
        });
        self.node(Op::Param(id), &[], shape)
    }

    /// h[o] = w[o, i] x[i]
    pub fn linear(&mut self, w: NodeId, x: NodeId) -> NodeId {
        let out = self.graph.node(w).shape[0].clone();
        let einsum = Einsum { inputs: smallvec![smallvec![0, 1], smallvec![1]], output: smallvec![0] };
        self.node(Op::Contract { einsum, multiplier: Multiplier::Free }, &[w, x], vec![out])
    }

    pub fn map(&mut self, func: Func, x: NodeId) -> NodeId {
        let shape = self.graph.node(x).shape.clone();
        self.node(Op::Map(func), &[x], shape)
    }

    /// mean over outputs of (y - target)^2, with the output as logits
    pub fn squared_loss(&mut self, y: NodeId) {
        let shape = self.graph.node(y).shape.clone();
        let target = self.data("t", shape.clone(), true);
        let minus = Multiplier::Written(mupc::dim::Scalar::number(Rational::integer(-1)));
        let negative = self.node(Op::Scale(minus), &[target], shape.clone());
        let einsum = Einsum { inputs: smallvec![smallvec![0], smallvec![0]], output: smallvec![0] };
        let error = self.node(Op::Add(einsum), &[y, negative], shape);
        let square = self.map(Func::Square, error);
        let einsum = Einsum { inputs: smallvec![smallvec![0]], output: smallvec![] };
        let loss = self.node(Op::Contract { einsum, multiplier: Multiplier::Free }, &[square], vec![]);
        self.graph.outputs = vec![y];
        self.graph.loss = Some(loss);
    }
}

/// A perceptron: finite input, `hidden` layers of width n, finite output.
pub fn mlp(hidden: usize, func: Func) -> Graph {
    let mut b = Builder::new();
    let mut x = b.data("x", vec![fixed(3)], false);
    let mut width = fixed(3);
    for layer in 0..hidden {
        let w = b.param(&format!("w{}", layer + 1), vec![n(), width], Init::Random);
        let h = b.linear(w, x);
        x = b.map(func, h);
        width = n();
    }
    let w = b.param("readout", vec![fixed(2), n()], Init::Random);
    let y = b.linear(w, x);
    b.squared_loss(y);
    b.graph
}
