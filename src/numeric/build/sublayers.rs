//! Instructions that are several of others: softmax behind a causal mask, normalizations with gain and bias, functions that leave their slopes.

use smallvec::{SmallVec, smallvec};

use super::in_place::Uses;
use crate::numeric::activation::Activation;
use crate::numeric::function::has_costly_slope;
use crate::numeric::normalized::Normalized;
use crate::numeric::pointwise::{Access, Chain, Link};
use crate::numeric::program::{Input, Instruction, Kernel, Program};
use crate::numeric::rows::Along;

/// An instruction in the place of another and of some before it.
pub(super) struct Joined {
    pub(super) instruction: Instruction,
    pub(super) gone: SmallVec<[usize; 2]>,
}

/// Joins instructions by a rule, which is asked at each of them.
pub(super) fn absorb(program: &mut Program, rule: impl Fn(&Program, &Uses, usize) -> Option<Joined>) {
    let uses = Uses::of(program);
    let mut gone = vec![false; program.instructions.len()];
    for at in 0..program.instructions.len() {
        let Some(joined) = rule(program, &uses, at) else { continue };
        program.instructions[at] = joined.instruction;
        joined.gone.into_iter().for_each(|at| gone[at] = true);
    }
    let mut gone = gone.into_iter();
    program.instructions.retain(|_| !gone.next().unwrap_or(false));
}

/// Everything there is, one after the other.
pub(super) fn join_sublayers(program: &mut Program) {
    absorb(program, masked);
    absorb(program, normalized);
    absorb(program, activation);
}

/// The instruction that makes an operand which nobody else reads, and its number; it runs as often, and gradients go through.
fn maker<'a>(
    program: &'a Program,
    uses: &Uses,
    of: &Instruction,
    operand: usize,
) -> Option<(usize, &'a Instruction)> {
    let input = of.inputs.get(operand).filter(|input| input.gradient)?;
    let at = uses.only_maker(input.slot)?;
    Some((at, &program.instructions[at])).filter(|(_, own)| own.once == of.once)
}

fn masked(program: &Program, uses: &Uses, at: usize) -> Option<Joined> {
    let own = &program.instructions[at];
    let Kernel::Rows(Along::Softmax, length) = own.kernel else { return None };
    let (before, mask) = maker(program, uses, own, 0)?;
    let Kernel::Rows(Along::Causal { queries }, masked) = mask.kernel else { return None };
    let kernel = Kernel::Rows(Along::CausalSoftmax { queries }, length);
    let instruction = Instruction { kernel, inputs: mask.inputs.clone(), ..own.clone() };
    (masked == length).then_some(Joined { instruction, gone: smallvec![before] })
}

/// A chain behind a normalization whose other operands are the same for every row.
fn normalized(program: &Program, uses: &Uses, at: usize) -> Option<Joined> {
    let own = &program.instructions[at];
    let Kernel::Chain(chain) = &own.kernel else { return None };
    let (before, rows) = maker(program, uses, own, 0)?;
    let Kernel::Rows(along @ (Along::Standardize | Along::Rms), length) = rows.kernel else { return None };
    let by_row = |link: &Link| match link {
        Link::Map(_) | Link::Scale(_) => true,
        Link::Add { access, .. } | Link::Multiply { access, .. } => {
            *access == Access { every: 1, of: length }
        }
    };
    let inputs: SmallVec<[Input; 4]> = rows.inputs.iter().chain(&own.inputs[1..]).copied().collect();
    let kernel = Kernel::Normalized(Box::new(Normalized { along, length, chain: chain.clone() }));
    let fits = chain.links.iter().all(by_row) && distinct(&inputs);
    fits.then(|| Joined {
        instruction: Instruction { kernel, inputs, ..own.clone() },
        gone: smallvec![before],
    })
}

/// A function at the end of a chain that does not look back before, whose first operand nobody asks for again.
fn activation(program: &Program, uses: &Uses, at: usize) -> Option<Joined> {
    let own = &program.instructions[at];
    let Kernel::Chain(chain) = &own.kernel else { return None };
    let (Link::Map(func), before) = chain.links.split_last()? else { return None };
    let (_, first) = maker(program, uses, own, 0)?;
    let alone = !first.kernel.keeps_result() && !before.iter().any(Link::looks_back);
    let before = Chain { links: SmallVec::from_slice(before) };
    let kernel = Kernel::Activation(Box::new(Activation { before, func: *func }));
    let instruction = Instruction { kernel, ..own.clone() };
    (alone && has_costly_slope(*func)).then(|| Joined { instruction, gone: smallvec![] })
}

/// Whether no buffer is read twice, so that no gradient is borrowed twice.
pub(super) fn distinct(inputs: &[Input]) -> bool {
    (0..inputs.len()).all(|at| inputs[..at].iter().all(|other| other.slot != inputs[at].slot))
}
