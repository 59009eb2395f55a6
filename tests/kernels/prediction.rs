//! Predictions from kernels: against neural-tangents 0.6.5 (tests/golden/kernels.json), and where kernels are singular.

use faer::{Mat, MatRef};
use mupc::kernel::dynamics::{Loss, Time, Training};
use mupc::kernel::regression::Regression;
use mupc::kernel::spectrum::{Spectrum, matrix};
use serde_json::Value;

use crate::golden::{close, golden, inputs, numbers};
use crate::relu_with_biases;

struct Kernels {
    train: [Mat<f64>; 2],
    cross: [Mat<f64>; 2],
    test: [Mat<f64>; 2],
    targets: Mat<f64>,
}

/// NNGP and NTK of the golden network.
fn kernels() -> Kernels {
    let limit = relu_with_biases().limit().unwrap();
    let (x, x_test) = (inputs("X"), inputs("X_test"));
    let both = |gram: mupc::kernel::Gram| {
        [&gram.nngp, &gram.ntk].map(|numbers| matrix(gram.rows, gram.columns, numbers))
    };
    let targets = numbers(&golden()["inputs"]["Y"]);
    Kernels {
        train: both(limit.gram(&x, &())),
        cross: both(limit.cross(&x_test, &x, &())),
        test: both(limit.gram(&x_test, &())),
        targets: matrix(4, 1, &targets),
    }
}

fn flat(matrix: MatRef<f64>) -> Vec<f64> {
    (0..matrix.nrows()).flat_map(|row| (0..matrix.ncols()).map(move |column| matrix[(row, column)])).collect()
}

fn expected<'a>(of: &'a Value, time: &str, kernel: &str) -> &'a Value {
    &of["t"][time][kernel]
}

#[test]
fn ensembles_in_time() {
    let (own, golden) = (kernels(), golden());
    let of = &golden["predict"]["relu_mlp_3"];
    close(&flat(own.cross[0].as_ref()), &numbers(&of["k_test_train_nngp"]), 1e-12);
    close(&flat(own.cross[1].as_ref()), &numbers(&of["k_test_train_ntk"]), 1e-12);
    close(&flat(own.test[1].as_ref()), &numbers(&of["k_test_test_ntk"]), 1e-12);
    for (at, kernel) in ["nngp", "ntk"].into_iter().enumerate() {
        let spectrum = Spectrum::new(own.train[at].as_ref()).unwrap();
        let training = Training::new(&spectrum, Loss::Mean, 1);
        for time in ["0.0", "1.0", "10.0", "100.0", "1000.0", "inf"] {
            let expected = expected(of, time, kernel);
            let time = Time::Flow(time.parse().unwrap());
            let prior = (own.train[0].as_ref(), own.cross[0].as_ref(), own.test[0].as_ref());
            let test = training.test_ensemble(time, own.cross[at].as_ref(), prior, own.targets.as_ref());
            close(&flat(test.mean.as_ref()), &numbers(&expected["test_mean"]), 1e-10);
            close(&flat(test.covariance.as_ref()), &numbers(&expected["test_cov"]), 1e-10);
            let train = training.train_ensemble(time, own.train[0].as_ref(), own.targets.as_ref());
            close(&flat(train.mean.as_ref()), &numbers(&expected["train_mean"]), 1e-10);
            // Entries far below the prior variance are rounding in either program.
            let (found, wanted) = (flat(train.covariance.as_ref()), numbers(&expected["train_cov"]));
            found
                .iter()
                .zip(&wanted)
                .for_each(|(one, two)| assert!((one - two).abs() < 1e-13, "{one} {two}"));
        }
    }
}

#[test]
fn single_networks_in_time() {
    let (own, golden) = (kernels(), golden());
    let of = &golden["predict"]["relu_mlp_3"]["gd_mse_single"];
    let spectrum = Spectrum::new(own.train[1].as_ref()).unwrap();
    let training = Training::new(&spectrum, Loss::Mean, 1);
    let (start, here) = (matrix(4, 1, &numbers(&of["f0_train"])), matrix(2, 1, &numbers(&of["f0_test"])));
    for time in ["1.0", "10.0", "100.0"] {
        let flow = Time::Flow(time.parse().unwrap());
        let train = training.train(flow, start.as_ref(), own.targets.as_ref());
        close(&flat(train.as_ref()), &numbers(&of[time]["train"]), 1e-10);
        let starts = (start.as_ref(), here.as_ref());
        let test = training.test(flow, own.cross[1].as_ref(), starts, own.targets.as_ref());
        close(&flat(test.as_ref()), &numbers(&of[time]["test"]), 1e-10);
    }
    let of = &golden["predict"]["relu_mlp_3"];
    close(&[training.largest_rate()], &[of["max_learning_rate"].as_f64().unwrap()], 1e-12);
    let rising: Vec<f64> = spectrum.values.iter().rev().copied().collect();
    close(&rising, &numbers(&of["ntk_eigs"]), 1e-12);
}

