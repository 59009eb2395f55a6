//! The rule of every pair of kinds.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Demand, Pair, Planner, Rule, Side, formulas};
use crate::kernel::build::NoLimit;
use crate::kernel::cells::Cells;
use crate::kernel::node::{Fixed, Kind, Place, Sampled, Term};
use crate::kernel::sparse::Sparse;

impl Planner<'_> {
    /// How a pair is computed.
    pub(super) fn rule(&self, pair: Pair, tangent: bool) -> Result<Rule, NoLimit> {
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
        self.joint(pair, tangent)
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
            | Kind::Sampled(_)
            | Kind::Scores(..)
            | Kind::Pattern(_)
            | Kind::Attended(_)
            | Kind::Product(..) => Rule::Fixed { side, node, pair: pair(0) },
        }
    }

    /// The mean of a node that is not linear in its operands.
    fn mean(&self, side: Side, node: Place) -> Result<Rule, NoLimit> {
        let pair = |own: Place| if side == Side::Left { (own, 0) } else { (0, own) };
        match &self.nodes[node].kind {
            Kind::Map { .. } | Kind::Sampled(_) => Ok(Rule::Mean { side }),
            Kind::Vector(weight) => Ok(Rule::Constant { value: weight.constant.unwrap_or(0.0) }),
            Kind::Product(left, right) => Ok(Rule::Product { factors: vec![(pair(*left), pair(*right))] }),
            Kind::Contraction(_) | Kind::Table { .. } | Kind::Scores(..) => {
                Ok(Rule::Constant { value: 0.0 })
            }
            Kind::Pattern(_) => Err(self.pattern(node)),
            Kind::Attended(_) => Err(self.refuse(
                node,
                "it mixes values whose mean is not zero by random scores, and what stands with it in one sum has no rule",
            )),
            Kind::Fixed(_)
            | Kind::Sum(_)
            | Kind::Normalized { .. }
            | Kind::Mixed { .. }
            | Kind::Stopped(_) => Err(self.refuse(node, "its mean has no rule")),
        }
    }

    fn refuse(&self, node: Place, reason: &str) -> NoLimit {
        NoLimit { node: (self.label)(node), reason: reason.to_string(), help: None, places: Vec::new() }
    }

    fn pattern(&self, node: Place) -> NoLimit {
        self.refuse(node, "random scores have a rule only where their softmax mixes values, and nowhere else")
    }

    /// Two nodes that share weights.
    fn joint(&self, pair: Pair, tangent: bool) -> Result<Rule, NoLimit> {
        let (left, right) = pair;
        let (one, other) = (&self.nodes[left], &self.nodes[right]);
        let rough = |argument: &Place| tangent && self.nodes[*argument].rough;
        match (&one.kind, &other.kind) {
            (Kind::Sampled(_), Kind::Sampled(_) | Kind::Map { .. })
            | (Kind::Map { .. }, Kind::Sampled(_)) => self.sampled(pair, tangent),
            (Kind::Pattern(_), _) => Err(self.pattern(left)),
            (_, Kind::Pattern(_)) => Err(self.pattern(right)),
            (Kind::Attended(one), Kind::Attended(two)) => {
                Ok(Rule::Attended { scores: (one.scores, two.scores), values: (one.values, two.values) })
            }
            (Kind::Scores(a, b), Kind::Scores(c, d)) => self.products((*a, *b), (*c, *d), left),
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
            // A sum over many channels is independent of any one of them.
            (Kind::Scores(..), _) | (_, Kind::Scores(..)) if one.gaussian && other.gaussian => {
                Ok(Rule::Constant { value: 0.0 })
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

    /// Two functions of which one has several Gaussians: all pairs of these.
    fn sampled(&self, pair: Pair, tangent: bool) -> Result<Rule, NoLimit> {
        let (Some(one), Some(two)) = (self.formulas(pair.0), self.formulas(pair.1)) else {
            return Err(self.refuse(pair.0, "it is no function of Gaussians"));
        };
        for (node, own) in [(pair.0, &one), (pair.1, &two)] {
            if tangent && own.nodes().iter().any(|place| self.nodes[*place].rough) {
                return Err(self.rough(node));
            }
        }
        let (lefts, rights) = (one.nodes(), two.nodes());
        let pairs = lefts.iter().flat_map(|left| rights.iter().map(|right| (*left, *right)));
        Ok(Rule::Sampled { pairs: pairs.filter(|pair| !self.is_zero(*pair)).collect() })
    }

    /// A node as functions of Gaussians.
    fn formulas(&self, place: Place) -> Option<Cow<'_, Sampled>> {
        formulas(self.nodes, place)
    }

    /// The positions of pairs of Gaussians that functions of them read.
    fn sampled_reads(&self, pair: Pair, pairs: &[Pair], demand: &Demand) -> Vec<(Pair, Demand)> {
        let whole =
            || pairs.iter().map(|pair| (*pair, Demand { cells: Cells::All, ..demand.clone() })).collect();
        let (Some(one), Some(two)) = (self.formulas(pair.0), self.formulas(pair.1)) else { return whole() };
        if demand.cells == Cells::All {
            return whole();
        }
        let mut read: BTreeMap<Pair, Vec<(u32, u32)>> = BTreeMap::new();
        for (s, other) in demand.cells.pairs(self.sizes(pair)) {
            for (left, at) in &one.entries[s].1 {
                for (right, with) in &two.entries[other].1 {
                    read.entry((*left, *right)).or_default().push((*at, *with));
                }
            }
        }
        let own = |(pair, cells): (Pair, Vec<(u32, u32)>)| {
            (pair, Demand { cells: Cells::of(cells, self.sizes(pair)), ..demand.clone() })
        };
        read.into_iter().map(own).collect()
    }

    /// The positions of scores and of values that mixtures read.
    fn attended_reads(
        &self,
        pair: Pair,
        (scores, values): (Pair, Pair),
        demand: &Demand,
    ) -> Vec<(Pair, Demand)> {
        let (Kind::Attended(one), Kind::Attended(two)) = (&self.nodes[pair.0].kind, &self.nodes[pair.1].kind)
        else {
            return Vec::new();
        };
        let own = |pair: Pair, cells: Cells| (pair, Demand { cells, ..demand.clone() });
        if demand.cells == Cells::All {
            return vec![own(scores, Cells::All), own(values, Cells::All)];
        }
        let (mut weights, mut mixed) = (Vec::new(), Vec::new());
        for (s, other) in demand.cells.pairs(self.sizes(pair)) {
            for ((_, at), from) in one.rows.entries[s].1.iter().zip(&one.mixed[s]) {
                for ((_, with), to) in two.rows.entries[other].1.iter().zip(&two.mixed[other]) {
                    weights.push((*at, *with));
                    mixed.push((*from, *to));
                }
            }
        }
        vec![
            own(scores, Cells::of(weights, self.sizes(scores))),
            own(values, Cells::of(mixed, self.sizes(values))),
        ]
    }

    /// The pairs that a rule reads, and what it reads of them.
    pub(super) fn reads(&self, pair: Pair, rule: &Rule, demand: &Demand) -> Vec<(Pair, Demand)> {
        let same = |pair: Pair| (pair, demand.clone());
        let value = |pair: Pair| (pair, Demand { tangent: false, ..demand.clone() });
        match rule {
            Rule::One
            | Rule::Gram
            | Rule::Vector
            | Rule::Table
            | Rule::Mean { .. }
            | Rule::Constant { .. } => Vec::new(),
            Rule::Sum { side, terms } => {
                let read = |(source, map, _): &(Pair, Option<Arc<Sparse>>, f64)| match map {
                    None => same(*source),
                    Some(map) => (*source, self.through(*side, map, pair, *source, demand)),
                };
                terms.iter().map(read).collect()
            }
            Rule::Normalized { pair, mean, .. } => {
                let mean = mean.iter().map(|mean| (*mean, Demand::default()));
                std::iter::once(same(*pair)).chain(mean).collect()
            }
            Rule::Mixed { pair, .. } => vec![(*pair, Demand { cells: Cells::All, ..demand.clone() })],
            Rule::Fixed { pair, .. } => vec![(*pair, Demand::default())],
            Rule::Stopped { pair } => vec![value(*pair)],
            Rule::Contraction { pair: source } => {
                let cells = self.contracted_cells(pair, *source, demand);
                vec![(*source, Demand { cells, ..demand.clone() })]
            }
            Rule::Sampled { pairs } => self.sampled_reads(pair, pairs, demand),
            Rule::Attended { scores, values } => self.attended_reads(pair, (*scores, *values), demand),
            Rule::Dual { pair, .. } | Rule::Stein { pair, .. } => vec![same(*pair)],
            Rule::Outer { left, right } => vec![(*left, Demand::default()), (*right, Demand::default())],
            Rule::Product { factors } => {
                factors.iter().flat_map(|(one, other)| [same(*one), same(*other)]).collect()
            }
        }
    }

    /// What is read of a pair whose positions on one side go through a map.
    fn through(&self, side: Side, map: &Sparse, pair: Pair, source: Pair, demand: &Demand) -> Demand {
        let Cells::Some(_) = demand.cells else { return Demand { cells: Cells::All, ..demand.clone() } };
        let mut read = Vec::new();
        for (s, other) in demand.cells.pairs(self.sizes(pair)) {
            let own = if side == Side::Left { s } else { other };
            for (column, _) in map.row(own) {
                read.push(if side == Side::Left { (*column, other as u32) } else { (s as u32, *column) });
            }
        }
        Demand { cells: Cells::of(read, self.sizes(source)), ..demand.clone() }
    }

    /// What a pair of contractions reads of its sources.
    fn contracted_cells(&self, pair: Pair, source: Pair, demand: &Demand) -> Cells {
        let (Kind::Contraction(one), Kind::Contraction(other)) =
            (&self.nodes[pair.0].kind, &self.nodes[pair.1].kind)
        else {
            return Cells::All;
        };
        if self.reads_equal_positions(pair, demand) {
            return Cells::Tied;
        }
        let Cells::Some(_) = demand.cells else { return Cells::All };
        let reads = |term: &Term, at: usize| match &term.map {
            None => Some(at as u32),
            Some(map) => map.row(at).first().map(|(column, _)| *column),
        };
        let inner = one.contracted;
        let mut read = Vec::new();
        for (s, with) in demand.cells.pairs(self.sizes(pair)) {
            for at in 0..inner {
                let places = (reads(&one.source, s * inner + at), reads(&other.source, with * inner + at));
                read.extend(places.0.zip(places.1));
            }
        }
        Cells::of(read, self.sizes(source))
    }

    /// Whether a pair of contractions reads its sources at equal positions only.
    fn reads_equal_positions(&self, (left, right): Pair, demand: &Demand) -> bool {
        let (Kind::Contraction(one), Kind::Contraction(other)) =
            (&self.nodes[left].kind, &self.nodes[right].kind)
        else {
            return false;
        };
        let single = self.nodes[left].size == 1 && self.nodes[right].size == 1;
        let sizes = self.nodes[one.source.node].size == self.nodes[other.source.node].size;
        (demand.cells == Cells::Tied || single) && sizes && one.source.map == other.source.map
    }
}
