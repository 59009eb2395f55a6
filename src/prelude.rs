//! The definitions that every spec may use: written in the language, embedded, and parsed once per process.

use std::sync::OnceLock;

use crate::source::{FileId, SourceMap};
use crate::syntax::ast;
use crate::syntax::parser::parse;

macro_rules! prelude {
    ($($name:literal),* $(,)?) => {
        [$((concat!("prelude/", $name), include_str!(concat!("../specs/prelude/", $name)))),*]
    };
}

/// The texts, with their names.
pub const TEXTS: [(&str, &str); 7] =
    prelude!["attention.mup", "conv.mup", "embedding.mup", "linear.mup", "loss.mup", "mlp.mup", "norm.mup",];

/// The texts as the first sources of a compilation.
pub fn sources() -> SourceMap {
    let mut sources = SourceMap::default();
    for (name, text) in TEXTS {
        sources.add(name, text);
    }
    sources
}

/// The syntax trees, whose spans point into [`sources`].
pub fn files() -> &'static [(FileId, ast::File)] {
    static FILES: OnceLock<Vec<(FileId, ast::File)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let ids = (0..).map(FileId);
        ids.zip(TEXTS).map(|(file, (_, text))| (file, parse(file, text).0)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prelude_has_no_syntax_errors() {
        for (file, (name, text)) in (0..).map(FileId).zip(TEXTS) {
            let (tree, errors) = parse(file, text);
            assert!(errors.is_empty(), "{name}: {errors:?}");
            assert!(!tree.statements.is_empty(), "{name} is empty");
        }
    }
}
