//! How long each stage of a compilation takes: `cargo bench --bench compile`.

#[path = "networks/families.rs"]
mod families;
#[path = "networks/stages.rs"]
mod stages;

use std::hint::black_box;
use std::rc::Rc;

use criterion::{Criterion, criterion_group, criterion_main};
use families::FAMILIES;
use mupc::optimizer::Optimizer;
use mupc::parameterization::verdict::classify;
use mupc::parameterization::{Named, ScalingTable, parameterize};
use mupc::size::analysis::{Calculus, analyze};
use mupc::source::FileId;
use mupc::syntax::parser::parse;
use mupc::{compile, prelude};

/// Every stage on one text.
fn stages(criterion: &mut Criterion, name: &str, text: &str) {
    let (optimizer, mup) = (Optimizer::Adam, Named::Mup);
    let tree = stages::parse(text);
    let graph = stages::graph(&tree, text.len());
    let calculus = Calculus::new(&graph);
    let found = parameterize(&calculus, mup, optimizer).expect("it has a maximal-update parameterization");
    let sizes = analyze(&calculus, Rc::clone(&found.abc), optimizer);
    let mut group = criterion.benchmark_group(format!("{name}, {} operations", graph.len()));
    group.bench_function("parse", |b| b.iter(|| stages::parse(black_box(text))));
    group.bench_function("lower", |b| b.iter(|| stages::graph(black_box(&tree), text.len())));
    group.bench_function("shapes and sums", |b| b.iter(|| Calculus::new(black_box(&graph))));
    group.bench_function("derive", |b| b.iter(|| parameterize(black_box(&calculus), mup, optimizer)));
    group.bench_function("analyze", |b| {
        b.iter(|| analyze(black_box(&calculus), found.abc.clone(), optimizer))
    });
    group.bench_function("classify", |b| b.iter(|| classify(black_box(&calculus), &sizes)));
    group.bench_function("table", |b| b.iter(|| ScalingTable::new(black_box(&calculus), &found)));
    group.bench_function("everything", |b| b.iter(|| everything(black_box(text))));
    group.finish();
}

/// From a text to its table.
fn everything(text: &str) -> usize {
    let network = compile(text).expect("it compiles");
    let calculus = Calculus::new(&network.graph);
    let found = parameterize(&calculus, Named::Mup, Optimizer::Adam).expect("it can be derived");
    ScalingTable::new(&calculus, &found).parameters.len()
}

fn gpt2(criterion: &mut Criterion) {
    stages(criterion, "gpt2", include_str!("../specs/gpt2.mup"));
}

fn transformer(criterion: &mut Criterion) {
    stages(criterion, FAMILIES[0].name, &FAMILIES[0].text(10_000));
}

/// What every process does once.
fn the_prelude(criterion: &mut Criterion) {
    let all = || (0..).map(FileId).zip(prelude::TEXTS).map(|(file, (_, text))| parse(file, text).0);
    criterion.bench_function("parse the prelude", |b| b.iter(|| all().count()));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).without_plots();
    targets = the_prelude, gpt2, transformer
}
criterion_main!(benches);
