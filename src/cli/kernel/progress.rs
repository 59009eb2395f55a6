//! How far a kernel is: a bar on standard error.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::kernel::Watch;

/// A bar whose length is the number of pairs of points.
pub struct Progress {
    started: Instant,
    bar: ProgressBar,
}

impl Progress {
    /// Shows the bar where somebody sees it.
    pub fn start(points: usize, quiet: bool) -> Progress {
        let pairs = (points * (points + 1) / 2) as u64;
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(pairs) };
        let template = "{spinner} {wide_bar} {percent}% of {len} pairs {elapsed} of about {duration}";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Progress { started: Instant::now(), bar }
    }

    /// Takes the bar away; the seconds since the start.
    pub fn end(&self) -> f64 {
        self.bar.finish_and_clear();
        self.started.elapsed().as_secs_f64()
    }
}

impl Watch for Progress {
    fn finished(&self, pairs: usize) {
        self.bar.inc(pairs as u64);
    }
}
