//! A study of finite width for a terminal.

use std::fmt::Write;

use super::kernel_text::short;
use super::table_text::{grid, lines};
use crate::check::record::{Predicted, Verdict};
use crate::drift::record::{Curve, Point, Record, Section};

/// The report.
pub fn text(record: &Record) -> String {
    let mut out = format!("finite width of {}\n{}\n", record.network, set_up(record));
    for section in &record.sections {
        let _ = writeln!(out, "\n{}\n  {}", heading(section), section.about);
        if section.curves.is_empty() {
            continue;
        }
        let mut table = grid();
        table.set_header(head(section));
        table.add_rows(rows(section));
        lines(&table).lines().for_each(|line| {
            let _ = writeln!(out, "  {line}");
        });
        for curve in section.curves.iter().filter(|own| own.fit.is_some() || own.verdict.is_some()) {
            let _ = writeln!(out, "  {}: {}", curve.quantity, verdict(section, curve));
        }
    }
    let end = if record.complete { "" } else { "interrupted: what is missing was not run\n" };
    let _ = writeln!(out, "\n{end}{:.1} s\n{}", record.seconds, record.command);
    out
}

/// What was done, in one paragraph.
pub fn set_up(record: &Record) -> String {
    let values: Vec<String> = record.values.iter().map(i64::to_string).collect();
    format!(
        "{} = {}; {} seeds\n{} steps of gradient descent on the squared error of {} examples; measured on {} others: {}",
        record.symbol,
        values.join(", "),
        record.seeds,
        record.steps,
        record.batch,
        record.probe,
        record.data
    )
}

/// What a section is about.
pub fn heading(section: &Section) -> String {
    let rate = section.learning_rate.map_or(String::new(), |rate| format!(", learning rate {rate}"));
    format!("{} in {}{rate}", section.kind.name(), section.parameterization)
}

/// The first line of a section's table.
pub fn head(section: &Section) -> Vec<String> {
    let expected = |own: &Curve| own.points.iter().any(|point| point.expected.is_some());
    let ratio = section.curves.iter().flat_map(|own| &own.points).any(|own| own.depth_over_width.is_some());
    let names = section.curves.iter().flat_map(|own| {
        let exact = expected(own).then(|| "exactly".to_string());
        std::iter::once(own.quantity.clone()).chain(exact)
    });
    let first = std::iter::once(section.variable.clone()).chain(ratio.then(|| "sum of 1/n".to_string()));
    first.chain(names).collect()
}

/// A line per value of the variable.
pub fn rows(section: &Section) -> Vec<Vec<String>> {
    let Some(first) = section.curves.first() else { return Vec::new() };
    let width = head(section).len();
    let line = |at: usize, point: &Point| {
        let mut cells = vec![point.at.to_string()];
        cells.extend(point.depth_over_width.map(short));
        for own in section.curves.iter().filter_map(|own| own.points.get(at)) {
            cells.push(format!("{} [{}, {}]", short(own.size), short(own.low), short(own.high)));
            cells.extend(own.expected.map(short));
        }
        cells.resize(width, String::new());
        cells
    };
    first.points.iter().enumerate().map(|(at, point)| line(at, point)).collect()
}

/// The power that was measured, the one that is predicted, and whether they agree.
pub fn verdict(section: &Section, curve: &Curve) -> String {
    let variable = &section.variable;
    let measured = curve
        .fit
        .as_ref()
        .map(|fit| format!("{variable}^{:.2} [{:.2}, {:.2}]", fit.exponent, fit.low, fit.high));
    let predicted = curve.predicted.as_ref().map(|own| match own {
        Predicted::Power { exponent, .. } => format!("predicted {variable}^{exponent}"),
        Predicted::Zero => "predicted 0".to_string(),
        Predicted::Beyond => "predicted beyond every power".to_string(),
    });
    let judged = curve.verdict.map(|own| match (own, curve.bound) {
        (Verdict::Below, true) => "below: an upper bound that is not attained".to_string(),
        _ => own.name().to_string(),
    });
    let source = curve.source.as_ref().map(|own| format!("({own})"));
    let parts: Vec<String> =
        [measured, predicted, judged, curve.reason.clone(), source].into_iter().flatten().collect();
    if parts.is_empty() { "no power is predicted".to_string() } else { parts.join(", ") }
}
