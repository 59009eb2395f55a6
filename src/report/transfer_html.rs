//! A study of transfer as pictures, and as one page that needs nothing else: no script, no font, no file beside it.

use std::fmt::Write;

use super::chart::{Chart, Panel, Point, Series, escaped};
use super::page::{self, Heading, Judged};
use super::transfer_text::{cost, drift, heading, number, part, set_up, wider};
use crate::transfer::record::{Curve, Record, Study, Verdict};

/// One chart per optimizer and hyperparameter, one panel per parameterization: a name for a file, and the picture.
pub fn charts(record: &Record) -> Vec<(String, String)> {
    let mut groups: Vec<(String, Vec<&Study>)> = Vec::new();
    for study in &record.studies {
        let name = format!("{}-{}", study.optimizer.replace(' ', ""), study.knob);
        match groups.iter_mut().find(|(own, _)| *own == name) {
            Some((_, studies)) => studies.push(study),
            None => groups.push((name, vec![study])),
        }
    }
    groups.into_iter().map(|(name, studies)| (format!("{name}.svg"), chart(record, &studies).svg())).collect()
}

fn chart(record: &Record, studies: &[&Study]) -> Chart {
    let words = studies.first().map_or("", |study| study.knob.words());
    let optimizer = studies.first().map_or("", |study| study.optimizer.as_str());
    let highest = highest(record);
    Chart {
        title: format!("{}: final training loss against {words}, {optimizer}", record.network),
        x_label: words.to_string(),
        y_label: "loss".to_string(),
        panels: studies
            .iter()
            .map(|study| Panel {
                title: format!("{}: {}", study.parameterization, study.verdict.name()),
                series: study.curves.iter().map(|curve| series(record, curve, highest)).collect(),
            })
            .collect(),
    }
}

/// Losses above the largest one of a start say only that a run had no success: they are not drawn.
fn highest(record: &Record) -> f64 {
    record.runs.iter().filter_map(|run| run.initial).fold(0.0, f64::max)
}

fn series(record: &Record, curve: &Curve, highest: f64) -> Series {
    let drawn = |mean: Option<f64>| mean.filter(|mean| *mean > 0.0 && *mean <= highest);
    let lost = curve.points.iter().filter(|point| drawn(point.mean).is_none());
    let lost = lost.map(|point| point.log2.exp2());
    let points = curve.points.iter().filter_map(|point| Some((point, drawn(point.mean)?)));
    let points = points.map(|(point, mean)| {
        let seeds = || point.losses.iter().flatten().copied();
        Point {
            x: point.log2.exp2(),
            y: mean,
            low: seeds().fold(mean, f64::min),
            high: seeds().fold(mean, f64::max).min(highest),
        }
    });
    Series {
        label: format!("{} = {}", record.symbol, curve.value),
        points: points.collect(),
        dashed: Vec::new(),
        strong: false,
        mark: curve.optimum.as_ref().map(|own| (own.log2.exp2(), own.loss)),
        interval: curve.optimum.as_ref().map(|own| (own.low.exp2(), own.high.exp2())),
        lost: lost.collect(),
    }
}

/// The page.
pub fn html(record: &Record) -> String {
    let any = |verdict: Verdict| record.studies.iter().any(|study| study.verdict == verdict);
    let judged = match (any(Verdict::DoesNot), any(Verdict::Undecided)) {
        _ if !record.complete => Judged::Open,
        (true, _) => Judged::Refuted,
        (false, true) => Judged::Open,
        (false, false) => Judged::Holds,
    };
    let title = format!("Hyperparameter transfer: {}", record.network);
    let (verdicts, set_up) = (verdicts(record), set_up(record));
    let (verdict, command) = (Some((judged, verdicts.as_str())), &record.command);
    let mut out = page::begin(&Heading { title: &title, verdict, set_up: &set_up, command });
    if let Some(part) = part(record) {
        let _ = writeln!(out, "<p>{}</p>", coded(part));
    }
    out.push_str(
        "<p>Every line is one size. Points are geometric means over the seeds of the training loss in the last tenth of the steps, bands reach from the \
         smallest to the largest seed, circles mark the best values. Below the curves every size has a row with its best value and the interval of it (95 %): \
         where these stand above one another, the best value transfers; where they walk, it does not. Crosses in a row are values at which a run diverged, or \
         was no better than at its start: they are not drawn above.</p>\n",
    );
    for (_, svg) in charts(record) {
        let _ = writeln!(out, "<figure>{svg}</figure>");
    }
    record.studies.iter().for_each(|study| section(&mut out, record, study));
    runs(&mut out, record);
    out.push_str(page::END);
    out
}

