//! The tangent kernel of one finite network, from one forward pass and one backward pass per entry of the output, over all examples at once.
//!
//! The Jacobian J by a weight of a contraction is a sum over positions of outer products g a', so J J' is, entry by entry, the Gram matrix of the
//! activations times the Gram matrix of the gradients, and J is never formed (Novak, Sohl-Dickstein & Schoenholz 2022, arXiv 2206.08720, sections 3.2 and
//! 3.4). Where a weight is read at several positions, the outer products are added up per example. Biases and gains have short Jacobians, which
//! are formed. Weights that are used in other ways (tables, transposed or tied in two roles) are differentiated one example at a time.
//!
//! Weights may be counted with factors: with learning rates as factors this is the kernel by which gradient descent moves the output.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use smallvec::SmallVec;

use crate::graph::{Gate, Graph, NodeId, Norm, Op, ParamId};
use crate::numeric::build::{BuildError, Purpose, build};
use crate::numeric::data::Column;
use crate::numeric::machine::{Machine, Reached};
use crate::numeric::matrix::{Layout, multiply};
use crate::numeric::nest::Nest;
use crate::numeric::pointwise::{Chain, Link};
use crate::numeric::program::{Instruction, Kernel, Outer, Program, Slot};
use crate::numeric::real::Real;
use crate::numeric::setting::Setting;
use crate::rational::Rational;

/// Rows of a tile of a kernel.
const TILE: usize = 160;

/// Why a network has no tangent kernel here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTangent {
    /// Examples that depend on each other.
    #[error(
        "`{0}` normalizes over the batch: examples depend on each other, and no kernel compares two of them"
    )]
    Batch(String),
    /// A random network.
    #[error("`{0}` drops entries at random: give it the rate 0")]
    Dropout(String),
    /// A network that cannot be run.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// How a weight stands in an instruction.
#[derive(Clone, Debug)]
enum Use {
    /// A contraction: which operand is beside the weight.
    Outer { at: usize, beside: usize, plan: Box<Outer>, factor: f64 },
    /// A chain: which operand the weight is.
    Chain { at: usize, operand: usize },
    /// What a contraction gives plus a bias: that contraction's gradients, times this factor, are the bias's.
    Shift { product: usize, factor: f64 },
}

/// The uses of one weight.
#[derive(Clone, Debug)]
struct Place {
    param: ParamId,
    slot: Slot,
    uses: Vec<Use>,
    /// Without a structure that is known: one example at a time.
    plain: bool,
}

/// A network whose tangent kernel is computed for batches of a fixed number of examples.
#[derive(Clone, Debug)]
pub struct Tangent<T> {
    machine: Machine<T>,
    places: Vec<Place>,
    /// The same for one example, if some weights are plain.
    single: Option<Machine<T>>,
    /// Which buffers depend on data.
    batched: Vec<bool>,
    /// Entries of the output per example.
    width: usize,
    /// How many of them the kernel is computed for.
    pub entries: usize,
}

/// (rows) x (columns), in order.
#[derive(Clone, Debug, Default)]
struct Block<T> {
    columns: usize,
    numbers: Vec<T>,
}

/// What the Jacobian of one or several weights is made of.
enum Part<T> {
    /// Activations per example and gradients per row; and a number that is added to the activations' Gram matrix.
    Outer { read: Vec<Block<T>>, given: Vec<Block<T>>, weight: f64, shift: f64 },
    /// Rows of the Jacobian.
    Rows { rows: Block<T>, weight: f64 },
}

/// Refuses what has no kernel.
fn hold(graph: &Graph) -> Result<(), NoTangent> {
    let label = |id: NodeId| graph.labels()[id.index()].clone();
    for id in graph.ids() {
        match &graph.node(id).op {
            Op::Normalize { norm: Norm::Batch, .. } => return Err(NoTangent::Batch(label(id))),
            Op::Gate(Gate::Dropout(rate)) if !rate.is_zero() => return Err(NoTangent::Dropout(label(id))),
            _ => {}
        }
    }
    Ok(())
}

