//! From a graph to the nodes of its limit: repetitions unrolled, every operation a node or a view of another's positions.

mod attention;
mod contract;
mod factors;
mod moving;
mod rows;
mod sampled;
mod unroll;

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;

use super::node::{Fixed, Kind, Node, Place, Term, Weight};
use super::plan::leaves_of;
use super::prior::Prior;
use super::sparse::Sparse;
use crate::concrete::float;
use crate::dim::{Dim, Scalar};
use crate::graph::unroll::{Unrolled, unroll};
use crate::graph::{Func, Gate, Graph, NodeId, Op, ParamId};
use crate::rational::Rational;
use crate::source::Span;

/// Why a network has no limit, or none that is known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{node}` has no infinite-width limit: {reason}")]
pub struct NoLimit {
    /// The name of the node.
    pub node: String,
    /// Why.
    pub reason: String,
    /// What would help.
    pub help: Option<String>,
    /// Where it was written, and where that was called.
    pub places: Vec<Span>,
}

/// One axis of a tensor in the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// Exchangeable entries, so many in the finite network.
    Channel(usize),
    /// Positions, each with a covariance of its own.
    Position(usize),
    /// So many positions times so many channels, laid out as one axis: a flattened picture.
    Flat(usize, usize),
}

impl Axis {
    fn length(self) -> usize {
        match self {
            Axis::Channel(length) | Axis::Position(length) => length,
            Axis::Flat(positions, channels) => positions * channels,
        }
    }

    /// How many positions it has; none if it has channels only.
    fn positions(self) -> Option<usize> {
        match self {
            Axis::Position(length) | Axis::Flat(length, _) => Some(length),
            Axis::Channel(_) => None,
        }
    }

    /// How many channels it has: one if it has positions only.
    fn channels(self) -> usize {
        match self {
            Axis::Channel(length) | Axis::Flat(_, length) => length,
            Axis::Position(_) => 1,
        }
    }

    fn has_channels(self) -> bool {
        matches!(self, Axis::Channel(_) | Axis::Flat(..))
    }
}

/// A tensor that is known.
#[derive(Clone, Debug)]
struct Value {
    term: Term,
    axes: Vec<Axis>,
}

impl Value {
    /// The lengths of its positions.
    fn shape(&self) -> Vec<usize> {
        self.axes.iter().filter_map(|axis| axis.positions()).collect()
    }

    /// Where an axis stands among the positions.
    fn position(&self, axis: usize) -> Option<usize> {
        let count = || self.axes[..axis].iter().filter(|own| own.positions().is_some()).count();
        self.axes[axis].positions().map(|_| count())
    }

    fn channels(&self) -> bool {
        self.axes.iter().any(|axis| axis.has_channels())
    }
}

/// A weight before it is used, with the axes it has been turned to.
#[derive(Clone, Debug, PartialEq)]
struct Bare {
    param: ParamId,
    repetition: SmallVec<[usize; 2]>,
    /// Rearrangements other than transpositions, as they were done.
    view: String,
    /// Per axis: which of the view's axes it is, its length, and whether that grows.
    axes: Vec<(usize, usize, bool)>,
}

#[derive(Clone, Debug)]
enum Known {
    Value(Value),
    Weight(Bare),
}

type Built<T> = Result<T, NoLimit>;

/// The nodes of a limit, and which of them is the output.
pub(super) struct Made {
    pub nodes: Vec<Node>,
    pub output: Place,
    /// The lengths of the output's positions.
    pub shape: Vec<usize>,
    /// The channels of the output: how many independent functions the network gives.
    pub channels: usize,
}

/// The state of the unrolling.
struct Building<'a> {
    graph: &'a Graph,
    values: &'a [Rational],
    prior: &'a Prior,
    labels: Vec<String>,
    needed: Vec<bool>,
    unrolled: Unrolled<Known>,
    /// Weight tensors that have been used, and how.
    weights: Vec<(Bare, String)>,
    nodes: Vec<Node>,
    /// Per node: the weights whose Gaussians it is a function of.
    leaves: Vec<BTreeSet<usize>>,
    at: NodeId,
}

