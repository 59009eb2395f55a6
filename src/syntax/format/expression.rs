//! Expressions, with the parentheses they need and no others.

use super::Printer;
use crate::rational::Rational;
use crate::syntax::ast::{Arg, Call, Expr, ExprKind, Ident, Index, IndexKind, Side, Sign};

/// How tightly an expression binds: a rule of the grammar takes what binds at least as tightly as it does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Binding {
    Sum,
    Product,
    Power,
    Postfix,
    Primary,
}

/// Whether products of plain names and numbers are printed with blanks: `a * b` in an equation, `4*n` in a length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Equation,
    Length,
}

fn binding(expr: &Expr) -> Binding {
    match &expr.kind {
        ExprKind::Sum(_) | ExprKind::Negate(_) => Binding::Sum,
        ExprKind::Product(_) => Binding::Product,
        ExprKind::Power(..) => Binding::Power,
        ExprKind::Indexed(..) => Binding::Postfix,
        // `f(x) as fc1[i]` would read as an entry of `fc1`.
        ExprKind::Call(call) if call.instance.is_some() => Binding::Postfix,
        ExprKind::Number(_) | ExprKind::Hole | ExprKind::Name(_) | ExprKind::Call(_) => Binding::Primary,
    }
}

/// Whether a product may be printed without blanks around this factor.
fn is_plain(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Hole | ExprKind::Name(_) => true,
        ExprKind::Power(base, _) => is_plain(base),
        _ => false,
    }
}

