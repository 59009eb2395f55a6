//! `mupc drift` as it is used: verdicts, files, refusals; and every command of docs/finite-width.md.

use crate::page::{every_command_runs, refusal, run};
use serde_json::Value;

const DOCS: &str = include_str!("../../docs/finite-width.md");

/// A perceptron with smooth functions, whose kernels have derivatives.
const SMOOTH: &str = "scale n = 64 input x[64] target label in 10
    h = tanh(affine(x, n)) h = tanh(affine(h, n)) loss cross_entropy(readout(h, 10), label)";

fn spec(name: &str, text: &str) -> String {
    let folder = std::env::temp_dir().join(format!("mupc-drift-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("spec.mup");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_string()
}

fn json(arguments: &[&str]) -> (Value, Option<i32>) {
    let output = run(&[&["drift"], arguments, &["-q", "-f", "json"]].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let record = serde_json::from_str(&text);
    let record = record.unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    (record, output.status.code())
}

/// The verdict on a curve of a section, by parts of their names.
fn verdict<'a>(record: &'a Value, kind: &str, parameterization: &str, quantity: &str) -> &'a str {
    let sections = record["sections"].as_array().unwrap();
    let section =
        sections.iter().find(|own| own["kind"] == kind && own["parameterization"] == parameterization);
    let curves = section.unwrap()["curves"].as_array().unwrap();
    let curve = curves.iter().find(|own| own["quantity"].as_str().unwrap().contains(quantity));
    curve.unwrap()["verdict"].as_str().unwrap_or("none")
}

#[test]
fn the_kernel_regime_and_feature_learning_are_told_apart() {
    let (record, status) = json(&["specs/mlp.mup", "--over", "n=64..1024"]);
    assert_eq!(status, Some(0), "{record:#}");
    assert_eq!(verdict(&record, "drift", "ntk", "hidden"), "agrees");
    assert!(["agrees", "below"].contains(&verdict(&record, "drift", "ntk", "kernel")));
    assert_eq!(verdict(&record, "drift", "mup", "hidden"), "agrees");
    // The negative control: the features of NTK do not keep moving, so a verdict of 0 would be refuted.
    let fit = |at: usize| record["sections"][at]["curves"][1]["fit"]["high"].as_f64().unwrap();
    assert!(fit(0) < -0.3 && fit(2) > -0.1, "{} {}", fit(0), fit(2));
}

#[test]
fn kernels_gather_around_their_limit() {
    let (record, status) =
        json(&["specs/mlp.mup", "--study", "convergence", "--over", "n=32..512", "--seeds", "12"]);
    assert_eq!(
        (verdict(&record, "convergence", "ntk", "distance"), status),
        ("agrees", Some(0)),
        "{record:#}"
    );
}

#[test]
fn activations_fluctuate_by_the_exact_law() {
    let deep = "scale n = 32, L = 4 input x[64] target label in 10 h = relu(linear(x, n))
        repeat L as hidden { h = relu(linear(h, n)) } loss cross_entropy(readout(h, 10), label)";
    for (name, text, law) in [
        ("relu", deep.to_string(), (1.0_f64 + 5.0 / 32.0).powi(5)),
        (
            "linear",
            deep.replace("relu(linear(h, n))", "linear(h, n)").replace("relu(linear(x, n))", "linear(x, n)"),
            (1.0_f64 + 2.0 / 32.0).powi(5),
        ),
    ] {
        let path = spec(name, &text);
        let (record, _) =
            json(&[&path, "-p", "ntk", "--study", "fluctuation", "--over", "n=16,32,64", "--draws", "4000"]);
        let curve = &record["sections"][0]["curves"][0];
        assert!((curve["points"][1]["expected"].as_f64().unwrap() - law).abs() < 1e-12, "{curve:#}");
        assert_eq!(curve["verdict"], "agrees", "{curve:#}");
        let width = 5.0 / 32.0 - curve["points"][1]["depth_over_width"].as_f64().unwrap();
        assert!(width.abs() < 1e-12);
    }
}

#[test]
fn a_wrong_law_of_fluctuation_is_refuted() {
    let other = "scale n = 64 input x[64] target label in 10 h = relu(linear(x, n)) loss cross_entropy(readout(h, 10), label)";
    let (record, _) = json(&[
        &spec("wrong", other),
        "-p",
        "ntk",
        "--study",
        "fluctuation",
        "--over",
        "n=16,32",
        "--draws",
        "4000",
    ]);
    let points = record["sections"][0]["curves"][0]["points"].as_array().unwrap();
    for (point, width) in points.iter().zip([16.0, 32.0]) {
        let (low, high) = (point["low"].as_f64().unwrap(), point["high"].as_f64().unwrap());
        let wrong: f64 = 1.0 + 2.0 / width;
        assert!(!(low..high).contains(&wrong), "{point}");
    }
}

#[test]
fn smooth_networks_have_models_and_become_lazy() {
    let path = spec("smooth", SMOOTH);
    let words = [&path[..], "-p", "ntk", "--study", "models,alpha", "--over", "n=32..256", "--seeds", "6"];
    let (record, status) = json(&words);
    assert_eq!(status, Some(0), "{record:#}");
    // The theorem is an upper bound.
    assert!(["agrees", "below"].contains(&verdict(&record, "models", "ntk", "linear model: distance")));
    assert_eq!(verdict(&record, "alpha", "ntk", "kernel"), "agrees");
    assert_eq!(verdict(&record, "alpha", "ntk", "hidden"), "agrees");
    // The second order is closer than the first at every width.
    let curves = record["sections"][0]["curves"].as_array().unwrap();
    let sizes =
        |at: usize| curves[at]["points"].as_array().unwrap().iter().map(|own| own["size"].as_f64().unwrap());
    for (linear, quadratic) in sizes(0).zip(sizes(2)) {
        assert!(quadratic < 0.5 * linear, "{quadratic} {linear}");
    }
}

#[test]
fn runs_are_repeated_whatever_the_threads() {
    let words = [
        "specs/mlp.mup",
        "--study",
        "all",
        "--over",
        "n=16,32,64",
        "--seeds",
        "2",
        "--draws",
        "64",
        "--steps",
        "3",
    ];
    let of = |threads: &str| {
        let (mut record, _) = json(&[&words[..], &["--threads", threads]].concat());
        ["command", "seconds"].iter().for_each(|key| record[*key] = Value::Null);
        record
    };
    assert_eq!(of("1"), of("3"));
}

#[test]
fn what_cannot_run_says_why() {
    let normalized =
        spec("batch", "scale n = 16 input x[4] target y[1] loss mse(linear(batch_norm(linear(x, n)), 1), y)");
    for (arguments, word) in [
        (&["specs/mlp.mup", "--over", "n=64"][..], "at least two values"),
        (&["specs/mlp.mup", "--over", "m=64..128"], "not a scale symbol"),
        (&["specs/mlp.mup", "-p", "mub"], "mup"),
        (&["specs/mlp.mup", "-p", "ntk", "-p", "ntk"], "asked for twice"),
        (&["specs/mlp.mup", "--batch", "2000"], "examples are asked for"),
        (&["specs/mlp.mup", "--probe", "1000"], "rows"),
        (&["specs/mlp.mup", "--study", "alpha", "--alpha", "1"], "two output scales"),
        (&["specs/mlp.mup", "--seeds", "1"], "2..=1000"),
        (&[&normalized, "--over", "n=16,32"], "over the batch"),
    ] {
        let told = refusal(&[&["drift"], arguments].concat());
        assert!(told.contains(word), "{arguments:?}: {told}");
    }
}

#[test]
fn every_command_of_the_page_runs() {
    every_command_runs(DOCS, 5);
    let page = std::fs::read_to_string("target/drift.html").unwrap();
    assert!(page.contains("<svg") && page.contains("predicted n^-1/2") && page.ends_with("</html>\n"));
    assert!(std::path::Path::new("target/drift-pictures/drift-mup.svg").exists());
}

/// An interrupt leaves a report on the runs that were made.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_leaves_a_partial_report() {
    let line = "drift specs/mlp.mup -q --threads 1 --over n=16..128 --seeds 1000";
    let (text, status) = crate::interrupt::interrupted(line, 2500);
    assert!(text.contains("interrupted: what is missing was not run") && text.contains(line), "{text}");
    assert!(matches!(status, Some(1 | 2)));
}
