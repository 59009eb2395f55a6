//! The parser and the formatter on good text, on bad text and on text that was never meant to be a spec.

#[path = "syntax/trees.rs"]
mod trees;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mupc::diagnostic::{Diagnostic, Diagnostics};
use mupc::source::{FileId, SourceMap};
use mupc::syntax::ast::{ClauseValue, ExprKind, File, RulesKind, Stmt, StmtKind};
use mupc::syntax::format::format;
use mupc::syntax::parser::parse;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const GPT2: &str = r#"# GPT-2, scaled in width and depth.
network gpt2
use "blocks.mup"

scale n = 768, L = 12                                  # what grows, with its base value
dim d = n, ff = 4*n, head = 64, heads = n/64, vocab = 50257, seq = 1024

input  tokens[seq] in vocab
target next[seq] in vocab

def attention(x[t, d], heads, head, sharpness = 1/head^(1/2)) {
  param wq[heads, head, d], wk[heads, head, d] = 0 frozen as "h.{l}.k"
  q[t,h,k] = wq[h,k,i] * x[t,i]
  k[t, (h k)] = ? * wk[h, k, i] * x[t, i]
  s[h,t,u] = q[t,h,k] * k[u,h,k] / head    # an activation contraction
  p[h,t,u] = softmax(causal(s), over u) + mean(x, over (h w))
  z[.., h:heads] = table[tokens[t], h] - x[.., -1]
  return z
}

x = embed(tokens, d) + position(seq, d)
repeat L as block {
  x += attention(layer_norm(x), heads, head) as first
  x += mlp(layer_norm(x), ff, gelu)
}
repeat 2*L shared {}
name block.attention.wq as "attn.q"
logits = readout(layer_norm(x), vocab)
loss cross_entropy(logits, next)
"#;

fn read(text: &str) -> (File, Vec<Diagnostic>) {
    parse(FileId::default(), text)
}

/// What must hold of the parser and the formatter whatever the text is. Returns the number of errors.
fn survives(text: &str) -> usize {
    let (file, errors) = read(text);
    let inside = |at: u32| at as usize <= text.len();
    assert!(errors.iter().all(|error| !error.labels.is_empty() && !error.message.is_empty()));
    assert!(errors.iter().flat_map(|error| &error.labels).all(|label| inside(label.span.end)));
    assert!(errors.iter().flat_map(|error| &error.labels).all(|label| label.span.start <= label.span.end));
    let printed = format(&file, text);
    let count = errors.len();
    if count == 0 {
        is_canonical(&file, text, &printed);
    } else {
        let mut sources = SourceMap::default();
        sources.add("spec.mup", text);
        assert!(!Diagnostics { sources, items: errors }.to_string().is_empty());
    }
    count
}

/// `printed` says what `text` says, comments and all, and is its own canonical form.
fn is_canonical(file: &File, text: &str, printed: &str) {
    let (again, errors) = read(printed);
    assert!(errors.is_empty(), "{errors:?}\n{text}\nprinted as\n{printed}");
    assert_eq!(without_spans(&again), without_spans(file), "{text}\nprinted as\n{printed}");
    assert_eq!(format(&again, printed), printed, "{text}");
    assert!(printed.lines().all(|line| line.trim_end() == line), "blanks at the end of a line of\n{printed}");
}

/// The tree in words, without the places in the text.
fn without_spans(file: &File) -> String {
    let all = format!("{file:?}");
    all.split("Span { file: ").map(|part| part.split_once(" }").map_or(part, |(_, rest)| rest)).collect()
}

/// Every spec of the repository.
fn specs() -> Vec<String> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "mup") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("specs"), &mut paths);
    paths.sort();
    let read = paths.iter().map(|path| std::fs::read_to_string(path).unwrap());
    std::iter::once(GPT2.to_owned()).chain(read).collect()
}

/// The grammar stands in two places, and says the same in both.
#[test]
fn the_grammar_is_documented() {
    let grammar = |text: &str, mark: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.strip_prefix(mark).unwrap_or(line).trim().to_owned());
        lines.skip_while(|line| line != "```ebnf").take_while(|line| line != "```").collect()
    };
    let documented = grammar(include_str!("../docs/language.md"), "");
    assert!(documented.len() > 30);
    assert_eq!(documented, grammar(include_str!("../src/syntax/parser.rs"), "//!"));
}

/// The comment that moves behind the brace does not unsettle the one that stood there.
#[test]
fn comments_around_a_brace() {
    survives("def f(x = 3 # three\n) { # body\n return x\n}\n");
}

