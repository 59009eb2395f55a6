//! Functions of several Gaussians: the largest of a window, and functions of what is itself a sum or product of functions.
//!
//! Such a tensor is written as a formula in the Gaussians behind it, position by position; expectations of it are means over draws ([`crate::kernel::formula`]).

use std::collections::HashMap;
use std::sync::Arc;

use super::{Axis, Building, Built, Value};
use crate::graph::{Func, NodeId};
use crate::kernel::formula::{Formula, Step};
use crate::kernel::node::{Fixed, Kind, Node, Place, Sampled, Term};

/// A formula may have so many Gaussians: twice as many are drawn for every pair.
const MOST: usize = 256;

/// A formula in the making, for one position.
struct Writing<'a> {
    nodes: &'a [Node],
    steps: Vec<Step>,
    leaves: Vec<(Place, u32)>,
    known: HashMap<(Place, u32), usize>,
}

impl Writing<'_> {
    fn step(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }

    fn leaf(&mut self, place: Place, at: u32) -> usize {
        let leaf = self.leaves.iter().position(|own| *own == (place, at)).unwrap_or(self.leaves.len());
        if leaf == self.leaves.len() {
            self.leaves.push((place, at));
        }
        self.step(Step::Leaf(leaf))
    }

    /// A node at a position, as a step.
    fn entry(&mut self, place: Place, at: u32) -> Result<usize, &'static str> {
        if let Some(step) = self.known.get(&(place, at)) {
            return Ok(*step);
        }
        let node = &self.nodes[place];
        let step = match &node.kind {
            _ if node.gaussian => self.leaf(place, at),
            Kind::Map { func, argument } => {
                let inner = self.entry(*argument, at)?;
                self.step(Step::Map(*func, inner))
            }
            Kind::Sum(terms) => self.sum(terms, at)?,
            Kind::Product(left, right) => {
                let factors = (self.entry(*left, at)?, self.entry(*right, at)?);
                self.step(Step::Product(factors.0, factors.1))
            }
            Kind::Sampled(own) => self.inlined(own, at),
            Kind::Fixed(Fixed::One) => self.step(Step::Number(1.0)),
            Kind::Vector(weight) if weight.tangent == 0.0 => {
                self.step(Step::Number(weight.constant.unwrap_or(0.0)))
            }
            Kind::Vector(_) => return Err("a trained number that does not start at zero is a part of it"),
            Kind::Fixed(_) => return Err("numbers of the input are a part of it"),
            Kind::Normalized { .. } => return Err("a normalized nonlinear term is a part of it"),
            Kind::Mixed { .. } => return Err("attention over nonlinear terms is a part of it"),
            Kind::Stopped(_) => return Err("a part of it has no gradient"),
            Kind::Attended(_) => return Err("attention with random scores is a part of it"),
            Kind::Pattern(_) => return Err("masked scores or their softmax are a part of it"),
            Kind::Contraction(_) | Kind::Table { .. } | Kind::Scores(..) => {
                return Err("a part of it is not known");
            }
        };
        self.known.insert((place, at), step);
        Ok(step)
    }

    fn sum(&mut self, terms: &[Term], at: u32) -> Result<usize, &'static str> {
        let mut found = Vec::new();
        for term in terms {
            self.read(term, at, &mut found)?;
        }
        Ok(self.step(Step::Sum(found)))
    }

    fn read(&mut self, term: &Term, at: u32, found: &mut Vec<(usize, f64)>) -> Result<(), &'static str> {
        let own = [(at, 1.0)];
        let row = term.map.as_ref().map_or(&own[..], |map| map.row(at as usize));
        for (column, factor) in row {
            found.push((self.entry(term.node, *column)?, term.factor * factor));
        }
        Ok(())
    }

    /// The steps of another formula.
    fn inlined(&mut self, own: &Sampled, at: u32) -> usize {
        let (formula, leaves) = &own.entries[at as usize];
        let mut places: Vec<usize> = Vec::new();
        for step in &own.formulas[*formula].steps {
            let moved = match step {
                Step::Leaf(leaf) => {
                    let (place, at) = leaves[*leaf];
                    places.push(self.leaf(place, at));
                    continue;
                }
                Step::Number(number) => Step::Number(*number),
                Step::Sum(terms) => {
                    Step::Sum(terms.iter().map(|(from, factor)| (places[*from], *factor)).collect())
                }
                Step::Map(func, from) => Step::Map(*func, places[*from]),
                Step::Product(one, two) => Step::Product(places[*one], places[*two]),
                Step::Max(members) => Step::Max(members.iter().map(|from| places[*from]).collect()),
            };
            places.push(self.step(moved));
        }
        places.last().copied().unwrap_or(0)
    }
}

