//! A study of a limit as pictures, and as one page that needs nothing else.

use std::fmt::Write;

use super::chart::{Chart, Panel, Point, Series, escaped};
use super::kernel_text::{curve, mode_names, set_up, spectrum, summary, time};
use crate::kernel::record::{KernelRecord, Record};

/// Spectrum, learning curves, modes: a name for a file, and the picture.
pub fn charts(record: &Record) -> Vec<(String, String)> {
    let charts =
        [("spectrum", spectra(record)), ("learning-curves", curves(record)), ("modes", modes(record))];
    charts.into_iter().map(|(name, chart)| (format!("{name}.svg"), chart.svg())).collect()
}

fn line(label: &str, points: impl Iterator<Item = (f64, f64)>) -> Series {
    let usable = points.filter(|(x, y)| *x > 0.0 && *y > 0.0 && y.is_finite());
    let points = usable.map(|(x, y)| Point { x, y, low: y, high: y }).collect();
    Series { label: label.to_string(), points, ..Series::default() }
}

/// Eigenvalues over their rank, at about thirty ranks.
fn spectra(record: &Record) -> Chart {
    let one = |kernel: &KernelRecord| {
        let count = kernel.eigenvalues.len();
        let floor = kernel.eigenvalues.first().map_or(0.0, |largest| largest * count as f64 * f64::EPSILON);
        let mut ranks: Vec<usize> =
            (0..=32).map(|at| (count as f64).powf(f64::from(at) / 32.0) as usize).collect();
        ranks.dedup();
        let usable = ranks.into_iter().filter(|rank| *rank > 0 && kernel.eigenvalues[rank - 1] > floor);
        line(&kernel.name, usable.map(|rank| (rank as f64, kernel.eigenvalues[rank - 1])))
    };
    Chart {
        title: format!("{}: eigenvalues on {} training points", record.network, record.train),
        x_label: "mode".to_string(),
        y_label: "eigenvalue".to_string(),
        panels: vec![Panel {
            title: "spectrum".to_string(),
            series: record.kernels.iter().map(one).collect(),
        }],
    }
}

fn curves(record: &Record) -> Chart {
    let panel = |kernel: &KernelRecord| {
        let of = |label: &str, value: &dyn Fn(&crate::kernel::record::Moment) -> f64| {
            line(label, kernel.curve.iter().filter_map(|own| Some((own.time?, value(own)))))
        };
        // Errors that have become nothing would stretch the axis.
        let last = kernel.curve.first().map_or(0.0, |own| own.train_error * 1e-4);
        let train =
            |own: &crate::kernel::record::Moment| if own.train_error > last { own.train_error } else { 0.0 };
        Panel {
            title: kernel.name.clone(),
            series: vec![
                of("train error", &train),
                of("test error", &|own| own.test_error),
                of("variance", &|own| own.test_variance),
            ],
        }
    };
    Chart {
        title: format!("{}: training at infinite width", record.network),
        x_label: "time".to_string(),
        y_label: "mean square".to_string(),
        panels: record.kernels.iter().map(panel).collect(),
    }
}

/// What is left of the error along some eigenvectors.
fn modes(record: &Record) -> Chart {
    let panel = |kernel: &KernelRecord| {
        let series = mode_names(kernel).into_iter().enumerate().map(|(at, name)| {
            let left = kernel.curve.iter().filter_map(|own| Some((own.time?, own.modes.get(at).copied()?)));
            line(&name, left.filter(|(_, left)| *left > 1e-3))
        });
        Panel { title: kernel.name.clone(), series: series.collect() }
    };
    Chart {
        title: format!("{}: spectral bias", record.network),
        x_label: "time".to_string(),
        y_label: "error left".to_string(),
        panels: record.kernels.iter().map(panel).collect(),
    }
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --faint: #8884; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e3; --paper: #16181a; } }
body { font: 15px/1.5 system-ui, Helvetica, Arial, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
       margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.set-up { white-space: pre-line; } .set-up, figcaption { opacity: .8; } code { font-size: .9em; overflow-wrap: anywhere; }
figure { margin: 1rem 0; overflow-x: auto; } svg { max-width: 100%; height: auto; color: var(--ink); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; } td, th { text-align: left; padding: .15rem .6rem;
border-bottom: 1px solid var(--faint); vertical-align: top; }
";

/// The page.
pub fn html(record: &Record) -> String {
    let title = format!("Kernels of {}", record.network);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{0}</title><style>{STYLE}</style></head><body>\n\
         <h1>{0}</h1>\n<p class=\"set-up\">{1}</p>\n<p><code>{2}</code></p>\n",
        escaped(&title),
        escaped(&set_up(record)),
        escaped(&record.command)
    );
    let heads: Vec<&str> =
        std::iter::once("").chain(record.kernels.iter().map(|own| own.name.as_str())).collect();
    table(&mut out, &heads, &summary(record));
    if let Some(trained) = &record.trained {
        let _ = writeln!(
            out,
            "<p>Finite network, {}: test accuracy {:.1} % ({}).</p>",
            escaped(&trained.size),
            100.0 * trained.accuracy,
            escaped(&trained.how)
        );
    }
    let captions = [
        "Eigenvalues of the kernels, the largest first: a mode with a large eigenvalue is learned early."
            .to_string(),
        format!("Errors and variance of an ensemble of infinitely wide networks, {}.", time(record)),
        "What is left of the error along the first, tenth, hundredth eigenvector.".to_string(),
    ];
    for ((_, svg), caption) in charts(record).into_iter().zip(captions) {
        let _ = writeln!(out, "<figure>{svg}<figcaption>{}</figcaption></figure>", escaped(&caption));
    }
    for kernel in &record.kernels {
        let _ = writeln!(out, "<h2>{}</h2>", escaped(&kernel.name));
        table(&mut out, &["mode", "eigenvalue", "share of targets", "learned at time"], &spectrum(kernel));
        table(&mut out, &["time", "train error", "test error", "variance", "accuracy"], &curve(kernel));
    }
    out.push_str("</body></html>\n");
    out
}

fn table(out: &mut String, head: &[&str], rows: &[Vec<String>]) {
    let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| -> String {
        cells.map(|cell| format!("<{tag}>{}", escaped(cell))).collect()
    };
    let _ = writeln!(out, "<div class=\"scroll\"><table><tr>{}</tr>", cells("th", &mut head.iter().copied()));
    for row in rows {
        let _ = writeln!(out, "<tr>{}</tr>", cells("td", &mut row.iter().map(String::as_str)));
    }
    out.push_str("</table></div>\n");
}
