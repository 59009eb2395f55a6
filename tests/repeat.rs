//! `repeat` says what writing its body out says: random blocks, repeated and pasted, have the same tables, verdicts and outputs.

mod common;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use common::analyzed::{Analyzed, calculus, try_analyzed};
use mupc::graph::{NodeId, ParamId};
use mupc::optimizer::Optimizer;
use mupc::parameterization::Named;
use mupc::parameterization::verdict::Movement;
use mupc::shape::Site;
use mupc::size::Size;
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
    Read,
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
    /// The letter of a scan, or the number of the copy that stands for one of its steps.
    step: String,
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
            Piece::Read => {
                format!("u[t, i] = enter[i, j] * steps[{}, t, j]\nx = tanh(x + u)", self.step)
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
            Piece::Read => drop(used.insert("enter[n, 10]")),
            Piece::Nested(_, body) => outside(body, used),
            _ => {}
        }
    }
}

/// The spec of a case; `head` opens the repetition, nothing pastes it.
fn spec(case: &Case, head: Option<&str>) -> String {
    let mut used = BTreeSet::new();
    outside(&case.body, &mut used);
    let mut writer = Writer { next: 0, text: String::new(), unrolled: head.is_none(), step: String::new() };
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
    let bare = |own: &'_ str| match own.rsplit_once('_') {
        Some((bare, number)) if number.parse::<u32>().is_ok() => bare.to_string(),
        _ => own.to_string(),
    };
    let segments = path.split('.').map(bare).filter(|own| own != "block" && own != "inner");
    segments.collect::<Vec<_>>().join(".")
}

/// What is said of one copy of a parameter. A factor may stand at the parameter or at its uses: counted is what acts.
#[derive(Clone, PartialEq, Eq)]
struct Row {
    entries: BTreeSet<Size>,
    rates: BTreeSet<Size>,
    epsilon: Option<Size>,
    movement: Movement,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["n".to_string(), "L".to_string()];
        let shown = |sizes: &mut dyn Iterator<Item = &Size>| {
            sizes.map(|size| size.display(&names).to_string()).collect::<Vec<_>>().join(", ")
        };
        let (entries, rates) = (shown(&mut self.entries.iter()), shown(&mut self.rates.iter()));
        let epsilon = shown(&mut self.epsilon.iter());
        write!(f, "(entries {entries}; rates {rates}; eps {epsilon}; {})", self.movement.name())
    }
}

fn row(found: &Analyzed, id: ParamId) -> Row {
    let scaling = &found.table.abc.params[id.index()];
    let own = Size::from(&scaling.multiplier);
    let power = found.table.laws[0].gauge_power();
    let front = |site: &Site| {
        own.mul(&found.table.abc.contractions.get(&site.node).map_or_else(Size::one, Size::from))
    };
    let sites = || found.calculus.shaped.sites_of(id);
    Row {
        entries: sites().map(|site| front(site).mul(&Size::from(&scaling.init_std))).collect(),
        rates: sites().map(|site| front(site).pow(power).mul(&Size::from(&scaling.learning_rate))).collect(),
        epsilon: found.table.epsilon[id.index()].as_ref().map(Size::from),
        movement: found.class.params[id.index()].movement,
    }
}

fn rows(found: &Analyzed) -> BTreeMap<String, Vec<Row>> {
    let mut rows = BTreeMap::<String, Vec<Row>>::new();
    for (id, param) in found.calculus.graph().param_ids() {
        rows.entry(origin(&param.path)).or_default().push(row(found, id));
    }
    rows
}

/// The multipliers in front of contractions of activations.
fn factors(found: &Analyzed) -> BTreeSet<(String, Size)> {
    let graph = found.calculus.graph();
    let activations = |id: &NodeId| {
        (0..2).all(|operand| {
            operand >= graph.node(*id).operands.len() || found.calculus.shaped.site_at(*id, operand).is_none()
        })
    };
    let chosen = found.table.abc.contractions.iter().filter(|(id, _)| activations(id));
    chosen.map(|(id, power)| (origin(&found.path(*id).unwrap_or_default()), Size::from(power))).collect()
}

/// What is said of the whole.
fn whole(found: &Analyzed) -> String {
    let logits = found.calculus.graph().outputs[0].index();
    let sizes = &found.sizes;
    let shown =
        [&sizes.initial, &sizes.change, &sizes.fresh, &sizes.gradient].map(|own| found.size(&own[logits]));
    format!("{shown:?}, features by {}", found.size(&found.class.feature_change))
}

impl Seen {
    /// Agreement means something if many copies had the same table.
    fn assert_many(self) {
        eprintln!("{self:?}");
        assert!(self.alike >= 300 && self.alike > self.unlike, "{self:?}");
    }
}

