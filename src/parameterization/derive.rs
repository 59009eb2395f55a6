//! The maximal-update initialization, derived from the graph.
//!
//! One forward sweep with every tensor aimed at the largest size it may have ([`crate::size::target`]). At a use of a parameter the
//! largest product of multiplier and entry that keeps both the value and the propagated change in bounds is
//! T / (|x| N^(1/2) max(1, (N/M)^(1/2))): the spectral condition (Yang, Simon & Bernstein 2023). A contraction of activations gets
//! T / (N |u| |v|): trained factors correlate. Then each parameter's uses are reconciled by multipliers.

use super::conflict::{Conflict, Demand};
use super::named::is_random;
use super::{Failure, Unbounded, rates};
use crate::abc::Abc;
use crate::dim::Monomial;
use crate::graph::walk::{Semantics, interpret};
use crate::graph::{Block, BlockId, Graph, Init, Multiplier, NodeId, Op, ParamId};
use crate::shape::Site;
use crate::size::Size;
use crate::size::analysis::Calculus;
use crate::size::forward::{Climbs, Forward, multiplier};
use crate::size::repetition::Repetitions;
use crate::size::term::{Largest, aligned, coherent};

/// Multipliers and initializations of the maximal-update parameterization; learning rates are left at 1.
pub fn maximal_update(calculus: &Calculus) -> Result<Abc, Failure> {
    let mut sweep = Sweep {
        calculus,
        abc: Abc::unit(calculus.graph().params.len()),
        demands: vec![None; calculus.shaped.sites.len()],
        climbs: Climbs::new(calculus.graph(), &calculus.repetitions),
        once: Repetitions::none(calculus.graph()),
    };
    interpret(calculus.graph(), &mut sweep)?;
    let Sweep { mut abc, demands, .. } = sweep;
    for (param, _) in calculus.graph().param_ids() {
        reconcile(calculus, &mut abc, param, &demands)?;
    }
    Ok(abc)
}

struct Sweep<'c, 'g> {
    calculus: &'c Calculus<'g>,
    abc: Abc,
    demands: Vec<Option<Demand>>,
    climbs: Climbs,
    /// What repetitions add up to is the multipliers' business: here every stream is as large as what enters.
    once: Repetitions,
}

impl Semantics for Sweep<'_, '_> {
    type Value = Size;
    type Error = Failure;

    fn apply(&mut self, graph: &Graph, id: NodeId, values: &[Size]) -> Result<Size, Failure> {
        if !self.calculus.before_loss[id.index()] {
            return Ok(self.climbs.keep(graph, id, values, Size::one()));
        }
        let aim = self.calculus.bounds[id.index()].aim();
        let size = match &graph.node(id).op {
            Op::Param(param) => self.param(*param),
            Op::Contract { .. } | Op::Lookup { .. } if self.weight(id).is_some() => {
                self.site(id, &aim, values)
            }
            Op::Contract { multiplier, .. } => self.contraction(id, multiplier, &aim, values)?,
            Op::Scale(Multiplier::Hole) => {
                let operand = &values[graph.node(id).operands[0].index()];
                self.solve(id, &aim, operand)?;
                aim
            }
            _ => {
                self.plain_sites(id);
                self.plain(id, values)
            }
        };
        Ok(self.climbs.keep(graph, id, values, size))
    }

    fn repeat(&mut self, _: &Graph, id: BlockId, block: &Block, values: &mut [Size]) -> bool {
        self.climbs.take_round(id, block, values)
    }

    fn settle(&mut self, _: &Graph, id: BlockId, block: &Block, values: &mut [Size]) -> bool {
        self.climbs.settle_round(id, block, values)
    }
}

impl Sweep<'_, '_> {
    /// The operand of a node that acts as its weight: the first that is a parameter.
    fn weight(&self, id: NodeId) -> Option<Site> {
        let count = self.calculus.graph().node(id).operands.len();
        (0..count).find_map(|operand| self.calculus.shaped.site_at(id, operand)).cloned()
    }

