//! Published parameterizations, classified, and the published largest learning rates.

mod common;

use std::rc::Rc;

use common::{mlp, power, q};
use mupc::abc::{Abc, ParamScaling};
use mupc::graph::Func;
use mupc::optimizer::Optimizer;
use mupc::optimizer::step::StepLaw;
use mupc::parameterization::verdict::{Classification, classify};
use mupc::parameterization::{Named, parameterize, rates};
use mupc::rational::Rational;
use mupc::size::analysis::{Calculus, analyze};
use mupc::size::change::{Alignment, Convention, Readout};
use toml::{Table, Value};

fn golden() -> Table {
    include_str!("golden/parameterizations.toml").parse().unwrap()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|entry| entry.as_str().unwrap()).collect()
}

/// [input-like, hidden, output-like] for a perceptron with some hidden layers; [input-like, output-like] for one.
fn per_layer(row: &Table, key: &str, hidden: usize) -> Vec<Rational> {
    let roles = strings(&row[key]);
    let role = |layer: usize| match layer {
        0 => roles[0],
        _ if layer == hidden => roles[roles.len() - 1],
        _ => roles[1],
    };
    (0..=hidden).map(|layer| q(role(layer))).collect()
}

fn abc(row: &Table, hidden: usize) -> Abc {
    let exponents = |key| per_layer(row, key, hidden);
    let (a, b, c) = (exponents("a"), exponents("b"), exponents("c"));
    let minus = |exponent: Rational| power(exponent.neg().unwrap());
    let params = (0..=hidden).map(|layer| ParamScaling {
        multiplier: minus(a[layer]),
        init_std: minus(b[layer]),
        learning_rate: minus(c[layer]),
    });
    Abc { params: params.collect(), ..Abc::default() }
}

fn depths(row: &Table) -> Vec<usize> {
    row.get("hidden_layers").map_or(vec![2, 3, 5], |layers| vec![layers.as_integer().unwrap() as usize])
}

fn optimizer(row: &Table) -> Optimizer {
    row["optimizer"].as_str().unwrap().parse().unwrap()
}

fn run(row: &Table, hidden: usize, convention: Convention) -> Classification {
    let graph = mlp(hidden, Func::Gelu);
    let calculus = Calculus::new(&graph).with_convention(convention);
    classify(&calculus, &analyze(&calculus, Rc::new(abc(row, hidden)), optimizer(row)))
}

/// The laws of a perceptron's steps.
fn laws(optimizer: Optimizer) -> Vec<StepLaw> {
    Calculus::new(&mlp(3, Func::Gelu)).laws(&optimizer.into())
}

fn rows() -> Vec<Table> {
    golden()["row"].as_array().unwrap().iter().map(|row| row.as_table().unwrap().clone()).collect()
}

#[test]
fn every_published_verdict() {
    for (row, hidden) in rows().iter().flat_map(|row| depths(row).into_iter().map(move |depth| (row, depth)))
    {
        let found = run(row, hidden, Convention::default());
        let verdict = row["verdict"].as_str().unwrap();
        let name = format!("{} with {} and {hidden} hidden layers", row["name"], row["optimizer"]);
        let suffix =
            if verdict.ends_with("every parameter maximal") { ", every parameter maximal" } else { "" };
        assert_eq!(format!("{}{suffix}", found.verdict), verdict, "{name}");
        assert_eq!(found.is_maximal() && found.is_stable(), !suffix.is_empty() || maximal_too(row), "{name}");
        if let Some(r) = row.get("r") {
            let expected = power(q(r.as_str().unwrap()).neg().unwrap());
            assert_eq!(found.feature_change.power(), Some(&expected), "r of {name}");
        }
    }
}

/// Rows whose table says no more than "feature learning" although every parameter is maximal: mean field is muP up to a gauge shift.
fn maximal_too(row: &Table) -> bool {
    row["name"].as_str().unwrap().starts_with("mean field") && row["optimizer"].as_str() == Some("sgd")
}

#[test]
fn without_aligned_readouts_sp_with_adam_at_one_over_n_learns_features() {
    let row =
        rows().into_iter().find(|row| row["verdict"].as_str() == Some("controlled divergence")).unwrap();
    let convention = Convention { readout: Readout::Independent, ..Convention::default() };
    assert_eq!(run(&row, 3, convention).verdict.name(), "feature learning");
}

#[test]
fn rows_that_are_the_same_up_to_gauge() {
    let rows = rows();
    let mut compared = 0;
    for row in &rows {
        let Some(other) = row.get("same_as") else { continue };
        let same_name =
            |candidate: &&Table| candidate["name"] == *other && candidate["optimizer"] == row["optimizer"];
        let other = rows.iter().find(same_name).unwrap();
        assert!(
            abc(row, 3).same_as(&abc(other, 3), &laws(optimizer(row))),
            "{} {}",
            row["name"],
            row["optimizer"]
        );
        compared += 1;
    }
    assert_eq!(compared, 5);
    assert!(!abc(&rows[0], 3).same_as(&abc(&rows[5], 3), &laws(Optimizer::Sgd)));
}

