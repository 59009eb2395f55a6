//! Pairs with functions of Gaussians.

use super::{Buffer, Run};
use crate::graph::Func;
use crate::kernel::cells::Cells;
use crate::kernel::dual::{duals, is_closed};
use crate::kernel::node::{Kind, Place};
use crate::kernel::plan::{Pair, Side};
use crate::kernel::quadrature::moments;
use crate::kernel::series::{Series, TOLERANCE, correlation};

/// Pairs of points that go through a series side by side.
const LANES: usize = 32;

impl Run<'_> {
    fn function(&self, node: Place) -> Option<(Func, Place)> {
        match self.nodes[node].kind {
            Kind::Map { func, argument } => Some((func, argument)),
            _ => None,
        }
    }

    /// A function of a Gaussian on one side, with a Gaussian.
    pub(super) fn stein(&self, side: Side, pair: Pair, source: Pair, out: &mut Buffer) {
        let node = if side == Side::Left { pair.0 } else { pair.1 };
        let (Some(source), Some(slopes)) = (self.get(source), self.tile.statistics(side).slopes.get(&node))
        else {
            return;
        };
        let slopes = self.tile.table(side, slopes, self.nodes[node].size);
        for (s, other) in out.cells() {
            let own = if side == Side::Left { s } else { other };
            let own = &slopes[own * out.pairs..(own + 1) * out.pairs];
            let (cell, from) = (out.cell(s, other), source.cell(s, other));
            let scale = |out: &mut [f64], source: &[f64]| {
                out.iter_mut().zip(source).zip(own).for_each(|((out, source), slope)| *out = source * slope);
            };
            scale(&mut out.value[cell.clone()], &source.value[from.clone()]);
            if let (Some(out), Some(source)) = (&mut out.tangent, &source.tangent) {
                scale(&mut out[cell], &source[from]);
            }
        }
    }

    /// Two functions of correlated Gaussians.
    pub(super) fn dual(&self, pair: Pair, source: Pair, gain: Option<f64>, out: &mut Buffer) {
        let (Some((one, left)), Some((two, right))) = (self.function(pair.0), self.function(pair.1)) else {
            return;
        };
        let Some(source) = self.get(source) else { return };
        let closed = one == two && is_closed(one);
        let single = out.kept == Cells::Tied || (out.left == 1 && out.right == 1);
        let itself = pair.0 == pair.1 && single && self.tile.diagonal;
        if itself && !closed {
            self.squares(one, source, out);
        } else if closed {
            self.closed(one, (left, right), source, out);
        } else {
            self.by_series(pair, source, out);
        }
        self.carry_on(pair, source, gain, out);
    }

    /// From mean products of slopes, which the tangent holds so far, to the tangent itself.
    fn carry_on(&self, pair: Pair, source: &Buffer, gain: Option<f64>, out: &mut Buffer) {
        let Some(mut tangents) = out.tangent.take() else { return };
        if let (None, Some(carried), true) = (gain, &source.tangent, out.kept == source.kept) {
            tangents.iter_mut().zip(carried).for_each(|(slope, tangent)| *slope *= tangent);
            out.tangent = Some(tangents);
            return;
        }
        let series = (self.tile.left.series.get(&pair.0), self.tile.right.series.get(&pair.1));
        for (s, other) in out.cells() {
            let (cell, from) = (out.cell(s, other), source.cell(s, other));
            let own = &mut tangents[cell.clone()];
            match &source.tangent {
                None => own.fill(0.0),
                Some(carried) => {
                    let carried = &carried[from.clone()];
                    own.iter_mut().zip(carried).for_each(|(slope, tangent)| *slope *= tangent);
                }
            }
            let Some(gain) = gain else { continue };
            // The part that differs from channel to channel: slope slope' gain (z z' - E[z z']).
            let mut slopes = vec![0.0; out.pairs];
            self.slopes_again(pair, (s, other), &source.value[from.clone()], &mut slopes);
            for (at, own) in own.iter_mut().enumerate() {
                let c = source.value[from.start + at];
                let whole = match series {
                    (Some(one), Some(two)) if !one.gain.is_empty() => {
                        let (x, y) = self.points(at);
                        let places = (s * self.tile.left.count + x, other * self.tile.right.count + y);
                        one.gain_pair(places.0, two, places.1, c)
                    }
                    _ => out.value[cell.start + at],
                };
                *own += gain * (whole - slopes[at] * c);
            }
        }
        out.tangent = Some(tangents);
    }

    /// The two points of a pair of a tile.
    fn points(&self, at: usize) -> (usize, usize) {
        let (rows, columns) = (self.tile.rows.start, self.tile.columns.start);
        match self.tile.diagonal {
            true => (rows + at, columns + at),
            false => (rows + at / self.tile.columns.len(), columns + at % self.tile.columns.len()),
        }
    }

    /// Mean products of slopes of one cell.
    fn slopes_again(&self, pair: Pair, (s, other): (usize, usize), c: &[f64], out: &mut [f64]) {
        let (Some((func, left)), Some((_, right))) = (self.function(pair.0), self.function(pair.1)) else {
            return;
        };
        if is_closed(func) {
            let (Some(own), Some(others)) =
                (self.variances(Side::Left, left), self.variances(Side::Right, right))
            else {
                return;
            };
            let length = out.len();
            let (own, others) =
                (&own[s * length..(s + 1) * length], &others[other * length..(other + 1) * length]);
            let mut values = vec![0.0; length];
            duals(func, own, others, c, &mut values, Some(out));
            return;
        }
        let (Some(one), Some(two)) =
            (self.tile.left.series.get(&pair.0), self.tile.right.series.get(&pair.1))
        else {
            return;
        };
        for (at, (out, c)) in out.iter_mut().zip(c).enumerate() {
            let (x, y) = self.points(at);
            *out = one.pair(s * self.tile.left.count + x, two, other * self.tile.right.count + y, *c).1;
        }
    }

    /// A function with itself at one point and position: its mean square.
    fn squares(&self, func: Func, source: &Buffer, out: &mut Buffer) {
        for (s, other) in out.cells() {
            let (cell, from) = (out.cell(s, other), source.cell(s, other));
            for (at, found) in cell.zip(moments(func, &source.value[from])) {
                out.value[at] = found.square;
                if let Some(tangent) = &mut out.tangent {
                    tangent[at] = found.slope_square;
                }
            }
        }
    }

    fn variances(&self, side: Side, argument: Place) -> Option<Vec<f64>> {
        let own = self.tile.statistics(side).variances.get(&argument)?;
        Some(self.tile.table(side, own, self.nodes[argument].size))
    }

    fn closed(&self, func: Func, (left, right): Pair, source: &Buffer, out: &mut Buffer) {
        let (Some(own), Some(others)) =
            (self.variances(Side::Left, left), self.variances(Side::Right, right))
        else {
            return;
        };
        let pairs = out.pairs;
        if !(out.is_whole() && source.is_whole()) {
            let [mut q1, mut q2, mut c] = [(); 3].map(|()| Vec::with_capacity(out.value.len()));
            for (s, other) in out.cells() {
                q1.extend_from_slice(&own[s * pairs..(s + 1) * pairs]);
                q2.extend_from_slice(&others[other * pairs..(other + 1) * pairs]);
                c.extend_from_slice(&source.value[source.cell(s, other)]);
            }
            let tangent = out.tangent.as_deref_mut();
            duals(func, &q1, &q2, &c, &mut out.value, tangent);
            return;
        }
        // All positions of the second node at once.
        let length = out.right * pairs;
        let mut first = vec![0.0; length];
        for s in 0..out.left {
            let row = s * length..(s + 1) * length;
            first
                .chunks_exact_mut(pairs)
                .for_each(|part| part.copy_from_slice(&own[s * pairs..(s + 1) * pairs]));
            let tangent = out.tangent.as_mut().map(|tangent| &mut tangent[row.clone()]);
            duals(func, &first, &others, &source.value[row.clone()], &mut out.value[row], tangent);
        }
    }

    fn by_series(&self, (left, right): Pair, source: &Buffer, out: &mut Buffer) {
        let statistics = (self.tile.statistics(Side::Left), self.tile.statistics(Side::Right));
        let (Some(one), Some(two)) = (statistics.0.series.get(&left), statistics.1.series.get(&right)) else {
            return;
        };
        let exact = one.worst().max(two.worst()) <= TOLERANCE;
        let width = self.tile.columns.len();
        let places: Vec<(usize, usize)> = (0..out.pairs).map(|at| self.points(at)).collect();
        for (s, other) in out.cells() {
            let (own, with) = (s * statistics.0.count, other * statistics.1.count);
            let (cell, from) = (out.cell(s, other), &source.value[source.cell(s, other)]);
            if self.tile.diagonal || !exact {
                for ((at, c), (x, y)) in cell.zip(from).zip(&places) {
                    let (value, slope) = one.pair(own + x, two, with + y, *c);
                    out.value[at] = value;
                    if let Some(tangent) = &mut out.tangent {
                        tangent[at] = slope;
                    }
                }
                continue;
            }
            for row in 0..self.tile.rows.len() {
                let part = cell.start + row * width..cell.start + (row + 1) * width;
                let at = (own + self.tile.rows.start + row, with + self.tile.columns.start);
                let tangent = out.tangent.as_mut().map(|tangent| &mut tangent[part.clone()]);
                let c = &from[row * width..(row + 1) * width];
                row_by_series((one, two), at, c, &mut out.value[part], tangent);
            }
        }
    }
}

