//! Numbered buffers in one piece of memory: a large piece lies in huge pages ([`super::pages`]) where many middling ones would not.

use std::array::from_fn;
use std::ops::{Index, IndexMut, Range};

use smallvec::SmallVec;

/// As many buffers are lent without asking for memory.
pub const MANY: usize = 12;

/// Buffers, by their number.
#[derive(Clone, Debug)]
pub struct Buffers<T> {
    numbers: Vec<T>,
    places: Vec<Range<usize>>,
}

/// What can be read while some buffers are written; those are empty here.
#[derive(Debug)]
pub struct Others<'a, T> {
    /// Stretches between the buffers that are written, with their places.
    stretches: SmallVec<[(usize, &'a [T]); MANY]>,
    places: &'a [Range<usize>],
}

/// Buffers that are written, in the order that they were asked for.
pub type Lent<'a, T> = SmallVec<[&'a mut [T]; MANY]>;

impl<T: Copy + Default> Buffers<T> {
    /// Buffers of these lengths, filled with zeros. Each begins with a line of the cache, and not where its neighbour does in a page of memory.
    pub fn new(lengths: &[usize]) -> Buffers<T> {
        let line = 64 / size_of::<T>();
        let mut end = 0;
        let mut place = |length: &usize| {
            let start = end;
            end += length.next_multiple_of(line) + line;
            start..start + length
        };
        let places = lengths.iter().map(&mut place).collect();
        Buffers { numbers: vec![T::default(); end], places }
    }

    /// All buffers, to be read.
    pub fn all(&self) -> Others<'_, T> {
        Others { stretches: SmallVec::from_iter([(0, &self.numbers[..])]), places: &self.places }
    }

    /// A few buffers to be written, and the others to be read.
    pub fn lend<const N: usize>(&mut self, wanted: [usize; N]) -> ([&mut [T]; N], Others<'_, T>) {
        let (lent, others) = self.lend_all(&wanted);
        let mut lent = lent.into_iter();
        (from_fn(|_| lent.next().unwrap_or_default()), others)
    }

    /// The same for any number of them. No buffer is asked for twice.
    pub fn lend_all(&mut self, wanted: &[usize]) -> (Lent<'_, T>, Others<'_, T>) {
        let Buffers { numbers, places } = self;
        let mut order: SmallVec<[usize; MANY]> = (0..wanted.len()).collect();
        order.sort_unstable_by_key(|at| places[wanted[*at]].start);
        let mut lent: Lent<'_, T> = wanted.iter().map(|_| <&mut [T]>::default()).collect();
        let mut stretches = SmallVec::new();
        let (mut rest, mut start) = (&mut numbers[..], 0);
        for at in order {
            let place = &places[wanted[at]];
            let (before, from) = rest.split_at_mut(place.start - start);
            let (own, behind) = from.split_at_mut(place.len());
            stretches.push((start, &*before));
            lent[at] = own;
            (rest, start) = (behind, place.end);
        }
        stretches.push((start, &*rest));
        (lent, Others { stretches, places })
    }
}

impl<T> Index<usize> for Buffers<T> {
    type Output = [T];

    fn index(&self, number: usize) -> &[T] {
        &self.numbers[self.places[number].clone()]
    }
}

impl<T> IndexMut<usize> for Buffers<T> {
    fn index_mut(&mut self, number: usize) -> &mut [T] {
        &mut self.numbers[self.places[number].clone()]
    }
}

impl<'a, T> Others<'a, T> {
    /// A buffer; empty if it is written.
    pub fn get(&self, number: usize) -> &'a [T] {
        let place = &self.places[number];
        let inside = |(start, stretch): &(usize, &'a [T])| -> Option<&'a [T]> {
            stretch.get(place.start.checked_sub(*start)?..place.end - start)
        };
        self.stretches.iter().find_map(inside).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is lent is written and reads as nothing, the others read as themselves, whatever the order; buffers without numbers do no harm.
    #[test]
    fn lent_buffers_stand_beside_the_others() {
        let lengths = [3, 0, 5, 1, 4];
        let mut buffers: Buffers<f64> = Buffers::new(&lengths);
        let mut entries: Vec<f64> = vec![0.0; lengths.len()];
        for wanted in [&[][..], &[2], &[4, 0], &[0, 4, 2], &[1, 3], &[3, 2, 1, 0, 4]] {
            let (mut lent, others) = buffers.lend_all(wanted);
            for (own, at) in lent.iter_mut().zip(wanted) {
                assert_eq!(**own, vec![entries[*at]; lengths[*at]], "{at} of {wanted:?}");
                entries[*at] += 1.0 + *at as f64;
                own.fill(entries[*at]);
            }
            for (at, length) in lengths.iter().enumerate() {
                let length = if wanted.contains(&at) { 0 } else { *length };
                assert_eq!(others.get(at), vec![entries[at]; length], "{at} beside {wanted:?}");
            }
            drop((lent, others));
            (0..lengths.len()).for_each(|at| assert_eq!(buffers[at], vec![entries[at]; lengths[at]]));
        }
        assert!((0..lengths.len()).all(|at| buffers.all().get(at) == &buffers[at]));
    }
}
