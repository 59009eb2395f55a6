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

/// phi(x) and phi'(x), with what they have in common computed once.
#[inline(always)]
fn value_and_slope<T: Real>(func: Func, x: T) -> (T, T) {
    match func {
        Func::Gelu => {
            let (below, density) = normal(x);
            (x * below, below + x * density)
        }
        Func::Silu => {
            let gate = x.logistic();
            (x * gate, gate * (T::one() + x * (T::one() - gate)))
        }
        _ => {
            let y = value(func, x);
            (y, slope(func, x, y))
        }
    }
}

/// Whether the slope takes as long as the value: it has exponentials or roots of its own.
pub fn has_costly_slope(func: Func) -> bool {
    match func {
        Func::Gelu | Func::Silu | Func::Softplus | Func::Tanh | Func::Erf | Func::Sigmoid => true,
        Func::Elu | Func::Sin | Func::Cos | Func::Exp | Func::Log | Func::Sqrt | Func::Recip => true,
        Func::Relu | Func::LeakyRelu | Func::Square | Func::Abs | Func::Sign => false,
    }
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

/// One loop per function, so that each becomes vector instructions.
macro_rules! per_function {
    ($func:expr, $each:ident($argument:expr): $($name:ident)*) => {
        match $func { $(Func::$name => $each(Func::$name, $argument)),* }
    };
}

/// The values of a function, in place.
#[inline(always)]
pub fn map<T: Real>(func: Func, tile: &mut [T]) {
    #[inline(always)]
    fn each<T: Real>(func: Func, tile: &mut [T]) {
        for x in tile {
            *x = value(func, *x);
        }
    }
    per_function!(func, each(tile): Relu LeakyRelu Gelu Silu Elu Softplus Tanh Erf Sigmoid Sin Cos Exp Log Sqrt Square Recip Abs Sign);
}

/// The values of a function to `y`, its slopes over what it is applied to.
#[inline(always)]
pub fn values_and_slopes<T: Real>(func: Func, x: &mut [T], y: &mut [T]) {
    #[inline(always)]
    fn each<T: Real>(func: Func, (x, y): (&mut [T], &mut [T])) {
        for (x, y) in x.iter_mut().zip(y) {
            (*y, *x) = value_and_slope(func, *x);
        }
    }
    per_function!(func, each((x, y)): Relu LeakyRelu Gelu Silu Elu Softplus Tanh Erf Sigmoid Sin Cos Exp Log Sqrt Square Recip Abs Sign);
}

/// Multiplies numbers by the slopes at what stood before the function.
#[inline(always)]
pub fn slopes<T: Real>(func: Func, before: &[T], flow: &mut [T]) {
    #[inline(always)]
    fn each<T: Real>(func: Func, (before, flow): (&[T], &mut [T])) {
        for (g, x) in flow.iter_mut().zip(before) {
            *g *= slope(func, *x, value(func, *x));
        }
    }
    per_function!(func, each((before, flow)): Relu LeakyRelu Gelu Silu Elu Softplus Tanh Erf Sigmoid Sin Cos Exp Log Sqrt Square Recip Abs Sign);
}
