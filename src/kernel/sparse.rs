//! Sparse linear maps from one list of positions to another: windows, poolings, picks, transpositions, all with one meaning.

use std::ops::Range;

/// A matrix with few entries per row. Rows are output positions, columns input positions, both flattened with the last axis fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse {
    starts: Vec<u32>,
    entries: Vec<(u32, f64)>,
    columns: usize,
}

impl Sparse {
    /// From the entries of every row.
    pub fn from_rows(columns: usize, rows: impl IntoIterator<Item = Vec<(usize, f64)>>) -> Sparse {
        let mut made = Sparse { starts: vec![0], entries: Vec::new(), columns };
        for row in rows {
            made.entries.extend(row.into_iter().map(|(column, factor)| (column as u32, factor)));
            made.starts.push(made.entries.len() as u32);
        }
        made
    }

    /// One input position per output position; none where the output is zero.
    pub fn gather(columns: usize, rows: impl IntoIterator<Item = Option<usize>>) -> Sparse {
        Sparse::from_rows(columns, rows.into_iter().map(|row| row.map(|at| (at, 1.0)).into_iter().collect()))
    }

    /// How many output positions there are.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many input positions there are.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The entries of a row: input positions and factors.
    pub fn row(&self, at: usize) -> &[(u32, f64)] {
        let range: Range<usize> = self.starts[at] as usize..self.starts[at + 1] as usize;
        &self.entries[range]
    }

    /// Whether every row reads at most one position, with factor 1.
    pub fn is_gather(&self) -> bool {
        (0..self.rows()).all(|row| matches!(self.row(row), [] | [(_, 1.0)]))
    }

    /// Whether nothing is changed.
    pub fn is_identity(&self) -> bool {
        let own = |row: usize| matches!(self.row(row), [(at, 1.0)] if *at as usize == row);
        self.rows() == self.columns && (0..self.rows()).all(own)
    }

    /// First `inner`, then this one.
    pub fn after(&self, inner: &Sparse) -> Sparse {
        let row = |row: usize| {
            let mut found: Vec<(usize, f64)> = Vec::new();
            for (middle, factor) in self.row(row) {
                for (column, own) in inner.row(*middle as usize) {
                    match found.iter_mut().find(|(known, _)| *known == *column as usize) {
                        Some((_, sum)) => *sum += factor * own,
                        None => found.push((*column as usize, factor * own)),
                    }
                }
            }
            found
        };
        Sparse::from_rows(inner.columns, (0..self.rows()).map(row))
    }

    /// The map the other way round.
    pub fn transposed(&self) -> Sparse {
        let mut rows: Vec<Vec<(usize, f64)>> = vec![Vec::new(); self.columns];
        for row in 0..self.rows() {
            self.row(row).iter().for_each(|(column, factor)| rows[*column as usize].push((row, *factor)));
        }
        Sparse::from_rows(self.rows(), rows)
    }

    /// The vector that it makes of a vector.
    pub fn apply(&self, vector: &[f64], factor: f64) -> Vec<f64> {
        let entry = |row: usize| {
            self.row(row).iter().map(|(column, own)| own * vector[*column as usize]).sum::<f64>() * factor
        };
        (0..self.rows()).map(entry).collect()
    }
}

/// Every point of a box of these lengths in order, the last axis fastest.
fn points(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    let count = shape.iter().product::<usize>();
    (0..count).map(move |flat| {
        let mut rest = flat;
        let mut point = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            point[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        point
    })
}

fn flat(shape: &[usize], point: impl Iterator<Item = usize>) -> usize {
    shape.iter().zip(point).fold(0, |flat, (length, at)| flat * length + at)
}

/// A tensor of shape `from` read along the axes of a tensor of shape `to`: input axis `a` is output axis `axes[a]`. Output axes that are
/// not named are broadcast.
pub fn along(from: &[usize], to: &[usize], axes: &[usize]) -> Sparse {
    let size = from.iter().product();
    let read = |point: Vec<usize>| Some(flat(from, axes.iter().map(|axis| point[*axis])));
    Sparse::gather(size, points(to).map(read))
}

/// Sliding windows along one axis; the place in the window is a new last axis.
pub fn window(shape: &[usize], axis: usize, size: usize, steps: [usize; 3], windows: usize) -> Sparse {
    let [stride, dilation, padding] = steps;
    let mut to = shape.to_vec();
    to[axis] = windows;
    to.push(size);
    let read = |point: Vec<usize>| {
        let place = (point[axis] * stride + point[shape.len()] * dilation).checked_sub(padding / 2)?;
        let at = |own: usize| if own == axis { place } else { point[own] };
        (place < shape[axis]).then(|| flat(shape, (0..shape.len()).map(at)))
    };
    Sparse::gather(shape.iter().product(), points(&to).map(read))
}

/// One entry of an axis, which goes away.
pub fn pick(shape: &[usize], axis: usize, at: usize) -> Sparse {
    let mut to = shape.to_vec();
    to.remove(axis);
    let read = |mut point: Vec<usize>| {
        point.insert(axis, at);
        Some(flat(shape, point.into_iter()))
    };
    Sparse::gather(shape.iter().product(), points(&to).map(read))
}

/// Where a part of a tensor goes that begins at `start` of an axis which is `whole` long; zero elsewhere.
pub fn placed(shape: &[usize], axis: usize, start: usize, whole: usize) -> Sparse {
    let mut to = shape.to_vec();
    to[axis] = whole;
    let read = |mut point: Vec<usize>| {
        point[axis] = point[axis].checked_sub(start).filter(|at| *at < shape[axis])?;
        Some(flat(shape, point.into_iter()))
    };
    Sparse::gather(shape.iter().product(), points(&to).map(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_read_zeros_beyond_the_ends() {
        let map = window(&[4], 0, 3, [1, 1, 2], 4);
        assert_eq!(
            map.apply(&[1.0, 2.0, 3.0, 4.0], 1.0),
            [0.0, 1.0, 2.0, 1.0, 2.0, 3.0, 2.0, 3.0, 4.0, 3.0, 4.0, 0.0]
        );
    }

    #[test]
    fn maps_compose_and_turn_round() {
        let turned = along(&[2, 3], &[3, 2], &[1, 0]);
        assert_eq!(turned.apply(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 1.0), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert!(turned.transposed().after(&turned).is_identity());
        let summed = along(&[2], &[2, 3], &[0]).transposed();
        assert_eq!(summed.apply(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2.0), [12.0, 30.0]);
    }
}
