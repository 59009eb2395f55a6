//! Operations along the last axis: softmax, normalizations, masks.

use super::linear::{STRANDS, dot, folded, squares_about, total};
use super::real::{Real, vectorized};

/// Added to the mean square before its root is taken, so that rows of zeros stay zero. Far smaller than the 1e-5 of common
/// libraries, since exponents are measured here.
const SMALLEST: f64 = 1e-12;

/// What is done to every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// e^x over its sum.
    Softmax,
    /// The same of entries 0 to r of row number r, counted anew after `queries`; the others become zero.
    CausalSoftmax {
        /// How many rows belong together.
        queries: usize,
    },
    /// The logarithm of a softmax.
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

impl Along {
    /// Whether the gradient is passed on with the help of what came in.
    pub fn needs_input(self) -> bool {
        match self {
            Along::Standardize | Along::Rms | Along::TopK(_) => true,
            Along::Softmax | Along::CausalSoftmax { .. } | Along::LogSoftmax | Along::Causal { .. } => false,
        }
    }

    /// Whether it is passed on with the help of what came out.
    pub fn needs_result(self) -> bool {
        match self {
            Along::Softmax | Along::CausalSoftmax { .. } | Along::LogSoftmax => true,
            Along::Standardize | Along::Rms | Along::TopK(_) => true,
            Along::Causal { .. } => false,
        }
    }
}

/// The values of all rows.
pub fn forward<T: Real>(along: Along, length: usize, input: &[T], out: &mut [T]) {
    let rows = input.chunks_exact(length).zip(out.chunks_exact_mut(length));
    vectorized(
        #[inline(always)]
        move || {
            for (row, (x, y)) in rows.enumerate() {
                forward_row(along, row, x, y);
            }
        },
    );
}

/// The values of all rows, over what came in; `scratch` has room for a row.
pub fn forward_in_place<T: Real>(along: Along, length: usize, rows: &mut [T], scratch: &mut [T]) {
    let input = &mut scratch[..length];
    vectorized(
        #[inline(always)]
        move || {
            for (row, out) in rows.chunks_exact_mut(length).enumerate() {
                input.copy_from_slice(out);
                forward_row(along, row, input, out);
            }
        },
    );
}

#[inline(always)]
fn forward_row<T: Real>(along: Along, row: usize, x: &[T], y: &mut [T]) {
    match along {
        Along::Softmax => {
            y.copy_from_slice(x);
            softmax(y);
        }
        Along::CausalSoftmax { queries } => {
            let (seen, looked_at) = reach(row, queries, x.len());
            let (near, hidden) = y.split_at_mut(looked_at);
            for (at, (y, x)) in near.iter_mut().zip(x).enumerate() {
                *y = if at < seen { *x } else { T::neg_infinity() };
            }
            softmax(near);
            hidden.fill(T::zero());
        }
        Along::LogSoftmax => {
            let largest = largest(x);
            for (y, x) in y.iter_mut().zip(x) {
                *y = (*x - largest).exponential();
            }
            let above = largest + total(y).ln();
            for (y, x) in y.iter_mut().zip(x) {
                *y = *x - above;
            }
        }
        Along::Standardize | Along::Rms => {
            normalize(along, x, y);
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
            let (seen, _) = reach(row, queries, x.len());
            y[..seen].copy_from_slice(&x[..seen]);
            y[seen..].fill(T::neg_infinity());
        }
    }
}

/// How many entries a row of a causal mask sees, and how many of the row are looked at: whole strands, so that sums are those of the whole row.
#[inline(always)]
fn reach(row: usize, queries: usize, length: usize) -> (usize, usize) {
    let seen = (row % queries + 1).min(length);
    (seen, seen.next_multiple_of(STRANDS).min(length))
}

#[inline(always)]
fn softmax<T: Real>(row: &mut [T]) {
    let largest = largest(row);
    for entry in &mut *row {
        *entry = (*entry - largest).exponential();
    }
    let share = T::one() / total(row);
    for entry in row {
        *entry *= share;
    }
}

#[inline(always)]
fn softmax_slopes<T: Real>(y: &[T], dy: &[T], dx: &mut [T], fresh: bool) {
    let common = dot(dy, y);
    give(dx, fresh, y.iter().zip(dy).map(|(y, dy)| *y * (*dy - common)));
}

/// The gradients of all rows, added to `into`, or put there if it is `fresh`.
pub fn backward<T: Real>(
    along: Along,
    length: usize,
    (input, out): (&[T], &[T]),
    gradient: &[T],
    into: &mut [T],
    fresh: bool,
) {
    let rows = input.chunks_exact(length).zip(out.chunks_exact(length));
    let gradients = gradient.chunks_exact(length).zip(into.chunks_exact_mut(length));
    vectorized(
        #[inline(always)]
        move || {
            for (row, ((x, y), (dy, dx))) in rows.zip(gradients).enumerate() {
                backward_row(along, row, (x, y), dy, dx, fresh);
            }
        },
    );
}

