//! Limits with feature learning: golden values, closed forms, and finite networks on their way.

use mupc::Named;
use mupc::graph::Func;
use mupc::kernel::dual::dual;
use mupc::kernel::lattice::Lattice;
use mupc::limit::embedding::{self, Roles};
use mupc::limit::finite::{self, judged};
use mupc::limit::layers::{self, Biases, TwoLayers, recognise};
use mupc::limit::linear::{self, Moments};
use mupc::limit::particles;
use mupc::limit::problem::{Problem, ProblemError};
use mupc::limit::words::Corpus;
use mupc::loader::NoFiles;
use mupc::network::compile_growing;
use mupc::numeric::data::Text;
use mupc::rational::Rational;

fn one() -> Problem {
    Problem::new(&[(vec![1.0], vec![1.0])]).unwrap()
}

#[test]
fn the_linear_limit_has_its_golden_values() {
    let found = linear::limit(&one(), Biases::default(), 0.1, 3);
    for (own, expected) in found.iter().zip([0.0, 0.2, 0.362_88, 0.497_952_486_1]) {
        assert!((own[0] - expected).abs() < 5e-11, "{own:?} {expected}");
    }
}

#[test]
fn the_linear_limit_keeps_what_gradient_flow_keeps() {
    // U U' - V V' is kept by the flow, so up to the square of the rate by a step; and the limit fits the data.
    let problem = Problem::new(&[(vec![1.0, 0.5], vec![1.0]), (vec![-0.3, 1.0], vec![-0.5])]).unwrap();
    let mut moments = Moments::new(2, 1, Biases::default());
    let kept = |own: &Moments| own.at(0, 0) + own.at(1, 1) - own.at(2, 2);
    let before = kept(&moments);
    (0..4000).for_each(|_| moments.step(&problem, 0.01));
    assert!((kept(&moments) - before).abs() < 0.02);
    let outputs: Vec<f64> = problem.examples().flat_map(|(x, _)| moments.output(x)).collect();
    assert!(problem.loss(&outputs) < 1e-6, "{outputs:?}");
}

fn course(func: Option<Func>, rate: f64) -> finite::Course {
    finite::Course { func, rate, steps: 6, widths: vec![64, 256, 1024], seeds: 24 }
}

#[test]
fn finite_networks_approach_the_linear_limit_and_no_other() {
    let problem =
        Problem::new(&[(vec![1.0, 0.5], vec![1.0, 0.0]), (vec![-0.3, 1.0], vec![-0.5, 1.0])]).unwrap();
    let limit = linear::limit(&problem, Biases::default(), 0.4, 6);
    let found = course(None, 0.4).compare(&problem, &limit, &()).unwrap();
    assert!(found.holds, "{found:?}");
    // The same networks at another rate stay away from it.
    let wrong = course(None, 0.6).compare(&problem, &limit, &()).unwrap();
    assert!(!wrong.holds && wrong.slope.unwrap().exponent > -0.3);
}

fn cloud(func: Func, rate: f64, steps: usize, power: u32) -> particles::Course {
    let biases = Biases { hidden: true, output: false };
    particles::Course { func, biases, rate, steps, power, shifts: 8 }
}

/// From f = 0 a small step goes along the tangent kernel, which is known in closed form.
#[test]
fn the_first_step_of_particles_is_that_of_the_tangent_kernel() {
    let (problem, rate) = (Problem::circle(5), 1e-4);
    for func in [Func::Erf, Func::Relu, Func::Gelu] {
        let course = particles::Course { shifts: 64, ..cloud(func, rate, 1, 12) };
        let found = particles::limit(&problem, &course, &()).unwrap();
        for (at, (x, _)) in problem.examples().enumerate() {
            let pull = |(z, y): (&[f64], &[f64])| {
                let inner: f64 = x.iter().zip(z).map(|(x, z)| x * z).sum();
                let (value, slope) = dual(func, 0.5, 0.5, inner / 2.0).unwrap();
                y[0] * (value + slope * (inner + 1.0))
            };
            let expected: f64 = problem.examples().map(pull).sum::<f64>() * rate / 5.0;
            let error = found.errors[1][at].max(1e-5 * rate);
            let own = found.outputs[1][at];
            assert!((own - expected).abs() < 5.0 * error, "{func:?}: {own} {expected} {error}");
        }
    }
}

