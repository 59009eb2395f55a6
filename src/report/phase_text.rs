//! A phase diagram for a terminal.

use std::fmt::Write;

use super::kernel_text::short;
use super::limit_text::INTERRUPTED;
use super::table_text::{grid, lines};
use crate::limit::record::{Cell, Diagram, Trained};

/// The report.
pub fn text(record: &Diagram) -> String {
    let mut out = String::new();
    let _ =
        writeln!(out, "phases of deep networks with the layers of {}: {}", record.network, record.activation);
    let _ = writeln!(out, "h' = W phi(h) + b, W ~ N(0, sw2 / fan-in), b ~ N(0, sb2)\n");
    let _ = writeln!(out, "at sw2 = {}, sb2 = {}", short(record.own.weight), short(record.own.bias));
    out.push_str(&table(&["", ""], &point(&record.own)));
    let _ = writeln!(out, "\nedge of chaos, chi_1 = 1");
    match record.landmarks.is_empty() {
        true => out.push_str("  none at the bias variances that were looked at\n"),
        false => {
            let row = |own: &crate::limit::record::EdgePoint| {
                vec![short(own.bias), format!("{:.8}", own.weight), short(own.variance)]
            };
            let rows: Vec<Vec<String>> = record.landmarks.iter().map(row).collect();
            out.push_str(&table(&["sb2", "sw2", "fixed point of the variance"], &rows));
        }
    }
    let _ = writeln!(out, "\n{}", legend(record));
    out.push_str(&picture(record));
    if let Some(trained) = &record.trained {
        let _ = writeln!(out, "\n{}", verdict(trained, record.complete));
        let _ = writeln!(out, "  {}", trained.how);
    }
    let _ = writeln!(out, "\n{:.1} s\n{}", record.seconds, record.command);
    out
}

fn legend(record: &Diagram) -> String {
    let networks = match &record.trained {
        Some(own) => format!("; {} layers: O learn, X do not", own.depth),
        None => String::new(),
    };
    format!("· ordered, + chaotic, | edge; ^ the variance diverges{networks}")
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = grid();
    if head.iter().any(|own| !own.is_empty()) {
        table.set_header(head.iter().copied());
    }
    table.add_rows(rows);
    lines(&table).lines().map(|line| format!("  {line}\n")).collect()
}

/// A length in layers.
pub fn layers(length: Option<f64>) -> String {
    length.map_or("infinite".to_string(), |own| format!("{} layers", short(own)))
}

/// What becomes of signals at one point, a line per quantity.
pub fn point(cell: &Cell) -> Vec<Vec<String>> {
    let line = |name: &str, value: String| vec![name.to_string(), value];
    let variance = match cell.variance {
        Some(own) => format!("goes to {}", short(own)),
        None => cell.variance_goes.to_string(),
    };
    let mut rows = vec![
        line("phase", cell.phase.to_string()),
        line("chi_1", format!("{:.8}", cell.chi)),
        line("variance", variance),
    ];
    if let Some(own) = cell.correlation {
        rows.push(line("correlation", format!("goes to {}", short(own))));
        rows.push(line("depth scale of correlations", layers(cell.xi)));
        rows.push(line("depth scale of variances", layers(cell.xi_variance)));
    } else {
        rows.push(line("depth scale of gradients", layers(cell.depth)));
    }
    rows
}

/// The place of the nearest of some ascending numbers.
fn nearest(values: &[f64], value: f64) -> usize {
    let far = |at: &usize| (values[*at] - value).abs();
    (0..values.len()).min_by(|one, two| far(one).total_cmp(&far(two))).unwrap_or(0)
}

/// The plane in characters, large biases above.
fn picture(record: &Diagram) -> String {
    let columns = record.weights.len();
    let mut marks: Vec<Vec<char>> = record
        .cells
        .chunks(columns)
        .map(|row| {
            row.iter()
                .enumerate()
                .map(|(at, cell)| mark(cell, at.checked_sub(1).map(|last| &row[last])))
                .collect()
        })
        .collect();
    for own in record.trained.iter().flat_map(|own| &own.networks) {
        let (row, column) = (nearest(&record.biases, own.bias), nearest(&record.weights, own.weight));
        marks[row][column] = if own.learned { 'O' } else { 'X' };
    }
    let mut out = String::new();
    for (bias, row) in record.biases.iter().zip(&marks).rev() {
        let _ = writeln!(out, "  {bias:>6.3} {}", row.iter().collect::<String>());
    }
    let (first, last) =
        (record.weights.first().copied().unwrap_or(0.0), record.weights.last().copied().unwrap_or(0.0));
    let _ =
        writeln!(out, "     sb2 {first:<width$.2}{last:.2} sw2", width = columns.saturating_sub(4).max(5));
    out
}

fn mark(cell: &Cell, before: Option<&Cell>) -> char {
    match (cell.phase, before.map(|own| own.phase)) {
        ("edge", _) | ("chaotic", Some("ordered")) => '|',
        _ if cell.variance_goes == "diverges" => '^',
        ("ordered", _) => '·',
        _ => '+',
    }
}

/// What the trained networks say.
pub fn verdict(trained: &Trained, complete: bool) -> String {
    let learned = trained.networks.iter().filter(|own| own.learned).count();
    let count = trained.networks.len();
    let start = format!(
        "{learned} of {count} networks with {} layers of width {} learned (more than {:.0} % of the training digits right)",
        trained.depth,
        trained.width,
        100.0 * trained.threshold
    );
    if !complete {
        return format!("{start}\n{INTERRUPTED}");
    }
    match (trained.separation, trained.layers_per_scale) {
        (Some(separation), scale) => {
            let scale = scale.map_or(String::new(), |own| {
                format!("; they learn up to about {} depth scales deep", short(own))
            });
            let word = if trained.holds { "as predicted" } else { "NOT as predicted" };
            format!(
                "{start}\n{word}: of two networks of which one learned, that one has the longer depth scale in {:.0} % of pairs{scale}",
                100.0 * separation
            )
        }
        (None, _) => {
            format!("{start}\nnothing to judge: all behave alike; look at other variances, depths or rates")
        }
    }
}
