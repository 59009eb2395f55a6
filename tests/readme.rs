//! Every command and every spec of the README, run; every output it shows, compared.

use std::process::{Command, Output};

const README: &str = include_str!("../README.md");

/// A fenced block: what stands behind the fence, and its lines.
struct Block {
    info: &'static str,
    lines: Vec<&'static str>,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in README.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(info), false) => blocks.push(Block { info, lines: Vec::new() }),
            (None, true) => blocks.last_mut().unwrap().lines.push(line),
            (Some(_), true) | (None, false) => {}
        }
        open ^= line.starts_with("```");
    }
    blocks
}

/// The arguments of `cargo run --release -- ...`, without the comment.
fn arguments(line: &str) -> Option<Vec<&str>> {
    let command = line.strip_prefix("cargo run --release -- ")?;
    Some(command.split('#').next()?.split_whitespace().map(|word| word.trim_matches('\'')).collect())
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mupc")).args(arguments).output().unwrap()
}

#[test]
fn every_command_runs() {
    let mut count = 0;
    let all = blocks();
    for (at, block) in all.iter().enumerate().filter(|(_, block)| block.info == "sh") {
        for line in &block.lines {
            let status = line.split_once("# status ").map_or(0, |(_, status)| status.parse().unwrap());
            let Some(arguments) = arguments(line) else {
                assert!(line.starts_with("cargo test"), "what is `{line}`?");
                continue;
            };
            let output = run(&arguments);
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(
                output.status.code(),
                Some(status),
                "{line}\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
            let shown = all.get(at + 1).filter(|next| next.info == "text" && block.lines.len() == 1);
            if let Some(shown) = shown {
                assert!(text.starts_with(&shown.lines.join("\n")), "{line} prints\n{text}");
            }
            count += 1;
        }
    }
    assert!(count >= 11, "{count} commands");
}

#[test]
fn the_first_spec_prints_the_table_below_it() {
    let all = blocks();
    let (spec, table) = (&all[0], &all[1]);
    assert_eq!((spec.info, table.info), ("mup", "text"));
    let network = mupc::compile(&spec.lines.join("\n")).unwrap();
    let printed = network.table(mupc::Named::Mup, mupc::Optimizer::Adam).unwrap().to_string();
    let trimmed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    for line in &table.lines {
        assert!(trimmed.contains(line), "`{line}` is not in\n{printed}");
    }
}

#[test]
fn every_spec_compiles_and_has_a_maximal_update_table() {
    let specs: Vec<Block> = blocks().into_iter().filter(|block| block.info == "mup").collect();
    assert_eq!(specs.len(), 2);
    for spec in specs {
        let network = mupc::compile(&spec.lines.join("\n")).unwrap_or_else(|errors| panic!("{errors}"));
        let findings = network.classify(mupc::Named::Mup, mupc::Optimizer::Adam).unwrap();
        assert!(findings.learns_features(), "{findings}");
    }
}

#[test]
fn the_page_opens_with_everything_a_newcomer_needs() {
    let opening: Vec<&str> = README.lines().take(30).collect();
    for needed in [
        "```mup",
        "```text",
        "cargo run --release -- table specs/gpt2.mup",
        "cargo test",
        "docs/images/gpt2.svg",
    ] {
        assert!(opening.iter().any(|line| line.contains(needed)), "{needed}");
    }
}

#[test]
fn the_picture_is_the_one_that_the_program_draws() {
    let output = run(&["graph", "specs/gpt2.mup", "--format", "svg", "--compact"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), include_str!("../docs/images/gpt2.svg"));
}

#[test]
fn every_file_it_points_to_exists() {
    for link in README.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(std::path::Path::new(link).exists(), "{link}");
    }
}
