//! A phase diagram as a picture: phases as colours, depth scales as their strength, the edge as a line, trained networks as dots.

use std::fmt::Write;

use super::chart::escaped;
use super::kernel_text::short;
use super::limit_html::page;
use super::page::table;
use super::phase_text::{point, verdict};
use crate::limit::record::{Cell, Diagram};

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 86.0;
const ORDERED: &str = "#0072b2";
const CHAOTIC: &str = "#d55e00";
const LEARNED: &str = "#009e73";

/// Where a pair of variances stands.
struct Frame {
    weights: (f64, f64),
    largest_bias: f64,
}

impl Frame {
    fn at(&self, weight: f64, bias: f64) -> (f64, f64) {
        let (low, high) = self.weights;
        (LEFT + WIDTH * (weight - low) / (high - low), TOP + HEIGHT * (1.0 - bias / self.largest_bias))
    }
}

fn ends(values: &[f64]) -> (f64, f64) {
    (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(1.0))
}

/// The picture.
pub fn svg(record: &Diagram) -> String {
    let frame = Frame { weights: ends(&record.weights), largest_bias: ends(&record.biases).1 };
    let (width, height) = (LEFT + WIDTH + 30.0, TOP + HEIGHT + BOTTOM);
    let title = format!("{}: phases of deep networks of {}", record.network, record.activation);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\"><title>{0}</title>\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\" font-weight=\"bold\" fill=\"currentColor\">{0}</text>",
        escaped(&title)
    );
    cells(&mut out, record, &frame);
    reach(&mut out, record, &frame);
    edge(&mut out, record, &frame);
    networks(&mut out, record, &frame);
    axes(&mut out, &frame);
    legend(&mut out, record);
    out.push_str("</svg>");
    out
}

/// How strongly a cell is coloured: signals that die within few layers strongly.
fn strength(cell: &Cell) -> f64 {
    cell.depth.map_or(0.05, |depth| (0.08 + 1.4 / (1.0 + depth)).min(0.85))
}

/// Every cell is centred on its point; those at the rim are cut in half.
fn cells(out: &mut String, record: &Diagram, frame: &Frame) {
    let step = |values: &[f64]| (ends(values).1 - ends(values).0) / (values.len().max(2) - 1) as f64 / 2.0;
    let (across, up) = (step(&record.weights), step(&record.biases));
    let (low, high) = frame.weights;
    for cell in &record.cells {
        let colour = match cell.phase {
            "ordered" => ORDERED,
            "chaotic" => CHAOTIC,
            _ => continue,
        };
        // Corners that neighbours share are rounded alike, so that nothing shows between them.
        let snapped = |(x, y): (f64, f64)| ((x * 10.0).round() / 10.0, (y * 10.0).round() / 10.0);
        let (left, top) =
            snapped(frame.at((cell.weight - across).max(low), (cell.bias + up).min(frame.largest_bias)));
        let (right, bottom) = snapped(frame.at((cell.weight + across).min(high), (cell.bias - up).max(0.0)));
        let _ = write!(
            out,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\" fill-opacity=\"{:.2}\" shape-rendering=\"crispEdges\"/>",
            right - left,
            bottom - top,
            strength(cell)
        );
    }
}

/// Where six depth scales are as long as the networks are deep: between these lines they should learn.
fn reach(out: &mut String, record: &Diagram, frame: &Frame) {
    let Some(trained) = &record.trained else { return };
    let most = trained.depth as f64 / 6.0;
    let scale = |cell: &Cell| cell.depth.unwrap_or(1e9).max(1e-9);
    // Between two cells, one of which is long enough: where the logarithm of the depth scale says.
    let crossing = |one: &Cell, two: &Cell| {
        let (from, to) = (scale(one).ln() - most.ln(), scale(two).ln() - most.ln());
        (from * to < 0.0).then(|| one.weight + (two.weight - one.weight) * from / (from - to))
    };
    let along = |row: &[Cell], rises: bool| {
        let mut pairs = row.windows(2).filter(|pair| (scale(&pair[0]) < scale(&pair[1])) == rises);
        pairs.find_map(|pair| Some((crossing(&pair[0], &pair[1])?, pair[0].bias)))
    };
    let rows = || record.cells.chunks(record.weights.len().max(1));
    let sides: [Vec<(f64, f64)>; 2] =
        [true, false].map(|rises| rows().filter_map(|row| along(row, rises)).collect());
    for side in sides {
        let inside =
            side.into_iter().filter(|(weight, _)| *weight > frame.weights.0 && *weight < frame.weights.1);
        let corners: Vec<String> = inside
            .map(|(weight, bias)| frame.at(weight, bias))
            .map(|(x, y)| format!("{x:.1} {y:.1}"))
            .collect();
        if corners.len() > 1 {
            let _ = write!(
                out,
                "<path d=\"M{}\" fill=\"none\" stroke=\"currentColor\" stroke-dasharray=\"3 4\" stroke-width=\"1.4\"/>",
                corners.join("L")
            );
        }
    }
}

