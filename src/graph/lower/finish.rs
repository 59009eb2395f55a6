//! The end: the loss, its outputs, external names, and what is never used.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Stage, did_you_mean};
use crate::graph::{Graph, NodeId};
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident, Text};

use super::environment::{Tensor, Value};
use super::equation::Equation;
use super::{Lowered, Lowering};

impl<'a> Lowering<'a> {
    /// `loss e`
    pub(super) fn loss(&mut self, expr: &'a Expr, span: Span) {
        if let Some(first) = self.loss.replace(span) {
            let error = Diagnostic::new(Stage::Names, "a network has one loss")
                .at(span, "a second one")
                .at(first, "the first one")
                .help("add them: `loss a + b`");
            self.report(error);
            return;
        }
        let value = self.loss_value(expr);
        if let Ok(tensor) = value {
            self.graph.loss = Some(tensor.node);
            self.outputs(expr, tensor.node);
        }
    }

    fn loss_value(&mut self, expr: &'a Expr) -> Lowered<Tensor> {
        let mut equation = Equation::free();
        self.survey(expr, &mut equation);
        let value = self.eval(expr, &mut equation, true)?;
        let tensor = self.as_tensor(value, expr.span)?;
        let shape = self.shape(tensor.node).to_vec();
        if !shape.is_empty() {
            let error = Diagnostic::new(Stage::Shape, "the loss must be one number per sample")
                .at(expr.span, format!("its shape is {}", self.shape_text(&shape)))
                .help("average it: `loss mean(...)` takes the last axis away");
            return Err(self.report(error));
        }
        if !self.trained[tensor.node.index()] {
            let error = Diagnostic::new(Stage::Names, "the loss depends on no parameter")
                .at(expr.span, "nothing here can be trained")
                .help("declare parameters with `param`, or use layers such as `linear(x, out)`");
            return Err(self.report(error));
        }
        Ok(tensor)
    }

    /// The tensors that the loss names and the layers that it calls, where they depend on parameters.
    fn outputs(&mut self, expr: &'a Expr, loss: NodeId) {
        if let ExprKind::Call(call) = &expr.kind {
            self.layers_of_loss.remove(&call.callee.span);
        }
        let mut outputs = Vec::new();
        self.named_outputs(expr, &mut outputs);
        if outputs.is_empty() {
            outputs.push(loss);
        }
        let mut seen = std::collections::HashSet::new();
        outputs.retain(|node| seen.insert(*node));
        self.graph.outputs = outputs;
        self.check_behind_outputs(expr, loss);
    }

    /// Where a parameter acts on what the loss names, that is not yet the network's output, and nothing says what is.
    fn check_behind_outputs(&mut self, expr: &Expr, loss: NodeId) {
        let before_loss = self.graph.ancestors(&self.graph.outputs);
        let in_loss = self.graph.ancestors(&[loss]);
        for at in 0..self.param_nodes.len() {
            let node = self.param_nodes[at].index();
            if !in_loss[node] || before_loss[node] {
                continue;
            }
            let param = &self.graph.params[at];
            let error = Diagnostic::new(Stage::Names, format!("the loss uses `{}`, but no output does", param.path))
                .at(expr.span, "the tensors named here count as the network's outputs")
                .at(param.span, "this parameter acts on them")
                .note("an output may be O(1) and its gradient is O(1): the sizes of all parameters are derived from that")
                .help("name what the parameter makes of them, as in `logits = ...`, and give that to the loss");
            self.report(error);
        }
    }

    fn named_outputs(&self, expr: &'a Expr, outputs: &mut Vec<NodeId>) {
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::Hole => {}
            ExprKind::Name(ident) => {
                if let Some(Value::Tensor(tensor)) = self.find(&ident.name).map(|known| &known.value)
                    && self.trained[tensor.node.index()]
                    && self.graph.as_param(tensor.node).is_none()
                {
                    outputs.push(tensor.node);
                }
            }
            ExprKind::Indexed(inner, _) | ExprKind::Negate(inner) | ExprKind::Power(inner, _) => {
                self.named_outputs(inner, outputs);
            }
            ExprKind::Call(call) if self.layers_of_loss.contains_key(&call.callee.span) => {
                outputs.extend(self.layers_of_loss.get(&call.callee.span));
            }
            ExprKind::Call(call) => call.args.iter().for_each(|arg| match arg {
                Arg::Positional(inner) | Arg::Named(_, inner) => self.named_outputs(inner, outputs),
                Arg::Over(..) => {}
            }),
            ExprKind::Sum(terms) => terms.iter().for_each(|(_, term)| self.named_outputs(term, outputs)),
            ExprKind::Product(factors) => {
                factors.iter().for_each(|(_, factor)| self.named_outputs(factor, outputs))
            }
        }
    }

    /// The graph, if nothing was wrong.
    pub(super) fn conclude(mut self) -> Result<Graph, Vec<Diagnostic>> {
        if self.loss.is_none() {
            let start = Span::new(self.frames[0].file, 0, 0);
            let error = Diagnostic::new(Stage::Names, "the network has no loss")
                .at(start, "in this text")
                .help("end it with `loss mean(cross_entropy(logits, labels))` or `loss mse(y, wanted)`");
            self.report(error);
        }
        self.name_params();
        if self.errors.is_empty() {
            self.check_used();
        }
        if self.errors.is_empty() {
            return Ok(self.graph);
        }
        self.errors.sort_by_key(|error| error.stage);
        Err(self.errors)
    }

    /// `name block.attention.wq as "..."`
    fn name_params(&mut self) {
        let paths = self.graph.params.iter().enumerate().map(|(at, param)| (param.path.clone(), at));
        let paths: HashMap<String, usize> = paths.collect();
        let mut named = HashMap::new();
        for (path, text) in std::mem::take(&mut self.external) {
            self.name_param(&paths, path, text, &mut named);
        }
    }

    fn name_param(
        &mut self,
        paths: &HashMap<String, usize>,
        path: &[Ident],
        text: &Text,
        named: &mut HashMap<usize, Span>,
    ) {
        let joined = path.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(".");
        let span = path.iter().map(|part| part.span).reduce(Span::to).unwrap_or(text.span);
        let Some(&at) = paths.get(&joined) else {
            if self.errors.is_empty() || self.graph.loss.is_some() {
                let error = Diagnostic::new(Stage::Names, format!("no parameter has the path `{joined}`"))
                    .at(span, "unknown path")
                    .help_if(did_you_mean(&joined, paths.keys().map(String::as_str)));
                self.report(error);
            }
            return;
        };
        let declared = self.graph.params[at].external.is_some().then_some(self.graph.params[at].span);
        if let Some(first) = named.insert(at, span).or(declared) {
            let error = Diagnostic::new(Stage::Names, format!("`{joined}` has an external name already"))
                .at(span, "named again here")
                .at(first, "it has one from here");
            self.report(error);
            return;
        }
        self.graph.params[at].external = Some(text.value.clone());
    }

    /// No exponent can be derived for a parameter that nothing uses.
    fn check_used(&mut self) {
        for at in 0..self.param_nodes.len() {
            let node = self.param_nodes[at];
            if self.graph.consumers(node).next().is_none() && self.graph.loss != Some(node) {
                let param = &self.graph.params[at];
                let error =
                    Diagnostic::new(Stage::Names, format!("the parameter `{}` is never used", param.path))
                        .at(param.span, "declared here")
                        .help("remove it, or use it in an equation");
                self.report(error);
            }
        }
    }
}
