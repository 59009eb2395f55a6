//! The angle of a point in the upper half plane, as straight code that compilers turn into vectors.

use std::f64::consts::{FRAC_PI_2, PI};

/// atan(x) = x + x z P(z)/Q(z) with z = x^2, for |x| up to 0.66 (Cephes, S. Moshier, atan.c; error below 2e-16 relative).
const P: [f64; 5] =
    [-0.8750608600031904, -16.157537187333652, -75.00855792314705, -122.88666844901361, -64.85021904942025];
const Q: [f64; 5] =
    [24.858464901423062, 165.02700983169885, 432.88106049129027, 485.3903996359137, 194.5506571482614];

/// atan of x between 0 and 0.66.
#[inline(always)]
fn small(x: f64) -> f64 {
    let z = x * x;
    let above = (((P[0] * z + P[1]) * z + P[2]) * z + P[3]) * z + P[4];
    let below = ((((z + Q[0]) * z + Q[1]) * z + Q[2]) * z + Q[3]) * z + Q[4];
    x + x * z * (above / below)
}

/// atan2(s, c) for s >= 0: from 0 to pi. For s = c = 0, where nothing correlates, it is pi/2: a kink then has the mean of its two slopes, which keeps
/// tangent kernels positive where a pixel or an input is zero.
#[inline(always)]
pub fn angle(s: f64, c: f64) -> f64 {
    let a = c.abs();
    let (low, high) = if s < a { (s, a) } else { (a, s) };
    // atan(low / high), between 0 and pi/4: beyond tan(pi/8) turned by pi/4.
    let beyond = low > 0.414_213_562_373_095_05 * high;
    let (above, below) = if beyond { (low - high, low + high) } else { (low, high) };
    let ratio = above / if below > 0.0 { below } else { 1.0 };
    let part = small(ratio) + if beyond { 0.5 * FRAC_PI_2 } else { 0.0 };
    let first = if s < a { part } else { FRAC_PI_2 - part };
    let turned = if c < 0.0 { PI - first } else { first };
    if high > 0.0 { turned } else { FRAC_PI_2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_atan2() {
        for at in 0..=20_000 {
            let true_angle = PI * f64::from(at) / 20_000.0;
            let (s, c) = (true_angle.sin().max(0.0), true_angle.cos());
            for scale in [1e-200, 1.0, 3e150] {
                let expected = (scale * s).atan2(scale * c);
                assert!(
                    (angle(scale * s, scale * c) - expected).abs() <= 4e-16 * expected.max(1e-3),
                    "{true_angle}"
                );
            }
        }
        assert_eq!(angle(0.0, 1.0), 0.0);
        assert_eq!(angle(0.0, -2.0), PI);
        assert_eq!(angle(0.0, 0.0), FRAC_PI_2);
    }
}
