//! Why a derivation stopped, as an error for the reader of a spec.

use super::learning_rates::NoLargestRate;
use super::verdict::Fault;
use super::{Ambiguous, Failure, Unbounded, Unsettled};
use crate::diagnostic::{Diagnostic, Stage};
use crate::graph::{Graph, NodeId};

impl Failure {
    /// The failure as an error that points at the operations involved.
    pub fn diagnostic(&self, graph: &Graph) -> Diagnostic {
        match self {
            Failure::Conflict(conflict) => conflict.diagnostic(graph),
            Failure::Unbounded(unbounded) => unbounded.diagnostic(graph),
            Failure::Ambiguous(found) => no_matrix(graph, found),
            Failure::Unsettled(unsettled) => unsettled.diagnostic(graph),
            Failure::Rules(error) => error.as_ref().clone(),
            Failure::NoLargestRate(why) => why.diagnostic(graph),
        }
    }
}

impl Unbounded {
    /// The error at the operation that has no exponent.
    pub fn diagnostic(&self, graph: &Graph) -> Diagnostic {
        let (label, what) = (&graph.labels()[self.node.index()], self.what);
        let error = Diagnostic::new(Stage::Analysis, format!("`{label}` leaves no exponent for a {what}"))
            .at(graph.node(self.node).span, format!("no power of the scale symbols is the right {what} here"))
            .note("what goes in, or what comes back from the loss, is exactly zero or grows faster than every power")
            .help("look for a factor of zero, a repetition that multiplies its stream, or exp of something that grows");
        in_call(error, graph, self.node)
    }
}

impl Unsettled {
    /// The error at the tensor that keeps growing.
    fn diagnostic(self, graph: &Graph) -> Diagnostic {
        let label = &graph.labels()[self.node.index()];
        let error = Diagnostic::new(Stage::Analysis, format!("no rule says how far training may move `{label}`"))
            .at(graph.node(self.node).span, "larger after every round of solving for the learning rates")
            .note("every round is one more product of factors that vanish at initialization")
            .help("give the factors an initialization that does not vanish, or write their learning rates in a parameterization of your own");
        in_call(error, graph, self.node)
    }
}

impl NoLargestRate {
    /// The error, at the tensor that is not stable at initialization.
    fn diagnostic(&self, graph: &Graph) -> Diagnostic {
        let error = |message: &str| Diagnostic::new(Stage::Analysis, message);
        match self {
            NoLargestRate::Start(problem) => {
                let names = graph.symbol_names();
                let (size, allowed) = (problem.size.display(&names), problem.allowed.display(&names));
                let than = if problem.fault == Fault::VanishesAtInit { "less than" } else { "more than" };
                let error = error("no learning rate is stable: the initialization is not")
                    .at(graph.node(problem.node).span, format!("{size} at initialization, {than} {allowed}"))
                    .help("ask for the rates of a parameterization that `mupc classify` does not call unstable at initialization");
                in_call(error, graph, problem.node)
            }
            NoLargestRate::Every => error("no learning rate is the largest: every one is stable")
                .help("nothing that the logits depend on is trained; leave `--rates` out"),
            NoLargestRate::None => {
                error("no power of the scale symbols is a stable learning rate for all parameters")
                    .help("ask for `--rates largest`, which gives every parameter its own")
            }
        }
    }
}

/// The error about a parameter that an optimizer could see as two matrices.
fn no_matrix(graph: &Graph, found: &Ambiguous) -> Diagnostic {
    let (param, optimizer) = (graph.param(found.param), found.optimizer);
    let [first, second] = found.nodes;
    let message = format!("no rule says which matrix `{}` is for {optimizer}", param.path);
    let error = Diagnostic::new(Stage::Analysis, message)
        .at(graph.node(first).span, "used here")
        .at(graph.node(second).span, "and here with another fan-in and fan-out")
        .note(format!("{optimizer}: {}; the two uses give different norms", optimizer.step_in_words()))
        .help("train this parameter by another optimizer, as with `-o adam -o 'PATTERN=NAME'`");
    in_call(in_call(error, graph, first), graph, second)
}

/// Points at the call in which an operation was written, too, since the operation may stand in a definition of the prelude.
pub(super) fn in_call(error: Diagnostic, graph: &Graph, node: NodeId) -> Diagnostic {
    let calls = std::iter::successors(Some(graph.node(node).scope), |scope| graph.scope(*scope).parent);
    let outermost = calls
        .filter(|scope| graph.scope(*scope).parent.is_some() && graph.scope(*scope).block.is_none())
        .last();
    match outermost {
        Some(scope) => error.at(graph.scope(scope).span, "in this call"),
        None => error,
    }
}
