//! Pairs with functions of Gaussians.

use super::{Buffer, Run};
use crate::graph::Func;
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
    pub(super) fn dual(&self, pair: Pair, source: Pair, out: &mut Buffer) {
        let (Some((one, left)), Some((two, right))) = (self.function(pair.0), self.function(pair.1)) else {
            return;
        };
        let Some(source) = self.get(source) else { return };
        let closed = one == two && is_closed(one);
        let single = out.tied || (out.left == 1 && out.right == 1);
        let itself = pair.0 == pair.1 && single && self.tile.diagonal;
        if itself && !closed {
            self.squares(one, source, out);
        } else if closed {
            self.closed(one, (left, right), source, out);
        } else {
            self.by_series(pair, source, out);
        }
        // So far the tangent holds mean products of slopes.
        if let Some(tangents) = &mut out.tangent {
            let Some(own) = &source.tangent else {
                tangents.fill(0.0);
                return;
            };
            if out.tied == source.tied {
                tangents.iter_mut().zip(own).for_each(|(slope, tangent)| *slope *= tangent);
                return;
            }
            for s in 0..out.left {
                let from = source.cell(s, s);
                let to = s * out.pairs..(s + 1) * out.pairs;
                tangents[to].iter_mut().zip(&own[from]).for_each(|(slope, tangent)| *slope *= tangent);
            }
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
        if out.tied {
            let mut from = Vec::with_capacity(out.value.len());
            (0..out.left).for_each(|s| from.extend_from_slice(&source.value[source.cell(s, s)]));
            let tangent = out.tangent.as_deref_mut();
            duals(func, &own, &others, &from, &mut out.value, tangent);
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
        let mut places: Vec<(usize, usize)> = vec![(0, 0); out.pairs];
        let width = self.tile.columns.len();
        for (at, place) in places.iter_mut().enumerate() {
            *place = match self.tile.diagonal {
                true => (self.tile.rows.start + at, self.tile.columns.start + at),
                false => (self.tile.rows.start + at / width, self.tile.columns.start + at % width),
            };
        }
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
