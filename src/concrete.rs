//! From exponents to numbers: the one door between the exact half and floating point.

use crate::dim::{Dim, Monomial};
use crate::graph::{Graph, ScaleSymbol};
use crate::rational::Rational;

/// Target values of the scale symbols; those not named keep their base value.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    ratios: Vec<f64>,
    /// The values, by symbol.
    pub values: Vec<Rational>,
}

/// Why `--at` makes no sense for a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not of the form `n=4096`.
    #[error("`{0}` is not of the form `symbol=value`, as in `n=4096`")]
    Form(String),
    /// No such symbol.
    #[error("`{0}` is not a scale symbol of this network; it has {1}")]
    Unknown(String, String),
    /// Given twice.
    #[error("`{0}` is given twice")]
    Twice(String),
    /// Zero or negative.
    #[error("the value of `{0}` must be positive")]
    NotPositive(String),
    /// A length would not be whole.
    #[error("with {1} the length `{0}` is not a whole number")]
    NotWhole(String, String),
}

impl Target {
    /// Reads assignments such as `n=4096`.
    pub fn parse(assignments: &[String], scales: &[ScaleSymbol]) -> Result<Target, TargetError> {
        let mut values: Vec<Option<Rational>> = vec![None; scales.len()];
        for text in assignments {
            let form = || TargetError::Form(text.clone());
            let (name, value) = text.split_once('=').ok_or_else(form)?;
            let value: Rational = value.trim().parse().map_err(|_| form())?;
            let name = name.trim();
            let at =
                scales.iter().position(|scale| scale.name == name).ok_or_else(|| unknown(name, scales))?;
            if values[at].replace(value).is_some() {
                return Err(TargetError::Twice(name.into()));
            }
            if !value.is_positive() {
                return Err(TargetError::NotPositive(name.into()));
            }
        }
        let values: Vec<_> =
            values.iter().zip(scales).map(|(value, scale)| value.unwrap_or(scale.base)).collect();
        let ratios =
            values.iter().zip(scales).map(|(value, scale)| float(*value) / float(scale.base)).collect();
        Ok(Target { ratios, values })
    }

    /// Holds every length of a graph to be a positive whole number at the target values, as the language does at the base values.
    pub fn check(&self, graph: &Graph) -> Result<(), TargetError> {
        let whole =
            |dim: &Dim| dim.at(&self.values).and_then(Rational::to_integer).is_some_and(|length| length > 0);
        let shapes =
            graph.ids().map(|id| &graph.node(id).shape).chain(graph.params.iter().map(|param| &param.shape));
        let mut lengths = shapes.flatten().chain(graph.blocks.iter().map(|block| &block.count));
        let Some(dim) = lengths.find(|dim| !whole(dim)) else { return Ok(()) };
        let names = graph.symbol_names();
        let values: Vec<_> =
            names.iter().zip(&self.values).map(|(name, value)| format!("{name} = {value}")).collect();
        Err(TargetError::NotWhole(dim.display(&names).to_string(), values.join(", ")))
    }

    /// The factor by which a power differs from its value at the base: (value / base)^exponent, over all symbols.
    pub fn factor(&self, power: &Monomial) -> f64 {
        power
            .iter()
            .map(|(symbol, exponent)| self.ratios[usize::from(symbol.0)].powf(float(exponent)))
            .product()
    }
}

fn unknown(name: &str, scales: &[ScaleSymbol]) -> TargetError {
    let known: Vec<_> = scales.iter().map(|scale| format!("`{}`", scale.name)).collect();
    let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
    TargetError::Unknown(name.into(), known)
}

/// The nearest floating-point number.
pub fn float(value: Rational) -> f64 {
    value.numerator() as f64 / value.denominator() as f64
}
