//! The tables that the published networks carry in their comments were made by hand, from the rules of the comment; what the analyzer
//! derives must agree in every cell.

mod common;

use std::collections::BTreeSet;

use common::analyzed::{Analyzed, analyzed, calculus, spec};
use mupc::graph::{Init, ParamId};
use mupc::optimizer::Optimizer;
use mupc::parameterization::verdict::Verdict;
use mupc::parameterization::{Named, Parameterization};
use mupc::rational::Rational;
use mupc::shape::Site;
use mupc::size::Size;

/// One row of a comment.
#[derive(Debug)]
struct Row {
    label: String,
    cells: [String; 6],
}

const COLUMNS: [&str; 6] = ["N", "M", "s", "G", "Adam", "SGD"];

/// The rows under the heading `N M s G Adam SGD`, up to the empty line.
fn rows(text: &str) -> Vec<Row> {
    let mut lines = text.lines().skip_while(|line| !is_heading(line));
    let heading = lines.next().expect("a heading");
    let mut from = 0;
    let starts = COLUMNS.map(|column| {
        from = heading[from..].find(&format!(" {column}")).unwrap() + from + 1;
        from
    });
    lines.take_while(|line| line.trim() != "#").map(|line| row(line, &starts)).collect()
}

fn is_heading(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.first() == Some(&"#") && words[1..] == COLUMNS
}

fn row(line: &str, starts: &[usize; 6]) -> Row {
    let end = |at: usize| starts.get(at + 1).copied().unwrap_or(usize::MAX).min(line.len());
    let cell = |at: usize| line.get(starts[at]..end(at)).unwrap_or_default().trim().to_string();
    Row { label: line[1..starts[0]].trim().to_string(), cells: std::array::from_fn(cell) }
}

/// The power of n that a cell names; none if it is empty or speaks of a constant start.
fn power(cell: &str) -> Option<Rational> {
    match cell {
        "" | "(zero)" | "(one)" => None,
        "1/n" => Some(Rational::integer(-1)),
        "fin." => Some(Rational::ZERO),
        _ if cell.chars().all(|c| c.is_ascii_digit()) => Some(Rational::ZERO),
        _ => match cell.split_once('^') {
            Some(("n", power)) => Some(power.parse().unwrap()),
            _ => {
                assert!(["n", "n/4", "7n/2"].contains(&cell), "unknown cell {cell}");
                Some(Rational::ONE)
            }
        },
    }
}

