//! Finite networks beside their limit: kernels of draws gather around it, ever closer as the width grows.

use mupc::kernel::empirical::{Draws, Sampled};
use mupc::kernel::study::examples;
use mupc::kernel::{Gram, Parameterization};
use mupc::numeric::data::{Source, bind};
use mupc::rational::Rational;

use crate::Case;

const SPEC: &str = "scale n = 64 input x[5] target y[1]
    h = relu(affine(x, n) as l1) h = tanh(affine(h, n) as l2) f = affine(h, 1) as last loss mse(f, y)";

pub fn sampled(case: &mut Case, width: i64, count: usize) -> (Sampled, Gram) {
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

pub fn distance(one: &[f64], two: &[f64]) -> f64 {
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

/// Networks of every kind of operation that has a rule.
const KINDS: [(&str, &str, &str); 21] = [
    ("strided convolution, flattened", "x[4, 4, 2]", "h = relu(conv2d(x, n, 3, stride = 2)) r[(a b c)] = h[a, b, c] f = linear(r, 1)"),
    ("pooling between convolutions", "x[4, 4, 2]", "h = average_pool2d(relu(conv2d(x, n, 3)), 2) h = relu(conv2d(h, n, 3)) f = linear(global_pool2d(h), 1)"),
    ("convolution without padding", "x[5, 5, 1]", "h = tanh(conv2d(x, n, 3, padding = 0)) r[(a b c)] = h[a, b, c] f = linear(r, 1)"),
    ("upsampling", "x[2, 2, 2]", "h = upsample2d(relu(conv2d(x, n, 1))) f = linear(global_pool2d(relu(conv2d(h, n, 3))), 1)"),
    ("tokens with positions", "x[4] in 5", "h = embed(x, 5, n) + position(4, n) g = relu(linear(h, n)) m[i] = mean(g[t, i], over t) f = linear(m, 1)"),
    ("causal attention", "x[3, 4]", "h = linear(x, n) h += causal_attention(layer_norm(h), 2, n/2) m[i] = mean(h[t, i], over t) f = linear(m, 1)"),
    ("attention with tied queries", "x[3, 4]", "q = linear(x, n) s[t, u] = q[t, c] * q[u, c] / n p[t, u] = softmax(2 * s, over u)
        v = linear(x, n) m[t, c] = p[t, u] * v[u, c] g[c] = mean(relu(linear(m, n))[t, c], over t) f = linear(g, 1)"),
    ("gated linear units", "x[4]", "f = linear(swiglu(linear(x, n), n), 1)"),
    ("gains before a nonlinearity", "x[4]", "f = linear(gelu(layer_norm(linear(x, n))), 1)"),
    ("pre-norm residual block", "x[4]", "h = linear(x, n) repeat 2 as block { h += mlp(rms_norm(h), 2*n, silu) } f = linear(h, 1)"),
    ("recurrence with shared weights", "x[3, 2]", "h[i:n] = 0
        repeat t over 3 shared as cell { h = tanh(linear(h, n) as again + affine(x[t, ..], n) as read) } f = linear(h, 1)"),
    ("sequences one after another", "x[3, 2]", "h = relu(linear(x, n)) c[t, i] = concat(h[t, i], linear(x, n)[t, i], over t) g = relu(linear(c, n)) m[i] = mean(g[t, i], over t) f = linear(m, 1)"),
    ("one entry of a sequence", "x[3, 2]", "h = relu(linear(x, n)) last[i] = relu(linear(h, n))[-1, i] f = linear(last, 1)"),
    ("sums of functions", "x[4]", "h = linear(x, n) f = linear(relu(h) + 0.5 * tanh(h) - h, 1)"),
    ("max pooling of functions", "x[4, 4, 1]", "h = max_pool2d(relu(conv2d(x, n, 3)), 2) f = linear(global_pool2d(relu(conv2d(h, n, 3))), 1)"),
    ("max pooling of Gaussians, flattened", "x[4, 4, 2]", "h = relu(conv2d(max_pool2d(conv2d(x, n, 3), 2), n, 3)) r[(a b c)] = h[a, b, c] f = linear(r, 1)"),
    ("overlapping max pooling with zeros around", "x[4, 4, 1]", "h = max_pool2d(tanh(conv2d(x, n, 1)), 3, 2, 1) f = linear(global_pool2d(h), 1)"),
    ("post-activation residual block", "x[4]", "h = relu(linear(x, n)) h = relu(h + linear(relu(linear(h, n)), n)) f = linear(relu(linear(h, n)), 1)"),
    ("a function of two branches", "x[4]", "h = linear(x, n) f = linear(abs(sigmoid(h) - sigmoid(linear(relu(h), n))), 1)"),
    ("gates over a state", "x[2, 3]", "c[i:n] = 0 repeat t over 2 shared as cell { g = sigmoid(linear(tanh(c), n) as again + linear(x[t, ..], n) as read)
        c = g * c + g } f = linear(c, 1)"),
    ("stopped gradient", "x[4]", "h = relu(linear(x, n)) f = linear(stop_gradient(h) + h, 1)"),
];

#[test]
fn every_kind_of_operation_is_the_limit_of_its_networks() {
    for (name, input, body) in KINDS {
        let spec = format!("scale n = 64 input {input} target y[1] {body} loss mse(f, y)");
        let mut case = Case::new(&spec, &[]);
        let (found, limit) = sampled(&mut case, 128, 60);
        let far = (distance(&found.mean.nngp, &limit.nngp), distance(&found.mean.ntk, &limit.ntk));
        let bound = (4.0 * found.nngp_error + 4.0 / 128.0, 4.0 * found.ntk_error + 4.0 / 128.0);
        assert!(far.0 < bound.0 && far.1 < bound.1, "{name}: {far:?} is more than {bound:?}");
        assert!(found.ntk_error < 0.05, "{name}: {}", found.ntk_error);
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
