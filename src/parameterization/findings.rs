//! A classification with the names that a reader knows, ready to be printed: the twin of [`super::ScalingTable`] for verdicts.

use super::global::largest_global_rate;
use super::mend::mend;
use super::verdict::{Classification, Movement, Verdict, classify, describe};
use super::{LearningRates, Parameterization, Scheme};
use crate::dim::Monomial;
use crate::graph::{NodeId, Op, ScaleSymbol};
use crate::optimizer::Plan;
use crate::size::Size;
use crate::size::analysis::{Calculus, Sizes, analyze};

/// One tensor's sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorRow {
    /// Its path.
    pub name: String,
    /// Whether the spec names it.
    pub named: bool,
    /// |x_0|.
    pub initial: Size,
    /// D(x), the change in training.
    pub change: Size,
    /// The gradient at initialization.
    pub fresh_gradient: Size,
    /// The gradient in training.
    pub gradient: Size,
    /// Whether something is wrong with it.
    pub faulty: bool,
}

/// How far one parameter moves what it acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovementRow {
    /// Its path.
    pub name: String,
    /// In a word.
    pub movement: Movement,
    /// The update, relative to what may change.
    pub update: Size,
    /// For readouts: what its initial entries make of changed features.
    pub propagation: Option<Size>,
}

/// Everything that is known about a parameterization of one network.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The network's name.
    pub network: String,
    /// Whose rules.
    pub parameterization: Scheme,
    /// For which optimizers.
    pub optimizer: Plan,
    /// Which learning rates.
    pub rates: LearningRates,
    /// What grows.
    pub scales: Vec<ScaleSymbol>,
    /// What it does in the limit.
    pub verdict: Verdict,
    /// Neither initialization nor training blows up.
    pub stable: bool,
    /// The logits move.
    pub nontrivial: bool,
    /// The change of the last hidden representation.
    pub feature_change: Size,
    /// Tensors on the way to the logits, in topological order.
    pub tensors: Vec<TensorRow>,
    /// Parameters, in the order of declaration.
    pub parameters: Vec<MovementRow>,
    /// What is wrong, in topological order: the first is where it starts.
    pub problems: Vec<String>,
    /// What to change.
    pub mend: Vec<String>,
    /// The largest stable learning rate, if all parameters share one; none where nothing grows, too.
    pub largest_global_rate: Option<Monomial>,
}

impl Findings {
    /// Classifies a parameterization of a graph.
    pub fn new(calculus: &Calculus, given: &Parameterization) -> Findings {
        let sizes = analyze(calculus, given.abc.clone(), given.plan.clone());
        let found = classify(calculus, &sizes);
        let graph = calculus.graph();
        Findings {
            network: graph.name.clone(),
            parameterization: given.scheme.clone(),
            optimizer: given.plan.clone(),
            rates: given.rates,
            scales: graph.scales.clone(),
            verdict: found.verdict,
            stable: found.is_stable(),
            nontrivial: found.is_nontrivial(),
            feature_change: found.feature_change.clone(),
            tensors: tensors(calculus, &sizes, &found),
            parameters: movements(calculus, &found),
            problems: found.problems.iter().map(|problem| describe(calculus, problem)).collect(),
            mend: mend(calculus, given, &found),
            largest_global_rate: largest_global_rate(calculus, &given.abc, &given.plan)
                .ok()
                .filter(|_| !graph.scales.is_empty()),
        }
    }

    /// The power r of D = n^-r, D being the change of the last hidden representation; none if nothing changes or it is not stable.
    pub fn r(&self) -> Option<Monomial> {
        self.feature_change.power().filter(|_| self.stable).and_then(|power| Monomial::one().div(power))
    }

    /// Whether features are learned, stably.
    pub fn learns_features(&self) -> bool {
        self.verdict == Verdict::FeatureLearning
    }

    /// What `classify` asks: is it a stable, nontrivial parameterization?
    pub fn holds(&self) -> bool {
        self.stable && self.nontrivial
    }

    /// The names of the scale symbols.
    pub fn symbols(&self) -> Vec<String> {
        self.scales.iter().map(|scale| scale.name.clone()).collect()
    }
}

fn tensors(calculus: &Calculus, sizes: &Sizes, found: &Classification) -> Vec<TensorRow> {
    let graph = calculus.graph();
    let mut faulty = vec![false; graph.len()];
    found.problems.iter().for_each(|problem| faulty[problem.node.index()] = true);
    let shown = |id: &NodeId| {
        let is_leaf = matches!(
            graph.node(*id).op,
            Op::Param(_) | Op::Data(_) | Op::Constant(_) | Op::Range | Op::RelativeBucket(_)
        );
        calculus.before_loss[id.index()] && !is_leaf && calculus.shaped.view_of[id.index()].is_none()
    };
    let row = |id: NodeId| TensorRow {
        name: calculus.label(id).to_string(),
        named: graph.node(id).name.is_some(),
        initial: sizes.initial[id.index()].clone(),
        change: sizes.change[id.index()].clone(),
        fresh_gradient: sizes.fresh[id.index()].clone(),
        gradient: sizes.gradient[id.index()].clone(),
        faulty: faulty[id.index()],
    };
    graph.ids().filter(shown).map(row).collect()
}
fn movements(calculus: &Calculus, found: &Classification) -> Vec<MovementRow> {
    let row = |param: &super::verdict::ParamVerdict| MovementRow {
        name: calculus.graph().param(param.param).path.clone(),
        movement: param.movement,
        update: param.update.clone(),
        propagation: param.propagation.clone(),
    };
    found.params.iter().map(row).collect()
}
