//! Operations that pick entries: rows of tables, and largest entries.

use super::nest::Nest;
use super::real::Real;

/// Entries of a table picked along an axis by whole numbers. Operands of the nest: result, table, numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The axes of the result.
    pub nest: Nest<3>,
    /// How far the table moves per number.
    pub stride: usize,
    /// How many numbers there are.
    pub length: usize,
}

impl Lookup {
    /// The values. Numbers beyond the axis pick its last entry; data sets are checked before.
    pub fn forward<T: Real>(&self, table: &[T], numbers: &[T], out: &mut [T]) {
        let (length, [to, from, step]) = self.nest.inner();
        self.nest.each(|[at, start, number]| {
            if step == 0 {
                let row = start + self.place(numbers[number]);
                match (to, from) {
                    (1, 1) => out[at..at + length].copy_from_slice(&table[row..row + length]),
                    _ => (0..length).for_each(|i| out[at + i * to] = table[row + i * from]),
                }
            } else {
                for i in 0..length {
                    out[at + i * to] = table[start + i * from + self.place(numbers[number + i * step])];
                }
            }
        });
    }

    /// Adds to the gradient of the table.
    pub fn backward<T: Real>(&self, numbers: &[T], gradient: &[T], into: &mut [T]) {
        let (length, [from, to, step]) = self.nest.inner();
        self.nest.each(|[start, at, number]| {
            if (from, to, step) == (1, 1, 0) {
                let row = at + self.place(numbers[number]);
                let pairs = into[row..row + length].iter_mut().zip(&gradient[start..start + length]);
                return pairs.for_each(|(into, own)| *into += *own);
            }
            for i in 0..length {
                let row = at + i * to + self.place(numbers[number + i * step]);
                into[row] += gradient[start + i * from];
            }
        });
    }

    fn place<T: Real>(&self, number: T) -> usize {
        number.to_usize().unwrap_or(0).min(self.length - 1) * self.stride
    }
}

/// The largest entries over some axes. Operands of the nest: result, source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Largest {
    /// The axes of the source.
    pub nest: Nest<2>,
}

impl Largest {
    /// The values.
    pub fn forward<T: Real>(&self, source: &[T], out: &mut [T]) {
        out.fill(T::neg_infinity());
        let (length, [to, from]) = self.nest.inner();
        self.nest.each(|[at, start]| {
            for i in 0..length {
                let (entry, best) = (source[start + i * from], &mut out[at + i * to]);
                if entry > *best || entry.is_nan() {
                    *best = entry;
                }
            }
        });
    }

    /// Adds to the gradient of the source: all of it goes to the first of the largest entries. `taken` has the length of the result.
    pub fn backward<T: Real>(
        &self,
        (source, out): (&[T], &[T]),
        gradient: &[T],
        into: &mut [T],
        taken: &mut [T],
    ) {
        taken.fill(T::zero());
        let (length, [to, from]) = self.nest.inner();
        self.nest.each(|[at, start]| {
            for i in 0..length {
                let (place, entry) = (at + i * to, start + i * from);
                if taken[place] == T::zero() && source[entry] == out[place] {
                    taken[place] = T::one();
                    into[entry] += gradient[place];
                }
            }
        });
    }
}
