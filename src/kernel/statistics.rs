//! What a tile of a kernel needs to know of each point by itself: inputs, variances, means, patterns of attention.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::node::{Place, Term};
use super::sampling::Normals;
use super::series::Series;
use crate::graph::DataId;

/// Points: for every input the entries of all of them, one point after another.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// How many.
    pub count: usize,
    /// By [`DataId`]: (points) x (entries). Targets may be empty.
    pub columns: Vec<Vec<f64>>,
}

impl Points {
    /// Points of a network with one input.
    pub fn single(rows: &[Vec<f64>]) -> Points {
        Points { count: rows.len(), columns: vec![rows.concat()] }
    }

    /// Some of the points.
    pub fn part(&self, range: Range<usize>) -> Points {
        let part = |column: &Vec<f64>| {
            let length = column.len() / self.count.max(1);
            column[range.start * length..range.end * length].to_vec()
        };
        Points { count: range.len(), columns: self.columns.iter().map(part).collect() }
    }

    /// These points and then others.
    pub fn followed_by(&self, other: &Points) -> Points {
        let both = |(own, others): (&Vec<f64>, &Vec<f64>)| [own.as_slice(), others.as_slice()].concat();
        let columns = self.columns.iter().zip(&other.columns).map(both).collect();
        Points { count: self.count + other.count, columns }
    }

    pub(super) fn of(&self, data: DataId) -> &[f64] {
        self.columns.get(data.index()).map_or(&[], Vec::as_slice)
    }
}

/// Numbers per point. Tables with positions are (positions) x (points); fixed nodes are (points) x (positions).
#[derive(Clone, Debug, Default)]
pub(super) struct Statistics {
    /// How many points.
    pub count: usize,
    /// Values of fixed nodes.
    pub fixed: HashMap<Place, Vec<f64>>,
    /// Variances of the arguments of functions, by argument.
    pub variances: HashMap<Place, Vec<f64>>,
    /// Of normalizations: means, and one over deviations.
    pub norms: HashMap<Place, (Vec<f64>, Vec<f64>)>,
    /// Means of functions.
    pub means: HashMap<Place, Vec<f64>>,
    /// Mean slopes of functions.
    pub slopes: HashMap<Place, Vec<f64>>,
    /// Series of functions without a closed form.
    pub series: HashMap<Place, Series>,
    /// Of functions of several Gaussians: their covariances, a lower triangle per position: (entries) x (points).
    pub blocks: HashMap<Place, Vec<f64>>,
    /// What means over draws are taken over.
    pub normals: Arc<Normals>,
}

impl Statistics {
    /// Statistics of one part of the points and then of another.
    pub fn append(&mut self, other: Statistics) {
        let (own, others) = (self.count, other.count);
        fn joined(
            own: &mut HashMap<Place, Vec<f64>>,
            other: HashMap<Place, Vec<f64>>,
            counts: (usize, usize),
        ) {
            for (place, numbers) in other {
                let known = own.entry(place).or_default();
                *known = side_by_side(known, &numbers, counts);
            }
        }
        for (place, numbers) in other.fixed {
            self.fixed.entry(place).or_default().extend(numbers);
        }
        joined(&mut self.variances, other.variances, (own, others));
        joined(&mut self.means, other.means, (own, others));
        joined(&mut self.slopes, other.slopes, (own, others));
        joined(&mut self.blocks, other.blocks, (own, others));
        for (place, (means, scales)) in other.norms {
            let known = self.norms.entry(place).or_default();
            known.0 = side_by_side(&known.0, &means, (own, others));
            known.1 = side_by_side(&known.1, &scales, (own, others));
        }
        self.count += others;
    }

    /// The value of a term at one point.
    pub fn term(&self, term: &Term, size: usize, point: usize) -> Vec<f64> {
        let own = self.fixed.get(&term.node).map_or(&[][..], Vec::as_slice);
        let own = &own[point * size..(point + 1) * size];
        match &term.map {
            Some(map) => map.apply(own, term.factor),
            None if term.factor == 1.0 => own.to_vec(),
            None => own.iter().map(|entry| entry * term.factor).collect(),
        }
    }
}

/// (positions) x (points) tables, joined along the points.
fn side_by_side(left: &[f64], right: &[f64], (own, others): (usize, usize)) -> Vec<f64> {
    if own == 0 {
        return right.to_vec();
    }
    let rows = left.chunks_exact(own).zip(right.chunks_exact(others));
    rows.flat_map(|(left, right)| left.iter().chain(right).copied()).collect()
}
