//! The front door: from a text to a network.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::graph::Graph;
use crate::graph::lower::{Program, Unit, lower};
use crate::loader::{Loader, NoFiles, load};
use crate::prelude;
use crate::source::SourceMap;

/// A spec that compiled.
#[derive(Clone, Debug)]
pub struct Network {
    /// What it computes.
    pub graph: Graph,
    /// The texts it came from, for messages.
    pub sources: SourceMap,
}

/// Compiles a spec that stands alone.
///
/// ```
/// let network = mupc::compile(
///     "scale n = 256
///      input x[10]
///      target y[1]
///      h = relu(linear(x, n))
///      loss mse(readout(h, 1), y)",
/// )
/// .unwrap();
/// assert_eq!(network.graph.params[1].path, "readout.weight");
/// ```
pub fn compile(source: &str) -> Result<Network, Diagnostics> {
    compile_with("network", source, &mut NoFiles)
}

/// Compiles a spec called `name`, with the files that it uses.
pub fn compile_with(name: &str, source: &str, loader: &mut dyn Loader) -> Result<Network, Diagnostics> {
    let mut sources = prelude::sources();
    match graph(name, source, loader, &mut sources) {
        Ok(graph) => Ok(Network { graph, sources }),
        Err(items) => Err(Diagnostics { sources, items }),
    }
}

fn graph(
    name: &str,
    source: &str,
    loader: &mut dyn Loader,
    sources: &mut SourceMap,
) -> Result<Graph, Vec<Diagnostic>> {
    let loaded = load(name, source, loader, sources)?;
    let mut units: Vec<Unit> = loaded.files.iter().map(|(file, ast)| Unit { file: *file, ast }).collect();
    let Some(main) = units.pop() else { return Ok(Graph::default()) };
    let prelude = prelude::files().iter().map(|(file, ast)| Unit { file: *file, ast }).collect();
    let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
    lower(&Program { prelude, used: units, main, name: stem.to_string(), bytes: loaded.bytes })
}
