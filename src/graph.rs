//! The computation graph: a closed set of operations, appended in topological order.
//!
//! A node is appended after its operands, so the order of the indices is a topological order. `repeat` is a [`Block`]: a range of
//! nodes that is analyzed once. The streams that it carries enter through [`Op::Carry`] nodes, whose second source (the value at
//! the end of the previous repetition) stands in [`Carried::next`] and is the only edge that points backwards; they leave through
//! [`Op::Exit`] nodes. A block that goes over the entries of an axis reads one per repetition ([`Op::Step`]) and may give one of a
//! new tensor ([`Op::Collect`]); it need not carry anything.
//!
//! Shapes leave out the batch axis: every tensor that depends on an input has one, and nothing but the loss ever sums over it.
//!
//! Architecture invariant: the graph holds no sizes, no roles and no numbers of any pass. Facts live in side tables keyed by
//! [`NodeId`] and [`ParamId`].

pub mod func;
pub mod lower;
pub mod op;
pub mod rules;
pub mod unroll;
pub mod walk;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use smallvec::SmallVec;

use crate::dim::{Dim, Scalar};
use crate::rational::Rational;
use crate::source::Span;

pub use func::Func;
pub use op::{Buckets, Einsum, Gate, Label, Multiplier, Norm, Op};

/// A node of a [`Graph`].
pub type NodeId = NodeIndex<u32>;

/// The operands of a node, in order.
pub type Operands = SmallVec<[NodeId; 2]>;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in its table.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A parameter of a [`Graph`].
    ParamId,
    /// An input or target of a [`Graph`].
    DataId,
    /// A [`Block`] of a [`Graph`].
    BlockId,
    /// A [`Scope`] of a [`Graph`].
    ScopeId,
}

/// One operation and what is known of its result.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// From what.
    pub operands: Operands,
    /// Axis lengths of the result, without the batch axis.
    pub shape: Vec<Dim>,
    /// The name the spec gives it, if it does.
    pub name: Option<Arc<str>>,
    /// The definition or repetition it was written in.
    pub scope: ScopeId,
    /// Where it was written.
    pub span: Span,
}

/// A quantity that goes to infinity.
#[derive(Clone, Debug)]
pub struct ScaleSymbol {
    /// Its name.
    pub name: String,
    /// Its value at the base configuration.
    pub base: Rational,
    /// Where it was declared.
    pub span: Span,
}

/// A trainable (or frozen) tensor.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its path: `block.attention.wq`.
    pub path: String,
    /// Its axis lengths.
    pub shape: Vec<Dim>,
    /// How it starts.
    pub init: Init,
    /// Not trained.
    pub frozen: bool,
    /// What other tools call it.
    pub external: Option<String>,
    /// The definition or repetition it was declared in.
    pub scope: ScopeId,
    /// Where it was declared.
    pub span: Span,
}

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// Independent normal entries; their size is the parameterization's to choose.
    Random,
    /// Every entry this number.
    Constant(Rational),
}

/// A tensor that is given.
#[derive(Clone, Debug)]
pub struct Data {
    /// Its name.
    pub name: String,
    /// Whether it goes in or is what should come out.
    pub target: bool,
    /// The number of classes, if its entries are whole numbers.
    pub classes: Option<Dim>,
    /// Where it was declared.
    pub span: Span,
}

/// A definition's instance or a repetition: the tree of boxes in the picture and of dots in the paths.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The last part of its path; empty for the whole network.
    pub name: String,
    /// What it is inside of; only the whole network is inside of nothing.
    pub parent: Option<ScopeId>,
    /// The block, if it is a repetition.
    pub block: Option<BlockId>,
    /// The call or the `repeat`.
    pub span: Span,
}

/// `repeat`: the nodes of one repetition.
#[derive(Clone, Debug)]
pub struct Block {
    /// How often.
    pub count: Dim,
    /// The letter that counts the repetitions, if they go over the entries of an axis.
    pub letter: Option<String>,
    /// One set of weights for all repetitions.
    pub shared: bool,
    /// The nodes from the first carry to the last one before the exits; none if all that is collected comes from outside.
    pub nodes: Range<u32>,
    /// The streams that go around.
    pub carried: Vec<Carried>,
    /// The scope of what is repeated.
    pub scope: ScopeId,
    /// The block it is inside of.
    pub parent: Option<BlockId>,
    /// The `repeat` statement.
    pub span: Span,
}

