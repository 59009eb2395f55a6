//! Functions of a few Gaussians of one channel, evaluated for many draws at once, with their gradients.

use crate::graph::Func;
use crate::numeric::function::{slope, value};

/// One step of a formula; numbers are places of earlier steps.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// One of the Gaussians.
    Leaf(usize),
    /// A number.
    Number(f64),
    /// A sum with factors.
    Sum(Vec<(usize, f64)>),
    /// An elementwise function.
    Map(Func, usize),
    /// A product of two.
    Product(usize, usize),
    /// The largest of some.
    Max(Vec<usize>),
}

/// A function of some Gaussians: what the last step gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Formula {
    /// The steps.
    pub steps: Vec<Step>,
    /// How many Gaussians.
    pub leaves: usize,
}

/// A part of a table of (steps) x (draws).
fn row(table: &[f64], at: usize, count: usize) -> &[f64] {
    &table[at * count..(at + 1) * count]
}

impl Formula {
    /// All steps for so many draws of the leaves, (leaves) x (draws): (steps) x (draws).
    #[inline(always)]
    pub fn forward(&self, leaves: &[f64], count: usize, values: &mut Vec<f64>) {
        values.clear();
        values.resize(self.steps.len() * count, 0.0);
        for (at, step) in self.steps.iter().enumerate() {
            let (before, rest) = values.split_at_mut(at * count);
            let out = &mut rest[..count];
            match step {
                Step::Leaf(leaf) => out.copy_from_slice(row(leaves, *leaf, count)),
                Step::Number(number) => out.fill(*number),
                Step::Sum(terms) => {
                    for (from, factor) in terms {
                        let own = row(before, *from, count);
                        out.iter_mut().zip(own).for_each(|(out, own)| *out += factor * own);
                    }
                }
                Step::Map(func, from) => {
                    let own = row(before, *from, count);
                    out.iter_mut().zip(own).for_each(|(out, own)| *out = value(*func, *own));
                }
                Step::Product(one, two) => {
                    let own = row(before, *one, count).iter().zip(row(before, *two, count));
                    out.iter_mut().zip(own).for_each(|(out, (one, two))| *out = one * two);
                }
                Step::Max(members) => {
                    out.copy_from_slice(row(before, members[0], count));
                    for from in &members[1..] {
                        let own = row(before, *from, count);
                        out.iter_mut()
                            .zip(own)
                            .for_each(|(out, own)| *out = if *own > *out { *own } else { *out });
                    }
                }
            }
        }
    }

    /// The gradient by the leaves, (leaves) x (draws), from what [`Formula::forward`] left; `back` is room.
    #[inline(always)]
    pub fn backward(&self, values: &[f64], count: usize, back: &mut Vec<f64>, gradient: &mut Vec<f64>) {
        back.clear();
        back.resize(self.steps.len() * count, 0.0);
        gradient.clear();
        gradient.resize(self.leaves * count, 0.0);
        let last = self.steps.len().saturating_sub(1);
        back[last * count..].fill(1.0);
        for (at, step) in self.steps.iter().enumerate().rev() {
            let (before, rest) = back.split_at_mut(at * count);
            let own = &rest[..count];
            let to = |place: usize| place * count..(place + 1) * count;
            match step {
                Step::Leaf(leaf) => {
                    let gradient = &mut gradient[to(*leaf)];
                    gradient.iter_mut().zip(own).for_each(|(gradient, own)| *gradient += own);
                }
                Step::Number(_) => {}
                Step::Sum(terms) => {
                    for (from, factor) in terms {
                        let before = &mut before[to(*from)];
                        before.iter_mut().zip(own).for_each(|(before, own)| *before += factor * own);
                    }
                }
                Step::Map(func, from) => {
                    let inputs = row(values, *from, count).iter().zip(row(values, at, count));
                    let before = before[to(*from)].iter_mut().zip(own);
                    for ((before, own), (x, y)) in before.zip(inputs) {
                        *before += own * slope(*func, *x, *y);
                    }
                }
                Step::Product(one, two) => {
                    for (to_place, factor) in [(one, two), (two, one)] {
                        let own = own.iter().zip(row(values, *factor, count));
                        before[to(*to_place)]
                            .iter_mut()
                            .zip(own)
                            .for_each(|(out, (own, by))| *out += own * by);
                    }
                }
                Step::Max(members) => {
                    for (lane, own) in own.iter().enumerate() {
                        let largest = values[at * count + lane];
                        let first = members.iter().find(|from| values[**from * count + lane] == largest);
                        if let Some(from) = first {
                            before[from * count + lane] += own;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// max(u, 2 v) tanh(u)
    fn formula() -> Formula {
        let steps = vec![
            Step::Leaf(0),
            Step::Leaf(1),
            Step::Sum(vec![(1, 2.0)]),
            Step::Max(vec![0, 2]),
            Step::Map(Func::Tanh, 0),
            Step::Product(3, 4),
        ];
        Formula { steps, leaves: 2 }
    }

    #[test]
    fn gradients_are_those_of_differences() {
        let of = |leaves: &[f64]| {
            let mut values = Vec::new();
            formula().forward(leaves, 1, &mut values);
            (values[5], values)
        };
        for leaves in [[0.7, 0.1], [0.2, 0.9], [-0.5, -1.0]] {
            let (own, values) = of(&leaves);
            assert!((own - leaves[0].max(2.0 * leaves[1]) * leaves[0].tanh()).abs() < 1e-15);
            let (mut back, mut gradient) = (Vec::new(), Vec::new());
            formula().backward(&values, 1, &mut back, &mut gradient);
            for at in [0, 1] {
                let moved = |by: f64| {
                    let mut leaves = leaves;
                    leaves[at] += by;
                    of(&leaves).0
                };
                let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!((difference - gradient[at]).abs() < 1e-8, "{difference} {gradient:?}");
            }
        }
    }
}