#[test]
fn the_error_of_particles_is_an_error_and_falls() {
    let problem = Problem::circle(6);
    let (rough, fine) = (
        particles::limit(&problem, &cloud(Func::Tanh, 0.5, 5, 8), &()).unwrap(),
        particles::limit(&problem, &cloud(Func::Tanh, 0.5, 5, 13), &()).unwrap(),
    );
    let size = |errors: &[Vec<f64>]| finite::distance(errors, &vec![vec![0.0; 6]; 6]);
    let distance = finite::distance(&rough.outputs, &fine.outputs);
    assert!(distance < 4.0 * size(&rough.errors) && distance > 0.1 * size(&rough.errors), "{distance}");
    assert!(size(&fine.errors) < 0.2 * size(&rough.errors));
}

#[test]
fn finite_networks_approach_the_mean_field_limit() {
    let problem = Problem::circle(6);
    let limit = particles::limit(&problem, &cloud(Func::Tanh, 0.5, 6, 12), &()).unwrap();
    let found = course(Some(Func::Tanh), 0.5).compare(&problem, &limit.outputs, &()).unwrap();
    assert!(found.holds, "{found:?}");
    let wrong = course(Some(Func::Relu), 0.5).compare(&problem, &limit.outputs, &()).unwrap();
    assert!(!wrong.holds, "another activation has another limit");
}

const LINEAR: &str = include_str!("specs/linear.mup");
const GELU: &str = include_str!("specs/gelu.mup");

fn two_layers(spec: &str) -> Result<TwoLayers, String> {
    recognise(&mupc::compile(spec).unwrap().graph).map_err(|error| error.to_string())
}

#[test]
fn networks_of_two_layers_are_known_by_their_operations() {
    let found = two_layers(LINEAR).unwrap();
    assert_eq!((found.func, found.inputs, found.outputs, found.factor), (None, 2, 2, 0.75));
    assert_eq!((found.biases, found.data), (Biases { hidden: true, output: true }, [0, 1]));
    let found = two_layers(GELU).unwrap();
    assert_eq!((found.func, found.inputs, found.outputs, found.factor), (Some(Func::Gelu), 2, 1, 1.0));
    assert_eq!((found.biases, found.data), (Biases { hidden: false, output: true }, [1, 0]));
    let names = LINEAR.replace("\nh =", "\nbias =").replace("(h, 2) as second", "(bias, 2) as hidden");
    assert!(names != LINEAR && two_layers(&names).is_ok());
}

#[test]
fn what_is_no_network_of_two_layers_says_why() {
    for (from, to, reason) in [
        (
            "h = affine(x, n) as first",
            "h = affine(affine(x, n), n) as first",
            "stands before the hidden layer",
        ),
        ("affine(x, n)", "affine(x, n^2)", "a multiple of the one `scale` symbol"),
        ("affine(x, n)", "affine(x, 7)", "has 7 entries, which do not grow"),
        ("affine(h, 2)", "affine(layer_norm(h), 2)", "is not W x"),
        ("f = affine(h, 2) as second", "f = affine(h, 2) + linear(x, 2)", "is a sum of more"),
        ("h = affine(x, n) as first", "param w[n, 2] frozen h[i] = w[i, j] * x[j]", "not trained"),
        ("h = affine(x, n) as first", "param w[n, 2] h[i] = w[i, j] * x[j] / n", "a factor of its own"),
        ("mse(f, y)", "mean(abs(f - y))", "no multiple of |f - y|^2"),
        ("mse(f, y)", "mse(f, 2*y)", "no multiple of |f - y|^2"),
        ("loss 1.5", "loss -1.5", "no multiple of |f - y|^2"),
        ("as first", "as first h = log(h)", "no mean square"),
    ] {
        let spec = LINEAR.replace(from, to);
        assert_ne!(spec, LINEAR, "{from}");
        let error = two_layers(&spec).unwrap_err();
        assert!(error.contains(reason), "{to}: {error}");
    }
    assert!(two_layers(&std::fs::read_to_string("specs/mlp.mup").unwrap()).is_err());
}

