//! Functions whose slope costs as much as their value: both are computed on the way forward, and the slope is left where the function's argument was, which nobody else needs.

use pulp::NullaryFnOnce;

use super::function::values_and_slopes;
use super::pointwise::{Chain, Receiver, TILE};
use super::real::Real;
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
        pulp::Arch::new().dispatch(Forward { own: self, operands, first, out, scratch });
    }

    /// The gradients, the first operand's over that of the result.
    pub fn backward_in_place<T: Real>(
        &self,
        operands: &[&[T]],
        gradient: &mut [T],
        into: &mut [Option<Receiver<'_, T>>],
        scratch: &mut [T],
    ) {
        pulp::Arch::new().dispatch(Backward { own: self, operands, gradient, into, scratch });
    }
}

/// A forward pass: a type of its own, so that it is inlined where it is compiled for the vectors of the machine.
struct Forward<'a, T> {
    own: &'a Activation,
    operands: &'a [&'a [T]],
    first: &'a mut [T],
    out: &'a mut [T],
    scratch: &'a mut [T],
}

impl<T: Real> NullaryFnOnce for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let tiles = self.first.chunks_mut(TILE).zip(self.out.chunks_mut(TILE));
        for (tile, (x, y)) in tiles.enumerate() {
            self.own.before.run_tile(self.operands, tile * TILE, x, &mut self.scratch[..TILE]);
            values_and_slopes(self.own.func, x, y);
        }
    }
}

/// A backward pass.
struct Backward<'a, 'i, T> {
    own: &'a Activation,
    operands: &'a [&'a [T]],
    gradient: &'a mut [T],
    into: &'a mut [Option<Receiver<'i, T>>],
    scratch: &'a mut [T],
}

impl<T: Real> NullaryFnOnce for Backward<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.into.iter_mut().flatten().for_each(|into| into.prepare(self.gradient.len()));
        let tiles = self.gradient.chunks_mut(TILE).zip(self.operands[0].chunks(TILE));
        for (tile, (flow, slopes)) in tiles.enumerate() {
            flow.iter_mut().zip(slopes).for_each(|(flow, slope)| *flow *= *slope);
            self.own.before.pull_back(
                self.operands,
                (tile * TILE, flow),
                self.into,
                &mut self.scratch[..TILE],
            );
        }
    }
}