#[test]
fn gaussian_process_regression_is_the_ensemble_at_the_end() {
    let (own, golden) = (kernels(), golden());
    let of = &golden["predict"]["relu_mlp_3"];
    let nngp = Regression::new(own.train[0].as_ref(), own.targets.as_ref(), 0.0).unwrap();
    assert_eq!(nngp.jitter, 0.0);
    close(
        &flat(nngp.mean(own.cross[0].as_ref()).as_ref()),
        &numbers(&of["t"]["inf"]["nngp"]["test_mean"]),
        1e-10,
    );
    let diagonal = |matrix: &Mat<f64>| -> Vec<f64> { (0..2).map(|at| matrix[(at, at)]).collect() };
    let variance = nngp.variance(own.cross[0].as_ref(), &diagonal(&own.test[0]));
    let covariance = numbers(&of["t"]["inf"]["nngp"]["test_cov"]);
    close(&variance, &[covariance[0], covariance[3]], 1e-10);
    let ntk = Regression::new(own.train[1].as_ref(), own.targets.as_ref(), 0.0).unwrap();
    let variance = ntk.variance(own.cross[1].as_ref(), &diagonal(&own.test[1]));
    let covariance = numbers(&of["ntkgp_inf"]["test_cov"]);
    close(&variance, &[covariance[0], covariance[3]], 1e-10);
    // The interpolation's squared norm two ways, and the density by its eigenvalues.
    let spectrum = Spectrum::new(own.train[1].as_ref()).unwrap();
    close(&[ntk.squared_norm()], &[spectrum.squared_norm(own.targets.as_ref())], 1e-10);
    let logs: f64 = spectrum.values.iter().map(|value| (2.0 * std::f64::consts::PI * value).ln()).sum();
    close(&[ntk.log_likelihood()], &[-0.5 * (ntk.squared_norm() + logs)], 1e-10);
}

#[test]
fn discrete_steps_go_to_the_flow() {
    let own = kernels();
    let spectrum = Spectrum::new(own.train[1].as_ref()).unwrap();
    let training = Training::new(&spectrum, Loss::Sum, 1);
    let start = Mat::<f64>::zeros(4, 1);
    let at = |time| training.train(time, start.as_ref(), own.targets.as_ref());
    let flow = flat(at(Time::Flow(0.5)).as_ref());
    let mut before = f64::INFINITY;
    for count in [100, 1000, 10_000_u64] {
        let steps = flat(at(Time::Steps { count, rate: 0.5 / count as f64 }).as_ref());
        let far = steps.iter().zip(&flow).map(|(one, two)| (one - two).abs()).fold(0.0, f64::max);
        assert!(far < 0.2 * before, "{far} after {before}");
        before = far;
    }
    // By hand: f <- f - eta K (f - y), three times.
    let mut f = Mat::<f64>::zeros(4, 1);
    (0..3).for_each(|_| f = &f - faer::Scale(0.1) * (&own.train[1] * (&f - &own.targets)));
    close(&flat(at(Time::Steps { count: 3, rate: 0.1 }).as_ref()), &flat(f.as_ref()), 1e-12);
    // Just below the largest rate errors fall, just above they grow.
    let error = |rate: f64| {
        let steps = at(Time::Steps { count: 20_000, rate });
        flat((&steps - &own.targets).as_ref()).iter().fold(0.0_f64, |most, own| most.max(own.abs()))
    };
    let largest = training.largest_rate();
    assert!(error(0.999 * largest) < 1e-3 && error(1.001 * largest) > 1e3);
}

#[test]
fn singular_kernels_give_finite_answers() {
    // Two equal points with different targets, and a point that the kernel does not see.
    let kernel = matrix(3, 3, &[1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let targets = matrix(3, 1, &[1.0, 3.0, 5.0]);
    let spectrum = Spectrum::new(kernel.as_ref()).unwrap();
    assert_eq!(spectrum.rank(), 1);
    assert!(spectrum.condition().is_infinite());
    let training = Training::new(&spectrum, Loss::Sum, 1);
    let start = Mat::<f64>::zeros(3, 1);
    let cross = matrix(1, 3, &[1.0, 1.0, 0.0]);
    let here = Mat::<f64>::zeros(1, 1);
    for (time, mean) in [(Time::Flow(0.0), 0.0), (Time::Flow(f64::INFINITY), 2.0), (Time::Flow(1e300), 2.0)] {
        let train = flat(training.train(time, start.as_ref(), targets.as_ref()).as_ref());
        close(&train, &[mean, mean, 0.0], 1e-12);
        let starts = (start.as_ref(), here.as_ref());
        let test = training.test(time, cross.as_ref(), starts, targets.as_ref());
        close(&flat(test.as_ref()), &[mean], 1e-12);
    }
    let regression = Regression::new(kernel.as_ref(), targets.as_ref(), 0.0).unwrap();
    assert!(regression.jitter > 0.0, "a singular kernel has no Cholesky factor");
    assert!(regression.mean(cross.as_ref())[(0, 0)].is_finite());
    let ridged = Regression::new(kernel.as_ref(), targets.as_ref(), 0.5).unwrap();
    assert_eq!(ridged.jitter, 0.0);
    close(&[ridged.mean(cross.as_ref())[(0, 0)]], &[2.0 * 2.0 / 2.5], 1e-12);
}

/// A kernel that is zero everywhere, as of zero inputs without biases, is one: its regression says zero and knows nothing.
#[test]
fn zero_kernels_predict_zero() {
    let (kernel, targets) = (Mat::<f64>::zeros(3, 3), matrix(3, 1, &[1.0, -2.0, 1.0]));
    let found = Regression::new(kernel.as_ref(), targets.as_ref(), 0.0).unwrap();
    assert!(found.jitter > 0.0 && found.log_likelihood().is_finite());
    assert_eq!(found.mean(Mat::<f64>::zeros(1, 3).as_ref())[(0, 0)], 0.0);
    assert_eq!(found.variance(Mat::<f64>::zeros(1, 3).as_ref(), &[0.0]), [0.0]);
}
