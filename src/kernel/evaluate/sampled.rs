//! Pairs with functions of several Gaussians: means over draws.

use std::borrow::Cow;
use std::ops::Range;

use super::{Buffer, Run};
use crate::kernel::node::{Kind, Place, Sampled};
use crate::kernel::plan::{Pair, Side, formulas};
use crate::kernel::sampling::Sampler;

/// A side of a pair.
pub(super) struct Sided<'a> {
    pub own: Cow<'a, Sampled>,
    /// Covariances of the Gaussians of every position, a lower triangle after another: (entries) x (points).
    blocks: &'a [f64],
    /// Where the triangle of every position begins.
    starts: Vec<usize>,
    pub count: usize,
}

impl<'a> Sided<'a> {
    /// Functions of Gaussians with the covariances of these.
    pub fn new(own: Cow<'a, Sampled>, blocks: &'a [f64], count: usize) -> Sided<'a> {
        Sided { starts: starts(&own), own, blocks, count }
    }

    /// The covariances of a position at one point, appended.
    pub fn block(&self, at: usize, point: usize, out: &mut Vec<f64>) {
        let entries = self.starts[at]..self.starts[at + 1];
        out.extend(entries.map(|entry| self.blocks[entry * self.count + point]));
    }

    pub fn formula(&self, at: usize) -> &crate::kernel::formula::Formula {
        &self.own.formulas[self.own.entries[at].0]
    }
}

/// Where the triangle of every position begins.
fn starts(own: &Sampled) -> Vec<usize> {
    let sizes = own.entries.iter().map(|(_, leaves)| leaves.len() * (leaves.len() + 1) / 2);
    std::iter::once(0)
        .chain(sizes.scan(0, |sum, size| {
            *sum += size;
            Some(*sum)
        }))
        .collect()
}

/// Both Gaussians of a pair, for every Gaussian at x and every one at x': which buffer, and where its numbers begin.
pub(super) type Read<'a> = Option<(&'a Buffer, Range<usize>)>;

impl Run<'_> {
    fn sided(&self, side: Side, place: Place) -> Option<Sided<'_>> {
        let statistics = self.tile.statistics(side);
        let own = formulas(self.nodes, place)?;
        let blocks = match &self.nodes[place].kind {
            Kind::Sampled(_) => statistics.blocks.get(&place)?,
            Kind::Map { argument, .. } => statistics.variances.get(argument)?,
            _ => return None,
        };
        Some(Sided::new(own, blocks, statistics.count))
    }

    /// Two functions of Gaussians.
    pub(super) fn sampled(&self, pair: Pair, out: &mut Buffer) {
        let (Some(one), Some(two)) = (self.sided(Side::Left, pair.0), self.sided(Side::Right, pair.1)) else {
            return;
        };
        let normals = &self.tile.left.normals;
        let mut sampler = Sampler::new(normals);
        let mut slopes = Vec::new();
        let cells: Vec<(usize, usize)> = out.cells().collect();
        let mut next = 0;
        while let Some((s, _)) = cells.get(next).copied() {
            let last = next + cells[next..].iter().take_while(|cell| cell.0 == s).count();
            for row in 0..self.tile.rows.len() {
                self.drawn_row(
                    (pair, &one, &two),
                    (s, &cells[next..last]),
                    row,
                    out,
                    (&mut sampler, &mut slopes),
                );
            }
            next = last;
        }
    }

    /// One position at one point x with some positions at all x'.
    fn drawn_row(
        &self,
        (pair, one, two): (Pair, &Sided, &Sided),
        (s, cells): (usize, &[(usize, usize)]),
        row: usize,
        out: &mut Buffer,
        (sampler, slopes): (&mut Sampler, &mut Vec<f64>),
    ) {
        let (formula, tangent) = (one.formula(s), out.tangent.is_some());
        let before = formula.leaves;
        sampler.covariance.clear();
        one.block(s, self.tile.rows.start + row, &mut sampler.covariance);
        sampler.first(formula, tangent);
        let width = self.tile.columns.len();
        let own = sampler.covariance.len();
        for (_, other) in cells {
            let reads = self.reads(one, s, two, *other);
            let cell = out.cell(s, *other).start;
            let columns = if self.tile.diagonal { row..row + 1 } else { 0..width };
            for column in columns {
                let at = if self.tile.diagonal { row } else { row * width + column };
                let wanted = tangent.then_some(&mut *slopes);
                let value = if self.tile.diagonal && pair.0 == pair.1 && s == *other {
                    sampler.square(before, wanted)
                } else {
                    sampler.covariance.truncate(own);
                    self.joined(
                        (two, *other),
                        self.tile.columns.start + column,
                        (&reads, at),
                        before,
                        sampler,
                    );
                    sampler.second(before, two.formula(*other), wanted)
                };
                out.value[cell + at] = value;
                if let Some(tangent) = &mut out.tangent {
                    tangent[cell + at] = carried(&reads, slopes, at);
                }
            }
        }
    }

    /// Where the pairs of Gaussians of two positions stand: (Gaussians at x) x (at x').
    pub(super) fn reads(&self, one: &Sided, s: usize, two: &Sided, other: usize) -> Vec<Read<'_>> {
        let mut found = Vec::new();
        for (left, at) in &one.own.entries[s].1 {
            for (right, with) in &two.own.entries[other].1 {
                let buffer = self.get((*left, *right));
                found.push(buffer.map(|buffer| (buffer, buffer.cell(*at as usize, *with as usize))));
            }
        }
        found
    }

    /// Rows of the covariance for the Gaussians at x': with those at x, and among themselves.
    pub(super) fn joined(
        &self,
        (two, other): (&Sided, usize),
        point: usize,
        (reads, at): (&[Read], usize),
        before: usize,
        sampler: &mut Sampler,
    ) {
        let mut block = Vec::new();
        two.block(other, point, &mut block);
        let after = two.formula(other).leaves;
        for row in 0..after {
            for left in 0..before {
                let read = &reads[left * after + row];
                let own = read.as_ref().map_or(0.0, |(buffer, cell)| buffer.value[cell.start + at]);
                sampler.covariance.push(own);
            }
            sampler.covariance.extend_from_slice(&block[row * (row + 1) / 2..(row + 1) * (row + 2) / 2]);
        }
    }
}

/// The sum over pairs of Gaussians of the mean products of slopes times their tangents.
fn carried(reads: &[Read], slopes: &[f64], at: usize) -> f64 {
    let term = |(read, slope): (&Read, &f64)| {
        let (buffer, cell) = read.as_ref()?;
        Some(slope * buffer.tangent.as_ref()?[cell.start + at])
    };
    reads.iter().zip(slopes).filter_map(term).sum()
}

/// Means of functions of Gaussians: (positions) x (points).
pub(in crate::kernel) fn means(
    own: &Sampled,
    blocks: &[f64],
    count: usize,
    normals: &crate::kernel::sampling::Normals,
) -> Vec<f64> {
    let sided = Sided::new(Cow::Borrowed(own), blocks, count);
    let mut sampler = Sampler::new(normals);
    let mut found = Vec::with_capacity(own.entries.len() * count);
    for at in 0..own.entries.len() {
        for point in 0..count {
            sampler.covariance.clear();
            sided.block(at, point, &mut sampler.covariance);
            sampler.first(sided.formula(at), false);
            found.push(sampler.mean());
        }
    }
    found
}
