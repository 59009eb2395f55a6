//! `mupc limit`, and what it shares with `mupc phase`.

mod arguments;

pub use arguments::{LimitArguments, span};

use std::path::PathBuf;
use std::time::Instant;

use arguments::{Common, EmbeddingArguments, Examples, LimitTask, LinearArguments, MeanFieldArguments};

use super::data::numbers;
use super::failure::{Answer, Failure, Status};
use super::files::Spec;
use super::memory::{hold_networks, of_weights};
use super::output::{command, threads};
use super::phase::shown_where;
use super::progress::Meter;
use crate::check::setting;
use crate::dim::{Dim, Symbol};
use crate::graph::{Func, Graph};
use crate::limit::embedding::{Roles, diverged, holds};
use crate::limit::finite::{self, NotRun};
use crate::limit::layers::{Biases, NotTwoLayers, TwoLayers, growing, recognise};
use crate::limit::problem::Problem;
use crate::limit::record::{Embedded, Followed, Side};
use crate::limit::words::Corpus;
use crate::limit::{linear, particles};
use crate::network::{Network, compile};
use crate::numeric::data::{Column, Source, Text, bind};
use crate::parameterization::Named;
use crate::rational::Rational;
use crate::report::{limit_html, limit_text};
use crate::watch::Watch;

/// The spec of Word2vec that is used where none is named.
const WORD2VEC: &str = include_str!("../../specs/word2vec.mup");

/// Follows a limit in which features are learned, and holds finite networks against it.
pub fn run(args: &LimitArguments) -> Result<Answer, Failure> {
    match &args.task {
        LimitTask::Linear(args) => run_linear(args),
        LimitTask::MeanField(args) => run_mean_field(args),
        LimitTask::Embeddings(args) => run_embeddings(args),
    }
}

/// The interrupt came before there was anything to report.
pub fn nothing_done(what: &str) -> Failure {
    Failure::new(format!("interrupted before {what}: there is nothing to report"))
}

fn not_run(error: &NotRun) -> Failure {
    Failure::new(format!("finite networks cannot be run: {error}"))
}

/// Writes what was asked for, and answers.
fn followed(common: &Common, record: &Followed) -> Result<Answer, Failure> {
    let text = common.output.answer(
        record,
        || limit_text::followed(record),
        || limit_html::followed(record),
        || limit_html::followed_charts(record),
    )?;
    let holds = record.resolved && record.finite.as_ref().is_none_or(|own| own.holds);
    Ok(Answer { status: Status::if_complete(record.complete, holds), ..Answer::text(text) })
}

/// The largest networks with their gradients, one in every thread, must fit into the machine.
fn hold(graph: &Graph, (symbol, widest, runs): (usize, i64, usize), each: f64) -> Result<(), Failure> {
    let at_once = rayon::current_num_threads().min(runs) as f64;
    let values = setting::values(graph, &[(symbol, widest)]);
    hold_networks(of_weights(graph, &values, each * at_once), None, "choose smaller `--widths`")
}

/// Finite networks beside a limit, and the record of both.
fn beside(
    common: &Common,
    examples: &Examples,
    problem: &Problem,
    (course, given): (&finite::Course, Option<&Given>),
    mut record: Followed,
) -> Result<Followed, Failure> {
    let diverged = record.outputs.iter().flatten().any(|own| !own.is_finite() || own.abs() > 1e6);
    if diverged {
        return Err(Failure::Other(
            format!("the limit diverges within {} steps at rate {}", course.steps, course.rate),
            Some(format!("lower it, as in `--rate {}`", course.rate / 4.0)),
        ));
    }
    record.losses = record.outputs.iter().map(|own| problem.loss(own)).collect();
    record.examples = problem.count();
    record.rate = course.rate;
    if !examples.alone {
        let bar =
            Meter::counting("networks", course.widths.len() * course.seeds as usize, common.output.quiet);
        let found = match given {
            Some(given) => course.compare_with(&given.network, problem, &record.outputs, &bar),
            None => course.compare(problem, &record.outputs, &bar),
        };
        record.finite = Some(found.map_err(|error| not_run(&error))?);
        bar.end();
        record.finite = record.finite.filter(|own| !own.points.is_empty());
        record.complete &= !bar.stopped();
        let sizes = record.finite.iter().flat_map(|own| &own.points).map(|own| own.size);
        record.resolved = 3.0 * record.error <= sizes.fold(f64::INFINITY, f64::min);
    }
    Ok(record)
}

