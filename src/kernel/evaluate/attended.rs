//! Pairs of mixtures by the softmax of random scores: means over draws of two rows of scores.

use std::borrow::Cow;

use super::sampled::{Read, Sided};
use super::{Buffer, Run};
use crate::kernel::attention::{Behind, Room, mixed, softmax};
use crate::kernel::node::{Attended, Kind, Place};
use crate::kernel::plan::{Pair, Side};
use crate::kernel::sampling::Sampler;

/// One side of a pair.
struct Rows<'a> {
    own: &'a Attended,
    sided: Sided<'a>,
}

/// What goes from one pair of rows to the next.
struct Drawing<'a> {
    sampler: Sampler<'a>,
    behind: Behind,
    room: Room,
}

impl Run<'_> {
    fn rows_of(&self, side: Side, place: Place) -> Option<Rows<'_>> {
        let Kind::Attended(own) = &self.nodes[place].kind else { return None };
        let statistics = self.tile.statistics(side);
        let blocks = statistics.blocks.get(&place)?;
        Some(Rows { own, sided: Sided::new(Cow::Borrowed(&own.rows), blocks, statistics.count) })
    }

    /// Two mixtures, given the pair of their values.
    pub(super) fn attended(&self, pair: Pair, values: Pair, out: &mut Buffer) {
        let (Some(one), Some(two)) = (self.rows_of(Side::Left, pair.0), self.rows_of(Side::Right, pair.1))
        else {
            return;
        };
        let Some(values) = self.get(values) else { return };
        let sampler = Sampler::new(&self.tile.left.normals);
        let mut drawing = Drawing { sampler, behind: Behind::default(), room: Room::default() };
        let cells: Vec<(usize, usize)> = out.cells().collect();
        for group in cells.chunk_by(|one, two| one.0 == two.0) {
            for row in 0..self.tile.rows.len() {
                self.attended_row((pair, &one, &two), values, (group, row), out, &mut drawing);
            }
        }
    }

    /// One row at one point x with some rows at all x'.
    fn attended_row(
        &self,
        (pair, one, two): (Pair, &Rows, &Rows),
        values: &Buffer,
        (cells, row): (&[(usize, usize)], usize),
        out: &mut Buffer,
        drawing: &mut Drawing,
    ) {
        let s = cells[0].0;
        let before = one.sided.formula(s).leaves;
        let Drawing { sampler, behind, room } = drawing;
        sampler.covariance.clear();
        one.sided.block(s, self.tile.rows.start + row, &mut sampler.covariance);
        let own = sampler.covariance.len();
        let count = sampler.count();
        let mut first = sampler.plain(0, (0, before));
        softmax(&mut first, count);
        let width = self.tile.columns.len();
        for (_, other) in cells {
            let reads = self.reads(&one.sided, s, &two.sided, *other);
            let cell = out.cell(s, *other).start;
            let columns = if self.tile.diagonal { row..row + 1 } else { 0..width };
            for column in columns {
                let at = if self.tile.diagonal { row } else { row * width + column };
                let same = self.tile.diagonal && pair.0 == pair.1 && s == *other;
                let second = (!same).then(|| {
                    sampler.covariance.truncate(own);
                    let point = self.tile.columns.start + column;
                    self.joined((&two.sided, *other), point, (&reads, at), before, sampler);
                    let size = before + two.sided.formula(*other).leaves;
                    let mut second = sampler.plain(1, (before, size));
                    softmax(&mut second, count);
                    second
                });
                gather(behind, (one, s), (two, *other), (&reads, values, at));
                let found = mixed((&first, second.as_ref().unwrap_or(&first)), count, behind, room);
                out.value[cell + at] = found.0;
                if let Some(tangent) = &mut out.tangent {
                    tangent[cell + at] = found.1;
                }
            }
        }
    }
}

/// The kernels of what two rows read, for one pair of points.
fn gather(
    behind: &mut Behind,
    (one, s): (&Rows, usize),
    (two, other): (&Rows, usize),
    (reads, values, at): (&[Read], &Buffer, usize),
) {
    behind.values.clear();
    behind.tangents.clear();
    behind.scores.clear();
    for from in &one.own.mixed[s] {
        for to in &two.own.mixed[other] {
            let cell = values.cell(*from as usize, *to as usize).start + at;
            behind.values.push(values.value[cell]);
            behind.tangents.extend(values.tangent.as_ref().map(|tangent| tangent[cell]));
        }
    }
    if values.tangent.is_some() {
        let tangent = |read: &Read| {
            let (buffer, cell) = read.as_ref()?;
            Some(buffer.tangent.as_ref()?[cell.start + at])
        };
        behind.scores.extend(reads.iter().map(|read| tangent(read).unwrap_or(0.0)));
    }
}
