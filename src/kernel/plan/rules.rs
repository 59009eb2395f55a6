//! The rule of every pair of kinds.

use super::{Demand, Pair, Planner, Rule, Side};
use crate::kernel::build::NoLimit;
use crate::kernel::node::{Fixed, Kind, Place, Term};

impl Planner<'_> {
    /// How a pair is computed.
    pub(super) fn rule(&self, pair: Pair, demand: Demand) -> Result<Rule, NoLimit> {
        let (left, right) = pair;
        let (one, other) = (&self.nodes[left], &self.nodes[right]);
        if left == 0 && right == 0 {
            return Ok(Rule::One);
        }
        if left != 0 && right != 0 && !self.related(left, right) {
            return Ok(Rule::Outer { left: (left, 0), right: (0, right) });
        }
        match (one.is_linear(), other.is_linear()) {
            (true, linear) if left >= right || !linear => return Ok(self.linear(Side::Left, left, right)),
            (_, true) => return Ok(self.linear(Side::Right, right, left)),
            (_, false) => {}
        }
        if left == 0 {
            return self.mean(Side::Right, right);
        }
        if right == 0 {
            return self.mean(Side::Left, left);
        }
        self.joint(pair, demand)
    }

    /// A pair with a node that is linear in its operands.
    fn linear(&self, side: Side, node: Place, other: Place) -> Rule {
        let pair = |own: Place| if side == Side::Left { (own, other) } else { (other, own) };
        match &self.nodes[node].kind {
            Kind::Sum(terms) => {
                let terms = terms.iter().filter(|term| !self.is_zero(pair(term.node)));
                let terms = terms.map(|term| (pair(term.node), term.map.clone(), term.factor)).collect();
                Rule::Sum { side, terms }
            }
            Kind::Normalized { argument, centred, .. } => {
                let mean = pair(0);
                let mean = (*centred && !self.centred[*argument] && !self.is_zero(mean)).then_some(mean);
                Rule::Normalized { side, node, pair: pair(*argument), mean }
            }
            Kind::Mixed { argument, .. } => Rule::Mixed { side, node, pair: pair(*argument) },
            Kind::Stopped(argument) => Rule::Stopped { pair: pair(*argument) },
            Kind::Fixed(_)
            | Kind::Contraction(_)
            | Kind::Vector(_)
            | Kind::Table { .. }
            | Kind::Map { .. }
            | Kind::Product(..) => Rule::Fixed { side, node, pair: pair(0) },
        }
    }

    /// The mean of a node that is not linear in its operands.
    fn mean(&self, side: Side, node: Place) -> Result<Rule, NoLimit> {
        let pair = |own: Place| if side == Side::Left { (own, 0) } else { (0, own) };
        match &self.nodes[node].kind {
            Kind::Map { .. } => Ok(Rule::Mean { side }),
            Kind::Vector(weight) => Ok(Rule::Constant { value: weight.constant.unwrap_or(0.0) }),
            Kind::Product(left, right) => Ok(Rule::Product { factors: vec![(pair(*left), pair(*right))] }),
            Kind::Contraction(_) | Kind::Table { .. } => Ok(Rule::Constant { value: 0.0 }),
            Kind::Fixed(_)
            | Kind::Sum(_)
            | Kind::Normalized { .. }
            | Kind::Mixed { .. }
            | Kind::Stopped(_) => Err(self.refuse(node, "its mean has no rule")),
        }
    }

    fn refuse(&self, node: Place, reason: &str) -> NoLimit {
        NoLimit { node: (self.label)(node), reason: reason.to_string(), help: None, span: None }
    }

    /// Two nodes that share weights.
    fn joint(&self, pair: Pair, demand: Demand) -> Result<Rule, NoLimit> {
        let (left, right) = pair;
        let (one, other) = (&self.nodes[left], &self.nodes[right]);
        let rough = |argument: &Place| demand.tangent && self.nodes[*argument].rough;
        match (&one.kind, &other.kind) {
            (Kind::Map { argument, .. }, _) if rough(argument) && left == right => {
                let gain = self.gain(*argument).ok_or_else(|| self.rough(left))?;
                Ok(Rule::Dual { pair: (*argument, *argument), gain: Some(gain) })
            }
            (Kind::Map { argument, .. }, _) if rough(argument) => Err(self.rough(left)),
            (_, Kind::Map { argument, .. }) if rough(argument) => Err(self.rough(right)),
            (Kind::Contraction(one), Kind::Contraction(other)) => {
                let pair = (one.source.node, other.source.node);
                let data = |place: Place| {
                    !matches!(self.nodes[place].kind, Kind::Fixed(Fixed::One)) && self.nodes[place].is_fixed()
                };
                match data(pair.0) && data(pair.1) {
                    true => Ok(Rule::Gram),
                    false => Ok(Rule::Contraction { pair }),
                }
            }
            (Kind::Vector(_), Kind::Vector(_)) => Ok(Rule::Vector),
            (Kind::Table { .. }, Kind::Table { .. }) => Ok(Rule::Table),
            (Kind::Map { argument: one, .. }, Kind::Map { argument: other, .. }) => {
                Ok(Rule::Dual { pair: (*one, *other), gain: None })
            }
            (Kind::Product(a, b), Kind::Product(c, d)) => self.products((*a, *b), (*c, *d), left),
            (Kind::Map { argument, .. }, _) if other.gaussian => {
                Ok(Rule::Stein { side: Side::Left, pair: (*argument, right) })
            }
            (_, Kind::Map { argument, .. }) if one.gaussian => {
                Ok(Rule::Stein { side: Side::Right, pair: (left, *argument) })
            }
            (Kind::Product(a, b), _) => self.one_product(Side::Left, (*a, *b), right, left),
            (_, Kind::Product(a, b)) => self.one_product(Side::Right, (*a, *b), left, right),
            _ => Err(self.refuse(left, "one weight is used in two ways that depend on each other")),
        }
    }

    /// For z = gamma y + (a bias that starts at zero), with gamma a trained number: the factor m^2 / gamma^2 of z z' in the tangent of z.
    fn gain(&self, argument: Place) -> Option<f64> {
        let product = match &self.nodes[argument].kind {
            Kind::Product(..) => argument,
            Kind::Sum(terms) => {
                let rough = |term: &&Term| self.nodes[term.node].rough;
                let mut found = terms.iter().filter(rough);
                let (product, None) = (found.next()?, found.next()) else { return None };
                let still = |term: &Term| match &self.nodes[term.node].kind {
                    Kind::Vector(weight) => weight.constant == Some(0.0),
                    _ => false,
                };
                let rest = terms.iter().filter(|term| !rough(term)).all(still);
                if product.map.is_some() || !rest {
                    return None;
                }
                product.node
            }
            _ => return None,
        };
        let Kind::Product(left, right) = self.nodes[product].kind else { return None };
        let gain = |own: Place, other: Place| match &self.nodes[own].kind {
            Kind::Vector(weight) if self.nodes[other].gaussian && !self.nodes[other].rough => {
                let constant = weight.constant.filter(|constant| *constant != 0.0)?;
                Some(weight.tangent / (constant * constant))
            }
            _ => None,
        };
        gain(left, right).or_else(|| gain(right, left))
    }

    fn rough(&self, node: Place) -> NoLimit {
        NoLimit {
            help: Some(
                "ask for the NNGP alone (`--kernel nngp`), freeze the factor, or put it directly before a weight"
                    .to_string(),
            ),
            ..self.refuse(
                node,
                "a trained factor in front of a nonlinearity makes the tangent differ from channel to channel",
            )
        }
    }

    /// E[a b c d] with (a, b) at x and (c, d) at x', where factors of one product are independent.
    fn products(&self, (a, b): Pair, (c, d): Pair, node: Place) -> Result<Rule, NoLimit> {
        let apart = |one: Place, other: Place| !self.related(one, other);
        if apart(a, d) && apart(b, c) {
            return Ok(Rule::Product { factors: vec![((a, c), (b, d))] });
        }
        if apart(a, c) && apart(b, d) {
            return Ok(Rule::Product { factors: vec![((a, d), (b, c))] });
        }
        if [a, b, c, d].iter().all(|place| self.nodes[*place].gaussian) {
            return Ok(Rule::Product { factors: vec![((a, c), (b, d)), ((a, d), (b, c))] });
        }
        Err(self.refuse(node, "products of dependent nonlinear factors have no rule here"))
    }

    /// E[(a b) g] with independent a and b.
    fn one_product(&self, side: Side, (a, b): Pair, other: Place, node: Place) -> Result<Rule, NoLimit> {
        let pair = |own: Place, with: Place| if side == Side::Left { (own, with) } else { (with, own) };
        match (self.related(a, other), self.related(b, other)) {
            (true, false) => Ok(Rule::Product { factors: vec![(pair(a, other), pair(b, 0))] }),
            (false, true) => Ok(Rule::Product { factors: vec![(pair(b, other), pair(a, 0))] }),
            _ => {
                Err(self.refuse(node, "a product and another function of the same weights have no rule here"))
            }
        }
    }

    /// The pairs that a rule reads, and what it reads of them.
    pub(super) fn reads(&self, pair: Pair, rule: &Rule, demand: Demand) -> Vec<(Pair, Demand)> {
        let same = |pair: Pair| (pair, demand);
        let whole = |pair: Pair| (pair, Demand { tied: false, ..demand });
        let value = |pair: Pair| (pair, Demand { tangent: false, ..demand });
        match rule {
            Rule::One
            | Rule::Gram
            | Rule::Vector
            | Rule::Table
            | Rule::Mean { .. }
            | Rule::Constant { .. } => Vec::new(),
            Rule::Sum { terms, .. } => {
                let read =
                    |(pair, map, _): &(Pair, Option<std::sync::Arc<crate::kernel::sparse::Sparse>>, f64)| {
                        if map.is_none() { same(*pair) } else { whole(*pair) }
                    };
                terms.iter().map(read).collect()
            }
            Rule::Normalized { pair, mean, .. } => {
                let mean = mean.iter().map(|mean| (*mean, Demand::default()));
                std::iter::once(same(*pair)).chain(mean).collect()
            }
            Rule::Mixed { pair, .. } => vec![whole(*pair)],
            Rule::Fixed { pair, .. } => vec![(*pair, Demand::default())],
            Rule::Stopped { pair } => vec![value(*pair)],
            Rule::Contraction { pair: source } => {
                let tied = self.reads_equal_positions(pair, demand);
                vec![(*source, Demand { tied, ..demand })]
            }
            Rule::Dual { pair, .. } | Rule::Stein { pair, .. } => vec![same(*pair)],
            Rule::Outer { left, right } => vec![(*left, Demand::default()), (*right, Demand::default())],
            Rule::Product { factors } => {
                factors.iter().flat_map(|(one, other)| [same(*one), same(*other)]).collect()
            }
        }
    }

    /// Whether a pair of contractions reads its sources at equal positions only.
    fn reads_equal_positions(&self, (left, right): Pair, demand: Demand) -> bool {
        let (Kind::Contraction(one), Kind::Contraction(other)) =
            (&self.nodes[left].kind, &self.nodes[right].kind)
        else {
            return false;
        };
        let single = self.nodes[left].size == 1 && self.nodes[right].size == 1;
        let sizes = self.nodes[one.source.node].size == self.nodes[other.source.node].size;
        (demand.tied || single) && sizes && one.source.map == other.source.map
    }
}
