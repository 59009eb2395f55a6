//! Whole numbers made of positions alone: `range` and `relative_bucket`.

use crate::dim::Dim;
use crate::graph::{Buckets, Op, Operands};
use crate::rational::Rational;
use crate::source::Span;
use crate::syntax::ast::Expr;

use super::arguments::Arguments;
use super::builtin::Builtin;
use super::environment::Tensor;
use super::{Lowered, Lowering};

impl<'a> Lowering<'a> {
    /// 0, 1, 2, ...
    pub(super) fn range(&mut self, length: &'a Expr, span: Span) -> Lowered<Tensor> {
        let length = self.length(length)?;
        self.positions_only(Op::Range, vec![length.clone()], length, span)
    }

    /// The bucket of the distance between every query and every key.
    pub(super) fn relative_bucket(&mut self, arguments: &Arguments<'a>, span: Span) -> Lowered<Tensor> {
        let queries = self.length(arguments.required(0)?);
        let keys = self.length(arguments.required(1)?);
        let count = self.whole_argument(Builtin::RelativeBucket, arguments, 2, 2, 32)?;
        let farthest = self.whole_argument(Builtin::RelativeBucket, arguments, 3, 1, 128)?;
        let both = self.whole_argument(Builtin::RelativeBucket, arguments, 4, 0, 1)?;
        let place = |position| arguments.get(position).map_or(span, |given: &Expr| given.span);
        if both > 1 {
            let message = "`bidirectional` is 1 if keys may follow their query, else 0";
            return Err(self.shape_error(message, place(4), format!("this is {both}")));
        }
        let buckets = Buckets { count, farthest, bidirectional: both == 1 };
        let exact = buckets.exact();
        if exact < 1 {
            let label = "two directions need at least 4 buckets";
            return Err(self.shape_error("too few buckets", place(2), label));
        }
        if farthest <= exact {
            let message = format!("`max_distance` must be more than {exact}");
            let label = format!("each distance below {exact} has a bucket of its own already");
            return Err(self.shape_error(message, place(3), label));
        }
        let shape = vec![queries?, keys?];
        self.positions_only(Op::RelativeBucket(buckets), shape, Dim::number(Rational::integer(count)), span)
    }

    fn positions_only(&mut self, op: Op, shape: Vec<Dim>, classes: Dim, span: Span) -> Lowered<Tensor> {
        let node = self.append(op, Operands::new(), shape, span)?;
        self.classes.insert(node, classes);
        Ok(Tensor { node, axes: None, span })
    }
}
