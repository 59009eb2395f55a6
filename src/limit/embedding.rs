//! Word vectors in the kernel limit and under muP, at growing widths.
//!
//! In the neural-tangent parameterization a step moves the logits by order 1 and every vector by order n^(-1/2) of itself: at infinite width the vectors are
//! the random ones of the start, and so are their neighbours. Under muP they move by order 1 (Yang & Hu 2021, arXiv 2011.14522). Both
//! start with unit weights and have one tangent kernel then, so that one learning rate drives them: NTK puts n^(-1/2) in front of the readout, muP 1/n, with the
//! rates of the compiler's tables relative to width 1.

use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::finite::{NotRun, judged, points, slope};
use super::record::{Neighbours, Side};
use super::words::Corpus;
use crate::check::setting::{Base, setting};
use crate::graph::{Graph, Op, ParamId};
use crate::network::{Network, Question};
use crate::numeric::build::{Purpose, build};
use crate::numeric::data::Column;
use crate::numeric::program::{Program, Slot};
use crate::numeric::setting::Setting;
use crate::numeric::train::{Routine, Trainer};
use crate::optimizer::Optimizer;
use crate::parameterization::Named;
use crate::rational::Rational;
use crate::shape::Shaped;
use crate::watch::Watch;

/// Neighbours that count as near.
const NEAR: usize = 5;
/// Words whose neighbours are told.
const TOLD: usize = 6;

/// Which parts of a spec hold words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// The table of vectors.
    pub table: ParamId,
    /// The place of the neighbours among inputs and targets.
    pub neighbours: usize,
    /// The place of the word in the middle.
    pub word: usize,
    /// How many neighbours.
    pub window: usize,
    /// How many different words.
    pub vocabulary: usize,
}

/// Why a spec does not learn word vectors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoles {
    /// Its inputs and targets are others.
    #[error(
        "the spec does not read one row of words and say one word: it needs an input such as `neighbours[window] in vocab` and a target such as `word in vocab`"
    )]
    Data,
    /// Words of inputs and targets are not the same.
    #[error("the input counts {0} words and the target {1}")]
    Vocabularies(usize, usize),
    /// No parameter is looked up.
    #[error("the spec looks up no table of vectors, as `embed` does")]
    Table,
}

impl Roles {
    /// Reads them off a spec.
    ///
    /// # Errors
    /// If the spec is no model of words by their neighbours.
    pub fn of(graph: &Graph) -> Result<Roles, NoRoles> {
        let values: Vec<Rational> = graph.scales.iter().map(|scale| scale.base).collect();
        let whole = |number: Option<Rational>| number.and_then(Rational::to_integer).map(|own| own as usize);
        let classes = |at: usize| whole(graph.data[at].classes.as_ref().and_then(|dim| dim.at(&values)));
        let shape = |at: usize| {
            let own = |id: &crate::graph::NodeId| matches!(&graph.node(*id).op, Op::Data(data) if data.index() == at);
            graph.ids().find(own).map(|id| graph.node(id).shape.clone()).unwrap_or_default()
        };
        let of = |target: bool, axes: usize| {
            let mut own = (0..graph.data.len()).filter(|at| graph.data[*at].target == target);
            match (own.next(), own.next()) {
                (Some(at), None) if shape(at).len() == axes => Some((at, classes(at)?)),
                _ => None,
            }
        };
        let (neighbours, words) = of(false, 1).ok_or(NoRoles::Data)?;
        let (word, other) = of(true, 0).ok_or(NoRoles::Data)?;
        if words != other {
            return Err(NoRoles::Vocabularies(words, other));
        }
        let window = whole(shape(neighbours)[0].at(&values)).ok_or(NoRoles::Data)?;
        let shaped = Shaped::new(graph);
        let table = shaped.sites.iter().find(|site| site.lookup).map(|site| site.param);
        Ok(Roles { table: table.ok_or(NoRoles::Table)?, neighbours, word, window, vocabulary: words })
    }
}

/// How vectors are trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The place of the scale symbol that grows.
    pub symbol: usize,
    /// Its values, ascending.
    pub widths: Vec<i64>,
    /// Independent networks per width.
    pub seeds: u64,
    /// The learning rate of gradient descent, at width 1.
    pub rate: f64,
    /// Steps.
    pub steps: usize,
    /// Examples per step.
    pub batch: usize,
}

/// A network at one width in one parameterization.
struct Prepared {
    program: Arc<Program>,
    setting: Setting,
    table: Slot,
}

/// What one run measured.
struct Run {
    change: f64,
    replaced: f64,
    loss: f64,
    near: Vec<(Vec<usize>, Vec<usize>)>,
}

impl Course {
    fn prepare(
        &self,
        network: &Network,
        named: Named,
        roles: &Roles,
        width: i64,
    ) -> Result<Prepared, NotRun> {
        let question = Question::new(named, Optimizer::Sgd);
        let found = network.parameterize(question.clone())?;
        let calculus = network.calculus_for(&question);
        let mut base: Vec<Rational> = network.graph.scales.iter().map(|scale| scale.base).collect();
        let mut values = base.clone();
        base[self.symbol] = Rational::ONE;
        values[self.symbol] = Rational::integer(width);
        let chosen = Base { learning_rate: self.rate, ..Base::default() };
        let setting = setting(&calculus, &found, &base, &values, &chosen);
        let program = build(&network.graph, &values, self.batch, &setting, Purpose::Training)?;
        let table = program.weights.iter().find(|weight| weight.param == roles.table);
        let table = table.map(|weight| weight.slot).unwrap_or_default();
        Ok(Prepared { program: Arc::new(program), setting, table })
    }

