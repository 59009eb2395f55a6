//! The scaling table for a paper: a `tabular` with the rules of the booktabs package.

use super::power::{self, latex_dim, latex_escape};
use super::table_row::{HEADINGS, cells, reason, scales, title};
use crate::concrete::Target;
use crate::dim::Monomial;
use crate::parameterization::ScalingTable;
use crate::parameterization::table::{MultiplierRow, ParamRow};

/// Writes the table; with a target, the factors against the base as well.
pub fn latex(table: &ScalingTable, target: Option<&Target>) -> String {
    let writer = Writer { target, symbols: table.symbols() };
    let mut lines = vec![format!("% {}", one_line(&title(table)))];
    lines.push(format!("% {}", one_line(&scales(table, target))));
    lines.push(r"% needs \usepackage{booktabs}".to_string());
    lines.extend(table.notes.iter().map(|text| format!("% less than maximal: {}", one_line(text))));
    lines.extend(table.assumptions.iter().map(|text| format!("% {}", one_line(text))));
    lines.push(r"\begin{tabular}{lllccccc}".to_string());
    lines.push(r"  \toprule".to_string());
    let headings: Vec<_> = ["parameter", "shape", "role"].into_iter().chain(HEADINGS).collect();
    lines.push(format!(r"  {} \\", headings.join(" & ")));
    lines.push(r"  \midrule".to_string());
    lines.extend(table.parameters.iter().map(|param| writer.parameter(param)));
    if !table.multipliers.is_empty() {
        lines.push(r"  \midrule".to_string());
        lines.extend(table.multipliers.iter().map(|multiplier| writer.multiplier(multiplier)));
    }
    lines.push(r"  \bottomrule".to_string());
    lines.push(r"\end{tabular}".to_string());
    lines.join("\n") + "\n"
}

struct Writer<'a> {
    target: Option<&'a Target>,
    symbols: Vec<String>,
}

impl Writer<'_> {
    fn power(&self, power: &Monomial) -> String {
        let text = power::latex(power, &self.symbols);
        match self.target.filter(|_| !power.is_one()) {
            Some(target) => format!(r"{text} ($\times {}$)", power::factor(target.factor(power))),
            None => text,
        }
    }

    fn parameter(&self, row: &ParamRow) -> String {
        let shape: Vec<_> = row.shape.iter().map(|dim| latex_dim(dim, &self.symbols)).collect();
        let shape = if shape.is_empty() { "scalar".into() } else { format!("${}$", shape.join(r" \times ")) };
        let mut fields = vec![code(&row.name), shape, latex_escape(&row.role)];
        let constant = |value| format!("$= {value}$");
        let cells = cells(row).map(|cell| cell.write(|power| self.power(power), constant));
        fields.extend(cells.map(|text| if text == "-" { "--".to_string() } else { text }));
        line(&fields)
    }

    fn multiplier(&self, row: &MultiplierRow) -> String {
        let reason = format!(r"\multicolumn{{2}}{{l}}{{{}}}", latex_escape(&reason(row)));
        line(&[
            code(&row.tensor),
            reason,
            self.power(&row.factor),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ])
    }
}

fn line(fields: &[String]) -> String {
    format!(r"  {} \\", fields.join(" & ").trim_end())
}

fn code(text: &str) -> String {
    format!(r"\texttt{{{}}}", latex_escape(text))
}

/// Text for a comment, which ends with its line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
