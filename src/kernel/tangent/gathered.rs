//! What backward passes show, and the parts of a kernel that it adds up to.

use std::collections::BTreeMap;

use rayon::prelude::*;
use smallvec::SmallVec;

use super::Tangent;
use super::tiles::{Block, Part};
use super::uses::{Place, Use};
use crate::numeric::machine::Reached;
use crate::numeric::matrix::{Layout, multiply};
use crate::numeric::nest::Nest;
use crate::numeric::pointwise::Receiver;
use crate::numeric::program::{Kernel, Outer, Program};
use crate::numeric::real::Real;

/// What backward passes have shown so far.
pub(super) struct Gathered<T> {
    entries: usize,
    /// By place, then by use.
    read: BTreeMap<(usize, usize), Block<T>>,
    /// Gradients by row: (rows times positions) x (features); for chains the rows of the Jacobian.
    given: BTreeMap<(usize, usize), Block<T>>,
}

impl<T: Real> Gathered<T> {
    pub(super) fn new(tangent: &Tangent<T>) -> Gathered<T> {
        Gathered { entries: tangent.entries, read: BTreeMap::new(), given: BTreeMap::new() }
    }

    pub(super) fn visit(
        &mut self,
        program: &Program,
        (places, batched): (&[Place], &[bool]),
        entry: usize,
        reached: Reached<'_, T>,
    ) {
        let own = |own: &Use| match own {
            Use::Outer { at, .. } | Use::Chain { at, .. } => *at == reached.at,
            Use::Shift { .. } => false,
        };
        for (number, place) in places.iter().enumerate().filter(|(_, place)| !place.plain) {
            for (which, found) in place.uses.iter().enumerate().filter(|(_, found)| own(found)) {
                let key = (number, which);
                match found {
                    Use::Outer { beside, plan, .. } => {
                        let beside = program.instructions[reached.at].inputs[*beside].slot;
                        self.outer(
                            key,
                            program.batch,
                            plan,
                            entry,
                            (&reached.values[beside], reached.gradient),
                        );
                    }
                    Use::Chain { operand, .. } => {
                        let length = program.lengths[place.slot];
                        self.chain(key, (program, batched), (*operand, length), entry, reached);
                    }
                    Use::Shift { .. } => {}
                }
            }
        }
    }

    pub(super) fn outer(
        &mut self,
        key: (usize, usize),
        batch: usize,
        plan: &Outer,
        entry: usize,
        (read, given): (&[T], &[T]),
    ) {
        let entries = self.entries;
        if entry == 0 {
            let numbers = packed(&plan.read, plan.positions * plan.columns, read);
            self.read.insert(key, Block { columns: plan.columns, numbers });
        }
        let own = packed(&plan.given, plan.positions * plan.rows, given);
        let block = self.given.entry(key).or_insert_with(|| Block {
            columns: plan.rows,
            numbers: vec![T::zero(); entries * plan.positions * plan.rows],
        });
        let length = plan.positions / batch * plan.rows;
        for (example, part) in own.chunks_exact(length.max(1)).enumerate() {
            let start = (example * entries + entry) * length;
            block.numbers[start..start + length].copy_from_slice(part);
        }
    }

    /// The gradient of a weight in a chain, example by example.
    pub(super) fn chain(
        &mut self,
        key: (usize, usize),
        (program, batched): (&Program, &[bool]),
        (operand, length): (usize, usize),
        entry: usize,
        reached: Reached<'_, T>,
    ) {
        let instruction = &program.instructions[reached.at];
        let Kernel::Chain(chain) = &instruction.kernel else { return };
        let (batch, entries) = (program.batch, self.entries);
        let block = self
            .given
            .entry(key)
            .or_insert_with(|| Block { columns: length, numbers: vec![T::zero(); entries * batch * length] });
        let mut scratch = vec![T::zero(); chain.scratch()];
        for example in 0..batch {
            let part = |numbers: &'_ [T]| {
                let own = numbers.len() / batch;
                example * own..(example + 1) * own
            };
            let operands: SmallVec<[&[T]; 8]> = instruction
                .inputs
                .iter()
                .map(|input| {
                    let own = &reached.values[input.slot][..];
                    if batched[input.slot] { &own[part(own)] } else { own }
                })
                .collect();
            let start = (example * entries + entry) * length;
            let entries = &mut block.numbers[start..start + length];
            let mut row = Some(Receiver { entries, fresh: false });
            let mut into: SmallVec<[Option<Receiver<'_, T>>; 8]> = SmallVec::new();
            (0..instruction.inputs.len())
                .for_each(|at| into.push(if at == operand { row.take() } else { None }));
            chain.backward(&operands, &reached.gradient[part(reached.gradient)], &mut into, &mut scratch);
        }
    }

