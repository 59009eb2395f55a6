//! The corpus of mistakes: every file of `tests/errors` is wrong in some way. What is said about it is kept beside it, so that a
//! message that changes is seen and read.

use std::path::Path;

use mupc::diagnostic::Diagnostics;
use mupc::loader::NoFiles;
use mupc::{Named, Optimizer};

/// What the compiler, or else the derivation, says about a text.
fn report(name: &str, text: &str) -> Diagnostics {
    let table = |network: mupc::Network| network.table(Named::Mup, Optimizer::Adam);
    match mupc::compile_with(name, text, &mut NoFiles).and_then(table) {
        Ok(_) => panic!("{name} has no errors"),
        Err(errors) => errors,
    }
}

fn check(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy();
    let report = report(&name, &text);
    let mut settings = insta::Settings::clone_current();
    settings.remove_snapshot_suffix();
    settings.remove_input_file();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path(path.with_file_name("snapshots"));
    let shown = format!("SOURCE\n\n{}\nERROR\n\n{report}\n", text.replace('\r', "␍"));
    settings.bind(|| insta::assert_snapshot!(name.trim_end_matches(".mup"), shown));
}

#[test]
fn every_mistake_is_explained() {
    insta::glob!("errors/**/*.mup", check);
}
