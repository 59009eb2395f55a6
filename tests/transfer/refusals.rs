//! Why nothing was run: where, and what to do.

use std::path::Path;

use super::{folder, mupc};

fn refusal(arguments: &[&str]) -> String {
    let output = mupc(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed something");
    text
}

#[test]
fn bad_input_is_refused_before_any_work() {
    let cases: [(&[&str], &str); 33] = [
        (&["specs/mlp.mup", "--sweep", "lr=2^-5"], "a grid of 1 value"),
        (&["specs/mlp.mup", "--sweep", "lr=2^-5..2^-4"], "give at least three"),
        (&["specs/mlp.mup", "--sweep", "rate=2^-5..2^-2"], "`rate` is not a hyperparameter"),
        (&["specs/mlp.mup", "--sweep", "lr=0.01..0.1"], "not a power of two"),
        (&["specs/mlp.mup", "--sweep", "lr=2^-3..2^-7"], "give the smaller value first"),
        (&["specs/mlp.mup", "--sweep", "lr=2^-7..2^-3/3"], "divided by 1, 2, 4, 8 or 16"),
        (&["specs/mlp.mup", "--sweep", "batch=2^2..2^6/2"], "whole powers of two only"),
        (&["specs/mlp.mup", "--sweep", "batch=2^-3..2^6"], "lies between 2^0 and 2^20"),
        (&["specs/mlp.mup", "--over", "n=64"], "at least two values"),
        (&["specs/mlp.mup", "--over", "n=64..100"], "holds 64 only; a range doubles"),
        (&["specs/mlp.mup", "--over", "n=64..131072"], "or allow more"),
        (&["specs/mlp.mup", "--memory", "0"], "`0` is not a positive number"),
        (&["specs/mlp.mup", "--margin", "-1"], "`-1` is not a positive number"),
        (&["specs/mlp.mup", "--over", "k=64..128"], "`k` is not a scale symbol"),
        (&["specs/mlp.mup", "--over", "width=64..128"], "its scale symbols: n"),
        (&["specs/mlp.mup", "--over", "n=0..64"], "sizes are 1 or more"),
        (&["specs/mlp.mup", "--over", "n=64..32"], "the smaller one comes first"),
        (&["specs/mlp.mup", "--sweep", "attention=2^-2..2^2"], "multiplies no activations"),
        (&["specs/mlp.mup", "--batch", "2000"], "would take 2000 examples, but the data has 1797"),
        (&["specs/mlp.mup", "--sweep", "batch=2^8..2^12"], "choose a smaller `--batch`"),
        (&["specs/gpt2.mup", "--over", "n=24..96"], "not a whole number"),
        (&["specs/mlp.mup", "--memory", "0.000001"], "of `--memory`"),
        (&["specs/mlp.mup", "--memory", "1000000000"], "more than this machine has"),
        (&["specs/mlp.mup", "--data", "text"], "--data synthetic"),
        (&["specs/mlp.mup", "-p", "mup", "-p", "mup"], "asked for twice"),
        (&["specs/mlp.mup", "-p", "nup"], "did you mean"),
        (&["specs/mlp.mup", "--lr", "0.01"], "the learning rate is what is varied"),
        (&["specs/mlp.mup", "--shard", "0/4", "--store", "x.jsonl"], "there is no share `0/4`"),
        (&["specs/mlp.mup", "--shard", "4", "--store", "x.jsonl"], "not a share such as 3/16"),
        (
            &["specs/mlp.mup", "--shard", "5/4", "--store", "x.jsonl"],
            "the first of 4 is `1/4`, the last `4/4`",
        ),
        (&["specs/mlp.mup", "--shard", "1/4"], "--store"),
        (&["specs/mlp.mup", "--resume"], "--store"),
        (&["specs/nowhere.mup"], "there is no such file"),
    ];
    for (arguments, message) in cases {
        let text = refusal(&[&["transfer"], arguments, &["-q"]].concat());
        assert!(text.contains(message), "{arguments:?}: {text}");
    }
}

#[test]
fn stores_that_cannot_be_joined_are_refused() {
    let folder = folder("transfer-merge");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_string();
    std::fs::write(path("empty.jsonl"), "").unwrap();
    std::fs::write(path("there.jsonl"), "").unwrap();
    let merge = |into: &str, from: &str| refusal(&["transfer", "merge", &path(into), &path(from)]);
    assert!(merge("into.jsonl", "nowhere.jsonl").contains("there is no such file"));
    assert!(merge("into.jsonl", "empty.jsonl").contains("all of these stores are empty"));
    assert!(merge("there.jsonl", "empty.jsonl").contains("exists already"));
}

#[test]
fn data_with_holes_and_of_the_wrong_shape_is_refused() {
    let folder = folder("transfer-data");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_string()
    };
    let pixels = (0..64).map(|at| format!("p{at}")).collect::<Vec<_>>().join(",");
    let row = ["0"; 64].join(",");
    let holes = write("holes.csv", &format!("{pixels},label\n{row},1\n{},2\n", row.replacen('0', "", 1)));
    let text = refusal(&["transfer", "specs/mlp.mup", "--data", &holes, "-q"]);
    assert!(text.contains("holes.csv") && text.contains('3'), "{text}");
    let narrow = write("narrow.csv", "a,b,label\n1,2,0\n3,4,1\n");
    let text = refusal(&["transfer", "specs/mlp.mup", "--data", &narrow, "-q"]);
    assert!(text.contains("narrow.csv") && text.contains("called `image.0` to `image.3071`"), "{text}");
    let wide = write("wide.csv", &format!("{pixels},label\n{row},1\n{row},2\n"));
    let text = refusal(&["transfer", "specs/mlp.mup", "--data", &wide, "-q"]);
    assert!(text.contains("`p5` and 59 more (columns for it are called `image.0`"), "{text}");
    let ragged = write("ragged.csv", &format!("{row},1\n{row}\n"));
    let text = refusal(&["transfer", "specs/mlp.mup", "--data", &ragged, "-q"]);
    assert!(text.contains("ragged.csv: line 2 has 64 columns where the lines before it have 65"), "{text}");
    let other = write("semicolons.csv", &format!("{row},1\n{row},2\n").replace(',', ";"));
    let text = refusal(&["transfer", "specs/mlp.mup", "--data", &other, "-q"]);
    assert!(text.contains("its columns stand between \";\"; put commas"), "{text}");
    let single = write("single.csv", "1\n2\n");
    let text = refusal(&["transfer", "specs/mlp.mup", "--data", &single, "-q"]);
    assert!(text.contains("single.csv has 1 column where inputs and targets take"), "{text}");
    let empty = write("empty.csv", "a,b,label\n");
    let text = refusal(&["transfer", "specs/mlp.mup", "--data", &empty, "-q"]);
    assert!(text.contains("empty.csv: it has a header and no examples"), "{text}");
}

