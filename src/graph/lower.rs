//! Lowering: from the syntax tree to the [`Graph`].
//!
//! One walk over the statements does four things at once: it resolves names, computes lengths as exact monomials, expands
//! definitions (every call is a copy of the body in a scope of its own), and turns index equations into operations. `repeat` is
//! never unrolled: its body is lowered once, between [`Op::Carry`](super::Op::Carry) and [`Op::Exit`](super::Op::Exit) nodes.
//!
//! **Index equations.** An `Equation` holds the letters of one statement: each has one length, and is *held* while something
//! outside of the expression at hand still needs it (the left side, another factor, an `over`). A product sums the letters that
//! nothing holds, pairwise from the left; a term sums what is left over. A tensor without letters is *whole*: whole tensors line
//! up at their last axes, and take the letters of the left side, in order, where they meet a tensor that has some.
//!
//! **Errors.** A failed expression has been `Reported`; the name that it would have given is bound to `Value::Poison`, so that
//! one mistake is one error and the rest of the text is still checked.
//!
//! **Limits.** Work and operations are bounded by a multiple of the length of the text, whatever definitions call what; nesting
//! is bounded by [`DEEPEST`]. Both are errors, not crashes.

mod arguments;
mod assign;
mod builtin;
mod declare;
mod definition;
mod emit;
mod environment;
mod equation;
mod experiment;
mod expression;
mod finish;
mod index;
mod number;
mod placement;
mod position;
mod product;
mod repeat;
mod rules;
mod scan;
mod survey;
mod window;

use std::collections::{HashMap, HashSet};

use crate::diagnostic::{Diagnostic, Label, Stage};
use crate::dim::Dim;
use crate::rational::Rational;
use crate::source::{FileId, Span};
use crate::syntax::ast;

use super::{Graph, NodeId, Scope, ScopeId};
use environment::{Binding, Frame};

/// One parsed text.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// Which text its spans point into.
    pub file: FileId,
    /// What stands in it.
    pub ast: &'a ast::File,
}

/// Everything that one network is made of.
#[derive(Clone, Debug)]
pub struct Program<'a> {
    /// The definitions that every spec may use.
    pub prelude: Vec<Unit<'a>>,
    /// The files that `use` names.
    pub used: Vec<Unit<'a>>,
    /// The spec itself.
    pub main: Unit<'a>,
    /// The network's name if no statement gives it one.
    pub name: String,
    /// The length of all texts but the prelude, in bytes: work is bounded by a multiple of it.
    pub bytes: usize,
}

/// The largest rank of a tensor.
pub const HIGHEST_RANK: usize = 16;
/// The largest number of scale symbols.
pub const MOST_SCALES: usize = 64;
/// How deeply definitions may call each other.
pub const DEEPEST_CALL: usize = 100;
/// How deeply calls, repetitions and expressions may nest together.
pub const DEEPEST: usize = 250;
/// The largest numerator and denominator of an exponent.
pub const FINEST_EXPONENT: i64 = 1000;
/// The largest number of arguments that a definition takes.
pub const MOST_FORMALS: usize = 100;
/// How many steps a call counts for: it makes a scope and a frame.
const CALL_STEPS: usize = 10;
/// The longest name, in bytes.
pub const LONGEST_NAME: usize = 200;
/// The longest path of a scope, in bytes.
pub const LONGEST_PATH: usize = 1000;
/// The largest number of operations, whatever the length of the text.
pub const MOST_NODES: usize = 1_000_000;
/// After this many errors the lowering gives up.
const MOST_ERRORS: usize = 200;

/// Says that an error has been recorded.
#[derive(Clone, Copy, Debug)]
struct Reported;

/// A value, or an error that has been recorded.
type Lowered<T> = Result<T, Reported>;

/// Lowers a program to its graph, or says everything that is wrong with it.
pub fn lower(program: &Program) -> Result<Graph, Vec<Diagnostic>> {
    let mut lowering = Lowering::new(program);
    lowering.placement(program);
    lowering.definitions(program);
    lowering.constants(program);
    lowering.network(program);
    lowering.rules(program);
    lowering.conclude()
}

