//! How far a study of finite width is: a bar on standard error, and Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::drift::study::Watch;

/// A bar whose length is the number of runs.
pub struct Progress {
    started: Instant,
    bar: ProgressBar,
    stopped: Arc<AtomicBool>,
}

impl Progress {
    /// Shows the bar where somebody sees it.
    pub fn new(quiet: bool) -> Progress {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let template = "{spinner} {wide_bar} {pos} of {len} runs {elapsed} of about {duration}";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stopped);
        // A second handler in one process is refused; then an interrupt ends the program as usual.
        let _ = ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        });
        Progress { started: Instant::now(), bar, stopped }
    }

    /// Takes the bar away; the seconds since the start.
    pub fn end(&self) -> f64 {
        self.bar.finish_and_clear();
        self.started.elapsed().as_secs_f64()
    }
}

impl Watch for Progress {
    fn starts(&self, runs: usize) {
        self.bar.set_length(runs as u64);
    }

    fn finished(&self) {
        self.bar.inc(1);
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}
