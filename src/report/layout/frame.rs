//! The drawing of one frame, once the frames in it are drawn.

use std::collections::HashMap;

use super::columns::{Column, Tie, columns};
use super::layers::{Edge, Kind, Layered, layer};
use super::order::order;
use super::{Content, Diagram, End, LANE, Lane, Member, PAD, Piece, Rect, TITLE};

/// Where a title starts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Title {
    pub x: f64,
    pub y: f64,
}

impl Title {
    pub(super) fn shifted(self, (x, y): (f64, f64)) -> Title {
        Title { x: self.x + x, y: self.y + y }
    }
}

/// A frame with everything in it, from its upper left corner.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawing {
    pub width: f64,
    pub height: f64,
    pub title: Title,
    pub members: Vec<(Member, Rect)>,
    pub pieces: Vec<Piece>,
    pub lanes: Vec<Lane>,
    /// Where values come in and go out.
    ins: HashMap<usize, f64>,
    outs: HashMap<usize, f64>,
}

/// Draws one frame; an empty one takes no space.
pub(super) fn draw(diagram: &Diagram, at: usize, content: &Content, drawings: &[Drawing]) -> Drawing {
    if content.members.is_empty() {
        return Drawing::default();
    }
    let pen = Pen::new(diagram, content, drawings);
    let edges: Vec<Edge> = content.links.iter().map(|link| pen.edge(link)).collect();
    let layered = layer(&pen.kinds(), &edges);
    let tips: Vec<(f64, f64)> = layered.edges.iter().map(|edge| pen.tips(edge)).collect();
    let shares: Vec<_> =
        layered.edges.iter().zip(&tips).map(|(edge, tips)| pen.shares(edge, *tips)).collect();
    let layers = order(&layered, &shares);
    let left = pen.columns(&layered, &tips, &layers);
    let tops = pen.rows(&layered, &layers, &left, &tips, at == 0);
    pen.finish(at, &layered, &tips, left, &tops)
}

/// Upper and lower border of every layer.
type Rows = Vec<(f64, f64)>;

/// What is known while a frame is drawn.
struct Pen<'a> {
    diagram: &'a Diagram,
    content: &'a Content,
    drawings: &'a [Drawing],
    nodes: Vec<End>,
    index: HashMap<End, usize>,
}

