//! mupc: a compiler for neural-network parameterizations.
pub mod abc;
pub mod cli;
pub mod concrete;
pub mod diagnostic;
pub mod dim;
pub mod explain;
pub mod graph;
pub mod loader;
pub mod network;
pub mod optimizer;
pub mod parameterization;
pub mod prelude;
pub mod rational;
pub mod report;
pub mod shape;
pub mod size;
pub mod source;
pub mod syntax;

pub use loader::Loader;
pub use network::{Network, compile, compile_with};
pub use optimizer::Optimizer;
pub use parameterization::{Form, Named, ScalingTable};