    /// What the kernel is a sum over.
    pub(super) fn parts(mut self, tangent: &Tangent<T>, program: &Program, factors: &[f64]) -> Vec<Part<T>> {
        let mut parts = Vec::new();
        for (number, place) in tangent.places.iter().enumerate().filter(|(_, place)| !place.plain) {
            let factor = factors[place.param.index()];
            let keys: Vec<(usize, usize)> = (0..place.uses.len()).map(|which| (number, which)).collect();
            let single = place.uses.iter().all(|own| match own {
                Use::Outer { plan, .. } => plan.positions == program.batch,
                Use::Chain { .. } | Use::Shift { .. } => false,
            });
            match &place.uses[..] {
                [] | [Use::Shift { .. }] => {}
                _ if single => parts.push(self.grams(tangent, place, &keys, factors)),
                [Use::Outer { .. }, ..] => {
                    let rows = self.summed(place, &keys, program.batch);
                    parts.push(Part::Rows { rows, weight: factor });
                }
                _ => {
                    let all = keys.iter().filter_map(|key| self.given.remove(key));
                    if let Some(rows) = all.reduce(added) {
                        parts.push(Part::Rows { rows, weight: factor });
                    }
                }
            }
        }
        parts
    }

    /// A weight that every example reads once per use.
    pub(super) fn grams(
        &mut self,
        tangent: &Tangent<T>,
        place: &Place,
        keys: &[(usize, usize)],
        factors: &[f64],
    ) -> Part<T> {
        let (mut read, mut given) = (Vec::new(), Vec::new());
        for (key, own) in keys.iter().zip(&place.uses) {
            let (Some(left), Some(mut right)) = (self.read.remove(key), self.given.remove(key)) else {
                continue;
            };
            if let Use::Outer { factor, .. } = own
                && place.uses.len() > 1
            {
                right.numbers.iter_mut().for_each(|own| *own *= T::of(*factor));
            }
            read.push(left);
            given.push(right);
        }
        let own = match &place.uses[..] {
            [Use::Outer { factor, .. }] => factor * factor,
            _ => 1.0,
        };
        let shift = shift_of(tangent, place, factors);
        Part::Outer { read, given, weight: own * factors[place.param.index()], shift }
    }

    /// The Jacobian of a weight that is read at several positions.
    pub(super) fn summed(&mut self, place: &Place, keys: &[(usize, usize)], batch: usize) -> Block<T> {
        let rows = batch * self.entries;
        let mut out = Block::default();
        for (key, own) in keys.iter().zip(&place.uses) {
            let (Use::Outer { plan, factor, .. }, Some(read), Some(given)) =
                (own, self.read.get(key), self.given.get(key))
            else {
                continue;
            };
            let (positions, size) = (plan.positions / batch, plan.rows * plan.columns);
            out.columns = size;
            out.numbers.resize(rows * size, T::zero());
            let turned = Layout { offset: 0, row: 1, column: plan.rows };
            let plain = Layout { offset: 0, row: plan.columns, column: 1 };
            out.numbers.par_chunks_mut(size).enumerate().for_each(|(row, out)| {
                let read = &read.numbers[row / self.entries * positions * plan.columns..];
                let given = &given.numbers[row * positions * plan.rows..];
                let sides = ((out, plain), (given, turned), (read, plain));
                multiply(
                    (plan.rows, plan.columns, positions),
                    sides.0,
                    sides.1,
                    sides.2,
                    T::of(*factor),
                    true,
                );
            });
        }
        out
    }
}

/// What a bias adds to the Gram matrix of the activations of the contraction that it follows.
pub(super) fn shift_of<T>(tangent: &Tangent<T>, place: &Place, factors: &[f64]) -> f64 {
    let [Use::Outer { at, .. }] = place.uses[..] else { return 0.0 };
    let own = tangent.places.iter().flat_map(|bias| bias.uses.iter().map(move |own| (bias, own)));
    let found = own.filter_map(|(bias, own)| match own {
        Use::Shift { product, factor } if *product == at && !bias.plain => {
            Some(factor * factor * factors[bias.param.index()])
        }
        _ => None,
    });
    found.sum()
}

pub(super) fn added<T: Real>(mut left: Block<T>, right: Block<T>) -> Block<T> {
    left.numbers.iter_mut().zip(&right.numbers).for_each(|(left, right)| *left += *right);
    left
}

/// A tensor brought into the order of a matrix.
pub(super) fn packed<T: Real>(nest: &Nest<2>, length: usize, tensor: &[T]) -> Vec<T> {
    let mut out = vec![T::zero(); length];
    let (steps, [to, from]) = nest.inner();
    nest.each(|[at, start]| (0..steps).for_each(|step| out[at + step * to] = tensor[start + step * from]));
    out
}
