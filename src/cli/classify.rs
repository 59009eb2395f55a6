//! `mupc classify`.

use super::args::{ClassifyArguments, ReportFormat};
use super::failure::{Answer, Failure, Status};
use crate::report::{classify_json, classify_text};

/// Judges a parameterization; it holds if it is stable and nontrivial.
pub fn run(args: &ClassifyArguments) -> Result<Answer, Failure> {
    let network = args.rules.compile(&args.spec)?;
    let findings = network.classify_of(args.rules.question(&network.graph)?)?;
    let text = match args.format {
        ReportFormat::Text => classify_text::text(&findings, args.all),
        ReportFormat::Json => format!("{:#}\n", classify_json::json(&findings)),
    };
    Ok(Answer { status: Status::of(findings.holds()), ..Answer::text(text) })
}
