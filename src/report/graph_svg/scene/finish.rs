//! The last steps of a scene: frames that are not worth drawing, captions, measures.

use std::collections::HashSet;

use super::{Builder, Draft, Home, Scene};
use crate::graph::Op;
use crate::report::graph_svg::card::{CAPTION, Look, shorten, text_width};
use crate::report::layout::{Card, Diagram, Frame, Loop};

/// What a frame has in it: how much, and the last of it.
#[derive(Clone, Copy, Default)]
struct Inside {
    count: usize,
    only: Option<Thing>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Thing {
    Card(usize),
    Frame(usize),
}

impl Builder<'_> {
    /// Measures everything.
    pub(super) fn finish(mut self) -> Scene {
        let loops = self.loops();
        let kept = self.drop_frames();
        self.captions();
        let mut number = vec![0; self.frames.len()];
        let alive: Vec<usize> = (0..self.frames.len()).filter(|frame| kept[*frame]).collect();
        alive.iter().enumerate().for_each(|(new, old)| number[*old] = new);
        let frame = |old: &usize| Frame {
            parent: self.frames[*old].map(|parent| number[parent]),
            title: text_width(&self.headers[*old].text, 13.0) * 1.06,
        };
        let diagram = Diagram {
            frames: alive.iter().map(frame).collect(),
            cards: self.cards.iter().map(|draft| measure(draft, number[draft.frame])).collect(),
            wires: std::mem::take(&mut self.wires),
            loops: loops.into_iter().map(|back| Loop { frame: number[back.frame], ..back }).collect(),
        };
        let titles = alive.iter().map(|old| std::mem::take(&mut self.headers[*old])).collect();
        let used = self.cards.iter().map(|draft| draft.used).collect();
        Scene { faces: self.cards.into_iter().map(|draft| draft.face).collect(), used, titles, diagram }
    }

    /// The streams of the blocks that are drawn.
    fn loops(&mut self) -> Vec<Loop> {
        let graph = self.notation.graph;
        let mut loops = Vec::new();
        for block in &graph.blocks {
            let Some(Home::Frame(frame)) = self.homes.get(block.scope.index()).copied() else { continue };
            for stream in &block.carried {
                let cards = (self.card_of[stream.carry.index()], self.card_of[stream.next.index()]);
                if let (Some(carry), Some(next)) = cards {
                    self.cards[next].used = Some(true);
                    loops.push(Loop { frame, carry, next });
                }
            }
        }
        loops
    }

    /// Takes away empty frames and those around one card or one frame, whose title takes the name. Frames come after those they
    /// are in, so the innermost go first.
    fn drop_frames(&mut self) -> Vec<bool> {
        let mut kept = vec![true; self.frames.len()];
        let mut inside = vec![Inside::default(); self.frames.len()];
        for (at, draft) in self.cards.iter().enumerate() {
            let own = &mut inside[draft.frame];
            *own = Inside { count: own.count + 1, only: Some(Thing::Card(at)) };
        }
        for frame in (1..self.frames.len()).rev() {
            let parent = self.frames[frame].unwrap_or(0);
            let place = match (inside[frame].count, inside[frame].only) {
                (0, _) => None,
                (1, Some(thing)) if self.takes_title(frame, thing) => {
                    self.hand_up(frame, thing, parent);
                    Some(thing)
                }
                _ => Some(Thing::Frame(frame)),
            };
            kept[frame] = place == Some(Thing::Frame(frame));
            if place.is_some() {
                inside[parent].count += 1;
                inside[parent].only = place;
            }
        }
        kept
    }

    fn takes_title(&self, frame: usize, thing: Thing) -> bool {
        let fits = match thing {
            Thing::Card(card) => self.cards[card].face.look == Look::Steps,
            Thing::Frame(inner) => !self.headers[inner].block,
        };
        fits && !self.headers[frame].block
    }

    /// Puts the only thing in a frame in its place.
    fn hand_up(&mut self, frame: usize, thing: Thing, parent: usize) {
        let outer = self.headers[frame].text.clone();
        let title = match thing {
            Thing::Card(card) => {
                let draft = &mut self.cards[card];
                draft.frame = parent;
                draft.face.unname_result();
                &mut draft.face.title
            }
            Thing::Frame(inner) => {
                self.frames[inner] = Some(parent);
                &mut self.headers[inner].text
            }
        };
        *title = if title.is_empty() { outer } else { shorten(&format!("{outer} › {title}")) };
    }

    /// Writes shapes and sizes below the cards, and marks the outputs and the loss.
    fn captions(&mut self) {
        let graph = self.notation.graph;
        let outputs: HashSet<_> = graph.outputs.iter().collect();
        for draft in &mut self.cards {
            let node = graph.node(draft.last);
            let mut parts = Vec::new();
            let tells = matches!(draft.face.look, Look::Steps | Look::Data) && !self.options.compact;
            if tells && !node.shape.is_empty() {
                parts.push(self.notation.shape(&node.shape));
            }
            if let (Op::Data(data), true) = (&node.op, tells) {
                let classes = graph.data[data.index()].classes.as_ref();
                parts.extend(classes.map(|classes| format!("in {}", self.notation.dim(classes))));
            }
            if self.options.sizes {
                parts.extend((self.notation.annotations.size)(draft.last).map(|size| format!("Θ({size})")));
            }
            if outputs.contains(&draft.last) && !self.options.compact {
                parts.push("output".to_string());
            }
            if graph.loss == Some(draft.last) {
                parts.push("loss".to_string());
            }
            draft.face.caption = shorten(&parts.join(" "));
        }
    }
}

/// The space a card takes, with what is written below it on the right of its wire.
fn measure(draft: &Draft, frame: usize) -> Card {
    let (width, height) = draft.face.extent();
    let right = (width / 2.0).max(draft.face.caption_width());
    let caption = if draft.face.caption.is_empty() { 0.0 } else { CAPTION };
    Card { frame, width: width / 2.0 + right, height: height + caption, anchor: width / 2.0 }
}
