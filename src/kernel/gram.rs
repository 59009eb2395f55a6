//! Whole kernels, tile by tile.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use faer::{Mat, Side};
use rayon::prelude::*;

use super::Limit;
use super::empirical::averaged;
use super::evaluate::{Buffer, Run, Tile};
use super::lattice::Lattice;
use super::sampling::Normals;
use super::spectrum::matrix;
use super::statistics::{Points, Statistics};
use crate::watch::Watch;

/// Rows and columns of a tile of a network without positions.
const SIDE: usize = 64;
/// A lattice has so many dimensions: of more, some would be alike. What lies beyond is drawn without one.
const LATTICE: usize = 64;
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
    /// Where means over draws stand for expectations, the root mean square of the standard errors of both kernels over that of their entries; else zero.
    pub errors: [f64; 2],
    /// Means over draws may have negative eigenvalues, which no kernel has: the lowest that was set to zero, over the largest, for both kernels.
    pub cut: [f64; 2],
}

impl Limit {
    /// The kernels of all pairs of some points; if the watch stops, those of the first ones, as many as were done. Where means over draws stand for
    /// expectations, the mean over all shifts; then none are done before two shifts are.
    pub fn gram(&self, points: &Points, watch: &dyn Watch) -> Gram {
        let mut found = self.over_shifts(|normals| self.gram_once(points, normals, watch), watch);
        if self.rounds() > 1 {
            let rows = found.rows;
            found.cut = [projected(&mut found.nngp, rows), projected(&mut found.ntk, rows)];
        }
        found
    }

    /// How often the pairs of points are gone through.
    pub fn rounds(&self) -> usize {
        if self.dimensions() == 0 { 1 } else { self.draws.shifts as usize }
    }

    fn over_shifts(&self, once: impl Fn(&Arc<Normals>) -> Gram, watch: &dyn Watch) -> Gram {
        let dimensions = self.dimensions();
        if dimensions == 0 {
            return once(&Arc::default());
        }
        let lattice = Lattice::new(self.draws.power, dimensions.min(LATTICE));
        let mut found: Vec<Gram> = Vec::new();
        for shift in 0..self.draws.shifts {
            let own = once(&Arc::new(Normals::new(&lattice, shift, dimensions)));
            if watch.stopped() {
                break;
            }
            found.push(own);
        }
        if found.len() < 2 {
            return Gram::default();
        }
        let (nngp, first) = averaged(found.iter().map(|own| &own.nngp));
        let (ntk, second) = averaged(found.iter().map(|own| &own.ntk));
        let Gram { rows, columns, .. } = found[0];
        Gram { rows, columns, nngp, ntk, errors: [first, second], cut: [0.0; 2] }
    }

    fn gram_once(&self, points: &Points, normals: &Arc<Normals>, watch: &dyn Watch) -> Gram {
        let statistics = self.prepare(points, normals);
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
        self.over_shifts(|normals| self.cross_once(left, right, normals, watch), watch)
    }

    fn cross_once(&self, left: &Points, right: &Points, normals: &Arc<Normals>, watch: &dyn Watch) -> Gram {
        let (one, two) = (self.prepare(left, normals), self.prepare(right, normals));
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
        let mut gram = Gram {
            rows,
            columns,
            nngp: room(true),
            ntk: room(self.tangent),
            errors: [0.0; 2],
            cut: [0.0; 2],
        };
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

/// Sets negative eigenvalues of a symmetric matrix to zero, which brings it nearer to every positive semidefinite one, the true kernel among them: the
/// lowest of them, as a share of the largest.
fn projected(numbers: &mut [f64], size: usize) -> f64 {
    if numbers.is_empty() {
        return 0.0;
    }
    let whole = matrix(size, size, numbers);
    let Ok(found) = whole.self_adjoint_eigen(Side::Lower) else { return 0.0 };
    let (values, basis) = (found.S().column_vector(), found.U());
    let (lowest, largest) = (values[0], values[size - 1]);
    let below: Vec<usize> = (0..size).filter(|at| values[*at] < 0.0).collect();
    if lowest >= 0.0 {
        return 0.0;
    }
    let scaled = Mat::from_fn(size, below.len(), |row, at| basis[(row, below[at])] * values[below[at]]);
    let plain = Mat::from_fn(size, below.len(), |row, at| basis[(row, below[at])]);
    let negative = scaled * plain.transpose();
    for row in 0..size {
        for column in 0..=row {
            let own = numbers[row * size + column] - negative[(row, column)];
            numbers[row * size + column] = own;
            numbers[column * size + row] = own;
        }
    }
    -lowest / largest
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
        let (nngp, ntk) = (cut(&self.nngp), cut(&self.ntk));
        Gram { rows: rows.len(), columns: columns.len(), nngp, ntk, errors: self.errors, cut: self.cut }
    }
}
