//! Real outputs against the JSON schemas in `docs`. The reading of schemas here knows the few words that they use, and refuses others.

use serde_json::Value;

use super::{GPT2, MLP, json, mupc};

const WORDS: [&str; 13] = [
    "$schema",
    "$id",
    "$defs",
    "$ref",
    "title",
    "description",
    "type",
    "enum",
    "required",
    "properties",
    "items",
    "additionalProperties",
    "pattern",
];

/// Every way in which a value does not fit a schema.
fn misfits(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("the reference leads somewhere");
        return misfits(root, target, value, at, found);
    }
    let words = schema.as_object().expect("a schema is an object");
    words.keys().for_each(|word| assert!(WORDS.contains(&word.as_str()), "unknown word {word} at {at}"));
    if !fits_type(&schema["type"], value) {
        found.push(format!("{at}: {value} is not {}", schema["type"]));
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        found.push(format!("{at}: {value} is none of {allowed:?}"));
    }
    if let (Some("^-?[0-9]+(/[0-9]+)?$"), Some(text)) = (schema["pattern"].as_str(), value.as_str()) {
        text.parse::<mupc::rational::Rational>().expect("a rational number");
    }
    object(root, schema, value, at, found);
    for (position, item) in value.as_array().into_iter().flatten().enumerate() {
        if schema.get("items").is_some() {
            misfits(root, &schema["items"], item, &format!("{at}[{position}]"), found);
        }
    }
}

fn object(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(object) = value.as_object() else { return };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    found.extend(required.filter(|key| !object.contains_key(*key)).map(|key| format!("{at}: no {key}")));
    for (key, value) in object {
        let own = schema["properties"].get(key).or(schema.get("additionalProperties"));
        match own {
            Some(Value::Bool(false)) | None => found.push(format!("{at}: {key} is not described")),
            Some(own) => misfits(root, own, value, &format!("{at}.{key}"), found),
        }
    }
}

fn fits_type(types: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        other => panic!("unknown type {other:?}"),
    };
    match types {
        Value::Null => true,
        Value::Array(types) => types.iter().any(is),
        single => is(single),
    }
}