/// An array of this shape, in NumPy's format; its entries are the numbers from 0.
fn array(path: &Path, shape: &[usize], entries: usize) -> String {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({lengths}), }}");
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend((0..entries).flat_map(|at| ((at % 10) as f32).to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
    path.to_str().unwrap().to_string()
}

#[test]
fn arrays_of_the_wrong_shape_are_refused() {
    let folder = folder("transfer-arrays");
    let label = array(&folder.join("label.npy"), &[20], 20);
    let short = array(&folder.join("short.npy"), &[19], 19);
    let images = array(&folder.join("images.npy"), &[20, 7, 7], 20 * 49);
    let cut = array(&folder.join("cut.npy"), &[20, 8, 8], 100);
    let (three, one) = (format!("image={images}"), format!("image={label}"));
    let refuse = |image: &str, label: &str| {
        let label = format!("label={label}");
        let data = ["--data", image, "--data", &label, "--over", "n=8,16", "-q"];
        refusal(&[&["transfer", "docs/evidence/convnet-8.mup"], &data[..]].concat())
    };
    let text = refuse(&three, &label);
    assert!(text.contains("the input `image[8, 8, 1]`") && text.contains("an array [7, 7] there"), "{text}");
    assert!(refuse(&three, &short).contains("`image` has 20 examples, but `label` has 19"));
    assert!(refuse(&one, &label).contains("a single number there"));
    let text = refuse(&format!("image={cut}"), &label);
    assert!(text.contains("cut.npy: the file ends before the last of its 1280 numbers"), "{text}");
}
