//! The scaling table for a spreadsheet (RFC 4180): a row for every parameter, then one for every multiplier in front of an operation.

use super::power;
use super::table_row::{KEYS, cells, lengths, reason};
use crate::concrete::Target;
use crate::dim::Monomial;
use crate::graph::Init;
use crate::parameterization::ScalingTable;
use crate::parameterization::table::{MultiplierRow, ParamRow};

/// Writes the table; with a target, a further column of factors against the base for every column of powers.
pub fn csv(table: &ScalingTable, target: Option<&Target>) -> String {
    let symbols = table.symbols();
    let mut header: Vec<String> =
        ["kind", "name", "external", "shape", "role", "init", "frozen"].map(String::from).to_vec();
    header.extend(KEYS.map(String::from));
    header.extend(KEYS.iter().filter(|_| target.is_some()).map(|key| format!("{key}_at")));
    let parameters = table.parameters.iter().map(|row| parameter(row, &symbols, target));
    let multipliers = table.multipliers.iter().map(|row| multiplier(row, &symbols, target));
    std::iter::once(header).chain(parameters).chain(multipliers).map(|fields| line(&fields)).collect()
}

fn parameter(row: &ParamRow, symbols: &[String], target: Option<&Target>) -> Vec<String> {
    let init = match row.init {
        Init::Random => "random".to_string(),
        Init::Constant(value) => value.to_string(),
    };
    let shape = lengths(&row.shape, symbols).join(" x ");
    let external = row.external.clone().unwrap_or_default();
    let frozen = row.learning_rate.is_none().to_string();
    let mut fields =
        vec!["parameter".into(), row.name.clone(), external, shape, row.role.clone(), init, frozen];
    let powers = cells(row).map(|cell| cell.power());
    fields.extend(numbers(&powers, symbols, target));
    fields
}

fn multiplier(row: &MultiplierRow, symbols: &[String], target: Option<&Target>) -> Vec<String> {
    let mut fields = vec!["multiplier".into(), row.tensor.clone(), String::new(), String::new(), reason(row)];
    fields.extend([String::new(), String::new()]);
    fields.extend(numbers(&[Some(&row.factor), None, None, None, None], symbols, target));
    fields
}

/// Powers and, with a target, factors.
fn numbers(powers: &[Option<&Monomial>], symbols: &[String], target: Option<&Target>) -> Vec<String> {
    let power =
        |power: &Option<&Monomial>| power.map(|power| power::text(power, symbols)).unwrap_or_default();
    let factor = |target: &Target, power: &Option<&Monomial>| {
        power.map(|power| target.factor(power).to_string()).unwrap_or_default()
    };
    let mut fields: Vec<String> = powers.iter().map(power).collect();
    if let Some(target) = target {
        fields.extend(powers.iter().map(|power| factor(target, power)));
    }
    fields
}

fn line(fields: &[String]) -> String {
    let fields: Vec<_> = fields.iter().map(|field| quoted(field)).collect();
    fields.join(",") + "\r\n"
}

fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) || field.starts_with(' ') || field.ends_with(' ') {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_string(),
    }
}
