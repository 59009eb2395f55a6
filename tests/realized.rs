//! The realized reading: what an experiment sees at every step, against the bound, under gauge shifts, in unrolled repetitions, and by hand.

mod common;

use std::rc::Rc;

use common::analyzed::{Analyzed, analyzed, calculus, spec, specs, try_analyzed};
use common::{mlp, power};
use mupc::abc::{Abc, ParamScaling};
use mupc::dim::{Monomial, Symbol};
use mupc::graph::{Func, NodeId, Op};
use mupc::optimizer::Optimizer;
use mupc::parameterization::Named;
use mupc::rational::Rational;
use mupc::size::Size;
use mupc::size::analysis::{Calculus, analyze};
use mupc::size::elementwise::{slope, slope_change, value};
use mupc::size::realized::reason::{Reason, Subject, excuses};
use mupc::size::realized::{Moment, Realized, Regime, realize};
use proptest::prelude::*;

const OPTIMIZERS: [Optimizer; 2] = [Optimizer::Sgd, Optimizer::Adam];

fn realized(found: &Analyzed, steps: usize) -> Realized {
    realize(found.calculus, found.table.abc.clone(), found.table.plan.clone(), steps, Regime::Finite)
}

/// A size at the last node of a name after a step.
fn at(found: &Analyzed, step: usize, name: &str, of: impl Fn(&Moment) -> &Vec<Size>) -> String {
    let realized = realized(found, step);
    found.size(&of(&realized.steps[step - 1])[found.last(name).index()])
}

fn moved(found: &Analyzed, step: usize, param: &str) -> String {
    found.size(&realized(found, step).steps[step - 1].moved[found.id(param).index()])
}

fn grows(moment: &Moment) -> [&Vec<Size>; 6] {
    let Moment { change, gradient_change, update, propagation, moved, .. } = moment;
    [change, gradient_change, update, propagation, moved, &moment.work]
}

#[test]
fn every_spec_has_realized_sizes_that_never_shrink() {
    let mut met = 0;
    for (name, text) in specs() {
        let calculus = calculus(&text);
        for named in [Named::Sp, Named::Ntk, Named::Mup] {
            for optimizer in OPTIMIZERS {
                let Ok(found) = try_analyzed(&calculus, named, optimizer) else { continue };
                let realized = realized(&found, 3);
                met += 1;
                for pair in realized.steps.windows(2) {
                    for (before, after) in grows(&pair[0]).into_iter().zip(grows(&pair[1])).take(5) {
                        assert!(before.iter().zip(after).all(|(a, b)| a <= b), "{name} {named} {optimizer}");
                    }
                }
            }
        }
    }
    assert!(met > 200, "{met}");
}

/// Where the recursion settled and the logits keep their bound, nothing that is realized exceeds it.
#[test]
fn realized_sizes_keep_the_bound() {
    let mut met = 0;
    for (name, text) in specs() {
        let calculus = calculus(&text);
        for named in [Named::Sp, Named::Ntk, Named::Mup] {
            for optimizer in OPTIMIZERS {
                let Ok(found) = try_analyzed(&calculus, named, optimizer) else { continue };
                let out = |id: &NodeId| found.sizes.change[id.index()].grows();
                if !found.sizes.settled || calculus.graph().outputs.iter().any(out) {
                    continue;
                }
                met += 1;
                keeps_the_bound(&found, &format!("{name} {named} {optimizer}"));
            }
        }
    }
    assert!(met > 80, "{met}");
}

fn keeps_the_bound(found: &Analyzed, what: &str) {
    let (realized, sizes) = (realized(found, 4), &found.sizes);
    for id in found.calculus.graph().ids().filter(|id| found.calculus.before_loss[id.index()]) {
        let place = id.index();
        let label = found.calculus.label(id);
        assert!(realized.fresh[place] <= sizes.gradient[place], "{what}: G0({label})");
        for (step, moment) in realized.steps.iter().enumerate() {
            let pairs = [(&moment.change, &sizes.change), (&moment.gradient_change, &sizes.gradient)];
            for (kind, (own, bound)) in pairs.into_iter().enumerate() {
                let (own, bound) = (&own[place], &bound[place]);
                let shown = || (found.size(own), found.size(bound));
                assert!(own <= bound, "{what}: {kind} of {label} at {}: {:?}", step + 1, shown());
            }
        }
    }
}

