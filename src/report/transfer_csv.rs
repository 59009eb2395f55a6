//! All runs of a study of transfer for a spreadsheet (RFC 4180), one a row.

use crate::transfer::record::Record;
use crate::transfer::runs::Run;

/// Writes the table. What is not there (the loss of a run that diverged) is an empty field.
///
/// # Errors
/// If a field cannot be written: there is no such field.
pub fn csv(record: &Record) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "parameterization",
        "optimizer",
        "varied",
        record.symbol.as_str(),
        "log2",
        "value",
        "seed",
        "batch",
        "initial_loss",
        "loss",
        "diverged_at",
        "stopped_at",
        "seconds",
    ])?;
    for run in &record.runs {
        writer.write_record(row(run))?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn row(run: &Run) -> [String; 13] {
    let real = |number: Option<f64>| number.map(|own| own.to_string()).unwrap_or_default();
    let whole = |number: Option<usize>| number.map(|own| own.to_string()).unwrap_or_default();
    [
        run.parameterization.clone(),
        run.optimizer.clone(),
        run.knob.to_string(),
        run.value.to_string(),
        run.log2.to_string(),
        run.log2.exp2().to_string(),
        run.seed.to_string(),
        run.batch.to_string(),
        real(run.initial),
        real(run.loss),
        whole(run.diverged_at),
        whole(run.stopped_at),
        format!("{:.3}", run.seconds),
    ]
}