impl Building<'_> {
    /// Functions of so many positions, each written by `write`, whose last step is the function.
    fn sampled(
        &mut self,
        axes: Vec<Axis>,
        what: &str,
        write: impl Fn(&mut Writing, u32) -> Result<usize, &'static str>,
    ) -> Built<Value> {
        let size: usize = axes.iter().filter_map(|axis| axis.positions()).product();
        let mut made = Sampled { formulas: Vec::new(), entries: Vec::new() };
        for at in 0..size as u32 {
            let (steps, leaves, known) = (Vec::new(), Vec::new(), HashMap::new());
            let mut writing = Writing { nodes: &self.nodes, steps, leaves, known };
            let written = write(&mut writing, at);
            let Writing { steps, leaves, .. } = writing;
            written.map_err(|reason| {
                self.refuse(format!("{what}, which is not Gaussian in the limit, and {reason}"))
            })?;
            if leaves.len() > MOST {
                return Err(
                    self.refuse(format!("it is a function of {} Gaussians, more than {MOST}", leaves.len()))
                );
            }
            let formula = Formula { steps, leaves: leaves.len() };
            let known = made.formulas.iter().position(|own| *own == formula);
            let number = known.unwrap_or(made.formulas.len());
            if number == made.formulas.len() {
                made.formulas.push(formula);
            }
            made.entries.push((number, leaves));
        }
        Ok(self.fresh(Kind::Sampled(Arc::new(made)), axes))
    }

    /// A function of what is not Gaussian.
    pub(super) fn composed_map(
        &mut self,
        func: Func,
        argument: Place,
        axes: Vec<Axis>,
        name: &str,
    ) -> Built<Value> {
        self.sampled(axes, &format!("{} of `{name}`", func.name()), |writing, at| {
            let inner = writing.entry(argument, at)?;
            Ok(writing.step(Step::Map(func, inner)))
        })
    }

    /// Two factors that are functions of the same Gaussians.
    pub(super) fn dependent_product(&mut self, factors: [Place; 2], axes: Vec<Axis>) -> Built<Value> {
        self.sampled(axes, "it is a product of factors that depend on each other", |writing, at| {
            let (one, two) = (writing.entry(factors[0], at)?, writing.entry(factors[1], at)?);
            Ok(writing.step(Step::Product(one, two)))
        })
    }

    /// The largest entry over some axes of positions.
    pub(super) fn largest(&mut self, id: NodeId, taken: &[usize]) -> Built<Value> {
        let operand = self.graph.node(id).operands[0];
        let value = self.value(operand)?;
        if self.is_fixed(&value) {
            return Err(self.refuse("it is the largest of several inputs, which is not read here"));
        }
        if taken.iter().any(|axis| value.axes[*axis].has_channels()) {
            return Err(
                self.refuse("it is the largest of channels, which are as many as the network is wide")
            );
        }
        let kept = |axis: &usize| !taken.contains(axis);
        let axes: Vec<Axis> = (0..value.axes.len()).filter(kept).map(|axis| value.axes[axis]).collect();
        let lengths = value.shape();
        let places: Vec<usize> =
            (0..value.axes.len()).filter(|axis| value.position(*axis).is_some()).collect();
        // For every position of the result, the positions that it is the largest of.
        let mut members: Vec<Vec<u32>> =
            vec![Vec::new(); axes.iter().filter_map(|axis| axis.positions()).product()];
        for from in 0..lengths.iter().product::<usize>() {
            let (mut rest, mut to, mut unit) = (from, 0, 1);
            for (axis, length) in places.iter().zip(&lengths).rev() {
                if kept(axis) {
                    to += unit * (rest % length);
                    unit *= length;
                }
                rest /= length;
            }
            members[to].push(from as u32);
        }
        if members.iter().all(|own| own.len() == 1) {
            return Ok(Value { axes, ..value });
        }
        self.sampled(axes, "it is the largest of a window", |writing, at| {
            let mut found = Vec::new();
            for from in &members[at as usize] {
                let mut terms = Vec::new();
                writing.read(&value.term, *from, &mut terms)?;
                found.push(match terms[..] {
                    [(step, 1.0)] => step,
                    _ => writing.step(Step::Sum(terms)),
                });
            }
            Ok(writing.step(Step::Max(found)))
        })
    }
}