/// The state of the walk.
struct Lowering<'a> {
    graph: Graph,
    errors: Vec<Diagnostic>,
    reported: HashSet<(String, Span)>,
    /// Set when a limit is passed: nothing is lowered any more.
    stopped: bool,
    /// Texts with a lower number belong to the prelude.
    prelude_end: u16,
    /// Scale symbols and dims, by the file they are seen in.
    constants: HashMap<FileId, HashMap<&'a str, Binding<'a>>>,
    definitions: Vec<&'a ast::Def>,
    /// What the prelude defines, by name; it sees nothing else.
    prelude_names: HashMap<&'a str, usize>,
    /// What the spec and the files it uses define.
    definition_names: HashMap<&'a str, usize>,
    /// The main text and the calls that are being expanded, innermost last.
    frames: Vec<Frame<'a>>,
    /// Base values of the scale symbols.
    bases: Vec<Rational>,
    symbols: Vec<String>,
    /// Tensors that hold whole numbers below a length.
    classes: HashMap<NodeId, Dim>,
    /// The node of every parameter.
    param_nodes: Vec<NodeId>,
    /// Which nodes depend on a parameter.
    trained: Vec<bool>,
    /// The names that are taken in a scope.
    taken: HashMap<ScopeId, HashMap<String, usize>>,
    external: Vec<(&'a [ast::Ident], &'a ast::Text)>,
    loss: Option<Span>,
    network: Option<Span>,
    /// Calls in the loss that declare parameters of their own, by the place of the callee.
    layers_of_loss: HashMap<Span, NodeId>,
    depth: usize,
    /// Steps left.
    fuel: usize,
    /// Operations that may be appended in all.
    most_nodes: usize,
}

impl<'a> Lowering<'a> {
    fn new(program: &Program<'a>) -> Lowering<'a> {
        let root = Scope { name: String::new(), parent: None, block: None, span: Span::default() };
        let graph = Graph { name: program.name.clone(), scopes: vec![root], ..Graph::default() };
        Lowering {
            graph,
            errors: Vec::new(),
            reported: HashSet::new(),
            stopped: false,
            prelude_end: program.prelude.iter().map(|unit| unit.file.0 + 1).max().unwrap_or(0),
            constants: HashMap::new(),
            definitions: Vec::new(),
            prelude_names: HashMap::new(),
            definition_names: HashMap::new(),
            frames: vec![Frame::new(program.main.file, ScopeId(0))],
            bases: Vec::new(),
            symbols: Vec::new(),
            classes: HashMap::new(),
            param_nodes: Vec::new(),
            trained: Vec::new(),
            taken: HashMap::new(),
            external: Vec::new(),
            loss: None,
            network: None,
            layers_of_loss: HashMap::new(),
            depth: 0,
            fuel: program.bytes.saturating_mul(200).saturating_add(200_000).min(5 * MOST_NODES),
            most_nodes: program.bytes.saturating_mul(20).saturating_add(10_000).min(MOST_NODES),
        }
    }

    /// Records an error. Inside a definition, the call in the reader's own text is pointed at too.
    fn report(&mut self, mut error: Diagnostic) -> Reported {
        let place = error.labels.first().map(|label| label.span).unwrap_or_default();
        if self.stopped || !self.reported.insert((error.message.clone(), place)) {
            return Reported;
        }
        if let Some((span, name)) =
            self.outer_call().filter(|(span, _)| error.labels.iter().all(|own| own.span != *span))
        {
            let label = Label { span, text: format!("in this call of `{name}`") };
            // The reader's own text comes first, also where the prelude is what disagrees with it.
            let at = if self.in_prelude(place.file) { 0 } else { error.labels.len() };
            error.labels.insert(at, label);
        }
        self.errors.push(error);
        self.stopped = self.errors.len() >= MOST_ERRORS;
        Reported
    }

    /// The innermost call that is not written in the prelude.
    fn outer_call(&self) -> Option<(Span, &'a str)> {
        let calls = self.frames.iter().rev().filter_map(|frame| frame.call);
        calls
            .filter(|call| call.span.file.0 >= self.prelude_end)
            .map(|call| (call.span, self.definitions[call.definition].name.name.as_str()))
            .next()
    }

    /// Records an error about names, definitions or arguments.
    fn names_error(&mut self, message: impl Into<String>, span: Span, label: impl Into<String>) -> Reported {
        self.report(Diagnostic::new(Stage::Names, message).at(span, label))
    }

    /// Records an error about lengths and letters.
    fn shape_error(&mut self, message: impl Into<String>, span: Span, label: impl Into<String>) -> Reported {
        self.report(Diagnostic::new(Stage::Shape, message).at(span, label))
    }

    /// Goes one level deeper; the caller counts `depth` down again.
    fn descend(&mut self, span: Span) -> Lowered<()> {
        self.spend(span)?;
        if self.depth >= DEEPEST {
            let error = Diagnostic::new(Stage::Names, "definitions and expressions nest too deeply")
                .at(span, format!("more than {DEEPEST} levels deep"))
                .help("give inner parts a name of their own");
            return Err(self.report(error));
        }
        self.depth += 1;
        Ok(())
    }

    /// Counts one step.
    fn spend(&mut self, span: Span) -> Lowered<()> {
        if self.stopped {
            return Err(Reported);
        }
        if self.fuel == 0 || self.graph.len() >= self.most_nodes {
            let error = Diagnostic::new(Stage::Names, "the network has too many operations for a text of this length")
                .at(span, format!("more than {} operations or steps before this", self.graph.len()))
                .note("definitions that call others several times multiply: a chain of `n` of them makes 2^n copies")
                .help("write repeated layers with `repeat`, which is never unrolled");
            self.report(error);
            self.stopped = true;
            return Err(Reported);
        }
        self.fuel = self.fuel.saturating_sub(1);
        Ok(())
    }

    /// The frame of the statement at hand.
    fn frame(&self) -> &Frame<'a> {
        &self.frames[self.frames.len() - 1]
    }