/// Under muP a plain network attains its bounds within a few steps.
#[test]
fn perceptrons_attain_their_bounds() {
    for name in ["mlp", "tp5-mlp"] {
        let calculus = calculus(&spec(name));
        for optimizer in OPTIMIZERS {
            let found = analyzed(&calculus, Named::Mup, optimizer);
            let last = realized(&found, 3).steps.pop().unwrap();
            for id in calculus.graph().ids().filter(|id| calculus.before_loss[id.index()]) {
                let at = id.index();
                assert_eq!(
                    last.change[at],
                    found.sizes.change[at],
                    "{name} {optimizer} {}",
                    calculus.label(id)
                );
            }
            assert_eq!(last.moved, found.sizes.steps);
        }
    }
}

/// The first step of an unstable network, by hand: gradient descent at a constant rate moves the second layer by G n = n^1/2 (TP-IV),
/// and the readout by n on a tensor that has become n^1/2.
#[test]
fn standard_networks_explode_as_by_hand() {
    let calculus = calculus(&spec("mlp"));
    let found = analyzed(&calculus, Named::Sp, Optimizer::Sgd);
    assert_eq!(at(&found, 1, "fc1.y", |moment| &moment.change), "n^-1/2");
    assert_eq!(at(&found, 1, "fc2.y", |moment| &moment.change), "n^1/2");
    assert_eq!(at(&found, 1, "readout.y", |moment| &moment.update), "n^3/2");
    assert_eq!(at(&found, 1, "readout.y", |moment| &moment.propagation), "n");
    let found = analyzed(&calculus, Named::Sp, Optimizer::Adam);
    assert_eq!(at(&found, 1, "fc2.y", |moment| &moment.change), "n");
    assert_eq!(at(&found, 1, "readout.y", |moment| &moment.change), "n^2");
}

/// Lazy by n^-1/2. Where a unit changes its sign its slope jumps: a share n^-1/2 of them does, which is n^-1/4 in the mean of squares.
#[test]
fn kernel_networks_are_lazy_and_kinks_show() {
    let lazy = Size::Power(monomial(2));
    let turned = |func, many| slope_change(func, &Size::one(), &lazy, many);
    assert_eq!(turned(Func::Relu, true), Size::Power(monomial(1)));
    assert_eq!([turned(Func::Relu, false), turned(Func::Gelu, true)], [lazy.clone(), lazy.clone()]);
    let text = "scale n = 64 input x[4] target y[1] param w[n, n]
                z = relu(linear(x, n) as first) k[o] = w[o, i] * z[i] loss mse(readout(relu(k), 1), y)";
    let calculus = calculus(text);
    let found = analyzed(&calculus, Named::Ntk, Optimizer::Sgd);
    assert_eq!(at(&found, 1, "k", |moment| &moment.change), "n^-1/2");
    assert_eq!(at(&found, 1, "k", |moment| &moment.propagation), "n^-1/2");
    assert_eq!(at(&found, 1, "readout.y", |moment| &moment.change), "1");
    let realized = realized(&found, 1);
    let k = found.last("k");
    let least = excuses(&calculus, &realized).of(Subject::GradientChange(k), 1);
    assert!(matches!(&least, Some(Reason::Mixture { low, .. }) if found.size(low) == "n^-1"), "{least:?}");
}

/// Signs: the layer before them never moves, and they answer by a root. Under NTK they can afford n^-1/2, so that what they read may move by n^-1.
#[test]
fn signs_jump_and_let_no_gradient_through() {
    let calculus = calculus(&spec("signs"));
    for (named, jump) in [(Named::Mup, "1"), (Named::Ntk, "n^-1/2")] {
        for optimizer in OPTIMIZERS {
            let found = analyzed(&calculus, named, optimizer);
            assert_eq!(moved(&found, 3, "second.weight"), "0", "{named} {optimizer}");
            let sign = calculus.graph().ids().find(|id| calculus.graph().node(*id).op == Op::Map(Func::Sign));
            let realized = realized(&found, 1);
            let change = &realized.steps[0].change[sign.unwrap().index()];
            assert_eq!(found.size(change), jump, "{named} {optimizer}");
        }
    }
    assert_eq!(slope(Func::Sign, &Size::one()), Size::Zero);
    assert_eq!(value(Func::Sign, &Size::Power(monomial(2))), Size::one());
}

