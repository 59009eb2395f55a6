//! Gauge invariance: a factor moved from initialization to multiplier, with the learning rate corrected, changes nothing that can be
//! seen. Every spec, every named parameterization, every optimizer, random shifts.

mod common;

use std::rc::Rc;

use common::analyzed::{Analyzed, analyzed, calculus, classified, specs, try_analyzed};
use mupc::abc::Abc;
use mupc::dim::{Monomial, Symbol};
use mupc::graph::Init;
use mupc::optimizer::Optimizer;
use mupc::optimizer::step::ambiguous;
use mupc::parameterization::{Form, Named, Parameterization};
use mupc::rational::Rational;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// A random power of every scale symbol, in quarters.
fn monomial(symbols: usize, rng: &mut TestRng) -> Monomial {
    let power = |rng: &mut TestRng| Rational::new(i64::from(rng.next_u32() % 17) - 8, 4).unwrap();
    (0..symbols as u16).map(|symbol| (Symbol(symbol), power(rng))).collect()
}

/// A random factor moved through every parameter that starts random.
fn shifted(found: &Analyzed, rng: &mut TestRng) -> Abc {
    let graph = found.calculus.graph();
    let mut abc = found.table.abc.as_ref().clone();
    for (id, param) in graph.param_ids().filter(|(_, param)| param.init == Init::Random) {
        let factor = monomial(graph.scales.len(), rng);
        let own = &mut abc.params[id.index()];
        *own = own.shift(&factor, &found.table.laws[id.index()]).unwrap_or_else(|| panic!("{}", param.path));
    }
    abc
}

fn assert_same(one: &Analyzed, other: &Analyzed, what: &str) {
    assert_eq!(one.sizes.initial, other.sizes.initial, "initial, {what}");
    assert_eq!(one.sizes.change, other.sizes.change, "change, {what}");
    assert_eq!(one.sizes.fresh, other.sizes.fresh, "fresh gradient, {what}");
    assert_eq!(one.sizes.gradient, other.sizes.gradient, "gradient, {what}");
    assert_eq!(one.sizes.steps, other.sizes.steps, "steps, {what}");
    assert_eq!(one.class.verdict, other.class.verdict, "verdict, {what}");
    assert_eq!(one.class.problems, other.class.problems, "problems, {what}");
    assert_eq!(one.class.params, other.class.params, "movement, {what}");
}

/// Every spec under every named parameterization and optimizer.
fn everything(mut check: impl FnMut(&Analyzed, &str)) -> usize {
    let mut count = 0;
    for (name, text) in specs() {
        let calculus = calculus(&text);
        for named in Named::ALL {
            for optimizer in Optimizer::ALL {
                if ambiguous(&calculus.shaped, &optimizer.into()).is_some() {
                    continue;
                }
                // Under NTK a router in a repetition amplifies changes in every one: no rate is stable, and that is the answer.
                let Ok(found) = try_analyzed(&calculus, named, optimizer) else {
                    assert!(
                        ["mixtral-8x7b", "deepseek-mla", "mamba-130m"].contains(&name.as_str()),
                        "{name} {named} {optimizer}"
                    );
                    assert_eq!(named, Named::Ntk);
                    continue;
                };
                check(&found, &format!("{name} {named} {optimizer}"));
                count += 1;
            }
        }
    }
    count
}

#[test]
fn random_shifts_change_nothing() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let shifts = 5;
    let count = everything(|found, what| {
        for _ in 0..shifts {
            let abc = shifted(found, &mut rng);
            assert!(found.table.abc.same_as(&abc, &found.table.laws), "{what}");
            let table = Parameterization { abc: Rc::new(abc), ..found.table.clone() };
            assert_same(found, &classified(found.calculus, table), what);
        }
    });
    assert!(count * shifts >= 1000, "{count}");
}

/// A shift with the wrong correction is not the same, and is seen.
#[test]
fn shifts_of_another_optimizer_are_seen() {
    let calculus = calculus(&common::analyzed::spec("tp5-mlp"));
    let found = analyzed(&calculus, Named::Mup, Optimizer::Sgd);
    let mut abc = found.table.abc.as_ref().clone();
    let factor = common::analyzed::power((-1, 2));
    abc.params[0] = abc.params[0].shift(&factor, &calculus.laws(&Optimizer::Adam.into())[0]).unwrap();
    assert!(!found.table.abc.same_as(&abc, &found.table.laws));
    let table = Parameterization { abc: Rc::new(abc), ..found.table.clone() };
    assert_ne!(classified(&calculus, table).sizes.change, found.sizes.change);
}

#[test]
fn forms_change_nothing() {
    everything(|found, what| {
        for form in Form::ALL {
            let table = form.apply(found.calculus, &found.table);
            assert!(found.table.abc.same_as(&table.abc, &found.table.laws), "{what} {form}");
            let again = form.apply(found.calculus, &table);
            assert_eq!(again, table, "{what} {form} twice");
            assert_same(found, &classified(found.calculus, table), &format!("{what} {form}"));
        }
    });
}

/// eps is compared with the gradient of the trained tensor, so it shifts with it; what a form says must be what is derived afresh.
#[test]
fn forms_carry_eps_and_decay_along() {
    everything(|found, what| {
        for form in Form::ALL {
            let table = form.apply(found.calculus, &found.table);
            let fresh = mupc::parameterization::rates::entry_gradients(
                found.calculus,
                &table.abc,
                &found.table.laws,
                &mupc::parameterization::rates::Budget::new(found.calculus, &table.abc).unwrap(),
            );
            for (id, param) in found.calculus.graph().param_ids() {
                let (at, rate) = (id.index(), &table.abc.params[id.index()].learning_rate);
                if let Some(epsilon) = &table.epsilon[at] {
                    let init = &table.abc.params[at].init_std;
                    let again = fresh[at].power().and_then(|own| found.table.laws[at].epsilon(own, init));
                    assert_eq!(Some(epsilon), again.as_ref(), "eps of {} in {what} {form}", param.path);
                }
                if let Some(decay) = &table.weight_decay[at] {
                    assert!(decay.mul(rate).unwrap().is_one(), "decay of {} in {what} {form}", param.path);
                }
            }
        }
    });
}
