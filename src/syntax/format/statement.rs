//! Statements.

use super::Printer;
use super::expression::{Binding as Binds, Room};
use crate::syntax::ast::{
    Assign, AssignOp, Binding, DataDecl, DataKind, Def, Experiment, Expr, Formal, ParamDecl, Repeat, Stmt,
    StmtKind, Text,
};

impl Printer<'_> {
    /// A statement, with its body if it has one; the line is ended.
    pub fn statement(&mut self, statement: &Stmt) {
        let close = statement.span.end.saturating_sub(1);
        match &statement.kind {
            StmtKind::Def(def) => return self.definition(def, close),
            StmtKind::Repeat(repeat) => return self.repeat(repeat, close),
            StmtKind::Rules(block) => return self.rules(block, close),
            StmtKind::Setting(setting) => self.setting(setting),
            StmtKind::Rule(rule) => self.rule(rule),
            StmtKind::Network(name) => {
                self.word("network ");
                self.name(name);
            }
            StmtKind::Use(file) => {
                self.word("use ");
                self.quoted(file);
            }
            StmtKind::Scale(bindings) => self.bindings("scale ", bindings),
            StmtKind::Dim(bindings) => self.bindings("dim ", bindings),
            StmtKind::Data(kind, data) => self.data(*kind, data),
            StmtKind::Param(params) => {
                self.word("param ");
                self.separated(params, |printer, param| printer.param(param));
            }
            StmtKind::Assign(assign) => self.assign(assign),
            StmtKind::Return(value) => self.keyword_value("return ", value),
            StmtKind::Loss(value) => self.keyword_value("loss ", value),
            StmtKind::Experiment(experiment) => self.experiment(experiment),
            StmtKind::Name(path, external) => {
                self.word("name ");
                for (at, step) in path.iter().enumerate() {
                    self.word(if at > 0 { "." } else { "" });
                    self.name(step);
                }
                self.word(" as ");
                self.quoted(external);
            }
        }
        self.end_line();
    }

    pub(super) fn quoted(&mut self, text: &Text) {
        self.leaf(&format!("\"{}\"", text.value), text.span.start);
    }

    fn experiment(&mut self, experiment: &Experiment) {
        self.word("experiment ");
        self.name(&experiment.data);
        if !experiment.lengths.is_empty() {
            self.bindings(" with ", &experiment.lengths);
        }
        if let Some(growth) = &experiment.over {
            self.word(" over ");
            self.name(&growth.symbol);
            self.value(&growth.first);
            self.word("..");
            self.expression(&growth.last, Binds::Sum, Room::Length);
        }
    }

    fn bindings(&mut self, keyword: &str, bindings: &[Binding]) {
        self.word(keyword);
        self.separated(bindings, |printer, binding| {
            printer.name(&binding.name);
            printer.value(&binding.value);
        });
    }

    /// ` = e`, where lengths are given rather than equations.
    fn value(&mut self, value: &Expr) {
        self.word(" = ");
        self.expression(value, Binds::Sum, Room::Length);
    }

    fn keyword_value(&mut self, keyword: &str, value: &Expr) {
        self.word(keyword);
        self.expression(value, Binds::Sum, Room::Equation);
    }

    fn data(&mut self, kind: DataKind, data: &[DataDecl]) {
        self.word(match kind {
            DataKind::Input => "input ",
            DataKind::Target => "target ",
        });
        self.separated(data, |printer, data| {
            printer.name(&data.name);
            printer.axes(&data.dims);
            if let Some(classes) = &data.classes {
                printer.word(" in ");
                printer.expression(classes, Binds::Sum, Room::Length);
            }
        });
    }

    fn param(&mut self, param: &ParamDecl) {
        self.name(&param.name);
        self.axes(&param.dims);
        if let Some(init) = &param.init {
            self.value(init);
        }
        if let Some(frozen) = param.frozen {
            self.word(" ");
            self.leaf("frozen", frozen.start);
        }
        if let Some(external) = &param.external {
            self.word(" as ");
            self.quoted(external);
        }
    }

    fn assign(&mut self, assign: &Assign) {
        self.name(&assign.target);
        if let Some(indices) = &assign.indices {
            self.indices(indices);
        }
        self.word(match assign.op {
            AssignOp::Set => " = ",
            AssignOp::Add => " += ",
        });
        self.expression(&assign.value, Binds::Sum, Room::Equation);
    }

    fn definition(&mut self, def: &Def, close: u32) {
        self.word("def ");
        self.name(&def.name);
        self.word("(");
        self.separated(&def.formals, |printer, formal| printer.formal(formal));
        self.word(")");
        self.block(&def.body, close);
    }

    fn formal(&mut self, formal: &Formal) {
        self.name(&formal.name);
        if let Some(pattern) = &formal.pattern {
            self.indices(pattern);
        }
        if let Some(default) = &formal.default {
            self.value(default);
        }
    }

    fn repeat(&mut self, repeat: &Repeat, close: u32) {
        self.word("repeat ");
        if let Some(letter) = &repeat.letter {
            self.name(letter);
            self.word(" over ");
        }
        self.count(&repeat.count, repeat.shared.is_none() && repeat.label.is_some());
        if let Some(shared) = repeat.shared {
            self.word(" ");
            self.leaf("shared", shared.start);
        }
        if let Some(label) = &repeat.label {
            self.word(" as ");
            self.name(label);
        }
        self.block(&repeat.body, close);
    }
}
