//! Integrals against the normal density: composite Gauss-Legendre rules, split at zero, where functions have their kinks.

use std::f64::consts::PI;

use crate::graph::Func;
use crate::numeric::function::{slope, value};

/// Where the density has become nothing.
const END: f64 = 13.0;
const PER_PANEL: usize = 16;

/// Nodes and weights (with the density) of an integral over the standard normal.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where.
    pub nodes: Vec<f64>,
    /// How much.
    pub weights: Vec<f64>,
}

/// Nodes and weights of Gauss and Legendre on [-1, 1], by Newton's method on the recurrence.
pub fn legendre(count: usize) -> Vec<(f64, f64)> {
    let node = |at: usize| {
        let mut x = (PI * (at as f64 + 0.75) / (count as f64 + 0.5)).cos();
        let mut derivative = 1.0;
        for _ in 0..100 {
            let (mut previous, mut current) = (1.0, x);
            for k in 2..=count {
                let k = k as f64;
                (previous, current) = (current, ((2.0 * k - 1.0) * x * current - (k - 1.0) * previous) / k);
            }
            derivative = count as f64 * (x * current - previous) / (x * x - 1.0);
            let step = current / derivative;
            x -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        (x, 2.0 / ((1.0 - x * x) * derivative * derivative))
    };
    (0..count).map(node).collect()
}

impl Rule {
    /// Panels of at most this width.
    pub fn of_width(width: f64) -> Rule {
        let panels = (END / width).ceil() as usize;
        let half = END / panels as f64 / 2.0;
        let (mut nodes, mut weights) = (Vec::new(), Vec::new());
        let base = legendre(PER_PANEL);
        for panel in 0..2 * panels {
            let middle = -END + (2 * panel + 1) as f64 * half;
            for (x, w) in &base {
                let z = middle + half * x;
                nodes.push(z);
                weights.push(w * half * (-0.5 * z * z).exp() / (2.0 * PI).sqrt());
            }
        }
        Rule { nodes, weights }
    }

    /// A rule that is exact to rounding for a function of Gaussians up to this variance: panels are halved until nothing changes.
    pub fn for_function(func: Func, variance: f64) -> Rule {
        let root = variance.max(0.0).sqrt();
        let square = |rule: &Rule| {
            let term = |(z, w): (&f64, &f64)| {
                let y = value(func, root * z);
                w * (y * y + slope(func, root * z, y).powi(2))
            };
            rule.nodes.iter().zip(&rule.weights).map(term).sum::<f64>()
        };
        let mut rule = Rule::of_width(0.8);
        let mut width = 0.8;
        let mut before = square(&rule);
        while width > 0.01 {
            width *= 0.5;
            let finer = Rule::of_width(width);
            let now = square(&finer);
            if (now - before).abs() <= 4e-15 * now.abs() {
                return rule;
            }
            (rule, before) = (finer, now);
        }
        rule
    }

    /// The integral of a function.
    pub fn integral(&self, function: impl Fn(f64) -> f64) -> f64 {
        self.nodes.iter().zip(&self.weights).map(|(z, w)| w * function(*z)).sum()
    }

    /// Normalized Hermite polynomials times weights: (order) x (nodes).
    pub fn hermite(&self, order: usize) -> Vec<f64> {
        let count = self.nodes.len();
        let mut table = vec![0.0; order * count];
        for (at, (z, w)) in self.nodes.iter().zip(&self.weights).enumerate() {
            // With half of the weight inside, the recurrence stays within range.
            let root = w.sqrt();
            let (mut previous, mut current) = (0.0, root);
            for k in 0..order {
                table[k * count + at] = current * root;
                let k = k as f64;
                (previous, current) = (current, (z * current - k.sqrt() * previous) / (k + 1.0).sqrt());
            }
        }
        table
    }
}

/// Mean, mean slope and mean square of a function of a Gaussian with this variance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// The mean of phi.
    pub mean: f64,
    /// E[phi']
    pub slope: f64,
    /// E[phi^2]
    pub square: f64,
    /// E[phi'^2]
    pub slope_square: f64,
}

/// The slope at zero; at a kink the mean of both sides, as duals have it.
fn slope_at_zero(func: Func) -> f64 {
    match func {
        Func::Relu => 0.5,
        Func::LeakyRelu => 0.505,
        Func::Abs => 0.0,
        _ => slope(func, 0.0, value(func, 0.0)),
    }
}

