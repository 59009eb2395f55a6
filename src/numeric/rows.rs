//! Operations along the last axis: softmax, normalizations, masks.

use super::linear::{dot, total};
use super::real::Real;

/// Added to the mean square before its root is taken, so that rows of zeros stay zero. Far smaller than the 1e-5 of common
/// libraries, since exponents are measured here.
const SMALLEST: f64 = 1e-12;

/// What is done to every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// e^x over its sum.
    Softmax,
    /// Its logarithm.
    LogSoftmax,
    /// Mean 0, mean square 1.
    Standardize,
    /// Mean square 1.
    Rms,
    /// Keeps this many largest entries; the others become minus infinity.
    TopK(usize),
    /// Row number r (counted anew after `queries`) keeps entries 0 to r; the others become minus infinity.
    Causal {
        /// How many rows belong together.
        queries: usize,
    },
}

/// The values of all rows.
pub fn forward<T: Real>(along: Along, length: usize, input: &[T], out: &mut [T]) {
    pulp::Arch::new().dispatch(|| {
        for (row, (input, out)) in input.chunks_exact(length).zip(out.chunks_exact_mut(length)).enumerate() {
            forward_row(along, row, input, out);
        }
    });
}

#[inline(always)]
fn forward_row<T: Real>(along: Along, row: usize, x: &[T], y: &mut [T]) {
    match along {
        Along::Softmax => {
            let largest = largest(x);
            y.iter_mut().zip(x).for_each(|(y, x)| *y = (*x - largest).exponential());
            let share = T::one() / total(y);
            y.iter_mut().for_each(|y| *y *= share);
        }
        Along::LogSoftmax => {
            let largest = largest(x);
            y.iter_mut().zip(x).for_each(|(y, x)| *y = (*x - largest).exponential());
            let above = largest + total(y).ln();
            y.iter_mut().zip(x).for_each(|(y, x)| *y = *x - above);
        }
        Along::Standardize | Along::Rms => {
            let (mean, scale) = moments(along, x);
            y.iter_mut().zip(x).for_each(|(y, x)| *y = (*x - mean) * scale);
        }
        Along::TopK(count) => {
            let bound = nth_largest(x, count);
            let mut room = count - x.iter().filter(|x| **x > bound).count();
            for (y, x) in y.iter_mut().zip(x) {
                let tie = *x == bound && room > 0;
                room -= usize::from(tie);
                *y = if *x > bound || tie { *x } else { T::neg_infinity() };
            }
        }
        Along::Causal { queries } => {
            let seen = (row % queries + 1).min(x.len());
            y[..seen].copy_from_slice(&x[..seen]);
            y[seen..].fill(T::neg_infinity());
        }
    }
}

/// The gradients of all rows, added to `into`.
pub fn backward<T: Real>(
    along: Along,
    length: usize,
    (input, out): (&[T], &[T]),
    gradient: &[T],
    into: &mut [T],
) {
    pulp::Arch::new().dispatch(|| {
        let rows = input.chunks_exact(length).zip(out.chunks_exact(length));
        let gradients = gradient.chunks_exact(length).zip(into.chunks_exact_mut(length));
        rows.zip(gradients).for_each(|((x, y), (dy, dx))| backward_row(along, x, y, dy, dx));
    });
}

#[inline(always)]
fn backward_row<T: Real>(along: Along, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
    match along {
        Along::Softmax => {
            let common = dot(dy, y);
            dx.iter_mut().zip(y.iter().zip(dy)).for_each(|(dx, (y, dy))| *dx += *y * (*dy - common));
        }
        Along::LogSoftmax => {
            let sum = total(dy);
            let pairs = y.iter().zip(dy);
            dx.iter_mut().zip(pairs).for_each(|(dx, (y, dy))| *dx += *dy - y.exponential() * sum);
        }
        Along::Standardize | Along::Rms => {
            let (_, scale) = moments(along, x);
            let count = T::of(x.len() as f64);
            let mean = if along == Along::Rms { T::zero() } else { total(dy) / count };
            let shared = dot(dy, y) / count;
            let pairs = y.iter().zip(dy);
            dx.iter_mut().zip(pairs).for_each(|(dx, (y, dy))| *dx += scale * (*dy - mean - *y * shared));
        }
        Along::TopK(_) | Along::Causal { .. } => {
            for (dx, (y, dy)) in dx.iter_mut().zip(y.iter().zip(dy)) {
                if *y != T::neg_infinity() {
                    *dx += *dy;
                }
            }
        }
    }
}

/// Mean, and one over the root of the mean square around it.
#[inline(always)]
fn moments<T: Real>(along: Along, x: &[T]) -> (T, T) {
    let count = T::of(x.len() as f64);
    let mean = if along == Along::Rms { T::zero() } else { total(x) / count };
    let square = x.iter().map(|x| (*x - mean) * (*x - mean)).sum::<T>() / count;
    (mean, T::one() / (square + T::of(SMALLEST)).sqrt())
}

#[inline(always)]
fn largest<T: Real>(x: &[T]) -> T {
    x.iter().fold(T::neg_infinity(), |largest, x| if *x > largest { *x } else { largest })
}

/// The entry that `count - 1` others are not smaller than.
fn nth_largest<T: Real>(x: &[T], count: usize) -> T {
    let mut bound = T::infinity();
    let mut found = 0;
    while found < count {
        let below = x.iter().filter(|x| **x < bound).fold(T::neg_infinity(), |a, b| a.max(*b));
        if below == T::neg_infinity() {
            return below;
        }
        found += x.iter().filter(|x| **x == below).count();
        bound = below;
    }
    bound
}
