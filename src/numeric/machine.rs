//! Runs a [`Program`]: buffers, values forward, gradients backward. Nothing is allocated after the start.

use std::ops::Index;
use std::sync::Arc;

use ndarray::{ArrayViewD, IxDyn};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use smallvec::SmallVec;

use super::activation::Activation;
use super::data::Column;
use super::pointwise::Receiver;
use super::program::{Input, Instruction, Kernel, Program, Slot, Value};
use super::real::Real;
use super::rows;

/// A program with numbers in its buffers.
#[derive(Clone, Debug)]
pub struct Machine<T> {
    /// What it runs.
    pub program: Arc<Program>,
    values: Vec<Vec<T>>,
    gradients: Vec<Vec<T>>,
    scratch: Vec<T>,
    /// What the masks of dropout are made from.
    mask_seed: u64,
}

/// Where a backward pass is: before an instruction passes on the gradient of what it gives.
#[derive(Clone, Copy, Debug)]
pub struct Reached<'a, T> {
    /// The number of the instruction.
    pub at: usize,
    /// The gradient of its result.
    pub gradient: &'a [T],
    /// All buffers.
    pub values: &'a [Vec<T>],
}

/// The buffers that an instruction reads.
struct Operands<'a, T> {
    values: &'a [Vec<T>],
    inputs: &'a [Input],
}

impl<T> Index<usize> for Operands<'_, T> {
    type Output = [T];

    fn index(&self, at: usize) -> &[T] {
        &self.values[self.inputs[at].slot]
    }
}

/// The most operands that are looked at side by side.
type Slices<'a, T> = SmallVec<[&'a [T]; 8]>;

impl<T: Real> Machine<T> {
    /// Allocates all buffers, fills in constants and runs what runs once. Weights are zero.
    pub fn new(program: Arc<Program>) -> Machine<T> {
        let buffers = |lengths: &[usize]| -> Vec<Vec<T>> {
            lengths.iter().map(|length| vec![T::zero(); *length]).collect()
        };
        let mut values = buffers(&program.lengths);
        for (slot, numbers) in &program.constants {
            values[*slot] = numbers.iter().map(|number| T::of(*number)).collect();
        }
        let gradients = buffers(&program.place_lengths);
        let scratch = vec![T::zero(); program.scratch()];
        let mut machine = Machine { program, values, gradients, scratch, mask_seed: 0 };
        let program = Arc::clone(&machine.program);
        let once = program.instructions.iter().filter(|instruction| instruction.once);
        once.for_each(|instruction| machine.execute(instruction));
        machine
    }

    /// Puts a batch into the buffers of the inputs and targets.
    pub fn load(&mut self, columns: &[Column]) {
        let program = Arc::clone(&self.program);
        for (data, slot) in &program.data {
            let buffer = &mut self.values[*slot];
            match &columns[data.index()] {
                Column::Real(entries) => {
                    buffer.iter_mut().zip(entries).for_each(|(to, from)| *to = T::of(f64::from(*from)));
                }
                Column::Whole(entries) => {
                    buffer.iter_mut().zip(entries).for_each(|(to, from)| *to = T::of(f64::from(*from)));
                }
            }
        }
    }

    /// Makes dropout draw new masks.
    pub fn draw_masks(&mut self, seed: u64) {
        self.mask_seed = seed;
    }

    /// Computes all values; the result is the mean loss over the batch.
    pub fn forward(&mut self) -> f64 {
        self.forward_with(&mut |_| {});
        self.loss()
    }

    /// Computes all values; `visit` is told the number of every instruction before it runs.
    pub fn forward_with(&mut self, visit: &mut dyn FnMut(usize)) {
        let program = Arc::clone(&self.program);
        for (at, instruction) in program.instructions.iter().enumerate().filter(|(_, own)| !own.once) {
            visit(at);
            self.execute(instruction);
        }
    }

    /// The mean loss of the values at hand.
    pub fn loss(&self) -> f64 {
        let loss = &self.program.loss;
        let losses = &self.values[loss.slot];
        loss.scale * losses.iter().map(|loss| loss.double()).sum::<f64>() / losses.len() as f64
    }

