//! One point at a time: fixed values, variances, deviations, patterns, series. What pairs of different points need comes from here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::Limit;
use super::build::NoLimit;
use super::cells::Cells;
use super::dual::is_closed;
use super::evaluate::{Run, Tile, means};
use super::node::{Fixed, Kind, Node, Place, Sampled, Term};
use super::plan::{Demand, Pair, Plan, Planner};
use super::quadrature::moments;
use super::sampling::Normals;
use super::series::Series;
use super::statistics::{Points, Statistics};
use crate::numeric::function::value;
use crate::numeric::rows;

/// Points whose statistics are found side by side.
const CHUNK: usize = 64;
/// Added to mean squares before their roots are taken, as the numeric backend does.
const SMALLEST: f64 = 1e-12;

/// The pairs of a point with itself that statistics come from.
pub(super) fn plan(
    nodes: &[Node],
    reached: &BTreeSet<Place>,
    label: &dyn Fn(Place) -> String,
) -> Result<Plan, NoLimit> {
    let mut planner = Planner::new(nodes, label);
    let tied = Demand { cells: Cells::Tied, tangent: false };
    for place in reached {
        match &nodes[*place].kind {
            Kind::Map { argument, .. } => planner.demand((*argument, *argument), tied.clone()),
            Kind::Normalized { argument, centred, .. } => {
                planner.demand((*argument, *argument), tied.clone());
                if *centred {
                    planner.demand((*argument, 0), Demand::default());
                }
            }
            Kind::Fixed(Fixed::Average { left, right, .. }) => {
                planner.demand((*left, *right), Demand::default());
            }
            Kind::Sampled(own) => demand_blocks(&mut planner, nodes, own),
            Kind::Attended(own) => demand_blocks(&mut planner, nodes, &own.rows),
            _ => {}
        }
    }
    planner.plan()
}

/// The covariances among the Gaussians of every position.
fn demand_blocks(planner: &mut Planner, nodes: &[Node], own: &Sampled) {
    let mut wanted: BTreeMap<Pair, Vec<(u32, u32)>> = BTreeMap::new();
    for (_, leaves) in &own.entries {
        for (row, (one, at)) in leaves.iter().enumerate() {
            for (other, with) in &leaves[..=row] {
                wanted.entry((*one, *other)).or_default().push((*at, *with));
            }
        }
    }
    for (pair, cells) in wanted {
        let cells = Cells::of(cells, (nodes[pair.0].size, nodes[pair.1].size));
        planner.demand(pair, Demand { cells, tangent: false });
    }
}

/// All nodes that one depends on, itself included.
pub(super) fn reached(nodes: &[Node], output: Place) -> BTreeSet<Place> {
    let mut found = BTreeSet::from([0]);
    let mut open = vec![output];
    while let Some(place) = open.pop() {
        if found.insert(place) {
            open.extend(operands(&nodes[place]));
        }
    }
    found
}

fn operands(node: &Node) -> Vec<Place> {
    let own = |terms: &[Term]| terms.iter().map(|term| term.node).collect();
    match &node.kind {
        Kind::Fixed(Fixed::One | Fixed::Data(_) | Fixed::Numbers(_)) | Kind::Vector(_) => Vec::new(),
        Kind::Fixed(Fixed::Sum(terms)) | Kind::Sum(terms) => own(terms),
        Kind::Fixed(Fixed::Map(_, term) | Fixed::Rows(_, _, term)) | Kind::Table { numbers: term, .. } => {
            vec![term.node]
        }
        Kind::Fixed(Fixed::Product(left, right, _)) => vec![left.node, right.node],
        Kind::Fixed(Fixed::Average { left, right, .. })
        | Kind::Product(left, right)
        | Kind::Scores(left, right) => vec![*left, *right],
        Kind::Pattern(own) => vec![own.scores],
        Kind::Attended(own) => vec![own.scores, own.values],
        Kind::Contraction(own) => vec![own.source.node],
        Kind::Map { argument, .. } | Kind::Normalized { argument, .. } | Kind::Stopped(argument) => {
            vec![*argument]
        }
        Kind::Mixed { pattern, argument } => vec![pattern.node, *argument],
        Kind::Sampled(own) => own.nodes().into_iter().collect(),
    }
}

impl Limit {
    /// The statistics of some points.
    pub(super) fn prepare(&self, points: &Points, normals: &Arc<Normals>) -> Statistics {
        let chunk = (CHUNK / self.largest_size().pow(2).max(1)).clamp(1, CHUNK);
        let starts: Vec<usize> = (0..points.count).step_by(chunk).collect();
        let one = |start: &usize| {
            let range = *start..(*start + chunk).min(points.count);
            Preparing::new(self, points.part(range), normals).finish()
        };
        let parts: Vec<Statistics> = starts.par_iter().map(one).collect();
        let mut all = Statistics { normals: Arc::clone(normals), ..Statistics::default() };
        parts.into_iter().for_each(|part| all.append(part));
        all.series = self.series(&self.cross, &all);
        all
    }

