//! `mupc explain`.

use super::args::ExplainArguments;
use super::failure::{Answer, Failure};

/// Derives one scaling step by step.
pub fn run(_: &ExplainArguments) -> Result<Answer, Failure> {
    Err(Failure::new("explain is not there yet"))
}
