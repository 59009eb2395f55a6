//! Which optimizer trains which parameter, and how weight decay acts.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::Optimizer;
use crate::graph::ParamId;

/// An optimizer for every parameter: the usual practice of Muon is one for the hidden matrices and Adam elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For parameters that nothing else is said of.
    pub default: Optimizer,
    /// For single parameters.
    pub of: BTreeMap<ParamId, Optimizer>,
}

impl Plan {
    /// The optimizer of a parameter.
    pub fn optimizer(&self, param: ParamId) -> Optimizer {
        self.of.get(&param).copied().unwrap_or(self.default)
    }

    /// Every optimizer in use for `count` parameters, each once: the default first.
    pub fn optimizers(&self, count: usize) -> Vec<Optimizer> {
        let mut used: Vec<_> = (0..count as u32).map(|id| self.optimizer(ParamId(id))).collect();
        used.sort_by_key(|optimizer| (*optimizer != self.default, *optimizer));
        used.dedup();
        if used.is_empty() { vec![self.default] } else { used }
    }
}

impl From<Optimizer> for Plan {
    fn from(default: Optimizer) -> Plan {
        Plan { default, of: BTreeMap::new() }
    }
}

/// `adam`, or `adam + muon` where parameters have optimizers of their own.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut others: Vec<_> = self.of.values().filter(|own| **own != self.default).collect();
        others.sort_unstable();
        others.dedup();
        let names = others.into_iter().map(|own| format!(" + {own}"));
        f.pad(&format!("{}{}", self.default, names.collect::<String>()))
    }
}

/// How weight decay acts on the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Decay {
    /// Learning rate times decay times weight (torch AdamW): it goes like one over the rate.
    #[default]
    Decoupled,
    /// Decay times weight, whatever the rate (Loshchilov & Hutter 2019 as written): constant.
    Independent,
    /// Decay times weight added to the gradient before the optimizer sees it (L2 regularization, torch Adam): as large as the gradient
    /// for optimizers that forget the gradient's size.
    Coupled,
}

impl Decay {
    /// Every one.
    pub const ALL: [Decay; 3] = [Decay::Decoupled, Decay::Independent, Decay::Coupled];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Decay::Decoupled => "decoupled",
            Decay::Independent => "independent",
            Decay::Coupled => "coupled",
        }
    }

    /// What it does, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Decay::Decoupled => "weight decay acts as rate times decay times weight (torch AdamW)",
            Decay::Independent => "weight decay acts as decay times weight, independent of the rate",
            Decay::Coupled => "weight decay is added to the gradient (L2; torch Adam and SGD)",
        }
    }
}

impl fmt::Display for Decay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Not a kind of weight decay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of weight decay `{0}`; known are decoupled, independent, coupled")]
pub struct UnknownDecay(String);

impl FromStr for Decay {
    type Err = UnknownDecay;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Decay::ALL.into_iter().find(|decay| decay.name() == name);
        known.ok_or_else(|| UnknownDecay(name.to_string()))
    }
}