/// Which parameters, and which of their uses, a row is about. `*` stands for all that no other row names.
fn named(spec: &str, label: &str) -> (Vec<&'static str>, usize) {
    let paths: &[&str] = match (spec, label) {
        ("mlp", "fc1.weight") => &["fc1.weight"],
        ("mlp", "fc1.bias") => &["fc1.bias"],
        ("mlp", "fc2.weight") => &["fc2.weight"],
        ("mlp", "fc2.bias") => &["fc2.bias"],
        ("mlp" | "deep-linear", "readout.weight") => &["readout.weight"],
        ("deep-linear", "first.weight") => &["first.weight"],
        ("deep-linear", "hidden.linear.weight") => &["hidden.linear.weight"],
        ("autoencoder", "encode1.weight") => &["encode1.weight"],
        ("autoencoder", "encode2, encode3.weight") => &["encode2.weight", "encode3.weight"],
        ("autoencoder", "code.weight") => &["code.weight"],
        ("autoencoder", "decode1.weight") => &["decode1.weight"],
        ("autoencoder", "decode2, decode3.weight") => &["decode2.weight", "decode3.weight"],
        ("autoencoder", "picture.weight") => &["picture.weight"],
        ("autoencoder", "biases of encode, decode") => &["*bias"],
        ("autoencoder", "biases of code, picture") => &["code.bias", "picture.bias"],
        ("convnet", "conv1.weight") => &["conv1.weight"],
        ("convnet", "conv2 ... conv8.weight") => &["*weight"],
        ("convnet", "conv1 ... conv8.bias") => &["*bias"],
        ("convnet", "conv9.weight") => &["conv9.weight"],
        ("convnet", "conv9.bias") => &["conv9.bias"],
        ("gpt2", "wte, as an embedding" | "wte, as the readout, m = 1/n") => &["wte"],
        ("gpt2", "wpe") => &["wpe"],
        ("gpt2", "query, key, value") => &["h.attn.query.weight", "h.attn.key.weight", "h.attn.value.weight"],
        ("gpt2", "attention out, mlp up, down") => {
            &["h.attn.out.weight", "h.mlp.up.weight", "h.mlp.down.weight"]
        }
        ("bert-base", "words, as an embedding" | "words, as a readout, m = 1/n") => &["words"],
        ("bert-base", "positions, segments") => &["positions", "segments"],
        ("bert-base", "transform, pooler") => &["transform.weight", "pooler.weight"],
        ("bert-base", "words_bias") => &["words_bias"],
        ("bert-base", "follows.weight") => &["follows.weight"],
        ("bert-base", "follows.bias") => &["follows.bias"],
        ("bert-base" | "vit-b16", "query, key, value") => {
            &["layer.attention.query.weight", "layer.attention.key.weight", "layer.attention.value.weight"]
        }
        ("bert-base" | "vit-b16", "attention out, mlp up, down") => {
            &["layer.attention.out.weight", "layer.mlp.up.weight", "layer.mlp.down.weight"]
        }
        ("vit-b16", "patch.weight") => &["patch.weight"],
        ("vit-b16", "class_token, positions") => &["class_token", "positions"],
        ("vit-b16", "head.weight") => &["head.weight"],
        ("vit-b16", "head.bias") => &["head.bias"],
        ("bert-base" | "gpt2" | "vit-b16", "biases (zero), gains (one)") => &["*bias", "*gain"],
        ("llama3-8b", "embed.weight") => &["embed.weight"],
        ("llama3-8b", "query") => &["layers.attention.query.weight"],
        ("llama3-8b", "key, value") => &["layers.attention.key.weight", "layers.attention.value.weight"],
        ("llama3-8b", "attention out") => &["layers.attention.out.weight"],
        ("llama3-8b", "mlp gate, up") => &["layers.mlp.gate.weight", "layers.mlp.up.weight"],
        ("llama3-8b", "mlp down") => &["layers.mlp.down.weight"],
        ("llama3-8b", "gains (one)") => &["*gain"],
        ("llama3-8b", "lm_head.weight") => &["lm_head.weight"],
        ("gpt2", "scores") => &[],
        _ => panic!("{spec}: which parameters are `{label}`?"),
    };
    (paths.to_vec(), usize::from(label.contains("as the readout") || label.contains("as a readout")))
}

/// The parameters of a row: those it names, or all of a kind that no row names.
fn params(found: &Analyzed, patterns: &[&str], others: &BTreeSet<&str>) -> Vec<ParamId> {
    let all = found.calculus.graph().param_ids();
    let fits = |path: &str, pattern: &str| match pattern.strip_prefix('*') {
        Some(kind) => path.ends_with(kind) && !others.contains(path),
        None => path == pattern,
    };
    all.filter(|(_, param)| patterns.iter().any(|pattern| fits(&param.path, pattern)))
        .map(|(id, _)| id)
        .collect()
}

/// What is derived for a cell.
fn derived(adam: &Analyzed, sgd: &Analyzed, id: ParamId, site: &Site, column: &str) -> Size {
    let rate = |found: &Analyzed| Size::from(&found.table.abc.params[id.index()].learning_rate);
    match column {
        "N" => Size::from(&site.fan_in),
        "M" => Size::from(&site.fan_out).mul(&Size::from(&site.shared)),
        "s" => Size::from(&adam.table.abc.params[id.index()].init_std),
        "G" => adam.sizes.gradient[site.node.index()].clone(),
        "Adam" => rate(adam),
        _ => rate(sgd),
    }
}

