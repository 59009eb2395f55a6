//! Gradients of whole networks against differences of their losses, in f64.

use std::sync::Arc;

use mupc::check::setting::{Base, setting, values};
use mupc::network::{Network, Question};
use mupc::numeric::build::{Purpose, build};
use mupc::numeric::data::{Column, Source, bind};
use mupc::numeric::initial::start;
use mupc::numeric::machine::Machine;
use mupc::numeric::program::Program;
use mupc::{Named, Optimizer};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Relative errors above this fail.
pub const TOLERANCE: f64 = 1e-6;

/// A machine in f64 with random weights (constants moved off their special values) and a synthetic batch.
pub fn machine(network: &Network, purpose: Purpose, batch: usize) -> Machine<f64> {
    let graph = &network.graph;
    let at = values(graph, &[]);
    let question = Question::new(Named::Mup, Optimizer::Adam);
    let found = network.parameterize(question.clone()).unwrap_or_else(|error| panic!("{error}"));
    let numbers = setting(&network.calculus_for(&question), &found, &at, &at, &Base::default());
    let program: Program = build(graph, &at, batch, &numbers, purpose).unwrap();
    let mut machine: Machine<f64> = Machine::new(Arc::new(program));
    start(&mut machine, &numbers, 7);
    let slots: Vec<usize> = machine.program.weights.iter().map(|weight| weight.slot).collect();
    for (place, slot) in slots.into_iter().enumerate() {
        let shifted = machine.values_mut(slot).iter_mut().enumerate();
        shifted.for_each(|(at, entry)| *entry += 0.05 * ((at * 7 + place * 3) as f64).sin());
    }
    let data = bind(&Source::Synthetic { seed: 3 }, graph, &at).unwrap_or_else(|error| panic!("{error}"));
    let columns: Vec<Column> = data.batch(&(0..batch).collect::<Vec<_>>());
    machine.load(&columns);
    machine.draw_masks(11);
    machine
}

/// The largest relative error over a few entries of every weight. Where a kink lies between the two points of a difference, smaller
/// steps are tried.
pub fn worst(mut machine: Machine<f64>) -> (f64, String) {
    machine.forward();
    machine.backward();
    let slots: Vec<usize> = machine.program.weights.iter().map(|weight| weight.slot).collect();
    let scale = |gradient: &[f64]| {
        gradient.iter().map(|g| g * g).sum::<f64>().sqrt() / (gradient.len() as f64).sqrt()
    };
    let gradients: Vec<Vec<f64>> = slots.iter().map(|slot| machine.gradient(*slot).to_vec()).collect();
    let mut worst = (0.0, String::new());
    for (slot, gradient) in slots.iter().zip(&gradients).filter(|(_, gradient)| !gradient.is_empty()) {
        // A loss of size 1 is exact to 1e-16, its differences over steps of 1e-3 to 1e-13: smaller gradients cannot be told from rounding.
        let size = scale(gradient).max(1e-7);
        for probe in 0..4.min(gradient.len()) {
            let at = (probe * 7919 + 13) % gradient.len();
            let error = [1e-3, 1e-4, 1e-5, 1e-6].into_iter().map(|step| {
                (difference(&mut machine, *slot, at, step) - gradient[at]).abs()
                    / size.max(gradient[at].abs())
            });
            let error = error.fold(f64::INFINITY, f64::min);
            if error > worst.0 {
                worst = (error, format!("weight {slot} entry {at}: {}", gradient[at]));
            }
        }
    }
    worst
}

/// The largest relative error over one direction per weight: all of its entries move by plus or minus the same. A whole network costs a few
/// evaluations per weight.
pub fn worst_along(mut machine: Machine<f64>) -> (f64, String) {
    let loss = machine.forward();
    machine.backward();
    let slots: Vec<usize> = machine.program.weights.iter().map(|weight| weight.slot).collect();
    let gradients: Vec<Vec<f64>> = slots.iter().map(|slot| machine.gradient(*slot).to_vec()).collect();
    let mut worst = (0.0, String::new());
    for (slot, gradient) in slots.iter().zip(&gradients).filter(|(_, gradient)| !gradient.is_empty()) {
        let mut numbers = ChaCha8Rng::seed_from_u64(*slot as u64);
        let signs: Vec<f64> =
            gradient.iter().map(|_| if numbers.next_u32() % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let slope: f64 = gradient.iter().zip(&signs).map(|(g, sign)| g * sign).sum();
        let size = gradient.iter().map(|g| g * g).sum::<f64>().sqrt().max(1e-7);
        let mut error = f64::INFINITY;
        for step in [1e-3, 1e-4, 1e-5, 1e-6, 1e-7] {
            let found = difference_along(&mut machine, *slot, &signs, step);
            // A dozen units in the last place of a loss, divided by the step, are rounding.
            let rounding = 12.0 * f64::EPSILON * loss.abs().max(1.0) / step;
            error = (((found - slope).abs() - rounding).max(0.0) / size.max(slope.abs())).min(error);
            if error < TOLERANCE {
                break;
            }
        }
        if error.is_nan() || error > worst.0 {
            worst = (error, format!("weight {slot} ({}): {slope}", gradient.len()));
        }
    }
    worst
}

/// The fourth-order central difference along a direction.
fn difference_along(machine: &mut Machine<f64>, slot: usize, direction: &[f64], step: f64) -> f64 {
    let kept = machine.values(slot).to_vec();
    let mut loss = |shift: f64| {
        let moved = kept.iter().zip(direction).map(|(entry, own)| entry + shift * own);
        machine.values_mut(slot).iter_mut().zip(moved).for_each(|(entry, moved)| *entry = moved);
        machine.forward()
    };
    let slope = (8.0 * (loss(step) - loss(-step)) - (loss(2.0 * step) - loss(-2.0 * step))) / (12.0 * step);
    machine.values_mut(slot).copy_from_slice(&kept);
    slope
}

/// The fourth-order central difference.
fn difference(machine: &mut Machine<f64>, slot: usize, at: usize, step: f64) -> f64 {
    let kept = machine.values(slot)[at];
    let mut loss = |shift: f64| {
        machine.values_mut(slot)[at] = kept + shift;
        machine.forward()
    };
    let slope = (8.0 * (loss(step) - loss(-step)) - (loss(2.0 * step) - loss(-2.0 * step))) / (12.0 * step);
    machine.values_mut(slot)[at] = kept;
    slope
}

pub fn check(source: &str) {
    let network = mupc::compile(source).unwrap_or_else(|error| panic!("{error}"));
    for purpose in [Purpose::Training, Purpose::Observation] {
        let (error, place) = worst(machine(&network, purpose, 3));
        assert!(error < TOLERANCE, "{purpose:?}: {error:.2e} at {place}\n{source}");
    }
}