/// A program that ends with a tensor in the place of the loss.
///
/// # Errors
/// If examples depend on each other, or the network cannot be run at these lengths.
pub fn program(
    graph: &Graph,
    values: &[Rational],
    batch: usize,
    setting: &Setting,
    output: NodeId,
) -> Result<Program, NoTangent> {
    hold(graph)?;
    let mut graph = graph.clone();
    graph.loss = Some(output);
    Ok(build(&graph, values, batch, setting, Purpose::Training)?)
}

impl<T: Real> Tangent<T> {
    /// Plans the kernel of a tensor for so many examples.
    ///
    /// # Errors
    /// If examples depend on each other, or the network cannot be run at these lengths.
    pub fn new(
        graph: &Graph,
        values: &[Rational],
        batch: usize,
        setting: &Setting,
        output: NodeId,
    ) -> Result<Tangent<T>, NoTangent> {
        let mut whole = program(graph, values, batch, setting, output)?;
        let batched = batched(&whole);
        let places = places(&whole, &batched);
        let single = match places.iter().any(|place| place.plain) {
            true => Some(Machine::new(Arc::new(program(graph, values, 1, setting, output)?))),
            false => None,
        };
        // Gradients of weights are never asked of the whole batch.
        let slots: Vec<Slot> = whole.weights.iter().map(|weight| weight.slot).collect();
        for input in whole.instructions.iter_mut().flat_map(|own| &mut own.inputs) {
            input.gradient &= !slots.contains(&input.slot);
        }
        let entries = whole.lengths[whole.loss.slot] / batch;
        Ok(Tangent {
            machine: Machine::new(Arc::new(whole)),
            places,
            single,
            batched,
            width: entries,
            entries,
        })
    }

    /// The kernel of the first entry of the output alone.
    #[must_use]
    pub fn of_first_entry(self) -> Tangent<T> {
        Tangent { entries: 1, ..self }
    }

    /// The machine, with all examples of a batch; its loss is the tensor.
    pub fn machine(&mut self) -> &mut Machine<T> {
        &mut self.machine
    }

    /// Takes the weights of another machine of the same network.
    pub fn follow(&mut self, other: &Machine<T>) {
        copy_weights(other, &mut self.machine);
        if let Some(single) = &mut self.single {
            copy_weights(other, single);
        }
    }

    /// J J' with every parameter's part times its factor: (rows) x (rows), where rows are examples and, within them, entries of the output.
    /// The second result is the output itself, all of its entries.
    pub fn kernel(&mut self, columns: &[Column], factors: &[f64]) -> (Vec<f64>, Vec<f64>) {
        self.machine.load(columns);
        self.machine.forward();
        let program = Arc::clone(&self.machine.program);
        let scale = program.loss.scale;
        let outputs = self.machine.values(program.loss.slot).iter().map(|own| own.double() * scale).collect();
        let rows = self.entries * program.batch;
        let mut gathered = Gathered::new(self);
        for entry in 0..self.entries {
            let mut seed = vec![T::zero(); self.width * program.batch];
            (0..program.batch).for_each(|example| seed[example * self.width + entry] = T::of(scale));
            let (places, batched) = (&self.places, &self.batched);
            self.machine.backward_from(&seed, &mut |reached| {
                gathered.visit(&program, (places, batched), entry, reached);
            });
        }
        let mut parts = gathered.parts(self, &program, factors);
        if let Some(rest) = self.plain(columns, factors) {
            parts.push(Part::Rows { rows: rest, weight: 1.0 });
        }
        (assembled(rows, self.entries, &parts), outputs)
    }

