//! The letters of one equation.
//!
//! `y[t, o] = w[o, i] * x[t, i]` has three: each is an axis of the table here, with the length that its first tensor gives it; a
//! second length is an error that shows both places ([`Lowering::unify`]). A letter is *held* as often as something outside of the
//! expression at hand asks for it, and a product sums what nothing holds.
//!
//! The axes of `..` are numbered from the last, and whole tensors are lined up at their last axes: both broadcast as is usual,
//! the shorter shape under the end of the longer one. Results take the order of the left side where it names all their axes, so
//! that most equations need no transposition at their end.

use std::cmp::Reverse;
use std::collections::HashMap;

use smallvec::SmallVec;

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::Dim;
use crate::graph::NodeId;
use crate::source::Span;

use super::environment::Tensor;
use super::{HIGHEST_RANK, Lowered, Lowering};

/// A letter of an [`Equation`], by its place in the table.
pub(super) type AxisId = u32;

/// The letters of a tensor, one per axis.
pub(super) type Axes = SmallVec<[AxisId; 4]>;

/// What an axis is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum AxisName<'a> {
    /// A letter.
    Letter(&'a str),
    /// An axis of `..`, counted from the last one: so those of different tensors line up at their ends.
    Rest(u32),
    /// An axis of a whole tensor.
    Unnamed,
}

/// An entry of the letters on the left side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// A letter.
    Letter(&'a str),
    /// `..`
    Rest,
}

/// The letters on the left side, with groups laid open.
pub(super) type Left<'a> = SmallVec<[Place<'a>; 6]>;

#[derive(Debug)]
struct Axis<'a> {
    name: AxisName<'a>,
    /// How long it is, and where that was learned.
    length: Option<(Dim, Span)>,
    /// How many outer things need it: the left side, other factors, an `over`.
    held: u32,
    /// Where it stands on the left side.
    place: Option<(usize, Reverse<u32>)>,
}

/// The letters of one statement.
#[derive(Debug, Default)]
pub(super) struct Equation<'a> {
    axes: Vec<Axis<'a>>,
    known: HashMap<AxisName<'a>, AxisId>,
    /// The letters of the left side, if it has some.
    pub(super) left: Option<Left<'a>>,
}

/// A tensor all of whose axes are in the table.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) node: NodeId,
    pub(super) axes: Axes,
    pub(super) span: Span,
}

