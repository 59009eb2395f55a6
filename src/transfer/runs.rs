//! The runs of a round: side by side, largest first. A run depends on its network, its seed and the course only.

use std::sync::Mutex;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};
use serde::{Deserialize, Serialize};

use super::knob::{Knob, Place};
use super::prepare::{Cell, Prepare, Prepared};
use super::request::{Course, Request};
use crate::check::runs::Room;
use crate::numeric::data::{Bound, Column};
use crate::numeric::train::Trainer;
use crate::watch::Watch;

/// Who watches a sweep, and keeps its runs.
pub trait Keeper: Watch {
    /// A round is about to begin.
    fn round(&self, _number: usize) {}

    /// A run has ended: the moment to keep it.
    fn keep(&self, _run: &Run) {}
}

/// Nobody.
impl Keeper for () {}

/// One finished run. The names of the fields are a contract: they are what stands in a store, and in the JSON of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The parameterization's name.
    pub parameterization: String,
    /// The optimizers' names.
    pub optimizer: String,
    /// Which hyperparameter was varied.
    pub knob: Knob,
    /// The value of the scale symbol.
    pub value: i64,
    /// The logarithm to the base 2 of the hyperparameter.
    pub log2: f64,
    /// The seed of weights and of the order of examples.
    pub seed: u64,
    /// Examples per step.
    pub batch: usize,
    /// The loss before the first step.
    pub initial: Option<f64>,
    /// The mean training loss of the last tenth of the steps; none if it diverged or was ended.
    pub loss: Option<f64>,
    /// The step before which the loss was not a number.
    pub diverged_at: Option<usize>,
    /// The step after which it was ended, because there was no hope.
    pub stopped_at: Option<usize>,
    /// How long it took.
    pub seconds: f64,
    /// Of the numbers that it started and trained with.
    pub fingerprint: String,
}

impl Run {
    /// What tells it from other runs of its sweep.
    pub fn key(&self) -> Key {
        Key {
            parameterization: self.parameterization.clone(),
            optimizer: self.optimizer.clone(),
            knob: self.knob,
            value: self.value,
            place: Place::of_log2(self.log2),
            seed: self.seed,
        }
    }
}

/// What tells runs of a sweep apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The parameterization's name.
    pub parameterization: String,
    /// The optimizers' names.
    pub optimizer: String,
    /// Which hyperparameter was varied.
    pub knob: Knob,
    /// The value of the scale symbol.
    pub value: i64,
    /// The value of the hyperparameter.
    pub place: Option<Place>,
    /// The seed.
    pub seed: u64,
}

/// A run to be done.
#[derive(Clone, Debug)]
pub struct Job {
    /// Of what.
    pub prepared: Prepared,
    /// From which seed.
    pub seed: u64,
    /// What its result is called by.
    pub key: Key,
}

impl Job {
    /// The run of a cell from a seed.
    pub fn new(request: &Request, prepare: &Prepare, prepared: &Prepared, seed: u64) -> Job {
        let Cell { arm, value, place } = prepared.cell;
        let key = Key {
            parameterization: prepare.arms[arm].parameterization(),
            optimizer: prepare.arms[arm].optimizer(),
            knob: request.arms[arm].knob,
            value,
            place: Some(place),
            seed,
        };
        Job { prepared: prepared.clone(), seed, key }
    }

    fn run(&self, outcome: Outcome, seconds: f64) -> Run {
        let Outcome { initial, loss, diverged_at, stopped_at } = outcome;
        Run {
            parameterization: self.key.parameterization.clone(),
            optimizer: self.key.optimizer.clone(),
            knob: self.key.knob,
            value: self.key.value,
            log2: self.prepared.cell.place.log2(),
            seed: self.seed,
            batch: self.prepared.batch,
            initial,
            loss,
            diverged_at,
            stopped_at,
            seconds,
            fingerprint: self.prepared.fingerprint.clone(),
        }
    }
}

/// Does all jobs that the watch lets begin; what was not finished is missing. The result is in the order of the keys.
///
/// # Errors
/// If threads cannot be started.
pub fn run_all(
    jobs: Vec<Job>,
    request: &Request,
    bound: &Bound,
    watch: &dyn Keeper,
) -> Result<Vec<Run>, ThreadPoolBuildError> {
    let (threads, course) = (request.threads, request.course);
    let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
    let (room, examples) = (Room::new(request.memory), Examples::new(bound));
    let mut jobs = jobs;
    jobs.sort_by(|a, b| b.prepared.work().cmp(&a.prepared.work()).then_with(|| a.key.cmp(&b.key)));
    let (jobs, found) = (Mutex::new(jobs.into_iter()), Mutex::new(Vec::new()));
    let next = || jobs.lock().ok()?.next();
    let work = || {
        while let Some(job) = next().filter(|_| !watch.stopped()) {
            room.take(job.prepared.bytes);
            let started = watch.seconds();
            let outcome = train(&job.prepared, job.seed, course, &examples, &|| watch.stopped());
            room.give(job.prepared.bytes);
            let Some(outcome) = outcome else { return };
            let run = job.run(outcome, watch.seconds() - started);
            watch.finished(job.prepared.work());
            watch.keep(&run);
            if let Ok(mut found) = found.lock() {
                found.push(run);
            }
        }
    };
    pool.scope(|scope| (0..threads).for_each(|_| scope.spawn(|_| work())));
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by_key(Run::key);
    Ok(found)
}

