//! Whatever is done to a spec, the answer is a network that can be parameterized and judged, or errors: never a panic, never a hang.

mod common;

use std::time::{Duration, Instant};

use common::analyzed::specs;
use mupc::optimizer::Optimizer;
use mupc::parameterization::verdict::classify;
use mupc::parameterization::{Form, Named, ScalingTable, Scheme, parameterize};
use mupc::size::analysis::{Calculus, analyze};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// No text of this size may take longer, on a slow machine that does other things too.
const LONGEST: Duration = Duration::from_secs(10);

/// Everything that can be asked of a text. True if it compiles.
fn ask(text: &str) -> bool {
    let start = Instant::now();
    let compiled = match mupc::compile(text) {
        Ok(network) => {
            judge(&Calculus::new(&network.graph));
            judge(&Calculus::deep(&network.graph));
            let _ = network.expectations();
            for own in &network.graph.parameterizations {
                let scheme = Scheme::find(&network.graph, &own.name.text);
                let _ = scheme.map(|scheme| {
                    network.compare(&(scheme, Optimizer::Adam).into(), &(Named::Mup, Optimizer::Adam).into())
                });
            }
            true
        }
        Err(errors) => {
            assert!(!errors.items.is_empty(), "an error without a message");
            assert!(!errors.to_string().is_empty());
            false
        }
    };
    assert!(start.elapsed() < LONGEST, "{:?} for\n{text}", start.elapsed());
    compiled
}

fn judge(calculus: &Calculus) {
    for named in Named::ALL {
        for optimizer in Optimizer::ALL {
            let Ok(found) = parameterize(calculus, named, optimizer) else { continue };
            let class = classify(calculus, &analyze(calculus, found.abc.clone(), optimizer));
            assert_eq!(class.params.len(), calculus.graph().params.len());
            let forms = Form::ALL.map(|form| form.apply(calculus, &found));
            assert_eq!(ScalingTable::new(calculus, &forms[1]).parameters.len(), class.params.len());
        }
    }
}

