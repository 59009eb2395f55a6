//! What names stand for: values, frames and the look-up.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Stage, did_you_mean};
use crate::dim::Scalar;
use crate::graph::{BlockId, Func, NodeId, ScopeId};
use crate::source::{FileId, Span};
use crate::syntax::ast::Ident;

use super::builtin::Builtin;
use super::equation::Axes;
use super::scan::Scan;
use super::{Lowered, Lowering, Reported};

/// What an expression or a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A number or a length: exact.
    Number(Scalar),
    /// `?`
    Hole,
    /// A tensor.
    Tensor(Tensor),
    /// Something to call.
    Function(Function),
    /// The result of an expression that was reported as wrong.
    Poison,
}

/// A tensor, with the letters of its axes if it has some.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub(super) node: NodeId,
    /// One letter per axis; `None` if the tensor is whole.
    pub(super) axes: Option<Axes>,
    /// The expression it comes from.
    pub(super) span: Span,
}

/// Something to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// An elementwise function.
    Elementwise(Func),
    /// Another function of the language.
    Builtin(Builtin),
    /// A definition, by its place in the table.
    Definition(usize),
}

/// Why a name is bound: says what may be done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A scale symbol.
    Scale,
    /// A length.
    Dim,
    /// A parameter.
    Param,
    /// An input or target.
    Data,
    /// An argument of a definition.
    Formal,
    /// Assigned.
    Assigned,
}

impl Role {
    /// What to call it in messages.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Role::Scale => "a scale symbol",
            Role::Dim => "a dim",
            Role::Param => "a parameter",
            Role::Data => "an input or target",
            Role::Formal => "an argument",
            Role::Assigned => "a tensor",
        }
    }
}

/// What a name is bound to, and where.
#[derive(Clone, Debug)]
pub(super) struct Binding<'a> {
    pub(super) value: Value,
    pub(super) role: Role,
    pub(super) span: Span,
    pub(super) name: &'a str,
}

/// A call that is being expanded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expansion {
    pub(super) definition: usize,
    pub(super) span: Span,
}

/// The names of the main text or of one call.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) file: FileId,
    pub(super) values: HashMap<&'a str, Binding<'a>>,
    /// What was overwritten since the outermost repetition of this frame began, to be restored at its end.
    pub(super) journal: Vec<(&'a str, Option<Binding<'a>>)>,
    pub(super) scope: ScopeId,
    pub(super) block: Option<BlockId>,
    /// The repetitions around that have a letter, innermost last.
    pub(super) scans: Vec<Scan<'a>>,
    /// What these have collected so far, and where.
    pub(super) collecting: HashMap<&'a str, Span>,
    pub(super) call: Option<Expansion>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(file: FileId, scope: ScopeId) -> Frame<'a> {
        Frame {
            file,
            values: HashMap::new(),
            journal: Vec::new(),
            scope,
            block: None,
            scans: Vec::new(),
            collecting: HashMap::new(),
            call: None,
        }
    }

    /// Binds a name, hiding what it stood for.
    pub(super) fn bind(&mut self, binding: Binding<'a>) {
        let name = binding.name;
        let old = self.values.insert(name, binding);
        self.journal.push((name, old));
    }

    /// Undoes the bindings since the journal had this length.
    pub(super) fn restore(&mut self, mark: usize) {
        for (name, old) in self.journal.drain(mark..).rev() {
            match old {
                Some(binding) => self.values.insert(name, binding),
                None => self.values.remove(name),
            };
        }
    }
}