fn check(name: &str) -> usize {
    let text = spec(name);
    let calculus = calculus(&text);
    let [adam, sgd] =
        [Optimizer::Adam, Optimizer::Sgd].map(|optimizer| analyzed(&calculus, Named::Mup, optimizer));
    assert_eq!(adam.sizes.gradient, sgd.sizes.gradient, "{name}: gradients depend on the optimizer");
    let rows = rows(&text);
    let explicit: BTreeSet<&str> = rows.iter().flat_map(|row| named(name, &row.label).0).collect();
    let (mut covered, mut cells) = (BTreeSet::new(), 0);
    for row in &rows {
        let (patterns, usage) = named(name, &row.label);
        for id in params(&adam, &patterns, &explicit) {
            covered.insert(id);
            let site = calculus.shaped.sites_of(id).nth(usage).unwrap();
            for (column, cell) in COLUMNS.into_iter().zip(&row.cells) {
                let Some(expected) = power(cell) else { continue };
                let found = derived(&adam, &sgd, id, site, column);
                let expected = Size::from(&common::power(expected));
                let path = &calculus.graph().param(id).path;
                assert_eq!(found, expected, "{name}: {column} of {path}, in row {row:?}");
                cells += 1;
            }
            let constant = row.cells[2].is_empty() || row.cells[2] == "(zero)";
            assert_eq!(constant, calculus.graph().param(id).init != Init::Random, "{row:?}");
        }
    }
    assert_eq!(covered.len(), calculus.graph().params.len(), "{name}: parameters without a row");
    cells
}

#[test]
fn every_cell_of_every_table() {
    let names = ["mlp", "deep-linear", "autoencoder", "convnet", "gpt2", "bert-base", "vit-b16", "llama3-8b"];
    let cells: usize = names.into_iter().map(check).sum();
    assert!(cells > 400, "only {cells} cells");
}

/// The factor in front of the tied readouts, which the tables name in words.
#[test]
fn tied_readouts_carry_one_over_n() {
    for (name, tensor) in [("gpt2", "logits"), ("bert-base", "guess")] {
        let calculus = calculus(&spec(name));
        let found = analyzed(&calculus, Named::Mup, Optimizer::Adam);
        let [(in_front_of, factor)] = &found.multipliers()[..] else { panic!("{:?}", found.multipliers()) };
        assert!(in_front_of.starts_with(tensor), "{in_front_of}");
        assert_eq!(factor, "n^-1");
    }
}

/// One hidden layer of width n, and a map to three numbers whose entries start as `init` says.
fn with_readout(init: &str) -> String {
    format!(
        "scale n = 64\ninput x[10]\ntarget wanted[3]\nparam last[3, n] {init}\n\
         h = relu(affine(relu(affine(x, n)), n))\ny[c] = last[c, i] * h[i]\nloss mse(y, wanted)"
    )
}

/// A readout of zeros is as large as a random one after its first step: rates and eps are the same for everything.
#[test]
fn a_readout_of_zeros_leaves_all_rates_as_they_are() {
    for optimizer in [Optimizer::Sgd, Optimizer::Adam] {
        let (random, zero) = (calculus(&with_readout("")), calculus(&with_readout("= 0")));
        let random = analyzed(&random, Named::Mup, optimizer).table;
        let zero = analyzed(&zero, Named::Mup, optimizer).table;
        let rates = |table: &Parameterization| -> Vec<_> {
            table.abc.params.iter().map(|scaling| scaling.learning_rate.clone()).collect()
        };
        assert_eq!(rates(&random), rates(&zero), "{optimizer}");
        assert_eq!(random.epsilon, zero.epsilon, "{optimizer}");
    }
}

/// Low-rank adaptation with a rank that grows. The first step of `up`, of size 1/r, passes the gradient 1/n of its n outputs back as
/// 1/r, so `down` may move r times further under SGD than a map to finitely many units.
#[test]
fn low_rank_adaptation() {
    let text = "scale n = 64, r = 8\ninput x[10]\ntarget wanted[3]\n\
                h = relu(lora(relu(linear(x, n)), n, r))\nloss mse(readout(h, 3), wanted)";
    let calculus = calculus(text);
    let found = analyzed(&calculus, Named::Mup, Optimizer::Sgd);
    assert!(found.class.is_maximal(), "{:?}", found.class.params);
    let rate = |path: &str| {
        let rate = &found.table.abc.params[found.id(path).index()].learning_rate;
        rate.display(&calculus.graph().symbol_names()).to_string()
    };
    let rates = ["linear.weight", "lora.down", "lora.up", "readout.weight"].map(rate);
    assert_eq!(rates, ["n", "n^-1 r", "n r^-1", "n^-1"]);
}