impl<'a> Pen<'a> {
    fn new(diagram: &'a Diagram, content: &'a Content, drawings: &'a [Drawing]) -> Pen<'a> {
        let mut nodes: Vec<End> = content.members.iter().map(|member| End::At(*member)).collect();
        let mut index: HashMap<End, usize> = nodes.iter().enumerate().map(|(at, end)| (*end, at)).collect();
        for end in content.links.iter().flat_map(|link| [link.from, link.to]) {
            index.entry(end).or_insert_with(|| {
                nodes.push(end);
                nodes.len() - 1
            });
        }
        Pen { diagram, content, drawings, nodes, index }
    }

    fn edge(&self, link: &super::Link) -> Edge {
        Edge {
            from: self.index[&link.from],
            to: self.index[&link.to],
            value: link.value,
            stream: link.stream,
        }
    }

    fn kinds(&self) -> Vec<Kind> {
        let kind = |end: &End| match end {
            End::In(_) => Kind::In,
            End::At(_) => Kind::Inside,
            End::Out(_) => Kind::Out,
        };
        self.nodes.iter().map(kind).collect()
    }

    /// Width and height of a node; ports and bends have none.
    fn extent(&self, node: usize) -> (f64, f64) {
        match self.nodes.get(node) {
            Some(End::At(Member::Card(card))) => {
                let card = &self.diagram.cards[*card];
                (card.width, card.height)
            }
            Some(End::At(Member::Frame(frame))) => {
                let drawing = &self.drawings[*frame];
                (drawing.width, drawing.height)
            }
            _ => (0.0, 0.0),
        }
    }

    fn is_thin(&self, node: usize) -> bool {
        !matches!(self.nodes.get(node), Some(End::At(_)))
    }

    /// Where an edge leaves one node and enters the other, from their left edges.
    fn tips(&self, edge: &Edge) -> (f64, f64) {
        let tip = |node: usize, out: bool| match self.nodes.get(node) {
            Some(End::At(Member::Card(card))) => self.diagram.cards[*card].anchor,
            Some(End::At(Member::Frame(frame))) => {
                let drawing = &self.drawings[*frame];
                let ports = if out { &drawing.outs } else { &drawing.ins };
                ports.get(&edge.value).copied().unwrap_or(drawing.width / 2.0)
            }
            _ => 0.0,
        };
        (tip(edge.from, true), tip(edge.to, false))
    }

    /// The tips as parts of the width.
    fn shares(&self, edge: &Edge, tips: (f64, f64)) -> (f64, f64) {
        let share = |node: usize, tip: f64| match self.extent(node).0 {
            width if width > 0.0 => tip / width,
            _ => 0.5,
        };
        (share(edge.from, tips.0), share(edge.to, tips.1))
    }

    fn columns(&self, layered: &Layered, tips: &[(f64, f64)], layers: &[Vec<usize>]) -> Vec<f64> {
        let fixed = self.spine(layered, tips, layers);
        let column = |node: usize| Column {
            width: self.extent(node).0,
            thin: self.is_thin(node),
            fixed: fixed.get(&node).copied(),
        };
        let ties = layered.edges.iter().zip(tips).map(|(edge, (from_at, to_at))| Tie {
            from: edge.from,
            from_at: *from_at,
            to: edge.to,
            to_at: *to_at,
        });
        let all: Vec<Column> = (0..layered.layer.len()).map(column).collect();
        columns(&all, &ties.collect::<Vec<_>>(), layers)
    }

    /// Left edges of what stands on the spine, such that it is straight.
    fn spine(&self, layered: &Layered, tips: &[(f64, f64)], layers: &[Vec<usize>]) -> HashMap<usize, f64> {
        let mut ties = HashMap::new();
        for (edge, tips) in layered.edges.iter().zip(tips) {
            if layered.spine[edge.from] && layered.spine[edge.to] {
                ties.insert(edge.to, (edge.from, *tips));
            }
        }
        let mut left = HashMap::new();
        for node in layers.iter().flatten().copied().filter(|node| layered.spine[*node]) {
            let place = match ties.get(&node) {
                Some((from, (out, into))) => left.get(from).map(|left| left + out - into),
                None => None,
            };
            left.insert(node, place.unwrap_or(0.0));
        }
        left
    }

    /// Borders of the layers: each as high as its highest node, further apart where edges run sideways.
    fn rows(
        &self,
        layered: &Layered,
        layers: &[Vec<usize>],
        left: &[f64],
        tips: &[(f64, f64)],
        page: bool,
    ) -> Rows {
        let mut sideways = vec![0.0f64; layers.len()];
        for (edge, (out, into)) in layered.edges.iter().zip(tips) {
            let by = (left[edge.from] + out - left[edge.to] - into).abs();
            let worst = &mut sideways[layered.layer[edge.from]];
            *worst = worst.max(by);
        }
        let lanes = self.content.loops.len() as f64 * LANE;
        let mut y = if page { 0.0 } else { TITLE + lanes + 6.0 };
        let mut rows = Vec::with_capacity(layers.len());
        for (at, layer) in layers.iter().enumerate() {
            let height = layer.iter().map(|node| self.extent(*node).1).fold(0.0, f64::max);
            let ports = !page && at == 0;
            rows.push(if ports { (0.0, 0.0) } else { (y, y + height) });
            let gap = 20.0 + (0.09 * sideways[at]).min(44.0);
            y += if ports || layer.is_empty() { 0.0 } else { height + gap };
        }
        if let Some(last) = rows.last_mut().filter(|_| !page) {
            let gone = if last.1 > last.0 { last.1 } else { last.0 };
            *last = if self.has_outs() { (gone + lanes, gone + lanes) } else { *last };
        }
        rows
    }

    fn has_outs(&self) -> bool {
        self.nodes.iter().any(|end| matches!(end, End::Out(_)))
    }

    fn finish(
        &self,
        at: usize,
        layered: &Layered,
        tips: &[(f64, f64)],
        mut left: Vec<f64>,
        rows: &Rows,
    ) -> Drawing {
        let page = at == 0;
        let lanes = self.content.loops.len() as f64 * LANE;
        let pad = if page { 0.0 } else { PAD };
        let from = left.iter().copied().fold(f64::INFINITY, f64::min);
        let shift = if from.is_finite() { pad + lanes - from } else { pad };
        left.iter_mut().for_each(|x| *x += shift);
        let right = (0..left.len()).map(|node| left[node] + self.extent(node).0).fold(0.0, f64::max);
        let bottom = rows.last().map_or(0.0, |row| row.1);
        let mut drawing = Drawing {
            width: right + pad,
            height: bottom + if page || self.has_outs() { 0.0 } else { PAD },
            ..Drawing::default()
        };
        self.put_members(layered, &left, rows, &mut drawing);
        let edges = layered.edges.iter().zip(tips.iter().copied());
        let direct = layered.direct.iter().map(|edge| (edge, self.tips(edge)));
        drawing.pieces =
            edges.chain(direct).map(|(edge, tips)| self.piece(edge, tips, layered, &left, rows)).collect();
        self.put_title(self.diagram.frames[at].title, &mut drawing);
        self.put_lanes(&mut drawing);
        drawing
    }

    fn put_members(&self, layered: &Layered, left: &[f64], rows: &Rows, drawing: &mut Drawing) {
        for (node, end) in self.nodes.iter().enumerate() {
            match end {
                End::In(value) => drop(drawing.ins.insert(*value, left[node])),
                End::Out(value) => drop(drawing.outs.insert(*value, left[node])),
                End::At(member) => {
                    let (width, height) = self.extent(node);
                    let y = self.top(node, rows[layered.layer[node]]);
                    drawing.members.push((*member, Rect { x: left[node], y, width, height }));
                }
            }
        }
    }

    /// The upper border of a node in the middle of its layer.
    fn top(&self, node: usize, row: (f64, f64)) -> f64 {
        row.0 + (row.1 - row.0 - self.extent(node).1) / 2.0
    }

    fn piece(&self, edge: &Edge, tips: (f64, f64), layered: &Layered, left: &[f64], rows: &Rows) -> Piece {
        let (above, below) = (rows[layered.layer[edge.from]], rows[layered.layer[edge.to]]);
        let start = if self.is_thin(edge.from) {
            above.0
        } else {
            self.top(edge.from, above) + self.extent(edge.from).1
        };
        let end = if self.is_thin(edge.to) { below.0 } else { self.top(edge.to, below) };
        Piece {
            x0: left[edge.from] + tips.0,
            y0: start,
            y1: above.1,
            x1: left[edge.to] + tips.1,
            y2: below.0,
            y3: end,
            stream: edge.stream,
            arrow: matches!(self.nodes.get(edge.to), Some(End::At(Member::Card(_)))),
        }
    }

    /// Puts the title where no wire comes in.
    fn put_title(&self, title: f64, drawing: &mut Drawing) {
        let mut ports: Vec<f64> = drawing.ins.values().copied().collect();
        ports.sort_by(f64::total_cmp);
        let mut x = PAD * 0.8;
        for port in ports {
            if port > x - 6.0 && port < x + title + 8.0 {
                x = port + 10.0;
            }
        }
        drawing.title = Title { x, y: TITLE / 2.0 + 1.0 };
        if title > 0.0 {
            drawing.width = drawing.width.max(x + title + PAD);
        }
    }

    fn put_lanes(&self, drawing: &mut Drawing) {
        let places: HashMap<Member, Rect> = drawing.members.iter().copied().collect();
        for (at, back) in self.content.loops.iter().enumerate() {
            let carry = places.get(&Member::Card(back.carry));
            let (Some(x0), Some(carry)) = (drawing.outs.get(&back.next), carry) else { continue };
            let inset = (at as f64 + 0.5) * LANE;
            let x1 = carry.x + self.diagram.cards[back.carry].anchor;
            let (y0, y1) = (drawing.height - 4.0 - inset, carry.y - 4.0 - inset);
            drawing.lanes.push(Lane { x0: *x0, y0, lane: inset + 2.0, x1, y1 });
        }
    }
}
