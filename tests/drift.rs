//! Finite width: the structured tangent kernel against the Jacobian, and what `mupc drift` finds.

#[path = "common/page.rs"]
mod page;

#[path = "drift/cli.rs"]
mod cli;
#[path = "drift/tangent.rs"]
mod tangent;
