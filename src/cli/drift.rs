//! `mupc drift`.

mod arguments;
mod progress;

pub use arguments::DriftArguments;

use super::args::ReportFormat;
use super::failure::{Answer, Failure, Status};
use super::files::{self, Spec};
use crate::drift::record::Record;
use crate::drift::study::{Study, Watch};
use crate::report::{drift_html, drift_text};
use progress::Progress;

/// Measures what finite width does to a network; it holds if no prediction is refuted.
pub fn run(args: &DriftArguments) -> Result<Answer, Failure> {
    let names: Vec<&str> = args.parameterization.iter().map(String::as_str).collect();
    let spec = Spec::read(&args.spec, &names)?;
    let (network, source) = args.data.network(&spec)?;
    let request = args.request(&network.graph)?;
    let threads = args.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|error| Failure::new(format!("cannot start threads: {error}")))?;
    let failed = |error: crate::drift::request::RequestError| Failure::new(error.to_string());
    let common = request.common(&network.graph, &source).map_err(failed)?;
    let data = common.data.clone();
    let questions = args.questions(&network.graph)?;
    let cases = questions
        .iter()
        .map(|(name, question)| request.case(&network, name, question, common.output))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let progress = Progress::new(args.quiet);
    let study = Study { graph: &network.graph, request: &request, common, watch: &progress };
    let sections = study.sections(&cases).map_err(failed)?;
    let record = Record {
        network: network.graph.name.clone(),
        command: args.command(),
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
    write(args, &record)?;
    let text = match args.format {
        ReportFormat::Text => drift_text::text(&record),
        ReportFormat::Json => {
            let json = serde_json::to_value(&record).map_err(|error| Failure::new(error.to_string()))?;
            format!("{json:#}\n")
        }
    };
    let status = match (record.is_refuted(), record.complete) {
        (true, _) => Status::DoesNotHold,
        (false, true) => Status::Holds,
        (false, false) => Status::CouldNotRun,
    };
    Ok(Answer { status, ..Answer::text(text) })
}

/// Writes what was asked for beside the answer.
fn write(args: &DriftArguments, record: &Record) -> Result<(), Failure> {
    if let Some(path) = &args.html {
        files::write(path, &drift_html::html(record))?;
    }
    let Some(folder) = &args.svg else { return Ok(()) };
    let failed = |error| Failure::new(format!("cannot make {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    for (name, svg) in drift_html::charts(record) {
        files::write(&folder.join(name), &svg)?;
    }
    Ok(())
}
