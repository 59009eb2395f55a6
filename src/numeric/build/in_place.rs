//! Buffers that are saved: an operation that needs its first operand no more, and whose first operand nobody else needs, writes its result over it; its
//! gradient takes the same way back.

use crate::numeric::pointwise::{Access, Link};
use crate::numeric::program::{Kernel, Program, Slot};

/// How often every buffer is read, what is kept at the end included, and which instruction makes it.
pub(super) struct Uses {
    pub(super) readers: Vec<usize>,
    pub(super) maker: Vec<Option<usize>>,
}

impl Uses {
    pub(super) fn of(program: &Program) -> Uses {
        let mut uses =
            Uses { readers: vec![0; program.lengths.len()], maker: vec![None; program.lengths.len()] };
        let kept = program.outputs.iter().chain([&program.loss]);
        kept.for_each(|value| uses.readers[value.slot] += 1);
        for (at, instruction) in program.instructions.iter().enumerate() {
            instruction.inputs.iter().for_each(|input| uses.readers[input.slot] += 1);
            uses.maker[instruction.output] = Some(at);
        }
        uses
    }

    /// The instruction that makes a buffer, if one other instruction reads it and nobody else.
    pub(super) fn only_maker(&self, slot: Slot) -> Option<usize> {
        self.maker[slot].filter(|_| self.readers[slot] == 1)
    }
}

/// A sum of a tensor that others read too with one that nobody else reads begins with the latter: it can go on where that one was made.
pub(super) fn begin_with_own(program: &mut Program) {
    let uses = Uses::of(program);
    for instruction in &mut program.instructions {
        let Kernel::Chain(chain) = &mut instruction.kernel else { continue };
        let Some(Link::Add { operand, access, factor }) = chain.links.first().copied() else { continue };
        let inputs = &mut instruction.inputs;
        let whole = access == Access { every: 1, of: program.lengths[instruction.output] };
        let own = |at: usize| uses.only_maker(inputs[at].slot).is_some();
        if !whole || own(0) || !own(operand) {
            continue;
        }
        inputs.swap(0, operand);
        chain.links[0] = Link::Add { operand, access, factor: 1.0 };
        if factor != 1.0 {
            chain.links.insert(0, Link::Scale(factor));
        }
    }
}

/// Lets operations write over their first operands.
pub(super) fn write_over(program: &mut Program) {
    let uses = Uses::of(program);
    let mut names: Vec<Slot> = (0..program.lengths.len()).collect();
    for at in 0..program.instructions.len() {
        let over = overwritten(program, &uses, at);
        let instruction = &mut program.instructions[at];
        instruction.inputs.iter_mut().for_each(|input| input.slot = names[input.slot]);
        if over {
            let first = instruction.inputs[0].slot;
            names[instruction.output] = first;
            instruction.output = first;
        }
    }
    let kept = program.outputs.iter_mut().chain([&mut program.loss]);
    kept.for_each(|value| value.slot = names[value.slot]);
}

/// Whether nobody asks again for the first operand of an instruction: nobody else reads it, and neither this instruction nor the one that made it needs
/// it on the way back.
fn overwritten(program: &Program, uses: &Uses, at: usize) -> bool {
    let own = &program.instructions[at];
    let Some(first) = own.inputs.first().filter(|_| own.kernel.forgets_first()) else { return false };
    let Some(maker) = uses.only_maker(first.slot).map(|maker| &program.instructions[maker]) else {
        return false;
    };
    maker.once == own.once
        && !maker.kernel.keeps_result()
        && first.gradient == program.gradients[own.output]
        && program.lengths[first.slot] == program.lengths[own.output]
}
