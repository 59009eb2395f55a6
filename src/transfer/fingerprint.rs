//! Short names for what numbers and texts are: equal inputs have equal fingerprints, on every machine and in every version.
//!
//! FNV-1a with 64 bits (Fowler, Noll & Vo 1991). It tells apart what was mixed up by accident; it is no protection against somebody who
//! wants two inputs to look alike.

use std::fmt;

use crate::numeric::data::{Bound, Column};
use crate::numeric::setting::{ParamSetting, Setting, Start};

/// A fingerprint in the making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Fingerprint {
        Fingerprint(0xcbf2_9ce4_8422_2325)
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Fingerprint {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn whole(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn real(&mut self, number: f64) {
        self.whole(number.to_bits());
    }

    /// Of a text.
    pub fn of_text(text: &str) -> Fingerprint {
        let mut own = Fingerprint::default();
        own.bytes(text.as_bytes());
        own
    }

    /// Of the numbers that a network starts and trains with, and of the size of its batches.
    pub fn of_setting(setting: &Setting, batch: usize) -> Fingerprint {
        let mut own = Fingerprint::default();
        setting.params.iter().for_each(|param| own.param(param));
        for (node, factor) in &setting.fronts {
            own.whole(node.index() as u64);
            own.real(*factor);
        }
        for ((node, operand), factor) in &setting.branches {
            own.whole(node.index() as u64);
            own.whole(*operand as u64);
            own.real(*factor);
        }
        own.bytes(setting.decay.name().as_bytes());
        own.whole(batch as u64);
        own
    }

    fn param(&mut self, param: &ParamSetting) {
        self.real(param.multiplier);
        let (kind, start) = match param.start {
            Start::Normal(std) => (0, std),
            Start::Constant(value) => (1, value),
        };
        self.whole(kind);
        self.real(start);
        self.bytes(param.optimizer.map_or("frozen", |own| own.name()).as_bytes());
        [param.learning_rate, param.epsilon, param.weight_decay].into_iter().for_each(|own| self.real(own));
    }

    /// Of examples: their number, and the entries of up to 4096 of them that lie evenly among all.
    pub fn of_data(bound: &Bound) -> Fingerprint {
        const MOST: usize = 4096;
        let all = bound.examples();
        let some: Vec<usize> = (0..all.min(MOST)).map(|at| at * all / all.min(MOST)).collect();
        let mut own = Fingerprint::default();
        own.whole(all as u64);
        for column in bound.batch(&some) {
            match column {
                Column::Real(entries) => entries.iter().for_each(|entry| own.real(f64::from(*entry))),
                Column::Whole(entries) => entries.iter().for_each(|entry| own.whole(u64::from(*entry))),
            }
        }
        own
    }
}
