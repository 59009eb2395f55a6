//! Which cells are run: the grid, then what brackets the optima and refines them, round by round.
//!
//! A round depends on the results of the rounds before it only, never on the order in which they came. So an interrupted sweep goes on where it was,
//! and a share of a round is the same share on every machine that has the same results.

use std::collections::{BTreeMap, BTreeSet};

use rayon::ThreadPoolBuildError;

use super::curve::Shape;
use super::knob::{Grid, Place};
use super::prepare::{Cell, Prepare};
use super::record::Point;
use super::request::{Arm, Request, RequestError, Search};
use super::runs::{Job, Keeper, Key, Run, run_all};

/// One of so many shares of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// From 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

/// Why a sweep could not go on.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A network cannot be built.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// Threads cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] ThreadPoolBuildError),
    /// A known run was done with other numbers.
    #[error(
        "the store has a run of {parameterization} with {optimizer} at {value}, {knob} = 2^{log2}, that started from other numbers: another smallest size, \
         another `--batch`, other hyperparameters, or other rules; choose another `--store`"
    )]
    Stale {
        /// The parameterization's name.
        parameterization: String,
        /// The optimizers' names.
        optimizer: String,
        /// The value of the scale symbol.
        value: i64,
        /// Which hyperparameter was varied.
        knob: super::knob::Knob,
        /// Its logarithm.
        log2: f64,
    },
}

/// The runs of a sweep.
#[derive(Clone, Debug)]
pub struct Swept {
    /// Every run that belongs to it, known ones among them.
    pub runs: Vec<Run>,
    /// How many of them were done just now.
    pub fresh: usize,
    /// What there is left to do.
    pub ending: Ending,
}

/// How far a sweep has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing is left to do.
    Complete,
    /// This share of the round is done, the rest of it is another's.
    ShareDone,
    /// The watch stopped it before its work was done.
    Interrupted,
}

/// The cells of the first round.
pub fn grid(request: &Request) -> Vec<Cell> {
    let of = |(arm, own): (usize, &Arm)| {
        let places = own.grid.places();
        let at = |value: i64| places.clone().into_iter().map(move |place| Cell { arm, value, place });
        request.values.iter().flat_map(|value| at(*value)).collect::<Vec<_>>()
    };
    request.arms.iter().enumerate().flat_map(of).collect()
}

/// What to try next on a curve: beyond the end at which its best point lies (at the lower end if everything diverged), else halfway to both of its
/// neighbours.
pub fn next_places(points: &[(Place, Point)], grid: Grid, finest: i32, search: Search) -> Vec<Place> {
    let shape: Vec<Point> = points.iter().map(|(_, point)| point.clone()).collect();
    if points.is_empty() {
        return Vec::new();
    }
    let best = Shape::new(&shape).best().unwrap_or(0);
    let place = points[best].0.0;
    let beyond = grid.step * search.reach;
    if best == 0 {
        let next = place - grid.step;
        return if next >= grid.first.0 - beyond { vec![Place(next)] } else { Vec::new() };
    }
    if best + 1 == points.len() {
        let next = place + grid.step;
        return if next <= grid.last.0 + beyond { vec![Place(next)] } else { Vec::new() };
    }
    let target = (grid.step >> search.halvings).max(finest);
    let halfway = |other: i32| {
        let gap = (other - place).abs();
        (gap > target && gap % 2 == 0).then_some(Place((place + other) / 2))
    };
    [points[best - 1].0.0, points[best + 1].0.0].into_iter().filter_map(halfway).collect()
}

/// The cells of the round after some runs; nothing if the sweep is done.
fn next_round(request: &Request, prepare: &Prepare, runs: &BTreeMap<Key, Run>) -> Vec<Cell> {
    let mut found = Vec::new();
    for (arm, own) in request.arms.iter().enumerate() {
        for value in &request.values {
            let points = points(request, prepare, runs, arm, *value);
            let (least, most) = own.knob.limits();
            let next = next_places(&points, own.grid, own.knob.finest(), request.search);
            let next = next.into_iter().filter(|place| *place >= least && *place <= most);
            let cells = next.map(|place| Cell { arm, value: *value, place });
            // A batch may outgrow the data or the memory; then the curve ends where it ends.
            found.extend(cells.filter(|cell| prepare.cell(request, *cell).is_ok()));
        }
    }
    found
}

