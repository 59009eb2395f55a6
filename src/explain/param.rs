//! The sections of a parameter: initialization, learning rate, eps and weight decay, and what the result does.

use super::chain::{Chain, Goal};
use super::{Section, own_multiplier, words};
use crate::graph::{Init, NodeId, Op, ParamId};
use crate::optimizer::step::StepLaw;
use crate::optimizer::{Decay, Epsilon};
use crate::parameterization::custom::Key;
use crate::parameterization::rates::{Budget, request};
use crate::parameterization::{Failure, LearningRates, Named, Parameterization};
use crate::shape::Site;
use crate::size::Size;
use crate::size::analysis::{Calculus, Sizes};
use crate::size::forward::multiplier;
use crate::size::term::{Rule, aligned};

/// Everything that explains a parameter.
pub fn sections(
    calculus: &Calculus,
    found: &Parameterization,
    sizes: &Sizes,
    param: ParamId,
) -> Result<Vec<Section>, Failure> {
    let about = About { calculus, found, sizes, param, budget: Budget::new(calculus, &found.abc)? };
    let mut sections = vec![about.initialization()];
    if !calculus.graph().param(param).frozen {
        sections.push(about.learning_rate());
        sections.push(about.epsilon_and_decay());
    }
    sections.push(about.result());
    Ok(sections)
}

struct About<'a, 'g> {
    calculus: &'a Calculus<'g>,
    found: &'a Parameterization,
    sizes: &'a Sizes,
    param: ParamId,
    budget: Budget,
}

impl About<'_, '_> {
    fn words(&self, size: &Size) -> String {
        words(self.calculus.graph(), size)
    }

    fn sites(&self) -> impl Iterator<Item = &Site> {
        self.calculus.shaped.sites_of(self.param)
    }

    fn label(&self, id: NodeId) -> String {
        self.calculus.label(id).to_string()
    }

    /// The tensor on which the parameter acts at a site.
    fn input(&self, site: &Site) -> Option<NodeId> {
        let node = self.calculus.graph().node(site.node);
        let acts = matches!(node.op, Op::Contract { .. });
        node.operands.iter().enumerate().find(|(at, _)| acts && *at != site.operand).map(|(_, id)| *id)
    }

    /// The gradient of the parameter's entries, from a table of gradients.
    fn own_gradient(&self, table: &[Size]) -> Size {
        let graph = self.calculus.graph();
        let nodes = graph.ids().filter(|id| graph.as_param(*id) == Some(self.param));
        nodes.map(|id| table[id.index()].clone()).max().unwrap_or(Size::Zero)
    }

    fn param_node(&self) -> Option<NodeId> {
        let graph = self.calculus.graph();
        graph.ids().find(|id| graph.as_param(*id) == Some(self.param))
    }

    fn initialization(&self) -> Section {
        let chain = Chain::new(self.calculus, self.sizes);
        let steps = self
            .sites()
            .filter_map(|site| self.input(site))
            .flat_map(|x| chain.steps(Goal::Value(x)))
            .collect();
        let scaling = &self.found.abc.params[self.param.index()];
        let mut conclusions: Vec<String> = match self.calculus.graph().param(self.param).init {
            Init::Constant(value) => vec![format!("every entry starts at {value}: the spec says so")],
            Init::Random if self.is_written(Key::Init) => vec![self.by_rule("initialization")],
            Init::Random if self.found.scheme.named.width() == Named::Mup => {
                self.sites().map(|site| self.spectral(site)).collect()
            }
            Init::Random => self.sites().map(|site| self.by_fan_in(site)).collect(),
        };
        conclusions.extend(self.sites().filter_map(|site| self.site_multiplier(site)));
        let own = own_multiplier(&self.found.abc, self.param);
        if self.is_written(Key::Multiplier) {
            conclusions.push(self.by_rule("multiplier"));
        }
        conclusions.extend(own.map(|own| format!("own multiplier: {}", self.words(&own))));
        conclusions
            .push(format!("initial standard deviation: {}", self.words(&Size::from(&scaling.init_std))));
        Section { title: "initialization".into(), steps, conclusions }
    }

