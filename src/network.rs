//! The front door: from a text to a network.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Diagnostics, Stage, did_you_mean};
use crate::explain::{Explanation, Unexplained, explain};
use crate::graph::Graph;
use crate::graph::lower::{Program, Unit, lower};
use crate::loader::{Loaded, Loader, NoFiles, load};
use crate::optimizer::{Decay, Plan};
use crate::parameterization::compare::Comparison;
use crate::parameterization::expectation::{self, Checked, subject};
use crate::parameterization::findings::Findings;
use crate::parameterization::{
    Failure, Form, LearningRates, Parameterization, ScalingTable, Scheme, parameterize,
};
use crate::prelude;
use crate::size::analysis::Calculus;
use crate::size::change::Convention;
use crate::source::SourceMap;
use crate::syntax::lengths;
use crate::syntax::parser::parse;

/// What is asked of a network: whose rules, for which optimizers, under which conventions, written how.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whose rules.
    pub scheme: Scheme,
    /// For which optimizers.
    pub plan: Plan,
    /// Which learning rates.
    pub rates: LearningRates,
    /// How weight decay acts.
    pub decay: Decay,
    /// On what the literature splits.
    pub convention: Convention,
    /// Where the factors stand.
    pub form: Form,
}

impl Question {
    /// With the default conventions.
    pub fn new(scheme: impl Into<Scheme>, plan: impl Into<Plan>) -> Question {
        Question {
            scheme: scheme.into(),
            plan: plan.into(),
            rates: LearningRates::default(),
            decay: Decay::default(),
            convention: Convention::default(),
            form: Form::default(),
        }
    }
}

