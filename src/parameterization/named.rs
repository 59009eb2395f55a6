//! Standard, neural-tangent and mean-field initialization on any graph, from fan-in and fan-out alone.

use crate::abc::Abc;
use crate::dim::Monomial;
use crate::graph::{Multiplier, NodeId, Op, ParamId};
use crate::rational::Rational;
use crate::shape::Site;
use crate::size::analysis::Calculus;

/// N^power; 1 where it does not fit, which the language rules out.
fn power(length: &Monomial, exponent: Rational) -> Monomial {
    length.pow(exponent).unwrap_or_default()
}

fn minus_half() -> Rational {
    Rational::HALF.neg().unwrap_or_default()
}

/// Standard parameterization: initial entries of variance one over fan-in, no multipliers but attention's N^(-1/2), one constant
/// learning rate. A tied parameter takes the largest fan-in of its uses.
pub fn sp(calculus: &Calculus) -> Abc {
    let mut abc = with_contractions(calculus);
    for (param, _) in calculus.graph().param_ids() {
        let fan_in = calculus.shaped.sites_of(param).map(|site| &site.fan_in).max();
        abc.params[param.index()].init_std = fan_in.map_or_else(Monomial::one, |n| power(n, minus_half()));
    }
    abc
}

/// Neural-tangent parameterization (Jacot et al. 2018): entries of size 1 behind a multiplier N^(-1/2) at every use.
pub fn ntk(calculus: &Calculus) -> Abc {
    multiplied(calculus, |site| power(&site.fan_in, minus_half()))
}

/// Mean-field parameterization: as neural-tangent, but N^-1 where a wide layer ends in finitely many units (Mei et al. 2018).
pub fn mean_field(calculus: &Calculus) -> Abc {
    multiplied(calculus, |site| match site.fan_out.is_one() && site.shared.is_one() {
        true => power(&site.fan_in, Rational::integer(-1)),
        false => power(&site.fan_in, minus_half()),
    })
}

/// Entries of size 1 behind a multiplier: the parameter's own if it is used once, in front of each use if more often.
fn multiplied(calculus: &Calculus, multiplier: impl Fn(&Site) -> Monomial) -> Abc {
    let mut abc = with_contractions(calculus);
    for (param, _) in calculus.graph().param_ids() {
        let single = calculus.shaped.sites_of[param.index()].len() == 1;
        for site in calculus.shaped.sites_of(param).filter(|site| !is_written(calculus, site.node)) {
            let factor = multiplier(site);
            if single {
                abc.params[param.index()].multiplier = factor;
            } else if !factor.is_one() {
                abc.contractions.insert(site.node, factor);
            }
        }
    }
    abc
}

fn is_written(calculus: &Calculus, node: NodeId) -> bool {
    calculus.graph().written_multiplier(node).is_some()
}

/// N^(-1/2) in front of every contraction of activations that the spec leaves open.
fn with_contractions(calculus: &Calculus) -> Abc {
    let mut abc = Abc::unit(calculus.graph().params.len());
    for id in open_contractions(calculus) {
        let summed =
            calculus.shaped.reach[id.index()].as_ref().map(|reach| power(&reach.summed, minus_half()));
        if let Some(factor) = summed.filter(|factor| !factor.is_one()) {
            abc.contractions.insert(id, factor);
        }
    }
    abc
}

/// Contractions of activations on the way to the logits whose multiplier is not written.
pub fn open_contractions<'c>(calculus: &'c Calculus) -> impl Iterator<Item = NodeId> + 'c {
    let graph = calculus.graph();
    graph.ids().filter(move |&id| {
        let node = graph.node(id);
        let open = matches!(&node.op, Op::Contract { multiplier: Multiplier::Free | Multiplier::Hole, .. });
        let weight = (0..node.operands.len()).any(|operand| calculus.shaped.site_at(id, operand).is_some());
        open && !weight && calculus.before_loss[id.index()] && calculus.shaped.view_of[id.index()].is_none()
    })
}

/// Whether a parameter's initial entries are chosen by the parameterization.
pub fn is_random(calculus: &Calculus, param: ParamId) -> bool {
    calculus.graph().param(param).init == crate::graph::Init::Random
}
