//! `mupc fmt`.

use std::path::Path;

use super::args::FmtArguments;
use super::failure::{Answer, Failure, Status};
use super::files;
use crate::diagnostic::Diagnostics;
use crate::source::SourceMap;
use crate::syntax::format::format;
use crate::syntax::parser::parse;

/// Formats files. Nothing is written if one of them cannot be read.
pub fn run(args: &FmtArguments) -> Result<Answer, Failure> {
    let mut sources = SourceMap::default();
    let mut items = Vec::new();
    let mut formatted = Vec::new();
    for path in &args.files {
        let text = files::read_spec(path)?;
        let file = sources.add(files::name(path), text.clone());
        let (tree, errors) = parse(file, &text);
        formatted.push((path.as_path(), format(&tree, &text), text));
        items.extend(errors);
    }
    if !items.is_empty() {
        return Err(Diagnostics { sources, items }.into());
    }
    if args.check { Ok(check(&formatted)) } else { rewrite(&formatted) }
}

/// A path with its canonical form and its text as it is.
type Formatted<'a> = (&'a Path, String, String);

fn check(formatted: &[Formatted<'_>]) -> Answer {
    let differs = |(_, canonical, text): &&Formatted<'_>| canonical != text;
    let remark = |(path, canonical, text): &Formatted<'_>| {
        let line = canonical.lines().zip(text.lines()).take_while(|(a, b)| a == b).count() + 1;
        format!("{}:{line}: not in canonical form\n", files::name(path))
    };
    let remarks: String = formatted.iter().filter(differs).map(remark).collect();
    Answer { text: String::new(), status: Status::of(remarks.is_empty()), remarks }
}

fn rewrite(formatted: &[Formatted<'_>]) -> Result<Answer, Failure> {
    let mut out = String::new();
    for (path, canonical, text) in formatted {
        if files::is_standard_input(path) {
            out.push_str(canonical);
        } else if canonical != text {
            files::write(path, canonical)?;
        }
    }
    Ok(Answer::text(out))
}
