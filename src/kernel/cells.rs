//! Which pairs of positions of two nodes are kept: all, equal ones, or those of a list.
//!
//! A whole pair of nodes has (positions of the first) x (positions of the second) entries, of which a network reads few: a weight that is shared along
//! positions reads equal ones, a pooling window those within one window, and what stands before them some more around the diagonal.

use std::sync::Arc;

/// Kept pairs of positions. They lie one after another: the second position fastest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Cells {
    /// Every position with every other.
    #[default]
    All,
    /// Every position with itself.
    Tied,
    /// Some pairs.
    Some(Arc<Pattern>),
}

/// A list of pairs, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Where the pairs of every first position begin.
    starts: Vec<u32>,
    /// The pairs.
    pairs: Vec<(u32, u32)>,
}

impl Cells {
    /// These pairs of two nodes with so many positions.
    pub fn of(mut pairs: Vec<(u32, u32)>, (left, right): (usize, usize)) -> Cells {
        pairs.sort_unstable();
        pairs.dedup();
        if pairs.len() == left * right {
            return Cells::All;
        }
        let tied = left == right && pairs.len() == left && pairs.iter().all(|(one, two)| one == two);
        if tied {
            return Cells::Tied;
        }
        let mut starts = vec![0; left + 1];
        pairs.iter().for_each(|(row, _)| starts[*row as usize + 1] += 1);
        (0..left).for_each(|row| starts[row + 1] += starts[row]);
        Cells::Some(Arc::new(Pattern { starts, pairs }))
    }

    /// How many pairs of nodes with so many positions.
    pub fn count(&self, (left, right): (usize, usize)) -> usize {
        match self {
            Cells::All => left * right,
            Cells::Tied => left,
            Cells::Some(pattern) => pattern.pairs.len(),
        }
    }

    /// Where a pair lies; none if it is not kept.
    pub fn find(&self, left: usize, right: usize, columns: usize) -> Option<usize> {
        match self {
            Cells::All => Some(left * columns + right),
            Cells::Tied => (left == right).then_some(left),
            Cells::Some(pattern) => {
                let start = pattern.starts[left] as usize;
                let row = &pattern.pairs[start..pattern.starts[left + 1] as usize];
                row.binary_search_by_key(&(right as u32), |pair| pair.1).ok().map(|at| start + at)
            }
        }
    }

    /// The pair that lies at a place.
    pub fn pair(&self, at: usize, columns: usize) -> (usize, usize) {
        match self {
            Cells::All => (at / columns, at % columns),
            Cells::Tied => (at, at),
            Cells::Some(pattern) => {
                let (left, right) = pattern.pairs[at];
                (left as usize, right as usize)
            }
        }
    }

    /// All pairs, in order.
    pub fn pairs(&self, sizes: (usize, usize)) -> impl Iterator<Item = (usize, usize)> + use<> {
        let own = self.clone();
        (0..own.count(sizes)).map(move |at| own.pair(at, sizes.1))
    }

    /// These and others.
    pub fn with(&self, other: &Cells, sizes: (usize, usize)) -> Cells {
        match (self, other) {
            (Cells::All, _) | (_, Cells::All) => Cells::All,
            (one, two) if one == two => one.clone(),
            (one, two) => {
                let both = one.pairs(sizes).chain(two.pairs(sizes));
                Cells::of(both.map(|(left, right)| (left as u32, right as u32)).collect(), sizes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_pairs_are_joined_and_found() {
        let sizes = (3, 3);
        let some = Cells::of(vec![(2, 0), (0, 1), (2, 0)], sizes);
        assert_eq!(some.pairs(sizes).collect::<Vec<_>>(), [(0, 1), (2, 0)]);
        let both = some.with(&Cells::Tied, sizes);
        let all: Vec<_> = both.pairs(sizes).collect();
        assert_eq!(all, [(0, 0), (0, 1), (1, 1), (2, 0), (2, 2)]);
        assert!(all.iter().enumerate().all(|(at, (one, two))| both.find(*one, *two, 3) == Some(at)));
        assert_eq!((both.find(1, 0, 3), some.with(&Cells::All, sizes)), (None, Cells::All));
        assert_eq!(Cells::of(vec![(1, 1), (0, 0), (2, 2)], sizes), Cells::Tied);
    }
}
