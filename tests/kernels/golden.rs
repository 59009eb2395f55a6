//! Kernels of neural-tangents 0.6.5 in float64 (tests/golden/kernels.json), to 1e-12 relative; 1e-9 where they come from quadrature.

use mupc::kernel::{Parameterization, Points};
use serde_json::Value;

use crate::Case;

pub fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/kernels.json")).unwrap()
}

/// All numbers of a nested list.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(entries) => entries.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

pub fn inputs(name: &str) -> Points {
    let golden = golden();
    let own = &golden["inputs"][name];
    let own = own.get("data").unwrap_or(own);
    let rows: Vec<Vec<f64>> = own.as_array().unwrap().iter().map(numbers).collect();
    Points::single(&rows)
}

#[track_caller]
pub fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0_f64, |most, own| most.max(own.abs()));
    for (at, (one, two)) in found.iter().zip(expected).enumerate() {
        assert!(
            (one - two).abs() <= tolerance * two.abs().max(1e-3 * scale) + 1e-14,
            "entry {at}: {one} is not {two}"
        );
    }
}

#[track_caller]
fn holds(case: &Case, name: &str, points: &str, tolerance: f64) {
    let golden = golden();
    let expected = &golden["cases"][name];
    let gram = case.gram(&inputs(points));
    close(&gram.nngp, &numbers(&expected["nngp"]), tolerance);
    close(&gram.ntk, &numbers(&expected["ntk"]), tolerance);
}

pub fn perceptron(layers: usize, map: &str, func: &str) -> String {
    let mut text = "scale n = 512 input x[3] target y[1] h = x ".to_string();
    for layer in 1..=layers {
        text += &format!("h = {func}({map}(h, n) as l{layer}) ");
    }
    text + &format!("f = {map}(h, 1) as last loss mse(f, y)")
}

#[test]
fn relu_with_biases() {
    holds(&crate::relu_with_biases(), "relu_mlp_3", "X", 1e-12);
}

#[test]
fn relu_without_biases() {
    let case = Case::new(&perceptron(1, "linear", "relu"), &[("l", 2.0), ("last", 1.0)]);
    holds(&case, "relu_mlp_2_nobias", "X", 1e-12);
    let case = Case::new(&perceptron(2, "linear", "relu"), &[("l", 2.0), ("last", 1.0)]);
    holds(&case, "relu_mlp_3_nobias", "X", 1e-12);
}

#[test]
fn erf_and_tanh() {
    let variances = [("l", 2.25), ("bias", 0.0025)];
    holds(&Case::new(&perceptron(2, "affine", "erf"), &variances), "erf_mlp_3", "X", 1e-12);
    holds(&Case::new(&perceptron(2, "affine", "tanh"), &variances), "tanh_quad400", "X", 1e-9);
}

#[test]
fn residual_blocks() {
    let spec = "scale n = 64 input x[3] target y[1]
        h = affine(x, n) as first
        repeat 2 as block { h += affine(relu(h), n) as inner }
        f = affine(relu(h), 1) as last
        loss mse(f, y)";
    let case = Case::new(spec, &[("first", 1.0), ("block", 2.0), ("last", 1.0), ("bias", 0.01)]);
    holds(&case, "relu_resmlp", "X", 1e-12);
}

#[test]
fn layer_norm() {
    let spec = "scale n = 64 input x[3] target y[1]
        h = relu(standardize(affine(x, n) as l1))
        h = relu(standardize(affine(h, n) as l2))
        f = affine(h, 1) as last
        loss mse(f, y)";
    let case = Case::new(spec, &[("l", 2.0), ("last", 1.0), ("bias", 0.01)]);
    holds(&case, "relu_layernorm_mlp", "X", 1e-12);
}

#[test]
fn convolutions_with_global_pooling() {
    let spec = "scale n = 64 input x[4, 4, 2] target y[1]
        h = relu(conv2d(x, n, 3) as c1)
        h = relu(conv2d(h, n, 3) as c2)
        f = affine(global_pool2d(h), 1) as last
        loss mse(f, y)";
    let case = Case::new(spec, &[("c", 2.0), ("last", 1.0), ("bias", 0.01)]);
    holds(&case, "cnn_gap", "X_image", 1e-12);
}

#[test]
fn attention_with_one_over_d() {
    let spec = "scale n = 64 input x[5, 3] target y[1]
        q = linear(x, n) as query
        s[t, u] = q[t, c] * q[u, c]
        p[t, u] = softmax(s, over u)
        v = linear(x, n) as value
        m[t, c] = p[t, u] * v[u, c]
        o = affine(m, n) as out
        g[c] = mean(o[t, c], over t)
        f = affine(g, 1) as last
        loss mse(f, y)";
    let case = Case::new(spec, &[("query", 1.5), ("out", 1.44), ("last", 1.0), ("bias", 0.01)]);
    holds(&case, "attn_softmax_lin_gap", "X_seq", 1e-12);
}

#[test]
fn standard_parameterization() {
    let mut case = Case::new(&perceptron(2, "affine", "relu"), &[("l", 2.0), ("last", 1.0), ("bias", 0.01)]);
    case.prior.parameterization = Parameterization::Standard;
    holds(&case, "relu_mlp_3_standard_w512", "X", 1e-12);
}
