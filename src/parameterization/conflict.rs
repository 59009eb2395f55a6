//! Two uses of one parameter that no multiplier can reconcile.

use super::failure::in_call;
use crate::diagnostic::{Diagnostic, Stage};
use crate::graph::{Graph, NodeId, ParamId};
use crate::size::Size;

/// What one use asks of a parameter: initial entries of size `product` over its multiplier, and changes of size `request` over it.
/// A multiplier moves both alike; their ratio is what the use demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The use.
    pub node: NodeId,
    /// Multiplier times initial entry.
    pub product: Size,
    /// Multiplier times change of an entry.
    pub request: Size,
}

/// Two uses with different demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The parameter.
    pub param: ParamId,
    /// One use.
    pub first: Demand,
    /// The other.
    pub second: Demand,
}

impl Conflict {
    /// The conflict as an error that points at both uses.
    pub fn diagnostic(&self, graph: &Graph) -> Diagnostic {
        let names = graph.symbol_names();
        let words = |demand: &Demand| {
            let ratio = demand.product.div(&demand.request);
            format!(
                "here entries of {} and changes of {}: ratio {}",
                demand.product.display(&names),
                demand.request.display(&names),
                ratio.display(&names)
            )
        };
        let param = graph.param(self.param);
        let error = Diagnostic::new(Stage::Analysis, format!("two uses of `{}` cannot both be maximal", param.path))
            .at(graph.node(self.first.node).span, words(&self.first))
            .at(graph.node(self.second.node).span, words(&self.second))
            .note("a multiplier in front of a use scales its initialization and its update alike, so the ratio of the two is fixed; these two uses need different ratios")
            .help("give one of the uses its own parameter, or write the multiplier of the use that may stay below its maximal update");
        in_call(in_call(error, graph, self.first.node), graph, self.second.node)
    }
}
