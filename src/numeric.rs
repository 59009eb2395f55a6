//! The graph in numbers: data sets.

pub mod data;
