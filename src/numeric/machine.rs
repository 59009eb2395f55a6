//! Runs a [`Program`]: buffers, values forward, gradients backward. Nothing is allocated after the start.

use std::ops::Index;
use std::sync::Arc;

use ndarray::{ArrayViewD, IxDyn};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use smallvec::SmallVec;

use super::buffers::{Buffers, MANY, Others};
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
    values: Buffers<T>,
    gradients: Buffers<T>,
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
    pub values: &'a Buffers<T>,
}

/// The buffers that an instruction reads.
struct Operands<'a, T> {
    values: Others<'a, T>,
    inputs: &'a [Input],
    /// Other numbers in the place of some buffers.
    swaps: &'a [(Slot, &'a [T])],
}

impl<'a, T> Operands<'a, T> {
    fn new(values: Others<'a, T>, instruction: &'a Instruction) -> Operands<'a, T> {
        Operands { values, inputs: &instruction.inputs, swaps: &[] }
    }

    fn get(&self, at: usize) -> &'a [T] {
        let slot = self.inputs[at].slot;
        let swapped = self.swaps.iter().find(|(other, _)| *other == slot);
        swapped.map_or_else(|| self.values.get(slot), |(_, numbers)| numbers)
    }

    fn slices(&self) -> Slices<'a, T> {
        (0..self.inputs.len()).map(|at| self.get(at)).collect()
    }
}

impl<T> Index<usize> for Operands<'_, T> {
    type Output = [T];

    fn index(&self, at: usize) -> &[T] {
        self.get(at)
    }
}

/// The most operands that are looked at side by side.
type Slices<'a, T> = SmallVec<[&'a [T]; 8]>;

