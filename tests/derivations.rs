//! The tables that the published networks carry in their comments were made by hand, from the rules of the comment; what the analyzer
//! derives must agree in every cell.
//!
//! A row names parameters by their paths: `h.attn.{query,key}.weight` both, `*.bias` whatever no row names in full. After the paths it may
//! say which use it is about (`looked up` or `read out`) and what stands in front of the operation (`m = 1/n`).

mod common;

use std::collections::BTreeSet;

use common::analyzed::{Analyzed, analyzed, calculus, published};
use mupc::dim::{Dim, Symbol};
use mupc::graph::{Graph, Init, Op, Param, ParamId};
use mupc::optimizer::Optimizer;
use mupc::parameterization::verdict::{Verdict, classify};
use mupc::parameterization::{Named, Parameterization, Scheme, parameterize};
use mupc::rational::Rational;
use mupc::shape::Site;
use mupc::size::Size;
use mupc::size::analysis::{Calculus, analyze};

/// One row of a comment.
#[derive(Debug)]
struct Row {
    patterns: Vec<String>,
    /// Whether it is about the use that picks rows or about the other one; none if it is about all.
    lookup: Option<bool>,
    /// The power of n in front of the operation.
    multiplier: Rational,
    cells: [String; 6],
}

const COLUMNS: [&str; 6] = ["N", "M", "s", "G", "Adam", "SGD"];

/// The rows under the heading `N M s G Adam SGD`.
fn rows(name: &str, text: &str) -> Vec<Row> {
    let mut lines = text.lines().skip_while(|line| !is_heading(line));
    let heading = lines.next().unwrap_or_else(|| panic!("{name} has no table"));
    let mut from = 0;
    let starts = COLUMNS.map(|column| {
        from = heading[from..].find(&format!(" {column}")).unwrap() + from + 1;
        from
    });
    lines.take_while(|line| line.starts_with("#   ")).map(|line| row(line, &starts)).collect()
}

fn is_heading(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.first() == Some(&"#") && words[1..] == COLUMNS
}

fn row(line: &str, starts: &[usize; 6]) -> Row {
    let end = |at: usize| starts.get(at + 1).copied().unwrap_or(usize::MAX).min(line.len());
    let cell = |at: usize| line.get(starts[at]..end(at)).unwrap_or_default().trim().to_string();
    let (mut patterns, mut lookup, mut multiplier) = (Vec::new(), None, Rational::ZERO);
    for part in line[1..starts[0]].trim().split(", ") {
        match part.strip_prefix("m = ") {
            Some(factor) => multiplier = power(factor),
            None if part == "looked up" => lookup = Some(true),
            None if part == "read out" => lookup = Some(false),
            None => patterns.extend(expanded(part)),
        }
    }
    Row { patterns, lookup, multiplier, cells: std::array::from_fn(cell) }
}

/// `{a,b}` stands for a and b.
fn expanded(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_string()] };
    let (choices, after) = rest.split_once('}').expect("a closing brace");
    choices.split(',').flat_map(|choice| expanded(&format!("{before}{choice}{after}"))).collect()
}

/// `*` stands for anything.
fn fits(pattern: &str, path: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == path };
    path.strip_prefix(before).is_some_and(|rest| (0..=rest.len()).any(|at| fits(after, &rest[at..])))
}

/// The power of n that a cell names.
fn power(cell: &str) -> Rational {
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let is_factor = |text: &str| text.is_empty() || is_number(text);
    if cell == "fin." || is_number(cell) {
        return Rational::ZERO;
    }
    match cell.split_once('n') {
        Some(("1/", "")) => Rational::integer(-1),
        Some((front, "")) if is_factor(front) => Rational::ONE,
        Some((front, back)) if is_factor(front) && back.strip_prefix('/').is_some_and(is_number) => {
            Rational::ONE
        }
        Some(("", back)) if back.starts_with('^') => back[1..].parse().unwrap(),
        _ => panic!("unknown cell `{cell}`"),
    }
}

