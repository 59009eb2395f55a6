//! `experiment`: which small version of a network is trained. It is plain data; the lengths of this graph stay what they are.

use crate::diagnostic::{Diagnostic, Stage, did_you_mean};
use crate::graph::rules::{Experiment, Word};
use crate::rational::Rational;
use crate::source::Span;
use crate::syntax::ast::{self, Expr, Ident};

use super::{Lowered, Lowering};

/// The data sets that a spec may name; files are named on the command line.
const DATA: [&str; 3] = ["digits", "text", "synthetic"];

impl<'a> Lowering<'a> {
    pub(super) fn experiment(&mut self, experiment: &'a ast::Experiment, span: Span) {
        if let Some(first) = self.graph.experiment.as_ref().map(|first| first.span) {
            let error = Diagnostic::new(Stage::Names, "a spec has one experiment")
                .at(span, "a second one")
                .at(first, "the first one");
            self.report(error);
            return;
        }
        let known = self.known_data(&experiment.data);
        let lengths: Vec<Lowered<(Word, i64)>> =
            experiment.lengths.iter().map(|binding| self.small(&binding.name, &binding.value)).collect();
        let over = experiment.over.as_ref().map(|growth| self.growth(growth));
        let lengths: Lowered<Vec<(Word, i64)>> = lengths.into_iter().collect();
        let (Ok(()), Ok(lengths), Ok(over)) = (known, lengths, over.transpose()) else { return };
        let data = word(&experiment.data);
        self.graph.experiment = Some(Experiment { data, lengths, over, span });
    }

    fn known_data(&mut self, data: &Ident) -> Lowered<()> {
        if DATA.contains(&data.name.as_str()) {
            return Ok(());
        }
        let mut error = Diagnostic::new(Stage::Names, format!("there is no data set `{}`", data.name))
            .at(data.span, "unknown")
            .note(format!("known are {}", DATA.join(", ")));
        if let Some(hint) = did_you_mean(&data.name, DATA) {
            error = error.help(hint);
        }
        Err(self.report(error))
    }

    /// A dim or scale symbol of the spec with its small value.
    fn small(&mut self, name: &'a Ident, value: &'a Expr) -> Lowered<(Word, i64)> {
        let names: Vec<String> =
            self.graph.dims.iter().map(|(name, _)| name.clone()).chain(self.symbols.clone()).collect();
        if !names.contains(&name.name) {
            let message = format!("`{}` is neither a `dim` nor a `scale` of this spec", name.name);
            let mut error = Diagnostic::new(Stage::Names, message).at(name.span, "no length of that name");
            if let Some(hint) = did_you_mean(&name.name, names.iter().map(String::as_str)) {
                error = error.help(hint);
            }
            return Err(self.report(error));
        }
        Ok((word(name), self.count(value)?))
    }

    fn growth(&mut self, growth: &'a ast::Growth) -> Lowered<(Word, i64, i64)> {
        let symbol = &growth.symbol;
        if !self.symbols.contains(&symbol.name) {
            let message = format!("`{}` is not a scale symbol", symbol.name);
            let mut error =
                Diagnostic::new(Stage::Names, message).at(symbol.span, "only a scale symbol can grow");
            if let Some(hint) = did_you_mean(&symbol.name, self.symbols.iter().map(String::as_str)) {
                error = error.help(hint);
            }
            return Err(self.report(error));
        }
        let (first, last) = (self.count(&growth.first)?, self.count(&growth.last)?);
        if first.checked_mul(2).is_none_or(|second| second > last) {
            let error = Diagnostic::new(Stage::Names, "an exponent needs at least two values")
                .at(growth.last.span, format!("the values are doubled from {first} on"))
                .help("choose a last value that is at least twice the first");
            return Err(self.report(error));
        }
        Ok((word(symbol), first, last))
    }

    /// A positive whole number.
    fn count(&mut self, expr: &'a Expr) -> Lowered<i64> {
        let number = self.plain_number(expr, "a length of an experiment")?;
        number.to_integer().filter(|count| *count > 0).ok_or_else(|| self.no_count(number, expr.span))
    }

    fn no_count(&mut self, number: Rational, span: Span) -> super::Reported {
        self.names_error("a length must be a positive whole number", span, format!("this is {number}"))
    }
}

fn word(ident: &Ident) -> Word {
    Word { text: ident.name.clone(), span: ident.span }
}
