//! Which statement may stand where.
//!
//! The grammar lets every statement stand in every body, so that a misplaced one is read as what it is; the table of what is
//! allowed is `allowed`.

use crate::diagnostic::{Diagnostic, Stage};
use crate::source::Span;
use crate::syntax::ast::{Def, RulesBlock, RulesKind, Stmt, StmtKind};

use super::{Lowering, Program};

/// What a statement stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The spec itself.
    Main,
    /// A file that `use` names.
    Used,
    /// A definition.
    Def,
    /// A repetition.
    Repeat,
}

/// The keyword that a statement begins with.
fn keyword(kind: &StmtKind) -> &'static str {
    match kind {
        StmtKind::Network(_) => "network",
        StmtKind::Use(_) => "use",
        StmtKind::Scale(_) => "scale",
        StmtKind::Dim(_) => "dim",
        StmtKind::Data(..) => "input` or `target",
        StmtKind::Param(_) => "param",
        StmtKind::Def(_) => "def",
        StmtKind::Assign(_) => "an assignment",
        StmtKind::Repeat(_) => "repeat",
        StmtKind::Return(_) => "return",
        StmtKind::Loss(_) => "loss",
        StmtKind::Name(..) => "name",
        StmtKind::Rules(RulesBlock { kind: RulesKind::Parameterization, .. }) => "parameterization",
        StmtKind::Rules(RulesBlock { kind: RulesKind::Expect, .. }) => "expect",
        StmtKind::Experiment(_) => "experiment",
        StmtKind::Setting(_) | StmtKind::Rule(_) => "a rule",
    }
}

/// Whether a statement may stand in a place.
fn allowed(kind: &StmtKind, place: Place) -> bool {
    match (kind, place) {
        (StmtKind::Return(_), _) => place == Place::Def,
        (_, Place::Main) => true,
        (StmtKind::Rules(block), Place::Used) => block.kind == RulesKind::Parameterization,
        (kind, Place::Used) => matches!(kind, StmtKind::Def(_) | StmtKind::Dim(_) | StmtKind::Use(_)),
        (kind, Place::Def | Place::Repeat) => {
            matches!(kind, StmtKind::Dim(_) | StmtKind::Param(_) | StmtKind::Assign(_) | StmtKind::Repeat(_))
        }
    }
}

impl<'a> Lowering<'a> {
    /// Reports every misplaced statement.
    pub(super) fn placement(&mut self, program: &Program<'a>) {
        let used = program.prelude.iter().chain(&program.used);
        used.for_each(|unit| self.check_placement(&unit.ast.statements, Place::Used));
        self.check_placement(&program.main.ast.statements, Place::Main);
    }

    fn check_placement(&mut self, statements: &'a [Stmt], place: Place) {
        for stmt in statements {
            if !allowed(&stmt.kind, place) {
                self.misplaced(stmt, place);
            }
            match &stmt.kind {
                StmtKind::Def(def) => self.check_def(def),
                StmtKind::Repeat(repeat) => self.check_placement(&repeat.body, Place::Repeat),
                _ => {}
            }
        }
    }

    fn misplaced(&mut self, stmt: &Stmt, place: Place) {
        let keyword = keyword(&stmt.kind);
        let (here, help) = match place {
            Place::Main => ("outside of a definition", "the network's result is what `loss` uses"),
            Place::Used => (
                "in a file that others use",
                "such a file holds only `def`, `dim`, `use` and `parameterization`",
            ),
            Place::Def => ("inside a definition", "move it out, and pass what is needed as an argument"),
            Place::Repeat => ("inside a repetition", "move it out of the braces"),
        };
        let message = format!("`{keyword}` cannot stand {here}").replace("`an assignment`", "an assignment");
        let error = Diagnostic::new(Stage::Names, message).at(head(stmt), "not here").help(help);
        self.report(error);
    }

    /// A definition returns once, at its end.
    fn check_def(&mut self, def: &'a Def) {
        self.check_placement(&def.body, Place::Def);
        let returns: Vec<&Stmt> =
            def.body.iter().filter(|stmt| matches!(stmt.kind, StmtKind::Return(_))).collect();
        let last_returns = def.body.last().is_some_and(|stmt| matches!(stmt.kind, StmtKind::Return(_)));
        let Some(first) = returns.first() else {
            let error =
                Diagnostic::new(Stage::Names, format!("the definition `{}` returns nothing", def.name.name))
                    .at(def.name.span, "no `return` in its body")
                    .help("end it with `return EXPRESSION`");
            self.report(error);
            return;
        };
        if returns.len() > 1 || !last_returns {
            let name = &def.name.name;
            let error =
                Diagnostic::new(Stage::Names, format!("`return` must be the last statement of `{name}`"))
                    .at(head(first), "statements follow this one")
                    .at(def.name.span, "in this definition");
            self.report(error);
        }
    }
}

/// The first line of a statement is enough to point at.
fn head(stmt: &Stmt) -> Span {
    stmt.span
}
