//! The numeric backend: the same graph, in floating point.
//!
//! A graph at given lengths becomes a [`program::Program`] ([`build`]), a [`machine::Machine`] runs it forward and backward. What a
//! network starts with and how it is trained comes in as a [`setting::Setting`]: numbers, nothing else.
//!
//! | file | what is in it |
//! |---|---|
//! | [`build`], [`program`] | repetitions unrolled, factors folded, chains fused; instructions on numbered buffers |
//! | [`contraction`], [`matrix`] | products with sums, as matrix products |
//! | [`pointwise`], [`function`] | chains of elementwise operations in one pass |
//! | [`linear`], [`rows`], [`picking`], [`nest`] | everything else |
//! | [`machine`] | forward, backward |
//! | [`buffers`], [`pages`] | where numbers lie |
//! | [`data`] | what networks are trained on |
//!
//! Architecture invariant: this room never sees a prediction. It imports neither `size` nor `parameterization`.

pub mod activation;
pub mod buffers;
pub mod build;
pub mod contraction;
pub mod data;
pub mod function;
pub mod initial;
pub mod linear;
pub mod machine;
pub mod matrix;
pub mod measure;
pub mod nest;
pub mod normalized;
pub mod pages;
pub mod picking;
pub mod pointwise;
pub mod program;
pub mod real;
pub mod rounding;
pub mod rows;
pub mod setting;
pub mod spectral;
pub mod train;
pub mod update;
