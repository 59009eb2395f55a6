//! The scaling table for programs. The fields are described by `docs/table.schema.json`.

use serde_json::{Map, Value, json};

use super::power;
use super::table_row::{Cell, KEYS, cells, lengths};
use crate::concrete::Target;
use crate::graph::Init;
use crate::parameterization::ScalingTable;
use crate::parameterization::table::{MultiplierRow, ParamRow};

/// Writes the table; with a target, the factors against the base as well.
pub fn json(table: &ScalingTable, target: Option<&Target>) -> Value {
    let writer = Writer { symbols: table.symbols(), target };
    let scale = |(at, scale): (usize, &crate::graph::ScaleSymbol)| {
        let value = target.and_then(|target| target.values.get(at)).map(|value| value.to_string());
        json!({"symbol": scale.name, "base": scale.base.to_string(), "at": value})
    };
    json!({
        "network": table.network,
        "parameterization": table.parameterization.to_string(),
        "optimizer": table.optimizer.to_string(),
        "rates": table.rates.name(),
        "form": table.form.name(),
        "scales": table.scales.iter().enumerate().map(scale).collect::<Vec<_>>(),
        "parameters": table.parameters.iter().map(|row| writer.parameter(row)).collect::<Vec<_>>(),
        "multipliers": table.multipliers.iter().map(|row| writer.multiplier(row)).collect::<Vec<_>>(),
        "notes": table.notes,
        "assumptions": table.assumptions,
    })
}

struct Writer<'a> {
    symbols: Vec<String>,
    target: Option<&'a Target>,
}

impl Writer<'_> {
    fn parameter(&self, row: &ParamRow) -> Value {
        let mut object = Map::new();
        object.insert("name".into(), row.name.as_str().into());
        object.insert("external".into(), row.external.clone().into());
        object.insert("shape".into(), lengths(&row.shape, &self.symbols).into());
        object.insert("role".into(), row.role.as_str().into());
        object.insert("frozen".into(), row.learning_rate.is_none().into());
        object.insert("init".into(), init(row).into());
        for (key, cell) in KEYS.iter().zip(cells(row)) {
            object.insert((*key).into(), self.scaling(&cell));
        }
        object.insert("at".into(), self.factors(row));
        Value::Object(object)
    }

    fn scaling(&self, cell: &Cell<'_>) -> Value {
        cell.power().map_or(Value::Null, |power| power::json(power, &self.symbols))
    }

    fn factors(&self, row: &ParamRow) -> Value {
        let Some(target) = self.target else { return Value::Null };
        let factor = |cell: Cell<'_>| cell.power().map(|power| target.factor(power)).into();
        let entries = KEYS.iter().zip(cells(row)).map(|(key, cell)| ((*key).to_string(), factor(cell)));
        Value::Object(entries.collect())
    }

    fn multiplier(&self, row: &MultiplierRow) -> Value {
        json!({
            "tensor": row.tensor,
            "parameter": row.parameter,
            "factor": power::json(&row.factor, &self.symbols),
            "at": self.target.map(|target| target.factor(&row.factor)),
        })
    }
}

fn init(row: &ParamRow) -> String {
    match row.init {
        Init::Random => "random".to_string(),
        Init::Constant(value) => value.to_string(),
    }
}
