//! Other lengths for the same spec: what `dim` and `scale` statements bind, replaced before anything is made of it.

use super::ast::{Binding, Expr, ExprKind, File, Stmt, StmtKind};
use crate::rational::Rational;

/// Gives dims and scale symbols of a text the numbers that are asked for; says which of them it has.
pub fn replace(file: &mut File, lengths: &[(String, i64)]) -> Vec<String> {
    let mut found = Vec::new();
    for statement in &mut file.statements {
        let (StmtKind::Scale(bindings) | StmtKind::Dim(bindings)) = &mut statement.kind else { continue };
        for binding in bindings {
            let asked = lengths.iter().find(|(name, _)| *name == binding.name.name);
            if let Some((name, length)) = asked {
                let kind = ExprKind::Number(Rational::integer(*length));
                binding.value = Expr { kind, span: binding.value.span };
                found.push(name.clone());
            }
        }
    }
    found
}

/// Lets one scale symbol of a text grow and makes plain dims of the others. What the text says about exponents and experiments is left out: it speaks of
/// all of them.
pub fn fix_all_but(file: &mut File, grows: &str) {
    let kept = |statement: &Stmt| !matches!(statement.kind, StmtKind::Rules(_) | StmtKind::Experiment(_));
    let statements = std::mem::take(&mut file.statements).into_iter().filter(kept);
    file.statements = statements.flat_map(|statement| fixed(statement, grows)).collect();
}

/// A statement in which one scale symbol grows.
fn fixed(statement: Stmt, grows: &str) -> Vec<Stmt> {
    let Stmt { kind: StmtKind::Scale(bindings), span } = statement else { return vec![statement] };
    let (scales, dims): (Vec<Binding>, Vec<Binding>) =
        bindings.into_iter().partition(|binding| binding.name.name == grows);
    let all = [StmtKind::Dim(dims), StmtKind::Scale(scales)];
    let said = |kind: &StmtKind| matches!(kind, StmtKind::Dim(bindings) | StmtKind::Scale(bindings) if !bindings.is_empty());
    all.into_iter().filter(said).map(|kind| Stmt { kind, span }).collect()
}

/// The names that `dim` and `scale` statements bind.
pub fn names(file: &File) -> Vec<&str> {
    let bindings = file.statements.iter().filter_map(|statement| match &statement.kind {
        StmtKind::Scale(bindings) | StmtKind::Dim(bindings) => Some(bindings),
        _ => None,
    });
    bindings.flatten().map(|binding| binding.name.name.as_str()).collect()
}
