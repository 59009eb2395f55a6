//! Assignments: `y[t, o] = e`, `y = e`, `y += e`.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::{Dim, Scalar};
use crate::graph::{NodeId, Op, Operands};
use crate::source::Span;
use crate::syntax::ast::{Assign, AssignOp, Expr, ExprKind, Ident, Index, IndexKind};

use super::environment::{Role, Tensor, Value};
use super::equation::{Axes, AxisId, Equation, Left, Place};
use super::{HIGHEST_RANK, Lowered, Lowering, Reported};

impl<'a> Lowering<'a> {
    /// An assignment; a failed one poisons its name.
    pub(super) fn assign(&mut self, assign: &'a Assign, span: Span) {
        if self.check_assignable(&assign.target).is_err() {
            return;
        }
        let Ok(collected) = self.collecting(assign) else { return };
        let value = match &assign.indices {
            None => self.assigned_whole(assign, span),
            Some(indices) => self.assigned_letters(assign, indices, span),
        };
        if let Ok(Value::Tensor(tensor)) = &value {
            self.name_node(tensor.node, &assign.target);
        }
        match collected {
            Some(at) => self.collect(assign, at, value),
            None => self.bind(&assign.target, value.unwrap_or(Value::Poison), Role::Assigned),
        }
    }

    /// A node keeps the first name it was given.
    pub(super) fn name_node(&mut self, node: NodeId, ident: &Ident) {
        let name = &mut self.graph.node_mut(node).name;
        if name.is_none() {
            *name = Some(Arc::from(ident.name.as_str()));
        }
    }

    /// Dims and parameters cannot be assigned.
    fn check_assignable(&mut self, ident: &'a Ident) -> Lowered<()> {
        self.check_length(ident)?;
        let Some((role, span)) = self.find(&ident.name).map(|known| (known.role, known.span)) else {
            return Ok(());
        };
        let why = match role {
            Role::Scale | Role::Dim => "lengths are declared once and keep their value",
            Role::Param => "a parameter changes by training only",
            Role::Data | Role::Formal | Role::Assigned => return Ok(()),
        };
        let error = Diagnostic::new(
            Stage::Names,
            format!("`{}` is {} and cannot be assigned", ident.name, role.noun()),
        )
        .at(ident.span, "assigned here")
        .at(span, "declared here")
        .note(why)
        .help("choose another name");
        Err(self.report(error))
    }

    fn assigned_whole(&mut self, assign: &'a Assign, span: Span) -> Lowered<Value> {
        let mut equation = Equation::free();
        self.survey(&assign.value, &mut equation);
        let value = match assign.op {
            AssignOp::Set => self.eval(&assign.value, &mut equation, true)?,
            AssignOp::Add => {
                let first = self.look_up(&assign.target);
                self.added(first, &assign.value, &mut equation, span)?
            }
        };
        match value {
            Value::Number(_) => Ok(value),
            Value::Tensor(tensor) => Ok(Value::Tensor(Tensor { axes: None, ..tensor })),
            Value::Hole | Value::Function(_) | Value::Poison => {
                self.as_tensor(value, assign.value.span).map(Value::Tensor)
            }
        }
    }

    /// `first + value`, with the terms of a sum laid open.
    fn added(
        &mut self,
        first: Lowered<Value>,
        value: &'a Expr,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Value> {
        let first = first.and_then(|first| self.as_tensor(first, span));
        if let (Ok(first), ExprKind::Sum(terms)) = (&first, &value.kind) {
            return self.sum(Some(first.clone()), terms, equation, true, span);
        }
        let term = self.eval(value, equation, true)?;
        self.sum_of_two(first?, (term, value.span), equation, span)
    }

    fn assigned_letters(&mut self, assign: &'a Assign, indices: &'a [Index], span: Span) -> Lowered<Value> {
        let left = self.left_side(indices)?;
        let mut equation = Equation::with_left(left);
        self.left_lengths(indices, &mut equation)?;
        self.survey(&assign.value, &mut equation);
        let value = match assign.op {
            AssignOp::Set => self.eval(&assign.value, &mut equation, true)?,
            AssignOp::Add => {
                let first =
                    self.look_up(&assign.target).and_then(|first| self.as_tensor(first, assign.target.span));
                let first = first.and_then(|first| {
                    self.index_tensor(first.node, indices, &mut equation, assign.target.span)
                });
                self.added(first.map(Value::Tensor), &assign.value, &mut equation, span)?
            }
        };
        let node = match value {
            Value::Number(number) => self.filled(&number, indices, &mut equation, assign.value.span)?,
            value => {
                let tensor = self.as_tensor(value, assign.value.span)?;
                let tensor = Tensor { span: assign.value.span, ..tensor };
                self.check_left(&tensor, indices, &mut equation)?;
                self.arrange(tensor, &mut equation, span)?.node
            }
        };
        let node = self.merge_groups(node, indices, span)?;
        Ok(Value::Tensor(Tensor { node, axes: None, span: assign.target.span }))
    }