    /// A parameter as a tensor: biases, gains and what is made of them.
    fn param(&self, param: ParamId) -> Size {
        let declared = self.calculus.graph().param(param);
        match declared.init {
            Init::Constant(value) if value.is_zero() && declared.frozen => Size::Zero,
            Init::Constant(_) | Init::Random => Size::one(),
        }
    }

    fn demand(&mut self, site: &Site, product: Size, request: Size) {
        if let Some(at) = self.calculus.shaped.place_of(site.node, site.operand) {
            self.demands[at] = Some(Demand { node: site.node, product, request });
        }
    }

    /// A weight acting on a tensor, or a table whose rows are read.
    fn site(&mut self, id: NodeId, aim: &Size, values: &[Size]) -> Size {
        let Some(site) = self.weight(id) else { return aim.clone() };
        let node = self.calculus.graph().node(id);
        let input = match site.lookup {
            true => None,
            false => (0..node.operands.len()).find(|other| *other != site.operand),
        };
        let x = input.map_or_else(Size::one, |other| values[node.operands[other].index()].clone());
        if x.is_zero() {
            return Size::Zero;
        }
        let bound = aligned(&site.fan_in, &site.fan_out).max(self.correlated(id, &site));
        self.demand(&site, aim.div(&x.mul(&bound)), rates::request(self.calculus, &site, aim, values));
        if let Some(second) = input.and_then(|other| self.calculus.shaped.site_at(id, other)).cloned() {
            self.demand(&second, Size::one(), Size::one());
        }
        self.site_value(&site, aim, x)
    }

    /// A weight that also sums axes of its input that it lacks adds those up coherently.
    fn correlated(&self, id: NodeId, site: &Site) -> Size {
        let summed = self.calculus.shaped.reach[id.index()].as_ref().map(|reach| reach.summed.clone());
        let extra = summed.and_then(|summed| summed.div(&site.fan_in)).filter(|_| !site.lookup);
        extra.map_or_else(Size::one, |extra| coherent(&extra))
    }

    fn site_value(&self, site: &Site, aim: &Size, x: Size) -> Size {
        let param = self.calculus.graph().param(site.param);
        match param.init {
            Init::Random => aim.clone(),
            Init::Constant(value) if value.is_zero() => {
                if param.frozen {
                    Size::Zero
                } else {
                    aim.clone()
                }
            }
            Init::Constant(_) => x.max(aim.clone()),
        }
    }

    /// A sum or product of activations.
    fn contraction(
        &mut self,
        id: NodeId,
        written: &Multiplier,
        aim: &Size,
        values: &[Size],
    ) -> Result<Size, Failure> {
        let calculus = self.calculus;
        let summed = calculus.shaped.reach[id.index()]
            .as_ref()
            .map_or_else(Monomial::one, |reach| reach.summed.clone());
        let operands = &calculus.graph().node(id).operands;
        let product = operands.iter().fold(coherent(&summed), |product, id| product.mul(&values[id.index()]));
        let open = match written {
            Multiplier::Free => !summed.is_one(),
            Multiplier::Hole => true,
            Multiplier::Written(_) => false,
        };
        if open && !product.is_zero() {
            self.solve(id, aim, &product)?;
        }
        Ok(product.mul(&multiplier(calculus.graph(), &self.abc, id)))
    }

    /// Chooses the multiplier in front of a node.
    fn solve(&mut self, id: NodeId, aim: &Size, product: &Size) -> Result<(), Failure> {
        let factor = aim.div(product);
        let power = factor.power().ok_or(Failure::Unbounded(Unbounded { node: id, what: "multiplier" }))?;
        if power.is_one() {
            self.abc.contractions.remove(&id);
        } else {
            self.abc.contractions.insert(id, power.clone());
        }
        Ok(())
    }

