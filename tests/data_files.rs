//! A user's own data: tables, texts and arrays, as `mupc check` reads them, and what it says of those that are no data.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin_cmd;
use npyz::WriterBuilder;
use serde_json::Value;

const SPEC: &str = "
network own
scale n = 16
dim features = 7, kinds = 9
input x[features]
target y in kinds
h = relu(affine(x, n))
loss cross_entropy(readout(h, kinds), y)
";

fn file(name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Standard output and error of a small check, and how it ended.
fn check(spec: &Path, data: &[&str]) -> (Option<i32>, String, String) {
    let mut command = cargo_bin_cmd!("mupc");
    command.arg("check").arg(spec).args([
        "-q",
        "-f",
        "json",
        "--seeds",
        "1",
        "--steps",
        "1",
        "--over",
        "n=16,32,64",
    ]);
    data.iter().for_each(|word| _ = command.args(["--data", word]));
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn holds(spec: &Path, data: &[&str]) -> Value {
    let (code, out, err) = check(spec, data);
    assert!(matches!(code, Some(0 | 1)), "{data:?}: {err}");
    serde_json::from_str(&out).unwrap()
}

fn refused(spec: &Path, data: &[&str]) -> String {
    let (code, _, err) = check(spec, data);
    assert_eq!(code, Some(2), "{data:?}");
    err
}

/// Rows of three numbers and a label.
fn rows(labels: [&str; 3]) -> String {
    let mut text = String::new();
    for at in 0..60 {
        let value = |k: usize| ((at * 7 + k * 13) % 17) as f64 / 4.0 - 2.0;
        let _ = writeln!(text, "{},{},{},{}", value(0), value(1), value(2), labels[at % 3]);
    }
    text
}

fn npy<T: npyz::AutoSerialize + Copy>(name: &str, shape: &[u64], entries: &[T]) -> PathBuf {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape);
    let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
    entries.iter().for_each(|entry| writer.push(entry).unwrap());
    writer.finish().unwrap();
    file(name, bytes)
}

fn lengths(record: &Value) -> Vec<(String, i64)> {
    let pairs = record["lengths"].as_array().unwrap().iter();
    pairs.map(|pair| (pair[0].as_str().unwrap().to_string(), pair[1].as_i64().unwrap())).collect()
}

/// A table sets the lengths of the spec: here three columns and a label of three kinds, with or without a header, as numbers or words.
#[test]
fn tables() {
    let spec = file("own.mup", SPEC);
    let expected = [("features".to_string(), 3), ("kinds".to_string(), 3)];
    for (name, text) in [
        ("plain.csv", rows(["0", "1", "2"])),
        ("words.csv", rows(["ant", "bee", "cat"])),
        ("header.csv", format!("x.0,x.1,x.2,y\n{}", rows(["0", "1", "2"]))),
        (
            "more.csv",
            format!(
                "id,x.0,x.1,x.2,y\n{}",
                rows(["0", "1", "2"]).lines().map(|row| format!("7,{row}\n")).collect::<String>()
            ),
        ),
    ] {
        let path = file(name, text);
        let record = holds(&spec, &[path.to_str().unwrap()]);
        assert_eq!(lengths(&record), expected, "{name}");
        assert!(record["data"].as_str().unwrap().ends_with("60 examples"), "{}", record["data"]);
    }
}

/// The same numbers from a table and from arrays are the same run.
#[test]
fn arrays_are_tables() {
    let spec = file("own-arrays.mup", SPEC);
    let table = file("same.csv", rows(["0", "1", "2"]));
    let entries: Vec<f64> = rows(["0", "1", "2"])
        .lines()
        .flat_map(|row| row.split(',').take(3).map(|cell| cell.parse().unwrap()).collect::<Vec<f64>>())
        .collect();
    let labels: Vec<i64> = (0..60).map(|at| at % 3).collect();
    let x = npy("inputs.npy", &[60, 3], &entries);
    let y = npy("y.npy", &[60], &labels);
    let losses = |data: &[&str]| {
        holds(&spec, data)["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| run["loss"].clone())
            .collect::<Vec<_>>()
    };
    let of_arrays = losses(&[&format!("x={}", x.display()), y.to_str().unwrap()]);
    assert_eq!(losses(&[table.to_str().unwrap()]), of_arrays);
}

#[test]
fn a_text() {
    let text = "the cat sat on the mat and the dog sat on the log; ".repeat(20);
    let path = file("story.txt", &text);
    let spec = file(
        "story.mup",
        "scale n = 16
        dim seq = 8, vocab = 50
        input tokens[seq] in vocab
        target next[seq] in vocab
        loss mean(cross_entropy(readout(relu(affine(embed(tokens, vocab, n), n)), vocab), next))",
    );
    let record = holds(&spec, &[path.to_str().unwrap()]);
    let different = text.chars().collect::<std::collections::BTreeSet<_>>().len() as i64;
    assert!(lengths(&record).contains(&("vocab".to_string(), different)), "{:?}", lengths(&record));
}

/// Where, why, and what to do; before anything runs.
#[test]
fn what_is_no_data() {
    let spec = file("own-refused.mup", SPEC);
    let path = |name: &str, text: &str| file(name, text).to_str().unwrap().to_string();
    let good = rows(["0", "1", "2"]);
    let gap = good.replacen("-2,", ",", 1);
    let error = refused(&spec, &[&path("gap.csv", &gap)]);
    assert!(error.contains("gap.csv:1: column `1` is empty"), "{error}");
    let error = refused(&spec, &[&path("na.csv", &format!("x.0,x.1,x.2,y\n{}1,NA,2,0\n", good))]);
    assert!(error.contains("na.csv:62: column `x.1` has `NA`"), "{error}");
    let error = refused(&spec, &[&path("ragged.csv", &format!("{good}1,2\n"))]);
    assert!(error.contains("ragged.csv: line 61 has 2 columns"), "{error}");
    let pair = file(
        "pair.mup",
        SPEC.replace("input x[features]", "input x[features]\ninput z[features]")
            .replace("affine(x, n)", "affine(x, n) + affine(z, n)"),
    );
    let error = refused(&pair, &[&path("wide.csv", &good)]);
    assert!(
        error.contains("4 columns where inputs and targets take 15") && error.contains("`x.0`"),
        "{error}"
    );
    let error = refused(&spec, &["nowhere.csv"]);
    assert!(error.contains("there is no such file"), "{error}");
    let error = refused(&spec, &["digit"]);
    assert!(error.contains("no data set `digit`") && error.contains("digits"), "{error}");
    let error = refused(&spec, &["digits", "nowhere.csv"]);
    assert!(error.contains("`digits` is no .npy file") && error.contains("one array per input"), "{error}");
    let x = npy("few.npy", &[5, 3], &[0.5_f32; 15]);
    let y = npy("y-more.npy", &[6], &[0_i32; 6]);
    let named = [format!("x={}", x.display()), format!("y={}", y.display())];
    let error = refused(&spec, &[&named[0], &named[1]]);
    assert!(error.contains("`x` has 5 examples, but `y` has 6"), "{error}");
    let error = refused(&spec, &[&named[0]]);
    assert!(error.contains("the target `y in 9`") && error.contains("has only `x`"), "{error}");
    let nan = npy("nan.npy", &[2, 3], &[0.5_f32, 1.0, 2.0, f32::NAN, 1.0, 2.0]);
    let error = refused(&spec, &[&format!("x={}", nan.display()), &named[1]]);
    assert!(error.contains("example 2 is not a finite number"), "{error}");
    let error = refused(&spec, &[&path("no.npy", "not an array")]);
    assert!(error.contains("no .npy file"), "{error}");
}
