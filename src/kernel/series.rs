//! Duals by Hermite series, for functions without a closed form.
//!
//! In normalized Hermite polynomials h_k, phi(sqrt(q) z) = sum a_k(q) h_k(z), and Mehler's formula gives
//!
//! ```text
//! E[phi(u) psi(v)] = sum_k a_k(q1) b_k(q2) rho^k,    rho = c / sqrt(q1 q2).
//! ```
//!
//! The coefficients are one-dimensional integrals, found once per point; a pair then costs two short polynomials in rho. What the sum leaves out
//! is at most |rho|^M times the root of (tail 1)(tail 2), and the tails are known exactly: E[phi^2] - sum a_k^2 (Parseval). Pairs for
//! which this bound misses the tolerance are integrated directly.

use super::quadrature::{Rule, direct};
use crate::graph::Func;
use crate::numeric::function::{slope, value};
use crate::numeric::matrix::{Layout, multiply};

/// The relative error that series and integrals meet.
pub const TOLERANCE: f64 = 1e-12;
/// The most terms.
const MOST: usize = 512;

/// The coefficients of a function and of its slope at many variances.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Which function.
    pub func: Option<Func>,
    /// How many terms.
    pub order: usize,
    /// How many variances.
    pub count: usize,
    /// Coefficients of the function: (order) x (variances).
    pub value: Vec<f64>,
    /// Coefficients of its slope: (order) x (variances).
    pub slope: Vec<f64>,
    /// Coefficients of u phi'(u), if they were asked for: (order) x (variances).
    pub gain: Vec<f64>,
    /// What the series leave out of the two mean squares, relative to them: the larger.
    pub tail: Vec<f64>,
    /// The variances.
    pub variances: Vec<f64>,
}

impl Series {
    /// The coefficients at these variances; `gain` asks for those of u phi'(u), too.
    pub fn new(func: Func, variances: &[f64], gain: bool) -> Series {
        let largest = variances.iter().fold(0.0_f64, |largest, q| largest.max(*q));
        let rule = Rule::for_function(func, largest);
        let mut order = 64;
        loop {
            let found = Series::of_order(func, variances, &rule, order, gain);
            let worst = found.tail.iter().fold(0.0_f64, |worst, tail| worst.max(*tail));
            if worst <= TOLERANCE || order >= MOST {
                return found.shortened();
            }
            order *= 2;
        }
    }

    fn of_order(func: Func, variances: &[f64], rule: &Rule, order: usize, gain: bool) -> Series {
        let (nodes, count) = (rule.nodes.len(), variances.len());
        let table = rule.hermite(order);
        let mut values = vec![0.0; count * nodes];
        let mut slopes = vec![0.0; count * nodes];
        let mut gains = vec![0.0; if gain { count * nodes } else { 0 }];
        for (at, variance) in variances.iter().enumerate() {
            let root = variance.max(0.0).sqrt();
            for (node, z) in rule.nodes.iter().enumerate() {
                let y = value(func, root * z);
                values[at * nodes + node] = y;
                slopes[at * nodes + node] = slope(func, root * z, y);
                if gain {
                    gains[at * nodes + node] = root * z * slopes[at * nodes + node];
                }
            }
        }
        let project = |numbers: &[f64]| {
            let mut out = vec![0.0; order * count];
            let rows = |row| Layout { offset: 0, row, column: 1 };
            let turned = Layout { offset: 0, row: 1, column: nodes };
            multiply(
                (order, count, nodes),
                (&mut out, rows(count)),
                (&table, rows(nodes)),
                (numbers, turned),
                1.0,
                false,
            );
            out
        };
        let (value, slope) = (project(&values), project(&slopes));
        let projected = if gain { project(&gains) } else { Vec::new() };
        let tail = |coefficients: &[f64], numbers: &[f64], at: usize| {
            let own = &numbers[at * nodes..(at + 1) * nodes];
            let whole: f64 = own.iter().zip(&rule.weights).map(|(y, w)| y * y * w).sum();
            let found: f64 = (0..order).map(|k| coefficients[k * count + at].powi(2)).sum();
            if whole > 0.0 { ((whole - found) / whole).max(0.0) } else { 0.0 }
        };
        let worst = |at: usize| {
            let own = tail(&value, &values, at).max(tail(&slope, &slopes, at));
            if gain { own.max(tail(&projected, &gains, at)) } else { own }
        };
        let tail = (0..count).map(worst).collect();
        Series {
            func: Some(func),
            order,
            count,
            value,
            slope,
            gain: projected,
            tail,
            variances: variances.to_vec(),
        }
    }

    /// Without last terms that do not matter at any variance.
    fn shortened(mut self) -> Series {
        let matters = |k: usize| {
            let row = k * self.count..(k + 1) * self.count;
            let largest = |numbers: &[f64]| numbers.iter().fold(0.0_f64, |most, own| most.max(own.abs()));
            let gain = self.gain.get(row.clone()).map_or(0.0, largest);
            largest(&self.value[row.clone()]).max(largest(&self.slope[row])).max(gain) > 1e-9
        };
        let order = (0..self.order).rev().find(|k| matters(*k)).map_or(1, |k| k + 1);
        self.value.truncate(order * self.count);
        self.slope.truncate(order * self.count);
        self.gain.truncate(order * self.count);
        self.order = order;
        self
    }

    /// The largest tail.
    pub fn worst(&self) -> f64 {
        self.tail.iter().fold(0.0_f64, |worst, tail| worst.max(*tail))
    }

    /// E[phi(u) psi(v)] and E[phi'(u) psi'(v)] for one variance of this series and one of another.
    pub fn pair(&self, at: usize, other: &Series, other_at: usize, c: f64) -> (f64, f64) {
        let rho = correlation(self.variances[at], other.variances[other_at], c);
        let order = self.order.min(other.order);
        let bound = rho.abs().powi(order as i32) * (self.tail[at] * other.tail[other_at]).sqrt();
        if bound > TOLERANCE
            && let (Some(one), Some(two)) = (self.func, other.func)
        {
            return direct(one, two, self.variances[at], other.variances[other_at], rho);
        }
        let (mut value, mut slope) = (0.0, 0.0);
        for k in (0..order).rev() {
            let (own, others) = (k * self.count + at, k * other.count + other_at);
            value = value * rho + self.value[own] * other.value[others];
            slope = slope * rho + self.slope[own] * other.slope[others];
        }
        (value, slope)
    }

    /// E[u phi'(u) v psi'(v)] for one variance of this series and one of another. Both must have been made for it.
    pub fn gain_pair(&self, at: usize, other: &Series, other_at: usize, c: f64) -> f64 {
        let rho = correlation(self.variances[at], other.variances[other_at], c);
        let order = self.order.min(other.order);
        let term = |k: usize| self.gain[k * self.count + at] * other.gain[k * other.count + other_at];
        (0..order).rev().fold(0.0, |sum, k| sum * rho + term(k))
    }
}

/// c / sqrt(q1 q2), between -1 and 1; 0 where a variance is zero.
#[inline(always)]
pub fn correlation(q1: f64, q2: f64, c: f64) -> f64 {
    let product = q1 * q2;
    if product > 0.0 { (c / product.sqrt()).clamp(-1.0, 1.0) } else { 0.0 }
}
