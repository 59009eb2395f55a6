//! `repeat` says what writing its body out says: random blocks, repeated and pasted, have the same tables, verdicts and outputs.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use common::analyzed::{Analyzed, calculus, try_analyzed};
use mupc::optimizer::Optimizer;
use mupc::parameterization::Named;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// One step of a block on the stream `x[seq, n]`.
#[derive(Clone, Debug)]
enum Piece {
    Plain(&'static str),
    Residual,
    PostNorm,
    Attention { growing_head: bool },
    Mlp { width: &'static str, normed: bool },
    Gated,
    Gate,
    Shift,
    Tied,
    TiedBack,
    TiedWide,
    Nested(u32, Vec<Piece>),
}

/// A network: a block, how often, with or without its own weights, and what stands before the readout.
#[derive(Clone, Debug)]
struct Case {
    body: Vec<Piece>,
    count: u32,
    last_norm: bool,
}

/// Writes bodies; every definition gets a name of its own, which stays the same in every copy.
struct Writer {
    next: u32,
    text: String,
    unrolled: bool,
}

impl Writer {
    fn name(&mut self) -> String {
        self.next += 1;
        format!("b{}", self.next)
    }

    fn line(&mut self, line: String) {
        writeln!(self.text, "{line}").unwrap();
    }

    fn body(&mut self, body: &[Piece]) {
        body.iter().for_each(|piece| self.piece(piece));
    }

    fn piece(&mut self, piece: &Piece) {
        let [a, b] = [self.name(), self.name()];
        self.line(match piece {
            Piece::Plain(act) => format!("x = {act}(linear(x, n) as {a})"),
            Piece::Residual => format!("x += linear(layer_norm(x) as {a}, n) as {b}"),
            Piece::PostNorm => format!("x = layer_norm(x + tanh(affine(x, n) as {a})) as {b}"),
            Piece::Attention { growing_head } => {
                let (heads, head) = if *growing_head { ("4", "n / 4") } else { ("n / 8", "8") };
                format!("x += attention(rms_norm(x) as {a}, {heads}, {head}) as {b}")
            }
            Piece::Mlp { width, normed: true } => {
                format!("x += mlp(layer_norm(x) as {a}, {width}, relu, project = affine) as {b}")
            }
            Piece::Mlp { width, normed: false } => format!("x += mlp(x, {width}, relu) as {b}"),
            Piece::Gated => format!("x += swiglu(rms_norm(x) as {a}, 2 * n) as {b}"),
            Piece::Gate => format!("x = x * sigmoid(linear(x, n) as {a})"),
            Piece::Shift => "x = tanh(x + shift)".to_string(),
            Piece::Tied => "z[t, o] = tied[o, i] * x[t, i]\nx = tanh(z)".to_string(),
            Piece::TiedBack => "z[t, o] = tied[i, o] * x[t, i]\nx = relu(z)".to_string(),
            Piece::TiedWide => {
                "u[t, w] = wide[w, i] * x[t, i]\nv[t, i] = wide[w, i] * tanh(u)[t, w]\nx = tanh(v)"
                    .to_string()
            }
            Piece::Nested(count, body) => return self.repeat(*count, "inner", body),
        });
    }

    fn repeat(&mut self, count: u32, label: &str, body: &[Piece]) {
        let head = format!("repeat {count} as {label} {{");
        self.repeat_as(count, &head, body);
    }

    fn repeat_as(&mut self, count: u32, head: &str, body: &[Piece]) {
        if self.unrolled {
            let start = self.next;
            for _ in 0..count {
                self.next = start;
                self.body(body);
            }
        } else {
            self.line(head.to_string());
            self.body(body);
            self.line("}".to_string());
        }
    }
}

/// The names that a body uses from outside.
fn outside(body: &[Piece], used: &mut BTreeSet<&'static str>) {
    for piece in body {
        match piece {
            Piece::Shift => drop(used.insert("shift[n]")),
            Piece::Tied | Piece::TiedBack => drop(used.insert("tied[n, n]")),
            Piece::TiedWide => drop(used.insert("wide[n^(3/2), n]")),
            Piece::Nested(_, body) => outside(body, used),
            _ => {}
        }
    }
}

/// The spec of a case; `head` opens the repetition, nothing pastes it.
fn spec(case: &Case, head: Option<&str>) -> String {
    let mut used = BTreeSet::new();
    outside(&case.body, &mut used);
    let mut writer = Writer { next: 0, text: String::new(), unrolled: head.is_none() };
    writer.line("scale n = 64, L = 3\ninput image[4, 10]\ntarget wanted[4, 3]".to_string());
    used.iter().for_each(|param| writer.line(format!("param {param}")));
    writer.line("x = tanh(linear(image, n) as first)".to_string());
    writer.repeat_as(case.count, head.unwrap_or_default(), &case.body);
    if case.last_norm {
        writer.line("x = layer_norm(x) as last_norm".to_string());
    }
    writer.line("logits = readout(x, 3)\nloss mean(mse(logits, wanted))".to_string());
    writer.text
}

/// A path without the repetitions around it and without numbers of copies: `block.b3_2.query.weight` is `b3.query.weight`.
fn origin(path: &str) -> String {
    let segments: Vec<&str> = path.split('.').filter(|own| *own != "block" && *own != "inner").collect();
    let bare = |own: &str| match own.rsplit_once('_') {
        Some((bare, number)) if number.parse::<u32>().is_ok() => bare.to_string(),
        _ => own.to_string(),
    };
    segments.into_iter().map(bare).collect::<Vec<_>>().join(".")
}

/// What is said of every parameter, one entry per copy.
fn rows(found: &Analyzed) -> BTreeMap<String, Vec<String>> {
    let mut rows = BTreeMap::<String, Vec<String>>::new();
    for (id, param) in found.calculus.graph().param_ids() {
        let epsilon = found.table.epsilon[id.index()].as_ref().map(|power| found.text(power));
        let judged = &found.class.params[id.index()];
        let row = format!("{:?} eps {epsilon:?} {}", found.row(&param.path), judged.movement.name());
        rows.entry(origin(&param.path)).or_default().push(row);
    }
    for (id, _) in found.calculus.graph().ids().zip(0..).filter(|(id, _)| contraction(found, *id)) {
        let Some(name) = found.calculus.graph().named(id) else { continue };
        let factor = found.table.abc.contractions.get(&id).map(|power| found.text(power));
        rows.entry(format!("in front of {}", origin(&name))).or_default().push(format!("{factor:?}"));
    }
    rows
}

fn contraction(found: &Analyzed, id: mupc::graph::NodeId) -> bool {
    matches!(found.calculus.graph().node(id).op, mupc::graph::Op::Contract { .. })
}

/// What is said of the whole.
fn whole(found: &Analyzed) -> String {
    let logits = found.calculus.graph().outputs[0].index();
    let sizes = &found.sizes;
    let shown =
        [&sizes.initial, &sizes.change, &sizes.fresh, &sizes.gradient].map(|own| found.size(&own[logits]));
    format!("{} {shown:?}, features by {}", found.class.verdict, found.size(&found.class.feature_change))
}

/// Every difference between a repetition and its copies.
fn differences(repeated: &Analyzed, pasted: &Analyzed) -> Vec<String> {
    let (ours, theirs) = (rows(repeated), rows(pasted));
    let mut found = Vec::new();
    if ours.keys().ne(theirs.keys()) {
        found.push(format!("other names: {:?} and {:?}", ours.keys(), theirs.keys()));
    }
    for (name, own) in &ours {
        let copies = theirs.get(name).cloned().unwrap_or_default();
        if own.iter().chain(&copies).any(|row| *row != own[0]) {
            found.push(format!("{name}: block {own:?}, copies {copies:?}"));
        }
    }
    if whole(repeated) != whole(pasted) {
        found.push(format!("whole: block {}, copies {}", whole(repeated), whole(pasted)));
    }
    found
}

fn piece(nested: bool) -> BoxedStrategy<Piece> {
    let widths = prop::sample::select(vec!["4 * n", "n^(3/2)"]);
    let plain = prop_oneof![
        2 => prop::sample::select(vec!["tanh", "relu", "gelu"]).prop_map(Piece::Plain),
        2 => Just(Piece::Residual),
        1 => Just(Piece::PostNorm),
        2 => prop::bool::ANY.prop_map(|growing_head| Piece::Attention { growing_head }),
        2 => (widths, prop::bool::ANY).prop_map(|(width, normed)| Piece::Mlp { width, normed }),
        1 => Just(Piece::Gated),
        1 => Just(Piece::Gate),
        1 => Just(Piece::Shift),
        1 => Just(Piece::Tied),
        1 => Just(Piece::TiedBack),
        1 => Just(Piece::TiedWide),
    ];
    match nested {
        false => plain.boxed(),
        true => {
            let body = prop::collection::vec(piece(false), 1..3);
            prop_oneof![8 => plain, 1 => (1u32..4, body).prop_map(|(count, body)| Piece::Nested(count, body))]
                .boxed()
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let body = prop::collection::vec(piece(true), 1..4);
    (body, 1u32..5, prop::bool::ANY).prop_map(|(body, count, last_norm)| Case { body, count, last_norm })
}

fn every(mut check: impl FnMut(Named, Optimizer) -> Vec<String>) -> Vec<String> {
    let mut found = Vec::new();
    for named in Named::ALL {
        for optimizer in [Optimizer::Sgd, Optimizer::Adam] {
            found.extend(
                check(named, optimizer).into_iter().map(|text| format!("{named} {optimizer} {text}")),
            );
        }
    }
    found
}

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn compare(one: &str, other: &str) -> Vec<String> {
    let (left, right) = (calculus(one), calculus(other));
    every(|named, optimizer| match [&left, &right].map(|calculus| try_analyzed(calculus, named, optimizer)) {
        [Ok(left), Ok(right)] => differences(&left, &right),
        [Err(_), Err(_)] => vec![],
        [left, right] => vec![format!("{:?} but {:?}", left.err(), right.err())],
    })
}

#[test]
fn a_repetition_is_its_copies() {
    let result = runner(300).run(&cases(), |case| {
        let head = format!("repeat {} as block {{", case.count);
        let (repeated, pasted) = (spec(&case, Some(&head)), spec(&case, None));
        let found = compare(&repeated, &pasted);
        prop_assert!(found.is_empty(), "{repeated}\n{}", found.join("\n"));
        Ok(())
    });
    result.unwrap();
}

#[test]
fn a_symbol_repeats_as_a_number_does() {
    let result = runner(100).run(&cases(), |case| {
        let (symbol, number) =
            (spec(&case, Some("repeat L as block {")), spec(&case, Some("repeat 3 as block {")));
        let found = compare(&symbol, &number);
        prop_assert!(found.is_empty(), "{symbol}\n{}", found.join("\n"));
        Ok(())
    });
    result.unwrap();
}

/// Blocks that share their weights against copies that use weights declared outside.
#[test]
fn a_shared_repetition_is_its_copies() {
    let tied = prop_oneof![
        3 => Just(Piece::Tied), 2 => Just(Piece::TiedBack), 2 => Just(Piece::TiedWide), 2 => Just(Piece::Shift)
    ];
    let cases = (prop::collection::vec(tied, 1..4), 1u32..5, prop::bool::ANY)
        .prop_map(|(body, count, last_norm)| Case { body, count, last_norm });
    let result = runner(100).run(&cases, |case| {
        let head = format!("repeat {} shared as block {{", case.count);
        let (repeated, pasted) = (spec(&case, Some(&head)), spec(&case, None));
        let found = compare(&repeated, &pasted);
        prop_assert!(found.is_empty(), "{repeated}\n{}", found.join("\n"));
        Ok(())
    });
    result.unwrap();
}

#[test]
fn survey() {
    use Piece::*;
    let pieces = vec![
        Plain("tanh"),
        Plain("relu"),
        Residual,
        PostNorm,
        Attention { growing_head: true },
        Attention { growing_head: false },
        Mlp { width: "4 * n", normed: true },
        Mlp { width: "n^(3/2)", normed: true },
        Mlp { width: "4 * n", normed: false },
        Mlp { width: "n^(3/2)", normed: false },
        Mlp { width: "8", normed: true },
        Mlp { width: "n^(1/2)", normed: true },
        Gated,
        Gate,
        Shift,
        Tied,
        TiedBack,
        TiedWide,
        Nested(2, vec![Residual]),
    ];
    for piece in &pieces {
        for count in [1, 2, 3] {
            for last_norm in [false, true] {
                let case = Case { body: vec![piece.clone()], count, last_norm };
                let head = format!("repeat {} as block {{", case.count);
                let found = compare(&spec(&case, Some(&head)), &spec(&case, None));
                for text in found {
                    println!("{piece:?} x{count} {last_norm}: {text}");
                }
            }
        }
    }
    for one in &pieces {
        for two in &pieces {
            let case = Case { body: vec![one.clone(), two.clone()], count: 3, last_norm: false };
            let head = format!("repeat {} as block {{", case.count);
            let found = compare(&spec(&case, Some(&head)), &spec(&case, None));
            if !found.is_empty() {
                println!("PAIR {one:?} {two:?}: {} {}", found.len(), found[0]);
            }
        }
    }
}
