//! Handwritten digits: 8 by 8 pixels, 10 classes (E. Alpaydin and C. Kaynak 1998, data/README.md).
//!
//! What goes where, by shape: a real input of 64 entries, or of a square that is 8, 16, 24, ... pixels high and wide, is the image (pixels and
//! channels are repeated to fill it), scaled to a mean square of one; a real target of such a shape is the ink, from 0 to 1; whole numbers of
//! such a shape are the ink in as many levels as there are classes. Whole numbers without axes are the digit, ten real numbers its unit vector.
//! A graph with two images compares them: half of the pairs show the same digit, and a target of two classes, or of one real number, says so.

use std::sync::OnceLock;

use flate2::read::GzDecoder;

use super::fit::Sizes;
use super::{BindError, Column, Wanted};
use crate::dim::Dim;
use crate::graph::Data;

/// Pixels of a side.
const SIDE: usize = 8;
/// Pixels of an image.
const PIXELS: usize = SIDE * SIDE;
/// Different digits.
const CLASSES: usize = 10;
/// The most ink in a pixel.
const INK: u8 = 16;

/// One image with its digit.
#[derive(Clone, Debug)]
struct Digit {
    ink: [u8; PIXELS],
    class: u8,
}

/// All of them, in the order of the file.
fn digits() -> &'static [Digit] {
    static DIGITS: OnceLock<Vec<Digit>> = OnceLock::new();
    DIGITS.get_or_init(|| {
        let bytes = GzDecoder::new(include_bytes!("../../../data/digits.csv.gz").as_slice());
        let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        rows.deserialize().filter_map(|row: Result<Vec<u8>, _>| digit(&row.ok()?)).collect()
    })
}

fn digit(row: &[u8]) -> Option<Digit> {
    let (ink, class) = row.split_at_checked(PIXELS)?;
    Some(Digit { ink: ink.try_into().ok()?, class: *class.first()? })
}

/// How an image fills a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    /// How often a pixel is repeated along each side.
    zoom: usize,
    /// How often it is repeated in the last axis.
    channels: usize,
}

impl Layout {
    fn of(shape: &[usize]) -> Option<Layout> {
        let square = |side: usize, channels| {
            side.is_multiple_of(SIDE).then_some(Layout { zoom: side / SIDE, channels })
        };
        match *shape {
            [PIXELS] => Some(Layout { zoom: 1, channels: 1 }),
            [height, width] if height == width => square(height, 1),
            [PIXELS, channels] => Some(Layout { zoom: 1, channels }),
            [height, width, channels] if height == width => square(height, channels),
            _ => None,
        }
    }

    /// The ink of every entry, the last axis fastest.
    fn ink(self, digit: &Digit) -> impl Iterator<Item = u8> {
        let side = SIDE * self.zoom;
        let pixel = move |row: usize, column: usize| digit.ink[row / self.zoom * SIDE + column / self.zoom];
        let pixels = (0..side).flat_map(move |row| (0..side).map(move |column| pixel(row, column)));
        pixels.flat_map(move |ink| std::iter::repeat_n(ink, self.channels))
    }
}

/// What fills an input or target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The first or second image, with a mean square of one.
    Image(Layout, usize),
    /// The ink of the first image, from 0 to 1.
    Ink(Layout),
    /// The ink of the first image in this many levels.
    Levels(Layout, u32),
    /// The digit.
    Class,
    /// The digit as a unit vector.
    Unit,
    /// Whether both images show the same digit, as a class.
    SameClass,
    /// The same as a number.
    Same,
}

/// How the columns of a graph are filled.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    parts: Vec<Part>,
    /// The number of the second image, by the number of the first.
    partner: Vec<usize>,
    /// What the ink is multiplied by for a mean square of one.
    scale: f32,
}

pub(super) fn plan(wanted: &[Wanted]) -> Result<Plan, BindError> {
    let images = wanted.iter().filter(|wanted| is_image(wanted)).count();
    let mut seen = 0;
    let parts = wanted.iter().map(|wanted| {
        let part = part(wanted, seen, images == 2).ok_or_else(|| unlike(wanted))?;
        seen += usize::from(is_image(wanted));
        Ok(part)
    });
    let parts = parts.collect::<Result<Vec<Part>, BindError>>()?;
    let all = digits();
    let squares = all.iter().flat_map(|digit| digit.ink).map(|ink| f64::from(ink).powi(2)).sum::<f64>();
    let scale = ((all.len() * PIXELS) as f64 / squares).sqrt() as f32;
    let partner = if images == 2 { (0..all.len()).map(partner).collect() } else { Vec::new() };
    Ok(Plan { parts, partner, scale })
}

