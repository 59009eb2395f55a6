//! Whether a spec is a network of two layers, read off its graph: f(x) = V phi(W x + b) + c, where phi and the biases may be missing.
//!
//! Only such networks have the limits of [`super::linear`] and [`super::particles`]. Names, roles and paths say nothing here: what counts are the operations.

use crate::dim::{Dim, Symbol};
use crate::graph::{Func, Graph, Init, Multiplier, NodeId, Op, ParamId};
use crate::rational::Rational;
use crate::source::Span;

/// Which layers have biases, which start at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Biases {
    /// b, one number per neuron.
    pub hidden: bool,
    /// c, one number per output.
    pub output: bool,
}

/// A network of two layers.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoLayers {
    /// phi; none if the hidden layer is linear.
    pub func: Option<Func>,
    /// b and c.
    pub biases: Biases,
    /// Numbers per input.
    pub inputs: usize,
    /// Numbers per target.
    pub outputs: usize,
    /// Places of the input and of the target among the data of the spec.
    pub data: [usize; 2],
    /// The loss is this times |f - y|^2.
    pub factor: f64,
    /// Neurons per unit of the scale symbol.
    pub neurons: Rational,
}

/// What a spec would have to be.
const NEEDED: &str = "the limit is that of one hidden layer, f(x) = V phi(W x + b) + c with a vector x, neurons in proportion to a `scale` symbol, and a loss \
    that is a multiple of |f - y|^2; the biases and phi may be missing";

/// Why a spec is no network of two layers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotTwoLayers {
    /// What stands in the way.
    pub reason: String,
    /// What is needed.
    pub help: String,
    /// Where, and where that was called.
    pub places: Vec<Span>,
}

/// A layer, and what it reads.
struct Layer {
    source: NodeId,
    weight: ParamId,
    bias: Option<ParamId>,
    /// Where W x stands.
    product: NodeId,
}

struct Reader<'a> {
    graph: &'a Graph,
    labels: Vec<String>,
}

type Read<T> = Result<T, NotTwoLayers>;

/// The layers of a spec, and what is between them.
struct Layers {
    output: NodeId,
    last: Layer,
    func: Option<Func>,
    first: Layer,
}

/// The scale symbols that the number of neurons is proportional to and no input or target grows with, by place: one of them is to grow, the others to keep
/// their numbers.
///
/// # Errors
/// If there are no two layers, or there is no such symbol.
pub fn growing(graph: &Graph) -> Read<Vec<usize>> {
    let reader = Reader { graph, labels: graph.labels() };
    let (id, dim) = reader.neurons(reader.layers()?.first.product)?;
    let proportional = |at: &usize| dim.powers.exponent(Symbol(*at as u16)) == Rational::ONE;
    let found: Vec<usize> = (0..graph.scales.len()).filter(proportional).collect();
    if found.is_empty() {
        let entries = format!("has {} entries, in proportion to no `scale` symbol", reader.shown(dim));
        return Err(reader.at(id, &entries));
    }
    let data: Vec<NodeId> = graph.ids().filter(|id| matches!(graph.node(*id).op, Op::Data(_))).collect();
    let grown = |at: &usize| data.iter().copied().find(|id| reader.grows_with(*id, *at));
    match found.iter().map(grown).collect::<Option<Vec<NodeId>>>() {
        Some(all) => Err(reader.at(all[0], "grows with the number of neurons")),
        None => Ok(found.into_iter().filter(|at| grown(at).is_none()).collect()),
    }
}

/// Reads a spec.
///
/// # Errors
/// If it is not of this form.
pub fn recognise(graph: &Graph) -> Read<TwoLayers> {
    let reader = Reader { graph, labels: graph.labels() };
    let Layers { output, last, func, first } = reader.layers()?;
    let Op::Data(input) = graph.node(first.source).op else {
        return Err(
            reader.at(first.source, "stands before the hidden layer, which must read the input itself")
        );
    };
    let neurons = reader.per_unit(first.product)?;
    let (inputs, outputs) = (reader.length(first.source)?, reader.length(output)?);
    let used = [Some(last.weight), last.bias, Some(first.weight), first.bias].into_iter().flatten();
    if used.count() != graph.params.len() || first.weight == last.weight {
        return Err(reader.refuse(None, "the spec has other parameters than those of two layers".to_string()));
    }
    let (target, factor) = reader.loss(output)?;
    if graph.data.len() != 2 {
        return Err(reader.refuse(None, "the spec has more than one input and one target".to_string()));
    }
    let biases = Biases { hidden: first.bias.is_some(), output: last.bias.is_some() };
    Ok(TwoLayers { func, biases, inputs, outputs, data: [input.index(), target], factor, neurons })
}