/// Whether gradients fade from one repetition to the next before they reach what stands in front of the block.
fn fades(repeated: &Analyzed, pasted: &Analyzed) -> bool {
    let fresh = |found: &Analyzed| found.sizes.fresh[found.last("first.y").index()].clone();
    fresh(repeated) > fresh(pasted)
}

/// How far the comparison of a case went.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    alike: u32,
    unlike: u32,
}

/// Every difference between a repetition and its copies. Copies may differ among themselves, where something shrinks from one
/// repetition to the next: then the block says what suits them all, the smallest rate, and is held to the rest no further, for its
/// sizes are the largest of all repetitions.
fn differences(repeated: &Analyzed, pasted: &Analyzed, seen: &mut Seen) -> Vec<String> {
    let (ours, theirs) = (rows(repeated), rows(pasted));
    let mut found = Vec::new();
    if ours.keys().ne(theirs.keys()) {
        return vec![format!("other names: {:?} and {:?}", ours.keys(), theirs.keys())];
    }
    if factors(repeated) != factors(pasted) {
        found.push(format!("factors: block {:?}, copies {:?}", factors(repeated), factors(pasted)));
    }
    let alike = |copies: &Vec<Row>| {
        copies.iter().all(|copy| (&copy.rates, &copy.epsilon) == (&copies[0].rates, &copies[0].epsilon))
    };
    let all_alike = theirs.values().all(alike) && !fades(repeated, pasted);
    for (name, own) in &ours {
        let [own] = &own[..] else { panic!("two of {name}") };
        let copies = theirs.get(name).cloned().unwrap_or_default();
        found.extend(compare_rows(name, own, &copies, all_alike && repeated.class.is_stable()));
    }
    *(if all_alike { &mut seen.alike } else { &mut seen.unlike }) += 1;
    let (block, copies) = (repeated.class.verdict, pasted.class.verdict);
    if all_alike && block != copies {
        found.push(format!("block {block}, copies {copies}"));
    } else if all_alike && repeated.class.is_stable() && whole(repeated) != whole(pasted) {
        found.push(format!("whole: block {}, copies {}", whole(repeated), whole(pasted)));
    }
    found
}

fn compare_rows(name: &str, own: &Row, copies: &[Row], stable: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{what} of {name}: block {own:?}, copies {copies:?}"));
        }
    };
    check(copies.iter().all(|copy| copy.entries == own.entries), "entries");
    let least = copies.iter().map(|copy| &copy.rates).min();
    check(least == Some(&own.rates), "rates");
    check(!stable || copies.iter().all(|copy| copy.epsilon == own.epsilon), "eps");
    check(!stable || copies.iter().all(|copy| copy.movement == own.movement), "movement");
    found
}

