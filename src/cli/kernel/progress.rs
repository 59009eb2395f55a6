//! How far a kernel is.

use crate::cli::progress::Meter;
use crate::kernel::Watch;

/// A bar whose length is the number of pairs of points, times how often they are gone through.
pub struct Progress {
    meter: Meter,
}

impl Progress {
    /// Shows the bar where somebody sees it.
    pub fn start(points: usize, rounds: usize, quiet: bool) -> Progress {
        let pairs = (rounds * points * (points + 1) / 2) as u64;
        let template = "{spinner} {wide_bar} {percent}% of {len} pairs {elapsed} of about {duration}";
        Progress { meter: Meter::new(pairs, template, quiet).interruptible() }
    }

    /// Takes the bar away; the seconds since the start.
    pub fn end(&self) -> f64 {
        self.meter.end()
    }
}

impl Watch for Progress {
    fn finished(&self, pairs: usize) {
        self.meter.bar.inc(pairs as u64);
    }

    fn stopped(&self) -> bool {
        self.meter.stopped()
    }
}