    /// The letters on the left, with groups laid open.
    fn left_side(&mut self, indices: &'a [Index]) -> Lowered<Left<'a>> {
        let mut left = Left::new();
        for index in indices {
            match &index.kind {
                IndexKind::Axis(_) | IndexKind::Sized(..) if self.is_step(index) => {}
                IndexKind::Axis(_) | IndexKind::Sized(..) => self.push_letter(&mut left, index)?,
                IndexKind::Group(parts) => {
                    for part in parts {
                        self.push_letter(&mut left, part)?;
                    }
                }
                IndexKind::Rest if left.contains(&Place::Rest) => {
                    return Err(self.shape_error(
                        "`..` can stand once in an index list",
                        index.span,
                        "a second one",
                    ));
                }
                IndexKind::Rest => left.push(Place::Rest),
                IndexKind::At(_) => {
                    let label = "on the left only letters, groups and `..` can stand";
                    return Err(self.shape_error("an entry cannot be assigned", index.span, label));
                }
            }
        }
        Ok(left)
    }

    fn push_letter(&mut self, left: &mut Left<'a>, index: &'a Index) -> Lowered<()> {
        let (IndexKind::Axis(letter) | IndexKind::Sized(letter, _)) = &index.kind else {
            return Err(self.shape_error("a group holds only letters", index.span, "not a letter"));
        };
        if left.contains(&Place::Letter(letter)) {
            return Err(self.shape_error(
                format!("index `{letter}` stands twice on the left"),
                index.span,
                "again here",
            ));
        }
        if left.len() > HIGHEST_RANK {
            let message = format!("a tensor has at most {HIGHEST_RANK} axes");
            return Err(self.shape_error(message, index.span, "more axes than that"));
        }
        left.push(Place::Letter(letter));
        Ok(())
    }

    /// The lengths that the left side says.
    fn left_lengths(&mut self, indices: &'a [Index], equation: &mut Equation<'a>) -> Lowered<()> {
        for index in indices {
            match &index.kind {
                IndexKind::Group(parts) => {
                    self.group(parts, equation)?;
                }
                IndexKind::Sized(..) if !self.is_step(index) => {
                    self.group(std::slice::from_ref(index), equation)?;
                }
                IndexKind::Axis(_) | IndexKind::Sized(..) | IndexKind::Rest | IndexKind::At(_) => {}
            }
        }
        Ok(())
    }

    /// `h[i:n] = 0`: the same number everywhere, if every letter has a length.
    fn filled(
        &mut self,
        number: &Scalar,
        indices: &'a [Index],
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<NodeId> {
        let mut shape: Vec<Dim> = Vec::new();
        for place in equation.left.clone().unwrap_or_default() {
            let Place::Letter(letter) = place else { continue };
            let axis = equation.letter(letter);
            let Some(length) = equation.length(axis) else {
                return Err(self.only_left(letter, indices, span, true));
            };
            shape.push(length.clone());
        }
        self.constant(number, shape, span)
    }

    fn only_left(&mut self, letter: &str, indices: &[Index], span: Span, number: bool) -> Reported {
        let parts = indices.iter().flat_map(|index| match &index.kind {
            IndexKind::Group(parts) => parts.iter(),
            _ => std::slice::from_ref(index).iter(),
        });
        let place = parts.into_iter().find(|index| match &index.kind {
            IndexKind::Axis(own) | IndexKind::Sized(own, _) => own == letter,
            IndexKind::Rest | IndexKind::Group(_) | IndexKind::At(_) => false,
        });
        let sized = place.is_some_and(|index| matches!(index.kind, IndexKind::Sized(..)));
        let place = place.map_or(span, |index| index.span);
        let help = match (number, sized) {
            (true, _) => format!("say how long it is: `{letter}:LENGTH`"),
            (false, true) => format!(
                "for an axis of length 1 split another one on the right: `y[i, {letter}:1] = x[(i {letter})]`"
            ),
            (false, false) => "a tensor on the right must have this letter".to_string(),
        };
        let why = if sized { "a length alone brings no axis" } else { "nothing says what it runs over" };
        let error = Diagnostic::new(Stage::Shape, format!("index `{letter}` stands only on the left"))
            .at(place, why)
            .at(span, "nothing here has it")
            .help(help);
        self.report(error)
    }

    /// Every letter of the left must stand on the right, and `..` on the left if it does on the right.
    fn check_left(&mut self, tensor: &Tensor, indices: &[Index], equation: &mut Equation<'a>) -> Lowered<()> {
        let Some(axes) = &tensor.axes else { return Ok(()) };
        let left = equation.left.clone().unwrap_or_default();
        let mut outcome = Ok(());
        for place in &left {
            if let Place::Letter(letter) = place {
                let axis = equation.letter(letter);
                if !axes.contains(&axis) {
                    outcome = Err(self.only_left(letter, indices, tensor.span, false));
                }
            }
        }
        outcome?;
        if !left.contains(&Place::Rest) && axes.iter().any(|axis| equation.is_rest(*axis)) {
            let place = indices.iter().map(|index| index.span).reduce(Span::to).unwrap_or(tensor.span);
            let error = Diagnostic::new(Stage::Shape, "`..` stands only on the right")
                .at(place, "these letters leave out the axes of `..`")
                .at(tensor.span, "they ride along here")
                .help("write `..` on the left too");
            return Err(self.report(error));
        }
        Ok(())
    }

    /// Sums what the left side lacks and puts the axes into its order.
    pub(super) fn arrange(
        &mut self,
        tensor: Tensor,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let operand = self.lettered(&tensor, equation)?;
        let summed = self.sum_out(operand.into(), equation)?;
        let operand = self.lettered(&summed, equation)?;
        let mut order = operand.axes.clone();
        equation.sort(&mut order);
        let missing = |axis: &AxisId| !operand.axes.contains(axis);
        if let Some(axis) = self.left_axes(equation).iter().copied().find(missing) {
            let letter = equation.name(axis);
            let message = format!("index `{letter}` stands only on the left");
            return Err(self.shape_error(message, tensor.span, "nothing here has it"));
        }
        if order == operand.axes {
            return Ok(Tensor { axes: None, ..summed });
        }
        let turned = self.contract(&[operand], order, equation, span)?;
        Ok(Tensor { node: turned.node, axes: None, span })
    }

    fn left_axes(&self, equation: &mut Equation<'a>) -> Axes {
        let left = equation.left.clone().unwrap_or_default();
        let letters = left.iter().filter_map(|place| match place {
            Place::Letter(letter) => Some(*letter),
            Place::Rest => None,
        });
        letters.map(|letter| equation.letter(letter)).collect()
    }

    /// `(h k)` on the left: neighbouring axes become one.
    fn merge_groups(&mut self, node: NodeId, indices: &'a [Index], span: Span) -> Lowered<NodeId> {
        let mut node = node;
        let mut end = self.shape(node).len();
        let axes = || indices.iter().filter(|index| !self.is_step(index));
        let flat: usize = axes().map(width).sum();
        let rest = end.saturating_sub(flat);
        let axes: Vec<&Index> = axes().collect();
        for index in axes.into_iter().rev() {
            let parts = if index.kind == IndexKind::Rest { rest } else { width(index) };
            end = end.saturating_sub(parts);
            if matches!(index.kind, IndexKind::Group(_)) && parts > 1 {
                node = self.merge(node, end, parts, span)?;
            }
        }
        Ok(node)
    }

    fn merge(&mut self, node: NodeId, axis: usize, parts: usize, span: Span) -> Lowered<NodeId> {
        let mut shape = self.shape(node).to_vec();
        let length = shape[axis..axis + parts].iter().try_fold(Dim::one(), |all, own| all.mul(own));
        let Some(length) = length else {
            return Err(self.shape_error("the merged axis does not fit 64 bits", span, "too long"));
        };
        shape.splice(axis..axis + parts, [length]);
        let merged = self.append(Op::Merge { axis, parts }, Operands::from_slice(&[node]), shape, span)?;
        Ok(merged)
    }
}

/// How many letters an entry of the left side has.
fn width(index: &Index) -> usize {
    match &index.kind {
        IndexKind::Group(parts) => parts.len(),
        IndexKind::Rest => 0,
        IndexKind::Axis(_) | IndexKind::Sized(..) | IndexKind::At(_) => 1,
    }
}
