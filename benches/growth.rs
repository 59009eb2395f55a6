//! Whether time grows in proportion to the network: microseconds per operation of every stage, at three sizes.
//!
//! `cargo bench --bench growth [-- FAMILY]`; the last column is what an operation costs in the largest network over what it costs in
//! the middle one. Linear stages keep it near 1.

#[path = "networks/families.rs"]
mod families;
#[path = "networks/stages.rs"]
mod stages;

use std::time::{Duration, Instant};

use families::FAMILIES;
use mupc::optimizer::Optimizer;
use mupc::parameterization::{Named, ScalingTable, parameterize};
use mupc::prelude;
use mupc::size::analysis::Calculus;

const RUNS: usize = 5;
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// The stages, in order.
const NAMES: [&str; 5] = ["parse", "lower", "sums", "derive", "table"];

/// How long each stage took.
struct Stages {
    /// Operations in the graph.
    operations: usize,
    times: [Duration; NAMES.len()],
}

impl Stages {
    /// All of them together.
    fn total(&self) -> Duration {
        self.times.iter().sum()
    }

    /// Microseconds per operation.
    fn per_operation(&self) -> [f64; NAMES.len()] {
        self.times.map(|time| time.as_secs_f64() * 1e6 / self.operations as f64)
    }
}

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!("{:<30}{:>9}{:>9}  us per operation:", "", "", "");
    print!("{:<30}{:>9}{:>9}", "network", "ops", "total ms");
    println!("{}", NAMES.map(|name| format!("{name:>10}")).concat());
    for family in FAMILIES {
        if only.as_ref().is_none_or(|only| family.name.contains(only.as_str())) {
            let found = SIZES.map(|size| shortest(&family.text(size)));
            found.iter().for_each(|stages| println!("{:<30}{}", family.name, row(stages)));
            println!("{:<30}{}", "  growth from 10 k to 100 k", ratios(&found[1], &found[2]));
        }
    }
}

fn row(stages: &Stages) -> String {
    let each = stages.per_operation().map(|micros| format!("{micros:>10.3}"));
    format!("{:>9}{:>9.1}{}", stages.operations, stages.total().as_secs_f64() * 1e3, each.concat())
}

fn ratios(middle: &Stages, large: &Stages) -> String {
    let ratio = |stages: &Stages| stages.total().as_secs_f64() / stages.operations as f64;
    let each = middle.per_operation().into_iter().zip(large.per_operation());
    let each: String = each.map(|(middle, large)| format!("{:>10.2}", large / middle)).collect();
    format!("{:>9}{:>9.2}{each}", "", ratio(large) / ratio(middle))
}

/// Runs `f` and notes its time.
fn timed<T>(time: &mut Duration, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = f();
    *time = start.elapsed();
    result
}

/// The shortest time of every stage in several runs: other programs can only add to it.
fn shortest(text: &str) -> Stages {
    let mut best = measure(text);
    for _ in 1..RUNS {
        let next = measure(text);
        best.times = std::array::from_fn(|at| best.times[at].min(next.times[at]));
    }
    best
}

/// Compiles a text, derives muP for Adam, checks it and names everything.
fn measure(text: &str) -> Stages {
    prelude::files();
    let mut times = [Duration::ZERO; NAMES.len()];
    let [parsing, lowering, sums, deriving, table] = &mut times;
    let tree = timed(parsing, || stages::parse(text));
    let graph = timed(lowering, || stages::graph(&tree, text.len()));
    let calculus = timed(sums, || Calculus::new(&graph));
    let found = timed(deriving, || parameterize(&calculus, Named::Mup, Optimizer::Adam));
    let found = found.unwrap_or_else(|failure| panic!("{failure:?}"));
    timed(table, || ScalingTable::new(&calculus, &found));
    Stages { operations: graph.len(), times }
}
