//! Curves in a terminal: letters on a grid, one letter per curve, capitals at the optima.

/// A curve: points (column of the grid, height), and the column of its optimum.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// What its letter stands for.
    pub label: String,
    /// log2 of the place, and the height; heights are drawn on a logarithmic scale.
    pub points: Vec<(f64, f64)>,
    /// log2 of the optimum, and its height.
    pub mark: Option<(f64, f64)>,
}

const ROWS: usize = 12;
/// Columns of an octave.
const OCTAVE: f64 = 4.0;

/// The picture, with a scale at the left, powers of two below, and a legend; nothing if there is no point.
pub fn plot(lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let range = |of: &dyn Fn((f64, f64)) -> f64| {
        points()
            .map(of)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), own| (low.min(own), high.max(own)))
    };
    let ((left, right), (low, high)) = (range(&|own| own.0), range(&|own| own.1.ln()));
    if !left.is_finite() || !low.is_finite() {
        return String::new();
    }
    let columns = ((right - left) * OCTAVE).round() as usize + 1;
    let column = |x: f64| (((x - left) * OCTAVE).round().max(0.0) as usize).min(columns - 1);
    let row = |y: f64| {
        let share = if high > low { (high - y.ln()) / (high - low) } else { 0.0 };
        ((share * (ROWS - 1) as f64).round().max(0.0) as usize).min(ROWS - 1)
    };
    let mut cells = vec![vec![' '; columns]; ROWS];
    for (letter, line) in ('a'..='z').cycle().zip(lines) {
        for (x, y) in &line.points {
            cells[row(*y)][column(*x)] = letter;
        }
    }
    for (letter, line) in ('A'..='Z').cycle().zip(lines) {
        if let Some((x, y)) = line.mark {
            cells[row(y)][column(x)] = letter;
        }
    }
    let height = |at: usize| (high - (high - low) * at as f64 / (ROWS - 1) as f64).exp();
    let mut out = String::new();
    for (at, cells) in cells.iter().enumerate() {
        let scale = if at % 3 == 0 || at + 1 == ROWS { format!("{:.3}", height(at)) } else { String::new() };
        out += format!("{scale:>8} │{}", cells.iter().collect::<String>()).trim_end();
        out += "\n";
    }
    out += &format!("{:>8} └{}\n", "", "─".repeat(columns));
    out += &format!("{:>10}{}\n", "", ticks(left, right, columns));
    let legend = ('a'..='z').cycle().zip(lines).map(|(letter, line)| format!("{letter} {}", line.label));
    out += &format!("{:>10}{}; capitals: the best values\n", "", legend.collect::<Vec<_>>().join(", "));
    out
}

/// `2^-12   2^-10`, each beginning below its column.
fn ticks(left: f64, right: f64, columns: usize) -> String {
    let step = if right - left > 4.0 { 2 } else { 1 };
    let mut line = String::new();
    let mut octave = left.ceil() as i32;
    while f64::from(octave) <= right {
        let at = ((f64::from(octave) - left) * OCTAVE).round() as usize;
        let label = format!("2^{octave}");
        if at >= line.chars().count() && at + label.len() <= columns + 6 {
            line += &" ".repeat(at - line.chars().count());
            line += &label;
        }
        octave += step;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optima_are_capitals_at_their_columns() {
        let curve = |label: &str, best: f64| Line {
            label: label.to_string(),
            points: (-8..=0).map(|x| (f64::from(x), (0.1 * (f64::from(x) - best).powi(2)).exp())).collect(),
            mark: Some((best, 1.0)),
        };
        insta::assert_snapshot!(plot(&[curve("n = 64", -3.0), curve("n = 128", -5.0)]));
        assert_eq!(plot(&[]), "");
    }
}
