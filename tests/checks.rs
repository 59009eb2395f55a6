//! `mupc check` from the outside: the page about it, bad input, independence of threads.

#[cfg(target_os = "linux")]
#[path = "common/interrupt.rs"]
mod interrupt;

use std::process::Output;

use assert_cmd::Command;

fn mupc(arguments: &[&str]) -> Output {
    Command::cargo_bin("mupc").unwrap().args(arguments).output().unwrap()
}

fn small(arguments: &[&str]) -> Output {
    let all = ["check", "specs/mlp.mup", "--over", "n=16,32,64", "--seeds", "2", "--steps", "1"];
    mupc(&all.iter().chain(arguments).copied().collect::<Vec<_>>())
}

/// Every command of docs/check.md runs and holds.
#[test]
fn every_command_of_the_page() {
    let page = std::fs::read_to_string("docs/check.md").unwrap();
    let commands: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("cargo run --release -- ")).collect();
    assert_eq!(commands.len(), 3);
    for command in commands {
        let output = mupc(&command.split_whitespace().collect::<Vec<_>>());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{command}\n{text}");
        assert!(text.contains("holds: "), "{text}");
    }
}

/// What jumps holds its powers too, and nothing moves behind it.
#[test]
fn signs_hold() {
    let over =
        ["check", "tests/specs/signs.mup", "-q", "--data", "digits", "--over", "n=64..512", "--steps", "1,3"];
    for parameterization in ["mup", "ntk"] {
        let output = mupc(&[&over[..], &["-p", parameterization, "-o", "sgd"]].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{parameterization}\n{text}");
        assert!(text.contains("0 below") && text.contains("none above"), "{text}");
    }
}

/// Where training is not stable, the rate is so small that at the largest width parameters go on as straight as they start. The logits of four words in a
/// batch of sixteen turn gradients round long before anything else has moved: at four times this rate a third of the way is lost.
#[test]
fn small_rates_keep_gradients_as_they_are() {
    let line = "check specs/t5-small.mup -q -p sp -o adam --data synthetic --set vocab=4 --over n=64,512 \
                --batch 16 --seeds 1 --steps 1,3 --format json";
    let output = mupc(&line.split_whitespace().collect::<Vec<_>>());
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let changes =
        record["findings"].as_array().unwrap().iter().filter(|own| own["quantity"] == "entry-change");
    let widest = |own: &serde_json::Value| own["series"].as_array()?.last()?["size"].as_f64();
    let after = |step: u64| changes.clone().filter(move |own| own["step"] == step);
    let way = |own: &serde_json::Value| {
        let first = after(1).find(|first| first["subject"] == own["subject"])?;
        Some(widest(own)? / widest(first)?)
    };
    let ways: Vec<f64> = after(3).filter_map(way).collect();
    assert!(ways.len() > 20 && ways.iter().all(|way| (0.75 * 3.0..3.1).contains(way)), "{ways:?}");
}

/// Two powers of the rate in one change: at a small one what comes through the input rules, and agrees; later the own update, which grows faster, has
/// a part in it, and neither prediction is measured.
#[test]
fn between_two_powers_of_the_rate() {
    let remark = "power 1 of its update, later in the rate: neither rules at this rate";
    for (rate, doubted) in [("1e-3", false), ("1e-2", true)] {
        let line = format!("check tests/specs/waits.mup -q -p sp -o sgd --steps 3 --lr {rate}");
        let output = mupc(&line.split(' ').collect::<Vec<_>>());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{line}\n{text}");
        let change = text.lines().find(|line| line.contains("second.y ") && line.contains(" change "));
        assert_eq!(change.is_some_and(|line| line.contains(remark)), doubted, "{line}\n{text}");
    }
}

/// Why nothing was run: where, and what to do.
#[test]
fn bad_input_is_refused_before_any_work() {
    let cases: [(&[&str], &str); 8] = [
        (&["check", "specs/mlp.mup", "--over", "k=64..128"], "`k` is not a scale symbol"),
        (&["check", "specs/mlp.mup", "--over", "n=64"], "at least two values"),
        (&["check", "specs/mlp.mup", "--over", "n=wide"], "not of the form"),
        (&["check", "specs/mlp.mup", "--set", "pixel=64"], "did you mean `pixels`"),
        (&["check", "specs/mlp.mup", "--set", "pixels=0"], "a whole number from 1 on"),
        (&["check", "specs/mlp.mup", "--memory", "0.000001"], "of `--memory`"),
        (&["check", "specs/gpt2.mup", "--over", "n=24..96"], "not a whole number"),
        (&["check", "specs/mlp.mup", "--data", "text"], "--data synthetic"),
    ];
    for (arguments, message) in cases {
        let output = mupc(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(message), "{arguments:?}: {text}");
    }
}

/// Over depth: Depth-muP and CompleteP are flat, standard depth grows beyond every power, and both are measured so.
#[test]
fn depth() {
    let check = |parameterization: &str| -> serde_json::Value {
        let output = mupc(&[
            "check",
            "specs/resmlp.mup",
            "-p",
            parameterization,
            "--over",
            "L=2..32",
            "--set",
            "n=64",
            "--steps",
            "1,3",
            "-f",
            "json",
            "-q",
        ]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{parameterization}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let last = |record: &serde_json::Value, quantity: &str, step: u64| {
        let findings = record["findings"].as_array().unwrap().iter();
        let own =
            |f: &&serde_json::Value| f["subject"] == "x" && f["quantity"] == quantity && f["step"] == step;
        let found: Vec<_> = findings.filter(own).cloned().collect();
        assert_eq!(found.len(), 1, "{quantity} {step}");
        found[0].clone()
    };
    for parameterization in ["depth-mup", "complete-p"] {
        let record = check(parameterization);
        for (quantity, step) in [("value", 0), ("change", 1), ("change", 3)] {
            let found = last(&record, quantity, step);
            assert_eq!(
                (&found["predicted"]["exponent"], &found["verdict"]),
                (&"0".into(), &"agrees".into()),
                "{parameterization} {quantity} {step}: {found}"
            );
        }
    }
    let found = last(&check("sp"), "value", 0);
    assert_eq!((&found["predicted"]["kind"], &found["verdict"]), (&"beyond".into(), &"agrees".into()));
    let output = mupc(&["check", "specs/resmlp.mup", "-p", "mup", "--over", "L=2..32", "-q"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && text.contains("-p depth-mup"), "{text}");
}

/// Nothing depends on how many runs go side by side.
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let findings = |threads: &str| {
        let output = small(&["--threads", threads, "--format", "json"]);
        let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        record["findings"].clone()
    };
    let first = findings("1");
    assert!(first.as_array().unwrap().len() > 20);
    assert_eq!(first, findings("2"));
}

/// The page with the pictures needs nothing else.
#[test]
fn the_page_stands_alone() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("check.html");
    let output = small(&["--html", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("<svg") && page.contains("fc2.weight") && page.contains("n^-1/2"));
    let elsewhere = ["<script", "<link", "src=", "@import", "href="];
    assert!(elsewhere.iter().all(|outside| !page.contains(outside)));
}

/// An interrupt leaves a report on what was done.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_leaves_a_partial_report() {
    let line = "check specs/mlp.mup -q --lr 2^-10 --seeds 200 --over n=64..1024 --threads 1";
    let (text, status) = interrupt::interrupted(line, 400);
    assert!(text.contains("(interrupted: a part of the runs)"), "{text}");
    assert!(matches!(status, Some(1 | 2)));
}
