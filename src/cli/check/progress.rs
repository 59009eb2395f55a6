//! How far a check is: a bar on standard error, the time, and Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::check::request::{Prepare, Request};
use crate::check::runs::Watch;

/// A bar whose length is the work: the time left is an estimate from the start.
pub struct Progress {
    started: Instant,
    bar: ProgressBar,
    work: Vec<(i64, u64)>,
    stopped: Arc<AtomicBool>,
}

impl Progress {
    /// Shows the bar where somebody sees it.
    pub fn start(request: &Request, prepared: &Prepare, quiet: bool) -> Progress {
        let work: Vec<(i64, u64)> = prepared
            .networks
            .iter()
            .map(|network| (network.value, 1 + network.program.multiplications() as u64 / 1000))
            .collect();
        let whole = work.iter().map(|(_, work)| work).sum::<u64>() * request.course.seeds.len() as u64;
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(whole) };
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
        Progress { started: Instant::now(), bar, work, stopped }
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

    fn finished(&self, value: i64, _seed: u64) {
        let work = self.work.iter().find(|(own, _)| *own == value).map_or(1, |(_, work)| *work);
        self.bar.inc(work);
        self.bar.set_message(value.to_string());
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}
