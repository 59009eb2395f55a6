//! Patterns of paths: `*` stands for any run of characters, dots included; everything else for itself.

use crate::diagnostic::did_you_mean;
use crate::graph::{Graph, ParamId};

/// Whether a path matches a pattern. Takes the product of both lengths at most.
pub fn matches(pattern: &str, path: &str) -> bool {
    let parts: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == path };
    let Some(rest) = path.strip_prefix(first) else { return false };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    middle.iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// A pattern that no parameter matches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no parameter matches `{pattern}`{}", hint.as_ref().map_or(String::new(), |hint| format!("; {hint}")))]
pub struct NoMatch {
    /// The pattern.
    pub pattern: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

/// The parameters whose path, or name in other tools, matches a pattern.
pub fn matching(graph: &Graph, pattern: &str) -> Result<Vec<ParamId>, NoMatch> {
    let external =
        |param: &crate::graph::Param| param.external.as_ref().is_some_and(|name| matches(pattern, name));
    let found = graph.param_ids().filter(|(_, param)| matches(pattern, &param.path) || external(param));
    let found: Vec<ParamId> = found.map(|(id, _)| id).collect();
    match found.is_empty() {
        false => Ok(found),
        true => {
            let hint = did_you_mean(pattern, graph.params.iter().map(|param| param.path.as_str()));
            Err(NoMatch { pattern: pattern.to_string(), hint })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything() {
        assert!(matches("h.*.weight", "h.mlp.up.weight"));
        assert!(matches("*", "wte") && matches("*.bias", "h.mlp.up.bias") && matches("fc*", "fc1"));
        assert!(matches("a*b*c", "a-b-b-c") && matches("wte", "wte"));
        assert!(!matches("h.*.weight", "h.weight") && !matches("wt", "wte") && !matches("ab*ba", "aba"));
    }
}
