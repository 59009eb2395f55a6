//! Every published network, in the small version that its experiment names and smaller where that is slow: the gradient of its loss against
//! differences of the loss, in f64.

use mupc::loader::NoFiles;
use mupc::network::{Network, compile_with_lengths};
use mupc::numeric::build::Purpose;

use mupc::numeric::machine::Machine;

use super::differences::{TOLERANCE, machine, worst, worst_along};

/// Smaller numbers than those of the experiments, where a loss takes long in f64. The operations stay the same.
const SMALLER: [(&str, &[(&str, i64)]); 3] =
    [("deep-linear", &[("n", 8)]), ("siamese-koch", &[("n", 2)]), ("resnet18", &[("n", 4)])];

fn specs() -> Vec<(String, String)> {
    let files = std::fs::read_dir("specs").unwrap().map(|entry| entry.unwrap().path());
    let mut specs: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "mup")).collect();
    specs.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    specs.iter().map(read).collect()
}

/// The network at the lengths of its experiment and the first of the values that it grows over.
fn smallest(name: &str, text: &str) -> Network {
    let compile = |set: &[(String, i64)]| {
        compile_with_lengths(name, text, &mut NoFiles, &[], set)
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let declared = compile(&[]).graph.experiment.unwrap_or_else(|| panic!("{name} has no experiment"));
    let mut set: Vec<(String, i64)> =
        declared.lengths.iter().map(|(own, length)| (own.text.clone(), *length)).collect();
    set.extend(declared.over.iter().map(|(symbol, first, _)| (symbol.text.clone(), *first)));
    for (own, length) in SMALLER.iter().filter(|(own, _)| *own == name).flat_map(|(_, lengths)| *lengths) {
        set.retain(|(known, _)| known != own);
        set.push((own.to_string(), *length));
    }
    compile(&set)
}

#[test]
fn gradients_of_published_networks() {
    check_all(worst_along);
}

#[test]
#[ignore = "takes minutes: single entries instead of directions"]
fn entries_of_gradients_of_published_networks() {
    check_all(worst);
}

fn check_all(worst: impl Fn(Machine<f64>) -> (f64, String)) {
    let found = specs();
    assert!(found.len() >= 23);
    let mut wrong = Vec::new();
    for (name, text) in found {
        let started = std::time::Instant::now();
        // Two numbers, standardized over the batch, are 1 and -1: nothing gets through to their gradients.
        let batch = if text.contains("batch_norm") || name == "unet" { 5 } else { 2 };
        let (error, place) = worst(machine(&smallest(&name, &text), Purpose::Training, batch));
        println!("{name}: {error:.1e} at {place}, {:.1} s", started.elapsed().as_secs_f64());
        // What is not a number is wrong as well.
        if error.is_nan() || error >= TOLERANCE {
            wrong.push(format!("{name}: {error:.2e} at {place}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
