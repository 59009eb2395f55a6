//! A limit on a data set: regression, modes, training in time.

use faer::{Mat, MatRef};
use rayon::prelude::*;

use super::dynamics::{Loss, Time, Training};
use super::gram::Gram;
use super::record::{KernelRecord, Moment};
use super::regression::{NoRegression, Regression};
use super::spectrum::{NoSpectrum, Spectrum, matrix};
use super::statistics::Points;
use crate::graph::Graph;
use crate::numeric::data::{Bound, Column};

/// Examples as points and targets: one-hot classes less their mean, or numbers.
#[derive(Clone, Debug)]
pub struct Examples {
    /// The inputs.
    pub points: Points,
    /// (rows of the kernel) x (outputs)
    pub targets: Mat<f64>,
    /// The classes, if there are any.
    pub labels: Option<Vec<usize>>,
}

/// Why examples do not fit a kernel.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoStudy {
    /// No target.
    #[error("the spec declares no target to predict")]
    NoTarget,
    /// Another number of targets than rows.
    #[error("the target has {targets} entries per example, but the output has {positions} positions")]
    Shape {
        /// Entries of the target.
        targets: usize,
        /// Positions of the output.
        positions: usize,
    },
    /// A kernel that is no kernel.
    #[error(transparent)]
    Regression(#[from] NoRegression),
    /// The same.
    #[error(transparent)]
    Spectrum(#[from] NoSpectrum),
}

/// Reads examples of a data set for an output with so many positions.
///
/// # Errors
/// If the targets do not fit the output.
pub fn examples(
    graph: &Graph,
    data: &Bound,
    chosen: &[usize],
    positions: usize,
) -> Result<Examples, NoStudy> {
    let columns = data.batch(chosen);
    let target = graph.data.iter().position(|own| own.target).ok_or(NoStudy::NoTarget)?;
    let numbers = |column: &Column| match column {
        Column::Real(entries) => entries.iter().map(|entry| f64::from(*entry)).collect::<Vec<f64>>(),
        Column::Whole(entries) => entries.iter().map(|entry| f64::from(*entry)).collect(),
    };
    let points = Points { count: chosen.len(), columns: columns.iter().map(numbers).collect() };
    let rows = chosen.len() * positions;
    let per_example = columns[target].len() / chosen.len().max(1);
    let misfit = NoStudy::Shape { targets: per_example, positions };
    match &columns[target] {
        Column::Whole(labels) => {
            let labels: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
            if labels.len() != rows {
                return Err(misfit);
            }
            let classes = data.wanted()[target].classes.unwrap_or(1);
            let entry =
                |row: usize, class: usize| f64::from(u8::from(labels[row] == class)) - 1.0 / classes as f64;
            Ok(Examples { points, targets: Mat::from_fn(rows, classes, entry), labels: Some(labels) })
        }
        Column::Real(entries) => {
            if per_example == 0 || !per_example.is_multiple_of(positions) {
                return Err(misfit);
            }
            let outputs = per_example / positions;
            let entry = |row: usize, at: usize| f64::from(entries[row * outputs + at]);
            Ok(Examples { points, targets: Mat::from_fn(rows, outputs, entry), labels: None })
        }
    }
}

/// How a study is made.
#[derive(Clone, Debug)]
pub struct Course {
    /// How errors add up.
    pub loss: Loss,
    /// What is added to the diagonal.
    pub ridge: f64,
    /// When to look; none for times chosen by the spectrum.
    pub times: Option<Vec<f64>>,
    /// Gradient descent in steps of this learning rate in place of gradient flow: a time is so many steps, rounded, times the rate.
    pub rate: Option<f64>,
}

/// Kernels of all rows, the training ones first.
struct Blocks {
    train: Mat<f64>,
    cross: Mat<f64>,
    test: Mat<f64>,
}

impl Blocks {
    fn new(numbers: &[f64], size: usize, train: usize) -> Blocks {
        let whole = matrix(size, size, numbers);
        let test = size - train;
        Blocks {
            train: whole.submatrix(0, 0, train, train).to_owned(),
            cross: whole.submatrix(train, 0, test, train).to_owned(),
            test: whole.submatrix(train, train, test, test).to_owned(),
        }
    }
}

/// Studies the kernels of training and test points; the training points come first. NNGP, then NTK if there is one.
///
/// # Errors
/// If a kernel is not positive semidefinite.
pub fn study(
    gram: &Gram,
    train: &Examples,
    test: &Examples,
    course: &Course,
) -> Result<Vec<KernelRecord>, NoStudy> {
    let rows = train.targets.nrows();
    let prior = Blocks::new(&gram.nngp, gram.rows, rows);
    let mut found = vec![("NNGP", None)];
    if !gram.ntk.is_empty() {
        found.push(("NTK", Some(Blocks::new(&gram.ntk, gram.rows, rows))));
    }
    let one = |(name, own): &(&str, Option<Blocks>)| {
        let own = own.as_ref().unwrap_or(&prior);
        kernel(name, own, &prior, (train, test), course)
    };
    found.par_iter().map(one).collect()
}

fn kernel(
    name: &str,
    own: &Blocks,
    prior: &Blocks,
    (train, test): (&Examples, &Examples),
    course: &Course,
) -> Result<KernelRecord, NoStudy> {
    let targets = train.targets.as_ref();
    let spectrum = Spectrum::new(own.train.as_ref())?;
    let regression = Regression::new(own.train.as_ref(), targets, course.ridge)?;
    let mean = regression.mean(own.cross.as_ref());
    let diagonal: Vec<f64> = (0..own.test.nrows()).map(|at| own.test[(at, at)]).collect();
    let variance = regression.variance(own.cross.as_ref(), &diagonal);
    let training = Training::new(&spectrum, course.loss, targets.ncols());
    let times = course
        .times
        .clone()
        .unwrap_or_else(|| usual_times(&spectrum, course.loss.factor(targets.nrows(), targets.ncols())));
    let moments =
        times.par_iter().map(|time| moment((*time, course.rate), &training, own, prior, (train, test)));
    let trains: Vec<f64> = (0..own.train.nrows()).map(|at| own.train[(at, at)]).collect();
    let condition = spectrum.condition();
    Ok(KernelRecord {
        name: name.to_string(),
        diagonal: average(&trains),
        smallest_diagonal: trains.iter().copied().fold(f64::INFINITY, f64::min),
        largest_diagonal: trains.iter().copied().fold(0.0, f64::max),
        correlation: correlation(&own.train),
        shares: spectrum.shares(targets),
        rank: spectrum.rank(),
        condition: condition.is_finite().then_some(condition),
        largest_rate: training.largest_rate(),
        ridge: regression.ridge,
        jitter: regression.jitter,
        squared_norm: spectrum.squared_norm(targets),
        log_likelihood: regression.log_likelihood(),
        test_error: error(mean.as_ref(), test.targets.as_ref()),
        test_variance: average(&variance),
        accuracy: accuracy(mean.as_ref(), test),
        curve: moments.collect(),
        eigenvalues: spectrum.values,
    })
}

/// Zero, powers of four from before the first mode is learned to after the last, and infinity.
fn usual_times(spectrum: &Spectrum, factor: f64) -> Vec<f64> {
    let floor = spectrum.floor();
    let (Some(largest), Some(smallest)) =
        (spectrum.values.first(), spectrum.values.iter().rfind(|value| **value > floor))
    else {
        return vec![0.0, f64::INFINITY];
    };
    let first = (0.05 / (factor * largest)).log2().floor() as i32;
    let last = (8.0 / (factor * smallest)).log2().ceil() as i32;
    let step = ((last - first) / 12).max(1);
    let powers = (0..).map(|at| first + at * step).take_while(|power| *power <= last);
    std::iter::once(0.0).chain(powers.map(|power| f64::from(power).exp2())).chain([f64::INFINITY]).collect()
}

fn moment(
    (time, rate): (f64, Option<f64>),
    training: &Training,
    own: &Blocks,
    prior: &Blocks,
    (train, test): (&Examples, &Examples),
) -> Moment {
    let targets = train.targets.as_ref();
    let flow = match rate.filter(|_| time.is_finite()) {
        Some(rate) => Time::Steps { count: (time / rate).round() as u64, rate },
        None => Time::Flow(time),
    };
    let zero = Mat::<f64>::zeros(targets.nrows(), targets.ncols());
    let fitted = training.train(flow, zero.as_ref(), targets);
    let (mean, variance) = training.test_mean_and_variance(
        flow,
        own.cross.as_ref(),
        (prior.train.as_ref(), prior.cross.as_ref(), prior.test.as_ref()),
        targets,
    );
    let decays = training.decays(flow);
    let modes = modes(decays.len()).into_iter().map(|at| decays[at]).collect();
    Moment {
        time: time.is_finite().then_some(time),
        train_error: error(fitted.as_ref(), targets),
        test_error: error(mean.as_ref(), test.targets.as_ref()),
        test_variance: average(&variance),
        accuracy: accuracy(mean.as_ref(), test),
        modes,
    }
}

/// The modes whose learning curves are kept: the first, the tenth, the hundredth, ...
pub fn modes(count: usize) -> Vec<usize> {
    std::iter::successors(Some(1_usize), |at| at.checked_mul(10))
        .take_while(|at| *at <= count)
        .map(|at| at - 1)
        .collect()
}

fn average(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

fn correlation(kernel: &Mat<f64>) -> f64 {
    let count = kernel.nrows();
    let root: Vec<f64> = (0..count).map(|at| kernel[(at, at)].max(f64::MIN_POSITIVE).sqrt()).collect();
    let mut sum = 0.0;
    for row in 0..count {
        sum += (0..row).map(|column| kernel[(row, column)] / (root[row] * root[column])).sum::<f64>();
    }
    sum / ((count * count.saturating_sub(1)) / 2).max(1) as f64
}

/// The mean squared error over points and outputs.
fn error(found: MatRef<f64>, expected: MatRef<f64>) -> f64 {
    let (rows, columns) = (found.nrows(), found.ncols());
    let row =
        |row: usize| (0..columns).map(|at| (found[(row, at)] - expected[(row, at)]).powi(2)).sum::<f64>();
    (0..rows).map(row).sum::<f64>() / (rows * columns).max(1) as f64
}

fn accuracy(found: MatRef<f64>, examples: &Examples) -> Option<f64> {
    let labels = examples.labels.as_ref()?;
    let best = |row: usize| {
        (0..found.ncols()).fold(0, |best, at| if found[(row, at)] > found[(row, best)] { at } else { best })
    };
    let right = labels.iter().enumerate().filter(|(row, label)| best(*row) == **label).count();
    (!labels.is_empty()).then(|| right as f64 / labels.len() as f64)
}
