//! What a study of a limit found, as plain data: what reports show and programs read.

use serde::Serialize;

/// A study of one network's limit on one data set.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Record {
    /// The network.
    pub network: String,
    /// The tensor whose kernels these are.
    pub output: String,
    /// The command that repeats it.
    pub command: String,
    /// Where factors stand: `ntk` or `standard`.
    pub parameterization: String,
    /// How weights start, in words.
    pub start: String,
    /// The examples, in words.
    pub data: String,
    /// How many are trained on.
    pub train: usize,
    /// How many are predicted.
    pub test: usize,
    /// How many outputs each has.
    pub outputs: usize,
    /// The formula of the loss, which sets the unit of time.
    pub loss: String,
    /// The learning rate of discrete steps; none for gradient flow.
    pub rate: Option<f64>,
    /// How the kernels were found: in the limit, or as means over finite networks with their standard errors.
    pub method: String,
    /// The kernels.
    pub kernels: Vec<KernelRecord>,
    /// The finite network, trained.
    pub trained: Option<Trained>,
    /// False if it was interrupted: then fewer examples were taken, or fewer networks drawn.
    pub complete: bool,
    /// Seconds for the kernels alone.
    pub kernel_seconds: f64,
    /// Seconds in all.
    pub seconds: f64,
}

/// One kernel.
#[derive(Clone, Debug, Default, Serialize)]
pub struct KernelRecord {
    /// `NNGP` or `NTK`.
    pub name: String,
    /// The mean over training points of k(x, x).
    pub diagonal: f64,
    /// The smallest.
    pub smallest_diagonal: f64,
    /// The largest.
    pub largest_diagonal: f64,
    /// The mean of k(x, x') / sqrt(k(x, x) k(x', x')) over different training points.
    pub correlation: f64,
    /// Eigenvalues on the training points, the largest first.
    pub eigenvalues: Vec<f64>,
    /// The share of the targets' squared length along each eigenvector.
    pub shares: Vec<f64>,
    /// How many eigenvalues are more than rounding.
    pub rank: usize,
    /// The largest over the smallest eigenvalue; none if singular.
    pub condition: Option<f64>,
    /// The largest stable learning rate of gradient descent under the loss of the record.
    pub largest_rate: f64,
    /// What was added to the diagonal on request.
    pub ridge: f64,
    /// What had to be added on top of it for a Cholesky factor.
    pub jitter: f64,
    /// The squared norm of the interpolation with the least norm.
    pub squared_norm: f64,
    /// The log of the density of the targets under a Gaussian process with this kernel.
    pub log_likelihood: f64,
    /// Mean squared error of the regression on the test points.
    pub test_error: f64,
    /// The mean variance of the regression on the test points.
    pub test_variance: f64,
    /// The share of test points with the right class.
    pub accuracy: Option<f64>,
    /// Training in the limit.
    pub curve: Vec<Moment>,
}

/// An ensemble of networks of infinite width at one time of training with this kernel.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Moment {
    /// The time; none for infinity.
    pub time: Option<f64>,
    /// The mean squared error of the mean on the training points.
    pub train_error: f64,
    /// The same on the test points.
    pub test_error: f64,
    /// The mean variance over networks on the test points.
    pub test_variance: f64,
    /// The share of test points whose class the mean has right.
    pub accuracy: Option<f64>,
    /// What is left of the error along some eigenvectors: first, then every decade.
    pub modes: Vec<f64>,
}

/// The finite network.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trained {
    /// How it was trained, in words.
    pub how: String,
    /// Its lengths that grow, in words.
    pub size: String,
    /// The share of test points with the right class.
    pub accuracy: f64,
}
