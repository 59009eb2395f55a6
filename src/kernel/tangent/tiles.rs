//! A kernel added up from its parts, tile by tile.

use rayon::prelude::*;

use crate::numeric::matrix::{Layout, multiply};
use crate::numeric::real::Real;

/// Rows of a tile of a kernel.
const TILE: usize = 160;

/// (rows) x (columns), in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Block<T> {
    pub(super) columns: usize,
    pub(super) numbers: Vec<T>,
}

/// What the Jacobian of one or several weights is made of.
pub(super) enum Part<T> {
    /// Activations per example and gradients per row; and a number that is added to the activations' Gram matrix.
    Outer { read: Vec<Block<T>>, given: Vec<Block<T>>, weight: f64, shift: f64 },
    /// Rows of the Jacobian.
    Rows { rows: Block<T>, weight: f64 },
}

/// The product of some rows of one matrix and some of another, transposed.
pub(super) fn gram<T: Real>(
    left: &Block<T>,
    rows: (usize, usize),
    right: &Block<T>,
    columns: (usize, usize),
) -> Vec<T> {
    let (height, width, sum) = (rows.1 - rows.0, columns.1 - columns.0, left.columns);
    let mut out = vec![T::zero(); height * width];
    let sides = (
        (&mut out[..], Layout { offset: 0, row: width, column: 1 }),
        (&left.numbers[..], Layout { offset: rows.0 * sum, row: sum, column: 1 }),
        (&right.numbers[..], Layout { offset: columns.0 * sum, row: 1, column: sum }),
    );
    multiply((height, width, sum), sides.0, sides.1, sides.2, T::one(), false);
    out
}

/// All parts added up, tile by tile on and below the diagonal.
pub(super) fn assembled<T: Real>(rows: usize, entries: usize, parts: &[Part<T>]) -> Vec<f64> {
    let starts: Vec<usize> = (0..rows).step_by(TILE).collect();
    let jobs: Vec<(usize, usize)> = starts
        .iter()
        .flat_map(|row| starts.iter().map(move |own| (*row, *own)))
        .filter(|(a, b)| b <= a)
        .collect();
    let one = |(row, column): &(usize, usize)| {
        let (high, wide) = ((*row, (row + TILE).min(rows)), (*column, (column + TILE).min(rows)));
        let mut tile = vec![0.0; (high.1 - high.0) * (wide.1 - wide.0)];
        parts.iter().for_each(|part| add_part(part, entries, high, wide, &mut tile));
        tile
    };
    let tiles: Vec<Vec<f64>> = jobs.par_iter().map(one).collect();
    let mut out = vec![0.0; rows * rows];
    for ((row, column), tile) in jobs.iter().zip(tiles) {
        let width = (column + TILE).min(rows) - column;
        for (at, number) in tile.into_iter().enumerate() {
            let (row, column) = (row + at / width, column + at % width);
            out[row * rows + column] = number;
            out[column * rows + row] = number;
        }
    }
    out
}

pub(super) fn add_part<T: Real>(
    part: &Part<T>,
    entries: usize,
    high: (usize, usize),
    wide: (usize, usize),
    tile: &mut [f64],
) {
    match part {
        Part::Rows { rows, weight } => {
            let own = gram(rows, high, rows, wide);
            tile.iter_mut().zip(own).for_each(|(tile, own)| *tile += weight * own.double());
        }
        Part::Outer { read, given, weight, shift } => {
            let width = wide.1 - wide.0;
            let examples = |range: (usize, usize)| (range.0 / entries, range.1.div_ceil(entries));
            let (above, beside) = (examples(high), examples(wide));
            for left in 0..read.len() {
                for right in 0..read.len() {
                    let near = gram(&read[left], above, &read[right], beside);
                    let far = gram(&given[left], high, &given[right], wide);
                    for (at, own) in tile.iter_mut().enumerate() {
                        let (row, column) = (high.0 + at / width, wide.0 + at % width);
                        let (row, column) = (row / entries - above.0, column / entries - beside.0);
                        let near = near[row * (beside.1 - beside.0) + column].double();
                        *own += (weight * near + shift) * far[at].double();
                    }
                }
            }
        }
    }
}
