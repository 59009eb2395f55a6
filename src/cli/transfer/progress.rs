//! How far a sweep is, and the store that every finished run goes to.

use super::store::Writer;
use crate::cli::progress::Meter;
use crate::transfer::runs::{Keeper, Run};
use crate::watch::Watch;

/// A bar whose length is the work of the round at hand: the time left is an estimate from its start.
pub struct Progress {
    meter: Meter,
    store: Option<Writer>,
}

impl Progress {
    /// Shows the bar where somebody sees it.
    pub fn start(quiet: bool, store: Option<Writer>) -> Progress {
        let template = "{spinner} {prefix} {wide_bar} {percent}% {msg} {elapsed}, {eta} to go";
        Progress { meter: Meter::new(0, template, quiet).interruptible(), store }
    }

    /// Takes the bar away; the seconds since the start, and why the store could not be written, if so.
    pub fn end(&self) -> (f64, Option<String>) {
        (self.meter.end(), self.store.as_ref().and_then(Writer::failure))
    }
}

impl Watch for Progress {
    fn seconds(&self) -> f64 {
        self.meter.seconds()
    }

    fn expects(&self, work: usize) {
        self.meter.expects(work);
    }

    fn finished(&self, work: usize) {
        self.meter.finished(work);
    }

    fn stopped(&self) -> bool {
        self.meter.stopped()
    }
}

impl Keeper for Progress {
    fn round(&self, number: usize) {
        let names = ["grid", "optima"];
        self.meter.bar.set_prefix(names[number.min(1)]);
        self.meter.bar.set_length(0);
        self.meter.bar.reset();
    }

    fn keep(&self, run: &Run) {
        self.meter.tells(&format!("{} {} {}", run.parameterization, run.optimizer, run.value));
        // What cannot be kept is not worth the time.
        if self.store.as_ref().is_some_and(|store| store.append(run).is_err()) {
            self.meter.stop();
        }
    }
}
