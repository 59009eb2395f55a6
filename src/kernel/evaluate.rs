//! A tile of a kernel: all pairs of some points with others, pair of nodes by pair of nodes.

mod attended;
mod contraction;
mod dual;
mod sampled;

pub(super) use sampled::means;

use std::ops::Range;
use std::sync::Arc;

use super::cells::Cells;
use super::node::{Kind, Node, Place};
use super::plan::{Pair, Plan, Rule, Side, Step};
use super::sparse::Sparse;
use super::statistics::Statistics;

/// Which pairs of points.
#[derive(Clone, Debug)]
pub(super) struct Tile<'a> {
    /// The points x.
    pub left: &'a Statistics,
    /// The points x'.
    pub right: &'a Statistics,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    /// Every point with itself only; else every row with every column, columns fastest.
    pub diagonal: bool,
}

/// A pair of nodes for all pairs of points of a tile: (kept pairs of positions) x (pairs).
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer {
    pub kept: Cells,
    pub left: usize,
    pub right: usize,
    pub pairs: usize,
    pub value: Vec<f64>,
    pub tangent: Option<Vec<f64>>,
}

impl Buffer {
    fn new(step: &Step, nodes: &[Node], pairs: usize) -> Buffer {
        let (left, right) = (nodes[step.pair.0].size, nodes[step.pair.1].size);
        let kept = step.demand.cells.clone();
        let cells = kept.count((left, right));
        let value = vec![0.0; cells * pairs];
        let tangent = step.demand.tangent.then(|| vec![0.0; cells * pairs]);
        Buffer { kept, left, right, pairs, value, tangent }
    }

    /// Where two positions lie, which are kept.
    #[inline]
    pub fn cell(&self, left: usize, right: usize) -> Range<usize> {
        let found = self.kept.find(left, right, self.right);
        debug_assert!(found.is_some(), "{left} and {right} are not kept");
        found.map_or(0..0, |cell| cell * self.pairs..(cell + 1) * self.pairs)
    }

    /// All kept positions.
    pub fn cells(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        self.kept.pairs((self.left, self.right))
    }

    /// Whether every position is kept with every other.
    pub fn is_whole(&self) -> bool {
        self.kept == Cells::All
    }
}

impl Tile<'_> {
    /// How many pairs of points.
    pub fn pairs(&self) -> usize {
        if self.diagonal { self.rows.len() } else { self.rows.len() * self.columns.len() }
    }

    pub fn statistics(&self, side: Side) -> &Statistics {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }

    /// Writes a number per point of one side, for every pair of points.
    pub fn spread(&self, side: Side, numbers: impl Fn(usize) -> f64, out: &mut [f64]) {
        let columns = self.columns.len();
        match (side, self.diagonal) {
            (Side::Left, true) => {
                out.iter_mut().zip(self.rows.clone()).for_each(|(out, point)| *out = numbers(point));
            }
            (Side::Right, true) => {
                out.iter_mut().zip(self.columns.clone()).for_each(|(out, point)| *out = numbers(point));
            }
            (Side::Left, false) => {
                for (out, point) in out.chunks_exact_mut(columns).zip(self.rows.clone()) {
                    out.fill(numbers(point));
                }
            }
            (Side::Right, false) => {
                for out in out.chunks_exact_mut(columns) {
                    out.iter_mut().zip(self.columns.clone()).for_each(|(out, point)| *out = numbers(point));
                }
            }
        }
    }

    /// A table of (positions) x (points) of one side, for all positions and pairs of points.
    pub fn table(&self, side: Side, numbers: &[f64], positions: usize) -> Vec<f64> {
        let count = self.statistics(side).count;
        let mut out = vec![0.0; positions * self.pairs()];
        for (at, out) in out.chunks_exact_mut(self.pairs().max(1)).enumerate() {
            self.spread(side, |point| numbers[at * count + point], out);
        }
        out
    }
}

/// Runs a plan on a tile.
pub(super) struct Run<'a> {
    pub nodes: &'a [Node],
    pub plan: &'a Plan,
    pub tile: Tile<'a>,
    pub buffers: Vec<Option<Buffer>>,
}