impl<'a> Lowering<'a> {
    /// What a name is bound to: in the frame, else among the constants of its file.
    pub(super) fn find(&self, name: &str) -> Option<&Binding<'a>> {
        let frame = self.frame();
        frame.values.get(name).or_else(|| self.constants.get(&frame.file)?.get(name))
    }

    /// The value of a name; functions have names too.
    pub(super) fn look_up(&mut self, ident: &'a Ident) -> Lowered<Value> {
        self.check_complete(ident)?;
        match self.find(&ident.name).map(|binding| &binding.value) {
            Some(Value::Poison) => Err(Reported),
            Some(Value::Tensor(tensor)) => Ok(Value::Tensor(Tensor { span: ident.span, ..tensor.clone() })),
            Some(value) => Ok(value.clone()),
            None => match self.function_named(&ident.name) {
                Some(function) => Ok(Value::Function(function)),
                None => Err(self.unknown(ident)),
            },
        }
    }

    /// The function of a name, unless the name stands for something else.
    pub(super) fn function_named(&self, name: &str) -> Option<Function> {
        let own = self.definition_names.get(name).filter(|_| !self.in_prelude(self.frame().file));
        let definition = own.or_else(|| self.prelude_names.get(name)).copied().map(Function::Definition);
        definition
            .or_else(|| Builtin::named(name).map(Function::Builtin))
            .or_else(|| Func::named(name).map(Function::Elementwise))
    }

    /// What a call calls: a function that was passed as an argument, else the function of that name.
    pub(super) fn callee(&mut self, ident: &'a Ident) -> Lowered<Function> {
        let bound = self.find(&ident.name);
        let (role, span) = match bound.map(|binding| (&binding.value, binding.role, binding.span)) {
            Some((Value::Function(function), ..)) => return Ok(*function),
            Some((Value::Poison, ..)) => return Err(Reported),
            Some((_, role, span)) => (role, span),
            None => {
                return self.function_named(&ident.name).ok_or_else(|| self.unknown_function(ident));
            }
        };
        if let Some(function) = self.function_named(&ident.name) {
            return Ok(function);
        }
        let error = Diagnostic::new(Stage::Names, format!("`{}` is not a function", ident.name))
            .at(ident.span, "called here")
            .at(span, format!("it is {}", role.noun()));
        Err(self.report(error))
    }

    /// Every name that can be called.
    fn function_names(&self) -> impl Iterator<Item = &str> {
        let functions = Func::ALL.iter().map(|func| func.name());
        let definitions = self.definition_names.keys().chain(self.prelude_names.keys()).copied();
        definitions.chain(functions).chain(Builtin::ALL.iter().map(|own| own.name()))
    }

    fn unknown_function(&mut self, ident: &Ident) -> Reported {
        let help = did_you_mean(&ident.name, self.function_names())
            .unwrap_or_else(|| "define it: `def NAME(...) { ... return ... }`".to_string());
        let error = Diagnostic::new(Stage::Names, format!("unknown function `{}`", ident.name))
            .at(ident.span, "no definition of this name")
            .help(help);
        self.report(error)
    }

    fn unknown(&mut self, ident: &Ident) -> Reported {
        let frame = self.frame();
        let constants = self.constants.get(&frame.file).into_iter().flat_map(HashMap::keys);
        let seen = frame.values.keys().chain(constants).copied();
        // One letter is near every other one.
        let help =
            did_you_mean(&ident.name, seen.chain(self.function_names())).filter(|_| ident.name.len() > 1);
        let mut error = Diagnostic::new(Stage::Names, format!("unknown name `{}`", ident.name))
            .at(ident.span, "nothing of this name is known here")
            .help_if(help);
        if frame.call.is_some() && self.frames[0].values.contains_key(ident.name.as_str()) {
            error = error.note(
                "a definition sees only its arguments, other definitions, and the dims of its own file",
            );
        }
        if self.counts_steps(&ident.name) {
            error = error.note("it is the letter of a repetition: it stands in index lists, as in `x[t, i]`");
        }
        self.report(error)
    }

    /// Refuses a name that is taken, or too long to be part of a path.
    pub(super) fn check_new(&mut self, ident: &'a Ident, noun: &str) -> Lowered<()> {
        self.check_length(ident)?;
        let Some((role, span)) = self.find(&ident.name).map(|known| (known.role, known.span)) else {
            return Ok(());
        };
        let error = Diagnostic::new(Stage::Names, format!("the name `{}` is taken", ident.name))
            .at(ident.span, format!("{noun} of this name"))
            .at(span, format!("it is {} already", role.noun()));
        Err(self.report(error))
    }

    /// Refuses a name that is too long to be part of a path.
    pub(super) fn check_length(&mut self, ident: &Ident) -> Lowered<()> {
        if ident.name.len() <= super::LONGEST_NAME {
            return Ok(());
        }
        let label = format!("longer than {} letters", super::LONGEST_NAME);
        Err(self.names_error("this name is too long", ident.span, label))
    }

    /// Refuses the name of a scope that is too long, or too long with all those around it.
    pub(super) fn check_label(&mut self, ident: &Ident) -> Lowered<()> {
        self.check_length(ident)?;
        if self.graph.scope_path(self.frame().scope).len() + ident.name.len() <= super::LONGEST_PATH {
            return Ok(());
        }
        let label = format!("the names around it make a path of more than {} letters", super::LONGEST_PATH);
        Err(self.names_error("this path is too long", ident.span, label))
    }

    /// Binds a name in the frame at hand.
    pub(super) fn bind(&mut self, ident: &'a Ident, value: Value, role: Role) {
        self.frame_mut().bind(Binding { value, role, span: ident.span, name: &ident.name });
    }
}
