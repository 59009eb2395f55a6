//! How far a sweep is: a bar on standard error, the time, Ctrl-C, and the store that every finished run goes to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::store::Writer;
use crate::transfer::runs::{Run, Watch};

/// A bar whose length is the work of the round at hand: the time left is an estimate from its start.
pub struct Progress {
    started: Instant,
    bar: ProgressBar,
    stopped: Arc<AtomicBool>,
    store: Option<Writer>,
}

impl Progress {
    /// Shows the bar where somebody sees it.
    pub fn start(quiet: bool, store: Option<Writer>) -> Progress {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let template = "{spinner} {prefix} {wide_bar} {percent}% {msg} {elapsed}, {eta} to go";
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
        Progress { started: Instant::now(), bar, stopped, store }
    }

    /// Takes the bar away; the seconds since the start, and why the store could not be written, if so.
    pub fn end(&self) -> (f64, Option<String>) {
        self.bar.finish_and_clear();
        (self.started.elapsed().as_secs_f64(), self.store.as_ref().and_then(Writer::failure))
    }
}

impl Watch for Progress {
    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn round(&self, number: usize, work: u64) {
        let names = ["grid", "optima"];
        self.bar.set_prefix(names[number.min(1)]);
        self.bar.set_length(work);
        self.bar.reset();
    }

    fn finished(&self, run: &Run, work: u64) {
        self.bar.inc(work);
        self.bar.set_message(format!("{} {} {}", run.parameterization, run.optimizer, run.value));
        // What cannot be kept is not worth the time.
        if self.store.as_ref().is_some_and(|store| store.append(run).is_err()) {
            self.stopped.store(true, Ordering::SeqCst);
        }
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}
