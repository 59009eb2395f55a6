//! The command line as its users meet it: every command, every format, every exit status.

#[path = "cli/refusals.rs"]
mod refusals;
#[path = "cli/rewriting.rs"]
mod rewriting;
#[path = "cli/schema.rs"]
mod schema;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The program, in the root of the repository, without the caller's colours and width.
pub fn mupc(args: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("mupc");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("NO_COLOR").args(args);
    command
}

/// Runs it and checks the exit status.
pub fn output(args: &[&str], code: i32) -> Output {
    let output = mupc(args).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Its standard output, if all is well.
pub fn stdout(args: &[&str]) -> String {
    let output = output(args, 0);
    assert!(output.stderr.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Its standard error, if it could not run.
pub fn refusal(args: &[&str]) -> String {
    let output = output(args, 2);
    assert!(output.stdout.is_empty(), "{args:?} printed something");
    String::from_utf8(output.stderr).unwrap()
}

/// Its standard output as JSON.
pub fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(args)).unwrap()
}

/// An empty folder of one test's own.
pub fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

const GPT2: &str = "specs/gpt2.mup";
const MLP: &str = "specs/mlp.mup";

#[test]
fn the_table_of_gpt2_in_every_format() {
    insta::assert_snapshot!("gpt2_text", stdout(&["table", GPT2]));
    insta::assert_snapshot!("gpt2_at", stdout(&["table", GPT2, "--at", "n=4096", "L=24", "--names"]));
    for format in ["markdown", "latex", "csv", "json"] {
        insta::assert_snapshot!(format!("gpt2_{format}"), stdout(&["table", GPT2, "--format", format]));
    }
}

#[test]
fn a_terminal_of_120_columns_holds_the_table_of_gpt2() {
    for args in [&["table", GPT2][..], &["table", GPT2, "--at", "n=4096"], &["classify", GPT2]] {
        let widest = stdout(args).lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 120, "{args:?} is {widest} columns wide");
    }
}

#[test]
fn the_text_of_the_command_line_is_that_of_the_library() {
    let network = mupc::compile(&std::fs::read_to_string(MLP).unwrap()).unwrap();
    let table = network.table(mupc::Named::Mup, mupc::Optimizer::Adam).unwrap();
    assert_eq!(stdout(&["table", MLP]), format!("{table}\n"));
    let findings = network.classify(mupc::Named::Mup, mupc::Optimizer::Adam).unwrap();
    assert_eq!(stdout(&["classify", MLP]), format!("{findings}\n"));
}

#[test]
fn factors_are_powers_of_the_ratio() {
    let table = json(&["table", GPT2, "--at", "n=3072", "-f", "json"]);
    let query =
        table["parameters"].as_array().unwrap().iter().find(|row| row["name"] == "h.attn.query.weight");
    let (query, near) =
        (query.unwrap(), |value: &Value, wanted: f64| (value.as_f64().unwrap() - wanted).abs() < 1e-12);
    assert!(near(&query["at"]["init_std"], 0.5) && near(&query["at"]["learning_rate"], 0.25), "{query}");
    assert!(near(&query["at"]["weight_decay"], 4.0) && near(&query["at"]["multiplier"], 1.0), "{query}");
    assert_eq!(query["init_std"], serde_json::json!({"n": "-1/2"}));
    assert_eq!(query["multiplier"], serde_json::json!({}));
    assert_eq!(table["scales"][0], serde_json::json!({"symbol": "n", "base": "768", "at": "3072"}));
}

#[test]
fn gradient_descent_has_no_eps() {
    let table = json(&["table", MLP, "-o", "sgd", "-f", "json"]);
    assert!(table["parameters"].as_array().unwrap().iter().all(|row| row["epsilon"].is_null()));
    assert!(
        stdout(&["table", MLP, "-o", "sgd"])
            .lines()
            .any(|line| line.starts_with("fc1.weight") && line.contains(" - "))
    );
}

#[test]
fn forms_are_equivalent_and_say_where_they_are_from() {
    for (form, source, multiplier) in [
        ("native", "Table 3", "1"),
        ("output-multiplier", "Table 8", "n^-1"),
        ("symmetric", "Table 9", "n^-1/2"),
    ] {
        let text = stdout(&["table", MLP, "--form", form]);
        assert!(text.lines().next().unwrap().contains(source), "{text}");
        let readout = text.lines().find(|line| line.starts_with("readout.weight")).unwrap();
        let cells: Vec<_> = readout.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells[3], multiplier, "{readout}");
    }
}

