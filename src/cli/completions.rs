//! `mupc completions`.

use clap::CommandFactory;

use super::args::{Arguments, CompletionsArguments};
use super::failure::Answer;

/// Writes a completion script.
pub fn run(args: &CompletionsArguments) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "mupc", &mut script);
    Answer::text(String::from_utf8_lossy(&script).into_owned())
}