/// One change of a text, at places given as fractions of its length.
#[derive(Clone, Debug)]
enum Mutation {
    Byte(f64, u8),
    Delete(f64),
    Duplicate(f64),
    Swap(f64, f64),
    Number(f64, &'static str),
    Insert(f64, &'static str),
}

/// Numbers that a spec does not expect.
const NUMBERS: [&str; 12] = [
    "0",
    "1",
    "1000000000000",
    "9223372036854775807",
    "99999999999999999999999999",
    "1e400",
    "1e-9",
    "(1/3)",
    "(7/2)",
    "n",
    "n^(-1)",
    "n^(1000000007/1000000009)",
];

/// Pieces of the language where they may not belong.
const PIECES: [&str; 16] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "repeat 1000000000000 { x = x }",
    "repeat 1000000000000 { x += x }",
    "shared",
    "frozen",
    "= 0",
    "n^2",
    "?",
    "loss",
    "..",
    "x = exp(x)",
];

fn mutation() -> impl Strategy<Value = Mutation> {
    let place = || 0.0..1.0f64;
    prop_oneof![
        2 => (place(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        3 => place().prop_map(Mutation::Delete),
        3 => place().prop_map(Mutation::Duplicate),
        3 => (place(), place()).prop_map(|(one, other)| Mutation::Swap(one, other)),
        4 => (place(), prop::sample::select(NUMBERS.to_vec())).prop_map(|(at, text)| Mutation::Number(at, text)),
        2 => (place(), prop::sample::select(PIECES.to_vec())).prop_map(|(at, text)| Mutation::Insert(at, text)),
    ]
}

/// The tokens of a text, near enough: words, numbers and single characters, with the blanks before them. Comments are left out.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let code = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    for c in code.flat_map(|line| line.chars().chain(['\n'])) {
        let joins = |last: char| c.is_alphanumeric() && last.is_alphanumeric() || last.is_whitespace();
        match tokens.last_mut().filter(|token| token.chars().last().is_some_and(joins)) {
            Some(token) => token.push(c),
            None => tokens.push(c.to_string()),
        }
    }
    tokens
}

fn at<T>(items: &[T], place: f64) -> usize {
    ((items.len() as f64 * place) as usize).min(items.len().saturating_sub(1))
}

impl Mutation {
    fn apply(&self, tokens: &mut Vec<String>) {
        if tokens.is_empty() {
            return;
        }
        match self {
            Mutation::Byte(place, byte) => {
                let at = at(tokens, *place);
                tokens[at] = String::from_utf8_lossy(&[*byte]).into_owned();
            }
            Mutation::Delete(place) => drop(tokens.remove(at(tokens, *place))),
            Mutation::Duplicate(place) => {
                let at = at(tokens, *place);
                tokens.insert(at, tokens[at].clone());
            }
            Mutation::Swap(one, other) => {
                let (one, other) = (at(tokens, *one), at(tokens, *other));
                tokens.swap(one, other);
            }
            Mutation::Number(place, text) => replace_number(tokens, *place, text),
            Mutation::Insert(place, text) => {
                let at = at(tokens, *place);
                tokens.insert(at, format!("\n{text} "));
            }
        }
    }
}

fn replace_number(tokens: &mut [String], place: f64, text: &str) {
    let is_number =
        |token: &String| token.trim().chars().all(|c| c.is_ascii_digit()) && !token.trim().is_empty();
    let numbers: Vec<usize> = (0..tokens.len()).filter(|at| is_number(&tokens[*at])).collect();
    if !numbers.is_empty() {
        tokens[numbers[at(&numbers, place)]] = format!(" {text}");
    }
}

fn run<S: Strategy>(cases: u32, strategy: S, check: impl Fn(S::Value)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let result = runner.run(&strategy, |value| {
        check(value);
        Ok(())
    });
    result.unwrap();
}

#[test]
fn mutated_specs() {
    let (specs, compiled) = (specs(), std::cell::Cell::new(0));
    let mutations = prop::collection::vec(mutation(), 1..4);
    run(6000, (0.0..1.0f64, mutations), |(which, mutations)| {
        let mut tokens = tokens(&specs[at(&specs, which)].1);
        mutations.iter().for_each(|mutation| mutation.apply(&mut tokens));
        compiled.set(compiled.get() + u32::from(ask(&tokens.concat())));
    });
    assert!(compiled.get() >= 150, "only {} of the texts compiled", compiled.get());
}

#[test]
fn arbitrary_text() {
    run(300, prop::collection::vec(any::<u8>(), 0..200), |bytes| {
        ask(&String::from_utf8_lossy(&bytes));
    });
    run(300, "[a-z0-9\\[\\]{}()=+*/^.,:? \n-]{0,200}", |text| {
        ask(&text);
    });
}

#[test]
fn extreme_lengths_and_exponents() {
    for number in NUMBERS {
        for (name, text) in [
            ("width", format!("x = tanh(linear(x, {number}))")),
            ("power", format!("x = tanh(linear(x, n^{number}))")),
            ("count", format!("repeat {number} {{ x = tanh(linear(x, n)) }}")),
            ("climbing", format!("repeat {number} {{ x = x * x }}")),
            ("nested", format!("repeat {number} {{ repeat {number} {{ x += linear(x, n) }} }}")),
            ("factor", format!("x = {number} * x")),
            ("multiplier", format!("y[o] = w[o, i] * x[i] / {number}\nx = y")),
        ] {
            let text = format!(
                "scale n = 64\ninput start[10]\ntarget wanted[3]\n{}x = linear(start, n)\n{text}\nloss mse(readout(x, 3), wanted)",
                if name == "multiplier" { "param w[n, n]\n" } else { "" }
            );
            ask(&text);
        }
    }
}

/// Blocks in blocks, each repeated a million million times.
#[test]
fn deep_nesting() {
    for (depth, body) in
        [(20, "x += tanh(linear(x, n))"), (90, "x = x * x"), (200, "x = tanh(x)"), (5000, "x = x")]
    {
        let (open, close) = ("repeat 1000000000000 {\n".repeat(depth), "}\n".repeat(depth));
        let text = format!(
            "scale n = 64\ninput start[10]\ntarget wanted[3]\nx = linear(start, n)\n{open}{body}\n{close}loss mse(readout(x, 3), wanted)"
        );
        ask(&text);
    }
}
