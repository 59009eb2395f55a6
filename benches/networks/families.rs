//! Networks of any size, as texts: each family grows in one way that could be slower than linear.

use std::fmt::Write;

/// A way to grow.
#[derive(Clone, Copy)]
pub struct Family {
    /// What it is called in tables.
    pub name: &'static str,
    /// About how many operations one unit makes.
    pub operations_per_unit: usize,
    text: fn(usize) -> String,
}

impl Family {
    /// A network of about so many operations.
    pub fn text(&self, operations: usize) -> String {
        (self.text)((operations / self.operations_per_unit).max(1))
    }
}

/// Every family.
pub const FAMILIES: [Family; 12] = [
    Family { name: "transformer, unrolled", operations_per_unit: 34, text: transformer },
    Family { name: "perceptron, unrolled", operations_per_unit: 5, text: perceptron },
    Family { name: "wide: parallel branches", operations_per_unit: 4, text: branches },
    Family { name: "nested definitions", operations_per_unit: 8, text: nested },
    Family { name: "many repeats", operations_per_unit: 10, text: repeats },
    Family { name: "nested repeats", operations_per_unit: 390, text: nests },
    Family { name: "one repeat, many streams", operations_per_unit: 4, text: streams },
    Family { name: "stream with a tied embedding", operations_per_unit: 5, text: tied },
    Family { name: "one weight, many uses", operations_per_unit: 2, text: shared },
    Family { name: "one sum, many terms", operations_per_unit: 2, text: sum },
    Family { name: "many parameters", operations_per_unit: 2, text: vectors },
    Family { name: "chain of functions", operations_per_unit: 1, text: chain },
];

const HEAD: &str = "scale n = 768, L = 12\ninput x[n]\ntarget y[1]\n";
const FINITE: &str = "scale n = 768, L = 12\ninput data[8]\ntarget y[1]\nx = linear(data, n)\n";
const END: &str = "loss mse(readout(x, 1), y)\n";

/// A head, `count` lines, an end.
fn lines(head: &str, count: usize, mut line: impl FnMut(&mut String, usize)) -> String {
    let mut text = head.to_string();
    for at in 0..count {
        line(&mut text, at);
        text.push('\n');
    }
    text + END
}

/// Writing into a `String` cannot fail.
fn put(text: &mut String, arguments: std::fmt::Arguments) {
    let _ = text.write_fmt(arguments);
}

fn transformer(layers: usize) -> String {
    let mut text = "scale n = 768\ndim vocab = 50257, seq = 1024
        input tokens[seq] in vocab\ntarget next[seq] in vocab
        x = embed(tokens, vocab, n) + position(seq, n)\n"
        .to_string();
    for _ in 0..layers {
        text += "x += attention(layer_norm(x), n/64, 64)\nx += mlp(layer_norm(x), 4*n, gelu)\n";
    }
    text + "logits = readout(layer_norm(x), vocab)\nloss mean(cross_entropy(logits, next))\n"
}

fn perceptron(layers: usize) -> String {
    lines(FINITE, layers, |text, _| text.push_str("x = relu(linear(x, n))"))
}

fn branches(count: usize) -> String {
    let mut text = FINITE.to_string();
    (0..count).for_each(|at| put(&mut text, format_args!("h{at} = tanh(linear(x, n))\n")));
    text += "x = h0";
    (1..count).for_each(|at| put(&mut text, format_args!(" + h{at}")));
    text + "\n" + END
}

/// A tree of definitions, each of which calls the one before twice.
fn nested(leaves: usize) -> String {
    let depth = leaves.max(2).ilog2() as usize;
    let mut text = "def level0(x[.., i]) { return x + relu(linear(x, i)) }\n".to_string();
    for at in 1..=depth {
        let below = at - 1;
        put(&mut text, format_args!("def level{at}(x[.., i]) {{ return level{below}(level{below}(x)) }}\n"));
    }
    // Operations are bounded by the length of the text.
    for _ in 0..leaves / 4 {
        text += "# ................\n";
    }
    text + FINITE + &format!("x = level{depth}(x)\n") + END
}

fn repeats(count: usize) -> String {
    lines(FINITE, count, |text, at| {
        put(text, format_args!("repeat L as block{at} {{ x += linear(relu(linear(x, n)), n) }}"));
    })
}

/// Repetitions inside of repetitions, nearly a hundred deep, one after another.
fn nests(count: usize) -> String {
    lines(FINITE, count, |text, _| {
        (0..50).for_each(|_| text.push_str("repeat 2 { x = x + relu(x)\n"));
        (0..45).for_each(|_| text.push_str("repeat L { x = relu(x)\n"));
        text.push_str(&"}".repeat(95));
    })
}

fn streams(count: usize) -> String {
    let mut text = FINITE.to_string();
    (0..count).for_each(|at| put(&mut text, format_args!("s{at} = x\n")));
    text += "repeat L {\n";
    (0..count).for_each(|at| put(&mut text, format_args!("s{at} += s{}\n", (at + 1) % count)));
    text += "}\nx = s0";
    (1..count).for_each(|at| put(&mut text, format_args!(" + s{at}")));
    text + "\n" + END
}

/// A long residual stream between an embedding and the same table as readout: does the stream depend on the table?
fn tied(layers: usize) -> String {
    let mut text = "scale n = 768\ndim vocab = 50257, seq = 1024
        input tokens[seq] in vocab\ntarget next[seq] in vocab\nparam table[vocab, n]
        x[t, i] = table[tokens[t], i]\n"
        .to_string();
    (0..layers).for_each(|_| text += "x += relu(linear(x, n))\n");
    text + "logits[t, v] = table[v, i] * x[t, i]\nloss mean(cross_entropy(logits, next))\n"
}

fn shared(uses: usize) -> String {
    let mut text = FINITE.to_string() + "param w[n, n]\n";
    for at in 0..uses {
        let equation = if at % 2 == 0 { "x[o] = w[o, i] * x[i]\n" } else { "x[i] = w[o, i] * x[o]\n" };
        text += equation;
        text += "x = relu(x)\n";
    }
    text + END
}

fn sum(terms: usize) -> String {
    let mut text = FINITE.to_string();
    text += "h = x";
    (0..terms).for_each(|at| text += ["\n+ x", " + relu(x)"][at % 2]);
    text + "\nx = h\n" + END
}

fn vectors(count: usize) -> String {
    lines(FINITE, count, |text, at| put(text, format_args!("param b{at}[n]\nx = x * b{at}")))
}

fn chain(count: usize) -> String {
    lines(HEAD, count, |text, _| text.push_str("x = tanh(x)"))
}