impl Reader<'_> {
    fn refuse(&self, at: Option<NodeId>, reason: String) -> NotTwoLayers {
        NotTwoLayers {
            reason,
            help: NEEDED.to_string(),
            places: at.map(|id| self.graph.places(id)).unwrap_or_default(),
        }
    }

    fn at(&self, id: NodeId, what: &str) -> NotTwoLayers {
        self.refuse(Some(id), format!("`{}` {what}", self.labels[id.index()]))
    }

    fn param(&self, id: NodeId) -> Option<ParamId> {
        if let Op::Param(param) = self.graph.node(id).op { Some(param) } else { None }
    }

    /// W x, or W x and a bias.
    fn layer(&self, id: NodeId) -> Read<Layer> {
        let node = self.graph.node(id);
        let (product, bias) = match &node.op {
            Op::Add(_) if node.operands.len() == 2 => {
                let (one, two) = (node.operands[0], node.operands[1]);
                match (self.param(one), self.param(two)) {
                    (None, Some(bias)) => (one, Some(self.bias(id, bias)?)),
                    (Some(bias), None) => (two, Some(self.bias(id, bias)?)),
                    _ => return Err(self.at(id, "is a sum of more than W x and a bias")),
                }
            }
            _ => (id, None),
        };
        let node = self.graph.node(product);
        let Op::Contract { einsum, multiplier } = &node.op else {
            return Err(self.at(product, "is not W x"));
        };
        let weights: Vec<usize> =
            (0..node.operands.len()).filter(|at| self.param(node.operands[*at]).is_some()).collect();
        let ([at], 2) = (&weights[..], node.operands.len()) else {
            return Err(self.at(product, "is not W x"));
        };
        if *multiplier != Multiplier::Free {
            return Err(self.at(product, "has a factor of its own, which the parameterization is to choose"));
        }
        let (weight, source) = (node.operands[*at], node.operands[1 - at]);
        let vectors = self.graph.node(source).shape.len() == 1 && node.shape.len() <= 1;
        if !vectors || einsum.contracted().len() != 1 || einsum.inputs[*at].len() != 1 + node.shape.len() {
            return Err(self.at(product, "is not W x with a vector x"));
        }
        let weight = self.param(weight).ok_or_else(|| self.at(product, "is not W x"))?;
        let own = self.graph.param(weight);
        if own.frozen || own.init != Init::Random {
            return Err(self.at(product, "has a weight that does not start random or is not trained"));
        }
        Ok(Layer { source, weight, bias, product })
    }

    fn bias(&self, id: NodeId, bias: ParamId) -> Read<ParamId> {
        let own = self.graph.param(bias);
        if own.shape != self.graph.node(id).shape || own.frozen || own.init != Init::Constant(Rational::ZERO)
        {
            return Err(
                self.at(id, "adds something else than a trained bias of every entry that starts at zero")
            );
        }
        Ok(bias)
    }

    /// Both layers; a function between them must have a mean square.
    fn layers(&self) -> Read<Layers> {
        let graph = self.graph;
        let [output] = graph.outputs[..] else {
            return Err(self.refuse(None, format!("the spec has {} outputs, not one", graph.outputs.len())));
        };
        let last = self.layer(output)?;
        let (func, hidden) = match graph.node(last.source).op {
            Op::Map(func) => (Some(func), graph.node(last.source).operands[0]),
            _ => (None, last.source),
        };
        if let Some(Func::Log | Func::Sqrt | Func::Recip) = func {
            return Err(self.at(last.source, "has no mean square of a Gaussian"));
        }
        Ok(Layers { output, func, first: self.layer(hidden)?, last })
    }

    /// The number of neurons, and where it stands.
    fn neurons(&self, id: NodeId) -> Read<(NodeId, &Dim)> {
        match &self.graph.node(id).shape[..] {
            [dim] if !dim.is_finite() => Ok((id, dim)),
            [dim] => Err(self.at(id, &format!("has {} entries, which do not grow", self.shown(dim)))),
            _ => Err(self.at(id, "is no vector of neurons")),
        }
    }

    /// Neurons per unit of the one scale symbol.
    fn per_unit(&self, id: NodeId) -> Read<Rational> {
        let (_, dim) = self.neurons(id)?;
        let proportional = dim.powers.iter().all(|(_, power)| power == Rational::ONE);
        match proportional && self.graph.scales.len() == 1 {
            true => Ok(dim.coefficient),
            false => {
                Err(self.at(id, "has not a multiple of the one `scale` symbol as its number of entries"))
            }
        }
    }

    /// Whether a length of a tensor grows with a scale symbol.
    fn grows_with(&self, id: NodeId, symbol: usize) -> bool {
        let shape = &self.graph.node(id).shape;
        shape.iter().any(|dim| !dim.powers.exponent(Symbol(symbol as u16)).is_zero())
    }

    fn shown(&self, dim: &Dim) -> String {
        let names: Vec<String> = self.graph.scales.iter().map(|scale| scale.name.clone()).collect();
        dim.display(&names).to_string()
    }

    /// The length of a vector that does not grow; 1 of a number.
    fn length(&self, id: NodeId) -> Read<usize> {
        let dims = &self.graph.node(id).shape;
        let whole = dims.iter().try_fold(1_i64, |product, dim| {
            dim.is_finite().then(|| dim.coefficient.to_integer())?.map(|own| own * product)
        });
        whole
            .and_then(|own| usize::try_from(own).ok())
            .ok_or_else(|| self.at(id, "has a length that grows or is no whole number"))
    }

    /// The place of the target, and the factor in front of |f - y|^2.
    fn loss(&self, output: NodeId) -> Read<(usize, f64)> {
        let Some(loss) = self.graph.loss else {
            return Err(self.refuse(None, "the spec has no loss".to_string()));
        };
        let (squares, factor) = self.factors(loss, true)?;
        let no = || self.at(loss, "is no multiple of |f - y|^2");
        let node = self.graph.node(squares);
        let (Op::Map(Func::Square), [difference]) = (&node.op, &node.operands[..]) else { return Err(no()) };
        let node = self.graph.node(*difference);
        let (Op::Add(_), [one, two]) = (&node.op, &node.operands[..]) else { return Err(no()) };
        let (one, two) = (self.factors(*one, false)?, self.factors(*two, false)?);
        let ((_, own), (target, other)) = if one.0 == output { (one, two) } else { (two, one) };
        let found = [one.0, two.0].contains(&output) && own == -other && own.abs() == 1.0;
        let alike = self.graph.node(target).shape == self.graph.node(output).shape;
        match self.graph.node(target).op {
            Op::Data(data) if found && alike && factor > 0.0 && self.graph.data[data.index()].target => {
                Ok((data.index(), factor))
            }
            _ => Err(no()),
        }
    }

    /// What stands before written numbers and, if these are asked for, plain sums; and the product of the numbers.
    fn factors(&self, mut id: NodeId, sums: bool) -> Read<(NodeId, f64)> {
        let mut factor = 1.0;
        loop {
            let node = self.graph.node(id);
            let multiplier = match &node.op {
                Op::Scale(multiplier) => multiplier,
                Op::Contract { multiplier, .. } if sums && node.operands.len() == 1 => multiplier,
                _ => return Ok((id, factor)),
            };
            factor *= match multiplier {
                Multiplier::Free => 1.0,
                Multiplier::Written(scalar) if scalar.roots.is_empty() && scalar.powers.is_one() => {
                    scalar.coefficient.numerator() as f64 / scalar.coefficient.denominator() as f64
                }
                Multiplier::Written(_) | Multiplier::Hole => {
                    return Err(self.at(id, "has a factor that is no plain number"));
                }
            };
            id = node.operands[0];
        }
    }
}
