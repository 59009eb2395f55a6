//! Stores: a sweep that is killed, resumed, spread over shares and joined is the sweep that was not.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{SMALL, folder, mupc, record, small};

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[test]
fn a_store_is_resumed_without_running_anything_again() {
    let store = folder("resumed").join("runs.jsonl");
    let path = store.to_str().unwrap();
    let first = record(&["--store", path]);
    assert_eq!(first, record(&[]));
    let before = text(&store);
    let again = small(&["text", "--store", path, "--resume"]);
    assert!(String::from_utf8_lossy(&again.stdout).contains("runs, 0 of them now"));
    assert_eq!(record(&["--store", path, "--resume"]), first);
    assert_eq!(text(&store), before);
    let refused = small(&["text", "--store", path]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--resume"));
}

/// Killed in the middle of its work, it loses what was unfinished and nothing else.
#[test]
fn a_killed_sweep_goes_on() {
    let store = folder("killed").join("runs.jsonl");
    let path = store.to_str().unwrap();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("mupc"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(SMALL.split(' ').chain(["json", "--threads", "1", "--store", path]))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while lines(&store) < 10 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = lines(&store) - 1;
    let whole = record(&[]);
    assert!((9..whole["runs"].as_array().unwrap().len()).contains(&kept), "{kept} runs were kept");
    assert_eq!(record(&["--store", path, "--resume"]), whole);
}

/// Two writers of one store: the second is told what to do instead; whoever is killed leaves no lock behind.
#[test]
fn a_store_has_one_writer() {
    let folder = folder("writers");
    let (store, other) = (folder.join("runs.jsonl"), folder.join("other.jsonl"));
    let path = store.to_str().unwrap();
    // So long that it is still at work when the others come.
    let course = ["transfer", "specs/mlp.mup", "--over", "n=16..64", "--steps", "20000", "--threads", "1"];
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("mupc"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([&course[..], &["-q", "--store", path]].concat())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while lines(&store) < 1 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let with = |more: &[&str]| mupc(&[&course[..], more].concat()).output().unwrap();
    let refused = with(&["-q", "--store", path, "--resume"]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{message}");
    assert!(message.contains(&format!("another process writes to {path}")), "{message}");
    assert!(message.contains("--shard") && message.contains("mupc transfer merge"), "{message}");
    // Whoever writes nothing may look.
    let plan = with(&["--plan", "--store", path]);
    assert_eq!(plan.status.code(), Some(0), "{}", String::from_utf8_lossy(&plan.stderr));
    std::fs::copy(&store, &other).unwrap();
    let merge = mupc(&["transfer", "merge", path, path, other.to_str().unwrap()]).output().unwrap();
    assert!(String::from_utf8_lossy(&merge.stderr).contains("another process writes to"));
    child.kill().unwrap();
    child.wait().unwrap();
    let merge = mupc(&["transfer", "merge", path, path, other.to_str().unwrap()]).output().unwrap();
    assert_eq!(merge.status.code(), Some(0), "{}", String::from_utf8_lossy(&merge.stderr));
}

/// A line that was not written to its end is taken away, wherever it was cut.
#[test]
fn a_truncated_line_is_repaired_with_a_notice() {
    let store = folder("truncated").join("runs.jsonl");
    let path = store.to_str().unwrap();
    let whole = record(&["--store", path]);
    let full = text(&store);
    let last = full.trim_end().rfind('\n').unwrap() + 1;
    for cut in [last + 1, last + 40, full.len() - 1, 30] {
        std::fs::write(&store, &full[..cut]).unwrap();
        let output = small(&["text", "--store", path, "--resume"]);
        let notice = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(notice.contains("was not written to its end"), "{cut}: {notice}");
        assert_eq!(record(&["--store", path, "--resume"]), whole);
        assert_eq!(lines(&store), full.lines().count());
    }
}

/// Interrupted is not done: the status says so, and what was done is kept. A share that is done has done what it was asked for.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_is_told_from_a_share_that_is_done() {
    let folder = folder("interrupted");
    let (store, share) = (folder.join("runs.jsonl"), folder.join("share.jsonl"));
    let (store, share) = (store.to_str().unwrap(), share.to_str().unwrap());
    // So long that it is still at work when the interrupt comes.
    let long = "transfer specs/mlp.mup --over n=16,32 --seeds 1 --steps 20000 --threads 1 -q --store";
    for more in ["", " --shard 1/2"] {
        let line = format!("{long} {store} --resume{more}");
        let (text, status) = crate::interrupt::interrupted(&line, 300);
        assert!(text.contains("Interrupted: this is a part of the sweep"), "{text}");
        assert_eq!(status, Some(2), "{line}");
    }
    // Every third run: SP does not transfer, but a share does not show it.
    let done = small(&["json", "--store", share, "--shard", "1/3"]);
    let record: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&record["complete"], &record["interrupted"]), (&false.into(), &false.into()));
    assert_eq!(done.status.code(), Some(0));
}

#[test]
fn shares_joined_are_the_whole() {
    let folder = folder("shares");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_string();
    let mut counts = Vec::new();
    for number in 1..=3 {
        let (store, share) = (path(&format!("{number}.jsonl")), format!("{number}/3"));
        let output = small(&["text", "--store", &store, "--shard", &share]);
        assert!(String::from_utf8_lossy(&output.stdout).contains("One share is done"));
        counts.push(lines(Path::new(&store)) - 1);
    }
    assert_eq!(counts, [24, 24, 24]);
    let all = path("all.jsonl");
    let merge = ["transfer", "merge", &all, &path("1.jsonl"), &path("2.jsonl"), &path("3.jsonl")];
    let output = mupc(&merge).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("72 runs of 3 stores"));
    // The grid is there; what brackets and refines the optima follows from it.
    assert_eq!(record(&["--store", &all, "--resume"]), record(&[]));
}

