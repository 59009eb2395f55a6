//! Sizes of everything in a network while it trains: root mean squares over entries, batch and repetitions.
//!
//! At a **site**, an operation that takes a weight W and something else x, the change of the result is taken apart: with op the operation,
//!
//! ```text
//! op(W_t, x_t) - op(W_0, x_0) = [op(W_t, x_t) - op(W_0, x_t)]  +  [op(W_0, x_t) - op(W_0, x_0)]
//!                                        update                            propagation
//! ```
//!
//! Changes are differences of tensors, never of sizes.

use std::sync::Arc;

use smallvec::SmallVec;

use super::buffers::Buffers;
use super::machine::Machine;
use super::program::{Kernel, Program, Slot, Trace};
use super::real::Real;
use super::rounding::floors;

/// Sizes at one moment; `None` where a node has no such size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// |x| per node.
    pub value: Vec<Option<f64>>,
    /// |x_t - x_0| per node.
    pub change: Vec<Option<f64>>,
    /// |G| per node: the gradient of the mean loss.
    pub gradient: Vec<Option<f64>>,
    /// |G_t - G_0| per node.
    pub gradient_change: Vec<Option<f64>>,
    /// What the weight's change does, per node that is a site.
    pub update: Vec<Option<f64>>,
    /// What the initial weight makes of the change of the rest, per node that is a site.
    pub propagation: Vec<Option<f64>>,
    /// |W| per parameter, with its multiplier.
    pub entries: Vec<Option<f64>>,
    /// |W_t - W_0| per parameter.
    pub entry_change: Vec<Option<f64>>,
    /// The gradient of the trained tensor's entries (without multiplier), per parameter: what eps is compared with.
    pub entry_gradient: Vec<Option<f64>>,
    /// The sum without signs of what that gradient consists of ([`super::rounding`]), per parameter.
    pub entry_summands: Vec<Option<f64>>,
    /// |dW x| / (|dW| |x|) per node that is a product with a weight: its growth with the fan-in is the alignment.
    pub alignment: Vec<Option<f64>>,
}

/// A size that fewer entries than this carry is chance, where there are many: a kink that one unit in ten thousand has crossed.
const FEWEST: f64 = 8.0;

/// Sums of squares per node.
struct Sums {
    squares: Vec<f64>,
    fourths: Vec<f64>,
    counts: Vec<f64>,
}

impl Sums {
    fn new(length: usize) -> Sums {
        Sums { squares: vec![0.0; length], fourths: vec![0.0; length], counts: vec![0.0; length] }
    }

    /// Adds entries; those that a mask has set to minus infinity do not count.
    fn add(&mut self, at: usize, scale: f64, entries: impl Iterator<Item = f64>) {
        let (mut squares, mut fourths, mut count) = (0.0, 0.0, 0.0);
        for entry in entries.filter(|entry| *entry != f64::NEG_INFINITY) {
            let square = (scale * entry) * (scale * entry);
            squares += square;
            fourths += square * square;
            count += 1.0;
        }
        self.squares[at] += squares;
        self.fourths[at] += fourths;
        self.counts[at] += count;
    }

    fn sizes(self) -> Vec<Option<f64>> {
        let size = |at: usize| {
            let (squares, fourths, count) = (self.squares[at], self.fourths[at], self.counts[at]);
            let carried = if fourths > 0.0 { squares * squares / fourths } else { count };
            let chance = carried < FEWEST && count > 16.0 * FEWEST;
            (count > 0.0).then(|| if chance { f64::NAN } else { (squares / count).sqrt() })
        };
        (0..self.counts.len()).map(size).collect()
    }
}

/// What is remembered of the initialization.
#[derive(Clone, Debug)]
pub struct Origin<T> {
    values: Buffers<T>,
    gradients: Vec<Vec<T>>,
    /// Instructions that take a weight and something else, with the operands that are weights.
    sites: Vec<(Trace, Vec<Slot>)>,
    nodes: usize,
    params: usize,
    out: Vec<T>,
}

impl<T: Real> Origin<T> {
    /// Remembers a machine after its first forward and backward pass.
    pub fn new(machine: &Machine<T>, params: usize) -> Origin<T> {
        let program = &machine.program;
        let nodes = program.traces.iter().map(|trace| trace.node.index() + 1).max().unwrap_or(0);
        Origin {
            values: machine.snapshot(),
            gradients: machine.gradient_snapshot(),
            sites: sites(program),
            nodes,
            params,
            out: Vec::new(),
        }
    }

    /// The sizes at initialization.
    pub fn first(&self, machine: &Machine<T>) -> Moment {
        let mut moment = self.sizes_now(machine);
        moment.change = Vec::new();
        moment.gradient_change = Vec::new();
        moment.entry_change = Vec::new();
        moment
    }

    /// The sizes after some steps; the machine has just run forward and backward.
    pub fn later(&mut self, machine: &mut Machine<T>) -> Moment {
        let mut moment = self.sizes_now(machine);
        self.measure_sites(machine, &mut moment);
        moment
    }

