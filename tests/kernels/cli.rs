//! `mupc kernel` as it is used: reports, files, refusals; and every command of docs/infinite-width.md.

use std::process::Output;

#[cfg(target_os = "linux")]
use crate::interrupt::interrupted;
use crate::page::{self, every_command_runs, run};

const DOCS: &str = include_str!("../../docs/infinite-width.md");

fn kernel(arguments: &[&str]) -> Output {
    run(&[&["kernel"], arguments].concat())
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let output = kernel(&[arguments, &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refusal(arguments: &[&str]) -> String {
    page::refusal(&[&["kernel"], arguments].concat())
}

#[test]
fn every_command_of_the_page_runs() {
    every_command_runs(DOCS, 9);
}

#[test]
fn kernels_learn_the_digits() {
    let record = json(&["specs/mlp.mup", "--train", "300", "--test", "200"]);
    for at in 0..2 {
        let own = &record["kernels"][at];
        assert!(own["accuracy"].as_f64().unwrap() > 0.85, "{own}");
        let curve = own["curve"].as_array().unwrap();
        let errors: Vec<f64> = curve.iter().map(|own| own["train_error"].as_f64().unwrap()).collect();
        assert!(
            errors.windows(2).all(|pair| pair[1] <= pair[0] * 1.000_001),
            "training errors fall: {errors:?}"
        );
        // At the end of training with the NNGP stands its regression.
        let last = curve.last().unwrap();
        assert!(last["time"].is_null());
        let (found, expected) = (last["test_error"].as_f64().unwrap(), own["test_error"].as_f64().unwrap());
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        let shares: f64 = own["shares"].as_array().unwrap().iter().map(|own| own.as_f64().unwrap()).sum();
        assert!((shares - 1.0).abs() < 1e-9);
    }
}

#[test]
fn files_are_written() {
    let folder = std::env::temp_dir().join(format!("mupc-kernel-{}", std::process::id()));
    let path = |name: &str| folder.join(name);
    let text = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let page = path("page.html");
    std::fs::create_dir_all(&folder).unwrap();
    let arguments = [
        "--svg",
        folder.to_str().unwrap(),
        "--npy",
        folder.to_str().unwrap(),
        "--html",
        page.to_str().unwrap(),
    ];
    json(&[&["specs/mlp.mup", "--train", "20", "--test", "10"], &arguments[..]].concat());
    for name in ["spectrum.svg", "learning-curves.svg", "modes.svg"] {
        assert!(text(name).starts_with("<svg") && !text(name).contains("NaN"), "{name}");
    }
    let page = text("page.html");
    assert!(page.contains("spectral bias") && page.contains("</html>") && !page.contains("<script"));
    let array = std::fs::read(path("ntk.npy")).unwrap();
    let length = 10 + u16::from_le_bytes([array[8], array[9]]) as usize;
    assert_eq!(array.len(), length + 8 * 30 * 30);
    let entry =
        |at: usize| f64::from_le_bytes(array[length + 8 * at..length + 8 * at + 8].try_into().unwrap());
    assert!(entry(0) > 0.0 && entry(1) == entry(30), "symmetric");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn results_do_not_depend_on_threads() {
    let run = |threads: &str| {
        json(&["specs/mlp.mup", "--train", "100", "--test", "50", "--threads", threads])["kernels"].clone()
    };
    assert_eq!(run("1"), run("3"));
}

#[test]
fn what_has_no_limit_says_where_and_why() {
    insta::assert_snapshot!(refusal(&["tests/specs/moe-dense.mup", "--train", "4", "--test", "4"]));
    for (spec, reason) in [
        ("specs/autoencoder.mup", "does not grow"),
        ("specs/dcgan.mup", "batch normalization"),
        ("specs/gpt2.mup", "finitely many products"),
        ("tests/specs/tied-embedding.mup", "transposed"),
    ] {
        let text = refusal(&[spec, "--train", "4", "--test", "4"]);
        assert!(text.contains(reason) && text.contains("-->"), "{text}");
        assert_eq!(text.contains("--sample"), reason != "batch normalization", "{text}");
    }
    let text = refusal(&["tests/specs/lstm.mup", "--set", "seq=100", "--train", "4", "--test", "4"]);
    assert!(text.contains("257 Gaussians, more than 256") && text.contains("--sample"), "{text}");
}

#[test]
fn bad_requests_are_refused_before_any_work() {
    for (arguments, reason) in [
        (&["specs/mlp.mup", "--train", "5000"][..], "and there are 1797"),
        (&["specs/mlp.mup", "--train", "800", "--memory", "0.001"], "more than 0.001 GB"),
        (&["specs/mlp.mup", "--output", "redout.y"], "did you mean"),
        (&["specs/mlp.mup", "--weight-variance=-1"], "--weight-variance"),
        (&["specs/mlp.mup", "--set", "n"], "--set"),
        (&["specs/nothing.mup"], "no such file"),
        (&["specs/mlp.mup", "--trained", "--set", "n=1000000"], "weights of these networks need about 16"),
        (&["specs/mlp.mup", "--sample", "2", "--set", "n=1000000"], "or allow more with `--memory`"),
        (&["specs/mlp.mup", "--ridge", "-1"], "--ridge"),
        (&["specs/mlp.mup", "--times", "-1,inf"], "--times"),
        (
            &["tests/specs/lstm.mup", "--sample", "2", "--set", "seq=4", "--train", "2", "--test", "2"],
            "has positions",
        ),
        (
            &["specs/resnet18.mup", "--sample", "2", "--train", "2", "--test", "2"],
            "examples depend on each other",
        ),
    ] {
        let text = refusal(arguments);
        assert!(text.contains(reason), "{text}");
    }
}

#[test]
fn steps_beyond_the_largest_rate_diverge() {
    let errors = |rate: f64| {
        let rate = format!("{rate:e}");
        let record =
            json(&["specs/mlp.mup", "--train", "60", "--test", "20", "--rate", &rate, "--times", "0,20"]);
        let own = &record["kernels"][1];
        let curve: Vec<f64> =
            own["curve"].as_array().unwrap().iter().map(|own| own["train_error"].as_f64().unwrap()).collect();
        (own["largest_rate"].as_f64().unwrap(), curve)
    };
    let (largest, _) = errors(1e-4);
    let (_, below) = errors(0.9 * largest);
    let (_, above) = errors(1.1 * largest);
    assert!(below[1] < below[0] && above[1] > 1e3 * above[0], "{below:?} {above:?}");
}

/// An interrupt leaves the study of the first examples, or of the networks that were drawn.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_leaves_a_partial_report() {
    let (text, status) = interrupted("kernel specs/convnet.mup --train 400 --test 400 -q --threads 1", 5000);
    assert!(text.contains("interrupted: this is what was done until then"), "{text}");
    assert!(text.contains("test accuracy of regression") && !text.contains("400 training"), "{text}");
    assert_eq!(status, Some(2));
    let line =
        "kernel specs/mlp.mup --sample 5000 --train 10 --test 10 -q --threads 1 --ridge 0.01 --format json";
    let (text, status) = interrupted(line, 1500);
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(record["complete"] == false && record["method"].as_str().unwrap().starts_with("Monte Carlo"));
    assert!(!record["method"].as_str().unwrap().contains(" 5000 networks"), "{record}");
    assert_eq!(status, Some(2));
}