/// The gradients of all rows, over those of the results, of what needs no input for it ([`Along::needs_input`]); `scratch` has room for a row.
pub fn backward_in_place<T: Real>(
    along: Along,
    length: usize,
    out: &[T],
    gradient: &mut [T],
    scratch: &mut [T],
) {
    let given = &mut scratch[..length];
    let rows = out.chunks_exact(length).zip(gradient.chunks_exact_mut(length));
    vectorized(
        #[inline(always)]
        move || {
            for (row, (y, gradient)) in rows.enumerate() {
                given.copy_from_slice(gradient);
                backward_row(along, row, (y, y), given, gradient, true);
            }
        },
    );
}

/// Adds to entries, or puts numbers there.
#[inline(always)]
fn give<T: Real>(into: &mut [T], fresh: bool, numbers: impl Iterator<Item = T>) {
    match fresh {
        true => into.iter_mut().zip(numbers).for_each(|(into, number)| *into = number),
        false => into.iter_mut().zip(numbers).for_each(|(into, number)| *into += number),
    }
}

#[inline(always)]
fn backward_row<T: Real>(
    along: Along,
    row: usize,
    (x, y): (&[T], &[T]),
    dy: &[T],
    dx: &mut [T],
    fresh: bool,
) {
    let pairs = y.iter().zip(dy);
    match along {
        Along::Softmax => softmax_slopes(y, dy, dx, fresh),
        Along::CausalSoftmax { queries } => {
            let (_, looked_at) = reach(row, queries, y.len());
            softmax_slopes(&y[..looked_at], &dy[..looked_at], &mut dx[..looked_at], fresh);
            if fresh {
                dx[looked_at..].fill(T::zero());
            }
        }
        Along::LogSoftmax => {
            let sum = total(dy);
            give(dx, fresh, pairs.map(|(y, dy)| *dy - y.exponential() * sum));
        }
        Along::Standardize | Along::Rms => {
            let (_, scale) = moments(along, x);
            normalize_slopes(along, scale, (y, dy), dx, fresh);
        }
        Along::TopK(_) => {
            let kept = |y: T| y != T::neg_infinity();
            give(dx, fresh, pairs.map(|(y, dy)| if kept(*y) { *dy } else { T::zero() }));
        }
        Along::Causal { queries } => {
            let (seen, _) = reach(row, queries, dy.len());
            let (kept, hidden) = dx.split_at_mut(seen);
            give(kept, fresh, dy[..seen].iter().copied());
            if fresh {
                hidden.fill(T::zero());
            }
        }
    }
}

/// A row with mean 0 and mean square 1, or with mean square 1; the factor by which it was scaled.
#[inline(always)]
pub fn normalize<T: Real>(along: Along, x: &[T], y: &mut [T]) -> T {
    let (mean, scale) = moments(along, x);
    for (y, x) in y.iter_mut().zip(x) {
        *y = (*x - mean) * scale;
    }
    scale
}

/// The gradient of a row that was normalized to `y` and scaled by `scale`.
#[inline(always)]
pub fn normalize_slopes<T: Real>(along: Along, scale: T, (y, dy): (&[T], &[T]), dx: &mut [T], fresh: bool) {
    let count = T::of(y.len() as f64);
    let mean = if along == Along::Rms { T::zero() } else { total(dy) / count };
    let shared = dot(dy, y) / count;
    give(dx, fresh, y.iter().zip(dy).map(|(y, dy)| scale * (*dy - mean - *y * shared)));
}

/// Mean, and one over the root of the mean square around it.
#[inline(always)]
fn moments<T: Real>(along: Along, x: &[T]) -> (T, T) {
    let count = T::of(x.len() as f64);
    let mean = if along == Along::Rms { T::zero() } else { total(x) / count };
    let square = squares_about(x, mean) / count;
    (mean, T::one() / (square + T::of(SMALLEST)).sqrt())
}

/// The largest entry, in strands.
#[inline(always)]
fn largest<T: Real>(x: &[T]) -> T {
    let larger = |a: T, b: T| if b > a { b } else { a };
    let mut strands = [T::neg_infinity(); STRANDS];
    let chunks = x.chunks_exact(STRANDS);
    let rest = chunks.remainder().iter().fold(T::neg_infinity(), |most, x| larger(most, *x));
    for chunk in chunks {
        strands.iter_mut().zip(chunk).for_each(|(strand, x)| *strand = larger(*strand, *x));
    }
    larger(folded(strands, larger), rest)
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
