//! From sizes at several values of a scale symbol to an exponent with an interval.
//!
//! Sizes are products of many factors, so all arithmetic is on logarithms: y = ln size against x = ln n. The seeds of all values are independent
//! runs; their scatter within each value is the noise, pooled over the values that a slope uses.
//!
//! - **Slope.** Least squares over the widest three values; over more where the seeds scatter too much for an interval of ±0.2, since what a finite size
//!   distorts is then less than the noise. Interval: Student's t at 99 %, because a check judges hundreds of exponents at once.
//! - **Extrapolation.** A size of two powers half apart, n^a + c n^(a-1/2), has local slopes a - (c/2) n^-1/2 to first order, so
//!   y = b x + c n^-1/2 + const is fitted to all values and b is the extrapolated slope. c is shrunk towards 0 as by a prior that the slope at the widest
//!   values is off by 0 ± 0.15: without noise this is the plain extrapolation, and noise cannot drag it far.
//! - **Interval of the fit.** The slope's, widened to hold the extrapolated slope: scatter of the seeds and spread of the estimates together. Upwards it holds one
//!   standard deviation more of the extrapolation, because a second power can only lower a slope.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::record::{Fit, Point};

/// How often the interval of a slope holds the slope, if the sizes are a power.
const CONFIDENCE: f64 = 0.99;
/// A slope uses at least this many values, if there are as many.
const WIDEST: usize = 3;
/// A slope uses more values than that until its interval is at most this on either side.
const SHARP: f64 = 0.2;
/// By how much the slope at the widest values is believed to be off from the one at infinity.
const OFF: f64 = 0.15;

/// A measured exponent and where its local slopes go.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// What is reported.
    pub fit: Fit,
    /// The extrapolated slope without shrinkage, where the local slopes change by more than the noise explains.
    pub trend: Option<f64>,
}

/// The logarithms of the usable sizes at one value.
#[derive(Clone, Copy, Debug)]
struct Sample {
    x: f64,
    y: f64,
    seeds: f64,
    /// Sum of squares of the seeds about their mean.
    squares: f64,
}

/// Variance of one seed, and its degrees of freedom.
#[derive(Clone, Copy, Debug)]
struct Noise {
    variance: f64,
    freedom: f64,
}

/// Fits an exponent to points with positive sizes, ascending by value. `None` if there is nothing to tell noise from slope by: fewer than two
/// values, or one seed at two values.
pub fn fit(points: &[Point]) -> Option<Estimate> {
    let samples: Vec<Sample> = points.iter().filter_map(sample).collect();
    let (exponent, half) = slope(&samples)?;
    let Extrapolation { slope: extrapolated, deviation, trend } =
        extrapolate(&samples).unwrap_or(Extrapolation { slope: exponent, deviation: 0.0, trend: None });
    let local = samples.windows(2).map(|pair| (pair[1].y - pair[0].y) / (pair[1].x - pair[0].x)).collect();
    let low = (exponent - half).min(extrapolated);
    let high = (exponent + half).max(extrapolated + deviation);
    Some(Estimate { fit: Fit { exponent, low, high, local, extrapolated }, trend })
}

fn sample(point: &Point) -> Option<Sample> {
    let usable = point.seeds.iter().filter(|size| size.is_finite() && **size > 0.0);
    let logarithms: Vec<f64> = usable.map(|size| size.ln()).collect();
    let seeds = logarithms.len() as f64;
    let y = logarithms.iter().sum::<f64>() / seeds;
    let squares = logarithms.iter().map(|own| (own - y).powi(2)).sum();
    (seeds > 0.0).then(|| Sample { x: (point.value as f64).ln(), y, seeds, squares })
}

/// The slope over the widest values, and half its interval.
fn slope(samples: &[Sample]) -> Option<(f64, f64)> {
    let mut best: Option<(f64, f64)> = None;
    for count in WIDEST.min(samples.len())..=samples.len() {
        let Some((slope, half)) = window(&samples[samples.len() - count..]) else { continue };
        if best.is_none_or(|(_, narrowest)| half < narrowest) {
            best = Some((slope, half));
        }
        if half <= SHARP {
            break;
        }
    }
    best
}

