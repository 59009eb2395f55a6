//! How every trained weight stands in a program.

use crate::graph::ParamId;
use crate::numeric::pointwise::{Chain, Link};
use crate::numeric::program::{Instruction, Kernel, Outer, Program, Slot};

/// How a weight stands in an instruction.
#[derive(Clone, Debug)]
pub(super) enum Use {
    /// A contraction: which operand is beside the weight.
    Outer { at: usize, beside: usize, plan: Box<Outer>, factor: f64 },
    /// A chain: which operand the weight is.
    Chain { at: usize, operand: usize },
    /// What a contraction gives plus a bias: that contraction's gradients, times this factor, are the bias's.
    Shift { product: usize, factor: f64 },
}

/// The uses of one weight.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) param: ParamId,
    pub(super) slot: Slot,
    pub(super) uses: Vec<Use>,
    /// Without a structure that is known: one example at a time.
    pub(super) plain: bool,
}

/// Which buffers depend on data.
pub(super) fn batched(program: &Program) -> Vec<bool> {
    let mut found = vec![false; program.lengths.len()];
    program.data.iter().for_each(|(_, slot)| found[*slot] = true);
    for instruction in &program.instructions {
        found[instruction.output] |= instruction.inputs.iter().any(|input| found[input.slot]);
    }
    found
}

/// Every trained weight with its uses.
pub(super) fn places(program: &Program, batched: &[bool]) -> Vec<Place> {
    let trained = program.weights.iter().filter(|weight| program.gradients[weight.slot]);
    let mut found: Vec<Place> = trained
        .map(|weight| Place { param: weight.param, slot: weight.slot, uses: Vec::new(), plain: false })
        .collect();
    for (at, instruction) in program.instructions.iter().enumerate().filter(|(_, own)| own.backward) {
        for (operand, input) in instruction.inputs.iter().enumerate() {
            let Some(place) = found.iter_mut().find(|place| place.slot == input.slot) else { continue };
            match usage(program, batched, (at, instruction), operand) {
                Some(own) => place.uses.push(own),
                None => place.plain = true,
            }
        }
    }
    found.iter_mut().for_each(|place| place.plain |= !is_alike(&place.uses));
    found
}

/// Whether the uses of a weight can be added up: all as the same matrix, or none as a matrix.
pub(super) fn is_alike(uses: &[Use]) -> bool {
    let role = |own: &Use| match own {
        Use::Outer { plan, .. } => Some(plan.summed.clone()),
        Use::Chain { .. } | Use::Shift { .. } => None,
    };
    let shifts = uses.iter().any(|own| matches!(own, Use::Shift { .. }));
    uses.windows(2).all(|pair| role(&pair[0]) == role(&pair[1])) && (!shifts || uses.len() == 1)
}

pub(super) fn usage(
    program: &Program,
    batched: &[bool],
    (at, instruction): (usize, &Instruction),
    operand: usize,
) -> Option<Use> {
    if !batched[instruction.output] {
        return None;
    }
    match &instruction.kernel {
        Kernel::Product(product) => {
            let plan = product.outer[operand].clone()?;
            Some(Use::Outer { at, beside: 1 - operand, plan, factor: product.factor })
        }
        Kernel::Chain(chain) if operand > 0 => {
            Some(shift(program, (instruction, chain), operand).unwrap_or(Use::Chain { at, operand }))
        }
        _ => None,
    }
}

/// A bias that is added right after a contraction with a weight of its own, which nothing else reads.
pub(super) fn shift(
    program: &Program,
    (instruction, chain): (&Instruction, &Chain),
    operand: usize,
) -> Option<Use> {
    let Some(Link::Add { operand: added, access, factor }) = chain.links.first() else { return None };
    let source = instruction.inputs.first()?.slot;
    let product = program.instructions.iter().position(|own| own.output == source)?;
    let Kernel::Product(own) = &program.instructions[product].kernel else { return None };
    let plan = own.outer.iter().flatten().next()?;
    let readers = program.instructions.iter().flat_map(|own| &own.inputs).filter(|own| own.slot == source);
    let last = access.every == 1 && access.of == plan.rows && plan.positions == program.batch;
    let in_order = plan.rows == program.lengths[source] / program.batch;
    let weight = program.instructions[product].inputs.iter().find(|own| {
        program.weights.iter().any(|weight| weight.slot == own.slot && program.gradients[weight.slot])
    })?;
    let users = program.instructions.iter().flat_map(|own| &own.inputs).filter(|own| own.slot == weight.slot);
    let alone = readers.count() == 1 && users.count() == 1 && *added == operand;
    (last && in_order && alone).then_some(Use::Shift { product, factor: *factor })
}
