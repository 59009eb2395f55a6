//! The scene as SVG elements.

use std::fmt::Write;

use super::card::{CAPTION, FONT, Face, LINE, Look, Word, line_width, text_width, word_places};
use super::scene::Scene;
use super::{SvgOptions, palette};
use crate::report::layout::{Lane, Piece, Placed, Rect, place};
use crate::report::notation::Notation;

/// Space around everything.
const MARGIN: f64 = 28.0;
const INK: &str = "#1F2937";
const SOFT: &str = "#667085";
const WIRE: &str = "#8A94A6";
const STREAM: &str = "#334155";

/// Draws a scene.
pub fn draw(notation: &Notation<'_>, scene: &Scene, options: &SvgOptions) -> String {
    let placed = place(&scene.diagram);
    let page = placed.frames.first().copied().unwrap_or_default();
    let header = Header::new(notation, scene, options);
    let top = MARGIN + header.height;
    let (width, height) = (page.width.max(header.width) + 2.0 * MARGIN, page.height + top + MARGIN);
    let mut pen = Pen { out: String::new() };
    pen.open(width, height, &notation.graph.name);
    header.draw(&mut pen);
    pen.put(format_args!("<g transform=\"translate({} {})\">", num(MARGIN), num(top)));
    pen.frames(scene, &placed);
    placed.pieces.iter().filter(|piece| !piece.stream).for_each(|piece| pen.piece(piece));
    placed.pieces.iter().filter(|piece| piece.stream).for_each(|piece| pen.piece(piece));
    placed.lanes.iter().for_each(|lane| pen.lane(lane));
    pen.titles(scene, &placed);
    for (at, face) in scene.faces.iter().enumerate() {
        pen.card(face, placed.cards[at], scene.used[at]);
    }
    pen.out.push_str("</g>\n</svg>\n");
    pen.out
}

/// The order of the legend.
const ROLES: [&str; 6] = ["input-like", "hidden", "output-like", "vector-like", "scalar-like", "finite"];

/// The network's name, what grows, and the colours in use.
struct Header<'a> {
    name: &'a str,
    scales: String,
    roles: Vec<Option<String>>,
    width: f64,
    height: f64,
}

impl<'a> Header<'a> {
    fn new(notation: &Notation<'a>, scene: &Scene, options: &SvgOptions) -> Header<'a> {
        let scales = match (notation.scales(), options.compact) {
            (scales, false) if !scales.is_empty() => format!("scale {scales}"),
            _ => String::new(),
        };
        let mut roles: Vec<Option<String>> = Vec::new();
        for word in scene.faces.iter().flat_map(|face| face.lines.iter().flatten()) {
            match word {
                Word::Pill(_, role @ Some(_)) if !roles.contains(role) => roles.push(role.clone()),
                _ => {}
            }
        }
        roles.sort_by_key(|role| ROLES.iter().position(|known| Some(*known) == role.as_deref()));
        let legend: f64 = roles.iter().map(|role| swatch(role.as_deref().unwrap_or_default())).sum();
        let titles = text_width(&notation.graph.name, 19.0) + 18.0 + text_width(&scales, FONT);
        let height = 30.0 + if roles.is_empty() { 0.0 } else { 28.0 };
        Header { name: &notation.graph.name, scales, roles, width: legend.max(titles), height }
    }

    fn draw(&self, pen: &mut Pen) {
        let y = MARGIN + 8.0;
        pen.text((MARGIN, y), (19.0, INK, "font-weight=\"600\""), self.name);
        let x = MARGIN + text_width(self.name, 19.0) + 18.0;
        pen.text((x, y), (FONT, SOFT, ""), &self.scales);
        let mut x = MARGIN;
        for role in &self.roles {
            let name = role.as_deref().unwrap_or_default();
            pen.pill(Rect { x, y: y + 20.0, width: swatch(name) - 8.0, height: 17.0 }, name, role.as_deref());
            x += swatch(name);
        }
    }
}

fn swatch(name: &str) -> f64 {
    text_width(name, FONT - 1.0) + 22.0
}

/// Writes elements.
struct Pen {
    out: String,
}

/// Size, colour and further attributes of a text.
type Style<'a> = (f64, &'a str, &'a str);

impl Pen {
    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(element);
        self.out.push('\n');
    }

