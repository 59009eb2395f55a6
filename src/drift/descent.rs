//! Full-batch gradient descent on the squared error.

use std::sync::Arc;

use super::request::Sized;
use crate::kernel::tangent::copy_weights;
use crate::numeric::data::Column;
use crate::numeric::initial::start;
use crate::numeric::machine::Machine;
use crate::numeric::program::{Program, Slot};
use crate::numeric::real::Real;

/// A network in training on one batch: F = alpha (f - f_0) on L / alpha^2, where f_0 is what the network gives at initialization (Chizat, Oyallon & Bach
/// 2019, arXiv 1812.07956). Without f_0 what drives training would be its noise at small widths and the targets at large ones.
#[derive(Clone, Debug)]
pub struct Descent<T> {
    machine: Machine<T>,
    /// Every trained weight with its learning rate.
    rates: Vec<(Slot, f64)>,
    targets: Vec<f64>,
    alpha: f64,
    origin: Vec<f64>,
}

/// Every trained weight of a program with its learning rate.
pub fn rates(program: &Program, sized: &Sized, rate: f64) -> Vec<(Slot, f64)> {
    let trained = program.weights.iter().filter(|weight| program.gradients[weight.slot]);
    trained.map(|weight| (weight.slot, rate * sized.factors[weight.param.index()])).collect()
}

/// What stands in the place of the loss, for all examples.
pub fn outputs<T: Real>(machine: &mut Machine<T>) -> Vec<f64> {
    machine.forward();
    let loss = machine.program.loss.clone();
    machine.values(loss.slot).iter().map(|own| own.double() * loss.scale).collect()
}

impl<T: Real> Descent<T> {
    /// A network of one size, started from a seed.
    pub fn new(sized: &Sized, batch: &[Column], targets: &[f64], rate: f64, seed: u64) -> Descent<T> {
        let mut machine = Machine::new(Arc::clone(&sized.program));
        start(&mut machine, &sized.setting, seed);
        machine.load(batch);
        let rates = rates(&sized.program, sized, rate);
        let origin = outputs(&mut machine);
        Descent { machine, rates, targets: targets.to_vec(), alpha: 1.0, origin }
    }

    /// With an output scale.
    #[must_use]
    pub fn scaled(self, alpha: f64) -> Descent<T> {
        Descent { alpha, ..self }
    }

    /// The weights.
    pub fn machine(&self) -> &Machine<T> {
        &self.machine
    }

    /// Copies the weights into another machine of the same network.
    pub fn give(&self, to: &mut Machine<T>) {
        copy_weights(&self.machine, to);
    }

    /// One step; the result is the loss before it.
    pub fn step(&mut self) -> f64 {
        let outputs = outputs(&mut self.machine);
        let alpha = self.alpha;
        let batch = self.machine.program.batch as f64;
        let scale = self.machine.program.loss.scale;
        let residual = |at: usize| alpha * (outputs[at] - self.origin[at]) - self.targets[at];
        let residuals: Vec<f64> = (0..outputs.len()).map(residual).collect();
        let seed: Vec<T> = residuals.iter().map(|own| T::of(own * scale / (batch * alpha))).collect();
        self.machine.backward_from(&seed, &mut |_| {});
        for (slot, rate) in &self.rates {
            let (weights, gradient) = self.machine.weight_and_gradient(*slot);
            let rate = T::of(*rate);
            weights.iter_mut().zip(gradient).for_each(|(weight, own)| *weight -= rate * *own);
        }
        residuals.iter().map(|own| own * own).sum::<f64>() / (2.0 * batch)
    }
}