    /// The series that a plan reads, at all points.
    fn series(&self, plan: &Plan, statistics: &Statistics) -> std::collections::HashMap<Place, Series> {
        let wanted = plan.duals.iter().filter_map(|place| match self.nodes[*place].kind {
            Kind::Map { func, argument } if self.needs_series(*place, func, plan) => {
                statistics.variances.get(&argument).map(|own| (*place, func, own))
            }
            _ => None,
        });
        let wanted: Vec<_> = wanted.collect();
        wanted
            .par_iter()
            .map(|(place, func, variances)| {
                (*place, Series::new(*func, variances, plan.gains.contains(place)))
            })
            .collect()
    }

    /// A function without closed form, one that meets another function, or one behind a gain.
    fn needs_series(&self, place: Place, func: crate::graph::Func, plan: &Plan) -> bool {
        let own =
            |place: &Place| matches!(self.nodes[*place].kind, Kind::Map { func: other, .. } if other != func);
        // u phi'(u) is phi(u) where phi is homogeneous.
        let gained = plan.gains.contains(&place) && func.law().homogeneous != Some(2);
        !is_closed(func) || gained || plan.duals.iter().any(own)
    }
}

/// Statistics in the making, for some points.
struct Preparing<'a> {
    limit: &'a Limit,
    points: Points,
    statistics: Statistics,
    buffers: Vec<Option<super::evaluate::Buffer>>,
}

