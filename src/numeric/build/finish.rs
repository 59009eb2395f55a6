//! The end of a plan: what can be left out, what can be joined, and which gradients are asked for.

use smallvec::{SmallVec, smallvec};

use super::in_place::{Uses, begin_with_own, write_over};
use super::sublayers::{Joined, absorb, distinct, join_sublayers};
use super::{BuildError, Building, Purpose};
use crate::graph::NodeId;
use crate::numeric::pointwise::Link;
use crate::numeric::program::{Input, Instruction, Kernel, Program};

/// The most operands of a fused chain.
const MOST_OPERANDS: usize = 8;

impl Building<'_> {
    pub(super) fn finish(mut self, loss: NodeId) -> Result<Program, BuildError> {
        let value = self.unrolled.known[loss.index()].clone().ok_or(BuildError::NoLoss)?;
        self.program.loss = if value.batched { value } else { self.for_every_example(&value)? };
        let outputs =
            self.graph.outputs.iter().filter_map(|output| self.unrolled.known[output.index()].clone());
        self.program.outputs = outputs.collect();
        let mut program = self.program;
        if self.purpose != Purpose::Observation {
            program.traces.clear();
            begin_with_own(&mut program);
            absorb(&mut program, chained);
        }
        match self.purpose {
            Purpose::Training => {
                join_sublayers(&mut program);
                save_room(&mut program);
            }
            Purpose::Tangent => save_room(&mut program),
            Purpose::Observation => {
                ask_for_gradients(&mut program);
                own_places(&mut program);
            }
        }
        Ok(program)
    }
}

/// Writes results over what nobody needs, and lets gradients that are not needed at the same time share a place.
fn save_room(program: &mut Program) {
    write_over(program);
    drop_unread(program);
    ask_for_gradients(program);
    share_places(program);
}

/// Joins chains: one whose result only another chain reads, as its first operand, becomes its beginning.
fn chained(program: &Program, uses: &Uses, at: usize) -> Option<Joined> {
    let own = &program.instructions[at];
    let before = uses.only_maker(own.inputs.first()?.slot)?;
    let instruction = join(&program.instructions[before], own)?;
    Some(Joined { instruction, gone: smallvec![before] })
}

fn join(first: &Instruction, second: &Instruction) -> Option<Instruction> {
    let (Kernel::Chain(before), Kernel::Chain(after)) = (&first.kernel, &second.kernel) else { return None };
    let shift = first.inputs.len() - 1;
    let inputs: SmallVec<[Input; 4]> = first.inputs.iter().chain(&second.inputs[1..]).copied().collect();
    if inputs.len() > MOST_OPERANDS || !distinct(&inputs) || first.once != second.once {
        return None;
    }
    let mut links: SmallVec<[Link; 4]> = before.links.clone();
    links.extend(after.links.iter().map(|link| link.renumbered(|operand| operand + shift)));
    let kernel = Kernel::Chain(crate::numeric::pointwise::Chain { links });
    Some(Instruction { kernel, inputs, ..second.clone() })
}

/// Leaves out instructions whose results nobody reads, and frees the buffers that are left over.
fn drop_unread(program: &mut Program) {
    let mut read = vec![false; program.lengths.len()];
    program.outputs.iter().chain([&program.loss]).for_each(|value| read[value.slot] = true);
    let mut kept: Vec<Instruction> = Vec::new();
    for instruction in std::mem::take(&mut program.instructions).into_iter().rev() {
        if read[instruction.output] {
            instruction.inputs.iter().for_each(|input| read[input.slot] = true);
            kept.push(instruction);
        }
    }
    kept.reverse();
    program.instructions = kept;
    program.weights.iter().for_each(|weight| read[weight.slot] = true);
    program.data.iter().for_each(|(_, slot)| read[*slot] = true);
    for (slot, read) in read.into_iter().enumerate().filter(|(_, read)| !read) {
        (program.lengths[slot], program.gradients[slot]) = (0, read);
    }
    program.constants.retain(|(slot, _)| program.lengths[*slot] > 0);
}

/// Marks which instructions run backward, and which of their contributions come first.
fn ask_for_gradients(program: &mut Program) {
    let mut reached = vec![false; program.lengths.len()];
    reached[program.loss.slot] = program.loss.gradient;
    for instruction in program.instructions.iter_mut().rev() {
        let asked = instruction.inputs.iter().any(|input| input.gradient);
        instruction.backward = asked && reached[instruction.output];
        for input in instruction.inputs.iter_mut().filter(|input| input.gradient) {
            if instruction.backward {
                input.fresh = !std::mem::replace(&mut reached[input.slot], true);
            }
        }
    }
    for (slot, reached) in reached.into_iter().enumerate() {
        program.gradients[slot] &= reached;
    }
}

/// Every gradient in a place of its own: all of them are looked at after a pass.
fn own_places(program: &mut Program) {
    let lengths = program.lengths.iter().zip(&program.gradients);
    program.place_lengths = lengths.map(|(length, has)| if *has { *length } else { 0 }).collect();
    program.places = (0..program.lengths.len()).collect();
}

/// Gives a gradient its place when it is first written, and takes it back when the operation that made the value has passed it on. Weights
/// keep theirs for the optimizer.
fn share_places(program: &mut Program) {
    let mut kept = vec![false; program.lengths.len()];
    program.weights.iter().for_each(|weight| kept[weight.slot] = true);
    let mut room = Room { places: vec![0; program.lengths.len()], lengths: vec![0], free: Vec::new() };
    room.take(program.loss.slot, program.lengths[program.loss.slot]);
    for instruction in program.instructions.iter().rev().filter(|instruction| instruction.backward) {
        let passed_on = usize::from(instruction.passes_on_in_place());
        for first in &instruction.inputs[..passed_on] {
            room.places[first.slot] = room.places[instruction.output];
        }
        for input in instruction.inputs[passed_on..].iter().filter(|input| input.gradient && input.fresh) {
            room.take(input.slot, program.lengths[input.slot]);
        }
        if !kept[instruction.output] && passed_on == 0 {
            room.free.push(room.places[instruction.output]);
        }
    }
    (program.places, program.place_lengths) = (room.places, room.lengths);
}

/// Places for gradients. The first one has no length: it is for buffers without.
struct Room {
    places: Vec<usize>,
    lengths: Vec<usize>,
    free: Vec<usize>,
}

impl Room {
    /// The smallest free place that is long enough, else the longest one, lengthened, else a new one.
    fn take(&mut self, slot: usize, length: usize) {
        let fits = |place: &usize| {
            let own = self.lengths[*place];
            if own >= length { (0, own) } else { (1, usize::MAX - own) }
        };
        let best = (0..self.free.len()).min_by_key(|at| fits(&self.free[*at]));
        let place = best.map(|at| self.free.swap_remove(at)).unwrap_or_else(|| {
            self.lengths.push(0);
            self.lengths.len() - 1
        });
        self.lengths[place] = self.lengths[place].max(length);
        self.places[slot] = place;
    }
}
