//! What commands that run networks do alike: how they answer, what they write beside the answer, the command that repeats them, threads.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::args::ReportFormat;
use super::failure::Failure;
use super::files;

/// Where the result goes.
#[derive(Debug, Args)]
pub struct OutputArguments {
    /// How to write it.
    #[arg(short, long, value_enum, default_value = "text")]
    pub format: ReportFormat,
    /// Also write a page with pictures and tables, which needs no other file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Also write the pictures.
    #[arg(long, value_name = "FOLDER")]
    pub svg: Option<PathBuf>,
    /// Show no progress.
    #[arg(short, long)]
    pub quiet: bool,
}

/// Pictures with the names of their files.
pub type Pictures = Vec<(String, String)>;

impl OutputArguments {
    /// Writes page and pictures where they were asked for, and gives the answer in the format that was.
    pub fn answer(
        &self,
        record: &impl Serialize,
        text: impl FnOnce() -> String,
        page: impl FnOnce() -> String,
        pictures: impl FnOnce() -> Pictures,
    ) -> Result<String, Failure> {
        beside(self.html.as_deref(), page, self.svg.as_deref(), pictures)?;
        match self.format {
            ReportFormat::Text => Ok(text()),
            ReportFormat::Json => json(record),
        }
    }
}

/// Writes a page and pictures where they were asked for.
pub fn beside(
    html: Option<&Path>,
    page: impl FnOnce() -> String,
    svg: Option<&Path>,
    pictures: impl FnOnce() -> Pictures,
) -> Result<(), Failure> {
    if let Some(path) = html {
        files::write(path, &page())?;
    }
    let Some(folder) = svg else { return Ok(()) };
    self::folder(folder)?;
    pictures().iter().try_for_each(|(name, svg)| files::write(&folder.join(name), svg))
}

/// Makes a folder, if it is not there.
pub fn folder(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", path.display())))
}

/// A record for programs.
pub fn json(record: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_value(record).map_err(|error| Failure::new(error.to_string()))?;
    Ok(format!("{json:#}\n"))
}

/// The command that repeats what was done.
pub fn command() -> String {
    let words: Vec<String> = std::iter::once("mupc".to_string()).chain(std::env::args().skip(1)).collect();
    words.join(" ")
}

/// Starts so many threads; one per core if no number is given.
pub fn threads(count: Option<u16>) -> Result<(), Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count.map_or(0, usize::from)).build_global();
    pool.map_err(|error| Failure::new(format!("cannot start threads: {error}")))
}
