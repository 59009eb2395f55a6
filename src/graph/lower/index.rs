//! Indexed tensors: letters, `..`, splits, positions and lookups.
//!
//! Each index says what becomes of one axis. They are read from the left, for the lengths that one gives another, and applied from
//! the right, so that the axes still to come keep their places; lookups come last, when all letters of the table are known.

use smallvec::SmallVec;

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::{Dim, Scalar};
use crate::graph::{BlockId, NodeId, Op, Operands};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Index, IndexKind};

use super::environment::{Tensor, Value};
use super::equation::{Axes, AxisId, Equation, Left, Operand, Place};
use super::{Lowered, Lowering, Reported};

/// What becomes of one axis of an indexed tensor.
#[derive(Debug)]
enum Entry {
    /// It has a letter.
    Axis(AxisId),
    /// It is laid out as several.
    Split(Axes),
    /// One entry is read.
    Pick(i64),
    /// The entry of this step is read.
    Step(BlockId),
    /// The entries that another tensor counts are read.
    Lookup(Operand),
}

/// The entries with their axes, from the last to the first, in an order in which they can be applied one after the other: those of steps before all others.
fn steps_first(entries: Vec<(Entry, Span)>) -> impl Iterator<Item = (usize, (Entry, Span))> {
    let is_step = |(entry, _): &(Entry, Span)| matches!(entry, Entry::Step(_));
    let (steps, others): (Vec<_>, Vec<_>) =
        entries.into_iter().enumerate().partition(|(_, own)| is_step(own));
    let left = others.into_iter().map(|(_, own)| own).enumerate();
    steps.into_iter().rev().chain(left.rev())
}

