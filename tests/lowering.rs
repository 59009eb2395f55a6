//! What the lowering makes of specs: small ones whose graphs are kept, the published ones, wrong and hostile ones.

#[path = "lowering/dump.rs"]
mod dump;
#[path = "lowering/invariants.rs"]
mod invariants;

use std::collections::HashMap;

use mupc::graph::{Graph, Op};
use mupc::{Loader, compile, compile_with};
use proptest::prelude::*;

/// A kept text, without the expression that makes it.
macro_rules! kept {
    ($text:expr) => {
        insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!($text) })
    };
}

fn lower(source: &str) -> Graph {
    let network = compile(source).unwrap_or_else(|errors| panic!("{source}\n{errors}"));
    invariants::check(&network.graph);
    network.graph
}

fn dumped(source: &str) -> String {
    format!("{source}\n---\n{}", dump::dump(&lower(source)))
}

fn errors(source: &str) -> String {
    compile(source).expect_err("it is wrong").to_string()
}

/// The same equation must give the same operations whichever way it is written.
#[track_caller]
fn same(left: &str, right: &str) {
    let frame = |equation: &str| {
        format!(
            "scale n = 64\ninput x[5, 8]\ntarget y\nparam w[n, 8], v[n, n], u[n]\nh[t, o] = w[o, i] * x[t, i]\n\
             {equation}\ns = sum(z[t, o] * h[t, o], over (t o)) + mean(u) + mean(mean(v))\nloss square(s - y)"
        )
    };
    let [left, right] = [left, right].map(|equation| dump::dump(&lower(&frame(equation))));
    assert_eq!(left, right);
}

#[test]
fn products_are_contracted_pairwise_and_early() {
    kept!(dumped(
        "scale n = 64
input x[5, 8]
target y
param w[n, 8], v[n, n, 3], a[n]
three[t, o] = a[o] * w[o, i] * x[t, i]
lone[o] = v[o, p, q] * a[o]
terms[o] = w[o, i] * x[t, i] + v[o, p, q] - a[o] / 2
written[t, o] = w[o, i] * x[t, i] / sqrt(n)
hole[t, o] = ? * w[o, i] * x[t, i]
scaled[o] = 3 * a[o] / 4
gate[o] = 3 * a[o] * lone[o] * terms[o]
inside[t] = relu(w[o, i] * x[t, i])
kept[t] = w[o, j] * relu(w[o, i] * x[t, i]) * x[t, j]
turned[o, t] = three[t, o]
loss mean(lone + terms + scaled + gate) + mean(inside + kept) + mean(mean(written + hole)) + mean(mean(turned)) - y"
    ));
}

#[test]
fn indices_split_merge_pick_and_look_up() {
    kept!(dumped(
        "scale n = 64
input tokens[6] in 50, z[6, n]
target next[6] in 50
param table[50, n], w[4, n/4]
x[t, i] = table[tokens[t], i] + z[t, i]
a[h, t, k] = x[t, (h k)] * w[h, k]
d[t, h:8, k] = x[t, (h k)]
b[t, (h k)] = a[h, t, k]
c[i, t] = b[t, i] + z[t, i]
last = c[.., -1]
logits[t, v] = table[v, i] * c[i, t]
loss mean(cross_entropy(logits, next))"
    ));
}

#[test]
fn repetitions_carry_what_they_assign() {
    kept!(dumped(
        "scale n = 64, L = 12
input x[8]
target y
h[i:n] = 0
x = linear(x, n)
repeat L as outer {
  g = linear(x, n)
  repeat 3 shared as inner {
    h = tanh(linear(h, n) + g)
  }
  x += linear(h, n) as back
}
loss square(readout(x, 1)[0] - y)"
    ));
}

#[test]
fn scans_read_and_collect_entries() {
    kept!(dumped(
        "scale n = 64
dim seq = 16
input x[seq, 8], tokens[seq] in 5
target y[seq, 3]
param rows[5, n]
h[i:n] = 0
repeat t over seq shared as cell {
  row = rows[tokens[t], ..]
  h = tanh(linear(h, n) + linear(x[t, ..], n) + row)
  parts[a:4, b:2, c] = h[(a b c)]
  heads[a, t, (b c)] = parts[a, b, c]
}
repeat s over seq {
  repeat 2 { h = h * sigmoid(linear(h, n)) }
  deep[.., s] = linear(heads[a, s, i], 3)
}
loss mse(linear(h, 3), y[0, ..]) + mean(deep[0, 0, s])"
    ));
}

