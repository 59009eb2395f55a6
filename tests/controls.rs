//! Negative controls: one rule of a maximal-update parameterization is broken at a time. The verdict must change, or a parameter cease
//! to be maximal, and the culprit must be named.

mod common;

use common::analyzed::{Analyzed, analyzed, calculus, classified, power, spec};
use mupc::abc::Abc;
use mupc::optimizer::Optimizer;
use mupc::parameterization::verdict::{Movement, Verdict};
use mupc::parameterization::{Named, Parameterization};
use mupc::size::analysis::Calculus;

/// What is broken.
enum Broken {
    /// A parameter's initialization, by a power of n.
    Init(&'static str, (i64, i64)),
    /// A parameter's learning rate.
    Rate(&'static str, (i64, i64)),
    /// The multiplier in front of a tensor.
    Multiplier(&'static str, (i64, i64)),
}

fn broken(calculus: &Calculus<'static>, optimizer: Optimizer, rule: &Broken) -> Parameterization {
    let found = analyzed(calculus, Named::Mup, optimizer);
    assert_eq!(found.class.verdict, Verdict::FeatureLearning);
    assert!(found.class.is_maximal());
    let mut abc: Abc = found.table.abc.as_ref().clone();
    match rule {
        Broken::Init(path, by) => {
            let own = &mut abc.params[found.id(path).index()].init_std;
            *own = own.mul(&power(*by)).unwrap();
        }
        Broken::Rate(path, by) => {
            let own = &mut abc.params[found.id(path).index()].learning_rate;
            *own = own.mul(&power(*by)).unwrap();
        }
        Broken::Multiplier(tensor, by) => {
            let own = abc.contractions.entry(found.last(tensor)).or_default();
            *own = own.mul(&power(*by)).unwrap();
        }
    }
    Parameterization { abc: abc.into(), ..found.table.clone() }
}

fn movements(found: &Analyzed, movement: Movement) -> Vec<String> {
    let params = found.class.params.iter().filter(|param| param.movement == movement);
    params.map(|param| found.calculus.graph().param(param.param).path.clone()).collect()
}

/// Breaks a rule that makes something too large or too small: the first problem is at a use of the parameter, or at the tensor.
fn assert_problem(name: &str, rule: Broken, verdict: Verdict) {
    let calculus = calculus(&spec(name));
    for optimizer in [Optimizer::Adam, Optimizer::Sgd] {
        let found = classified(&calculus, broken(&calculus, optimizer, &rule));
        assert_eq!(found.class.verdict, verdict, "{name} {optimizer}: {:?}", found.class.problems);
        let first = found.class.problems[0].node;
        let culprit = match rule {
            Broken::Init(path, _) | Broken::Rate(path, _) => {
                calculus.shaped.sites_of(found.id(path)).any(|site| site.node == first)
            }
            Broken::Multiplier(tensor, _) => found.last(tensor) == first,
        };
        assert!(culprit, "{name} {optimizer}: first {}", calculus.label(first));
    }
}

/// Breaks a learning rate upwards: that parameter, and no other, explodes.
fn assert_exploding(name: &str, path: &'static str, by: (i64, i64)) {
    assert_problem(name, Broken::Rate(path, by), Verdict::UnstableInTraining);
    let calculus = calculus(&spec(name));
    for optimizer in [Optimizer::Adam, Optimizer::Sgd] {
        let found = classified(&calculus, broken(&calculus, optimizer, &Broken::Rate(path, by)));
        assert_eq!(movements(&found, Movement::Exploding), [path], "{name} {optimizer}");
    }
}

/// Breaks a learning rate downwards: that parameter, and no other, is lazy.
fn assert_lazy(name: &str, path: &'static str, by: (i64, i64)) {
    let calculus = calculus(&spec(name));
    for optimizer in [Optimizer::Adam, Optimizer::Sgd] {
        let found = classified(&calculus, broken(&calculus, optimizer, &Broken::Rate(path, by)));
        assert_eq!(movements(&found, Movement::Lazy), [path], "{name} {optimizer}");
        assert!(found.class.is_stable() && !found.class.is_maximal());
    }
}

#[test]
fn rates_that_are_too_large() {
    assert_exploding("gpt2", "h.mlp.up.weight", (1, 1));
    assert_exploding("gpt2", "h.mlp.down.weight", (1, 2));
    assert_exploding("gpt2", "h.attn.query.weight", (1, 2));
    assert_exploding("gpt2", "h.attn.out.bias", (1, 2));
    assert_exploding("tp5-transformer", "readout.weight", (1, 1));
    assert_exploding("tp5-mlp", "w1", (1, 2));
}

#[test]
fn rates_that_are_too_small() {
    for path in [
        "wte",
        "wpe",
        "h.ln_1.gain",
        "h.attn.key.weight",
        "h.attn.value.bias",
        "h.mlp.down.weight",
        "ln_f.gain",
    ] {
        assert_lazy("gpt2", path, (-1, 2));
    }
    assert_lazy("tp5-transformer", "readout.weight", (-1, 2));
}

/// Nothing learns if no rate of the width is right; only the readout's leaves a kernel.
#[test]
fn only_the_readout_learns() {
    let calculus = calculus(&spec("tp5-mlp"));
    let found = analyzed(&calculus, Named::Mup, Optimizer::Adam);
    let mut abc = found.table.abc.as_ref().clone();
    for path in ["w1", "b1", "w2", "b2"] {
        let own = &mut abc.params[found.id(path).index()].learning_rate;
        *own = own.mul(&power((-1, 2))).unwrap();
    }
    let lazy = classified(&calculus, Parameterization { abc: abc.into(), ..found.table.clone() });
    assert_eq!(lazy.class.verdict, Verdict::Kernel);
    assert_eq!(lazy.size(&lazy.class.feature_change), "n^-1/2");
}

#[test]
fn initializations_that_are_too_large() {
    let broken = Broken::Init("h.mlp.up.weight", (1, 2));
    assert_problem("gpt2", broken, Verdict::UnstableAtInit);
    let broken = Broken::Init("w2", (1, 4));
    assert_problem("tp5-mlp", broken, Verdict::UnstableAtInit);
    let broken = Broken::Init("readout.weight", (1, 1));
    assert_problem("tp5-transformer", broken, Verdict::UnstableAtInit);
}

#[test]
fn initializations_that_are_too_small() {
    let broken = Broken::Init("h.mlp.up.weight", (-1, 2));
    assert_problem("gpt2", broken, Verdict::UnstableAtInit);
    let broken = Broken::Init("w2", (-1, 4));
    assert_problem("tp5-mlp", broken, Verdict::UnstableAtInit);
}

/// A readout that starts like any other matrix passes the changes of the features on, amplified (TP-IVb, Theorem 2.8.12).
#[test]
fn the_readout_of_the_standard_parameterization() {
    let broken = || Broken::Init("readout.weight", (1, 2));
    let calculus = calculus(&spec("tp5-transformer"));
    let found = classified(&calculus, self::broken(&calculus, Optimizer::Adam, &broken()));
    assert_eq!(found.class.verdict, Verdict::ControlledDivergence);
    assert_eq!(calculus.label(found.class.problems[0].node), "readout.y");
}

/// 1 / sqrt(d) in front of scores, as of 2017, where the head grows: coherent after the first steps (TP-V, Definition 4.1). Gradient descent
/// also gets larger gradients through them, which break what stands before.
#[test]
fn attention_by_the_square_root() {
    for (name, scores) in [("attention-growing-head", "s"), ("tp5-transformer", "block.attention.s")] {
        let calculus = calculus(&spec(name));
        for optimizer in [Optimizer::Adam, Optimizer::Sgd] {
            let rule = Broken::Multiplier(scores, (1, 2));
            let found = classified(&calculus, broken(&calculus, optimizer, &rule));
            assert_eq!(found.class.verdict, Verdict::UnstableInTraining, "{name} {optimizer}");
            let at = found.class.problems.iter().position(|problem| problem.node == found.last(scores));
            let first = optimizer == Optimizer::Adam;
            assert!(at.is_some_and(|at| at == 0 || !first), "{name} {optimizer}: {:?}", found.class.problems);
        }
    }
}

#[test]
fn a_tied_readout_without_its_factor() {
    for by in [(1, 1), (1, 2)] {
        let broken = Broken::Multiplier("logits", by);
        assert_problem("gpt2", broken, Verdict::UnstableAtInit);
    }
}

/// A written 1/sqrt(head) before scores whose head dim grows is respected, and the table says what it costs.
#[test]
fn a_written_square_root_is_respected_and_named() {
    let text = |factor: &str| {
        format!(
            "scale n = 512
             dim head = n / 8
             input x[32, n]
             target y[32] in 10
             z = linear(x, n)
             q[t, h:8, c] = linear(z, n)[t, (h c)]
             k[t, h:8, c] = linear(z, n)[t, (h c)]
             s[h, t, u] = {factor} * q[t, h, c] * k[u, h, c]
             p[h, t, u] = softmax(s[h, t, u], over u)
             o[t, i] = mean(p[h, t, u], over h) * z[u, i]
             loss mean(cross_entropy(readout(o, 10), y))"
        )
    };
    let notes = |factor: &str| {
        let network = mupc::compile(&text(factor)).unwrap_or_else(|errors| panic!("{errors}"));
        network.table(mupc::Named::Mup, mupc::Optimizer::Adam).unwrap().notes
    };
    assert!(notes("?").is_empty() && notes("1 / head").is_empty());
    let written = notes("1 / head^(1/2)");
    assert!(written.last().unwrap().starts_with("`s` amplifies by its written multiplier"), "{written:?}");
    assert!(written.iter().any(|note| note.contains("n^-1/2 of what it may")), "{written:?}");
}
