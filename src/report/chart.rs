//! Charts of measured powers: log-log panels with points, interval bands, dashed predictions and labels at the ends of lines, as SVG.
//!
//! General plotting crates label series in a legend and space ticks decimally; what is wanted here is ticks at powers of two, one scale for all
//! panels, and names where the lines end, so that a picture is read without a legend. That is a page of code.

use std::fmt::Write;

/// A row of panels with one scale.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Above all panels, and what the picture is called for those who cannot see it.
    pub title: String,
    /// What the horizontal axis counts.
    pub x_label: String,
    /// What the vertical axis measures.
    pub y_label: String,
    /// The panels.
    pub panels: Vec<Panel>,
}

/// One pair of axes.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// Above it.
    pub title: String,
    /// What is drawn, each in a colour of its own.
    pub series: Vec<Series>,
}

/// One line.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// At its end.
    pub label: String,
    /// Measured points.
    pub points: Vec<Point>,
    /// A dashed line: a prediction.
    pub dashed: Vec<(f64, f64)>,
    /// Whether the line is drawn strongly: what a reader should see first.
    pub strong: bool,
    /// A point to be marked: an optimum.
    pub mark: Option<(f64, f64)>,
    /// The interval of the mark's place, drawn in a row of the series' own below the curves.
    pub interval: Option<(f64, f64)>,
    /// Places where there is no point to draw, crossed out in the same row.
    pub lost: Vec<f64>,
}

/// A measured point with its interval; all positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// The value.
    pub y: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Okabe & Ito 2008: colours that remain apart for most colour-blind readers.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9"];
const WIDTH: f64 = 250.0;
const HEIGHT: f64 = 190.0;
/// Room for labels at the ends of lines.
const LABELS: f64 = 118.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = 46.0;
/// The least distance of two labels.
const LINE: f64 = 13.0;
const PER_ROW: usize = 2;

/// The height of a row below the curves.
const ROW: f64 = 9.0;
/// What a letter of the title takes.
const LETTER: f64 = 8.0;
/// Ranges of fewer octaves have decimal ticks.
const NARROW: f64 = 1.6;

/// The range of one logarithmic axis, with its ticks.
struct Axis {
    /// Logarithm to the base 2 of its lower end.
    from: f64,
    /// Of its upper end.
    to: f64,
    /// Logarithms to the base 2, and what stands there.
    ticks: Vec<(f64, String)>,
}

/// The logarithms of the smallest and the largest value.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let logs = values.filter(|value| value.is_finite() && *value > 0.0).map(f64::log2);
    let (low, high) =
        logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| (low.min(log), high.max(log)));
    if low.is_finite() { (low, high) } else { (0.0, 1.0) }
}

impl Axis {
    /// Decimal ticks where the range is too narrow for powers of two.
    fn fine(values: impl Iterator<Item = f64>, most: usize) -> Axis {
        let (low, high) = range(values);
        // Numbers with many digits have no room at an axis.
        let short = low.exp2() >= 0.01 && high.exp2() < 1e4 && high - low > 0.01;
        match short && high - low < NARROW {
            true => Axis::decimal(low.exp2(), high.exp2(), most),
            false => Axis::powers(low, high, most),
        }
    }

    /// Ticks at multiples of 1, 2 or 5 times a power of ten.
    fn decimal(low: f64, high: f64, most: usize) -> Axis {
        let rough = (high - low) / most as f64;
        let power = rough.log10().floor();
        let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * 10f64.powf(power));
        let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let digits = (-step.log10().floor()).max(0.0) as usize;
        let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
        let tick = |count: i64| ((count as f64 * step).log2(), format!("{:.digits$}", count as f64 * step));
        let margin = 0.04 * (high / low).log2();
        Axis {
            from: low.log2() - margin,
            to: high.log2() + margin,
            ticks: (first..=last).map(tick).collect(),
        }
    }

    fn new(values: impl Iterator<Item = f64>, most: usize) -> Axis {
        let (low, high) = range(values);
        Axis::powers(low, high, most)
    }

    fn powers(low: f64, high: f64, most: usize) -> Axis {
        let (first, last) = (low.floor(), high.ceil().max(low.floor() + 1.0));
        let step = ((last - first) / most as f64).ceil().max(1.0) as i32;
        let start = (first as i32).div_euclid(step) * step;
        let ticks = (0..).map(|count| start + count * step);
        let ticks: Vec<i32> = ticks.take_while(|tick| f64::from(tick - step) < last).collect();
        let to = f64::from(*ticks.last().unwrap_or(&1));
        let ticks = ticks.into_iter().map(|tick| (f64::from(tick), power_of_two(tick))).collect();
        Axis { from: f64::from(start), to, ticks }
    }

    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        (value.log2() - self.from) / (self.to - self.from)
    }
}

