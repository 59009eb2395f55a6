//! Training in the limit: a linear model whose kernel stays what it is (Jacot et al. 2018, arXiv 1806.07572; Lee et al. 2019, arXiv 1902.06720).
//!
//! With L = 1/2 |f - y|^2 and gradient flow, df/dt = -K (f - y), so that on the training points f_t = y + exp(-K t)(f_0 - y), and elsewhere
//! f_t(x) = f_0(x) - k(x, X) phi(t) (f_0 - y) with phi(t) = (1 - exp(-K t)) / K. Modes that rounding cannot tell from
//! zero do not move, and no other point sees them (a covariance with a variable of variance zero is zero): singular kernels give finite answers at
//! every time. Discrete steps of size eta replace
//! exp(-lambda t) by (1 - eta lambda)^k.

use faer::{Mat, MatRef};

use super::spectrum::Spectrum;

/// How errors are added up. It sets the unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// L = 1/2 sum (f - y)^2.
    Sum,
    /// L = 1/(2 N C) sum (f - y)^2 over N points and C outputs, as neural-tangents has it.
    Mean,
}

impl Loss {
    /// What the loss multiplies the kernel by.
    pub fn factor(self, points: usize, outputs: usize) -> f64 {
        match self {
            Loss::Sum => 1.0,
            Loss::Mean => 1.0 / (points * outputs).max(1) as f64,
        }
    }

    /// In a formula.
    pub fn formula(self) -> &'static str {
        match self {
            Loss::Sum => "L = 1/2 sum (f - y)^2",
            Loss::Mean => "L = 1/(2 N C) sum (f - y)^2",
        }
    }
}

/// How long training goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Time {
    /// Gradient flow up to this time, which may be infinite.
    Flow(f64),
    /// Steps of gradient descent.
    Steps {
        /// How many.
        count: u64,
        /// The learning rate.
        rate: f64,
    },
}

impl Time {
    /// What is left of the error of a mode: exp(-lambda t).
    pub fn decay(self, eigenvalue: f64) -> f64 {
        match self {
            Time::Flow(time) if eigenvalue <= 0.0 || time == 0.0 => 1.0,
            Time::Flow(time) => (-eigenvalue * time).exp(),
            Time::Steps { count, rate } => power(1.0 - rate * eigenvalue, count),
        }
    }

    /// (1 - decay) / lambda, whose limit at lambda = 0 is the time.
    pub fn gain(self, eigenvalue: f64) -> f64 {
        match self {
            Time::Flow(time) if time.is_infinite() => 1.0 / eigenvalue,
            Time::Flow(time) => {
                let exponent = eigenvalue * time;
                if exponent == 0.0 { time } else { -(-exponent).exp_m1() / eigenvalue }
            }
            Time::Steps { count, rate } => {
                // sum_{k < count} (1 - rate lambda)^k, without division where lambda is small.
                let x = rate * eigenvalue;
                if x.abs() < 1e-8 {
                    let n = count as f64;
                    if n * x.abs() < 1e-8 { rate * n } else { -(n * (-x).ln_1p()).exp_m1() / eigenvalue }
                } else {
                    (1.0 - power(1.0 - x, count)) / eigenvalue
                }
            }
        }
    }
}

fn power(base: f64, count: u64) -> f64 {
    match i32::try_from(count) {
        Ok(count) => base.powi(count),
        Err(_) => {
            let sign = if base < 0.0 && count % 2 == 1 { -1.0 } else { 1.0 };
            sign * base.abs().powf(count as f64)
        }
    }
}

/// Training on some points, with a kernel that stays what it is.
#[derive(Clone, Debug)]
pub struct Training<'a> {
    /// The kernel of the training points, times the factor of the loss.
    spectrum: &'a Spectrum,
    factor: f64,
}

/// Mean and covariance of an ensemble of networks.
#[derive(Clone, Debug)]
pub struct Ensemble {
    /// (points) x (outputs)
    pub mean: Mat<f64>,
    /// (points) x (points), the same for every output.
    pub covariance: Mat<f64>,
}

