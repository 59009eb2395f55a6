//! Where data and graph disagree, and the lengths at which they would agree.

use super::{Source, digits, wanted};
use crate::graph::Graph;
use crate::rational::Rational;

/// Why data and a graph do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// A length of an input or target is not a positive whole number at the given values of the scale symbols.
    #[error("the length `{dim}` of `{name}` is not a whole number here")]
    NotWhole {
        /// The input or target.
        name: String,
        /// Its length, in the notation of the language.
        dim: String,
    },
    /// A text is too short for one window.
    #[error(
        "{text} has {has} characters, but the windows of the spec take more than {span}; give it a longer text, or `--set` a shorter length"
    )]
    TooShort {
        /// What the text is called.
        text: String,
        /// Its length.
        has: usize,
        /// The length of a window.
        span: usize,
    },
    /// The source has nothing that fits an input or target.
    #[error("{wants}, but {has}; {help}")]
    Unlike {
        /// What the spec wants.
        wants: String,
        /// What the source has.
        has: String,
        /// What to do about it.
        help: String,
    },
}

impl BindError {
    /// The source has nothing that fits `wanted`.
    pub(super) fn unlike(wanted: &wanted::Wanted, has: impl Into<String>) -> BindError {
        let wants = format!("the spec wants {} `{wanted}`", wanted.noun());
        BindError::Unlike { wants, has: has.into(), help: String::new() }
    }

    /// With advice: the lengths that the source would set.
    pub(super) fn with_lengths(self, source: &Source, graph: &Graph, values: &[Rational]) -> BindError {
        let BindError::Unlike { wants, has, .. } = self else { return self };
        let now = |name: &str| {
            graph.dims.iter().find(|(own, _)| own == name).and_then(|(_, dim)| dim.at(values)?.to_integer())
        };
        let other = lengths(source, graph).into_iter().filter(|(name, length)| now(name) != Some(*length));
        let set: Vec<String> = other.map(|(name, length)| format!("{name}={length}")).collect();
        let help = match set.is_empty() {
            true => "try `--data synthetic`, which fits every spec".to_string(),
            false => {
                format!("try `--set {}`, or `--data synthetic`, which fits every spec", set.join(" --set "))
            }
        };
        BindError::Unlike { wants, has, help }
    }
}

/// The lengths that a source has for the axes and classes of one input or target; `None` where it leaves them free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) axes: Vec<Option<i64>>,
    pub(super) classes: Option<i64>,
}

/// The named lengths of a spec that a source would set: those of axes and numbers of classes of inputs and targets, where they are finite and have
/// one name. The length of a text's windows is free.
pub fn lengths(source: &Source, graph: &Graph) -> Vec<(String, i64)> {
    let shapes = wanted::shapes(graph);
    let sizes = match source {
        Source::Digits => digits::sizes(&graph.data, &shapes),
        Source::Text(text) => text.sizes(&graph.data),
        Source::Arrays(arrays) => arrays.sizes(&graph.data, &shapes),
        Source::Synthetic { .. } => Vec::new(),
    };
    let mut found: Vec<(String, i64)> = Vec::new();
    for ((data, shape), sizes) in graph.data.iter().zip(&shapes).zip(sizes) {
        let axes = shape.iter().zip(sizes.axes);
        for (dim, length) in axes.chain(data.classes.iter().zip([sizes.classes])) {
            let name = graph.dim_name(dim).filter(|_| dim.is_finite());
            let known = |name: &str| found.iter().any(|(own, _)| own == name);
            let new = name.zip(length).filter(|(name, _)| !known(name));
            found.extend(new.map(|(name, length)| (name.to_string(), length)));
        }
    }
    found
}
