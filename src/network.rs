//! The front door: from a text to a network.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Diagnostics, Stage};
use crate::explain::{Explanation, explain};
use crate::graph::Graph;
use crate::graph::lower::{Program, Unit, lower};
use crate::loader::{Loader, NoFiles, load};
use crate::optimizer::Optimizer;
use crate::parameterization::findings::Findings;
use crate::parameterization::{Failure, Form, Named, Parameterization, ScalingTable, parameterize};
use crate::prelude;
use crate::size::analysis::Calculus;
use crate::source::SourceMap;

/// A spec that compiled.
#[derive(Clone, Debug)]
pub struct Network {
    /// What it computes.
    pub graph: Graph,
    /// The texts it came from, for messages.
    pub sources: SourceMap,
}

impl Network {
    /// What every question about sizes starts from.
    pub fn calculus(&self) -> Calculus<'_> {
        Calculus::new(&self.graph)
    }

    /// Multipliers, initializations and learning rates, by parameter id.
    pub fn parameterize(&self, named: Named, optimizer: Optimizer) -> Result<Parameterization, Diagnostics> {
        parameterize(&self.calculus(), named, optimizer).map_err(|failure| self.failed(&failure))
    }

    /// The scaling table. Its `Display` is stable, so a test may compare it with a kept text.
    ///
    /// ```
    /// use mupc::{Named, Optimizer};
    ///
    /// let network = mupc::compile("scale n = 256  input x[10]  target y[1]  loss mse(readout(linear(x, n), 1), y)")?;
    /// let table = network.table(Named::Mup, Optimizer::Adam)?;
    /// assert_eq!(table.parameters[1].name, "readout.weight");
    /// assert_eq!(table.parameters[1].init_std.display(&table.symbols()).to_string(), "n^-1");
    /// # Ok::<(), mupc::diagnostic::Diagnostics>(())
    /// ```
    pub fn table(&self, named: Named, optimizer: Optimizer) -> Result<ScalingTable, Diagnostics> {
        self.table_in(named, optimizer, Form::Native)
    }

    /// The scaling table in one of its equivalent forms.
    pub fn table_in(
        &self,
        named: Named,
        optimizer: Optimizer,
        form: Form,
    ) -> Result<ScalingTable, Diagnostics> {
        let found = self.parameterize(named, optimizer)?;
        let calculus = self.calculus();
        Ok(ScalingTable::new(&calculus, &form.apply(&calculus, &found)))
    }

    /// The verdict on a named parameterization. Its `Display` is stable as well.
    pub fn classify(&self, named: Named, optimizer: Optimizer) -> Result<Findings, Diagnostics> {
        let found = self.parameterize(named, optimizer)?;
        Ok(Findings::new(&self.calculus(), &found))
    }

    /// Why a parameter or tensor scales as it does, step by step.
    pub fn explain(
        &self,
        named: Named,
        optimizer: Optimizer,
        subject: &str,
    ) -> Result<Explanation, Diagnostics> {
        let found = self.parameterize(named, optimizer)?;
        explain(&self.calculus(), &found, subject).map_err(|unknown| {
            let message = format!("the network has no parameter or tensor `{}`", unknown.name);
            let help = unknown.hint.unwrap_or_else(|| "`mupc graph` names them all".to_string());
            let item = Diagnostic::new(Stage::Names, message).help(help);
            Diagnostics { sources: self.sources.clone(), items: vec![item] }
        })
    }

    fn failed(&self, failure: &Failure) -> Diagnostics {
        Diagnostics { sources: self.sources.clone(), items: vec![failure.diagnostic(&self.graph)] }
    }
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
