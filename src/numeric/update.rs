//! Optimizers: how one tensor moves, given its gradient. Every update is one pass over memory.
//!
//! | optimizer | step | source |
//! |---|---|---|
//! | SGD | g, with momentum if asked for | |
//! | Adam, AdamW | m / (sqrt(v) + eps), bias-corrected | Kingma & Ba 2014; Loshchilov & Hutter 2019 |
//! | Adagrad | g / (sqrt(sum of g^2) + eps) | Duchi et al. 2011 |
//! | RMSprop | g / (sqrt(v) + eps) | Hinton 2012 |
//! | Lion | sign(b1 m + (1 - b1) g) | Chen et al. 2023, arXiv 2302.06675 |
//! | sign | sign(g) | Bernstein et al. 2018, arXiv 1802.04434 |
//! | Adafactor | max(eps, rms(w)) g / sqrt(v), v factored for matrices | Shazeer & Stern 2018, arXiv 1804.04235 |
//! | LARS | norm(w) / norm(g) g | You et al. 2017, arXiv 1708.03888 |
//! | LAMB | norm(w) / norm(u) u with Adam's u | You et al. 2019, arXiv 1904.00962 |
//! | Muon, Shampoo, SOAP | see [`super::spectral`] | |

use super::linear::dot;
use super::program::Weight;
use super::real::{Real, vectorized};
use super::setting::ParamSetting;
use super::spectral::{Matrix, Spectral};
use crate::optimizer::{Decay, Optimizer};

/// What optimizers remember, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Of SGD: 0 for none.
    pub momentum: f64,
    /// Of the first moment.
    pub first: f64,
    /// Of the second moment.
    pub second: f64,
}

impl Default for Memory {
    /// No momentum for SGD; 0.9 and 0.999.
    fn default() -> Memory {
        Memory { momentum: 0.0, first: 0.9, second: 0.999 }
    }
}

/// The optimizer of one tensor with its state.
#[derive(Clone, Debug)]
pub struct Update<T> {
    setting: ParamSetting,
    optimizer: Optimizer,
    memory: Memory,
    decay: Decay,
    steps: i32,
    first: Vec<T>,
    second: Vec<T>,
    spectral: Option<Spectral<T>>,
}

/// The factors of one step that do not depend on the entry.
#[derive(Clone, Copy)]
struct Pass<T> {
    rate: T,
    epsilon: T,
    /// What is left of a weight by decay that acts on weights.
    keep: T,
    /// What decay adds to the gradient.
    pull: T,
    first: T,
    second: T,
    /// 1 / (1 - b^t) of both moments.
    corrections: [T; 2],
}

impl<T: Real> Update<T> {
    /// The optimizer of a weight; none if it is frozen.
    pub fn new(weight: &Weight, setting: ParamSetting, decay: Decay, memory: Memory) -> Option<Update<T>> {
        let optimizer = setting.optimizer?;
        let length: usize = weight.shape.iter().product();
        let keeps = |needed: bool| vec![T::zero(); if needed { length } else { 0 }];
        let matrix = Matrix::of(weight);
        let (first, second) = match optimizer {
            Optimizer::Sgd => (memory.momentum != 0.0, false),
            Optimizer::Adam | Optimizer::AdamW | Optimizer::Lamb => (true, true),
            Optimizer::Adagrad | Optimizer::RmsProp => (false, true),
            Optimizer::Lion => (true, false),
            Optimizer::Adafactor => (false, true),
            Optimizer::Sign | Optimizer::Lars => (false, false),
            Optimizer::Muon | Optimizer::MuonJordan | Optimizer::MuonMoonlight => (false, false),
            Optimizer::Shampoo | Optimizer::Soap => (false, false),
        };
        let spectral = Spectral::new(optimizer, matrix);
        let (first, second) = (keeps(first), keeps(second));
        Some(Update { setting, optimizer, memory, decay, steps: 0, first, second, spectral })
    }

