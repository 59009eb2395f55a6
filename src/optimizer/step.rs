//! The one law of all optimizers: for W = m w with initial entries |w| = s and a gradient G of W's entries,
//!
//! ```text
//! |dw| = eta (m G)^k s^r S
//! ```
//!
//! k is 1 for gradient descent and 0 for steps that forget the gradient's size; r is 1 for relative steps; S is a power of the matrix's
//! shape. A spectral step of norm 1 on an M x N matrix whose gradient is a sum of Θ(1) outer products has entries of size
//! S = (N M)^(-1/2): acting on an aligned input it gives N^(1/2) M^(-1/2) |x|, which is N S |x| (Spectral).

use super::{Direction, Epsilon, Law, Optimizer, ShapeFactor};
use crate::dim::{Dim, Monomial};
use crate::graph::{Init, NodeId, Param, ParamId};
use crate::rational::Rational;
use crate::shape::{Shaped, Site};

/// The law of one parameter's steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLaw {
    /// Whose.
    pub optimizer: Optimizer,
    /// k: the power of the gradient.
    pub gradient_power: Rational,
    /// r: the power of the weights' own initial size.
    pub weight_power: Rational,
    /// S: what the shape contributes.
    pub shape: Monomial,
    /// How many entries a gradient's norm counts.
    pub entries: Monomial,
}

/// Two uses of a parameter as matrices of different shapes, of which an optimizer would have to choose one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguous {
    /// The parameter.
    pub param: ParamId,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Two uses that differ.
    pub nodes: [NodeId; 2],
}

impl StepLaw {
    /// The law of an optimizer on a parameter, by how it starts: `count` matrices M x N of which spectral steps see one at a time. Relative steps of weights that start at zero
    /// fall back to what implementations do: a trust ratio of 1, a constant floor.
    fn new(optimizer: Optimizer, init: Init, Matrices { fan_in, fan_out, count }: &Matrices) -> StepLaw {
        let law = optimizer.law();
        let zero = matches!(init, Init::Constant(value) if value.is_zero());
        let forgets = law.direction != Direction::Gradient || (law.relative && !zero);
        let power = |one: bool| if one { Rational::ONE } else { Rational::ZERO };
        StepLaw {
            optimizer,
            gradient_power: power(!forgets),
            weight_power: power(law.relative && !zero),
            shape: shape(&law, fan_in, fan_out),
            entries: entries(&law, fan_in.mul(fan_out).unwrap_or_default(), count),
        }
    }

    /// 1 + k - r: the power of a multiplier by which a gauge shift divides the learning rate.
    pub fn gauge_power(&self) -> Rational {
        let power = Rational::ONE.add(self.gradient_power).and_then(|power| power.sub(self.weight_power));
        power.unwrap_or(Rational::ONE)
    }

    /// m^(1+k) s^r S: a step of W's entries over rate and gradient.
    pub fn gain(&self, multiplier: &Monomial, init_std: &Monomial) -> Option<Monomial> {
        let own = multiplier.pow(Rational::ONE.add(self.gradient_power)?)?;
        own.mul(&init_std.pow(self.weight_power)?)?.mul(&self.shape)
    }

    /// What eps is compared with, for a gradient of w's entries and entries of w of the given sizes.
    pub fn epsilon(&self, gradient: &Monomial, weight: &Monomial) -> Option<Monomial> {
        match self.optimizer.law().epsilon {
            Epsilon::None => None,
            Epsilon::Entry => Some(gradient.clone()),
            Epsilon::Norm => gradient.mul(&self.entries.pow(Rational::HALF)?),
            Epsilon::SquaredNorm => gradient.mul(gradient)?.mul(&self.entries),
            Epsilon::Weight => Some(weight.clone()),
        }
    }
}

/// What the norm of a gradient goes over: one matrix if the optimizer sees one at a time, else all of the parameter.
fn entries(law: &Law, one: Monomial, count: &Monomial) -> Monomial {
    match law.direction {
        Direction::Spectral => one,
        Direction::Gradient | Direction::Entrywise => one.mul(count).unwrap_or_default(),
    }
}

/// S.
fn shape(law: &Law, fan_in: &Monomial, fan_out: &Monomial) -> Monomial {
    if law.direction != Direction::Spectral {
        return Monomial::one();
    }
    let root = |length: &Monomial| length.pow(Rational::HALF).unwrap_or_default();
    let over = |a: &Monomial, b: &Monomial| a.div(b).unwrap_or_default();
    let spectral = over(&Monomial::one(), &root(&fan_in.mul(fan_out).unwrap_or_default()));
    let factor = match law.factor {
        ShapeFactor::One => Monomial::one(),
        ShapeFactor::Growing => root(&over(fan_out, fan_in).max(Monomial::one())),
        ShapeFactor::Largest => root(fan_in.max(fan_out)),
    };
    spectral.mul(&factor).unwrap_or_default()
}

/// A parameter as M x N matrices.
struct Matrices {
    fan_in: Monomial,
    fan_out: Monomial,
    count: Monomial,
}

/// The matrices that a use makes of a parameter: one per entry of its block axes. What has neither growing fan-in nor fan-out moves as one
/// vector.
fn matrices(site: &Site) -> Matrices {
    match site.fan_in.is_one() && site.fan_out.is_one() {
        true => vector(site.shared.clone()),
        false => Matrices {
            fan_in: site.fan_in.clone(),
            fan_out: site.fan_out.clone(),
            count: site.shared.clone(),
        },
    }
}

fn vector(length: Monomial) -> Matrices {
    Matrices { fan_in: Monomial::one(), fan_out: length, count: Monomial::one() }
}

/// The law of one parameter, from its uses; the first one decides where they differ.
fn law_of(shaped: &Shaped, id: ParamId, optimizer: Optimizer) -> StepLaw {
    let param = shaped.graph.param(id);
    let seen = shaped.sites_of(id).next().map(matrices).unwrap_or_else(|| vector(whole(param)));
    StepLaw::new(optimizer, param.init, &seen)
}

fn whole(param: &Param) -> Monomial {
    let times = |product: Monomial, dim: &Dim| product.mul(&dim.powers).unwrap_or(product);
    param.shape.iter().fold(Monomial::one(), times)
}

/// The law of every parameter of a graph.
pub fn laws(shaped: &Shaped, plan: &super::Plan) -> Vec<StepLaw> {
    shaped.graph.param_ids().map(|(id, _)| law_of(shaped, id, plan.optimizer(id))).collect()
}

/// A parameter whose uses make different matrices of it, where the optimizer's step depends on which.
pub fn ambiguous(shaped: &Shaped, plan: &super::Plan) -> Option<Ambiguous> {
    shaped.graph.param_ids().filter(|(_, param)| !param.frozen).find_map(|(id, param)| {
        let optimizer = plan.optimizer(id);
        let law = |place: &usize| StepLaw::new(optimizer, param.init, &matrices(&shaped.sites[*place])).shape;
        let sites = &shaped.sites_of[id.index()];
        let first = sites.first()?;
        let other = sites.iter().find(|other| law(other) != law(first))?;
        let nodes = [*first, *other].map(|place| shaped.sites[place].node);
        Some(Ambiguous { param: id, optimizer, nodes })
    })
}
