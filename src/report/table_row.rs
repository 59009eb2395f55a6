//! What stands in the cells of a scaling table, the same in every format.

use crate::concrete::Target;
use crate::dim::{Dim, Monomial};
use crate::graph::Init;
use crate::parameterization::table::{MultiplierRow, ParamRow};
use crate::parameterization::{LearningRates, ScalingTable};
use crate::rational::Rational;

/// One cell about scaling.
pub(super) enum Cell<'a> {
    /// A power of the scale symbols.
    Power(&'a Monomial),
    /// An initial value without randomness.
    Constant(Rational),
    /// Not trained.
    Frozen,
    /// Nothing to say.
    Nothing,
}

impl<'a> Cell<'a> {
    fn of(power: &'a Option<Monomial>) -> Cell<'a> {
        power.as_ref().map_or(Cell::Nothing, Cell::Power)
    }

    /// The power, if it is one.
    pub fn power(&self) -> Option<&'a Monomial> {
        match *self {
            Cell::Power(power) => Some(power),
            Cell::Constant(_) | Cell::Frozen | Cell::Nothing => None,
        }
    }

    /// The cell with its power written by `write`.
    pub fn write(
        &self,
        write: impl Fn(&Monomial) -> String,
        constant: impl Fn(Rational) -> String,
    ) -> String {
        match self {
            Cell::Power(power) => write(power),
            Cell::Constant(value) => constant(*value),
            Cell::Frozen => "frozen".to_string(),
            Cell::Nothing => "-".to_string(),
        }
    }
}

/// The keys of the cells of [`cells`], for programs.
pub(super) const KEYS: [&str; 5] = ["multiplier", "init_std", "learning_rate", "epsilon", "weight_decay"];

/// The headings of the cells of [`cells`], for readers.
pub(super) const HEADINGS: [&str; 5] = ["multiplier", "init std", "LR", "eps", "weight decay"];

/// The cells about scaling of one row.
pub(super) fn cells(row: &ParamRow) -> [Cell<'_>; 5] {
    let init = match row.init {
        Init::Random => Cell::Power(&row.init_std),
        Init::Constant(value) => Cell::Constant(value),
    };
    let rate = row.learning_rate.as_ref().map_or(Cell::Frozen, Cell::Power);
    [Cell::Power(&row.multiplier), init, rate, Cell::of(&row.epsilon), Cell::of(&row.weight_decay)]
}

/// What the operation behind a multiplier is.
pub(super) fn reason(row: &MultiplierRow) -> String {
    match &row.parameter {
        Some(parameter) => format!("a use of {parameter}"),
        None if row.branch => "branch of a residual stream".to_string(),
        None => "contraction of activations".to_string(),
    }
}

/// Axis lengths, each in the notation of the language.
pub(super) fn lengths(shape: &[Dim], symbols: &[String]) -> Vec<String> {
    shape.iter().map(|dim| dim.display(symbols).to_string()).collect()
}

/// `n = 768, L = 12`, with the target where there is one: `n = 768 -> 4096`.
pub(super) fn scales(table: &ScalingTable, target: Option<&Target>) -> String {
    let scale = |(at, scale): (usize, &crate::graph::ScaleSymbol)| {
        let (name, base) = (&scale.name, scale.base);
        let to = target.and_then(|target| target.values.get(at)).filter(|value| **value != base);
        to.map_or_else(|| format!("{name} = {base}"), |to| format!("{name} = {base} -> {to}"))
    };
    table.scales.iter().enumerate().map(scale).collect::<Vec<_>>().join(", ")
}

/// `gpt2 · mup · adam · native`.
pub(super) fn title(table: &ScalingTable) -> String {
    let network = if table.network.is_empty() { "(unnamed)" } else { &table.network };
    let rates = shown_rates(table.rates);
    format!("{network} · {} · {}{rates} · {} form", table.parameterization, table.optimizer, table.form)
}

/// ` · largest rates`, unless they are the parameterization's own.
pub(super) fn shown_rates(rates: LearningRates) -> String {
    match rates {
        LearningRates::Own => String::new(),
        LearningRates::Largest | LearningRates::Global => format!(" · {rates} rates"),
    }
}

/// Text without control characters, which a terminal might obey.
pub(super) fn printable(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}