    /// The rows of the Jacobian by weights without a known structure, times the roots of their factors.
    fn plain(&mut self, columns: &[Column], factors: &[f64]) -> Option<Block<T>> {
        let single = self.single.as_mut()?;
        let program = Arc::clone(&single.program);
        let chosen: Vec<(Slot, T)> = program
            .weights
            .iter()
            .zip(&self.machine.program.weights)
            .filter(|(_, whole)| self.places.iter().any(|place| place.plain && place.slot == whole.slot))
            .map(|(own, _)| (own.slot, T::of(factors[own.param.index()].sqrt())))
            .collect();
        let width: usize = chosen.iter().map(|(slot, _)| program.lengths[*slot]).sum();
        let mut numbers = Vec::new();
        for example in 0..self.machine.program.batch {
            single.load(&one(columns, example, self.machine.program.batch));
            single.forward();
            for entry in 0..self.entries {
                let mut seed = vec![T::zero(); self.width];
                seed[entry] = T::of(program.loss.scale);
                single.backward_from(&seed, &mut |_| {});
                for (slot, factor) in &chosen {
                    numbers.extend(single.gradient(*slot).iter().map(|own| *own * *factor));
                }
            }
        }
        Some(Block { columns: width, numbers })
    }
}

/// One example of a batch.
pub fn one(columns: &[Column], example: usize, batch: usize) -> Vec<Column> {
    let part = |length: usize| example * (length / batch)..(example + 1) * (length / batch);
    let cut = |column: &Column| match column {
        Column::Real(own) => Column::Real(own[part(own.len())].to_vec()),
        Column::Whole(own) => Column::Whole(own[part(own.len())].to_vec()),
    };
    columns.iter().map(cut).collect()
}

/// Copies weights between machines of one network, by parameter and repetition.
pub fn copy_weights<T: Real>(from: &Machine<T>, to: &mut Machine<T>) {
    let target = Arc::clone(&to.program);
    for weight in &target.weights {
        let same = |own: &&crate::numeric::program::Weight| {
            own.param == weight.param && own.repetition == weight.repetition
        };
        if let Some(own) = from.program.weights.iter().find(same) {
            to.values_mut(weight.slot).copy_from_slice(from.values(own.slot));
        }
    }
}

/// Which buffers depend on data.
fn batched(program: &Program) -> Vec<bool> {
    let mut found = vec![false; program.lengths.len()];
    program.data.iter().for_each(|(_, slot)| found[*slot] = true);
    for instruction in &program.instructions {
        found[instruction.output] |= instruction.inputs.iter().any(|input| found[input.slot]);
    }
    found
}

