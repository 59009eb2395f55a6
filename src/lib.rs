//! mupc: a compiler for neural-network parameterizations.
//!
//! A spec says what a network computes; mupc derives how the initialization, the learning rate and the rest of every parameter must scale
//! with its widths (Tensor Programs IV, IVb, V; arXiv 2011.14522, 2308.01814, 2203.03466). Start at [`compile`]; a [`Network`] has the
//! scaling table, the verdict on a parameterization, and the reasons for both. All three have stable texts for snapshot tests.
//!
//! ```
//! use mupc::{Named, Optimizer};
//!
//! let network = mupc::compile(
//!     "scale n = 256
//!      input image[784]
//!      target label in 10
//!      x = relu(linear(image, n) as first)
//!      loss cross_entropy(readout(x, 10), label)",
//! )?;
//! let table = network.table(Named::Mup, Optimizer::Sgd)?;
//! let rates: Vec<String> = table
//!     .parameters
//!     .iter()
//!     .filter_map(|row| Some(row.learning_rate.as_ref()?.display(&table.symbols()).to_string()))
//!     .collect();
//! assert_eq!(rates, ["n", "n^-1"]);
//! # Ok::<(), mupc::diagnostic::Diagnostics>(())
//! ```
//!
//! The modules are the rooms of ARCHITECTURE.md, in the order in which data flows: [`syntax`], [`graph`], [`shape`], [`size`],
//! [`parameterization`], [`explain`], [`report`], [`cli`].

pub mod abc;
pub mod check;
pub mod cli;
pub mod concrete;
pub mod diagnostic;
pub mod dim;
pub mod drift;
pub mod explain;
pub mod graph;
pub mod kernel;
pub mod limit;
pub mod loader;
pub mod network;
pub mod numeric;
pub mod optimizer;
pub mod parameterization;
pub mod prelude;
pub mod rational;
pub mod report;
pub mod shape;
pub mod size;
pub mod source;
pub mod syntax;
pub mod transfer;
pub mod watch;

pub use loader::Loader;
pub use network::{Network, Question, compile, compile_with};
pub use optimizer::{Optimizer, Plan};
pub use parameterization::{Form, LearningRates, Named, ScalingTable, Scheme};

/// The README's program, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
