//! `mupc kernel`.

mod arguments;

pub use arguments::KernelArguments;

use std::path::Path;
use std::time::Instant;

use arguments::Which;

use super::failure::{Answer, Failure, Status};
use super::files::Spec;
use super::memory::{hold_networks, of_weights};
use super::output;
use super::phase::with_places;
use super::progress::Meter;
use crate::diagnostic::{Diagnostic, Diagnostics, Stage};
use crate::graph::{Graph, NodeId, Norm, Op};
use crate::kernel::dynamics::Loss;
use crate::kernel::empirical::{self, Sampled};
use crate::kernel::record::{Record, Trained};
use crate::kernel::study::{Course, Examples, examples, study};
use crate::kernel::{Gram, Limit, NoLimit, Prior, trained};
use crate::network::Network;
use crate::numeric::data::{Bound, Source, bind};
use crate::rational::Rational;
use crate::report::{kernel_html, kernel_text, npy};
use crate::watch::Watch;

/// What is asked: the network, how it starts, and which examples it learns.
struct Asked<'a> {
    args: &'a KernelArguments,
    network: &'a Network,
    values: Vec<Rational>,
    prior: Prior,
    output: NodeId,
    data: Bound,
    train: Vec<usize>,
    test: Vec<usize>,
}

/// Studies the infinite-width limit of a network on a data set.
pub fn run(args: &KernelArguments) -> Result<Answer, Failure> {
    let started = Instant::now();
    let spec = Spec::read(&args.spec, &[])?;
    let (network, source) = args.data.network(&spec)?;
    let asked = Asked::new(args, &network, &source)?;
    output::threads(args.threads)?;
    let (mut record, gram) = asked.record()?;
    if args.trained && record.complete {
        record.trained =
            finite(&network, &asked.values, &asked.prior, (&asked.data, &asked.train, &asked.test))?;
    }
    record.seconds = started.elapsed().as_secs_f64();
    write_arrays(args.npy.as_deref(), &gram)?;
    let text = args.result.answer(
        &record,
        || kernel_text::text(&record),
        || kernel_html::html(&record),
        || kernel_html::charts(&record),
    )?;
    let status = Status::if_complete(record.complete, true);
    Ok(Answer { status, ..Answer::text(text) })
}

