//! Matching the arguments of a call with what is called.

use crate::diagnostic::{Diagnostic, Stage, did_you_mean};
use crate::source::Span;
use crate::syntax::ast::{Arg, Call, Expr, Ident};

use super::{Lowered, Lowering, Reported};

/// What a call gives for each formal.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    values: Vec<Option<&'a Expr>>,
    /// The letters behind `over`.
    pub(super) over: Option<&'a [Ident]>,
}

impl<'a> Arguments<'a> {
    /// What was given for a formal, if anything.
    pub(super) fn get(&self, position: usize) -> Option<&'a Expr> {
        self.values.get(position).copied().flatten()
    }

    /// What was given for a formal that has no default; its absence has been reported.
    pub(super) fn required(&self, position: usize) -> Lowered<&'a Expr> {
        self.get(position).ok_or(Reported)
    }
}

impl<'a> Lowering<'a> {
    /// Matches arguments with formals, each a name and whether it must be given.
    pub(super) fn arguments(
        &mut self,
        call: &'a Call,
        formals: &[(&str, bool)],
        over: bool,
    ) -> Lowered<Arguments<'a>> {
        let before = self.errors.len();
        let mut arguments = Arguments { values: vec![None; formals.len()], over: None };
        let mut next = 0;
        for arg in &call.args {
            match arg {
                Arg::Positional(expr) => {
                    self.place(call, formals, &mut arguments, next, expr, expr.span);
                    next += 1;
                }
                Arg::Named(name, expr) => match formals.iter().position(|(formal, _)| *formal == name.name) {
                    Some(position) => self.place(call, formals, &mut arguments, position, expr, name.span),
                    None => self.no_such_formal(call, formals, name),
                },
                Arg::Over(letters, span) => self.place_over(call, &mut arguments, over, letters, *span),
            }
        }
        if self.errors.len() == before {
            self.check_missing(call, formals, &arguments);
        }
        if self.errors.len() > before || self.stopped { Err(Reported) } else { Ok(arguments) }
    }

    fn place(
        &mut self,
        call: &Call,
        formals: &[(&str, bool)],
        arguments: &mut Arguments<'a>,
        position: usize,
        expr: &'a Expr,
        span: Span,
    ) {
        let callee = &call.callee.name;
        let Some((formal, _)) = formals.get(position) else {
            let names: Vec<String> = formals.iter().map(|(name, _)| format!("`{name}`")).collect();
            let error = Diagnostic::new(Stage::Names, format!("`{callee}` is given too many arguments"))
                .at(span, "one too many")
                .note(format!(
                    "it takes {}",
                    if names.is_empty() { "nothing".to_string() } else { names.join(", ") }
                ));
            self.report(error);
            return;
        };
        if let Some(first) = arguments.values[position].replace(expr) {
            let error = Diagnostic::new(Stage::Names, format!("`{formal}` of `{callee}` is given twice"))
                .at(span, "given again here")
                .at(first.span, "given here");
            self.report(error);
        }
    }

    fn no_such_formal(&mut self, call: &Call, formals: &[(&str, bool)], name: &Ident) {
        let (callee, given) = (&call.callee.name, &name.name);
        let names: Vec<String> = formals.iter().map(|(name, _)| format!("`{name}`")).collect();
        let error = Diagnostic::new(Stage::Names, format!("`{callee}` has no argument `{given}`"))
            .at(name.span, "no such argument")
            .note(format!(
                "it takes {}",
                if names.is_empty() { "nothing".to_string() } else { names.join(", ") }
            ))
            .help_if(did_you_mean(given, formals.iter().map(|(name, _)| *name)));
        self.report(error);
    }

    fn place_over(
        &mut self,
        call: &Call,
        arguments: &mut Arguments<'a>,
        allowed: bool,
        letters: &'a [Ident],
        span: Span,
    ) {
        let callee = &call.callee.name;
        if !allowed {
            self.names_error(
                format!("`{callee}` has no axis to go over"),
                span,
                "`over` belongs to functions along an axis",
            );
        } else if arguments.over.replace(letters).is_some() {
            self.names_error(
                format!("`{callee}` has two `over`"),
                span,
                "write `over (a b)` for several axes",
            );
        }
    }

    fn check_missing(&mut self, call: &Call, formals: &[(&str, bool)], arguments: &Arguments<'a>) {
        let missing: Vec<String> = formals
            .iter()
            .zip(&arguments.values)
            .filter(|((_, required), value)| *required && value.is_none())
            .map(|((name, _), _)| format!("`{name}`"))
            .collect();
        if !missing.is_empty() {
            let message = format!("`{}` needs {}", call.callee.name, missing.join(" and "));
            self.names_error(message, call.callee.span, "not given in this call");
        }
    }
}