impl<'a> Equation<'a> {
    /// An expression without letters on its left: nothing is summed.
    pub(super) fn free() -> Equation<'a> {
        Equation::default()
    }

    /// An equation with letters on its left.
    pub(super) fn with_left(left: Left<'a>) -> Equation<'a> {
        let mut equation = Equation { left: Some(left.clone()), ..Equation::default() };
        for place in left {
            if let Place::Letter(letter) = place {
                let axis = equation.letter(letter);
                equation.hold(&[axis]);
            }
        }
        equation
    }

    /// The same left side with no length known: for arguments whose axes change their lengths.
    pub(super) fn like(&self) -> Equation<'a> {
        self.left.clone().map_or_else(Equation::free, Equation::with_left)
    }

    /// The axis of a letter.
    pub(super) fn letter(&mut self, letter: &'a str) -> AxisId {
        self.named(AxisName::Letter(letter))
    }

    /// An axis of `..`, counted from the last.
    pub(super) fn rest(&mut self, from_last: usize) -> AxisId {
        self.named(AxisName::Rest(from_last as u32))
    }

    fn named(&mut self, name: AxisName<'a>) -> AxisId {
        if let Some(axis) = self.known.get(&name) {
            return *axis;
        }
        let place = match name {
            AxisName::Letter(letter) => self.place_of(Place::Letter(letter)).map(|at| (at, Reverse(0))),
            AxisName::Rest(from_last) => self.place_of(Place::Rest).map(|at| (at, Reverse(from_last))),
            AxisName::Unnamed => None,
        };
        let axis = self.push(Axis { name, length: None, held: 0, place });
        self.known.insert(name, axis);
        axis
    }

    fn place_of(&self, place: Place) -> Option<usize> {
        self.left.as_ref()?.iter().position(|own| *own == place)
    }

    fn push(&mut self, axis: Axis<'a>) -> AxisId {
        self.axes.push(axis);
        (self.axes.len() - 1) as AxisId
    }

    /// A new axis without a name, at a place counted from the front.
    pub(super) fn unnamed(&mut self, place: usize, length: Dim, span: Span) -> AxisId {
        let place = Some((place, Reverse(0)));
        self.push(Axis { name: AxisName::Unnamed, length: Some((length, span)), held: 1, place })
    }

    fn axis(&self, axis: AxisId) -> &Axis<'a> {
        &self.axes[axis as usize]
    }

    /// How long an axis is; every axis of a tensor has a length.
    pub(super) fn length(&self, axis: AxisId) -> Option<&Dim> {
        self.axis(axis).length.as_ref().map(|(dim, _)| dim)
    }

    /// How long an axis is, and where that was learned.
    pub(super) fn learned(&self, axis: AxisId) -> Option<(Dim, Span)> {
        self.axis(axis).length.clone()
    }

    /// Sets a length unless it is known.
    pub(super) fn learn(&mut self, axis: AxisId, dim: &Dim, span: Span) {
        let known = &mut self.axes[axis as usize].length;
        if known.is_none() {
            *known = Some((dim.clone(), span));
        }
    }

    /// What an axis is called in messages.
    pub(super) fn name(&self, axis: AxisId) -> &'a str {
        match self.axis(axis).name {
            AxisName::Letter(letter) => letter,
            AxisName::Rest(_) | AxisName::Unnamed => "..",
        }
    }

    /// Whether an axis belongs to `..`.
    pub(super) fn is_rest(&self, axis: AxisId) -> bool {
        matches!(self.axis(axis).name, AxisName::Rest(_))
    }

    /// Something outside needs these letters.
    pub(super) fn hold(&mut self, axes: &[AxisId]) {
        axes.iter().for_each(|axis| self.axes[*axis as usize].held += 1);
    }

    /// It does not any more.
    pub(super) fn release(&mut self, axes: &[AxisId]) {
        axes.iter().for_each(|axis| self.axes[*axis as usize].held -= 1);
    }

    /// Whether a letter must not be summed here.
    pub(super) fn is_held(&self, axis: AxisId) -> bool {
        self.left.is_none() || self.is_asked_for(axis)
    }

    /// Whether something names this letter outside, or it has no letter that could be summed.
    pub(super) fn is_asked_for(&self, axis: AxisId) -> bool {
        let axis = self.axis(axis);
        axis.held > 0 || !matches!(axis.name, AxisName::Letter(_))
    }

    /// The order of the axes of a result: that of the left side if it names them all, else that of the operand with most axes.
    pub(super) fn order(&self, operands: &[Operand]) -> Axes {
        let longest = operands.iter().max_by_key(|operand| operand.axes.len());
        let mut order = longest.map(|operand| operand.axes.clone()).unwrap_or_default();
        for axis in operands.iter().flat_map(|operand| operand.axes.iter()) {
            // More axes than two tensors can have are refused soon; to look for them all would take long.
            if order.len() > 2 * HIGHEST_RANK {
                break;
            }
            if !order.contains(axis) {
                order.push(*axis);
            }
        }
        self.sort(&mut order);
        order
    }

    /// Sorts axes as on the left side, if it names them all.
    pub(super) fn sort(&self, axes: &mut Axes) {
        if axes.iter().all(|axis| self.axis(*axis).place.is_some()) {
            axes.sort_by_key(|axis| self.axis(*axis).place);
        }
    }

    /// The axes of a whole tensor as the left side names them; `None` if it names another number of axes.
    pub(super) fn positional(&mut self, rank: usize) -> Option<Axes> {
        let left = self.left.clone()?;
        let letters = left.iter().filter(|place| **place != Place::Rest).count();
        let has_rest = letters < left.len();
        if rank < letters || (rank > letters && !has_rest) {
            return None;
        }
        let mut axes = Axes::new();
        for place in left {
            match place {
                Place::Letter(letter) => axes.push(self.letter(letter)),
                Place::Rest => axes.extend((0..rank - letters).rev().map(|from_last| self.rest(from_last))),
            }
        }
        Some(axes)
    }
}

