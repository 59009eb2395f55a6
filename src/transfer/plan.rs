//! What a sweep will cost, before anything starts: runs, operations, memory, time.

use std::collections::BTreeMap;

use super::prepare::{Prepare, Prepared};
use super::request::Request;
use super::runs::{Key, Run};
use super::sweep::{Share, SweepError, agreeing, grid, jobs, shared};
use crate::numeric::train::Trainer;
use crate::watch::Watch;

/// The cost of the first round; the rounds that bracket and refine are decided by its results.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Runs of the round, or of the share of it.
    pub runs: usize,
    /// How many of them are known already.
    pub known: usize,
    /// At most so many more runs bracket and refine the optima, if every one needs all the steps that it may take.
    pub later: usize,
    /// Floating-point operations of the matrix products of the runs to be done.
    pub operations: f64,
    /// Bytes of all runs that go on at a time.
    pub bytes: u64,
    /// Seconds on the threads of the request, measured on a few steps of every network.
    pub seconds: f64,
    /// By value of the scale symbol.
    pub rows: Vec<Row>,
}

/// The cost at one size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The value of the scale symbol.
    pub value: i64,
    /// Runs to be done.
    pub runs: usize,
    /// Numbers in all trained and frozen tensors.
    pub weights: usize,
    /// Operations of one run.
    pub operations: f64,
    /// Bytes of one run.
    pub bytes: u64,
    /// Seconds of one run.
    pub seconds: f64,
}

/// Counts, and measures how long steps take.
///
/// # Errors
/// If a network cannot be built, or what is known was done with other numbers.
pub fn plan(
    request: &Request,
    prepare: &Prepare,
    known: &[Run],
    share: Option<Share>,
    watch: &dyn Watch,
) -> Result<Plan, SweepError> {
    let known: BTreeMap<Key, &Run> = known.iter().map(|run| (run.key(), run)).collect();
    let all = shared(jobs(request, prepare, &grid(request))?, share);
    let steps = request.course.steps as f64;
    let mut paces: BTreeMap<(usize, i64), f64> = BTreeMap::new();
    let mut rows: BTreeMap<i64, Row> = BTreeMap::new();
    let mut sizes = Vec::new();
    for job in &all {
        if let Some(run) = known.get(&job.key) {
            agreeing(job, run)?;
            continue;
        }
        let own = &job.prepared;
        let measure = || seconds_per_step(own, request, prepare, watch);
        let pace = *paces.entry((own.cell.arm, own.cell.value)).or_insert_with(measure);
        let row = rows.entry(own.cell.value).or_insert_with(|| Row {
            value: own.cell.value,
            weights: own.program.weight_count(),
            ..Row::default()
        });
        row.runs += 1;
        row.bytes = row.bytes.max(own.bytes);
        row.operations = row.operations.max(own.operations() * steps);
        row.seconds = row.seconds.max(pace * steps);
        sizes.push(own.bytes);
    }
    sizes.sort_unstable();
    let rows: Vec<Row> = rows.into_values().collect();
    let open: usize = rows.iter().map(|row| row.runs).sum();
    let total = |of: &dyn Fn(&Row) -> f64| rows.iter().map(|row| of(row) * row.runs as f64).sum::<f64>();
    let threads = request.threads.min(open.max(1)) as f64;
    Ok(Plan {
        runs: all.len(),
        known: all.len() - open,
        later: later(request),
        operations: total(&|row| row.operations),
        bytes: sizes.iter().rev().take(request.threads).sum::<u64>().min(request.memory),
        seconds: total(&|row| row.seconds) / threads,
        rows,
    })
}

fn later(request: &Request) -> usize {
    let most = request.search.reach.max(0) as usize + 2 * request.search.halvings as usize;
    request.arms.len() * request.values.len() * request.seeds.len() * most
}

/// How long one step takes: the faster of two, after one that fills the caches.
fn seconds_per_step(prepared: &Prepared, request: &Request, prepare: &Prepare, watch: &dyn Watch) -> f64 {
    let program = prepared.program.clone();
    let mut trainer: Trainer<f32> = Trainer::new(program, &prepared.setting, request.course.routine, 0);
    let batch = prepare.bound.batch(&(0..prepared.batch).collect::<Vec<_>>());
    trainer.step(&batch);
    let mut time = || {
        let start = watch.seconds();
        trainer.step(&batch);
        watch.seconds() - start
    };
    time().min(time())
}