/// The entry of a step is read off what stands before the body, whatever else an index does to it there.
#[test]
fn steps_come_before_splits_and_picks() {
    let text = "scale n = 64
input x[6, 8]
target y
h[i:n] = 0
repeat t over 6 {
  parts[a:4, b] = x[t, (a b)]
  h = tanh(linear(h, n) + linear(parts[0, ..], n) * x[t, 1])
}
loss mean(h) - y";
    let graph = compile(text).unwrap().graph;
    invariants::check(&graph);
    let steps: Vec<_> = graph.ids().filter(|id| matches!(graph.node(*id).op, Op::Step { .. })).collect();
    let read = |step: &_| &graph.node(graph.node(*step).operands[0]).op;
    assert_eq!(steps.len(), 2);
    assert!(steps.iter().all(|step| matches!(read(step), Op::Data(_))));
}

#[test]
fn definitions_take_tensors_lengths_and_functions() {
    kept!(dumped(
        "scale n = 64
input x[3, 8]
target y
def stack(x[.., i], inner = 2 * i, act = relu, last = linear) {
  dim half = inner / 2
  h = act(linear(x, half) as up)
  return last(h, i) as down
}
a = stack(x)
b = stack(x, inner = n, act = tanh) as named
c = stack(a + b, last = affine)
loss mean(mean(c)) - y"
    ));
}

#[test]
fn functions_go_along_axes() {
    kept!(dumped(
        "scale n = 64
input x[6, 8]
target y
param w[n, 8]
h[t, o] = w[o, i] * x[t, i]
a[t, u] = softmax(causal(h[t, k] * h[u, k] / n), over u)
b[o] = mean(h[t, o], over t) + sum(h[t, o], over t) + max(h[t, o], over t)
c = standardize(h) + rms_normalize(h)
d[t, o, k] = window(h[t, o], over t, 3)
e = concat(h, h / 2)
f = dropout(stop_gradient(h), 0.1) ^ 2
loss mean(b) + mean(mean(c + f)) + mean(mean(a)) + mean(mean(mean(d))) + mean(mean(e)) - y"
    ));
}

#[test]
fn letters_are_only_names() {
    same("z[t, o] = h[t, o] * v[o, p] * u[p]", "z[a, b] = h[a, b] * v[b, c] * u[c]");
    same("z[t, o] = relu(h[t, o])", "z = relu(h)");
    same("z[t, o] = h + u[o]", "z = h + u");
    same("z[t, o] = h[t, p] * v[o, p]", "z[.., o] = h[.., p] * v[o, p]");
    same("z = h\nz += h", "z = h + h");
    same("z = softmax(h)", "z[t, o] = softmax(h, over o)");
    same("z[t, o] = softmax(h[t, o], over o)", "z = softmax(h)");
    same("z[t, o] = 1 - h[t, o]", "z = 1 - h");
    same("z = h\nq = sum(h[t, o] * h[t, o], over (t o))", "z = h\nq[..] = h[t, o] * h[t, o]");
}

/// Files in memory.
struct Files(HashMap<&'static str, &'static str>);

impl Loader for Files {
    fn load(&mut self, path: &str, _from: &str) -> Result<(String, String), String> {
        match self.0.get(path) {
            Some(text) => Ok((path.to_string(), text.to_string())),
            None => Err("no such file".to_string()),
        }
    }
}

const USER: &str = "use \"a.mup\"\nuse \"b.mup\"\ninput x[8]\ntarget y[8]\nloss mse(outer(x), y)";

#[test]
fn files_use_files() {
    let mut files = Files(HashMap::from([
        ("a.mup", "use \"b.mup\"\ndim wide = 32\ndef outer(x[.., i]) { return inner(linear(x, wide), i) }"),
        ("b.mup", "def inner(x[.., i], out) { return linear(x, out) }"),
    ]));
    let network = compile_with("dir/user.mup", USER, &mut files).unwrap();
    invariants::check(&network.graph);
    assert_eq!(network.graph.name, "user");
    assert_eq!(network.graph.params[1].path, "outer.inner.linear.weight");
}

#[test]
fn files_may_not_use_each_other_in_a_circle() {
    let mut files = Files(HashMap::from([
        ("a.mup", "use \"b.mup\"\ndef outer(x) { return x }"),
        ("b.mup", "use \"a.mup\"\nscale n = 4"),
    ]));
    kept!(compile_with("user.mup", USER, &mut files).unwrap_err().to_string());
    let mut files =
        Files(HashMap::from([("a.mup", "input u[4]\ndef outer(x[.., i]) { return linear(x, wide) }")]));
    kept!(compile_with("user.mup", USER, &mut files).unwrap_err().to_string());
    let mut files = Files(HashMap::from([
        ("a.mup", "input u[4]\ndef outer(x[.., i]) { return linear(x, wide) }"),
        ("b.mup", "def outer(x) { return x }"),
    ]));
    kept!(compile_with("user.mup", USER, &mut files).unwrap_err().to_string());
}

