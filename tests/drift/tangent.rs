//! The structured tangent kernel is J J', for every kind of operation.

use std::sync::Arc;

use mupc::kernel::empirical::{Draws, setting};
use mupc::kernel::tangent::{NoTangent, Tangent, one, program};
use mupc::kernel::{Parameterization, Prior};
use mupc::numeric::data::{Source, bind};
use mupc::numeric::initial::start;
use mupc::numeric::machine::Machine;
use mupc::rational::Rational;

const KINDS: [(&str, &str, &str); 15] = [
    ("perceptron", "x[5]", "h = relu(affine(x, n)) h = tanh(affine(h, n)) f = affine(h, 3)"),
    ("gains and shifts", "x[5]", "h = gelu(layer_norm(linear(x, n))) f = affine(layer_norm(h), 3)"),
    ("convolution", "x[4, 4, 2]", "h = relu(conv2d(x, n, 3)) h = relu(conv2d(h, n, 3)) f = affine(global_pool2d(h), 3)"),
    ("strided convolution, flattened", "x[4, 4, 2]", "h = relu(conv2d(x, n, 3, stride = 2)) r[(a b c)] = h[a, b, c] f = linear(r, 3)"),
    ("attention", "x[3, 4]", "h = linear(x, n) h += causal_attention(layer_norm(h), 2, n/2) m[i] = mean(h[t, i], over t) f = linear(m, 3)"),
    ("tokens with positions", "x[4] in 5", "h = embed(x, 5, n) + position(4, n) g = relu(affine(h, n)) m[i] = mean(g[t, i], over t) f = linear(m, 3)"),
    ("recurrence", "x[3, 2]", "h[i:n] = 0
        repeat t over 3 shared as cell { h = tanh(linear(h, n) as again + affine(x[t, ..], n) as read) } f = linear(h, 3)"),
    ("leaky recurrence", "x[3, 2]", "h[i:n] = 0
        repeat t over 3 shared as cell { h = tanh(linear(h, n) as again + linear(x[t, ..], n) as read) + 0.5 * h } f = linear(h, 3)"),
    ("residual blocks", "x[4]", "h = linear(x, n) repeat 2 as block { h += mlp(rms_norm(h), 2*n, silu) } f = linear(h, 3)"),
    ("siamese branches", "x[2, 4]", "repeat t over 2 shared as twin { g[t, i] = relu(affine(x[t, ..], n))[i] } m[i] = mean(g[t, i], over t) f = affine(m, 3)"),
    ("tied in two roles", "x[4]", "param w[n, n] h = linear(x, n) g[i] = w[i, j] * h[j] r[j] = w[i, j] * tanh(g)[i] f = linear(r, 3)"),
    ("gated units", "x[4]", "f = linear(swiglu(linear(x, n), n), 3)"),
    ("output with positions", "x[3, 4]", "h = relu(affine(x, n)) f = affine(h, 2)"),
    ("stopped gradient", "x[4]", "h = relu(linear(x, n)) f = linear(stop_gradient(h) + h, 3)"),
    ("bias twice", "x[4]", "param b[n] h[i] = linear(x, n)[i] + b[i] g[i] = linear(relu(h), n)[i] + b[i] f = affine(tanh(g), 3)"),
];

fn distance(one: &[f64], two: &[f64]) -> f64 {
    assert_eq!(one.len(), two.len());
    let square: f64 = one.iter().zip(two).map(|(one, two)| (one - two).powi(2)).sum();
    (square / two.iter().map(|own| own * own).sum::<f64>()).sqrt()
}

/// The kernel by the structured way, and J J' from one pass per example and entry; parameters count with factors 1, 2, 3, ...
fn both(input: &str, body: &str) -> (Vec<f64>, Vec<f64>) {
    let target = if body.contains("affine(h, 2)") { "y[3, 2]" } else { "y[3]" };
    let loss = if target == "y[3]" { "mse(f, y)" } else { "mean(mse(f, y))" };
    let spec = format!("scale n = 12 input {input} target {target} {body} loss {loss}");
    let network = mupc::compile(&spec).unwrap_or_else(|error| panic!("{error}"));
    let graph = &network.graph;
    let values = [Rational::integer(12)];
    let mut prior = Prior::new(graph, Parameterization::Ntk, 1.5);
    // Random gains and biases: nothing cancels by accident.
    prior.params.iter_mut().for_each(|own| own.constant = None);
    let setting = setting(graph, &values, &prior);
    let factors: Vec<f64> = (0..graph.params.len()).map(|at| 1.0 + at as f64).collect();
    let columns = bind(&Source::Synthetic { seed: 3 }, graph, &values).unwrap().batch(&[0, 1, 2, 3, 4, 5]);
    let mut tangent = Tangent::<f64>::new(graph, &values, 6, &setting, graph.outputs[0]).unwrap();
    let mut single =
        Machine::<f64>::new(Arc::new(program(graph, &values, 1, &setting, graph.outputs[0]).unwrap()));
    start(&mut single, &setting, 7);
    tangent.start(&setting, 7);
    let drawn = tangent.kernel(&columns, &factors).0;
    tangent.follow(&single);
    let (structured, outputs) = tangent.kernel(&columns, &factors);
    assert_eq!(drawn, structured, "the same seed");
    let entries = tangent.entries;
    let mut rows = Vec::new();
    for example in 0..6 {
        single.load(&one(&columns, example, 6));
        single.forward();
        let loss = single.program.loss.clone();
        for entry in 0..entries {
            let own = single.values(loss.slot)[entry] * loss.scale;
            assert!((own - outputs[example * entries + entry]).abs() < 1e-12);
            let mut seed = vec![0.0; entries];
            seed[entry] = loss.scale;
            single.backward_from(&seed, &mut |_| {});
            let weights = single.program.weights.iter();
            let row = weights.flat_map(|weight| {
                let factor = factors[weight.param.index()].sqrt();
                single.gradient(weight.slot).iter().map(move |own| own * factor)
            });
            rows.push(row.collect::<Vec<f64>>());
        }
    }
    let dot = |one: &[f64], two: &[f64]| one.iter().zip(two).map(|(one, two)| one * two).sum::<f64>();
    let naive = rows.iter().flat_map(|one| rows.iter().map(move |two| dot(one, two))).collect();
    (structured, naive)
}

#[test]
fn it_is_the_product_of_jacobians() {
    for (name, input, body) in KINDS {
        let (structured, naive) = both(input, body);
        let far = distance(&structured, &naive);
        assert!(far < 1e-10, "{name}: {far}");
    }
}

#[test]
fn it_is_what_the_first_entry_of_a_draw_gives() {
    let spec = "scale n = 32 input x[5] target y[3] f = affine(relu(affine(x, n)), 3) loss mse(f, y)";
    let network = mupc::compile(spec).unwrap();
    let (graph, values) = (&network.graph, [Rational::integer(32)]);
    let prior = Prior::new(graph, Parameterization::Ntk, 2.0);
    let data = bind(&Source::Synthetic { seed: 3 }, graph, &values).unwrap();
    let examples: Vec<usize> = (0..8).collect();
    let draws =
        Draws { graph, values: &values, prior: &prior, output: graph.outputs[0], count: 1, tangent: true };
    let drawn = draws.sample(&data, &examples, &()).unwrap().mean.ntk;
    let setting = setting(graph, &values, &prior);
    let mut tangent = Tangent::<f64>::new(graph, &values, 8, &setting, graph.outputs[0]).unwrap();
    tangent.start(&setting, 0);
    let (whole, _) = tangent.kernel(&data.batch(&examples), &vec![1.0; graph.params.len()]);
    let first: Vec<f64> = (0..64).map(|at| whole[(at / 8 * 3) * 24 + at % 8 * 3]).collect();
    assert!(distance(&first, &drawn) < 1e-10);
}

#[test]
fn a_kernel_of_examples_that_depend_on_each_other_is_refused() {
    for (body, word) in [("batch_norm(linear(x, n))", "batch"), ("dropout(linear(x, n), 0.1)", "drops")] {
        let spec = format!("scale n = 8 input x[4] target y[1] h = {body} f = linear(h, 1) loss mse(f, y)");
        let network = mupc::compile(&spec).unwrap_or_else(|error| panic!("{error}"));
        let (graph, values) = (&network.graph, [Rational::integer(8)]);
        let setting = setting(graph, &values, &Prior::new(graph, Parameterization::Ntk, 1.0));
        let refused: NoTangent =
            Tangent::<f64>::new(graph, &values, 4, &setting, graph.outputs[0]).unwrap_err();
        assert!(refused.to_string().contains(word), "{refused}");
    }
}