    /// Computes the gradients of the mean loss, for the values at hand.
    pub fn backward(&mut self) {
        let program = Arc::clone(&self.program);
        let loss = &program.loss;
        let seed = T::of(loss.scale / self.values[loss.slot].len() as f64);
        let count = program.lengths[loss.slot];
        self.gradients[program.places[loss.slot]][..count].fill(seed);
        let instructions = program.instructions.iter().rev().filter(|instruction| instruction.backward);
        instructions.for_each(|instruction| self.pull(instruction));
    }

    /// Computes the gradients of any function of what stands in the place of the loss: `seed` is its gradient there, entry by entry. `visit` is
    /// told of every instruction on the way.
    pub fn backward_from(&mut self, seed: &[T], visit: &mut dyn FnMut(Reached<'_, T>)) {
        let program = Arc::clone(&self.program);
        let loss = program.loss.slot;
        self.gradients[program.places[loss]][..seed.len()].copy_from_slice(seed);
        let instructions = program.instructions.iter().enumerate().rev();
        for (at, instruction) in instructions.filter(|(_, instruction)| instruction.backward) {
            let length = program.lengths[instruction.output];
            let gradient = &self.gradients[program.places[instruction.output]][..length];
            visit(Reached { at, gradient, values: &self.values });
            self.pull(instruction);
        }
    }

    /// The numbers in a buffer.
    pub fn values(&self, slot: Slot) -> &[T] {
        &self.values[slot]
    }

    /// The same, to be written: weights and data.
    pub fn values_mut(&mut self, slot: Slot) -> &mut [T] {
        &mut self.values[slot]
    }

    /// The gradient of the mean loss with respect to the numbers in a buffer; empty if nobody asks for it.
    pub fn gradient(&self, slot: Slot) -> &[T] {
        let length = if self.program.gradients[slot] { self.program.lengths[slot] } else { 0 };
        &self.gradients[self.program.places[slot]][..length]
    }

    /// Weights with their gradients, to be trained.
    pub fn weight_and_gradient(&mut self, slot: Slot) -> (&mut [T], &[T]) {
        let length = if self.program.gradients[slot] { self.program.lengths[slot] } else { 0 };
        (&mut self.values[slot], &self.gradients[self.program.places[slot]][..length])
    }

    /// The numbers of a tensor as an array, without its factor `value.scale`.
    pub fn array(&self, value: &Value) -> Option<ArrayViewD<'_, T>> {
        ArrayViewD::from_shape(IxDyn(&value.shape), &self.values[value.slot]).ok()
    }

    /// What an instruction gives if some of its operands were others: `swaps` are buffers with other numbers for them.
    pub fn evaluate_with(&mut self, at: usize, swaps: &mut [(Slot, &mut Vec<T>)], out: &mut Vec<T>) {
        let program = Arc::clone(&self.program);
        let instruction = &program.instructions[at];
        let mut exchange = |values: &mut Vec<Vec<T>>| {
            swaps.iter_mut().for_each(|(slot, other)| std::mem::swap(&mut values[*slot], *other));
            std::mem::swap(&mut values[instruction.output], out);
        };
        exchange(&mut self.values);
        self.execute(instruction);
        exchange(&mut self.values);
    }

    /// A copy of all values.
    pub fn snapshot(&self) -> Vec<Vec<T>> {
        self.values.clone()
    }

    /// A copy of all gradients.
    pub fn gradient_snapshot(&self) -> Vec<Vec<T>> {
        (0..self.values.len()).map(|slot| self.gradient(slot).to_vec()).collect()
    }

    /// Takes the place of a gradient out, to be written beside others.
    fn take_place(&mut self, slot: Slot) -> Vec<T> {
        std::mem::take(&mut self.gradients[self.program.places[slot]])
    }

    fn put_place(&mut self, slot: Slot, place: Vec<T>) {
        self.gradients[self.program.places[slot]] = place;
    }

