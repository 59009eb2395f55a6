//! The two kinds of floating-point numbers: `f32` for training, `f64` for tests by finite differences.
//!
//! The elementary functions of `f32` are written without branches, so that loops over them become vector instructions; their errors
//! are a few units in the last place. Those of `f64` are the standard library's.

use std::fmt::Debug;
use std::iter::Sum;

use num_traits::{Float, NumAssign};

/// A floating-point number that networks are computed in.
pub trait Real: Float + NumAssign + Sum + Debug + Default + Send + Sync + 'static {
    /// The nearest number.
    fn of(value: f64) -> Self;

    /// The same number.
    fn double(self) -> f64;

    /// e^x.
    fn exponential(self) -> Self;

    /// tanh x.
    fn hyperbolic_tangent(self) -> Self;

    /// The error function, given exp(-x^2).
    fn error_function(self, gaussian: Self) -> Self;

    /// -1 or 1; zero of zero, and what is no number stays so.
    #[inline(always)]
    fn sign(self) -> Self {
        if self > Self::zero() {
            Self::one()
        } else if self < Self::zero() {
            -Self::one()
        } else {
            self
        }
    }

    /// 1 / (1 + e^-x).
    #[inline(always)]
    fn logistic(self) -> Self {
        Self::one() / (Self::one() + (-self).exponential())
    }
}

impl Real for f64 {
    fn of(value: f64) -> f64 {
        value
    }

    fn double(self) -> f64 {
        self
    }

    fn exponential(self) -> f64 {
        self.exp()
    }

    fn hyperbolic_tangent(self) -> f64 {
        self.tanh()
    }

    fn error_function(self, _: f64) -> f64 {
        libm::erf(self)
    }
}

impl Real for f32 {
    #[inline(always)]
    fn of(value: f64) -> f32 {
        value as f32
    }

    #[inline(always)]
    fn double(self) -> f64 {
        f64::from(self)
    }

    /// 2^k e^r with |r| <= log(2)/2, and a polynomial for e^r.
    #[inline(always)]
    fn exponential(self) -> f32 {
        /// Adding it leaves the nearest whole number in the lowest bits.
        const WHOLE: f32 = 12_582_912.0;
        let held = if self > 88.72 { 88.72 } else { self };
        let held = if held < -87.33 { -87.33 } else { held };
        let shifted = held.mul_add(std::f32::consts::LOG2_E, WHOLE);
        let whole = shifted - WHOLE;
        let rest = whole.mul_add(2.121_944_4e-4, whole.mul_add(-0.693_359_4, held));
        let of_rest = [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5, 1.0, 1.0];
        let power = polynomial(1.987_569_1e-4, of_rest, rest);
        let scaled = f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23));
        let low = if self < -87.33 { 0.0 } else { scaled };
        if self > 88.72 { f32::INFINITY } else { low }
    }

    /// A polynomial near 0, exponentials elsewhere.
    #[inline(always)]
    fn hyperbolic_tangent(self) -> f32 {
        let square = self * self;
        let of_square = [2.063_909e-2, -5.373_971_6e-2, 0.133_314_42, -0.333_332_8, 1.0];
        let near = polynomial(-5.704_988_7e-3, of_square, square) * self;
        let far = 1.0 - 2.0 / ((2.0 * self.abs()).exponential() + 1.0);
        if self.abs() < 0.625 { near } else { far.copysign(self) }
    }

    /// A power series near 0, Abramowitz & Stegun 7.1.26 elsewhere.
    #[inline(always)]
    fn error_function(self, gaussian: f32) -> f32 {
        let square = self * self;
        let series = polynomial(-1.0 / 1320.0, [1.0 / 216.0, -1.0 / 42.0, 0.1, -1.0 / 3.0, 1.0], square);
        let near = std::f32::consts::FRAC_2_SQRT_PI * self * series;
        let inverse = 1.0 / self.abs().mul_add(0.327_591_1, 1.0);
        let of_inverse = [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
        let far = 1.0 - polynomial(1.061_405_4, of_inverse, inverse) * inverse * gaussian;
        if self.abs() < 0.5 { near } else { far.copysign(self) }
    }
}

/// A polynomial by Horner's rule, the highest coefficient first; every step is rounded once, one instruction on the machines of today.
#[inline(always)]
fn polynomial<const N: usize>(highest: f32, others: [f32; N], x: f32) -> f32 {
    others.into_iter().fold(highest, |sum, coefficient| sum.mul_add(x, coefficient))
}

/// Runs what is to be compiled for the vectors of the machine: a closure that is marked `#[inline(always)]`, as is all that it calls, and takes its slices
/// along (`move`). The compiler promises no more than to try: a `call_once` of its own in the machine code is a pass for the oldest machine.
#[inline(always)]
pub(super) fn vectorized(work: impl FnOnce()) {
    pulp::Arch::new().dispatch(work);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> impl Iterator<Item = f32> {
        (-2000..=2000).map(|step| step as f32 * 0.01)
    }

    fn worst(ours: impl Fn(f32) -> f32, theirs: impl Fn(f64) -> f64, scale: impl Fn(f64) -> f64) -> f64 {
        grid()
            .map(|x| (f64::from(ours(x)) - theirs(x.into())).abs() / scale(theirs(x.into())))
            .fold(0.0, f64::max)
    }

    #[test]
    fn functions_of_f32_are_close_to_those_of_f64() {
        assert!(worst(|x| x.exponential(), f64::exp, |y| y) < 3e-7);
        assert!(worst(|x| x.hyperbolic_tangent(), f64::tanh, |y| y.abs().max(1e-30)) < 4e-7);
        assert!(worst(|x| x.error_function((-x * x).exponential()), libm::erf, |_| 1.0) < 5e-7);
    }

    #[test]
    fn extremes_stay_what_they_are() {
        assert_eq!(f32::NEG_INFINITY.exponential(), 0.0);
        assert_eq!(f32::INFINITY.exponential(), f32::INFINITY);
        assert!(f32::NAN.exponential().is_nan() && f32::NAN.hyperbolic_tangent().is_nan());
        assert_eq!(f32::INFINITY.hyperbolic_tangent(), 1.0);
        assert!((1e-6_f32.hyperbolic_tangent() - 1e-6).abs() < 1e-12);
    }
}