impl<S: Into<Scheme>, P: Into<Plan>> From<(S, P)> for Question {
    fn from((scheme, plan): (S, P)) -> Question {
        Question::new(scheme, plan)
    }
}

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

    /// The same for a parameterization: one with an exponent of depth lets numbers of repetitions grow.
    pub fn calculus_for(&self, question: &Question) -> Calculus<'_> {
        let calculus = match question.scheme.alpha {
            Some(_) => Calculus::deep(&self.graph),
            None => Calculus::new(&self.graph),
        };
        calculus.with_convention(question.convention)
    }

    /// Multipliers, initializations and learning rates, by parameter id.
    pub fn parameterize(&self, question: impl Into<Question>) -> Result<Parameterization, Diagnostics> {
        let question = question.into();
        self.answer(&self.calculus_for(&question), &question)
    }

    fn answer(&self, calculus: &Calculus, question: &Question) -> Result<Parameterization, Diagnostics> {
        let found = parameterize(calculus, question.scheme.clone(), question.plan.clone())
            .and_then(|found| found.with_rates(calculus, question.rates))
            .map_err(|failure| self.failed(&failure))?;
        Ok(question.form.apply(calculus, &found.with_decay(calculus, question.decay)))
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
    pub fn table(
        &self,
        scheme: impl Into<Scheme>,
        plan: impl Into<Plan>,
    ) -> Result<ScalingTable, Diagnostics> {
        self.table_of(Question::new(scheme, plan))
    }

    /// The scaling table in one of its equivalent forms.
    pub fn table_in(
        &self,
        scheme: impl Into<Scheme>,
        plan: impl Into<Plan>,
        form: Form,
    ) -> Result<ScalingTable, Diagnostics> {
        self.table_of(Question { form, ..Question::new(scheme, plan) })
    }

    /// The scaling table that answers a question.
    pub fn table_of(&self, question: impl Into<Question>) -> Result<ScalingTable, Diagnostics> {
        let question = question.into();
        let calculus = self.calculus_for(&question);
        Ok(ScalingTable::new(&calculus, &self.answer(&calculus, &question)?))
    }

    /// The verdict on a parameterization. Its `Display` is stable as well.
    pub fn classify(
        &self,
        scheme: impl Into<Scheme>,
        plan: impl Into<Plan>,
    ) -> Result<Findings, Diagnostics> {
        self.classify_of(Question::new(scheme, plan))
    }

    /// The verdict that answers a question.
    pub fn classify_of(&self, question: impl Into<Question>) -> Result<Findings, Diagnostics> {
        let question = question.into();
        let calculus = self.calculus_for(&question);
        Ok(Findings::new(&calculus, &self.answer(&calculus, &question)?))
    }

    /// What the spec expects, held against what is derived.
    pub fn expectations(&self) -> Result<Vec<Checked>, Diagnostics> {
        let check = |expectation| {
            let (scheme, plan) = subject(&self.graph, expectation).map_err(Failure::Rules)?;
            expectation::check(&self.calculus_for(&Question::new(scheme, plan)), expectation)
        };
        self.graph
            .expectations
            .iter()
            .map(|own| check(own).map_err(|failure| self.failed(&failure)))
            .collect()
    }

    /// Two parameterizations side by side: are they the same up to gauge?
    pub fn compare(&self, first: &Question, second: &Question) -> Result<Comparison, Diagnostics> {
        let calculus = self.calculus_for(first);
        let (one, other) = (self.answer(&calculus, first)?, self.answer(&self.calculus_for(second), second)?);
        Ok(Comparison::new(&calculus, &one, &other))
    }

    /// Why a parameter or tensor scales as it does, step by step.
    pub fn explain(
        &self,
        scheme: impl Into<Scheme>,
        plan: impl Into<Plan>,
        subject: &str,
    ) -> Result<Explanation, Diagnostics> {
        self.explain_of(Question::new(scheme, plan), subject)
    }

    /// The reasons that answer a question.
    pub fn explain_of(
        &self,
        question: impl Into<Question>,
        subject: &str,
    ) -> Result<Explanation, Diagnostics> {
        let question = question.into();
        let calculus = self.calculus_for(&question);
        let found = self.answer(&calculus, &question)?;
        explain(&calculus, &found, subject).map_err(|why| match why {
            Unexplained::Underived(failure) => self.failed(&failure),
            Unexplained::Unknown(unknown) => {
                let message = format!("the network has no parameter or tensor `{}`", unknown.name);
                let help = unknown.hint.unwrap_or_else(|| "`mupc graph` names them all".to_string());
                let item = Diagnostic::new(Stage::Names, message).help(help);
                Diagnostics { sources: self.sources.clone(), items: vec![item] }
            }
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
    compile_with_rules(name, source, loader, &[])
}

/// The same with further texts (name and content) that hold parameterizations.
pub fn compile_with_rules(
    name: &str,
    source: &str,
    loader: &mut dyn Loader,
    rules: &[(String, String)],
) -> Result<Network, Diagnostics> {
    compile_with_lengths(name, source, loader, rules, &[])
}

/// The same with other numbers for dims and scale symbols that the texts declare: a small version of a large network, with the same
/// operations. A name that no text declares is an error.
pub fn compile_with_lengths(
    name: &str,
    source: &str,
    loader: &mut dyn Loader,
    rules: &[(String, String)],
    lengths: &[(String, i64)],
) -> Result<Network, Diagnostics> {
    made(name, source, loader, rules, &|loaded| replace_lengths(loaded, lengths))
}

/// The same where one scale symbol grows alone and the others keep the numbers that they have.
pub fn compile_growing(
    name: &str,
    source: &str,
    loader: &mut dyn Loader,
    lengths: &[(String, i64)],
    grows: &str,
) -> Result<Network, Diagnostics> {
    made(name, source, loader, &[], &|loaded| {
        replace_lengths(loaded, lengths)?;
        loaded.files.iter_mut().for_each(|(_, tree)| lengths::fix_all_but(tree, grows));
        Ok(())
    })
}

/// What is done to the texts of a spec before a graph is made of them.
type Change<'a> = &'a dyn Fn(&mut Loaded) -> Result<(), Vec<Diagnostic>>;

fn made(
    name: &str,
    source: &str,
    loader: &mut dyn Loader,
    rules: &[(String, String)],
    change: Change,
) -> Result<Network, Diagnostics> {
    let mut sources = prelude::sources();
    match graph(name, source, loader, rules, change, &mut sources) {
        Ok(graph) => Ok(Network { graph, sources }),
        Err(items) => Err(Diagnostics { sources, items }),
    }
}

fn graph(
    name: &str,
    source: &str,
    loader: &mut dyn Loader,
    rules: &[(String, String)],
    change: Change,
    sources: &mut SourceMap,
) -> Result<Graph, Vec<Diagnostic>> {
    let mut loaded = load(name, source, loader, sources)?;
    change(&mut loaded)?;
    let mut units: Vec<Unit> = loaded.files.iter().map(|(file, ast)| Unit { file: *file, ast }).collect();
    let Some(main) = units.pop() else { return Ok(Graph::default()) };
    let (mut further, mut errors) = (Vec::new(), Vec::new());
    for (name, text) in rules {
        let file = sources.add(name.clone(), text.clone());
        let (tree, found) = parse(file, text);
        errors.extend(found);
        further.push((file, tree));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    units.extend(further.iter().map(|(file, ast)| Unit { file: *file, ast }));
    let prelude = prelude::files().iter().map(|(file, ast)| Unit { file: *file, ast }).collect();
    let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
    lower(&Program { prelude, used: units, main, name: stem.to_string(), bytes: loaded.bytes })
}

/// Puts other lengths into the texts of a spec.
fn replace_lengths(loaded: &mut Loaded, lengths: &[(String, i64)]) -> Result<(), Vec<Diagnostic>> {
    let mut found = Vec::new();
    for (_, tree) in &mut loaded.files {
        found.extend(lengths::replace(tree, lengths));
    }
    let known: Vec<&str> = loaded.files.iter().flat_map(|(_, tree)| lengths::names(tree)).collect();
    let missing = lengths.iter().filter(|(name, _)| !found.contains(name));
    let errors: Vec<Diagnostic> = missing.map(|(name, _)| unknown_length(name, &known)).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn unknown_length(name: &str, known: &[&str]) -> Diagnostic {
    let message = format!("the spec declares no `dim` or `scale` called `{name}`");
    let list = match known {
        [] => "it declares none: give the length a name with `dim`".to_string(),
        _ => format!("it declares {}", known.join(", ")),
    };
    let near = did_you_mean(name, known.iter().copied());
    Diagnostic::new(Stage::Names, message).help(near.unwrap_or(list))
}