    /// The frame of the statement at hand.
    fn frame_mut(&mut self) -> &mut Frame<'a> {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// The whole main text.
    fn network(&mut self, program: &Program<'a>) {
        for stmt in &program.main.ast.statements {
            self.main_statement(stmt);
        }
    }

    /// A statement of the main text: also those that no body may hold.
    fn main_statement(&mut self, stmt: &'a ast::Stmt) {
        use ast::StmtKind;
        match &stmt.kind {
            StmtKind::Network(name) => self.name_network(name),
            StmtKind::Data(kind, decls) => decls.iter().for_each(|decl| self.data(*kind, decl)),
            StmtKind::Name(path, text) => self.external.push((path, text)),
            StmtKind::Loss(expr) => self.loss(expr, stmt.span),
            StmtKind::Experiment(experiment) => self.experiment(experiment, stmt.span),
            StmtKind::Rules(_) | StmtKind::Setting(_) | StmtKind::Rule(_) => {}
            StmtKind::Dim(_) | StmtKind::Scale(_) | StmtKind::Use(_) | StmtKind::Def(_) => {}
            StmtKind::Param(_) | StmtKind::Assign(_) | StmtKind::Repeat(_) | StmtKind::Return(_) => {
                self.statement(stmt);
            }
        }
    }

    /// A statement of a body. Misplaced ones have been reported by the `placement` check.
    fn statement(&mut self, stmt: &'a ast::Stmt) {
        use ast::StmtKind;
        if self.spend(stmt.span).is_err() {
            return;
        }
        match &stmt.kind {
            StmtKind::Dim(bindings) => bindings.iter().for_each(|binding| self.local_dim(binding)),
            StmtKind::Param(decls) => decls.iter().for_each(|decl| self.param(decl)),
            StmtKind::Assign(assign) => self.assign(assign, stmt.span),
            StmtKind::Repeat(repeat) => self.repeat(repeat, stmt.span),
            StmtKind::Network(_)
            | StmtKind::Use(_)
            | StmtKind::Scale(_)
            | StmtKind::Data(..)
            | StmtKind::Def(_)
            | StmtKind::Return(_)
            | StmtKind::Loss(_)
            | StmtKind::Rules(_)
            | StmtKind::Experiment(_)
            | StmtKind::Setting(_)
            | StmtKind::Rule(_)
            | StmtKind::Name(..) => {}
        }
    }

    fn name_network(&mut self, name: &'a ast::Ident) {
        if let Some(first) = self.network.replace(name.span) {
            let error = Diagnostic::new(Stage::Names, "a network has one name")
                .at(name.span, "a second name")
                .at(first, "the first one");
            self.report(error);
        }
        self.graph.name.clone_from(&name.name);
    }

    /// The shape of a node, in the notation of the language.
    fn shape_text(&self, shape: &[Dim]) -> String {
        let lengths: Vec<String> = shape.iter().map(|dim| self.dim_text(dim)).collect();
        format!("[{}]", lengths.join(", "))
    }

    /// A length in the notation of the language.
    fn dim_text(&self, dim: &Dim) -> String {
        dim.display(&self.symbols).to_string()
    }
}
