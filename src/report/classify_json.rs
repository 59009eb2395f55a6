//! The verdict for programs. The fields are described by `docs/classify.schema.json`.

use serde_json::{Value, json};

use super::power::{self, size_json};
use crate::parameterization::findings::{Findings, MovementRow, TensorRow};

/// Writes everything that was found, tensors without a name included.
pub fn json(findings: &Findings) -> Value {
    let symbols = findings.symbols();
    let scale =
        |scale: &crate::graph::ScaleSymbol| json!({"symbol": scale.name, "base": scale.base.to_string()});
    json!({
        "network": findings.network,
        "parameterization": findings.parameterization.to_string(),
        "optimizer": findings.optimizer.to_string(),
        "rates": findings.rates.name(),
        "scales": findings.scales.iter().map(scale).collect::<Vec<_>>(),
        "verdict": findings.verdict.name(),
        "stable": findings.stable,
        "nontrivial": findings.nontrivial,
        "feature_learning": findings.learns_features(),
        "r": findings.r().map(|r| power::json(&r, &symbols)),
        "tensors": findings.tensors.iter().map(|row| tensor(row, &symbols)).collect::<Vec<_>>(),
        "parameters": findings.parameters.iter().map(|row| parameter(row, &symbols)).collect::<Vec<_>>(),
        "problems": findings.problems,
        "mend": findings.mend,
        "largest_global_rate": findings.largest_global_rate.as_ref().map(|rate| power::json(rate, &symbols)),
    })
}

fn tensor(row: &TensorRow, symbols: &[String]) -> Value {
    json!({
        "name": row.name,
        "named": row.named,
        "initial": size_json(&row.initial, symbols),
        "change": size_json(&row.change, symbols),
        "gradient": size_json(&row.gradient, symbols),
        "fresh_gradient": size_json(&row.fresh_gradient, symbols),
        "faulty": row.faulty,
    })
}

fn parameter(row: &MovementRow, symbols: &[String]) -> Value {
    json!({
        "name": row.name,
        "movement": row.movement.name(),
        "update": size_json(&row.update, symbols),
        "propagation": row.propagation.as_ref().map(|size| size_json(size, symbols)),
    })
}