impl<'a> Run<'a> {
    pub fn new(nodes: &'a [Node], plan: &'a Plan, tile: Tile<'a>) -> Run<'a> {
        Run { nodes, plan, tile, buffers: vec![None; plan.steps.len()] }
    }

    /// Computes all pairs; what nobody reads any more is dropped. The last one is the result.
    pub fn finish(mut self) -> Option<Buffer> {
        for at in 0..self.plan.steps.len() {
            self.step(at);
            for (own, step) in self.buffers.iter_mut().zip(&self.plan.steps).take(at) {
                if step.last <= at {
                    *own = None;
                }
            }
        }
        self.buffers.pop().flatten()
    }

    /// Computes one pair.
    pub fn step(&mut self, at: usize) {
        let step = &self.plan.steps[at];
        let mut out = Buffer::new(step, self.nodes, self.tile.pairs());
        self.apply(step, &mut out);
        self.buffers[at] = Some(out);
    }

    /// A pair that has been computed; none if it is zero.
    pub fn get(&self, pair: Pair) -> Option<&Buffer> {
        self.plan.index.get(&pair).and_then(|at| self.buffers[*at].as_ref())
    }

    fn apply(&self, step: &Step, out: &mut Buffer) {
        match &step.rule {
            Rule::One => out.value.fill(1.0),
            Rule::Sum { side, terms } => self.sum(*side, terms, out),
            Rule::Normalized { side, node, pair, mean } => self.normalized(*side, *node, *pair, *mean, out),
            Rule::Mixed { side, node, pair } => self.mixed(*side, *node, *pair, out),
            Rule::Fixed { side, node, pair } => self.fixed(*side, *node, *pair, out),
            Rule::Stopped { pair } => {
                if let Some(source) = self.get(*pair) {
                    let whole = (*pair, None, 1.0);
                    self.add_term(Side::Left, &whole.1, whole.2, source, out, false);
                }
            }
            Rule::Gram => self.gram(step.pair, out),
            Rule::Contraction { pair } => self.contraction(step.pair, *pair, out),
            Rule::Vector => self.vector(step.pair.0, out),
            Rule::Table => self.rows_of_table(step.pair, out),
            Rule::Sampled { .. } => self.sampled(step.pair, out),
            Rule::Attended { values, .. } => self.attended(step.pair, *values, out),
            Rule::Dual { pair, gain } => self.dual(step.pair, *pair, *gain, out),
            Rule::Stein { side, pair } => self.stein(*side, step.pair, *pair, out),
            Rule::Mean { side } => {
                let node = if *side == Side::Left { step.pair.0 } else { step.pair.1 };
                if let Some(means) = self.tile.statistics(*side).means.get(&node) {
                    out.value = self.tile.table(*side, means, self.nodes[node].size);
                }
            }
            Rule::Constant { value } => out.value.fill(*value),
            Rule::Outer { left, right } => {
                let (Some(left), Some(right)) = (self.get(*left), self.get(*right)) else { return };
                for (s, other) in out.cells() {
                    let factors = left.value[left.cell(s, 0)].iter().zip(&right.value[right.cell(0, other)]);
                    let cell = out.cell(s, other);
                    out.value[cell].iter_mut().zip(factors).for_each(|(out, (one, two))| *out = one * two);
                }
            }
            Rule::Product { factors } => factors.iter().for_each(|(one, two)| self.product(*one, *two, out)),
        }
    }

    fn sum(&self, side: Side, terms: &[(Pair, Option<Arc<Sparse>>, f64)], out: &mut Buffer) {
        for (at, (pair, map, factor)) in terms.iter().enumerate() {
            let Some(source) = self.get(*pair) else { continue };
            let plain = at == 0 && map.is_none() && *factor == 1.0 && out.kept == source.kept;
            match (&mut out.tangent, &source.tangent) {
                (Some(out_tangent), Some(tangent)) if plain => {
                    out.value.copy_from_slice(&source.value);
                    out_tangent.copy_from_slice(tangent);
                }
                _ => self.add_term(side, map, *factor, source, out, true),
            }
        }
    }

    fn add_term(
        &self,
        side: Side,
        map: &Option<Arc<Sparse>>,
        factor: f64,
        source: &Buffer,
        out: &mut Buffer,
        tangent: bool,
    ) {
        let add = |out: &mut [f64], source: &[f64], factor: f64| {
            out.iter_mut().zip(source).for_each(|(out, source)| *out += factor * source);
        };
        let tangent = source.tangent.as_ref().filter(|_| tangent);
        if map.is_none() && out.kept == source.kept {
            add(&mut out.value, &source.value, factor);
            if let (Some(out), Some(source)) = (&mut out.tangent, tangent) {
                add(out, source, factor);
            }
            return;
        }
        if let (Side::Left, Some(map), true) = (side, map, out.is_whole() && source.is_whole()) {
            // All positions of the second node at once.
            let length = out.right * out.pairs;
            for s in 0..out.left {
                for (column, entry) in map.row(s) {
                    let (to, from) = (out.cell(s, 0).start, source.cell(*column as usize, 0).start);
                    add(&mut out.value[to..to + length], &source.value[from..from + length], factor * entry);
                    if let (Some(out), Some(source)) = (&mut out.tangent, tangent) {
                        add(&mut out[to..to + length], &source[from..from + length], factor * entry);
                    }
                }
            }
            return;
        }
        for (s, other) in out.cells() {
            let own = if side == Side::Left { s } else { other };
            let identity = [(own as u32, 1.0)];
            let row = map.as_ref().map_or(&identity[..], |map| map.row(own));
            let to = out.cell(s, other);
            for (column, entry) in row {
                let from = match side {
                    Side::Left => source.cell(*column as usize, other),
                    Side::Right => source.cell(s, *column as usize),
                };
                add(&mut out.value[to.clone()], &source.value[from.clone()], factor * entry);
                if let (Some(out), Some(source)) = (&mut out.tangent, tangent) {
                    add(&mut out[to.clone()], &source[from], factor * entry);
                }
            }
        }
    }

    fn normalized(&self, side: Side, node: Place, pair: Pair, mean: Option<Pair>, out: &mut Buffer) {
        let (Some(source), Some((means, scales))) =
            (self.get(pair), self.tile.statistics(side).norms.get(&node))
        else {
            return;
        };
        let size = self.nodes[node].size;
        let scales = self.tile.table(side, scales, size);
        let mean =
            mean.and_then(|mean| self.get(mean)).map(|mean| (self.tile.table(side, means, size), mean));
        let pairs = out.pairs;
        for (s, other) in out.cells() {
            let own = if side == Side::Left { s } else { other };
            let own = own * pairs..(own + 1) * pairs;
            let (cell, from) = (out.cell(s, other), source.cell(s, other));
            let target = &mut out.value[cell.clone()];
            target.copy_from_slice(&source.value[from.clone()]);
            if let Some((means, with)) = &mean {
                let with = if side == Side::Left { with.cell(0, other) } else { with.cell(s, 0) };
                let with = &mean.as_ref().map_or(&[][..], |(_, buffer)| &buffer.value[with]);
                let products = means[own.clone()].iter().zip(*with);
                target.iter_mut().zip(products).for_each(|(out, (mean, with))| *out -= mean * with);
            }
            target.iter_mut().zip(&scales[own.clone()]).for_each(|(out, scale)| *out *= scale);
            if let (Some(out), Some(source)) = (&mut out.tangent, &source.tangent) {
                let pairs = out[cell].iter_mut().zip(&source[from]).zip(&scales[own]);
                pairs.for_each(|((out, source), scale)| *out = source * scale);
            }
        }
    }

    fn mixed(&self, side: Side, node: Place, pair: Pair, out: &mut Buffer) {
        let (Some(source), Kind::Mixed { pattern, argument }) = (self.get(pair), &self.nodes[node].kind)
        else {
            return;
        };
        let inner = self.nodes[*argument].size;
        let statistics = self.tile.statistics(side);
        let points = if side == Side::Left { self.tile.rows.clone() } else { self.tile.columns.clone() };
        let size = self.nodes[pattern.node].size;
        let start = points.start;
        let patterns: Vec<Vec<f64>> = points.map(|point| statistics.term(pattern, size, point)).collect();
        let mut weights = vec![0.0; out.pairs];
        let cells: Vec<_> = out.cells().collect();
        for (s, other) in cells {
            let own = if side == Side::Left { s } else { other };
            for q in 0..inner {
                self.tile.spread(side, |point| patterns[point - start][own * inner + q], &mut weights);
                if weights.iter().all(|weight| *weight == 0.0) {
                    continue;
                }
                let from = if side == Side::Left { source.cell(q, other) } else { source.cell(s, q) };
                let cell = out.cell(s, other);
                let add = |out: &mut [f64], source: &[f64]| {
                    out.iter_mut()
                        .zip(source)
                        .zip(&weights)
                        .for_each(|((out, own), weight)| *out += weight * own);
                };
                add(&mut out.value[cell.clone()], &source.value[from.clone()]);
                if let (Some(out), Some(source)) = (&mut out.tangent, &source.tangent) {
                    add(&mut out[cell], &source[from]);
                }
            }
        }
    }

    fn fixed(&self, side: Side, node: Place, pair: Pair, out: &mut Buffer) {
        let (Some(source), Some(values)) = (self.get(pair), self.tile.statistics(side).fixed.get(&node))
        else {
            return;
        };
        let size = self.nodes[node].size;
        let mut own = vec![0.0; out.pairs];
        for (s, other) in out.cells() {
            let (at, with) =
                if side == Side::Left { (s, source.cell(0, other)) } else { (other, source.cell(s, 0)) };
            self.tile.spread(side, |point| values[point * size + at], &mut own);
            let cell = out.cell(s, other);
            let factors = own.iter().zip(&source.value[with]);
            out.value[cell].iter_mut().zip(factors).for_each(|(out, (one, two))| *out = one * two);
        }
    }

    fn product(&self, one: Pair, two: Pair, out: &mut Buffer) {
        let (Some(one), Some(two)) = (self.get(one), self.get(two)) else { return };
        for (s, other) in out.cells() {
            let (cell, first, second) = (out.cell(s, other), one.cell(s, other), two.cell(s, other));
            let values = || one.value[first.clone()].iter().zip(&two.value[second.clone()]);
            out.value[cell.clone()].iter_mut().zip(values()).for_each(|(out, (one, two))| *out += one * two);
            let Some(tangent) = &mut out.tangent else { continue };
            if let Some(own) = &two.tangent {
                let terms = one.value[first.clone()].iter().zip(&own[second.clone()]);
                tangent[cell.clone()].iter_mut().zip(terms).for_each(|(out, (one, two))| *out += one * two);
            }
            if let Some(own) = &one.tangent {
                let terms = own[first].iter().zip(&two.value[second]);
                tangent[cell].iter_mut().zip(terms).for_each(|(out, (one, two))| *out += one * two);
            }
        }
    }
}
