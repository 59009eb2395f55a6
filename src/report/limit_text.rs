//! Limits with feature learning, for a terminal.

use std::fmt::Write;

use super::kernel_text::short;
use super::table_text::{grid, lines};
use crate::check::record::Point;
use crate::limit::record::{Embedded, Followed, Judged, Side};

/// At most so many times are told.
const TIMES: usize = 12;
/// At most so many outputs.
const OUTPUTS: usize = 4;

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = grid();
    table.set_header(head.iter().copied());
    table.add_rows(rows);
    lines(&table).lines().map(|line| format!("  {line}\n")).collect()
}

/// The steps that are told: the first ones, then ever fewer, and the last.
pub fn told(steps: usize) -> Vec<usize> {
    if steps <= TIMES {
        return (0..steps).collect();
    }
    let last = steps - 1;
    let place = |at: usize| ((last + 1) as f64).powf(at as f64 / (TIMES - 1) as f64) - 1.0;
    let mut all: Vec<usize> = (0..TIMES).map(|at| (place(at).round() as usize).max(at.min(4))).collect();
    all.push(last);
    all.sort_unstable();
    all.dedup();
    all
}

/// A limit in time: step, loss, outputs.
pub fn course(record: &Followed) -> (Vec<String>, Vec<Vec<String>>) {
    let outputs = record.outputs.first().map_or(0, Vec::len);
    let mut head = vec!["step".to_string(), "loss".to_string()];
    head.extend((0..outputs.min(OUTPUTS)).map(|at| format!("f{}", at + 1)));
    if outputs > OUTPUTS {
        head.push("...".to_string());
    }
    let row = |step: usize| {
        let start = vec![step.to_string(), short(record.losses[step])];
        let own = record.outputs[step].iter().take(OUTPUTS).map(|own| format!("{own:.10}"));
        let rest = (outputs > OUTPUTS).then(String::new);
        start.into_iter().chain(own).chain(rest).collect()
    };
    (head, told(record.outputs.len()).into_iter().map(row).collect())
}

/// What is said where the limit is not known well enough.
pub const UNRESOLVED: &str = "NOT RESOLVED: the error of the limit is more than a third of the smallest distance; ask for more particles, fewer steps or a lower rate";

/// What is said of a report that was interrupted.
pub const INTERRUPTED: &str = "interrupted: what is missing was not run, and nothing is judged";

/// What was measured, in words.
pub fn verdict(judged: &Judged, symbol: &str) -> String {
    let Some(slope) = &judged.slope else {
        return format!("{}: no slope could be fitted; more widths or seeds are needed", judged.name);
    };
    format!(
        "{}: {} ~ {symbol}^{:.2} (99 %: {:.2} to {:.2}), expected {symbol}^{}",
        if judged.holds { "holds" } else { "DOES NOT HOLD" },
        judged.name,
        slope.exponent,
        slope.low,
        slope.high,
        judged.expected
    )
}

/// Sizes by width.
pub fn sizes(points: &[Point]) -> Vec<Vec<String>> {
    let row = |own: &Point| vec![own.value.to_string(), short(own.size), short(own.low), short(own.high)];
    points.iter().map(row).collect()
}

/// What was done.
pub fn set_up(record: &Followed) -> String {
    format!(
        "{}\n{}\nloss {}; rate {}; {} examples",
        record.network, record.method, record.loss, record.rate, record.examples
    )
}

/// A limit that was followed.
pub fn followed(record: &Followed) -> String {
    let mut out = format!("feature-learning limit: {}\n{}\n\n", record.limit, set_up(record));
    let (head, rows) = course(record);
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    out.push_str(&table(&head, &rows));
    if record.error > 0.0 {
        let _ = writeln!(out, "  standard error of the outputs: {:.1e}", record.error);
    }
    if let Some(finite) = &record.finite {
        let seeds = finite.points.iter().map(|own| own.seeds.len()).max().unwrap_or(0);
        let _ = writeln!(
            out,
            "\nnetworks of finite width, {seeds} per width: {} (root mean square over steps and examples)",
            finite.name
        );
        out.push_str(&table(&[&record.symbol, "distance", "smallest", "largest"], &sizes(&finite.points)));
        if record.complete {
            let _ = writeln!(out, "{}", verdict(finite, &record.symbol));
        }
        if !record.resolved {
            let _ = writeln!(out, "{UNRESOLVED}");
        }
    }
    if !record.complete {
        let _ = writeln!(out, "\n{INTERRUPTED}");
    }
    let _ = writeln!(out, "\n{:.2} s\n{}", record.seconds, record.command);
    out
}

/// Change, replaced neighbours and loss at every width.
pub fn side(side: &Side) -> Vec<Vec<String>> {
    let rows = side.change.points.iter().zip(&side.replaced).zip(&side.losses);
    let row = |((change, replaced), loss): ((&Point, &Point), &Point)| {
        vec![
            change.value.to_string(),
            short(change.size),
            format!("{:.1} %", 100.0 * replaced.size),
            short(loss.size),
        ]
    };
    rows.map(row).collect()
}

/// The head of that table.
pub const SIDE: [&str; 4] = ["n", "change", "neighbours replaced", "loss"];

/// Neighbours before and after.
pub fn neighbours(side: &Side) -> Vec<Vec<String>> {
    let row = |own: &crate::limit::record::Neighbours| {
        vec![own.word.clone(), own.before.join(" "), own.after.join(" ")]
    };
    side.neighbours.iter().map(row).collect()
}

/// The whole verdict on word vectors.
pub fn embedded_verdict(record: &Embedded) -> String {
    if !record.complete {
        return INTERRUPTED.to_string();
    }
    let word = if record.holds { "holds" } else { "DOES NOT HOLD" };
    format!("{word}: in the kernel limit vectors stay random, under muP they learn")
}

/// Word vectors.
pub fn embedded(record: &Embedded) -> String {
    let mut out = format!(
        "word vectors of {} at growing widths\n{}\n{}\n",
        record.network, record.data, record.training
    );
    for own in &record.sides {
        let _ = writeln!(out, "\n{}: change of the vectors |E_t - E_0| / |E_0|", own.parameterization);
        out.push_str(&table(&SIDE, &side(own)));
        if record.complete {
            let _ = writeln!(out, "{}", verdict(&own.change, "n"));
        }
        if let Some(slope) = &own.replaced_slope {
            let _ = writeln!(
                out,
                "neighbours replaced ~ n^{:.2} (99 %: {:.2} to {:.2})",
                slope.exponent, slope.low, slope.high
            );
        }
        let _ = writeln!(out, "nearest neighbours at the largest width");
        out.push_str(&table(&["word", "before", "after"], &neighbours(own)));
    }
    let _ = writeln!(out, "\n{}\n\n{:.1} s\n{}", embedded_verdict(record), record.seconds, record.command);
    out
}
