//! Finite width: the structured tangent kernel against the Jacobian, and what `mupc drift` finds.

#[cfg(target_os = "linux")]
#[path = "common/interrupt.rs"]
mod interrupt;
#[path = "common/page.rs"]
mod page;

#[path = "drift/cli.rs"]
mod cli;
#[path = "drift/tangent.rs"]
mod tangent;
