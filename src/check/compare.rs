//! Predictions beside measurements: the findings of a check.

mod reconsider;

use std::cell::OnceCell;

use self::reconsider::Measurement;
use super::record::{Alignment, Finding, Overall, Point, Predicted, Quantity, Record, Run, Verdict};
use super::request::{Prepare, Prepared, Request};
use super::runs::Measured;
use super::verdict::judge;
use crate::concrete::float;
use crate::dim::{Monomial, Symbol};
use crate::graph::{NodeId, Op, ParamId};
use crate::numeric::measure::Moment;
use crate::optimizer::Epsilon;
use crate::parameterization::Parameterization;
use crate::parameterization::verdict::classify;
use crate::parameterization::verdict::tensors;
use crate::shape::Site;
use crate::size::Size;
use crate::size::analysis::Calculus;
use crate::size::analysis::analyze;
use crate::size::change::Alignment as Convention;
use crate::size::realized::reason::Excuses;
use crate::size::realized::{Moment as Predictions, Realized, Regime, realize};

/// A change below this share of the tensor itself is rounding.
pub(super) const ROUNDING: f64 = 1e-6;

/// Everything that a comparison reads.
struct Comparison<'a, 'g> {
    calculus: &'a Calculus<'g>,
    request: &'a Request,
    prepared: &'a Prepare,
    found: &'a Parameterization,
    /// The prediction.
    realized: &'a Realized,
    /// The prediction for small steps, which a stable network with a small rate may still follow.
    small: &'a Realized,
    runs: &'a [Measured],
    /// Why bounds are not attained.
    excuses: OnceCell<Excuses<'a, 'g>>,
}

/// Which size of a moment.
type Reading = fn(&Moment) -> &Vec<Option<f64>>;

/// What is stable is trained at its own pace; what is not is watched as it sets out, before anything saturates.
pub fn regime(calculus: &Calculus, found: &Parameterization) -> Regime {
    let sizes = analyze(calculus, found.abc.clone(), found.plan.clone());
    if classify(calculus, &sizes).is_stable() { Regime::Finite } else { Regime::Small }
}

/// The factor on the learning rate that keeps every change linear in it up to the largest value: one over the largest
/// predicted growth.
pub fn restraint(calculus: &Calculus, request: &Request, found: &Parameterization) -> f64 {
    if regime(calculus, found) == Regime::Finite {
        return 1.0;
    }
    let realized = realize(calculus, found.abc.clone(), found.plan.clone(), 1, Regime::Small);
    let symbol = Symbol(request.symbol as u16);
    let growth = |id: NodeId| {
        let (change, own) = (&realized.steps[0].change[id.index()], &realized.initial[id.index()]);
        let power = |size: &Size| size.power().map(|power| float(power.exponent(symbol)));
        Some(power(change)? - power(own).unwrap_or(0.0).max(0.0))
    };
    let most = tensors(calculus).filter_map(growth).fold(0.0, f64::max);
    let (first, last) = (request.values[0] as f64, request.values[request.values.len() - 1] as f64);
    (first / last).powf(most)
}

/// The findings of all runs. Names and times are the caller's to fill in.
pub fn compare(
    calculus: &Calculus,
    request: &Request,
    prepared: &Prepare,
    found: &Parameterization,
    runs: &[Measured],
) -> Record {
    let last = request.course.steps.iter().copied().max().unwrap_or(0);
    let of = |regime| realize(calculus, found.abc.clone(), found.plan.clone(), last, regime);
    let (realized, small) = (of(regime(calculus, found)), of(Regime::Small));
    let (realized, small) = (&realized, &small);
    let excuses = OnceCell::new();
    let comparison = Comparison { calculus, request, prepared, found, realized, small, runs, excuses };
    let mut findings = comparison.of_params();
    findings.extend(tensors(calculus).flat_map(|id| comparison.of_tensor(id)));
    findings.sort_by_key(Finding::causal_order);
    let graph = calculus.graph();
    let ended = |run: &&Measured| run.diverged_at.is_some() || run.losses.len() > last;
    let complete = runs.iter().filter(ended).count() == prepared.networks.len() * request.course.seeds.len();
    Record {
        network: graph.name.clone(),
        parameterization: found.scheme.to_string(),
        optimizer: found.plan.to_string(),
        data: prepared.data.clone(),
        command: String::new(),
        symbol: request.symbol_name(graph).to_string(),
        values: request.values.clone(),
        seeds: request.course.seeds.clone(),
        steps: request.course.steps.clone(),
        batch: request.batch,
        learning_rate: request.chosen.learning_rate,
        lengths: comparison.lengths(),
        threads: request.course.threads,
        seconds: 0.0,
        complete,
        verdict: Overall::of(&findings),
        findings,
        runs: comparison.run_rows(),
        alignment: comparison.alignments(),
    }
}