/// The finished points of a curve.
fn points(
    request: &Request,
    prepare: &Prepare,
    runs: &BTreeMap<Key, Run>,
    arm: usize,
    value: i64,
) -> Vec<(Place, Point)> {
    let (parameterization, optimizer) = (prepare.arms[arm].parameterization(), prepare.arms[arm].optimizer());
    let knob = request.arms[arm].knob;
    let mut losses: BTreeMap<Place, Vec<Option<f64>>> = BTreeMap::new();
    for (key, run) in runs {
        let own = key.parameterization == parameterization && key.optimizer == optimizer;
        if own && key.knob == knob && key.value == value && request.seeds.contains(&key.seed) {
            losses.entry(key.place.unwrap_or(Place(0))).or_default().push(run.loss);
        }
    }
    let whole = losses.into_iter().filter(|(_, losses)| losses.len() == request.seeds.len());
    whole.map(|(place, losses)| (place, Point { log2: place.log2(), losses, mean: None })).collect()
}

/// Runs a sweep from what is known already. With a share, only that share of the round at hand is done.
///
/// # Errors
/// If a network cannot be built, threads cannot be started, or what is known was done with other numbers.
pub fn sweep(
    request: &Request,
    prepare: &Prepare,
    known: &[Run],
    share: Option<Share>,
    watch: &dyn Keeper,
) -> Result<Swept, SweepError> {
    let known: BTreeMap<Key, Run> = known.iter().map(|run| (run.key(), run.clone())).collect();
    let mut done: BTreeMap<Key, Run> = BTreeMap::new();
    let (mut cells, mut seen, mut fresh, mut number) = (grid(request), BTreeSet::new(), 0, 0);
    while !cells.is_empty() {
        seen.extend(cells.iter().copied());
        let jobs = jobs(request, prepare, &cells)?;
        for job in &jobs {
            if let Some(run) = known.get(&job.key) {
                done.insert(job.key.clone(), agreeing(job, run)?.clone());
            }
        }
        let wanted = done.len() + jobs.iter().filter(|job| !known.contains_key(&job.key)).count();
        let mut open = shared(jobs, share);
        open.retain(|job| !known.contains_key(&job.key));
        watch.round(number);
        watch.expects(open.iter().map(|job| job.prepared.work()).sum());
        let asked = open.len();
        let found = run_all(open, request, &prepare.bound, watch)?;
        let all_done = found.len() == asked;
        fresh += found.len();
        done.extend(found.into_iter().map(|run| (run.key(), run)));
        // The rounds that follow depend on all of this one.
        if done.len() < wanted {
            let ending = if all_done { Ending::ShareDone } else { Ending::Interrupted };
            return Ok(Swept { runs: done.into_values().collect(), fresh, ending });
        }
        cells = next_round(request, prepare, &done);
        cells.retain(|cell| !seen.contains(cell));
        number += 1;
    }
    Ok(Swept { runs: done.into_values().collect(), fresh, ending: Ending::Complete })
}

/// The runs of some cells, in an order that depends on them only.
pub fn jobs(request: &Request, prepare: &Prepare, cells: &[Cell]) -> Result<Vec<Job>, RequestError> {
    let mut jobs = Vec::new();
    for cell in cells {
        let prepared = prepare.cell(request, *cell)?;
        jobs.extend(request.seeds.iter().map(|seed| Job::new(request, prepare, &prepared, *seed)));
    }
    jobs.sort_by(|a, b| b.prepared.work().cmp(&a.prepared.work()).then_with(|| a.key.cmp(&b.key)));
    Ok(jobs)
}

/// The jobs of a share: dealt out in turn, so that large and small ones are spread evenly.
pub fn shared(jobs: Vec<Job>, share: Option<Share>) -> Vec<Job> {
    let Some(Share { number, of }) = share else { return jobs };
    jobs.into_iter().enumerate().filter(|(at, _)| at % of == number - 1).map(|(_, job)| job).collect()
}

/// A known run, if it started from the numbers of the job.
pub fn agreeing<'r>(job: &Job, run: &'r Run) -> Result<&'r Run, SweepError> {
    if run.fingerprint == job.prepared.fingerprint {
        return Ok(run);
    }
    Err(SweepError::Stale {
        parameterization: run.parameterization.clone(),
        optimizer: run.optimizer.clone(),
        value: run.value,
        knob: run.knob,
        log2: run.log2,
    })
}
