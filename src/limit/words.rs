//! Words of a text as numbers, and the neighbours that a continuous bag of words learns from.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::numeric::data::{Column, Text};

/// Above this share of the text, a word is left out at random (Mikolov et al. 2013, arXiv 1310.4546, section 2.3).
const FREQUENT: f64 = 2e-3;

/// The most frequent words of a text, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    /// The words, the most frequent first.
    pub vocabulary: Vec<String>,
    /// The text as numbers of words: rare words are left out, and frequent ones in part.
    pub tokens: Vec<u32>,
}

impl Corpus {
    /// The `size` most frequent words. A word is a row of letters, without regard to case.
    pub fn new(text: &Text, size: usize) -> Corpus {
        let whole: String = text.characters().flat_map(char::to_lowercase).collect();
        let words = || whole.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        words().for_each(|word| *counts.entry(word).or_default() += 1);
        let mut ranked: Vec<(&str, usize)> = counts.into_iter().collect();
        ranked.sort_by_key(|(word, count)| (std::cmp::Reverse(*count), *word));
        ranked.truncate(size);
        let total: usize = ranked.iter().map(|(_, count)| count).sum();
        let keep = |count: usize| (FREQUENT * total as f64 / count as f64).sqrt();
        let numbers: BTreeMap<&str, (u32, f64)> =
            ranked.iter().enumerate().map(|(at, (word, count))| (*word, (at as u32, keep(*count)))).collect();
        let mut stream = ChaCha8Rng::seed_from_u64(0);
        let kept = words().filter_map(|word| numbers.get(word));
        let tokens = kept.filter(|(_, keep)| stream.random::<f64>() < *keep).map(|(at, _)| *at).collect();
        Corpus { vocabulary: ranked.into_iter().map(|(word, _)| word.to_string()).collect(), tokens }
    }

    /// A batch of places: their neighbours, half before and half behind, and the word in the middle.
    pub fn batch(&self, window: usize, examples: usize, stream: &mut ChaCha8Rng) -> [Column; 2] {
        let half = window / 2;
        let last = self.tokens.len().saturating_sub(window - half);
        let (mut neighbours, mut words) = (Vec::new(), Vec::new());
        for _ in 0..examples {
            let at = stream.random_range(half..last.max(half + 1));
            neighbours.extend_from_slice(&self.tokens[at - half..at]);
            neighbours.extend_from_slice(&self.tokens[at + 1..=at + window - half]);
            words.push(self.tokens[at]);
        }
        [Column::Whole(neighbours), Column::Whole(words)]
    }
}
