//! Sums, copies, transpositions, broadcasts, windows, concatenations: everything that only moves and adds entries.

use std::array::from_fn;

use super::nest::Nest;
use super::real::Real;

/// The entries of one operand that go into the result: operand 0 of the nest is the result, operand 1 the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which operand of the operation.
    pub operand: usize,
    /// Where its entries go.
    pub nest: Nest<2>,
}

/// out = factor * (sum of parts).
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// What is summed.
    pub parts: Vec<Part>,
    /// The factor in front.
    pub factor: f64,
    /// Whether every entry of the result is written exactly once; else it is filled with zeros first, and written to by sums.
    pub covers: bool,
}

impl Linear {
    /// The values.
    pub fn forward<'a, T: Real>(&self, operand: impl Fn(usize) -> &'a [T], out: &mut [T]) {
        if !self.covers {
            out.fill(T::zero());
        }
        for part in &self.parts {
            let factor = T::of(self.factor);
            match self.covers && self.factor == 1.0 {
                true => copy(&part.nest, out, operand(part.operand)),
                false => add(&part.nest, out, operand(part.operand), factor, self.covers),
            }
        }
    }

    /// Adds the gradient of one operand.
    pub fn backward<T: Real>(&self, operand: usize, gradient: &[T], into: &mut [T]) {
        for part in self.parts.iter().filter(|part| part.operand == operand) {
            add_back(&part.nest, gradient, into, T::of(self.factor));
        }
    }
}

fn copy<T: Real>(nest: &Nest<2>, out: &mut [T], source: &[T]) {
    let (length, [to, from]) = nest.inner();
    nest.each(|[at, start]| match (to, from) {
        (1, 1) => out[at..at + length].copy_from_slice(&source[start..start + length]),
        (1, 0) => out[at..at + length].fill(source[start]),
        _ => (0..length).for_each(|step| out[at + step * to] = source[start + step * from]),
    });
}

/// Adds (or sets) factor times the source.
fn add<T: Real>(nest: &Nest<2>, out: &mut [T], source: &[T], factor: T, set: bool) {
    let (length, [to, from]) = nest.inner();
    let keep = if set { T::zero() } else { T::one() };
    nest.each(|[at, start]| match (to, from) {
        (0, 1) => out[at] = keep * out[at] + factor * total(&source[start..start + length]),
        (1, 1) => {
            let pairs = out[at..at + length].iter_mut().zip(&source[start..start + length]);
            match set {
                true => pairs.for_each(|(out, source)| *out = factor * *source),
                false => pairs.for_each(|(out, source)| *out += factor * *source),
            }
        }
        _ => {
            for step in 0..length {
                let old = if set { T::zero() } else { out[at + step * to] };
                out[at + step * to] = old + factor * source[start + step * from];
            }
        }
    });
}

fn add_back<T: Real>(nest: &Nest<2>, gradient: &[T], into: &mut [T], factor: T) {
    let (length, [from, to]) = nest.inner();
    nest.each(|[start, at]| match (from, to) {
        (1, 0) => into[at] += factor * total(&gradient[start..start + length]),
        (1, 1) => {
            let pairs = into[at..at + length].iter_mut().zip(&gradient[start..start + length]);
            pairs.for_each(|(into, gradient)| *into += factor * *gradient);
        }
        (0, 1) => {
            let gradient = factor * gradient[start];
            into[at..at + length].iter_mut().for_each(|into| *into += gradient);
        }
        _ => (0..length).for_each(|step| into[at + step * to] += factor * gradient[start + step * from]),
    });
}

/// Partial sums that are kept side by side.
pub const STRANDS: usize = 32;

/// A sum in strands: faster and more exact than one after another, and the same whatever the machine.
#[inline(always)]
pub fn total<T: Real>(entries: &[T]) -> T {
    let mut strands = [T::zero(); STRANDS];
    let chunks = entries.chunks_exact(STRANDS);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (strand, entry) in strands.iter_mut().zip(chunk) {
            *strand += *entry;
        }
    }
    joined(strands, rest)
}

/// A sum of products in strands.
#[inline(always)]
pub fn dot<T: Real>(left: &[T], right: &[T]) -> T {
    let mut strands = [T::zero(); STRANDS];
    let (left, right) = (left.chunks_exact(STRANDS), right.chunks_exact(STRANDS));
    let mut rest = T::zero();
    for (a, b) in left.remainder().iter().zip(right.remainder()) {
        rest += *a * *b;
    }
    for (a, b) in left.zip(right) {
        for ((strand, a), b) in strands.iter_mut().zip(a).zip(b) {
            *strand += *a * *b;
        }
    }
    joined(strands, &[rest])
}

/// The sum of squares of what is left after a mean is taken away, in strands.
#[inline(always)]
pub fn squares_about<T: Real>(entries: &[T], mean: T) -> T {
    let mut strands = [T::zero(); STRANDS];
    let chunks = entries.chunks_exact(STRANDS);
    let mut rest = T::zero();
    for entry in chunks.remainder() {
        rest += (*entry - mean) * (*entry - mean);
    }
    for chunk in chunks {
        for (strand, entry) in strands.iter_mut().zip(chunk) {
            *strand += (*entry - mean) * (*entry - mean);
        }
    }
    joined(strands, &[rest])
}

/// The sum of all strands, in pairs.
#[inline(always)]
fn joined<T: Real>(strands: [T; STRANDS], rest: &[T]) -> T {
    let mut last = T::zero();
    for own in rest {
        last += *own;
    }
    folded(strands, |left, right| left + right) + last
}

/// One number from all strands, halves by halves: of lengths that are known, so that halves are vectors.
#[inline(always)]
pub fn folded<T: Real>(strands: [T; STRANDS], join: impl Fn(T, T) -> T) -> T {
    let sixteen: [T; 16] = from_fn(|at| join(strands[at], strands[at + 16]));
    let eight: [T; 8] = from_fn(|at| join(sixteen[at], sixteen[at + 8]));
    let four: [T; 4] = from_fn(|at| join(eight[at], eight[at + 4]));
    join(join(four[0], four[2]), join(four[1], four[3]))
}