/// Branches that start at zero, in a stream of any depth: what stands behind the zeros has a gradient from the first step on.
#[test]
fn branches_of_zeros() {
    let text = "scale n = 64, L = 4\ninput x[10]\ntarget wanted[3]\n\
                def branch(x[i]) {\n param up[4*i, i], down[i, 4*i] = 0\n z[a] = relu(up[a, k] * x[k])\n\
                y[o] = down[o, a] * z[a]\n return y }\n\
                h = affine(x, n)\nrepeat L { h += branch(layer_norm(h)) }\nloss mse(readout(h, 3), wanted)";
    let calculus = calculus(text);
    for optimizer in [Optimizer::Sgd, Optimizer::Adam] {
        let found = analyzed(&calculus, Named::Mup, optimizer);
        assert!(found.class.is_maximal(), "{optimizer}: {:?}", found.class.params);
        let missing = found.table.epsilon.iter().filter(|epsilon| epsilon.is_none()).count();
        assert_eq!(missing > 0, optimizer == Optimizer::Sgd);
    }
}

/// A finite code may vanish at initialization and still move by O(1) before its normalization (factorized embeddings, as in ALBERT).
#[test]
fn a_finite_code_before_a_normalization_is_maximal() {
    let network = mupc::compile(
        "scale n = 256
         input x[10]
         target y in 7
         h = relu(linear(x, n) as wide)
         code = layer_norm(gelu(linear(h, 128) as code))
         loss cross_entropy(readout(code, 7), y)",
    )
    .unwrap();
    let table = network.table(mupc::Named::Mup, mupc::Optimizer::Adam).unwrap();
    assert!(table.notes.is_empty(), "{table}");
    assert!(network.classify(mupc::Named::Mup, mupc::Optimizer::Adam).unwrap().learns_features());
}

/// Groups of queries that share keys and values, with a number g of groups that grows slower than n. By hand: query, key and value end in M = g of N = n
/// units, so s = n^-1/2 (g/n)^1/2 and the values are (g/n)^1/2; the output map starts from g and ends in n, s = g^-1/2.
#[test]
fn grouped_queries_with_growing_groups() {
    let text = "scale n = 512, g = 4
        dim head = 64, seq = 16
        input x[seq, n]
        target y[seq] in 100
        param wq[g, 8, head, n], wk[g, head, n], wv[g, head, n], wo[n, g, 8, head]
        q[s, k, r, h] = wq[k, r, h, d] * x[s, d]
        key[s, k, h] = wk[k, h, d] * x[s, d]
        v[s, k, h] = wv[k, h, d] * x[s, d]
        a[k, r, s, u] = q[s, k, r, h] * key[u, k, h]
        p[k, r, s, u] = softmax(a[k, r, s, u], over u)
        o[s, k, r, h] = p[k, r, s, u] * v[u, k, h]
        z[s, d] = wo[d, k, r, h] * o[s, k, r, h]
        loss mean(cross_entropy(readout(z, 100), y))";
    let calculus = calculus(text);
    for (optimizer, inner, outer) in [
        (Optimizer::Adam, "n^-1", "g^-1"),
        (Optimizer::Sgd, "n^-1 g", "n g^-1"),
        (Optimizer::Muon, "n^-1/2 g^1/2", "n^1/2 g^-1/2"),
    ] {
        let found = analyzed(&calculus, Named::Mup, optimizer);
        for path in ["wq", "wk", "wv"] {
            assert_eq!(found.row(path), ["1", "n^-1 g^1/2", inner], "{path} {optimizer}");
        }
        assert_eq!(found.row("wo"), ["1", "g^-1/2", outer], "{optimizer}");
        assert_eq!((found.initial("a").as_str(), found.initial("z").as_str()), ("n^-1 g", "n^-1/2 g^1/2"));
        assert_eq!(found.class.verdict, Verdict::FeatureLearning, "{optimizer}");
        // Queries and keys are a saddle for gradient descent: each one's gradient is as small as the other.
        let small = if optimizer == Optimizer::Sgd { "n^-1/2 g^1/2" } else { "1" };
        for (path, update) in [("wq", small), ("wk", small), ("wv", "1"), ("wo", "1")] {
            assert_eq!(found.size(&found.judged(path).update), update, "{path} {optimizer}");
        }
    }
}
