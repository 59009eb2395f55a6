//! The command line program; everything is in [`mupc::cli`].

use std::process::ExitCode;

use mupc::numeric::pages::HugePages;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

fn main() -> ExitCode {
    mupc::cli::run()
}