fn record(
    limit: &str,
    (given, layers): (Option<&Given>, &str),
    method: String,
    outputs: Vec<Vec<f64>>,
) -> Followed {
    Followed {
        limit: limit.to_string(),
        command: command(),
        network: given.map_or_else(|| layers.to_string(), |own| own.formula(layers)),
        symbol: given.map_or("n", Given::symbol).to_string(),
        method,
        loss: "mean over examples of |f - y|^2 / 2".to_string(),
        rate: 0.0,
        examples: 0,
        outputs,
        losses: Vec::new(),
        error: 0.0,
        finite: None,
        resolved: true,
        complete: true,
        seconds: 0.0,
    }
}

/// A spec of two layers.
struct Given {
    network: Network,
    layers: TwoLayers,
    /// The scale symbols that do not grow here, with their numbers.
    fixed: Vec<(String, Rational)>,
}

impl Given {
    /// The scale symbol that grows.
    fn symbol(&self) -> &str {
        &self.network.graph.scales[0].name
    }

    /// The network as a formula, and what of it is not to be seen there.
    fn formula(&self, layers: &str) -> String {
        let mut text = format!("{}: {layers}", self.network.graph.name);
        if self.layers.neurons != Rational::ONE {
            text += &format!("; {} neurons", neurons(self.layers.neurons, self.symbol()));
        }
        self.fixed.iter().for_each(|(name, number)| text += &format!("; {name} = {number}"));
        text
    }
}

/// `2*n`, `n/2`
fn neurons(per_unit: Rational, symbol: &str) -> String {
    Dim { coefficient: per_unit, ..Dim::symbol(Symbol(0)) }.display(&[symbol.to_string()]).to_string()
}

/// The spec where one scale symbol grows, which neurons are counted by, and the others keep their numbers.
fn grown(spec: &Spec, set: &[(String, i64)]) -> Result<(Network, Vec<(String, Rational)>), Failure> {
    let whole = spec.compile(set)?;
    let scales = &whole.graph.scales;
    let places = growing(&whole.graph).map_err(|error| not_layers(&whole, &error))?;
    let is_set = |at: &&usize| set.iter().any(|(name, _)| *name == scales[**at].name);
    let Some(grows) = places.iter().find(|at| !is_set(at)).map(|at| &scales[*at].name) else {
        let name = &scales[places[0]].name;
        return Err(Failure::Other(
            format!("--set: `{name}` counts the neurons, which are to grow"),
            Some(format!("choose its values by `--widths`, without `--set {name}=...`")),
        ));
    };
    let others = scales.iter().filter(|scale| scale.name != *grows);
    let fixed: Vec<_> = others.map(|scale| (scale.name.clone(), scale.base)).collect();
    match fixed.is_empty() {
        true => Ok((whole, fixed)),
        false => Ok((spec.compile_growing(set, grows)?, fixed)),
    }
}

fn not_layers(network: &Network, error: &NotTwoLayers) -> Failure {
    shown_where(network, error.to_string(), error.help.clone(), &error.places)
}

/// Reads the spec that was named, whose hidden layer must be linear or not.
fn given(spec: Option<&PathBuf>, set: &[String], linear: bool) -> Result<Option<Given>, Failure> {
    let Some(path) = spec else { return Ok(None) };
    let (network, fixed) = grown(&Spec::read(path, &[])?, &numbers(set)?)?;
    let layers = recognise(&network.graph).map_err(|error| not_layers(&network, &error))?;
    match (layers.func, linear) {
        (Some(func), true) => Err(Failure::Other(
            format!(
                "the hidden layer of this spec applies {}: its limit is no recursion of moments",
                func.name()
            ),
            Some(format!("follow it by particles, as in `mupc limit mean-field {}`", path.display())),
        )),
        (None, false) => Err(Failure::Other(
            "the hidden layer of this spec is linear".to_string(),
            Some(format!("its limit is known exactly, as in `mupc limit linear {}`", path.display())),
        )),
        _ => Ok(Some(Given { network, layers, fixed })),
    }
}

