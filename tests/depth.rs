//! Depth: the classification of TP-VI at every exponent, the published tables, and which repetitions have a limit.

mod common;

use std::rc::Rc;

use common::analyzed::spec;
use common::q;
use mupc::Network;
use mupc::dim::{Monomial, Symbol};
use mupc::optimizer::Optimizer;
use mupc::parameterization::depth::{block_depths, remarks};
use mupc::parameterization::verdict::{Movement, Verdict, classify};
use mupc::parameterization::{Named, Parameterization, Scheme, parameterize};
use mupc::rational::Rational;
use mupc::size::analysis::{Calculus, analyze};
use toml::Table;

const N: Symbol = Symbol(0);
const L: Symbol = Symbol(1);

fn network(text: &str) -> Network {
    mupc::compile(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Blocks between a frozen input map and a frozen readout, so that only they learn.
fn residual(block: &str) -> Network {
    network(&format!(
        "scale n = 256, L = 8
         input image[16]
         target label in 10
         param first[n, 16] frozen, last[10, n] frozen
         x[i] = first[i, k] * image[k]
         repeat L as block {{ {block} }}
         logits[o] = last[o, i] * x[i]
         loss cross_entropy(logits, label)"
    ))
}

fn scheme(alpha: Rational) -> Scheme {
    Scheme::from(Named::Mup).with_alpha(alpha)
}

/// The verdict when every learning rate has a given power of L.
fn verdict(calculus: &Calculus, alpha: Rational, optimizer: Optimizer, power_of_l: Rational) -> Verdict {
    let Ok(found) = parameterize(calculus, scheme(alpha), optimizer) else { return Verdict::UnstableAtInit };
    let mut abc = found.abc.as_ref().clone();
    for scaling in &mut abc.params {
        let in_width = Monomial::power(N, scaling.learning_rate.exponent(N));
        scaling.learning_rate = in_width.mul(&Monomial::power(L, power_of_l)).unwrap();
    }
    classify(calculus, &analyze(calculus, Rc::new(abc), optimizer)).verdict
}

/// TP-VI: blocks of one layer, rate n^-1 L^-gamma on normalized gradients. What the paper calls unfaithful (alpha > 1 at the
/// critical rate) is a rate that grows with depth: each branch then changes by L^-gamma.
fn tp_vi(alpha: Rational, gamma: Rational) -> Verdict {
    let sum = alpha.add(gamma).unwrap();
    match () {
        () if alpha < Rational::HALF => Verdict::UnstableAtInit,
        () if sum < Rational::ONE => Verdict::UnstableInTraining,
        () if gamma.is_negative() => Verdict::UnstableInTraining,
        () if sum > Rational::ONE => Verdict::Trivial,
        () => Verdict::FeatureLearning,
    }
}

fn quarters(range: std::ops::RangeInclusive<i64>) -> impl Iterator<Item = Rational> + Clone {
    range.map(|quarters| Rational::new(quarters, 4).unwrap())
}

#[test]
fn one_layer_blocks_are_classified_as_in_tp_vi() {
    let network = residual("x += linear(relu(x), n)");
    let calculus = Calculus::deep(&network.graph);
    let mut met = std::collections::BTreeMap::new();
    for alpha in quarters(-2..=8) {
        for gamma in quarters(-6..=8) {
            let found = verdict(&calculus, alpha, Optimizer::Adam, gamma.neg().unwrap());
            assert_eq!(found, tp_vi(alpha, gamma), "alpha {alpha}, gamma {gamma}");
            *met.entry(found).or_insert(0) += 1;
        }
    }
    assert_eq!(met.len(), 4, "{met:?}");
}

/// The same for gradient descent: the rate L^(2 alpha - 1) is the one that is neither unstable nor trivial.
#[test]
fn gradient_descent_needs_two_alpha_minus_one() {
    for block in ["x += linear(relu(x), n)", "x += mlp(x, 4*n, gelu)"] {
        let network = residual(block);
        let calculus = Calculus::deep(&network.graph);
        for alpha in quarters(2..=4) {
            let critical = alpha.add(alpha).unwrap().sub(Rational::ONE).unwrap();
            for shift in quarters(-3..=3) {
                let found = verdict(&calculus, alpha, Optimizer::Sgd, critical.add(shift).unwrap());
                let expected = match shift.cmp(&Rational::ZERO) {
                    std::cmp::Ordering::Less => Verdict::Trivial,
                    std::cmp::Ordering::Equal => Verdict::FeatureLearning,
                    std::cmp::Ordering::Greater => Verdict::UnstableInTraining,
                };
                assert_eq!(found, expected, "{block}: alpha {alpha}, L^{critical} times L^{shift}");
            }
        }
    }
}

fn scaling(network: &Network, found: &Parameterization, path: &str) -> [Monomial; 3] {
    let (id, _) = network.graph.param_ids().find(|(_, param)| param.path == path).unwrap();
    let epsilon = found.epsilon[id.index()].clone().unwrap_or_default();
    let decay = found.weight_decay[id.index()].clone().unwrap();
    [found.abc.params[id.index()].learning_rate.clone(), epsilon, decay]
}

fn text(network: &Network, power: &Monomial) -> String {
    power.display(&network.graph.symbol_names()).to_string()
}

/// A published entry such as `n^-1 L^-1/2`, with powers of zero left out.
fn published(row: &Table, key: &str) -> Option<String> {
    let entry = row.get(key)?.as_str()?;
    let kept: Vec<_> = entry.split(' ').filter(|factor| !factor.ends_with("^0")).collect();
    Some(if kept.is_empty() {
        "1".into()
    } else {
        kept.join(" ").replace("L^1", "L").replace("L/2", "L^1/2")
    })
}

#[test]
fn every_published_row() {
    let golden: Table = include_str!("golden/parameterizations.toml").parse().unwrap();
    let network = network(&spec("gpt2"));
    let calculus = Calculus::deep(&network.graph);
    let mut compared = 0;
    for row in golden["depth"].as_array().unwrap().iter().map(|row| row.as_table().unwrap()) {
        let alpha = q(row["alpha"].as_str().unwrap());
        let named = if alpha == Rational::HALF { Named::DepthMup } else { Named::CompleteP };
        assert_eq!(named.alpha(), Some(alpha));
        let [sgd, adam, muon] = [Optimizer::Sgd, Optimizer::Adam, Optimizer::Muon]
            .map(|optimizer| parameterize(&calculus, named, optimizer).unwrap());
        let expect = |key: &str, found: &Monomial| {
            let Some(entry) = published(row, key) else { return 0 };
            assert_eq!(text(&network, found), entry, "{key} of {}", row["name"]);
            1
        };
        let hidden = "h.mlp.up.weight";
        let [rate, epsilon, decay] = scaling(&network, &adam, hidden);
        compared += expect("adam_hidden", &rate) + expect("epsilon_hidden", &epsilon);
        compared += expect("weight_decay_hidden", &decay);
        for path in ["h.mlp.up.bias", "h.ln_1.gain", "h.ln_2.bias"] {
            compared += expect("adam_bias_norm", &scaling(&network, &adam, path)[0]);
        }
        compared += expect("sgd_hidden", &scaling(&network, &sgd, hidden)[0]);
        compared += expect("sgd_bias", &scaling(&network, &sgd, "h.mlp.up.bias")[0]);
        let own = alpha.sub(Rational::ONE).unwrap();
        assert_eq!(scaling(&network, &muon, hidden)[0], Monomial::power(L, own), "Muon");
        for found in [&sgd, &adam, &muon] {
            for path in ["wte", "wpe", "ln_f.gain", "ln_f.bias"] {
                assert!(scaling(&network, found, path)[0].exponent(L).is_zero(), "{path}: no power of L");
            }
        }
        assert!(adam.abc.branches.values().all(|factor| factor.exponent(L) == alpha.neg().unwrap()));
    }
    assert_eq!(compared, 6 + 8, "entries compared");
}

/// For every alpha in between: Adam L^(alpha-1), SGD L^(2 alpha-1), eps L^-alpha.
#[test]
fn any_alpha() {
    let network = network(&spec("gpt2"));
    let calculus = Calculus::deep(&network.graph);
    for alpha in quarters(2..=4).chain([q("2/3"), q("7/8")]) {
        let adam = parameterize(&calculus, scheme(alpha), Optimizer::Adam).unwrap();
        let [rate, epsilon, _] = scaling(&network, &adam, "h.attn.query.weight");
        assert_eq!(rate.exponent(L), alpha.sub(Rational::ONE).unwrap());
        assert_eq!(epsilon.exponent(L), alpha.neg().unwrap());
        let sgd = parameterize(&calculus, scheme(alpha), Optimizer::Sgd).unwrap();
        let two = alpha.add(alpha).unwrap();
        assert_eq!(
            scaling(&network, &sgd, "h.mlp.down.weight")[0].exponent(L),
            two.sub(Rational::ONE).unwrap()
        );
    }
}

/// Standard depth: the stream grows like L^(1/2) and is named; without a normalization it grows exponentially.
#[test]
fn standard_depth_is_unstable() {
    let cases = [(spec("gpt2"), Named::Mup, Some("L^1/2")), (relu_blocks(), Named::Sp, None)];
    for (text, named, size) in cases {
        let network = network(&text);
        let found =
            network.classify(Scheme::from(named).with_alpha(Rational::ZERO), Optimizer::Adam).unwrap();
        assert_eq!(found.verdict, Verdict::UnstableAtInit);
        let row = found.tensors.iter().find(|row| row.faulty).unwrap();
        let expected = size.unwrap_or("unbounded");
        assert_eq!(row.initial.display(&found.symbols()).to_string(), expected, "{}", row.name);
    }
}

fn relu_blocks() -> String {
    "scale n = 256, L = 8
     input image[16]
     target label in 10
     x = linear(image, n)
     repeat L { x += linear(relu(x), n) }
     loss cross_entropy(readout(x, 10), label)"
        .to_string()
}

#[test]
fn the_block_depth_is_found_and_decides() {
    for (block, layers) in [
        ("x += linear(relu(x), n)", 1),
        ("x += mlp(layer_norm(x), 4*n)", 2),
        ("x += linear(relu(linear(relu(linear(x, n) as a), n) as b), n) as c", 3),
        ("x += linear(relu(x), n) as a  x += mlp(x, n)", 2),
    ] {
        let network = residual(block);
        let calculus = Calculus::deep(&network.graph);
        assert_eq!(
            block_depths(&calculus).iter().map(|found| found.layers).collect::<Vec<_>>(),
            [layers],
            "{block}"
        );
        let lazy = |named: Named| {
            let found = parameterize(&calculus, named, Optimizer::Adam).unwrap();
            let class = classify(&calculus, &analyze(&calculus, found.abc.clone(), Optimizer::Adam));
            assert_eq!(class.verdict, Verdict::FeatureLearning, "{block} {named}");
            class.params.iter().filter(|param| param.movement == Movement::Lazy).count() > 0
        };
        assert_eq!(lazy(Named::DepthMup), layers > 1, "{block}: inner layers are lazy under alpha = 1/2");
        assert!(!lazy(Named::CompleteP), "{block}");
    }
}

/// One set of weights for all repetitions adds up coherently from the start: only alpha = 1 is stable (TP-VI compares it with a recurrence).
#[test]
fn shared_weights_add_up_coherently() {
    let network = network(
        "scale n = 256, L = 8
         input image[16]
         target label in 10
         x = linear(image, n)
         repeat L shared { x += mlp(layer_norm(x), 4*n) }
         loss cross_entropy(readout(x, 10), label)",
    );
    let calculus = Calculus::deep(&network.graph);
    let class = |alpha, optimizer| {
        let found = parameterize(&calculus, scheme(alpha), optimizer).unwrap();
        (classify(&calculus, &analyze(&calculus, found.abc.clone(), optimizer)).verdict, found)
    };
    assert_eq!(class(q("1/2"), Optimizer::Adam).0, Verdict::UnstableAtInit);
    assert_eq!(class(q("3/4"), Optimizer::Adam).0, Verdict::UnstableAtInit);
    let (verdict, found) = class(Rational::ONE, Optimizer::Sgd);
    assert_eq!(verdict, Verdict::FeatureLearning);
    let rate = &scaling(&network, &found, "repeat.mlp.up.weight")[0];
    assert!(rate.exponent(L).is_zero(), "the gradient is a sum over L uses: {}", text(&network, rate));
}

/// Inner repetitions of the same stream count all their blocks; several repetitions one after the other each their own.
#[test]
fn nested_and_several_repetitions() {
    let network = network(
        "scale n = 256, L = 8, K = 4
         input image[16]
         target label in 10
         x = linear(image, n)
         repeat L as outer {
           repeat K as inner { x += mlp(layer_norm(x), n) as deep }
           x += mlp(layer_norm(x), n) as shallow
         }
         repeat K as last { x += mlp(layer_norm(x), n) }
         loss cross_entropy(readout(layer_norm(x), 10), label)",
    );
    let calculus = Calculus::deep(&network.graph);
    for named in [Named::DepthMup, Named::CompleteP] {
        let found = parameterize(&calculus, named, Optimizer::Adam).unwrap();
        let class = classify(&calculus, &analyze(&calculus, found.abc.clone(), Optimizer::Adam));
        assert_eq!(class.verdict, Verdict::FeatureLearning, "{named}: {:?}", class.problems);
    }
    let found = parameterize(&calculus, Named::DepthMup, Optimizer::Adam).unwrap();
    let rate = |path: &str| text(&network, &scaling(&network, &found, path)[0]);
    assert_eq!(rate("outer.inner.deep.up.weight"), "n^-1 L^-1/2 K^-1/2");
    assert_eq!(rate("outer.shallow.up.weight"), "n^-1 L^-1/2");
    assert_eq!(rate("last.mlp.up.weight"), "n^-1 K^-1/2");
    let mut factors: Vec<_> = found.abc.branches.values().map(|factor| text(&network, factor)).collect();
    factors.sort();
    assert_eq!(factors, ["K^-1/2", "L^-1/2", "L^-1/2 K^-1/2"]);
}

/// A block with own weights has a new set of what an inner block shares in every repetition; one that shares has one set of everything.
#[test]
fn nested_repetitions_with_own_and_shared_weights() {
    for (outer, inner, two, eps) in [
        ("", "", "L K", "n^-1 L^-1 K^-1"),
        ("", "shared", "L", "n^-1 L^-1"),
        ("shared", "", "K", "n^-1 K^-1"),
        ("shared", "shared", "1", "n^-1"),
    ] {
        let network = network(&format!(
            "scale n = 64, L = 8, K = 4
             input image[10]
             target label in 3
             x = linear(image, n)
             repeat L {outer} as outer {{
               x += linear(relu(x), n) as one
               repeat K {inner} as inner {{ x += linear(relu(x), n) as two }}
             }}
             loss cross_entropy(readout(x, 3), label)"
        ));
        let calculus = Calculus::deep(&network.graph);
        let adam = parameterize(&calculus, Named::CompleteP, Optimizer::Adam).unwrap();
        let sgd = parameterize(&calculus, Named::CompleteP, Optimizer::Sgd).unwrap();
        let path = "outer.inner.two.weight";
        let of = |found, at: usize| text(&network, &scaling(&network, found, path)[at]);
        assert_eq!(
            (of(&adam, 0), of(&adam, 1), of(&sgd, 0)),
            ("n^-1".into(), eps.into(), two.into()),
            "{outer}/{inner}"
        );
        for (found, optimizer) in [(&adam, Optimizer::Adam), (&sgd, Optimizer::Sgd)] {
            let class = classify(&calculus, &analyze(&calculus, found.abc.clone(), optimizer));
            assert!(
                class.verdict == Verdict::FeatureLearning && class.is_maximal(),
                "{outer}/{inner} {optimizer}"
            );
        }
    }
}

/// One matrix that two stacks read, each through new weights of its own: at initialization its gradients are independent over repetitions (measured: the
/// same at L = 8 and L = 256), in training they are alike.
#[test]
fn one_matrix_in_two_stacks() {
    let network = network(
        "scale n = 64, L = 8, K = 4
         input image[10]
         target label in 3
         x = linear(image, n)
         param w[n, n]
         repeat L as a { r[i] = w[i, j] * x[j]  x += linear(relu(r), n) }
         repeat K as b { r[i] = w[i, j] * x[j]  x += linear(relu(r), n) }
         loss cross_entropy(readout(x, 3), label)",
    );
    let calculus = Calculus::deep(&network.graph);
    for (named, epsilon, rate) in [(Named::DepthMup, "n^-1", "1"), (Named::CompleteP, "n^-1 K^-1/2", "1")] {
        let adam = parameterize(&calculus, named, Optimizer::Adam).unwrap();
        assert_eq!(text(&network, &scaling(&network, &adam, "w")[1]), epsilon, "{named}");
        let sgd = parameterize(&calculus, named, Optimizer::Sgd).unwrap();
        let class = classify(&calculus, &analyze(&calculus, sgd.abc.clone(), Optimizer::Sgd));
        assert_eq!(class.verdict, Verdict::FeatureLearning, "{named}");
        if named == Named::CompleteP {
            assert_eq!(text(&network, &scaling(&network, &sgd, "w")[0]), rate, "{named}");
            assert!(class.is_maximal(), "{:?}", class.params);
        }
    }
}

/// Without an identity path there is no limit, and that is said.
#[test]
fn repetitions_without_a_residual_stream_are_named() {
    for (block, reason) in [
        ("x = relu(linear(x, n))", "is not passed on by a sum"),
        ("x = layer_norm(x + mlp(x, n))", "is normalized after the sum"),
        ("x = standardize(x + mlp(x, n))", "is normalized after the sum"),
    ] {
        let network = residual(block);
        let calculus = Calculus::deep(&network.graph);
        let said = remarks(&calculus, Rational::ONE);
        assert!(said.len() == 1 && said[0].contains(reason), "{block}: {said:?}");
        let found = parameterize(&calculus, Named::CompleteP, Optimizer::Adam).unwrap();
        assert!(found.abc.branches.is_empty());
        assert!(found.abc.params.iter().all(|own| own.learning_rate.exponent(L).is_zero()));
    }
}

/// A multiplier with a power of L that the spec writes itself is kept and judged.
#[test]
fn written_multipliers_are_respected() {
    for (factor, verdict) in [
        ("1/L", Verdict::FeatureLearning),
        ("L^(-1/2)", Verdict::FeatureLearning),
        ("L^(-1/4)", Verdict::UnstableAtInit),
    ] {
        let network = residual(&format!("x += {factor} * mlp(layer_norm(x), n)"));
        let calculus = Calculus::deep(&network.graph);
        let found = parameterize(&calculus, Named::CompleteP, Optimizer::Adam).unwrap();
        assert!(found.abc.branches.is_empty(), "{factor}");
        let class = classify(&calculus, &analyze(&calculus, found.abc.clone(), Optimizer::Adam));
        assert_eq!(class.verdict, verdict, "{factor}: {:?}", class.problems);
    }
}

/// What all blocks of a decoder read from an encoder gets gradients from all of them: under CompleteP they add up to what one reader without
/// multiplier would give, and the encoder's rates are those of the decoder.
#[test]
fn a_tensor_that_every_repetition_reads() {
    let network = network(&spec("t5-small"));
    let calculus = Calculus::deep(&network.graph);
    for (optimizer, rate) in [(Optimizer::Sgd, "L"), (Optimizer::Adam, "n^-1"), (Optimizer::Muon, "1")] {
        let found = parameterize(&calculus, Named::CompleteP, optimizer).unwrap();
        for path in ["encoder.mlp.up.weight", "decoder.mlp.up.weight", "decoder.cross.key.weight"] {
            assert_eq!(text(&network, &scaling(&network, &found, path)[0]), rate, "{path} {optimizer}");
        }
        let class = classify(&calculus, &analyze(&calculus, found.abc.clone(), optimizer));
        assert_eq!(class.verdict, Verdict::FeatureLearning, "{optimizer}: {:?}", class.problems);
    }
}

/// A factor that vanishes only at initialization and then follows the stream (a narrow key, a code of the input) is 1 in training: what it
/// multiplies may move as little as everything else in the block. A factor of zeros grows by its own steps only, to L^(alpha - 1).
#[test]
fn factors_that_vanish_at_the_start() {
    for (init, rates) in [("", ["n^-1 L^-1/2", "1"]), (" = 0", ["n^-1", "L"])] {
        let network = residual(&format!(
            "z = layer_norm(x)  param wide[n, 3, n], narrow[3, n]{init}
             q[i, k] = wide[i, k, j] * z[j]  c[k] = narrow[k, j] * z[j]
             y[i] = q[i, k] * c[k]  x += y"
        ));
        let calculus = Calculus::deep(&network.graph);
        for (optimizer, rate) in [Optimizer::Adam, Optimizer::Sgd].into_iter().zip(rates) {
            let found = parameterize(&calculus, Named::DepthMup, optimizer).unwrap();
            assert_eq!(
                text(&network, &scaling(&network, &found, "block.wide")[0]),
                rate,
                "{init} {optimizer}"
            );
            let class = classify(&calculus, &analyze(&calculus, found.abc.clone(), optimizer));
            assert_eq!(class.verdict, Verdict::FeatureLearning, "{init} {optimizer}: {:?}", class.problems);
        }
    }
}

/// Under a smaller multiplier than CompleteP's the readers' initial weights pass back L^(1/2 - alpha), and their changes L^(1 - alpha)
/// times L^(alpha - 1): the encoder trains like the decoder at every alpha.
#[test]
fn a_tensor_that_every_repetition_reads_at_any_alpha() {
    let network = network(&spec("t5-small"));
    let calculus = Calculus::deep(&network.graph);
    for alpha in quarters(2..=4) {
        let found = parameterize(&calculus, scheme(alpha), Optimizer::Sgd).unwrap();
        let rate = |path: &str| scaling(&network, &found, path)[0].clone();
        for tail in ["norm_1.gain", "attention.query.weight", "mlp.up.weight"] {
            assert_eq!(rate(&format!("encoder.{tail}")), rate(&format!("decoder.{tail}")), "{alpha} {tail}");
        }
        assert_eq!(text(&network, &rate("wte")), "n", "{alpha}");
    }
}
