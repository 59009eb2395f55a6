//! The characters of a text, in windows.
//!
//! A character is a whole number: its place in the sorted alphabet of the text. Whole numbers below at least the size of the alphabet are
//! characters; the inputs among them are neighbouring windows, one behind the other. A target with as many entries as an input is that window moved
//! on by one: what comes next. A target without axes, where no input is, is the character in the middle, which the inputs leave out. Whole numbers
//! with fewer classes are not characters: with axes they say which of so many equal parts a place belongs to; a target of two classes says
//! whether the second half of the windows follows the first, which it does in every other example.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use flate2::read::GzDecoder;

use super::fit::Sizes;
use super::{BindError, Column, Wanted};
use crate::graph::Data;

/// A text as numbers.
#[derive(Clone, Debug)]
pub struct Text(Arc<Characters>);

#[derive(Debug)]
struct Characters {
    /// What it is called in messages.
    name: String,
    /// Every character once, sorted.
    alphabet: Vec<char>,
    /// The text, by places in the alphabet.
    places: Vec<u32>,
}

impl Text {
    /// A text of one's own.
    pub fn new(name: impl Into<String>, text: &str) -> Text {
        let alphabet: Vec<char> = text.chars().collect::<BTreeSet<char>>().into_iter().collect();
        let place = |character: char| alphabet.partition_point(|own| *own < character) as u32;
        let places = text.chars().map(place).collect();
        Text(Arc::new(Characters { name: name.into(), alphabet, places }))
    }

    /// The King James Version, Genesis to Deuteronomy (data/README.md).
    pub fn pentateuch() -> Text {
        static TEXT: OnceLock<Text> = OnceLock::new();
        let read = || {
            let packed = include_bytes!("../../../data/kjv-pentateuch.txt.gz").as_slice();
            let text = std::io::read_to_string(GzDecoder::new(packed)).unwrap_or_default();
            Text::new("Genesis to Deuteronomy", &text)
        };
        TEXT.get_or_init(read).clone()
    }

    /// How many different characters there are: the smallest vocabulary.
    pub fn alphabet(&self) -> usize {
        self.0.alphabet.len()
    }

    /// The character that a whole number stands for.
    pub fn character(&self, number: u32) -> Option<char> {
        self.0.alphabet.get(number as usize).copied()
    }

    /// The text, character by character.
    pub fn characters(&self) -> impl Iterator<Item = char> {
        self.0.places.iter().map(|place| self.0.alphabet[*place as usize])
    }

    /// How long it is, in characters.
    pub fn len(&self) -> usize {
        self.0.places.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lengths that the text would give to every input and target: its alphabet, to numbers of classes that could hold it; to the
    /// largest one if none can.
    pub(super) fn sizes(&self, data: &[Data]) -> Vec<Sizes> {
        let own = self.alphabet() as i64;
        let count = |data: &Data| data.classes.as_ref()?.coefficient.to_integer();
        let largest = data.iter().filter_map(count).max().unwrap_or(own);
        let classes = |data| count(data).filter(|count| *count >= own.min(largest)).map(|_| own);
        data.iter().map(|data| Sizes { axes: Vec::new(), classes: classes(data) }).collect()
    }
}

/// What fills an input or target.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// The characters at these places of the window.
    Characters(Vec<usize>),
    /// Which of equal parts each place belongs to.
    Kinds(Vec<u32>),
    /// Whether the window is one piece.
    Follows,
}

/// How the columns of a graph are filled.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    text: Text,
    parts: Vec<Part>,
    /// How many characters a window has.
    span: usize,
    /// From one example to the next: has no divisor in common with the number of examples.
    step: usize,
    /// Whether the second half of every other window comes from somewhere else.
    broken: bool,
}

pub(super) fn plan(text: &Text, wanted: &[Wanted]) -> Result<Plan, BindError> {
    let alphabet = text.alphabet();
    let is_character = |wanted: &Wanted| wanted.classes.is_some_and(|classes| classes >= alphabet);
    let inputs = wanted.iter().filter(|wanted| is_character(wanted) && !wanted.target);
    let windows = Windows::new(inputs.map(Wanted::entries).collect());
    let middle = wanted.iter().any(|wanted| {
        wanted.target && is_character(wanted) && wanted.shape.is_empty() && windows.last_of(1).is_none()
    });
    let mut next = 0;
    let parts = wanted.iter().map(|wanted| {
        let part = match is_character(wanted) {
            true => characters(wanted, &windows, middle, &mut next),
            // Where nothing can hold characters, the first whole numbers should have.
            false if windows.lengths.is_empty() && !middle => None,
            false => kinds(wanted),
        };
        part.ok_or_else(|| unlike(text, wanted))
    });
    let parts = parts.collect::<Result<Vec<Part>, BindError>>()?;
    let span = windows.total() + 1;
    if text.len() <= span {
        return Err(BindError::TooShort { text: text.0.name.clone(), has: text.len(), span });
    }
    let broken = parts.contains(&Part::Follows);
    Ok(Plan { step: step(text.len() - span), text: text.clone(), parts, span, broken })
}