impl<'a> Lowering<'a> {
    /// `base[indices]`
    pub(super) fn indexed(
        &mut self,
        base: &'a Expr,
        indices: &'a [Index],
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Value> {
        let value = match &base.kind {
            ExprKind::Name(ident) => self.look_up(ident)?,
            _ => self.eval_for_letters(base, indices)?,
        };
        let tensor = match value {
            Value::Tensor(tensor) => tensor,
            Value::Number(_) | Value::Hole | Value::Function(_) | Value::Poison => {
                let error = Diagnostic::new(Stage::Names, "only tensors have axes to index")
                    .at(base.span, "not a tensor");
                return Err(self.report(error));
            }
        };
        self.index_tensor(tensor.node, indices, equation, span).map(Value::Tensor)
    }

    /// Evaluates `base` of `base[t, i]` as if `[t, i]` stood on its left.
    fn eval_for_letters(&mut self, base: &'a Expr, indices: &'a [Index]) -> Lowered<Value> {
        let left: Option<Left> = indices
            .iter()
            .map(|index| match &index.kind {
                IndexKind::Axis(letter) | IndexKind::Sized(letter, _) => Some(Place::Letter(letter.as_str())),
                IndexKind::Rest => Some(Place::Rest),
                IndexKind::Group(_) | IndexKind::At(_) => None,
            })
            .collect();
        let is_call = matches!(base.kind, ExprKind::Call(_));
        let mut inner = left.map_or_else(Equation::free, Equation::with_left);
        self.survey(base, &mut inner);
        let value = self.eval(base, &mut inner, !is_call)?;
        match value {
            Value::Tensor(tensor) if tensor.axes.is_some() && inner.left.is_some() => {
                let ours = tensor
                    .axes
                    .as_ref()
                    .is_some_and(|axes| axes.iter().all(|axis| inner.is_asked_for(*axis)));
                let tensor =
                    if ours || !is_call { self.arrange(tensor, &mut inner, base.span)? } else { tensor };
                Ok(Value::Tensor(tensor))
            }
            value => Ok(value),
        }
    }

    /// Gives the axes of a node the letters of an index list.
    pub(super) fn index_tensor(
        &mut self,
        node: NodeId,
        indices: &'a [Index],
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        self.check_outside(node, indices)?;
        let rank = self.shape(node).len();
        let rest = self.rest_of(indices, rank, span)?;
        let mut entries: Vec<(Entry, Span)> = Vec::with_capacity(rank);
        let mut failed = false;
        for index in indices {
            match &index.kind {
                IndexKind::Rest => {
                    let axes = (0..rest).rev().map(|from_last| Entry::Axis(equation.rest(from_last)));
                    entries.extend(axes.map(|entry| (entry, index.span)));
                }
                _ => match self.entry(node, entries.len(), index, equation) {
                    Ok(entry) => entries.push((entry, index.span)),
                    Err(Reported) => {
                        failed = true;
                        entries.push((Entry::Pick(0), index.span));
                    }
                },
            }
        }
        if failed { Err(Reported) } else { self.apply_entries(node, entries, equation, span) }
    }

    /// How many axes `..` stands for.
    fn rest_of(&mut self, indices: &[Index], rank: usize, span: Span) -> Lowered<usize> {
        let rests: SmallVec<[Span; 2]> =
            indices.iter().filter(|index| index.kind == IndexKind::Rest).map(|index| index.span).collect();
        let named = indices.len() - rests.len();
        match rests[..] {
            [] if named == rank => Ok(0),
            [_] if named <= rank => Ok(rank - named),
            [_, second, ..] => {
                Err(self.shape_error("`..` can stand once in an index list", second, "a second one"))
            }
            _ => {
                let axes = if rank == 1 { "1 axis".to_string() } else { format!("{rank} axes") };
                let given = if named == 1 { "1 index".to_string() } else { format!("{named} indices") };
                let error = Diagnostic::new(Stage::Shape, format!("a tensor with {axes} is given {given}"))
                    .at(span, format!("{given} here"))
                    .help_if(
                        (named < rank).then(|| "write `..` for the axes that are not named".to_string()),
                    );
                Err(self.report(error))
            }
        }
    }

    /// What one index says about the axis at a position.
    fn entry(
        &mut self,
        node: NodeId,
        at: usize,
        index: &'a Index,
        equation: &mut Equation<'a>,
    ) -> Lowered<Entry> {
        let length = self.shape(node)[at].clone();
        match &index.kind {
            IndexKind::Axis(_) | IndexKind::Sized(..) if self.is_step(index) => {
                self.step(&length, index).map(Entry::Step)
            }
            IndexKind::Axis(letter) => {
                self.check_letter(letter, index.span, equation)?;
                let axis = equation.letter(letter);
                self.unify(equation, axis, &length, index.span)?;
                Ok(Entry::Axis(axis))
            }
            IndexKind::Sized(letter, expr) => {
                let axis = equation.letter(letter);
                let said = self.length(expr)?;
                self.unify(equation, axis, &said, expr.span)?;
                self.unify(equation, axis, &length, index.span)?;
                Ok(Entry::Axis(axis))
            }
            IndexKind::Group(parts) => self.split(&length, parts, equation, index.span),
            IndexKind::At(expr) => self.position(&length, expr, equation),
            IndexKind::Rest => Err(Reported),
        }
    }

    /// `table[tokens, i]` is hardly meant as a sum over an axis called `tokens`.
    fn check_letter(&mut self, letter: &'a str, span: Span, equation: &Equation<'a>) -> Lowered<()> {
        let Some(Value::Tensor(tensor)) = self.find(letter).map(|known| &known.value) else { return Ok(()) };
        let on_left = equation.left.as_ref().is_none_or(|left| left.contains(&Place::Letter(letter)));
        if on_left || !self.classes.contains_key(&tensor.node) {
            return Ok(());
        }
        let help = match self.shape(tensor.node).len() {
            0 => format!("to look up, write `{letter}[..]`; else use another letter"),
            _ => format!("to look up, give it letters, as in `{letter}[t]`; else use another letter"),
        };
        let error =
            Diagnostic::new(Stage::Shape, format!("`{letter}` is an axis here, not the tensor of this name"))
                .at(span, "a lone name in an index list is a letter")
                .at(self.graph.node(tensor.node).span, "the tensor")
                .help(help);
        Err(self.report(error))
    }

    /// `(h k)`: the lengths of all letters but one must be known.
    fn split(
        &mut self,
        length: &Dim,
        parts: &'a [Index],
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Entry> {
        let axes = self.group(parts, equation)?;
        let mut unknown = axes.iter().filter(|axis| equation.length(**axis).is_none());
        let (free, more) = (unknown.next().copied(), unknown.next().copied());
        if let (Some(first), Some(second)) = (free, more) {
            let letters = [first, second].map(|axis| equation.name(axis));
            let error = Diagnostic::new(Stage::Shape, "this split has more than one unknown length")
                .at(span, format!("neither `{}` nor `{}` is known", letters[0], letters[1]))
                .help(format!("say how long one is where it stands by itself: `{}:LENGTH`", letters[0]));
            return Err(self.report(error));
        }
        let known = axes
            .iter()
            .filter_map(|axis| equation.length(*axis))
            .try_fold(Dim::one(), |all, own| all.mul(own));
        let Some(left_over) = known.as_ref().and_then(|known| length.div(known)) else {
            return Err(self.shape_error("this split does not fit 64 bits", span, "too long"));
        };
        match free {
            Some(axis) => {
                let left_over = self.check_length_of(left_over, span)?;
                equation.learn(axis, &left_over, span);
            }
            None if left_over == Dim::one() => {}
            None => return Err(self.bad_split(length, &axes, equation, span)),
        }
        Ok(if axes.len() == 1 { Entry::Axis(axes[0]) } else { Entry::Split(axes) })
    }

    fn bad_split(&mut self, length: &Dim, axes: &Axes, equation: &Equation<'a>, span: Span) -> Reported {
        let product: Vec<String> = axes
            .iter()
            .take(4)
            .filter_map(|axis| equation.length(*axis))
            .map(|dim| self.dim_text(dim))
            .collect();
        let message = format!("an axis of length `{}` does not split into these", self.dim_text(length));
        let mut error =
            Diagnostic::new(Stage::Shape, message).at(span, format!("lengths {}", product.join(" * ")));
        for axis in axes.iter().take(4) {
            if let Some((_, place)) = equation.learned(*axis).filter(|(_, place)| *place != span) {
                error = error.at(place, format!("`{}` is this long", equation.name(*axis)));
            }
        }
        self.report(error)
    }

    /// The letters of a group, with the lengths that it says.
    pub(super) fn group(&mut self, parts: &'a [Index], equation: &mut Equation<'a>) -> Lowered<Axes> {
        let mut axes = Axes::new();
        for part in parts {
            self.check_grouped(part)?;
            let axis = match &part.kind {
                IndexKind::Axis(letter) => equation.letter(letter),
                IndexKind::Sized(letter, expr) => {
                    let axis = equation.letter(letter);
                    let said = self.length(expr)?;
                    self.unify(equation, axis, &said, expr.span)?;
                    axis
                }
                IndexKind::Rest | IndexKind::Group(_) | IndexKind::At(_) => {
                    return Err(self.shape_error("a group holds only letters", part.span, "not a letter"));
                }
            };
            axes.push(axis);
        }
        Ok(axes)
    }

    /// A number reads one entry, a tensor of whole numbers many.
    fn position(&mut self, length: &Dim, expr: &'a Expr, equation: &mut Equation<'a>) -> Lowered<Entry> {
        match self.eval(expr, equation, false)? {
            Value::Number(number) => self.pick(length, &number, expr.span).map(Entry::Pick),
            Value::Tensor(tensor) => self.lookup_entry(length, tensor, equation).map(Entry::Lookup),
            Value::Hole | Value::Function(_) | Value::Poison => Err(self.names_error(
                "an index is a letter, a number or a tensor of whole numbers",
                expr.span,
                "not one of them",
            )),
        }
    }

    fn pick(&mut self, length: &Dim, number: &Scalar, span: Span) -> Lowered<i64> {
        let Some(at) = super::number::rational(number).and_then(|number| number.to_integer()) else {
            let label = format!("this is {}", number.display(&self.symbols));
            return Err(self.shape_error("a position is a whole number", span, label));
        };
        let end = length.at(&self.bases).and_then(|length| length.to_integer()).unwrap_or(i64::MAX);
        if at >= end || at < -end {
            let label = format!("the axis has length `{}`", self.dim_text(length));
            return Err(self.shape_error(format!("position {at} is outside of the axis"), span, label));
        }
        Ok(at)
    }

    /// The numbers of a lookup must count the entries of the axis they index.
    fn lookup_entry(
        &mut self,
        length: &Dim,
        tensor: Tensor,
        equation: &mut Equation<'a>,
    ) -> Lowered<Operand> {
        let Some(classes) = self.classes.get(&tensor.node).cloned() else {
            let error = Diagnostic::new(Stage::Shape, "only whole numbers can look something up")
                .at(tensor.span, "these are not known to be whole numbers")
                .help("declare the data with its number of classes: `input tokens[seq] in vocab`");
            return Err(self.report(error));
        };
        if classes != *length {
            let (ours, theirs) = (self.dim_text(&classes), self.dim_text(length));
            let source = self.graph.node(tensor.node).span;
            let error = Diagnostic::new(Stage::Shape, "these numbers count another axis")
                .at(tensor.span, format!("whole numbers below `{ours}`, for an axis of length `{theirs}`"))
                .at(source, "they come from here");
            return Err(self.report(error));
        }
        match tensor.axes {
            Some(_) => self.lettered(&tensor, equation),
            None if self.shape(tensor.node).is_empty() => self.lettered(&tensor, equation),
            None => {
                let error = Diagnostic::new(Stage::Shape, "the numbers of a lookup need letters")
                    .at(tensor.span, "a whole tensor")
                    .help("index them, as in `table[tokens[t], d]`");
                Err(self.report(error))
            }
        }
    }

    /// Takes the entries of steps, whose tensor stands before the body, then splits and picks from the last axis to the first, then looks up.
    fn apply_entries(
        &mut self,
        node: NodeId,
        entries: Vec<(Entry, Span)>,
        equation: &mut Equation<'a>,
        span: Span,
    ) -> Lowered<Tensor> {
        let mut node = node;
        let mut axes: Vec<AxisId> = Vec::new();
        let mut lookups = Vec::new();
        for (at, (entry, place)) in steps_first(entries) {
            match entry {
                Entry::Axis(axis) => {
                    let length = self.shape(node)[at].clone();
                    self.unify(equation, axis, &length, place)?;
                    axes.push(axis);
                }
                Entry::Split(parts) => {
                    node = self.split_axis(node, at, &parts, equation, place)?;
                    axes.extend(parts.iter().rev());
                }
                Entry::Pick(entry) => {
                    node = self.take_entry(node, at, Op::Pick { axis: at, at: entry }, place)?;
                }
                Entry::Step(block) => {
                    node = self.take_entry(node, at, Op::Step { block, axis: at }, place)?
                }
                Entry::Lookup(numbers) => {
                    let axis = equation.unnamed(0, self.shape(node)[at].clone(), place);
                    axes.push(axis);
                    lookups.push((axis, numbers));
                }
            }
        }
        axes.reverse();
        let mut operand = Operand { node, axes: axes.into_iter().collect(), span };
        self.check_distinct(&operand, equation)?;
        for (axis, numbers) in lookups.into_iter().rev() {
            operand = self.look_up_axis(operand, axis, numbers, equation)?;
        }
        Ok(operand.into())
    }

    fn check_distinct(&mut self, operand: &Operand, equation: &Equation<'a>) -> Lowered<()> {
        let twice = (1..operand.axes.len()).find(|at| operand.axes[..*at].contains(&operand.axes[*at]));
        let Some(at) = twice else { return Ok(()) };
        let letter = equation.name(operand.axes[at]);
        let error = Diagnostic::new(Stage::Shape, format!("index `{letter}` stands twice on one tensor"))
            .at(operand.span, "a diagonal cannot be taken")
            .help("use another letter");
        Err(self.report(error))
    }

    fn split_axis(
        &mut self,
        node: NodeId,
        axis: usize,
        parts: &Axes,
        equation: &Equation<'a>,
        span: Span,
    ) -> Lowered<NodeId> {
        let mut shape = self.shape(node).to_vec();
        let lengths: Vec<Dim> = parts.iter().filter_map(|part| equation.length(*part).cloned()).collect();
        shape.splice(axis..=axis, lengths);
        let split =
            self.append(Op::Split { axis, parts: parts.len() }, Operands::from_slice(&[node]), shape, span)?;
        self.inherit_classes(node, split);
        Ok(split)
    }

    /// One entry of an axis.
    fn take_entry(&mut self, node: NodeId, axis: usize, op: Op, span: Span) -> Lowered<NodeId> {
        let mut shape = self.shape(node).to_vec();
        shape.remove(axis);
        let entry = self.append(op, Operands::from_slice(&[node]), shape, span)?;
        self.inherit_classes(node, entry);
        Ok(entry)
    }

    /// The letters of the numbers take the place of the axis that they count.
    fn look_up_axis(
        &mut self,
        table: Operand,
        axis: AxisId,
        numbers: Operand,
        equation: &Equation<'a>,
    ) -> Lowered<Operand> {
        let Some(at) = table.axes.iter().position(|own| *own == axis) else { return Err(Reported) };
        let mut output = Axes::new();
        for own in &table.axes {
            match *own == axis {
                true => {
                    output.extend(numbers.axes.iter().copied().filter(|letter| !table.axes.contains(letter)))
                }
                false => output.push(*own),
            }
        }
        let span = table.span;
        self.look_up_rows(at, &[table, numbers], output, equation, span)
    }
}