#[test]
fn published_epsilons() {
    for row in rows().iter().filter(|row| row.contains_key("epsilon")) {
        let graph = mlp(3, Func::Gelu);
        let calculus = Calculus::new(&graph);
        let abc = abc(row, 3);
        let found = rates::entry_gradients(
            &calculus,
            &abc,
            &laws(optimizer(row)),
            &rates::Budget::new(&calculus, &abc).unwrap(),
        );
        for (found, expected) in found.iter().zip(per_layer(row, "epsilon", 3)) {
            assert_eq!(found.power(), Some(&power(expected.neg().unwrap())), "{}", row["name"]);
        }
    }
}

#[test]
fn published_largest_learning_rates() {
    let golden = golden();
    for row in golden["largest_lr"].as_array().unwrap().iter().map(|row| row.as_table().unwrap()) {
        for (key, optimizer, alignment) in [
            ("sgd_full", Optimizer::Sgd, Alignment::Full),
            ("sgd_none", Optimizer::Sgd, Alignment::None),
            ("adam_full", Optimizer::Adam, Alignment::Full),
            ("adam_none", Optimizer::Adam, Alignment::None),
        ] {
            let Some(expected) = row.get(key) else { continue };
            let convention = Convention { alignment, readout: Readout::Independent };
            let graph = mlp(3, Func::Gelu);
            let calculus = Calculus::new(&graph).with_convention(convention);
            let name = row["parameterization"].as_str().unwrap();
            let mut abc = match name {
                "SP" => abc(&rows()[0], 3),
                _ => abc(rows().iter().find(|row| row["name"].as_str() == Some(name)).unwrap(), 3),
            };
            rates::set_largest_stable(&calculus, &mut abc, &laws(optimizer)).unwrap();
            let layers = [0, 1, 2, 3].map(|layer| abc.params[layer].learning_rate.clone());
            let published: Vec<_> = strings(expected).iter().map(|c| power(q(c).neg().unwrap())).collect();
            assert_eq!(
                layers,
                [&published[0], &published[1], &published[1], &published[2]].map(Clone::clone),
                "{name} {key}"
            );
        }
    }
}

/// TP-V Table 3 (initialization variance 1/n for hidden and 1/n^2 for output; SGD rates n, 1, 1/n; Adam rates 1, 1/n, 1/n).
#[test]
fn maximal_update_of_a_perceptron_is_tp_v_table_3() {
    let graph = mlp(3, Func::Relu);
    let calculus = Calculus::new(&graph);
    for (optimizer, rates) in
        [(Optimizer::Sgd, ["1", "0", "0", "-1"]), (Optimizer::Adam, ["0", "-1", "-1", "-1"])]
    {
        let found = parameterize(&calculus, Named::Mup, optimizer).unwrap();
        for (layer, (std, rate)) in ["0", "-1/2", "-1/2", "-1"].into_iter().zip(rates).enumerate() {
            let scaling = &found.abc.params[layer];
            assert_eq!(
                (&scaling.init_std, &scaling.learning_rate),
                (&power(q(std)), &power(q(rate))),
                "layer {layer}"
            );
        }
        let verdict = classify(&calculus, &analyze(&calculus, found.abc.clone(), optimizer));
        assert!(verdict.is_maximal(), "{verdict:?}");
    }
}

/// The kernel-regime rates that the dual sweep finds for NTK and SP initialization.
#[test]
fn largest_stable_rates_of_the_neural_tangent_parameterization() {
    let graph = mlp(3, Func::Relu);
    let calculus = Calculus::new(&graph);
    for (optimizer, rates) in [(Optimizer::Sgd, ["0", "0", "0"]), (Optimizer::Adam, ["-1/2", "-1", "-1/2"])] {
        let found = parameterize(&calculus, Named::Ntk, optimizer).unwrap();
        for (layer, rate) in [0, 2, 3].into_iter().zip(rates) {
            assert_eq!(found.abc.params[layer].learning_rate, power(q(rate)), "layer {layer}");
        }
    }
    let published = [(Optimizer::Sgd, ["0", "-1", "-1"]), (Optimizer::Adam, ["-1/2", "-3/2", "-1"])];
    for (optimizer, expected) in published {
        let mut abc = parameterize(&calculus, Named::Sp, optimizer).unwrap().abc.as_ref().clone();
        assert!(abc.params.iter().all(|scaling| scaling.learning_rate.is_one()));
        rates::set_largest_stable(&calculus, &mut abc, &calculus.laws(&optimizer.into())).unwrap();
        for (layer, rate) in [0, 2, 3].into_iter().zip(expected) {
            assert_eq!(abc.params[layer].learning_rate, power(q(rate)), "layer {layer}");
        }
    }
}