fn is_image(wanted: &Wanted) -> bool {
    !wanted.target && wanted.classes.is_none() && Layout::of(&wanted.shape).is_some()
}

/// What fills this, with `before` images before it; `pairs` if there are two images in all.
fn part(wanted: &Wanted, before: usize, pairs: bool) -> Option<Part> {
    let layout = Layout::of(&wanted.shape);
    match (wanted.classes, wanted.target, wanted.shape.as_slice()) {
        (Some(2), true, []) if pairs => Some(Part::SameClass),
        (None, true, []) if pairs => Some(Part::Same),
        (Some(CLASSES..), _, []) => Some(Part::Class),
        (None, true, [CLASSES]) => Some(Part::Unit),
        (None, true, _) => layout.map(Part::Ink),
        (None, false, _) => layout.filter(|_| before < 2).map(|layout| Part::Image(layout, before)),
        (Some(classes), _, _) => layout.map(|layout| Part::Levels(layout, classes as u32)),
    }
}

fn unlike(wanted: &Wanted) -> BindError {
    BindError::unlike(
        wanted,
        "the digits have images of 64 pixels (in `[64]`, or `[8, 8]`, `[16, 16]`, ... with any number of channels) and 10 classes",
    )
}

/// The image to compare with: even ones with the next of the same digit, odd ones with the next of another.
fn partner(of: usize) -> usize {
    let all = digits();
    let others = (of + 1..all.len()).chain(0..of);
    let same = of.is_multiple_of(2);
    let mut fitting = others.filter(|other| (all[*other].class == all[of].class) == same);
    fitting.next().unwrap_or(of)
}

impl Plan {
    pub(super) fn examples(&self) -> usize {
        digits().len()
    }

    pub(super) fn example(&self, example: usize, columns: &mut [Column]) {
        let first = &digits()[example];
        let second = self.partner.get(example).map_or(first, |other| &digits()[*other]);
        let same = first.class == second.class;
        for (part, column) in self.parts.iter().zip(columns) {
            match *part {
                Part::Image(layout, which) => {
                    let digit = if which == 0 { first } else { second };
                    column.real(layout.ink(digit).map(|ink| self.scale * f32::from(ink)));
                }
                Part::Ink(layout) => {
                    column.real(layout.ink(first).map(|ink| f32::from(ink) / f32::from(INK)));
                }
                Part::Levels(layout, levels) => {
                    column.whole(layout.ink(first).map(|ink| u32::from(ink) * levels / (u32::from(INK) + 1)));
                }
                Part::Class => column.whole([u32::from(first.class)]),
                Part::Unit => {
                    let one = |class| f32::from(u8::from(class == usize::from(first.class)));
                    column.real((0..CLASSES).map(one));
                }
                Part::SameClass => column.whole([u32::from(same)]),
                Part::Same => column.real([f32::from(u8::from(same))]),
            }
        }
    }

    pub(super) fn describe(&self) -> String {
        let pairs = if self.partner.is_empty() { "" } else { "pairs of " };
        format!("digits: {} {pairs}images of 8 by 8 pixels, 10 classes", self.examples())
    }
}

/// The lengths that the digits would give to every input and target.
pub(super) fn sizes(data: &[Data], shapes: &[&[Dim]]) -> Vec<Sizes> {
    let inputs: Vec<&[Dim]> =
        data.iter().zip(shapes).filter(|(data, _)| !data.target).map(|(_, shape)| *shape).collect();
    let own = |(data, shape): (&Data, &&[Dim])| {
        let vector = data.target && data.classes.is_none() && !inputs.contains(shape);
        let axes = axes(shape, vector).iter().map(|length| Some(*length as i64)).collect();
        Sizes { axes, classes: shape.is_empty().then_some(CLASSES as i64) }
    };
    data.iter().zip(shapes).map(own).collect()
}

/// The axis lengths of an image, or of the unit vector of a digit.
fn axes(shape: &[Dim], vector: bool) -> &'static [usize] {
    match shape {
        [_] if vector => &[CLASSES],
        [_] => &[PIXELS],
        [height, width] if height == width => &[SIDE, SIDE],
        [_, _] => &[PIXELS, 1],
        [height, width, _] if height == width => &[SIDE, SIDE, 1],
        _ => &[],
    }
}