#[test]
fn stores_of_other_sweeps_are_refused() {
    let folder = folder("others");
    let store = folder.join("runs.jsonl");
    let path = store.to_str().unwrap();
    small(&["text", "--store", path, "--refine", "0"]);
    let other = |arguments: &[&str]| {
        let output = mupc(&[arguments, &["--store", path, "--resume", "-q"]].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let course = ["transfer", "specs/mlp.mup", "--over", "n=16..64", "--steps", "40", "--seeds", "2"];
    assert!(
        other(&["transfer", "specs/mlp.mup", "--over", "n=16..64", "--steps", "50"])
            .contains("belongs to another sweep: steps 40, not 50")
    );
    assert!(
        other(&["transfer", "specs/resmlp.mup", "--over", "n=16..64", "--steps", "40"])
            .contains("belongs to another sweep: network mlp (")
    );
    assert!(
        other(&[&course[..], &["--data", "synthetic", "--set", "pixels=64"]].concat())
            .contains("another sweep: data digits: 1797")
    );
    // The same sweep from another smallest size: other numbers.
    let moved = ["transfer", "specs/mlp.mup", "--over", "n=32..64", "--steps", "40", "--seeds", "2"];
    assert!(other(&[&moved[..], &["-p", "mup"]].concat()).contains("started from other numbers"));
    std::fs::write(&store, "a,b\n1,2\n").unwrap();
    assert!(other(&course).contains("is not a store"));
    std::fs::write(&store, "no newline").unwrap();
    assert!(other(&course).contains("is not a store"));
    assert_eq!(text(&store), "no newline");
    small(&["text", "--store", folder.join("b.jsonl").to_str().unwrap(), "--refine", "0"]);
    let broken = text(&folder.join("b.jsonl")).replacen("\"seed\"", "\"sead\"", 1);
    std::fs::write(&store, broken).unwrap();
    assert!(other(&course).contains("line 2 is no run (unknown field `sead`"));
}

/// Whatever would use runs of another sweep is refused: a merge, and a plan that would count on them.
#[test]
fn runs_of_other_sweeps_are_not_counted_on() {
    let folder = folder("foreign");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_string();
    let course =
        "transfer specs/mlp.mup --over n=8,16 --seeds 1 --sweep lr=2^-8..2^-5 --refine 0 --reach 0 -q";
    let run = |line: &str| {
        let output = mupc(&format!("{course} {line}").split(' ').collect::<Vec<_>>()).output().unwrap();
        (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
    };
    let (two, three) = (path("2.jsonl"), path("3.jsonl"));
    for (steps, store) in [(2, &two), (3, &three)] {
        assert_ne!(run(&format!("--steps {steps} --store {store}")).1, Some(2));
    }
    let merged = mupc(&["transfer", "merge", &path("all.jsonl"), &two, &three]).output().unwrap();
    let told = String::from_utf8_lossy(&merged.stderr).into_owned();
    assert!(told.contains("2.jsonl belong to different sweeps: steps 3, not 2"), "{told}");
    let (told, status) = run(&format!("--steps 2 --batch 32 --plan --store {two}"));
    assert!(told.contains("another `--batch`") && status == Some(2), "{told}");
}
