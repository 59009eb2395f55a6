//! `mupc compare`.

use super::args::{CompareArguments, ReportFormat};
use super::failure::{Answer, Failure, Status};
use super::files;
use crate::report::compare_text;

/// Puts two parameterizations side by side; it holds if they are the same up to gauge.
pub fn run(args: &CompareArguments) -> Result<Answer, Failure> {
    let [first, second] = args.parameterization.as_slice() else {
        let message = format!("compare takes two parameterizations, not {}", args.parameterization.len());
        return Err(Failure::Other(message, Some("write `-p sp -p mup`".to_string())));
    };
    let network = files::compile_for(&args.spec, &[first, second])?;
    let [first, second] = [first, second].map(|name| args.terms.question(&network.graph, name));
    let found = network.compare(&first?, &second?)?;
    let text = match args.format {
        ReportFormat::Text => compare_text::text(&found),
        ReportFormat::Json => format!("{:#}\n", compare_text::json(&found)),
    };
    Ok(Answer { status: Status::of(found.is_same()), ..Answer::text(text) })
}
