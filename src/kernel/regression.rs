//! Regression with a kernel: Gaussian processes (NNGP), kernel ridge regression (NTK).
//!
//! With a ridge r, mean k(x, X)(K + r)^-1 y, variance k(x, x) - k(x, X)(K + r)^-1 k(X, x), and the log of the density of the targets
//! (Rasmussen & Williams 2006, algorithm 2.1). A matrix without a Cholesky factor gets the smallest jitter on its diagonal that gives it one; the
//! jitter is part of the answer.

use std::f64::consts::PI;

use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, MatRef, Side};

/// A kernel with targets, ready to predict.
#[derive(Clone, Debug)]
pub struct Regression {
    factor: Llt<f64>,
    /// (K + ridge)^-1 y: (points) x (outputs).
    weights: Mat<f64>,
    targets: Mat<f64>,
    /// What was added to the diagonal.
    pub ridge: f64,
    /// What had to be added on top of it.
    pub jitter: f64,
}

/// Why there is no regression.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum NoRegression {
    /// Entries are not numbers, or the matrix is far from positive.
    #[error(
        "the kernel is not positive semidefinite: not even a jitter of {0:.1e} gives it a Cholesky factor"
    )]
    Indefinite(f64),
}

impl Regression {
    /// Factorizes a kernel.
    ///
    /// # Errors
    /// If it is not positive semidefinite.
    pub fn new(kernel: MatRef<f64>, targets: MatRef<f64>, ridge: f64) -> Result<Regression, NoRegression> {
        let count = kernel.nrows();
        let mean = (0..count).map(|at| kernel[(at, at)]).sum::<f64>().abs() / count.max(1) as f64;
        // A kernel that is zero everywhere has no size of its own.
        let size = if mean == 0.0 { 1.0 } else { mean };
        let mut jitter = 0.0;
        loop {
            let mut shifted = kernel.to_owned();
            (0..count).for_each(|at| shifted[(at, at)] += ridge + jitter);
            if let Ok(factor) = shifted.llt(Side::Lower) {
                let weights = factor.solve(targets);
                return Ok(Regression { factor, weights, targets: targets.to_owned(), ridge, jitter });
            }
            jitter = if jitter == 0.0 { size * 1e-14 } else { 10.0 * jitter };
            if !jitter.is_finite() || jitter > 1e-4 * size {
                return Err(NoRegression::Indefinite(jitter));
            }
        }
    }

    /// The mean at other points, from their kernel with the training points: (points) x (outputs).
    pub fn mean(&self, cross: MatRef<f64>) -> Mat<f64> {
        cross * &self.weights
    }

    /// The variance at other points, from their kernel with the training points and with themselves.
    pub fn variance(&self, cross: MatRef<f64>, own: &[f64]) -> Vec<f64> {
        let solved = self.factor.solve(cross.transpose());
        let explained =
            |row: usize| (0..cross.ncols()).map(|at| cross[(row, at)] * solved[(at, row)]).sum::<f64>();
        own.iter().enumerate().map(|(row, own)| (own - explained(row)).max(0.0)).collect()
    }

    /// log N(y; 0, K + ridge), summed over outputs.
    pub fn log_likelihood(&self) -> f64 {
        let (count, outputs) = (self.targets.nrows(), self.targets.ncols());
        let lower = self.factor.L();
        let determinant = (0..count).map(|at| lower[(at, at)].ln()).sum::<f64>();
        let fit = self.squared_norm();
        -0.5 * fit - outputs as f64 * (determinant + 0.5 * count as f64 * (2.0 * PI).ln())
    }

    /// y' (K + ridge)^-1 y, summed over outputs: without a ridge the squared norm of the interpolation in the kernel's Hilbert space.
    pub fn squared_norm(&self) -> f64 {
        let products = |column: usize| {
            (0..self.targets.nrows())
                .map(|row| self.targets[(row, column)] * self.weights[(row, column)])
                .sum::<f64>()
        };
        (0..self.targets.ncols()).map(products).sum()
    }
}
