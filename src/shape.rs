//! Facts of the graph's shapes: what each operation sums over, and every use of a parameter with its fan-in and fan-out.
//!
//! Nothing is declared: fan-in, fan-out and block axes are read off the labels of the einsum in which a parameter stands.
//! Only powers count here; the number in front of a dim never enters an exponent.

pub mod stream;

use smallvec::SmallVec;

use crate::dim::{Dim, Monomial};
use crate::graph::{Einsum, Graph, Label, NodeId, Op, ParamId};

/// What an operation with labelled axes does to sizes: the lengths it sums over and the lengths each operand is broadcast along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The product of the summed axes.
    pub summed: Monomial,
    /// Per operand: the product of the result's axes that it lacks.
    pub lacks: SmallVec<[Monomial; 2]>,
}

/// One use of a parameter in one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The parameter.
    pub param: ParamId,
    /// The operation.
    pub node: NodeId,
    /// Which operand of it the parameter (or a view of it) is.
    pub operand: usize,
    /// The product N of the contracted axes.
    pub fan_in: Monomial,
    /// The product M of the parameter's remaining axes that are not block axes.
    pub fan_out: Monomial,
    /// The product of the axes that parameter, input and result share (per head, per expert).
    pub shared: Monomial,
    /// Whether the site contracts anything, or looks up rows; biases and gains do not.
    pub contracts: bool,
    /// Whether it picks rows: the contracted axis is one-hot and counts as 1.
    pub lookup: bool,
}

/// What kind of use a site is: shown to the reader, never asked by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Finite fan-in, infinite fan-out.
    InputLike,
    /// Both infinite.
    Hidden,
    /// Infinite fan-in, finite fan-out.
    OutputLike,
    /// No contraction over an infinite axis: biases, gains, depthwise filters.
    VectorLike,
    /// No infinite axis at all.
    ScalarLike,
}

impl Role {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::InputLike => "input-like",
            Role::Hidden => "hidden",
            Role::OutputLike => "output-like",
            Role::VectorLike => "vector-like",
            Role::ScalarLike => "scalar-like",
        }
    }
}

impl Site {
    /// The kind of use.
    pub fn role(&self) -> Role {
        match (self.fan_in.is_one(), self.fan_out.is_one(), self.shared.is_one()) {
            (false, false, _) => Role::Hidden,
            (false, true, _) => Role::OutputLike,
            (true, false, _) if self.contracts => Role::InputLike,
            (true, true, true) => Role::ScalarLike,
            (true, _, _) => Role::VectorLike,
        }
    }
}

/// A graph with the facts of its shapes.
#[derive(Debug)]
pub struct Shaped<'g> {
    /// The graph.
    pub graph: &'g Graph,
    /// Every use of a parameter, in topological order.
    pub sites: Vec<Site>,
    /// Per parameter: its sites.
    pub sites_of: Vec<SmallVec<[usize; 1]>>,
    /// Per node: what it sums over and is broadcast along, if its axes are labelled.
    pub reach: Vec<Option<Reach>>,
    /// Per node: the parameter that it is, or is a rearrangement of.
    pub view_of: Vec<Option<ParamId>>,
    /// Per node: whether it has an axis that grows.
    pub infinite: Vec<bool>,
}