/// Every trained weight with its uses.
fn places(program: &Program, batched: &[bool]) -> Vec<Place> {
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
fn is_alike(uses: &[Use]) -> bool {
    let role = |own: &Use| match own {
        Use::Outer { plan, .. } => Some(plan.summed.clone()),
        Use::Chain { .. } | Use::Shift { .. } => None,
    };
    let shifts = uses.iter().any(|own| matches!(own, Use::Shift { .. }));
    uses.windows(2).all(|pair| role(&pair[0]) == role(&pair[1])) && (!shifts || uses.len() == 1)
}

fn usage(
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
fn shift(program: &Program, (instruction, chain): (&Instruction, &Chain), operand: usize) -> Option<Use> {
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

/// What backward passes have shown so far.
struct Gathered<T> {
    entries: usize,
    /// By place, then by use.
    read: BTreeMap<(usize, usize), Block<T>>,
    /// Gradients by row: (rows times positions) x (features); for chains the rows of the Jacobian.
    given: BTreeMap<(usize, usize), Block<T>>,
}

impl<T: Real> Gathered<T> {
    fn new(tangent: &Tangent<T>) -> Gathered<T> {
        Gathered { entries: tangent.entries, read: BTreeMap::new(), given: BTreeMap::new() }
    }

    fn visit(
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

    fn outer(
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
    fn chain(
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
            let mut row = Some(&mut block.numbers[start..start + length]);
            let mut into: SmallVec<[Option<&mut [T]>; 8]> = SmallVec::new();
            (0..instruction.inputs.len())
                .for_each(|at| into.push(if at == operand { row.take() } else { None }));
            chain.backward(&operands, &reached.gradient[part(reached.gradient)], &mut into, &mut scratch);
        }
    }

    /// What the kernel is a sum over.
    fn parts(mut self, tangent: &Tangent<T>, program: &Program, factors: &[f64]) -> Vec<Part<T>> {
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
    fn grams(
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
    fn summed(&mut self, place: &Place, keys: &[(usize, usize)], batch: usize) -> Block<T> {
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
fn shift_of<T>(tangent: &Tangent<T>, place: &Place, factors: &[f64]) -> f64 {
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

fn added<T: Real>(mut left: Block<T>, right: Block<T>) -> Block<T> {
    left.numbers.iter_mut().zip(&right.numbers).for_each(|(left, right)| *left += *right);
    left
}

/// A tensor brought into the order of a matrix.
fn packed<T: Real>(nest: &Nest<2>, length: usize, tensor: &[T]) -> Vec<T> {
    let mut out = vec![T::zero(); length];
    let (steps, [to, from]) = nest.inner();
    nest.each(|[at, start]| (0..steps).for_each(|step| out[at + step * to] = tensor[start + step * from]));
    out
}

/// The product of some rows of one matrix and some of another, transposed.
fn gram<T: Real>(left: &Block<T>, rows: (usize, usize), right: &Block<T>, columns: (usize, usize)) -> Vec<T> {
    let (height, width, sum) = (rows.1 - rows.0, columns.1 - columns.0, left.columns);
    let mut out = vec![T::zero(); height * width];
    let sides = (
        (&mut out[..], Layout { offset: 0, row: width, column: 1 }),
        (&left.numbers[..], Layout { offset: rows.0 * sum, row: sum, column: 1 }),
        (&right.numbers[..], Layout { offset: columns.0 * sum, row: 1, column: sum }),
    );
    multiply((height, width, sum), sides.0, sides.1, sides.2, T::one(), false);
    out
}

/// All parts added up, tile by tile on and below the diagonal.
fn assembled<T: Real>(rows: usize, entries: usize, parts: &[Part<T>]) -> Vec<f64> {
    let starts: Vec<usize> = (0..rows).step_by(TILE).collect();
    let jobs: Vec<(usize, usize)> = starts
        .iter()
        .flat_map(|row| starts.iter().map(move |own| (*row, *own)))
        .filter(|(a, b)| b <= a)
        .collect();
    let one = |(row, column): &(usize, usize)| {
        let (high, wide) = ((*row, (row + TILE).min(rows)), (*column, (column + TILE).min(rows)));
        let mut tile = vec![0.0; (high.1 - high.0) * (wide.1 - wide.0)];
        parts.iter().for_each(|part| add_part(part, entries, high, wide, &mut tile));
        tile
    };
    let tiles: Vec<Vec<f64>> = jobs.par_iter().map(one).collect();
    let mut out = vec![0.0; rows * rows];
    for ((row, column), tile) in jobs.iter().zip(tiles) {
        let width = (column + TILE).min(rows) - column;
        for (at, number) in tile.into_iter().enumerate() {
            let (row, column) = (row + at / width, column + at % width);
            out[row * rows + column] = number;
            out[column * rows + row] = number;
        }
    }
    out
}

fn add_part<T: Real>(
    part: &Part<T>,
    entries: usize,
    high: (usize, usize),
    wide: (usize, usize),
    tile: &mut [f64],
) {
    match part {
        Part::Rows { rows, weight } => {
            let own = gram(rows, high, rows, wide);
            tile.iter_mut().zip(own).for_each(|(tile, own)| *tile += weight * own.double());
        }
        Part::Outer { read, given, weight, shift } => {
            let width = wide.1 - wide.0;
            let examples = |range: (usize, usize)| (range.0 / entries, range.1.div_ceil(entries));
            let (above, beside) = (examples(high), examples(wide));
            for left in 0..read.len() {
                for right in 0..read.len() {
                    let near = gram(&read[left], above, &read[right], beside);
                    let far = gram(&given[left], high, &given[right], wide);
                    for (at, own) in tile.iter_mut().enumerate() {
                        let (row, column) = (high.0 + at / width, wide.0 + at % width);
                        let (row, column) = (row / entries - above.0, column / entries - beside.0);
                        let near = near[row * (beside.1 - beside.0) + column].double();
                        *own += (weight * near + shift) * far[at].double();
                    }
                }
            }
        }
    }
}
