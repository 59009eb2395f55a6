//! The network's Taylor polynomials in its weights, trained as the network is, less its output at initialization.
//!
//! With d the distance from the initial weights, the linear model is f + J d and the quadratic one f + J d + d' H d / 2, where f, J and H are the network's at
//! initialization (Lee et al. 2019, arXiv 1902.06720; Bai & Lee 2020, arXiv 1910.01619). Products with J and H are
//! central differences along d in double precision.

use std::sync::Arc;

use super::descent::{outputs, rates};
use super::request::Sized;
use crate::numeric::data::Column;
use crate::numeric::initial::start;
use crate::numeric::machine::Machine;
use crate::numeric::program::Slot;

/// How far differences reach along d.
const REACH: f64 = 1e-4;

/// The degree of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degree {
    /// f + J d
    Linear,
    /// f + J d + d' H d / 2
    Quadratic,
}

/// A model in training.
#[derive(Clone, Debug)]
pub struct Model {
    degree: Degree,
    machine: Machine<f64>,
    rates: Vec<(Slot, f64)>,
    targets: Vec<f64>,
    /// Initial weights, by place in `rates`.
    first: Vec<Vec<f64>>,
    moved: Vec<Vec<f64>>,
    /// The output at initialization.
    origin: Vec<f64>,
}

impl Model {
    /// The model of a network that is started from a seed.
    pub fn new(
        degree: Degree,
        sized: &Sized,
        batch: &[Column],
        targets: &[f64],
        rate: f64,
        seed: u64,
    ) -> Model {
        let mut machine = Machine::new(Arc::clone(&sized.program));
        start(&mut machine, &sized.setting, seed);
        machine.load(batch);
        let rates = rates(&sized.program, sized, rate);
        let first: Vec<Vec<f64>> = rates.iter().map(|(slot, _)| machine.values(*slot).to_vec()).collect();
        let moved = first.iter().map(|own| vec![0.0; own.len()]).collect();
        let origin = outputs(&mut machine);
        Model { degree, machine, rates, targets: targets.to_vec(), first, moved, origin }
    }

    /// Puts the weights at so many times d from the start.
    fn put(&mut self, times: f64) {
        for ((slot, _), (first, moved)) in self.rates.iter().zip(self.first.iter().zip(&self.moved)) {
            let weights = self.machine.values_mut(*slot).iter_mut();
            weights.zip(first.iter().zip(moved)).for_each(|(to, (first, moved))| *to = first + times * moved);
        }
    }

    fn outputs_at(&mut self, times: f64) -> Vec<f64> {
        self.put(times);
        outputs(&mut self.machine)
    }

    /// What the model gives for the batch.
    pub fn outputs(&mut self) -> Vec<f64> {
        let (ahead, behind) = (self.outputs_at(REACH), self.outputs_at(-REACH));
        let pairs = ahead.iter().zip(&behind).zip(&self.origin);
        let one = |((ahead, behind), origin): ((&f64, &f64), &f64)| {
            let linear = origin + (ahead - behind) / (2.0 * REACH);
            match self.degree {
                Degree::Linear => linear,
                Degree::Quadratic => linear + (ahead - 2.0 * origin + behind) / (2.0 * REACH * REACH),
            }
        };
        pairs.map(one).collect()
    }

    /// J' r for the weights at so many times d, times a factor, off the movement: one part of a step.
    fn pull(&mut self, times: f64, seed: &[f64], factor: f64, step: &mut [Vec<f64>]) {
        self.put(times);
        self.machine.forward();
        self.machine.backward_from(seed, &mut |_| {});
        for (to, (slot, _)) in step.iter_mut().zip(&self.rates) {
            to.iter_mut().zip(self.machine.gradient(*slot)).for_each(|(to, own)| *to += factor * own);
        }
    }

    /// One step of gradient descent on the batch.
    pub fn step(&mut self) {
        let found = self.outputs();
        let (batch, scale) = (self.machine.program.batch as f64, self.machine.program.loss.scale);
        let residual = |at: usize| found[at] - self.origin[at] - self.targets[at];
        let seed: Vec<f64> = (0..found.len()).map(|at| residual(at) * scale / batch).collect();
        let mut step: Vec<Vec<f64>> = self.first.iter().map(|own| vec![0.0; own.len()]).collect();
        self.pull(0.0, &seed, 1.0, &mut step);
        if self.degree == Degree::Quadratic {
            self.pull(REACH, &seed, 0.5 / REACH, &mut step);
            self.pull(-REACH, &seed, -0.5 / REACH, &mut step);
        }
        for ((_, rate), (moved, step)) in self.rates.iter().zip(self.moved.iter_mut().zip(&step)) {
            moved.iter_mut().zip(step).for_each(|(moved, own)| *moved -= rate * own);
        }
    }
}
