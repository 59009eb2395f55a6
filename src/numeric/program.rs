//! A network at given lengths, as a list of instructions on numbered buffers.
//!
//! Made once per size by [`super::build`]; everything that can be decided before numbers are there is decided in it: repetitions are
//! unrolled, factors are folded into the products that follow, chains of elementwise operations are one instruction, what
//! depends on neither data nor weights is marked to run once, and gradients that nobody asks for are never computed.

use smallvec::SmallVec;

use super::activation::Activation;
use super::contraction::Contraction;
use super::linear::Linear;
use super::nest::Nest;
use super::normalized::Normalized;
use super::picking::{Largest, Lookup};
use super::pointwise::Chain;
use super::rows::Along;
use crate::graph::{DataId, NodeId, ParamId};
use crate::rational::Rational;

/// A buffer.
pub type Slot = usize;

/// A product with those that give its gradients.
#[derive(Clone, Debug)]
pub struct Product {
    /// The values.
    pub forward: Contraction,
    /// The gradients of both operands.
    pub backward: [Contraction; 2],
    /// The factor in front.
    pub factor: f64,
    /// For each operand that is made of weights alone: its gradient as outer products.
    pub outer: [Option<Box<Outer>>; 2],
}

/// The gradient of a weight as a sum over positions of outer products: (what the position gives back) times (what it read). Both
/// nests go from a matrix of positions by features to the tensor as it lies; features are in the order of the weight's axes, the batch
/// is the slowest position.
#[derive(Clone, Debug)]
pub struct Outer {
    /// The batch times tokens or pixels.
    pub positions: usize,
    /// Entries that a position reads.
    pub columns: usize,
    /// Entries that a position gives.
    pub rows: usize,
    /// Which axes of the weight are summed.
    pub summed: SmallVec<[usize; 4]>,
    /// (positions) x (columns), to the operand beside the weight.
    pub read: Nest<2>,
    /// (positions) x (rows), to the result.
    pub given: Nest<2>,
}

/// What an instruction does.
#[derive(Clone, Debug)]
pub enum Kernel {
    /// A product with sums.
    Product(Box<Product>),
    /// Sums, copies and rearrangements.
    Linear(Linear),
    /// Elementwise operations.
    Chain(Chain),
    /// A function that leaves its slope in the place of its first operand.
    Activation(Box<Activation>),
    /// An operation along the last axis, of this length.
    Rows(Along, usize),
    /// A normalization along the last axis with its gain and bias.
    Normalized(Box<Normalized>),
    /// Rows of a table.
    Lookup(Lookup),
    /// Largest entries.
    Largest(Largest),
    /// A mask that keeps entries with this probability (and multiplies them by its inverse); number of the mask.
    Dropout(f64, usize),
}

impl Kernel {
    /// Whether it can write its result over its first operand: the gradient is passed on without it.
    pub fn forgets_first(&self) -> bool {
        match self {
            Kernel::Chain(chain) => !chain.looks_back(),
            Kernel::Rows(along, _) => !along.needs_input(),
            Kernel::Product(_)
            | Kernel::Normalized(_)
            | Kernel::Activation(_)
            | Kernel::Linear(_)
            | Kernel::Lookup(_)
            | Kernel::Largest(_)
            | Kernel::Dropout(..) => false,
        }
    }

    /// Whether its result is read when the gradient is passed on.
    pub fn keeps_result(&self) -> bool {
        match self {
            Kernel::Rows(along, _) => along.needs_result(),
            Kernel::Largest(_) => true,
            Kernel::Product(_)
            | Kernel::Normalized(_)
            | Kernel::Activation(_)
            | Kernel::Linear(_)
            | Kernel::Chain(_)
            | Kernel::Lookup(_)
            | Kernel::Dropout(..) => false,
        }
    }
}

/// A buffer that an instruction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// The buffer.
    pub slot: Slot,
    /// Whether its gradient is asked for.
    pub gradient: bool,
    /// Whether this is the first contribution to its gradient in the backward pass.
    pub fresh: bool,
}

/// One operation on buffers.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// What it does.
    pub kernel: Kernel,
    /// What it reads.
    pub inputs: SmallVec<[Input; 4]>,
    /// What it writes: in a program made for training it may be the first of what it reads.
    pub output: Slot,
    /// Depends on neither data nor weights: run once.
    pub once: bool,
    /// Whether a gradient reaches its result and is asked for by one of its operands.
    pub backward: bool,
}

/// A tensor of one repetition of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// The parameter.
    pub param: ParamId,
    /// The numbers of the repetitions it belongs to, outermost first.
    pub repetition: SmallVec<[usize; 2]>,
    /// Where it lies.
    pub slot: Slot,
    /// Its shape.
    pub shape: SmallVec<[usize; 4]>,
    /// Which of its axes make a matrix of it.
    pub matrix: MatrixAxes,
}

