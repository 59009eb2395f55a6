//! `mupc transfer` from the outside: the page about it, verdicts, stores, shares, bad input.

#[path = "common/interrupt.rs"]
mod interrupt;
#[path = "transfer/refusals.rs"]
mod refusals;
#[path = "transfer/stores.rs"]
mod stores;

use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

/// The program, in the root of the repository.
pub fn mupc(arguments: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("mupc");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command
}

/// A sweep that takes a moment; the format comes next.
pub const SMALL: &str =
    "transfer specs/mlp.mup --over n=16..64 --steps 40 --sweep lr=2^-9..2^-4 --seeds 2 -q -f";

/// Runs the small sweep with more arguments; the format comes first.
pub fn small(arguments: &[&str]) -> Output {
    let words: Vec<&str> = SMALL.split(' ').chain(arguments.iter().copied()).collect();
    mupc(&words).output().unwrap()
}

/// The record of a sweep, by the words of its command.
fn sweep(line: &str) -> Value {
    let line = format!("transfer {line} -q -f json");
    let output = mupc(&line.split(' ').collect::<Vec<_>>()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{line}\n{error}"))
}

/// Its record, without what differs from process to process.
pub fn record(arguments: &[&str]) -> Value {
    let output = small(&[&["json"], arguments].concat());
    let text = String::from_utf8_lossy(&output.stderr);
    let mut record: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}"));
    ["seconds", "command", "threads", "fresh"].iter().for_each(|key| record[*key] = Value::Null);
    record["runs"].as_array_mut().unwrap().iter_mut().for_each(|run| run["seconds"] = Value::Null);
    record
}

/// An empty folder of one test's own.
pub fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Every command of docs/transfer.md runs, and says what the page says that it says.
#[test]
fn every_command_of_the_page() {
    let page = std::fs::read_to_string("docs/transfer.md").unwrap();
    let folder = folder("page");
    let mut count = 0;
    for line in page.lines().filter_map(|line| line.strip_prefix("cargo run --release -- ")) {
        let (command, wanted) = line.split_once('#').unwrap_or((line, ""));
        let words: Vec<String> = command
            .split_whitespace()
            .map(|word| match word.ends_with(".jsonl") || word.ends_with(".html") || word.ends_with(".csv") {
                true => folder.join(word).to_str().unwrap().to_string(),
                false => word.trim_matches('\'').to_string(),
            })
            .collect();
        let output = mupc(&words.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_ne!(output.status.code(), Some(2), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(wanted.trim()), "{command}\n{text}");
        count += 1;
    }
    assert!(count >= 5, "{count} commands");
}

/// Nothing depends on how many runs go side by side.
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let first = record(&["--threads", "1"]);
    assert!(first["runs"].as_array().unwrap().len() > 60);
    assert_eq!(first, record(&["--threads", "3"]));
}

/// At the smallest size all parameterizations are one network, to the last bit.
#[test]
fn parameterizations_start_as_one_network() {
    let record = record(&["-p", "sp", "-p", "mup", "-p", "mean-field", "--refine", "0", "--reach", "0"]);
    let losses = |name: &str, value: i64| -> Vec<Value> {
        let runs = record["runs"].as_array().unwrap().iter();
        let own = runs.filter(|run| run["parameterization"] == name && run["value"] == value);
        own.map(|run| run["loss"].clone()).collect()
    };
    assert_eq!(losses("sp", 16).len(), 12);
    assert_eq!(losses("sp", 16), losses("mup", 16));
    assert_eq!(losses("sp", 16), losses("mean-field", 16));
    assert_ne!(losses("sp", 64), losses("mup", 64));
}

/// Larger steps than a network can stand are a result.
#[test]
fn divergence_is_a_result() {
    let record = sweep(
        "specs/mlp.mup --over n=16..64 --steps 40 --seeds 2 -p sp -o sgd --sweep lr=2^-2..2^8 --reach 0 --refine 0",
    );
    let runs = record["runs"].as_array().unwrap();
    let lost: Vec<&Value> = runs.iter().filter(|run| run["loss"].is_null()).collect();
    assert!(!lost.is_empty() && lost.len() < runs.len());
    assert!(lost.iter().all(|run| run["diverged_at"].is_u64() != run["stopped_at"].is_u64()));
}

/// The grid grows where the best value lies at its end, and says so where it may not.
#[test]
fn optima_are_bracketed_or_said_to_be_at_the_edge() {
    let line = "specs/mlp.mup --over n=16,32 --steps 40 --seeds 2 -p mup --sweep lr=2^-14..2^-12 --refine 0";
    let reaching = |reach: u32| sweep(&format!("{line} --reach {reach}"))["studies"][0].clone();
    let edge = reaching(0);
    assert_eq!(edge["verdict"], "undecided");
    assert!(edge["reason"].as_str().unwrap().contains("largest that was tried"), "{}", edge["reason"]);
    assert!(edge["advice"].as_str().unwrap().contains("--sweep lr=..."), "{}", edge["advice"]);
    let inside = reaching(12);
    for curve in inside["curves"].as_array().unwrap() {
        let points = curve["points"].as_array().unwrap();
        assert!(curve["optimum"].is_object() && points.len() > 3);
        assert!(points.last().unwrap()["log2"].as_f64() > curve["optimum"]["log2"].as_f64());
    }
}