impl<'a> Asked<'a> {
    fn new(args: &'a KernelArguments, network: &'a Network, source: &Source) -> Result<Asked<'a>, Failure> {
        let graph = &network.graph;
        let values: Vec<Rational> = graph.scales.iter().map(|scale| scale.base).collect();
        let (prior, output) = (args.prior(graph)?, args.output_of(graph)?);
        let data = bind(source, graph, &values).map_err(|error| Failure::new(error.to_string()))?;
        let (train, test) = chosen(args, &data)?;
        Ok(Asked { args, network, values, prior, output, data, train, test })
    }

    /// The kernels, and what follows from them.
    fn record(&self) -> Result<(Record, Gram), Failure> {
        let graph = &self.network.graph;
        let tangent = self.args.kernel == Which::Both;
        let limit = match self.args.sample {
            None => {
                let limit = Limit::new(graph, &self.values, &self.prior, self.output, tangent);
                let mut limit = limit.map_err(|error| failed(self.network, &error))?;
                limit.draws.power = u32::from(self.args.lattice);
                Some(limit)
            }
            Some(_) => None,
        };
        let positions =
            limit.as_ref().map_or_else(|| positions(graph, self.output, &self.values), Limit::positions);
        let count = self.train.len() + self.test.len();
        hold_memory(self.args, limit.as_ref(), count * positions)?;
        self.hold_networks()?;
        let failed = |error: crate::kernel::study::NoStudy| Failure::new(error.to_string());
        let train = examples(graph, &self.data, &self.train, positions).map_err(failed)?;
        let test = examples(graph, &self.data, &self.test, positions).map_err(failed)?;
        let whole = train.points.followed_by(&test.points);
        let rounds = limit.as_ref().map_or(1, Limit::rounds);
        let pairs = rounds * count * (count + 1) / 2;
        let progress = Meter::counting("pairs", pairs, self.args.result.quiet);
        let (gram, method) = match &limit {
            Some(limit) => {
                let gram = limit.gram(&whole, &progress);
                let method = drawn(graph, limit, &gram);
                (gram, method)
            }
            None => self.sample(tangent, &progress)?,
        };
        let kernel_seconds = progress.end();
        let (train, test) = self.done(gram.rows / positions.max(1), positions)?.unwrap_or((train, test));
        let loss: Loss = self.args.loss.into();
        let times = (!self.args.times.is_empty()).then(|| self.args.times.clone());
        let course = Course { loss, ridge: self.args.ridge, times, rate: self.args.rate };
        let kernels = study(&gram, &train, &test, &course).map_err(failed)?;
        let record = Record {
            network: graph.name.clone(),
            output: graph.labels()[self.output.index()].clone(),
            command: output::command(),
            parameterization: format!("{:?}", self.args.parameterization).to_lowercase(),
            start: self.args.start(),
            data: self.data.describe(),
            train: train.points.count,
            test: test.points.count,
            outputs: train.targets.ncols(),
            loss: loss.formula().to_string(),
            rate: self.args.rate,
            method,
            kernels,
            trained: None,
            complete: !progress.stopped(),
            kernel_seconds,
            seconds: 0.0,
        };
        Ok((record, gram))
    }

    /// Finite networks that do not fit are refused as well: drawn ones have a gradient, one network in every thread; the trained one has two moments more.
    fn hold_networks(&self) -> Result<(), Failure> {
        let weights = |each: f64| of_weights(&self.network.graph, &self.values, each);
        let drawn = self.args.sample.map_or(0.0, |count| 16.0 * f64::from(count.min(current_threads())));
        let trained = if self.args.trained { 16.0 } else { 0.0 };
        let help = "choose a smaller network with `--set`, or allow more with `--memory`";
        hold_networks(weights(drawn.max(trained)), Some(self.args.memory * 1e9), help)
    }

    /// After an interrupt: the first examples, of which so many have kernels, in the proportion that was asked for. None if all have.
    fn done(&self, count: usize, positions: usize) -> Result<Option<(Examples, Examples)>, Failure> {
        let all: Vec<usize> = self.train.iter().chain(&self.test).copied().collect();
        if count == all.len() {
            return Ok(None);
        }
        if count < 2 {
            return Err(Failure::new(
                "interrupted before two examples had kernels: there is nothing to report",
            ));
        }
        let train = (count * self.train.len() / all.len()).clamp(1, count - 1);
        let part = |own: &[usize]| {
            let found = examples(&self.network.graph, &self.data, own, positions);
            found.map_err(|error| Failure::new(error.to_string()))
        };
        Ok(Some((part(&all[..train])?, part(&all[train..count])?)))
    }

    /// Means over finite networks.
    fn sample(&self, tangent: bool, progress: &Meter) -> Result<(Gram, String), Failure> {
        let graph = &self.network.graph;
        let draws = empirical::Draws {
            graph,
            values: &self.values,
            prior: &self.prior,
            output: self.output,
            count: self.args.sample.map_or(0, |count| count as usize),
            tangent,
        };
        hold_examples_apart(self.network)?;
        if tangent && positions(graph, self.output, &self.values) > 1 {
            return Err(Failure::Other(
                "the output has positions, and the NTK of drawn networks is that of one output".to_string(),
                Some("ask for the NNGP alone, `--kernel nngp`, or name a tensor without positions with `--output`".to_string()),
            ));
        }
        let all: Vec<usize> = self.train.iter().chain(&self.test).copied().collect();
        let found = draws.sample(&self.data, &all, progress);
        let found = found.map_err(|error| Failure::new(error.to_string()))?;
        if found.draws < 2 {
            return Err(Failure::new(
                "interrupted before two networks were drawn: there is nothing to report",
            ));
        }
        let method = sampled(graph, &self.values, &found);
        Ok((found.mean, method))
    }
}