const SCALES: &str = include_str!("specs/scales.mup");

#[test]
fn one_scale_symbol_that_counts_the_neurons_grows() {
    let growing = |spec: &str| layers::growing(&mupc::compile(spec).unwrap().graph);
    // d * n / 2 neurons, but the inputs are counted by d.
    assert_eq!(growing(SCALES), Ok(vec![1]));
    assert_eq!(growing(&SCALES.replace("x[d]", "x[2]")), Ok(vec![0, 1]));
    for (to, reason) in [
        ("n^2/2", "`first%4` has n^2/2 entries, in proportion to no `scale` symbol"),
        ("d", "`x` grows with the number of neurons"),
        ("6", "`first%4` has 6 entries, which do not grow"),
    ] {
        let error = growing(&SCALES.replace("d*n/2", to)).unwrap_err();
        assert!(error.to_string() == reason && !error.places.is_empty(), "{error}");
    }
    // All symbols grow: the number of inputs is none.
    assert!(layers::recognise(&mupc::compile(SCALES).unwrap().graph).is_err());
}

/// Whatever counts the neurons, in whatever order the symbols are declared: the finite networks are those of the limit.
#[test]
fn networks_of_several_scale_symbols_approach_their_limit() {
    let problem =
        Problem::new(&[(vec![1.0, 0.5, -1.0, 0.2], vec![1.0]), (vec![-0.3, 1.0, 0.4, 0.0], vec![-0.5])]);
    let problem = problem.unwrap();
    let limit = particles::limit(&problem, &cloud(Func::Tanh, 0.5, 6, 12), &()).unwrap();
    let later = SCALES.replace("scale d = 2, n = 64", "scale n = 64, d = 2");
    let tripled = SCALES.replace("d*n/2", "3*n");
    for text in [SCALES, &later, &tripled] {
        let set = [("d".to_string(), 4)];
        let network = compile_growing("spec", text, &mut NoFiles, &set, "n").unwrap();
        let neurons = if text == tripled { 3 } else { 2 };
        assert_eq!(recognise(&network.graph).unwrap().neurons, Rational::integer(neurons));
        assert_eq!(network.graph.scales.len(), 1);
        let found = course(None, 0.5).compare_with(&network, &problem, &limit.outputs, &()).unwrap();
        assert!(found.holds, "{text}: {found:?}");
        // Networks of n neurons are as far away where they have as many; their draws are others.
        let plain = SCALES.replace("d*n/2", "n");
        let plain = compile_growing("spec", &plain, &mut NoFiles, &set, "n").unwrap();
        let wide =
            finite::Course { widths: vec![64 * neurons, 256 * neurons, 1024 * neurons], ..course(None, 0.5) };
        let wide = wide.compare_with(&plain, &problem, &limit.outputs, &()).unwrap();
        for (own, other) in found.points.iter().zip(&wide.points) {
            assert!((own.size / other.size).ln().abs() < 0.3, "{text}: {own:?} {other:?}");
        }
    }
}

