//! What a graph wants of its data, at given values of the scale symbols.

use std::fmt;

use super::BindError;
use crate::dim::Dim;
use crate::graph::{DataId, Graph, Op};
use crate::rational::Rational;

/// An input or target with its lengths in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Whether it is what should come out.
    pub target: bool,
    /// Its axis lengths, without the batch axis.
    pub shape: Vec<usize>,
    /// The number of classes, if its entries are whole numbers.
    pub classes: Option<usize>,
}

impl Wanted {
    /// How many entries one example has.
    pub fn entries(&self) -> usize {
        self.shape.iter().product()
    }

    /// `the input` or `the target`.
    pub(super) fn noun(&self) -> &'static str {
        if self.target { "the target" } else { "the input" }
    }
}

impl fmt::Display for Wanted {
    /// As the language writes it: `tokens[32] in 72`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.shape.is_empty() {
            let lengths: Vec<String> = self.shape.iter().map(usize::to_string).collect();
            write!(f, "[{}]", lengths.join(", "))?;
        }
        self.classes.map_or(Ok(()), |classes| write!(f, " in {classes}"))
    }
}

/// What every input and target wants, by [`DataId`].
pub(super) fn wanted(graph: &Graph, values: &[Rational]) -> Result<Vec<Wanted>, BindError> {
    let length = |name: &str, dim: &Dim| {
        let whole = dim.at(values).and_then(Rational::to_integer).and_then(|length| length.try_into().ok());
        whole.filter(|length| *length > 0).ok_or_else(|| {
            let dim = dim.display(&graph.symbol_names()).to_string();
            BindError::NotWhole { name: name.to_string(), dim }
        })
    };
    let shapes = shapes(graph);
    let each = graph.data.iter().zip(shapes).map(|(data, shape)| {
        let lengths: Result<_, _> = shape.iter().map(|dim| length(&data.name, dim)).collect();
        let classes = data.classes.as_ref().map(|dim| length(&data.name, dim)).transpose()?;
        Ok(Wanted { name: data.name.clone(), target: data.target, shape: lengths?, classes })
    });
    each.collect()
}

/// The axis lengths of every input and target, by [`DataId`].
pub(super) fn shapes(graph: &Graph) -> Vec<&[Dim]> {
    let mut shapes: Vec<&[Dim]> = vec![&[]; graph.data.len()];
    for id in graph.ids() {
        let node = graph.node(id);
        if let Op::Data(DataId(data)) = node.op {
            shapes[data as usize] = &node.shape;
        }
    }
    shapes
}
