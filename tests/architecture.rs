//! What the folders promise, kept by a test: which room may import which, where floats and IO may stand, how long things may be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each room may import. `lower` is the part of `graph` that knows the syntax; tests are free.
const ROOMS: [(&str, &[&str]); 27] = [
    ("source", &[]),
    ("watch", &[]),
    ("rational", &[]),
    ("diagnostic", &["source"]),
    ("dim", &["rational"]),
    ("syntax", &["diagnostic", "rational", "source"]),
    ("loader", &["diagnostic", "source", "syntax"]),
    ("prelude", &["source", "syntax"]),
    ("graph", &["dim", "rational", "source"]),
    ("graph/lower", &["diagnostic", "dim", "graph", "rational", "source", "syntax"]),
    ("shape", &["dim", "graph"]),
    ("optimizer", &["dim", "graph", "rational", "shape"]),
    ("abc", &["dim", "graph", "optimizer", "rational"]),
    ("size", &["abc", "dim", "graph", "optimizer", "rational", "shape"]),
    (
        "parameterization",
        &["abc", "diagnostic", "dim", "graph", "optimizer", "rational", "shape", "size", "source"],
    ),
    (
        "explain",
        &["abc", "diagnostic", "dim", "graph", "optimizer", "parameterization", "rational", "shape", "size"],
    ),
    ("concrete", &["dim", "graph", "rational"]),
    ("numeric", &["abc", "concrete", "dim", "graph", "optimizer", "rational", "shape"]),
    ("kernel", &["concrete", "dim", "graph", "numeric", "optimizer", "rational", "shape", "source", "watch"]),
    (
        "check",
        &[
            "abc",
            "concrete",
            "diagnostic",
            "dim",
            "explain",
            "graph",
            "network",
            "numeric",
            "optimizer",
            "parameterization",
            "rational",
            "shape",
            "size",
            "source",
            "watch",
        ],
    ),
    (
        "drift",
        &[
            "check",
            "concrete",
            "dim",
            "graph",
            "kernel",
            "network",
            "numeric",
            "parameterization",
            "rational",
            "shape",
            "watch",
        ],
    ),
    (
        "transfer",
        &[
            "check",
            "concrete",
            "dim",
            "graph",
            "network",
            "numeric",
            "parameterization",
            "rational",
            "size",
            "watch",
        ],
    ),
    (
        "limit",
        &[
            "check",
            "diagnostic",
            "dim",
            "graph",
            "kernel",
            "network",
            "numeric",
            "optimizer",
            "parameterization",
            "rational",
            "shape",
            "source",
            "watch",
        ],
    ),
    (
        "report",
        &[
            "abc",
            "check",
            "concrete",
            "dim",
            "drift",
            "graph",
            "kernel",
            "limit",
            "parameterization",
            "rational",
            "shape",
            "size",
            "source",
            "transfer",
        ],
    ),
    (
        "network",
        &[
            "diagnostic",
            "explain",
            "graph",
            "loader",
            "optimizer",
            "parameterization",
            "prelude",
            "size",
            "source",
            "syntax",
        ],
    ),
    (
        "cli",
        &[
            "check",
            "concrete",
            "diagnostic",
            "dim",
            "drift",
            "graph",
            "kernel",
            "limit",
            "loader",
            "network",
            "numeric",
            "optimizer",
            "parameterization",
            "rational",
            "report",
            "shape",
            "size",
            "source",
            "syntax",
            "transfer",
            "watch",
        ],
    ),
    ("main", &[]),
];

/// Rooms without floating point.
const EXACT: [&str; 12] = [
    "rational",
    "dim",
    "source",
    "diagnostic",
    "syntax",
    "graph",
    "shape",
    "abc",
    "optimizer",
    "size",
    "parameterization",
    "explain",
];

/// What only the command line may do.
const IO: [&str; 10] = [
    "std::fs",
    "std::env",
    "std::io",
    "std::process",
    "std::time",
    "std::net",
    "println!",
    "print!",
    "eprint!",
    "dbg!",
];

/// A function longer than this is two.
const LONGEST_FUNCTION: usize = 60;
/// A file longer than this is two.
const LONGEST_FILE: usize = 500;

struct File {
    path: PathBuf,
    text: String,
}

impl File {
    /// `graph/lower` for `src/graph/lower/emit.rs`, `graph` for the rest of that folder.
    fn room(&self) -> String {
        let path = self.path.with_extension("");
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        match &parts[1..] {
            [graph, lower, ..] if graph == "graph" && lower == "lower" => "graph/lower".to_string(),
            [room, ..] => room.to_string(),
            [] => String::new(),
        }
    }

