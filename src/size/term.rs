//! Rules as sums of terms, terms as products of factors.
//!
//! Every rule of this room has the same form: a size is the largest of a few terms, and each term is a product of named
//! factors. A rule is written once, against a [`Terms`] sink: [`Largest`] keeps only the result (what the analysis needs),
//! [`Record`] keeps every term with its factors (what `explain` prints). So an explanation is the computation itself.

use smallvec::SmallVec;

use super::Size;
use crate::dim::Monomial;
use crate::graph::NodeId;
use crate::rational::Rational;

/// What a factor of a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// A multiplier in front of an operation.
    Multiplier,
    /// The entries of a parameter at initialization (with its own multiplier).
    Entry,
    /// The values of a tensor at initialization.
    Value(NodeId),
    /// The values of a tensor, at initialization or in training, whichever is larger.
    Reached(NodeId),
    /// What a function makes of the values of a tensor.
    Image(NodeId),
    /// The change of a tensor.
    Change(NodeId),
    /// What a function, a softmax or a normalization makes of the change of a tensor.
    ImageChange(NodeId),
    /// The change of a parameter's entries (with its own multiplier).
    Step,
    /// The gradient of a tensor at initialization.
    FreshGradient(NodeId),
    /// The gradient of a tensor in training.
    Gradient(NodeId),
    /// The change of a tensor's gradient.
    GradientChange(NodeId),
    /// The change of what an operation multiplies the gradient of this operand with.
    Turn(NodeId),
    /// What training aligned with the other factor of a product: their inner product over the size of what it moves.
    Echo(NodeId),
    /// N: a summed length, all summands alike.
    Coherent,
    /// N^(1/2): a summed length, summands of mean zero.
    Random,
    /// N^(1/2) max(1, (N/M)^(1/2)): the operator norm of a random matrix against a vector aligned with it.
    Aligned,
    /// The change of a tensor that its own repetition's updates make.
    OwnChange(NodeId),
    /// The initial size of the trained tensor itself, which relative steps are multiples of.
    OwnEntry,
    /// What a matrix's shape contributes to a spectral step.
    ShapeFactor,
    /// L: repetitions whose contributions are alike.
    Repetitions,
    /// L^(1/2): repetitions whose contributions are independent.
    RandomRepetitions,
    /// A length that a tensor is broadcast along, summed in its gradient.
    Broadcast,
    /// The square root of such a length: fresh gradients add up randomly.
    RandomBroadcast,
    /// K^(1/2) max(1, (K/N)^(1/2)): the operator norm of the transposed matrix.
    AlignedBack,
    /// The derivative of a function.
    Slope,
    /// One over the size that a normalization divides by.
    Normalizer,
    /// The length of a softmax axis.
    Share,
    /// A constant of the operation.
    Constant,
}

/// A rule of the calculus. `Display` is what it says, [`Rule::source`] where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Given tensors are Θ(1).
    Given,
    /// A parameter's entries at initialization.
    Initialized,
    /// The central limit theorem for a fresh weight, or for summands of mean zero.
    CentralLimit,
    /// A sum whose terms are alike: the law of large numbers.
    LargeNumbers,
    /// A weight that acts on a tensor which already depends on it.
    AlignedAtInit,
    /// A row of a table.
    Row,
    /// A sum of tensors.
    Sum,
    /// An elementwise product or a product with nothing summed over a growing axis.
    Product,
    /// A number times a tensor.
    Scaled,
    /// An elementwise function.
    Elementwise,
    /// A normalization.
    Normalized,
    /// A softmax.
    Softmax,
    /// What all repetitions add to a residual stream.
    Accumulated,
    /// What the updates of all repetitions add to a residual stream.
    AccumulatedChange,
    /// What all repetitions answer to a change of their residual stream.
    AccumulatedResponse,
    /// Rearranged, masked or passed on.
    Kept,
    /// The gradient of the logits is Θ(1).
    Loss,
    /// A gradient through a fresh weight.
    FreshBackward,
    /// A gradient through a weight, aligned with it in training.
    AlignedBackward,
    /// A gradient through a weight's own change.
    ChangeBackward,
    /// A gradient through the other factor of a product.
    ProductBackward,
    /// A gradient summed over the axes a tensor was broadcast along.
    BroadcastBackward,
    /// A gradient through a factor, slope or normalizer that has changed.
    TurnedBackward,
    /// A gradient through a sum, a function, a normalization or a rearrangement.
    PassBackward,
    /// The optimizer's step.
    Step,
    /// A parameter's change acting on its input, coherent over the whole fan-in.
    Update,
    /// The initial weight acting on a change aligned with it.
    Propagation,
    /// A change of one factor of a product.
    ProductChange,
    /// A change passed on.
    PassChange,
}

