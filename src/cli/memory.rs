//! How much memory runs may take: what the user says, as far as the machine has it.

use super::failure::Failure;
use crate::concrete::float;
use crate::dim::Dim;
use crate::graph::Graph;
use crate::rational::Rational;

/// What is taken if nobody says how much, at most.
const USUAL: u64 = 4_000_000_000;

/// Bytes for all runs together, from gigabytes.
///
/// # Errors
/// If the machine has less than that altogether.
pub fn allowed(gigabytes: Option<f64>) -> Result<u64, Failure> {
    let Some(gigabytes) = gigabytes else {
        return Ok(installed().map_or(USUAL, |installed| USUAL.min(installed / 2)));
    };
    let asked = (gigabytes * 1e9) as u64;
    match installed().filter(|installed| asked > *installed) {
        None => Ok(asked),
        Some(installed) => Err(Failure::Other(
            format!("--memory: {gigabytes} GB are more than this machine has"),
            Some(format!("it has {:.1} GB; leave some of it to others", installed as f64 / 1e9)),
        )),
    }
}

/// Bytes for the weights of a finite network at these values of the scale symbols, so many for each.
pub fn of_weights(graph: &Graph, values: &[Rational], each: f64) -> f64 {
    let length = |dim: &Dim| dim.at(values).map_or(1.0, float);
    let numbers = graph.params.iter().map(|param| param.shape.iter().map(length).product::<f64>());
    each * numbers.sum::<f64>()
}

/// Networks that cannot be stored are refused before any work: they need more than what is allowed, or than the machine has.
///
/// # Errors
/// If so.
pub fn hold_networks(bytes: f64, allowed: Option<f64>, help: &str) -> Result<(), Failure> {
    let most = allowed.or_else(|| installed().map(|bytes| bytes as f64));
    match most.filter(|most| bytes > *most) {
        None => Ok(()),
        Some(most) => Err(Failure::Other(
            format!(
                "the weights of these networks need about {:.1} GB, more than {} {:.1} GB",
                bytes / 1e9,
                if allowed.is_some() { "the allowed" } else { "this machine's" },
                most / 1e9
            ),
            Some(help.to_string()),
        )),
    }
}

/// Bytes of memory, where the system says so (Linux).
fn installed() -> Option<u64> {
    total(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_and_nonsense_is_not() {
        assert_eq!(total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16_777_216));
        assert_eq!((total("MemFree: 1 kB"), total("MemTotal: much")), (None, None));
        assert!(allowed(Some(1e9)).is_err() || installed().is_none());
        assert_eq!(allowed(Some(1e-3)).ok(), Some(1_000_000));
        assert!(allowed(None).is_ok_and(|bytes| bytes <= USUAL));
    }
}
