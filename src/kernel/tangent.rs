//! The tangent kernel of one finite network, from one forward pass and one backward pass per entry of the output, over all examples at once.
//!
//! The Jacobian J by a weight of a contraction is a sum over positions of outer products g a', so J J' is, entry by entry, the Gram matrix of the
//! activations times the Gram matrix of the gradients, and J is never formed (Novak, Sohl-Dickstein & Schoenholz 2022, arXiv 2206.08720). Where a weight is read at several positions, the outer products are added up per example. Biases and gains have short Jacobians, which
//! are formed. Weights that are used in other ways (tables, transposed or tied in two roles) are differentiated one example at a time.
//!
//! Weights may be counted with factors: with learning rates as factors this is the kernel by which gradient descent moves the output.

mod gathered;
mod tiles;
mod uses;

use std::sync::Arc;

use gathered::Gathered;
use tiles::{Block, Part, assembled};
use uses::{Place, batched, places};

use crate::graph::{Gate, Graph, NodeId, Norm, Op};
use crate::numeric::build::{BuildError, Purpose, build};
use crate::numeric::data::Column;
use crate::numeric::initial::start;
use crate::numeric::machine::Machine;
use crate::numeric::program::{Program, Slot};
use crate::numeric::real::Real;
use crate::numeric::setting::Setting;
use crate::rational::Rational;

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
    Ok(build(&graph, values, batch, setting, Purpose::Tangent)?)
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
    pub fn machine(&self) -> &Machine<T> {
        &self.machine
    }

    /// Draws the weights.
    pub fn start(&mut self, setting: &Setting, seed: u64) {
        start(&mut self.machine, setting, seed);
        if let Some(single) = &mut self.single {
            copy_weights(&self.machine, single);
        }
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
