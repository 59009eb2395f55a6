//! What `mupc test` says, for a terminal and for programs.

use serde_json::{Value, json};

use super::table_text::{grid, lines};
use crate::parameterization::expectation::{Checked, Outcome};

/// One file's blocks.
#[derive(Clone, Debug)]
pub struct TestedFile {
    /// Its name.
    pub name: String,
    /// Its blocks, with the line that each one begins in.
    pub blocks: Vec<(usize, Checked)>,
}

impl TestedFile {
    /// Whether every block holds.
    pub fn holds(&self) -> bool {
        self.blocks.iter().all(|(_, block)| block.holds())
    }
}

/// Writes the report; `without` files had nothing to test.
pub fn text(files: &[TestedFile], without: usize) -> String {
    let mut out = String::new();
    for file in files {
        out.push_str(&format!("{}\n", file.name));
        for (line, block) in &file.blocks {
            out.push_str(&of_block(&file.name, *line, block));
        }
    }
    out.push_str(&format!("\n{}\n", summary(files, without)));
    out
}

fn of_block(name: &str, line: usize, block: &Checked) -> String {
    let count = block.outcomes.len();
    let wrong: Vec<&Outcome> = block.outcomes.iter().filter(|outcome| !outcome.holds).collect();
    if wrong.is_empty() {
        return format!("  ok      {}: {}\n", block.title, counted(count, "expectation"));
    }
    let mut table = grid();
    table.set_header(["", "", "expected", "found"]);
    for outcome in &wrong {
        let of = if outcome.path.is_empty() { "the network" } else { &outcome.path };
        table.add_row([
            format!("      {of}"),
            outcome.key.clone(),
            outcome.expected.clone(),
            outcome.found.clone(),
        ]);
    }
    let verb = if wrong.len() == 1 { "differs" } else { "differ" };
    let head = format!("  FAILED  {}: {} of {count} {verb} ({name}:{line})", block.title, wrong.len());
    format!("{head}\n{}\n", lines(&table))
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn summary(files: &[TestedFile], without: usize) -> String {
    let blocks = || files.iter().flat_map(|file| &file.blocks).map(|(_, block)| block);
    let failed = blocks().filter(|block| !block.holds()).count();
    let expectations: usize = blocks().map(|block| block.outcomes.len()).sum();
    let result = if failed == 0 { "ok" } else { "FAILED" };
    let held = blocks().count() - failed;
    let skipped =
        if without > 0 { format!("; {} without `expect`", counted(without, "file")) } else { String::new() };
    let advice = if failed > 0 { "\n`mupc test --update` writes what was found into the blocks" } else { "" };
    format!(
        "result: {result}. {} in {}: {held} held, {failed} failed; {}{skipped}{advice}",
        counted(blocks().count(), "block"),
        counted(files.len(), "file"),
        counted(expectations, "expectation"),
    )
}

/// The same for programs.
pub fn json(files: &[TestedFile], without: usize) -> Value {
    let outcome = |own: &Outcome| json!({"path": own.path, "key": own.key, "expected": own.expected, "found": own.found, "holds": own.holds});
    let block = |(line, own): &(usize, Checked)| {
        let outcomes: Vec<Value> = own.outcomes.iter().map(outcome).collect();
        json!({"title": own.title, "line": line, "holds": own.holds(), "expectations": outcomes})
    };
    let file = |own: &TestedFile| {
        let blocks: Vec<Value> = own.blocks.iter().map(block).collect();
        json!({"file": own.name, "holds": own.holds(), "blocks": blocks})
    };
    json!({
        "holds": files.iter().all(TestedFile::holds),
        "files": files.iter().map(file).collect::<Vec<_>>(),
        "files_without_expectations": without,
    })
}