/// `2⁻³` for -3.
fn power_of_two(exponent: i32) -> String {
    let digits = exponent.unsigned_abs().to_string();
    let raised = digits.chars().map(|digit| match digit {
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        other => char::from_u32(0x2070 + (other as u32 - '0' as u32)).unwrap_or(other),
    });
    let sign = if exponent < 0 { "⁻" } else { "" };
    format!("2{sign}{}", raised.collect::<String>())
}

/// Text that may stand in XML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Chart {
    /// The picture.
    pub fn svg(&self) -> String {
        let points = || self.panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.points);
        let dashed = || self.panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.dashed);
        let lost = self.panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.lost);
        let x = Axis::new(points().map(|point| point.x).chain(lost.copied()), 6);
        let heights = points().flat_map(|point| [point.low, point.high, point.y]);
        let y = Axis::fine(heights.chain(dashed().map(|(_, y)| *y)), 6);
        let strip = self.panels.iter().map(Panel::strip).fold(0.0, f64::max);
        let columns = self.panels.len().clamp(1, PER_ROW);
        let rows = self.panels.len().div_ceil(PER_ROW).max(1);
        let (cell, row) = (LEFT + WIDTH + LABELS, TOP + HEIGHT + strip + BOTTOM);
        let title = LEFT + LETTER * self.title.chars().count() as f64;
        let (width, height) = (title.max(cell * columns as f64), 30.0 + row * rows as f64);
        let mut out = String::new();
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\"><title>{0}</title>\
             <text x=\"{LEFT}\" y=\"22\" font-size=\"15\" font-weight=\"bold\" fill=\"currentColor\">{0}</text>",
            escaped(&self.title)
        );
        for (at, panel) in self.panels.iter().enumerate() {
            let (left, top) =
                (cell * (at % PER_ROW) as f64 + LEFT, 30.0 + row * (at / PER_ROW) as f64 + TOP - 20.0);
            let frame = Frame { x: &x, y: &y, left, top, strip };
            frame.axes(&mut out, self, &panel.title);
            frame.series(&mut out, panel);
            panel.series.iter().enumerate().for_each(|(at, series)| frame.row(&mut out, at, series));
        }
        out.push_str("</svg>");
        out
    }
}

impl Panel {
    /// The height of the rows with marks below the curves.
    fn strip(&self) -> f64 {
        match self.series.iter().any(|series| series.interval.is_some()) {
            true => ROW * self.series.len() as f64 + 6.0,
            false => 0.0,
        }
    }
}

/// Ascending heights moved apart by a line at least, down where there is room above `bottom`, else up.
fn spread(heights: &[f64], bottom: f64) -> Vec<f64> {
    let mut lowest = f64::NEG_INFINITY;
    let mut moved: Vec<f64> = Vec::new();
    for height in heights {
        lowest = height.max(lowest + LINE);
        moved.push(lowest);
    }
    let mut room = bottom;
    for height in moved.iter_mut().rev() {
        *height = height.min(room);
        room = *height - LINE;
    }
    moved
}

/// Where a panel stands.
struct Frame<'a> {
    x: &'a Axis,
    y: &'a Axis,
    left: f64,
    top: f64,
    /// The height of the rows below the curves.
    strip: f64,
}