/// The moments of a function at these variances.
pub fn moments(func: Func, variances: &[f64]) -> Vec<Moments> {
    let largest = variances.iter().fold(0.0_f64, |largest, q| largest.max(*q));
    let rule = Rule::for_function(func, largest);
    let one = |variance: &f64| {
        if func == Func::Exp {
            let (mean, square) = ((0.5 * variance).exp(), (2.0 * variance).exp());
            return Moments { mean, slope: mean, square, slope_square: square };
        }
        if *variance <= 0.0 {
            let (mean, slope) = (value(func, 0.0), slope_at_zero(func));
            return Moments { mean, slope, square: mean * mean, slope_square: slope * slope };
        }
        let root = variance.sqrt();
        let mut found = Moments::default();
        for (z, w) in rule.nodes.iter().zip(&rule.weights) {
            let y = value(func, root * z);
            let s = slope(func, root * z, y);
            found.mean += w * y;
            found.slope += w * s;
            found.square += w * y * y;
            found.slope_square += w * s * s;
        }
        found
    };
    variances.iter().map(one).collect()
}

/// E[phi(u) psi(v)] and E[phi'(u) psi'(v)] by a double integral: over u, then over v given u, split where v crosses zero.
pub fn direct(one: Func, two: Func, q1: f64, q2: f64, rho: f64) -> (f64, f64) {
    let outer = Rule::for_function(one, q1);
    let (root1, root2) = (q1.max(0.0).sqrt(), q2.max(0.0).sqrt());
    let rest = (1.0 - rho * rho).max(0.0).sqrt();
    let base = legendre(PER_PANEL);
    let (mut total, mut total_slope) = (0.0, 0.0);
    for (z, w) in outer.nodes.iter().zip(&outer.weights) {
        let y = value(one, root1 * z);
        let s = slope(one, root1 * z, y);
        let (mean, mean_slope) = if rest < 1e-8 {
            let inner = value(two, root2 * rho * z);
            (inner, slope(two, root2 * rho * z, inner))
        } else {
            conditional(two, root2 * rho * z, root2 * rest, &base)
        };
        total += w * y * mean;
        total_slope += w * s * mean_slope;
    }
    (total, total_slope)
}

/// Mean and mean slope of a function of a Gaussian with this mean and deviation.
fn conditional(func: Func, mean: f64, deviation: f64, base: &[(f64, f64)]) -> (f64, f64) {
    const INNER: f64 = 9.0;
    let kink = (-mean / deviation).clamp(-INNER, INNER);
    let (mut total, mut total_slope) = (0.0, 0.0);
    for (from, to) in [(-INNER, kink), (kink, INNER)] {
        let panels = ((to - from) * deviation.max(1.0) / 1.5).ceil().clamp(1.0, 400.0) as usize;
        let half = (to - from) / panels as f64 / 2.0;
        for panel in 0..panels {
            let middle = from + (2 * panel + 1) as f64 * half;
            for (x, w) in base {
                let z = middle + half * x;
                let weight = w * half * (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
                let y = value(func, mean + deviation * z);
                total += weight * y;
                total_slope += weight * slope(func, mean + deviation * z, y);
            }
        }
    }
    (total, total_slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_normal() {
        let rule = Rule::of_width(0.4);
        for (power, expected) in [(0, 1.0), (2, 1.0), (4, 3.0), (6, 15.0), (8, 105.0)] {
            assert!((rule.integral(|z| z.powi(power)) - expected).abs() < 1e-13 * expected);
        }
        let table = rule.hermite(40);
        let count = rule.nodes.len();
        let dot = |j: usize, k: usize| -> f64 {
            (0..count)
                .map(|at| table[j * count + at] * table[k * count + at] / rule.weights[at].max(1e-300))
                .sum()
        };
        // h_k reaches to about 2 sqrt(k), which must lie within the rule.
        for (j, k) in [(7, 7), (7, 9), (20, 20), (20, 4)] {
            let expected = if j == k { 1.0 } else { 0.0 };
            assert!((dot(j, k) - expected).abs() < 1e-11, "{j} {k}: {}", dot(j, k));
        }
    }
}
