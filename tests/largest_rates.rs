//! `--rates largest` and `--rates global`, as users ask for them: the published rows, what they interact with, and what they refuse.

use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::Value;
use toml::Table;

const MLP: &str = "specs/mlp.mup";

/// The exit status with standard output and standard error.
fn mupc(arguments: &[&str]) -> (i32, String, String) {
    let output = cargo_bin_cmd!("mupc").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn table(arguments: &[&str]) -> Value {
    let (code, out, err) = mupc(&[&["table", "-f", "json"], arguments].concat());
    assert_eq!(code, 0, "{arguments:?}: {err}");
    serde_json::from_str(&out).unwrap()
}

/// The powers of n in the learning rates of the three matrices.
fn rates(arguments: &[&str]) -> Vec<String> {
    let table = table(&[&[MLP], arguments].concat());
    let rate = |path: &&str| {
        let rows = table["parameters"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == **path).unwrap();
        row["learning_rate"]["n"].as_str().unwrap_or("0").to_string()
    };
    ["fc1.weight", "fc2.weight", "readout.weight"].iter().map(rate).collect()
}

/// A spec of its own for a test.
fn spec(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_string()
}

fn negated(exponents: &Value) -> Vec<String> {
    let turn = |text: &str| match text.strip_prefix('-') {
        _ if text == "0" => text.to_string(),
        Some(positive) => positive.to_string(),
        None => format!("-{text}"),
    };
    exponents.as_array().unwrap().iter().map(|exponent| turn(exponent.as_str().unwrap())).collect()
}

/// Everett et al. 2024: the rows are for updates that are aligned with activations or not, and for readouts that do not align.
#[test]
fn every_published_row() {
    let golden: Table = include_str!("golden/parameterizations.toml").parse().unwrap();
    let mut compared = 0;
    for row in golden["largest_lr"].as_array().unwrap().iter().map(|row| row.as_table().unwrap()) {
        let own: &[&str] = match row["parameterization"].as_str().unwrap() {
            "SP" => &["-p", "sp"],
            "muP (TP-IV form)" => &["-p", "mup", "--form", "symmetric"],
            other => panic!("unknown parameterization {other}"),
        };
        for (key, optimizer, alignment) in [
            ("sgd_full", "sgd", "full"),
            ("sgd_none", "sgd", "none"),
            ("adam_full", "adam", "full"),
            ("adam_none", "adam", "none"),
        ] {
            let Some(published) = row.get(key) else { continue };
            let terms =
                ["-o", optimizer, "--alignment", alignment, "--readout", "loose", "--rates", "largest"];
            let published = serde_json::to_value(published).unwrap();
            assert_eq!(rates(&[own, &terms].concat()), negated(&published), "{own:?} {key}");
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}

/// TP-IV Table 1 (gradient descent); TP-V (Adam, where the readout's initial weights do not count as aligned).
#[test]
fn standard_parameterization_can_share_one_over_the_width() {
    for (terms, rate) in [
        (&["-o", "sgd"][..], "-1"),
        (&["-o", "sgd", "--readout", "loose"], "-1"),
        (&["-o", "adam", "--readout", "loose"], "-1"),
        (&["-o", "adam"], "-3/2"),
    ] {
        let found = rates(&[&["-p", "sp", "--rates", "global"], terms].concat());
        assert_eq!(found, [rate; 3], "{terms:?}");
    }
}

/// Under aligned readouts the largest rates of SP and NTK are the kernel regime's, and NTK has no others.
#[test]
fn kernel_rates() {
    assert_eq!(rates(&["-p", "sp", "-o", "adam", "--rates", "largest"]), ["-1/2", "-3/2", "-1"]);
    assert_eq!(rates(&["-p", "sp", "-o", "sgd", "--rates", "largest"]), ["0", "-1", "-1"]);
    for optimizer in ["sgd", "adam", "muon"] {
        for named in ["ntk", "mean-field", "mup"] {
            let own = rates(&["-p", named, "-o", optimizer]);
            let largest = rates(&["-p", named, "-o", optimizer, "--rates", "largest"]);
            assert_eq!(own, largest, "{named} {optimizer}");
        }
    }
}

/// eps and weight decay follow the rates; multipliers and initializations stay.
#[test]
fn the_rest_of_the_table_follows() {
    let terms = ["-p", "sp", "-o", "adam"];
    let own = table(&[&[MLP], &terms[..]].concat());
    let largest = table(&[&[MLP, "--rates", "largest"], &terms[..]].concat());
    assert_eq!((&own["rates"], &largest["rates"]), (&"own".into(), &"largest".into()));
    for (own, largest) in
        own["parameters"].as_array().unwrap().iter().zip(largest["parameters"].as_array().unwrap())
    {
        for key in ["name", "multiplier", "init_std", "epsilon"] {
            assert_eq!(own[key], largest[key]);
        }
        let exponent = |key: &str| largest[key]["n"].as_str().unwrap().to_string();
        assert_eq!(format!("-{}", exponent("weight_decay")), exponent("learning_rate"));
    }
    let said = |table: &Value| table["assumptions"].to_string();
    assert!(said(&own).contains("constant, as frameworks leave them"), "{own}");
    assert!(said(&largest).contains("for every parameter the largest stable one"), "{largest}");
}

/// What the rules of a spec say of rates is what the option replaces; what they say of initializations is what it starts from.
#[test]
fn rules_of_a_spec() {
    let text = std::fs::read_to_string(MLP).unwrap();
    let mine =
        "parameterization mine from sp {\n  \"*.weight\": lr n^5\n  readout.weight: init 1/n, decay n^7\n}\n";
    let path = spec("largest-of-rules.mup", &format!("{text}{mine}"));
    let (code, out, _) = mupc(&["table", &path, "-p", "mine", "-o", "adam", "--rates", "largest"]);
    assert_eq!(code, 0);
    let row = |name: &str| {
        let line = out.lines().find(|line| line.starts_with(name)).unwrap();
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(String::from).collect::<Vec<_>>()
    };
    assert!(out.starts_with("mlp · mine · adam · largest rates · native form"), "{out}");
    assert_eq!(row("fc2.weight")[3..], ["1", "n^-1/2", "n^-1", "n^-1", "n"], "with such a readout it is muP");
    assert_eq!(row("readout.weight")[3..], ["1", "n^-1", "n^-1", "1", "n^7"]);
}

/// With width and depth: the one rate obeys the first symbol first, then the second.
#[test]
fn several_scale_symbols_share_one_rate() {
    let shared = |arguments: &[&str]| {
        let table = table(&[arguments, &["--rates", "global"]].concat());
        let rows = table["parameters"].as_array().unwrap().clone();
        assert!(rows.iter().all(|row| row["learning_rate"] == rows[0]["learning_rate"]));
        rows[0]["learning_rate"].clone()
    };
    let text =
        "scale n = 64, m = 32\ninput x[m]\ntarget y[3]\nh = relu(linear(x, n))\nloss mse(readout(h, 3), y)\n";
    let path = spec("two-symbols.mup", text);
    assert_eq!(shared(&[&path, "-p", "mup", "-o", "adam"]), serde_json::json!({"n": "-1"}));
    let text = text.replace("n = 64, m = 32", "m = 32, n = 64");
    let path = spec("two-symbols-other.mup", &text);
    assert_eq!(shared(&[&path, "-p", "mup", "-o", "adam"]), serde_json::json!({"m": "-1"}));
    let deep = shared(&["specs/gpt2.mup", "-p", "depth-mup", "-o", "adam"]);
    assert_eq!(deep, serde_json::json!({"n": "-1", "L": "-1/2"}));
}

#[test]
fn every_command_takes_the_option() {
    let (code, out, _) = mupc(&["classify", MLP, "-p", "sp", "-o", "adam", "--rates", "largest"]);
    assert!(code == 0 && out.contains("mlp · sp · adam · largest rates") && out.contains("kernel"), "{out}");
    let (code, out, _) = mupc(&["explain", MLP, "fc2.weight", "-p", "sp", "--rates", "largest"]);
    assert!(code == 0 && out.contains("at largest rates") && out.contains("learning rate: n^-3/2"), "{out}");
    let (code, out, _) = mupc(&["explain", MLP, "fc2.weight", "-p", "sp", "--rates", "global"]);
    assert!(
        code == 0 && out.contains("share one learning rate") && out.contains("learning rate: n^-3/2"),
        "{out}"
    );
    let loose = ["--rates", "largest", "--readout", "loose", "-o", "adam"];
    let (code, out, _) = mupc(&[&["compare", MLP, "-p", "sp", "-p", "mup"], &loose[..]].concat());
    assert!(code == 1 && out.contains("· largest rates") && out.contains("starts n^-1/2 times"), "{out}");
    let (code, out, _) = mupc(&["graph", MLP, "--sizes", "-p", "sp", "--rates", "global"]);
    assert!(code == 0 && out.contains("→"), "{out}");
}

#[test]
fn what_has_no_largest_rate_is_refused() {
    let says = |arguments: &[&str], words: &[&str]| {
        let (code, out, err) = mupc(arguments);
        assert!(code == 2 && out.is_empty(), "{arguments:?}: {code} {out}");
        words
            .iter()
            .for_each(|word| assert!(err.contains(word), "{arguments:?} does not say {word:?}: {err}"));
    };
    let head = "scale n = 64\ninput x[10]\ntarget y[3]\n";
    let large = spec(
        "large-start.mup",
        &format!(
            "{head}h = relu(linear(x, n) as fc1)\nh = relu(linear(h, n) as fc2)\nloss mse(readout(h, 3), y)\nparameterization large from sp {{ fc2.weight: init 1 }}\n"
        ),
    );
    for rates in ["largest", "global"] {
        let words =
            ["no learning rate is stable: the initialization is not", "n^1/2 at initialization, more than 1"];
        says(&["table", &large, "-p", "large", "--rates", rates], &words);
    }
    let frozen = spec(
        "nothing-trained.mup",
        &format!("{head}param w[3, 10] frozen\nz[o] = w[o, i] * x[i]\nloss mse(z, y)\n"),
    );
    says(
        &["table", &frozen, "--rates", "global"],
        &["every one is stable", "nothing that the logits depend on is trained"],
    );
    says(&["table", MLP, "--rates", "largset"], &["largset", "similar value exists: 'largest'"]);
}

/// Nothing may be promised as stable that is not: for every small network, initialization and optimizer.
#[test]
fn largest_rates_are_stable() {
    use mupc::parameterization::verdict::Verdict;
    use mupc::{LearningRates, Named, Optimizer, Question};
    let mut asked = 0;
    for entry in std::fs::read_dir("tests/specs").unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_none_or(|extension| extension != "mup") {
            continue;
        }
        let network = mupc::compile(&std::fs::read_to_string(&entry).unwrap()).unwrap();
        for named in [Named::Sp, Named::Ntk, Named::Mup] {
            for optimizer in [Optimizer::Sgd, Optimizer::Adam, Optimizer::Muon] {
                for rates in [LearningRates::Largest, LearningRates::Global] {
                    let question = Question { rates, ..Question::new(named, optimizer) };
                    let Ok(found) = network.classify_of(question) else { continue };
                    let verdict = found.verdict;
                    assert!(
                        found.stable || verdict == Verdict::Trivial,
                        "{} {named} {optimizer} {rates}: {verdict}\n{:#?}",
                        entry.display(),
                        found.problems
                    );
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 200, "{asked}");
}

/// A bottleneck of width n^(1/2) is a saddle for gradient descent. One rate for all is judged before the saddle is left, and so may be larger
/// than the least of the rates that count it as left; the table then says that it moves nothing.
#[test]
fn one_rate_for_all_at_a_saddle() {
    let path = spec(
        "saddle.mup",
        "scale n = 256
        input x[784]
        target label in 10
        h = relu(linear(x, n) as fc1)
        h = relu(linear(h, n^(1/2)) as fc2)
        h = relu(linear(h, n) as fc3)
        loss cross_entropy(readout(h, 10), label)",
    );
    let powers = |rates: &str| -> Vec<String> {
        let table = table(&[&path, "-p", "mup", "-o", "sgd", "--rates", rates]);
        let rows = table["parameters"].as_array().unwrap().iter();
        rows.map(|row| row["learning_rate"]["n"].as_str().unwrap_or("0").to_string()).collect()
    };
    assert_eq!(powers("largest"), ["1", "-1/2", "1/2", "-1"]);
    assert_eq!(powers("global"), ["-3/4"; 4]);
    let (code, out, _) = mupc(&["classify", &path, "-p", "mup", "-o", "sgd", "--rates", "global"]);
    assert_eq!(code, 1);
    assert!(out.contains("trivial"), "{out}");
}
