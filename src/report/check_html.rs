//! A coordinate check as pictures, and as one page that needs nothing else: no script, no font, no file beside it.

use std::fmt::Write;

use super::chart::{Chart, Panel, Point, Series, escaped};
use super::check_text::{HEAD, at_step, cells, set_up, verdict};
use super::page::{self, Heading, Judged};
use crate::check::record::{Finding, Predicted, Quantity, Record, Verdict};

/// Lines in one panel.
const LINES: usize = 5;

/// One chart per quantity at the last step it was measured: a name for a file, and the picture.
pub fn charts(record: &Record) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for quantity in Quantity::ALL {
        let of = || record.findings.iter().filter(move |finding| finding.quantity == quantity);
        let Some(last) = of().map(|finding| finding.step).max() else { continue };
        let mut findings: Vec<&Finding> =
            of().filter(|finding| finding.step == last && drawable(finding)).collect();
        if findings.is_empty() {
            continue;
        }
        findings.sort_by_key(|finding| finding.order);
        let name = format!("{}.svg", quantity.name().replace(' ', "-"));
        found.push((name, chart(record, quantity, last, &findings).svg()));
    }
    found
}

fn drawable(finding: &Finding) -> bool {
    finding.series.iter().filter(|point| point.size > 0.0 && point.size.is_finite()).count() > 1
}

fn chart(record: &Record, quantity: Quantity, step: usize, findings: &[&Finding]) -> Chart {
    let panels = findings.chunks(LINES).map(|chunk| Panel {
        title: title(chunk),
        series: chunk.iter().map(|finding| series(finding)).collect(),
    });
    let when = at_step(step);
    Chart {
        title: format!("{} {}, {when}", quantity.name(), quantity.symbol()),
        x_label: record.symbol.clone(),
        y_label: quantity.symbol().to_string(),
        panels: panels.collect(),
    }
}

/// From the first to the last tensor of a panel.
fn title(findings: &[&Finding]) -> String {
    match findings {
        [] => String::new(),
        [only] => only.subject.clone(),
        [first, .., last] => format!("{} to {}", first.subject, last.subject),
    }
}

fn series(finding: &Finding) -> Series {
    let usable = finding.series.iter().filter(|point| point.size > 0.0 && point.size.is_finite());
    let points: Vec<Point> = usable
        .map(|point| Point { x: point.value as f64, y: point.size, low: point.low, high: point.high })
        .collect();
    // The last name says what it is, the one before whose.
    let mut names = finding.subject.rsplitn(3, '.');
    let (own, whose) = (names.next().unwrap_or_default(), names.next());
    let label = whose.map_or(own.to_string(), |whose| format!("{whose}.{own}"));
    let label =
        if label.chars().count() > 16 { label.chars().take(15).chain(['…']).collect() } else { label };
    let strong = finding.verdict == Verdict::Above;
    Series { label, dashed: prediction(finding, &points), points, strong, ..Series::default() }
}

/// The predicted power through the middle of the measured points.
fn prediction(finding: &Finding, points: &[Point]) -> Vec<(f64, f64)> {
    let Predicted::Power { value, .. } = finding.predicted else { return Vec::new() };
    let level =
        points.iter().map(|point| point.y.ln() - value * point.x.ln()).sum::<f64>() / points.len() as f64;
    points.iter().map(|point| (point.x, (level + value * point.x.ln()).exp())).collect()
}

/// The page.
pub fn html(record: &Record) -> String {
    let title =
        format!("Coordinate check: {} · {} · {}", record.network, record.parameterization, record.optimizer);
    let (verdict, set_up) = (verdict(record), set_up(record));
    let judged = if record.is_refuted() { Judged::Refuted } else { Judged::Holds };
    let verdict = Some((judged, verdict.as_str()));
    let command = &record.command;
    let mut out = page::begin(&Heading { title: &title, verdict, set_up: &set_up, command });
    out.push_str(
        "<p>Every line is one tensor or parameter: points are geometric means over the seeds, bands reach from the smallest to the \
         largest seed, dashed lines have the predicted slope. A line that rises against its dashes refutes a rule.</p>\n",
    );
    for (name, svg) in charts(record) {
        let quantity =
            Quantity::ALL.into_iter().find(|own| format!("{}.svg", own.name().replace(' ', "-")) == name);
        let sentence = quantity.map_or("", Quantity::sentence);
        let _ = writeln!(out, "<figure>{svg}<figcaption>{}</figcaption></figure>", escaped(sentence));
    }
    findings(&mut out, record);
    alignment(&mut out, record);
    out.push_str(page::END);
    out
}

fn findings(out: &mut String, record: &Record) {
    let head: String = HEAD.iter().map(|name| format!("<th>{name}")).collect();
    let _ = writeln!(out, "<h2>All findings</h2><div class=\"scroll\"><table><tr><th>verdict{head}</tr>");
    for finding in &record.findings {
        let class = if finding.verdict == Verdict::Above { " class=\"above\"" } else { "" };
        let verdict = [finding.verdict.name().to_string()];
        let cells = verdict.into_iter().chain(cells(record, finding));
        let cells: String = cells.map(|cell| format!("<td>{}", escaped(&cell))).collect();
        let _ = writeln!(out, "<tr{class}>{cells}</tr>");
    }
    out.push_str("</table></div>\n");
}

fn alignment(out: &mut String, record: &Record) {
    if record.alignment.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Alignment of updates with activations</h2><p>a in |ΔW x| = |ΔW| |x| N<sup>a</sup>, at the largest size (Everett et al. 2024).</p>\
         <div class=\"scroll\"><table><tr><th>update of<th>step<th>measured<th>from<th>to<th>assumed</tr>\n",
    );
    for own in &record.alignment {
        let _ = writeln!(
            out,
            "<tr><td>{}<td>{}<td>{:.2}<td>{:.2}<td>{:.2}<td>{}</tr>",
            escaped(&own.site),
            own.step,
            own.measured,
            own.low,
            own.high,
            own.assumed
        );
    }
    out.push_str("</table></div>\n");
}
