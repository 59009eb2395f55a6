//! abc-parameterizations as plain data: W = n^-a w, w ~ N(0, n^-2b), learning rate eta n^-c, for every parameter of a graph.
//!
//! All exponents are kept as *powers* of the scale symbols ([`Monomial`]), so a factor 1/n is n^-1 and not "a = 1".
//! Multipliers stand in two places: a parameter's own (the n^-a above), and in front of a contraction (a site of a tied
//! parameter, attention scores).
//!
//! **Gauge** (TP-IV, TP-V): moving a factor from the initialization into the multiplier and correcting the learning
//! rate leaves the function at every step the same. [`ParamScaling::shift`] does so; [`ParamScaling::canonical`] moves
//! everything out of the multiplier, so two parameterizations are the same exactly when their canonical forms are equal.

use std::collections::BTreeMap;

use crate::dim::Monomial;
use crate::graph::NodeId;
use crate::optimizer::step::StepLaw;

/// How one parameter scales.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamScaling {
    /// The factor n^-a in front of the trained tensor.
    pub multiplier: Monomial,
    /// The standard deviation n^-b of its initial entries; 1 for constant initial values.
    pub init_std: Monomial,
    /// The learning rate n^-c.
    pub learning_rate: Monomial,
}

impl ParamScaling {
    /// The gauge shift a -> a + t for multiplier n^-t: multiplier times `factor`, init over `factor`, learning rate corrected as the
    /// optimizer's step demands: factor^-2 for gradient descent, factor^-1 for normalized steps, none for relative ones. `None` on overflow.
    pub fn shift(&self, factor: &Monomial, law: &StepLaw) -> Option<ParamScaling> {
        let rate_power = law.gauge_power();
        Some(ParamScaling {
            multiplier: self.multiplier.mul(factor)?,
            init_std: self.init_std.div(factor)?,
            learning_rate: self.learning_rate.div(&factor.pow(rate_power)?)?,
        })
    }

    /// The equivalent scaling without a multiplier.
    pub fn canonical(&self, law: &StepLaw) -> Option<ParamScaling> {
        self.shift(&Monomial::one().div(&self.multiplier)?, law)
    }
}

/// A parameterization of a whole graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abc {
    /// One entry per parameter, by [`crate::graph::ParamId`].
    pub params: Vec<ParamScaling>,
    /// Multipliers in front of contractions; those not listed are 1.
    pub contractions: BTreeMap<NodeId, Monomial>,
    /// Multipliers in front of terms of sums (the branches of residual streams), by sum and place of the term; those not listed are 1.
    pub branches: BTreeMap<(NodeId, usize), Monomial>,
}

impl Abc {
    /// Everything 1.
    pub fn unit(params: usize) -> Abc {
        Abc { params: vec![ParamScaling::default(); params], ..Abc::default() }
    }

    /// The same function at every step, with the multiplier of every single parameter moved elsewhere? Both must also agree in front of
    /// contractions.
    pub fn same_as(&self, other: &Abc, laws: &[StepLaw]) -> bool {
        let canonical = |abc: &Abc| -> Option<Vec<_>> {
            abc.params.iter().zip(laws).map(|(scaling, law)| scaling.canonical(law)).collect()
        };
        let ours = canonical(self);
        let fronts = self.contractions == other.contractions && self.branches == other.branches;
        ours.is_some() && ours == canonical(other) && fronts
    }
}
