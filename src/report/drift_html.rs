//! A study of finite width as pictures, and as one page that needs no other file.

use std::fmt::Write;

use super::chart::{Chart, Panel, Point, Series, escaped};
use super::drift_text::{head, heading, rows, set_up, verdict};
use super::page::{self, Heading};
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
    Series { label, points, dashed, strong: true, ..Series::default() }
}

/// The page.
pub fn html(record: &Record) -> String {
    let title = format!("Finite width of {}", record.network);
    let (set_up, command) = (set_up(record), &record.command);
    let mut out = page::begin(&Heading { title: &title, verdict: None, set_up: &set_up, command });
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
        out.push_str("</ul>\n");
        page::table(&mut out, &head(section), &rows(section));
    }
    out.push_str(page::END);
    out
}
