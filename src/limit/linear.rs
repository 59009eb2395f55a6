//! The muP limit of a network with one linear hidden layer, f(x) = V' U x, exactly.
//!
//! Neuron i holds u_i (d numbers, one per input, of variance 1/d at the start) and v_i (one per output, of variance 1), and
//! f(x) = (1/n) sum_i v_i u_i x. A step of gradient descent on the mean over examples of |f - y|^2 / 2 at the rate eta n of muP (Yang & Hu 2021, arXiv 2011.14522) moves every neuron by one
//! linear map:
//!
//! ```text
//! u <- u + eta G' v,   v <- v + eta G u,   G = mean over examples of (y - f(x)) x'
//! ```
//!
//! What f needs is M = E[(u, v) (u, v)'], a matrix of (inputs + outputs)^2 numbers; it starts diagonal and goes to A M A' with
//! A = 1 + eta (0 G'; G 0). So the limit is followed with a few scalars for any number of steps, and nothing is left out. A bias of every neuron is one
//! more entry of u that starts at zero and reads the number 1; a bias of the output moves by the mean error.

use super::layers::Biases;
use super::problem::Problem;

/// The state: second moments of one neuron.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Of u: one per input, and one more with a bias.
    inputs: usize,
    outputs: usize,
    biases: Biases,
    /// (inputs + outputs) x (inputs + outputs), symmetric; inputs first.
    matrix: Vec<f64>,
    /// The bias of the output.
    shift: Vec<f64>,
}

impl Moments {
    /// At initialization: all numbers of a neuron are independent.
    pub fn new(inputs: usize, outputs: usize, biases: Biases) -> Moments {
        let all = inputs + usize::from(biases.hidden);
        let mut matrix = identity(all + outputs);
        (0..inputs).for_each(|at| matrix[at * (all + outputs + 1)] = 1.0 / inputs as f64);
        (inputs..all).for_each(|at| matrix[at * (all + outputs + 1)] = 0.0);
        Moments { inputs: all, outputs, biases, matrix, shift: vec![0.0; outputs] }
    }

    /// What a neuron reads of an input.
    fn read<'a>(&self, x: &'a [f64]) -> impl Iterator<Item = f64> + use<'a> {
        x.iter().copied().chain(self.biases.hidden.then_some(1.0))
    }

    fn size(&self) -> usize {
        self.inputs + self.outputs
    }

    /// E[v u']: what the network does, (outputs) x (inputs).
    pub fn map(&self, output: usize, input: usize) -> f64 {
        self.matrix[(self.inputs + output) * self.size() + input]
    }

    /// E[(u, v) (u, v)'] at a row and a column.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.matrix[row * self.size() + column]
    }

    /// The output for one input.
    pub fn output(&self, x: &[f64]) -> Vec<f64> {
        let one = |output: usize| {
            let sum: f64 = self.read(x).enumerate().map(|(input, x)| self.map(output, input) * x).sum();
            sum + self.shift[output]
        };
        (0..self.outputs).map(one).collect()
    }

    /// One step.
    pub fn step(&mut self, problem: &Problem, rate: f64) {
        let (size, inputs) = (self.size(), self.inputs);
        let mut turn = identity(size);
        let mut shift = self.shift.clone();
        for (x, y) in problem.examples() {
            let f = self.output(x);
            for (output, error) in y.iter().zip(&f).map(|(y, f)| y - f).enumerate() {
                let share = rate * error / problem.count() as f64;
                if self.biases.output {
                    shift[output] += share;
                }
                for (input, x) in self.read(x).enumerate() {
                    let change = share * x;
                    turn[(inputs + output) * size + input] += change;
                    turn[input * size + inputs + output] += change;
                }
            }
        }
        self.shift = shift;
        let half = product(&turn, &self.matrix, size);
        // The turn is symmetric, so that A M A' is the product with itself once more.
        self.matrix = product(&half, &turn, size);
    }
}

fn identity(size: usize) -> Vec<f64> {
    (0..size * size).map(|at| if at % (size + 1) == 0 { 1.0 } else { 0.0 }).collect()
}

fn product(left: &[f64], right: &[f64], size: usize) -> Vec<f64> {
    let entry = |row: usize, column: usize| {
        (0..size).map(|at| left[row * size + at] * right[at * size + column]).sum()
    };
    (0..size * size).map(|at| entry(at / size, at % size)).collect()
}

/// The outputs for all examples before every step and after the last: (steps + 1) x (examples * outputs).
pub fn limit(problem: &Problem, biases: Biases, rate: f64, steps: usize) -> Vec<Vec<f64>> {
    let mut moments = Moments::new(problem.inputs, problem.outputs, biases);
    let mut found = Vec::with_capacity(steps + 1);
    for step in 0..=steps {
        found.push(problem.examples().flat_map(|(x, _)| moments.output(x)).collect());
        if step < steps {
            moments.step(problem, rate);
        }
    }
    found
}
