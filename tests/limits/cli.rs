//! `mupc phase` and `mupc limit` as they are used: reports, files, refusals; and every command of docs/phase-and-limits.md.

#[cfg(target_os = "linux")]
use crate::interrupt::interrupted;
use crate::page::{self, every_command_runs, run};

const DOCS: &str = include_str!("../../docs/phase-and-limits.md");

fn refusal(line: &str) -> String {
    page::refusal(&line.split(' ').collect::<Vec<_>>())
}

#[test]
fn every_command_of_the_page_runs() {
    every_command_runs(DOCS, 8);
}

#[test]
fn files_are_written() {
    let folder = std::env::temp_dir().join(format!("mupc-limit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let place = folder.to_str().unwrap();
    let page = folder.join("page.html");
    let small = "--cells 8 --networks 2x2 --depth 4 --width 8 --steps 2";
    for (line, pictures) in [
        (format!("phase specs/mlp.mup {small}"), &["phase.svg"][..]),
        ("limit linear --widths 8..64".to_string(), &["loss.svg", "distance.svg"]),
        (
            "limit embeddings --vocabulary 12 --steps 5 --widths 8..32".to_string(),
            &["change.svg", "neighbours.svg"],
        ),
    ] {
        let mut arguments: Vec<&str> = line.split(' ').collect();
        arguments.extend(["--quiet", "--svg", place, "--html", page.to_str().unwrap()]);
        let output = run(&arguments);
        assert_ne!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        for name in pictures {
            let svg = std::fs::read_to_string(folder.join(name)).unwrap();
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>") && !svg.contains("NaN"), "{name}");
        }
        let text = std::fs::read_to_string(&page).unwrap();
        assert!(text.contains("</html>") && text.contains("<svg") && !text.contains("<script"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn results_do_not_depend_on_threads() {
    let run = |threads: &str| {
        let line =
            "limit mean-field --particles 7 --steps 4 --widths 16..64 --seeds 3 --format json --threads";
        let output = run(&line.split(' ').chain([threads]).collect::<Vec<_>>());
        let mut record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        for key in ["seconds", "command"] {
            record.as_object_mut().unwrap().remove(key);
        }
        record
    };
    assert_eq!(run("1"), run("3"));
}

#[test]
fn other_lengths_are_told() {
    let line =
        "limit mean-field tests/limits/specs/scales.mup --set d=6 --steps 4 --widths 16..128 --seeds 24 -q";
    let output = run(&line.split(' ').collect::<Vec<_>>());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("one hidden layer; 3*n neurons; d = 6\n"), "{text}");
    assert!(text.contains("  n    distance") && text.contains("~ n^"), "{text}");
}

#[test]
fn specs_that_are_more_than_layers_are_shown_where() {
    insta::assert_snapshot!(refusal("phase specs/resmlp.mup"));
    let text = refusal("phase specs/gpt2.mup");
    assert!(text.contains("normalizes") && text.contains("-->") && text.contains("--activation"), "{text}");
}

#[test]
fn bad_requests_are_refused_before_any_work() {
    let table = std::env::temp_dir().join(format!("mupc-table-{}.csv", std::process::id()));
    std::fs::write(&table, "x,y\n1,2\n1,two\n").unwrap();
    let wrong_table = format!("limit linear --data {}", table.display());
    for (line, reason) in [
        ("phase specs/mlp.mup --activation tahn", "did you mean `tanh`"),
        ("phase specs/mlp.mup --weights 4..1", "0.5..4"),
        ("phase specs/mlp.mup --networks 3", "9x3"),
        ("phase specs/mlp.mup --bias-variance=-1", "not a variance"),
        ("phase specs/nothing.mup", "no such file"),
        ("limit linear --point 1", "inputs=targets"),
        ("limit linear --point 1=1 --point 1,2=1", "example 2 has 2 inputs"),
        ("limit linear --rate 30", "lower it"),
        ("limit linear --widths 64", "at least two widths"),
        ("limit linear --data nothing.csv", "nothing.csv"),
        (&wrong_table, ":3: column `y` has `two`"),
        ("limit embeddings specs/mlp.mup", "vocab"),
        ("limit linear specs/mlp.mup", "one hidden layer"),
        ("limit linear tests/limits/specs/gelu.mup", "limit mean-field"),
        ("limit mean-field tests/limits/specs/linear.mup", "limit linear"),
        ("limit mean-field specs/mlp.mup --activation relu", "cannot be used with"),
        ("limit linear tests/limits/specs/linear.mup --point 1=1", "the spec 2 and 2"),
        ("limit linear tests/limits/specs/linear.mup --set n=8", "which are to grow"),
        ("limit linear tests/limits/specs/linear.mup --set m=8", "no `dim` or `scale` called `m`"),
        ("limit linear tests/limits/specs/linear.mup --set n", "not of the form `name=number`"),
        (
            "limit mean-field tests/limits/specs/scales.mup --set d=3 --widths 3,5,9",
            "`3*n/2` is not a whole number at n = 3",
        ),
        ("limit mean-field --set d=3", "<SPEC>"),
        #[cfg(target_os = "linux")]
        ("limit embeddings --widths 64,1048576 --vocabulary 4096 --seeds 1000", "choose smaller `--widths`"),
        ("limit embeddings --vocabulary 12 --widths 8..32 --steps 30 --rate 1e9", "diverges"),
    ] {
        let text = refusal(line);
        assert!(text.contains(reason), "{line}: {text}");
    }
    std::fs::remove_file(&table).unwrap();
}

#[test]
fn a_limit_that_is_not_known_well_is_not_judged() {
    let line = "limit mean-field --particles 4 --shifts 2 --widths 64..4096 --seeds 4 --steps 10 --quiet";
    let output = run(&line.split(' ').collect::<Vec<_>>());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("NOT RESOLVED"), "{text}");
}

/// An interrupt leaves a report of what was run, which judges nothing.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_leaves_a_partial_report() {
    let said = "interrupted: what is missing was not run, and nothing is judged";
    for (line, kept) in [
        (
            "phase specs/mlp.mup -q --threads 1 --cells 8 --depth 12 --width 16 --networks 20x20",
            "edge of chaos",
        ),
        ("limit linear -q --threads 1 --steps 200 --seeds 2000", "0.4979524861"),
        ("limit mean-field -q --threads 1 --particles 7 --seeds 5000 --steps 20", "standard error"),
        (
            "limit mean-field -q --threads 1 --particles 9 --shifts 1000 --steps 400 --alone",
            "shifts of a lattice",
        ),
        (
            "limit embeddings -q --threads 1 --vocabulary 32 --steps 40 --widths 16..64 --seeds 1000",
            "nearest",
        ),
    ] {
        let (text, status) = interrupted(line, 1500);
        assert!(text.contains(said) && text.contains(kept) && text.contains(line), "{line}: {text}");
        assert!(!text.contains("holds:") && !text.contains("HOLD") && status == Some(2), "{line}: {text}");
    }
}
