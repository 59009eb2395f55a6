//! `mupc explain`.

use super::args::{ExplainArguments, ReportFormat};
use super::failure::{Answer, Failure};
use super::files;

/// Derives one scaling step by step.
pub fn run(args: &ExplainArguments) -> Result<Answer, Failure> {
    let network = files::compile(&args.spec)?;
    let rules = args.rules;
    let explanation = network.explain(rules.parameterization, rules.optimizer, &args.subject)?;
    Ok(Answer::text(match args.format {
        ReportFormat::Text => format!("{}\n", explanation.to_string().trim_end()),
        ReportFormat::Json => format!("{:#}\n", explanation.to_json()),
    }))
}