impl<'a> Training<'a> {
    /// With the spectrum of the kernel of the training points.
    pub fn new(spectrum: &'a Spectrum, loss: Loss, outputs: usize) -> Training<'a> {
        Training { spectrum, factor: loss.factor(spectrum.len(), outputs) }
    }

    /// The largest learning rate of gradient descent at which no mode grows: 2 / (largest eigenvalue of the loss's curvature).
    pub fn largest_rate(&self) -> f64 {
        2.0 / (self.factor * self.spectrum.values.first().copied().unwrap_or(0.0))
    }

    fn scaled(&self, time: Time) -> Time {
        match time {
            Time::Flow(time) => Time::Flow(time * self.factor),
            Time::Steps { count, rate } => Time::Steps { count, rate: rate * self.factor },
        }
    }

    /// What is left of the error of each mode.
    pub fn decays(&self, time: Time) -> Vec<f64> {
        let (time, floor) = (self.scaled(time), self.spectrum.floor());
        let own = |value: &f64| if *value > floor { time.decay(*value) } else { 1.0 };
        self.spectrum.values.iter().map(own).collect()
    }

    /// The outputs at the training points: (points) x (outputs) from those at the start and the targets.
    pub fn train(&self, time: Time, start: MatRef<f64>, targets: MatRef<f64>) -> Mat<f64> {
        let (time, floor) = (self.scaled(time), self.spectrum.floor());
        let left = |value: f64| if value > floor { time.decay(value) } else { 1.0 };
        let error = start - targets;
        targets + self.spectrum.apply(left, error.as_ref())
    }

    /// phi(t) m.
    fn gained(&self, time: Time, columns: MatRef<f64>) -> Mat<f64> {
        let (time, floor) = (self.scaled(time), self.spectrum.floor());
        self.spectrum.apply(|value| if value > floor { time.gain(value) } else { 0.0 }, columns)
    }

    /// The outputs at other points, whose kernel with the training points is `cross`: (points) x (training points).
    pub fn test(
        &self,
        time: Time,
        cross: MatRef<f64>,
        (start, start_here): (MatRef<f64>, MatRef<f64>),
        targets: MatRef<f64>,
    ) -> Mat<f64> {
        let error = start - targets;
        start_here - cross * self.gained(time, error.as_ref())
    }

    /// Mean and covariance, over random starts, at the training points; `prior` is their NNGP.
    pub fn train_ensemble(&self, time: Time, prior: MatRef<f64>, targets: MatRef<f64>) -> Ensemble {
        let zero = Mat::<f64>::zeros(targets.nrows(), targets.ncols());
        let (scaled, floor) = (self.scaled(time), self.spectrum.floor());
        let left = |value: f64| if value > floor { scaled.decay(value) } else { 1.0 };
        let half = self.spectrum.apply(left, prior);
        let covariance = self.spectrum.apply(left, half.transpose());
        Ensemble { mean: self.train(time, zero.as_ref(), targets), covariance }
    }

    /// Mean and covariance, over random starts, at other points. `cross` is their tangent kernel with the training points; of the NNGP come the
    /// covariances of the training points, between both, and of the other points.
    pub fn test_ensemble(
        &self,
        time: Time,
        cross: MatRef<f64>,
        (prior, prior_cross, prior_here): (MatRef<f64>, MatRef<f64>, MatRef<f64>),
        targets: MatRef<f64>,
    ) -> Ensemble {
        let zero = Mat::<f64>::zeros(targets.nrows(), targets.ncols());
        let here = Mat::<f64>::zeros(cross.nrows(), targets.ncols());
        let mean = self.test(time, cross, (zero.as_ref(), here.as_ref()), targets);
        // f_t(x) = f_0(x) - A (f_0(X) - y)
        let a = self.gained(time, cross.transpose());
        let once = prior_cross * &a;
        let covariance = prior_here - &once - once.transpose() + a.transpose() * prior * &a;
        Ensemble { mean, covariance }
    }

    /// Mean and variances of the same ensemble at other points, without covariances between them.
    pub fn test_mean_and_variance(
        &self,
        time: Time,
        cross: MatRef<f64>,
        (prior, prior_cross, prior_here): (MatRef<f64>, MatRef<f64>, MatRef<f64>),
        targets: MatRef<f64>,
    ) -> (Mat<f64>, Vec<f64>) {
        let start = Mat::<f64>::zeros(targets.nrows(), targets.ncols());
        let here = Mat::<f64>::zeros(cross.nrows(), targets.ncols());
        let mean = self.test(time, cross, (start.as_ref(), here.as_ref()), targets);
        let a = self.gained(time, cross.transpose());
        let inner = prior * &a;
        let variance = |row: usize| {
            let terms =
                (0..a.nrows()).map(|at| a[(at, row)] * (inner[(at, row)] - 2.0 * prior_cross[(row, at)]));
            (prior_here[(row, row)] + terms.sum::<f64>()).max(0.0)
        };
        (mean, (0..cross.nrows()).map(variance).collect())
    }
}