/// The limits have the biases that the networks have, and no others.
#[test]
fn networks_of_a_spec_approach_the_limit_of_their_own_biases() {
    let problem =
        Problem::new(&[(vec![1.0, 0.5], vec![1.0, 0.0]), (vec![-0.3, 1.0], vec![-0.5, 1.0])]).unwrap();
    let network = mupc::compile(LINEAR).unwrap();
    let judged = |biases: Biases| {
        let limit = linear::limit(&problem, biases, 0.4, 6);
        course(None, 0.4).compare_with(&network, &problem, &limit, &()).unwrap()
    };
    let found = judged(Biases { hidden: true, output: true });
    assert!(found.holds, "{found:?}");
    for (hidden, output) in [(true, false), (false, true), (false, false)] {
        assert!(!judged(Biases { hidden, output }).holds, "{hidden} {output}");
    }
    // Targets whose mean is not zero, which the bias of the output learns.
    let raised = |(x, y): (&[f64], &[f64])| (x.to_vec(), vec![y[0] + 1.0]);
    let problem = Problem::new(&Problem::circle(6).examples().map(raised).collect::<Vec<_>>()).unwrap();
    let network = mupc::compile(GELU).unwrap();
    let judged = |biases: Biases| {
        let cloud = particles::Course { biases, ..cloud(Func::Gelu, 0.5, 6, 12) };
        let limit = particles::limit(&problem, &cloud, &()).unwrap();
        course(None, 0.5).compare_with(&network, &problem, &limit.outputs, &()).unwrap()
    };
    let found = judged(Biases { hidden: false, output: true });
    assert!(found.holds, "{found:?}");
    for (hidden, output) in [(true, true), (false, false)] {
        assert!(!judged(Biases { hidden, output }).holds, "{hidden} {output}");
    }
}

#[test]
fn lattices_fill_the_cube_evenly() {
    let lattice = Lattice::new(10, 3);
    let points = lattice.normal(1);
    for dimension in 0..3 {
        let own: Vec<f64> = points.chunks(3).map(|row| row[dimension]).collect();
        let mean = own.iter().sum::<f64>() / 1024.0;
        let square = own.iter().map(|own| own * own).sum::<f64>() / 1024.0;
        assert!(mean.abs() < 0.01 && (square - 1.0).abs() < 0.03, "{mean} {square}");
    }
    assert_ne!(points, lattice.normal(2));
    assert_eq!(points, lattice.normal(1));
}

#[test]
fn word_vectors_stay_in_the_kernel_limit_and_learn_under_mup() {
    let text = std::fs::read_to_string("specs/word2vec.mup").unwrap();
    let text = text.replace("vocab = 30000", "vocab = 48").replace("window = 10", "window = 4");
    let network = mupc::compile(&text).unwrap();
    let roles = Roles::of(&network.graph).unwrap();
    assert_eq!((roles.window, roles.vocabulary), (4, 48));
    let corpus = Corpus::new(&Text::pentateuch(), 48);
    assert_eq!(corpus.vocabulary[..2], ["the", "and"]);
    let widths = vec![64, 128, 256, 512];
    let course = embedding::Course { symbol: 0, widths, seeds: 4, rate: 10.0, steps: 80, batch: 32 };
    let side =
        |named, expected| course.side(&network, (named, expected), &roles, &corpus, &()).unwrap().unwrap();
    let (kernel, features) = (side(Named::Ntk, -0.5), side(Named::Mup, 0.0));
    assert!(embedding::holds(&kernel, &features), "{kernel:?} {features:?}");
    // Either would fail in the other's place.
    assert!(
        !judged("", &kernel.change.points, 0.0).holds && !judged("", &features.change.points, -0.5).holds
    );
    assert!(!embedding::holds(&features, &kernel) && !embedding::diverged(&[kernel, features]));
}

#[test]
fn problems_must_be_even() {
    let error = |examples: &[(Vec<f64>, Vec<f64>)]| Problem::new(examples).unwrap_err();
    assert_eq!(error(&[]), ProblemError::Empty);
    assert_eq!(error(&[(vec![1.0], vec![1.0]), (vec![1.0], vec![])]), ProblemError::Ragged(2, 1, 0, 1, 1));
    assert_eq!(error(&[(vec![f64::NAN], vec![1.0])]), ProblemError::NotFinite(1));
}