impl Frame<'_> {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.left + WIDTH * self.x.place(x), self.top + HEIGHT * (1.0 - self.y.place(y)))
    }

    fn axes(&self, out: &mut String, chart: &Chart, title: &str) {
        let (left, right, bottom) = (self.left, self.left + WIDTH, self.top + HEIGHT + self.strip);
        let _ = write!(
            out,
            "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\" fill=\"currentColor\">{}</text>",
            self.top - 12.0,
            escaped(title)
        );
        for (tick, label) in &self.y.ticks {
            let (_, y) = self.at(1.0, tick.exp2());
            let _ = write!(
                out,
                "<path d=\"M{left} {y:.1}H{right}\" stroke=\"currentColor\" stroke-opacity=\"0.14\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"currentColor\" fill-opacity=\"0.7\">{}</text>",
                left - 7.0,
                y + 4.0,
                label
            );
        }
        for (tick, label) in &self.x.ticks {
            let (x, _) = self.at(tick.exp2(), 1.0);
            let _ = write!(
                out,
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"currentColor\" fill-opacity=\"0.7\">{label}</text>",
                bottom + 17.0
            );
        }
        let _ = write!(
            out,
            "<path d=\"M{left} {bottom}H{right}\" stroke=\"currentColor\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"currentColor\" fill-opacity=\"0.7\">{}</text>\
             <text transform=\"translate({} {}) rotate(-90)\" text-anchor=\"middle\" fill=\"currentColor\" fill-opacity=\"0.7\">{}</text>",
            left + WIDTH / 2.0,
            bottom + 34.0,
            escaped(&chart.x_label),
            left - 44.0,
            self.top + HEIGHT / 2.0,
            escaped(&chart.y_label)
        );
    }

    fn series(&self, out: &mut String, panel: &Panel) {
        let mut labels: Vec<(f64, &str, &str)> = Vec::new();
        for (at, series) in panel.series.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            self.band(out, series, colour);
            self.line(out, series, colour);
            if let Some(last) = series.points.last() {
                labels.push((self.at(last.x, last.y).1, &series.label, colour));
            }
        }
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let heights = spread(&labels.iter().map(|label| label.0).collect::<Vec<_>>(), self.top + HEIGHT);
        for ((_, label, colour), y) in labels.into_iter().zip(heights) {
            let _ = write!(
                out,
                "<text x=\"{}\" y=\"{:.1}\" font-size=\"11\" font-weight=\"bold\" fill=\"{colour}\">{}</text>",
                self.left + WIDTH + 6.0,
                y + 4.0,
                escaped(label)
            );
        }
    }

    /// The interval of a mark as a bar, and crosses where there is nothing to draw.
    fn row(&self, out: &mut String, at: usize, series: &Series) {
        if self.strip == 0.0 {
            return;
        }
        let colour = COLOURS[at % COLOURS.len()];
        let y = self.top + HEIGHT + 6.0 + ROW * (at as f64 + 0.5);
        let x = |value: f64| self.left + WIDTH * self.x.place(value).clamp(0.0, 1.0);
        for lost in &series.lost {
            let (left, right) = (x(*lost) - 2.5, x(*lost) + 2.5);
            let (above, below) = (y - 2.5, y + 2.5);
            let _ = write!(
                out,
                "<path d=\"M{left:.1} {above:.1}L{right:.1} {below:.1}M{left:.1} {below:.1}L{right:.1} {above:.1}\" stroke=\"{colour}\" stroke-width=\"1.2\"/>"
            );
        }
        if let (Some((low, high)), Some((mark, _))) = (series.interval, series.mark) {
            let _ = write!(
                out,
                "<path d=\"M{:.1} {y:.1}H{:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/><circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"3.2\" fill=\"{colour}\"/>",
                x(low),
                x(high),
                x(mark)
            );
        }
    }

    fn band(&self, out: &mut String, series: &Series, colour: &str) {
        let usable = |point: &&Point| point.low > 0.0 && point.high.is_finite();
        let upper = series.points.iter().filter(usable).map(|point| self.at(point.x, point.high));
        let lower = series.points.iter().rev().filter(usable).map(|point| self.at(point.x, point.low));
        let corners: Vec<String> = upper.chain(lower).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        if corners.len() > 2 {
            let _ =
                write!(out, "<path d=\"M{}Z\" fill=\"{colour}\" fill-opacity=\"0.15\"/>", corners.join("L"));
        }
    }

    fn line(&self, out: &mut String, series: &Series, colour: &str) {
        let usable = series.points.iter().filter(|point| point.y > 0.0 && point.y.is_finite());
        let path: Vec<String> = usable
            .clone()
            .map(|point| self.at(point.x, point.y))
            .map(|(x, y)| format!("{x:.1} {y:.1}"))
            .collect();
        let width = if series.strong { 3.0 } else { 1.8 };
        if path.len() > 1 {
            let _ = write!(
                out,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
                path.join("L")
            );
        }
        for (x, y) in usable.map(|point| self.at(point.x, point.y)) {
            let _ = write!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\" fill=\"{colour}\"/>");
        }
        let dashed = series.dashed.iter().map(|(x, y)| self.at(*x, *y));
        let dashed: Vec<String> = dashed.map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        if dashed.len() > 1 {
            let _ = write!(
                out,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-dasharray=\"3 4\" stroke-width=\"1.4\"/>",
                dashed.join("L")
            );
        }
        if let Some((x, y)) = series.mark.map(|(x, y)| self.at(x, y)) {
            let _ = write!(
                out,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_powers_of_two_and_hold_everything() {
        let axis = Axis::new([64.0, 4096.0].into_iter(), 6);
        assert_eq!(axis.ticks.first(), Some(&(6.0, "2⁶".to_string())));
        assert!(axis.ticks.len() <= 8 && axis.place(64.0) >= 0.0 && axis.place(4096.0) <= 1.0);
        assert_eq!(power_of_two(-13), "2⁻¹³");
        assert_eq!(power_of_two(10), "2¹⁰");
    }

    #[test]
    fn narrow_ranges_have_decimal_ticks() {
        let axis = Axis::fine([2.46, 3.08].into_iter(), 6);
        let labels: Vec<&str> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["2.6", "2.8", "3.0"]);
        assert!(axis.place(2.46) > 0.0 && axis.place(3.08) < 1.0);
        // One height is no range, small numbers have many digits, and a wide range has powers of two.
        assert_eq!(Axis::fine([3e-9, 4e-9].into_iter(), 6).ticks[0].1, "2⁻²⁹");
        assert_eq!(Axis::fine([1.0].into_iter(), 6).ticks[0].1, "2⁰");
        assert_eq!(Axis::fine([1.0, 16.0].into_iter(), 6).ticks[4].1, "2⁴");
    }

    #[test]
    fn intervals_stand_in_rows_of_their_own() {
        let point = |x: f64, y: f64| Point { x, y, low: y, high: y };
        let series = |mark: f64| Series {
            points: vec![point(1.0, 1.0), point(16.0, 9.0)],
            mark: Some((mark, 1.0)),
            interval: Some((mark / 2.0, 2.0 * mark)),
            lost: vec![16.0],
            ..Series::default()
        };
        let panel = Panel { title: String::new(), series: vec![series(2.0), series(4.0)] };
        let svg = Chart { panels: vec![panel], ..Chart::default() }.svg();
        let heights: Vec<&str> = svg.match_indices("r=\"3.2\"").map(|(at, _)| &svg[at - 7..at - 2]).collect();
        assert!(heights.len() == 2 && heights[0] != heights[1], "{heights:?}");
        assert_eq!(svg.matches("stroke-width=\"1.2\"").count(), 2);
    }

    #[test]
    fn labels_do_not_overlap() {
        let point = |x: f64, y: f64| Point { x, y, low: 0.9 * y, high: 1.1 * y };
        let series = |label: &str| Series {
            label: label.to_string(),
            points: vec![point(64.0, 1.0), point(128.0, 1.0)],
            ..Series::default()
        };
        let panel = Panel { title: "<same>".into(), series: vec![series("a"), series("b"), series("c")] };
        let svg = Chart { panels: vec![panel], ..Chart::default() }.svg();
        let place = |label: &str| {
            let end = svg.find(&format!(">{label}</text>")).unwrap();
            let start = svg[..end].rfind(" y=\"").unwrap() + 4;
            svg[start..].split('"').next().unwrap().parse::<f64>().unwrap()
        };
        assert!((place("a") - place("b")).abs() >= LINE && (place("b") - place("c")).abs() >= LINE);
        assert_eq!(spread(&[10.0, 10.0, 99.0, 100.0], 100.0), [10.0, 23.0, 87.0, 100.0]);
        assert!(svg.contains("&lt;same&gt;"));
    }
}
