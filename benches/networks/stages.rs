//! The stages of a compilation, one by one.

use mupc::graph::Graph;
use mupc::graph::lower::{Program, Unit, lower};
use mupc::prelude;
use mupc::source::FileId;
use mupc::syntax::ast::File;
use mupc::syntax::parser::parse as parse_file;

/// Where the prelude ends, the spec begins.
fn spec_id() -> FileId {
    FileId(prelude::TEXTS.len() as u16)
}

/// The syntax tree of a text without errors.
pub fn parse(text: &str) -> File {
    let (tree, errors) = parse_file(spec_id(), text);
    assert!(errors.is_empty(), "{errors:?}");
    tree
}

/// The graph of a syntax tree without errors.
pub fn graph(tree: &File, bytes: usize) -> Graph {
    let unit = |(file, ast): &'static (FileId, File)| Unit { file: *file, ast };
    let main = Unit { file: spec_id(), ast: tree };
    let prelude = prelude::files().iter().map(unit).collect();
    let program = Program { prelude, used: Vec::new(), main, name: "bench".into(), bytes };
    lower(&program).unwrap_or_else(|errors| panic!("{:?}", &errors[..1]))
}
