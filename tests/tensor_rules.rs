//! Rules about tensors: multipliers in front of operations and branches.

use mupc::network::Question;
use mupc::parameterization::Scheme;
use mupc::parameterization::verdict::{Movement, classify};
use mupc::size::analysis::analyze;
use mupc::{Named, Network, Optimizer};

/// A residual network whose branch goes into its stream as `sums` says.
fn stream(sums: &str, rules: &str) -> Network {
    let text = format!(
        "scale n = 64, L = 4\ninput x[5]\ntarget y[2]\nh = linear(x, n)\n\
         repeat L as block {{\n u = linear(relu(h), n) as f\n {sums}\n}}\n\
         loss mse(readout(h, 2), y)\nparameterization mine from depth-mup {{\n{rules}\n}}\n"
    );
    mupc::compile(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// What a branch adds to a stream counts however often it is added.
#[test]
fn a_branch_that_goes_into_two_sums_is_maximal() {
    for sums in ["h += u", "h += u\n h += u"] {
        let network = stream(sums, "");
        let question = Question::new(Named::DepthMup, Optimizer::Adam);
        let found = network.parameterize(question.clone()).unwrap();
        let calculus = network.calculus_for(&question);
        let class = classify(&calculus, &analyze(&calculus, found.abc.clone(), Optimizer::Adam));
        let place = network.graph.params.iter().position(|param| param.path == "block.f.weight").unwrap();
        assert_eq!(class.params[place].movement, Movement::Maximal, "{sums}");
    }
}

/// A rule about a branch holds at every sum that it goes into.
#[test]
fn a_rule_reaches_every_sum() {
    let network = stream("h += u\n h += u", "block.f.y: multiplier 1/L");
    let scheme = Scheme::find(&network.graph, "mine").unwrap();
    let found = network.parameterize(Question::new(scheme, Optimizer::Adam)).unwrap();
    let fronts: Vec<_> = found.abc.branches.values().collect();
    assert_eq!(fronts.len(), 2);
    assert_eq!(fronts[0], fronts[1]);
}

/// Only parameters have a fan-in.
#[test]
fn a_tensor_has_no_fan_in() {
    let network = stream("h += u", "block.f.y: multiplier 1/fan_in");
    let scheme = Scheme::find(&network.graph, "mine").unwrap();
    let error = network.parameterize(Question::new(scheme, Optimizer::Adam)).unwrap_err().to_string();
    assert!(error.contains("is a tensor and has no fan-in") && error.contains("1/n"), "{error}");
}
