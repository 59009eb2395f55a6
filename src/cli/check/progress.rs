//! How far a check is.

use std::sync::Mutex;

use crate::check::request::Prepare;
use crate::check::runs::Watch;
use crate::cli::progress::Meter;

/// A bar whose length is the work: the time left is an estimate from the start.
pub struct Progress {
    meter: Meter,
    work: Mutex<Vec<(i64, u64)>>,
}

impl Progress {
    /// Shows the bar where somebody sees it.
    pub fn new(quiet: bool) -> Progress {
        let template = "{spinner} {wide_bar} {percent}% {msg} {elapsed} of about {duration}";
        Progress { meter: Meter::new(0, template, quiet).interruptible(), work: Mutex::new(Vec::new()) }
    }

    /// Takes the bar away; the seconds since the start.
    pub fn end(&self) -> f64 {
        self.meter.end()
    }
}

impl Watch for Progress {
    fn seconds(&self) -> f64 {
        self.meter.seconds()
    }

    fn starts(&self, prepared: &Prepare, seeds: usize) {
        let work: Vec<(i64, u64)> = prepared
            .networks
            .iter()
            .map(|network| (network.value, 1 + network.program.multiplications() as u64 / 1000))
            .collect();
        self.meter.bar.inc_length(work.iter().map(|(_, work)| work).sum::<u64>() * seeds as u64);
        if let Ok(mut own) = self.work.lock() {
            *own = work;
        }
    }

    fn finished(&self, value: i64, _seed: u64) {
        let found = self.work.lock().ok();
        let work = found.and_then(|work| work.iter().find(|(own, _)| *own == value).map(|(_, work)| *work));
        let work = work.unwrap_or(1);
        self.meter.bar.inc(work);
        self.meter.bar.set_message(value.to_string());
    }

    fn stopped(&self) -> bool {
        self.meter.stopped()
    }
}
