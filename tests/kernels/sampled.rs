//! Expectations without a closed form, as means over draws: against those that have one, and the same for any number of threads.

use mupc::kernel::{Gram, Limit, Points};

use crate::Case;
use crate::finite::distance;

const LARGEST: &str = "h = linear(x, n) m[i] = max(h[t, i], over t) f = linear(m, 1)";

fn limit(body: &str, input: &str, power: u32) -> Limit {
    let case = Case::new(&format!("scale n = 64 input {input} target y[1] {body} loss mse(f, y)"), &[]);
    let mut limit = case.limit().unwrap_or_else(|error| panic!("{error}"));
    limit.draws.power = power;
    limit
}

fn gram(body: &str, input: &str, rows: &[Vec<f64>]) -> Gram {
    limit(body, input, 9).gram(&Points::single(rows), &())
}

fn close(found: f64, expected: f64, error: f64) {
    assert!((found - expected).abs() <= error * expected.abs(), "{found} {expected}");
}

/// max^2 + min^2 = u^2 + v^2 and -min is distributed as max, so E max^2 is the mean of the variances; either is the largest in half of all draws. For
/// independent windows the mean of max counts, which is sqrt(E (u - v)^2 / (2 pi)).
#[test]
fn the_largest_of_two_gaussians() {
    let rows = [vec![1.0, 2.0, 0.0, 0.0, 0.5, 1.0, 0.0, 0.0], vec![0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -2.0, 1.0]];
    let found = gram(LARGEST, "x[2, 4]", &rows);
    for (at, row) in rows.iter().enumerate() {
        let square = row.iter().map(|own| own * own).sum::<f64>() / 4.0;
        close(found.nngp[at * 3], square / 2.0, 0.01);
        // The tangent of the layer before is its covariance.
        close(found.ntk[at * 3], square, 0.01);
        assert!(found.errors.iter().all(|error| (1e-6..0.01).contains(error)), "{:?}", found.errors);
    }
    let mean = |row: &[f64]| {
        let apart: f64 = row[..4].iter().zip(&row[4..]).map(|(one, two)| (one - two).powi(2)).sum();
        (apart / 4.0 / (2.0 * std::f64::consts::PI)).sqrt()
    };
    close(found.nngp[1], mean(&rows[0]) * mean(&rows[1]), 0.02);
}

#[test]
fn a_window_of_one_changes_nothing() {
    let rows = [vec![1.0, 2.0, 0.5, -1.0], vec![0.3, 0.0, 1.0, 0.0]];
    let pooled = "h = max_pool2d(relu(conv2d(x, n, 1)), 1) f = linear(global_pool2d(h), 1)";
    let plain = "h = relu(conv2d(x, n, 1)) f = linear(global_pool2d(h), 1)";
    assert_eq!(gram(pooled, "x[2, 2, 1]", &rows), gram(plain, "x[2, 2, 1]", &rows));
}

/// |relu(u) - relu(-u)| = |u|, which has a closed form.
#[test]
fn functions_of_sums_of_functions() {
    let rows = [vec![1.0, 2.0, -0.5], vec![0.3, 0.0, 1.0], vec![-1.0, 0.5, 0.2]];
    let found = gram("h = linear(x, n) f = linear(abs(relu(h) - relu(-1 * h)), 1)", "x[3]", &rows);
    let expected = gram("h = linear(x, n) f = linear(abs(h), 1)", "x[3]", &rows);
    for (own, other) in [(&found.nngp, &expected.nngp), (&found.ntk, &expected.ntk)] {
        own.iter().zip(other).for_each(|(own, other)| assert!((own - other).abs() < 0.01, "{own} {other}"));
    }
    assert_eq!((expected.errors, expected.cut), ([0.0; 2], [0.0; 2]));
}

/// A function of forty Gaussians that is one of their sum: most dimensions are drawn without a lattice.
#[test]
fn functions_of_more_gaussians_than_a_lattice_has_dimensions() {
    let row =
        |from: usize| (0..80).map(|at| ((at * at + 3 * from) % 7) as f64 / 3.0 - 1.0).collect::<Vec<f64>>();
    let rows = [row(0), row(1), row(2)];
    let split = "h = linear(x, n) m[i] = mean((relu(h) - relu(-1 * h))[t, i], over t) f = linear(abs(m), 1)";
    let plain = "h = linear(x, n) m[i] = mean(h[t, i], over t) f = linear(abs(m), 1)";
    let (found, expected) = (gram(split, "x[40, 2]", &rows), gram(plain, "x[40, 2]", &rows));
    for (own, other, error) in
        [(&found.nngp, &expected.nngp, found.errors[0]), (&found.ntk, &expected.ntk, found.errors[1])]
    {
        assert!((1e-6..0.03).contains(&error), "{error}");
        assert!(distance(own, other) < 4.0 * error, "{} {error}", distance(own, other));
    }
}

#[test]
fn errors_fall_with_the_number_of_points() {
    let points = Points::single(&[vec![1.0, 2.0, 0.5, -1.0], vec![0.3, 0.0, 1.0, 0.2]]);
    let error = |power: u32| limit(LARGEST, "x[2, 2]", power).gram(&points, &()).errors[0];
    let (rough, fine) = (error(4), error(11));
    assert!(fine < 0.1 * rough && fine > 0.0, "{rough} {fine}");
}

#[test]
fn zero_and_equal_inputs_are_finite_whatever_the_number_of_threads() {
    let body = "h = max_pool2d(relu(conv2d(x, n, 3)), 2) r[(a b c)] = relu(conv2d(h, n, 3))[a, b, c] f = linear(r, 1)";
    let bright = (0..16).map(|at| f64::from(at % 5) - 1.0).collect::<Vec<f64>>();
    let rows = [bright.clone(), vec![0.0; 16], bright];
    let limit = limit(body, "x[4, 4, 1]", 4);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| limit.gram(&Points::single(&rows), &()))
    };
    let found = run(1);
    assert_eq!(found, run(3));
    for numbers in [&found.nngp, &found.ntk] {
        assert!(numbers.iter().all(|own| own.is_finite()));
        assert!((numbers[0] - numbers[2]).abs() < 1e-6 * numbers[0], "{numbers:?}");
    }
    // Biases start at zero, and learn.
    assert!(found.nngp[4].abs() < 1e-12 && found.ntk[4] > 0.0, "{found:?}");
}