impl Rule {
    /// What it says, in a few words.
    pub fn statement(self) -> &'static str {
        match self {
            Rule::Given => "data are of size 1",
            Rule::Initialized => "entries at initialization: own multiplier times standard deviation",
            Rule::CentralLimit => "mean-zero summands add up like the square root of their number",
            Rule::LargeNumbers => "summands that are alike add up like their number",
            Rule::AlignedAtInit => {
                "the input already depends on this weight: operator norm, not central limit"
            }
            Rule::Row => "a looked-up row has the size of an entry (fan-in 1)",
            Rule::Sum => "a sum has the size of its largest term",
            Rule::Product => "a product has the product of the sizes",
            Rule::Scaled => "a number times a tensor",
            Rule::Elementwise => "an elementwise function",
            Rule::Normalized => "a normalization gives size 1",
            Rule::Softmax => "a softmax over K entries gives 1/K",
            Rule::Accumulated => {
                "branches of all repetitions add up: independent ones like the square root of their number"
            }
            Rule::AccumulatedChange => "the updates of all repetitions move the stream the same way",
            Rule::AccumulatedResponse => {
                "all repetitions answer to the stream's change, each through its own initial weights"
            }
            Rule::Kept => "rearranging, masking and passing on keep sizes",
            Rule::Loss => "the loss gradient of the logits is of size 1",
            Rule::FreshBackward => {
                "backward through independent factors: square root of the number of summands"
            }
            Rule::AlignedBackward => "backward through a weight, aligned in training: operator norm",
            Rule::ChangeBackward => "backward through a weight's own change: coherent over the fan-out",
            Rule::ProductBackward => {
                "backward through a product: the other factor, summed over the axes this one lacks"
            }
            Rule::BroadcastBackward => "backward through broadcasting: summed over the axes it lacks",
            Rule::TurnedBackward => "backward through what has changed of a factor, a slope or a normalizer",
            Rule::PassBackward => "backward through an operation that passes gradients on",
            Rule::Step => "the optimizer's step",
            Rule::Update => "the weight's change acts coherently on its input over the whole fan-in",
            Rule::Propagation => {
                "the initial weight acts on the input's change, at most by its operator norm"
            }
            Rule::ProductChange => {
                "one factor's change times the other factor, coherent over the summed axes"
            }
            Rule::PassChange => "an operation passes the change of its input on",
        }
    }

    /// Where it comes from: paper and section.
    pub fn source(self) -> &'static str {
        match self {
            Rule::Given | Rule::Loss => "TP-IV §3: finite inputs and outputs",
            Rule::Initialized => "TP-IV §3: abc-parameterization",
            Rule::CentralLimit | Rule::LargeNumbers => {
                "TP-V App. J.1: sums of independent and of correlated terms"
            }
            Rule::AlignedAtInit => "Spectral §3: operator norms",
            Rule::Row => "TP-V App. B.1: one-hot input",
            Rule::Sum | Rule::Product | Rule::Scaled | Rule::Kept | Rule::Elementwise => {
                "TP-I: coordinatewise operation"
            }
            Rule::Accumulated => "TP-VI §3: residual streams at initialization",
            Rule::AccumulatedChange | Rule::AccumulatedResponse => "TP-VI §4; CompleteP §3",
            Rule::Normalized | Rule::Softmax => "by definition",
            Rule::FreshBackward => "TP-II: gradient independence at initialization",
            Rule::AlignedBackward => "Spectral §3: operator norms",
            Rule::ChangeBackward => "TP-IV Def. 3.2: min(a+b, 2a+c)",
            Rule::ProductBackward | Rule::BroadcastBackward | Rule::TurnedBackward | Rule::PassBackward => {
                "chain rule"
            }
            Rule::Step => "TP-IVb §2: the update function",
            Rule::Update => "TP-V App. J.2.1; TP-IV Def. 3.2",
            Rule::Propagation => "TP-IV Thm. 3.3; Spectral §3",
            Rule::ProductChange => "TP-V Def. 4.1: attention logits",
            Rule::PassChange => "TP-I: coordinatewise operation",
        }
    }
}

/// A named factor.
pub type Factor = (Quantity, Size);

/// Takes the terms of a rule.
pub trait Terms {
    /// One term: the product of its factors.
    fn term(&mut self, rule: Rule, factors: &[Factor]);
}

/// Keeps the size of the largest term.
#[derive(Clone, Debug)]
pub struct Largest(pub Size);

impl Largest {
    /// The largest of the terms that `rule` gives.
    pub fn of(rule: impl FnOnce(&mut Largest)) -> Size {
        let mut largest = Largest(Size::Zero);
        rule(&mut largest);
        largest.0
    }
}

/// The product of factors. A factor of zero makes it zero, whatever the others are.
pub fn product(factors: &[Factor]) -> Size {
    if factors.iter().any(|(_, size)| size.is_zero()) {
        return Size::Zero;
    }
    let mut result = Size::one();
    for (_, size) in factors.iter().filter(|(_, size)| !size.is_one()) {
        result = result.mul(size);
    }
    result
}

impl Terms for Largest {
    fn term(&mut self, _: Rule, factors: &[Factor]) {
        let size = product(factors);
        if size > self.0 {
            self.0 = size;
        }
    }
}

/// A term with its factors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The rule it comes from.
    pub rule: Rule,
    /// Its factors.
    pub factors: SmallVec<[Factor; 4]>,
    /// Their product.
    pub size: Size,
}

/// Keeps every term.
#[derive(Clone, Debug, Default)]
pub struct Record(pub Vec<Term>);

impl Terms for Record {
    fn term(&mut self, rule: Rule, factors: &[Factor]) {
        self.0.push(Term { rule, factors: factors.into(), size: product(factors) });
    }
}

/// N.
pub fn coherent(length: &Monomial) -> Size {
    Size::Power(length.clone())
}

/// N^(1/2).
pub fn random(length: &Monomial) -> Size {
    Size::from(length).pow(Rational::HALF)
}

/// N^(1/2) max(1, (N/M)^(1/2)): what a random M x N matrix does to a vector aligned with it.
pub fn aligned(fan_in: &Monomial, fan_out: &Monomial) -> Size {
    match fan_in > fan_out {
        false => random(fan_in),
        true => Size::from(fan_in).div(&random(fan_out)),
    }
}
