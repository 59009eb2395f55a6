//! What must hold of every kernel, whatever its numbers: symmetries, equal networks written differently, the edges of the input space.

use mupc::kernel::spectrum::{Spectrum, matrix};
use mupc::kernel::{Gram, Points};
use proptest::prelude::*;

use crate::golden::close;
use crate::{Case, relu_with_biases};

fn entry(gram: &Gram, row: usize, column: usize) -> (f64, f64) {
    (gram.nngp[row * gram.columns + column], gram.ntk[row * gram.columns + column])
}

fn case(body: &str, input: &str) -> Case {
    Case::new(&format!("scale n = 64 input x{input} target y[1] {body} loss mse(f, y)"), &[])
}

const DEEP: &str = "h = FUNC(linear(x, n)) h = FUNC(linear(h, n)) h = FUNC(linear(h, n)) f = linear(h, 1)";
const FUNCTIONS: [&str; 13] = [
    "relu",
    "leaky_relu",
    "abs",
    "erf",
    "gelu",
    "sin",
    "cos",
    "square",
    "tanh",
    "silu",
    "sigmoid",
    "softplus",
    "elu",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn points_may_stand_in_any_order(rows in prop::collection::vec(prop::collection::vec(-2.0..2.0_f64, 3), 2..6)) {
        let gram = relu_with_biases().gram(&Points::single(&rows));
        let turned: Vec<Vec<f64>> = rows.iter().rev().cloned().collect();
        let other = relu_with_biases().gram(&Points::single(&turned));
        let last = rows.len() - 1;
        for row in 0..rows.len() {
            for column in 0..rows.len() {
                let (one, two) = (entry(&gram, row, column), entry(&other, last - row, last - column));
                prop_assert!((one.0 - two.0).abs() < 1e-12 && (one.1 - two.1).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn kernels_are_positive_semidefinite(rows in prop::collection::vec(prop::collection::vec(-2.0..2.0_f64, 3), 2..9), func in 0..FUNCTIONS.len()) {
        let gram = case(&DEEP.replace("FUNC", FUNCTIONS[func]), "[3]").gram(&Points::single(&rows));
        for numbers in [&gram.nngp, &gram.ntk] {
            let own = matrix(gram.rows, gram.columns, numbers);
            let shift = 1e-9 * (0..gram.rows).map(|at| own[(at, at)]).fold(0.0, f64::max);
            let shifted = &own + faer::Scale(shift) * faer::Mat::<f64>::identity(gram.rows, gram.rows);
            prop_assert!(shifted.llt(faer::Side::Lower).is_ok(), "{}: {numbers:?}", FUNCTIONS[func]);
        }
    }

    #[test]
    fn relu_without_biases_scales_with_its_inputs(rows in prop::collection::vec(prop::collection::vec(-2.0..2.0_f64, 3), 2), scale in 0.01..100.0_f64) {
        let case = case(&DEEP.replace("FUNC", "relu"), "[3]");
        let gram = case.gram(&Points::single(&rows));
        let scaled: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(|own| own * scale).collect()).collect();
        let other = case.gram(&Points::single(&scaled));
        for (one, two) in gram.nngp.iter().chain(&gram.ntk).zip(other.nngp.iter().chain(&other.ntk)) {
            prop_assert!((one * scale * scale - two).abs() <= 1e-11 * two.abs().max(1e-3 * scale * scale), "{one} {two}");
        }
    }
}

#[test]
fn zero_equal_and_opposite_inputs_are_finite_and_right() {
    let rows = [vec![0.0; 3], vec![1.0, -2.0, 0.5], vec![1.0, -2.0, 0.5], vec![-1.0, 2.0, -0.5]];
    for func in FUNCTIONS {
        let gram = case(&DEEP.replace("FUNC", func), "[3]").gram(&Points::single(&rows));
        assert!(gram.nngp.iter().chain(&gram.ntk).all(|own| own.is_finite()), "{func}: {gram:?}");
        let same = |one: (f64, f64), two: (f64, f64)| {
            close(&[one.0, one.1], &[two.0, two.1], 1e-9);
        };
        same(entry(&gram, 1, 2), entry(&gram, 1, 1));
        same(entry(&gram, 2, 2), entry(&gram, 1, 1));
        same(entry(&gram, 1, 3), entry(&gram, 2, 3));
        match func {
            "erf" | "sin" | "tanh" => {
                let (value, tangent) = entry(&gram, 1, 1);
                same(entry(&gram, 1, 3), (-value, -tangent));
                same(entry(&gram, 0, 1), (0.0, 0.0));
            }
            "abs" | "cos" | "square" => {
                same(entry(&gram, 1, 3), (entry(&gram, 1, 1).0, entry(&gram, 1, 3).1))
            }
            _ => {}
        }
    }
    // One hidden layer of relu: E[relu(u) relu(-u)] = 0, E[relu(u)^2] = q/2.
    let gram = case("f = linear(relu(linear(x, n)), 1)", "[3]").gram(&Points::single(&rows));
    assert_eq!(entry(&gram, 1, 3), (0.0, 0.0));
    let q = (1.0 + 4.0 + 0.25) / 3.0;
    close(&[entry(&gram, 1, 2).0, entry(&gram, 1, 2).1], &[q / 2.0, q], 1e-14);
    assert_eq!(entry(&gram, 0, 0), (0.0, 0.0));
}

#[test]
fn pairs_of_nodes_are_kept() {
    let rows = Points::single(&[vec![1.0, 0.5, -1.0], vec![0.2, 0.3, 2.0]]);
    let gram = |body: &str| case(body, "[3]").gram(&rows);
    let scaled = |gram: &Gram, factor: f64| -> Vec<f64> {
        gram.nngp.iter().chain(&gram.ntk).map(|own| own * factor).collect()
    };
    // x + x has four times the variance of x, not twice.
    let one = gram("h = relu(linear(x, n)) f = linear(h, 1)");
    let two = gram("h = relu(linear(x, n)) f = linear(h + h, 1)");
    close(&scaled(&two, 1.0), &scaled(&one, 4.0), 1e-12);
    // x - x is nothing.
    let none = gram("h = linear(x, n) f = linear(relu(h - h), 1)");
    assert!(none.nngp.iter().all(|own| *own == 0.0));
    // A weight that is shared: W x + W x = 2 W x; two weights add variances.
    let shared = gram("param w[n, 3] a[i] = w[i, j] * x[j] b[i] = w[i, j] * x[j] f = linear(relu(a + b), 1)");
    let fresh = gram("a = linear(x, n) b = linear(x, n) f = linear(relu(a + b), 1)");
    close(&scaled(&shared, 1.0), &scaled(&one, 4.0), 1e-12);
    close(&scaled(&fresh, 1.0), &scaled(&one, 2.0), 1e-12);
    // relu(u) - relu(-u) = u.
    let linear = gram("h = linear(x, n) f = linear(h, 1)");
    let split = gram("h = linear(x, n) f = linear(relu(h) - relu(-h), 1)");
    close(&scaled(&split, 1.0), &scaled(&linear, 1.0), 1e-12);
    // leaky relu by relu.
    let leaky = gram("h = linear(x, n) f = linear(leaky_relu(h), 1)");
    let built = gram("h = linear(x, n) f = linear(relu(h) - 0.01 * relu(-h), 1)");
    close(&scaled(&built, 1.0), &scaled(&leaky, 1.0), 1e-12);
    // A function and its Gaussian meet in a sum (Stein's lemma): abs(u) + u = 2 relu(u).
    let met = gram("h = linear(x, n) f = linear(abs(h) + h, 1)");
    close(&scaled(&met, 1.0), &scaled(&one, 4.0), 1e-12);
}

#[test]
fn siamese_branches_share_their_weights() {
    let spec = "scale n = 64 input a[3] input b[3] target y[1]
        param w[n, 3], v[n, n]
        a1[o] = w[o, i] * a[i] a2 = relu(a1) a3[o] = v[o, i] * a2[i]
        b1[o] = w[o, i] * b[i] b2 = relu(b1) b3[o] = v[o, i] * b2[i]
        f = linear(relu(a3) - relu(b3), 1)
        loss mse(f, y)";
    let case = Case::new(spec, &[]);
    let (one, two) = (vec![1.0, 2.0, -0.5], vec![-1.0, 0.3, 0.7]);
    let pairs = Points {
        count: 2,
        columns: vec![[one.clone(), one.clone()].concat(), [one.clone(), two.clone()].concat(), Vec::new()],
    };
    let gram = case.gram(&pairs);
    // Two equal images differ by nothing.
    assert!(entry(&gram, 0, 0).0.abs() < 1e-14 && entry(&gram, 0, 0).1.abs() < 1e-14);
    let plain = crate::Case::new(
        "scale n = 64 input x[3] target y[1] f = linear(relu(linear(relu(linear(x, n)), n)), 1) loss mse(f, y)",
        &[],
    );
    let own = plain.gram(&Points::single(&[one, two]));
    let difference = |numbers: &[f64]| numbers[0] + numbers[3] - 2.0 * numbers[1];
    close(&[entry(&gram, 1, 1).0], &[difference(&own.nngp)], 1e-12);
    close(&[entry(&gram, 1, 1).1], &[difference(&own.ntk)], 1e-12);
}

#[test]
fn convolutions_of_one_pixel_are_dense() {
    let rows = Points::single(&[vec![1.0, 0.5, -1.0], vec![0.2, 0.3, 2.0], vec![-1.0, 0.1, 0.4]]);
    let dense = case("h = tanh(linear(x, n)) h = relu(linear(h, n)) f = linear(h, 1)", "[3]").gram(&rows);
    let convolved = "param w[n, 3, 1, 1] param v[n, n, 1, 1] p = patches2d(x, 1) q[a, b, o] = w[o, i, p, q] * p[a, b, i, p, q]
        p = patches2d(tanh(q), 1) z[a, b, o] = v[o, i, p, q] * p[a, b, i, p, q]";
    let pooled = case(&format!("{convolved} f = linear(global_pool2d(relu(z)), 1)"), "[1, 1, 3]").gram(&rows);
    let flattened =
        case(&format!("{convolved} g = relu(z) r[(a b c)] = g[a, b, c] f = linear(r, 1)"), "[1, 1, 3]")
            .gram(&rows);
    for other in [pooled, flattened] {
        close(&other.nngp, &dense.nngp, 1e-12);
        close(&other.ntk, &dense.ntk, 1e-12);
    }
}

#[test]
fn only_equal_pixels_count_where_a_picture_is_flattened() {
    // Two pixels that never meet: the mean of two dense networks' kernels.
    let spec = "g = relu(conv2d(x, n, 1)) param w[1, 2, 1, n] f[o] = w[o, a, b, i] * g[a, b, i]";
    let gram = case(spec, "[2, 1, 2]")
        .gram(&Points::single(&[vec![1.0, 2.0, -1.0, 0.5], vec![0.3, -1.0, 2.0, 2.0]]));
    let dense = case("f = linear(relu(affine(x, n)), 1)", "[2]");
    let first = dense.gram(&Points::single(&[vec![1.0, 2.0], vec![0.3, -1.0]]));
    let second = dense.gram(&Points::single(&[vec![-1.0, 0.5], vec![2.0, 2.0]]));
    let mean =
        |one: &[f64], two: &[f64]| -> Vec<f64> { one.iter().zip(two).map(|(a, b)| (a + b) / 2.0).collect() };
    close(&gram.nngp, &mean(&first.nngp, &second.nngp), 1e-12);
    close(&gram.ntk, &mean(&first.ntk, &second.ntk), 1e-12);
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let rows: Vec<Vec<f64>> =
        (0..150).map(|at| (0..3).map(|k| f64::from(at * 7 + k * 3).sin()).collect()).collect();
    let points = Points::single(&rows);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| case(&DEEP.replace("FUNC", "tanh"), "[3]").gram(&points))
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
    let spectrum = Spectrum::new(matrix(one.rows, one.columns, &one.ntk).as_ref()).unwrap();
    assert!(spectrum.values[0] > 0.0);
}

#[test]
fn trained_gains_in_front_of_nonlinearities() {
    // A gain that starts at one changes nothing in the NNGP, and adds what its own gradient adds to the NTK: for one hidden layer
    // K_relu from the gain, and a bias adds E[relu' relu'].
    let rows = Points::single(&[vec![1.0, 0.5, -1.0], vec![0.2, 0.3, 2.0], vec![-1.0, 0.1, 0.4]]);
    let plain = case("f = linear(relu(standardize(linear(x, n))), 1)", "[3]").gram(&rows);
    let gained = case("f = linear(relu(layer_norm(linear(x, n))), 1)", "[3]").gram(&rows);
    close(&gained.nngp, &plain.nngp, 1e-12);
    for row in 0..3 {
        for column in 0..3 {
            let (value, tangent) = entry(&plain, row, column);
            // The dual of relu at variance one, and its slope.
            let c = {
                let linear = case("f = linear(standardize(linear(x, n)), 1)", "[3]").gram(&rows);
                entry(&linear, row, column).0
            };
            let (_, slope) = mupc::kernel::dual::dual(mupc::graph::Func::Relu, 1.0, 1.0, c.min(1.0)).unwrap();
            close(&[entry(&gained, row, column).1], &[tangent + value + slope], 1e-6);
        }
    }
    // Without biases the gain adds E[(u phi'(u))^2] at u ~ N(0, 1) on the diagonal: by series, and by an integral here.
    use mupc::graph::Func;
    use mupc::numeric::function::{slope, value};
    let rule = mupc::kernel::quadrature::Rule::of_width(0.2);
    for func in [Func::Erf, Func::Tanh, Func::Gelu, Func::Silu, Func::Abs] {
        let body = |map: &str| format!("f = linear({}({map}(linear(x, n))), 1)", func.name());
        let plain = case(&body("rms_normalize"), "[3]").gram(&rows);
        let gained = case(&body("rms_norm"), "[3]").gram(&rows);
        let expected = rule.integral(|z| (z * slope(func, z, value(func, z))).powi(2));
        for at in 0..3 {
            close(&[entry(&gained, at, at).1 - entry(&plain, at, at).1], &[expected], 1e-9);
        }
    }
}

#[test]
fn tangent_kernels_are_positive_where_inputs_are_zero() {
    // Blank patches of pictures, and blank inputs: kinks stand exactly at zero there.
    let picture = |seed: usize| -> Vec<f64> {
        let ink =
            |at: usize| if (at + seed).is_multiple_of(3) { 0.0 } else { ((at * 7 + seed * 13) as f64).sin() };
        (0..36).map(|at| if at % 6 < 3 { 0.0 } else { ink(at) }).collect()
    };
    let mut rows: Vec<Vec<f64>> = (0..12).map(picture).collect();
    rows.push(vec![0.0; 36]);
    for func in ["relu", "leaky_relu", "abs", "elu", "tanh"] {
        let spec = format!(
            "h = {func}(conv2d(x, n, 3)) h = {func}(conv2d(h, n, 3)) + h f = linear(global_pool2d(h), 1)"
        );
        let gram = case(&spec, "[6, 6, 1]").gram(&Points::single(&rows));
        let own = matrix(gram.rows, gram.columns, &gram.ntk);
        let spectrum = own.self_adjoint_eigenvalues(faer::Side::Lower).unwrap();
        let (least, most) =
            spectrum.iter().fold((f64::MAX, 0.0_f64), |(low, high), own| (low.min(*own), high.max(*own)));
        assert!(least > -1e-11 * most, "{func}: {least} {most}");
    }
}
