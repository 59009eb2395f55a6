//! The scaling table for a terminal. Its width depends on the table alone, so the text is fit for snapshots.

use std::fmt;

use comfy_table::{ContentLineStyle, LineStyle, Table, TableStyle};

use super::power;
use super::table_row::{HEADINGS, cells, lengths, printable, reason, scales, title};
use crate::concrete::Target;
use crate::dim::Monomial;
use crate::parameterization::ScalingTable;
use crate::parameterization::table::ParamRow;

/// What a text table shows beside the powers.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextOptions<'a> {
    /// Factors against the base at these values.
    pub target: Option<&'a Target>,
    /// A column with the names that other tools use.
    pub names: bool,
}

/// Writes the table.
pub fn text(table: &ScalingTable, options: TextOptions<'_>) -> String {
    let writer = Writer { table, options, symbols: table.symbols() };
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

impl fmt::Display for ScalingTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text(self, TextOptions::default()).trim_end())
    }
}

struct Writer<'a> {
    table: &'a ScalingTable,
    options: TextOptions<'a>,
    symbols: Vec<String>,
}

impl Writer<'_> {
    fn header(&self) -> String {
        let (title, source) = (title(self.table), self.table.form.source());
        match scales(self.table, self.options.target) {
            scales if scales.is_empty() => format!("{title} ({source})"),
            scales => format!("{title} ({source})\n{scales}"),
        }
    }

    fn power(&self, power: &Monomial) -> String {
        let text = power::text(power, &self.symbols);
        match self.options.target.filter(|_| !power.is_one()) {
            Some(target) => format!("{text}  ×{}", power::factor(target.factor(power))),
            None => text,
        }
    }

    fn parameters(&self) -> String {
        let mut grid = grid();
        let names = self.options.names.then_some("external name");
        grid.set_header(["parameter", "shape", "role"].into_iter().chain(HEADINGS).chain(names));
        for row in &self.table.parameters {
            grid.add_row(self.row(row));
        }
        lines(&grid)
    }

    fn row(&self, row: &ParamRow) -> Vec<String> {
        let shape = match lengths(&row.shape, &self.symbols) {
            lengths if lengths.is_empty() => "scalar".to_string(),
            lengths => lengths.join(" × "),
        };
        let mut line = vec![row.name.clone(), shape, row.role.replace(" + ", " +\n")];
        line.extend(
            cells(row).map(|cell| cell.write(|power| self.power(power), |value| format!("= {value}"))),
        );
        if self.options.names {
            line.push(row.external.as_deref().map_or_else(|| "-".to_string(), printable));
        }
        line
    }

    fn multipliers(&self) -> Option<String> {
        let mut grid = grid();
        for row in &self.table.multipliers {
            grid.add_row([
                format!("  {}", row.tensor),
                self.power(&row.factor),
                format!("({})", reason(row)),
            ]);
        }
        let title = "multipliers in front of operations";
        (!self.table.multipliers.is_empty()).then(|| format!("{title}\n{}", lines(&grid)))
    }

    fn notes(&self) -> Option<String> {
        let items: String = self.table.notes.iter().map(|text| format!("\n  • {text}")).collect();
        (!items.is_empty()).then(|| format!("what is less than maximal{items}"))
    }

    fn assumptions(&self) -> Option<String> {
        let items: String = self.table.assumptions.iter().map(|text| format!("\n  • {text}")).collect();
        (!items.is_empty()).then(|| format!("assumptions{items}"))
    }
}

/// Lengths that were set, as the end of a list.
pub(super) fn set_lengths(lengths: &[(String, i64)]) -> String {
    lengths.iter().enumerate().fold(String::new(), |text, (at, (name, value))| {
        format!("{text}{} {name} = {value}", if at == 0 { ";" } else { "," })
    })
}

/// A table with a line below its header and nothing else.
pub(super) fn grid() -> Table {
    let style = TableStyle::new()
        .header_lines(ContentLineStyle::none())
        .header_separator(LineStyle::none().fill('─').junction('─'))
        .content_lines(ContentLineStyle::none());
    let mut table = Table::new();
    table.load_style(style);
    table
}

/// The lines of a table without the blanks at their ends.
pub(super) fn lines(table: &Table) -> String {
    let mut table = table.clone();
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 1));
    });
    table.lines().map(|line| line.trim_end().to_string()).collect::<Vec<_>>().join("\n")
}
