//! Variance and correlation maps against closed forms, published points and their own iteration.

use std::f64::consts::PI;

use mupc::graph::Func;
use mupc::limit::maps::{Activation, Layer, Phase, Variance, edge, edge_at};

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1e-300), "{found} is not {expected}");
}

fn fixed(variance: Variance) -> f64 {
    match variance {
        Variance::Fixed(q) => q,
        other => panic!("{other:?}"),
    }
}

#[test]
fn relu_is_critical_at_two_and_zero() {
    let relu = Activation::new(Func::Relu);
    let (_, layer) = edge_at(&relu, 0.0).unwrap();
    near(layer.weight, 2.0, 1e-12);
    assert!(edge(&relu, 100, 10.0).iter().all(|(_, layer)| layer.bias == 0.0), "a point, not a curve");
    assert_eq!(edge_at(&relu, 0.05), None);
    for weight in [0.5, 1.0, 1.9, 2.0, 2.5] {
        let signal = relu.signal(Layer { weight, bias: 0.0 });
        near(signal.chi, weight / 2.0, 1e-12);
        let (phase, variance) = match weight {
            w if w < 2.0 => (Phase::Ordered, Variance::Vanishes),
            w if w > 2.0 => (Phase::Chaotic, Variance::Diverges),
            _ => (Phase::Edge, Variance::Fixed(1.0)),
        };
        assert_eq!((signal.phase, signal.variance), (phase, variance), "{weight}");
    }
    // q = w q / 2 + b
    near(fixed(relu.variance(Layer { weight: 1.5, bias: 0.3 })), 0.3 / 0.25, 1e-12);
}

#[test]
fn erf_has_its_closed_forms() {
    let erf = Activation::new(Func::Erf);
    near(edge_at(&erf, 0.0).unwrap().1.weight, PI / 4.0, 1e-11);
    for (weight, bias) in [(0.5, 0.2), (1.5, 0.05), (3.0, 0.4)] {
        let signal = erf.signal(Layer { weight, bias });
        let q = fixed(signal.variance);
        near(weight * (2.0 / PI) * (2.0 * q / (1.0 + 2.0 * q)).asin() + bias, q, 1e-12);
        near(signal.chi, weight * 4.0 / (PI * (1.0 + 4.0 * q).sqrt()), 1e-12);
    }
}

/// E[f(z)] by the trapezoidal rule, which knows nothing of the rules under test.
fn gaussian(f: impl Fn(f64) -> f64) -> f64 {
    let step = 1.0 / 64.0;
    let term = |at: i32| {
        let z = f64::from(at) * step;
        f(z) * (-0.5 * z * z).exp()
    };
    (-800..=800).map(term).sum::<f64>() * step / (2.0 * PI).sqrt()
}

/// The curve of Poole et al. 2016 and Schoenholz et al. 2017.
#[test]
fn tanh_is_critical_where_it_was_published() {
    let tanh = Activation::new(Func::Tanh);
    near(edge_at(&tanh, 0.0).unwrap().1.weight, 1.0, 1e-10);
    near(edge_at(&tanh, 0.05).unwrap().1.weight, 1.760_954_64, 1e-8);
    for bias in [0.01, 0.05, 0.3] {
        let (q, layer) = edge_at(&tanh, bias).unwrap();
        near(layer.weight * gaussian(|z| (q.sqrt() * z).cosh().powi(-4)), 1.0, 1e-9);
        near(layer.weight * gaussian(|z| (q.sqrt() * z).tanh().powi(2)) + bias, q, 1e-9);
    }
    let trace = edge(&tanh, 200, 0.5);
    assert!(trace.len() > 50 && trace.windows(2).all(|pair| pair[0].1.weight <= pair[1].1.weight + 1e-12));
    for (q, layer) in trace.iter().filter(|(q, _)| *q > 1e-3) {
        let signal = tanh.signal(*layer);
        near(signal.chi, 1.0, 1e-6);
        near(fixed(signal.variance), *q, 1e-3);
    }
}

#[test]
fn phases_lie_on_their_sides_of_the_edge_for_any_activation() {
    for func in [Func::Tanh, Func::Erf, Func::Gelu, Func::Silu, Func::Elu, Func::Softplus, Func::Sin] {
        let activation = Activation::new(func);
        let trace = edge(&activation, 60, 0.5);
        for (q, layer) in trace.iter().filter(|(q, _)| *q > 1e-2) {
            let squares = activation.squares(*q);
            near(layer.weight * squares.slope, 1.0, 1e-9);
            near(layer.weight * squares.value + layer.bias, *q, 1e-9);
        }
    }
    let tanh = Activation::new(Func::Tanh);
    assert_eq!(tanh.signal(Layer { weight: 1.7, bias: 0.05 }).phase, Phase::Ordered);
    assert_eq!(tanh.signal(Layer { weight: 1.8, bias: 0.05 }).phase, Phase::Chaotic);
}

/// The lengths are those of the exponential approach that the maps themselves show when they are iterated.
#[test]
fn depth_scales_are_those_of_iterated_maps() {
    for (func, weight, bias) in
        [(Func::Tanh, 1.3, 0.1), (Func::Tanh, 3.0, 0.1), (Func::Erf, 2.5, 0.05), (Func::Gelu, 1.2, 0.2)]
    {
        let activation = Activation::new(func);
        let layer = Layer { weight, bias };
        let signal = activation.signal(layer);
        let q = fixed(signal.variance);
        let (target, map) = (signal.correlation.unwrap(), activation.correlations(layer, q));
        let path: Vec<f64> = std::iter::successors(Some(0.6), |c| Some(map(*c).0)).take(400).collect();
        near(path[399], target, 1e-3);
        let gap = |at: usize| (path[at] - target).abs();
        let last = (0..399).rev().find(|at| gap(*at) > 1e-8).unwrap();
        near((gap(last) / gap(last - 1)).ln(), -1.0 / signal.xi.unwrap(), 1e-3);
        let next = |q: f64| weight * activation.squares(q).value + bias;
        let moved: Vec<f64> = std::iter::successors(Some(1.001 * q), |q| Some(next(*q))).take(6).collect();
        let rate = ((moved[5] - q) / (moved[4] - q)).ln();
        near(rate, -1.0 / signal.xi_variance.unwrap(), 2e-2);
    }
}
