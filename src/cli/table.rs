//! `mupc table`.

use super::args::{TableArguments, TableFormat};
use super::failure::{Answer, Failure};
use crate::concrete::Target;
use crate::network::Question;
use crate::report::{table_csv, table_json, table_latex, table_markdown, table_text};

/// Derives and prints a scaling table.
pub fn run(args: &TableArguments) -> Result<Answer, Failure> {
    let network = args.rules.compile(&args.spec)?;
    let scales = &network.graph.scales;
    let target = Target::parse(&args.at, scales).map_err(|error| Failure::target(&error, scales))?;
    if !args.at.is_empty() {
        target.check(&network.graph).map_err(|error| Failure::target(&error, scales))?;
    }
    let target = (!args.at.is_empty()).then_some(&target);
    let question = Question { form: args.form, ..args.rules.question(&network.graph)? };
    let table = network.table_of(question)?;
    Ok(Answer::text(match args.format {
        TableFormat::Text => table_text::text(&table, table_text::TextOptions { target, names: args.names }),
        TableFormat::Markdown => table_markdown::markdown(&table, target),
        TableFormat::Csv => table_csv::csv(&table, target),
        TableFormat::Latex => table_latex::latex(&table, target),
        TableFormat::Json => format!("{:#}\n", table_json::json(&table, target)),
    }))
}