/// A network without a limit, with the place that has none.
fn failed(network: &Network, error: &NoLimit) -> Failure {
    let item = Diagnostic::new(Stage::Analysis, error.to_string());
    let item = with_places(item, &error.places).help_if(error.help.clone());
    let item = match hold_examples_apart(network) {
        Ok(()) => item.note("`--sample 50` estimates the kernels of finite networks in its place"),
        Err(_) => item,
    };
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

fn current_threads() -> u32 {
    rayon::current_num_threads() as u32
}

/// Kernels that do not fit are refused before any work.
fn hold_memory(args: &KernelArguments, limit: Option<&Limit>, rows: usize) -> Result<(), Failure> {
    let rows = rows as f64;
    // Two kernels, their blocks and eigenvectors; and what tiles hold.
    let tiles =
        limit.map_or(0.0, |limit| limit.numbers_per_pair() as f64) * rayon::current_num_threads() as f64;
    let bytes = 8.0 * (6.0 * rows * rows + 2.0 * tiles);
    if !args.result.quiet && bytes > 2.5e8 {
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

/// The positions of a finite network's output: all its axes but the last.
fn positions(graph: &Graph, output: NodeId, values: &[Rational]) -> usize {
    let shape = &graph.node(output).shape;
    let own = &shape[..shape.len().saturating_sub(1)];
    own.iter().filter_map(|dim| dim.at(values)?.to_integer()).map(|length| length.max(1) as usize).product()
}

/// Batch statistics make examples depend on each other: no kernel compares two of them then.
fn hold_examples_apart(network: &Network) -> Result<(), Failure> {
    let graph = &network.graph;
    let batched = |id: &NodeId| matches!(graph.node(*id).op, Op::Normalize { norm: Norm::Batch, .. });
    let Some(id) = graph.ids().find(batched) else { return Ok(()) };
    let reason = format!(
        "`{}` has no kernel: batch normalization makes examples depend on each other",
        graph.labels()[id.index()]
    );
    let item = with_places(Diagnostic::new(Stage::Analysis, reason), &graph.places(id))
        .help("`layer_norm` or `rms_norm` normalize one example at a time");
    Err(Failure::from(Diagnostics { sources: network.sources.clone(), items: vec![item] }))
}

/// How a limit was found, in words.
fn drawn(graph: &Graph, limit: &Limit, gram: &Gram) -> String {
    let labels = graph.labels();
    let names: Vec<String> =
        limit.sampled().into_iter().map(|id| format!("`{}`", labels[id.index()])).collect();
    if names.is_empty() {
        return "infinite width".to_string();
    }
    let (first, rest) =
        (names.iter().take(4).cloned().collect::<Vec<_>>().join(", "), names.len().saturating_sub(4));
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    let tangent =
        if limit.tangent { format!(", of the NTK {:.3} %", 100.0 * gram.errors[1]) } else { String::new() };
    let cut = match gram.cut.iter().copied().fold(0.0, f64::max) {
        0.0 => String::new(),
        cut => format!("; negative eigenvalues, down to {cut:.1e} of the largest, set to zero"),
    };
    format!(
        "infinite width; Monte Carlo where no closed form is known ({first}{rest}): {} shifts of a lattice of {} points\n\
         relative standard error of the NNGP {:.3} %{tangent}{cut}",
        limit.draws.shifts,
        1_u64 << limit.draws.power,
        100.0 * gram.errors[0]
    )
}

/// What finite networks were drawn, in words.
fn sampled(graph: &Graph, values: &[Rational], found: &Sampled) -> String {
    let names = graph.symbol_names();
    let size: Vec<String> =
        names.iter().zip(values).map(|(name, value)| format!("{name} = {value}")).collect();
    let tangent = match found.ntk_error {
        error if error > 0.0 => format!(", of the NTK {:.1} %", 100.0 * error),
        _ => String::new(),
    };
    format!(
        "Monte Carlo: means over {} networks with {}; relative standard error of the NNGP {:.1} %{tangent}",
        found.draws,
        size.join(", "),
        100.0 * found.nngp_error
    )
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

/// Writes the kernels as arrays, if that was asked for.
fn write_arrays(folder: Option<&Path>, gram: &Gram) -> Result<(), Failure> {
    let Some(folder) = folder else { return Ok(()) };
    output::folder(folder)?;
    for (name, numbers) in [("nngp.npy", &gram.nngp), ("ntk.npy", &gram.ntk)] {
        if numbers.is_empty() {
            continue;
        }
        let path = folder.join(name);
        let bytes = npy::encoded(&[gram.rows, gram.columns], numbers);
        std::fs::write(&path, bytes)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
    }
    Ok(())
}
