//! From the text of a spec to everything the analyzer says of it.

use std::path::Path;

use mupc::abc::ParamScaling;
use mupc::dim::Monomial;
use mupc::graph::{NodeId, ParamId};
use mupc::optimizer::Optimizer;
use mupc::parameterization::verdict::{Classification, ParamVerdict, classify};
use mupc::parameterization::{Failure, Named, Parameterization, parameterize};
use mupc::rational::Rational;
use mupc::size::Size;
use mupc::size::analysis::{Calculus, Sizes, analyze};

/// Every published network and every small spec, with its name.
pub fn specs() -> Vec<(String, String)> {
    let mut found = published();
    found.extend(specs_in("tests/specs"));
    found.sort();
    found
}

/// Every published network, with the name of its file.
pub fn published() -> Vec<(String, String)> {
    let found = specs_in("specs");
    assert!(found.len() >= 23, "only {} specs", found.len());
    found
}

fn specs_in(folder: &str) -> Vec<(String, String)> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let specs = paths.filter(|path| path.extension().is_some_and(|extension| extension == "mup"));
    let mut found: Vec<_> =
        specs.map(|path| (stem(&path), std::fs::read_to_string(&path).unwrap())).collect();
    found.sort();
    found
}

/// One of them.
pub fn spec(name: &str) -> String {
    specs().into_iter().find(|(own, _)| own == name).unwrap_or_else(|| panic!("no spec {name}")).1
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// The calculus of a spec. Its graph lives as long as the tests do.
pub fn calculus(text: &str) -> Calculus<'static> {
    let network = mupc::compile(text).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
    Calculus::new(&Box::leak(Box::new(network)).graph)
}

/// A parameterization of a spec with all that follows from it.
pub struct Analyzed<'c> {
    pub calculus: &'c Calculus<'static>,
    pub table: Parameterization,
    pub sizes: Sizes,
    pub class: Classification,
}

/// Derives a named parameterization and classifies it.
pub fn analyzed<'c>(calculus: &'c Calculus<'static>, named: Named, optimizer: Optimizer) -> Analyzed<'c> {
    try_analyzed(calculus, named, optimizer)
        .unwrap_or_else(|failure| panic!("{named} {optimizer}: {failure:?}"))
}

/// The same where it may not exist.
pub fn try_analyzed<'c>(
    calculus: &'c Calculus<'static>,
    named: Named,
    optimizer: Optimizer,
) -> Result<Analyzed<'c>, Failure> {
    Ok(classified(calculus, parameterize(calculus, named, optimizer)?))
}

/// Classifies a given parameterization.
pub fn classified<'c>(calculus: &'c Calculus<'static>, table: Parameterization) -> Analyzed<'c> {
    let sizes = analyze(calculus, table.abc.clone(), table.plan.clone());
    let class = classify(calculus, &sizes);
    Analyzed { calculus, table, sizes, class }
}

impl Analyzed<'_> {
    /// A parameter by its path.
    pub fn id(&self, path: &str) -> ParamId {
        let mut params = self.calculus.graph().param_ids();
        let known =
            || self.calculus.graph().params.iter().map(|param| param.path.clone()).collect::<Vec<_>>();
        params.find(|(_, param)| param.path == path).unwrap_or_else(|| panic!("no {path} in {:?}", known())).0
    }

    /// How a parameter scales.
    pub fn scaling(&self, path: &str) -> &ParamScaling {
        &self.table.abc.params[self.id(path).index()]
    }

    /// What is said of a parameter.
    pub fn judged(&self, path: &str) -> &ParamVerdict {
        &self.class.params[self.id(path).index()]
    }

    /// A monomial as a reader sees it.
    pub fn text(&self, power: &Monomial) -> String {
        power.display(&self.calculus.graph().symbol_names()).to_string()
    }

    /// A size as a reader sees it.
    pub fn size(&self, size: &Size) -> String {
        size.display(&self.calculus.graph().symbol_names()).to_string()
    }

    /// Multiplier, initialization and learning rate of a parameter.
    pub fn row(&self, path: &str) -> [String; 3] {
        let scaling = self.scaling(path);
        [&scaling.multiplier, &scaling.init_std, &scaling.learning_rate].map(|power| self.text(power))
    }

    /// The path that the spec gives a tensor.
    pub fn path(&self, id: NodeId) -> Option<String> {
        let node = self.calculus.graph().node(id);
        let name = node.name.as_ref()?;
        Some(match self.calculus.graph().scope_path(node.scope) {
            path if path.is_empty() => name.to_string(),
            path => format!("{path}.{name}"),
        })
    }

    /// The last tensor of a path.
    pub fn last(&self, path: &str) -> NodeId {
        let ids = || self.calculus.graph().ids();
        let found = ids().rfind(|id| self.path(*id).is_some_and(|own| own == path));
        found.unwrap_or_else(|| {
            panic!("no {path} in {:?}", ids().filter_map(|id| self.path(id)).collect::<Vec<_>>())
        })
    }

    /// The size at initialization of the last tensor of a name.
    pub fn initial(&self, name: &str) -> String {
        self.size(&self.sizes.initial[self.last(name).index()])
    }

    /// The multipliers in front of operations, by the tensor they scale.
    pub fn multipliers(&self) -> Vec<(String, String)> {
        let label = |id: &NodeId| self.calculus.label(*id).to_string();
        let shown = |(id, power): (&NodeId, &Monomial)| (label(id), self.text(power));
        self.table.abc.contractions.iter().map(shown).collect()
    }
}

/// A power of the first symbol.
pub fn power(exponent: (i64, i64)) -> Monomial {
    super::power(Rational::new(exponent.0, exponent.1).unwrap())
}
