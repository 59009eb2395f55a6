//! Random inputs and a random teacher: something to learn for every graph.
//!
//! Inputs are independent: normal numbers, or uniform whole ones. Targets are functions of them, the same for every example. Where a target
//! begins with the axes of an input (places of a sequence, pixels of an image), its entries at a place depend on the input at that place
//! only, by the same rule everywhere; else on the whole input. With f the entries of the inputs there (a whole number stands for a random vector of
//! its own) and w random, a target of classes is argmax_v w_v . f, and a real one (1 + sin(2 w . f + b)) / 2, between 0 and 1, so that
//! every loss of the prelude is bounded below.
//!
//! A value is a function of (seed, which data, example, entry): each row is a ChaCha stream of its own (Bernstein 2008), read from its start.
//! The teacher looks at the first [`MOST_FEATURES`] entries at most, and so does not change when an axis grows beyond them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal, Uniform};

use super::{Column, Wanted};

/// How many examples there are.
pub(super) const EXAMPLES: usize = 1 << 20;
/// How many numbers of an input a target depends on at one place.
const MOST_FEATURES: usize = 64;
/// How many numbers stand for a whole one.
const CODE: usize = 8;
/// Classes beyond these never occur.
const MOST_CLASSES: usize = 64;

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    /// The entries of an input; one stream per example.
    Input,
    /// The vectors that whole numbers stand for; one stream per number.
    Code,
    /// The weights of the teacher; one stream per entry of the target.
    Weight,
    /// Where its sines begin.
    Phase,
}

/// The random numbers for a purpose, between two inputs or targets.
fn stream(seed: u64, purpose: Purpose, of: usize, with: usize, row: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    let words = [seed, purpose as u64, of as u64, with as u64];
    for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    let mut numbers = ChaCha8Rng::from_seed(key);
    numbers.set_stream(row);
    numbers
}

fn normal(numbers: ChaCha8Rng, count: usize) -> Vec<f32> {
    StandardNormal.sample_iter(numbers).take(count).collect()
}

/// How the columns of a graph are filled.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    seed: u64,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    /// Normal numbers.
    Normal { entries: usize },
    /// Uniform whole numbers; `codes` has a vector for each.
    Uniform { entries: usize, classes: u32, codes: Vec<f32> },
    /// A function of the inputs.
    Taught(Teacher),
}

/// The function that gives a target.
#[derive(Clone, Debug)]
struct Teacher {
    entries: usize,
    /// One score per class, or one in all.
    scores: usize,
    whole: bool,
    /// What it makes of every input.
    readings: Vec<Reading>,
    /// Where the sines of a real target begin, by entry at one place.
    phases: Vec<f32>,
    /// What the scores are multiplied by for a mean square of one.
    scale: f32,
}

/// How a target depends on one input.
#[derive(Clone, Debug)]
struct Reading {
    /// Which input.
    input: usize,
    /// At how many places.
    places: usize,
    /// How many numbers there are at one place, of which it reads some.
    width: usize,
    /// How many it reads.
    features: usize,
    /// By entry of the target at one place, score and feature.
    weights: Vec<f32>,
}

pub(super) fn plan(seed: u64, wanted: &[Wanted]) -> Plan {
    let part = |(at, own): (usize, &Wanted)| match (own.target, own.classes) {
        (true, _) => Part::Taught(teacher(seed, at, wanted)),
        (false, None) => Part::Normal { entries: own.entries() },
        (false, Some(classes)) => {
            let code = |number| normal(stream(seed, Purpose::Code, at, 0, number), CODE);
            let codes = (0..classes as u64).flat_map(code).collect();
            Part::Uniform { entries: own.entries(), classes: classes as u32, codes }
        }
    };
    Plan { seed, parts: wanted.iter().enumerate().map(part).collect() }
}

