//! The numeric backend against definitions: gradients by finite differences, kernels by plain loops, optimizers by their laws.

mod common;

#[path = "numeric/allocations.rs"]
mod allocations;
#[path = "numeric/differences.rs"]
mod differences;
#[path = "numeric/operations.rs"]
mod operations;
#[path = "numeric/optimizers.rs"]
mod optimizers;
#[path = "numeric/routine.rs"]
mod routine;
#[path = "numeric/specs.rs"]
mod specs;
#[path = "numeric/sublayers.rs"]
mod sublayers;
