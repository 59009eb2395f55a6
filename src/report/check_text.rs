//! A coordinate check for a terminal: the verdict first, then what contradicts it, then a table.

use std::collections::BTreeSet;
use std::fmt::Write;

use comfy_table::Table;

use super::table_text::{grid, lines, set_lengths};
use crate::check::record::{Finding, Predicted, Quantity, Record, Verdict};

/// The whole text; with `all`, every finding has a line.
pub fn text(record: &Record, all: bool) -> String {
    let mut out = format!("{} · {} · {}\n\n", record.network, record.parameterization, record.optimizer);
    let _ = writeln!(out, "{}", verdict(record));
    let _ = writeln!(out, "{}\n", set_up(record));
    let of = |verdict: Verdict| record.findings.iter().filter(move |finding| finding.verdict == verdict);
    section(&mut out, "measured above the prediction (a rule is refuted)", record, of(Verdict::Above));
    section(
        &mut out,
        "measured below the prediction (a bound that is not attained)",
        record,
        of(Verdict::Below),
    );
    section(&mut out, "not measured", record, of(Verdict::Unmeasured));
    if all {
        section(&mut out, "agree", record, of(Verdict::Agrees));
    } else {
        let _ = writeln!(out, "{}", summary(record));
    }
    alignment(&mut out, record);
    out.trim_end().to_string() + "\n"
}

/// The verdict in a sentence.
pub fn verdict(record: &Record) -> String {
    let counts = &record.verdict;
    let total = counts.total();
    let interrupted = if record.complete { "" } else { " (interrupted: a part of the runs)" };
    match record.culprit() {
        None => format!(
            "holds{interrupted}: {} of {total} predictions agree, {} below, {} not measured, none above",
            counts.agrees, counts.below, counts.unmeasured
        ),
        Some(culprit) => format!(
            "refuted{interrupted}: it starts at `{}`: its {} {} goes like {} instead of {}\n{} of {total} predictions agree, \
             {} are above, {} below, {} not measured",
            culprit.subject,
            culprit.quantity.name(),
            at_step(culprit.step),
            measured(record, culprit),
            predicted(record, &culprit.predicted),
            counts.agrees,
            counts.above,
            counts.below,
            counts.unmeasured
        ),
    }
}

/// `at initialization`, `after 1 step`.
pub fn at_step(step: usize) -> String {
    match step {
        0 => "at initialization".to_string(),
        1 => "after 1 step".to_string(),
        _ => format!("after {step} steps"),
    }
}

/// What was run.
pub fn set_up(record: &Record) -> String {
    let values: Vec<String> = record.values.iter().map(i64::to_string).collect();
    let steps: Vec<String> = record.steps.iter().map(usize::to_string).collect();
    let lengths = set_lengths(&record.lengths);
    format!(
        "{} = {}; {} seeds; steps {}; batch {}; learning rate {:.3e} at the smallest; {}{lengths}; {:.1} s on {} threads",
        record.symbol,
        values.join(", "),
        record.seeds.len(),
        steps.join(", "),
        record.batch,
        record.learning_rate,
        record.data,
        record.seconds,
        record.threads
    )
}

/// `n^-1/2`, `1`, `0`.
pub fn predicted(record: &Record, predicted: &Predicted) -> String {
    match predicted {
        Predicted::Zero => "0".to_string(),
        Predicted::Beyond => "unbounded".to_string(),
        Predicted::Power { exponent, .. } if exponent == "0" => "1".to_string(),
        Predicted::Power { exponent, .. } if exponent == "1" => record.symbol.clone(),
        Predicted::Power { exponent, .. } => format!("{}^{exponent}", record.symbol),
    }
}

/// `n^-0.52 ± 0.04`.
pub fn measured(record: &Record, finding: &Finding) -> String {
    match &finding.fit {
        None => "-".to_string(),
        Some(fit) => {
            let half = (fit.high - fit.exponent).max(fit.exponent - fit.low);
            format!("{}^{:.2} ± {half:.2}", record.symbol, fit.exponent)
        }
    }
}

/// What a row about a finding says.
pub const HEAD: [&str; 6] = ["tensor or parameter", "what", "step", "predicted", "measured", "remark"];

/// A row about a finding.
pub fn cells(record: &Record, finding: &Finding) -> [String; 6] {
    [
        finding.subject.clone(),
        finding.quantity.name().to_string(),
        finding.step.to_string(),
        predicted(record, &finding.predicted),
        measured(record, finding),
        finding.reason.clone().unwrap_or_default(),
    ]
}

fn section<'r>(out: &mut String, title: &str, record: &Record, findings: impl Iterator<Item = &'r Finding>) {
    let mut table = table(HEAD);
    let mut count = 0;
    for finding in findings {
        count += 1;
        table.add_row(cells(record, finding));
    }
    if count > 0 {
        let _ = writeln!(out, "{title}: {count}\n{}\n", trimmed(&table));
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

/// Per quantity: how many predictions, of which exponents, and how far the measured ones are off.
fn summary(record: &Record) -> String {
    let mut table =
        table(["what is measured", "predictions", "agree", "exponents predicted", "largest miss"]);
    for quantity in Quantity::ALL {
        let findings: Vec<&Finding> =
            record.findings.iter().filter(|finding| finding.quantity == quantity).collect();
        if findings.is_empty() {
            continue;
        }
        let agree = findings.iter().filter(|finding| finding.verdict == Verdict::Agrees).count();
        let exponents: BTreeSet<String> =
            findings.iter().map(|finding| predicted(record, &finding.predicted)).collect();
        let miss = findings.iter().filter_map(|finding| miss(finding)).fold(f64::NAN, f64::max);
        table.add_row([
            format!("{} {}", quantity.name(), quantity.symbol()),
            findings.len().to_string(),
            agree.to_string(),
            exponents.into_iter().collect::<Vec<_>>().join(", "),
            if miss.is_finite() { format!("{miss:.2}") } else { "-".to_string() },
        ]);
    }
    trimmed(&table) + "\n"
}

/// How far an exponent that agrees is from its prediction.
fn miss(finding: &Finding) -> Option<f64> {
    match (&finding.predicted, &finding.fit, finding.verdict) {
        (Predicted::Power { value, .. }, Some(fit), Verdict::Agrees) => Some((fit.exponent - value).abs()),
        _ => None,
    }
}

fn alignment(out: &mut String, record: &Record) {
    if record.alignment.is_empty() {
        return;
    }
    let mut table = table(["update of", "step", "alignment", "assumed"]);
    for own in &record.alignment {
        table.add_row([
            own.site.clone(),
            own.step.to_string(),
            format!("{:.2} ({:.2} to {:.2})", own.measured, own.low, own.high),
            own.assumed.clone(),
        ]);
    }
    let _ = writeln!(
        out,
        "alignment of updates with activations: a in |ΔW x| = |ΔW| |x| N^a, at the largest size\n{}",
        trimmed(&table)
    );
}
