//! `repeat`: the body is lowered once; the streams it assigns go around.
//!
//! The streams are found before the body is lowered: the tensors that exist and that some statement of the body, or of a
//! repetition in it, assigns. Each enters through a carry, is looked up at the end of the body, and leaves through an exit. What
//! else the body binds is undone at its end by the frame's journal, at a cost of what was bound and not of what was known.

use std::collections::HashSet;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::Dim;
use crate::graph::{Block, BlockId, Carried, NodeId, Op, Operands, ScopeId};
use crate::source::Span;
use crate::syntax::ast::{Ident, Repeat, Stmt, StmtKind};

use super::environment::{Binding, Role, Tensor, Value};
use super::scan::collects;
use super::{Lowered, Lowering, Reported};

/// A stream that a body assigns.
struct Stream<'a> {
    /// Where the body assigns it first.
    ident: &'a Ident,
    before: Binding<'a>,
    enter: NodeId,
    carry: NodeId,
}

/// The names that a body assigns, in the order of their first assignment, without what the repetition collects.
fn assigned<'a>(
    body: &'a [Stmt],
    letter: Option<&Ident>,
    seen: &mut HashSet<&'a str>,
    names: &mut Vec<&'a Ident>,
) {
    for stmt in body {
        match &stmt.kind {
            StmtKind::Assign(assign) if collects(assign, letter) => {}
            StmtKind::Assign(assign) if seen.insert(&assign.target.name) => names.push(&assign.target),
            StmtKind::Repeat(inner) => assigned(&inner.body, letter, seen, names),
            _ => {}
        }
    }
}

impl<'a> Lowering<'a> {
    /// A repetition.
    pub(super) fn repeat(&mut self, repeat: &'a Repeat, span: Span) {
        let named = repeat.label.as_ref().map_or(Ok(()), |label| self.check_label(label));
        if named.is_err() || self.descend(span).is_err() {
            return;
        }
        self.repeated(repeat, span);
        self.depth -= 1;
    }

    fn repeated(&mut self, repeat: &'a Repeat, span: Span) {
        let count = self.length(&repeat.count).ok();
        let block = BlockId(self.graph.blocks.len() as u32);
        let label = repeat.label.as_ref().map_or("repeat", |label| &label.name);
        let scope = self.open_scope(label, Some(block), span);
        let outer = (self.frame().scope, self.frame().block);
        self.open_block(repeat, count.clone().unwrap_or_else(Dim::one), scope, span);
        self.open_scan(repeat, block, count);
        let mark = self.frame().journal.len();
        (self.frame_mut().scope, self.frame_mut().block) = (scope, Some(block));
        let streams = self.around(repeat, block, span).unwrap_or_default();
        (self.frame_mut().scope, self.frame_mut().block) = outer;
        self.graph.blocks[block.index()].nodes.end = self.graph.len() as u32;
        self.frame_mut().restore(mark);
        let collected = self.close_scan(repeat);
        for (stream, next) in streams {
            self.leave(block, &stream, next);
        }
        self.leave_collected(block, collected);
    }

    fn open_block(&mut self, repeat: &Repeat, count: Dim, scope: ScopeId, span: Span) {
        let start = self.graph.len() as u32;
        let head = span.to(repeat.count.span);
        let head = Span { end: repeat.count.span.end, ..head };
        self.graph.blocks.push(Block {
            count,
            letter: repeat.letter.as_ref().map(|letter| letter.name.clone()),
            shared: repeat.shared.is_some(),
            nodes: start..start,
            carried: Vec::new(),
            scope,
            parent: self.frame().block,
            span: head,
        });
    }

    /// Lowers the body between the starts and the ends of its streams.
    fn around(
        &mut self,
        repeat: &'a Repeat,
        block: BlockId,
        span: Span,
    ) -> Lowered<Vec<(Stream<'a>, Lowered<NodeId>)>> {
        let (streams, poisoned) = self.streams(repeat, block)?;
        let errors = self.errors.len();
        if !streams.is_empty() || repeat.letter.is_some() {
            repeat.body.iter().for_each(|stmt| self.statement(stmt));
        }
        if streams.is_empty() && !self.has_collected() {
            let known = poisoned || self.errors.len() > errors;
            return Err(if known { Reported } else { self.leads_nowhere(repeat, span) });
        }
        Ok(streams
            .into_iter()
            .map(|stream| {
                let next = self.next(&stream);
                (stream, next)
            })
            .collect())
    }

