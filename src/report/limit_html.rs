//! Limits with feature learning as pictures, and as pages that need nothing else.

use std::fmt::Write;

use super::chart::{Chart, Panel, Point, Series, escaped};
use super::limit_text::{
    INTERRUPTED, SIDE, UNRESOLVED, course, embedded_verdict, neighbours, set_up, side, sizes, verdict,
};
use super::page::{self, Heading, table};
use crate::check::record::Point as Size;
use crate::limit::record::{Embedded, Followed, Judged};

/// A page around what it shows.
pub fn page(title: &str, set_up: &str, command: &str, body: &str) -> String {
    page::begin(&Heading { title, verdict: None, set_up, command }) + body + page::END
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
            &format!("width {}", record.symbol),
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
        if record.complete {
            let _ = write!(set_up, "\n{}", verdict(finite, &record.symbol));
        }
        if !record.resolved {
            let _ = write!(set_up, "\n{UNRESOLVED}");
        }
        table(&mut body, &[&record.symbol, "distance", "smallest", "largest"], &sizes(&finite.points));
    }
    if !record.complete {
        let _ = write!(set_up, "\n{INTERRUPTED}");
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
        let told = if record.complete { escaped(&verdict(&own.change, "n")) } else { String::new() };
        let _ = writeln!(body, "<h2>{}</h2><p>{told}</p>", escaped(&own.parameterization));
        table(&mut body, &SIDE, &side(own));
        table(&mut body, &["word", "before", "after"], &neighbours(own));
    }
    let set_up = format!("{}\n{}\n{}", record.data, record.training, embedded_verdict(record));
    page(&format!("Word vectors of {}", record.network), &set_up, &record.command, &body)
}
