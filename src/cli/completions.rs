//! `mupc completions`.

use clap::{Args, CommandFactory};

use super::args::Arguments;
use super::failure::Answer;

const EXAMPLES: &str = "\
Examples:
  mupc completions bash > ~/.local/share/bash-completion/completions/mupc
  mupc completions zsh > ~/.zfunc/_mupc
  mupc completions fish > ~/.config/fish/completions/mupc.fish";

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Writes a completion script.
pub fn run(args: &CompletionsArguments) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "mupc", &mut script);
    Answer::text(String::from_utf8_lossy(&script).into_owned())
}
