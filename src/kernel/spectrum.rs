//! Eigenvalues and eigenvectors of a kernel on its training points: what is learned first, and how fast one may go.

use faer::linalg::solvers::SelfAdjointEigen;
use faer::{Mat, MatRef, Side};

/// A kernel in its eigenvectors. Eigenvalues fall; what rounding makes negative is zero.
#[derive(Clone, Debug)]
pub struct Spectrum {
    /// Eigenvalues, the largest first.
    pub values: Vec<f64>,
    /// Eigenvectors as columns, in the same order.
    pub vectors: Mat<f64>,
}

/// No eigenvectors were found: an entry is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the kernel has entries that are no numbers, so it has no eigenvalues")]
pub struct NoSpectrum;

impl Spectrum {
    /// Of a symmetric matrix.
    ///
    /// # Errors
    /// If entries are not finite.
    pub fn new(kernel: MatRef<f64>) -> Result<Spectrum, NoSpectrum> {
        let found: SelfAdjointEigen<f64> = kernel.self_adjoint_eigen(Side::Lower).map_err(|_| NoSpectrum)?;
        let (rising, basis) = (found.S().column_vector(), found.U());
        let count = kernel.nrows();
        let values: Vec<f64> = (0..count).rev().map(|at| rising[at].max(0.0)).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(NoSpectrum);
        }
        let vectors = Mat::from_fn(count, count, |row, column| basis[(row, count - 1 - column)]);
        Ok(Spectrum { values, vectors })
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Below this an eigenvalue is rounding.
    pub fn floor(&self) -> f64 {
        self.values.first().map_or(0.0, |largest| largest * self.len() as f64 * f64::EPSILON)
    }

    /// How many eigenvalues are more than rounding.
    pub fn rank(&self) -> usize {
        let floor = self.floor();
        self.values.iter().filter(|value| **value > floor).count()
    }

    /// The largest over the smallest eigenvalue; infinite if the kernel is singular up to rounding.
    pub fn condition(&self) -> f64 {
        match (self.values.first(), self.values.last()) {
            (Some(largest), Some(smallest)) if *smallest > self.floor() => largest / smallest,
            (Some(_), Some(_)) => f64::INFINITY,
            _ => 1.0,
        }
    }

    /// V g(lambda) V' m for a matrix of columns.
    pub fn apply(&self, of: impl Fn(f64) -> f64, columns: MatRef<f64>) -> Mat<f64> {
        let mut inside = self.components(columns);
        for row in 0..inside.nrows() {
            let factor = of(self.values[row]);
            (0..inside.ncols()).for_each(|column| inside[(row, column)] *= factor);
        }
        &self.vectors * inside
    }

    /// The components of columns along the eigenvectors: (modes) x (columns).
    pub fn components(&self, columns: MatRef<f64>) -> Mat<f64> {
        self.vectors.transpose() * columns
    }

    /// The share of the squared length of some columns that every mode holds.
    pub fn shares(&self, columns: MatRef<f64>) -> Vec<f64> {
        let inside = self.components(columns);
        let own: Vec<f64> = (0..inside.nrows())
            .map(|row| (0..inside.ncols()).map(|at| inside[(row, at)].powi(2)).sum())
            .collect();
        let whole: f64 = own.iter().sum();
        own.into_iter().map(|share| if whole > 0.0 { share / whole } else { 0.0 }).collect()
    }

    /// y' K^+ y, summed over columns: the squared norm, in the kernel's Hilbert space, of the interpolation with the least of it. Modes below
    /// rounding are left out.
    pub fn squared_norm(&self, columns: MatRef<f64>) -> f64 {
        let inside = self.components(columns);
        let floor = self.floor();
        let mode = |row: usize| {
            let square: f64 = (0..inside.ncols()).map(|at| inside[(row, at)].powi(2)).sum();
            if self.values[row] > floor { square / self.values[row] } else { 0.0 }
        };
        (0..inside.nrows()).map(mode).sum()
    }
}

/// A matrix from numbers in rows.
pub fn matrix(rows: usize, columns: usize, numbers: &[f64]) -> Mat<f64> {
    Mat::from_fn(rows, columns, |row, column| numbers[row * columns + column])
}
