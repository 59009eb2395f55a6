//! Published learning rates by optimizer, and the usual practice of two optimizers in one network.

mod common;

use std::collections::BTreeMap;

use common::analyzed::{calculus, power, spec};
use mupc::optimizer::{Decay, Optimizer, Plan};
use mupc::parameterization::verdict::{Movement, Verdict, classify};
use mupc::parameterization::{Failure, Form, Named, Parameterization, parameterize};
use mupc::size::analysis::{Calculus, analyze};
use toml::Table;

/// Which row of the published table an optimizer follows.
fn row(optimizer: Optimizer) -> (&'static str, &'static str) {
    match optimizer {
        Optimizer::Sgd => ("sgd", "lr"),
        Optimizer::Adam
        | Optimizer::AdamW
        | Optimizer::Adagrad
        | Optimizer::RmsProp
        | Optimizer::Lion
        | Optimizer::Sign => ("adam", "lr"),
        Optimizer::Adafactor | Optimizer::Lars | Optimizer::Lamb => ("adafactor", "lr"),
        Optimizer::Muon | Optimizer::Shampoo | Optimizer::Soap => ("muon", "lr"),
        Optimizer::MuonMoonlight => ("muon_moonlight", "lr"),
        Optimizer::MuonJordan => ("muon_jordan", "lr_hidden"),
    }
}

fn golden() -> Table {
    include_str!("golden/optimizers.toml").parse().unwrap()
}

const LAYERS: [&str; 3] = ["w1", "w2", "w3"];

fn rates(calculus: &Calculus, found: &Parameterization) -> Vec<String> {
    let names = calculus.graph().symbol_names();
    let rate = |path: &&str| {
        let (id, _) = calculus.graph().param_ids().find(|(_, param)| param.path == **path).unwrap();
        found.abc.params[id.index()].learning_rate.display(&names).to_string()
    };
    LAYERS.iter().map(rate).collect()
}

/// TP-V Table 8's convention: initial variance (1, 1/fan_in, 1), output multiplier 1/fan_in.
fn output_multiplier(calculus: &Calculus, optimizer: Optimizer) -> Parameterization {
    Form::OutputMultiplier.apply(calculus, &parameterize(calculus, Named::Mup, optimizer).unwrap())
}

#[test]
fn published_rates_of_every_optimizer() {
    let calculus = calculus(&spec("tp5-mlp"));
    let golden = golden();
    for optimizer in Optimizer::ALL {
        let found = rates(&calculus, &output_multiplier(&calculus, optimizer));
        let (name, key) = row(optimizer);
        let published = &golden[name][key];
        match published.as_array() {
            Some(all) => {
                let all: Vec<_> = all.iter().map(|rate| rate.as_str().unwrap()).collect();
                assert_eq!(found, all, "{optimizer}");
            }
            None => assert_eq!(found[1], published.as_str().unwrap(), "{optimizer}"),
        }
    }
}

#[test]
fn every_optimizer_learns_features_with_every_parameter_maximal() {
    for name in ["tp5-mlp", "tp5-cnn", "tp5-transformer", "gpt2"] {
        let calculus = calculus(&spec(name));
        for optimizer in Optimizer::ALL {
            let Ok(found) = parameterize(&calculus, Named::Mup, optimizer) else {
                assert_eq!((name, optimizer), ("gpt2", Optimizer::MuonJordan));
                continue;
            };
            let class = classify(&calculus, &analyze(&calculus, found.abc.clone(), optimizer));
            assert_eq!(class.verdict, Verdict::FeatureLearning, "{name} {optimizer}");
            assert!(class.is_maximal(), "{name} {optimizer}: {:?}", class.params);
        }
    }
}

/// A tied embedding is a wide matrix at one end and a tall one at the other: Jordan's factor would have to choose.
#[test]
fn a_factor_that_depends_on_the_use_is_refused() {
    let calculus = calculus(&spec("gpt2"));
    let Err(Failure::Ambiguous(found)) = parameterize(&calculus, Named::Mup, Optimizer::MuonJordan) else {
        panic!("not refused")
    };
    assert_eq!(calculus.graph().param(found.param).path, "wte");
    let text = Failure::Ambiguous(found).diagnostic(calculus.graph()).message;
    assert_eq!(text, "no rule says which matrix `wte` is for muon-jordan");
}

/// Fan-in 4 n into n: what the shape factors make of it (Liu et al. 2025; Jordan et al. 2024).
#[test]
fn shapes_that_are_not_square() {
    let text = "scale n = 64
        input x[10]
        target wanted[3]
        h = relu(linear(x, n^(3/2)) as wide)
        h = relu(linear(h, n) as narrow)
        loss mse(readout(h, 3), wanted)";
    let calculus = calculus(text);
    let expected = [
        (Optimizer::Sgd, "n^-1/2"),
        (Optimizer::Adam, "n^-3/2"),
        (Optimizer::Muon, "n^-1/4"),
        (Optimizer::MuonJordan, "n^-1/4"),
        (Optimizer::MuonMoonlight, "n^-1"),
    ];
    for (optimizer, rate) in expected {
        let found = parameterize(&calculus, Named::Mup, optimizer).unwrap();
        let (id, _) = calculus.graph().param_ids().find(|(_, param)| param.path == "narrow.weight").unwrap();
        let names = calculus.graph().symbol_names();
        assert_eq!(
            found.abc.params[id.index()].learning_rate.display(&names).to_string(),
            rate,
            "{optimizer}"
        );
    }
}

