//! `mupc transfer`.

mod arguments;
mod progress;
mod store;

pub use arguments::TransferArguments;

use arguments::{Action, OutputArguments, TransferFormat};
use progress::Progress;

use super::failure::{Answer, Failure, Status};
use super::files::{self, Spec};
use super::output;
use crate::network::Network;
use crate::report::{transfer_csv, transfer_html, transfer_text};
use crate::transfer::plan::plan;
use crate::transfer::prepare::Prepare;
use crate::transfer::record::{Record, Verdict};
use crate::transfer::request::Request;
use crate::transfer::study::study;
use crate::transfer::sweep::{Ending, Swept, sweep};

/// Sweeps a hyperparameter at several sizes; it holds if no parameterization is shown not to transfer.
pub fn run(args: &TransferArguments) -> Result<Answer, Failure> {
    if let Some(Action::Merge { into, from }) = &args.action {
        return store::run_merge(into, from);
    }
    let path = args.spec.as_ref().ok_or_else(|| Failure::new("a spec is missing"))?;
    let names: Vec<&str> = args.parameterization.iter().map(String::as_str).collect();
    let spec = Spec::read(path, &names)?;
    let (network, source) = args.data.network(&spec)?;
    let request = args.request(&network, source)?;
    let found = request.arms.iter().map(|arm| network.parameterize(arm.question.clone()));
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let prepare = Prepare::new(&request, &network, found).map_err(|error| Failure::new(error.to_string()))?;
    let header = store::header(&network, &request, &prepare, args.course.schedule.name());
    if args.plan {
        let peek = |path| store::peek(path, &header);
        let (contents, remarks) = args.store.as_deref().map(peek).transpose()?.unwrap_or_default();
        let watch = Progress::start(true, None);
        let plan = plan(&request, &prepare, &contents.runs, args.shard, &watch);
        let plan = plan.map_err(|error| Failure::new(error.to_string()))?;
        let text = transfer_text::plan(&plan, request.symbol_name(&network.graph), request.threads);
        return Ok(Answer { remarks, ..Answer::text(text) });
    }
    let (contents, remarks, writer) = match &args.store {
        Some(path) => {
            let mut claimed = store::Claimed::new(path)?;
            let (contents, remarks) = claimed.known(&header, args.resume)?;
            let writer = claimed.writer(&header, &contents)?;
            (contents, remarks, Some(writer))
        }
        None => Default::default(),
    };
    let progress = Progress::start(args.output.quiet, writer);
    let swept = sweep(&request, &prepare, &contents.runs, args.shard, &progress);
    let (seconds, failure) = progress.end();
    if let Some(failure) = failure {
        return Err(Failure::new(failure));
    }
    let swept = swept.map_err(|error| Failure::new(error.to_string()))?;
    let record = record(args, &network, &request, &prepare, swept, seconds);
    answer(args, &record, remarks)
}

fn record(
    args: &TransferArguments,
    network: &Network,
    request: &Request,
    prepare: &Prepare,
    swept: Swept,
    seconds: f64,
) -> Record {
    let graph = &network.graph;
    let Swept { runs, fresh, ending } = swept;
    let of = |at: usize| study(request, at, &prepare.arms[at], &runs, args.limits());
    let studies = (0..request.arms.len()).map(of).collect();
    let others = graph.scales.iter().zip(&request.base).enumerate();
    let others = others.filter(|(at, _)| *at != request.symbol);
    let lengths = others.map(|(_, (scale, value))| (scale.name.clone(), value.to_integer().unwrap_or(0)));
    Record {
        network: graph.name.clone(),
        data: prepare.data.clone(),
        command: output::command(),
        symbol: request.symbol_name(graph).to_string(),
        values: request.values.clone(),
        lengths: lengths.collect(),
        seeds: request.seeds.clone(),
        steps: request.course.steps,
        schedule: args.course.schedule.name().to_string(),
        margin: args.margin,
        tolerance: args.tolerance,
        threads: request.threads,
        seconds,
        fresh,
        complete: ending == Ending::Complete,
        interrupted: ending == Ending::Interrupted,
        studies,
        runs,
    }
}

fn answer(args: &TransferArguments, record: &Record, remarks: String) -> Result<Answer, Failure> {
    let text = match args.output.format {
        TransferFormat::Text => transfer_text::text(record),
        TransferFormat::Json => output::json(record)?,
        TransferFormat::Csv => table(record)?,
    };
    write_files(args, record)?;
    // A part of a sweep is not judged: a share that is done has done what it was asked for, what was interrupted has not.
    let fails = record.complete && record.studies.iter().any(|study| study.verdict == Verdict::DoesNot);
    Ok(Answer { status: Status::if_complete(!record.interrupted, !fails), remarks, text })
}

fn table(record: &Record) -> Result<String, Failure> {
    transfer_csv::csv(record).map_err(|error| Failure::new(error.to_string()))
}

/// Writes what else was asked for.
fn write_files(args: &TransferArguments, record: &Record) -> Result<(), Failure> {
    if let Some(path) = &args.output.csv {
        files::write(path, &table(record)?)?;
    }
    let OutputArguments { html, svg, .. } = &args.output;
    output::beside(
        html.as_deref(),
        || transfer_html::html(record),
        svg.as_deref(),
        || transfer_html::charts(record),
    )
}