    fn sizes_now(&self, machine: &Machine<T>) -> Moment {
        let program = Arc::clone(&machine.program);
        let sums = || Sums::new(self.nodes);
        let (mut value, mut change, mut gradient, mut moved) = (sums(), sums(), sums(), sums());
        for trace in &program.traces {
            let (at, slot, scale) = (trace.node.index(), trace.value.slot, trace.value.scale);
            let (now, then) = (machine.values(slot), &self.values[slot]);
            value.add(at, scale, now.iter().map(|entry| entry.double()));
            change.add(at, scale, differences(now, then));
            let (now, then) = (machine.gradient(slot), &self.gradients[slot]);
            gradient.add(at, 1.0 / scale, now.iter().map(|entry| entry.double()));
            moved.add(at, 1.0 / scale, differences(now, then));
        }
        let params = self.of_params(machine);
        let [entries, entry_change, entry_gradient, entry_summands] = params;
        Moment {
            value: value.sizes(),
            change: change.sizes(),
            gradient: gradient.sizes(),
            gradient_change: moved.sizes(),
            entries,
            entry_change,
            entry_gradient,
            entry_summands,
            ..Moment::default()
        }
    }

    fn of_params(&self, machine: &Machine<T>) -> [Vec<Option<f64>>; 4] {
        let mut sums = [0, 1, 2, 3].map(|_| Sums::new(self.params));
        for (weight, summands) in machine.program.weights.iter().zip(floors(machine)) {
            let (at, slot) = (weight.param.index(), weight.slot);
            let scale = scale_of(&machine.program, slot);
            let (now, then) = (machine.values(slot), &self.values[slot]);
            sums[0].add(at, scale, now.iter().map(|entry| entry.double()));
            sums[1].add(at, scale, differences(now, then));
            sums[2].add(at, 1.0, machine.gradient(slot).iter().map(|entry| entry.double()));
            sums[3].add(at, 1.0, std::iter::once(summands));
        }
        sums.map(Sums::sizes)
    }

    fn measure_sites(&mut self, machine: &mut Machine<T>, moment: &mut Moment) {
        let (mut update, mut propagation) = (Sums::new(self.nodes), Sums::new(self.nodes));
        let mut alignment = vec![None; self.nodes];
        for (trace, weights) in std::mem::take(&mut self.sites) {
            let Some(instruction) = trace.instruction else { continue };
            self.with_initial_weights(machine, instruction, &weights);
            let (at, slot, scale) = (trace.node.index(), trace.value.slot, trace.value.scale);
            update.add(at, scale, differences(machine.values(slot), &self.out));
            propagation.add(at, scale, differences(&self.out, &self.values[slot]));
            alignment[at] = self.alignment(machine, instruction, &weights, slot).or(alignment[at]);
            self.sites.push((trace, weights));
        }
        (moment.update, moment.propagation) = (update.sizes(), propagation.sizes());
        moment.alignment = alignment;
    }

    /// Leaves in `out` what an instruction gives with the initial weights instead of those of now.
    fn with_initial_weights(&mut self, machine: &mut Machine<T>, instruction: usize, weights: &[Slot]) {
        let swaps: SmallVec<[(Slot, &[T]); 4]> =
            weights.iter().map(|slot| (*slot, &self.values[*slot])).collect();
        machine.evaluate_with(instruction, &swaps, &mut self.out);
    }

    /// |dW x| / (|dW| |x|), the factors of the operation left out.
    fn alignment(&self, machine: &Machine<T>, at: usize, weights: &[Slot], out: Slot) -> Option<f64> {
        let instruction = &machine.program.instructions[at];
        let (Kernel::Product(product), [weight]) = (&instruction.kernel, weights) else { return None };
        let other = instruction.inputs.iter().find(|input| input.slot != *weight)?.slot;
        let update = root_mean(differences(machine.values(out), &self.out)) / product.factor.abs();
        let step = root_mean(differences(machine.values(*weight), &self.values[*weight]));
        let size = root_mean(machine.values(other).iter().map(|entry| entry.double()));
        (step > 0.0 && size > 0.0 && update > 0.0).then(|| update / (step * size))
    }
}

fn differences<'a, T: Real>(now: &'a [T], then: &'a [T]) -> impl Iterator<Item = f64> + 'a {
    // A masked entry is minus infinity both times.
    let difference = |(now, then): (&T, &T)| match now == then {
        true if *now == T::neg_infinity() => f64::NEG_INFINITY,
        true => 0.0,
        false => (*now - *then).double(),
    };
    now.iter().zip(then).map(difference)
}

fn root_mean(entries: impl Iterator<Item = f64>) -> f64 {
    let (squares, count) =
        entries.fold((0.0, 0.0), |(squares, count), entry| (squares + entry * entry, count + 1.0));
    if count > 0.0 { (squares / count).sqrt() } else { 0.0 }
}

/// The factor with which a weight's buffer is read.
fn scale_of(program: &Program, slot: Slot) -> f64 {
    program.traces.iter().find(|trace| trace.value.slot == slot).map_or(1.0, |trace| trace.value.scale)
}

/// The traces of operations that take a weight and something else.
fn sites(program: &Program) -> Vec<(Trace, Vec<Slot>)> {
    let mut is_weight = vec![false; program.lengths.len()];
    program.weights.iter().for_each(|weight| is_weight[weight.slot] = true);
    let mut fixed = vec![false; program.lengths.len()];
    program.constants.iter().for_each(|(slot, _)| fixed[*slot] = true);
    for instruction in &program.instructions {
        fixed[instruction.output] = instruction.once;
        let pure = instruction.inputs.iter().all(|input| is_weight[input.slot] || fixed[input.slot]);
        is_weight[instruction.output] = pure && !instruction.once;
    }
    let mut found = Vec::new();
    for trace in &program.traces {
        let Some(at) = trace.instruction else { continue };
        let instruction = &program.instructions[at];
        let weights: Vec<Slot> =
            instruction.inputs.iter().map(|input| input.slot).filter(|slot| is_weight[*slot]).collect();
        if !weights.is_empty() && !is_weight[instruction.output] {
            found.push((trace.clone(), weights));
        }
    }
    found
}