/// One variance of a series with a run of variances of another.
fn row_by_series(
    (one, two): (&Series, &Series),
    (left, right): (usize, usize),
    c: &[f64],
    value: &mut [f64],
    mut slope: Option<&mut [f64]>,
) {
    let order = one.order.min(two.order);
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for start in (0..c.len()).step_by(LANES) {
                let lanes = LANES.min(c.len() - start);
                let (mut rho, mut sums, mut slopes) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
                for lane in 0..lanes {
                    rho[lane] = correlation(
                        one.variances[left],
                        two.variances[right + start + lane],
                        c[start + lane],
                    );
                }
                for k in (0..order).rev() {
                    let (own, own_slope) = (one.value[k * one.count + left], one.slope[k * one.count + left]);
                    let from = k * two.count + right + start;
                    if lanes == LANES {
                        let (others, other_slopes) =
                            (&two.value[from..from + LANES], &two.slope[from..from + LANES]);
                        for lane in 0..LANES {
                            sums[lane] = sums[lane] * rho[lane] + own * others[lane];
                            slopes[lane] = slopes[lane] * rho[lane] + own_slope * other_slopes[lane];
                        }
                    } else {
                        for lane in 0..lanes {
                            sums[lane] = sums[lane] * rho[lane] + own * two.value[from + lane];
                            slopes[lane] = slopes[lane] * rho[lane] + own_slope * two.slope[from + lane];
                        }
                    }
                }
                value[start..start + lanes].copy_from_slice(&sums[..lanes]);
                if let Some(slope) = &mut slope {
                    slope[start..start + lanes].copy_from_slice(&slopes[..lanes]);
                }
            }
        },
    );
}
