//! A normalization along the last axis and what is done to every row behind it: gain and bias. What stands between is not kept; the way back computes it again.

use pulp::NullaryFnOnce;

use super::pointwise::{Chain, Receiver};
use super::real::Real;
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
        pulp::Arch::new().dispatch(Forward { own: self, operands, out, scratch });
    }

    /// The gradients of the operands.
    pub fn backward<T: Real>(
        &self,
        operands: &[&[T]],
        gradient: &[T],
        into: &mut [Option<Receiver<'_, T>>],
        scratch: &mut [T],
    ) {
        pulp::Arch::new().dispatch(Backward { own: self, operands, gradient, into, scratch });
    }
}

/// All rows forward: a type of its own, so that it is inlined where it is compiled for the vectors of the machine.
struct Forward<'a, T> {
    own: &'a Normalized,
    operands: &'a [&'a [T]],
    out: &'a mut [T],
    scratch: &'a mut [T],
}

impl<T: Real> NullaryFnOnce for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Normalized { along, length, chain } = self.own;
        let rows = self.operands[0].chunks_exact(*length).zip(self.out.chunks_exact_mut(*length));
        for (x, y) in rows {
            normalize(*along, x, y);
            chain.forward_tiles(None, self.operands, y, self.scratch);
        }
    }
}

/// All rows backward.
struct Backward<'a, 'i, T> {
    own: &'a Normalized,
    operands: &'a [&'a [T]],
    gradient: &'a [T],
    into: &'a mut [Option<Receiver<'i, T>>],
    scratch: &'a mut [T],
}

impl<T: Real> NullaryFnOnce for Backward<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Normalized { along, length, chain } = self.own;
        let (between, scratch) = self.scratch.split_at_mut(*length);
        let (flow, scratch) = scratch.split_at_mut(*length);
        let rows = self.operands[0].chunks_exact(*length).zip(self.gradient.chunks_exact(*length));
        for (row, (x, given)) in rows.enumerate() {
            let scale = normalize(*along, x, between);
            flow.copy_from_slice(given);
            chain.pull_tiles(between, self.operands, flow, self.into, scratch);
            self.into[1..].iter_mut().flatten().for_each(|into| into.fresh = false);
            if let Some(Receiver { entries, fresh }) = &mut self.into[0] {
                let dx = &mut entries[row * length..][..*length];
                normalize_slopes(*along, scale, (between, flow), dx, *fresh);
            }
        }
    }
}
