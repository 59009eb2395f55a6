//! Dual functions: closed forms against integrals, series against integrals, Price's theorem.

use mupc::graph::Func;
use mupc::kernel::dual::{dual, is_closed, rbf, sign};
use mupc::kernel::quadrature::{direct, moments};
use mupc::kernel::series::Series;

use crate::golden::close;

const PLACES: [(f64, f64, f64); 8] = [
    (1.0, 1.0, 0.3),
    (0.5, 2.0, -0.7),
    (3.0, 0.1, 0.99),
    (1.0, 1.0, 1.0),
    (2.0, 2.0, -1.0),
    (0.3, 0.4, 0.0),
    (1.0, 1.0, 0.999_999),
    (4.0, 1.5, -0.95),
];

#[test]
fn closed_forms_are_their_integrals() {
    for func in Func::ALL.into_iter().filter(|func| is_closed(*func)) {
        for (q1, q2, rho) in PLACES {
            let c = rho * f64::sqrt(q1 * q2);
            let (value, slope) = dual(func, q1, q2, c).unwrap();
            let (expected, expected_slope) = direct(func, func, q1, q2, rho);
            // What jumps is integrated less exactly where both jump at once, and so are slopes that do.
            if func == Func::Sign && rho.abs() > 0.99 {
                close(&[value, expected], &[expected, value], 1e-2);
                continue;
            }
            let scale = dual(func, q1, q1, q1).unwrap().0.abs().max(1e-3);
            assert!(
                (value - expected).abs() < 1e-9 * scale,
                "{func:?} {q1} {q2} {rho}: {value} is not {expected}"
            );
            // Slopes that jump are integrated less exactly where both jump at once.
            let jumps = matches!(func, Func::Relu | Func::LeakyRelu | Func::Abs);
            let tolerance = if jumps && rho.abs() > 0.99 { 1e-2 } else { 1e-8 * slope.abs().max(1.0) };
            assert!(
                (slope - expected_slope).abs() < tolerance,
                "{func:?} {q1} {q2} {rho}: {slope} {expected_slope}"
            );
        }
    }
}

#[test]
fn series_are_their_integrals() {
    for func in Func::ALL
        .into_iter()
        .filter(|func| !matches!(func, Func::Log | Func::Sqrt | Func::Recip | Func::Exp | Func::Square))
    {
        if is_closed(func) && !matches!(func, Func::Erf | Func::Gelu | Func::Sin) {
            continue;
        }
        for (q1, q2, rho) in PLACES {
            let series = Series::new(func, &[q1, q2], false);
            let (value, slope) = series.pair(0, &series, 1, rho * (q1 * q2).sqrt());
            let (expected, expected_slope) = direct(func, func, q1, q2, rho);
            close(&[value, slope], &[expected, expected_slope], 1e-9);
        }
    }
}

#[test]
fn slopes_are_derivatives_by_the_covariance() {
    // The derivative of a sign is zero wherever there is one, and its tangent with it; the dual has a slope all the same.
    for func in Func::ALL.into_iter().filter(|func| is_closed(*func) && *func != Func::Sign) {
        for (q1, q2, rho) in [(1.0, 1.0, 0.3), (0.5, 2.0, -0.7), (3.0, 0.1, 0.6)] {
            let c: f64 = rho * f64::sqrt(q1 * q2);
            let step = 1e-5;
            let of = |c: f64| dual(func, q1, q2, c).unwrap();
            let difference = (of(c + step).0 - of(c - step).0) / (2.0 * step);
            close(&[difference], &[of(c).1], 1e-7);
        }
    }
}

#[test]
fn signs_and_random_features() {
    close(&[sign(1.0, 4.0, 1.0)], &[1.0 / 3.0], 1e-14);
    assert_eq!(dual(Func::Sign, 1.0, 4.0, 1.0), Some((sign(1.0, 4.0, 1.0), 0.0)));
    assert_eq!((sign(2.0, 2.0, 2.0), sign(2.0, 2.0, -2.0), sign(0.0, 2.0, 0.0)), (1.0, -1.0, 0.0));
    let (value, slope) = rbf(0.5, 1.0, 2.0, 0.5);
    close(&[value, slope], &[(-1.0_f64).exp(), (-1.0_f64).exp()], 1e-14);
}

#[test]
fn mean_squares_are_duals_of_equal_gaussians() {
    for func in Func::ALL.into_iter().filter(|func| is_closed(*func)) {
        for q in [0.0, 0.2, 1.0, 3.0] {
            let own = moments(func, &[q])[0];
            let (value, slope) = dual(func, q, q, q).unwrap();
            if q > 0.0 {
                close(&[own.square, own.slope_square], &[value, slope], 1e-11);
            } else {
                assert!((own.square - value).abs() < 1e-12, "{func:?}");
            }
        }
    }
}

/// sin(c h) + cos(c h) is the feature of the Gaussian kernel exp(-c^2 |.|^2 / 2).
#[test]
fn rbf_is_a_sum_of_waves() {
    let spec = "scale n = 64 input x[2] target y[1] h = linear(x, n) f = linear(sin(2 * h) + cos(2 * h), 1) loss mse(f, y)";
    let rows = [[1.0, 0.5], [0.2, -0.3], [0.0, 0.0]];
    let found =
        crate::Case::new(spec, &[]).gram(&mupc::kernel::Points::single(&rows.map(|row| row.to_vec())));
    let half = |one: &[f64; 2], two: &[f64; 2]| (one[0] * two[0] + one[1] * two[1]) / 2.0;
    for (at, (one, two)) in rows.iter().flat_map(|one| rows.iter().map(move |two| (one, two))).enumerate() {
        let (value, slope) = mupc::kernel::dual::rbf(2.0, half(one, one), half(two, two), half(one, two));
        assert!((found.nngp[at] - value).abs() < 1e-9, "{} {value}", found.nngp[at]);
        let tangent = value + slope * half(one, two);
        assert!((found.ntk[at] - tangent).abs() < 1e-9, "{} {tangent}", found.ntk[at]);
    }
}