fn check(schema: &str, value: &Value) {
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let mut found = Vec::new();
    misfits(&schema, &schema, value, "$", &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn tables_fit_their_schema() {
    for spec in [GPT2, "specs/convnet.mup", "tests/specs/lora.mup", "tests/specs/rnn.mup"] {
        for extra in [
            &["-o", "adamw"][..],
            &["-o", "sgd", "--at", "n=1024"],
            &["-p", "ntk", "--form", "symmetric"],
            &["-p", "depth-mup", "--form", "unit"],
            &["--rates", "global", "-o", "adam", "-o", "*=muon"],
        ] {
            check("docs/table.schema.json", &json(&[&["table", spec, "-f", "json"], extra].concat()));
        }
    }
}

#[test]
fn verdicts_fit_their_schema() {
    for parameterization in ["mup", "sp", "ntk", "mean-field", "complete-p"] {
        for spec in [GPT2, "specs/mlp.mup", "specs/deep-linear.mup"] {
            let output = mupc(&["classify", spec, "-p", parameterization, "-f", "json"]).output().unwrap();
            check("docs/classify.schema.json", &serde_json::from_slice(&output.stdout).unwrap());
        }
    }
}

#[test]
fn comparisons_fit_their_schema() {
    let compare = |spec: &str, first: &str, second: &str, extra: &[&str]| {
        let mut output = mupc(&[&["compare", spec, "-p", first, "-p", second, "-f", "json"], extra].concat());
        let found: Value = serde_json::from_slice(&output.output().unwrap().stdout).unwrap();
        check("docs/compare.schema.json", &found);
        found
    };
    assert_eq!(compare("specs/mlp.mup", "mup", "specs/audits/tp5.mup:table_9_adam", &[])["same"], true);
    let mut kinds = std::collections::BTreeSet::new();
    for (spec, first, second, extra) in [
        ("specs/mlp.mup", "mup", "ntk", &["-o", "sgd"][..]),
        ("specs/mlp.mup", "mup", "sp", &["--rates", "largest"]),
        (GPT2, "mup", "complete-p", &["--readout", "loose"]),
        ("specs/lora-gpt2.mup", "sp", "mean-field", &["-o", "muon"]),
        ("specs/audits/table.mup", "table_mup", "mended_mup_adam", &[]),
    ] {
        let found = compare(spec, first, second, extra);
        assert_eq!(found["same"], false, "{spec}");
        let rows = found["parameters"].as_array().unwrap().iter();
        kinds.extend(rows.filter_map(|row| row["difference"]["kind"].as_str().map(String::from)));
    }
    assert!(kinds.contains("initial") && kinds.contains("step"), "{kinds:?}");
}

#[test]
fn reports_of_tests_fit_their_schema() {
    let report = json(&["test", "specs", "tests/specs/lora.mup", "-f", "json"]);
    check("docs/test.schema.json", &report);
    assert_eq!((&report["holds"], &report["files_without_expectations"]), (&true.into(), &1.into()));
    let keys = |report: &Value| {
        let blocks =
            report["files"].as_array().unwrap().iter().flat_map(|file| file["blocks"].as_array().unwrap());
        let all = blocks.flat_map(|block| block["expectations"].as_array().unwrap());
        all.filter_map(|own| own["key"].as_str().map(String::from)).collect::<std::collections::BTreeSet<_>>()
    };
    assert!(keys(&report).len() > 5, "{:?}", keys(&report));
    let text = std::fs::read_to_string("specs/mlp.mup").unwrap();
    let wrong = super::folder("test-schema").join("wrong.mup");
    std::fs::write(
        &wrong,
        format!("{text}expect sp with adam {{ verdict \"kernel\"\n fc1.weight: lr n, eps none }}\n"),
    )
    .unwrap();
    let output = mupc(&["test", wrong.to_str().unwrap(), "-f", "json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    check("docs/test.schema.json", &report);
    assert_eq!((output.status.code(), &report["holds"]), (Some(1), &false.into()));
}

#[test]
fn studies_of_transfer_fit_their_schema() {
    let sweep = |extra: &[&str]| {
        let words =
            ["transfer", MLP, "--over", "n=8,16", "--steps", "10", "--seeds", "2", "-q", "-f", "json"];
        let output = mupc(&[&words[..], extra].concat()).output().unwrap();
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        check("docs/transfer.schema.json", &record);
        record
    };
    sweep(&["-p", "sp", "-p", "mup", "-o", "adam", "-o", "sgd"]);
    let lost = sweep(&["-p", "mup", "-o", "sgd", "--sweep", "lr=2^0..2^9", "--reach", "0", "--to-the-end"]);
    assert!(lost["runs"].as_array().unwrap().iter().any(|run| run["loss"].is_null()));
    let edge = sweep(&["-p", "mup", "--sweep", "lr=2^-18..2^-16", "--reach", "0", "--refine", "0"]);
    assert!(edge["studies"][0]["curves"][0]["optimum"].is_null());
}

#[test]
fn phases_and_limits_fit_their_schemas() {
    let answer = |arguments: &str| -> Value {
        let arguments: Vec<&str> = arguments.split(' ').chain(["--quiet", "--format", "json"]).collect();
        serde_json::from_slice(&mupc(&arguments).output().unwrap().stdout).unwrap()
    };
    let small = "--cells 4 --networks 2x1 --depth 3 --width 8 --steps 2";
    let phase = answer(&format!("phase specs/mlp.mup --activation tanh {small}"));
    check("docs/phase.schema.json", &phase);
    assert_eq!(phase["trained"]["networks"].as_array().unwrap().len(), 2);
    check("docs/phase.schema.json", &answer("phase specs/mlp.mup --untrained --cells 6"));
    for limit in ["linear", "linear --alone", "mean-field --particles 6 --shifts 2 --steps 2"] {
        check("docs/limit.schema.json", &answer(&format!("limit {limit} --seeds 2 --widths 8..32")));
    }
    let words = answer("limit embeddings --vocabulary 16 --steps 4 --widths 8..32 --seeds 2");
    check("docs/limit-embeddings.schema.json", &words);
    assert_eq!(words["sides"].as_array().unwrap().len(), 2);
}

#[test]
fn kernels_fit_their_schema() {
    let answer = |extra: &str| -> Value {
        let words = format!("kernel {MLP} --train 12 --test 6 --quiet --format json{extra}");
        let output = mupc(&words.split(' ').collect::<Vec<_>>()).output().unwrap();
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        check("docs/kernel.schema.json", &record);
        record
    };
    assert!(answer("")["trained"].is_null());
    assert!(answer(" --trained --set n=16 --rate 0.01")["trained"]["accuracy"].is_number());
    let drawn = answer(" --sample 2 --set n=8 --ridge 0.1 --kernel nngp --times 0,inf");
    assert_eq!(drawn["kernels"].as_array().unwrap().len(), 1);
}

#[test]
fn the_reading_of_schemas_finds_misfits() {
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string("docs/table.schema.json").unwrap()).unwrap();
    let mut table = json(&["table", GPT2, "-f", "json"]);
    table["parameters"][0]["shape"] = 3.into();
    table.as_object_mut().unwrap().remove("form");
    table["extra"] = true.into();
    let mut found = Vec::new();
    misfits(&schema, &schema, &table, "$", &mut found);
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn checks_fit_their_schema() {
    let mut verdicts = std::collections::BTreeSet::new();
    for (spec, extra) in [
        ("specs/mlp.mup", &["-p", "mup", "--seeds", "2", "--over", "n=64..256"][..]),
        (
            "specs/mlp.mup",
            &["-p", "sp", "--lr", "1", "--seeds", "2", "--over", "n=64..256", "--steps", "1,10"],
        ),
        ("specs/autoencoder.mup", &["-p", "mup", "-o", "sgd", "--seeds", "2", "--steps", "3"]),
    ] {
        let words = [&["check", spec, "-q", "-f", "json"], extra].concat();
        let output = mupc(&words).output().unwrap();
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        check("docs/check.schema.json", &record);
        let findings = record["findings"].as_array().unwrap().iter();
        verdicts.extend(findings.map(|own| own["verdict"].as_str().unwrap().to_string()));
        let holds = record["verdict"]["above"] == 0;
        assert_eq!(output.status.code(), Some(if holds { 0 } else { 1 }), "{spec} {extra:?}");
    }
    assert!(verdicts.len() >= 3, "{verdicts:?}");
}

#[test]
fn studies_of_finite_width_fit_their_schema() {
    let study = |extra: &[&str]| {
        let words =
            ["drift", MLP, "--over", "n=16,32,64", "--seeds", "3", "--steps", "5", "-q", "-f", "json"];
        let output = mupc(&[&words[..], extra].concat()).output().unwrap();
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        check("docs/drift.schema.json", &record);
        record
    };
    let all = study(&["--study", "all", "--draws", "64"]);
    let kinds: std::collections::BTreeSet<&str> =
        all["sections"].as_array().unwrap().iter().filter_map(|own| own["kind"].as_str()).collect();
    assert_eq!(kinds.len(), 6, "{kinds:?}");
    let lost = study(&["-p", "sp", "--lr", "1e6"]);
    assert!(lost["sections"][0]["curves"][0]["points"][2]["size"].is_null(), "{lost}");
}