/// How the best rate should move, by the bound of stability; nothing where no rate is stable.
#[test]
fn drifts_are_predicted() {
    let predict = |spec: &str, over: &str, parameterization: &str, optimizer: &str| {
        let course = "--steps 2 --seeds 1 --sweep lr=2^-9..2^-7 --refine 0 --reach 0";
        let small = if spec.contains("mlp.mup") { "--batch 2" } else { "--set L=2 --batch 2" };
        let record =
            sweep(&format!("{spec} --over {over} -p {parameterization} -o {optimizer} {course} {small}"));
        let own = &record["studies"][0];
        assert_ne!(own["predicted"].is_null(), own["unpredicted"].is_null());
        [own["predicted"]["exponent"].clone(), own["predicted"]["strict"].clone()]
    };
    let mlp = |parameterization, optimizer| predict("specs/mlp.mup", "n=8,16", parameterization, optimizer);
    assert_eq!(mlp("sp", "adam"), ["-1", "-3/2"]);
    assert_eq!(mlp("sp", "sgd"), ["-1", "-1"]);
    assert_eq!(mlp("ntk", "sgd"), ["0", "0"]);
    for optimizer in ["adam", "sgd", "muon"] {
        assert_eq!(mlp("mup", optimizer), ["0", "0"], "{optimizer}");
    }
    assert_eq!(predict("specs/resmlp.mup", "L=2,4", "complete-p", "adam"), ["0", "0"]);
    assert_eq!(predict("specs/gpt2.mup", "n=16,32", "sp", "adam"), [Value::Null, Value::Null]);
}

/// Whatever stability bounds has a prediction, by the same rules; what has none says why.
#[test]
fn other_hyperparameters_are_predicted_or_said_not_to_be() {
    let line = "tests/specs/attention-growing-heads.mup --data synthetic --over n=8,16 --steps 2 --seeds 1 --batch 2";
    let predict = |parameterization: &str, knob: &str| -> (Value, Value) {
        let grid = format!("--sweep {knob}=2^1..2^3 --refine 0 --reach 0");
        let record = sweep(&format!("{line} -p {parameterization} {grid}"));
        let own = &record["studies"][0];
        (own["predicted"]["exponent"].clone(), own["unpredicted"].clone())
    };
    for knob in ["init", "output", "attention"] {
        assert_eq!(predict("mup", knob), (Value::from("0"), Value::Null), "{knob}");
        let (exponent, why) = predict("sp", knob);
        assert!(exponent.is_null() && why.as_str().unwrap().contains("unstable"), "{knob}: {why}");
    }
    for (knob, why) in [("decay", "bounds no weight decay"), ("batch", "a batch stays finite")] {
        let (exponent, told) = predict("mup", knob);
        assert!(exponent.is_null() && told.as_str().unwrap().contains(why), "{knob}: {told}");
    }
}

/// Every hyperparameter is varied, and changes the result.
#[test]
fn every_hyperparameter_can_be_varied() {
    let knobs = ["init=2^-2..2^2", "output=2^-2..2^2", "decay=2^-4..2^2", "batch=2^3..2^6"];
    let sweeps = knobs.map(|knob| format!(" --sweep {knob}")).concat();
    let record =
        sweep(&format!("specs/mlp.mup --over n=16,32 --steps 20 --seeds 1 -p mup --lr 2^-6{sweeps}"));
    let studies = record["studies"].as_array().unwrap();
    assert_eq!(studies.len(), knobs.len());
    for study in studies {
        let points = study["curves"][0]["points"].as_array().unwrap();
        let mut losses: Vec<String> = points.iter().map(|point| point["mean"].to_string()).collect();
        losses.sort();
        losses.dedup();
        assert!(losses.len() > 3, "{}: {losses:?}", study["knob"]);
    }
}

/// The page with the charts needs nothing else, and the table has a row per run.
#[test]
fn reports_stand_alone() {
    let folder = folder("reports");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_string();
    let (html, csv, svg) = (path("a.html"), path("a.csv"), path("svg"));
    let output = small(&["text", "--html", &html, "--csv", &csv, "--svg", &svg]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("capitals: the best values"), "{text}");
    let page = std::fs::read_to_string(html).unwrap();
    assert!(page.contains("<svg") && page.contains("n = 64") && page.contains("per doubling"));
    let elsewhere = ["<script", "<link", "src=", "@import", "href="];
    assert!(elsewhere.iter().all(|outside| !page.contains(outside)));
    let table = std::fs::read_to_string(csv).unwrap();
    let runs = record(&[])["runs"].as_array().unwrap().len();
    assert_eq!(table.lines().count(), runs + 1);
    assert!(std::fs::read_dir(svg).unwrap().count() == 1);
}

/// A plan runs nothing and counts what would be run.
#[test]
fn a_plan_counts_runs() {
    let output = small(&["text", "--plan"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("72 runs: "), "{text}");
    assert!(text.contains("floating-point operations") && text.contains("To bracket and refine"), "{text}");
}