    /// One step with a factor on the learning rate (of a schedule) and one on the gradient (of clipping).
    pub fn step(&mut self, weights: &mut [T], gradient: &[T], schedule: f64, clip: f64) {
        self.steps += 1;
        let pass = self.pass(schedule);
        let clip = T::of(clip);
        match self.optimizer {
            Optimizer::Sgd if self.first.is_empty() => self.entries(Law::Sgd, pass, clip, weights, gradient),
            Optimizer::Sgd => {
                let law = Law::Momentum(T::of(self.memory.momentum));
                self.entries(law, pass, clip, weights, gradient);
            }
            Optimizer::Adam | Optimizer::AdamW => self.entries(Law::Adam, pass, clip, weights, gradient),
            Optimizer::Adagrad => {
                let sum = Pass { second: T::one(), ..pass };
                self.entries(Law::Scaled(T::one()), sum, clip, weights, gradient);
            }
            Optimizer::RmsProp => {
                self.entries(Law::Scaled(T::one() - pass.second), pass, clip, weights, gradient);
            }
            Optimizer::Lion => self.entries(Law::Lion, pass, clip, weights, gradient),
            Optimizer::Sign => self.entries(Law::Sign, pass, clip, weights, gradient),
            Optimizer::Adafactor => self.adafactor(pass, clip, weights, gradient),
            Optimizer::Lars => lars(pass, clip, weights, gradient),
            Optimizer::Lamb => self.lamb(pass, clip, weights, gradient),
            Optimizer::Muon
            | Optimizer::MuonJordan
            | Optimizer::MuonMoonlight
            | Optimizer::Shampoo
            | Optimizer::Soap => self.spectral(pass, clip, weights, gradient),
        }
    }

    fn entries(&mut self, law: Law<T>, pass: Pass<T>, clip: T, weights: &mut [T], gradient: &[T]) {
        let (first, second) = (&mut self.first[..], &mut self.second[..]);
        vectorized(
            #[inline(always)]
            move || entries((law, pass, clip), weights, gradient, first, second),
        );
    }

    fn spectral(&mut self, pass: Pass<T>, clip: T, weights: &mut [T], gradient: &[T]) {
        let Some(own) = &mut self.spectral else { return };
        let step = own.direction(gradient, clip, pass.epsilon);
        for (w, u) in weights.iter_mut().zip(step) {
            *w = pass.keep * *w - pass.rate * (*u + pass.pull * *w);
        }
    }

    fn pass(&self, schedule: f64) -> Pass<T> {
        let (rate, decay) = (self.setting.learning_rate * schedule, self.setting.weight_decay);
        let (keep, pull) = match self.decay {
            Decay::Decoupled => (1.0 - rate * decay, 0.0),
            Decay::Independent => (1.0 - schedule * decay, 0.0),
            Decay::Coupled => (1.0, decay),
        };
        let correction = |memory: f64| T::of(1.0 / (1.0 - memory.powi(self.steps)));
        Pass {
            rate: T::of(rate),
            epsilon: T::of(self.setting.epsilon),
            keep: T::of(keep),
            pull: T::of(pull),
            first: T::of(self.memory.first),
            second: T::of(self.memory.second),
            corrections: [correction(self.memory.first), correction(self.memory.second)],
        }
    }

    /// Relative steps: as large as the weights themselves. Weights that start at zero have the floor of the paper, 1e-3.
    fn adafactor(&mut self, pass: Pass<T>, clip: T, weights: &mut [T], gradient: &[T]) {
        let memory = T::of(1.0 - f64::from(self.steps).powf(-0.8));
        let tiny = T::of(1e-30);
        let mut squares = 0.0;
        for (v, g) in self.second.iter_mut().zip(gradient) {
            let g = clip * *g;
            *v = memory * *v + (T::one() - memory) * (g * g + tiny);
            squares += (g * g / *v).double();
        }
        let size = (squares / gradient.len().max(1) as f64).sqrt().max(1.0);
        let floor = if self.setting.epsilon > 0.0 { self.setting.epsilon } else { 1e-3 };
        let scale = T::of(rms(weights).max(floor) / size);
        let entries = weights.iter_mut().zip(gradient).zip(&self.second);
        entries.for_each(|((w, g), v)| {
            *w = pass.keep * *w - pass.rate * (scale * clip * *g / v.sqrt() + pass.pull * *w);
        });
    }

