//! mupc.
fn main() {}