fn teacher(seed: u64, target: usize, wanted: &[Wanted]) -> Teacher {
    let own = &wanted[target];
    let scores = own.classes.map_or(1, |classes| classes.min(MOST_CLASSES));
    let inputs = wanted.iter().enumerate().filter(|(_, input)| !input.target);
    let readings = inputs.map(|(at, input)| {
        let places: usize = shared_axes(&own.shape, &input.shape).iter().product();
        let numbers = if input.classes.is_some() { CODE } else { 1 };
        let width = input.entries() / places * numbers;
        let features = width.min(MOST_FEATURES);
        let row = |entry| normal(stream(seed, Purpose::Weight, target, at, entry), scores * features);
        let weights = (0..(own.entries() / places) as u64).flat_map(row).collect();
        Reading { input: at, places, width, features, weights }
    });
    let readings: Vec<Reading> = readings.collect();
    let features: usize = readings.iter().map(|reading| reading.features).sum();
    let places = readings.iter().map(|reading| reading.places).max().unwrap_or(1);
    Teacher {
        entries: own.entries(),
        scores,
        whole: own.classes.is_some(),
        phases: normal(stream(seed, Purpose::Phase, target, 0, 0), own.entries() / places.max(1)),
        readings,
        scale: 1.0 / (features.max(1) as f32).sqrt(),
    }
}

/// The axes with which both begin.
fn shared_axes<'a>(one: &'a [usize], other: &[usize]) -> &'a [usize] {
    let count = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    &one[..count]
}

impl Plan {
    pub(super) fn example(&self, example: usize, columns: &mut [Column]) {
        let mut inputs: Vec<Vec<f32>> = vec![Vec::new(); self.parts.len()];
        for (at, part) in self.parts.iter().enumerate() {
            let numbers = stream(self.seed, Purpose::Input, at, 0, example as u64);
            inputs[at] = part.input(numbers, &mut columns[at]);
        }
        for (part, column) in self.parts.iter().zip(columns) {
            if let Part::Taught(teacher) = part {
                teacher.teach(&inputs, column);
            }
        }
    }

    pub(super) fn describe(&self) -> String {
        format!("synthetic: random inputs and a random teacher, seed {}", self.seed)
    }
}

impl Part {
    /// Fills an input's row and gives what a teacher sees of it.
    fn input(&self, numbers: ChaCha8Rng, column: &mut Column) -> Vec<f32> {
        match self {
            Part::Normal { entries } => {
                let row = normal(numbers, *entries);
                column.real(row.iter().copied());
                row
            }
            Part::Uniform { entries, classes, codes } => {
                let row: Vec<u32> = uniform(numbers, *classes).take(*entries).collect();
                column.whole(row.iter().copied());
                let code = |number: &u32| &codes[*number as usize * CODE..][..CODE];
                row.iter().flat_map(code).copied().collect()
            }
            Part::Taught(_) => Vec::new(),
        }
    }
}

/// Uniform whole numbers below `classes`.
fn uniform(numbers: ChaCha8Rng, classes: u32) -> Box<dyn Iterator<Item = u32>> {
    match Uniform::new(0, classes) {
        Ok(below) => Box::new(below.sample_iter(numbers)),
        Err(_) => Box::new(std::iter::repeat(0)),
    }
}

impl Teacher {
    fn teach(&self, inputs: &[Vec<f32>], column: &mut Column) {
        let each = (0..self.entries).map(|entry| {
            let score = |which| self.score(inputs, entry, which);
            (entry, (0..self.scores).map(score).collect::<Vec<f32>>())
        });
        match self.whole {
            true => column.whole(each.map(|(_, scores)| largest(&scores))),
            false => column.real(each.map(|(entry, scores)| {
                let phase = 2.0 * scores[0] + self.phases[entry % self.phases.len()];
                0.5 + 0.5 * phase.sin()
            })),
        }
    }

    fn score(&self, inputs: &[Vec<f32>], entry: usize, which: usize) -> f32 {
        let of = |reading: &Reading| {
            let per_place = self.entries / reading.places;
            let (place, inner) = (entry / per_place, entry % per_place);
            let row = (inner * self.scores + which) * reading.features;
            let seen = &inputs[reading.input][place * reading.width..][..reading.features];
            let weights = &reading.weights[row..][..reading.features];
            seen.iter().zip(weights).map(|(number, weight)| number * weight).sum::<f32>()
        };
        self.scale * self.readings.iter().map(of).sum::<f32>()
    }
}

/// The place of the largest one.
fn largest(scores: &[f32]) -> u32 {
    let best = (0..scores.len()).max_by(|one, other| scores[*one].total_cmp(&scores[*other]));
    best.unwrap_or(0) as u32
}
