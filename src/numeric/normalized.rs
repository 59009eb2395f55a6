//! A normalization along the last axis and what is done to every row behind it: gain and bias. What stands between is not kept; the way back computes it again.

use super::pointwise::{Chain, Receiver};
use super::real::{Real, vectorized};
use super::rows::{Along, normalize, normalize_slopes};

/// A normalization with a chain behind it, whose operands besides the first are the same for every row.
#[derive(Clone, Debug)]
pub struct Normalized {
    /// Standardize or Rms.
    pub along: Along,
    /// The length of a row.
    pub length: usize,
    /// What follows.
    pub chain: Chain,
}

impl Normalized {
    /// How many numbers a run needs besides its operands.
    pub fn scratch(&self) -> usize {
        2 * self.length + self.chain.scratch()
    }

    /// The values.
    pub fn forward<T: Real>(&self, operands: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        let rows = operands[0].chunks_exact(self.length).zip(out.chunks_exact_mut(self.length));
        vectorized(
            #[inline(always)]
            move || {
                for (x, y) in rows {
                    normalize(self.along, x, y);
                    self.chain.forward_tiles(None, operands, y, scratch);
                }
            },
        );
    }

    /// The gradients of the operands.
    pub fn backward<T: Real>(
        &self,
        operands: &[&[T]],
        gradient: &[T],
        into: &mut [Option<Receiver<'_, T>>],
        scratch: &mut [T],
    ) {
        let Normalized { along, length, chain } = self;
        let (between, scratch) = scratch.split_at_mut(*length);
        let (flow, scratch) = scratch.split_at_mut(*length);
        let rows = operands[0].chunks_exact(*length).zip(gradient.chunks_exact(*length));
        vectorized(
            #[inline(always)]
            move || {
                for (row, (x, given)) in rows.enumerate() {
                    let scale = normalize(*along, x, between);
                    flow.copy_from_slice(given);
                    chain.pull_tiles(between, operands, flow, into, scratch);
                    into[1..].iter_mut().flatten().for_each(|into| into.fresh = false);
                    if let Some(Receiver { entries, fresh }) = &mut into[0] {
                        let dx = &mut entries[row * length..][..*length];
                        normalize_slopes(*along, scale, (between, flow), dx, *fresh);
                    }
                }
            },
        );
    }
}
