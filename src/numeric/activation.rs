//! Functions whose slope costs as much as their value: both are computed on the way forward, and the slope is left where the function's argument was, which nobody else needs.

use super::function::values_and_slopes;
use super::pointwise::{Chain, Receiver, TILE};
use super::real::{Real, vectorized};
use crate::graph::Func;

/// A function behind a chain that does not look back: a bias.
#[derive(Clone, Debug)]
pub struct Activation {
    /// What comes before.
    pub before: Chain,
    /// The function.
    pub func: Func,
}

impl Activation {
    /// The values to `out`; the first operand stands in `first`, and the slopes in the end.
    pub fn forward<T: Real>(&self, operands: &[&[T]], first: &mut [T], out: &mut [T], scratch: &mut [T]) {
        vectorized(
            #[inline(always)]
            move || {
                let tiles = first.chunks_mut(TILE).zip(out.chunks_mut(TILE));
                for (tile, (x, y)) in tiles.enumerate() {
                    self.before.run_tile(operands, tile * TILE, x, &mut scratch[..TILE]);
                    values_and_slopes(self.func, x, y);
                }
            },
        );
    }

    /// The gradients, the first operand's over that of the result.
    pub fn backward_in_place<T: Real>(
        &self,
        operands: &[&[T]],
        gradient: &mut [T],
        into: &mut [Option<Receiver<'_, T>>],
        scratch: &mut [T],
    ) {
        into.iter_mut().flatten().for_each(|into| into.prepare(gradient.len()));
        vectorized(
            #[inline(always)]
            move || {
                let tiles = gradient.chunks_mut(TILE).zip(operands[0].chunks(TILE));
                for (tile, (flow, slopes)) in tiles.enumerate() {
                    flow.iter_mut().zip(slopes).for_each(|(flow, slope)| *flow *= *slope);
                    self.before.pull_back(operands, (tile * TILE, flow), into, &mut scratch[..TILE]);
                }
            },
        );
    }
}
