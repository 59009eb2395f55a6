//! mupc: a compiler for neural-network parameterizations.
pub mod diagnostic;
pub mod dim;
pub mod graph;
pub mod loader;
pub mod network;
pub mod prelude;
pub mod rational;
pub mod source;
pub mod syntax;

pub use loader::Loader;
pub use network::{Network, compile, compile_with};
