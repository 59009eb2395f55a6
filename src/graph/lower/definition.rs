//! Definitions: collecting them, and expanding a call into a copy of the body.
//!
//! A call evaluates its arguments where it stands, opens a scope (whose name is part of the paths of its parameters) and a frame
//! that sees nothing of the caller's names, binds the formals from left to right, and lowers the body. A pattern binds names to
//! lengths; a name that is bound already must have the same length, so that arguments are checked against each other.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::{Dim, Scalar};
use crate::graph::{BlockId, Func, NodeId, Scope, ScopeId};
use crate::source::{FileId, Span};
use crate::syntax::ast::{Call, Def, Formal, Ident, Index, IndexKind, StmtKind};

use super::builtin::Builtin;
use super::environment::{Binding, Expansion, Frame, Role, Tensor, Value};
use super::equation::Equation;
use super::{CALL_STEPS, DEEPEST_CALL, Lowered, Lowering, MOST_FORMALS, Program, Reported, Unit};

impl<'a> Lowering<'a> {
    /// Collects the definitions of all texts; those of the spec hide those of the prelude.
    pub(super) fn definitions(&mut self, program: &Program<'a>) {
        let mut prelude = HashMap::new();
        program.prelude.iter().for_each(|unit| self.define_all(unit, &mut prelude));
        let mut own = HashMap::new();
        program.used.iter().chain([&program.main]).for_each(|unit| self.define_all(unit, &mut own));
        self.prelude_names = prelude;
        self.definition_names = own;
    }

    fn define_all(&mut self, unit: &Unit<'a>, names: &mut HashMap<&'a str, usize>) {
        for stmt in &unit.ast.statements {
            if let StmtKind::Def(def) = &stmt.kind {
                self.define(def, names);
            }
        }
    }

    fn define(&mut self, def: &'a Def, names: &mut HashMap<&'a str, usize>) {
        let name = def.name.name.as_str();
        if Builtin::named(name).is_some() || Func::named(name).is_some() {
            let message = format!("`{name}` is a function of the language");
            self.names_error(message, def.name.span, "choose another name");
        } else if let Some(first) = names.get(name) {
            let error = Diagnostic::new(Stage::Names, format!("`{name}` is defined twice"))
                .at(def.name.span, "defined again here")
                .at(self.definitions[*first].name.span, "first defined here");
            self.report(error);
        } else if def.formals.len() > MOST_FORMALS {
            let label = format!("more than {MOST_FORMALS}");
            self.names_error(format!("`{name}` takes too many arguments"), def.name.span, label);
        } else if self.check_length(&def.name).is_ok() {
            names.insert(name, self.definitions.len());
            self.definitions.push(def);
        }
        self.check_formals(def);
    }

    fn check_formals(&mut self, def: &'a Def) {
        let mut seen = HashMap::new();
        for formal in &def.formals {
            if let Some(first) = seen.insert(formal.name.name.as_str(), formal.name.span) {
                let error =
                    Diagnostic::new(Stage::Names, format!("two arguments are called `{}`", formal.name.name))
                        .at(formal.name.span, "the second one")
                        .at(first, "the first one");
                self.report(error);
            }
        }
    }

    /// Expands a call.
    pub(super) fn call_definition(
        &mut self,
        id: usize,
        call: &'a Call,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Value> {
        self.check_calls(id, call.callee.span)?;
        self.fuel = self.fuel.saturating_sub(CALL_STEPS);
        let def = self.definitions[id];
        let formals: Vec<(&str, bool)> =
            def.formals.iter().map(|formal| (formal.name.name.as_str(), formal.default.is_none())).collect();
        let arguments = self.arguments(call, &formals, false)?;
        let mut values = Vec::with_capacity(formals.len());
        for position in 0..formals.len() {
            let given = arguments.get(position);
            values.push(given.map(|expr| self.eval(expr, equation, false).map(|value| (value, expr.span))));
        }
        let label = call.instance.as_ref().unwrap_or(&def.name);
        self.check_label(label)?;
        self.enter(id, label, call.callee.span, span);
        let params = self.graph.params.len();
        let result = self.expand(def, values);
        self.frames.pop();
        self.note_layer(call.callee.span, params, &result);
        result.map(|value| whole(value, span))
    }

    /// Notes a layer that is called in the loss.
    fn note_layer(&mut self, callee: Span, params: usize, value: &Lowered<Value>) {
        let in_loss = self.loss.is_some() && self.frames.len() == 1;
        if let (true, Ok(Value::Tensor(tensor))) = (in_loss && self.graph.params.len() > params, value) {
            self.layers_of_loss.insert(callee, tensor.node);
        }
    }