#[test]
fn specs_are_read_without_errors() {
    for text in specs() {
        assert_eq!(survives(&text), 0, "{:?}", read(&text).1);
    }
}

#[test]
fn canonical_form() {
    let source = include_str!("syntax/untidy.txt");
    let (file, errors) = read(source);
    assert!(errors.is_empty(), "{errors:?}");
    let printed = format(&file, source);
    assert_eq!(printed, include_str!("syntax/tidy.txt"));
    is_canonical(&file, source, &printed);
}

#[test]
fn line_ends_and_a_byte_order_mark_do_not_matter() {
    let windows = format!("\u{feff}{}", GPT2.replace('\n', "\r\n"));
    let (file, errors) = read(&windows);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(without_spans(&file), without_spans(&read(GPT2).0));
    assert_eq!(format(&file, &windows), format(&read(GPT2).0, GPT2));
}

#[test]
fn one_hundred_levels_and_no_more() {
    let nested = |depth: usize| format!("y = {}x{}", "f(".repeat(depth), ")".repeat(depth));
    assert_eq!(survives(&nested(100)), 0);
    assert_eq!(survives(&nested(101)), 1);
    let blocks = |depth: usize| format!("{}{}", "repeat n {\n".repeat(depth), "}\n".repeat(depth));
    assert_eq!(survives(&blocks(100)), 0);
    assert_eq!(survives(&blocks(101)), 1);
}

#[test]
fn one_mistake_is_one_error_however_long() {
    let endless = [
        ("", "("),
        ("", "{"),
        ("", "}"),
        ("", "\""),
        ("", "@"),
        ("x = ", "("),
        ("x = ", "-"),
        ("x = ", "a["),
        ("x = ", "f("),
        ("x = ", "f(a, "),
        ("x", "[a ("),
        ("x", "[(a "),
        ("", "repeat n {"),
        ("", "repeat n {\n"),
    ];
    for (head, unit) in endless {
        let text = format!("{head}{}", unit.repeat(200_000 / unit.len()));
        assert_eq!(survives(&text), 1, "{head}{unit}{unit}...");
    }
}

#[test]
fn long_garbage_is_read_in_linear_time() {
    let units = [
        "a[\n",
        "x = f(\n",
        "é ",
        "'\n",
        "x y\n",
        "}\n{\n",
        "x = a + \n",
        "repeat n {\n",
        "/* ",
        "(a b\n",
        "1e",
        ".5 ",
    ];
    for unit in units {
        assert!(survives(&unit.repeat(300_000 / unit.len())) <= 200);
    }
    survives(&format!("{}x @\n{}", " ".repeat(150_000), "y\n".repeat(75_000)));
    assert_eq!(survives(&format!("x = {}a", "a * a + ".repeat(40_000))), 0);
}

/// Words of the language and of none, in any order.
fn soup() -> impl Strategy<Value = String> {
    let words = "network use scale dim input target param def repeat shared as return loss name over in frozen ( ) [ ] { } \
                 , = += a b w x n 1 2.5 \"s\" ? .. . : ^ - + * / == := ; -> // # @ é ' \" 1x";
    let word = prop::sample::select(words.split_whitespace().collect::<Vec<_>>());
    let blank = prop::sample::select(vec![" ", " ", "", "\n", "\n  "]);
    prop::collection::vec((word, blank), 0..80)
        .prop_map(|words| words.into_iter().flat_map(|(word, blank)| [word, blank]).collect())
}

/// A spec with parts cut out, doubled or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let specs = specs();
    let change = (any::<prop::sample::Index>(), 0..12_usize, "[ -~\n]{0,4}");
    (prop::sample::select(specs), prop::collection::vec(change, 1..4)).prop_map(|(spec, changes)| {
        let mut text: Vec<char> = spec.chars().collect();
        for (at, length, inserted) in changes {
            let at = at.index(text.len().max(1)).min(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, inserted.chars());
        }
        text.into_iter().collect()
    })
}

/// What may stand for a blank: other blanks, line ends and comments.
fn untidy(text: &str, choices: &[u8]) -> (String, Vec<String>) {
    let mut comments = Vec::new();
    let mut untidy = String::new();
    for (at, part) in text.split(' ').enumerate() {
        if at > 0 {
            let comment = format!("# {at}");
            match choices[at % choices.len()] {
                0 => untidy.push('\n'),
                1 => untidy.push_str("\n\n \n"),
                2 => untidy.push_str("\t  "),
                kind @ (3 | 4) => {
                    untidy.push_str(if kind == 3 { "\n\n" } else { "  " });
                    untidy.push_str(&comment);
                    untidy.push_str(" \n");
                    comments.push(comment);
                }
                _ => untidy.push(' '),
            }
        }
        untidy.push_str(part);
    }
    (untidy, comments)
}

