//! The runs of a check: one per value and seed, side by side, largest first.
//!
//! Every run has random streams of its own, so that results do not depend on the number of threads or on the order.

use std::sync::{Condvar, Mutex};

use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};

use super::request::{Prepare, Prepared};
use crate::numeric::measure::{Moment, Origin};
use crate::numeric::train::{Routine, Trainer};
use crate::watch::Watch;

/// What one run measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Which of the prepared networks.
    pub place: usize,
    /// The seed.
    pub seed: u64,
    /// Sizes after the steps that were asked for, as far as the run came.
    pub moments: Vec<(usize, Moment)>,
    /// The loss before every step.
    pub losses: Vec<f64>,
    /// The first step at which the loss was not a number.
    pub diverged_at: Option<usize>,
    /// How long it took.
    pub seconds: f64,
}

/// What every run does, and how many may go on at a time.
#[derive(Clone, Debug)]
pub struct Course {
    /// One run per value and seed.
    pub seeds: Vec<u64>,
    /// The steps after which is measured; 0 is the initialization.
    pub steps: Vec<usize>,
    /// Momenta, schedule, clipping.
    pub routine: Routine,
    /// At most so many bytes for all runs together.
    pub memory: u64,
    /// Runs side by side.
    pub threads: usize,
}

/// Memory that runs share.
#[derive(Debug)]
pub struct Room {
    free: Mutex<u64>,
    freed: Condvar,
}

impl Room {
    /// So many bytes.
    pub fn new(bytes: u64) -> Room {
        Room { free: Mutex::new(bytes), freed: Condvar::new() }
    }

    /// Waits until there is room. More than there is at all would wait for ever: hold it against the whole first.
    pub fn take(&self, bytes: u64) {
        let Ok(mut free) = self.free.lock() else { return };
        while *free < bytes {
            let Ok(next) = self.freed.wait(free) else { return };
            free = next;
        }
        *free -= bytes;
    }

    /// Gives back what was taken.
    pub fn give(&self, bytes: u64) {
        if let Ok(mut free) = self.free.lock() {
            *free += bytes;
        }
        self.freed.notify_all();
    }
}

/// Runs everything; what was not started when the watch stopped is missing.
///
/// # Errors
/// If threads cannot be started.
pub fn run_all(
    course: &Course,
    prepared: &Prepare,
    watch: &dyn Watch,
) -> Result<Vec<Measured>, ThreadPoolBuildError> {
    let pool = ThreadPoolBuilder::new().num_threads(course.threads).build()?;
    let room = Room::new(course.memory);
    let mut jobs: Vec<(usize, u64)> = (0..prepared.networks.len())
        .flat_map(|place| course.seeds.iter().map(move |seed| (place, *seed)))
        .collect();
    jobs.sort_by_key(|(place, seed)| (std::cmp::Reverse(prepared.networks[*place].bytes), *seed));
    let found = Mutex::new(Vec::new());
    let jobs = Mutex::new(jobs.into_iter());
    let work = || {
        while let Some((place, seed)) = next(&jobs).filter(|_| !watch.stopped()) {
            let network = &prepared.networks[place];
            room.take(network.bytes);
            let measured = run(course, prepared, network, place, seed, watch);
            room.give(network.bytes);
            watch.finished(network.work());
            watch.tells(&network.value.to_string());
            if let Ok(mut found) = found.lock() {
                found.push(measured);
            }
        }
    };
    pool.scope(|scope| (0..course.threads).for_each(|_| scope.spawn(|_| work())));
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by_key(|run: &Measured| (run.place, run.seed));
    Ok(found)
}

fn next(jobs: &Mutex<std::vec::IntoIter<(usize, u64)>>) -> Option<(usize, u64)> {
    jobs.lock().ok()?.next()
}

fn run(
    course: &Course,
    prepared: &Prepare,
    network: &Prepared,
    place: usize,
    seed: u64,
    watch: &dyn Watch,
) -> Measured {
    let started = watch.seconds();
    let mut trainer: Trainer<f32> =
        Trainer::new(network.program.clone(), &network.setting, course.routine, seed);
    trainer.machine.load(&prepared.batch);
    let mut losses = vec![trainer.evaluate()];
    let mut origin = Origin::new(&trainer.machine, network.setting.params.len());
    let mut moments = vec![(0, origin.first(&trainer.machine))];
    let last = course.steps.iter().copied().max().unwrap_or(0);
    let mut diverged_at = (!losses[0].is_finite()).then_some(0);
    for step in 1..=last {
        if diverged_at.is_some() || watch.stopped() {
            break;
        }
        trainer.update();
        losses.push(trainer.evaluate());
        diverged_at = (!losses[step].is_finite()).then_some(step);
        if course.steps.contains(&step) {
            moments.push((step, origin.later(&mut trainer.machine)));
        }
    }
    Measured { place, seed, moments, losses, diverged_at, seconds: watch.seconds() - started }
}