#[test]
fn a_definition_hides_one_of_the_prelude_but_not_inside_it() {
    let graph = lower(
        "input x[8]\ntarget y[8]\ndef linear(x[.., i], out) {\n param mine[out, i]\n y[.., o] = mine[o, i] * x[.., i]\n \
         return y\n}\nloss mse(linear(mlp(x, 4), 8), y)",
    );
    let paths: Vec<&str> = graph.params.iter().map(|param| param.path.as_str()).collect();
    assert_eq!(paths, ["mlp.up.weight", "mlp.down.weight", "linear.mine"]);
}

#[test]
fn a_large_count_is_not_unrolled() {
    let graph =
        lower("input x[8]\ntarget y[8]\nrepeat 1_000_000_000_000 { x = linear(x, 8) }\nloss mse(x, y)");
    assert!(graph.len() < 20);
}

#[test]
fn deep_nesting_is_an_error_on_a_small_stack() {
    let mut text = String::from("input x[8]\ntarget y[8]\ndef f0(x) { return linear(x, 8) }\n");
    for at in 1..95 {
        let call = format!("f{}(x)", at - 1);
        let nested = (0..20).fold(call, |inner, _| format!("relu(-(({inner})))"));
        text += &format!("def f{at}(x) {{ return {nested} }}\n");
    }
    text += "loss mse(f94(x), y)";
    let check = move || assert!(errors(&text).contains("nest too deeply"));
    std::thread::Builder::new().stack_size(1 << 20).spawn(check).unwrap().join().unwrap();
}

#[test]
fn definitions_that_multiply_are_stopped() {
    let mut text = String::from("input x[8]\ntarget y[8]\ndef f0(x) { return 1 }\n");
    for at in 1..60 {
        text += &format!("def f{at}(x) {{ return f{0}(x) + f{0}(x) }}\n", at - 1);
    }
    text += "loss mse(linear(x, 8), y) + f59(x)";
    assert!(errors(&text).contains("too many operations"));
}

#[test]
fn published_specs_lower() {
    let mut seen = 0;
    for (name, text) in specs().into_iter().chain(texts("tests/specs")) {
        let network = compile_with(&name, &text, &mut mupc::loader::NoFiles);
        let network = network.unwrap_or_else(|errors| panic!("{name}:\n{errors}"));
        invariants::check(&network.graph);
        seen += 1;
    }
    assert!(seen >= 20, "{seen} specs");
}

#[test]
fn gpt2() {
    let text = std::fs::read_to_string("specs/gpt2.mup").unwrap();
    kept!(dump::dump(&lower(&text)));
}

/// Every published spec, with its name.
fn specs() -> Vec<(String, String)> {
    texts("specs")
}

fn texts(folder: &str) -> Vec<(String, String)> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "mup"));
    let read =
        |path: std::path::PathBuf| (path.display().to_string(), std::fs::read_to_string(path).unwrap());
    paths.into_iter().map(read).collect()
}

/// The words of a text: names, numbers, and every other character by itself.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let code = text.lines().map(|line| line.split('#').next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    for letter in code.chars() {
        let joins = letter.is_alphanumeric() || letter == '_';
        match words.last_mut() {
            Some(word) if joins && word.ends_with(|last: char| last.is_alphanumeric() || last == '_') => {
                word.push(letter)
            }
            _ => words.push(letter.to_string()),
        }
    }
    words
}

/// Specs and prelude files together, so that changed words reach definitions too.
fn mutated(changes: &[(usize, usize, u8)], which: usize) -> String {
    let specs: Vec<_> = specs().into_iter().chain(texts("tests/specs")).collect();
    let mut text: String = mupc::prelude::TEXTS.iter().map(|(_, text)| *text).collect();
    text += &specs[which % specs.len()].1;
    let mut words = words(&text);
    let spoken: Vec<usize> =
        (0..words.len()).filter(|at| words[*at].chars().all(|c| c.is_alphanumeric() || c == '_')).collect();
    for (from, to, kind) in changes {
        let (from, to) = (spoken[from % spoken.len()], spoken[to % spoken.len()]);
        match kind % 4 {
            0 | 1 => words[to] = words[from].clone(),
            2 => words.swap(from, to),
            _ => words[to] = ["0", "1", "..", "n", "x", "?", "relu", "(a b)"][from % 8].to_string(),
        }
    }
    words.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever the words of a spec are changed to, there is a well-formed graph or an error that can be shown.
    #[test]
    fn changed_specs_never_panic(changes in prop::collection::vec(any::<(usize, usize, u8)>(), 1..4), which in any::<usize>()) {
        let text = mutated(&changes, which);
        match compile(&text) {
            Ok(network) => invariants::check(&network.graph),
            Err(errors) => prop_assert!(!errors.to_string().is_empty()),
        }
    }
}