/// Reads the limit of one node of a graph off it.
pub(super) fn build(graph: &Graph, values: &[Rational], prior: &Prior, output: NodeId) -> Built<Made> {
    let mut building = Building {
        graph,
        values,
        prior,
        labels: graph.labels(),
        needed: graph.ancestors(&[output]),
        unrolled: Unrolled::new(graph),
        weights: Vec::new(),
        nodes: Vec::new(),
        leaves: Vec::new(),
        at: output,
    };
    building.push(Kind::Fixed(Fixed::One), 1);
    unroll(&mut building)?;
    building.at = output;
    let value = building.value(output)?;
    if building.nodes[value.term.node].is_fixed() {
        return Err(building.refuse("it depends on no random weight"));
    }
    let place = building.whole(&value);
    let channels = value.axes.iter().map(|axis| axis.channels()).product();
    Ok(Made { nodes: building.nodes, output: place, shape: value.shape(), channels })
}

impl Building<'_> {
    fn refuse(&self, reason: impl Into<String>) -> NoLimit {
        NoLimit {
            node: self.labels[self.at.index()].clone(),
            reason: reason.into(),
            help: None,
            places: self.graph.places(self.at),
        }
    }

    /// A length as a number. Lengths are held to be whole before.
    fn length(&self, dim: &Dim) -> Built<usize> {
        let whole = dim.at(self.values).and_then(Rational::to_integer).filter(|length| *length > 0);
        let names = self.graph.symbol_names();
        whole.and_then(|length| usize::try_from(length).ok()).ok_or_else(|| {
            self.refuse(format!("its length `{}` is no whole number at these sizes", dim.display(&names)))
        })
    }

    fn lengths(&self, dims: &[Dim]) -> Built<Vec<usize>> {
        dims.iter().map(|dim| self.length(dim)).collect()
    }

    /// A written factor as a number.
    fn scalar(&self, scalar: &Scalar) -> f64 {
        let roots = scalar.roots.iter().map(|(base, power)| float(*base).powf(float(*power)));
        let powers = scalar
            .powers
            .iter()
            .map(|(symbol, power)| float(self.values[usize::from(symbol.0)]).powf(float(power)));
        float(scalar.coefficient) * roots.product::<f64>() * powers.product::<f64>()
    }

    /// Appends a node.
    fn push(&mut self, kind: Kind, size: usize) -> Place {
        let gaussian = |place: &Place| self.nodes[*place].gaussian;
        let rough = |place: &Place| self.nodes[*place].rough;
        let headed = |place: &Place| self.nodes[*place].headed;
        let own_headed = match &kind {
            Kind::Attended(_) => true,
            Kind::Sum(terms) => terms.iter().any(|term| headed(&term.node)),
            Kind::Normalized { argument, .. } | Kind::Mixed { argument, .. } | Kind::Stopped(argument) => {
                headed(argument)
            }
            Kind::Product(left, right) => headed(left) || headed(right),
            _ => false,
        };
        let (own_gaussian, own_rough) = match &kind {
            Kind::Contraction(_) | Kind::Table { .. } | Kind::Scores(..) => (true, false),
            Kind::Attended(_) => (false, true),
            Kind::Vector(weight) => (weight.constant.is_none_or(|value| value == 0.0), false),
            Kind::Fixed(_) | Kind::Map { .. } | Kind::Sampled(_) | Kind::Pattern(_) => (false, false),
            Kind::Sum(terms) => {
                let mut places = terms.iter().map(|term| &term.node);
                (places.clone().all(gaussian), places.any(rough))
            }
            Kind::Normalized { argument, .. } | Kind::Mixed { argument, .. } => {
                (gaussian(argument), rough(argument))
            }
            Kind::Stopped(argument) => (gaussian(argument), false),
            Kind::Product(left, right) => {
                let scaled = |own: &Place, other: &Place| match &self.nodes[*own].kind {
                    Kind::Vector(weight) => weight.constant.is_some() && gaussian(other),
                    _ => false,
                };
                (scaled(left, right) || scaled(right, left), true)
            }
        };
        let node = Node {
            kind,
            size,
            origin: self.at,
            gaussian: own_gaussian,
            rough: own_rough,
            headed: own_headed,
        };
        let leaves = leaves_of(&node, &self.leaves);
        self.leaves.push(leaves);
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn fresh(&mut self, kind: Kind, axes: Vec<Axis>) -> Value {
        let size = axes.iter().filter_map(|axis| axis.positions()).product();
        let node = self.push(kind, size);
        Value { term: Term { node, map: None, factor: 1.0 }, axes }
    }

    /// A number everywhere.
    fn uniform(&self, value: f64, axes: Vec<Axis>) -> Value {
        let shape: Vec<usize> = axes.iter().filter_map(|axis| axis.positions()).collect();
        let rows = shape.iter().product();
        let map = (rows != 1).then(|| Arc::new(Sparse::gather(1, (0..rows).map(|_| Some(0)))));
        Value { term: Term { node: 0, map, factor: value }, axes }
    }

    /// The node that a value is, as a whole and without a factor: a sum of one term if it is a view.
    fn whole(&mut self, value: &Value) -> Place {
        let term = &value.term;
        if term.map.is_none() && term.factor == 1.0 {
            return term.node;
        }
        let size = value.shape().iter().product();
        let terms = vec![term.clone()];
        let kind = match self.nodes[term.node].is_fixed() {
            true => Kind::Fixed(Fixed::Sum(terms)),
            false => Kind::Sum(terms),
        };
        self.push(kind, size)
    }

    /// A value with its positions read through a map; what is not a plain selection becomes a node of its own.
    fn through(&mut self, value: &Value, map: Sparse, axes: Vec<Axis>) -> Value {
        let composed = value.term.map.as_ref().map_or_else(|| map.clone(), |inner| map.after(inner));
        let plain = composed.is_gather();
        let map = (!composed.is_identity()).then(|| Arc::new(composed));
        let made = Value { term: Term { map, ..value.term.clone() }, axes };
        if plain {
            return made;
        }
        let node = self.whole(&made);
        Value { term: Term { node, map: None, factor: 1.0 }, axes: made.axes }
    }

    fn is_fixed(&self, value: &Value) -> bool {
        self.nodes[value.term.node].is_fixed()
    }

    fn known(&self, id: NodeId) -> Built<Known> {
        self.unrolled.known[id.index()].clone().ok_or_else(|| self.refuse("one of its operands is not known"))
    }

    /// The value of a node; a parameter that stands by itself becomes a vector.
    fn value(&mut self, id: NodeId) -> Built<Value> {
        match self.known(id)? {
            Known::Value(value) => Ok(value),
            Known::Weight(bare) => {
                let axis = |(_, length, grows): &(usize, usize, bool)| match grows {
                    true => Axis::Channel(*length),
                    false => Axis::Position(*length),
                };
                let axes = bare.axes.iter().map(axis).collect();
                self.vector(&bare, axes)
            }
        }
    }

    fn node(&mut self, id: NodeId) -> Built<()> {
        if !self.needed[id.index()] {
            return Ok(());
        }
        self.at = id;
        let known = self.apply(id)?;
        self.unrolled.known[id.index()] = Some(known);
        Ok(())
    }

    fn apply(&mut self, id: NodeId) -> Built<Known> {
        let graph = self.graph;
        let node = graph.node(id);
        let value = match &node.op {
            Op::Param(param) => return self.bare(*param).map(Known::Weight),
            Op::Data(data) => {
                let axes = self.lengths(&node.shape)?.into_iter().map(Axis::Position).collect();
                self.fresh(Kind::Fixed(Fixed::Data(*data)), axes)
            }
            Op::Constant(value) => {
                let axis = |dim: &Dim| {
                    self.length(dim).map(|length| {
                        if dim.is_finite() { Axis::Position(length) } else { Axis::Channel(length) }
                    })
                };
                let axes = node.shape.iter().map(axis).collect::<Built<_>>()?;
                self.uniform(float(*value), axes)
            }
            Op::Range => {
                let length = self.length(&node.shape[0])?;
                let numbers = (0..length).map(|at| at as f64).collect();
                self.fresh(Kind::Fixed(Fixed::Numbers(numbers)), vec![Axis::Position(length)])
            }
            Op::Contract { einsum, multiplier } => return self.contract(id, einsum, multiplier),
            Op::Add(einsum) => self.add(id, einsum)?,
            Op::Scale(multiplier) => self.scaled(id, multiplier)?,
            Op::Map(func) => self.map(id, *func)?,
            Op::Normalize { norm, axes } => self.normalize(id, *norm, axes)?,
            Op::Softmax { axis, log } => self.softmax(id, *axis, *log)?,
            Op::Lookup { axis, einsum } => self.lookup(id, *axis, einsum)?,
            Op::Window { .. } | Op::Split { .. } | Op::Merge { .. } | Op::Pick { .. } | Op::Step { .. } => {
                return self.rearranged(id);
            }
            Op::Concat { axis } => self.concat(id, *axis)?,
            Op::Gate(Gate::Dropout(_)) => self.value(node.operands[0])?,
            Op::Gate(Gate::StopGradient) => {
                let value = self.value(node.operands[0])?;
                let place = self.whole(&value);
                self.fresh(Kind::Stopped(place), value.axes)
            }
            Op::Gate(Gate::Causal) => self.causal(id)?,
            Op::Gate(Gate::TopK { .. }) => {
                return Err(self.refuse("which entries are the largest depends on random weights"));
            }
            Op::Max { axes } => self.largest(id, axes)?,
            Op::RelativeBucket(_) => return Err(self.refuse("buckets of distances are not read here")),
            Op::Carry(block) => return self.carried(id, *block),
            Op::Exit(_) => return self.known(node.operands[0]),
            Op::Collect { axis, .. } => self.stacked(id, *axis)?,
        };
        Ok(Known::Value(value))
    }

    /// An elementwise function.
    fn map(&mut self, id: NodeId, func: Func) -> Built<Value> {
        let operand = self.graph.node(id).operands[0];
        let value = self.value(operand)?;
        let term = &value.term;
        if term.node == 0 {
            let number = crate::numeric::function::value(func, term.factor);
            return Ok(self.uniform(number, value.axes));
        }
        if self.is_fixed(&value) {
            let kind = Kind::Fixed(Fixed::Map(func, value.term));
            return Ok(self.fresh(kind, value.axes));
        }
        let argument = self.whole(&value);
        if matches!(func, Func::Log | Func::Sqrt | Func::Recip) {
            return Err(self.refuse(format!("{} of a Gaussian has no finite variance", func.name())));
        }
        if !self.nodes[argument].gaussian {
            return self.composed_map(func, argument, value.axes, &self.labels[operand.index()].clone());
        }
        // Later readers of the argument read the same node.
        let whole = Term { node: argument, map: None, factor: 1.0 };
        self.unrolled.known[operand.index()] =
            Some(Known::Value(Value { term: whole, axes: value.axes.clone() }));
        Ok(self.fresh(Kind::Map { func, argument }, value.axes))
    }
}

impl NoLimit {
    /// With advice.
    pub(super) fn with_help(mut self, help: impl Into<String>) -> NoLimit {
        self.help = Some(help.into());
        self
    }
}

/// The weight of a use, made by [`Building::weight`].
type Used = Weight;