    fn is_test(&self) -> bool {
        ["tests", "samples"].contains(&self.path.file_stem().unwrap().to_str().unwrap())
    }

    /// The lines of code with their numbers, without comments and without the tests at the end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        let code = lines.take_while(|(_, line)| !line.starts_with("mod tests {"));
        code.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn files(folders: &[&str]) -> Vec<File> {
    let mut open: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(File { text: std::fs::read_to_string(&path).unwrap(), path });
            }
        }
    }
    found
}

/// Complains about every line of `src` for which `wrong` has something to say.
fn expect(wrong: impl Fn(&File, &str) -> Option<String>) {
    let mut found = Vec::new();
    for file in files(&["src"]).iter().filter(|file| !file.is_test()) {
        let complain = |(at, line): (usize, &str)| {
            wrong(file, line).map(|what| format!("{}:{at}: {what}", file.path.display()))
        };
        found.extend(file.code().filter_map(complain));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Whether a word stands in a line by itself.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_part);
        let after = line[at + word.len()..].chars().next().is_some_and(is_part);
        !before && !after
    })
}

#[test]
fn rooms_import_what_they_may() {
    let allowed: BTreeMap<_, _> = ROOMS.into_iter().collect();
    expect(|file, line| {
        let room = file.room();
        if room == "lib" {
            return None;
        }
        let own = room.split('/').next().unwrap_or_default().to_string();
        let allowed = allowed.get(room.as_str());
        let imported = line.split("crate::").skip(1).map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_string()
        });
        let may =
            |other: &String| *other == own || allowed.is_some_and(|list| list.contains(&other.as_str()));
        let forbidden: Vec<_> = imported.filter(|other| !may(other)).collect();
        (!forbidden.is_empty()).then(|| format!("{room} may not import {}", forbidden.join(", ")))
    });
}

#[test]
fn the_syntax_is_known_to_the_lowering_only() {
    let later = ["size", "parameterization", "report", "cli", "explain", "shape", "abc"];
    let rooms: BTreeMap<_, _> = ROOMS.into_iter().collect();
    later
        .iter()
        .filter(|room| **room != "cli")
        .for_each(|room| assert!(!rooms[room].contains(&"syntax"), "{room}"));
}

#[test]
fn the_exact_half_has_no_floats() {
    expect(|file, line| {
        let exact = EXACT.contains(&file.room().split('/').next().unwrap());
        let float = ["f32", "f64"].into_iter().find(|float| has_word(line, float));
        float.filter(|_| exact).map(|float| format!("{float} in the exact half"))
    });
}

#[test]
fn only_the_command_line_does_io() {
    expect(|file, line| {
        let free = ["cli", "main"].contains(&file.room().as_str());
        // To read bytes that are in memory is no IO.
        let line = line.replace("std::io::read_to_string(", "");
        IO.into_iter()
            .find(|io| line.contains(io) && !free)
            .map(|io| format!("{io} outside the command line"))
    });
}

#[test]
fn every_file_says_what_it_is() {
    for file in files(
        &["src", "tests", "examples", "benches"]
            .into_iter()
            .filter(|folder| Path::new(folder).exists())
            .collect::<Vec<_>>(),
    ) {
        assert!(file.text.starts_with("//! "), "{} begins without `//!`", file.path.display());
    }
}

#[test]
fn no_file_is_too_long() {
    for file in files(&["src", "tests"]) {
        let lines = file.text.lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines", file.path.display());
    }
}

#[test]
fn no_function_is_too_long() {
    let mut found = Vec::new();
    for file in files(&["src"]) {
        for (name, line, length) in functions(&file.text) {
            if length > LONGEST_FUNCTION {
                found.push(format!("{}:{line}: {name} has {length} lines", file.path.display()));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Name, first line and length of every function: rustfmt closes it at the indentation at which it began.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let head = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(super) ");
        let Some(name) = head.trim_start_matches("const ").strip_prefix("fn ") else { continue };
        let closes =
            |line: &&str| line.len() > indent && line.starts_with(&format!("{}}}", " ".repeat(indent)));
        let single = line.ends_with(';') || line.ends_with('}');
        let length = if single { 0 } else { lines[at..].iter().position(closes).unwrap_or(0) };
        found.push((name.split(['(', '<']).next().unwrap_or_default().to_string(), at + 1, length + 1));
    }
    found
}

#[test]
fn modules_stand_beside_their_folders() {
    for file in files(&["src"]) {
        assert_ne!(file.path.file_name().unwrap(), "mod.rs", "{}", file.path.display());
    }
    assert!(std::fs::read_to_string("src/main.rs").unwrap().lines().count() < 30);
}
