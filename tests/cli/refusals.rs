//! What the program says when it cannot run: always exit status 2, nothing on standard output, and what to do.

use super::{GPT2, MLP, folder, mupc, refusal};

fn says(args: &[&str], words: &[&str]) {
    let text = refusal(args);
    words.iter().for_each(|word| assert!(text.contains(word), "{args:?} does not say {word:?}: {text}"));
    assert!(!text.contains("panicked") && !text.contains('\x1b'), "{text}");
}

#[test]
fn files_that_are_no_specs() {
    let folder = folder("refusals");
    let path = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(name), bytes).unwrap();
        folder.join(name).to_str().unwrap().to_string()
    };
    says(
        &["table", &path("latin.mup", b"network a\n# caf\xe9\n")],
        &["not UTF-8", "0xe9", "offset 15", "line 2"],
    );
    says(&["table", &path("empty.mup", b"")], &["empty.mup is empty", "help:"]);
    says(&["table", &path("blank.mup", b" \n\n")], &["is empty"]);
    says(&["table", &path("zeros.mup", &[0; 100])], &["error"]);
    says(&["table", folder.to_str().unwrap()], &["is a directory"]);
    says(&["table", "specs/gpt3.mup"], &["no such file", "did you mean `gpt2.mup`?"]);
    says(&["table", "nowhere/at/all.mup"], &["nowhere/at/all.mup", "no such file"]);
    for command in ["classify", "graph", "fmt"] {
        says(&[command, "specs/gpt3.mup"], &["no such file"]);
    }
}

#[test]
fn specs_with_errors_point_at_them() {
    let run = mupc(&["table", "-"]).write_stdin("network a\ninput x[3]\nloss rleu(x)\n").output().unwrap();
    let text = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2));
    for word in ["error[names]", "<stdin>:3:6", "did you mean `relu`?"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn used_files_are_found_beside_the_file_that_uses_them() {
    let folder = folder("uses");
    std::fs::create_dir_all(folder.join("parts")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("parts/a.mup", "use \"b.mup\"\ndef twice(x[.., i]) { return plus(x, x) }\n");
    write("parts/b.mup", "def plus(x[.., i], y[.., i]) { return x + y }\n");
    let spec = |part: &str| {
        format!(
            "use \"parts/a.mup\"\nuse \"{part}\"\nscale n = 64\ninput x[3]\ntarget y[1]\nh = twice(linear(x, n))\nloss mse(readout(h, 1), y)\n"
        )
    };
    write("main.mup", &spec("./parts/../parts/b.mup"));
    let main = folder.join("main.mup");
    mupc(&["table", main.to_str().unwrap()]).assert().success();
    write("main.mup", &spec("parts/c.mup"));
    says(&["table", main.to_str().unwrap()], &["main.mup:2:5", "no such file"]);
    write("parts/b.mup", "use \"a.mup\"\ndef plus(x[.., i], y[.., i]) { return x + y }\n");
    write("main.mup", &spec("parts/b.mup"));
    says(&["table", main.to_str().unwrap()], &["use each other", "a.mup", "b.mup"]);
}

#[test]
fn targets_that_make_no_sense() {
    says(&["table", GPT2, "--at", "N=4096"], &["`N` is not a scale symbol", "`n`, `L`", "did you mean `n`?"]);
    says(&["table", GPT2, "--at", "n=1", "--at", "n=2"], &["`n` is given twice"]);
    says(&["table", GPT2, "--at", "n=0"], &["must be positive"]);
    says(&["table", GPT2, "--at", "n=-3"], &["must be positive"]);
    for malformed in ["n", "n=", "n=many", "=4", "n=1e999999", "n=99999999999999999999"] {
        says(&["table", GPT2, "--at", malformed], &["--at"]);
    }
}

#[test]
fn arguments_that_make_no_sense() {
    says(&["table", MLP, "-p", "mpu"], &["`mpu`", "sp, ntk, mean-field, mup", "did you mean `mup`?"]);
    says(&["table", MLP, "-o", "adm"], &["did you mean `adam`"]);
    says(&["table", MLP, "--form", "symetric"], &["similar value exists: 'symmetric'"]);
    says(&["table", MLP, "--format", "html"], &["possible values: text, markdown, csv, latex, json"]);
    says(&["tabel", MLP], &["similar subcommand exists: 'table'"]);
    says(&["explain", GPT2, "logit"], &["no parameter or tensor `logit`", "did you mean `logits`?"]);
    says(&["explain", GPT2, "nothing-like-it"], &["mupc graph"]);
    says(&["table"], &["<SPEC>"]);
    says(&["fmt"], &["<FILE>"]);
    says(&[], &["Usage: mupc"]);
}

#[test]
fn a_picture_that_cannot_be_written() {
    says(&["graph", MLP, "--output", "nowhere/at/all.svg"], &["cannot write nowhere/at/all.svg"]);
}