/// How a run went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    initial: Option<f64>,
    loss: Option<f64>,
    diverged_at: Option<usize>,
    stopped_at: Option<usize>,
}

/// Trains one network; `None` if it was interrupted.
pub fn train(
    prepared: &Prepared,
    seed: u64,
    course: Course,
    examples: &Examples,
    interrupted: &dyn Fn() -> bool,
) -> Option<Outcome> {
    let program = &prepared.program;
    let mut trainer: Trainer<f32> = Trainer::new(program.clone(), &prepared.setting, course.routine, seed);
    let mut order = Order::new(seed, examples.bound.examples());
    let (mut losses, mut batch) = (Vec::with_capacity(course.steps), Vec::new());
    let ended = |losses: &[f64], diverged_at, stopped_at| Outcome {
        initial: losses.first().copied().filter(|loss| loss.is_finite()),
        loss: None,
        diverged_at,
        stopped_at,
    };
    for step in 0..course.steps {
        if interrupted() {
            return None;
        }
        if program.masks > 0 {
            trainer.machine.draw_masks((seed << 32) ^ step as u64);
        }
        examples.fill(&order.next(prepared.batch), &mut batch);
        losses.push(trainer.step(&batch));
        if !losses[step].is_finite() {
            return Some(ended(&losses, Some(step), None));
        }
        if course.is_hopeless(&losses) {
            return Some(ended(&losses, None, Some(step + 1)));
        }
    }
    let tail = &losses[losses.len().saturating_sub(course.tail())..];
    let loss = tail.iter().sum::<f64>() / tail.len() as f64;
    Some(Outcome { loss: Some(loss), ..ended(&losses, None, None) })
}

/// The examples of a sweep: all rows made once where they are few, else made when they are asked for.
#[derive(Debug)]
pub struct Examples<'b> {
    bound: &'b Bound,
    rows: Option<Vec<Column>>,
}

impl<'b> Examples<'b> {
    /// Numbers beyond which rows are not kept.
    const MOST: usize = 1 << 22;

    /// Those of a data set.
    pub fn new(bound: &'b Bound) -> Examples<'b> {
        let entries: usize = bound.wanted().iter().map(|wanted| wanted.entries()).sum();
        let few = bound.examples().saturating_mul(entries) <= Examples::MOST;
        let all = || bound.batch(&(0..bound.examples()).collect::<Vec<_>>());
        Examples { bound, rows: few.then(all) }
    }

    /// Some of them, in the place of what is in `batch`.
    fn fill(&self, chosen: &[usize], batch: &mut Vec<Column>) {
        let Some(rows) = &self.rows else {
            *batch = self.bound.batch(chosen);
            return;
        };
        if batch.len() != rows.len() {
            let like = |column: &Column| match column {
                Column::Real(_) => Column::Real(Vec::new()),
                Column::Whole(_) => Column::Whole(Vec::new()),
            };
            *batch = rows.iter().map(like).collect();
        }
        for ((all, wanted), own) in rows.iter().zip(self.bound.wanted()).zip(batch) {
            match (all, own) {
                (Column::Real(all), Column::Real(own)) => gather(all, wanted.entries(), chosen, own),
                (Column::Whole(all), Column::Whole(own)) => gather(all, wanted.entries(), chosen, own),
                // A column has the kind of its input or target, in every batch.
                (Column::Real(_), Column::Whole(_)) | (Column::Whole(_), Column::Real(_)) => {}
            }
        }
    }
}

/// Rows of a table one after another.
fn gather<E: Copy>(all: &[E], width: usize, chosen: &[usize], into: &mut Vec<E>) {
    into.clear();
    chosen.iter().for_each(|row| into.extend_from_slice(&all[row * width..(row + 1) * width]));
}

/// Examples in random order, every one once before the first returns; the same for all runs of a seed, whatever is varied.
#[derive(Clone, Debug)]
struct Order {
    stream: ChaCha8Rng,
    examples: Vec<usize>,
    at: usize,
}

impl Order {
    fn new(seed: u64, examples: usize) -> Order {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        // The streams of weights are numbered from 0.
        stream.set_stream(u64::MAX);
        Order { stream, examples: (0..examples).collect(), at: examples }
    }

    fn next(&mut self, batch: usize) -> Vec<usize> {
        let mut chosen = Vec::with_capacity(batch);
        while chosen.len() < batch && !self.examples.is_empty() {
            if self.at == self.examples.len() {
                self.examples.shuffle(&mut self.stream);
                self.at = 0;
            }
            let count = (batch - chosen.len()).min(self.examples.len() - self.at);
            chosen.extend_from_slice(&self.examples[self.at..self.at + count]);
            self.at += count;
        }
        chosen
    }
}
