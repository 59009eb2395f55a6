//! Finite networks beside their limit: kernels of draws gather around it, ever closer as the width grows.

use mupc::kernel::empirical::{Draws, Sampled};
use mupc::kernel::study::examples;
use mupc::kernel::{Gram, Parameterization};
use mupc::numeric::data::{Source, bind};
use mupc::rational::Rational;

use crate::Case;

const SPEC: &str = "scale n = 64 input x[5] target y[1]
    h = relu(affine(x, n) as l1) h = tanh(affine(h, n) as l2) f = affine(h, 1) as last loss mse(f, y)";

fn sampled(case: &mut Case, width: i64, count: usize) -> (Sampled, Gram) {
    case.values = vec![Rational::integer(width)];
    let graph = &case.network.graph;
    let data = bind(&Source::Synthetic { seed: 3 }, graph, &case.values).unwrap();
    let chosen: Vec<usize> = (0..6).collect();
    let draws = Draws {
        graph,
        values: &case.values,
        prior: &case.prior,
        output: case.output(),
        count,
        tangent: true,
    };
    let found = draws.sample(&data, &chosen, &()).unwrap();
    (found, case.gram(&examples(graph, &data, &chosen, 1).unwrap().points))
}

fn distance(one: &[f64], two: &[f64]) -> f64 {
    let square: f64 = one.iter().zip(two).map(|(one, two)| (one - two).powi(2)).sum();
    (square / two.iter().map(|own| own * own).sum::<f64>()).sqrt()
}

#[test]
fn means_of_draws_are_the_limit() {
    for parameterization in [Parameterization::Ntk, Parameterization::Standard] {
        let mut case = Case::new(SPEC, &[("l1", 2.0), ("l2", 1.5), ("last", 1.0), ("bias", 0.1)]);
        case.prior.parameterization = parameterization;
        let (found, limit) = sampled(&mut case, 256, 200);
        assert_eq!(found.draws, 200);
        let far = (distance(&found.mean.nngp, &limit.nngp), distance(&found.mean.ntk, &limit.ntk));
        // Three standard errors, and the finite width.
        assert!(far.0 < 3.0 * found.nngp_error + 2.0 / 256.0, "{far:?} {}", found.nngp_error);
        assert!(far.1 < 3.0 * found.ntk_error + 2.0 / 256.0, "{far:?} {}", found.ntk_error);
        assert!(found.ntk_error < 0.02, "{}", found.ntk_error);
    }
}

#[test]
fn tangent_kernels_of_draws_spread_as_one_over_root_width() {
    let mut case = Case::new(SPEC, &[("l1", 2.0), ("l2", 1.5), ("last", 1.0)]);
    let widths = [32, 64, 128, 256, 512];
    let points: Vec<(f64, f64)> = widths
        .iter()
        .map(|width| ((*width as f64).ln(), sampled(&mut case, *width, 48).0.ntk_error.ln()))
        .collect();
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(&|point| point.0), mean(&|point| point.1));
    let slope = mean(&|point| (point.0 - x) * (point.1 - y)) / mean(&|point| (point.0 - x).powi(2));
    assert!((slope + 0.5).abs() < 0.12, "slope {slope}");
}
