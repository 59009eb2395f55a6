//! How far a study of finite width is.

use crate::cli::progress::Meter;
use crate::drift::study::Watch;

/// A bar whose length is the number of runs.
pub struct Progress {
    meter: Meter,
}

impl Progress {
    /// Shows the bar where somebody sees it.
    pub fn new(quiet: bool) -> Progress {
        let template = "{spinner} {wide_bar} {pos} of {len} runs {elapsed} of about {duration}";
        Progress { meter: Meter::new(0, template, quiet).interruptible() }
    }

    /// Takes the bar away; the seconds since the start.
    pub fn end(&self) -> f64 {
        self.meter.end()
    }
}

impl Watch for Progress {
    fn starts(&self, runs: usize) {
        self.meter.bar.set_length(runs as u64);
    }

    fn finished(&self) {
        self.meter.bar.inc(1);
    }

    fn stopped(&self) -> bool {
        self.meter.stopped()
    }
}
