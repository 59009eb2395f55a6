//! Pairs of contractions with one weight, of parameters, of rows of tables.

use std::borrow::Cow;
use std::ops::Range;

use super::{Buffer, Run};
use crate::kernel::cells::Cells;
use crate::kernel::node::{Contraction, Kind, Place, Term};
use crate::kernel::plan::{Pair, Side};
use crate::numeric::matrix::{Layout, multiply};

impl Run<'_> {
    fn contractions(&self, pair: Pair) -> Option<(&Contraction, &Contraction)> {
        match (&self.nodes[pair.0].kind, &self.nodes[pair.1].kind) {
            (Kind::Contraction(left), Kind::Contraction(right)) => Some((left, right)),
            _ => None,
        }
    }

    /// Inner products of fixed sources.
    pub(super) fn gram(&self, pair: Pair, out: &mut Buffer) {
        let Some((left, right)) = self.contractions(pair) else { return };
        let inner = left.contracted;
        let rows = self.gathered(Side::Left, &left.source);
        let columns = self.gathered(Side::Right, &right.source);
        let scale = left.source.factor * right.source.factor / inner as f64;
        if self.tile.diagonal {
            self.diagonal_gram(&rows, &columns, inner, scale, out);
        } else {
            self.grid_gram(&rows, &columns, inner, scale, out);
        }
        // The factor of the sources is in the variances of the left; the right may have another one.
        let variance = (left.weight.variance * right.weight.variance).sqrt();
        let tangent = (left.weight.tangent * right.weight.tangent).sqrt();
        self.hold_own((left, right), out);
        if let Some(tangents) = &mut out.tangent {
            tangents.iter_mut().zip(&out.value).for_each(|(own, value)| *own = tangent * value);
        }
        out.value.iter_mut().for_each(|value| *value *= variance);
    }

    /// The fixed source of a contraction for all points of a side: (points) x (positions) x (contracted).
    fn gathered(&self, side: Side, source: &Term) -> Cow<'_, [f64]> {
        let statistics = self.tile.statistics(side);
        let points = if side == Side::Left { self.tile.rows.clone() } else { self.tile.columns.clone() };
        let size = self.nodes[source.node].size;
        match (&source.map, statistics.fixed.get(&source.node)) {
            (None, Some(values)) => Cow::Borrowed(&values[points.start * size..points.end * size]),
            _ => {
                let plain = Term { factor: 1.0, ..source.clone() };
                Cow::Owned(points.flat_map(|point| statistics.term(&plain, size, point)).collect())
            }
        }
    }

    fn diagonal_gram(&self, rows: &[f64], columns: &[f64], inner: usize, scale: f64, out: &mut Buffer) {
        let (left, right) = (out.left, out.right);
        for (s, other) in out.cells() {
            let cell = out.cell(s, other);
            for (at, value) in out.value[cell].iter_mut().enumerate() {
                let one = &rows[(at * left + s) * inner..(at * left + s + 1) * inner];
                let two = &columns[(at * right + other) * inner..(at * right + other + 1) * inner];
                *value = scale * crate::numeric::linear::dot(one, two);
            }
        }
    }

    fn grid_gram(&self, rows: &[f64], columns: &[f64], inner: usize, scale: f64, out: &mut Buffer) {
        let (height, width) = (self.tile.rows.len(), self.tile.columns.len());
        let (left, right, pairs, tied) = (out.left, out.right, out.pairs, out.kept == Cells::Tied);
        if let Cells::Some(_) = out.kept {
            self.listed_gram(rows, columns, inner, scale, out);
            return;
        }
        // Every product is the one below: which block of the result, which rows and which columns, by their places and distances.
        let mut product =
            |size: (usize, usize), to: (usize, usize), from: (usize, usize), with: (usize, usize)| {
                let result = (&mut out.value[..], Layout { offset: to.0, row: to.1, column: 1 });
                let rows = (rows, Layout { offset: from.0, row: from.1, column: 1 });
                let columns = (columns, Layout { offset: with.0, row: 1, column: with.1 });
                multiply((size.0, size.1, inner), result, rows, columns, scale, false);
            };
        if tied {
            for s in 0..left {
                let with = (s * inner, right * inner);
                product((height, width), (s * pairs, width), (s * inner, left * inner), with);
            }
        } else if left == 1 {
            for other in 0..right {
                product((height, width), (other * pairs, width), (0, inner), (other * inner, right * inner));
            }
        } else if pairs == 1 {
            product((left, right), (0, right), (0, inner), (0, inner));
        } else {
            for (row, other) in (0..height).flat_map(|row| (0..right).map(move |other| (row, other))) {
                let to = (other * pairs + row * width, right * pairs);
                product((left, width), to, (row * left * inner, inner), (other * inner, right * inner));
            }
        }
    }

    /// Some positions with some others.
    fn listed_gram(&self, rows: &[f64], columns: &[f64], inner: usize, scale: f64, out: &mut Buffer) {
        let (left, right, width) = (out.left, out.right, self.tile.columns.len());
        for (s, other) in out.cells() {
            let cell = out.cell(s, other);
            for (at, value) in out.value[cell].iter_mut().enumerate() {
                let (row, column) = (at / width * left + s, at % width * right + other);
                let one = &rows[row * inner..(row + 1) * inner];
                let two = &columns[column * inner..(column + 1) * inner];
                *value = scale * crate::numeric::linear::dot(one, two);
            }
        }
    }

    /// Positions with weights of their own are independent.
    fn hold_own(&self, (left, right): (&Contraction, &Contraction), out: &mut Buffer) {
        let (Some(left), Some(right)) = (&left.own, &right.own) else { return };
        for (s, other) in out.cells() {
            if left[s] != right[other] {
                let cell = out.cell(s, other);
                out.value[cell.clone()].fill(0.0);
                if let Some(tangent) = &mut out.tangent {
                    tangent[cell].fill(0.0);
                }
            }
        }
    }

    /// Means of a pair of sources over what is contracted.
    pub(super) fn contraction(&self, pair: Pair, source: Pair, out: &mut Buffer) {
        let (Some((left, right)), Some(source)) = (self.contractions(pair), self.get(source)) else { return };
        let inner = left.contracted;
        let scale = left.source.factor * right.source.factor / inner as f64;
        let read = |term: &Term, at: usize| match &term.map {
            None => Some(at),
            Some(map) => map.row(at).first().map(|(column, _)| *column as usize),
        };
        let places = |own: &Contraction, size: usize| -> Vec<Option<usize>> {
            (0..size * inner).map(|at| read(&own.source, at)).collect()
        };
        let (one, two) = (places(left, out.left), places(right, out.right));
        if !(out.is_whole() && source.is_whole()) {
            for (s, other) in out.cells() {
                let cell = out.cell(s, other);
                for k in 0..inner {
                    let (Some(from), Some(with)) = (one[s * inner + k], two[other * inner + k]) else {
                        continue;
                    };
                    add_scaled(out, cell.clone(), source, source.cell(from, with), scale);
                }
            }
        } else {
            let runs: Vec<Vec<[usize; 3]>> = (0..inner).map(|k| runs(&two, inner, k)).collect();
            let pairs = out.pairs;
            for s in 0..out.left {
                for (k, runs) in runs.iter().enumerate() {
                    let Some(from) = one[s * inner + k] else { continue };
                    for [to, with, length] in runs {
                        let to = out.cell(s, *to).start;
                        let from = source.cell(from, *with).start;
                        let length = length * pairs;
                        add_scaled(out, to..to + length, source, from..from + length, scale);
                    }
                }
            }
        }
        self.hold_own((left, right), out);
        let variance = (left.weight.variance * right.weight.variance).sqrt();
        let learned = (left.weight.tangent * right.weight.tangent).sqrt();
        if let Some(tangents) = &mut out.tangent {
            let values = out.value.iter();
            tangents.iter_mut().zip(values).for_each(|(own, value)| *own = learned * value + variance * *own);
        }
        out.value.iter_mut().for_each(|value| *value *= variance);
    }

    /// A parameter with itself: every position is an entry of its own.
    pub(super) fn vector(&self, node: Place, out: &mut Buffer) {
        let Kind::Vector(weight) = &self.nodes[node].kind else { return };
        for (s, other) in out.cells() {
            let same = if s == other { 1.0 } else { 0.0 };
            let value = weight.constant.map_or(same * weight.variance, |constant| constant * constant);
            let cell = out.cell(s, other);
            out.value[cell.clone()].fill(value);
            if let Some(tangent) = &mut out.tangent {
                tangent[cell].fill(same * weight.tangent);
            }
        }
    }

    /// Rows of a table with themselves: equal where the numbers are.
    pub(super) fn rows_of_table(&self, pair: Pair, out: &mut Buffer) {
        let (Kind::Table { weight, numbers: left }, Kind::Table { numbers: right, .. }) =
            (&self.nodes[pair.0].kind, &self.nodes[pair.1].kind)
        else {
            return;
        };
        let read = |side: Side, term: &Term| {
            let points = if side == Side::Left { self.tile.rows.clone() } else { self.tile.columns.clone() };
            let size = self.nodes[term.node].size;
            let own = points.clone().map(|point| self.tile.statistics(side).term(term, size, point));
            (points.start, own.collect::<Vec<_>>())
        };
        let ((first, one), (second, two)) = (read(Side::Left, left), read(Side::Right, right));
        let mut own = vec![0.0; out.pairs];
        let mut with = vec![0.0; out.pairs];
        for (s, other) in out.cells() {
            self.tile.spread(Side::Left, |point| one[point - first][s], &mut own);
            self.tile.spread(Side::Right, |point| two[point - second][other], &mut with);
            let cell = out.cell(s, other);
            for (at, (one, two)) in cell.zip(own.iter().zip(&with)) {
                let same = if one == two { 1.0 } else { 0.0 };
                out.value[at] = same * weight.variance;
                if let Some(tangent) = &mut out.tangent {
                    tangent[at] = same * weight.tangent;
                }
            }
        }
    }
}

/// Adds a part of one buffer to a part of another, tangents too.
fn add_scaled(out: &mut Buffer, to: Range<usize>, source: &Buffer, from: Range<usize>, scale: f64) {
    let add = |out: &mut [f64], source: &[f64]| {
        out.iter_mut().zip(source).for_each(|(out, own)| *out += scale * own);
    };
    add(&mut out.value[to.clone()], &source.value[from.clone()]);
    if let (Some(out), Some(source)) = (&mut out.tangent, &source.tangent) {
        add(&mut out[to], &source[from]);
    }
}

/// Neighbouring positions that read neighbouring positions at place `k` of their windows: first position, what it reads, how many.
fn runs(reads: &[Option<usize>], inner: usize, k: usize) -> Vec<[usize; 3]> {
    let mut found: Vec<[usize; 3]> = Vec::new();
    for position in 0..reads.len() / inner {
        let Some(with) = reads[position * inner + k] else { continue };
        match found.last_mut() {
            Some([to, first, length]) if *to + *length == position && *first + *length == with => {
                *length += 1
            }
            _ => found.push([position, with, 1]),
        }
    }
    found
}