impl Comparison<'_, '_> {
    /// The values of the scale symbols that do not grow, and of the named lengths that are finite.
    fn lengths(&self) -> Vec<(String, i64)> {
        let graph = self.calculus.graph();
        let scales = graph.scales.iter().zip(&self.request.base).enumerate();
        let others = scales.filter(|(at, _)| *at != self.request.symbol);
        let others = others.filter_map(|(_, (scale, value))| Some((scale.name.clone(), value.to_integer()?)));
        let finite = graph.dims.iter().filter(|(_, dim)| dim.is_finite());
        let finite = finite.filter_map(|(name, dim)| Some((name.clone(), dim.coefficient.to_integer()?)));
        others.chain(finite).collect()
    }

    fn run_rows(&self) -> Vec<Run> {
        let row = |run: &Measured| Run {
            value: self.prepared.networks[run.place].value,
            seed: run.seed,
            seconds: run.seconds,
            diverged_at: run.diverged_at,
            loss: run.losses.clone(),
        };
        self.runs.iter().map(row).collect()
    }

    fn predicted(&self, size: &Size) -> Predicted {
        match size {
            Size::Zero => Predicted::Zero,
            Size::Beyond => Predicted::Beyond,
            Size::Power(power) => Predicted::power(power.exponent(self.symbol())),
        }
    }

    fn symbol(&self) -> Symbol {
        Symbol(self.request.symbol as u16)
    }

    /// Sizes by value and seed: infinite if the run did not come so far, no number if few entries carry it.
    fn sizes(&self, step: usize, of: impl Fn(&Moment, usize) -> Option<f64>) -> Vec<Point> {
        let point = |place: usize| {
            let runs = self.runs.iter().filter(|run| run.place == place);
            let size = |run: &Measured| {
                let moment = run.moments.iter().find(|(at, _)| *at == step);
                let size = moment.map_or(f64::INFINITY, |(_, moment)| of(moment, place).unwrap_or(f64::NAN));
                if run.diverged_at.is_some() && !size.is_finite() { f64::INFINITY } else { size }
            };
            Point::new(self.prepared.networks[place].value, runs.map(size).collect())
        };
        let points = (0..self.prepared.networks.len()).map(point);
        points.filter(|point| !point.seeds.is_empty()).collect()
    }

    fn has(&self, step: usize, at: usize, of: Reading) -> bool {
        let moments = self.runs.iter().flat_map(|run| run.moments.iter().filter(|(own, _)| *own == step));
        moments.into_iter().any(|(_, moment)| of(moment).get(at).copied().flatten().is_some())
    }

    /// One finding; `whole` is what the size is a part of, for the floor of rounding.
    fn finding(
        &self,
        subject: &str,
        order: usize,
        (quantity, step): (Quantity, usize),
        [size, small]: [&Size; 2],
        (of, whole): (Reading, Option<Reading>),
        at: usize,
    ) -> Finding {
        let series = self.sizes(step, |moment, _| of(moment).get(at).copied().flatten());
        let floors = match whole {
            Some(whole) => {
                let whole = self.sizes(step, |moment, _| whole(moment).get(at).copied().flatten());
                whole.iter().map(|point| ROUNDING * point.size).collect()
            }
            None => Vec::new(),
        };
        let predicted = self.predicted(size);
        let measured = Measurement { order, quantity, step, series: &series, floors: &floors };
        let judged = self.reconsidered(measured, &predicted, &self.predicted(small));
        Finding {
            subject: subject.to_string(),
            order,
            quantity,
            step,
            predicted,
            series,
            fit: judged.fit,
            verdict: judged.verdict,
            reason: judged.reason,
        }
    }

