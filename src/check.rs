//! Theory against experiment: what a coordinate check found, and how it judges.
//!
//! The one room that sees both halves: it measures what `size` predicts, fits exponents to the measurements and says of each prediction
//! whether it holds.

pub mod compare;
pub mod fit;
pub mod pilot;
pub mod record;
pub mod request;
pub mod runs;
pub mod setting;
pub mod study;
#[cfg(test)]
mod tests;
pub mod verdict;
