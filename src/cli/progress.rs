//! How far long work is: a bar on standard error, the time, and Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::watch::Watch;

/// Whether an interrupt has come: one for the whole process, which has one handler.
static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// A bar with a clock, which an interrupt can stop.
pub struct Meter {
    started: Instant,
    /// The bar.
    pub bar: ProgressBar,
    stopped: Arc<AtomicBool>,
}

impl Meter {
    /// Shows a bar of this length and look where somebody sees it.
    pub fn new(length: u64, template: &str, quiet: bool) -> Meter {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(length) };
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Meter { started: Instant::now(), bar, stopped: Arc::new(AtomicBool::new(false)) }
    }

    /// A bar of so many things, which an interrupt can stop.
    pub fn counting(what: &str, things: usize, quiet: bool) -> Meter {
        let template = format!(
            "{{spinner}} {{wide_bar}} {{percent}}% of {{len}} {what} {{elapsed}} of about {{duration}}"
        );
        Meter::new(things as u64, &template, quiet).interruptible()
    }

    /// Lets an interrupt ask for an end, and a second one end the program.
    pub fn interruptible(self) -> Meter {
        let handled = || {
            let flag = Arc::new(AtomicBool::new(false));
            let own = Arc::clone(&flag);
            // Where no handler can be set, an interrupt ends the program as usual.
            let _ = ctrlc::set_handler(move || {
                if own.swap(true, Ordering::SeqCst) {
                    std::process::exit(130);
                }
            });
            flag
        };
        Meter { stopped: Arc::clone(INTERRUPTED.get_or_init(handled)), ..self }
    }

    /// Takes the bar away; the seconds since the start.
    pub fn end(&self) -> f64 {
        self.bar.finish_and_clear();
        self.seconds()
    }

    /// Asks for an end.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}

impl Watch for Meter {
    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn expects(&self, work: usize) {
        self.bar.inc_length(work as u64);
    }

    fn finished(&self, work: usize) {
        self.bar.inc(work as u64);
    }

    fn tells(&self, what: &str) {
        self.bar.set_message(what.to_string());
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}
