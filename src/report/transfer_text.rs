//! A study of transfer for a terminal: the verdicts first, then a chart and a table per study.

use std::fmt::Write;

use comfy_table::Table;

use super::plot::{Line, plot};
use super::table_text::{grid, lines, set_lengths};
use crate::check::request::readable;
use crate::transfer::plan::Plan;
use crate::transfer::record::{Curve, Record, Regret, Study};

/// The whole text.
pub fn text(record: &Record) -> String {
    let mut out = format!("{} · {}\n", record.network, set_up(record));
    if let Some(part) = part(record) {
        let _ = writeln!(out, "{part}");
    }
    let _ = writeln!(out, "\n{}", trimmed(&summary(record)));
    for study in &record.studies {
        let _ = writeln!(out, "\n{}", heading(study));
        let _ = writeln!(out, "  {}: {}", study.verdict.name(), study.reason);
        if let Some(advice) = &study.advice {
            let _ = writeln!(out, "  what would decide it: {advice}");
        }
        if let Some(why) = &study.unpredicted {
            let _ = writeln!(out, "  no prediction: {why}");
        }
        let _ = writeln!(out, "  {}", wider(study));
        let _ = writeln!(out, "{}\n\n{}", trimmed(&sizes(record, study)), picture(record, study));
    }
    out
}

/// What is missing of a sweep, if something is.
pub fn part(record: &Record) -> Option<&'static str> {
    match (record.complete, record.interrupted) {
        (true, _) => None,
        (false, true) => Some(
            "Interrupted: this is a part of the sweep, and its verdicts are those of a part. What is in a `--store` goes on with `--resume`.",
        ),
        (false, false) => Some(
            "One share is done: this is a part of the sweep, and its verdicts are those of a part. `mupc transfer merge` joins the shares, and `--resume` goes on.",
        ),
    }
}

/// `mup · adam · learning rate`.
pub fn heading(study: &Study) -> String {
    format!("{} · {} · {}", study.parameterization, study.optimizer, study.knob.words())
}

/// What was run.
pub fn set_up(record: &Record) -> String {
    let values: Vec<String> = record.values.iter().map(i64::to_string).collect();
    let lengths = set_lengths(&record.lengths);
    format!(
        "{} = {}{lengths}; {}; {}, {} rate; {}; {}, {} of them now, in {:.1} s on {}",
        record.symbol,
        values.join(", "),
        counted(record.seeds.len(), "seed"),
        counted(record.steps, "step"),
        record.schedule,
        record.data,
        counted(record.runs.len(), "run"),
        record.fresh,
        record.seconds,
        counted(record.threads, "thread")
    )
}

/// `1 seed`, `3 seeds`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn summary(record: &Record) -> Table {
    let mut table = table([
        "parameterization",
        "optimizer",
        "varied",
        "verdict",
        "drift per doubling",
        "predicted",
        "cost at",
    ]);
    for study in &record.studies {
        let last = study.curves.last();
        let cost = last.map_or(String::new(), |curve| {
            format!("{} {}: {}", record.symbol, curve.value, cost(curve.regret.as_ref()))
        });
        table.add_row([
            study.parameterization.clone(),
            study.optimizer.clone(),
            study.knob.words().to_string(),
            study.verdict.name().to_string(),
            drift(study),
            predicted(study),
            cost,
        ]);
    }
    table
}

/// `-0.94 (-1.10 to -0.78)`.
pub fn drift(study: &Study) -> String {
    study.drift.map_or("-".to_string(), |own| {
        format!("{:+.2} ({:+.2} to {:+.2})", own.per_doubling, own.low, own.high)
    })
}

/// `-1`, or `-1 (strict -3/2)`; why there is none stands with the study.
pub fn predicted(study: &Study) -> String {
    let Some(own) = &study.predicted else { return "none, see below".to_string() };
    match &own.strict {
        Some(strict) if *strict == own.exponent => strict.clone(),
        Some(strict) => format!("{} (strict {strict})", own.exponent),
        None => format!("{} (strict: never stable)", own.exponent),
    }
}

