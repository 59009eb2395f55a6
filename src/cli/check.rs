//! `mupc check`.

mod arguments;

pub use arguments::{CheckArguments, EXAMPLES};

use super::failure::{Answer, Failure, Status};
use super::files::Spec;
use super::output;
use super::progress::Meter;
use crate::check::request::Request;
use crate::check::study::Study;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::rational::Rational;
use crate::report::{check_html, check_text};

/// Trains a network at several sizes and holds every predicted exponent against what is measured; it holds if none is refuted.
pub fn run(args: &CheckArguments) -> Result<Answer, Failure> {
    let spec = Spec::read(&args.spec, &[&args.rules.parameterization])?;
    let (network, source) = args.data.network(&spec)?;
    let request = args.request(&network, source)?;
    let found =
        network.parameterize(request.question.clone()).map_err(|errors| depth_told(errors, &request))?;
    let most_seeds = args.most_seeds();
    let study = Study { network: &network, found: &found, request, own_rate: args.lr.is_some(), most_seeds };
    let template = "{spinner} {wide_bar} {percent}% {msg} {elapsed} of about {duration}";
    let progress = Meter::new(0, template, args.output.quiet).interruptible();
    let mut record = study.record(&progress).map_err(|error| Failure::new(error.to_string()))?;
    record.seconds = progress.end();
    record.command = output::command();
    let text = args.output.answer(
        &record,
        || check_text::text(&record, args.all),
        || check_html::html(&record),
        || check_html::charts(&record),
    )?;
    let status = Status::unless_refuted(record.is_refuted(), record.complete);
    Ok(Answer { status, ..Answer::text(text) })
}

/// With a word about depth where a number of repetitions grows and branches are added as they are.
fn depth_told(mut errors: Diagnostics, request: &Request) -> Diagnostics {
    if request.question.scheme.alpha == Some(Rational::ZERO) {
        let told = |item: Diagnostic| {
            item.note("a number of repetitions grows, and branches are added as they are (`--alpha 0`)")
                .help("`-p depth-mup` and `-p complete-p` multiply them by L^-1/2 and L^-1")
        };
        errors.items = errors.items.into_iter().map(told).collect();
    }
    errors
}