fn edge(out: &mut String, record: &Diagram, frame: &Frame) {
    let corners: Vec<String> = record
        .edge
        .iter()
        .map(|own| frame.at(own.weight, own.bias))
        .map(|(x, y)| format!("{x:.1} {y:.1}"))
        .collect();
    match corners.as_slice() {
        [] => {}
        [_] => {
            let (x, y) = frame.at(record.edge[0].weight, record.edge[0].bias);
            let _ = write!(
                out,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2.5\"/>"
            );
        }
        _ => {
            let _ = write!(
                out,
                "<path d=\"M{}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2.5\"/>",
                corners.join("L")
            );
        }
    }
}

fn networks(out: &mut String, record: &Diagram, frame: &Frame) {
    for own in record.trained.iter().flat_map(|own| &own.networks) {
        let (x, y) = frame.at(own.weight, own.bias);
        let told = format!(
            "sw2 {}, sb2 {}: {:.0} % right",
            short(own.weight),
            short(own.bias),
            100.0 * own.accuracy
        );
        let _ = match own.learned {
            true => write!(
                out,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\" fill=\"{LEARNED}\" stroke=\"white\"><title>{told}</title></circle>"
            ),
            false => write!(
                out,
                "<path d=\"M{0:.1} {1:.1}l9 9m0 -9l-9 9\" stroke=\"currentColor\" stroke-width=\"2\"><title>{told}</title></path>",
                x - 4.5,
                y - 4.5
            ),
        };
    }
}

fn axes(out: &mut String, frame: &Frame) {
    let bottom = TOP + HEIGHT;
    let (low, high) = frame.weights;
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let (weight, bias) = (low + (high - low) * share, frame.largest_bias * share);
        let ((x, _), (_, y)) = (frame.at(weight, 0.0), frame.at(low, bias));
        let _ = write!(
            out,
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"currentColor\">{weight:.2}</text>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"currentColor\">{bias:.3}</text>",
            bottom + 22.0,
            LEFT - 10.0,
            y + 4.0
        );
    }
    let _ = write!(
        out,
        "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"currentColor\"/>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"currentColor\">weight variance σ²w</text>\
         <text transform=\"translate(16 {}) rotate(-90)\" text-anchor=\"middle\" fill=\"currentColor\">bias variance σ²b</text>",
        LEFT + WIDTH / 2.0,
        bottom + 42.0,
        TOP + HEIGHT / 2.0
    );
}

fn legend(out: &mut String, record: &Diagram) {
    let y = TOP + HEIGHT + 68.0;
    let mut words = vec![(ORDERED, "ordered"), (CHAOTIC, "chaotic"), ("currentColor", "edge of chaos")];
    let depth = record.trained.as_ref().map(|own| format!("{} layers learn (cross: not)", own.depth));
    if let Some(depth) = &depth {
        words.push((LEARNED, depth));
    }
    let mut x = LEFT;
    for (colour, word) in words {
        let _ = write!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"11\" height=\"11\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{y}\" fill=\"currentColor\">{}</text>",
            y - 10.0,
            x + 16.0,
            escaped(word)
        );
        x += 40.0 + 6.5 * word.len() as f64;
    }
}

/// The page.
pub fn html(record: &Diagram) -> String {
    let title = format!("Phases of {} with {}", record.network, record.activation);
    let verdict = record.trained.as_ref().map(|own| verdict(own, record.complete)).unwrap_or_default();
    let rows = point(&record.own);
    let heading = format!("at σ²w = {}, σ²b = {}", short(record.own.weight), short(record.own.bias));
    let edge: Vec<Vec<String>> = record
        .landmarks
        .iter()
        .map(|own| vec![short(own.bias), format!("{:.8}", own.weight), short(own.variance)])
        .collect();
    let reach = match record.trained {
        Some(_) => {
            " Beyond the dashed lines, away from the edge, the networks are more than six depth scales deep."
        }
        None => "",
    };
    let mut body = format!(
        "<figure>{}<figcaption>Strong colours: signals die or explode within few layers. On the edge of chaos they get through.{reach}</figcaption></figure>",
        svg(record)
    );
    table(&mut body, &[heading.as_str(), ""], &rows);
    table(&mut body, &["σ²b", "σ²w on the edge of chaos", "fixed point"], &edge);
    page(&title, &verdict, &record.command, &body)
}
