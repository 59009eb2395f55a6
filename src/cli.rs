//! The command line: arguments in, text and an exit status out. All IO of the program happens in this room.

pub mod args;
pub mod check;
pub mod failure;

mod classify;
mod compare;
mod completions;
pub mod data;
pub mod drift;
mod explain;
mod files;
mod fmt;
mod graph;
pub mod kernel;
pub mod limit;
mod memory;
pub mod names;
pub mod output;
pub mod phase;
pub mod progress;
mod sizes;
mod table;
mod test;
mod transfer;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Task};
use failure::{Answer, Failure, Status};

/// Runs the program with the arguments of the process.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let answer = dispatch(&arguments.task).unwrap_or_else(|failure| Answer {
        text: String::new(),
        remarks: format!("{}\n", failure.report()),
        status: Status::CouldNotRun,
    });
    deliver(&answer).into()
}

fn dispatch(task: &Task) -> Result<Answer, Failure> {
    match task {
        Task::Table(args) => table::run(args),
        Task::Explain(args) => explain::run(args),
        Task::Classify(args) => classify::run(args),
        Task::Compare(args) => compare::run(args),
        Task::Check(args) => check::run(args),
        Task::Transfer(args) => transfer::run(args),
        Task::Kernel(args) => kernel::run(args),
        Task::Limit(args) => limit::run(args),
        Task::Phase(args) => phase::run(args),
        Task::Drift(args) => drift::run(args),
        Task::Test(args) => test::run(args),
        Task::Graph(args) => graph::run(args),
        Task::Fmt(args) => fmt::run(args),
        Task::Completions(args) => Ok(completions::run(args)),
    }
}

/// Prints an answer. A reader that has seen enough (`mupc ... | head`) is no failure; a full disk is.
fn deliver(answer: &Answer) -> Status {
    let _ = io::stderr().lock().write_all(answer.remarks.as_bytes());
    let mut out = io::stdout().lock();
    match out.write_all(answer.text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => answer.status,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => answer.status,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: cannot write to standard output: {error}");
            Status::CouldNotRun
        }
    }
}
