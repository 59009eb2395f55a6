//! Where things stand in a picture: a layered drawing of nested boxes.
//!
//! Cards stand in frames, frames in frames, and wires run from card to card. Every frame is a layered drawing of its own (Sugiyama,
//! Tagawa & Toda 1981), made from the inside out. A wire that crosses a frame's border does so at a **port**: a point on the
//! border that is a node of the drawings on both sides, so that pieces of a wire meet. All wires that carry one card's value share
//! ports and bends.
//!
//! Wires marked as **streams** (residual streams) become straight vertical lines on the left; what branches off them stands beside.
//!
//! Nothing here is recursive, and time and memory are linear in the drawing but for the sorting: a budget bounds the bends.

mod columns;
mod frame;
mod layers;
mod order;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub(super) use frame::Title;

/// Space between things that stand side by side.
pub(super) const GAP: f64 = 22.0;
/// Space between a frame and what is in it.
pub(super) const PAD: f64 = 14.0;
/// Height of a frame's title.
pub(super) const TITLE: f64 = 22.0;
/// Space between the lines that go back around a block.
pub(super) const LANE: f64 = 14.0;

/// What is to be drawn.
#[derive(Debug, Default)]
pub(super) struct Diagram {
    /// Boxes; the first is the page, and each comes after the one it is in.
    pub frames: Vec<Frame>,
    /// Nodes, in topological order.
    pub cards: Vec<Card>,
    /// Edges.
    pub wires: Vec<Wire>,
    /// Edges that go back to the start of their frame.
    pub loops: Vec<Loop>,
}

/// A box.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frame {
    /// What it is in; nothing for the page.
    pub parent: Option<usize>,
    /// How wide its title is.
    pub title: f64,
}

/// A node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Card {
    /// What it is in.
    pub frame: usize,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// Where its wires meet it, from its left edge.
    pub anchor: f64,
}

/// An edge between cards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    /// The card it leaves.
    pub from: usize,
    /// The card it enters.
    pub to: usize,
    /// Part of a residual stream.
    pub stream: bool,
}

/// An edge that goes back: from the end of a repetition to its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loop {
    /// The block.
    pub frame: usize,
    /// The card at the start.
    pub carry: usize,
    /// The card at the end.
    pub next: usize,
}

/// A rectangle; y grows downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    /// The same one elsewhere.
    fn shifted(self, by: (f64, f64)) -> Rect {
        Rect { x: self.x + by.0, y: self.y + by.1, ..self }
    }
}

/// A piece of a wire: down from (x0, y0) to y1, over to (x1, y2), down to y3.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub x0: f64,
    pub y0: f64,
    pub y1: f64,
    pub x1: f64,
    pub y2: f64,
    pub y3: f64,
    /// Part of a residual stream.
    pub stream: bool,
    /// It ends at a card.
    pub arrow: bool,
}

impl Piece {
    fn shifted(self, (x, y): (f64, f64)) -> Piece {
        let Piece { x0, y0, y1, x1, y2, y3, .. } = self;
        Piece { x0: x0 + x, y0: y0 + y, y1: y1 + y, x1: x1 + x, y2: y2 + y, y3: y3 + y, ..self }
    }
}

/// A line back: from (x0, y0) down, over to the lane, up, and over to (x1, y1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub x0: f64,
    pub y0: f64,
    pub lane: f64,
    pub x1: f64,
    pub y1: f64,
}

impl Lane {
    fn shifted(self, (x, y): (f64, f64)) -> Lane {
        Lane { x0: self.x0 + x, y0: self.y0 + y, lane: self.lane + x, x1: self.x1 + x, y1: self.y1 + y }
    }
}

/// A drawing.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub frames: Vec<Rect>,
    /// Left end and middle height of every frame's title.
    pub titles: Vec<Title>,
    pub cards: Vec<Rect>,
    pub pieces: Vec<Piece>,
    pub lanes: Vec<Lane>,
}

/// Something in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Member {
    Card(usize),
    Frame(usize),
}

/// An end of a piece of a wire in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum End {
    /// A member.
    At(Member),
    /// The place on the frame's upper border where this card's value comes in.
    In(usize),
    /// The place on its lower border where it goes out.
    Out(usize),
}

/// The part of a wire inside one frame.
#[derive(Clone, Copy, Debug)]
struct Link {
    from: End,
    to: End,
    /// The card whose value it carries.
    value: usize,
    stream: bool,
}

/// What one frame contains, before it is drawn.
#[derive(Debug, Default)]
struct Content {
    members: Vec<Member>,
    links: Vec<Link>,
    index: HashMap<(End, End, usize), usize>,
    loops: Vec<Loop>,
}