/// The windows of the inputs, one behind the other.
struct Windows {
    lengths: Vec<usize>,
}

impl Windows {
    fn new(lengths: Vec<usize>) -> Windows {
        Windows { lengths }
    }

    fn total(&self) -> usize {
        self.lengths.iter().sum()
    }

    fn start(&self, window: usize) -> usize {
        self.lengths[..window].iter().sum()
    }

    /// The last window of this length.
    fn last_of(&self, length: usize) -> Option<usize> {
        self.lengths.iter().rposition(|own| *own == length)
    }
}

/// The characters of an input or target; `next` counts the inputs.
fn characters(wanted: &Wanted, windows: &Windows, middle: bool, next: &mut usize) -> Option<Part> {
    let half = windows.total() / 2;
    let length = wanted.entries();
    if !wanted.target {
        let start = windows.start(*next);
        *next += 1;
        let place = |place: usize| if middle && place >= half { place + 1 } else { place };
        return Some(Part::Characters((start..start + length).map(place).collect()));
    }
    match windows.last_of(length) {
        Some(window) if !middle => {
            let start = windows.start(window) + 1;
            Some(Part::Characters((start..start + length).collect()))
        }
        _ if middle && wanted.shape.is_empty() => Some(Part::Characters(vec![half])),
        _ => None,
    }
}

/// Whole numbers that are no characters.
fn kinds(wanted: &Wanted) -> Option<Part> {
    let (classes, entries) = (wanted.classes?, wanted.entries());
    match (wanted.target, wanted.shape.is_empty()) {
        (true, true) => (classes == 2).then_some(Part::Follows),
        (false, false) => {
            let kind = |place: usize| (place * classes / entries) as u32;
            Some(Part::Kinds((0..entries).map(kind).collect()))
        }
        (true, false) | (false, true) => None,
    }
}

fn unlike(text: &Text, wanted: &Wanted) -> BindError {
    let has = match wanted.classes {
        None => "a text has only whole numbers: its characters".to_string(),
        Some(classes) if classes < text.alphabet() => {
            format!(
                "{} has {} different characters, which {classes} cannot hold",
                text.0.name,
                text.alphabet()
            )
        }
        Some(_) => {
            "a target of characters is as long as an input, whose next characters it holds, or has no axes"
                .to_string()
        }
    };
    BindError::unlike(wanted, has)
}

/// A step near the golden share of `count`, with which every number comes once before the first returns; neighbouring examples lie far apart.
fn step(count: usize) -> usize {
    let golden = (count as f64 * 0.618_033_988_749_895) as usize;
    (golden.max(1)..).find(|step| divisor(*step, count) == 1).unwrap_or(1)
}

/// The greatest common divisor.
fn divisor(one: usize, other: usize) -> usize {
    if other == 0 { one } else { divisor(other, one % other) }
}

impl Plan {
    pub(super) fn examples(&self) -> usize {
        self.text.len() - self.span
    }

    pub(super) fn example(&self, example: usize, columns: &mut [Column]) {
        let count = self.examples();
        let start = (example as u128 * self.step as u128 % count as u128) as usize;
        let broken = self.broken && !example.is_multiple_of(2);
        let far = (start + count / 2) % count;
        let at = |place: usize| {
            let start = if broken && place > self.span / 2 { far } else { start };
            self.text.0.places[start + place]
        };
        for (part, column) in self.parts.iter().zip(columns) {
            match part {
                Part::Characters(places) => column.whole(places.iter().map(|place| at(*place))),
                Part::Kinds(kinds) => column.whole(kinds.iter().copied()),
                Part::Follows => column.whole([u32::from(!broken)]),
            }
        }
    }

    pub(super) fn describe(&self) -> String {
        let Characters { name, alphabet, .. } = &*self.text.0;
        let (length, span, different) = (self.text.len(), self.span, alphabet.len());
        format!("text: {name}, {length} characters, {different} different ones, in windows of {span}")
    }
}