/// The examples that were given, or for a spec eight of a random teacher, or the usual ones.
fn examples(examples: &Examples, given: Option<&Given>, usual: Problem) -> Result<Problem, Failure> {
    let Some(Given { network, layers, .. }) = given else { return examples.problem(|| Ok(usual.clone())) };
    let teacher = || {
        let graph = &network.graph;
        let values: Vec<_> = graph.scales.iter().map(|scale| scale.base).collect();
        let bound = bind(&Source::Synthetic { seed: 1 }, graph, &values);
        let columns = bound.map(|bound| bound.batch(&[0, 1, 2, 3, 4, 5, 6, 7])).unwrap_or_default();
        let numbers = |at: usize, length: usize| match columns.get(at) {
            Some(Column::Real(own)) => {
                own.chunks(length).map(|row| row.iter().map(|x| f64::from(*x)).collect()).collect()
            }
            _ => Vec::new(),
        };
        let (x, y) = (numbers(layers.data[0], layers.inputs), numbers(layers.data[1], layers.outputs));
        Problem::new(&x.into_iter().zip(y).collect::<Vec<_>>())
    };
    let problem = examples.problem(teacher)?;
    match (problem.inputs, problem.outputs) == (layers.inputs, layers.outputs) {
        true => Ok(problem),
        false => Err(Failure::new(format!(
            "the examples have {} inputs and {} targets, the spec {} and {}",
            problem.inputs, problem.outputs, layers.inputs, layers.outputs
        ))),
    }
}

fn run_linear(args: &LinearArguments) -> Result<Answer, Failure> {
    let started = Instant::now();
    let given = given(args.spec.as_ref(), &args.examples.set, true)?;
    let one = Problem::new(&[(vec![1.0], vec![1.0])]).unwrap_or_default();
    let problem = examples(&args.examples, given.as_ref(), one)?;
    let course = args.examples.course(None)?;
    threads(args.common.threads)?;
    let biases = given.as_ref().map_or(Biases::default(), |own| own.layers.biases);
    let outputs = linear::limit(&problem, biases, course.rate, course.steps);
    let size = problem.inputs + problem.outputs + usize::from(biases.hidden);
    let layers = match (biases.hidden, biases.output) {
        (false, false) => "f(x) = V' U x: one linear hidden layer",
        (true, false) => "f(x) = V' (U x + b): one linear hidden layer with biases",
        (false, true) => "f(x) = V' U x + c: one linear hidden layer and a bias of the output",
        (true, true) => "f(x) = V' (U x + b) + c: one linear hidden layer with biases, and one of the output",
    };
    let found = record(
        "linear",
        (given.as_ref(), layers),
        format!("exact recursion of {size} x {size} second moments of one neuron"),
        outputs,
    );
    let mut found = beside(&args.common, &args.examples, &problem, (&course, given.as_ref()), found)?;
    found.seconds = started.elapsed().as_secs_f64();
    followed(&args.common, &found)
}