/// The exact length that a cell names: 64, n/4, 7n/2; none for a bare n, which stands for any multiple.
fn length(cell: &str) -> Option<Dim> {
    let (above, below) = cell.split_once('/').unwrap_or((cell, "1"));
    let grows = above.ends_with('n');
    let above = above.trim_end_matches('n');
    if cell == "n" || cell == "fin." {
        return None;
    }
    let number = |text: &str| Rational::integer(if text.is_empty() { 1 } else { text.parse().unwrap() });
    let coefficient = number(above).div(number(below)).unwrap();
    Some(Dim { coefficient, powers: common::power(Rational::integer(i64::from(grows))) })
}

/// The lengths that a use sums over, and those that it keeps, multiplied: N and M with the numbers in front.
fn lengths(graph: &Graph, site: &Site) -> [Dim; 2] {
    let node = graph.node(site.node);
    let shape = &graph.node(node.operands[site.operand]).shape;
    let summed = |axis: usize| match &node.op {
        Op::Contract { einsum, .. } | Op::Lookup { einsum, .. } => {
            !einsum.output.contains(&einsum.inputs[site.operand][axis])
        }
        _ => false,
    };
    let product = |wanted: bool| {
        let axes = shape.iter().enumerate().filter(|(axis, _)| summed(*axis) == wanted);
        axes.fold(Dim::one(), |product, (_, dim)| product.mul(dim).unwrap())
    };
    [if site.lookup { Dim::one() } else { product(true) }, product(false)]
}

/// The row that a use of a parameter belongs to: one that names the parameter in full before one with a star.
fn row_of<'r>(rows: &'r [Row], param: &Param, site: &Site) -> &'r Row {
    let found = |starred: bool| {
        let named = move |row: &&Row| {
            row.patterns.iter().any(|pattern| pattern.contains('*') == starred && fits(pattern, &param.path))
        };
        let used = |row: &&Row| row.lookup.is_none_or(|lookup| lookup == site.lookup);
        rows.iter().filter(named).filter(used).collect::<Vec<_>>()
    };
    match (&found(false)[..], &found(true)[..]) {
        ([row], _) | ([], [row]) => row,
        (full, starred) => panic!("{} has the rows {full:?} {starred:?}", param.path),
    }
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

/// The word for an entry that is no power of n: a constant start, the rate of what is not trained.
fn word(param: &Param, column: &str) -> Option<&'static str> {
    match (column, &param.init) {
        ("s", Init::Constant(value)) if value.is_zero() => Some("(zero)"),
        ("s", Init::Constant(value)) if *value == Rational::ONE => Some("(one)"),
        ("s", Init::Constant(value)) => panic!("a start of {value} has no word"),
        ("Adam" | "SGD", _) if param.frozen => Some("-"),
        _ => None,
    }
}

/// Compares a table with what is derived: every use of every parameter, every cell, every factor in front of an operation.
fn check(name: &str, text: &str) -> usize {
    let calculus = calculus(text);
    let [adam, sgd] =
        [Optimizer::Adam, Optimizer::Sgd].map(|optimizer| analyzed(&calculus, Named::Mup, optimizer));
    // From a saddle, gradient descent starts with smaller gradients than those that its rates are made for.
    if sgd.class.verdict != Verdict::Trivial {
        assert_eq!(adam.sizes.gradient, sgd.sizes.gradient, "{name}: gradients depend on the optimizer");
    }
    let rows = rows(name, text);
    let (mut used, mut cells) = (BTreeSet::new(), 0);
    for (id, param) in calculus.graph().param_ids() {
        for site in calculus.shaped.sites_of(id) {
            let row = row_of(&rows, param, site);
            used.insert(std::ptr::from_ref(row));
            for (column, cell) in COLUMNS.into_iter().zip(&row.cells) {
                let place = format!("{name}: {column} of {}, in row {row:?}", param.path);
                match word(param, column) {
                    Some(word) => assert_eq!(word, cell, "{place}"),
                    None => {
                        let found = derived(&adam, &sgd, id, site, column);
                        assert_eq!(found, Size::from(&common::power(power(cell))), "{place}");
                    }
                }
                cells += 1;
            }
            for (cell, found) in row.cells.iter().zip(lengths(calculus.graph(), site)) {
                if let Some(length) = length(cell) {
                    assert_eq!(length, found, "{name}: `{cell}` of {}", param.path);
                }
            }
            for found in [&adam, &sgd] {
                let factor = found.table.abc.contractions.get(&site.node).cloned().unwrap_or_default();
                assert_eq!(factor, common::power(row.multiplier), "{name}: m of {}", param.path);
            }
        }
    }
    assert_eq!(used.len(), rows.len(), "{name}: rows about nothing");
    let named = rows.iter().filter(|row| !row.multiplier.is_zero()).count();
    assert_eq!(adam.table.abc.contractions.len(), named, "{name}: {:?}", adam.multipliers());
    cells
}