/// A line per study.
fn verdicts(record: &Record) -> String {
    let of = |study: &Study| format!("{}: {}", heading(study), study.verdict.name());
    record.studies.iter().map(of).collect::<Vec<_>>().join("\n")
}

/// Words between backticks as code.
fn coded(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part.to_string() })
        .collect()
}

fn section(out: &mut String, record: &Record, study: &Study) {
    let predicted = match (&study.predicted, &study.unpredicted) {
        (Some(own), _) => format!("predicted {} per doubling", own.exponent),
        (None, Some(why)) => format!("no prediction: {why}"),
        (None, None) => String::new(),
    };
    let advice =
        study.advice.as_ref().map(|own| format!(" What would decide it: {own}.")).unwrap_or_default();
    let larger = wider(study).replacen("larger", "Larger", 1);
    let _ = write!(
        out,
        "<h2>{}</h2><p>{}: {}.{}</p><p>Drift per doubling, in octaves: {}; {}. {}.</p>\n\
         <div class=\"scroll\"><table><tr><th>{}<th>best {}<th>interval<th>loss there<th>loss at the transferred value<th>cost<th>in noise</tr>\n",
        escaped(&heading(study)),
        study.verdict.name(),
        escaped(&study.reason),
        coded(&escaped(&advice)),
        drift(study),
        escaped(&predicted),
        larger,
        escaped(&record.symbol),
        study.knob
    );
    for curve in &study.curves {
        let (best, interval, loss) = match &curve.optimum {
            Some(own) => (
                format!("2^{:.2}", own.log2),
                format!("2^{:.2} to 2^{:.2}", own.low, own.high),
                number(own.loss),
            ),
            None => (curve.obstacle.clone().unwrap_or_default(), String::new(), String::new()),
        };
        let regret = curve.regret.as_ref();
        let cells = [
            curve.value.to_string(),
            best,
            interval,
            loss,
            regret.and_then(|own| own.loss).map(number).unwrap_or_default(),
            cost(regret),
            regret.and_then(|own| own.in_noise).map(|own| format!("{own:+.1}")).unwrap_or_default(),
        ];
        let cells: String = cells.iter().map(|cell| format!("<td>{}", escaped(cell))).collect();
        let _ = writeln!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</table></div>\n");
}

fn runs(out: &mut String, record: &Record) {
    let _ = writeln!(
        out,
        "<h2>All points</h2><div class=\"scroll\"><table><tr><th>parameterization<th>optimizer<th>varied<th>value<th>{}<th>mean loss<th>by seed</tr>",
        escaped(&record.symbol)
    );
    for study in &record.studies {
        for curve in &study.curves {
            for point in &curve.points {
                let seeds: Vec<String> =
                    point.losses.iter().map(|loss| loss.map_or("diverged".to_string(), number)).collect();
                let cells = [
                    study.parameterization.clone(),
                    study.optimizer.clone(),
                    study.knob.to_string(),
                    format!("2^{}", point.log2),
                    curve.value.to_string(),
                    point.mean.map_or("diverged".to_string(), number),
                    seeds.join(", "),
                ];
                let cells: String = cells.iter().map(|cell| format!("<td>{}", escaped(cell))).collect();
                let _ = writeln!(out, "<tr>{cells}</tr>");
            }
        }
    }
    out.push_str("</table></div>\n");
}