    fn execute(&mut self, instruction: &Instruction) {
        if instruction.is_in_place() {
            return self.execute_in_place(instruction);
        }
        if let Kernel::Activation(activation) = &instruction.kernel {
            return self.activate(activation, instruction);
        }
        let mut out = std::mem::take(&mut self.values[instruction.output]);
        let operands = Operands { values: &self.values, inputs: &instruction.inputs };
        match &instruction.kernel {
            Kernel::Product(product) => {
                let plan = &product.forward;
                plan.run(product.factor, &operands[0], &operands[1], &mut out, false, &mut self.scratch);
            }
            Kernel::Linear(linear) => linear.forward(|operand| &operands[operand], &mut out),
            Kernel::Chain(chain) => chain.forward(&slices(&operands), &mut out, &mut self.scratch),
            Kernel::Activation(_) => {}
            Kernel::Rows(along, length) => rows::forward(*along, *length, &operands[0], &mut out),
            Kernel::Normalized(normalized) => {
                normalized.forward(&slices(&operands), &mut out, &mut self.scratch);
            }
            Kernel::Lookup(lookup) => lookup.forward(&operands[0], &operands[1], &mut out),
            Kernel::Largest(largest) => largest.forward(&operands[0], &mut out),
            Kernel::Dropout(keep, mask) => {
                out.copy_from_slice(&operands[0]);
                drop_entries(*keep, self.mask_seed, *mask, &mut out);
            }
        }
        self.values[instruction.output] = out;
    }

    fn activate(&mut self, activation: &Activation, instruction: &Instruction) {
        let mut out = std::mem::take(&mut self.values[instruction.output]);
        let mut first = std::mem::take(&mut self.values[instruction.inputs[0].slot]);
        let operands = Operands { values: &self.values, inputs: &instruction.inputs };
        activation.forward(&slices(&operands), &mut first, &mut out, &mut self.scratch);
        self.values[instruction.inputs[0].slot] = first;
        self.values[instruction.output] = out;
    }

    /// Only what forgets its first operand is planned in place ([`Kernel::forgets_first`]).
    fn execute_in_place(&mut self, instruction: &Instruction) {
        let mut out = std::mem::take(&mut self.values[instruction.output]);
        let operands = Operands { values: &self.values, inputs: &instruction.inputs };
        match &instruction.kernel {
            Kernel::Chain(chain) => {
                chain.forward_in_place(&slices(&operands), &mut out, &mut self.scratch);
            }
            Kernel::Rows(along, length) => {
                rows::forward_in_place(*along, *length, &mut out, &mut self.scratch);
            }
            _ => debug_assert!(false, "planned in place: {:?}", instruction.kernel),
        }
        self.values[instruction.output] = out;
    }

    fn pull(&mut self, instruction: &Instruction) {
        if instruction.passes_on_in_place() {
            return self.pull_in_place(instruction);
        }
        let place = self.take_place(instruction.output);
        let gradient = &place[..self.program.lengths[instruction.output]];
        match &instruction.kernel {
            Kernel::Chain(chain) => self.with_receivers(&instruction.inputs, 0, |values, into, scratch| {
                chain.backward(values, gradient, into, scratch);
            }),
            Kernel::Normalized(normalized) => {
                self.with_receivers(&instruction.inputs, 0, |values, into, scratch| {
                    normalized.backward(values, gradient, into, scratch);
                });
            }
            _ => {
                for (at, input) in instruction.inputs.iter().enumerate().filter(|(_, input)| input.gradient) {
                    let mut into = self.take_place(input.slot);
                    let length = self.program.lengths[input.slot];
                    self.pull_operand(instruction, at, gradient, &mut into[..length]);
                    self.put_place(input.slot, into);
                }
            }
        }
        self.put_place(instruction.output, place);
    }

    fn pull_in_place(&mut self, instruction: &Instruction) {
        let mut place = self.take_place(instruction.output);
        let gradient = &mut place[..self.program.lengths[instruction.output]];
        match &instruction.kernel {
            Kernel::Chain(chain) => self.with_receivers(&instruction.inputs, 1, |values, into, scratch| {
                chain.backward_in_place(values, gradient, into, scratch);
            }),
            Kernel::Activation(activation) => {
                self.with_receivers(&instruction.inputs, 1, |values, into, scratch| {
                    activation.backward_in_place(values, gradient, into, scratch);
                });
            }
            Kernel::Rows(along, length) => {
                let out = &self.values[instruction.output];
                rows::backward_in_place(*along, *length, out, gradient, &mut self.scratch);
            }
            _ => debug_assert!(false, "planned in place: {:?}", instruction.kernel),
        }
        self.put_place(instruction.output, place);
    }