fn window(samples: &[Sample]) -> Option<(f64, f64)> {
    let line = Line::new(&centred(samples, |sample| sample.x))?;
    let y = centred(samples, |sample| sample.y);
    let residual = line.residual(&y);
    let noise = noise(samples).or_else(|| scatter(&residual, 2))?;
    let deviation = (noise.variance * line.spread(samples)).sqrt();
    Some((line.slope(&y), noise.quantile(CONFIDENCE) * deviation))
}

/// The slope at infinite size.
#[derive(Clone, Copy, Debug)]
struct Extrapolation {
    slope: f64,
    /// Its standard deviation.
    deviation: f64,
    /// Without shrinkage, where the trend of the local slopes is significant.
    trend: Option<f64>,
}

fn extrapolate(samples: &[Sample]) -> Option<Extrapolation> {
    let widest = samples.last()?.x;
    if samples.len() < 3 {
        return None;
    }
    let line = Line::new(&centred(samples, |sample| sample.x))?;
    let y = centred(samples, |sample| sample.y);
    let u = centred(samples, |sample| (-sample.x / 2.0).exp());
    let (bent, rest) = (line.residual(&u), line.residual(&y));
    let lever: f64 = bent.iter().map(|own| own * own).sum();
    let moment: f64 = bent.iter().zip(&rest).map(|(u, y)| u * y).sum();
    let free = moment / lever;
    let left: Vec<f64> = rest.iter().zip(&bent).map(|(y, u)| y - free * u).collect();
    let noise = noise(samples).or_else(|| scatter(&left, 3))?;
    let variance =
        noise.variance / samples.iter().map(|sample| sample.seeds).sum::<f64>() * samples.len() as f64;
    let prior = 2.0 * OFF * (widest / 2.0).exp();
    let stiffness = lever + variance / (prior * prior);
    let slope = |correction: f64| line.slope(&y) - correction * line.slope(&u);
    let deviation = (variance * (1.0 / line.squares + line.slope(&u).powi(2) / stiffness)).sqrt();
    let significant = free.abs() * lever.sqrt() > noise.quantile(0.95) * variance.sqrt();
    let trend = significant.then(|| slope(free));
    Some(Extrapolation { slope: slope(moment / stiffness), deviation, trend })
}

/// The scatter of the seeds within each value; `None` with one seed per value.
fn noise(samples: &[Sample]) -> Option<Noise> {
    let freedom: f64 = samples.iter().map(|sample| sample.seeds - 1.0).sum();
    let squares: f64 = samples.iter().map(|sample| sample.squares).sum();
    (freedom > 0.0).then(|| Noise { variance: squares / freedom, freedom })
}

/// With one seed per value, the scatter about the fitted curve of so many coefficients.
fn scatter(residual: &[f64], coefficients: usize) -> Option<Noise> {
    let freedom = residual.len().checked_sub(coefficients).filter(|freedom| *freedom > 0)? as f64;
    let squares: f64 = residual.iter().map(|own| own * own).sum();
    Some(Noise { variance: squares / freedom, freedom })
}

impl Noise {
    /// How many standard deviations hold so much of Student's distribution, in the middle.
    fn quantile(self, confidence: f64) -> f64 {
        let student = StudentsT::new(0.0, 1.0, self.freedom);
        student.map_or(f64::INFINITY, |student| student.inverse_cdf(0.5 + confidence / 2.0))
    }
}

fn centred(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Vec<f64> {
    let mean = samples.iter().map(&of).sum::<f64>() / samples.len() as f64;
    samples.iter().map(|sample| of(sample) - mean).collect()
}

/// Least squares against centred x.
struct Line {
    x: Vec<f64>,
    squares: f64,
}

impl Line {
    fn new(x: &[f64]) -> Option<Line> {
        let squares = x.iter().map(|own| own * own).sum();
        (squares > 0.0).then(|| Line { x: x.to_vec(), squares })
    }

    fn slope(&self, y: &[f64]) -> f64 {
        self.x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>() / self.squares
    }

    fn residual(&self, y: &[f64]) -> Vec<f64> {
        let slope = self.slope(y);
        self.x.iter().zip(y).map(|(x, y)| y - slope * x).collect()
    }

    /// Variance of the slope per variance of one seed.
    fn spread(&self, samples: &[Sample]) -> f64 {
        let share = |(x, sample): (&f64, &Sample)| (x / self.squares).powi(2) / sample.seeds;
        self.x.iter().zip(samples).map(share).sum()
    }
}