    /// The spectral condition at one site.
    fn spectral(&self, site: &Site) -> String {
        let at = self.label(site.node);
        let aim = self.calculus.bounds[site.node.index()].aim();
        let Some(x) = self.input(site).filter(|_| !site.lookup) else {
            return format!(
                "at `{at}`: fan-in 1, so entries may be as large as the result: {}",
                self.words(&aim)
            );
        };
        let (n, m) = (Size::from(&site.fan_in), Size::from(&site.fan_out));
        let reached = &self.budget.reached[x.index()];
        let bound = aligned(&site.fan_in, &site.fan_out);
        format!(
            "at `{at}`: N = {}, M = {}; multiplier * entry * N^1/2 max(1, N/M)^1/2 * |{}| = {} with |{}| = {} gives multiplier * entry = {}   [Spectral Condition 1]",
            self.words(&n),
            self.words(&m),
            self.label(x),
            self.words(&aim),
            self.label(x),
            self.words(reached),
            self.words(&aim.div(&reached.mul(&bound))),
        )
    }

    fn by_fan_in(&self, site: &Site) -> String {
        let rule = match self.found.scheme.named {
            Named::Sp | Named::Mup | Named::DepthMup | Named::CompleteP => "entries N^-1/2",
            Named::Ntk => "entries 1 behind N^-1/2",
            Named::MeanField => "entries 1 behind N^-1/2, or N^-1 where the fan-out is finite",
        };
        let n = self.words(&Size::from(&site.fan_in));
        format!("at `{}`: fan-in N = {n}; {} means {rule}", self.label(site.node), self.found.scheme)
    }

    fn site_multiplier(&self, site: &Site) -> Option<String> {
        let front = multiplier(self.calculus.graph(), &self.found.abc, site.node);
        let written = self.calculus.graph().written_multiplier(site.node).is_some();
        let why = if written {
            "written in the spec"
        } else {
            "so that this use keeps its bounds with the shared entries"
        };
        (!front.is_one())
            .then(|| format!("multiplier at `{}`: {} ({why})", self.label(site.node), self.words(&front)))
    }

    fn learning_rate(&self) -> Section {
        let mut steps = Vec::new();
        let mut conclusions = Vec::new();
        let scaling = &self.found.abc.params[self.param.index()];
        let rate = self.words(&Size::from(&scaling.learning_rate));
        if let Some(given) = self.given_rate() {
            conclusions.push(given);
        } else {
            conclusions.extend(self.sites().map(|site| self.affordable(site)));
            if !self.law().gradient_power.is_zero() {
                let chain = Chain::new(self.calculus, self.sizes);
                steps.extend(self.param_node().map(|id| chain.steps(Goal::Gradient(id))).unwrap_or_default());
            }
            conclusions.push(self.solve());
        }
        conclusions.push(format!("learning rate: {rate}"));
        Section { title: "learning rate".into(), steps, conclusions }
    }

    /// Why the learning rate is what it is, if it is not solved for this parameter.
    fn given_rate(&self) -> Option<String> {
        match self.found.rates {
            LearningRates::Own if self.is_written(Key::Rate) => Some(self.by_rule("learning rate")),
            LearningRates::Own if self.found.scheme.named == Named::Sp => {
                Some("standard parameterization leaves every learning rate constant".into())
            }
            LearningRates::Own | LearningRates::Largest => None,
            LearningRates::Global => Some(
                "all parameters share one learning rate, the largest that is stable for all of them together"
                    .into(),
            ),
        }
    }

    fn is_written(&self, key: Key) -> bool {
        self.found.written.contains_key(&(self.param, key))
    }

    fn by_rule(&self, what: &str) -> String {
        format!("the rules of `{}` say its {what}", self.found.scheme)
    }

    /// U(h) = A(h) at one site.
    fn affordable(&self, site: &Site) -> String {
        let at = self.label(site.node);
        let Some(afforded) = &self.budget.afforded[site.node.index()] else {
            return format!("at `{at}`: the logits do not depend on it");
        };
        let front = multiplier(self.calculus.graph(), &self.found.abc, site.node);
        let step = request(self.calculus, site, &afforded.own, &self.budget.reached).div(&front);
        let front = self.words(&front);
        let afforded = self.words(&afforded.own);
        match self.input(site) {
            Some(x) => format!(
                "at `{at}`: update = multiplier {front} * change of an entry * |{}| {} * N {} may be {afforded}, so an entry may change by {}   [TP-V App. J.2.1]",
                self.label(x),
                self.words(&self.budget.reached[x.index()]),
                self.words(&Size::from(&site.fan_in)),
                self.words(&step),
            ),
            None => format!("at `{at}`: update = change of an entry may be {afforded}"),
        }
    }