    /// A repetition whose result nothing can see.
    fn leads_nowhere(&mut self, repeat: &Repeat, span: Span) -> Reported {
        let head = Span { end: repeat.count.span.end, ..span };
        let stream = "assign a stream that exists before it, as in `x = ...` or `x += ...`";
        let error =
            Diagnostic::new(Stage::Names, "this repetition carries nothing from one time to the next")
                .at(head, "no name that exists before is assigned inside");
        let error = match &repeat.letter {
            None => error.help(stream),
            Some(letter) => {
                let name = &letter.name;
                error.help(format!("{stream}, or collect what every step gives: `y[{name}, ..] = ...`"))
            }
        };
        self.report(error)
    }

    /// The start of every stream: tensors that exist before and that the body assigns. The flag says whether one failed before.
    fn streams(&mut self, repeat: &'a Repeat, block: BlockId) -> Lowered<(Vec<Stream<'a>>, bool)> {
        let mut names = Vec::new();
        assigned(&repeat.body, repeat.letter.as_ref(), &mut HashSet::new(), &mut names);
        let mut streams = Vec::new();
        let mut poisoned = false;
        for ident in names {
            let Some(before) = self.find(&ident.name).cloned() else { continue };
            poisoned |= matches!(before.value, Value::Poison);
            let carried = matches!(before.role, Role::Assigned | Role::Data | Role::Formal);
            if let (Value::Tensor(tensor), true) = (&before.value, carried) {
                streams.push(self.start(ident, tensor.node, before, block)?);
            }
        }
        Ok((streams, poisoned))
    }

    fn start(
        &mut self,
        ident: &'a Ident,
        enter: NodeId,
        before: Binding<'a>,
        block: BlockId,
    ) -> Lowered<Stream<'a>> {
        let shape = self.shape(enter).to_vec();
        let carry = self.append(Op::Carry(block), Operands::from_slice(&[enter]), shape, before.span)?;
        self.graph.node_mut(carry).name = Some(Arc::from(ident.name.as_str()));
        let value = Value::Tensor(Tensor { node: carry, axes: None, span: before.span });
        self.frame_mut().bind(Binding { value, ..before.clone() });
        Ok(Stream { ident, before, enter, carry })
    }

    /// What a stream is at the end of a repetition: of the same shape as at its start.
    fn next(&mut self, stream: &Stream<'a>) -> Lowered<NodeId> {
        let name = &stream.ident.name;
        let (next, span) = match self.find(name).map(|known| (&known.value, known.span)) {
            Some((Value::Tensor(tensor), span)) => (tensor.node, span),
            Some((Value::Number(_), span)) => {
                let error = Diagnostic::new(Stage::Shape, format!("the stream `{name}` becomes a number"))
                    .at(span, "a number here")
                    .at(stream.before.span, "but a tensor before the repetition");
                return Err(self.report(error));
            }
            _ => return Err(Reported),
        };
        if self.shape(next) == self.shape(stream.carry) {
            return Ok(next);
        }
        let [ours, theirs] = [next, stream.carry].map(|node| self.shape_text(self.shape(node)));
        let error = Diagnostic::new(Stage::Shape, format!("the stream `{name}` changes its shape"))
            .at(span, format!("it ends a repetition as {ours}"))
            .at(stream.before.span, format!("but starts as {theirs}"))
            .note("what is carried from one repetition to the next must keep its shape")
            .help("use another name inside if it is not meant to be carried");
        Err(self.report(error))
    }

    /// The value of a stream after the block.
    fn leave(&mut self, block: BlockId, stream: &Stream<'a>, next: Lowered<NodeId>) {
        let exit = next.and_then(|next| {
            let shape = self.shape(next).to_vec();
            let exit =
                self.append(Op::Exit(block), Operands::from_slice(&[next]), shape, stream.ident.span)?;
            let (enter, carry) = (stream.enter, stream.carry);
            self.graph.blocks[block.index()].carried.push(Carried { enter, carry, next, exit });
            self.graph.node_mut(exit).name = Some(Arc::from(stream.ident.name.as_str()));
            Ok(exit)
        });
        let tensor = |node| Value::Tensor(Tensor { node, axes: None, span: stream.ident.span });
        let value = exit.map_or(Value::Poison, tensor);
        self.bind(stream.ident, value, Role::Assigned);
    }
}
