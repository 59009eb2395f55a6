//! Other lengths for the same spec: what `dim` and `scale` statements bind, replaced before anything is made of it.

use super::ast::{Expr, ExprKind, File, StmtKind};
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

/// The names that `dim` and `scale` statements bind.
pub fn names(file: &File) -> Vec<&str> {
    let bindings = file.statements.iter().filter_map(|statement| match &statement.kind {
        StmtKind::Scale(bindings) | StmtKind::Dim(bindings) => Some(bindings),
        _ => None,
    });
    bindings.flatten().map(|binding| binding.name.name.as_str()).collect()
}
