//! The stages of a compilation, timed one by one.

use std::rc::Rc;
use std::time::{Duration, Instant};

use mupc::graph::Graph;
use mupc::graph::lower::{Program, Unit, lower};
use mupc::optimizer::Optimizer;
use mupc::parameterization::verdict::classify;
use mupc::parameterization::{Named, ScalingTable, parameterize};
use mupc::prelude;
use mupc::size::analysis::{Calculus, analyze};
use mupc::source::FileId;
use mupc::syntax::ast::File;
use mupc::syntax::parser::parse as parse_file;

/// The stages, in order.
pub const NAMES: [&str; 7] = ["parse", "lower", "sums", "derive", "analyze", "classify", "table"];

/// How long each stage took.
pub struct Stages {
    /// Operations in the graph.
    pub operations: usize,
    times: [Duration; NAMES.len()],
}

impl Stages {
    /// All of them together.
    pub fn total(&self) -> Duration {
        self.times.iter().sum()
    }

    /// Microseconds per operation.
    pub fn per_operation(&self) -> [f64; NAMES.len()] {
        self.times.map(|time| time.as_secs_f64() * 1e6 / self.operations as f64)
    }
}

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

/// Runs `f` and notes its time.
fn timed<T>(time: &mut Duration, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = f();
    *time = start.elapsed();
    result
}

/// Compiles a text, derives muP for Adam, and classifies it.
pub fn measure(text: &str) -> Stages {
    prelude::files();
    let mut times = [Duration::ZERO; NAMES.len()];
    let [parsing, lowering, sums, deriving, analyzing, classifying, table] = &mut times;
    let tree = timed(parsing, || parse(text));
    let graph = timed(lowering, || graph(&tree, text.len()));
    let calculus = timed(sums, || Calculus::new(&graph));
    let found = timed(deriving, || parameterize(&calculus, Named::Mup, Optimizer::Adam));
    let found = found.unwrap_or_else(|failure| panic!("{failure:?}"));
    let sizes = timed(analyzing, || analyze(&calculus, Rc::clone(&found.abc), Optimizer::Adam));
    timed(classifying, || classify(&calculus, &sizes));
    timed(table, || ScalingTable::new(&calculus, &found));
    Stages { operations: graph.len(), times }
}