/// A bottleneck under SGD: the code vanishes at first, and so do the gradients of what is above it.
#[test]
fn a_bottleneck_starts_at_a_saddle() {
    let calculus = calculus(&spec("bottleneck"));
    let found = analyzed(&calculus, Named::Mup, Optimizer::Sgd);
    assert_eq!(found.initial("squeeze.y"), "n^-1/2");
    let realized = realized(&found, 3);
    let squeeze = found.id("squeeze.weight");
    let sizes = [0, 2].map(|step: usize| found.size(&realized.steps[step].moved[squeeze.index()]));
    assert_eq!(sizes, ["n^-3/2", "n^-3/2"]);
    assert_eq!(found.size(&found.sizes.steps[squeeze.index()]), "n^-1");
}

/// Query and key under SGD: their gradients come through a softmax whose values are still independent of everything.
#[test]
fn query_and_key_start_lazily_under_gradient_descent() {
    let calculus = calculus(&spec("attention-growing-head"));
    let found = analyzed(&calculus, Named::Mup, Optimizer::Sgd);
    assert_eq!([moved(&found, 1, "query"), moved(&found, 2, "query")], ["n^-3/2", "n^-1"]);
    assert_eq!(at(&found, 1, "s", |moment| &moment.change), "n^-1/2");
    assert_eq!(at(&found, 2, "s", |moment| &moment.change), "1");
}

/// A router is fed by a stream whose gradient mostly comes from elsewhere: its initial weights answer to little of the stream's change.
#[test]
fn a_router_answers_to_little() {
    let calculus = calculus(&spec("moe-dense"));
    let found = analyzed(&calculus, Named::Mup, Optimizer::Adam);
    assert_eq!(at(&found, 1, "moe.score", |moment| &moment.propagation), "n^-1/2");
    assert_eq!(at(&found, 1, "moe.score", |moment| &moment.update), "1");
    assert_eq!(at(&found, 1, "readout.y", |moment| &moment.propagation), "1");
    let realized = realized(&found, 3);
    let excuses = excuses(&calculus, &realized);
    assert_eq!(excuses.of(Subject::GradientChange(found.last("moe.score")), 1), Some(Reason::Symmetry));
    assert_eq!(excuses.of(Subject::Moved(found.id("moe.router")), 3), Some(Reason::Symmetry));
    assert_eq!(excuses.of(Subject::Moved(found.id("moe.up")), 3), None);
    assert_eq!(excuses.of(Subject::Change(found.last("readout.y")), 3), None);
}

/// What starts at zero: low-rank adaptation moves `up` first, and `down` only through it.
#[test]
fn weights_behind_zeros_wait_a_step() {
    let calculus = calculus(&spec("lora"));
    for optimizer in OPTIMIZERS {
        let found = analyzed(&calculus, Named::Mup, optimizer);
        let realized = realized(&found, 2);
        for (id, param) in calculus.graph().param_ids().filter(|(_, param)| param.path.ends_with("down")) {
            assert!(realized.steps[0].moved[id.index()].is_zero(), "{}", param.path);
            assert!(!realized.steps[1].moved[id.index()].is_zero(), "{}", param.path);
            let reason = excuses(&calculus, &realized).of(Subject::Moved(id), 2);
            assert!(!matches!(reason, Some(Reason::Symmetry | Reason::Explosion)), "{reason:?}");
        }
    }
}

/// A repetition of finite length and the same written out.
#[test]
fn unrolled_repetitions_have_the_same_sizes() {
    let head = "scale n = 64 input image[9] target y[2] x = linear(image, n) as first ";
    let tail = " logits = readout(x, 2) loss mse(logits, y)";
    for body in [
        "x += relu(linear(x, n) as a)",
        "x = tanh(affine(x, n) as a)",
        "x += mlp(rms_norm(x) as r, 2*n) as a",
    ] {
        let blocks: String = (0..3)
            .map(|i| body.replace("as a", &format!("as a{i}")).replace("as r", &format!("as r{i}")) + "\n")
            .collect();
        let (rolled, flat) = (
            calculus(&format!("{head} repeat 3 as block {{ {body} }} {tail}")),
            calculus(&format!("{head}\n{blocks}\n{tail}")),
        );
        for named in [Named::Sp, Named::Ntk, Named::Mup] {
            for optimizer in OPTIMIZERS {
                let (one, other) = (analyzed(&rolled, named, optimizer), analyzed(&flat, named, optimizer));
                // Where sizes explode, every layer has its own; a repetition shows the largest.
                for step in if named == Named::Sp { 1..=1 } else { 1..=3 } {
                    let sizes = |found: &Analyzed| {
                        ["change", "gradient", "update", "propagation"].map(|what| {
                            at(found, step, "readout.y", |moment| match what {
                                "change" => &moment.change,
                                "gradient" => &moment.gradient_change,
                                "update" => &moment.update,
                                _ => &moment.propagation,
                            })
                        })
                    };
                    assert_eq!(sizes(&one), sizes(&other), "{body} {named} {optimizer} step {step}");
                }
            }
        }
    }
}

