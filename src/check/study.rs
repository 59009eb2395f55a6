//! A whole check: a rate, runs, comparison, and more seeds where these leave something open.

use rayon::ThreadPoolBuildError;

use super::compare::{compare, restraint};
use super::pilot;
use super::record::Record;
use super::request::{Prepare, Request, RequestError};
use super::runs::{Measured, run_all};
use crate::dim::Symbol;
use crate::network::Network;
use crate::parameterization::Parameterization;
use crate::size::analysis::Calculus;
use crate::watch::Watch;

/// More seeds are tried while more than this share of the predictions cannot be told from their neighbours.
const OPEN: f64 = 0.05;

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The request cannot be met.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// No threads.
    #[error("cannot start threads: {0}")]
    Threads(#[from] ThreadPoolBuildError),
}

/// What is studied.
#[derive(Debug)]
pub struct Study<'a> {
    /// The network.
    pub network: &'a Network,
    /// Its parameterization.
    pub found: &'a Parameterization,
    /// What to run.
    pub request: Request,
    /// Whether the rate is the user's own; else it is lowered until the response is linear.
    pub own_rate: bool,
    /// Seeds are doubled up to so many while a prediction is refuted or many are open.
    pub most_seeds: usize,
}

impl Study<'_> {
    /// Runs everything.
    ///
    /// # Errors
    /// If the networks cannot be built, the data does not fit, memory does not suffice, or threads cannot be started.
    pub fn record(mut self, watch: &dyn Watch) -> Result<Record, StudyError> {
        let growing = Symbol(self.request.symbol as u16);
        let calculus = self.network.calculus_for(&self.request.question).at(&self.request.base, growing);
        if !self.own_rate {
            self.request.chosen.learning_rate *= restraint(&calculus, &self.request, self.found);
        }
        let mut prepared = self.request.prepare(self.network, self.found)?;
        if !self.own_rate {
            pilot::settle(&calculus, &mut self.request, &mut prepared, self.found, watch)?;
        }
        watch.expects(prepared.work() * self.request.course.seeds.len());
        let mut runs = run_all(&self.request.course, &prepared, watch)?;
        let mut record = self.compare(&calculus, &prepared, &runs);
        while !watch.stopped() && self.request.course.seeds.len() < self.most_seeds && is_open(&record) {
            runs.extend(self.more(&prepared, watch)?);
            runs.sort_by_key(|run: &Measured| (run.place, run.seed));
            record = self.compare(&calculus, &prepared, &runs);
        }
        Ok(record)
    }

    fn compare(&self, calculus: &Calculus, prepared: &Prepare, runs: &[Measured]) -> Record {
        compare(calculus, &self.request, prepared, self.found, runs)
    }

    /// As many seeds again.
    fn more(&mut self, prepared: &Prepare, watch: &dyn Watch) -> Result<Vec<Measured>, ThreadPoolBuildError> {
        let known = self.request.course.seeds.clone();
        let count = known.len().min(self.most_seeds - known.len());
        let first = known.iter().max().map_or(0, |seed| seed + 1);
        let mut course = self.request.course.clone();
        course.seeds = (first..).take(count).collect();
        self.request.course.seeds.extend(&course.seeds);
        watch.expects(prepared.work() * count);
        run_all(&course, prepared, watch)
    }
}

/// Whether more seeds may change the verdict.
fn is_open(record: &Record) -> bool {
    let open = record.findings.iter().filter(|own| own.is_blunt());
    record.is_refuted() || open.count() as f64 > OPEN * record.findings.len() as f64
}
