//! mupc: a compiler for neural-network parameterizations.
pub mod diagnostic;
pub mod dim;
pub mod graph;
pub mod rational;
pub mod report;
pub mod source;
pub mod syntax;
