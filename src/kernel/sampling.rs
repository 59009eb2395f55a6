//! Expectations of functions of a few Gaussians that have no closed form, as means over the points of a lattice.
//!
//! For a node with values f(u) at x and g(v) at x', where (u, v) are jointly Gaussian: E[f(u) g(v)], and E[df/du_i dg/dv_j], which carries the tangents of
//! the pairs (u_i, v_j) on. All pairs use the same points; several shifts of the lattice, one after another, give the standard error of a kernel
//! ([`super::gram`]). Results do not depend on threads.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::formula::Formula;
use super::lattice::Lattice;

/// A pivot below this share of its variance is rounding: the Gaussian is a combination of those before it.
const SINGULAR: f64 = 1e-12;

/// Standard normal points: (dimensions) x (points).
#[derive(Clone, Debug, Default)]
pub(super) struct Normals {
    /// How many points.
    pub count: usize,
    values: Vec<f64>,
}

impl Normals {
    /// One shift of a lattice, and plain draws for the dimensions beyond it: either is unbiased, and so are both together.
    pub fn new(lattice: &Lattice, shift: u64, dimensions: usize) -> Normals {
        let (points, own) = (lattice.normal(shift), lattice.generator.len());
        let value = |at: usize| points[at % lattice.count * own + at / lattice.count];
        let mut stream = ChaCha8Rng::seed_from_u64(shift);
        stream.set_stream(1);
        let beyond = lattice.count * dimensions.saturating_sub(own);
        let plain = (0..beyond).map(|_| StandardNormal.sample(&mut stream));
        Normals { count: lattice.count, values: (0..points.len()).map(value).chain(plain).collect() }
    }

    fn dimension(&self, at: usize) -> &[f64] {
        &self.values[at * self.count..(at + 1) * self.count]
    }
}

/// One side of a pair for all draws.
#[derive(Debug, Default)]
struct Drawn {
    leaves: Vec<f64>,
    values: Vec<f64>,
    gradient: Vec<f64>,
}

impl Drawn {
    #[inline(always)]
    fn evaluate(&mut self, formula: &Formula, count: usize, tangent: bool, back: &mut Vec<f64>) {
        formula.forward(&self.leaves, count, &mut self.values);
        if tangent {
            formula.backward(&self.values, count, back, &mut self.gradient);
        }
    }

    fn last(&self, count: usize) -> &[f64] {
        &self.values[self.values.len() - count..]
    }
}

/// Room for means, with the covariance that is drawn from.
#[derive(Debug)]
pub(super) struct Sampler<'a> {
    normals: &'a Normals,
    /// The lower triangle row by row: the Gaussians at x, then those at x'.
    pub covariance: Vec<f64>,
    factor: Vec<f64>,
    sides: [Drawn; 2],
    back: Vec<f64>,
}

fn triangle(at: usize) -> usize {
    at * (at + 1) / 2
}

impl<'a> Sampler<'a> {
    pub fn new(normals: &'a Normals) -> Sampler<'a> {
        Sampler {
            normals,
            covariance: Vec::new(),
            factor: Vec::new(),
            sides: Default::default(),
            back: Vec::new(),
        }
    }

    /// Rows of the Cholesky factor of the covariance from one on; those before are known.
    fn factorize(&mut self, from: usize, to: usize) {
        self.factor.resize(triangle(to), 0.0);
        for row in from..to {
            for column in 0..=row {
                let (own, other) = (triangle(row), triangle(column));
                let products = (0..column).map(|at| self.factor[own + at] * self.factor[other + at]);
                let rest = self.covariance[own + column] - products.sum::<f64>();
                self.factor[own + column] = if row == column {
                    if rest > SINGULAR * self.covariance[own + column] { rest.sqrt() } else { 0.0 }
                } else {
                    let pivot = self.factor[other + column];
                    if pivot > 0.0 { rest / pivot } else { 0.0 }
                };
            }
        }
    }

    #[inline(always)]
    fn draw(&mut self, side: usize, from: usize, to: usize) {
        let count = self.normals.count;
        let leaves = &mut self.sides[side].leaves;
        leaves.clear();
        leaves.resize((to - from) * count, 0.0);
        for (row, out) in (from..to).zip(leaves.chunks_exact_mut(count)) {
            for column in 0..=row {
                let factor = self.factor[triangle(row) + column];
                if factor != 0.0 {
                    let normal = self.normals.dimension(column);
                    out.iter_mut().zip(normal).for_each(|(out, normal)| *out += factor * normal);
                }
            }
        }
    }

    /// Draws Gaussians of one side without a function of them, given those before: (Gaussians) x (draws).
    pub fn plain(&mut self, side: usize, (from, to): (usize, usize)) -> Vec<f64> {
        self.factorize(from, to);
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || self.draw(side, from, to),
        );
        std::mem::take(&mut self.sides[side].leaves)
    }

    /// How many draws.
    pub fn count(&self) -> usize {
        self.normals.count
    }

    /// Draws the Gaussians at x, whose covariances come first.
    pub fn first(&mut self, formula: &Formula, tangent: bool) {
        let (count, size) = (self.normals.count, formula.leaves);
        self.factorize(0, size);
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                self.draw(0, 0, size);
                let Sampler { sides: [one, _], back, .. } = self;
                one.evaluate(formula, count, tangent, back);
            },
        );
    }

    /// E[f].
    pub fn mean(&self) -> f64 {
        let own = self.sides[0].last(self.normals.count);
        own.iter().sum::<f64>() / own.len() as f64
    }

    /// E[f f] at x itself; the mean products of slopes go into `slopes`, (leaves) x (leaves), if it is asked for.
    pub fn square(&self, leaves: usize, slopes: Option<&mut Vec<f64>>) -> f64 {
        products((&self.sides[0], &self.sides[0]), (leaves, leaves), self.normals.count, slopes)
    }

    /// Draws the Gaussians at x', given those at x, of which there are so many: E[f g], and the mean products of slopes.
    pub fn second(&mut self, before: usize, formula: &Formula, slopes: Option<&mut Vec<f64>>) -> f64 {
        let (count, size) = (self.normals.count, before + formula.leaves);
        self.factorize(before, size);
        let tangent = slopes.is_some();
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                self.draw(1, before, size);
                let Sampler { sides: [_, two], back, .. } = self;
                two.evaluate(formula, count, tangent, back);
            },
        );
        products((&self.sides[0], &self.sides[1]), (before, formula.leaves), count, slopes)
    }
}

fn products(
    (one, two): (&Drawn, &Drawn),
    (rows, columns): (usize, usize),
    count: usize,
    slopes: Option<&mut Vec<f64>>,
) -> f64 {
    let mean = |one: &[f64], two: &[f64]| crate::numeric::linear::dot(one, two) / count as f64;
    if let Some(slopes) = slopes {
        slopes.clear();
        for row in one.gradient.chunks_exact(count).take(rows) {
            slopes.extend(two.gradient.chunks_exact(count).take(columns).map(|column| mean(row, column)));
        }
    }
    mean(one.last(count), two.last(count))
}
