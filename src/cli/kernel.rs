//! `mupc kernel`.

mod arguments;
mod progress;

pub use arguments::KernelArguments;

use std::path::Path;
use std::time::Instant;

use arguments::Which;
use progress::Progress;

use super::args::ReportFormat;
use super::failure::{Answer, Failure};
use super::files::{self, Spec};
use crate::diagnostic::{Diagnostic, Diagnostics, Stage};
use crate::kernel::dynamics::Loss;
use crate::kernel::record::{Record, Trained};
use crate::kernel::study::{Course, examples, study};
use crate::kernel::{Gram, Limit, NoLimit, trained};
use crate::network::Network;
use crate::numeric::data::{Bound, bind};
use crate::rational::Rational;
use crate::report::{kernel_html, kernel_text, npy};

/// Studies the infinite-width limit of a network on a data set.
pub fn run(args: &KernelArguments) -> Result<Answer, Failure> {
    let started = Instant::now();
    let spec = Spec::read(&args.spec, &[])?;
    let network = args.network(&spec)?;
    let graph = &network.graph;
    let values: Vec<Rational> = graph.scales.iter().map(|scale| scale.base).collect();
    let (prior, output) = (args.prior(graph)?, args.output_of(graph)?);
    let limit = Limit::new(graph, &values, &prior, output, args.kernel == Which::Both)
        .map_err(|error| failed(&network, &error))?;
    let data = bind(&args.source(graph), graph, &values).map_err(|error| Failure::new(error.to_string()))?;
    let (train, test) = chosen(args, &data)?;
    hold_memory(args, &limit, train.len() + test.len())?;
    let threads = args.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Failure::new(format!("cannot start threads: {error}")))?;
    let failed = |error: crate::kernel::study::NoStudy| Failure::new(error.to_string());
    let one = examples(graph, &data, &train, limit.positions()).map_err(failed)?;
    let two = examples(graph, &data, &test, limit.positions()).map_err(failed)?;
    let loss: Loss = args.loss.into();
    let course =
        Course { loss, ridge: args.ridge, times: (!args.times.is_empty()).then(|| args.times.clone()) };
    let points = one.points.followed_by(&two.points);
    let progress = Progress::start(points.count, args.quiet);
    let gram = pool.install(|| limit.gram(&points, &progress));
    let kernel_seconds = progress.end();
    let kernels = pool.install(|| study(&gram, &one, &two, &course)).map_err(failed)?;
    let labels = graph.labels();
    let mut record = Record {
        network: graph.name.clone(),
        output: labels[output.index()].clone(),
        command: args.command(),
        parameterization: format!("{:?}", args.parameterization).to_lowercase(),
        start: args.start(),
        data: data.describe(),
        train: train.len(),
        test: test.len(),
        outputs: one.targets.ncols(),
        loss: loss.formula().to_string(),
        kernels,
        trained: None,
        kernel_seconds,
        seconds: 0.0,
    };
    if args.trained {
        record.trained = finite(&network, &values, &prior, (&data, &train, &test))?;
    }
    record.seconds = started.elapsed().as_secs_f64();
    write(args, &record, &gram)?;
    let text = match args.format {
        ReportFormat::Text => kernel_text::text(&record),
        ReportFormat::Json => {
            let json = serde_json::to_value(&record).map_err(|error| Failure::new(error.to_string()))?;
            format!("{json:#}\n")
        }
    };
    Ok(Answer::text(text))
}

/// A network without a limit, with the place that has none.
fn failed(network: &Network, error: &NoLimit) -> Failure {
    let mut item = Diagnostic::new(Stage::Analysis, error.to_string());
    if let Some(span) = error.span {
        item = item.at(span, "here");
    }
    let item = item.help_if(error.help.clone());
    Failure::from(Diagnostics { sources: network.sources.clone(), items: vec![item] })
}

/// The examples: the first ones to train on, the next ones to predict.
fn chosen(args: &KernelArguments, data: &Bound) -> Result<(Vec<usize>, Vec<usize>), Failure> {
    let (train, test) = (args.train as usize, args.test as usize);
    if train + test > data.examples() {
        return Err(Failure::Other(
            format!("{train} + {test} examples were asked for, and there are {}", data.examples()),
            Some(format!("ask for fewer, as in `--train {0} --test {0}`", data.examples() / 2)),
        ));
    }
    Ok(((0..train).collect(), (train..train + test).collect()))
}

/// Kernels that do not fit are refused before any work.
fn hold_memory(args: &KernelArguments, limit: &Limit, points: usize) -> Result<(), Failure> {
    let rows = (points * limit.positions()) as f64;
    // Two kernels, their blocks and eigenvectors; and what tiles hold.
    let tiles = limit.numbers_per_pair() as f64 * rayon::current_num_threads() as f64;
    let bytes = 8.0 * (6.0 * rows * rows + 2.0 * tiles);
    if !args.quiet && bytes > 2.5e8 {
        eprintln!("kernels of {rows} rows: about {:.1} GB", bytes / 1e9);
    }
    if bytes > args.memory * 1e9 {
        return Err(Failure::Other(
            format!(
                "the kernels of {rows} rows need about {:.1} GB, more than {} GB",
                bytes / 1e9,
                args.memory
            ),
            Some(
                "ask for fewer examples with `--train` and `--test`, or allow more with `--memory`"
                    .to_string(),
            ),
        ));
    }
    Ok(())
}

/// The finite network, trained on the same examples.
fn finite(
    network: &Network,
    values: &[Rational],
    prior: &crate::kernel::Prior,
    (data, train, test): (&Bound, &[usize], &[usize]),
) -> Result<Option<Trained>, Failure> {
    let course = trained::Course::default();
    let found = trained::accuracy(&network.graph, values, prior, (data, train, test), course);
    let found = found.map_err(|error| Failure::new(error.to_string()))?;
    let names = network.graph.symbol_names();
    let size: Vec<String> =
        names.iter().zip(values).map(|(name, value)| format!("{name} = {value}")).collect();
    Ok(found.map(|accuracy| Trained {
        how: format!(
            "Adam, {} epochs, batch {}, rate {}, the spec's loss",
            course.epochs, course.batch, course.rate
        ),
        size: size.join(", "),
        accuracy,
    }))
}

fn folder(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", path.display())))
}

/// Writes what was asked for beside the answer.
fn write(args: &KernelArguments, record: &Record, gram: &Gram) -> Result<(), Failure> {
    if let Some(path) = &args.html {
        files::write(path, &kernel_html::html(record))?;
    }
    if let Some(path) = &args.svg {
        folder(path)?;
        for (name, svg) in kernel_html::charts(record) {
            files::write(&path.join(name), &svg)?;
        }
    }
    if let Some(path) = &args.npy {
        folder(path)?;
        for (name, numbers) in [("nngp.npy", &gram.nngp), ("ntk.npy", &gram.ntk)] {
            if numbers.is_empty() {
                continue;
            }
            let path = path.join(name);
            let bytes = npy::encoded(&[gram.rows, gram.columns], numbers);
            std::fs::write(&path, bytes)
                .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
        }
    }
    Ok(())
}
