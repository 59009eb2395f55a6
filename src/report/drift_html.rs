//! A study of finite width as pictures, and as one page that needs no other file.

use std::fmt::Write;

use super::chart::{Chart, Panel, Point, Series, escaped};
use super::drift_text::{head, heading, rows, set_up, verdict};
use crate::check::record::Predicted;
use crate::drift::record::{Curve, Record, Section};

/// The pictures: file names with SVG, one per section that has curves.
pub fn charts(record: &Record) -> Vec<(String, String)> {
    let drawn = record.sections.iter().filter(|section| !section.curves.is_empty());
    drawn.map(|section| (file(section), chart(record, section).svg())).collect()
}

fn file(section: &Section) -> String {
    let name: String = section
        .parameterization
        .chars()
        .map(|own| if own.is_ascii_alphanumeric() { own } else { '-' })
        .collect();
    format!("{}-{name}.svg", section.kind.name())
}

fn chart(record: &Record, section: &Section) -> Chart {
    let panel = |curve: &Curve| Panel { title: curve.quantity.clone(), series: vec![series(curve)] };
    Chart {
        title: format!("{}: {}", record.network, heading(section)),
        x_label: section.variable.clone(),
        y_label: "size".to_string(),
        panels: section.curves.iter().map(panel).collect(),
    }
}

fn series(curve: &Curve) -> Series {
    let usable = |own: &&crate::drift::record::Point| own.size.is_finite() && own.size > 0.0;
    let points: Vec<Point> = curve
        .points
        .iter()
        .filter(usable)
        .map(|own| Point { x: own.at, y: own.size, low: own.low.max(own.size * 1e-3), high: own.high })
        .collect();
    let exact: Vec<(f64, f64)> =
        curve.points.iter().filter_map(|own| Some((own.at, own.expected?))).collect();
    let through = |value: f64| {
        let Some(last) = points.last() else { return Vec::new() };
        points.iter().map(|own| (own.x, last.y * (own.x / last.x).powf(value))).collect()
    };
    let dashed = match (&curve.predicted, exact.is_empty()) {
        (_, false) => exact,
        (Some(Predicted::Power { value, .. }), true) => through(*value),
        _ => Vec::new(),
    };
    let label = curve.fit.as_ref().map_or("measured".to_string(), |fit| format!("slope {:.2}", fit.exponent));
    Series { label, points, dashed, strong: true, mark: None }
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --faint: #8884; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e3; --paper: #16181a; } }
body { font: 15px/1.5 system-ui, Helvetica, Arial, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
       margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.set-up { white-space: pre-line; opacity: .8; } code { font-size: .9em; overflow-wrap: anywhere; }
figure { margin: 1rem 0; overflow-x: auto; } svg { max-width: 100%; height: auto; color: var(--ink); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; } td, th { text-align: left; padding: .15rem .6rem;
border-bottom: 1px solid var(--faint); vertical-align: top; }
";

/// The page.
pub fn html(record: &Record) -> String {
    let title = format!("Finite width of {}", record.network);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{0}</title><style>{STYLE}</style></head><body>\n\
         <h1>{0}</h1>\n<p class=\"set-up\">{1}</p>\n<p><code>{2}</code></p>\n",
        escaped(&title),
        escaped(&set_up(record)),
        escaped(&record.command)
    );
    for section in &record.sections {
        let _ = writeln!(out, "<h2>{}</h2><p>{}</p>", escaped(&heading(section)), escaped(&section.about));
        if section.curves.is_empty() {
            continue;
        }
        let _ = writeln!(out, "<figure>{}</figure><ul>", chart(record, section).svg());
        for curve in &section.curves {
            let told = verdict(section, curve);
            let _ = writeln!(out, "<li>{}: {}</li>", escaped(&curve.quantity), escaped(&told));
        }
        out.push_str("</ul>\n<div class=\"scroll\"><table>");
        line(&mut out, "th", &head(section));
        rows(section).iter().for_each(|row| line(&mut out, "td", row));
        out.push_str("</table></div>\n");
    }
    out.push_str("</body></html>\n");
    out
}

fn line(out: &mut String, tag: &str, cells: &[String]) {
    let cells: String = cells.iter().map(|cell| format!("<{tag}>{}", escaped(cell))).collect();
    let _ = writeln!(out, "<tr>{cells}</tr>");
}
