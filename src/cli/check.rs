//! `mupc check`.

mod arguments;
mod progress;

use std::fmt::Write;

pub use arguments::{CheckArguments, EXAMPLES};

use super::failure::{Answer, Failure, Status};
use super::files::Spec;
use crate::check::compare::{compare, restraint};
use crate::check::record::{Predicted, Record, Verdict};
use crate::check::request::Request;
use crate::check::runs::run_all;
use progress::Progress;

/// Trains a network at several sizes and holds every predicted exponent against what is measured; it holds if none is refuted.
pub fn run(args: &CheckArguments) -> Result<Answer, Failure> {
    let spec = Spec::read(&args.spec, &[&args.rules.parameterization])?;
    let network = args.network(&spec)?;
    let mut request: Request = args.request(&network)?;
    let found = network.parameterize(request.question.clone())?;
    if args.lr.is_none() {
        request.chosen.learning_rate *= restraint(&network.calculus_for(&request.question), &request, &found);
    }
    let prepared = request.prepare(&network, &found).map_err(|error| Failure::new(error.to_string()))?;
    let progress = Progress::start(&request, &prepared, args.quiet);
    let runs = run_all(&request.course, &prepared, &progress);
    let runs = runs.map_err(|error| Failure::new(format!("cannot start threads: {error}")))?;
    let calculus = network.calculus_for(&request.question);
    let mut record = compare(&calculus, &request, &prepared, &found, &runs);
    record.seconds = progress.end();
    record.command = args.command();
    let text = match args.json {
        true => {
            format!("{:#}\n", serde_json::to_value(&record).map_err(|error| Failure::new(error.to_string()))?)
        }
        false => text(&record, args.all),
    };
    Ok(Answer { status: Status::of(!record.is_refuted()), ..Answer::text(text) })
}

fn text(record: &Record, all: bool) -> String {
    let mut out = String::new();
    let verdict = &record.verdict;
    let _ = writeln!(
        out,
        "{} agree, {} above, {} below, {} unmeasured; {:.1} s",
        verdict.agrees, verdict.above, verdict.below, verdict.unmeasured, record.seconds
    );
    for finding in record.findings.iter().filter(|finding| all || finding.verdict != Verdict::Agrees) {
        let predicted = match &finding.predicted {
            Predicted::Zero => "0".to_string(),
            Predicted::Beyond => "beyond".to_string(),
            Predicted::Power { exponent, .. } => exponent.clone(),
        };
        let measured = finding.fit.as_ref().map_or("-".to_string(), |fit| {
            let local: Vec<String> = fit.local.iter().map(|slope| format!("{slope:.2}")).collect();
            format!("{:.2} [{:.2}, {:.2}] {}", fit.exponent, fit.low, fit.high, local.join(" "))
        });
        let _ = writeln!(
            out,
            "{:11} {:28} {:18} t={:<2} predicted {predicted:5} measured {measured} {}",
            finding.verdict.name(),
            finding.subject,
            finding.quantity.name(),
            finding.step,
            finding.reason.as_deref().unwrap_or("")
        );
    }
    out
}