impl Printer<'_> {
    /// An expression where the grammar wants one that binds at least as tightly as `least`.
    pub fn expression(&mut self, expr: &Expr, least: Binding, room: Room) {
        if binding(expr) >= least {
            return self.bare(expr, room);
        }
        self.word("(");
        self.bare(expr, room);
        self.word(")");
    }

    fn bare(&mut self, expr: &Expr, room: Room) {
        let start = expr.span.start;
        match &expr.kind {
            ExprKind::Number(value) => {
                let written = self.number(*value, expr);
                self.leaf(&written, start);
            }
            ExprKind::Hole => self.leaf("?", start),
            ExprKind::Name(name) => self.name(name),
            ExprKind::Indexed(base, indices) => {
                self.expression(base, Binding::Primary, room);
                self.indices(indices);
            }
            ExprKind::Call(call) => self.call(call),
            ExprKind::Sum(terms) => self.sum(terms, room),
            ExprKind::Product(factors) => self.product(factors, room),
            ExprKind::Negate(inner) => {
                self.word("-");
                self.expression(inner, Binding::Product, room);
            }
            ExprKind::Power(base, exponent) => {
                self.expression(base, Binding::Postfix, room);
                self.word("^");
                self.exponent(exponent);
            }
        }
    }

    /// A name.
    pub fn name(&mut self, name: &Ident) {
        self.leaf(&name.name, name.span.start);
    }

    fn sum(&mut self, terms: &[(Sign, Expr)], room: Room) {
        for (at, (sign, term)) in terms.iter().enumerate() {
            match sign {
                Sign::Plus if at == 0 => {}
                Sign::Plus => self.word(" + "),
                Sign::Minus => self.word(" - "),
            }
            let leading_minus = at == 0 && matches!(term.kind, ExprKind::Negate(_));
            self.expression(term, if leading_minus { Binding::Sum } else { Binding::Product }, room);
        }
    }

    fn product(&mut self, factors: &[(Side, Expr)], room: Room) {
        let tight = room == Room::Length && factors.iter().all(|(_, factor)| is_plain(factor));
        for (at, (side, factor)) in factors.iter().enumerate() {
            match (side, tight) {
                (Side::Times, _) if at == 0 => {}
                (Side::Times, true) => self.word("*"),
                (Side::Times, false) => self.word(" * "),
                (Side::Over, true) => self.word("/"),
                (Side::Over, false) => self.word(" / "),
            }
            self.expression(factor, Binding::Power, room);
        }
    }

    /// `3`, `-3`, or anything else in parentheses.
    fn exponent(&mut self, exponent: &Expr) {
        let bare = match &exponent.kind {
            ExprKind::Number(_) => true,
            ExprKind::Negate(inner) => matches!(inner.kind, ExprKind::Number(_)),
            _ => false,
        };
        if bare {
            return self.bare(exponent, Room::Length);
        }
        self.word("(");
        self.bare(exponent, Room::Length);
        self.word(")");
    }

    /// A number as it was written, or else exactly.
    fn number(&self, value: Rational, expr: &Expr) -> String {
        let written = self.text.get(expr.span.range()).unwrap_or("");
        let is_number = written.starts_with(|c: char| c.is_ascii_digit()) && !written.contains(['/', ' ']);
        if is_number && written.parse() == Ok(value) { written.to_owned() } else { exactly(value) }
    }

    fn call(&mut self, call: &Call) {
        self.name(&call.callee);
        self.word("(");
        self.separated(&call.args, |printer, arg| printer.argument(arg));
        self.word(")");
        if let Some(instance) = &call.instance {
            self.word(" as ");
            self.name(instance);
        }
    }

    fn argument(&mut self, arg: &Arg) {
        match arg {
            Arg::Positional(value) => self.expression(value, Binding::Sum, Room::Length),
            Arg::Named(formal, value) => {
                self.name(formal);
                self.word(" = ");
                self.expression(value, Binding::Sum, Room::Length);
            }
            Arg::Over(axes, span) => {
                self.leaf("over ", span.start);
                match axes.as_slice() {
                    [axis] => self.name(axis),
                    axes => self.group(axes, |printer, axis| printer.name(axis)),
                }
            }
        }
    }

    /// `(h k)`
    fn group<T>(&mut self, axes: &[T], mut print: impl FnMut(&mut Self, &T)) {
        self.word("(");
        for (at, axis) in axes.iter().enumerate() {
            if at > 0 {
                self.word(" ");
            }
            print(self, axis);
        }
        self.word(")");
    }

    /// `[t, h:heads]`
    pub fn indices(&mut self, indices: &[Index]) {
        self.word("[");
        self.separated(indices, |printer, index| printer.index(index));
        self.word("]");
    }

    fn index(&mut self, index: &Index) {
        match &index.kind {
            IndexKind::Axis(axis) => self.leaf(axis, index.span.start),
            IndexKind::Sized(axis, length) => {
                self.leaf(axis, index.span.start);
                self.word(":");
                self.expression(length, Binding::Product, Room::Length);
            }
            IndexKind::Rest => self.leaf("..", index.span.start),
            IndexKind::Group(axes) => self.group(axes, |printer, axis| printer.index(axis)),
            IndexKind::At(position) => self.expression(position, Binding::Sum, Room::Length),
        }
    }

    /// `[heads, head, d]`, or nothing for a scalar.
    pub fn axes(&mut self, lengths: &[Expr]) {
        if lengths.is_empty() {
            return;
        }
        self.word("[");
        self.separated(lengths, |printer, length| printer.expression(length, Binding::Sum, Room::Length));
        self.word("]");
    }

    /// The count of a repetition, in parentheses where its label would be taken for the instance name of a call.
    pub fn count(&mut self, count: &Expr, labelled: bool) {
        if !labelled || !ends_with_call(count) {
            return self.expression(count, Binding::Product, Room::Length);
        }
        self.word("(");
        self.bare(count, Room::Length);
        self.word(")");
    }
}

fn ends_with_call(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call(call) => call.instance.is_none(),
        ExprKind::Product(factors) => factors.last().is_some_and(|(_, last)| ends_with_call(last)),
        _ => false,
    }
}

/// A number as a decimal, or as a fraction in parentheses if it has no finite one.
fn exactly(value: Rational) -> String {
    let (above, below) = (value.numerator(), value.denominator());
    let scaled = |places: u32| {
        let factor = 10_i128.checked_pow(places).filter(|factor| factor % i128::from(below) == 0)?;
        i128::from(above).checked_mul(factor / i128::from(below))
    };
    let decimal = (0..19).find_map(|places| Some((places as usize, scaled(places)?)));
    match decimal {
        Some((places, digits)) if digits >= 0 => {
            let digits = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places);
            if places == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
        }
        _ => format!("({value})"),
    }
}