/// A stream that a block takes around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Its value before the block.
    pub enter: NodeId,
    /// The [`Op::Carry`] node: its value at the start of a repetition.
    pub carry: NodeId,
    /// Its value at the end of a repetition.
    pub next: NodeId,
    /// The [`Op::Exit`] node: its value after the block.
    pub exit: NodeId,
}

/// A network as operations on tensors.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The network's name.
    pub name: String,
    /// What grows, in the order of limits.
    pub scales: Vec<ScaleSymbol>,
    /// The lengths that the spec gives names, in the order of declaration.
    pub dims: Vec<(String, Dim)>,
    /// The parameters, in the order of declaration.
    pub params: Vec<Param>,
    /// Inputs and targets.
    pub data: Vec<Data>,
    /// Scopes; the first is the whole network.
    pub scopes: Vec<Scope>,
    /// Repetitions, in the order of their first nodes.
    pub blocks: Vec<Block>,
    /// What the loss compares with the targets: the logits.
    pub outputs: Vec<NodeId>,
    /// The loss.
    pub loss: Option<NodeId>,
    /// Parameterizations that the spec defines.
    pub parameterizations: Vec<rules::Custom>,
    /// What the spec expects of its exponents.
    pub expectations: Vec<rules::Expectation>,
    /// Which small version of it experiments train.
    pub experiment: Option<rules::Experiment>,
    dag: DiGraph<Node, u32, u32>,
}

