//! The two classification theorems, at random rational exponents: TP-IV Definition 3.2 and Theorems 3.3-3.8 for gradient descent,
//! TP-IVb section 2.8 for entrywise-normalized optimizers. The formulas below are the papers'; the analyzer knows none of them.

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use common::{mlp, power};
use mupc::abc::{Abc, ParamScaling};
use mupc::graph::Func;
use mupc::optimizer::Optimizer;
use mupc::parameterization::verdict::{Classification, Movement, Verdict, classify};
use mupc::rational::Rational;
use mupc::size::analysis::{Calculus, analyze};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const CASES: u32 = 12_000;

/// Exponents in quarters, so that sums stay comparable exactly.
type Quarter = i64;

#[derive(Clone, Debug)]
struct Case {
    a: Vec<Quarter>,
    b: Vec<Quarter>,
    c: Vec<Quarter>,
    func: Func,
}

fn exponent(quarters: Quarter) -> Rational {
    Rational::new(quarters, 4).unwrap()
}

fn abc(case: &Case) -> Abc {
    let layer = |l: usize| ParamScaling {
        multiplier: power(exponent(-case.a[l])),
        init_std: power(exponent(-case.b[l])),
        learning_rate: power(exponent(-case.c[l])),
    };
    Abc { params: (0..case.a.len()).map(layer).collect(), ..Abc::default() }
}

fn run(case: &Case, optimizer: Optimizer) -> Classification {
    let graph = mlp(case.a.len() - 1, case.func);
    let calculus = Calculus::new(&graph);
    classify(&calculus, &analyze(&calculus, Rc::new(abc(case)), optimizer))
}

/// What the theorems say, in quarters.
struct Theorem {
    stable: bool,
    nontrivial: bool,
    r: Quarter,
    maximal: Vec<bool>,
    readout_initialized_maximally: bool,
}

fn starts_well(case: &Case) -> bool {
    let last = case.a.len() - 1;
    let hidden = (1..last).all(|l| case.a[l] + case.b[l] == 2);
    case.a[0] + case.b[0] == 0 && hidden && case.a[last] + case.b[last] >= 2
}

/// TP-IV, with one learning-rate exponent per layer (one for all is a special case).
fn gradient_descent(case: &Case) -> Theorem {
    let o = case.a.len() - 1;
    let back = (case.a[o] + case.b[o]).min(2 * case.a[o] + case.c[o]);
    let layer = |l: usize| back + case.c[l] - 4 + 2 * case.a[l] + if l == 0 { 4 } else { 0 };
    let r = (0..o).map(layer).min().unwrap();
    let (moves, starts) = (2 * case.a[o] + case.c[o], case.a[o] + case.b[o] + r);
    Theorem {
        stable: starts_well(case) && r >= 0 && moves >= 4 && starts >= 4,
        nontrivial: moves == 4 || starts == 4,
        r,
        maximal: (0..o).map(|l| layer(l) == 0).chain([moves == 4]).collect(),
        readout_initialized_maximally: starts == 4,
    }
}

/// TP-IVb.
fn entrywise(case: &Case) -> Theorem {
    let o = case.a.len() - 1;
    let layer = |l: usize| case.c[l] + case.a[l] - if l == 0 { 0 } else { 4 };
    let r = (0..o).map(layer).min().unwrap();
    let (moves, starts) = (case.a[o] + case.c[o], case.a[o] + case.b[o] + r);
    Theorem {
        stable: starts_well(case) && r >= 0 && moves >= 4 && starts >= 4,
        nontrivial: moves == 4 || starts == 4,
        r,
        maximal: (0..o).map(|l| layer(l) == 0).chain([moves == 4]).collect(),
        readout_initialized_maximally: starts == 4,
    }
}

