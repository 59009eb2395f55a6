//! Two parameterizations side by side, for a terminal, and the same for programs.

use std::fmt;

use serde_json::{Value, json};

use super::power;
use super::table_text::{grid, lines};
use crate::abc::ParamScaling;
use crate::dim::Monomial;
use crate::graph::Init;
use crate::parameterization::LearningRates;
use crate::parameterization::compare::{Comparison, Difference, ParamPair};

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text(self).trim_end())
    }
}

/// Writes the comparison.
pub fn text(found: &Comparison) -> String {
    let mut sections = vec![title(found), verdict(found), parameters(found)];
    sections.extend(fronts(found));
    let mut out = sections.join("\n\n");
    out.push('\n');
    out
}

fn title(found: &Comparison) -> String {
    let network = if found.network.is_empty() { "(unnamed)" } else { &found.network };
    let [a, b] = &found.schemes;
    let [one, other] = &found.plans;
    let plans = if one == other { one.to_string() } else { format!("{one} and {other}") };
    let rates = match found.rates {
        [LearningRates::Own, LearningRates::Own] => String::new(),
        [one, other] if one == other => format!(" · {one} rates"),
        [one, other] => format!(" · {one} and {other} rates"),
    };
    format!("{network} · {a} and {b} · {plans}{rates}")
}

fn verdict(found: &Comparison) -> String {
    match found.first_difference() {
        None => "the same up to gauge: the same function at every step, for every width".to_string(),
        Some(difference) => format!("not the same: {difference}"),
    }
}

fn parameters(found: &Comparison) -> String {
    let symbols = found.symbols();
    let mut table = grid();
    table.set_header(["parameter", "multiplier", "", "init std", "", "LR", "", ""]);
    for pair in &found.parameters {
        let [a, b] = cells(pair, &symbols);
        let mut row = vec![pair.name.clone()];
        row.extend(a.into_iter().zip(b).flat_map(|(a, b)| [a, b]));
        row.push(mark(pair.difference.as_ref()).to_string());
        table.add_row(row);
    }
    let [a, b] = &found.schemes;
    format!("in each pair of columns {a} stands left and {b} right\n{}", lines(&table))
}

/// What a row says at its end.
fn mark(difference: Option<&Difference>) -> &'static str {
    match difference {
        None => "",
        Some(Difference::Initial(_)) => "<- starts differently",
        Some(Difference::Step(_)) => "<- moves differently",
        Some(Difference::Epsilon(_)) => "<- eps differs",
        Some(Difference::Decay(_)) => "<- decays differently",
        Some(Difference::Optimizer) => "<- another optimizer",
        Some(Difference::Unknown) => "<- does not fit",
    }
}

fn cells(pair: &ParamPair, symbols: &[String]) -> [[String; 3]; 2] {
    let own = |scaling: &ParamScaling| {
        let init = match pair.init {
            Init::Random => power::text(&scaling.init_std, symbols),
            Init::Constant(value) => format!("= {value}"),
        };
        let rate = if pair.frozen { "frozen".into() } else { power::text(&scaling.learning_rate, symbols) };
        [power::text(&scaling.multiplier, symbols), init, rate]
    };
    pair.scalings.each_ref().map(own)
}

fn fronts(found: &Comparison) -> Option<String> {
    let symbols = found.symbols();
    let mut table = grid();
    for pair in &found.fronts {
        let [a, b] = pair.factors.each_ref().map(|factor| power::text(factor, &symbols));
        let mark = if a == b { "" } else { "<- differs" };
        table.add_row([format!("  {}", pair.name), a, b, mark.to_string()]);
    }
    (!found.fronts.is_empty()).then(|| format!("multipliers in front of operations\n{}", lines(&table)))
}

/// The same for programs.
pub fn json(found: &Comparison) -> Value {
    let symbols = found.symbols();
    let power = |own: &Monomial| power::json(own, &symbols);
    let scaling = |own: &ParamScaling| {
        json!({
            "multiplier": power(&own.multiplier),
            "init_std": power(&own.init_std),
            "learning_rate": power(&own.learning_rate),
        })
    };
    let difference = |own: &Difference| match own {
        Difference::Initial(factor) => json!({"kind": "initial", "factor": power(factor)}),
        Difference::Step(factor) => json!({"kind": "step", "factor": power(factor)}),
        Difference::Epsilon(factor) => json!({"kind": "epsilon", "factor": power(factor)}),
        Difference::Decay(factor) => json!({"kind": "decay", "factor": power(factor)}),
        Difference::Optimizer => json!({"kind": "optimizer", "factor": null}),
        Difference::Unknown => json!({"kind": "unknown", "factor": null}),
    };
    let parameter = |pair: &ParamPair| {
        json!({
            "name": pair.name,
            "frozen": pair.frozen,
            "first": scaling(&pair.scalings[0]),
            "second": scaling(&pair.scalings[1]),
            "difference": pair.difference.as_ref().map(difference),
        })
    };
    let front = |pair: &crate::parameterization::compare::FrontPair| json!({"tensor": pair.name, "first": power(&pair.factors[0]), "second": power(&pair.factors[1])});
    json!({
        "network": found.network,
        "parameterizations": found.schemes.each_ref().map(ToString::to_string),
        "rates": found.rates.map(LearningRates::name),
        "optimizers": found.plans.each_ref().map(ToString::to_string),
        "same": found.is_same(),
        "first_difference": found.first_difference(),
        "parameters": found.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "multipliers": found.fronts.iter().map(front).collect::<Vec<_>>(),
    })
}