    /// The predictions for a step: the one, and the one for small steps.
    fn moments(&self, step: usize) -> Option<[&Predictions; 2]> {
        let at = step.checked_sub(1)?;
        Some([self.realized.steps.get(at)?, self.small.steps.get(at)?])
    }

    fn of_tensor(&self, id: NodeId) -> Vec<Finding> {
        let (at, label) = (id.index(), self.calculus.label(id));
        let mut found = Vec::new();
        let value: Reading = |moment| &moment.value;
        let gradient: Reading = |moment| &moment.gradient;
        if !self.has(0, at, value) {
            return found;
        }
        let mut add =
            |kind, size: [&Size; 2], reading| found.push(self.finding(label, at, kind, size, reading, at));
        add((Quantity::Value, 0), [&self.realized.initial[at]; 2], (value, None));
        let trained = self.has(0, at, gradient);
        if trained {
            add((Quantity::Gradient, 0), [&self.realized.fresh[at]; 2], (gradient, None));
        }
        for step in self.request.course.steps.iter().copied().filter(|step| *step > 0) {
            let Some([moment, small]) = self.moments(step) else { continue };
            if !trained {
                continue;
            }
            add(
                (Quantity::Change, step),
                [&moment.change[at], &small.change[at]],
                (|moment| &moment.change, Some(value)),
            );
            let parts = (|moment: &Moment| &moment.gradient_change) as Reading;
            add(
                (Quantity::GradientChange, step),
                [&moment.gradient_change[at], &small.gradient_change[at]],
                (parts, Some(gradient)),
            );
            let site = self.calculus.shaped.sites.iter().any(|site| site.node == id);
            if site && self.has(step, at, |moment| &moment.update) {
                add(
                    (Quantity::Update, step),
                    [&moment.update[at], &small.update[at]],
                    (|moment| &moment.update, Some(value)),
                );
            }
            // Where a weight is only added or looked up, nothing is propagated by it.
            if site
                && matches!(self.calculus.graph().node(id).op, Op::Contract { .. })
                && self.has(step, at, |moment| &moment.propagation)
            {
                let propagation: Reading = |moment| &moment.propagation;
                add(
                    (Quantity::Propagation, step),
                    [&moment.propagation[at], &small.propagation[at]],
                    (propagation, Some(value)),
                );
            }
        }
        found
    }

    fn of_params(&self) -> Vec<Finding> {
        let graph = self.calculus.graph();
        let mut found = Vec::new();
        for id in graph.ids() {
            let Some(param) = graph.as_param(id).filter(|param| !graph.param(*param).frozen) else {
                continue;
            };
            let (order, at) = (id.index(), param.index());
            let path = &graph.param(param).path;
            let entries: Reading = |moment| &moment.entries;
            if !self.has(0, at, entries) {
                continue;
            }
            found.push(self.finding(
                path,
                order,
                (Quantity::Entries, 0),
                [&self.realized.initial[order]; 2],
                (entries, None),
                at,
            ));
            for step in self.request.course.steps.iter().copied().filter(|step| *step > 0) {
                let Some([moment, small]) = self.moments(step) else { continue };
                let kind = (Quantity::EntryChange, step);
                let reading: (Reading, _) = (|moment| &moment.entry_change, Some(entries));
                found.push(self.finding(
                    path,
                    order,
                    kind,
                    [&moment.moved[at], &small.moved[at]],
                    reading,
                    at,
                ));
            }
            found.extend(self.epsilon(param, id));
        }
        found
    }

