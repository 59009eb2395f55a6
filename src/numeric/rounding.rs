//! What rounding leaves of gradients that are zero.
//!
//! A gradient of a weight is a sum of products; where they cancel, because nothing after the weight feels it (a shift before a normalization, say), what is left
//! is the rounding of the summands. In f32 that is about 1e-7 of their sum without signs: [`floors`] gives that sum, per parameter. A gradient whose summands
//! are merely independent is its own floor over the root of their number, far above.

use super::machine::Machine;
use super::program::{Instruction, Kernel, Program, Slot};
use super::real::Real;

/// The sum without signs of what the gradient of one entry consists of, per weight of the program (root mean square over its entries).
pub fn floors<T: Real>(machine: &Machine<T>) -> Vec<f64> {
    let program = &machine.program;
    let mut floors = vec![0.0; program.lengths.len()];
    let of_weights = of_weights(program);
    for instruction in program.instructions.iter().rev().filter(|instruction| instruction.backward) {
        let out = instruction.output;
        let gradient = if of_weights[out] { floors[out] } else { size(machine.gradient(out)) };
        for (at, input) in instruction.inputs.iter().enumerate() {
            if of_weights[input.slot] && input.gradient {
                floors[input.slot] += gradient * summands(machine, instruction, at);
            }
        }
    }
    program.weights.iter().map(|weight| floors[weight.slot]).collect()
}

/// How many gradients of the result add up in one entry of an operand, each times the factor it comes with.
fn summands<T: Real>(machine: &Machine<T>, instruction: &Instruction, at: usize) -> f64 {
    let own = instruction.inputs[at].slot;
    let length = |slot: Slot| machine.program.lengths[slot] as f64;
    let Kernel::Product(product) = &instruction.kernel else {
        return (length(instruction.output) / length(own)).max(1.0);
    };
    let other = instruction.inputs.get(1 - at).map_or(1.0, |input| size(machine.values(input.slot)));
    let count = product.backward[at].multiplications() as f64 / length(own);
    count * other * product.factor.abs()
}

/// Which buffers are weights, or rearrangements of one.
fn of_weights(program: &Program) -> Vec<bool> {
    let mut found = vec![false; program.lengths.len()];
    program.weights.iter().for_each(|weight| found[weight.slot] = true);
    for instruction in &program.instructions {
        let pure = instruction.inputs.iter().all(|input| found[input.slot]);
        found[instruction.output] |= pure && !instruction.inputs.is_empty();
    }
    found
}

fn size<T: Real>(entries: &[T]) -> f64 {
    let squares: f64 =
        entries.iter().map(|entry| entry.double()).filter(|e| e.is_finite()).map(|e| e * e).sum();
    if entries.is_empty() { 0.0 } else { (squares / entries.len() as f64).sqrt() }
}
