//! Dual functions: what an elementwise function makes of the covariance of two Gaussians.
//!
//! For (u, v) Gaussian with mean zero, variances q1 and q2 and covariance c, the dual of phi is E[phi(u) phi(v)], and by Price's theorem its
//! derivative by c is E[phi'(u) phi'(v)], which carries the tangent on (not of a sign: its derivative is zero wherever there is one). In closed form: relu, leaky relu, abs (Cho & Saul 2009; the arc-cosine
//! kernels), sign, erf (Williams 1997), gelu (Tsuchida et al. 2021, arXiv 2002.08517), sin, cos, exp, square. The others: [`super::series`].

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use crate::graph::Func;

/// Whether the dual of a function is computed in closed form.
pub fn is_closed(func: Func) -> bool {
    match func {
        Func::Relu
        | Func::LeakyRelu
        | Func::Abs
        | Func::Erf
        | Func::Gelu
        | Func::Sin
        | Func::Cos
        | Func::Exp
        | Func::Square
        | Func::Sign => true,
        Func::Silu
        | Func::Elu
        | Func::Softplus
        | Func::Tanh
        | Func::Sigmoid
        | Func::Log
        | Func::Sqrt
        | Func::Recip => false,
    }
}

/// A relative distance of c^2 from q1 q2 that is rounding: the two Gaussians are one.
const SAME: f64 = 64.0 * f64::EPSILON;

/// sqrt(q1 q2 - c^2), exactly zero where the two are one up to rounding.
#[inline(always)]
fn sine(q1: f64, q2: f64, c: f64) -> f64 {
    let product = q1 * q2;
    let rest = product - c * c;
    if rest <= SAME * product { 0.0 } else { rest.sqrt() }
}

/// E[relu(u) relu(v)] and E[relu'(u) relu'(v)].
#[inline(always)]
fn arc_cosine(q1: f64, q2: f64, c: f64) -> (f64, f64) {
    let s = sine(q1, q2, c);
    let share = 0.5 - super::angle::angle(s, c) * (0.5 / PI);
    (s * (0.5 / PI) + share * c, share)
}

/// The dual of a function in closed form and its derivative by the covariance, for one pair.
#[inline(always)]
fn closed(func: Func, q1: f64, q2: f64, c: f64) -> (f64, f64) {
    match func {
        Func::Relu => arc_cosine(q1, q2, c),
        Func::LeakyRelu => {
            let below = 0.01;
            let ((same, slope), (opposite, _)) = (arc_cosine(q1, q2, c), arc_cosine(q1, q2, -c));
            let square = 1.0 + below * below;
            (square * same - 2.0 * below * opposite, square * slope + 2.0 * below * (0.5 - slope))
        }
        Func::Abs => {
            let ((same, slope), (opposite, _)) = (arc_cosine(q1, q2, c), arc_cosine(q1, q2, -c));
            (2.0 * same + 2.0 * opposite, 4.0 * slope - 1.0)
        }
        Func::Erf => {
            let (a, b) = (1.0 + 2.0 * q1, 1.0 + 2.0 * q2);
            let rest = (a * b - 4.0 * c * c).sqrt();
            ((2.0 / PI) * (2.0 * c).atan2(rest), (4.0 / PI) / rest)
        }
        Func::Gelu => gelu(q1, q2, c),
        Func::Sin => (hyperbolic_sine(q1, q2, c), hyperbolic_cosine(q1, q2, c)),
        Func::Cos => (hyperbolic_cosine(q1, q2, c), hyperbolic_sine(q1, q2, c)),
        Func::Exp => {
            let value = (0.5 * (q1 + q2) + c).exp();
            (value, value)
        }
        Func::Square => (q1 * q2 + 2.0 * c * c, 4.0 * c),
        Func::Sign => (sign(q1, q2, c), 0.0),
        Func::Silu
        | Func::Elu
        | Func::Softplus
        | Func::Tanh
        | Func::Sigmoid
        | Func::Log
        | Func::Sqrt
        | Func::Recip => (f64::NAN, f64::NAN),
    }
}