impl Graph {
    /// Appends a node after its operands.
    ///
    /// # Panics
    /// If an operand is not in the graph yet: that is a bug in the caller, not in the input.
    pub fn append(&mut self, node: Node) -> NodeId {
        let operands = node.operands.clone();
        assert!(operands.iter().all(|operand| operand.index() < self.len()), "operands come first");
        let id = self.dag.add_node(node);
        for (position, operand) in (0..).zip(operands) {
            self.dag.add_edge(operand, id, position);
        }
        id
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.dag.node_count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The nodes in topological order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.len()).map(NodeIndex::new)
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.dag[id]
    }

    /// A node, to be named or given the multiplier of its context.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.dag[id]
    }

    /// The nodes that use a node's result, with the operand position; backward edges of blocks are not among them.
    pub fn consumers(&self, id: NodeId) -> impl Iterator<Item = (NodeId, usize)> + '_ {
        self.dag.edges(id).map(|edge| (edge.target(), *edge.weight() as usize))
    }

    /// A parameter.
    pub fn param(&self, id: ParamId) -> &Param {
        &self.params[id.index()]
    }

    /// Every parameter with its id.
    pub fn param_ids(&self) -> impl Iterator<Item = (ParamId, &Param)> {
        (0..).map(ParamId).zip(&self.params)
    }

    /// A block.
    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.index()]
    }

    /// The stream that a carry node starts. The carries of a block are its first nodes, in the order of its streams.
    pub fn carried(&self, carry: NodeId) -> Option<&Carried> {
        let Op::Carry(id) = self.node(carry).op else { return None };
        let block = self.block(id);
        let place = carry.index().checked_sub(block.nodes.start as usize)?;
        let found = block.carried.get(place).filter(|carried| carried.carry == carry);
        found.or_else(|| block.carried.iter().find(|carried| carried.carry == carry))
    }

    /// Per node: whether one of the given nodes depends on it, themselves included.
    pub fn ancestors(&self, of: &[NodeId]) -> Vec<bool> {
        let mut found = vec![false; self.len()];
        let mut stack = of.to_vec();
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut found[id.index()], true) {
                continue;
            }
            stack.extend(self.node(id).operands.iter().copied());
            stack.extend(self.carried(id).map(|carried| carried.next));
        }
        found
    }

    /// A scope.
    pub fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.index()]
    }

    /// The innermost block around a scope.
    pub fn block_of(&self, scope: ScopeId) -> Option<BlockId> {
        let mut at = Some(scope);
        while let Some(id) = at {
            let scope = self.scope(id);
            if scope.block.is_some() {
                return scope.block;
            }
            at = scope.parent;
        }
        None
    }

    /// The dotted path of a scope; empty for the whole network.
    pub fn scope_path(&self, scope: ScopeId) -> String {
        let mut names = Vec::new();
        let mut at = Some(scope);
        while let Some(id) = at {
            let scope = self.scope(id);
            if !scope.name.is_empty() {
                names.push(scope.name.as_str());
            }
            at = scope.parent;
        }
        names.reverse();
        names.join(".")
    }

    /// Where a node was written, and where the definition that it was written in was called, by the spec itself.
    pub fn places(&self, id: NodeId) -> Vec<Span> {
        let node = self.node(id);
        let around = std::iter::successors(Some(node.scope), |scope| self.scope(*scope).parent);
        let calls =
            around.map(|scope| self.scope(scope)).filter(|own| own.parent.is_some() && own.block.is_none());
        [node.span]
            .into_iter()
            .chain(calls.last().map(|own| own.span).filter(|own| *own != node.span))
            .collect()
    }

    /// The names of all nodes for a reader, each once: the path that the spec gives it, `x'2` for the second node of that path;
    /// the parameter's path; the number of a node without a name, behind the definition that it was written in or the name of what it goes into.
    pub fn labels(&self) -> Vec<String> {
        let paths: Vec<String> =
            (0..self.scopes.len() as u32).map(|id| self.scope_path(ScopeId(id))).collect();
        let mut taken = HashMap::<String, usize>::new();
        self.ids().map(|id| self.unique_label(id, &paths, &mut taken)).collect()
    }

    fn unique_label(&self, id: NodeId, paths: &[String], taken: &mut HashMap<String, usize>) -> String {
        let node = self.node(id);
        let path = paths.get(node.scope.index()).map_or("", String::as_str);
        let name = match (&node.name, &node.op) {
            (_, Op::Param(param)) => self.param(*param).path.clone(),
            (Some(name), _) if path.is_empty() => name.to_string(),
            (Some(name), _) => format!("{path}.{name}"),
            (None, _) if path.is_empty() => {
                let user = self.consumers(id).find_map(|(user, _)| self.node(user).name.as_deref());
                return format!("{}%{}", user.unwrap_or_default(), id.index());
            }
            (None, _) => return format!("{path}%{}", id.index()),
        };
        let count = taken.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}'{count}") }
    }

    /// The path of a node that the spec names; several nodes may have one path.
    pub fn named(&self, id: NodeId) -> Option<String> {
        let node = self.node(id);
        let name = node.name.as_ref()?;
        Some(match self.scope_path(node.scope) {
            path if path.is_empty() => name.to_string(),
            path => format!("{path}.{name}"),
        })
    }

    /// The name that the spec gives a length: none for a bare scale symbol, and none where two names stand for one length.
    pub fn dim_name(&self, dim: &Dim) -> Option<&str> {
        let bare =
            dim.coefficient == Rational::ONE && dim.powers.iter().all(|(_, power)| power == Rational::ONE);
        let mut names = self.dims.iter().filter(|(_, own)| own == dim).map(|(name, _)| name.as_str());
        let name = names.next().filter(|_| !(bare && dim.powers.iter().count() == 1));
        if names.next().is_some() { None } else { name }
    }

    /// The names of the scale symbols, for printing.
    pub fn symbol_names(&self) -> Vec<String> {
        self.scales.iter().map(|scale| scale.name.clone()).collect()
    }

    /// The parameter a node is, if it is one.
    pub fn as_param(&self, id: NodeId) -> Option<ParamId> {
        match self.node(id).op {
            Op::Param(param) => Some(param),
            _ => None,
        }
    }

    /// The number a multiplier is fixed to, if the spec writes it.
    pub fn written_multiplier(&self, id: NodeId) -> Option<&Scalar> {
        match &self.node(id).op {
            Op::Contract { multiplier: Multiplier::Written(scalar), .. }
            | Op::Scale(Multiplier::Written(scalar)) => Some(scalar),
            _ => None,
        }
    }
}
