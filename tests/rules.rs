//! Parameterizations that specs define, their comparison, and what specs expect.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

const MLP: &str = "specs/mlp.mup";
const TP5: &str = "specs/audits/tp5.mup";

fn mupc(arguments: &[&str]) -> Output {
    Command::cargo_bin("mupc").unwrap().args(arguments).output().unwrap()
}

fn code(arguments: &[&str]) -> i32 {
    mupc(arguments).status.code().unwrap()
}

fn out(arguments: &[&str]) -> String {
    String::from_utf8(mupc(arguments).stdout).unwrap()
}

fn err(arguments: &[&str]) -> String {
    String::from_utf8(mupc(arguments).stderr).unwrap()
}

/// A file of its own for a test.
fn temporary(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

const HEAD: &str = "scale n = 64
input x[10]
target y[3]
h = relu(linear(x, n) as first)
h = relu(linear(h, n) as second)
loss mse(readout(h, 3), y)
";

#[test]
fn three_published_tables_are_one() {
    for optimizer in ["adam", "sgd"] {
        let names = ["3", "8", "9"].map(|table| format!("{TP5}:table_{table}_{optimizer}"));
        for first in &names {
            for second in names.iter().map(String::as_str).chain(["mup"]) {
                let arguments = ["compare", MLP, "-p", first, "-p", second, "-o", optimizer];
                assert_eq!(code(&arguments), 0, "{first} {second}\n{}", out(&arguments));
            }
            let arguments = ["compare", MLP, "-p", first, "-p", "sp", "-o", optimizer];
            assert_eq!(code(&arguments), 1, "{first}");
            assert!(out(&arguments).contains("not the same: `fc"), "{}", out(&arguments));
        }
    }
}

#[test]
fn the_first_real_difference_is_named() {
    let text = out(&["compare", MLP, "-p", "mup", "-p", "sp", "-o", "adam"]);
    assert!(
        text.contains(
            "not the same: `fc2.weight` takes relative steps n times as large under sp as under mup"
        ),
        "{text}"
    );
    let text = out(&["compare", "specs/gpt2.mup", "-p", "mup", "-p", "complete-p"]);
    assert!(
        text.contains("the multiplier in front of `h.attn.out.y` is 1 under mup and L^-1 under complete-p"),
        "{text}"
    );
    let json = out(&["compare", MLP, "-p", "mean-field", "-p", "mup", "-o", "sgd", "-f", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["same"], true, "mean field is muP up to gauge under SGD");
}

#[test]
fn comparisons_that_make_no_sense() {
    assert!(err(&["compare", MLP, "-p", "mup"]).contains("two parameterizations, not 1"));
    assert!(err(&["compare", MLP, "-p", "mup", "-p", TP5]).contains("holds several parameterizations"));
    assert!(err(&["compare", MLP, "-p", "mup", "-p", "tabel.mup"]).contains("there is no such file"));
    let unknown = err(&["compare", MLP, "-p", "mup", "-p", "specs/audits/tp5.mup:table_3_adma"]);
    assert!(unknown.contains("did you mean `table_3_adam`"), "{unknown}");
}

#[test]
fn rules_that_cannot_be_followed_point_at_the_culprit() {
    for (rule, message) in [
        ("secnd.weight: lr 1", "`secnd.weight` matches no parameter and no tensor"),
        ("secnd.weight: lr 1", "did you mean `second.weight`?"),
        ("second.weight: optimizer adma", "unknown optimizer `adma`"),
        ("h: lr 1", "`h` is a tensor and has no lr"),
        ("h: optimizer muon", "`h` is a tensor and has no optimizer"),
        ("h: multiplier 1/n", "is no product and no branch"),
        ("second.weight: lr 0", "must be a power"),
        ("second.weight: init n - n", "must be a positive power"),
        ("second.weight: lr width", "width"),
    ] {
        let text = format!("{HEAD}parameterization mine {{\n  {rule}\n}}\n");
        let path = temporary("culprit.mup", &text);
        let said = err(&["table", path.to_str().unwrap(), "-p", "mine"]);
        assert!(said.contains(message), "{rule}: {said}");
        assert_eq!(code(&["table", path.to_str().unwrap(), "-p", "mine"]), 2, "{rule}");
    }
}

#[test]
fn a_parameterization_inherits_what_it_does_not_say() {
    let text = format!(
        "{HEAD}parameterization one {{\n  second.weight: lr 1/n^2, eps n^-3, decay n^4\n}}\n\
         parameterization two from one {{\n  optimizer sgd\n  first.weight: optimizer muon\n}}\n"
    );
    let network = mupc::compile(&text).unwrap();
    let table = |name: &str, optimizer: mupc::Optimizer| {
        let scheme = mupc::Scheme::find(&network.graph, name).unwrap();
        network.table(scheme, optimizer).unwrap()
    };
    let names = network.graph.symbol_names();
    let one = table("one", mupc::Optimizer::Adam);
    let row = &one.parameters[1];
    let text = |power: &Option<mupc::dim::Monomial>| power.as_ref().unwrap().display(&names).to_string();
    assert_eq!(
        (text(&row.learning_rate), text(&row.epsilon), text(&row.weight_decay)),
        ("n^-2".into(), "n^-3".into(), "n^4".into())
    );
    assert_eq!(row.init_std.display(&names).to_string(), "n^-1/2", "inherited from mup");
    assert_eq!(text(&one.parameters[0].learning_rate), "1", "inherited from mup");
    let two = table("two", mupc::Optimizer::Sgd);
    assert_eq!(text(&two.parameters[0].learning_rate), "n^1/2", "Muon's rate for an input map");
    assert_eq!(text(&two.parameters[2].learning_rate), "n^-1", "SGD's rate for a readout");
}

#[test]
fn what_a_parameterization_inherits_from_must_be_there() {
    for (blocks, words) in [
        ("parameterization mine from mpu { }", ["`mine` inherits from `mpu`", "did you mean `mup`?"]),
        (
            "parameterization mine from b { } parameterization b from mine { }",
            ["inherits from itself", "error"],
        ),
        ("parameterization mine from mine { }", ["`mine` inherits from itself", "error"]),
    ] {
        let path = temporary("bases.mup", &format!("{HEAD}{blocks}\n"));
        let said = err(&["table", path.to_str().unwrap(), "-p", "mine"]);
        words.iter().for_each(|word| assert!(said.contains(word), "{blocks}: {said}"));
        let path = temporary(
            "bases.mup",
            &format!("{HEAD}{blocks}\nexpect mine with adam {{ verdict \"kernel\" }}\n"),
        );
        let said = err(&["test", path.to_str().unwrap()]);
        assert!(said.contains(words[0]), "{blocks}: {said}");
    }
}

/// The command line has the last word on optimizers; a picture of sizes goes by the parameterization's own.
#[test]
fn optimizers_of_a_parameterization() {
    let block = "parameterization mine {\n  second.weight: optimizer muon, lr 1\n}\n";
    let path = temporary("optimizers-of-rules.mup", &format!("{HEAD}{block}"));
    let name = path.to_str().unwrap();
    let title = |arguments: &[&str]| {
        let text = out(&[&["table", name, "-p", "mine"], arguments].concat());
        text.lines().next().unwrap_or_default().to_string()
    };
    assert!(title(&[]).contains("adam + muon"));
    assert!(title(&["-o", "second.weight=lion"]).contains("adam + lion"));
    assert!(title(&["-o", "sgd", "-o", "first.weight=lion"]).contains("sgd + lion + muon"));
    let sizes = out(&["graph", name, "--sizes", "-p", "mine"]);
    assert!(sizes.contains("n^-1/2 → n^-1"), "Muon's step; Adam's would be as large as the rate: {sizes}");
}

/// What rules say of eps and decay is said in the form in which they stand; other forms write the same parameterization.
#[test]
fn written_eps_and_decay_change_with_the_form() {
    use mupc::optimizer::Decay;
    use mupc::{Form, Question, Scheme};
    let block = "parameterization mine from mup {\n  \"*.weight\": eps n^-3, decay n^5\n}\n";
    let network = mupc::compile(&format!("{HEAD}{block}")).unwrap();
    let scheme = Scheme::find(&network.graph, "mine").unwrap();
    for optimizer in [mupc::Optimizer::Adam, mupc::Optimizer::Muon, mupc::Optimizer::Adafactor] {
        for decay in Decay::ALL {
            let question = |form| Question { form, decay, ..Question::new(scheme.clone(), optimizer) };
            let native = question(Form::Native);
            for form in Form::ALL {
                let found = network.compare(&native, &question(form)).unwrap();
                assert!(found.is_same(), "{optimizer} {decay} {form}: {:?}", found.first_difference());
            }
        }
    }
    let name = temporary("forms-of-rules.mup", &format!("{HEAD}{block}"));
    let text = out(&["table", name.to_str().unwrap(), "-p", "mine", "--form", "unit"]);
    let row = text.lines().find(|line| line.starts_with("second.weight")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[cells.len() - 5..], ["n^-1/2", "1", "n^-1/2", "n^-7/2", "n^9/2"], "{row}");
}

#[test]
fn rules_give_no_eps_where_there_is_none() {
    let text = HEAD.replace(
        "loss mse(readout(h, 3), y)",
        "param last[3, n] frozen\nz[o] = last[o, i] * h[i]\nloss mse(z, y)",
    );
    let network =
        mupc::compile(&format!("{text}parameterization mine {{\n  \"*\": eps n^-3, decay n^5\n}}\n"))
            .unwrap();
    let scheme = || mupc::Scheme::find(&network.graph, "mine").unwrap();
    let sgd = network.table(scheme(), mupc::Optimizer::Sgd).unwrap();
    assert!(sgd.parameters.iter().all(|row| row.epsilon.is_none()), "gradient descent has no eps");
    let adam = network.table(scheme(), mupc::Optimizer::Adam).unwrap();
    let shown: Vec<_> =
        adam.parameters.iter().map(|row| (row.epsilon.is_some(), row.weight_decay.is_some())).collect();
    assert_eq!(shown, [(true, true), (true, true), (false, false)], "the last one is frozen");
}

/// Weight decay is part of what happens at every step.
#[test]
fn parameterizations_that_decay_differently_are_not_the_same() {
    let block = "parameterization mine {\n  second.weight: decay 1\n}\n";
    let path = temporary("decay.mup", &format!("{HEAD}{block}"));
    let arguments = ["compare", path.to_str().unwrap(), "-p", "mup", "-p", "mine"];
    assert_eq!(code(&arguments), 1);
    let text = out(&arguments);
    assert!(
        text.contains("`second.weight` decays n^-1 times as much per step under mine as under mup"),
        "{text}"
    );
    let independent = [&arguments[..], &["--decay", "independent"]].concat();
    assert_eq!(code(&independent), 0, "a constant is what independent decay asks for");
}

#[test]
fn explanations_say_what_a_rule_says() {
    let block = "parameterization mine {\n  second.weight: multiplier n, init n^-2, lr n^-5, eps n^-3, decay n^4\n}\n";
    let path = temporary("explained.mup", &format!("{HEAD}{block}"));
    let name = path.to_str().unwrap();
    let text = out(&["explain", name, "second.weight", "-p", "mine"]);
    for what in ["initialization", "multiplier", "learning rate", "eps: n^-3", "weight decay: n^4"] {
        assert!(text.contains(&format!("the rules of `mine` say its {what}")), "{what}: {text}");
    }
    assert!(!text.contains("Spectral Condition") && !text.contains("may be"), "nothing else decides: {text}");
    let text = out(&["explain", name, "first.weight", "-p", "mine", "-o", "muon", "--decay", "coupled"]);
    assert!(
        text.contains("compared with the norm of the gradient") && text.contains("gradient over weight"),
        "{text}"
    );
}

#[test]
fn every_expectation_of_every_spec_holds() {
    let text = out(&["test", "specs"]);
    assert!(text.contains("result: ok"), "{text}");
    assert!(text.contains("specs/audits/table.mup"), "{text}");
}

#[test]
fn an_expectation_that_fails_is_shown_and_rewritten() {
    let block = "expect mup with adam {\n  verdict \"kernel\"\n  # the readout\n  readout.weight: init 1, lr n^-1\n  h: value n\n}\n";
    let path = temporary("update.mup", &format!("{HEAD}{block}"));
    let name = path.to_str().unwrap();
    let said = out(&["test", name]);
    assert_eq!(code(&["test", name]), 1);
    for part in ["verdict", "kernel", "feature learning", "readout.weight", "n^-1", "result: FAILED"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains(" lr "), "what holds is not listed: {said}");
    assert_eq!(code(&["test", name, "--update"]), 0);
    let rewritten = fs::read_to_string(&path).unwrap();
    let expected = "expect mup with adam {\n  verdict \"feature learning\"\n  # the readout\n  readout.weight: init n^-1, lr n^-1\n  h: value 1\n}\n";
    assert!(rewritten.ends_with(expected), "{rewritten}");
    assert_eq!(code(&["test", name]), 0);
    assert_eq!(code(&["fmt", "--check", name]), 0, "what is written is in canonical form");
}

#[test]
fn tests_without_anything_to_test() {
    let path = temporary("nothing.mup", HEAD);
    assert!(err(&["test", path.to_str().unwrap()]).contains("no `expect` block"));
    assert_eq!(code(&["test", path.to_str().unwrap()]), 2);
    let path = temporary("wrong.mup", &format!("{HEAD}expect mpu with adam {{ verdict \"kernel\" }}\n"));
    assert!(err(&["test", path.to_str().unwrap()]).contains("did you mean `mup`?"));
}

/// Every command of the audit runs, and its verdicts are those of the page.
#[test]
fn the_audit_says_what_the_tool_says() {
    let page = fs::read_to_string("docs/audit.md").unwrap();
    let commands: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("    mupc ")).collect();
    assert_eq!(commands.len(), 8);
    let answers: Vec<(i32, String)> = commands
        .iter()
        .map(|command| {
            let arguments: Vec<&str> = command.split_whitespace().collect();
            (code(&arguments), out(&arguments))
        })
        .collect();
    let expected = [
        (0, "result: ok"),
        (1, "unstable in training"),
        (1, "unstable at initialization"),
        (1, "not the same: `w2`"),
        (1, "unstable in training"),
        (0, "feature learning"),
        (0, "the same up to gauge"),
        (0, "the same up to gauge"),
    ];
    for ((command, (code, text)), (status, part)) in commands.iter().zip(&answers).zip(expected) {
        assert!(*code == status && text.contains(part), "mupc {command}: {code}\n{text}");
    }
}
