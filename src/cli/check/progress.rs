//! How far a check is: a bar on standard error, the time, and Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::check::request::Prepare;
use crate::check::runs::Watch;

/// A bar whose length is the work: the time left is an estimate from the start.
pub struct Progress {
    started: Instant,
    bar: ProgressBar,
    work: Mutex<Vec<(i64, u64)>>,
    stopped: Arc<AtomicBool>,
}

impl Progress {
    /// Shows the bar where somebody sees it.
    pub fn new(quiet: bool) -> Progress {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let template = "{spinner} {wide_bar} {percent}% {msg} {elapsed} of about {duration}";
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
        Progress { started: Instant::now(), bar, work: Mutex::new(Vec::new()), stopped }
    }

    /// Takes the bar away; the seconds since the start.
    pub fn end(&self) -> f64 {
        self.bar.finish_and_clear();
        self.started.elapsed().as_secs_f64()
    }
}

impl Watch for Progress {
    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn starts(&self, prepared: &Prepare, seeds: usize) {
        let work: Vec<(i64, u64)> = prepared
            .networks
            .iter()
            .map(|network| (network.value, 1 + network.program.multiplications() as u64 / 1000))
            .collect();
        self.bar.inc_length(work.iter().map(|(_, work)| work).sum::<u64>() * seeds as u64);
        if let Ok(mut own) = self.work.lock() {
            *own = work;
        }
    }

    fn finished(&self, value: i64, _seed: u64) {
        let found = self.work.lock().ok();
        let work = found.and_then(|work| work.iter().find(|(own, _)| *own == value).map(|(_, work)| *work));
        let work = work.unwrap_or(1);
        self.bar.inc(work);
        self.bar.set_message(value.to_string());
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}
