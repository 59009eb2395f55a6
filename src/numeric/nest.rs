//! Nested loops over several tensors at once: how far each tensor moves per step of each axis.

use smallvec::SmallVec;

/// An axis of a [`Nest`]: how many steps, and how far every operand moves per step.
pub type Loop<const N: usize> = (usize, [usize; N]);

/// Loops over N tensors stored in slices. Axes of length 1 are gone, neighbours that are one axis in every tensor are merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nest<const N: usize> {
    outer: SmallVec<[Loop<N>; 4]>,
    inner: Loop<N>,
    base: [usize; N],
    empty: bool,
}

impl<const N: usize> Nest<N> {
    /// From axes in any order; the one in which all operands move the least becomes the innermost.
    pub fn new(axes: impl IntoIterator<Item = Loop<N>>, base: [usize; N]) -> Nest<N> {
        let mut axes: SmallVec<[Loop<N>; 8]> = axes.into_iter().filter(|(length, _)| *length != 1).collect();
        let empty = axes.iter().any(|(length, _)| *length == 0);
        axes.sort_by_key(|(_, strides)| std::cmp::Reverse((strides.iter().max().copied(), *strides)));
        let mut merged: SmallVec<[Loop<N>; 4]> = SmallVec::new();
        for (length, strides) in axes {
            let fits = |last: &Loop<N>| (0..N).all(|at| last.1[at] == strides[at] * length);
            match merged.last_mut() {
                Some(last) if fits(last) => *last = (last.0 * length, strides),
                _ => merged.push((length, strides)),
            }
        }
        let inner = merged.pop().unwrap_or((1, [0; N]));
        Nest { outer: merged, inner, base, empty }
    }

    /// How far each operand moves in the innermost loop, and how often.
    pub fn inner(&self) -> Loop<N> {
        self.inner
    }

    /// How many points there are.
    pub fn points(&self) -> usize {
        if self.empty {
            0
        } else {
            self.outer.iter().map(|(length, _)| length).product::<usize>() * self.inner.0
        }
    }

    /// The places at which the innermost loops start.
    #[inline(always)]
    pub fn each(&self, mut visit: impl FnMut([usize; N])) {
        if self.empty {
            return;
        }
        match self.outer[..] {
            [] => visit(self.base),
            [(length, strides)] => run(self.base, length, strides, &mut visit),
            _ => self.odometer(visit),
        }
    }

    /// More than one outer axis: all but the last as an odometer.
    fn odometer(&self, mut visit: impl FnMut([usize; N])) {
        let Some(((length, strides), slow)) = self.outer.split_last() else { return };
        let mut count: SmallVec<[usize; 8]> = SmallVec::from_elem(0, slow.len());
        let mut at = self.base;
        loop {
            run(at, *length, *strides, &mut visit);
            let mut axis = slow.len();
            loop {
                let Some(next) = axis.checked_sub(1) else { return };
                axis = next;
                count[axis] += 1;
                (0..N).for_each(|operand| at[operand] += slow[axis].1[operand]);
                if count[axis] < slow[axis].0 {
                    break;
                }
                (0..N).for_each(|operand| at[operand] -= slow[axis].1[operand] * slow[axis].0);
                count[axis] = 0;
            }
        }
    }
}

#[inline(always)]
fn run<const N: usize>(
    mut at: [usize; N],
    length: usize,
    strides: [usize; N],
    visit: &mut impl FnMut([usize; N]),
) {
    for _ in 0..length {
        visit(at);
        (0..N).for_each(|operand| at[operand] += strides[operand]);
    }
}

/// The strides of a tensor that lies in order, the last axis fastest.
pub fn strides(shape: &[usize]) -> SmallVec<[usize; 6]> {
    let mut strides: SmallVec<[usize; 6]> = SmallVec::from_elem(1, shape.len());
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(nest: &Nest<1>) -> Vec<usize> {
        let (length, [stride]) = nest.inner();
        let mut found = Vec::new();
        nest.each(|[at]| found.extend((0..length).map(|step| at + step * stride)));
        found
    }

    #[test]
    fn neighbours_that_are_one_axis_are_merged() {
        let nest = Nest::new([(3, [20]), (4, [5]), (5, [1])], [0]);
        assert_eq!(nest.inner(), (60, [1]));
        assert_eq!(places(&nest), (0..60).collect::<Vec<_>>());
    }

    #[test]
    fn every_point_is_visited_once() {
        let nest = Nest::new([(2, [1000]), (3, [100]), (4, [10]), (5, [1])], [7]);
        let mut expected = Vec::new();
        for a in 0..2 {
            for b in 0..3 {
                for c in 0..4 {
                    expected.extend((0..5).map(|d| 7 + 1000 * a + 100 * b + 10 * c + d));
                }
            }
        }
        assert_eq!(places(&nest), expected);
        assert_eq!(nest.points(), 120);
    }

    #[test]
    fn an_empty_axis_has_no_points() {
        assert_eq!(Nest::new([(0, [1]), (3, [1])], [0]).points(), 0);
    }
}
