//! The command line program; everything is in [`mupc::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    mupc::cli::run()
}
