//! `mupc test`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::args::{ReportFormat, TestArguments};
use super::failure::{Answer, Failure, Status};
use super::files;
use crate::network::Network;
use crate::parameterization::expectation::Checked;
use crate::report::test_text::{TestedFile, json, text};
use crate::source::Span;

/// Folders are searched this deep.
const DEEPEST: usize = 16;

/// Holds the `expect` blocks of specs against what is derived.
pub fn run(args: &TestArguments) -> Result<Answer, Failure> {
    let mut tested = Vec::new();
    let mut without = 0;
    for path in specs(&args.paths)? {
        match test(&path)? {
            Some(file) => tested.push((path, file)),
            None => without += 1,
        }
    }
    if tested.is_empty() {
        let help = "write one: `expect mup with adam { verdict \"feature learning\" }`";
        return Err(Failure::Other("no `expect` block in these files".to_string(), Some(help.to_string())));
    }
    let mut remarks = String::new();
    if args.update {
        for (path, file) in tested.iter_mut().filter(|(_, file)| !file.holds()) {
            remarks.push_str(&update(path, file)?);
            *file = test(path)?.unwrap_or_else(|| file.clone());
        }
    }
    let files: Vec<TestedFile> = tested.into_iter().map(|(_, file)| file).collect();
    let out = match args.format {
        ReportFormat::Text => text(&files, without),
        ReportFormat::Json => format!("{:#}\n", json(&files, without)),
    };
    Ok(Answer { text: out, remarks, status: Status::of(files.iter().all(TestedFile::holds)) })
}

/// The files that are named, and the specs in the folders that are.
fn specs(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() { search(path, 0, &mut found)? } else { found.push(path.clone()) }
    }
    Ok(found)
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot read {}: {error}", folder.display()));
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).map_err(failed)?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && depth < DEEPEST {
            search(&path, depth + 1, found)?;
        } else if path.extension().is_some_and(|extension| extension == "mup") && has_blocks(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a file in a folder is meant to be tested: it may also be a file of definitions.
fn has_blocks(path: &Path) -> bool {
    let begins = |line: &str| line.trim_start().starts_with("expect ");
    fs::read_to_string(path).is_ok_and(|text| text.lines().any(begins))
}

fn test(path: &Path) -> Result<Option<TestedFile>, Failure> {
    let network = files::compile(path)?;
    let checked = network.expectations()?;
    let located = |block: Checked| (line(&network, block.braces), block);
    let blocks: Vec<_> = checked.into_iter().map(located).collect();
    Ok((!blocks.is_empty()).then(|| TestedFile { name: files::name(path), blocks }))
}

fn line(network: &Network, span: Span) -> usize {
    let text = network.sources.get(span.file).map_or("", |source| source.text.as_str());
    text.get(..span.start as usize).map_or(1, |before| before.matches('\n').count() + 1)
}

/// Writes what was found into the blocks; values behind one pattern that disagree are left alone and named.
fn update(path: &Path, file: &TestedFile) -> Result<String, Failure> {
    let mut rewrites = BTreeMap::<u32, (Span, Vec<&str>)>::new();
    for outcome in file.blocks.iter().flat_map(|(_, block)| &block.outcomes) {
        let known = rewrites.entry(outcome.span.start).or_insert((outcome.span, Vec::new()));
        known.1.push(&outcome.rewritten);
    }
    let mut text = files::read_spec(path)?;
    let mut remarks = String::new();
    for (span, values) in rewrites.into_values().rev() {
        let range = span.start as usize..span.end as usize;
        let same = values.iter().all(|value| *value == values[0]);
        let fits = text.get(range.clone()).is_some() && values[0] != "unbounded";
        match same && fits {
            true if text[range.clone()] == *values[0] => {}
            true => text.replace_range(range, values[0]),
            false => remarks.push_str(&format!(
                "{}: one pattern stands for values that differ ({}); left as it is\n",
                path.display(),
                values.join(", ")
            )),
        }
    }
    files::write(path, &text)?;
    Ok(remarks)
}