impl<'g> Shaped<'g> {
    /// Reads the facts off a graph.
    pub fn new(graph: &'g Graph) -> Shaped<'g> {
        let view_of = views(graph);
        let mut shaped = Shaped {
            graph,
            sites: Vec::new(),
            sites_of: vec![SmallVec::new(); graph.params.len()],
            reach: graph.ids().map(|id| reach(graph, id)).collect(),
            infinite: graph.ids().map(|id| graph.node(id).shape.iter().any(|dim| !dim.is_finite())).collect(),
            view_of,
        };
        for id in graph.ids() {
            for operand in 0..graph.node(id).operands.len() {
                shaped.add_site(id, operand);
            }
        }
        shaped
    }

    fn add_site(&mut self, node: NodeId, operand: usize) {
        let source = self.graph.node(node).operands[operand];
        let rearranged = self.view_of[node.index()].is_some();
        if let Some(param) = self.view_of[source.index()].filter(|_| !rearranged) {
            self.sites_of[param.index()].push(self.sites.len());
            self.sites.push(site(self.graph, param, node, operand));
        }
    }

    /// The sites of a parameter, in topological order.
    pub fn sites_of(&self, param: ParamId) -> impl Iterator<Item = &Site> {
        self.sites_of[param.index()].iter().map(|&at| &self.sites[at])
    }

    /// The site that is an operand of a node, if that operand is a parameter.
    pub fn site_at(&self, node: NodeId, operand: usize) -> Option<&Site> {
        self.place_of(node, operand).map(|at| &self.sites[at])
    }

    /// Where that site stands in the list of sites.
    pub fn place_of(&self, node: NodeId, operand: usize) -> Option<usize> {
        let source = self.graph.node(node).operands[operand];
        let param = self.view_of[source.index()]?;
        let sites = &self.sites_of[param.index()];
        let found =
            sites.binary_search_by_key(&(node, operand), |&at| (self.sites[at].node, self.sites[at].operand));
        found.ok().map(|at| sites[at])
    }

    /// The kinds of use of a parameter, each once.
    pub fn roles(&self, param: ParamId) -> Vec<Role> {
        let mut roles: Vec<Role> = self.sites_of(param).map(Site::role).collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// The kinds of use of a parameter in words: `hidden`, or `input-like + output-like` if it is tied.
    pub fn role_name(&self, param: ParamId) -> String {
        let names: Vec<_> = self.roles(param).into_iter().map(Role::name).collect();
        names.join(" + ")
    }
}

/// Follows parameters through operations that only rearrange or pass on entries.
fn views(graph: &Graph) -> Vec<Option<ParamId>> {
    let mut views: Vec<Option<ParamId>> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let node = graph.node(id);
        views.push(match &node.op {
            Op::Param(param) => Some(*param),
            op if rearranges(op) => node.operands.first().and_then(|operand| views[operand.index()]),
            _ => None,
        });
    }
    views
}

fn rearranges(op: &Op) -> bool {
    match op {
        Op::Split { .. } | Op::Merge { .. } | Op::Pick { .. } | Op::Step { .. } => true,
        Op::Contract { einsum, multiplier } => {
            let plain = *multiplier == crate::graph::Multiplier::Free;
            plain && einsum.inputs.len() == 1 && einsum.contracted().is_empty()
        }
        Op::Data(_)
        | Op::Param(_)
        | Op::Constant(_)
        | Op::Range
        | Op::RelativeBucket(_)
        | Op::Add(_)
        | Op::Scale(_)
        | Op::Map(_)
        | Op::Normalize { .. }
        | Op::Softmax { .. }
        | Op::Max { .. }
        | Op::Lookup { .. }
        | Op::Window { .. }
        | Op::Concat { .. }
        | Op::Gate(_)
        | Op::Carry(_)
        | Op::Exit(_)
        | Op::Collect { .. } => false,
    }
}

fn einsum(op: &Op) -> Option<&Einsum> {
    match op {
        Op::Contract { einsum, .. } | Op::Add(einsum) | Op::Lookup { einsum, .. } => Some(einsum),
        _ => None,
    }
}

/// The product of the lengths of some labels.
fn length(graph: &Graph, id: NodeId, einsum: &Einsum, keep: impl Fn(Label) -> bool) -> Monomial {
    let mut seen: SmallVec<[Label; 8]> = SmallVec::new();
    let mut product = Monomial::one();
    for (operand, labels) in graph.node(id).operands.iter().zip(&einsum.inputs) {
        for (label, dim) in labels.iter().zip(&graph.node(*operand).shape) {
            if keep(*label) && !seen.contains(label) {
                seen.push(*label);
                product = times(&product, dim);
            }
        }
    }
    product
}

/// Lowering bounds exponents and ranks, so that a product of the axes of one operation always fits.
fn times(product: &Monomial, dim: &Dim) -> Monomial {
    product.mul(&dim.powers).unwrap_or_else(|| product.clone())
}

fn reach(graph: &Graph, id: NodeId) -> Option<Reach> {
    let einsum = einsum(&graph.node(id).op)?;
    let summed = match graph.node(id).op {
        Op::Lookup { .. } | Op::Add(_) => Monomial::one(),
        _ => length(graph, id, einsum, |label| !einsum.output.contains(&label)),
    };
    let output = || einsum.output.iter().zip(&graph.node(id).shape);
    let lacks = |operand: usize| {
        let missing = output().filter(|(label, _)| !einsum.has(operand, **label));
        missing.fold(Monomial::one(), |product, (_, dim)| times(&product, dim))
    };
    Some(Reach { summed, lacks: (0..einsum.inputs.len()).map(lacks).collect() })
}

fn site(graph: &Graph, param: ParamId, node: NodeId, operand: usize) -> Site {
    let plain = |shared| Site {
        param,
        node,
        operand,
        fan_in: Monomial::one(),
        fan_out: Monomial::one(),
        shared,
        contracts: false,
        lookup: false,
    };
    let source = graph.node(node).operands[operand];
    let whole = graph.node(source).shape.iter().fold(Monomial::one(), |product, dim| times(&product, dim));
    let op = &graph.node(node).op;
    let (Some(einsum), false) = (einsum(op), matches!(op, Op::Add(_))) else { return plain(whole) };
    let lookup = matches!(op, Op::Lookup { .. });
    let elsewhere =
        |label: Label| (0..einsum.inputs.len()).any(|other| other != operand && einsum.has(other, label));
    let own = |keep: &dyn Fn(Label) -> bool| {
        length(graph, node, einsum, |label| einsum.has(operand, label) && keep(label))
    };
    let kept = |label: Label| einsum.output.contains(&label);
    Site {
        fan_in: if lookup { Monomial::one() } else { own(&|label| !kept(label)) },
        fan_out: own(&|label| kept(label) && !elsewhere(label)),
        shared: own(&|label| kept(label) && elsewhere(label)),
        contracts: lookup || einsum.inputs[operand].iter().any(|label| !kept(*label)),
        lookup,
        ..plain(Monomial::one())
    }
}
