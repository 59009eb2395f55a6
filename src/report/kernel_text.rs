//! A study of a limit for a terminal.

use std::fmt::Write;

use super::table_text::{grid, lines};
use crate::kernel::record::{KernelRecord, Record};
use crate::kernel::study::modes;

/// The report.
pub fn text(record: &Record) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "kernels of {} ({})", record.network, record.output);
    let _ = writeln!(out, "{}", set_up(record));
    let _ = writeln!(out);
    out.push_str(&table(["", "NNGP", "NTK"], &summary(record)));
    if let Some(trained) = &record.trained {
        let _ = writeln!(
            out,
            "\nfinite network, {}: test accuracy {:.1} %\n  {}",
            trained.size,
            100.0 * trained.accuracy,
            trained.how
        );
    }
    for kernel in &record.kernels {
        let _ = writeln!(out, "\nspectrum of the {} on the training points", kernel.name);
        out.push_str(&table(
            ["mode", "eigenvalue", "share of targets", "learned at time"],
            &spectrum(kernel),
        ));
        let _ =
            writeln!(out, "\ntraining with the {}: an ensemble of networks, {}", kernel.name, time(record));
        out.push_str(&table(["time", "train error", "test error", "variance", "accuracy"], &curve(kernel)));
    }
    let _ = writeln!(
        out,
        "\n{:.2} s, of which kernels {:.2} s\n{}",
        record.seconds, record.kernel_seconds, record.command
    );
    out
}

/// What was done, in one paragraph.
pub fn set_up(record: &Record) -> String {
    let end = if record.complete { "" } else { "\ninterrupted: this is what was done until then" };
    format!(
        "{}\n{}; {} parameterization\n{} training and {} test examples: {}\nloss {}{end}",
        record.method,
        record.start,
        record.parameterization,
        record.train,
        record.test,
        record.data,
        record.loss
    )
}

/// What time means here.
pub fn time(record: &Record) -> String {
    match record.rate {
        None => format!("gradient flow on {}: df/dt = -K dL/df", record.loss),
        Some(rate) => {
            format!("steps of gradient descent on {} with rate {rate}; time is steps times rate", record.loss)
        }
    }
}

fn table<const N: usize>(head: [&str; N], rows: &[Vec<String>]) -> String {
    let mut table = grid();
    let width = rows.first().map_or(N, Vec::len);
    table.set_header(head.into_iter().take(width));
    table.add_rows(rows);
    lines(&table).lines().map(|line| format!("  {line}\n")).collect()
}

/// A number with four digits.
pub fn short(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_string(),
        size if !(1e-3..1e5).contains(&size) => format!("{number:.3e}"),
        size if size >= 100.0 => format!("{number:.1}"),
        _ => format!("{number:.4}"),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_string(), |share| format!("{:.1} %", 100.0 * share))
}

/// A line per quantity, a column per kernel.
pub fn summary(record: &Record) -> Vec<Vec<String>> {
    let line = |name: &str, of: &dyn Fn(&KernelRecord) -> String| {
        std::iter::once(name.to_string()).chain(record.kernels.iter().map(of)).collect()
    };
    let jitter = |own: &KernelRecord| {
        if own.jitter > 0.0 {
            format!("{}, and jitter {}", short(own.ridge), short(own.jitter))
        } else {
            short(own.ridge)
        }
    };
    vec![
        line("test accuracy of regression", &|own| percent(own.accuracy)),
        line("test error of regression", &|own| short(own.test_error)),
        line("mean variance there", &|own| short(own.test_variance)),
        line("ridge", &jitter),
        line("log likelihood of the targets", &|own| short(own.log_likelihood)),
        line("squared norm of the interpolation", &|own| short(own.squared_norm)),
        line("mean of k(x, x)", &|own| short(own.diagonal)),
        line("mean correlation of two points", &|own| short(own.correlation)),
        line("rank", &|own| format!("{} of {}", own.rank, own.eigenvalues.len())),
        line("condition number", &|own| own.condition.map_or("singular".to_string(), short)),
        line("largest stable learning rate", &|own| short(own.largest_rate)),
    ]
}

/// Eigenvalues at the first, tenth, hundredth mode, with what lies between.
pub fn spectrum(kernel: &KernelRecord) -> Vec<Vec<String>> {
    let count = kernel.eigenvalues.len();
    let mut ends: Vec<usize> = vec![1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
    ends.retain(|end| *end < count);
    ends.push(count);
    let mut from = 0;
    let mut rows = Vec::new();
    let unit = 2.0 / (kernel.largest_rate * kernel.eigenvalues.first().copied().unwrap_or(1.0));
    for end in ends {
        let share: f64 = kernel.shares[from..end].iter().sum();
        let value = kernel.eigenvalues[end - 1];
        let name = if end == from + 1 { end.to_string() } else { format!("{}-{end}", from + 1) };
        let learned = if value > 0.0 { short(1.0 / (unit * value)) } else { "never".to_string() };
        rows.push(vec![name, short(value), format!("{:.2} %", 100.0 * share), learned]);
        from = end;
    }
    rows
}

/// Training in time.
pub fn curve(kernel: &KernelRecord) -> Vec<Vec<String>> {
    let row = |own: &crate::kernel::record::Moment| {
        vec![
            own.time.map_or("infinity".to_string(), short),
            short(own.train_error),
            short(own.test_error),
            short(own.test_variance),
            percent(own.accuracy),
        ]
    };
    kernel.curve.iter().map(row).collect()
}

/// The numbers of the modes whose curves are kept, counted from one.
pub fn mode_names(kernel: &KernelRecord) -> Vec<String> {
    modes(kernel.eigenvalues.len()).into_iter().map(|at| format!("mode {}", at + 1)).collect()
}