impl Content {
    fn link(&mut self, link: Link) {
        match self.index.get(&(link.from, link.to, link.value)) {
            Some(known) => self.links[*known].stream |= link.stream,
            None => {
                self.index.insert((link.from, link.to, link.value), self.links.len());
                self.links.push(link);
            }
        }
    }
}

/// Finds a place for everything.
pub(super) fn place(diagram: &Diagram) -> Placed {
    let mut contents = contents(diagram);
    let mut drawings: Vec<frame::Drawing> = vec![frame::Drawing::default(); diagram.frames.len()];
    for at in (0..diagram.frames.len()).rev() {
        let content = std::mem::take(&mut contents[at]);
        drawings[at] = frame::draw(diagram, at, &content, &drawings);
    }
    assemble(diagram, &drawings)
}

/// Sorts cards, frames and the parts of wires into the frames they are in.
fn contents(diagram: &Diagram) -> Vec<Content> {
    let mut contents: Vec<Content> = diagram.frames.iter().map(|_| Content::default()).collect();
    let mut listed = vec![false; diagram.frames.len()];
    for (at, card) in diagram.cards.iter().enumerate() {
        contents[card.frame].members.push(Member::Card(at));
        let mut frame = card.frame;
        while let (false, Some(parent)) = (listed[frame], diagram.frames[frame].parent) {
            listed[frame] = true;
            contents[parent].members.push(Member::Frame(frame));
            frame = parent;
        }
    }
    diagram.wires.iter().for_each(|wire| split(diagram, *wire, &mut contents));
    for back in &diagram.loops {
        let (ports, frame) = (chain(diagram, back.next), back.frame);
        leave(&ports, back.next, Some(frame), true, &mut contents);
        contents[frame].loops.push(*back);
    }
    contents
}

/// The frames around a card, innermost first.
fn chain(diagram: &Diagram, card: usize) -> Vec<usize> {
    std::iter::successors(Some(diagram.cards[card].frame), |at| diagram.frames[*at].parent).collect()
}

/// Cuts a wire at the borders that it crosses.
fn split(diagram: &Diagram, wire: Wire, contents: &mut [Content]) {
    let (mut up, mut down) = (chain(diagram, wire.from), chain(diagram, wire.to));
    let mut meeting = 0;
    while let (Some(left), Some(right)) = (up.last(), down.last()) {
        if left != right {
            break;
        }
        meeting = *left;
        up.pop();
        down.pop();
    }
    let from = leave(&up, wire.from, None, wire.stream, contents);
    let mut to = Member::Card(wire.to);
    for frame in &down {
        let (value, stream) = (wire.from, wire.stream);
        contents[*frame].link(Link { from: End::In(value), to: End::At(to), value, stream });
        to = Member::Frame(*frame);
    }
    let link = Link { from: End::At(from), to: End::At(to), value: wire.from, stream: wire.stream };
    contents[meeting].link(link);
}

/// Takes a card's value out of these frames, up to and including `last`; says where it then is.
fn leave(
    frames: &[usize],
    card: usize,
    last: Option<usize>,
    stream: bool,
    contents: &mut [Content],
) -> Member {
    let mut from = Member::Card(card);
    for frame in frames {
        contents[*frame].link(Link { from: End::At(from), to: End::Out(card), value: card, stream });
        from = Member::Frame(*frame);
        if Some(*frame) == last {
            break;
        }
    }
    from
}

/// Puts the drawings into each other, from the page inwards.
fn assemble(diagram: &Diagram, drawings: &[frame::Drawing]) -> Placed {
    let mut placed = Placed {
        frames: vec![Rect::default(); diagram.frames.len()],
        titles: vec![Title::default(); diagram.frames.len()],
        cards: vec![Rect::default(); diagram.cards.len()],
        ..Placed::default()
    };
    for (at, drawing) in drawings.iter().enumerate() {
        let own = &mut placed.frames[at];
        (own.width, own.height) = (drawing.width, drawing.height);
        let corner = (own.x, own.y);
        placed.titles[at] = drawing.title.shifted(corner);
        for (member, rect) in &drawing.members {
            match member {
                Member::Card(card) => placed.cards[*card] = rect.shifted(corner),
                Member::Frame(frame) => placed.frames[*frame] = rect.shifted(corner),
            }
        }
        placed.pieces.extend(drawing.pieces.iter().map(|piece| piece.shifted(corner)));
        placed.lanes.extend(drawing.lanes.iter().map(|lane| lane.shifted(corner)));
    }
    placed
}