#[test]
fn a_verdict_is_an_exit_status() {
    let holds = stdout(&["classify", MLP, "-p", "mup", "-o", "sgd"]);
    assert!(holds.contains("feature learning") && holds.contains("r = 0"), "{holds}");
    let kernel = stdout(&["classify", MLP, "-p", "ntk", "-o", "sgd"]);
    assert!(kernel.contains("kernel") && kernel.contains("r = 1/2"), "{kernel}");
    let output = output(&["classify", MLP, "-p", "sp", "-o", "adam"], 1);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("it starts here: `fc2%9`"), "{text}");
    insta::assert_snapshot!("mlp_sp_adam", text);
}

#[test]
fn classify_shows_nameless_tensors_when_asked() {
    let lines = |args: &[&str]| stdout(args).lines().count();
    assert!(lines(&["classify", MLP, "--all"]) > lines(&["classify", MLP]));
}

#[test]
fn standard_input_is_a_spec() {
    let text = std::fs::read(MLP).unwrap();
    for command in [&["table", "-"][..], &["classify", "-"], &["graph", "-"]] {
        let from_file: Vec<_> = command.iter().map(|arg| if *arg == "-" { MLP } else { *arg }).collect();
        let piped = mupc(command).write_stdin(text.clone()).output().unwrap();
        assert_eq!(String::from_utf8(piped.stdout).unwrap(), stdout(&from_file), "{command:?}");
    }
}

#[test]
fn every_spec_has_every_table() {
    for entry in std::fs::read_dir("specs").unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "mup") {
            let text = stdout(&["table", path.to_str().unwrap(), "-o", "sgd"]);
            assert!(text.contains("assumptions"), "{text}");
        }
    }
}

#[test]
fn the_graph_in_every_format() {
    assert!(stdout(&["graph", MLP]).starts_with("network mlp"));
    assert!(stdout(&["graph", MLP, "--sizes"]).contains("n^-1/2 → 1"));
    assert_eq!(json(&["graph", MLP, "-f", "json"])["format"], "mupc-graph");
    assert!(stdout(&["graph", MLP, "-f", "dot"]).starts_with("digraph"));
    assert!(stdout(&["graph", MLP, "-f", "svg", "--sizes", "--depth", "1"]).contains("</svg>"));
    let file = folder("graph").join("mlp.svg");
    assert_eq!(stdout(&["graph", MLP, "-f", "svg", "--output", file.to_str().unwrap()]), "");
    assert_eq!(std::fs::read_to_string(file).unwrap(), stdout(&["graph", MLP, "-f", "svg"]));
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&["completions", shell]);
        assert!(script.contains("mupc") && script.contains("classify"), "{shell}");
        let with_values = ["bash", "zsh", "fish"].contains(&shell);
        assert!(!with_values || script.contains("mean-field"), "{shell}");
    }
}

#[test]
fn every_help_has_examples() {
    for command in ["table", "explain", "classify", "compare", "check", "test", "graph", "fmt", "completions"]
    {
        let help = stdout(&[command, "--help"]);
        assert!(help.contains(&format!("Examples:\n  mupc {command} ")), "{help}");
    }
    assert!(stdout(&["--help"]).contains("Exit status: 0"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let program = assert_cmd::cargo::cargo_bin!("mupc");
    let mut child = Command::new(program)
        .args(["graph", GPT2, "--format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn explanations_of_parameters_and_tensors() {
    let text = stdout(&["explain", GPT2, "h.attn.query.weight"]);
    assert!(text.starts_with("h.attn.query.weight under mup with adam") && text.contains("n^-1/2"), "{text}");
    let by_name = stdout(&["explain", GPT2, "h.{l}.attn.c_proj.weight"]);
    assert!(by_name.starts_with("h.attn.out.weight"), "{by_name}");
    assert!(stdout(&["explain", GPT2, "logits", "-p", "ntk", "-o", "sgd"]).contains("gradient"));
    assert!(json(&["explain", GPT2, "wte", "-f", "json"])["sections"].is_array());
}

/// A target must be a network that can be built: heads of 64 do not divide 1000.
#[test]
fn lengths_at_a_target_are_whole() {
    for at in ["n=1000", "n=1/2", "L=3/2"] {
        let refused = output(&["table", "specs/gpt2.mup", "--at", at], 2);
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.contains("is not a whole number"), "{at}: {text}");
    }
    assert!(stdout(&["table", "specs/gpt2.mup", "--at", "n=1024", "L=3"]).contains("n = 768 -> 1024"));
}
