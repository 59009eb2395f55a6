//! The phase diagram of a layer over weight and bias variance.

use rayon::prelude::*;

use super::maps::{Activation, Layer, Phase, Signal, Variance, edge, edge_at};
use super::record::{Cell, EdgePoint};
use crate::watch::Watch;

/// Points along the traced edge.
const POINTS: usize = 400;
/// Bias variances at which the edge is told.
const LANDMARKS: [f64; 6] = [0.0, 0.01, 0.05, 0.1, 0.2, 0.5];

/// The part of the plane that is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    /// Weight variances: smallest and largest.
    pub weights: (f64, f64),
    /// The largest bias variance; the smallest is 0.
    pub largest_bias: f64,
    /// Cells along either axis.
    pub cells: usize,
}

/// Numbers from one end to the other, both included.
pub fn spaced(from: f64, to: f64, count: usize) -> Vec<f64> {
    (0..count).map(|at| from + (to - from) * at as f64 / (count.max(2) - 1) as f64).collect()
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

/// One point of the plane.
pub fn cell(activation: &Activation, layer: Layer) -> Cell {
    let Signal { variance, chi, phase, correlation, xi, xi_variance, .. } = activation.signal(layer);
    Cell {
        weight: layer.weight,
        bias: layer.bias,
        phase: match phase {
            Phase::Ordered => "ordered",
            Phase::Edge => "edge",
            Phase::Chaotic => "chaotic",
        },
        variance_goes: match variance {
            Variance::Fixed(_) => "fixed",
            Variance::Vanishes => "vanishes",
            Variance::Diverges => "diverges",
        },
        variance: if let Variance::Fixed(q) = variance { Some(q) } else { None },
        chi,
        correlation,
        xi: xi.and_then(finite),
        xi_variance: xi_variance.and_then(finite),
        depth: finite(activation.signal(layer).depth()),
    }
}

/// The grid: (biases) x (weights); empty if the watch stopped before it was done.
pub fn grid(activation: &Activation, weights: &[f64], biases: &[f64], watch: &dyn Watch) -> Vec<Cell> {
    let row = |bias: &f64| -> Option<Vec<Cell>> {
        if watch.stopped() {
            return None;
        }
        let cells = weights.iter().map(|weight| cell(activation, Layer { weight: *weight, bias: *bias }));
        let cells = cells.collect();
        watch.finished(weights.len());
        Some(cells)
    };
    biases.par_iter().map(row).collect::<Option<Vec<_>>>().unwrap_or_default().concat()
}

fn point((variance, layer): (f64, Layer)) -> EdgePoint {
    EdgePoint { variance, weight: layer.weight, bias: layer.bias }
}

/// The edge within the plane, thinned to points that differ.
pub fn traced(activation: &Activation, plane: &Plane) -> Vec<EdgePoint> {
    let inside =
        |(_, layer): &(f64, Layer)| layer.weight >= plane.weights.0 && layer.weight <= plane.weights.1;
    let rim = edge_at(activation, plane.largest_bias);
    let points =
        edge(activation, POINTS, plane.largest_bias).into_iter().chain(rim).filter(inside).map(point);
    let mut kept: Vec<EdgePoint> = Vec::new();
    let (width, height) = (plane.weights.1 - plane.weights.0, plane.largest_bias.max(f64::MIN_POSITIVE));
    for own in points {
        let far = |last: &EdgePoint| {
            ((own.weight - last.weight) / width).hypot((own.bias - last.bias) / height) > 0.005
        };
        if kept.last().is_none_or(far) {
            kept.push(own);
        }
    }
    kept
}

/// The edge at round bias variances, where it has them.
pub fn landmarks(activation: &Activation, plane: &Plane) -> Vec<EdgePoint> {
    let within = LANDMARKS.into_iter().filter(|bias| *bias <= plane.largest_bias);
    within.filter_map(|bias| edge_at(activation, bias)).map(point).collect()
}
