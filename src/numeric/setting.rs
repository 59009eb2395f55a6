//! The numbers with which a network of one size is started and trained: an abc-parameterization at given lengths, as plain data.

use std::collections::BTreeMap;

use crate::graph::NodeId;
use crate::optimizer::{Decay, Optimizer};

/// How a parameter's entries start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// Independent normal entries with this standard deviation.
    Normal(f64),
    /// Every entry this number.
    Constant(f64),
}

/// The numbers of one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamSetting {
    /// The factor in front of the trained tensor.
    pub multiplier: f64,
    /// How it starts.
    pub start: Start,
    /// Whose steps it takes; none if it is frozen.
    pub optimizer: Option<Optimizer>,
    /// The learning rate.
    pub learning_rate: f64,
    /// What the optimizer adds to a gradient's size before it divides by it.
    pub epsilon: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

/// The numbers of a whole network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setting {
    /// By [`crate::graph::ParamId`].
    pub params: Vec<ParamSetting>,
    /// Factors in front of contractions and products; 1 for those not listed.
    pub fronts: BTreeMap<NodeId, f64>,
    /// Factors in front of terms of sums, by sum and place of the term; 1 for those not listed.
    pub branches: BTreeMap<(NodeId, usize), f64>,
    /// How weight decay acts.
    pub decay: Decay,
}

impl Setting {
    /// The factor in front of a node.
    pub fn front(&self, id: NodeId) -> f64 {
        self.fronts.get(&id).copied().unwrap_or(1.0)
    }

    /// The factor in front of a term of a sum.
    pub fn branch(&self, id: NodeId, operand: usize) -> f64 {
        self.branches.get(&(id, operand)).copied().unwrap_or(1.0)
    }
}
