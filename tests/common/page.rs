//! Pages of the documentation: their commands, run as a reader would run them.

use std::process::Output;

use assert_cmd::Command;

/// Runs the program.
pub fn run(arguments: &[&str]) -> Output {
    Command::cargo_bin("mupc").unwrap().args(arguments).output().unwrap()
}

/// What the program says of a request that it refuses.
pub fn refusal(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Runs every command of a page, at least so many. It must end as its comment says (`# status 1`; 0 without one), and what the page shows first
/// must be what the first one prints.
pub fn every_command_runs(page: &str, least: usize) {
    let shown = page.split("```text\n").nth(1).map(|rest| rest.split("```").next().unwrap());
    let commands = page.lines().filter_map(|line| line.strip_prefix("cargo run --release -- "));
    let mut count = 0;
    for line in commands {
        let (line, status) =
            line.split_once("# status ").map_or((line, 0), |(line, status)| (line, status.parse().unwrap()));
        let output = run(&line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(status), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        if let Some(shown) = shown.filter(|_| count == 0) {
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.starts_with(shown), "{text}");
        }
        count += 1;
    }
    assert!(count >= least, "{count}");
}
