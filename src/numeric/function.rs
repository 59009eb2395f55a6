//! Elementwise functions and their slopes, as numbers.

use super::real::Real;
use crate::graph::Func;

/// phi(x).
#[inline(always)]
pub fn value<T: Real>(func: Func, x: T) -> T {
    let (zero, one) = (T::zero(), T::one());
    match func {
        Func::Relu => {
            if x < zero {
                zero
            } else {
                x
            }
        }
        Func::LeakyRelu => {
            if x < zero {
                T::of(0.01) * x
            } else {
                x
            }
        }
        Func::Gelu => x * normal(x).0,
        Func::Silu => x * x.logistic(),
        Func::Elu => {
            if x < zero {
                x.exponential() - one
            } else {
                x
            }
        }
        Func::Softplus => softplus(x),
        Func::Tanh => x.hyperbolic_tangent(),
        Func::Erf => x.error_function((-x * x).exponential()),
        Func::Sigmoid => x.logistic(),
        Func::Sin => x.sin(),
        Func::Cos => x.cos(),
        Func::Exp => x.exponential(),
        Func::Log => x.ln(),
        Func::Sqrt => x.sqrt(),
        Func::Square => x * x,
        Func::Recip => one / x,
        Func::Abs => x.abs(),
        Func::Sign => x.sign(),
    }
}

/// The probability that a normal variable is below x, and its density there.
#[inline(always)]
fn normal<T: Real>(x: T) -> (T, T) {
    let scaled = x * T::of(std::f64::consts::FRAC_1_SQRT_2);
    let gaussian = (-scaled * scaled).exponential();
    let below = T::of(0.5) * (T::one() + scaled.error_function(gaussian));
    (below, T::of(0.398_942_280_401_432_7) * gaussian)
}

/// log(1 + e^x) without overflow.
#[inline(always)]
fn softplus<T: Real>(x: T) -> T {
    let positive = if x < T::zero() { T::zero() } else { x };
    positive + (-x.abs()).exponential().ln_1p()
}

/// phi'(x), given x and phi(x). Kinks have the slope of their left side where the function is flat there, else 0.
#[inline(always)]
pub fn slope<T: Real>(func: Func, x: T, y: T) -> T {
    let (zero, one) = (T::zero(), T::one());
    match func {
        Func::Relu => {
            if x > zero {
                one
            } else {
                zero
            }
        }
        Func::LeakyRelu => {
            if x > zero {
                one
            } else {
                T::of(0.01)
            }
        }
        Func::Gelu => {
            let (below, density) = normal(x);
            below + x * density
        }
        Func::Silu => {
            let gate = x.logistic();
            gate * (one + x * (one - gate))
        }
        Func::Elu => {
            if x < zero {
                y + one
            } else {
                one
            }
        }
        Func::Softplus => x.logistic(),
        Func::Tanh => one - y * y,
        Func::Erf => T::of(std::f64::consts::FRAC_2_SQRT_PI) * (-x * x).exponential(),
        Func::Sigmoid => y * (one - y),
        Func::Sin => x.cos(),
        Func::Cos => -x.sin(),
        Func::Exp => y,
        Func::Log => one / x,
        Func::Sqrt => T::of(0.5) / y,
        Func::Square => T::of(2.0) * x,
        Func::Recip => -y * y,
        Func::Abs => x.sign(),
        Func::Sign => zero,
    }
}
