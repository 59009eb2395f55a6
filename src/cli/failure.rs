//! Why a command could not run, and how that is shown.

use std::io::IsTerminal;
use std::process::ExitCode;

use crate::concrete::TargetError;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::graph::ScaleSymbol;

/// How a command ends. For a script, 1 is an answer and 2 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds, or there was nothing to judge.
    Holds,
    /// It does not hold.
    DoesNotHold,
    /// The command could not run.
    CouldNotRun,
}

impl Status {
    /// Holds or not.
    pub fn of(holds: bool) -> Status {
        if holds { Status::Holds } else { Status::DoesNotHold }
    }

    /// Holds or not; what was interrupted is not judged.
    pub fn if_complete(complete: bool, holds: bool) -> Status {
        if complete { Status::of(holds) } else { Status::CouldNotRun }
    }

    /// Refuted or not; what was interrupted may refute, but it cannot hold.
    pub fn unless_refuted(refuted: bool, complete: bool) -> Status {
        if refuted { Status::DoesNotHold } else { Status::if_complete(complete, true) }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        match status {
            Status::Holds => ExitCode::SUCCESS,
            Status::DoesNotHold => ExitCode::from(1),
            Status::CouldNotRun => ExitCode::from(2),
        }
    }
}

/// What a command has to say.
#[derive(Debug)]
pub struct Answer {
    /// For standard output.
    pub text: String,
    /// For standard error.
    pub remarks: String,
    /// How it ends.
    pub status: Status,
}

impl Answer {
    /// A text, and nothing to judge.
    pub fn text(text: String) -> Answer {
        Answer { text, remarks: String::new(), status: Status::Holds }
    }
}

/// Why a command could not run.
#[derive(Debug)]
pub enum Failure {
    /// Something is wrong with the spec.
    Spec(Box<Diagnostics>),
    /// Something else is wrong: what, and what to do about it.
    Other(String, Option<String>),
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Failure {
        Failure::Spec(Box::new(diagnostics))
    }
}

impl Failure {
    /// A failure without advice.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure::Other(message.into(), None)
    }

    /// A target that makes no sense for these scale symbols.
    pub fn target(error: &TargetError, scales: &[ScaleSymbol]) -> Failure {
        let help = match error {
            TargetError::Unknown(name, _) => {
                let names = scales.iter().map(|scale| scale.name.as_str());
                // Any letter is one slip away from any other.
                did_you_mean(name, names.filter(|known| name.len() > 1 || known.eq_ignore_ascii_case(name)))
            }
            TargetError::NotWhole(..) => {
                Some("choose values at which every length of the spec is whole".to_string())
            }
            TargetError::Form(_) | TargetError::Twice(_) | TargetError::NotPositive(_) => None,
        };
        Failure::Other(format!("--at: {error}"), help)
    }

    /// What is printed.
    pub fn report(&self) -> String {
        match self {
            Failure::Spec(diagnostics) if has_colour() => diagnostics.to_ansi(),
            Failure::Spec(diagnostics) => diagnostics.to_string(),
            Failure::Other(message, help) => {
                let error = if has_colour() { "\x1b[1m\x1b[91merror\x1b[0m" } else { "error" };
                let help = help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
                format!("{error}: {message}{help}")
            }
        }
    }
}

/// Colour only where somebody sees it and nobody refuses it.
fn has_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !refused && !dumb && std::io::stderr().is_terminal()
}
