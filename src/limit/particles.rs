//! The mean-field limit of a network with one hidden layer, f(x) = E[a phi(w x + b)] over a distribution of neurons (a, w, b) that training moves.
//!
//! Under muP, which for one hidden layer is the mean-field parameterization (Mei, Montanari & Nguyen 2018, arXiv 1804.06561; Yang & Hu 2021,
//! arXiv 2011.14522), each neuron follows the gradient in the field of all others:
//!
//! ```text
//! da = eta mean (y - f(x)) phi(w x + b),   d(w, b) = eta mean (y - f(x)) a phi'(w x + b) (x, 1)
//! ```
//!
//! It starts with a ~ N(0, 1), w ~ N(0, 1/d), b = 0. Expectations are means over the points of a lattice that is mapped to this start, each with its
//! mirror image -a, which is as likely; every point is a particle that moves as a neuron does. The steps are those of gradient descent, so that this is the limit of the discrete training and not of
//! its flow.

use rayon::prelude::*;

use super::layers::Biases;
use super::problem::Problem;
use crate::graph::Func;
use crate::kernel::lattice::Lattice;
use crate::numeric::function::{slope, value};
use crate::watch::Watch;

/// How the limit is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// The activation.
    pub func: Func,
    /// Which biases there are.
    pub biases: Biases,
    /// eta.
    pub rate: f64,
    /// Steps of gradient descent.
    pub steps: usize,
    /// Particles: 2^power, half of them mirror images.
    pub power: u32,
    /// Independent shifts of the lattice.
    pub shifts: u64,
}

/// The limit with its error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The outputs for all examples before every step and after the last: (steps + 1) x (examples * outputs).
    pub outputs: Vec<Vec<f64>>,
    /// Their standard errors, from the scatter of the shifts.
    pub errors: Vec<Vec<f64>>,
    /// How many shifts.
    pub shifts: usize,
}

/// One set of particles.
struct Cloud<'a> {
    problem: &'a Problem,
    func: Func,
    biases: Biases,
    /// (particles) x (outputs)
    a: Vec<f64>,
    /// (particles) x (inputs)
    w: Vec<f64>,
    b: Vec<f64>,
    /// The bias of the output.
    shift: Vec<f64>,
}

impl<'a> Cloud<'a> {
    fn new(problem: &'a Problem, course: &Course, lattice: &Lattice, seed: u64) -> Cloud<'a> {
        let (inputs, outputs) = (problem.inputs, problem.outputs);
        let points = lattice.normal(seed);
        let rows = || points.chunks_exact(inputs + outputs);
        let root = (inputs as f64).sqrt().recip();
        let w: Vec<f64> = rows().flat_map(|row| row[..inputs].iter().map(|own| own * root)).collect();
        let a: Vec<f64> = rows().flat_map(|row| row[inputs..].iter().copied()).collect();
        let mirrored = a.iter().map(|own| -own).collect();
        Cloud {
            problem,
            func: course.func,
            biases: course.biases,
            a: [a, mirrored].concat(),
            w: [w.clone(), w].concat(),
            b: vec![0.0; 2 * lattice.count],
            shift: vec![0.0; outputs],
        }
    }

    fn argument(&self, particle: usize, x: &[f64]) -> f64 {
        let w = &self.w[particle * x.len()..(particle + 1) * x.len()];
        self.b[particle] + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()
    }

    /// Means of a phi(w x + b): (examples) x (outputs).
    fn outputs(&self) -> Vec<f64> {
        let outputs = self.problem.outputs;
        let mut found = Vec::new();
        for (x, _) in self.problem.examples() {
            let mut sums = vec![0.0; outputs];
            for particle in 0..self.b.len() {
                let y = value(self.func, self.argument(particle, x));
                let a = &self.a[particle * outputs..(particle + 1) * outputs];
                sums.iter_mut().zip(a).for_each(|(sum, a)| *sum += a * y);
            }
            let means = sums.into_iter().map(|sum| sum / self.b.len() as f64);
            found.extend(means.zip(&self.shift).map(|(mean, shift)| mean + shift));
        }
        found
    }

    /// One step with these outputs.
    fn step(&mut self, f: &[f64], rate: f64) {
        let (inputs, outputs) = (self.problem.inputs, self.problem.outputs);
        let share = rate / self.problem.count() as f64;
        let errors: Vec<f64> = self.problem.y().iter().zip(f).map(|(y, f)| share * (y - f)).collect();
        let (mut da, mut dw) = (vec![0.0; outputs], vec![0.0; inputs]);
        for particle in 0..self.b.len() {
            da.fill(0.0);
            dw.fill(0.0);
            let mut db = 0.0;
            let own = particle * outputs..(particle + 1) * outputs;
            for ((x, _), errors) in self.problem.examples().zip(errors.chunks(outputs)) {
                let h = self.argument(particle, x);
                let y = value(self.func, h);
                let back: f64 = errors.iter().zip(&self.a[own.clone()]).map(|(error, a)| error * a).sum();
                let back = back * slope(self.func, h, y);
                da.iter_mut().zip(errors).for_each(|(da, error)| *da += error * y);
                dw.iter_mut().zip(x).for_each(|(dw, x)| *dw += back * x);
                db += back;
            }
            self.a[own].iter_mut().zip(&da).for_each(|(a, da)| *a += da);
            let w = &mut self.w[particle * inputs..(particle + 1) * inputs];
            w.iter_mut().zip(&dw).for_each(|(w, dw)| *w += dw);
            if self.biases.hidden {
                self.b[particle] += db;
            }
        }
        if self.biases.output {
            for errors in errors.chunks(outputs) {
                self.shift.iter_mut().zip(errors).for_each(|(shift, error)| *shift += error);
            }
        }
    }
}

/// The limit: the mean over shifts, and its standard error. Shifts that were not finished before the watch stopped are left out; none if fewer than two
/// were, which have no scatter.
pub fn limit(problem: &Problem, course: &Course, watch: &dyn Watch) -> Option<Found> {
    let lattice = Lattice::new(course.power.max(2) - 1, problem.inputs + problem.outputs);
    let one = |seed: u64| {
        let mut cloud = Cloud::new(problem, course, &lattice, seed);
        let mut found = Vec::with_capacity(course.steps + 1);
        for step in 0..=course.steps {
            if watch.stopped() {
                return None;
            }
            let outputs = cloud.outputs();
            if step < course.steps {
                cloud.step(&outputs, course.rate);
            }
            found.push(outputs);
        }
        watch.finished(1);
        Some(found)
    };
    let shifts: Vec<Vec<Vec<f64>>> = (0..course.shifts).into_par_iter().filter_map(one).collect();
    let count = shifts.len() as f64;
    if shifts.len() < 2 {
        return None;
    }
    let each = |of: &dyn Fn(Vec<f64>) -> f64| -> Vec<Vec<f64>> {
        let entry = |step: usize, at: usize| of(shifts.iter().map(|own| own[step][at]).collect());
        (0..=course.steps).map(|step| (0..problem.y().len()).map(|at| entry(step, at)).collect()).collect()
    };
    let mean = |own: &[f64]| own.iter().sum::<f64>() / count;
    let error = |own: &[f64]| {
        let middle = mean(own);
        let squares: f64 = own.iter().map(|own| (own - middle).powi(2)).sum();
        (squares / (count * (count - 1.0).max(1.0))).sqrt()
    };
    Some(Found { outputs: each(&|own| mean(&own)), errors: each(&|own| error(&own)), shifts: shifts.len() })
}
