//! Which deep networks learn, and which layer a spec is made of.

use mupc::graph::Func;
use mupc::limit::block::find;
use mupc::limit::maps::{Activation, Layer};
use mupc::limit::trainable::Course;

fn course(func: Func) -> Course {
    Course { func, depth: 20, width: 48, examples: 200, batch: 50, steps: 120, rates: vec![0.1], seed: 0 }
}

#[test]
fn deep_networks_learn_at_the_edge_and_not_far_from_it() {
    let points = [(0.4, 0.0), (0.7, 0.1), (1.5, 0.01), (1.76, 0.05), (2.0, 0.1)];
    let layers = points.map(|(weight, bias)| Layer { weight, bias });
    let found = course(Func::Tanh).train(&Activation::new(Func::Tanh), &layers, &()).unwrap();
    let learned: Vec<bool> = found.networks.iter().map(|own| own.learned).collect();
    assert_eq!(learned, [false, false, true, true, true], "{found:?}");
    assert!(found.holds && found.separation == Some(1.0) && found.layers_per_scale.is_some());
}

#[test]
fn relu_learns_at_its_critical_point_only() {
    let layers = [0.8, 2.0].map(|weight| Layer { weight, bias: 0.0 });
    let course = Course { depth: 15, steps: 250, rates: vec![0.03, 0.1], ..course(Func::Relu) };
    let found = course.train(&Activation::new(Func::Relu), &layers, &()).unwrap();
    assert!(!found.networks[0].learned && found.networks[1].learned, "{found:?}");
}

fn block(path: &str) -> Result<mupc::limit::block::Block, String> {
    let text = std::fs::read_to_string(path).unwrap();
    find(&mupc::compile(&text).unwrap().graph).map_err(|error| error.to_string())
}

#[test]
fn the_layer_of_a_spec_is_read_off_its_graph() {
    let own = block("specs/mlp.mup").unwrap();
    assert_eq!((own.func, own.biased, own.layers.len()), (Func::Relu, true, 2));
    for (path, reason) in [
        ("specs/gpt2.mup", "normalizes"),
        ("specs/resmlp.mup", "skip connection"),
        ("specs/deep-linear.mup", "no layer phi(W x + b)"),
        ("specs/lstm-zaremba.mup", "step by step"),
    ] {
        let error = block(path).unwrap_err();
        assert!(error.contains(reason), "{path}: {error}");
    }
}