fn piece(nested: bool) -> BoxedStrategy<Piece> {
    let widths = prop::sample::select(vec!["4 * n", "n^(3/2)", "n^(1/2)", "8"]);
    let plain = prop_oneof![
        2 => prop::sample::select(vec!["tanh", "relu", "gelu"]).prop_map(Piece::Plain),
        2 => Just(Piece::Residual),
        1 => Just(Piece::PostNorm),
        2 => prop::bool::ANY.prop_map(|growing_head| Piece::Attention { growing_head }),
        3 => (widths, prop::bool::ANY).prop_map(|(width, normed)| Piece::Mlp { width, normed }),
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
            prop_oneof![8 => plain, 1 => (1u32..3, body).prop_map(|(count, body)| Piece::Nested(count, body))]
                .boxed()
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let body = prop::collection::vec(piece(true), 1..4);
    (body, 1u32..4, prop::bool::ANY).prop_map(|(body, count, last_norm)| Case { body, count, last_norm })
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

fn compare(one: &str, other: &str, seen: &mut Seen) -> Vec<String> {
    let (left, right) = (calculus(one), calculus(other));
    every(|named, optimizer| match [&left, &right].map(|calculus| try_analyzed(calculus, named, optimizer)) {
        [Ok(left), Ok(right)] => differences(&left, &right, seen),
        [Err(_), Err(_)] => vec![],
        [left, right] => vec![format!("{:?} but {:?}", left.err(), right.err())],
    })
}

#[test]
fn a_repetition_is_its_copies() {
    let seen = RefCell::new(Seen::default());
    let result = runner(300).run(&cases(), |case| {
        let head = format!("repeat {} as block {{", case.count);
        let (repeated, pasted) = (spec(&case, Some(&head)), spec(&case, None));
        let found = compare(&repeated, &pasted, &mut seen.borrow_mut());
        prop_assert!(found.is_empty(), "{repeated}\n{}", found.join("\n"));
        Ok(())
    });
    result.unwrap();
    seen.borrow().assert_many();
}

/// Where something grows or fades with every repetition, a symbol has no answer that a number has: those are left out.
#[test]
fn a_symbol_repeats_as_a_number_does() {
    let (seen, compared) = (RefCell::new(Seen::default()), Cell::new(0));
    let result = runner(150).run(&cases(), |case| {
        let repeated = |count| spec(&case, Some(&format!("repeat {count} as block {{")));
        let alike = |one, other| compare(&repeated(one), &repeated(other), &mut seen.borrow_mut());
        if alike("2", "3").is_empty() {
            compared.set(compared.get() + 1);
            let found = alike("L", "3");
            prop_assert!(found.is_empty(), "{}\n{}", repeated("L"), found.join("\n"));
        }
        Ok(())
    });
    result.unwrap();
    assert!(compared.get() >= 50, "only {} compared", compared.get());
}

/// The largest numbers of repetitions cost no more than small ones.
#[test]
fn counts_cost_nothing() {
    let body =
        vec![Piece::Residual, Piece::Nested(3, vec![Piece::Gated]), Piece::Attention { growing_head: false }];
    let case = Case { body, count: 1, last_norm: true };
    let mut seen = Seen::default();
    let [few, many] =
        [4_i64, 1_000_000_000_000].map(|count| spec(&case, Some(&format!("repeat {count} as block {{"))));
    let found = compare(&few, &many, &mut seen);
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(seen.alike, 2 * Named::ALL.len() as u32);
}

/// A scan of `steps` with shared weights that collects the stream, or its copies, which pick their entries and are joined.
fn scanned(case: &Case, unrolled: bool) -> String {
    let mut used = BTreeSet::new();
    outside(&case.body, &mut used);
    let mut writer = Writer { next: 0, text: String::new(), unrolled: false, step: "s".to_string() };
    let count = case.count;
    writer.line(format!("scale n = 64, L = 3\ninput image[4, 10], steps[{count}, 4, 10]"));
    writer.line(format!("target wanted[{count}, 4, 3]\none[a:1] = 1"));
    used.iter().for_each(|param| writer.line(format!("param {param}")));
    writer.line("x = tanh(linear(image, n) as first)".to_string());
    if unrolled {
        for step in 0..count {
            writer.step = step.to_string();
            writer.body(&case.body);
            writer.line(format!("y{step}[a, t, i] = one[a] * x[t, i]"));
        }
        let parts: Vec<String> = (0..count).map(|step| format!("y{step}[a, t, i]")).collect();
        writer.line(format!("y[a, t, i] = concat({}, over a)", parts.join(", ")));
    } else {
        writer.line(format!("repeat s over {count} shared as block {{"));
        writer.body(&case.body);
        writer.line("y[s, t, i] = x[t, i]\n}".to_string());
    }
    writer.line("logits = readout(y, 3)\nloss mean(mean(mse(logits, wanted)))".to_string());
    writer.text
}

#[test]
fn a_scan_is_its_copies() {
    let tied = prop_oneof![
        3 => Just(Piece::Tied), 2 => Just(Piece::TiedBack), 2 => Just(Piece::TiedWide), 4 => Just(Piece::Read)
    ];
    let cases = (prop::collection::vec(tied, 1..4), 1u32..5).prop_map(|(body, count)| Case {
        body,
        count,
        last_norm: false,
    });
    let seen = RefCell::new(Seen::default());
    let result = runner(100).run(&cases, |case| {
        let (repeated, pasted) = (scanned(&case, false), scanned(&case, true));
        let found = compare(&repeated, &pasted, &mut seen.borrow_mut());
        prop_assert!(found.is_empty(), "{repeated}\n{}", found.join("\n"));
        Ok(())
    });
    result.unwrap();
    seen.borrow().assert_many();
}

/// Blocks that share their weights against copies that use weights declared outside.
#[test]
fn a_shared_repetition_is_its_copies() {
    let tied = prop_oneof![
        3 => Just(Piece::Tied), 2 => Just(Piece::TiedBack), 2 => Just(Piece::TiedWide), 2 => Just(Piece::Shift)
    ];
    let cases = (prop::collection::vec(tied, 1..4), 1u32..5, prop::bool::ANY)
        .prop_map(|(body, count, last_norm)| Case { body, count, last_norm });
    let seen = RefCell::new(Seen::default());
    let result = runner(100).run(&cases, |case| {
        let head = format!("repeat {} shared as block {{", case.count);
        let (repeated, pasted) = (spec(&case, Some(&head)), spec(&case, None));
        let found = compare(&repeated, &pasted, &mut seen.borrow_mut());
        prop_assert!(found.is_empty(), "{repeated}\n{}", found.join("\n"));
        Ok(())
    });
    result.unwrap();
    seen.borrow().assert_many();
}
