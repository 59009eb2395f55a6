//! Limits with feature learning as pictures, and as pages that need nothing else.

use std::fmt::Write;

use super::chart::{Chart, Panel, Point, Series, escaped};
use super::limit_text::{
    SIDE, UNRESOLVED, course, embedded_verdict, neighbours, set_up, side, sizes, verdict,
};
use crate::check::record::Point as Size;
use crate::limit::record::{Embedded, Followed, Judged};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --faint: #8884; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e3; --paper: #16181a; } }
body { font: 15px/1.5 system-ui, Helvetica, Arial, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
       margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; }
.set-up { white-space: pre-line; } .set-up, figcaption { opacity: .8; } code { font-size: .9em; overflow-wrap: anywhere; }
figure { margin: 1rem 0; overflow-x: auto; } svg { max-width: 100%; height: auto; color: var(--ink); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; } td, th { text-align: left; padding: .15rem .6rem;
border-bottom: 1px solid var(--faint); vertical-align: top; }
";

/// A page around what it shows.
pub fn page(title: &str, set_up: &str, command: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{0}</title><style>{STYLE}</style></head><body>\n\
         <h1>{0}</h1>\n<p class=\"set-up\">{1}</p>\n<p><code>{2}</code></p>\n{body}</body></html>\n",
        escaped(title),
        escaped(set_up),
        escaped(command)
    )
}

/// A table.
pub fn table(out: &mut String, head: &[&str], rows: &[Vec<String>]) {
    let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| -> String {
        cells.map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect()
    };
    let _ = writeln!(out, "<div class=\"scroll\"><table><tr>{}</tr>", cells("th", &mut head.iter().copied()));
    for row in rows {
        let _ = writeln!(out, "<tr>{}</tr>", cells("td", &mut row.iter().map(String::as_str)));
    }
    out.push_str("</table></div>\n");
}

fn measured(label: &str, points: &[Size]) -> Series {
    let usable = points.iter().filter(|own| own.size > 0.0 && own.size.is_finite());
    let point = |own: &Size| Point { x: own.value as f64, y: own.size, low: own.low, high: own.high };
    Series { label: label.to_string(), points: usable.map(point).collect(), ..Series::default() }
}

/// A measured line with the expected power through its first point, dashed.
fn judged(label: &str, own: &Judged) -> Series {
    let mut series = measured(label, &own.points);
    if let Some(first) = series.points.first().copied() {
        let at = |point: &Point| (point.x, first.y * (point.x / first.x).powf(own.expected));
        series.dashed = series.points.iter().map(at).collect();
    }
    series
}

fn line(label: &str, values: impl Iterator<Item = (f64, f64)>) -> Series {
    let usable = values.filter(|(x, y)| *x > 0.0 && *y > 0.0 && y.is_finite());
    let points = usable.map(|(x, y)| Point { x, y, low: y, high: y }).collect();
    Series { label: label.to_string(), points, ..Series::default() }
}

/// The loss in time, and the distance of finite networks.
pub fn followed_charts(record: &Followed) -> Vec<(String, String)> {
    let losses = record.losses.iter().enumerate().map(|(step, loss)| (step as f64, *loss));
    let chart = |title: &str, x: &str, y: &str, series: Vec<Series>| Chart {
        title: format!("{} limit: {title}", record.limit),
        x_label: x.to_string(),
        y_label: y.to_string(),
        panels: vec![Panel { title: String::new(), series }],
    };
    let mut charts =
        vec![("loss.svg".to_string(), chart("loss", "step", "loss", vec![line("limit", losses)]).svg())];
    if let Some(finite) = &record.finite {
        let own = chart(
            "networks of finite width",
            "width n",
            "distance from the limit",
            vec![judged("networks", finite)],
        );
        charts.push(("distance.svg".to_string(), own.svg()));
    }
    charts
}

/// The page of a limit that was followed.
pub fn followed(record: &Followed) -> String {
    let mut body = String::new();
    for (_, svg) in followed_charts(record) {
        let _ = writeln!(body, "<figure>{svg}</figure>");
    }
    let (head, rows) = course(record);
    table(&mut body, &head.iter().map(String::as_str).collect::<Vec<_>>(), &rows);
    let mut set_up = set_up(record);
    if let Some(finite) = &record.finite {
        let _ = write!(set_up, "\n{}", verdict(finite));
        if !record.resolved {
            let _ = write!(set_up, "\n{UNRESOLVED}");
        }
        table(&mut body, &["n", "distance", "smallest", "largest"], &sizes(&finite.points));
    }
    page(&format!("Feature-learning limit: {}", record.limit), &set_up, &record.command, &body)
}

/// Changes and replaced neighbours over the width.
pub fn embedded_charts(record: &Embedded) -> Vec<(String, String)> {
    let chart = |title: &str, y: &str, series: Vec<Series>| {
        Chart {
            title: format!("{}: {title}", record.network),
            x_label: "width n".to_string(),
            y_label: y.to_string(),
            panels: vec![Panel { title: String::new(), series }],
        }
        .svg()
    };
    let changes = record.sides.iter().map(|own| judged(&own.parameterization, &own.change)).collect();
    let replaced = record.sides.iter().map(|own| measured(&own.parameterization, &own.replaced)).collect();
    vec![
        ("change.svg".to_string(), chart("change of word vectors", "|E_t - E_0| / |E_0|", changes)),
        ("neighbours.svg".to_string(), chart("nearest neighbours replaced", "share", replaced)),
    ]
}

/// The page of word vectors.
pub fn embedded(record: &Embedded) -> String {
    let mut body = String::new();
    for (_, svg) in embedded_charts(record) {
        let _ = writeln!(body, "<figure>{svg}</figure>");
    }
    for own in &record.sides {
        let _ = writeln!(
            body,
            "<h2>{}</h2><p>{}</p>",
            escaped(&own.parameterization),
            escaped(&verdict(&own.change))
        );
        table(&mut body, &SIDE, &side(own));
        table(&mut body, &["word", "before", "after"], &neighbours(own));
    }
    let set_up = format!("{}\n{}\n{}", record.data, record.training, embedded_verdict(record));
    page(&format!("Word vectors of {}", record.network), &set_up, &record.command, &body)
}