    /// Refuses recursion and calls nested too deeply.
    fn check_calls(&mut self, id: usize, span: Span) -> Lowered<()> {
        let calls: Vec<Expansion> = self.frames.iter().filter_map(|frame| frame.call).collect();
        let name = |id: usize| self.definitions[id].name.name.as_str();
        if let Some(start) = calls.iter().position(|call| call.definition == id) {
            let shown = calls[start..].iter().take(8).map(|call| name(call.definition));
            let cycle: Vec<&str> = shown.chain([name(id)]).collect();
            let error = Diagnostic::new(Stage::Names, format!("the definition `{}` calls itself", name(id)))
                .at(span, "called again here")
                .at(self.definitions[id].name.span, "while this is being expanded")
                .note(format!("the calls go {}", cycle.join(" -> ")))
                .help("write what repeats as `repeat COUNT { ... }`");
            return Err(self.report(error));
        }
        if calls.len() >= DEEPEST_CALL {
            let label = format!("more than {DEEPEST_CALL} calls deep");
            return Err(self.names_error("definitions call each other too deeply", span, label));
        }
        Ok(())
    }

    /// Opens the frame and the scope of a call.
    fn enter(&mut self, id: usize, label: &'a Ident, callee: Span, span: Span) {
        let scope = self.open_scope(&label.name, None, span);
        let mut frame = Frame::new(self.definitions[id].name.span.file, scope);
        frame.block = self.frame().block;
        frame.call = Some(Expansion { definition: id, span: callee });
        self.frames.push(frame);
    }

    /// A new scope inside of the one at hand, numbered if its name is taken.
    pub(super) fn open_scope(&mut self, name: &str, block: Option<BlockId>, span: Span) -> ScopeId {
        let parent = self.frame().scope;
        let name = self.free_name(parent, name);
        let id = ScopeId(self.graph.scopes.len() as u32);
        self.graph.scopes.push(Scope { name, parent: Some(parent), block, span });
        id
    }

    /// A name that nothing in the scope has yet: `linear`, `linear_2`, ...
    pub(super) fn free_name(&mut self, scope: ScopeId, name: &str) -> String {
        let taken = self.taken.entry(scope).or_default();
        let mut free = name.to_string();
        let mut number = taken.get(name).copied().unwrap_or(0);
        while taken.contains_key(&free) {
            number = number.max(1) + 1;
            free = format!("{name}_{number}");
        }
        taken.insert(name.to_string(), number.max(1));
        taken.entry(free.clone()).or_insert(1);
        free
    }

    /// Binds the arguments and lowers the body.
    fn expand(&mut self, def: &'a Def, values: Vec<Option<Lowered<(Value, Span)>>>) -> Lowered<Value> {
        let mut bound = Ok(());
        for (formal, value) in def.formals.iter().zip(values) {
            if self.bind_formal(formal, value).is_err() {
                self.bind(&formal.name, Value::Poison, Role::Formal);
                bound = Err(Reported);
            }
        }
        bound?;
        self.body(def)
    }

    fn bind_formal(&mut self, formal: &'a Formal, value: Option<Lowered<(Value, Span)>>) -> Lowered<()> {
        let (value, span) = match (value, &formal.default) {
            (Some(given), _) => given?,
            (None, Some(default)) => (self.eval(default, &mut Equation::free(), true)?, default.span),
            (None, None) => return Err(Reported),
        };
        let value = whole(value, span);
        if let Some(pattern) = &formal.pattern {
            self.bind_pattern(formal, pattern, &value, span)?;
        }
        if let Value::Number(number) = &value {
            return self.bind_length(&formal.name, number, span, Role::Formal);
        }
        self.bind(&formal.name, value, Role::Formal);
        Ok(())
    }

    /// Binds a name to a length, or compares it with the length it is bound to.
    fn bind_length(&mut self, name: &'a Ident, number: &Scalar, span: Span, role: Role) -> Lowered<()> {
        self.agree(&name.name, number, span)?;
        let binding = Binding { value: Value::Number(number.clone()), role, span, name: &name.name };
        self.frame_mut().bind(binding);
        Ok(())
    }

