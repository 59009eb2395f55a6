//! `mupc drift`.

mod arguments;

pub use arguments::DriftArguments;

use super::failure::{Answer, Failure, Status};
use super::files::Spec;
use super::memory::{hold_networks, of_weights};
use super::output;
use super::progress::Meter;
use crate::check::setting::values;
use crate::drift::record::Record;
use crate::drift::request::Request;
use crate::drift::study::Study;
use crate::graph::Graph;
use crate::report::{drift_html, drift_text};
use crate::watch::Watch;

/// The largest networks with their start and their gradients, one in every thread, must fit into the machine.
fn hold(graph: &Graph, request: &Request) -> Result<(), Failure> {
    let widest = request.values.iter().max().copied().unwrap_or(1);
    let at_once = rayon::current_num_threads().min(request.seeds as usize) as f64;
    let values = values(graph, &[(request.symbol, widest)]);
    let bytes = of_weights(graph, &values, 24.0 * at_once);
    hold_networks(bytes, None, "choose smaller values with `--over`")
}

/// Measures what finite width does to a network; it holds if no prediction is refuted.
pub fn run(args: &DriftArguments) -> Result<Answer, Failure> {
    let names: Vec<&str> = args.parameterization.iter().map(String::as_str).collect();
    let spec = Spec::read(&args.spec, &names)?;
    let (network, source) = args.data.network(&spec)?;
    let request = args.request(&network.graph)?;
    output::threads(args.threads)?;
    hold(&network.graph, &request)?;
    let failed = |error: crate::drift::request::RequestError| Failure::new(error.to_string());
    let common = request.common(&network.graph, &source).map_err(failed)?;
    let data = common.data.clone();
    let questions = args.questions(&network.graph)?;
    let cases = questions
        .iter()
        .map(|(name, question)| request.case(&network, name, question, common.output))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let template = "{spinner} {wide_bar} {pos} of {len} runs {elapsed} of about {duration}";
    let progress = Meter::new(0, template, args.output.quiet).interruptible();
    let study = Study { graph: &network.graph, request: &request, common, watch: &progress };
    let sections = study.sections(&cases).map_err(failed)?;
    let record = Record {
        network: network.graph.name.clone(),
        command: output::command(),
        data,
        symbol: network.graph.scales[request.symbol].name.clone(),
        values: request.values.clone(),
        seeds: request.seeds as usize,
        steps: request.steps,
        batch: request.batch,
        probe: request.probe,
        sections,
        complete: !progress.stopped(),
        seconds: progress.end(),
    };
    let text = args.output.answer(
        &record,
        || drift_text::text(&record),
        || drift_html::html(&record),
        || drift_html::charts(&record),
    )?;
    let status = Status::unless_refuted(record.is_refuted(), record.complete);
    Ok(Answer { status, ..Answer::text(text) })
}