#[test]
fn every_cell_of_every_table() {
    let cells: usize = published().iter().map(|(name, text)| check(name, text)).sum();
    assert!(cells > 2000, "only {cells} cells");
}

/// The powers of L in Adam's rate and in SGD's, for a residual multiplier L^-alpha.
type InDepth = fn(Rational) -> [Rational; 2];

/// Weights of a block, if nothing else is said: L^(alpha - 1) and L^(2 alpha - 1).
const IN_BLOCKS: InDepth = |alpha| {
    let below = alpha.sub(Rational::ONE).unwrap();
    [below, below.add(alpha).unwrap()]
};

/// Behind a factor that starts at zero and grows to L^(alpha - 1): nothing and L.
const BEHIND_ZEROS: InDepth = |_| [Rational::ZERO, Rational::ONE];

/// A table that all blocks read: L^(alpha - 1), and L^(2 alpha - 2) for a gradient from all of them.
const READ_BY_ALL: InDepth = |alpha| {
    let below = alpha.sub(Rational::ONE).unwrap();
    [below, below.add(below).unwrap()]
};

/// What the comments say of single parameters.
const IN_DEPTH: [(&str, &str, InDepth); 5] = [
    ("lora-gpt2", "h.attn.*.down", BEHIND_ZEROS),
    ("dit-b2", "block.{shift,stretch}_*", BEHIND_ZEROS),
    ("dit-b2", "block.{attn,mlp}.*", BEHIND_ZEROS),
    ("t5-small", "near", READ_BY_ALL),
    ("t5-small", "ago", READ_BY_ALL),
];

/// What a comment says of a parameter in L.
fn in_depth(name: &str, graph: &Graph, param: &Param, alpha: Rational) -> [Rational; 2] {
    let about = |entry: &&(&str, &str, InDepth)| {
        entry.0 == name && expanded(entry.1).iter().any(|pattern| fits(pattern, &param.path))
    };
    match (IN_DEPTH.iter().find(about), graph.block_of(param.scope)) {
        (Some((_, _, rule)), _) => rule(alpha),
        (None, Some(_)) => IN_BLOCKS(alpha),
        (None, None) => [Rational::ZERO; 2],
    }
}

#[test]
fn every_power_of_the_depth() {
    let mut deep = Vec::new();
    for (name, text) in published() {
        let network = mupc::compile(&text).unwrap();
        let calculus = Calculus::deep(&network.graph);
        if calculus.repetitions.streams.branches.is_empty() {
            continue;
        }
        for alpha in [(1, 2), (3, 4), (1, 1)].map(|(a, b)| Rational::new(a, b).unwrap()) {
            for (at, optimizer) in [Optimizer::Adam, Optimizer::Sgd].into_iter().enumerate() {
                let place = format!("{name} {optimizer} alpha = {alpha}");
                let table =
                    parameterize(&calculus, Scheme::from(Named::Mup).with_alpha(alpha), optimizer).unwrap();
                for (id, param) in network.graph.param_ids().filter(|(_, param)| !param.frozen) {
                    let found = table.abc.params[id.index()].learning_rate.exponent(Symbol(1));
                    let expected = in_depth(&name, &network.graph, param, alpha)[at];
                    assert_eq!(found, expected, "{place}: {}", param.path);
                }
                let sizes = analyze(&calculus, table.abc.clone(), table.plan.clone());
                let saddle = name == "lora-gpt2" && optimizer == Optimizer::Sgd;
                let expected = if saddle { Verdict::Trivial } else { Verdict::FeatureLearning };
                assert_eq!(classify(&calculus, &sizes).verdict, expected, "{place}");
            }
        }
        deep.push(name);
    }
    let expected = "deepseek-mla dit-b2 gpt2 llama3-8b lora-gpt2 mamba-130m mixtral-8x7b mlp-mixer-b16 resmlp t5-small vit-b16";
    assert_eq!(deep.join(" "), expected);
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
