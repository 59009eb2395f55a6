//! The specs of published networks have the published numbers of parameters.

use mupc::dim::Dim;
use mupc::graph::{Graph, Param};
use mupc::loader::NoFiles;
use mupc::rational::Rational;

fn network(path: &str) -> Graph {
    let text = std::fs::read_to_string(path).unwrap();
    mupc::compile_with(path, &text, &mut NoFiles).unwrap_or_else(|errors| panic!("{errors}")).graph
}

fn at_base(graph: &Graph, dim: &Dim) -> Rational {
    let base: Vec<Rational> = graph.scales.iter().map(|scale| scale.base).collect();
    dim.at(&base).unwrap()
}

/// How many numbers a parameter holds in all repetitions.
fn numbers(graph: &Graph, param: &Param) -> Rational {
    let mut lengths = param.shape.clone();
    let mut block = graph.block_of(param.scope);
    while let Some(around) = block.map(|id| graph.block(id)) {
        lengths.push(around.count.clone());
        block = around.parent;
    }
    let at_base = lengths.iter().map(|dim| at_base(graph, dim));
    at_base.fold(Rational::ONE, |product, length| product.mul(length).unwrap())
}

#[test]
fn numbers_of_parameters_are_the_published_ones() {
    let published = [
        ("gpt2", 124_439_808),
        ("bert-base", 110_106_428),
        ("vit-b16", 86_567_656),
        ("llama3-8b", 8_030_261_248),
        ("convnet", 1_369_738),
        ("autoencoder", 2_837_314),
    ];
    for (name, expected) in published {
        let graph = network(&format!("specs/{name}.mup"));
        let counts = graph.params.iter().map(|param| numbers(&graph, param));
        let total = counts.fold(Rational::ZERO, |sum, count| sum.add(count).unwrap());
        assert_eq!(total, Rational::integer(expected), "{name}");
    }
}

#[test]
fn small_specs_compile() {
    for entry in std::fs::read_dir("tests/specs").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "mup") {
            assert!(!network(path.to_str().unwrap()).outputs.is_empty(), "{}", path.display());
        }
    }
}

#[test]
fn checkpoints_have_a_name_for_every_parameter() {
    for name in ["gpt2", "bert-base", "vit-b16", "llama3-8b"] {
        for param in network(&format!("specs/{name}.mup")).params {
            assert!(param.external.is_some(), "{name}: {}", param.path);
        }
    }
}