/// Residual blocks under growing depth: what L blocks learn adds up, and the depth parameterization holds it.
#[test]
fn depth_is_held_by_its_parameterization() {
    let text = "scale n = 256, L = 8 input image[16] target label in 10 x = linear(image, n)
                repeat L as block { x += mlp(x, 4*n) } loss cross_entropy(readout(x, 10), label)";
    let network = mupc::compile(text).unwrap();
    let deep = Calculus::deep(&network.graph);
    let finite = Calculus::new(&network.graph);
    let plain = mupc::parameterization::parameterize(&finite, Named::Mup, Optimizer::Adam).unwrap();
    let held = mupc::parameterization::parameterize(&deep, Named::CompleteP, Optimizer::Adam).unwrap();
    let largest = |found: &mupc::parameterization::Parameterization| {
        let realized = realize(&deep, found.abc.clone(), found.plan.clone(), 3, Regime::Finite);
        let nodes = network.graph.ids().filter(|id| deep.before_loss[id.index()]);
        let carried = nodes.filter(|id| deep.repetitions.streams.on_path[id.index()]);
        carried.map(|id| realized.steps[2].change[id.index()].clone()).max().unwrap()
    };
    assert_eq!(largest(&held), Size::one());
    assert!(largest(&plain) > Size::one());
    assert!(!plain.abc.params.is_empty());
}

fn exponents() -> impl Strategy<Value = Vec<[i64; 3]>> {
    prop::collection::vec([-2i64..=4, -2i64..=4, -4i64..=6], 4)
}

fn monomial(quarters: i64) -> Monomial {
    power(Rational::new(-quarters, 4).unwrap())
}

proptest! {
    /// A gauge shift changes neither function nor sizes, at any exponents.
    #[test]
    fn gauge_shifts_change_nothing(all in exponents(), shifts in prop::collection::vec(-6i64..=6, 4), adam: bool) {
        let graph = mlp(3, Func::Relu);
        let calculus = Calculus::new(&graph);
        let optimizer = if adam { Optimizer::Adam } else { Optimizer::Sgd };
        let scaling = |[a, b, c]: &[i64; 3]| ParamScaling {
            multiplier: monomial(*a), init_std: monomial(*b), learning_rate: monomial(*c),
        };
        let abc = Abc { params: all.iter().map(scaling).collect(), ..Abc::default() };
        let first = realize(&calculus, abc.clone(), optimizer, 3, Regime::Finite);
        let mut shifted = abc;
        for ((own, law), by) in shifted.params.iter_mut().zip(&first.laws).zip(&shifts) {
            *own = own.shift(&monomial(*by), law).unwrap();
        }
        let second = realize(&calculus, shifted, optimizer, 3, Regime::Finite);
        prop_assert_eq!(first.initial, second.initial);
        prop_assert_eq!(first.fresh, second.fresh);
        prop_assert_eq!(first.steps, second.steps);
    }

    /// Realized sizes keep the bound wherever it settled, at any exponents.
    #[test]
    fn realized_keeps_the_bound(all in exponents(), adam: bool) {
        let graph = mlp(3, Func::Tanh);
        let calculus = Calculus::new(&graph);
        let optimizer = if adam { Optimizer::Adam } else { Optimizer::Sgd };
        let scaling = |[a, b, c]: &[i64; 3]| ParamScaling {
            multiplier: monomial(*a), init_std: monomial(*b), learning_rate: monomial(*c),
        };
        let abc = Rc::new(Abc { params: all.iter().map(scaling).collect(), ..Abc::default() });
        let sizes = analyze(&calculus, abc.clone(), optimizer);
        let outputs = &calculus.graph().outputs;
        prop_assume!(sizes.settled && outputs.iter().all(|id| !sizes.change[id.index()].grows()));
        for moment in realize(&calculus, abc, optimizer, 4, Regime::Finite).steps {
            for id in calculus.graph().ids().filter(|id| calculus.before_loss[id.index()]) {
                prop_assert!(moment.change[id.index()] <= sizes.change[id.index()]);
                prop_assert!(moment.gradient_change[id.index()] <= sizes.gradient[id.index()]);
            }
        }
    }
}

#[test]
fn powers_of_the_first_symbol_are_what_tests_compare() {
    assert_eq!(monomial(2).exponent(Symbol(0)), Rational::new(-1, 2).unwrap());
}
