//! A study of a limit as pictures, and as one page that needs nothing else.

use std::fmt::Write;

use super::chart::{Chart, Panel, Point, Series, escaped};
use super::kernel_text::{curve, mode_names, set_up, spectrum, summary, time};
use super::page::{self, Heading, table};
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

/// The page.
pub fn html(record: &Record) -> String {
    let title = format!("Kernels of {}", record.network);
    let (set_up, command) = (set_up(record), &record.command);
    let mut out = page::begin(&Heading { title: &title, verdict: None, set_up: &set_up, command });
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
    out.push_str(page::END);
    out
}
