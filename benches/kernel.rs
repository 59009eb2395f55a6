//! Kernels of infinitely wide networks: seconds for NNGP and NTK together, float64, on all cores; and of one finite network.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mupc::kernel::empirical::setting;
use mupc::kernel::tangent::Tangent;
use mupc::kernel::{Limit, Parameterization, Points, Prior};
use mupc::numeric::data::{Source, bind};
use mupc::numeric::pages::HugePages;
use mupc::rational::Rational;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

fn limit(spec: &str) -> Limit {
    let network = mupc::compile(spec).unwrap_or_else(|error| panic!("{error}"));
    let graph = &network.graph;
    let mut prior = Prior::new(graph, Parameterization::Ntk, 2.0);
    let biases = prior.params.iter_mut().filter(|own| own.constant == Some(0.0));
    biases.for_each(|own| (own.variance, own.constant) = (0.01, None));
    let values: Vec<Rational> = graph.scales.iter().map(|scale| scale.base).collect();
    Limit::new(graph, &values, &prior, graph.outputs[0], true).unwrap_or_else(|error| panic!("{error}"))
}

/// Points with entries of size one, the same in every run.
fn points(count: usize, entries: usize) -> Points {
    let entry = |at: usize| ((at as f64 * 0.754_877_666).fract() - 0.5) * 12.0_f64.sqrt();
    let row = |row: usize| (0..entries).map(|at| entry(row * entries + at + row * row)).collect();
    Points::single(&(0..count).map(row).collect::<Vec<Vec<f64>>>())
}

fn perceptron(layers: usize, func: &str) -> String {
    format!(
        "scale n = 512, L = {layers} input x[784] target y[1] h = affine(x, n)
         repeat L as hidden {{ h = affine({func}(h), n) }}
         f = affine({func}(h), 1) loss mse(f, y)"
    )
}

const CONVOLUTION: &str = "scale n = 64 input x[32, 32, 3] target y[1]
    h = relu(conv2d(x, n, 3)) h = relu(conv2d(h, n, 3))
    f = affine(global_pool2d(h), 1) loss mse(f, y)";

/// Means over 8 x 256 draws: the largest of windows, flattened.
const LARGEST: &str = "scale n = 64 input x[8, 8, 1] target y[1]
    h = relu(conv2d(max_pool2d(conv2d(x, n, 3), 2), n, 3)) r[(a b c)] = h[a, b, c]
    f = affine(r, 1) loss mse(f, y)";

/// Means over 8 x 256 draws: the softmax of random scores, a mean over tokens behind it.
const ATTENTION: &str = "scale h = 16, d = 16 input x[8, 16] target y[1]
    q[t, a:h, c:d] = (affine(x, h*d) as query)[t, (a c)] k[t, a:h, c:d] = (affine(x, h*d) as key)[t, (a c)]
    v[t, a:h, c:d] = (affine(x, h*d) as value)[t, (a c)]
    s[a, t, u] = q[t, a, c] * k[u, a, c] / d^(1/2) p[a, t, u] = softmax(s, over u) z[t, (a c)] = p[a, t, u] * v[u, a, c]
    m[i] = mean(relu(affine(z, h*d))[t, i], over t) f = affine(m, 1) loss mse(f, y)";

fn kernels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel");
    group.sample_size(10);
    let cases = [
        ("relu, depth 3, 1000 points of 784", perceptron(1, "relu"), points(1000, 784)),
        ("relu, depth 21, 1000 points of 784", perceptron(19, "relu"), points(1000, 784)),
        ("tanh, depth 3, 500 points of 784", perceptron(1, "tanh"), points(500, 784)),
        ("two convolutions, 2 images of 32 x 32", CONVOLUTION.to_string(), points(2, 3072)),
        ("max pooling, 8 images of 8 x 8", LARGEST.to_string(), points(8, 64)),
        ("random attention, 8 points of 8 tokens", ATTENTION.to_string(), points(8, 128)),
    ];
    for (name, spec, points) in cases {
        let limit = limit(&spec);
        let run = |points: &Points| limit.gram(points, &()).ntk[0];
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(|| points.clone(), |points| run(points), BatchSize::LargeInput)
        });
    }
    group.finish();
}

/// The tangent kernel of one network of 784-512-512-10 on 64 points with all 640 rows: ten backward passes and the Gram matrices.
fn empirical(criterion: &mut Criterion) {
    let spec = "scale n = 512 input x[784] target y[10] h = relu(affine(x, n)) h = relu(affine(h, n))
        f = affine(h, 10) loss mse(f, y)";
    let network = mupc::compile(spec).unwrap_or_else(|error| panic!("{error}"));
    let (graph, values) = (&network.graph, [Rational::integer(512)]);
    let setting = setting(graph, &values, &Prior::new(graph, Parameterization::Ntk, 2.0));
    let data = bind(&Source::Synthetic { seed: 1 }, graph, &values).unwrap_or_else(|error| panic!("{error}"));
    let columns = data.batch(&(0..64).collect::<Vec<usize>>());
    let factors = vec![1.0; graph.params.len()];
    let mut group = criterion.benchmark_group("empirical");
    group.sample_size(10);
    let mut measure = |name: &str, run: &mut dyn FnMut() -> f64| {
        group.bench_function(name, |bencher| bencher.iter(&mut *run));
    };
    let (mut single, mut double) = (
        Tangent::<f32>::new(graph, &values, 64, &setting, graph.outputs[0])
            .unwrap_or_else(|error| panic!("{error}")),
        Tangent::<f64>::new(graph, &values, 64, &setting, graph.outputs[0])
            .unwrap_or_else(|error| panic!("{error}")),
    );
    single.start(&setting, 0);
    double.start(&setting, 0);
    measure("784-512-512-10, 64 points, float32", &mut || single.kernel(&columns, &factors).0[0]);
    measure("784-512-512-10, 64 points, float64", &mut || double.kernel(&columns, &factors).0[0]);
    group.finish();
}

criterion_group!(benches, kernels, empirical);
criterion_main!(benches);