fn comments(file: &File) -> Vec<String> {
    file.comments.iter().map(|comment| comment.text.clone()).collect()
}

/// Counts the kinds of nodes in a tree; a new kind of node must be added here, and then to the random trees.
fn kinds(statements: &[Stmt], found: &mut BTreeSet<&'static str>) {
    for statement in statements {
        let kind = match &statement.kind {
            StmtKind::Network(_) => "network",
            StmtKind::Use(_) => "use",
            StmtKind::Scale(_) => "scale",
            StmtKind::Dim(_) => "dim",
            StmtKind::Data(..) => "data",
            StmtKind::Param(_) => "param",
            StmtKind::Def(def) => {
                kinds(&def.body, found);
                "def"
            }
            StmtKind::Assign(assign) => {
                found.insert(expression_kind(&assign.value.kind));
                "assign"
            }
            StmtKind::Repeat(repeat) => {
                kinds(&repeat.body, found);
                if repeat.letter.is_some() { "scan" } else { "repeat" }
            }
            StmtKind::Return(_) => "return",
            StmtKind::Loss(_) => "loss",
            StmtKind::Name(..) => "name",
            StmtKind::Experiment(_) => "experiment",
            StmtKind::Rules(block) => {
                kinds(&block.body, found);
                match block.kind {
                    RulesKind::Parameterization => "parameterization",
                    RulesKind::Expect => "expect",
                }
            }
            StmtKind::Setting(setting) => value_kind(&setting.value),
            StmtKind::Rule(rule) => {
                found.extend(rule.clauses.iter().map(|clause| value_kind(&clause.value)));
                "rule"
            }
        };
        found.insert(kind);
    }
}

fn value_kind(value: &ClauseValue) -> &'static str {
    match value {
        ClauseValue::Power(_) => "power of a clause",
        ClauseValue::Word(_) => "word of a clause",
        ClauseValue::Quoted(_) => "quoted text of a setting",
    }
}

fn expression_kind(kind: &ExprKind) -> &'static str {
    match kind {
        ExprKind::Number(_) => "number",
        ExprKind::Hole => "hole",
        ExprKind::Name(_) => "use of a name",
        ExprKind::Indexed(..) => "indices",
        ExprKind::Call(call) if call.callee.name == "window" => "window",
        ExprKind::Call(call) if call.callee.name == "top_k" => "top_k",
        ExprKind::Call(call) if call.callee.name == "relative_bucket" => "relative_bucket",
        ExprKind::Call(call) if call.callee.name == "batch_normalize" => "batch_normalize",
        ExprKind::Call(_) => "call",
        ExprKind::Sum(_) => "sum",
        ExprKind::Product(_) => "product",
        ExprKind::Negate(_) => "negation",
        ExprKind::Power(..) => "power",
    }
}

#[test]
fn random_trees_have_every_kind_of_node() {
    let mut runner = TestRunner::deterministic();
    let mut found = BTreeSet::new();
    for _ in 0..1500 {
        kinds(&trees::file().new_tree(&mut runner).unwrap().current().statements, &mut found);
    }
    assert_eq!(found.len(), 33, "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn characters_are_survived(text in "\\PC{0,80}") {
        survives(&text);
    }

    #[test]
    fn soup_is_survived(text in soup()) {
        survives(&text);
    }

    #[test]
    fn mutations_are_survived(text in mutated()) {
        survives(&text);
    }

    #[test]
    fn trees_are_printed_and_read_back(file in trees::file()) {
        let printed = format(&file, "");
        let (again, errors) = read(&printed);
        prop_assert!(errors.is_empty(), "{:?}\n{}", errors, printed);
        prop_assert_eq!(without_spans(&again), without_spans(&file), "{}", printed);
        is_canonical(&again, &printed, &format(&again, &printed));
    }

    #[test]
    fn comments_and_blank_lines_survive(file in trees::file(), choices in prop::collection::vec(0..12_u8, 1..40)) {
        let (text, written) = untidy(&format(&file, ""), &choices);
        let (read_back, errors) = read(&text);
        prop_assert!(errors.is_empty(), "{:?}\n{}", errors, text);
        prop_assert_eq!(comments(&read_back), written);
        is_canonical(&read_back, &text, &format(&read_back, &text));
    }
}
