//! How much memory runs may take: what the user says, as far as the machine has it.

use crate::cli::failure::Failure;

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
