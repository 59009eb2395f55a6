//! From a graph to a [`Program`]: repetitions unrolled, every node an instruction or a view of another's buffer.

mod emit;
mod finish;
mod in_place;
mod labelled;
mod moving;
mod sublayers;
mod unroll;

use std::collections::HashMap;

use smallvec::SmallVec;

use super::program::{Instruction, Program, Slot, Source, Trace, Value, Weight};
use super::setting::Setting;
use crate::dim::{Dim, Scalar};
use crate::graph::unroll::{Unrolled, unroll};
use crate::graph::{DataId, Graph, Multiplier, NodeId, ParamId};
use crate::rational::Rational;

/// Why a network cannot be run at some size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A length is not a positive whole number.
    #[error("the length `{length}` is not a whole number at {values}; choose values that divide evenly")]
    NotWhole {
        /// As written.
        length: String,
        /// The values of the scale symbols.
        values: String,
    },
    /// A tensor or the sum of them does not fit an address.
    #[error("a tensor with {0} axes is too large to be stored; choose smaller lengths with `--set`")]
    TooLarge(usize),
    /// Nothing to train on.
    #[error("the network has no loss; add `loss ...` to the spec")]
    NoLoss,
}

/// What a program is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Training only: chains are fused, values that nobody needs are not kept apart.
    Training,
    /// The same, but every use of a weight is an instruction of its own, with all that it reads at hand: what a tangent kernel is made from.
    Tangent,
    /// Every node's value and gradient can be read.
    Observation,
}

/// Plans a network at given values of its scale symbols.
pub fn build(
    graph: &Graph,
    values: &[Rational],
    batch: usize,
    setting: &Setting,
    purpose: Purpose,
) -> Result<Program, BuildError> {
    let loss = graph.loss.ok_or(BuildError::NoLoss)?;
    let mut building = Building::new(graph, values, batch, setting, purpose, loss);
    unroll(&mut building)?;
    building.finish(loss)
}

/// The state of the unrolling.
struct Building<'a> {
    graph: &'a Graph,
    values: &'a [Rational],
    batch: usize,
    setting: &'a Setting,
    purpose: Purpose,
    /// Nodes that the loss depends on.
    needed: Vec<bool>,
    /// How many operations read a node, carried streams among them.
    readers: Vec<usize>,
    /// What is known, and which repetition is at hand.
    unrolled: Unrolled<Value>,
    weights: HashMap<(ParamId, SmallVec<[usize; 2]>), Value>,
    inputs: HashMap<DataId, Value>,
    program: Program,
}

impl<'a> Building<'a> {
    fn new(
        graph: &'a Graph,
        values: &'a [Rational],
        batch: usize,
        setting: &'a Setting,
        purpose: Purpose,
        loss: NodeId,
    ) -> Building<'a> {
        let nothing = Value {
            slot: 0,
            scale: 1.0,
            shape: SmallVec::new(),
            batched: false,
            source: Source::Fixed,
            gradient: false,
        };
        let program = Program {
            lengths: Vec::new(),
            gradients: Vec::new(),
            places: Vec::new(),
            place_lengths: Vec::new(),
            constants: Vec::new(),
            data: Vec::new(),
            weights: Vec::new(),
            instructions: Vec::new(),
            loss: nothing,
            outputs: Vec::new(),
            traces: Vec::new(),
            batch,
            masks: 0,
            values: values.to_vec(),
        };
        Building {
            graph,
            values,
            batch,
            setting,
            purpose,
            needed: graph.ancestors(&[loss]),
            readers: unroll::readers(graph),
            unrolled: Unrolled::new(graph),
            weights: HashMap::new(),
            inputs: HashMap::new(),
            program,
        }
    }

    /// A length as a number.
    fn length(&self, dim: &Dim) -> Result<usize, BuildError> {
        let whole = dim.at(self.values).and_then(Rational::to_integer).filter(|length| *length > 0);
        whole.and_then(|length| usize::try_from(length).ok()).ok_or_else(|| {
            let names = self.graph.symbol_names();
            let at = names.iter().zip(self.values).map(|(name, value)| format!("{name} = {value}"));
            BuildError::NotWhole {
                length: dim.display(&names).to_string(),
                values: at.collect::<Vec<_>>().join(", "),
            }
        })
    }

    fn lengths(&self, dims: &[Dim]) -> Result<SmallVec<[usize; 6]>, BuildError> {
        dims.iter().map(|dim| self.length(dim)).collect()
    }

    /// A written factor as a number.
    fn scalar(&self, scalar: &Scalar) -> f64 {
        let float = |value: Rational| value.numerator() as f64 / value.denominator() as f64;
        let roots = scalar.roots.iter().map(|(base, power)| float(*base).powf(float(*power)));
        let powers = scalar
            .powers
            .iter()
            .map(|(symbol, power)| float(self.values[usize::from(symbol.0)]).powf(float(power)));
        float(scalar.coefficient) * roots.product::<f64>() * powers.product::<f64>()
    }

    /// The factor of an operation: what is written times what the parameterization says.
    fn factor(&self, id: NodeId, multiplier: &Multiplier) -> f64 {
        let written = match multiplier {
            Multiplier::Written(scalar) => self.scalar(scalar),
            Multiplier::Free | Multiplier::Hole => 1.0,
        };
        written * self.setting.front(id)
    }

    /// A new buffer.
    fn slot(&mut self, shape: &[usize], gradient: bool) -> Result<Slot, BuildError> {
        let product = shape.iter().try_fold(1_usize, |product, length| product.checked_mul(*length));
        let length = product.filter(|length| *length < 1 << 40).ok_or(BuildError::TooLarge(shape.len()))?;
        self.program.lengths.push(length);
        self.program.gradients.push(gradient);
        Ok(self.program.lengths.len() - 1)
    }

    fn trace(&mut self, node: NodeId, value: &Value, before: usize) {
        let last = self.program.instructions.len();
        let own = |instruction: &Instruction| instruction.output == value.slot;
        let made = last > before && self.program.instructions.last().is_some_and(own);
        let instruction = made.then(|| last - 1);
        self.program.traces.push(Trace { node, value: value.clone(), instruction });
    }

    fn weight(&mut self, param: ParamId) -> Result<Value, BuildError> {
        let repetition = self.unrolled.repetition_of(self.graph, param);
        if let Some(known) = self.weights.get(&(param, repetition.clone())) {
            return Ok(known.clone());
        }
        let declared = self.graph.param(param);
        let setting = &self.setting.params[param.index()];
        let (gradient, scale) = (setting.optimizer.is_some() && !declared.frozen, setting.multiplier);
        let shape = self.lengths(&declared.shape)?;
        let slot = self.slot(&shape, gradient)?;
        let own = SmallVec::from_slice(&shape);
        let matrix = unroll::matrix_axes(self.graph, param);
        self.program.weights.push(Weight { param, repetition: repetition.clone(), slot, shape: own, matrix });
        let value = Value { slot, scale, shape, batched: false, source: Source::Weights, gradient };
        self.weights.insert((param, repetition), value.clone());
        Ok(value)
    }
}
