//! The verdict for a terminal.

use std::fmt;

use super::power;
use super::table_row::shown_rates;
use super::table_text::{grid, lines};
use crate::dim::{Monomial, Symbol};
use crate::parameterization::findings::{Findings, MovementRow, TensorRow};
use crate::parameterization::verdict::{Movement, Verdict};
use crate::rational::Rational;
use crate::size::Size;

/// No report lists more problems than this; the rest are counted.
const SHOWN: usize = 8;

/// Writes the verdict; `all` shows tensors without a name, too.
pub fn text(findings: &Findings, all: bool) -> String {
    let writer = Writer { findings, symbols: findings.symbols() };
    let sections = [
        Some(writer.header()),
        writer.problems(),
        list("what to change", &findings.mend),
        writer.largest_rate(),
        Some(writer.tensors(all)),
        Some(writer.parameters()),
    ];
    let mut out = sections.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
    out.push('\n');
    out
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text(self, false).trim_end())
    }
}

struct Writer<'a> {
    findings: &'a Findings,
    symbols: Vec<String>,
}

impl Writer<'_> {
    fn header(&self) -> String {
        let Findings { network, parameterization, optimizer, rates, verdict, .. } = self.findings;
        let network = if network.is_empty() { "(unnamed)" } else { network };
        let rates = shown_rates(*rates);
        let title = format!("{network} · {parameterization} · {optimizer}{rates}");
        format!("{title}\n\n{verdict}: {}\n{}", meaning(*verdict), self.features())
    }

    /// How far features move, as D = n^-r.
    fn features(&self) -> String {
        let change = &self.findings.feature_change;
        let r = match self.findings.r() {
            Some(r) => format!(" (r = {})", self.exponents(&r)),
            None => String::new(),
        };
        let moved = if change.is_zero() { "nothing".to_string() } else { self.size(change) };
        format!("the last hidden representation changes by {moved}{r}")
    }

    /// The exponents of D = n^-r; with their symbols where there are several.
    fn exponents(&self, r: &Monomial) -> String {
        let name = |at: u16| self.symbols.get(usize::from(at)).map_or("?", String::as_str);
        let several = self.symbols.len() > 1;
        let exponent = |(symbol, exponent): (Symbol, Rational)| match several {
            true => format!("{exponent} in {}", name(symbol.0)),
            false => exponent.to_string(),
        };
        let exponents: Vec<_> = r.iter().map(exponent).collect();
        if exponents.is_empty() { "0".to_string() } else { exponents.join(", ") }
    }

    fn size(&self, size: &Size) -> String {
        size.display(&self.symbols).to_string()
    }

    fn problems(&self) -> Option<String> {
        let problems = &self.findings.problems;
        let (first, rest) = problems.split_first()?;
        let mut text = format!("what is wrong\n  it starts here: {first}");
        rest.iter().take(SHOWN).for_each(|problem| text.push_str(&format!("\n  then: {problem}")));
        if rest.len() > SHOWN {
            text.push_str(&format!("\n  ... and {} more", rest.len() - SHOWN));
        }
        Some(text)
    }

    fn largest_rate(&self) -> Option<String> {
        let rate = power::text(self.findings.largest_global_rate.as_ref()?, &self.symbols);
        Some(format!("largest stable learning rate, if all parameters share one  {rate}"))
    }

    fn tensors(&self, all: bool) -> String {
        let mut grid = grid();
        grid.set_header(["tensor", "|x_0|", "change D", "gradient G", ""]);
        for row in self.findings.tensors.iter().filter(|row| all || row.named || row.faulty) {
            grid.add_row(self.tensor(row));
        }
        lines(&grid)
    }

    fn tensor(&self, row: &TensorRow) -> [String; 5] {
        let mark = if row.faulty { "<- out of bounds" } else { "" };
        let sizes = [&row.initial, &row.change, &row.gradient].map(|size| self.size(size));
        let [initial, change, gradient] = sizes;
        [row.name.clone(), initial, change, gradient, mark.to_string()]
    }

    fn parameters(&self) -> String {
        let mut grid = grid();
        grid.set_header(["parameter", "movement", "by"]);
        for row in &self.findings.parameters {
            grid.add_row([row.name.clone(), row.movement.name().to_string(), self.by(row)]);
        }
        lines(&grid)
    }

    fn by(&self, row: &MovementRow) -> String {
        match row.movement {
            Movement::Frozen | Movement::Still => "-".to_string(),
            Movement::Maximal | Movement::Lazy | Movement::Exploding => match &row.update {
                Size::Power(update) => power::text(update, &self.symbols),
                other => self.size(other),
            },
        }
    }
}

fn list(title: &str, items: &[String]) -> Option<String> {
    let lines: String = items.iter().map(|item| format!("\n  • {item}")).collect();
    (!items.is_empty()).then(|| format!("{title}{lines}"))
}

/// What a verdict means, in a few words.
fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::UnstableAtInit => "something blows up or dies out before the first step",
        Verdict::UnstableInTraining => "something changes by more than it may",
        Verdict::ControlledDivergence => "logits diverge, features do not",
        Verdict::Trivial => "the logits do not move in the limit",
        Verdict::Kernel => "stable and nontrivial, but features stay where they start",
        Verdict::FeatureLearning => "stable, nontrivial, and features move",
    }
}
