//! Training: forward, backward, one step of every weight.

use std::sync::Arc;

use super::data::Column;
use super::initial::start;
use super::machine::Machine;
use super::program::{Program, Slot};
use super::real::Real;
use super::setting::Setting;
use super::update::{Memory, Update, rms};

/// How the learning rate goes during a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// The same at every step.
    #[default]
    Constant,
    /// Up to its full height over so many steps, then down to zero along half a cosine at the last step.
    WarmupCosine {
        /// Steps of the rise.
        warmup: usize,
        /// All steps.
        steps: usize,
    },
    /// Down to zero along a line.
    Linear {
        /// All steps.
        steps: usize,
    },
}

impl Schedule {
    /// The factor at a step, counted from 0.
    pub fn factor(self, step: usize) -> f64 {
        match self {
            Schedule::Constant => 1.0,
            Schedule::Linear { steps } => (1.0 - step as f64 / steps.max(1) as f64).max(0.0),
            Schedule::WarmupCosine { warmup, .. } if step < warmup => (step + 1) as f64 / warmup as f64,
            Schedule::WarmupCosine { warmup, steps } => {
                let share = (step - warmup) as f64 / steps.saturating_sub(warmup).max(1) as f64;
                0.5 * (1.0 + (std::f64::consts::PI * share.min(1.0)).cos())
            }
        }
    }
}

/// How a run is trained, apart from what the parameterization says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Routine {
    /// What optimizers remember.
    pub memory: Memory,
    /// The schedule of the learning rate.
    pub schedule: Schedule,
    /// The largest norm of all gradients together; none to leave them as they are.
    pub clip: Option<f64>,
}

/// A network in training.
#[derive(Clone, Debug)]
pub struct Trainer<T> {
    /// The network.
    pub machine: Machine<T>,
    routine: Routine,
    updates: Vec<(Slot, Update<T>)>,
    steps: usize,
}

impl<T: Real> Trainer<T> {
    /// Starts a network from a seed.
    pub fn new(program: Arc<Program>, setting: &Setting, routine: Routine, seed: u64) -> Trainer<T> {
        let mut machine = Machine::new(Arc::clone(&program));
        start(&mut machine, setting, seed);
        machine.draw_masks(seed);
        let update = |weight: &super::program::Weight| {
            let own = setting.params[weight.param.index()];
            Update::new(weight, own, setting.decay, routine.memory).map(|update| (weight.slot, update))
        };
        let trained = program.weights.iter().filter(|weight| program.gradients[weight.slot]);
        let updates = trained.filter_map(update).collect();
        Trainer { machine, routine, updates, steps: 0 }
    }

    /// Computes loss and gradients for the batch at hand.
    pub fn evaluate(&mut self) -> f64 {
        let loss = self.machine.forward();
        self.machine.backward();
        loss
    }

    /// Moves the weights by the gradients at hand.
    pub fn update(&mut self) {
        let clip = self.clip();
        let schedule = self.routine.schedule.factor(self.steps);
        self.steps += 1;
        for (slot, update) in &mut self.updates {
            let (weights, gradient) = self.machine.weight_and_gradient(*slot);
            update.step(weights, gradient, schedule, clip);
        }
    }

    /// One step on a batch; the result is the loss before it.
    pub fn step(&mut self, batch: &[Column]) -> f64 {
        self.machine.load(batch);
        let loss = self.evaluate();
        self.update();
        loss
    }

    fn clip(&self) -> f64 {
        let Some(most) = self.routine.clip else { return 1.0 };
        let norm = |slot: Slot| {
            let gradient = self.machine.gradient(slot);
            rms(gradient).powi(2) * gradient.len() as f64
        };
        let norm = self.updates.iter().map(|(slot, _)| norm(*slot)).sum::<f64>().sqrt();
        if norm > most { most / norm } else { 1.0 }
    }
}