    fn solve(&self) -> String {
        let step = self.words(&self.budget.steps[self.param.index()]);
        let gradient = self.words(&self.own_gradient(&self.budget.gradient));
        let own = own_multiplier(&self.found.abc, self.param).unwrap_or_else(Size::one);
        let own = self.words(&own);
        let law = self.law();
        let mut factors = Vec::new();
        if !law.weight_power.is_zero() {
            let init = &self.found.abc.params[self.param.index()].init_std;
            factors.push(format!("initial entries {}", self.words(&Size::from(init).pow(law.weight_power))));
        }
        if !law.shape.is_one() {
            factors.push(format!("shape {}", self.words(&Size::from(&law.shape))));
        }
        if !law.gradient_power.is_zero() {
            factors.push(format!("gradient {gradient}"));
        }
        let multiplier = if law.gradient_power.is_zero() {
            format!("multiplier {own}")
        } else {
            format!("(multiplier {own})^2")
        };
        let factors: String = factors.iter().map(|factor| format!(" * {factor}")).collect();
        format!("{}: an entry changes by {multiplier} * rate{factors} = {step}", law.optimizer)
    }

    /// The law of the parameter's steps.
    fn law(&self) -> &StepLaw {
        &self.found.laws[self.param.index()]
    }

    fn epsilon_and_decay(&self) -> Section {
        let mut section =
            Section { title: "eps and weight decay".into(), steps: Vec::new(), conclusions: Vec::new() };
        if let Some(epsilon) = &self.found.epsilon[self.param.index()] {
            let chain = Chain::new(self.calculus, self.sizes);
            section.steps = self.param_node().map(|id| chain.steps(Goal::Fresh(id))).unwrap_or_default();
            let epsilon = self.words(&Size::from(epsilon));
            if self.is_written(Key::Epsilon) {
                section.conclusions.push(format!("{}: {epsilon}", self.by_rule("eps")));
            } else {
                let compared = self.compared_with_epsilon();
                section
                    .conclusions
                    .push(format!("eps is compared with {compared}: {epsilon}   [TP-IVb section 2.8]"));
            }
        }
        if let Some(decay) = &self.found.weight_decay[self.param.index()] {
            let decay = self.words(&Size::from(decay));
            let why = match self.is_written(Key::Decay) {
                true => self.by_rule("weight decay"),
                false => self.effect_of_decay().into(),
            };
            section.conclusions.push(format!("{why}: {decay}"));
        }
        section
    }

    fn compared_with_epsilon(&self) -> &'static str {
        match self.law().optimizer.law().epsilon {
            Epsilon::None | Epsilon::Entry => "the gradient of an entry",
            Epsilon::Norm => "the norm of the gradient",
            Epsilon::SquaredNorm => "the square of the norm of the gradient",
            Epsilon::Weight => "an entry of the weights",
        }
    }

    fn effect_of_decay(&self) -> &'static str {
        match self.found.decay {
            Decay::Decoupled => {
                "weight decay acts as rate * decay * weight, so it goes like one over the rate"
            }
            Decay::Independent => "weight decay acts as decay * weight, whatever the rate",
            Decay::Coupled if self.law().gradient_power.is_zero() => {
                "weight decay is added to a gradient whose size is forgotten, so it goes like gradient over weight"
            }
            Decay::Coupled => "weight decay is added to the gradient, so it goes like one over the rate",
        }
    }

    fn result(&self) -> Section {
        let line = |site: &Site| {
            let part = |rule| self.words(&self.sizes.part(self.calculus, site.node, rule));
            let id = site.node.index();
            format!(
                "`{}`: |h| = {}, update {}, propagation {}, D = {}",
                self.label(site.node),
                self.words(&self.sizes.initial[id]),
                part(Rule::Update),
                part(Rule::Propagation),
                self.words(&self.sizes.change[id]),
            )
        };
        Section {
            title: "what follows where it acts".into(),
            steps: Vec::new(),
            conclusions: self.sites().map(line).collect(),
        }
    }
}