    fn run(
        &self,
        prepared: &Prepared,
        roles: &Roles,
        corpus: &Corpus,
        seed: u64,
        watch: &dyn Watch,
    ) -> Option<Run> {
        let program = Arc::clone(&prepared.program);
        let mut trainer = Trainer::<f32>::new(program, &prepared.setting, Routine::default(), seed);
        let before = trainer.machine.values(prepared.table).to_vec();
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        let mut losses = Vec::with_capacity(self.steps);
        for _ in 0..self.steps {
            if watch.stopped() {
                return None;
            }
            let [neighbours, word] = corpus.batch(roles.window, self.batch, &mut stream);
            let mut columns = vec![Column::Whole(Vec::new()); 2];
            columns[roles.neighbours] = neighbours;
            columns[roles.word] = word;
            losses.push(trainer.step(&columns));
        }
        let after = trainer.machine.values(prepared.table);
        let square = |own: f32| f64::from(own).powi(2);
        let moved: f64 = before.iter().zip(after).map(|(one, two)| square(two - one)).sum();
        let size: f64 = before.iter().map(|own| square(*own)).sum();
        let near: Vec<_> = neighbours(&before, roles.vocabulary)
            .into_iter()
            .zip(neighbours(after, roles.vocabulary))
            .collect();
        let replaced = near.iter().flat_map(|(one, two)| two.iter().filter(|own| !one.contains(own))).count();
        let last = &losses[losses.len() - losses.len().div_ceil(10)..];
        Some(Run {
            change: (moved / size).sqrt(),
            replaced: replaced as f64 / near.iter().map(|(_, two)| two.len()).sum::<usize>().max(1) as f64,
            loss: last.iter().sum::<f64>() / last.len().max(1) as f64,
            near,
        })
    }

    /// Trains at every width in one parameterization; the table is expected to change as width^`expected`. Runs that were not finished before the watch
    /// stopped are left out; none if that is all of them.
    ///
    /// # Errors
    /// If a network cannot be run.
    pub fn side(
        &self,
        network: &Network,
        (named, expected): (Named, f64),
        roles: &Roles,
        corpus: &Corpus,
        watch: &dyn Watch,
    ) -> Result<Option<Side>, NotRun> {
        let prepared = self.widths.iter().map(|width| self.prepare(network, named, roles, *width));
        let prepared: Vec<Prepared> = prepared.collect::<Result<_, _>>()?;
        let jobs: Vec<(usize, u64)> = (0..prepared.len())
            .rev()
            .flat_map(|place| (0..self.seeds).map(move |seed| (place, seed)))
            .collect();
        let one = |(place, seed): &(usize, u64)| {
            let run = self.run(&prepared[*place], roles, corpus, *seed, watch)?;
            watch.finished(self.widths[*place] as usize);
            Some(run)
        };
        let runs: Vec<Option<Run>> = jobs.par_iter().map(one).collect();
        let Some(widest) = runs.iter().flatten().next() else { return Ok(None) };
        let of = |own: &dyn Fn(&Run) -> f64| {
            points(self.widths.iter().rev().zip(runs.chunks(self.seeds as usize)), own)
        };
        let words = |own: &[usize]| own.iter().map(|at| corpus.vocabulary[*at].clone()).collect();
        let told = |word: usize| {
            let (before, after) = &widest.near[word];
            Neighbours { word: corpus.vocabulary[word].clone(), before: words(before), after: words(after) }
        };
        Ok(Some(Side {
            parameterization: named.name().to_string(),
            change: judged("change of the vectors relative to the start", &of(&|run| run.change), expected),
            replaced_slope: slope(&of(&|run| run.replaced)),
            replaced: of(&|run| run.replaced),
            losses: of(&|run| run.loss),
            neighbours: (0..roles.vocabulary.min(corpus.vocabulary.len())).take(TOLD).map(told).collect(),
        }))
    }
}

/// The places of the nearest rows of every row of a table, by cosine, the nearest first.
fn neighbours(table: &[f32], rows: usize) -> Vec<Vec<usize>> {
    let length = table.len() / rows.max(1);
    let unit: Vec<f32> = table
        .chunks(length)
        .flat_map(|row| {
            let norm = row.iter().map(|own| own * own).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            row.iter().map(move |own| own / norm)
        })
        .collect();
    let row = |at: usize| &unit[at * length..(at + 1) * length];
    let nearest = |at: usize| {
        let cosine = |other: usize| row(at).iter().zip(row(other)).map(|(one, two)| one * two).sum::<f32>();
        let mut all: Vec<(f32, usize)> =
            (0..rows).filter(|other| *other != at).map(|other| (cosine(other), other)).collect();
        all.sort_by(|one, two| two.0.total_cmp(&one.0));
        all.into_iter().take(NEAR).map(|(_, other)| other).collect()
    };
    (0..rows).map(nearest).collect()
}

/// Whether the vectors stay in the first side and learn in the second: both changes go as expected, replaced neighbours become fewer with the width in the
/// first, and there are more of them in the second at the largest width.
pub fn holds(kernel: &Side, features: &Side) -> bool {
    let last = |side: &Side| side.replaced.last().map_or(0.0, |point| point.size);
    let fewer = kernel.replaced_slope.as_ref().is_some_and(|slope| slope.high < 0.0);
    kernel.change.holds && features.change.holds && fewer && last(features) > last(kernel)
}

/// Whether some run ended without a number for a loss.
pub fn diverged(sides: &[Side]) -> bool {
    let seeds = sides.iter().flat_map(|side| &side.losses).flat_map(|point| &point.seeds);
    seeds.into_iter().any(|loss| !loss.is_finite())
}