    /// Parameters that are added, scaled or passed through functions: their entries may be as large as the result.
    fn plain_sites(&mut self, id: NodeId) {
        let count = self.calculus.graph().node(id).operands.len();
        for operand in 0..count {
            if let Some(site) = self.calculus.shaped.site_at(id, operand).cloned() {
                let source = self.calculus.graph().node(id).operands[operand];
                let aim = self.calculus.bounds[source.index()].aim();
                self.demand(&site, aim.clone(), aim);
            }
        }
    }

    /// Everything else is as at initialization, with sizes that count both values and changes.
    fn plain(&self, id: NodeId, values: &[Size]) -> Size {
        let forward = Forward { repetitions: &self.once, ..self.calculus.forward(&self.abc) };
        Largest::of(|terms| forward.rule(id, values, terms))
    }
}

/// Whether the multiplier in front of a use may be chosen, and the size of the written one if it is written.
fn slot(calculus: &Calculus, demand: &Demand) -> Option<Size> {
    match &calculus.graph().node(demand.node).op {
        Op::Contract { multiplier: Multiplier::Free | Multiplier::Hole, .. } => None,
        _ => Some(multiplier(calculus.graph(), &Abc::default(), demand.node)).filter(|size| !size.is_zero()),
    }
}

/// One initialization for a parameter, and a multiplier at every use whose conditions that would break.
fn reconcile(
    calculus: &Calculus,
    abc: &mut Abc,
    param: ParamId,
    demands: &[Option<Demand>],
) -> Result<(), Failure> {
    let own = &calculus.shaped.sites_of[param.index()];
    let demands: Vec<&Demand> = own.iter().filter_map(|&at| demands[at].as_ref()).collect();
    if demands.is_empty() {
        return Ok(());
    }
    check_agreement(calculus, param, &demands)?;
    let random = is_random(calculus, param);
    let wanted = |demand: &Demand| if random { demand.product.clone() } else { demand.request.clone() };
    let fixed = |demand: &&Demand| Some(wanted(demand).div(&slot(calculus, demand)?));
    let hole = |demand: &&Demand| is_hole(calculus, demand.node);
    let entry = match demands.iter().filter_map(fixed).min() {
        Some(entry) => entry,
        None if demands.iter().all(hole) => Size::one(),
        None => demands
            .iter()
            .filter(|demand| !hole(demand))
            .map(|demand| wanted(demand))
            .max()
            .unwrap_or(Size::one()),
    };
    for demand in demands.iter().filter(|demand| slot(calculus, demand).is_none()) {
        let factor = wanted(demand).div(&entry);
        let unbounded = || Failure::Unbounded(Unbounded { node: demand.node, what: "multiplier" });
        let power = factor.power().ok_or_else(unbounded)?;
        if !power.is_one() {
            abc.contractions.insert(demand.node, power.clone());
        }
    }
    if random {
        let unbounded = || Failure::Unbounded(Unbounded { node: demands[0].node, what: "initialization" });
        abc.params[param.index()].init_std = entry.power().cloned().ok_or_else(unbounded)?;
    }
    Ok(())
}

fn is_hole(calculus: &Calculus, id: NodeId) -> bool {
    matches!(calculus.graph().node(id).op, Op::Contract { multiplier: Multiplier::Hole, .. })
}

/// A multiplier scales initialization and update alike, so open uses must agree in their ratio.
fn check_agreement(calculus: &Calculus, param: ParamId, demands: &[&Demand]) -> Result<(), Failure> {
    let declared = calculus.graph().param(param);
    if declared.frozen || declared.init != Init::Random {
        return Ok(());
    }
    let written = |demand: &&&Demand| calculus.graph().written_multiplier(demand.node).is_none();
    let ratio = |demand: &Demand| demand.product.div(&demand.request);
    let mut open = demands.iter().filter(written);
    let Some(first) = open.next() else { return Ok(()) };
    match open.find(|other| ratio(other) != ratio(first)) {
        None => Ok(()),
        Some(second) => Err(Failure::Conflict(Box::new(Conflict {
            param,
            first: (*first).clone(),
            second: (*second).clone(),
        }))),
    }
}
