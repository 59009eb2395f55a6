//! `mupc explain`.

use super::args::{ExplainArguments, ReportFormat};
use super::failure::{Answer, Failure};

/// Derives one scaling step by step.
pub fn run(args: &ExplainArguments) -> Result<Answer, Failure> {
    let network = args.rules.compile(&args.spec)?;
    let question = args.rules.question(&network.graph)?;
    let explanation = network.explain_of(question, &args.subject)?;
    Ok(Answer::text(match args.format {
        ReportFormat::Text => format!("{}\n", explanation.to_string().trim_end()),
        ReportFormat::Json => format!("{:#}\n", explanation.to_json()),
    }))
}