    fn open(&mut self, width: f64, height: f64, name: &str) {
        let (w, h) = (num(width), num(height));
        self.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\" \
             font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\">"
        ));
        self.put(format_args!("<title>{}</title>", escape(name)));
        self.put(format_args!("<rect width=\"{w}\" height=\"{h}\" fill=\"#FFFFFF\"/>"));
        for (id, colour) in [("arrow", WIRE), ("stream", STREAM)] {
            self.put(format_args!(
                "<marker id=\"{id}\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
                 markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0.8 L8 4 L0 7.2 Z\" fill=\"{colour}\"/></marker>"
            ));
        }
    }

    /// A line of text; y is its middle.
    fn text(&mut self, (x, y): (f64, f64), (size, colour, more): Style<'_>, text: &str) {
        if !text.is_empty() {
            let (x, y) = (num(x), num(y + 0.35 * size));
            let text = raised(&escape(text), size);
            self.put(format_args!(
                "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{colour}\" {more}>{text}</text>"
            ));
        }
    }

    fn rect(&mut self, at: Rect, radius: f64, look: &str) {
        let Rect { x, y, width, height } = at;
        let (x, y, width, height) = (num(x), num(y), num(width), num(height));
        self.put(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\" {look}/>"
        ));
    }

    fn pill(&mut self, at: Rect, text: &str, role: Option<&str>) {
        let (fill, line) = palette(role);
        self.rect(at, at.height / 2.0, &format!("fill=\"{fill}\" stroke=\"{line}\""));
        let middle = (at.x + at.width / 2.0, at.y + at.height / 2.0);
        self.text(middle, (FONT - 1.0, INK, "text-anchor=\"middle\""), text);
    }

    fn frames(&mut self, scene: &Scene, placed: &Placed) {
        for (header, frame) in scene.titles.iter().zip(&placed.frames).skip(1) {
            if header.block {
                let behind = Rect { x: frame.x + 4.0, y: frame.y - 4.0, ..*frame };
                self.rect(behind, 12.0, "fill=\"#E4E9F0\" stroke=\"#94A3B8\" stroke-width=\"1\"");
                self.rect(*frame, 12.0, "fill=\"#F3F6FA\" stroke=\"#64748B\" stroke-width=\"1.4\"");
            } else {
                self.rect(*frame, 9.0, "fill=\"#FFFFFF\" fill-opacity=\"0.75\" stroke=\"#CBD5E1\"");
            }
        }
    }

    fn titles(&mut self, scene: &Scene, placed: &Placed) {
        for (header, title) in scene.titles.iter().zip(&placed.titles).skip(1) {
            let style = if header.block { "font-weight=\"700\"" } else { "font-weight=\"600\"" };
            let colour = if header.block { INK } else { SOFT };
            self.text((title.x, title.y), (13.0, colour, style), &header.text);
        }
    }

    fn piece(&mut self, piece: &Piece) {
        let Piece { x0, y0, y1, x1, y2, y3, .. } = *piece;
        let bow = (y2 - y1) / 2.0;
        let mut path = format!("M{} {}", num(x0), num(y0));
        if (x0 - x1).abs() < 0.05 && y2 >= y1 {
            let _ = write!(path, " V{}", num(y3));
        } else {
            let (c1, c2) = (num(y1 + bow), num(y2 - bow));
            let _ = write!(
                path,
                " V{} C{} {c1} {} {c2} {} {} V{}",
                num(y1),
                num(x0),
                num(x1),
                num(x1),
                num(y2),
                num(y3)
            );
        }
        self.stroke(&path, piece.stream, piece.arrow, "");
    }

    fn lane(&mut self, lane: &Lane) {
        let Lane { x0, y0, lane, x1, y1 } = *lane;
        let turn = 8.0;
        let path = format!(
            "M{} {} H{} Q{} {} {} {} V{} Q{} {} {} {} H{}",
            num(x0),
            num(y0),
            num(lane + turn),
            num(lane),
            num(y0),
            num(lane),
            num(y0 - turn),
            num(y1 + turn),
            num(lane),
            num(y1),
            num(lane + turn),
            num(y1),
            num(x1)
        );
        self.stroke(&path, true, true, "stroke-dasharray=\"5 4\"");
    }

    fn stroke(&mut self, path: &str, stream: bool, arrow: bool, more: &str) {
        let (colour, width, marker) = if stream { (STREAM, "2", "stream") } else { (WIRE, "1.2", "arrow") };
        let end = if arrow { format!(" marker-end=\"url(#{marker})\"") } else { String::new() };
        self.put(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{end} {more}/>"
        ));
    }

    /// A card in the space it was given, which includes what is written below it.
    fn card(&mut self, face: &Face, space: Rect, used: Option<bool>) {
        let (width, height) = face.extent();
        let card = Rect { width, height, ..space };
        let middle = card.x + width / 2.0;
        if !face.caption.is_empty() {
            let below = card.y + height;
            if let Some(stream) = used {
                let path = format!("M{} {} V{}", num(middle), num(below), num(below + CAPTION));
                self.stroke(&path, stream, false, "");
            }
            let y = below + CAPTION / 2.0;
            self.text((middle + 6.0, y), (FONT - 2.0, SOFT, ""), &face.caption);
        }
        match face.look {
            Look::Sign(sign) => self.sign(sign, card),
            Look::Steps => self.steps(face, card),
            Look::Data => self.plain(face, card, "fill=\"#1F2937\" stroke=\"#1F2937\"", "#FFFFFF"),
            Look::Carry => {
                self.plain(face, card, "fill=\"#FFFFFF\" stroke=\"#334155\" stroke-width=\"1.6\"", INK)
            }
        }
    }

    fn sign(&mut self, sign: &str, card: Rect) {
        let (x, y) = (card.x + card.width / 2.0, card.y + card.height / 2.0);
        let (cx, cy) = (num(x), num(y));
        self.put(format_args!(
            "<circle cx=\"{cx}\" cy=\"{cy}\" r=\"11\" fill=\"#FFFFFF\" stroke=\"{STREAM}\" stroke-width=\"1.6\"/>"
        ));
        self.text((x, y), (15.0, INK, "text-anchor=\"middle\" font-weight=\"600\""), sign);
    }

    fn plain(&mut self, face: &Face, card: Rect, look: &str, colour: &str) {
        self.rect(card, 11.0, look);
        let y = card.y + LINE / 2.0 + 1.0;
        face.lines.iter().for_each(|line| self.line(line, (card.x, card.width, y), colour));
    }

    fn steps(&mut self, face: &Face, card: Rect) {
        self.rect(card, 6.0, "fill=\"#FFFFFF\" stroke=\"#94A3B8\"");
        let mut y = card.y + 1.0;
        if !face.title.is_empty() {
            let band = Rect { x: card.x + 0.5, y: card.y + 0.5, width: card.width - 1.0, height: LINE };
            self.rect(band, 5.5, "fill=\"#E8EDF3\"");
            let middle = (card.x + card.width / 2.0, y + LINE / 2.0);
            self.text(middle, (FONT, INK, "text-anchor=\"middle\" font-weight=\"600\""), &face.title);
            y += LINE;
        }
        for line in &face.lines {
            self.line(line, (card.x, card.width, y + LINE / 2.0), INK);
            y += LINE;
        }
    }

    /// A line of words in the middle of a card. What stands between pills is one text, so that its spaces are the font's own.
    fn line(&mut self, line: &[Word], (x, width, y): (f64, f64, f64), colour: &str) {
        let start = x + (width - line_width(line)) / 2.0;
        let places = word_places(line);
        let mut run: Vec<usize> = Vec::new();
        for (at, word) in line.iter().enumerate() {
            let Word::Pill(text, role) = word else {
                run.push(at);
                continue;
            };
            self.run(line, &places, &std::mem::take(&mut run), (start, y), colour);
            let (left, width) = places[at];
            self.pill(Rect { x: start + left, y: y - 8.0, width, height: 16.0 }, text, role.as_deref());
        }
        self.run(line, &places, &run, (start, y), colour);
    }

    /// Words without a pill among them.
    fn run(
        &mut self,
        line: &[Word],
        places: &[(f64, f64)],
        run: &[usize],
        (start, y): (f64, f64),
        colour: &str,
    ) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
        let middle = start + (places[*first].0 + places[*last].0 + places[*last].1) / 2.0;
        let words = run.iter().map(|at| match &line[*at] {
            Word::Text(text) | Word::Pill(text, _) => raised(&escape(text), FONT),
            Word::Name(text) => format!("<tspan font-weight=\"600\">{}</tspan>", escape(text)),
        });
        let words = words.collect::<Vec<_>>().join(" ");
        let (x, y) = (num(middle), num(y + 0.35 * FONT));
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{FONT}\" fill=\"{colour}\" text-anchor=\"middle\">{words}</text>"
        ));
    }
}

/// Writes `n^-1/2` with a raised exponent.
fn raised(text: &str, size: f64) -> String {
    let mut parts = text.split('^');
    let mut out = parts.next().unwrap_or_default().to_string();
    let (up, small) = (num(0.35 * size), num(0.75 * size));
    for part in parts {
        let end = part
            .find(|letter: char| !letter.is_ascii_digit() && !"-/".contains(letter))
            .unwrap_or(part.len());
        let (power, rest) = part.split_at(end);
        let _ = write!(
            out,
            "<tspan dy=\"-{up}\" font-size=\"{small}\">{power}</tspan><tspan dy=\"{up}\">{rest}</tspan>"
        );
    }
    out
}

/// A coordinate with at most one decimal.
fn num(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded == 0.0 { "0".to_string() } else { rounded.to_string() }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
