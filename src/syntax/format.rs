//! The canonical form of a spec.