    fn pull_operand(&mut self, instruction: &Instruction, at: usize, gradient: &[T], into: &mut [T]) {
        let operands = Operands { values: &self.values, inputs: &instruction.inputs };
        let input = instruction.inputs[at];
        if let Kernel::Product(product) = &instruction.kernel {
            let (plan, other) = (&product.backward[at], &operands[1 - at]);
            return plan.run(product.factor, gradient, other, into, !input.fresh, &mut self.scratch);
        }
        let out = &self.values[instruction.output];
        if let Kernel::Rows(along, length) = instruction.kernel {
            return rows::backward(along, length, (&operands[0], out), gradient, into, input.fresh);
        }
        if input.fresh {
            into.fill(T::zero());
        }
        match &instruction.kernel {
            Kernel::Linear(linear) => linear.backward(at, gradient, into),
            Kernel::Lookup(lookup) => lookup.backward(&operands[1], gradient, into),
            Kernel::Largest(largest) => {
                let taken = &mut self.scratch[..out.len()];
                largest.backward((&operands[0], out), gradient, into, taken);
            }
            Kernel::Dropout(keep, mask) => {
                let factor = |kept: bool| if kept { T::of(1.0 / keep) } else { T::zero() };
                let pairs = into.iter_mut().zip(gradient).zip(kept(*keep, self.mask_seed, *mask));
                pairs.for_each(|((into, gradient), kept)| *into += factor(kept) * *gradient);
            }
            Kernel::Product(_) | Kernel::Normalized(_) => {}
            Kernel::Chain(_) | Kernel::Activation(_) | Kernel::Rows(..) => {}
        }
    }

    /// Lends the values of operands, and from operand `first` on the places of the gradients that are asked for.
    fn with_receivers(
        &mut self,
        inputs: &[Input],
        first: usize,
        work: impl FnOnce(&[&[T]], &mut [Option<Receiver<'_, T>>], &mut [T]),
    ) {
        let mut taken: SmallVec<[Option<Vec<T>>; 8]> = SmallVec::new();
        for (at, input) in inputs.iter().enumerate() {
            taken.push((at >= first && input.gradient).then(|| self.take_place(input.slot)));
        }
        let operands = Operands { values: &self.values, inputs };
        let mut into: SmallVec<[Option<Receiver<'_, T>>; 8]> = SmallVec::new();
        for (input, place) in inputs.iter().zip(&mut taken) {
            let length = self.program.lengths[input.slot];
            let own = place.as_mut().map(|place| &mut place[..length]);
            into.push(own.map(|entries| Receiver { entries, fresh: input.fresh }));
        }
        work(&slices(&operands), &mut into, &mut self.scratch);
        drop(into);
        for (input, place) in inputs.iter().zip(taken) {
            if let Some(place) = place {
                self.put_place(input.slot, place);
            }
        }
    }
}

fn slices<'a, T>(operands: &Operands<'a, T>) -> Slices<'a, T> {
    operands.inputs.iter().map(|input| &operands.values[input.slot][..]).collect()
}

/// Which entries a mask keeps: the same for the same seed and number.
fn kept(keep: f64, seed: u64, mask: usize) -> impl Iterator<Item = bool> {
    let mut stream = ChaCha8Rng::seed_from_u64(seed);
    stream.set_stream(mask as u64);
    let bound = (keep * f64::from(u32::MAX)) as u32;
    std::iter::repeat_with(move || stream.next_u32() <= bound)
}

fn drop_entries<T: Real>(keep: f64, seed: u64, mask: usize, entries: &mut [T]) {
    let factor = T::of(1.0 / keep);
    for (entry, kept) in entries.iter_mut().zip(kept(keep, seed, mask)) {
        *entry = if kept { *entry * factor } else { T::zero() };
    }
}