/// Muon for hidden matrices and Adam elsewhere gives each its own column of the published table.
#[test]
fn two_optimizers_in_one_network() {
    let calculus = calculus(&spec("gpt2"));
    let hidden = |path: &str| path.starts_with("h.") && path.ends_with("weight");
    let ids = || calculus.graph().param_ids();
    let of: BTreeMap<_, _> =
        ids().filter(|(_, param)| hidden(&param.path)).map(|(id, _)| (id, Optimizer::Muon)).collect();
    assert_eq!(of.len(), 6);
    let mixed = parameterize(&calculus, Named::Mup, Plan { default: Optimizer::Adam, of }).unwrap();
    let [adam, muon] =
        [Optimizer::Adam, Optimizer::Muon].map(|own| parameterize(&calculus, Named::Mup, own).unwrap());
    for (id, param) in ids() {
        let source = if hidden(&param.path) { &muon } else { &adam };
        assert_eq!(mixed.abc.params[id.index()], source.abc.params[id.index()], "{}", param.path);
        assert_eq!(mixed.epsilon[id.index()], source.epsilon[id.index()], "{}", param.path);
    }
    let class = classify(&calculus, &analyze(&calculus, mixed.abc.clone(), mixed.plan.clone()));
    assert!(class.is_maximal() && class.verdict == Verdict::FeatureLearning);
    assert_eq!(mixed.plan.to_string(), "adam + muon");
}

/// A rate of the wrong optimizer's table is named: Adam's under SGD leaves the input lazy and the readout, too.
#[test]
fn the_wrong_optimizers_table_is_seen() {
    let calculus = calculus(&spec("tp5-mlp"));
    let adam = parameterize(&calculus, Named::Mup, Optimizer::Adam).unwrap();
    let class = classify(&calculus, &analyze(&calculus, adam.abc.clone(), Optimizer::Sgd));
    let lazy = class.params.iter().filter(|param| param.movement == Movement::Lazy).count();
    assert!(class.is_stable() && lazy == 4, "{:?}", class.params);
    let muon = parameterize(&calculus, Named::Mup, Optimizer::Muon).unwrap();
    let class = classify(&calculus, &analyze(&calculus, muon.abc.clone(), Optimizer::Adam));
    assert_eq!(class.verdict, Verdict::UnstableInTraining);
}

#[test]
fn three_kinds_of_weight_decay() {
    let calculus = calculus(&spec("tp5-mlp"));
    let (id, _) = calculus.graph().param_ids().find(|(_, param)| param.path == "w2").unwrap();
    let found = parameterize(&calculus, Named::Mup, Optimizer::Adam).unwrap();
    let of = |decay| found.clone().with_decay(&calculus, decay).weight_decay[id.index()].clone().unwrap();
    assert_eq!(of(Decay::Decoupled), power((1, 1)));
    assert_eq!(of(Decay::Independent), power((0, 1)));
    assert_eq!(of(Decay::Coupled), power((-1, 2)), "gradient n^-1 over weight n^-1/2");
    let found = parameterize(&calculus, Named::Mup, Optimizer::Sgd).unwrap();
    for decay in [Decay::Decoupled, Decay::Coupled] {
        let own = found.clone().with_decay(&calculus, decay);
        assert_eq!(own.weight_decay[id.index()], Some(power((0, 1))), "for SGD both are the same");
    }
}

/// The norm of a gradient is that of a whole parameter, but where the optimizer sees one matrix at a time.
#[test]
fn norms_of_experts() {
    let text = "scale n = 64, e = 8
        input x[n]
        target wanted[3]
        param up[e, n, n], down[e, n, n]
        z[k, f] = up[k, f, j] * x[j]
        o[k, j] = down[k, j, f] * z[k, f]
        y[j] = mean(o[k, j], over k)
        loss mse(readout(y, 3), wanted)";
    let calculus = calculus(text);
    let (id, _) = calculus.graph().param_ids().find(|(_, param)| param.path == "down").unwrap();
    let of = |optimizer| {
        let found = parameterize(&calculus, Named::Mup, optimizer).unwrap();
        let names = calculus.graph().symbol_names();
        let epsilon = found.epsilon[id.index()].as_ref().unwrap();
        epsilon.div(found.gradient[id.index()].as_ref().unwrap()).unwrap().display(&names).to_string()
    };
    assert_eq!(of(Optimizer::Adam), "1");
    assert_eq!(of(Optimizer::Muon), "n", "n by n entries");
    assert_eq!(of(Optimizer::Lars), "n e^1/2", "of e experts together");
}

/// What each eps is added to: an entry of the gradient, its norm, its square, an entry of the weights.
#[test]
fn eps_of_every_kind() {
    let calculus = calculus(&spec("tp5-mlp"));
    let (id, _) = calculus.graph().param_ids().find(|(_, param)| param.path == "w2").unwrap();
    let expected = [
        (Optimizer::Sgd, None),
        (Optimizer::Lion, None),
        (Optimizer::Adam, Some((-1, 1))),
        (Optimizer::Lamb, Some((-1, 1))),
        (Optimizer::Muon, Some((0, 1))),
        (Optimizer::Soap, Some((0, 1))),
        (Optimizer::Shampoo, Some((0, 1))),
        (Optimizer::Adafactor, Some((-1, 2))),
    ];
    for (optimizer, epsilon) in expected {
        let found = parameterize(&calculus, Named::Mup, optimizer).unwrap();
        assert_eq!(found.epsilon[id.index()], epsilon.map(power), "{optimizer}");
    }
}
