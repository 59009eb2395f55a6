//! Finite width: the structured tangent kernel against the Jacobian, and what `mupc drift` finds.

#[path = "drift/cli.rs"]
mod cli;
#[path = "drift/tangent.rs"]
mod tangent;