fn run_mean_field(args: &MeanFieldArguments) -> Result<Answer, Failure> {
    let started = Instant::now();
    let given = given(args.spec.as_ref(), &args.examples.set, false)?;
    let problem = examples(&args.examples, given.as_ref(), Problem::circle(8))?;
    let own = given.as_ref().and_then(|own| own.layers.func);
    let func = own.or(args.activation).unwrap_or(Func::Tanh);
    let biases = given.as_ref().map_or(Biases { hidden: true, output: false }, |own| own.layers.biases);
    let course = args.examples.course(Some(func))?;
    threads(args.common.threads)?;
    let particles = particles::Course {
        func,
        biases,
        rate: course.rate,
        steps: course.steps,
        power: u32::from(args.particles),
        shifts: u64::from(args.shifts),
    };
    let bar = Meter::counting("lattices", usize::from(args.shifts), args.common.output.quiet);
    let limit = particles::limit(&problem, &particles, &bar);
    bar.end();
    let limit = limit.ok_or_else(|| nothing_done("two lattices were followed"))?;
    let error = finite::distance(&limit.errors, &vec![vec![0.0; problem.y().len()]; course.steps + 1]);
    let inner = if biases.hidden { "w x + b" } else { "w x" };
    let shift = if biases.output { " + c" } else { "" };
    let layers = format!("f(x) = (1/n) sum a {}({inner}){shift}: one hidden layer", func.name());
    let mut found = record(
        "mean-field",
        (given.as_ref(), &layers),
        format!(
            "quasi-Monte Carlo: {} shifts of a lattice of {} particles",
            limit.shifts,
            1_u64 << args.particles
        ),
        limit.outputs,
    );
    found.error = error;
    found.complete = !bar.stopped();
    let mut found = beside(&args.common, &args.examples, &problem, (&course, given.as_ref()), found)?;
    found.seconds = started.elapsed().as_secs_f64();
    followed(&args.common, &found)
}

/// The network of words: the one that is named or the built-in one, at the asked lengths.
fn words(args: &EmbeddingArguments) -> Result<(Network, Roles), Failure> {
    let lengths =
        [("vocab".to_string(), i64::from(args.vocabulary)), ("window".to_string(), i64::from(args.window))];
    let network = match &args.spec {
        Some(path) => Spec::read(path, &[])?.compile(&lengths)?,
        None => {
            let text = WORD2VEC
                .replace("vocab = 30000", &format!("vocab = {}", args.vocabulary))
                .replace("window = 10", &format!("window = {}", args.window));
            compile(&text)?
        }
    };
    let roles = Roles::of(&network.graph).map_err(|error| {
        Failure::Other(error.to_string(), Some("specs/word2vec.mup is such a spec".to_string()))
    })?;
    Ok((network, roles))
}

fn run_embeddings(args: &EmbeddingArguments) -> Result<Answer, Failure> {
    let started = Instant::now();
    let (network, roles) = words(args)?;
    let course = args.course()?;
    threads(args.common.threads)?;
    let widest = course.widths.last().copied().unwrap_or(1);
    hold(&network.graph, (course.symbol, widest, course.seeds as usize), 8.0)?;
    let corpus = Corpus::new(&Text::pentateuch(), roles.vocabulary);
    let pieces = 2 * course.seeds as usize * course.widths.iter().sum::<i64>() as usize;
    let bar = Meter::counting("channels", pieces, args.common.output.quiet);
    let side = |named: Named, expected: f64| {
        course.side(&network, (named, expected), &roles, &corpus, &bar).map_err(|error| not_run(&error))
    };
    let sides: Vec<Side> = [side(Named::Ntk, -0.5)?, side(Named::Mup, 0.0)?].into_iter().flatten().collect();
    bar.end();
    if sides.is_empty() {
        return Err(nothing_done("a network was trained"));
    }
    if diverged(&sides) {
        return Err(Failure::Other(
            format!("training diverges at rate {}", course.rate),
            Some(format!("lower it, as in `--rate {}`", course.rate / 4.0)),
        ));
    }
    let record = Embedded {
        limit: "embeddings".to_string(),
        command: command(),
        network: network.graph.name.clone(),
        data: format!(
            "Genesis to Deuteronomy, the {} most frequent words, {} neighbours; {} places",
            corpus.vocabulary.len(),
            roles.window,
            corpus.tokens.len()
        ),
        training: format!(
            "gradient descent, {} steps of {} examples, rate {}, {} seeds",
            course.steps, course.batch, course.rate, course.seeds
        ),
        holds: matches!(&sides[..], [kernel, features] if holds(kernel, features)),
        sides,
        complete: !bar.stopped(),
        seconds: started.elapsed().as_secs_f64(),
    };
    let text = args.common.output.answer(
        &record,
        || limit_text::embedded(&record),
        || limit_html::embedded(&record),
        || limit_html::embedded_charts(&record),
    )?;
    Ok(Answer { status: Status::if_complete(record.complete, record.holds), ..Answer::text(text) })
}
