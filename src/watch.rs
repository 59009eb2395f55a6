//! Who is told how far long work is, and may stop it. The library reads no clock by itself.

/// What the caller is told, and what it decides, while work goes on.
pub trait Watch: Sync {
    /// Seconds since some moment.
    fn seconds(&self) -> f64 {
        0.0
    }

    /// So much more is to be done.
    fn expects(&self, _work: usize) {}

    /// So much of it is done.
    fn finished(&self, _work: usize) {}

    /// What was done last, in a word or two.
    fn tells(&self, _what: &str) {}

    /// Whether the rest is to be left undone.
    fn stopped(&self) -> bool {
        false
    }
}

/// Nobody watches.
impl Watch for () {}
