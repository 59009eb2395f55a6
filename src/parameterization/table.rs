//! The scaling table: a parameterization with the names that a reader knows, ready to be printed.

use super::verdict::{Movement, Verdict, classify, describe};
use super::{Form, LearningRates, Named, Parameterization, Scheme, assumptions};
use crate::dim::{Dim, Monomial};
use crate::graph::{Init, NodeId, Op, ParamId, ScaleSymbol};
use crate::optimizer::{Optimizer, Plan};
use crate::size::Size;
use crate::size::analysis::{Calculus, Sizes, analyze};
use crate::size::forward::multiplier;

/// One parameter's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamRow {
    /// Its path.
    pub name: String,
    /// What other tools call it.
    pub external: Option<String>,
    /// Its axis lengths.
    pub shape: Vec<Dim>,
    /// Its kinds of use.
    pub role: String,
    /// Whether it starts random or as a constant.
    pub init: Init,
    /// The factor in front.
    pub multiplier: Monomial,
    /// The standard deviation of its initial entries.
    pub init_std: Monomial,
    /// The learning rate; none if frozen.
    pub learning_rate: Option<Monomial>,
    /// eps; none if frozen or without one.
    pub epsilon: Option<Monomial>,
    /// Weight decay; none if frozen.
    pub weight_decay: Option<Monomial>,
    /// Its optimizer, if not all have the same.
    pub optimizer: Option<Optimizer>,
}

/// A multiplier in front of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiplierRow {
    /// The tensor that it scales.
    pub tensor: String,
    /// The parameter whose use it is; none for a contraction of activations or a branch.
    pub parameter: Option<String>,
    /// Whether it stands in front of a branch of a residual stream.
    pub branch: bool,
    /// The factor.
    pub factor: Monomial,
    /// Where in the graph.
    pub node: NodeId,
}

/// A scaling table.
#[derive(Clone, Debug)]
pub struct ScalingTable {
    /// The network's name.
    pub network: String,
    /// Whose rules.
    pub parameterization: Scheme,
    /// For which optimizers.
    pub optimizer: Plan,
    /// Which learning rates.
    pub rates: LearningRates,
    /// Where the factors stand.
    pub form: Form,
    /// What grows.
    pub scales: Vec<ScaleSymbol>,
    /// One row per parameter.
    pub parameters: Vec<ParamRow>,
    /// Multipliers in front of operations.
    pub multipliers: Vec<MultiplierRow>,
    /// Where the maximal-update parameterization could not be maximal: a written multiplier, a start at a saddle.
    pub notes: Vec<String>,
    /// What is taken for granted.
    pub assumptions: Vec<String>,
}

impl ScalingTable {
    /// The table of a parameterization.
    pub fn new(calculus: &Calculus, found: &Parameterization) -> ScalingTable {
        let graph = calculus.graph();
        ScalingTable {
            network: graph.name.clone(),
            parameterization: found.scheme.clone(),
            optimizer: found.plan.clone(),
            rates: found.rates,
            form: found.form,
            scales: graph.scales.clone(),
            parameters: graph.param_ids().map(|(id, _)| row(calculus, found, id)).collect(),
            multipliers: multipliers(calculus, found),
            notes: notes(calculus, found),
            assumptions: assumptions::assumptions(calculus, found),
        }
    }

    /// The names of the scale symbols.
    pub fn symbols(&self) -> Vec<String> {
        self.scales.iter().map(|scale| scale.name.clone()).collect()
    }
}

fn row(calculus: &Calculus, found: &Parameterization, id: ParamId) -> ParamRow {
    let param = calculus.graph().param(id);
    let scaling = &found.abc.params[id.index()];
    ParamRow {
        name: param.path.clone(),
        external: param.external.clone(),
        shape: param.shape.clone(),
        role: calculus.shaped.role_name(id),
        init: param.init,
        multiplier: scaling.multiplier.clone(),
        init_std: scaling.init_std.clone(),
        learning_rate: (!param.frozen).then(|| scaling.learning_rate.clone()),
        epsilon: found.epsilon[id.index()].clone(),
        weight_decay: found.weight_decay[id.index()].clone(),
        optimizer: Some(found.plan.optimizer(id)).filter(|_| !found.plan.of.is_empty()),
    }
}

fn multipliers(calculus: &Calculus, found: &Parameterization) -> Vec<MultiplierRow> {
    let graph = calculus.graph();
    let row = |(node, factor): (&NodeId, &Monomial)| {
        let count = graph.node(*node).operands.len();
        let site = (0..count).find_map(|operand| calculus.shaped.site_at(*node, operand));
        MultiplierRow {
            tensor: calculus.label(*node).to_string(),
            parameter: site.map(|site| graph.param(site.param).path.clone()),
            branch: false,
            factor: factor.clone(),
            node: *node,
        }
    };
    let branch = |((add, operand), factor): (&(NodeId, usize), &Monomial)| {
        let node = graph.node(*add).operands[*operand];
        let tensor = calculus.label(node).to_string();
        MultiplierRow { tensor, parameter: None, branch: true, factor: factor.clone(), node }
    };
    let branches = found.abc.branches.iter().map(branch);
    found.abc.contractions.iter().map(row).chain(branches).collect()
}

/// What checking the derived parameterization finds; nothing is promised of the others.
fn notes(calculus: &Calculus, found: &Parameterization) -> Vec<String> {
    if found.scheme.named.width() != Named::Mup {
        return Vec::new();
    }
    let names = calculus.graph().symbol_names();
    let sizes = analyze(calculus, found.abc.clone(), found.plan.clone());
    let class = classify(calculus, &sizes);
    let mut notes: Vec<String> = class.problems.iter().map(|problem| describe(calculus, problem)).collect();
    if !matches!(class.verdict, Verdict::FeatureLearning) {
        notes.insert(0, format!("verdict: {}", class.verdict));
    }
    let short =
        class.params.iter().filter(|param| matches!(param.movement, Movement::Lazy | Movement::Still));
    notes.extend(short.map(|param| {
        let path = &calculus.graph().param(param.param).path;
        match param.movement {
            Movement::Still => format!("`{path}`: no gradient reaches it"),
            _ => format!("`{path}` moves what it acts on by {} of what it may", param.update.display(&names)),
        }
    }));
    let written = calculus.graph().ids().filter(|id| binding(calculus, &sizes, *id));
    notes.extend(written.map(|id| {
        format!(
            "`{}` amplifies by its written multiplier; left open (`?`), it would be solved",
            calculus.label(id)
        )
    }));
    notes
}

/// Whether a written multiplier lets a contraction of activations that change together grow.
fn binding(calculus: &Calculus, sizes: &Sizes, id: NodeId) -> bool {
    let node = calculus.graph().node(id);
    let two = matches!(node.op, Op::Contract { .. }) && node.operands.len() == 2;
    let written = calculus.graph().written_multiplier(id).is_some() && calculus.before_loss[id.index()];
    let weight = (0..node.operands.len()).any(|operand| calculus.shaped.site_at(id, operand).is_some());
    let front = multiplier(calculus.graph(), &sizes.abc, id);
    let factors = node.operands.iter().map(|operand| &sizes.initial[operand.index()]);
    let summed =
        calculus.shaped.reach[id.index()].as_ref().map_or_else(Size::one, |reach| Size::from(&reach.summed));
    let coherent = factors.fold(front.mul(&summed), |product, factor| product.mul(factor));
    two && written && !weight && coherent.grows()
}
