//! The scaling table as Markdown, for a README or an issue.

use super::power;
use super::table_row::{HEADINGS, cells, lengths, printable, reason, scales, title};
use crate::concrete::Target;
use crate::dim::Monomial;
use crate::parameterization::ScalingTable;
use crate::parameterization::table::ParamRow;

/// Writes the table; with a target, the factors against the base as well.
pub fn markdown(table: &ScalingTable, target: Option<&Target>) -> String {
    let writer = Writer { table, target, symbols: table.symbols() };
    let sections = [
        Some(writer.header()),
        Some(writer.parameters()),
        writer.multipliers(),
        writer.notes(),
        writer.assumptions(),
    ];
    let mut out = sections.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
    out.push('\n');
    out
}

struct Writer<'a> {
    table: &'a ScalingTable,
    target: Option<&'a Target>,
    symbols: Vec<String>,
}

impl Writer<'_> {
    fn header(&self) -> String {
        let scales = match scales(self.table, self.target) {
            scales if scales.is_empty() => String::new(),
            scales => format!("; {}", code(&scales)),
        };
        format!("**{}** ({}){scales}", title(self.table), self.table.form.source())
    }

    fn power(&self, power: &Monomial) -> String {
        let text = code(&power::text(power, &self.symbols));
        match self.target.filter(|_| !power.is_one()) {
            Some(target) => format!("{text} ×{}", power::factor(target.factor(power))),
            None => text,
        }
    }

    fn parameters(&self) -> String {
        let names = self.table.parameters.iter().any(|row| row.external.is_some());
        let headings = ["parameter", "shape", "role"].into_iter().chain(HEADINGS);
        let headings: Vec<_> = headings.chain(names.then_some("external name")).map(String::from).collect();
        let rule = vec!["---".to_string(); headings.len()];
        let rows = self.table.parameters.iter().map(|row| self.row(row, names));
        let lines: Vec<_> = [headings, rule].into_iter().chain(rows).map(|cells| line(&cells)).collect();
        lines.join("\n")
    }

    fn row(&self, row: &ParamRow, names: bool) -> Vec<String> {
        let shape = match lengths(&row.shape, &self.symbols) {
            lengths if lengths.is_empty() => "scalar".to_string(),
            lengths => code(&lengths.join(" × ")),
        };
        let mut fields = vec![code(&row.name), shape, row.role.clone()];
        fields.extend(
            cells(row).map(|cell| cell.write(|power| self.power(power), |value| format!("= {value}"))),
        );
        if names {
            fields
                .push(row.external.as_deref().map_or_else(|| "-".to_string(), |name| code(&printable(name))));
        }
        fields
    }

    fn multipliers(&self) -> Option<String> {
        let heading = ["multiplier in front of", "factor", "which is"].map(String::from).to_vec();
        let rule = vec!["---".to_string(); heading.len()];
        let rows = self
            .table
            .multipliers
            .iter()
            .map(|row| vec![code(&row.tensor), self.power(&row.factor), reason(row)]);
        let lines: Vec<_> = [heading, rule].into_iter().chain(rows).map(|cells| line(&cells)).collect();
        (!self.table.multipliers.is_empty()).then(|| lines.join("\n"))
    }

    fn notes(&self) -> Option<String> {
        let items: Vec<_> = self.table.notes.iter().map(|text| format!("- {text}")).collect();
        (!items.is_empty()).then(|| format!("Less than maximal:\n\n{}", items.join("\n")))
    }

    fn assumptions(&self) -> Option<String> {
        let items: Vec<_> = self.table.assumptions.iter().map(|text| format!("- {text}")).collect();
        (!items.is_empty()).then(|| format!("Assumptions:\n\n{}", items.join("\n")))
    }
}

fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// A code span that holds any text, inside a table.
fn code(text: &str) -> String {
    let text = text.replace('|', r"\|");
    match text.contains('`') {
        true => format!("`` {text} ``"),
        false => format!("`{text}`"),
    }
}
