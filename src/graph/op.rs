//! The closed set of operations. Every reading of the graph (shapes, sizes, sign symmetry, numbers, kernels) is one `match` over
//! [`Op`]; a new operation is a compile error in each of them until its rule is written.

use smallvec::SmallVec;

use super::{BlockId, DataId, Func, ParamId};
use crate::dim::{Dim, Scalar};
use crate::rational::Rational;

/// Names an axis inside one [`Einsum`].
pub type Label = u8;

/// Which axes of the operands and the result are the same, as in index notation.
///
/// `inputs[i][a]` is the label of axis `a` of operand `i`; no label stands twice in one operand. A label of the operands that is
/// not in `output` is summed. Every label of `output` stands in some operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Einsum {
    /// One list of labels per operand.
    pub inputs: SmallVec<[SmallVec<[Label; 4]>; 2]>,
    /// The labels of the result.
    pub output: SmallVec<[Label; 4]>,
}

impl Einsum {
    /// The labels that are summed, in the order of their first operand.
    pub fn contracted(&self) -> SmallVec<[Label; 4]> {
        let mut summed = SmallVec::new();
        for label in self.inputs.iter().flatten() {
            if !self.output.contains(label) && !summed.contains(label) {
                summed.push(*label);
            }
        }
        summed
    }

    /// The axis of an operand that has a label.
    pub fn axis(&self, operand: usize, label: Label) -> Option<usize> {
        self.inputs[operand].iter().position(|own| *own == label)
    }

    /// The labels that an operand has.
    pub fn has(&self, operand: usize, label: Label) -> bool {
        self.inputs[operand].contains(&label)
    }
}

/// A factor of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Multiplier {
    /// Nothing is written: the parameterization's to choose where its rules ask for one.
    Free,
    /// Written as `?`: the compiler must solve it.
    Hole,
    /// Written: respected, then checked.
    Written(Scalar),
}

/// What a normalization divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// Subtracts the mean, divides by the standard deviation (LayerNorm).
    Standardize,
    /// The same with mean and deviation of the whole batch, so that there need not be other axes (BatchNorm).
    Batch,
    /// Divides by the root mean square (RMSNorm).
    Rms,
}

/// Operations that keep, hide or mask entries and change no size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Hides later positions: sets entry (.., t, u) with u > t of the last two axes to minus infinity.
    Causal,
    /// Keeps the largest entries along an axis and sets the others to minus infinity.
    TopK {
        /// The axis.
        axis: usize,
        /// How many are kept.
        count: i64,
    },
    /// Drops entries with this probability during training and rescales the rest.
    Dropout(Rational),
    /// The value without its gradient.
    StopGradient,
}

/// How distances of positions are sorted into finitely many buckets (Raffel et al. 2020, arXiv 1910.10683, section 2.1): short ones
/// each have their own, longer ones share buckets whose width grows with the distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// How many there are.
    pub count: i64,
    /// Distances from this one on share the last bucket.
    pub farthest: i64,
    /// The upper half is for keys that come after their query; without it, those count as distance 0.
    pub bidirectional: bool,
}

impl Buckets {
    /// How many distances of one direction have a bucket of their own: 0, 1, ... up to half of its buckets.
    pub fn exact(self) -> i64 {
        let own = if self.bidirectional { self.count / 2 } else { self.count };
        own / 2
    }
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A tensor that is given.
    Data(DataId),
    /// A parameter.
    Param(ParamId),
    /// The same number everywhere.
    Constant(Rational),
    /// 0, 1, 2, ... along its one axis.
    Range,
    /// The bucket of the distance from every query (its first axis) to every key (its second axis).
    RelativeBucket(Buckets),
    /// A product of one or two tensors with sums over the labels that the result lacks: matrix products, attention scores, gains,
    /// gates, plain sums (one operand), transpositions. The multiplier stands in front.
    Contract {
        /// The axes.
        einsum: Einsum,
        /// The factor in front.
        multiplier: Multiplier,
    },
    /// A sum of two or more tensors; an operand is broadcast along the labels it lacks.
    Add(Einsum),
    /// A number times a tensor.
    Scale(Multiplier),
    /// An elementwise function.
    Map(Func),
    /// Normalization over axes of the operand.
    Normalize {
        /// What it divides by.
        norm: Norm,
        /// The axes of the operand it normalizes over.
        axes: SmallVec<[usize; 2]>,
    },
    /// Softmax (or its logarithm) over one axis.
    Softmax {
        /// The axis that sums to one.
        axis: usize,
        /// The logarithm of it.
        log: bool,
    },
    /// The largest entry over axes.
    Max {
        /// The axes it takes away.
        axes: SmallVec<[usize; 2]>,
    },
    /// Entries of a table (operand 0) picked along one of its axes by whole numbers (operand 1). `axis` is the picked axis of the
    /// table; its label stands in no other list.
    Lookup {
        /// The axis of the table that the numbers count.
        axis: usize,
        /// The axes: labels that both operands have ride along.
        einsum: Einsum,
    },
    /// Sliding windows along one axis: the axis becomes the windows' positions, a new last axis the place in the window. Ends are
    /// filled with zeros.
    Window {
        /// The axis.
        axis: usize,
        /// Entries in a window.
        size: Dim,
        /// Steps between windows.
        stride: Rational,
        /// Steps between the entries of a window.
        dilation: Rational,
        /// Zeros added before the first entry and after the last one together.
        padding: Rational,
    },
    /// One axis becomes several, the last fastest; their lengths stand in the shape from `axis` on.
    Split {
        /// The axis.
        axis: usize,
        /// How many it becomes.
        parts: usize,
    },
    /// Several neighbouring axes become one.
    Merge {
        /// The first.
        axis: usize,
        /// How many.
        parts: usize,
    },
    /// One entry of an axis, which goes away.
    Pick {
        /// The axis.
        axis: usize,
        /// Which entry; negative ones count from the end.
        at: i64,
    },
    /// Tensors one after another along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Keeps sizes.
    Gate(Gate),
    /// A stream at the start of a repetition; the operand is its value before the block.
    Carry(BlockId),
    /// A stream after the last repetition; the operand is its value at the end of one.
    Exit(BlockId),
    /// The entry of an axis that has the number of the repetition; the axis goes away.
    Step {
        /// The repetition that counts.
        block: BlockId,
        /// The axis.
        axis: usize,
    },
    /// What every repetition gives, along a new axis; the operand is what one gives.
    Collect {
        /// The repetition.
        block: BlockId,
        /// The new axis.
        axis: usize,
    },
}