impl<'a> Lowering<'a> {
    /// Two lengths of one letter must be equal.
    pub(super) fn unify(
        &mut self,
        equation: &mut Equation<'a>,
        axis: AxisId,
        dim: &Dim,
        span: Span,
    ) -> Lowered<()> {
        let Some((known, place)) = equation.learned(axis) else {
            equation.learn(axis, dim, span);
            return Ok(());
        };
        if known == *dim {
            return Ok(());
        }
        let (ours, theirs) = (self.dim_text(dim), self.dim_text(&known));
        let subject = match equation.is_rest(axis) {
            true => "an axis of `..`".to_string(),
            false => format!("index `{}`", equation.name(axis)),
        };
        let mut error = Diagnostic::new(Stage::Shape, format!("{subject} has two lengths"))
            .at(span, format!("`{ours}` here"))
            .at(place, format!("but `{theirs}` here"));
        if dim.at(&self.bases).is_some() && dim.at(&self.bases) == known.at(&self.bases) {
            error = error.note("they are equal at the base values only: one grows as the other does not");
        }
        Err(self.report(error))
    }

    /// Gives a whole tensor the letters of the left side.
    pub(super) fn lettered(&mut self, tensor: &Tensor, equation: &mut Equation<'a>) -> Lowered<Operand> {
        let Tensor { node, span, .. } = *tensor;
        if let Some(axes) = &tensor.axes {
            return Ok(Operand { node, axes: axes.clone(), span });
        }
        let shape = self.graph.node(node).shape.clone();
        if shape.is_empty() {
            return Ok(Operand { node, axes: Axes::new(), span });
        }
        let Some(axes) = equation.positional(shape.len()) else {
            return Err(self.unlettered(tensor, equation));
        };
        for (axis, dim) in axes.iter().zip(&shape) {
            self.unify(equation, *axis, dim, span)?;
        }
        Ok(Operand { node, axes, span })
    }

    /// A whole tensor that does not fit the letters around it.
    fn unlettered(&mut self, tensor: &Tensor, equation: &Equation<'a>) -> super::Reported {
        let shape = self.shape_text(&self.graph.node(tensor.node).shape);
        let error =
            Diagnostic::new(Stage::Shape, "a tensor without letters does not fit the letters around it")
                .at(tensor.span, format!("its shape is {shape}"))
                .help("give it letters, one per axis, as in `x[t, i]`");
        let error = match &equation.left {
            None => error.note("other tensors of this expression have letters"),
            Some(left) => error.note(format!("the left side names {} axes, in order", left.len())),
        };
        self.report(error)
    }

    /// Brings tensors to common letters. The flag says whether they were all whole, and so is the result.
    pub(super) fn align(
        &mut self,
        tensors: &[Tensor],
        equation: &mut Equation<'a>,
    ) -> Lowered<(Vec<Operand>, bool)> {
        if tensors.iter().any(|tensor| tensor.axes.as_ref().is_some_and(|axes| !axes.is_empty())) {
            let operands: Lowered<Vec<_>> =
                tensors.iter().map(|tensor| self.lettered(tensor, equation)).collect();
            return Ok((operands?, false));
        }
        Ok((self.align_whole(tensors, equation)?, true))
    }

    /// Lines whole tensors up at their last axes.
    fn align_whole(&mut self, tensors: &[Tensor], equation: &mut Equation<'a>) -> Lowered<Vec<Operand>> {
        let rank_of = |tensor: &Tensor| self.graph.node(tensor.node).shape.len();
        let Some(longest) = tensors.iter().max_by_key(|tensor| rank_of(tensor)) else {
            return Ok(Vec::new());
        };
        let common = self.graph.node(longest.node).shape.clone();
        let axes: Axes =
            (0..).zip(&common).map(|(at, dim)| equation.unnamed(at, dim.clone(), longest.span)).collect();
        let mut operands = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let shape = &self.graph.node(tensor.node).shape;
            let skipped = common.len() - shape.len();
            if common[skipped..] != shape[..] {
                return Err(self.unlike_shapes(tensor, longest));
            }
            operands.push(Operand {
                node: tensor.node,
                axes: Axes::from_slice(&axes[skipped..]),
                span: tensor.span,
            });
        }
        Ok(operands)
    }

    fn unlike_shapes(&mut self, tensor: &Tensor, longest: &Tensor) -> super::Reported {
        let [shape, common] = [tensor, longest].map(|one| self.shape_text(&self.graph.node(one.node).shape));
        let error = Diagnostic::new(Stage::Shape, "these shapes do not line up")
            .at(tensor.span, format!("{shape} here"))
            .at(longest.span, format!("but {common} here"))
            .note("without letters, shapes are compared from the last axis backwards")
            .help("give both their letters: `y[t, i] = a[t, i] + b[i]`");
        self.report(error)
    }
}