/// exp(-(q1 + q2)/2) sinh c without overflow.
fn hyperbolic_sine(q1: f64, q2: f64, c: f64) -> f64 {
    let mean = 0.5 * (q1 + q2);
    if c.abs() < 1.0 { (-mean).exp() * c.sinh() } else { 0.5 * ((c - mean).exp() - (-c - mean).exp()) }
}

/// exp(-(q1 + q2)/2) cosh c without overflow.
fn hyperbolic_cosine(q1: f64, q2: f64, c: f64) -> f64 {
    let mean = 0.5 * (q1 + q2);
    0.5 * ((c - mean).exp() + (-c - mean).exp())
}

/// With D^2 = (1 + q1)(1 + q2) - c^2.
fn gelu(q1: f64, q2: f64, c: f64) -> (f64, f64) {
    let (product, shifted) = (q1 * q2, (1.0 + q1) * (1.0 + q2));
    let root = (shifted - c * c).sqrt();
    let angle = c.atan2(root);
    let value = (c * c / (shifted * root) + product * root / shifted + c * angle) / (2.0 * PI) + 0.25 * c;
    let slope = c * (2.0 - product) / (shifted * root)
        + c * c * c / (shifted * root * root * root)
        + angle
        + c / root;
    (value, slope / (2.0 * PI) + 0.25)
}

/// The duals of many pairs: `k` becomes E[phi(u) phi(v)], `slope`, if asked for, E[phi'(u) phi'(v)]. All slices have one length.
pub fn duals(func: Func, q1: &[f64], q2: &[f64], c: &[f64], k: &mut [f64], slope: Option<&mut [f64]>) {
    match func {
        Func::Relu => each(q1, q2, c, k, slope, arc_cosine),
        _ => each(q1, q2, c, k, slope, |q1, q2, c| closed(func, q1, q2, c)),
    }
}

#[inline(always)]
fn each(
    q1: &[f64],
    q2: &[f64],
    c: &[f64],
    k: &mut [f64],
    slope: Option<&mut [f64]>,
    dual: impl Fn(f64, f64, f64) -> (f64, f64) + Copy,
) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            let inputs = q1.iter().zip(q2).zip(c);
            match slope {
                Some(slope) => {
                    for (((k, slope), (q1, q2)), c) in k.iter_mut().zip(slope).zip(q1.iter().zip(q2)).zip(c) {
                        (*k, *slope) = dual(*q1, *q2, *c);
                    }
                }
                None => {
                    for (k, ((q1, q2), c)) in k.iter_mut().zip(inputs) {
                        *k = dual(*q1, *q2, *c).0;
                    }
                }
            }
        },
    );
}

/// The dual of a function in closed form; `None` if it has none.
pub fn dual(func: Func, q1: f64, q2: f64, c: f64) -> Option<(f64, f64)> {
    is_closed(func).then(|| closed(func, q1, q2, c))
}

/// E[sign(u) sign(v)]: the kernel of a layer of signs. It has no tangent.
pub fn sign(q1: f64, q2: f64, c: f64) -> f64 {
    if q1 == 0.0 || q2 == 0.0 { 0.0 } else { 1.0 - 2.0 / PI * super::angle::angle(sine(q1, q2, c), c) }
}

/// exp(-gamma (q1 + q2 - 2c)): the limit of random Fourier features sqrt(2) sin(sqrt(2 gamma) x + pi/4) (Rahimi & Recht 2007), with its
/// derivative by the covariance.
pub fn rbf(gamma: f64, q1: f64, q2: f64, c: f64) -> (f64, f64) {
    let value = (-gamma * (q1 + q2 - 2.0 * c)).exp();
    (value, 2.0 * gamma * value)
}

/// Phi(x), the distribution function of a standard normal.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}
