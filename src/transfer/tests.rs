//! Curves, drifts and verdicts on made-up losses, whose optima are known.