/// `+12 % (+8 to +17)`.
pub fn cost(regret: Option<&Regret>) -> String {
    let Some(regret) = regret else { return "-".to_string() };
    let (Some(ratio), Some(low), Some(high)) = (regret.ratio, regret.low, regret.high) else {
        return "diverges".to_string();
    };
    let percent = |ratio: f64| 100.0 * (ratio - 1.0);
    format!("{:+.1} % ({:+.1} to {:+.1})", percent(ratio), percent(low), percent(high))
}

/// Whether wider is better, in a sentence.
pub fn wider(study: &Study) -> String {
    let at: Vec<String> = study.wider.worse_at.iter().map(i64::to_string).collect();
    match study.wider.holds {
        None => "larger is better: cannot be told".to_string(),
        Some(true) => "larger is better: yes, at the transferred value".to_string(),
        Some(false) => format!(
            "larger is better: no, at the transferred value {} is worse than the size before",
            at.join(", ")
        ),
    }
}

fn sizes(record: &Record, study: &Study) -> Table {
    let best = format!("best {}", study.knob);
    let mut table = table([
        record.symbol.as_str(),
        best.as_str(),
        "interval",
        "loss there",
        "loss at the transferred value",
        "cost",
        "in noise",
    ]);
    for curve in &study.curves {
        table.add_row(row(curve));
    }
    table
}

fn row(curve: &Curve) -> [String; 7] {
    let none = || "-".to_string();
    let optimum = curve.optimum.as_ref();
    let regret = curve.regret.as_ref();
    [
        curve.value.to_string(),
        optimum
            .map_or_else(|| curve.obstacle.clone().unwrap_or_default(), |own| format!("2^{:.2}", own.log2)),
        optimum.map_or_else(none, |own| format!("2^{:.2} to 2^{:.2}", own.low, own.high)),
        optimum.map_or_else(none, |own| number(own.loss)),
        regret.map_or_else(none, |own| own.loss.map_or("diverges".to_string(), number)),
        cost(regret),
        regret.and_then(|own| own.in_noise).map_or_else(none, |own| format!("{own:+.1}")),
    ]
}

/// A loss with four digits.
pub fn number(loss: f64) -> String {
    match loss {
        loss if (0.001..1e4).contains(&loss) => format!("{loss:.4}"),
        loss => format!("{loss:.3e}"),
    }
}

/// Loss against hyperparameter; losses above those at the start are not drawn.
fn picture(record: &Record, study: &Study) -> String {
    let highest = record.runs.iter().filter_map(|run| run.initial).fold(0.0, f64::max);
    let line = |curve: &Curve| Line {
        label: format!("{} = {}", record.symbol, curve.value),
        points: curve
            .points
            .iter()
            .filter_map(|point| Some((point.log2, point.mean.filter(|own| *own > 0.0 && *own <= highest)?)))
            .collect(),
        mark: curve.optimum.as_ref().map(|own| (own.log2, own.loss)),
    };
    plot(&study.curves.iter().map(line).collect::<Vec<_>>())
}

/// What a sweep would cost.
pub fn plan(plan: &Plan, symbol: &str, threads: usize) -> String {
    let mut table =
        table([symbol, "runs", "weights", "operations of a run", "memory of a run", "seconds of a run"]);
    for row in &plan.rows {
        table.add_row([
            row.value.to_string(),
            row.runs.to_string(),
            row.weights.to_string(),
            format!("{:.1e}", row.operations),
            readable(row.bytes),
            format!("{:.2}", row.seconds),
        ]);
    }
    let known = if plan.known > 0 { format!(", {} of them known", plan.known) } else { String::new() };
    format!(
        "{}{known}: {:.1e} floating-point operations, {} at a time, about {} on {}\n{}\n\
         To bracket and refine the optima, at most {} more.\n",
        counted(plan.runs, "run"),
        plan.operations,
        readable(plan.bytes),
        duration(plan.seconds),
        counted(threads, "thread"),
        trimmed(&table),
        plan.later
    )
}

fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 120.0 => format!("{seconds:.1} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = grid();
    table.set_header(head);
    table
}

fn trimmed(table: &Table) -> String {
    lines(table).lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
