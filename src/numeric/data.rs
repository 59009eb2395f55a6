//! What networks are trained on.

/// Examples x entries of one input or target, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Real entries.
    Real(Vec<f32>),
    /// Whole numbers: classes, tokens.
    Whole(Vec<u32>),
}
