//! Elementwise functions: sizes of values, changes and slopes, from the facts in [`crate::graph::func`].

use super::Size;
use crate::graph::Func;
use crate::graph::func::Growth;
use crate::rational::Rational;

fn half(doubled: i64) -> Rational {
    Rational::new(doubled, 2).unwrap_or(Rational::ONE)
}

/// |phi(x)| for |x| of the given size.
pub fn value(func: Func, x: &Size) -> Size {
    let law = func.law();
    if x.is_zero() && law.zero_at_zero {
        return Size::Zero;
    }
    if let Some(power) = law.homogeneous {
        return x.pow(half(power));
    }
    match (x.grows(), x.vanishes()) {
        (false, true) if law.zero_at_zero => x.clone(),
        (false, true) if func == Func::Log && x.is_zero() => Size::Beyond,
        (false, _) => Size::one(),
        (true, _) => far(law.growth, x),
    }
}

fn far(growth: Growth, x: &Size) -> Size {
    match growth {
        Growth::Power(power) => x.pow(half(power)),
        Growth::Saturating | Growth::Oscillating | Growth::Logarithmic => Size::one(),
        Growth::Exponential => Size::Beyond,
    }
}

/// The size of the derivative where values have size `x`. Saturating functions count as slope 1: an upper bound; a function that jumps has none.
pub fn slope(func: Func, x: &Size) -> Size {
    let law = func.law();
    if law.jumps() {
        return Size::Zero;
    }
    match (law.homogeneous, x.grows()) {
        (Some(power), _) => x.pow(half(power - 2)),
        (None, false) if func == Func::Log => Size::one().div(x),
        (None, false) => Size::one(),
        (None, true) => match law.growth {
            Growth::Power(power) => x.pow(half(power - 2)),
            Growth::Saturating | Growth::Oscillating => Size::one(),
            Growth::Logarithmic => Size::one().div(x),
            Growth::Exponential => Size::Beyond,
        },
    }
}

/// By how much the derivative changes where values of size `initial` change by `change`. Functions that are linear but for a kink have
/// another slope where a value changes its sign; see [`crossing`].
pub fn slope_change(func: Func, initial: &Size, change: &Size, many: bool) -> Size {
    if change.is_zero() || func.law().jumps() {
        return Size::Zero;
    }
    let relative = change.div(initial).min(Size::one());
    let at = initial.clone().max(change.clone());
    match func.law().homogeneous {
        Some(2) => crossing(initial, change, many),
        Some(power) if power > 2 => slope(func, &at).mul(&change.div(&at)),
        Some(_) => slope(func, initial).mul(&relative),
        None if func == Func::Log => slope(func, initial).mul(&relative),
        None if func.law().odd && at.vanishes() => slope(func, &at).mul(change).mul(&at),
        None => slope(func, &at).mul(&change.clone().min(Size::one())),
    }
}

/// The size of an indicator's change: a value of size `initial` that changes by D crosses a threshold with probability D over its size, and
/// of many entries that share changes by 1, which is the square root in the mean of squares. Of a few, none does.
pub fn crossing(initial: &Size, change: &Size, many: bool) -> Size {
    let share = change.div(initial).min(Size::one());
    if many { share.pow(Rational::HALF) } else { share }
}

/// |phi(x + change) - phi(x)|, for a value of size `initial` that changes by `change`. Of `many` entries of a function that jumps, those that cross zero share the change.
pub fn change(func: Func, initial: &Size, change: &Size, many: bool) -> Size {
    if change.is_zero() {
        return Size::Zero;
    }
    if func.law().jumps() {
        return crossing(initial, change, many);
    }
    let shrinking = matches!(func.law().homogeneous, Some(power) if power < 2);
    let at = if shrinking { initial.clone() } else { initial.clone().max(change.clone()) };
    let moved = slope(func, &at).mul(change);
    match func.law().growth {
        Growth::Saturating | Growth::Oscillating => moved.min(Size::one()),
        Growth::Power(_) | Growth::Logarithmic | Growth::Exponential => moved,
    }
}
