//! `mupc check`.

mod arguments;
mod progress;

pub use arguments::{CheckArguments, EXAMPLES};

use super::args::ReportFormat;
use super::failure::{Answer, Failure, Status};
use super::files::{self, Spec};
use crate::check::record::Record;
use crate::check::study::Study;
use crate::report::{check_html, check_text};
use progress::Progress;

/// Trains a network at several sizes and holds every predicted exponent against what is measured; it holds if none is refuted.
pub fn run(args: &CheckArguments) -> Result<Answer, Failure> {
    let spec = Spec::read(&args.spec, &[&args.rules.parameterization])?;
    let (network, source) = args.data.network(&spec)?;
    let request = args.request(&network, source)?;
    let found = network.parameterize(request.question.clone())?;
    let most_seeds = args.most_seeds();
    let study = Study { network: &network, found: &found, request, own_rate: args.lr.is_some(), most_seeds };
    let progress = Progress::new(args.quiet);
    let mut record = study.record(&progress).map_err(|error| Failure::new(error.to_string()))?;
    record.seconds = progress.end();
    record.command = args.command();
    write_pictures(args, &record)?;
    let json = || serde_json::to_value(&record).map_err(|error| Failure::new(error.to_string()));
    let text = match args.format {
        ReportFormat::Json => format!(
            "{:#}
",
            json()?
        ),
        ReportFormat::Text => check_text::text(&record, args.all),
    };
    Ok(Answer { status: Status::of(!record.is_refuted()), ..Answer::text(text) })
}

/// Writes the pictures that were asked for.
fn write_pictures(args: &CheckArguments, record: &Record) -> Result<(), Failure> {
    if let Some(path) = &args.html {
        files::write(path, &check_html::html(record))?;
    }
    let Some(folder) = &args.svg else { return Ok(()) };
    let failed = |error| Failure::new(format!("cannot make {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    for (name, svg) in check_html::charts(record) {
        files::write(&folder.join(name), &svg)?;
    }
    Ok(())
}