    /// A name bound in the frame already must have this value.
    fn agree(&mut self, name: &'a str, number: &Scalar, span: Span) -> Lowered<()> {
        let Some(known) = self.frame().values.get(name) else { return Ok(()) };
        let Value::Number(value) = &known.value else { return Ok(()) };
        if value == number {
            return Ok(());
        }
        let (ours, theirs) = (number.display(&self.symbols), value.display(&self.symbols));
        let definition = self.frame().call.map(|call| self.definitions[call.definition].name.name.as_str());
        let error = Diagnostic::new(Stage::Shape, format!("`{name}` has two lengths"))
            .at(span, format!("`{name}` is `{ours}` here"))
            .at(known.span, format!("but `{theirs}` here"))
            .note(format!(
                "arguments of `{}` that share a letter must agree in its length",
                definition.unwrap_or("it")
            ));
        Err(self.report(error))
    }

    /// Binds the names of a pattern to the lengths of a tensor.
    fn bind_pattern(
        &mut self,
        formal: &'a Formal,
        pattern: &'a [Index],
        value: &Value,
        span: Span,
    ) -> Lowered<()> {
        let Value::Tensor(tensor) = value else {
            let error = Diagnostic::new(Stage::Names, format!("`{}` must be a tensor", formal.name.name))
                .at(span, "not a tensor")
                .at(formal.name.span, "the definition takes one with these axes");
            return Err(self.report(error));
        };
        let shape = self.shape(tensor.node).to_vec();
        let rests = pattern.iter().filter(|index| index.kind == IndexKind::Rest).count();
        let named = pattern.len() - rests;
        if rests > 1 || named > shape.len() || (rests == 0 && named < shape.len()) {
            return Err(self.bad_pattern(tensor.node, formal, pattern, span));
        }
        let mut at = 0;
        for index in pattern {
            if index.kind == IndexKind::Rest {
                at += shape.len() - named;
            } else {
                self.bind_axis(index, &shape[at], span)?;
                at += 1;
            }
        }
        Ok(())
    }

    fn bad_pattern(&mut self, node: NodeId, formal: &Formal, pattern: &[Index], span: Span) -> Reported {
        let shape = self.shape_text(&self.graph.node(node).shape);
        let place = pattern.iter().map(|index| index.span).reduce(Span::to).unwrap_or(formal.name.span);
        let error =
            Diagnostic::new(Stage::Shape, format!("`{}` has another number of axes", formal.name.name))
                .at(span, format!("its shape is {shape}"))
                .at(place, "the definition takes these axes");
        self.report(error)
    }

    fn bind_axis(&mut self, index: &'a Index, length: &Dim, span: Span) -> Lowered<()> {
        let number = Scalar::from(length);
        let said = match &index.kind {
            IndexKind::Axis(name) => {
                self.agree(name, &number, span)?;
                let binding = Binding { value: Value::Number(number), role: Role::Dim, span, name };
                self.frame_mut().bind(binding);
                return Ok(());
            }
            IndexKind::Sized(name, expr) => {
                let said = self.length(expr)?;
                let binding = Binding { value: Value::Number(number), role: Role::Dim, span, name };
                self.frame_mut().bind(binding);
                said
            }
            IndexKind::At(expr) => self.length(expr)?,
            IndexKind::Group(_) | IndexKind::Rest => {
                let label = "an argument's axes are names, lengths and `..`";
                return Err(self.names_error(
                    "a definition cannot split the axes of its arguments",
                    index.span,
                    label,
                ));
            }
        };
        if said == *length {
            return Ok(());
        }
        let (ours, theirs) = (self.dim_text(length), self.dim_text(&said));
        let error = Diagnostic::new(Stage::Shape, "this argument's axis has another length")
            .at(span, format!("`{ours}` here"))
            .at(index.span, format!("but the definition takes `{theirs}`"));
        Err(self.report(error))
    }

    /// Lowers the statements of a definition and gives what it returns.
    fn body(&mut self, def: &'a Def) -> Lowered<Value> {
        let mut result = Err(Reported);
        for stmt in &def.body {
            match &stmt.kind {
                StmtKind::Return(expr) => {
                    let mut equation = Equation::free();
                    self.survey(expr, &mut equation);
                    result = self.eval(expr, &mut equation, true);
                }
                _ => self.statement(stmt),
            }
        }
        result
    }

    /// Whether a text belongs to the prelude.
    pub(super) fn in_prelude(&self, file: FileId) -> bool {
        file.0 < self.prelude_end
    }
}

/// Drops the letters of a tensor.
fn whole(value: Value, span: Span) -> Value {
    match value {
        Value::Tensor(tensor) => Value::Tensor(Tensor { axes: None, span, ..tensor }),
        value => value,
    }
}