    /// Adam's direction, as long as the weights.
    fn lamb(&mut self, pass: Pass<T>, clip: T, weights: &mut [T], gradient: &[T]) {
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((m, v), (w, g)) in moments.zip(weights.iter().zip(gradient)) {
            let g = clip * *g + pass.pull * *w;
            *m = pass.first * *m + (T::one() - pass.first) * g;
            *v = pass.second * *v + (T::one() - pass.second) * g * g;
        }
        let direction =
            |m: T, v: T| pass.corrections[0] * m / ((pass.corrections[1] * v).sqrt() + pass.epsilon);
        let squares = self.first.iter().zip(&self.second).map(|(m, v)| direction(*m, *v).double().powi(2));
        let size = (squares.sum::<f64>() / weights.len().max(1) as f64).sqrt();
        let own = rms(weights);
        let trust = if own > 0.0 && size > 0.0 { own / size } else { 1.0 };
        let rate = pass.rate * T::of(trust);
        let moments = self.first.iter().zip(&self.second);
        weights
            .iter_mut()
            .zip(moments)
            .for_each(|(w, (m, v))| *w = pass.keep * *w - rate * direction(*m, *v));
    }
}

/// The root of the mean square.
pub fn rms<T: Real>(entries: &[T]) -> f64 {
    let squares: f64 = entries.chunks(4096).map(|chunk| dot(chunk, chunk).double()).sum();
    (squares / entries.len().max(1) as f64).sqrt()
}

/// The laws that look at one entry at a time.
#[derive(Clone, Copy, Debug)]
enum Law<T> {
    /// Against the gradient.
    Sgd,
    /// Against what is remembered of the gradients.
    Momentum(T),
    /// The first moment over the root of the second.
    Adam,
    /// The gradient over the root of the second moment, of which the new square has this share.
    Scaled(T),
    /// The sign of the first moment.
    Lion,
    /// The sign of the gradient.
    Sign,
}

/// One pass over the entries of a tensor.
#[inline(always)]
fn entries<T: Real>(
    (law, pass, clip): (Law<T>, Pass<T>, T),
    weights: &mut [T],
    gradient: &[T],
    first: &mut [T],
    second: &mut [T],
) {
    let (fresh_first, fresh_second) = (T::one() - pass.first, T::one() - pass.second);
    match law {
        Law::Sgd => {
            let (keep, rate) = (pass.keep - pass.rate * pass.pull, pass.rate * clip);
            for (w, g) in weights.iter_mut().zip(gradient) {
                *w = keep * *w - rate * *g;
            }
        }
        Law::Momentum(memory) => {
            for ((w, g), m) in weights.iter_mut().zip(gradient).zip(first) {
                *m = memory * *m + clip * *g + pass.pull * *w;
                *w = pass.keep * *w - pass.rate * *m;
            }
        }
        Law::Adam => {
            let (rate, root) = (pass.rate * pass.corrections[0], pass.corrections[1].sqrt());
            for ((w, g), (m, v)) in weights.iter_mut().zip(gradient).zip(first.iter_mut().zip(second)) {
                let g = clip * *g + pass.pull * *w;
                *m = pass.first * *m + fresh_first * g;
                *v = pass.second * *v + fresh_second * g * g;
                *w = pass.keep * *w - rate * *m / (root * v.sqrt() + pass.epsilon);
            }
        }
        Law::Scaled(fresh) => {
            for ((w, g), v) in weights.iter_mut().zip(gradient).zip(second) {
                let g = clip * *g + pass.pull * *w;
                *v = pass.second * *v + fresh * g * g;
                *w = pass.keep * *w - pass.rate * g / (v.sqrt() + pass.epsilon);
            }
        }
        Law::Lion => {
            for ((w, g), m) in weights.iter_mut().zip(gradient).zip(first) {
                let g = clip * *g + pass.pull * *w;
                let direction = (pass.first * *m + fresh_first * g).sign();
                *m = pass.second * *m + fresh_second * g;
                *w = pass.keep * *w - pass.rate * direction;
            }
        }
        Law::Sign => {
            for (w, g) in weights.iter_mut().zip(gradient) {
                *w = pass.keep * *w - pass.rate * (clip * *g + pass.pull * *w).sign();
            }
        }
    }
}

/// Along the gradient, as long as the weights.
fn lars<T: Real>(pass: Pass<T>, clip: T, weights: &mut [T], gradient: &[T]) {
    let (own, size) = (rms(weights), rms(gradient) * clip.double().abs());
    let epsilon = pass.epsilon.double() / (gradient.len().max(1) as f64).sqrt();
    let trust = if own > 0.0 && size > 0.0 { own / (size + epsilon) } else { 1.0 };
    let rate = pass.rate * T::of(trust);
    let pairs = weights.iter_mut().zip(gradient);
    pairs.for_each(|(w, g)| *w = pass.keep * *w - rate * (clip * *g + pass.pull * *w));
}
