//! `parameterization` and `expect` blocks.

use super::Printer;
use super::expression::{Binding as Binds, Room};
use crate::syntax::ast::{Clause, ClauseValue, Ident, Pattern, Rule, RulesBlock, RulesKind, Setting};

impl Printer<'_> {
    pub(super) fn rules(&mut self, block: &RulesBlock, close: u32) {
        let (keyword, word) = match block.kind {
            RulesKind::Parameterization => ("parameterization ", " from "),
            RulesKind::Expect => ("expect ", " with "),
        };
        self.word(keyword);
        self.name(&block.title);
        if let Some(other) = &block.other {
            self.word(word);
            self.name(other);
        }
        self.block(&block.body, close);
    }

    pub(super) fn setting(&mut self, setting: &Setting) {
        self.keyed(&setting.key, &setting.value);
    }

    fn keyed(&mut self, key: &Ident, value: &ClauseValue) {
        self.name(key);
        self.word(" ");
        match value {
            ClauseValue::Power(expr) => self.expression(expr, Binds::Sum, Room::Length),
            ClauseValue::Word(word) => self.name(word),
            ClauseValue::Quoted(text) => self.quoted(text),
        }
    }

    pub(super) fn rule(&mut self, rule: &Rule) {
        self.separated(&rule.patterns, |printer, pattern: &Pattern| match pattern.quoted {
            true => printer.quoted(&pattern.path),
            false => printer.leaf(&pattern.path.value, pattern.path.span.start),
        });
        self.word(": ");
        self.separated(&rule.clauses, |printer, clause: &Clause| printer.keyed(&clause.key, &clause.value));
    }
}