    /// eps over the gradient that it is added to: constant if eps scales faithfully.
    fn epsilon(&self, param: ParamId, id: NodeId) -> Option<Finding> {
        let at = param.index();
        let law = self.found.laws[at].optimizer.law();
        let written = self.found.epsilon[at].as_ref().filter(|_| law.epsilon == Epsilon::Entry)?;
        let multiplier = Size::from(&self.found.abc.params[at].multiplier);
        let gradient = self.realized.fresh[id.index()].mul(&multiplier);
        let predicted = self.predicted(&Size::from(written).div(&gradient));
        if gradient.is_zero() {
            return None;
        }
        let gradients = self.sizes(0, |moment, _| moment.entry_gradient.get(at).copied().flatten());
        let series = self.sizes(0, |moment, place| {
            let epsilon = self.prepared.networks[place].setting.params[at].epsilon;
            moment.entry_gradient.get(at).copied().flatten().map(|gradient| epsilon / gradient)
        });
        let mut judged = judge(&predicted, &series, &[]);
        // Where eps itself goes as predicted, it is the gradient that does not: below its bound it makes eps relatively larger, and refutes nothing.
        if judged.verdict == Verdict::Above && self.has_power(at, written) {
            judged.verdict = Verdict::Below;
            judged.reason = Some("eps goes as predicted; the gradient is below its bound".to_string());
        }
        let bound = Size::from(&self.found.abc.params[at].multiplier).mul(&self.realized.fresh[id.index()]);
        let excess = judge(&self.predicted(&bound), &gradients, &[]);
        if judged.verdict != Verdict::Above && excess.verdict == Verdict::Above {
            judged.verdict = Verdict::Above;
            judged.reason = Some("the gradient is above its bound".to_string());
        }
        if self.is_unfelt(param) && judged.verdict != Verdict::Agrees {
            judged.verdict = Verdict::Unmeasured;
            judged.reason = Some("the gradient is zero but for rounding".to_string());
        }
        let subject = self.calculus.graph().param(param).path.clone();
        Some(Finding {
            subject,
            order: id.index(),
            quantity: Quantity::Epsilon,
            step: 0,
            predicted,
            series,
            fit: judged.fit,
            verdict: judged.verdict,
            reason: judged.reason,
        })
    }

    /// Whether the eps that the runs were given has a power.
    fn has_power(&self, param: usize, power: &Monomial) -> bool {
        let epsilon = |network: &Prepared| network.setting.params[param].epsilon;
        let [Some(first), Some(last)] = [self.prepared.networks.first(), self.prepared.networks.last()]
        else {
            return false;
        };
        let found = (epsilon(last) / epsilon(first)).ln() / (last.value as f64 / first.value as f64).ln();
        (found - float(power.exponent(self.symbol()))).abs() < 1e-6
    }

    /// How updates line up with what they act on, at the largest value.
    fn alignments(&self) -> Vec<Alignment> {
        let last = self.request.course.steps.iter().copied().max().unwrap_or(0);
        let sites = self.calculus.shaped.sites.iter();
        sites.filter_map(|site| self.alignment(site, last)).collect()
    }

    /// How an update lines up with its input at the largest value, after some steps.
    fn alignment(&self, site: &Site, step: usize) -> Option<Alignment> {
        let network = self.prepared.networks.last().filter(|_| !site.fan_in.is_one())?;
        let place = self.prepared.networks.len() - 1;
        let length = self.fan_in(site.node, site.operand, &network.values);
        let exponents = self.lined_up(site, place, step).map(|ratio| ratio.ln() / length.ln());
        let found: Vec<f64> = exponents.collect();
        let (assumed, value) = match self.calculus.convention.alignment {
            Convention::Full => ("1", 1.0),
            Convention::None => ("1/2", 0.5),
        };
        (!found.is_empty() && length > 1.0).then(|| Alignment {
            site: self.calculus.graph().param(site.param).path.clone(),
            step,
            measured: found.iter().sum::<f64>() / found.len() as f64,
            low: found.iter().copied().fold(f64::NAN, f64::min),
            high: found.iter().copied().fold(f64::NAN, f64::max),
            assumed: assumed.to_string(),
            value,
        })
    }

    /// |dW x| / (|dW| |x|) of every run at a place.
    fn lined_up(&self, site: &Site, place: usize, step: usize) -> impl Iterator<Item = f64> {
        let runs = self.runs.iter().filter(move |run| run.place == place);
        let moments = runs.filter_map(move |run| run.moments.iter().find(|(own, _)| *own == step));
        let node = site.node.index();
        moments.filter_map(move |(_, moment)| moment.alignment.get(node).copied().flatten())
    }

    fn fan_in(&self, node: NodeId, operand: usize, values: &[crate::rational::Rational]) -> f64 {
        let graph = self.calculus.graph();
        let Op::Contract { einsum, .. } = &graph.node(node).op else { return 1.0 };
        let source = graph.node(node).operands[operand];
        let labelled = einsum.inputs[operand].iter().zip(&graph.node(source).shape);
        let summed = labelled.filter(|(label, _)| !einsum.output.contains(label));
        summed.filter_map(|(_, dim)| dim.at(values)).map(float).product()
    }
}
