//! Hyperparameter transfer, measured: does the value that is best at a small size stay the best at a large one, and what would it cost to
//! assume so?
//!
//! A sweep trains a network at several values of a scale symbol and of a hyperparameter ([`knob`]). What is run is decided in rounds
//! ([`sweep`]): first the grid, then what brackets and refines the optima. Every run ([`runs`]) depends on its own numbers and seed only, so a
//! sweep can be interrupted, resumed, and spread over machines ([`store`]). [`curve`] reads the optimum off a curve, [`study`] how it drifts and what
//! it costs not to follow, [`verdict`] what that means; [`record`] is the result as plain data.

pub mod advice;
pub mod curve;
pub mod fingerprint;
pub mod knob;
pub mod plan;
pub mod prepare;
pub mod record;
pub mod request;
pub mod runs;
pub mod statistics;
pub mod store;
pub mod study;
pub mod sweep;
#[cfg(test)]
mod tests;
pub mod verdict;