/// Exponents near the surface where things are stable, so that every verdict is met often.
fn cases(one_rate: bool) -> impl Strategy<Value = Case> {
    let noise = || prop_oneof![6 => Just(0i64), 1 => -3i64..=3];
    let layers = (1usize..=6).prop_flat_map(move |hidden| {
        let count = hidden + 1;
        let vector = |strategy: BoxedStrategy<i64>| prop::collection::vec(strategy, count);
        let func = prop::sample::select(vec![Func::Tanh, Func::Relu, Func::Gelu, Func::Erf]);
        (
            vector((-4i64..=4).boxed()),
            vector(noise().boxed()),
            vector(noise().boxed()),
            -4i64..=8,
            0i64..=4,
            func,
        )
    });
    let plain = (1usize..=6).prop_flat_map(|hidden| {
        let vector = || prop::collection::vec(-8i64..=8, hidden + 1);
        (vector(), vector(), vector(), Just(Func::Tanh))
    });
    let near = layers.prop_map(move |(a, init, rate, level, readout, func)| {
        let last = a.len() - 1;
        let base = |l: usize| {
            if l == 0 {
                0
            } else if l < last {
                2
            } else {
                2 + readout.min(2)
            }
        };
        let b = (0..=last).map(|l| base(l) + init[l] - a[l]).collect();
        let c = (0..=last)
            .map(|l| if one_rate { level } else { level_rate(l, last, a[l], level) + rate[l] })
            .collect();
        Case { a, b, c, func }
    });
    // One rate for all: multipliers near those under which that rate is just stable, for features or for the kernel.
    let shared = (1usize..=6).prop_flat_map(move |hidden| {
        let vector = || prop::collection::vec(prop_oneof![8 => Just(0i64), 1 => -2i64..=2], hidden + 1);
        (vector(), vector(), -2i64..=4, prop::bool::ANY, prop::bool::ANY)
    });
    let shared = shared.prop_map(|(noise, init, level, feature, maximal)| {
        let (last, c) = (noise.len() - 1, 2 * level);
        let back = if feature { 4 } else { 2 };
        let base =
            |l: usize| if l == last { (4 - c) / 2 } else { (4 - back - c - if l == 0 { 4 } else { 0 }) / 2 };
        let a: Vec<_> = (0..=last).map(|l| base(l) + noise[l].max(if maximal { 0 } else { -2 })).collect();
        let total = |l: usize| {
            if l == 0 {
                0
            } else if l < last {
                2
            } else {
                back
            }
        };
        let b = (0..=last).map(|l| total(l) - a[l] + init[l] / 2).collect();
        Case { a, b, c: vec![c; last + 1], func: Func::Tanh }
    });
    let wild = plain.prop_map(move |(a, b, mut c, func)| {
        if one_rate {
            c = vec![c[0]; c.len()];
        }
        Case { a, b, c, func }
    });
    match one_rate {
        true => prop_oneof![6 => shared, 6 => near, 1 => wild].boxed(),
        false => prop_oneof![12 => near, 1 => wild].boxed(),
    }
}

/// A rate near the largest stable one for one of the two optimizers.
fn level_rate(l: usize, last: usize, a: Quarter, level: Quarter) -> Quarter {
    let entrywise = if l == 0 { -a } else { 4 - a };
    let descent = if l == 0 {
        -2 * a - 4
    } else if l < last {
        -2 * a
    } else {
        4 - 2 * a
    };
    if level % 2 == 0 { entrywise + (level / 2).max(0) % 2 } else { descent + (level > 4) as i64 }
}

/// Compares the analyzer with a theorem on every case, and counts how often each verdict was met.
fn compare(
    optimizer: Optimizer,
    strategy: impl Strategy<Value = Case>,
    theorem: fn(&Case) -> Theorem,
) -> BTreeMap<Verdict, u32> {
    let counts = RefCell::new(BTreeMap::new());
    let mut runner = TestRunner::new_with_rng(
        Config { cases: CASES, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let result = runner.run(&strategy, |case| {
        let (found, says) = (run(&case, optimizer), theorem(&case));
        *counts.borrow_mut().entry(found.verdict).or_insert(0) += 1;
        prop_assert_eq!(found.is_stable(), says.stable, "stable; verdict {}", found.verdict);
        if !says.stable {
            return Ok(());
        }
        prop_assert_eq!(found.is_nontrivial(), says.nontrivial, "nontrivial");
        prop_assert_eq!(found.feature_change.clone(), (&power(exponent(-says.r))).into(), "r");
        for (param, maximal) in found.params.iter().zip(&says.maximal) {
            prop_assert_eq!(param.movement == Movement::Maximal, *maximal, "movement of {:?}", param.param);
        }
        let readout = found.params.last().unwrap().propagation.clone().unwrap();
        prop_assert_eq!(readout.is_one(), says.readout_initialized_maximally, "readout");
        if says.nontrivial {
            let expected = if says.r == 0 { Verdict::FeatureLearning } else { Verdict::Kernel };
            prop_assert_eq!(found.verdict, expected);
        }
        Ok(())
    });
    result.unwrap();
    counts.into_inner()
}

/// Enough of every kind, so that agreement means something.
fn assert_varied(counts: &BTreeMap<Verdict, u32>) {
    eprintln!("verdicts met: {counts:?}");
    let met = |verdict| counts.get(&verdict).copied().unwrap_or(0);
    assert!(met(Verdict::FeatureLearning) >= 200, "{counts:?}");
    assert!(met(Verdict::Kernel) >= 200, "{counts:?}");
    assert!(met(Verdict::Trivial) >= 200, "{counts:?}");
    assert!(met(Verdict::UnstableInTraining) + met(Verdict::ControlledDivergence) >= 500, "{counts:?}");
    assert!(met(Verdict::UnstableAtInit) >= 500, "{counts:?}");
}

#[test]
fn gradient_descent_with_one_rate_is_tp_iv() {
    assert_varied(&compare(Optimizer::Sgd, cases(true), gradient_descent));
}

#[test]
fn gradient_descent_with_a_rate_per_layer_is_tp_iv() {
    assert_varied(&compare(Optimizer::Sgd, cases(false), gradient_descent));
}

#[test]
fn entrywise_steps_are_tp_iv_b() {
    assert_varied(&compare(Optimizer::Adam, cases(false), entrywise));
}
