//! How weights start: every tensor of every run has a random stream of its own.
//!
//! The stream depends on the seed, the lengths of the network, and the place of the tensor: networks of different width are independent
//! samples, and nothing depends on the order of computation or the number of threads.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::machine::Machine;
use super::program::Weight;
use super::real::Real;
use super::setting::{Setting, Start};
use crate::rational::Rational;

/// Gives all weights their initial entries.
pub fn start<T: Real>(machine: &mut Machine<T>, setting: &Setting, seed: u64) {
    let program = std::sync::Arc::clone(&machine.program);
    for weight in &program.weights {
        let entries = machine.values_mut(weight.slot);
        match setting.params[weight.param.index()].start {
            Start::Constant(value) => entries.fill(T::of(value)),
            Start::Normal(std) => {
                let mut stream = stream(seed, &program.values, weight);
                for entry in entries {
                    let normal: f32 = StandardNormal.sample(&mut stream);
                    *entry = T::of(f64::from(normal) * std);
                }
            }
        }
    }
}

fn stream(seed: u64, values: &[Rational], weight: &Weight) -> ChaCha8Rng {
    let lengths = values.iter().flat_map(|value| [value.numerator() as u64, value.denominator() as u64]);
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&mixed(lengths).to_le_bytes());
    let place = weight.repetition.iter().map(|step| *step as u64);
    key[16..24].copy_from_slice(&mixed(place).to_le_bytes());
    let mut stream = ChaCha8Rng::from_seed(key);
    stream.set_stream(u64::from(weight.param.0));
    stream
}

/// One number that depends on all of them and their order (the mixing steps of SplitMix64).
fn mixed(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, |state: u64, number| {
        let mut z = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}
