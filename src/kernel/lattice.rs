//! Quasi-Monte Carlo points: randomly shifted rank-1 lattices (Dick, Kuo & Sloan 2013, "High-dimensional integration: the quasi-Monte Carlo way",
//! Acta Numerica 22), folded by the baker's transformation.
//!
//! Point i of N is the fractional part p of i z / N + shift, folded to 1 - |2 p - 1|: what is integrated is not periodic, and folded it is (Hickernell 2002,
//! "Obtaining O(N^(-2+eps)) convergence for lattice quadrature rules"). The generating vector z is built component by component so that the worst-case
//! error in a weighted Korobov space of smoothness 2 is least, with the weights 1/j^2: the first dimensions matter most. Several independent shifts of one
//! lattice give independent unbiased estimates, and their scatter the standard error.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardUniform};
use statrs::distribution::{ContinuousCDF, Normal};

/// A lattice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lattice {
    /// How many points, a power of two.
    pub count: usize,
    /// The generating vector.
    pub generator: Vec<usize>,
}

/// 2 pi^2 B_2(x): the kernel of the Korobov space of smoothness 2, without its constant.
fn kernel(x: f64) -> f64 {
    2.0 * std::f64::consts::PI.powi(2) * (x * x - x + 1.0 / 6.0)
}

impl Lattice {
    /// The lattice of 2^power points in so many dimensions.
    pub fn new(power: u32, dimensions: usize) -> Lattice {
        let count = 1_usize << power;
        let values: Vec<f64> = (0..count).map(|at| kernel(at as f64 / count as f64)).collect();
        let mut products = vec![1.0; count];
        let mut generator = Vec::with_capacity(dimensions);
        for dimension in 1..=dimensions {
            let weight = 1.0 / (dimension * dimension) as f64;
            // z and N - z are mirror images, and beyond some hundred candidates little is gained.
            let stride = (count / 2 / 512).max(2) & !1;
            let candidates = (1..(count / 2).max(2)).step_by(stride);
            let error = |z: usize| {
                let term = |(at, own): (usize, &f64)| own * values[(at * z) & (count - 1)];
                products.iter().enumerate().map(term).sum::<f64>()
            };
            let scored = candidates.map(|z| (error(z), z));
            let best = scored.fold((f64::INFINITY, 1), |best, own| if own.0 < best.0 { own } else { best });
            for (at, own) in products.iter_mut().enumerate() {
                *own *= 1.0 + weight * values[(at * best.1) & (count - 1)];
            }
            generator.push(best.1);
        }
        Lattice { count, generator }
    }

    /// Standard normal points with a random shift: (points) x (dimensions).
    pub fn normal(&self, seed: u64) -> Vec<f64> {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        let shift: Vec<f64> = self.generator.iter().map(|_| StandardUniform.sample(&mut stream)).collect();
        let normal = Normal::standard();
        let mut points = Vec::with_capacity(self.count * shift.len());
        for at in 0..self.count {
            for (z, shift) in self.generator.iter().zip(&shift) {
                let whole = ((at * z) & (self.count - 1)) as f64 / self.count as f64;
                let folded = 1.0 - (2.0 * (whole + shift).fract() - 1.0).abs();
                points.push(normal.inverse_cdf(folded.clamp(1e-16, 1.0 - 1e-16)));
            }
        }
        points
    }
}
