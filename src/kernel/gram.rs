//! Whole kernels, tile by tile.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::Limit;
use super::evaluate::{Buffer, Run, Tile};
use super::statistics::{Points, Statistics};

/// Rows and columns of a tile of a network without positions.
const SIDE: usize = 64;
/// Numbers that one tile may hold.
const ROOM: usize = 1 << 22;

/// Rows and columns of a tile.
type Job = (Range<usize>, Range<usize>);

/// Two kernels between some points and others; rows and columns count points, and within a point its positions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gram {
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
    /// The covariance at initialization: (rows) x (columns).
    pub nngp: Vec<f64>,
    /// The tangent kernel: (rows) x (columns); empty if it was not asked for.
    pub ntk: Vec<f64>,
}

/// Who wants to know how far a kernel is.
pub trait Watch: Sync {
    /// So many of all pairs of points are done.
    fn finished(&self, pairs: usize);

    /// Whether the rest is to be left undone.
    fn stopped(&self) -> bool {
        false
    }
}

/// Nobody.
impl Watch for () {
    fn finished(&self, _pairs: usize) {}
}

impl Limit {
    /// The kernels of all pairs of some points; if the watch stops, those of the first ones, as many as were done.
    pub fn gram(&self, points: &Points, watch: &dyn Watch) -> Gram {
        let statistics = self.prepare(points);
        let (height, width) = self.tile(points.count, points.count);
        // Square tiles on and above the diagonal.
        let side = height.min(width);
        let (height, width) = if height == 1 { (1, width) } else { (side, side) };
        let mut jobs = Vec::new();
        for row in (0..points.count).step_by(height) {
            for column in (row / width * width..points.count).step_by(width) {
                jobs.push((
                    row..(row + height).min(points.count),
                    column..(column + width).min(points.count),
                ));
            }
        }
        // Column by column, so that what is done when the watch stops are all pairs of the first points.
        jobs.sort_by_key(|(rows, columns)| (columns.start, rows.start));
        self.assembled((&statistics, &statistics), (jobs, true), watch)
    }

    /// The kernels between some points and others; if the watch stops, those of the first ones on the left, as many as were done.
    pub fn cross(&self, left: &Points, right: &Points, watch: &dyn Watch) -> Gram {
        let (one, two) = (self.prepare(left), self.prepare(right));
        let (height, width) = self.tile(left.count, right.count);
        let mut jobs = Vec::new();
        for row in (0..left.count).step_by(height) {
            for column in (0..right.count).step_by(width) {
                jobs.push((row..(row + height).min(left.count), column..(column + width).min(right.count)));
            }
        }
        self.assembled((&one, &two), (jobs, false), watch)
    }

    /// Rows and columns of a tile: many pairs side by side where a pair is small.
    fn tile(&self, rows: usize, columns: usize) -> (usize, usize) {
        let per_pair = self.numbers_per_pair().max(1);
        if self.largest_size() == 1 {
            return (SIDE.min(rows.max(1)), SIDE.min(columns.max(1)));
        }
        (1, (ROOM / per_pair).clamp(1, SIDE).min(columns.max(1)))
    }

    fn assembled(
        &self,
        (left, right): (&Statistics, &Statistics),
        (jobs, symmetric): (Vec<Job>, bool),
        watch: &dyn Watch,
    ) -> Gram {
        // In order over all threads: every one takes the next tile that is left.
        let next = AtomicUsize::new(0);
        let one = |_: usize| {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let (rows, columns) = &jobs[at];
            if watch.stopped() {
                return (at, None);
            }
            let tile = Tile { left, right, rows: rows.clone(), columns: columns.clone(), diagonal: false };
            let found = Run::new(&self.nodes, &self.cross, tile).finish();
            watch.finished(rows.len() * columns.len());
            (at, found)
        };
        let found: Vec<(usize, Option<Buffer>)> = (0..jobs.len()).into_par_iter().map(one).collect();
        let positions = self.positions();
        let (rows, columns) = (left.count * positions, right.count * positions);
        let room = |asked: bool| if asked { vec![0.0; rows * columns] } else { Vec::new() };
        let mut gram = Gram { rows, columns, nngp: room(true), ntk: room(self.tangent) };
        let mut whole = if symmetric { right.count } else { left.count };
        for (at, buffer) in found {
            let job = &jobs[at];
            let Some(buffer) = buffer else {
                whole = whole.min(if symmetric { job.1.start } else { job.0.start });
                continue;
            };
            place(&mut gram.nngp, columns, job, &buffer, &buffer.value, symmetric);
            if let Some(tangent) = &buffer.tangent {
                place(&mut gram.ntk, columns, job, &buffer, tangent, symmetric);
            }
        }
        match whole * positions {
            all if all == rows => gram,
            part => gram.part(0..part, 0..if symmetric { part } else { columns }),
        }
    }
}

/// Puts a tile in its place, and in the mirrored one if the kernel is symmetric: what lies on and above the diagonal counts.
fn place(
    out: &mut [f64],
    columns: usize,
    (rows_of, columns_of): &Job,
    buffer: &Buffer,
    numbers: &[f64],
    symmetric: bool,
) {
    let (left, right, width) = (buffer.left, buffer.right, columns_of.len());
    for (s, other) in buffer.cells() {
        let cell = &numbers[buffer.cell(s, other)];
        for (at, line) in cell.chunks_exact(width).enumerate() {
            let row = (rows_of.start + at) * left + s;
            let first = columns_of.start * right + other;
            for (step, number) in line.iter().enumerate() {
                let column = first + step * right;
                if symmetric && column < row {
                    continue;
                }
                out[row * columns + column] = *number;
                if symmetric {
                    out[column * columns + row] = *number;
                }
            }
        }
    }
}

impl Gram {
    /// Some rows and columns, as kernels of their own.
    pub fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Gram {
        let cut = |numbers: &[f64]| -> Vec<f64> {
            if numbers.is_empty() {
                return Vec::new();
            }
            rows.clone()
                .flat_map(|row| {
                    &numbers[row * self.columns + columns.start..row * self.columns + columns.end]
                })
                .copied()
                .collect()
        };
        Gram { rows: rows.len(), columns: columns.len(), nngp: cut(&self.nngp), ntk: cut(&self.ntk) }
    }
}