impl<T: Real> Machine<T> {
    /// Allocates all buffers, fills in constants and runs what runs once. Weights are zero.
    pub fn new(program: Arc<Program>) -> Machine<T> {
        let mut values = Buffers::new(&program.lengths);
        for (slot, numbers) in &program.constants {
            let places = values[*slot].iter_mut();
            places.zip(numbers).for_each(|(place, number)| *place = T::of(*number));
        }
        let gradients = Buffers::new(&program.place_lengths);
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

    /// What an instruction of a program that keeps all values gives if some of its operands were others: `swaps` are buffers with other numbers for them.
    pub fn evaluate_with(&mut self, at: usize, swaps: &[(Slot, &[T])], out: &mut Vec<T>) {
        let program = Arc::clone(&self.program);
        let instruction = &program.instructions[at];
        debug_assert!(!instruction.is_in_place(), "its first operand is gone");
        out.resize(program.lengths[instruction.output], T::zero());
        let operands = Operands { values: self.values.all(), inputs: &instruction.inputs, swaps };
        give(&instruction.kernel, &operands, out, &mut self.scratch, self.mask_seed);
    }

    /// A copy of all values.
    pub fn snapshot(&self) -> Buffers<T> {
        self.values.clone()
    }

    /// A copy of all gradients.
    pub fn gradient_snapshot(&self) -> Vec<Vec<T>> {
        (0..self.program.lengths.len()).map(|slot| self.gradient(slot).to_vec()).collect()
    }

    fn execute(&mut self, instruction: &Instruction) {
        let Machine { values, scratch, .. } = self;
        if let Kernel::Activation(activation) = &instruction.kernel {
            let ([first, out], others) = values.lend([instruction.inputs[0].slot, instruction.output]);
            return activation.forward(&Operands::new(others, instruction).slices(), first, out, scratch);
        }
        let ([out], others) = values.lend([instruction.output]);
        let operands = Operands::new(others, instruction);
        match instruction.is_in_place() {
            true => give_in_place(&instruction.kernel, &operands, out, scratch),
            false => give(&instruction.kernel, &operands, out, scratch, self.mask_seed),
        }
    }

    fn pull(&mut self, instruction: &Instruction) {
        if instruction.passes_on_in_place() {
            return self.pull_in_place(instruction);
        }
        match &instruction.kernel {
            Kernel::Chain(chain) => self.with_receivers(instruction, 0, |values, gradient, into, scratch| {
                chain.backward(values, gradient, into, scratch);
            }),
            Kernel::Normalized(normalized) => {
                self.with_receivers(instruction, 0, |values, gradient, into, scratch| {
                    normalized.backward(values, gradient, into, scratch);
                });
            }
            _ => {
                let wanted = instruction.inputs.iter().enumerate().filter(|(_, input)| input.gradient);
                wanted.for_each(|(at, _)| self.pull_operand(instruction, at));
            }
        }
    }

    fn pull_in_place(&mut self, instruction: &Instruction) {
        match &instruction.kernel {
            Kernel::Chain(chain) => self.with_receivers(instruction, 1, |values, gradient, into, scratch| {
                chain.backward_in_place(values, gradient, into, scratch);
            }),
            Kernel::Activation(activation) => {
                self.with_receivers(instruction, 1, |values, gradient, into, scratch| {
                    activation.backward_in_place(values, gradient, into, scratch);
                });
            }
            Kernel::Rows(along, length) => {
                let Machine { program, values, gradients, scratch, .. } = self;
                let out = &values[instruction.output];
                let gradient = &mut gradients[program.places[instruction.output]][..out.len()];
                rows::backward_in_place(*along, *length, out, gradient, scratch);
            }
            _ => debug_assert!(false, "planned in place: {:?}", instruction.kernel),
        }
    }

    /// Passes the gradient of a result on to one operand.
    fn pull_operand(&mut self, instruction: &Instruction, at: usize) {
        let Machine { program, values, gradients, scratch, mask_seed } = self;
        let input = instruction.inputs[at];
        let places = [instruction.output, input.slot].map(|slot| program.places[slot]);
        let ([gradient, into], _) = gradients.lend(places);
        let gradient = &gradient[..program.lengths[instruction.output]];
        let into = &mut into[..program.lengths[input.slot]];
        let operands = Operands::new(values.all(), instruction);
        if let Kernel::Product(product) = &instruction.kernel {
            let (plan, other) = (&product.backward[at], &operands[1 - at]);
            return plan.run(product.factor, gradient, other, into, !input.fresh, scratch);
        }
        let out = &values[instruction.output];
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
                largest.backward((&operands[0], out), gradient, into, &mut scratch[..out.len()]);
            }
            Kernel::Dropout(keep, mask) => {
                let factor = |kept: bool| if kept { T::of(1.0 / keep) } else { T::zero() };
                let pairs = into.iter_mut().zip(gradient).zip(kept(*keep, *mask_seed, *mask));
                pairs.for_each(|((into, gradient), kept)| *into += factor(kept) * *gradient);
            }
            Kernel::Product(_) | Kernel::Normalized(_) => {}
            Kernel::Chain(_) | Kernel::Activation(_) | Kernel::Rows(..) => {}
        }
    }

    /// Lends the values of operands, the gradient of the result, and from operand `first` on the places of the gradients that are asked for.
    fn with_receivers(
        &mut self,
        instruction: &Instruction,
        first: usize,
        work: impl FnOnce(&[&[T]], &mut [T], &mut [Option<Receiver<'_, T>>], &mut [T]),
    ) {
        let Machine { program, values, gradients, scratch, .. } = self;
        let inputs = &instruction.inputs;
        let receives = |at: usize, input: &Input| at >= first && input.gradient;
        let receivers = inputs.iter().enumerate().filter(|(at, input)| receives(*at, input));
        let slots = std::iter::once(instruction.output).chain(receivers.map(|(_, input)| input.slot));
        let places: SmallVec<[usize; MANY]> = slots.map(|slot| program.places[slot]).collect();
        let (lent, _) = gradients.lend_all(&places);
        let mut lent = lent.into_iter();
        let gradient = lent.next().unwrap_or_default();
        let mut into: SmallVec<[Option<Receiver<'_, T>>; 8]> = SmallVec::new();
        for (at, input) in inputs.iter().enumerate() {
            let place = if receives(at, input) { lent.next() } else { None };
            let entries = place.map(|place| &mut place[..program.lengths[input.slot]]);
            into.push(entries.map(|entries| Receiver { entries, fresh: input.fresh }));
        }
        let operands = Operands::new(values.all(), instruction).slices();
        work(&operands, &mut gradient[..program.lengths[instruction.output]], &mut into, scratch);
    }
}

/// Runs what writes a buffer of its own.
fn give<T: Real>(
    kernel: &Kernel,
    operands: &Operands<'_, T>,
    out: &mut [T],
    scratch: &mut [T],
    mask_seed: u64,
) {
    match kernel {
        Kernel::Product(product) => {
            product.forward.run(product.factor, &operands[0], &operands[1], out, false, scratch);
        }
        Kernel::Linear(linear) => linear.forward(|operand| operands.get(operand), out),
        Kernel::Chain(chain) => chain.forward(&operands.slices(), out, scratch),
        Kernel::Rows(along, length) => rows::forward(*along, *length, &operands[0], out),
        Kernel::Normalized(normalized) => normalized.forward(&operands.slices(), out, scratch),
        Kernel::Lookup(lookup) => lookup.forward(&operands[0], &operands[1], out),
        Kernel::Largest(largest) => largest.forward(&operands[0], out),
        Kernel::Dropout(keep, mask) => {
            out.copy_from_slice(&operands[0]);
            drop_entries(*keep, mask_seed, *mask, out);
        }
        Kernel::Activation(_) => debug_assert!(false, "writes two buffers"),
    }
}

/// Runs what writes over its first operand: only what forgets it is planned so ([`Kernel::forgets_first`]).
fn give_in_place<T: Real>(kernel: &Kernel, operands: &Operands<'_, T>, out: &mut [T], scratch: &mut [T]) {
    match kernel {
        Kernel::Chain(chain) => chain.forward_in_place(&operands.slices(), out, scratch),
        Kernel::Rows(along, length) => rows::forward_in_place(*along, *length, out, scratch),
        _ => debug_assert!(false, "planned in place: {kernel:?}"),
    }
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
