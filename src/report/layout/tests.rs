//! What every drawing must be: nothing overlaps, and everything is inside what it belongs to.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Card, Diagram, Frame, Loop, Placed, Rect, Wire, place};

const SLACK: f64 = 1e-3;

fn card(frame: usize, width: f64) -> Card {
    Card { frame, width, height: 20.0, anchor: width / 2.0 }
}

/// Any tree of frames, any cards in it, any wires, upwards ones too.
fn diagrams() -> impl Strategy<Value = Diagram> {
    let frames = proptest::collection::vec((any::<prop::sample::Index>(), 0.0..120.0), 0..8);
    let cards =
        proptest::collection::vec((any::<prop::sample::Index>(), 10.0..200.0f64, 10.0..90.0f64), 1..40);
    let wires = proptest::collection::vec(
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()),
        0..80,
    );
    let loops = proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..3);
    (frames, cards, wires, loops).prop_map(|(frames, cards, wires, loops)| {
        let mut diagram = Diagram::default();
        diagram.frames.push(Frame::default());
        for (parent, title) in frames {
            let parent = Some(parent.index(diagram.frames.len()));
            diagram.frames.push(Frame { parent, title });
        }
        for (frame, width, height) in cards {
            let frame = frame.index(diagram.frames.len());
            diagram.cards.push(Card { frame, width, height, anchor: width / 3.0 });
        }
        let count = diagram.cards.len();
        for (from, to, stream) in wires {
            let (from, to) = (from.index(count), to.index(count));
            diagram.wires.extend((from != to).then_some(Wire { from, to, stream }));
        }
        for (carry, next) in loops {
            let (carry, next) = (carry.index(count), next.index(count));
            diagram.loops.push(Loop { frame: diagram.cards[carry].frame, carry, next });
        }
        diagram
    })
}

fn is_inside(inner: &Rect, outer: &Rect) -> bool {
    inner.x >= outer.x - SLACK
        && inner.y >= outer.y - SLACK
        && inner.x + inner.width <= outer.x + outer.width + SLACK
        && inner.y + inner.height <= outer.y + outer.height + SLACK
}

fn overlap(left: &Rect, right: &Rect) -> bool {
    left.x + left.width > right.x + SLACK
        && right.x + right.width > left.x + SLACK
        && left.y + left.height > right.y + SLACK
        && right.y + right.height > left.y + SLACK
}

/// Everything with the frame it is in.
fn things(diagram: &Diagram, placed: &Placed) -> Vec<(usize, Rect)> {
    let cards = diagram.cards.iter().zip(&placed.cards).map(|(card, rect)| (card.frame, *rect));
    let frames = diagram.frames.iter().zip(&placed.frames);
    cards
        .chain(frames.filter_map(|(frame, rect)| Some((frame.parent?, *rect))))
        .filter(|(_, rect)| rect.width > 0.0)
        .collect()
}

fn check(diagram: &Diagram) -> Placed {
    let placed = place(diagram);
    let things = things(diagram, &placed);
    for (at, (frame, rect)) in things.iter().enumerate() {
        assert!(is_inside(rect, &placed.frames[*frame]), "{rect:?} is not in {:?}", placed.frames[*frame]);
        for (other, beside) in &things[at + 1..] {
            assert!(frame != other || !overlap(rect, beside), "{rect:?} overlaps {beside:?}");
        }
    }
    placed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_overlaps_and_nothing_sticks_out(diagram in diagrams()) {
        let placed = check(&diagram);
        let finite = |piece: &super::Piece| [piece.x0, piece.y0, piece.x1, piece.y3].iter().all(|value| value.is_finite());
        prop_assert!(placed.pieces.iter().all(finite));
    }
}

#[test]
fn a_stream_is_straight() {
    let mut diagram = Diagram::default();
    diagram.frames.push(Frame::default());
    diagram.frames.push(Frame { parent: Some(0), title: 30.0 });
    diagram.cards.extend([
        card(0, 80.0),
        card(1, 20.0),
        card(1, 300.0),
        card(1, 100.0),
        card(1, 20.0),
        card(0, 60.0),
    ]);
    let wires = [(0, 1, true), (1, 2, false), (2, 3, false), (3, 4, false), (1, 4, true), (4, 5, true)];
    diagram.wires.extend(wires.map(|(from, to, stream)| Wire { from, to, stream }));
    diagram.loops.push(Loop { frame: 1, carry: 1, next: 4 });
    let placed = check(&diagram);
    let middles: Vec<f64> = [0, 1, 4, 5].map(|at| placed.cards[at].x + placed.cards[at].width / 2.0).to_vec();
    assert!(middles.iter().all(|middle| (middle - middles[0]).abs() < 0.01), "{middles:?}");
    assert!(
        placed.pieces.iter().filter(|piece| piece.stream).all(|piece| (piece.x0 - piece.x1).abs() < 0.01)
    );
    assert_eq!(placed.lanes.len(), 1);
}

fn timed(diagram: &Diagram) {
    let start = Instant::now();
    place(diagram);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn ten_thousand_cards_take_seconds() {
    let mut diagram = Diagram::default();
    diagram.frames.push(Frame::default());
    diagram.cards = (0..10_000).map(|at| card(0, 20.0 + (at % 7) as f64)).collect();
    for to in 1..10_000usize {
        for from in [to - 1, to / 2, 0] {
            diagram.wires.extend((from < to).then_some(Wire { from, to, stream: false }));
        }
    }
    timed(&diagram);
    diagram.wires = (1..10_000).map(|to| Wire { from: 0, to, stream: true }).collect();
    timed(&diagram);
}

#[test]
fn deep_nesting_is_drawn() {
    let mut diagram = Diagram::default();
    diagram.frames.push(Frame::default());
    diagram.frames.extend((0..150).map(|parent| Frame { parent: Some(parent), title: 20.0 }));
    diagram.cards = (0..=150).map(|frame| card(frame, 40.0)).collect();
    diagram.wires = (0..150).map(|from| Wire { from, to: from + 1, stream: false }).collect();
    diagram.wires.push(Wire { from: 0, to: 150, stream: true });
    check(&diagram);
}