/// A tensor as a stack of matrices: which axes its first use keeps, sums, and shares with the result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatrixAxes {
    /// The axes along the stack.
    pub blocks: SmallVec<[usize; 2]>,
    /// The axes that are kept.
    pub rows: SmallVec<[usize; 2]>,
    /// The axes that are summed.
    pub columns: SmallVec<[usize; 2]>,
}

/// What a buffer's numbers depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nothing.
    Fixed,
    /// Parameters only: a weight, or a rearrangement of one.
    Weights,
    /// Data.
    Data,
}

/// A tensor of one repetition of a node: `scale` times the numbers in a buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The buffer.
    pub slot: Slot,
    /// The factor that is not in the buffer.
    pub scale: f64,
    /// Axis lengths, the batch first if there is one.
    pub shape: SmallVec<[usize; 6]>,
    /// Whether the first axis is the batch.
    pub batched: bool,
    /// What it depends on.
    pub source: Source,
    /// Whether gradients go through it.
    pub gradient: bool,
}

/// Where the value of a node in one repetition can be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The node.
    pub node: NodeId,
    /// The tensor.
    pub value: Value,
    /// The instruction that computes it, if one of its own does.
    pub instruction: Option<usize>,
}

/// A network that is ready to run.
#[derive(Clone, Debug)]
pub struct Program {
    /// Lengths of the buffers.
    pub lengths: Vec<usize>,
    /// Which buffers have gradients.
    pub gradients: Vec<bool>,
    /// Where the gradient of every buffer lies. In a program made for training, gradients that are not needed at the same time share a place.
    pub places: Vec<usize>,
    /// Lengths of these places.
    pub place_lengths: Vec<usize>,
    /// Buffers with given numbers.
    pub constants: Vec<(Slot, Vec<f64>)>,
    /// Buffers that data goes into.
    pub data: Vec<(DataId, Slot)>,
    /// Buffers that are trained or frozen.
    pub weights: Vec<Weight>,
    /// What is done, in order.
    pub instructions: Vec<Instruction>,
    /// The loss of every example.
    pub loss: Value,
    /// What the loss compares with the targets.
    pub outputs: Vec<Value>,
    /// Where nodes can be read; all of them only in a program that is made for observation.
    pub traces: Vec<Trace>,
    /// Examples in a batch.
    pub batch: usize,
    /// Masks of dropout.
    pub masks: usize,
    /// Values of the scale symbols.
    pub values: Vec<Rational>,
}

impl Instruction {
    /// Whether its result lies where its first operand lay.
    pub fn is_in_place(&self) -> bool {
        self.inputs.first().is_some_and(|first| first.slot == self.output)
    }

    /// Whether the gradient of its first operand takes the place of that of its result, and nothing else was there before.
    pub fn passes_on_in_place(&self) -> bool {
        self.is_in_place() || matches!(self.kernel, Kernel::Activation(_))
    }
}

impl Program {
    /// Multiplications of one training step's matrix products, forward and backward.
    pub fn multiplications(&self) -> usize {
        let own = |instruction: &Instruction| match &instruction.kernel {
            Kernel::Product(product) => {
                let asked = instruction.inputs.iter().zip(&product.backward);
                let back = asked.filter(|(input, _)| instruction.backward && input.gradient);
                product.forward.multiplications()
                    + back.map(|(_, plan)| plan.multiplications()).sum::<usize>()
            }
            _ => 0,
        };
        self.instructions.iter().filter(|instruction| !instruction.once).map(own).sum()
    }

    /// Numbers in all trained and frozen tensors.
    pub fn weight_count(&self) -> usize {
        self.weights.iter().map(|weight| self.lengths[weight.slot]).sum()
    }

    /// Numbers in all buffers and gradients.
    pub fn numbers(&self) -> usize {
        self.lengths.iter().chain(&self.place_lengths).sum::<usize>() + self.scratch()
    }

    /// Numbers that instructions need while they run.
    pub fn scratch(&self) -> usize {
        let own = |instruction: &Instruction| match &instruction.kernel {
            Kernel::Product(product) => {
                let [left, right] = &product.backward;
                product.forward.scratch().max(left.scratch()).max(right.scratch())
            }
            Kernel::Chain(chain) => chain.scratch(),
            Kernel::Largest(_) => self.lengths[instruction.output],
            Kernel::Activation(activation) => activation.before.scratch(),
            Kernel::Rows(_, length) => *length,
            Kernel::Normalized(normalized) => normalized.scratch(),
            Kernel::Linear(_) | Kernel::Lookup(_) | Kernel::Dropout(..) => 0,
        };
        self.instructions.iter().map(own).max().unwrap_or(0)
    }
}