impl<'a> Preparing<'a> {
    fn new(limit: &'a Limit, points: Points, normals: &Arc<Normals>) -> Preparing<'a> {
        let normals = Arc::clone(normals);
        let statistics = Statistics { count: points.count, normals, ..Statistics::default() };
        Preparing { limit, points, statistics, buffers: vec![None; limit.own.steps.len()] }
    }

    fn finish(mut self) -> Statistics {
        let mut next = 0;
        for place in &self.limit.reached {
            self.node(*place);
            while let Some(step) = self.limit.own.steps.get(next) {
                if step.pair.0.max(step.pair.1) > *place {
                    break;
                }
                self.step(next);
                next += 1;
            }
        }
        self.statistics.series.clear();
        self.statistics
    }

    fn step(&mut self, at: usize) {
        let count = self.points.count;
        let tile = Tile {
            left: &self.statistics,
            right: &self.statistics,
            rows: 0..count,
            columns: 0..count,
            diagonal: true,
        };
        let buffers = std::mem::take(&mut self.buffers);
        let mut run = Run { nodes: &self.limit.nodes, plan: &self.limit.own, tile, buffers };
        run.step(at);
        self.buffers = run.buffers;
    }

    fn pair(&self, pair: Pair) -> Option<&super::evaluate::Buffer> {
        self.limit.own.index.get(&pair).and_then(|at| self.buffers[*at].as_ref())
    }

    /// What pairs with a node need, before they are computed.
    fn node(&mut self, place: Place) {
        match &self.limit.nodes[place].kind {
            Kind::Fixed(fixed) => {
                let count = self.points.count;
                let values: Vec<f64> = (0..count).flat_map(|point| self.fixed(fixed, place, point)).collect();
                self.statistics.fixed.insert(place, values);
            }
            Kind::Map { func, argument } => {
                let variances = self.diagonal(*argument);
                let (own, cross) = (&self.limit.own, &self.limit.cross);
                let read = |of: &dyn Fn(&Plan) -> bool| of(own) || of(cross);
                let means = read(&|plan| plan.means.contains(&place));
                let slopes = read(&|plan| plan.slopes.contains(&place));
                if means || slopes {
                    let found = moments(*func, &variances);
                    self.statistics.means.insert(place, found.iter().map(|own| own.mean).collect());
                    self.statistics.slopes.insert(place, found.iter().map(|own| own.slope).collect());
                }
                let positions =
                    self.limit.nodes[place].size > 1 || own.duals.iter().any(|other| *other != place);
                if own.duals.contains(&place) && positions && self.limit.needs_series(place, *func, own) {
                    self.statistics.series.insert(place, Series::new(*func, &variances, false));
                }
                self.statistics.variances.insert(*argument, variances);
            }
            Kind::Normalized { argument, centred, groups } => {
                let found = self.norm(*argument, *centred, groups);
                self.statistics.norms.insert(place, found);
            }
            Kind::Sampled(own) => {
                let blocks = self.blocks(own);
                if [&self.limit.own, &self.limit.cross].iter().any(|plan| plan.means.contains(&place)) {
                    let found = means(own, &blocks, self.points.count, &self.statistics.normals);
                    self.statistics.means.insert(place, found);
                }
                self.statistics.blocks.insert(place, blocks);
            }
            Kind::Attended(own) => {
                let blocks = self.blocks(&own.rows);
                self.statistics.blocks.insert(place, blocks);
            }
            Kind::Contraction(_)
            | Kind::Scores(..)
            | Kind::Pattern(_)
            | Kind::Vector(_)
            | Kind::Table { .. }
            | Kind::Sum(_)
            | Kind::Mixed { .. }
            | Kind::Product(..)
            | Kind::Stopped(_) => {}
        }
    }

    /// The covariances among the Gaussians of every position: (entries of lower triangles) x (points).
    fn blocks(&self, own: &Sampled) -> Vec<f64> {
        let mut found = Vec::new();
        for (_, leaves) in &own.entries {
            for (row, (one, at)) in leaves.iter().enumerate() {
                for (other, with) in &leaves[..=row] {
                    match self.pair((*one, *other)) {
                        Some(own) => {
                            found.extend_from_slice(&own.value[own.cell(*at as usize, *with as usize)])
                        }
                        None => found.extend(std::iter::repeat_n(0.0, self.points.count)),
                    }
                }
            }
        }
        found
    }

    /// Mean squares of a node: (positions) x (points).
    fn diagonal(&self, place: Place) -> Vec<f64> {
        let size = self.limit.nodes[place].size;
        match self.pair((place, place)) {
            None => vec![0.0; size * self.points.count],
            Some(own) => (0..size).flat_map(|s| own.value[own.cell(s, s)].iter().copied()).collect(),
        }
    }

    /// Means and inverse deviations: (positions) x (points).
    fn norm(&self, argument: Place, centred: bool, groups: &[u32]) -> (Vec<f64>, Vec<f64>) {
        let count = self.points.count;
        let squares = self.diagonal(argument);
        let means = match self.pair((argument, 0)).filter(|_| centred) {
            None => vec![0.0; squares.len()],
            Some(own) => own.value.clone(),
        };
        let averaged = |numbers: &[f64]| {
            let mut out = vec![0.0; numbers.len()];
            for (at, group) in groups.iter().enumerate() {
                let own: Vec<usize> = (0..groups.len()).filter(|other| groups[*other] == *group).collect();
                for point in 0..count {
                    let sum: f64 = own.iter().map(|other| numbers[other * count + point]).sum();
                    out[at * count + point] = sum / own.len() as f64;
                }
            }
            out
        };
        let (means, squares) = (averaged(&means), averaged(&squares));
        let scale = |(mean, square): (&f64, &f64)| 1.0 / ((square - mean * mean).max(0.0) + SMALLEST).sqrt();
        let scales = means.iter().zip(&squares).map(scale).collect();
        (means, scales)
    }

    /// A fixed node at one point.
    fn fixed(&self, fixed: &Fixed, place: Place, point: usize) -> Vec<f64> {
        let term = |term: &Term| self.statistics.term(term, self.limit.nodes[term.node].size, point);
        let size = self.limit.nodes[place].size;
        match fixed {
            Fixed::One => vec![1.0],
            Fixed::Data(data) => self.points.of(*data)[point * size..(point + 1) * size].to_vec(),
            Fixed::Numbers(numbers) => numbers.clone(),
            Fixed::Sum(terms) => {
                let mut out = vec![0.0; size];
                for own in terms {
                    out.iter_mut().zip(term(own)).for_each(|(out, own)| *out += own);
                }
                out
            }
            Fixed::Map(func, own) => term(own).into_iter().map(|entry| value(*func, entry)).collect(),
            Fixed::Product(left, right, sum) => {
                let products: Vec<f64> =
                    term(left).into_iter().zip(term(right)).map(|(left, right)| left * right).collect();
                sum.apply(&products, 1.0)
            }
            Fixed::Rows(along, length, own) => {
                let mut out = vec![0.0; size];
                rows::forward(*along, *length, &term(own), &mut out);
                out
            }
            Fixed::Average { left, right, places, factor } => {
                let mut out = vec![0.0; size];
                if let Some(own) = self.pair((*left, *right)) {
                    for [to, s, other] in places {
                        out[*to as usize] +=
                            factor * own.value[own.cell(*s as usize, *other as usize)][point];
                    }
                }
                out
            }
        }
    }
}
